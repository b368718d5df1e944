"""Norms on shapes of every rank: what is emitted against the reference kernels, however many
threads share a grain, and one image alone against the same image among others."""
import pytest

from ops.one_image import difference
from ops.test_emission import TRAIN, same_both_ways

# By shape: what each statement keeps.  8 and 20 are no multiples of a vector; 200 is more than the
# parameters that are summed together.
STATEMENTS = {
    (20, 9): [
        "batch_norm1d as bn1",
        "conv1d(20, 3, padding=1) as conv;  batch_norm1d as bn2;  relu",
        "conv1d(20, 1, bias=false) as conv1;  batch_norm1d(momentum=0.3, affine=false);  relu",
        "layer_norm",
        "layer_norm(eps=0.01);  gelu",
        "layer_norm([20, 9])",
        "layer_norm(axes=[0, 1], elementwise_affine=false)",
        "layer_norm(9, bias=false)",
        "rms_norm",
        "rms_norm([20, 9], eps=0.1);  relu",
        "rms_norm(elementwise_affine=false)",
    ],
    (180,): [
        "batch_norm1d as bn1",
        "batch_norm1d(affine=false);  relu",
        "layer_norm",
        "layer_norm(bias=false);  relu",
        "rms_norm(180)",
        "layer_norm(elementwise_affine=false)",
    ],
    (3, 4, 15): [
        "layer_norm(axes=-1)",
        "layer_norm(axes=[1, 2]);  silu",
        "rms_norm(axes=[0, 1, 2])",
        "layer_norm([4, _])",
    ],
    (2, 3, 5, 6): [
        "batch_norm3d as bn1",
        "conv3d(2, 3, padding=1) as conv;  batch_norm3d(eps=0.1) as bn2;  relu",
        "layer_norm(axes=[-2, -1])",
        "rms_norm(6)",
        "layer_norm(axes=[0, 1, 2, 3]);  relu",
    ],
}


def network(shape, statements):
    """Each alone and, in a skip, adding to another's gradient."""
    layers = ""
    for i, statement in enumerate(statements):
        second = statement.replace(" as ", " as second_")
        layers += f"    {statement}\n    skip {{ {scaled(shape, i)};  {second} }}\n"
    return (
        f"""network n {{
    input [1, 28, 28]
    avg_pool2d(2)
    conv2d(4, [5, 6], stride=[2, 1]) as first
    relu
    flatten
    linear(180) as wide
    reshape({list(shape)})
{layers}    flatten
    linear(10) as fc
}}
"""
        + TRAIN % "cross_entropy"
    )


def scaled(shape, number):
    """A layer with a gradient of its own that keeps the shape."""
    return f"flatten;  linear(180) as inner{number};  reshape({list(shape)})"


@pytest.mark.parametrize("shape", STATEMENTS, ids=str)
def test_written_out_as_reference(shape, tmp_path):
    same_both_ways(network(shape, STATEMENTS[shape]), tmp_path)


@pytest.mark.parametrize("target", ["native", "x86-64-v3", "portable"])
@pytest.mark.parametrize("shape", STATEMENTS, ids=str)
def test_one_image_has_the_same_logits(shape, target, tmp_path):
    text = network(shape, STATEMENTS[shape])
    for dtype, close in ("f64", 1e-6), ("f32", 3e-5):
        assert difference(tmp_path, text, dtype, f"--target={target}", "--split=all") < close
