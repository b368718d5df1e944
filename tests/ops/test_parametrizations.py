"""Weights that are made of what is learned: weight_norm, weight_standardization, unit_norm and
spectral_norm of a layer."""
import json
import re
from pathlib import Path

import numpy as np
import pytest

from harness import check_text, netc, read_safetensors, run, trainer, write_safetensors
from ops import recurrent
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
    linear(128, UN) as u;  relu
    linear(96, SN) as h;  relu
    linear(48, SN, n_power_iterations=2) as i
    linear(10) as fc
}
"""
    + TRAIN % "cross_entropy"
)
MADE = {"WN": "weight_norm=true", "WS": "weight_standardization=1e-5", "TN": "weight_norm=true"}
MADE["SN"] = "spectral_norm=true"
MADE["UN"] = "unit_norm=true"


def text(words):
    """Without words the weights are learned themselves."""
    made = NET
    for word in MADE:
        if not words:
            made = made.replace(", n_power_iterations=2", "")
        made = re.sub(rf"(, )?\b{word}\b", lambda m: f"{m[1]}{words[word]}" if words else "", made)
    return made


def test_written_out_as_reference(tmp_path):
    same_both_ways(text(MADE), tmp_path)


def test_gradients_are_finite_differences():
    program = trainer(text(MADE), "--dtype=f64")
    run(program, "gradcheck", *"--batch 9 --samples 4 --random-init --threads 1".split())


def test_one_image_has_the_same_logits(tmp_path):
    assert difference(tmp_path, text(MADE), "f32", "--split=all") < 3e-5


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
    assert state["u.weight"] == [128, 128]
    assert state["h.parametrizations.weight.original"] == [96, 128]
    assert state["h.parametrizations.weight.0._u"] == [96]
    assert state["h.parametrizations.weight.0._v"] == [128]
    assert "b.weight" not in state and "h.weight" not in state
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
        elif name == "u.weight":
            made[name] = value / np.sqrt((value**2).sum(1, keepdims=True))
        elif rest == "parametrizations.weight.original":
            u, v = (state[f"{layer}.parametrizations.weight.0._{name}"] for name in "uv")
            made[f"{layer}.weight"] = value / (u @ value @ v)
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


# ops.make_spectral.Network: rows of the first axis and, transposed and in groups, of the second.
SPECTRAL = """network n {
    input [1, 28, 28]
    conv2d(6, 5, spectral_norm=true) as a;  relu;  max_pool2d(5, ceil_mode=false)
    conv_transpose2d(4, 3, groups=2, bias=false, spectral_norm=true) as c
    zero_pad2d([0, 6, 0, 6]);  flatten(1)
    linear(20, spectral_norm=true, n_power_iterations=3) as d
    slice(0, 5, axis=-1);  tanh
    conv1d(8, 3, spectral_norm=true) as e;  relu
    flatten
    linear(10) as fc
}
train { data synthetic;  loss cross_entropy;  optimizer sgd(lr=0.1, momentum=0.9);  batch 13
        epochs 1 }
"""


def spectral_steps(tmp_path, steps, *more, begin=()):
    wanted = read_safetensors(Path(__file__).with_name("spectral.safetensors"))
    first, saved = tmp_path / "first", tmp_path / "saved"
    write_safetensors(first, recurrent.first_state({k: v.shape for k, v in wanted.items()}))
    run(
        trainer(SPECTRAL, "--dtype=f64"),
        *"train --no-shuffle --quiet --threads 2".split(),
        *["--data", Path(__file__).parent.parent / "parity" / "data"],
        *(begin or ["--init", first]),
        *["--max-steps", steps, "--save", saved, *more],
    )
    return wanted, read_safetensors(saved)


def test_spectral_norm_trains_as_pytorch(tmp_path):
    """Weights, and the vectors of their largest singular values."""
    wanted, trained = spectral_steps(tmp_path, 3)
    assert list(trained) == list(wanted)
    for name, tensor in wanted.items():
        np.testing.assert_allclose(trained[name], tensor, 1e-9, 1e-9, err_msg=name)


def test_a_test_leaves_the_vectors_alone_and_a_resumed_run_goes_on(tmp_path):
    wanted, _ = spectral_steps(tmp_path, 1, "--checkpoint", tmp_path / "c")
    _, resumed = spectral_steps(tmp_path, 3, begin=["--resume", tmp_path / "c"])
    for name, tensor in wanted.items():
        np.testing.assert_allclose(resumed[name], tensor, 1e-9, 1e-9, err_msg=name)


def test_a_first_weight_has_no_larger_singular_value_than_1(tmp_path):
    """Almost: fifteen iterations found its vectors."""
    saved, data = tmp_path / "first", Path(__file__).parent.parent / "parity" / "data"
    options = "train --max-steps 1 --lr 0 --quiet --threads 1 --save".split()
    run(trainer(SPECTRAL, "--dtype=f64"), *options, saved, "--data", data)
    state = read_safetensors(saved)
    value = state["d.parametrizations.weight.original"]
    u, v = (state[f"d.parametrizations.weight.0._{name}"] for name in "uv")
    largest = np.linalg.svd(value)[1][0]
    assert 0.97 < u @ value @ v / largest <= 1 and abs(np.linalg.norm(v) - 1) < 1e-12


def test_iterations_of_no_spectral_norm_are_told(tmp_path):
    without = SPECTRAL.replace("spectral_norm=true, n_power", "n_power")
    assert "add spectral_norm=true" in check_text(without, tmp_path).stderr
    twice = SPECTRAL.replace("(10)", "(10, spectral_norm=true, weight_norm=true)")
    told = check_text(twice, tmp_path).stderr
    assert "cannot be made in two ways" in told
