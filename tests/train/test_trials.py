"""Several runs in one command, compared: other seeds, other settings; and the rate that rises."""
import csv
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from harness import read_log, run
from runs import LONG, small, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def command(name, data, *options, **keywords):
    return run(small(), name, "--data", data, "--threads", 1, *options, **keywords)


def rows_of(told):
    """The table at the end, without its heading."""
    return told.rpartition("\n\n")[2].splitlines()[1:]


def test_each_seed_is_a_run_of_its_own(data, tmp_path):
    """The files and figures are those of as many runs by hand, on the same validation images."""
    split = ["--validation", 0.25, "--epochs", 2]
    files = ["--save", tmp_path / "w.safetensors", "--log", tmp_path / "log"]
    told = command("train", data, *split, *files, "--repeat", 3, "--output", tmp_path / "t.csv")
    found, losses = [], []
    for number in (1, 2, 3):
        log = [event for event in read_log(tmp_path / f"log-{number}") if "seconds" in event]
        found.append(log[-1]["validation_accuracy"])
        losses.append(log[-1]["validation_loss"])
    command("train", data, *split, "--quiet", "--save", tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "w-1.safetensors").read_bytes()
    command("train", data, *split[2:], "--quiet", "--checkpoint", tmp_path / "c", *split[:2])
    (row,) = rows_of(told.stdout)
    mean, deviation = 100 * np.mean(found), 100 * np.std(found, ddof=1)
    assert f" {mean:.2f} ± {deviation:.2f} %" in row
    assert f" {np.mean(losses):.4f} ± {np.std(losses, ddof=1):.4f}" in row
    with open(tmp_path / "t.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["seed"] for line in table] == ["1", "2", "3"]
    assert [float(line["validation_accuracy"]) for line in table] == pytest.approx(found, rel=1e-8)
    assert len(set(losses)) == 3


def test_a_sweep_is_a_grid(data, tmp_path):
    """Of runs as by hand; with such a decay the weights grow a hundredfold a step, and end both."""
    words = "--set", "optimizer.weight_decay=1000,0", "--set", "lr=0.1,0.3", "--epochs", 6
    files = "--save", tmp_path / "w", "-o", tmp_path / "t.csv"
    told = command("sweep", data, *words, *files)
    with open(tmp_path / "t.csv", newline="") as file:
        table = list(csv.DictReader(file))
    pairs = [(line["optimizer.weight_decay"], line["optimizer.lr"]) for line in table]
    assert sorted(pairs) == sorted((a, b) for a in ("1000", "0") for b in ("0.1", "0.3"))
    ended = [line for line in table if line["end"] == "ended"]
    assert len(ended) == 2 and table[:2] == ended and "1 failed" in rows_of(told.stdout)[-1]
    values = [float(line["test_accuracy"]) for line in ended]
    assert values == sorted(values, reverse=True)
    assert told.stderr.count("error:") == 2 and "the run is stopped" in told.stderr
    for number, lr in (3, 0.1), (4, 0.3):
        by_hand = "--lr", lr, "--epochs", 6, "--quiet", "--save", tmp_path / "hand"
        command("train", data, *by_hand)
        assert (tmp_path / "hand").read_bytes() == (tmp_path / f"w-{number}").read_bytes()


def test_a_folder_of_events_for_each_run(data, tmp_path):
    (tmp_path / "v1.0").mkdir()
    command("train", data, "--epochs", 1, "--repeat", 2, "--log", tmp_path / "v1.0")
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    assert names == [f"v1.0-{number}/events.out.tfevents.small" for number in (1, 2)]


def test_a_run_cut_short_is_compared_as_it_is(data, tmp_path):
    told = command("sweep", data, "--set", "lr=0.1,0.2", "--max-steps", 3, "--save", tmp_path / "w")
    tested = run(small(), "test", "--data", data, "--weights", tmp_path / "w-2").stdout
    loss = re.search(r"test loss ([\d.]+)", tested)[1]
    assert f"test loss {float(loss):.4f}" in told.stdout.splitlines()[1]


def test_a_signal_ends_the_sweep_with_its_table(data):
    words = "sweep", "--data", data, "--set", "lr=0.1,0.2,0.3", "--epochs", LONG, "--threads", "1"
    words = [small(), *map(str, words)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[0]
    assert process.returncode == 130 and "run 1/3" in told and "run 2/3" not in told
    assert len(rows_of(told)) == 1


@pytest.mark.parametrize(
    "words, told",
    [
        (["sweep"], "sweep needs --set PATH=A,B,..."),
        (["sweep", "--set", "lr=0.1,x"], "--set optimizer.lr x: a number"),
        (["sweep", "--set", "lr=0.1,"], "--set optimizer.lr '': a number"),
        (["sweep", "--set", "nothing=1,2"], "unknown setting nothing"),
        (["sweep", "--set", "seed=1,2"], "--repeat N takes other seeds"),
        (["sweep", "--set", "lr=1,2", "--set", "optimizer.lr=3"], "is given twice"),
        (["train", "--repeat", "2", "--resume", "c"], "--resume goes on with one run"),
        (["train", "--output", "t"], "it needs --repeat N"),
        (["lr-find", "--from", "1", "--to", "0.1"], "the rate is to rise"),
    ],
)
def test_misuse(words, told, data, tmp_path):
    result = command(*words[:1], data, *words[1:], expect=2, cwd=tmp_path)
    assert told in result.stderr and not list(tmp_path.iterdir())


def test_the_rate_that_rises(data, tmp_path):
    """What is suggested is where the logged curve falls fastest; nothing else is written."""
    options = "--steps", 60, "--from", "1e-5", "--to", 10, "--batch", 20
    told = command("lr-find", data, *options, "--log", tmp_path / "l.csv", cwd=tmp_path).stdout
    with open(tmp_path / "l.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    rates, losses = (np.array([float(row[key]) for row in rows]) for key in ("lr", "loss"))
    assert rates[0] == 1e-5 and np.allclose(np.diff(np.log(rates)), np.log(1e6) / 59)
    lowest = 10 + losses[10:].argmin()
    slopes = losses[12 : lowest + 1] - losses[10 : lowest - 1]
    suggested = rates[11 + slopes.argmin()]
    assert f"suggested: --lr {suggested:.2g}," in told
    assert [path.name for path in tmp_path.iterdir()] == ["l.csv"]
    again = command("lr-find", data, *options, cwd=tmp_path).stdout
    assert again == told
