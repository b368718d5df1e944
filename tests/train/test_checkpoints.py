"""Checkpoints on the way, those that are kept, and the best weights."""
import json
import signal
import struct

import numpy as np
import pytest

from harness import read_log, read_safetensors, run, trainer, write_safetensors
from runs import IMAGES, LONG, STEPS, grown, running, small, train, wait_for, write_data, write_idx


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The weights of three epochs in one go."""
    made = tmp_path_factory.mktemp("whole") / "w"
    train(data, "--quiet", "--save", made)
    return made.read_bytes()


def metadata(path):
    text = path.read_bytes()
    return json.loads(text[8 : 8 + struct.unpack("<Q", text[:8])[0]])["__metadata__"]


def steps_of(folder):
    """{name: step} of the checkpoints in a folder; each must be whole."""
    return {
        path.name: int(metadata(path)["step"])
        for path in folder.iterdir()
        if path.name.startswith("c") and len(read_safetensors(path)) > 0
    }


# ------------------------------------------------------------ on the way


@pytest.mark.parametrize("every", ["2", "3", "1"])
def test_every_checkpoint_goes_on_bit_for_bit(every, data, whole, tmp_path):
    train(
        data, "--quiet", "--checkpoint", tmp_path / "c", "--checkpoint-every", every, "--keep", 1000
    )
    found = steps_of(tmp_path)
    wanted = {
        *range(int(every), 3 * STEPS + 1, int(every)),
        *(STEPS * epoch for epoch in (1, 2, 3)),
    }
    assert sorted(found.values()) == sorted(wanted)
    for name, step in found.items():
        assert name == ("c" if step == 3 * STEPS else f"c.{step}")
        train(data, "--quiet", "--resume", tmp_path / name, "--save", tmp_path / "w")
        assert (tmp_path / "w").read_bytes() == whole


def test_a_killed_run_goes_on_from_within_an_epoch(data, whole, tmp_path):
    """SIGKILL after each of some steps: what is lost are the steps since the last checkpoint."""
    kept = ("--checkpoint", tmp_path / "c", "--checkpoint-every", "1", "--log", tmp_path / "log")
    with running(data, "--quiet", "--epochs", LONG, *kept) as process:
        wait_for(grown(tmp_path / "log", 5000), process)
        process.kill()
    step = int(metadata(tmp_path / "c")["step"])
    done = sum(event["event"] == "step" for event in read_log(tmp_path / "log"))
    assert done - 1 <= step <= done
    train(
        data,
        "--quiet",
        "--resume",
        tmp_path / "c",
        "--max-steps",
        step + 2,
        "--epochs",
        LONG,
        "--save",
        tmp_path / "a",
    )
    train(data, "--quiet", "--max-steps", step + 2, "--epochs", LONG, "--save", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_by_time(data, tmp_path):
    """One at every step that takes longer than the interval, none where it is long."""
    words = "--quiet --checkpoint-every 0.001s --keep 1000 --epochs 20 --threads 1".split()
    train(data, *words, "--checkpoint", tmp_path / "c")
    often = len(steps_of(tmp_path))
    assert often >= 20
    other = tmp_path / "other"
    other.mkdir()
    train(data, "--quiet", "--checkpoint", other / "c", "--checkpoint-every", "2h", "--keep", 1000)
    assert sorted(steps_of(other).values()) == [STEPS, 2 * STEPS, 3 * STEPS]


@pytest.mark.parametrize(
    "options, told",
    [
        (
            ["--checkpoint-every", "3x", "--checkpoint", "c"],
            "a number of steps, as 500, or a time, as 30s, 10m or 2h",
        ),
        (
            ["--checkpoint-every", "0", "--checkpoint", "c"],
            "--checkpoint-every 0: a number of steps",
        ),
        (["--checkpoint-every", "1.5", "--checkpoint", "c"], "a number of steps"),
        (["--checkpoint-every", "m", "--checkpoint", "c"], "a number of steps"),
        (["--checkpoint-every", "", "--checkpoint", "c"], "a number of steps"),
        (["--checkpoint-every", "10m"], "--checkpoint-every needs --checkpoint F"),
        (["--keep", "3"], "--keep needs --checkpoint F"),
        (["--keep", "0", "--checkpoint", "c"], "a whole number from 1"),
    ],
)
def test_misuse(options, told, tmp_path):
    result = run(small(), "train", "--data", "synthetic", *options, expect=2, cwd=tmp_path)
    assert told in result.stderr and result.stderr.count("\n") == 1 and not list(tmp_path.iterdir())


# ------------------------------------------------------------- kept ones


def test_the_last_ones_are_kept(data, tmp_path):
    train(data, "--quiet", "--checkpoint", tmp_path / "c", "--checkpoint-every", 2, "--keep", 3)
    assert steps_of(tmp_path) == {"c": 15, "c.14": 14, "c.12": 12}


def test_keeping_goes_on_in_a_resumed_run(data, tmp_path):
    """Which ones are the run's travels in the checkpoint: a stranger's stays."""
    options = ("--quiet", "--checkpoint", tmp_path / "c", "--checkpoint-every", 1, "--keep", 3)
    (tmp_path / "c.1").write_text("mine")
    train(data, *options, "--max-steps", 4)
    (tmp_path / "c.1").unlink()
    (tmp_path / "c.0").write_text("mine")
    train(data, "--resume", tmp_path / "c", *options, "--max-steps", 7)
    assert (tmp_path / "c.0").read_text() == "mine"
    (tmp_path / "c.0").unlink()
    assert steps_of(tmp_path) == {"c": 7, "c.6": 6, "c.5": 5}
    train(data, "--resume", tmp_path / "c.5", *options, "--max-steps", 8)
    assert steps_of(tmp_path) == {"c": 8, "c.7": 7, "c.6": 6}


def test_a_strangers_file_is_not_replaced(data, tmp_path):
    """It is told of; the newest is written all the same."""
    (tmp_path / "c.2").write_text("mine")
    words = "--quiet --checkpoint-every 2 --keep 2 --max-steps 4".split()
    told = train(data, *words, "--checkpoint", tmp_path / "c").stderr
    assert (
        "cannot keep the checkpoint of step 2" in told
        and "is another file" in told
        and told.count("\n") == 1
    )
    assert (tmp_path / "c.2").read_text() == "mine"
    assert int(metadata(tmp_path / "c")["step"]) == 4


def test_without_keep_nothing_is_left_beside(data, tmp_path):
    train(data, "--quiet", "--checkpoint", tmp_path / "c", "--checkpoint-every", 2)
    assert steps_of(tmp_path) == {"c": 15}


@pytest.mark.parametrize("kept", ["x", "5,3", "99999", "1,,2", "1,", "-1", "," * 100])
def test_a_damaged_list_of_kept_ones_is_refused_or_harmless(kept, data, tmp_path):
    train(data, "--quiet", "--max-steps", 7, "--checkpoint", tmp_path / "c")
    header = metadata(tmp_path / "c")
    tensors = {name: tensor for name, tensor in read_safetensors(tmp_path / "c").items()}
    write_safetensors(tmp_path / "d", tensors, {**header, "kept": kept})
    result = train(
        data,
        "--quiet",
        "--resume",
        tmp_path / "d",
        "--checkpoint",
        tmp_path / "d",
        "--keep",
        2,
        expect=None,
    )
    assert result.returncode in (0, 1) and result.stderr.count("\n") == result.returncode


# --------------------------------------------------------------- the best


def accuracies(log):
    return [event["test_accuracy"] for event in read_log(log) if event["event"] == "epoch"]


def test_the_best_epochs_weights(data, tmp_path):
    """Noise is learned by heart and not understood: the best epoch is hardly the last."""
    shown = train(
        data, "--epochs", 12, "--save-best", tmp_path / "best", "--log", tmp_path / "log"
    ).stdout
    found = accuracies(tmp_path / "log")
    best = found.index(max(found)) + 1
    assert read_safetensors(tmp_path / "best")["bn1.num_batches_tracked"] == best * STEPS
    told = run(small(), "test", "--data", data, "--weights", tmp_path / "best").stdout
    assert f"accuracy {100 * max(found):.2f} %" in told
    marks = [max(found[:i], default=-1) < value for i, value in enumerate(found)]
    assert [
        event["best"] for event in read_log(tmp_path / "log") if event["event"] == "epoch"
    ] == marks
    assert [
        ", the best" in line for line in shown.splitlines() if line.startswith("epoch")
    ] == marks


def test_the_best_so_far_survives_a_stop(data, tmp_path):
    train(
        data,
        "--quiet",
        "--epochs",
        12,
        "--save-best",
        tmp_path / "whole",
        "--log",
        tmp_path / "log",
    )
    for epochs in range(1, 13):
        start = ["--resume", tmp_path / "c"] if epochs > 1 else []
        train(
            data,
            "--quiet",
            *start,
            "--epochs",
            epochs,
            "--checkpoint",
            tmp_path / "c",
            "--save-best",
            tmp_path / "parts",
        )
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()


def test_a_best_file_that_is_gone_is_written_again(data, tmp_path):
    options = ("--quiet", "--checkpoint", tmp_path / "c", "--save-best", tmp_path / "best")
    train(data, *options, "--epochs", 2)
    (tmp_path / "best").unlink()
    train(data, *options, "--epochs", 3, "--resume", tmp_path / "c")
    assert read_safetensors(tmp_path / "best")["bn1.num_batches_tracked"] == 3 * STEPS


def test_without_classes_the_best_is_by_loss(tmp_path):
    numbers = np.random.default_rng(2)
    for name, count in ("train", IMAGES), ("t10k", 50):
        write_idx(
            tmp_path / f"{name}-images-idx3-ubyte", numbers.integers(0, 256, (count, 4, 4), "u1")
        )
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", np.zeros(count, "u1"))
    network = """\
