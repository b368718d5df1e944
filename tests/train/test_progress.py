"""The line that a run keeps on a terminal: whole at any width, coloured or not, and in no pipe."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata

import numpy as np
import pytest

from harness import run
from runs import small, write_idx

BLOCKS = "▁▂▃▄▅▆▇█"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Enough for some lines, which are drawn ten times a second."""
    folder = tmp_path_factory.mktemp("data")
    numbers = np.random.default_rng(1)
    for name, count in ("train", 1500), ("t10k", 50):
        images = numbers.integers(0, 256, (count, 12, 12), "u1")
        write_idx(folder / f"{name}-images-idx3-ubyte", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", numbers.integers(0, 10, count, "u1"))
    return folder


def on_terminal(data, columns, **environment):
    """All that a run of two epochs writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    plain = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "LC_ALL")}
    words = "--data", data, "--threads", "1", "--epochs", "2", "--batch", "1"
    process = subprocess.Popen(
        [small(), "train", *words],
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment},
    )
    os.close(theirs)
    told = b""
    try:
        while some := os.read(ours, 65536):
            told += some
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return told.decode()


def without_sequences(text):
    return re.sub(r"\033\[\d*[mK]", "", text)


def live_lines(told):
    """Each as it is drawn."""
    lines = [line.rpartition("\r")[2] for line in told.split("\033[K")]
    return [line for line in lines if line.startswith("epoch ")]


def width(text):
    return sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in text)


def screen(told):
    """What is left on it: a line that is drawn over is gone."""
    lines = [line.split("\r")[-1] for line in told.replace("\r\n", "\n").split("\n")]
    return [without_sequences(line) for line in lines if line.strip()]


def test_a_bar_and_how_the_loss_went(data):
    told = on_terminal(data, 140)
    lines = live_lines(told)
    last = without_sequences(lines[-1])
    assert re.match(r"epoch 2/2 [━╸─]{30}  [ \d]{3} %  loss \d\.\d{4} ", last), last
    assert re.search(
        rf"[{BLOCKS}]{{10,24}}  accuracy [\d.]+ %  [\d,]+ images/s  ETA \d:\d\d$", last
    )
    assert "\033[32m━" in told and "\033[36m" in told
    drawn = lines[-1].count("\033[32m")
    assert lines[-1].count("\033[0m") >= drawn > 0  # no colour runs on
    left = screen(told)
    assert len(left) == 3 and all(line.startswith("epoch") for line in left[1:])
    assert "train accuracy" in left[-1] and "images/s" in left[-1]


@pytest.mark.parametrize("columns", [20, 60, 80])
def test_no_line_is_wider_than_the_terminal(columns, data):
    lines = [without_sequences(line) for line in live_lines(on_terminal(data, columns))]
    assert lines and all(width(line) < columns for line in lines)
    assert ("━" in lines[-1]) == (columns >= 60)


def test_without_colours(data):
    told = on_terminal(data, 100, NO_COLOR="1")
    assert "━" in told and not re.search(r"\033\[\d*m", told)


def test_in_ascii(data):
    told = on_terminal(data, 100, LC_ALL="C")
    assert re.search(r" \[[#.]{8,30}\]", without_sequences(told)) and told.isascii()


def test_a_dumb_terminal_and_a_pipe_get_plain_lines(data):
    told = on_terminal(data, 100, TERM="dumb")
    piped = run(small(), "train", "--data", data, "--epochs", 1, "--threads", 1).stdout
    for text in told.replace("\r\n", "\n"), piped:
        assert "\033" not in text and "\r" not in text and text.count("epoch") <= 3
