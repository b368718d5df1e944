"""However a run ends, it saves what it can: signals, output that nobody reads,
files that cannot be written."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

from harness import read_log, read_safetensors, run
from runs import LONG, STEPS, grown, running, small, train, wait_for, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def kept(folder):
    return "--save", folder / "w", "--checkpoint", folder / "c", "--log", folder / "log"


def check_saved(folder, data):
    """Weights, checkpoint and log are of one step, and the run can go on from there."""
    steps = sum(event["event"] == "step" for event in read_log(folder / "log"))
    assert read_safetensors(folder / "w")["bn1.num_batches_tracked"] == steps
    assert read_safetensors(folder / "c")["bn1.num_batches_tracked"] == steps
    train(data, "--quiet", "--resume", folder / "c", "--max-steps", steps + 1, "--epochs", LONG)
    assert sorted(path.name for path in folder.iterdir()) == ["c", "log", "w"]


# ---------------------------------------------------------------- signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2"])
def test_a_signal_ends_the_run_and_all_of_it_is_saved(name, data, tmp_path):
    number = getattr(signal, name)
    with running(data, "--quiet", "--epochs", LONG, *kept(tmp_path)) as process:
        wait_for(grown(tmp_path / "log"), process)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stderr.read() == ""
    check_saved(tmp_path, data)


def test_the_same_signal_twice_at_once_is_one_wish(data, tmp_path):
    """As timeout(1) sends it, to its child and to the child's group."""
    with running(data, "--quiet", "--epochs", LONG, *kept(tmp_path)) as process:
        wait_for(grown(tmp_path / "log"), process)
        for _ in range(20):
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    check_saved(tmp_path, data)


