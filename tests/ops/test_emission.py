"""Operators written out for a network's shapes against their reference kernels:
the same network, compiled both ways in float64, ends three steps with the same
weights."""
import numpy as np
import pytest

from harness import MODELS, netc
from runs import train_steps
from ops import cases
from ops.cases import renamed

TOLERANCE = 1e-9
TRAIN = """
train {
    data synthetic
    loss %s
    optimizer sgd(lr=0.05, momentum=0.9)
    batch 13
    epochs 1
}
"""

# Between two convolutions, on [4, 10, 9]; alone and, in a skip, adding to another's gradient.
STATEMENTS = [
    "relu6",
    "leaky_relu(0.2)",
    "leaky_relu(-0.5)",
    "elu",
    "elu(0.3)",
    "gelu",
    "gelu(approximate=tanh)",
    "silu",
    "sigmoid",
    "tanh",
    "hardswish",
    "dropout(0.3)",
    "dropout(0)",
    "layer_norm2d(eps=0.01)",
    "softmax",
    "log_softmax",
    "layer_norm2d",
    "layer_norm2d(affine=false)",
    "layer_scale(0.5)",
    "zero_pad2d([1, 2, 0, 3]);  zero_pad2d([-1, -2, 0, -3])",
    "zero_pad2d([-1, 2, 3, -2]);  zero_pad2d([1, -2, -3, 2])",
    "upsample([2, 3]);  max_pool2d([2, 3])",
    "upsample(size=[13, 9]);  conv2d(4, [4, 1]) as narrow",
    "conv2d(4, 3, padding=1, groups=4) as depthwise",
    "conv2d(8, [3, 5], padding=[1, 2], groups=4) as wide;  conv2d(4, 1) as back",
    "max_pool2d(3, stride=1, padding=1)",
    "max_pool2d(2, stride=1, dilation=2, padding=1)",
    "relu;  max_pool2d(3, stride=2, padding=1);  upsample(size=[10, 9])",
    "relu;  max_pool2d([3, 2], stride=[1, 3], ceil_mode=true);  upsample(size=[10, 9])",
    "max_pool2d([2, 3], stride=[3, 4], dilation=[4, 2], padding=1);  relu;  upsample(size=[10, 9])",
    "avg_pool2d(3, stride=1, padding=1, count_include_pad=false)",
    "conv2d(4, 3, padding=[2, 1]) as padded;  max_pool2d([2, 3]);  upsample(size=[10, 9])",
    "conv2d(5, 3, padding=[2, 0], dilation=[2, 1]) as far;  relu;  max_pool2d([3, 2]);  "
    "conv2d(4, 1) as near;  upsample(size=[10, 9])",
    "conv2d(4, [5, 3], stride=[1, 2], padding=[4, 1], groups=2) as strided;  "
    "max_pool2d([4, 2]);  relu;  upsample(size=[10, 9])",
    "max_pool2d(2, ceil_mode=true);  upsample(size=[10, 9])",
    "avg_pool2d([3, 2], ceil_mode=true);  upsample(size=[10, 9])",
] + cases.STATEMENTS


AT_ONCE = 10  # statements in a network: each is built twice


def network(statements, loss="cross_entropy"):
    layers = ""
    for i, statement in enumerate(statements):
        second = renamed(statement, "second_")
        layers += f"    {statement}\n    skip {{ conv2d(4, 1) as inner{i};  {second} }}\n"
    return (
        f"""network n {{
    input [1, 28, 28]
    avg_pool2d(2)
    conv2d(4, [5, 6], bias=false) as first    -> [4, 10, 9]
{layers}    conv2d(6, 3, stride=2) as last
    flatten
    linear(10) as fc
}}
"""
        + TRAIN % loss
    )


def same_both_ways(text, tmp_path):
    """… and to the bit, however many threads share the kernels of a grain."""
    reference = train_steps(tmp_path, text, "--dtype=f64", "--kernels=reference")
    specialised, *shared = (
        train_steps(tmp_path, text, "--dtype=f64", "--split=all", more=["--threads", threads])
        for threads in (1, 5)
    )
    for name, expected in reference.items():
        np.testing.assert_allclose(specialised[name], expected, TOLERANCE, TOLERANCE, err_msg=name)
        for weights in shared:
            np.testing.assert_array_equal(weights[name], specialised[name], err_msg=name)


@pytest.mark.parametrize("first", range(0, len(STATEMENTS), AT_ONCE))
def test_written_out_as_reference(first, tmp_path):
    same_both_ways(network(STATEMENTS[first : first + AT_ONCE]), tmp_path)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy(label_smoothing=0.3)"])
def test_losses(loss, tmp_path):
    same_both_ways(network(["relu"], loss), tmp_path)


# Twenty planes that together leave the second-level cache, so that their rows are taken a block
# at a time; and a window that only the direct way fits.
WIDE = (
    """network n {
    input [1, 28, 28]
    conv2d(20, 3, padding=1)
    upsample(2)
    conv2d(2, [3, 4], padding=1) as wide
    max_pool2d(4)
    flatten
    linear(10)
}
"""
    + TRAIN % "cross_entropy"
)


def test_rows_fetched_ahead_change_nothing(tmp_path):
    (tmp_path / "wide.net").write_text(WIDE)
    text = netc("emit", "--target=x86-64-v4", tmp_path / "wide.net").stdout
    forward = text[text.index("static void wide_forward") :]
    assert "__builtin_prefetch" in forward[: forward.index("\n}\n")]
    same_both_ways(WIDE, tmp_path)


@pytest.mark.parametrize("target, barrier", [("x86-64-v3", True), ("x86-64-v4", False)])
def test_an_epilogue_takes_no_register_from_a_tile_that_needs_them_all(target, barrier):
    text = netc("emit", f"--target={target}", MODELS / "mlp.net").stdout
    assert ("register_barrier();" in text) == barrier


POINTWISE = (
    """network pointwise {
    input [5, 16, 16]
    conv2d(37, 1) as a
    relu
    conv2d(21, 1, bias=false) as b
    relu
    conv2d(64, 1) as c
    max_pool2d(2)
    conv2d(48, 1, groups=2) as d
    relu
    conv2d(100, 1) as e
    conv2d(19, 1) as f
    flatten
    linear(10) as fc
}
"""
    + TRAIN % "cross_entropy"
)


def test_windows_of_one_element(tmp_path):
    (tmp_path / "pointwise.net").write_text(POINTWISE)
    text = netc("emit", tmp_path / "pointwise.net").stdout
    # Sources that lie alike are copied; biases go along.
    assert "vec block[" in text and text.count("vec terms[") > 2
    same_both_ways(POINTWISE, tmp_path)
