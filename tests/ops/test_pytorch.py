"""Every reference kernel against PyTorch, forward and backward, in float64: the
results are in pytorch.safetensors, which make_fixtures.py writes."""
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from harness import read_safetensors
from ops.kernels import Call

FILE = Path(__file__).with_name("pytorch.safetensors")
TOLERANCE = 1e-10
TENSORS = read_safetensors(FILE)


def described():
    data = FILE.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    return {key: json.loads(text) for key, text in json.loads(data[8:8 + length])["__metadata__"].items()}


DESCRIBED = described()


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
    call = Call(**keywords, parameters=numbered(key, "p") + counters, targets=TENSORS.get(f"{key}.targets"))
    y = call.forward(*xs)
    if call.out_shape is None:
        y = y.mean()
    expected = TENSORS[f"{key}.y"]
    np.testing.assert_allclose(np.reshape(y, expected.shape), expected, TOLERANCE, TOLERANCE)
    dxs, dparameters = call.backward(xs, TENSORS.get(f"{key}.dy"))
    for actual, expected in zip([*dxs, *dparameters], [*numbered(key, "dx"), *numbered(key, "dp")], strict=True):
        np.testing.assert_allclose(actual.reshape(expected.shape), expected, TOLERANCE, TOLERANCE)


def test_every_operator_with_a_kernel_is_compared():
    compared = {entry["op"] for entry in DESCRIBED.values()}
    assert len(compared) >= 24