def test_a_later_signal_kills(data, tmp_path):
    """The run waits for a reader of what it saves."""
    os.mkfifo(tmp_path / "pipe")
    with running(
        data, "--quiet", "--max-steps", 3, "--save", tmp_path / "pipe", "--log", tmp_path / "log"
    ) as process:
        wait_for(
            lambda: grown(tmp_path / "log", 0)() and len(read_log(tmp_path / "log")) == 3, process
        )
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(1.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


def test_weights_go_through_a_pipe(data, tmp_path):
    """Whose reader gets all of them at once, signal or not."""
    os.mkfifo(tmp_path / "pipe")
    with running(
        data, "--quiet", "--epochs", LONG, "--save", tmp_path / "pipe", *kept(tmp_path)[2:]
    ) as process:
        with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
            wait_for(grown(tmp_path / "log"), process)
            process.send_signal(signal.SIGTERM)
            (tmp_path / "w").write_bytes(reader.stdout.read())
        assert process.wait(60) == 128 + signal.SIGTERM
    (tmp_path / "pipe").unlink()
    check_saved(tmp_path, data)


def test_a_hangup_that_was_ignored_stays_ignored(data, tmp_path):
    with running(
        data,
        "--quiet",
        "--epochs",
        LONG,
        *kept(tmp_path),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:
        wait_for(grown(tmp_path / "log"), process)
        process.send_signal(signal.SIGHUP)
        size = (tmp_path / "log").stat().st_size
        wait_for(grown(tmp_path / "log", size + 2000), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM


def test_a_signal_while_the_images_are_made(tmp_path):
    """Nothing is there to be saved, so nothing is waited for."""
    with running("synthetic", "--quiet", *kept(tmp_path)) as process:
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (128 + signal.SIGTERM, -signal.SIGTERM)  # the latter before main


def test_a_signal_in_a_long_test(tmp_path):
    """The test is cut short, and the resumed run makes it up: the same epoch in
    the log, the same weights."""
    data = write_data(tmp_path, tests=100_000)
    ways = {
        name: ["--save", tmp_path / f"{name}.w", "--log", tmp_path / f"{name}.log"]
        for name in ("whole", "parts")
    }
    train(data, "--quiet", "--epochs", 1, *ways["whole"])
    with running(
        data, "--quiet", "--epochs", 1, "--checkpoint", tmp_path / "c", *ways["parts"]
    ) as process:
        wait_for(
            lambda: (tmp_path / "parts.log").exists()
            and (tmp_path / "parts.log").read_text().count("\n") == STEPS,
            process,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert len(read_log(tmp_path / "parts.log")) == STEPS
    train(data, "--quiet", "--resume", tmp_path / "c", *ways["parts"])
    assert (tmp_path / "whole.w").read_bytes() == (tmp_path / "parts.w").read_bytes()
    epochs = [read_log(tmp_path / f"{name}.log")[-1] for name in ways]
    assert (
        epochs[0]["test_loss"] == epochs[1]["test_loss"]
        and epochs[0]["train_loss"] == epochs[1]["train_loss"]
    )


# ----------------------------------------------- output that nobody reads


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_left_ends_nothing(stream, data, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writer}
    command = [str(word) for word in (small(), "train", "--data", data, *kept(tmp_path))]
    result = subprocess.run(command, **streams, timeout=60)
    os.close(writer)
    assert result.returncode == 0
    check_saved(tmp_path, data)


def test_a_reader_that_stopped_reading_does_not_hold_up_the_end(data, tmp_path):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while os.write(writer, bytes(4096)):
            pass
    except BlockingIOError:
        os.set_blocking(writer, True)
    command = [
        str(word)
        for word in (small(), "train", "--data", data, "--epochs", LONG, *kept(tmp_path)[:4])
    ]
    with subprocess.Popen(command, stdout=writer) as process:
        time.sleep(0.5)  # it waits to say what it is about to do
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (128 + signal.SIGTERM, -signal.SIGTERM)
    os.close(reader)
    os.close(writer)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_standard_output_is_told_when_all_is_saved(data, tmp_path):
    saved = f"--save {tmp_path}/w --checkpoint {tmp_path}/c --log {tmp_path}/log"
    command = f"exec {small()} train --data {data} {saved} >/dev/full"
    told = run("sh", "-c", command, expect=1).stderr
    assert "cannot write to standard output" in told and told.count("\n") == 1
    check_saved(tmp_path, data)


def test_closed_standard_streams_spoil_no_file(data, tmp_path):
    """Their numbers would be the next files'."""
    saved = f"--save {tmp_path}/w --checkpoint {tmp_path}/c --log {tmp_path}/log"
    run("sh", "-c", f"exec {small()} train --data {data} {saved} <&- >&- 2>&-", expect=None)
    assert len(read_log(tmp_path / "log")) == 3 * (STEPS + 1)
    check_saved(tmp_path, data)


# ----------------------------------------------------------------- the log


def test_a_log_whose_reader_left(data, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with running(
        data, "--quiet", "--epochs", LONG, "--save", tmp_path / "w", "--log", tmp_path / "pipe"
    ) as process:
        with open(tmp_path / "pipe") as pipe:
            assert json.loads(pipe.readline())["step"] == 1
        assert "pipe: Broken pipe" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
        told = process.stderr.read()
    assert re.search(r"pipe lacks \d+ lines?: Broken pipe", told) and told.count("\n") == 1
    assert read_safetensors(tmp_path / "w")["bn1.num_batches_tracked"] > 0


def test_a_log_that_waits_for_its_reader_can_be_ended(data, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with running(data, "--quiet", "--log", tmp_path / "pipe") as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (128 + signal.SIGTERM, -signal.SIGTERM)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_log_that_cannot_be_written(data, tmp_path):
    told = train(
        data,
        "--quiet",
        "--log",
        "/dev/full",
        "--save",
        tmp_path / "w",
        "--checkpoint",
        tmp_path / "c",
        expect=1,
    ).stderr
    lines = told.splitlines()
    assert len(lines) == 2 and "cannot write /dev/full: No space left on device" in lines[0]
    assert f"/dev/full lacks {3 * (STEPS + 1)} lines: No space left on device" in lines[1]
    for name in "wc":
        assert read_safetensors(tmp_path / name)["bn1.num_batches_tracked"] == 3 * STEPS


def test_a_log_at_its_size_limit_has_whole_lines(data, tmp_path):
    """A limit is an error of the write; what does not fit is none of it there."""
    limit = 30_000
    told = train(
        data,
        "--quiet",
        "--epochs",
        100,
        *kept(tmp_path),
        expect=1,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    ).stderr
    events = read_log(tmp_path / "log")
    assert limit - 200 < (tmp_path / "log").stat().st_size <= limit
    assert "log: File too large" in told.splitlines()[0]
    # Between them a line with fewer digits of a time may have fitted.
    assert f"log lacks {100 * (STEPS + 1) - len(events)} lines" in told.splitlines()[-1]
    assert read_safetensors(tmp_path / "w")["bn1.num_batches_tracked"] == 100 * STEPS


@pytest.mark.parametrize("quiet", [True, False])
def test_the_log_on_standard_output(quiet, data, tmp_path):
    """Also where that is a file: opened again, it would be cut."""
    options = ["--quiet"] if quiet else []
    piped = train(data, *options, "--log", "/dev/stdout").stdout
    with open(tmp_path / "out", "w") as out:
        out.write("before\n")
        out.flush()
        command = [
            str(word)
            for word in (small(), "train", "--data", data, *options, "--log", "/dev/stdout")
        ]
        subprocess.run(command, stdout=out, check=True, timeout=60)
    for text in piped, (tmp_path / "out").read_text():
        assert sum(line.startswith("{") for line in text.splitlines()) == 3 * (STEPS + 1)
        assert sum(line.startswith("epoch") for line in text.splitlines()) == (0 if quiet else 3)
    assert (tmp_path / "out").read_text().startswith("before\n")


def test_a_log_that_somebody_deletes_is_begun_anew(data, tmp_path):
    with running(data, "--quiet", "--epochs", LONG, *kept(tmp_path)) as process:
        wait_for(grown(tmp_path / "log"), process)
        (tmp_path / "log").unlink()
        wait_for(grown(tmp_path / "log"), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    steps = [event["step"] for event in read_log(tmp_path / "log") if event["event"] == "step"]
    assert steps[-1] == read_safetensors(tmp_path / "w")["bn1.num_batches_tracked"]


# ----------------------------------------------- weights and checkpoints


def test_a_checkpoint_that_cannot_be_written_is_tried_again(data, tmp_path):
    """Told once while it lasts; when the folder is there again, so is the checkpoint."""
    folder, away = tmp_path / "folder", tmp_path / "away"
    folder.mkdir()
    with running(data, "--quiet", "--epochs", LONG, "--checkpoint", folder / "c") as process:
        wait_for(grown(folder / "c"), process)
        folder.rename(away)
        assert "folder/c: No such file or directory" in process.stderr.readline()
        time.sleep(0.3)
        folder.mkdir()
        wait_for(grown(folder / "c"), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        assert process.stderr.read() == ""
    train(data, "--quiet", "--resume", folder / "c", "--max-steps", 1, "--epochs", LONG)


def end_without(folder, number, data, log, *files):
    """What a run says on stderr that is asked to end when a folder of its files has gone."""
    with running(data, "--quiet", "--epochs", LONG, "--log", log, *files) as process:
        wait_for(grown(log), process)
        while folder.exists():  # the run may write there meanwhile
            shutil.rmtree(folder, ignore_errors=True)
        process.send_signal(number)
        assert process.wait(60) == 1
        return process.stderr.read().splitlines()


@pytest.mark.parametrize("lost", ["w", "c", "g"])
def test_what_can_be_saved_is_saved(lost, data, tmp_path):
    """One folder is gone when the run ends; the files in the others are written."""
    folders = {name: tmp_path / name for name in "wcg"}
    for folder in folders.values():
        folder.mkdir()
    options = {"w": "--save", "c": "--checkpoint", "g": "--save-gradients"}
    files = [word for name in "wcg" for word in (options[name], folders[name] / "f")]
    told = end_without(folders[lost], signal.SIGTERM, data, tmp_path / "log", *files)
    assert f"{lost}/f: No such file or directory" in told[-1]
    assert {name for name, folder in folders.items() if (folder / "f").exists()} == {*"wcg"} - {
        lost
    }


def test_every_failure_is_told(data, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    files = ["--save", folder / "w", "--save-gradients", folder / "g"]
    told = end_without(folder, signal.SIGINT, data, tmp_path / "log", *files)
    assert len(told) == 2 and "folder/w" in told[0] and "folder/g" in told[1]
