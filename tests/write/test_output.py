"""What cannot be written is said, and is not success."""
from pathlib import Path

import pytest

from harness import MODELS, NETC, run, trainer

CNN = MODELS / "cnn.net"
pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


def to_a_full_disk(*words):
    return run("/bin/sh", "-c", 'exec "$@" >/dev/full', "sh", *words, expect=1).stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["check", "--help"],
        ["explain"],
        ["explain", "conv2d"],
        ["summary", CNN],
        ["summary", "--json", CNN],
        ["emit", CNN],
        ["graph", CNN],
        ["--dump=ast", CNN],
        ["--dump=plan", CNN],
    ],
)
def test_netc_to_a_full_disk(words):
    assert "cannot write" in to_a_full_disk(NETC, *words)


@pytest.mark.parametrize("words", [["info"], ["train", "--data", "synthetic", "--max-steps", "1"]])
def test_a_trainer_to_a_full_disk(words):
    said = to_a_full_disk(trainer(CNN), *words)
    assert "cannot write to standard output" in said and "ioctl" not in said


def test_nothing_to_print_needs_no_output():
    run("/bin/sh", "-c", 'exec "$@" >&-', "sh", NETC, "check", CNN)
