"""Losses of one's own with several targets, and of parts of tensors: against PyTorch
(make_fixtures.py says how), and what is said of those that do not fit."""
from pathlib import Path

import numpy as np
import pytest

from harness import (
    COMPUTING,
    check_text,
    netc,
    read_log,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from losses.own_data import STEPS, arrays, initial_state

HERE = Path(__file__).resolve().parent
NET = HERE / "own.net"


def write_arrays(folder, **changed):
    given = arrays() | changed
    folder.mkdir()
    test = {f"test_{name}": value[:8] for name, value in given.items()}
    np.savez(folder / "own.npz", **{f"train_{name}": v for name, v in given.items()}, **test)
    return folder


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
def test_parts_and_targets_are_pytorchs(kernels, tmp_path):
    wanted = read_safetensors(HERE / "own.safetensors")
    data = write_arrays(tmp_path / "own")
    write_safetensors(tmp_path / "initial", initial_state())
    program = trainer(NET, "--dtype=f64", f"--kernels={kernels}", compiler=COMPUTING)
    run(
        program,
        *"train --no-shuffle --quiet --threads 2 --max-steps".split(),
        *[STEPS, "--data", data, "--init", tmp_path / "initial"],
        *["--save", tmp_path / "w", "--log", tmp_path / "log"],
    )
    losses = [event["loss"] for event in read_log(tmp_path / "log") if event["event"] == "step"]
    assert losses == pytest.approx(list(wanted["losses"]), rel=1e-9)
    for name, value in read_safetensors(tmp_path / "w").items():
        assert value == pytest.approx(wanted[f"final.{name}"], abs=1e-9)
    told = run(program, "gradcheck", "--random-init", "--samples", 40).stdout
    assert " 0 wrong" in told
    told = run(program, "predict", "--data", data, "--weights", tmp_path / "w", "--count", 2)
    assert "nan" not in told.stdout


def test_the_data_must_have_what_the_loss_names(tmp_path):
    program = trainer(NET, "--dtype=f64", "--kernels=reference", compiler=COMPUTING)
    data = write_arrays(tmp_path / "own", box=np.zeros((40, 5), "f4"))
    told = run(program, "train", "--data", data, expect=1).stderr
    assert "box is [5] for each example, and detect takes [4]" in told


BAD = """\
%s
network n {
    input [2, 6, 6]
    flatten
    aside { linear(12) as a;  reshape([3, 4]);  output q }
    linear(7) as fc
    output p
}
train {
    data      synthetic
    loss      mse, target=y
    loss      %s
    optimizer sgd(lr=0.1)
    batch     8
    epochs    1
}
"""


@pytest.mark.parametrize(
    "own, use, says",
    [
        ("d(p, t) = mean(p[7] - t)", "d", ["no 7 among 7", "`p` is [7]", "used here"]),
        ("d(p, t) = mean(p[:8] - t)", "d", ["8 is beyond the 7 that are there"]),
        ("d(p, t) = mean(p[4:4] - t)", "d", ["takes nothing of the 7"]),
        ("d(p, t) = mean(p[4:, 0] - t)", "d", ["it has 1 axis, and this says 2"]),
        (
            "d(q, t) = mean(q[0] - t[:, :4])",
            "d, output=q, target=z",
            ["beside tensors", "t[:, :4]"],
        ),
        ("d(p, t) = mean(p[::0] - t)", "d", ["step of a slice is at least 1"]),
        ("d(p, t) = mean(p[0.5] - t)", "d", ["whole numbers that are known"]),
        ("d(p, t, k=2) = mean(p[:4] - k[0]*t)", "d", ["`k` is a number, and has no parts"]),
        ("d(p, t) = mean(r[:4] - t)", "d", ["nothing is named `r`"]),
        ("d(p, a, b) = mean(p - a*b)", "d, target=y", ["against 2 targets, and this names 1"]),
        ("d(p, t) = mean(p) - mean(t)", "d(p, q), target=[y, z]", ["against no target"]),
        ("d(p, t) = mean(p - t)", "d(p, q, q)", ["takes at most 2 named outputs, not 3"]),
        ("d(p, t) = p[:2] - mean(t)", "d", ["reads `p[:2]`, [2], outside of sum"]),
        ("d(p, t) = logsumexp(p, t)", "d", ["logsumexp takes one value"]),
        ("d(p, t) = mean(p - t)", "d, target=[]", ["target= names no array"]),
    ],
)
def test_what_is_refused(own, use, says, tmp_path):
    told = check_text(BAD % (f"loss {own}", use), tmp_path).stderr
    for words in says:
        assert words in told
    assert told.count("error[") == 1 or "unread-output" in told


def test_a_function_takes_no_part(tmp_path):
    told = check_text(BAD % ("function f(x) = x[0]", "mse, target=y"), tmp_path).stderr
    assert "a function goes element by element" in told and "a `loss` can" in told


def test_slices_keep_their_layout(tmp_path):
    file = tmp_path / "a.net"
    file.write_text(NET.read_text().replace("q[1:, -2:]", "q[ 1 : , - 2 : ]"))
    netc("fmt", file)
    assert "sigmoid(q[1:, -2:])*y[1:, -2:]" in file.read_text()
