"""Weights that are not what they claim: one sentence, and nothing is read astray."""
import json
import random
import struct

import numpy as np
import pytest

from harness import run, trainer, write_safetensors

NET = "network two {\n    input [3]\n    linear(2) as fc\n}\n"
WEIGHTS = {"fc.weight": np.arange(6, dtype="f4").reshape(2, 3), "fc.bias": np.ones(2, "f4")}


def load(path):
    """The trainer's own words on a file; it needs no data to refuse one."""
    return run(trainer(NET), "test", "--weights", path, "--data", "no-such-folder", expect=1).stderr


def entry(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def write(path, header, data=bytes(24)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_a_good_file_is_taken(tmp_path):
    write_safetensors(tmp_path / "w", WEIGHTS)
    assert "no-such-folder" in load(tmp_path / "w")


@pytest.mark.parametrize("header, told", [
    ({"a": entry([2**40, 2**40], [0, 24])}, "product is too large"),
    ({"a": entry([-6], [0, 24])}, "whole numbers from 0"),
    ({"a": entry([1.5], [0, 24])}, "whole numbers from 0"),
    ({"a": entry([6], [0, 24]), "b": entry([1], [20, 24])}, "inside"),
    ({"a": entry([2], [0, 8]), "b": entry([2], [16, 24])}, "after a gap"),
    ({"a": entry([2], [0, 8])}, "16 bytes follow"),
    ({"a": entry([6], [24, 0])}, "span -24 bytes"),
    ({"a": entry([5], [0, 24])}, "which is not [5] of F32"),
    ({"a": entry([100], [0, 400])}, "end at 400 and there are 24"),
    ({"a": entry([6], [0, 24], "Q4")}, "unknown dtype Q4"),
    ({"a": entry([1] * 9, [0, 4])}, "more than 8 dimensions"),
    ({"a": 3}, "not an object"),
    ([], "not a JSON object"),
    ({"__metadata__": {"a": 1}}, "not text"),
    (b'{"a":', "not JSON"),
    (b'{} {}', "follows the header"),
    (b'{"\xff": 1}', "not UTF-8"),
    (b"[" * 100000, "not JSON"),
    (b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"a":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}', "twice"),
])
def test_a_lying_header(header, told, tmp_path):
    message = load(write(tmp_path / "w", header))
    assert told in message and str(tmp_path / "w") in message and message.count("\n") == 1


@pytest.mark.parametrize("bytes_, told", [
    (b"", "0 bytes"), (b"\xff" * 64, "not a safetensors file"), (struct.pack("<Q", 1000) + b"{}", "cut short"),
])
def test_no_such_file_format(bytes_, told, tmp_path):
    (tmp_path / "w").write_bytes(bytes_)
    assert told in load(tmp_path / "w")


def test_a_folder_or_nothing(tmp_path):
    assert "not a file" in load(tmp_path)
    assert "No such file" in load(tmp_path / "missing")


@pytest.mark.parametrize("changes, told", [
    ({"fc.bias": None}, "has no fc.bias, which is [2]"),
    ({"fc.bias": np.ones(3, "f4")}, "fc.bias is [3], and [2] in this network"),
    ({"more": np.ones(3, "f4")}, "has more, [3], which this network has not"),
    ({"fc.bias": np.ones(2, "i4")}, "fc.bias is I32"),
    ({"fc.bias": None, "more": np.ones(1, "f4"), "most": np.ones(1, "f4")}, "(and 2 more differences)"),
])
def test_weights_of_another_network(changes, told, tmp_path):
    tensors = {name: tensor for name, tensor in {**WEIGHTS, **changes}.items() if tensor is not None}
    write_safetensors(tmp_path / "w", tensors)
    assert told in load(tmp_path / "w")


def test_every_truncation_and_some_noise(tmp_path):
    write_safetensors(tmp_path / "w", WEIGHTS, {"who": "numpy"})
    good = (tmp_path / "w").read_bytes()
    length = 8 + struct.unpack("<Q", good[:8])[0]
    cuts = [good[:size] for size in range(0, len(good), 7)]
    random.seed(1)
    flips = []
    for _ in range(60):
        flipped = bytearray(good)
        flipped[random.randrange(length)] ^= 1 << random.randrange(8)
        flips.append(bytes(flipped))
    for content in cuts + flips:
        (tmp_path / "w").write_bytes(content)
        load(tmp_path / "w")
