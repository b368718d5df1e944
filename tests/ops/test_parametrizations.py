"""Weights that are made of what is learned: weight_norm and weight_standardization of a layer."""
import json
import re

import numpy as np
import pytest

from harness import netc, run, trainer, write_safetensors
from ops.one_image import difference
from ops.test_emission import TRAIN, same_both_ways
from runs import few_images, train_steps

# A matrix of many rows, one large enough for the whole batch at once, convolutions of each kind.
NET = (
    """network n {
    input [1, 28, 28]
    conv2d(6, 5, WS) as a;  batch_norm2d as norm;  relu
    conv2d(6, 3, groups=2, WN) as b;  relu
    conv_transpose2d(4, 3, stride=2, TN) as c
    max_pool2d(4)
    flatten(1)
    linear(20, WN) as d;  tanh
    conv1d(8, 3, WS) as e;  relu
    flatten
    linear(160, bias=false, WN) as f;  relu
    linear(128, WS) as g;  relu
    linear(10) as fc
}
"""
    + TRAIN % "cross_entropy"
)
MADE = {"WN": "weight_norm=true", "WS": "weight_standardization=1e-5", "TN": "weight_norm=true"}


def text(words):
    """Without words the weights are learned themselves."""
    made = NET
    for word in MADE:
        made = re.sub(rf"(, )?\b{word}\b", lambda m: f"{m[1]}{words[word]}" if words else "", made)
    return made


def test_written_out_as_reference(tmp_path):
    same_both_ways(text(MADE), tmp_path)


def test_gradients_are_finite_differences():
    program = trainer(text(MADE), "--dtype=f64")
    run(program, "gradcheck", *"--batch 13 --samples 10 --random-init --threads 1".split())


def test_one_image_has_the_same_logits(tmp_path):
    for dtype, close in ("f64", 1e-6), ("f32", 3e-5):
        assert difference(tmp_path, text(MADE), dtype, "--split=all") < close


def test_the_state_has_what_is_learned(tmp_path):
    (tmp_path / "n.net").write_text(text(MADE))
    summary = json.loads(netc("summary", "--json", tmp_path / "n.net").stdout)
    plain = tmp_path / "plain.net"
    plain.write_text(text(None))
    without = json.loads(netc("summary", "--json", plain).stdout)
    state = {entry["name"]: entry["shape"] for entry in summary["state"]}
    assert state["a.weight"] == [6, 1, 5, 5]
    assert state["b.parametrizations.weight.original0"] == [6, 1, 1, 1]
    assert state["b.parametrizations.weight.original1"] == [6, 3, 3, 3]
    assert state["c.parametrizations.weight.original0"] == [6, 1, 1, 1]
    assert state["d.parametrizations.weight.original0"] == [20, 1]
    assert "b.weight" not in state
    assert summary["parameters"] == without["parameters"] + 6 + 6 + 20 + 160


def effective(state):
    """The weights of the network without parametrizations that computes the same."""
    made = {}
    for name, value in state.items():
        layer, _, rest = name.partition(".")
        rows = tuple(range(1, value.ndim))
        if rest == "parametrizations.weight.original1":
            norm = np.sqrt((value**2).sum(rows, keepdims=True))
            value = value / norm * state[f"{layer}.parametrizations.weight.original0"]
            made[f"{layer}.weight"] = value
        elif rest == "weight" and layer in "aeg":
            mean, variance = value.mean(rows, keepdims=True), value.var(rows, keepdims=True)
            made[name] = (value - mean) / np.sqrt(variance + 1e-5)
        elif not rest.startswith("parametrizations"):
            made[name] = value
    return made


@pytest.mark.parametrize("steps", [1, 5])
def test_it_computes_what_the_formula_says(steps, tmp_path):
    """After some steps, in which magnitudes left the directions' norms."""
    state = train_steps(tmp_path, text(MADE), "--dtype=f64", steps=steps)
    saved = tmp_path / "plain.safetensors"
    write_safetensors(saved, effective(state), {})
    data = few_images(text(MADE), 200)
    told = [
        run(program, "test", "--data", data, "--weights", weights).stdout
        for program, weights in (
            (trainer(text(MADE), "--dtype=f64"), tmp_path / "trained.safetensors"),
            (trainer(text(None), "--dtype=f64"), saved),
        )
    ]
    assert told[0].splitlines()[-1] == told[1].splitlines()[-1]
    assert "loss" in told[0]
