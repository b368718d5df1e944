"""Every reference kernel against PyTorch, forward and backward, in float64: the
results are in pytorch.safetensors, which make_fixtures.py writes."""
import json
from pathlib import Path

import numpy as np
import pytest

from harness import operators, read_metadata, read_safetensors
from ops.cases import DROPOUTS, missing
from ops.kernels import Call

FILE = Path(__file__).with_name("pytorch.safetensors")
TOLERANCE = 1e-10
TENSORS = read_safetensors(FILE)


DESCRIBED = {key: json.loads(text) for key, text in read_metadata(FILE).items()}


def numbered(key, letter):
    found = []
    while f"{key}.{letter}{len(found)}" in TENSORS:
        found.append(TENSORS[f"{key}.{letter}{len(found)}"])
    return found


@pytest.mark.parametrize("key", DESCRIBED)
def test_as_pytorch(key):
    keywords = dict(DESCRIBED[key])
    counters = [None] * keywords.pop("counters")
    xs = numbered(key, "x")
    call = Call(
        **keywords, parameters=numbered(key, "p") + counters, targets=TENSORS.get(f"{key}.targets")
    )
    y = call.forward(*xs)
    if call.out_shape is None:
        y = y.mean()
    expected = TENSORS[f"{key}.y"]
    np.testing.assert_allclose(np.reshape(y, expected.shape), expected, TOLERANCE, TOLERANCE)
    for parameter, after in zip(call.parameters[call.trained :], numbered(key, "after")):
        np.testing.assert_allclose(parameter, after, TOLERANCE, TOLERANCE)
    dxs, dparameters = call.backward(xs, TENSORS.get(f"{key}.dy"))
    for actual, expected in zip(
        [*dxs, *dparameters], [*numbered(key, "dx"), *numbered(key, "dp")], strict=True
    ):
        np.testing.assert_allclose(actual.reshape(expected.shape), expected, TOLERANCE, TOLERANCE)


# Joins and views have no gradient of their own: tests/parity has whole networks
# of them.  Those of recurrent layers are in test_recurrent.py.  PyTorch's dropout draws other
# numbers.
RECURRENT = {"rnn", "gru", "lstm"}
# What begins a chain and what takes tokens is compared as a part of networks: tests/reuse,
# tests/ops/test_tokens.py, test_multihead.py.
IN_NETWORKS = {
    "parameter",
    "constant",
    "noise",
    "embedding",
    "self_attention",
    "multihead_attention",
}
NOT_COMPARED = (
    {"add", "concat", "flatten", "reshape", "identity", "dropout", "rrelu"}
    | IN_NETWORKS
    | RECURRENT
    | set(DROPOUTS)
)


def test_every_operator_is_compared_and_every_argument():
    names = {op["name"] for op in operators()} - NOT_COMPARED
    seen = {
        op: [entry["attributes"] for entry in DESCRIBED.values() if entry["op"] == op]
        for op in names
    }
    assert all(seen.values())
    assert [missing(op, attributes) for op, attributes in seen.items()] == [set()] * len(seen)


def test_batch_norm_evaluates_as_pytorch():
    """y = (x - mean) / sqrt(var + eps), with the averages that PyTorch left."""
    compared = 0
    for key, entry in DESCRIBED.items():
        after = numbered(key, "after")
        if not after:
            continue
        keywords = dict(entry)
        counters, trained = [None] * keywords.pop("counters"), entry["trained"]
        (x,) = numbered(key, "x")
        each = (1, -1) + (1,) * (x.ndim - 2)
        mean, variance = (array.reshape(each) for array in after)
        affine = [array.reshape(each) for array in numbered(key, "p")[:trained]] or [1, 0]
        call = Call(
            **keywords, parameters=numbered(key, "p")[:trained] + after + counters, training=False
        )
        expected = (x - mean) / np.sqrt(variance + entry["attributes"]["eps"]) * affine[0] + affine[
            1
        ]
        np.testing.assert_allclose(call.forward(x), expected, TOLERANCE, TOLERANCE)
        compared += 1
    assert compared > 1