network one {
    input [1, 4, 4]
    flatten
    linear(1) as fc
}
train {
    data "digits"
    loss mse
    optimizer sgd(lr=0.3)
    batch 48
    epochs 9
}
"""
    one = trainer(network, "--kernels=reference")
    files = ["--save-best", tmp_path / "best", "--log", tmp_path / "log"]
    run(one, "train", "--data", tmp_path, "--quiet", *files)
    losses = [
        event["test_loss"] for event in read_log(tmp_path / "log") if event["event"] == "epoch"
    ]
    told = run(one, "test", "--data", tmp_path, "--weights", tmp_path / "best").stdout
    assert float(told.split()[2].rstrip(",")) == pytest.approx(min(losses), abs=2e-6)


def test_a_best_that_cannot_be_written(data, tmp_path):
    (tmp_path / "folder").mkdir()
    with running(
        data,
        "--quiet",
        "--epochs",
        LONG,
        "--save",
        tmp_path / "w",
        "--log",
        tmp_path / "log",
        "--save-best",
        tmp_path / "folder" / "best",
    ) as process:
        wait_for(grown(tmp_path / "folder" / "best"), process)
        (tmp_path / "folder").rename(tmp_path / "away")
        wait_for(grown(tmp_path / "log", 20_000), process)
        process.send_signal(signal.SIGTERM)
        status, told = process.wait(60), process.stderr.read().splitlines()
    assert (tmp_path / "w").exists()
    # The latter where no epoch was better.
    assert (status, len(told)) in [(1, 2), (128 + signal.SIGTERM, 0)]
    assert all("folder/best: No such file or directory" in line for line in told)
