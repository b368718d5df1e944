"""`look`: filters and what layers make of a picture, against NumPy."""
import re

import numpy as np
import pytest

from data.test_data import png
from harness import run, trainer, write_safetensors
from runs import BATCH, NET as NET_OF_RUNS, small, write_data
from train.test_report import decode_png

SIDE, SCALE, GAP = 12, 4, 2  # tiles of 48 pixels
NET = """network looks {
    input [1, 12, 12]
    conv2d(3, 3, padding=1) as first
    relu
    conv2d(2, 3, padding=1) as second
    flatten
    linear(4) as fc
}
"""


def convolved(image, weight, bias):
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return np.einsum("chwyx,ocyx->ohw", windows, weight) + bias[:, None, None]


def tiles(path, count, side, scale):
    """The tiles of a picture, each value once."""
    pixels, step = decode_png(path.read_bytes()), side * scale + GAP
    columns = int(np.ceil(np.sqrt(count)))
    for number in range(count):
        top, left = (GAP + part * step for part in divmod(number, columns))
        tile = pixels[top : top + side * scale, left : left + side * scale]
        assert (np.repeat(np.repeat(tile[::scale, ::scale], scale, 0), scale, 1) == tile).all()
        yield tile[::scale, ::scale]


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
def test_filters_and_outputs(kernels, tmp_path):
    made, numbers = trainer(NET, f"--kernels={kernels}"), np.random.default_rng(7)
    state = {
        name: numbers.normal(size=shape).astype("f4")
        for name, shape in {
            "first.weight": (3, 1, 3, 3),
            "first.bias": (3,),
            "second.weight": (2, 3, 3, 3),
            "second.bias": (2,),
            "fc.weight": (4, 288),
            "fc.bias": (4,),
        }.items()
    }
    pixels = numbers.integers(0, 256, (SIDE, SIDE), "u1")
    write_safetensors(tmp_path / "w", state)
    (tmp_path / "p.png").write_bytes(png(pixels, 0))
    told = run(made, *"look --weights w p.png -o out --threads 2".split(), cwd=tmp_path).stdout
    one = np.maximum(convolved(pixels[None] / 255, state["first.weight"], state["first.bias"]), 0)
    two = convolved(one, state["second.weight"], state["second.bias"])
    last = sorted((tmp_path / "out").glob("features-*"))[-1]
    assert last.name.endswith("-second.png") and told.count("\n") == len(
        list(last.parent.iterdir())
    )
    first = sorted((tmp_path / "out").glob("features-*"))[-2]  # with its relu
    for path, maps in (first, one), (last, two):
        for tile, wanted in zip(tiles(path, len(maps), SIDE, SCALE), maps):
            wanted = 255 * (wanted - wanted.min()) / (np.ptp(wanted) or 1)
            assert np.abs(tile - wanted).max() < 0.51
    (filters,) = (tmp_path / "out").glob("filters-*")
    for tile, wanted in zip(tiles(filters, 3, 3, 16), state["first.weight"][:, 0]):
        most = np.abs(wanted).max()
        assert np.abs(tile - 255 * (wanted + most) / (2 * most)).max() < 0.51


def test_what_cannot_be(tmp_path):
    flat = trainer("network flat {\n    input [4]\n    linear(2) as fc\n}\n", "--kernels=reference")
    write_safetensors(
        tmp_path / "w", {"fc.weight": np.ones((2, 4), "f4"), "fc.bias": np.ones(2, "f4")}
    )
    words = "look", "--weights", "w"
    assert "look needs" in run(flat, *words, cwd=tmp_path, expect=2).stderr
    told = run(flat, *words, "-o", "out", cwd=tmp_path, expect=1).stderr
    assert "has no convolution of pictures whose filters could be shown" in told
    told = run(flat, *words, "-o", "out", "no.png", cwd=tmp_path, expect=1).stderr
    assert "no.png" in told


def test_training_images_as_the_network_gets_them(tmp_path):
    """Those of the first step, in its order; what is done to them is what training does."""
    told = run(small(), "look", "--data", write_data(tmp_path), *"-o out".split(), cwd=tmp_path)
    labels = re.findall(r"\d+", re.sub(r"row \d+: ", "", told.stdout.rpartition("out/")[0]))
    raw = (tmp_path / "train-images-idx3-ubyte").read_bytes()[16:]
    images = np.frombuffer(raw, "u1").reshape(-1, 12, 12)
    classes = (tmp_path / "train-labels-idx1-ubyte").read_bytes()[8:]
    drawn = list(tiles(tmp_path / "out" / "training.png", BATCH, 12, 4))
    assert len(labels) == BATCH and len({tile.tobytes() for tile in drawn}) == BATCH
    for tile, label in zip(drawn, labels):
        (index,) = np.flatnonzero((images == tile).all((1, 2)))
        assert classes[index] == int(label)
    mirrored = trainer(
        (NET_OF_RUNS % ("sgd(lr=0.1)", "constant")).replace(
            "loss      ",
            "augment   horizontal_flip(1.0), mixup(0.4), repeated_augment(2)\n    loss      ",
        ),
        "--kernels=reference",
    )
    words = "look", "--data", ".", "--count", 2, "-o", "two.png"
    told = run(mirrored, *words, cwd=tmp_path).stdout
    assert re.match(r"row 1: (\d \(\d+ %\) \+ \d \(\d+ %\)(, |\n)){2}", told), told
    share = int(re.search(r"(\d+) %", told)[1]) / 100
    one, two = drawn[0][:, ::-1].astype(float), drawn[1][:, ::-1].astype(float)
    for tile, own, other in zip(tiles(tmp_path / "two.png", 2, 12, 4), (one, two), (two, one)):
        assert np.abs(tile - (share * own + (1 - share) * other)).max() < 3
    assert "look --data needs --output" in run(small(), "look", "--data", ".", expect=2).stderr
