"""Convolutions by way of Winograd's tiles give what the direct ones give: in
float64 but for its rounding, in float32 within what small points cost.
"""
import re

import numpy as np
import pytest

from harness import MODELS, netc, rarely
from ops.one_image import difference
from runs import train_steps

# Tiles of both sizes, with and without padding, with more padding than the window needs and on one
# axis only.  They leave a rest of one to three outputs, or are all there is.  Channels fill no
# vector or several.  There are a slice of a concat, the sum of a skip, and a batch norm that is
# part of the weights.  Volumes have slices of which some or, with this padding, one alone lies
# within a window.
NET = """network tiles {
    input [3, 31, 29]

    conv2d(17, 3, padding=1)
    batch_norm2d
    relu
    concat {
        branch { conv2d(24, 5, padding=2) }
        branch { conv2d(9, 3, padding=1);  relu }
    }
    skip { conv2d(33, 3, padding=1) }
    conv2d(40, 3, padding=[0, 2], bias=false)
    max_pool2d(2)
    conv2d(16, 5, padding=4)
    reshape([4, 4, 18, 19])
    conv3d(6, 3, padding=1, bias=false) as solid
    batch_norm3d
    relu
    conv3d(4, [2, 3, 3], padding=[2, 1, 1]) as thin
    reshape([28, 18, 19])
    conv2d(20, 3)
    conv2d(8, 5)
    conv2d(12, 3, padding=3)
    flatten
    linear(10)
}
"""

TRAIN = """
train {
    data      synthetic
    normalize mean=0.5, std=0.25
    loss      cross_entropy
    optimizer sgd(lr=0.02, momentum=0.9)
    batch     20
    epochs    1
}
"""


@pytest.fixture
def tiles(tmp_path):
    (tmp_path / "tiles.net").write_text(NET)
    return tmp_path / "tiles.net"


# Logits leave as floats.
@pytest.mark.parametrize(
    "target, dtype, split, close",
    [
        ("native", "f64", "all", 1e-7),
        ("native", "f32", "none", 3e-5),
        rarely("portable", "f64", "all", 1e-7),
    ],
)
def test_one_image_has_the_same_logits(tmp_path, target, dtype, split, close):
    options = f"--target={target}", "--warn=no-rows-left-out", f"--split={split}"
    assert difference(tmp_path, NET, dtype, *options) < close


@pytest.mark.parametrize(
    "name", ["cnn", "inception", "resnet", "densenet", rarely("resnet18_cifar")]
)
def test_models_stay_close_in_float32(tmp_path, name):
    assert difference(tmp_path, MODELS / f"{name}.net", "f32", repeats=2) < 1e-5


def trains_alike(tmp_path, network, target, dtype, close, first, *others):
    """Two steps make the same weights with these fusions as with the first; each of them on
    x86-64-v3, the last and largest in all cases."""
    made = []
    batch = 11 if dtype == "f64" else 20  # two grains, the last not full
    for fuse in first, *(others if (target, dtype) == ("x86-64-v3", "f64") else others[-1:]):
        made.append(
            train_steps(
                tmp_path,
                network + TRAIN,
                f"--dtype={dtype}",
                f"--target={target}",
                f"--fuse={fuse}",
                "--warn=no-rows-left-out",
                steps=2,
                more=["--batch", batch],
            )
        )
    for weights in made[1:]:
        for name, expected in made[0].items():
            np.testing.assert_allclose(weights[name], expected, close, 1e-3 * close, err_msg=name)


@pytest.mark.parametrize(
    "target, dtype, close",
    [("native", "f64", 1e-9), rarely("native", "f32", 2e-3), rarely("x86-64-v3", "f64", 1e-9)],
)
def test_grains_train_to_the_same_weights(tmp_path, target, dtype, close):
    many = "activation,residual,gradient,pool,concat,statistics,winograd"
    trains_alike(tmp_path, NET, target, dtype, close, "none", "winograd", many)


# Windows of unlike sides, whose rows may have one tap or six.  More padding than they need, and on
# one side only.  Rests of gradients along a row and of channels either way; one channel.  A plane
# so large that the out channels are taken by blocks, the last of them a small one.
GRADIENTS = """network gradients {
    input [3, 67, 70]

    conv2d(19, 3, padding=1)        as blocks
    relu
    avg_pool2d(3)
    conv2d(13, [2, 5], padding=[1, 2])  as even
    conv2d(7, [1, 3])               as one_row
    conv2d(11, [6, 3], padding=[0, 3])  as six_rows
    batch_norm2d
    relu
    conv2d(5, [3, 5], padding=same, bias=false)  as oblong
    conv2d(1, [7, 3])               as too_many
    conv2d(6, 3, padding=1)         as of_one
    conv2d(6, 3, stride=2, padding=1)  as strided
    conv2d(6, 3, dilation=2, padding=2)  as dilated
    conv2d(6, 3, groups=2, padding=1)  as grouped
    conv2d(9, [4, 3])               as last
    flatten
    linear(10)
}
"""


@pytest.mark.parametrize(
    "target, dtype, close",
    [
        ("native", "f64", 1e-9),
        rarely("native", "f32", 2e-3),
        rarely("x86-64-v3", "f64", 1e-9),
        rarely("portable", "f64", 1e-9),
    ],
)
def test_weight_gradients_are_the_same(tmp_path, target, dtype, close):
    many = "activation,gradient,recompute,winograd"
    trains_alike(tmp_path, GRADIENTS, target, dtype, close, "none", "winograd", many)


def test_weight_gradients_have_memory_of_their_own(tmp_path):
    (tmp_path / "g.net").write_text(GRADIENTS + TRAIN)
    plan = netc(
        "--dump=plan", "--warn=no-rows-left-out", "--target=x86-64-v4", tmp_path / "g.net"
    ).stdout
    transformed = re.findall(r"  backward_parameters (\S+): .*\n  in memory", plan)
    assert {"blocks", "even", "six_rows"} <= set(transformed)
    assert not {"too_many", "of_one", "strided", "dilated", "grouped"} & set(transformed)
    program = netc(
        "emit", "--warn=no-rows-left-out", "--target=x86-64-v4", tmp_path / "g.net"
    ).stdout
    assert re.search(r"for \(int begin = 0; begin < 19; begin \+= \d\)", program)


def test_the_plan_shows_its_memory(tiles):
    tiles.write_text(NET + TRAIN)
    plan = lambda *options: netc(
        "--dump=plan", "--warn=no-rows-left-out", "--target=x86-64-v4", *options, tiles
    ).stdout.split("inference:")[0]
    kernels = re.findall(
        r"  (\w+) \S+: .*\n(?:  then .*\n)*  in memory scratch\+\d+, \d+ vectors", plan()
    )
    assert kernels.count("forward") >= 6 and kernels.count("backward_input") >= 5
    for layer in "forward solid", "backward_input solid", "backward_input thin":
        assert re.search(f"  {layer}: .*\n(?:  then .*\n)*  in memory", plan())
    assert "in memory" not in plan("--fuse=pool")


def test_it_can_be_left_out(tiles):
    layers = lambda *options: re.findall(
        r", 6, factors\w* }, +/\* (\S+) \*/",
        netc("emit", "--warn=no-rows-left-out", *options, tiles).stdout,
    )
    assert len(layers("--target=x86-64-v4")) >= 6
    assert not layers("--target=x86-64-v4", "--fuse=activation,pool")
