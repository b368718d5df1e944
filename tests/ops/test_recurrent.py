"""rnn, gru and lstm: emitted kernels against reference kernels, their gradients against finite
differences; and both against PyTorch, in recurrent.safetensors, which make_recurrent.py writes."""
from pathlib import Path

import numpy as np
import pytest

from harness import (
    check_text,
    operators,
    rarely,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from ops import recurrent
from ops.one_image import difference
from ops.test_emission import TRAIN, same_both_ways

HERE = Path(__file__).resolve().parent
PYTORCH = read_safetensors(HERE / "recurrent.safetensors")
TOLERANCE = 1e-10  # of weights, after a few steps in float64

# On [14, 14], the image that few_images() makes, and what it gives to what follows.
LAYERS = [
    "rnn(5)",
    "rnn(19, nonlinearity=relu, bidirectional=true)",
    "rnn(16, num_layers=3, bias=false, dropout=0.3)",
    "gru(7, bidirectional=true, last=true)",
    "gru(33, num_layers=2, dropout=0.2)",
    "gru(16, bias=false, last=true)",
    "lstm(50, bidirectional=true)",
    "lstm(6, num_layers=2, bias=false, last=true)",
    "lstm(24, proj_size=17, num_layers=2, bidirectional=true, dropout=0.1)",
    "lstm(20, proj_size=3, bias=false, last=true)",
]


def network(layer, steps=14):
    return (
        f"""network n {{
    input [1, 28, 28]
    avg_pool2d([{28 // steps}, 2])
    reshape([{steps}, 14])
    linear(16) as before
    {layer} as recurrent
    flatten
    linear(10) as fc
}}
"""
        + TRAIN % "cross_entropy"
    )


@pytest.mark.parametrize("layer", [*LAYERS[::2], *map(rarely, LAYERS[1::2])])
def test_written_out_as_reference(layer, tmp_path):
    same_both_ways(network(layer), tmp_path)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("layer", ["gru(18, bidirectional=true)", "lstm(18, proj_size=16)"])
def test_of_few_steps(layer, steps, tmp_path):
    same_both_ways(network(layer, steps), tmp_path)


# The kernels of each are compared with the plain loops above, and those with differences.
@pytest.mark.parametrize("layer", [LAYERS[8], *map(rarely, LAYERS[:8] + LAYERS[9:])])
def test_gradients_by_differences(layer):
    run(trainer(network(layer, steps=4), "--dtype=f64"), "gradcheck", "--samples=8", "--threads=1")


def test_a_layer_used_again(tmp_path):
    """… lends its parameters twice."""
    again = network("lstm(14, num_layers=2, bidirectional=true)").replace(
        "    flatten\n", "    linear(16) as between\n    reuse recurrent\n    flatten\n"
    )
    same_both_ways(again, tmp_path)


SEQ2SEQ = (
    """network n {
    input [1, 28, 28] as image
    avg_pool2d([2, 2]);  flatten(1)
    reshape([14, 14]) as source
    lstm(9, num_layers=2, last=true) as encoder
    linear(18) as bridge;  reshape([2, 9]) as cells
    from source
    linear(12) as words
    lstm(9, num_layers=2, h0=cells, c0=cells) as decoder
    gru(9, h0=encoder) as second
    rnn(11, nonlinearity=relu, bidirectional=true) as third
    flatten
    linear(10) as fc
}
"""
    + TRAIN % "cross_entropy"
)


def test_a_decoder_begins_with_what_an_encoder_ended_with(tmp_path):
    """Each image with its own, from which the gradient goes on to the encoder."""
    same_both_ways(SEQ2SEQ, tmp_path)
    told = run(trainer(SEQ2SEQ, "--dtype=f64"), "gradcheck", "--threads=1", "--samples=3").stdout
    assert " 0 wrong" in told and "encoder.weight_hh_l1" in told


@pytest.mark.parametrize(
    "wrong, told",
    [
        ("h0=source, c0=cells", "lstm cannot begin with h0 of [14, 14]"),
        ("h0=encoder, c0=cells", "[2, 9] is needed"),
        ("h0=[cells, cells]", "h0 of lstm is one tensor, not 2"),
        ("h0=bridge", "reshape([2, 9]) before it is named"),
    ],
)
def test_what_does_not_fit_is_told(wrong, told, tmp_path):
    text = SEQ2SEQ.replace("h0=cells, c0=cells", wrong)
    assert told in check_text(text, tmp_path).stderr


def expected(layer):
    """PyTorch's state after the steps, in state_dict's order."""
    return {
        name.removeprefix(f"{layer}/"): tensor
        for name, tensor in PYTORCH.items()
        if name.startswith(f"{layer}/")
    }


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
@pytest.mark.parametrize("layer", recurrent.COMPARED)
def test_trains_as_pytorch(layer, kernels, tmp_path):
    first, saved, wanted = tmp_path / "first", tmp_path / "saved", expected(layer)
    shapes = {name: tensor.shape for name, tensor in wanted.items()}
    write_safetensors(first, recurrent.first_state(shapes))
    run(
        trainer(recurrent.network(layer), "--dtype=f64", f"--kernels={kernels}"),
        *"train --no-shuffle --quiet --threads 2".split(),
        *["--data", HERE.parent / "parity" / "data", "--init", first],
        *["--max-steps", recurrent.STEPS, "--save", saved],
    )
    trained = read_safetensors(saved)
    assert list(trained) == list(wanted)
    for name, tensor in wanted.items():
        np.testing.assert_allclose(trained[name], tensor, TOLERANCE, TOLERANCE, err_msg=name)


def test_every_argument_is_compared():
    """PyTorch's dropout draws other numbers, and an assertion makes none."""
    for op in operators():
        if op["name"] not in ("rnn", "gru", "lstm"):
            continue
        uses = [layer for layer in recurrent.COMPARED if layer.startswith(op["name"])]
        words = {argument["name"] for argument in op["arguments"]}
        for word in words - {"hidden_size", "input_size", "dropout"}:
            assert any(f"{word}=" in use for use in uses), word


@pytest.mark.parametrize("layer", recurrent.COMPARED[1::2])
def test_one_image_as_of_many(layer, tmp_path):
    assert difference(tmp_path, recurrent.network(layer), "f64") < 1e-12
