"""Norms on shapes of every rank: what is emitted against the reference kernels, however many
threads share a grain, and one image alone against the same image among others."""
import pytest

from harness import rarely

from ops.one_image import difference
from ops.test_emission import TRAIN, same_both_ways

# By shape: what each statement keeps.  8 and 20 are no multiples of a vector; 200 is more than the
# parameters that are summed together.
STATEMENTS = {
    (20, 9): [
        "dropout1d(0.4)",
        "feature_alpha_dropout(0.3)",
        "drop_path(0.2);  relu",
        "linear(18) as up;  glu",
        "conv1d(40, 1) as twice;  glu(axis=0);  relu",
        "group_norm(5) as gn1;  relu",
        "instance_norm1d",
        "instance_norm1d(affine=true, momentum=0.3, track_running_stats=true) as in1",
        "batch_norm1d(affine=false)",
        "local_response_norm(5)",
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
        "alpha_dropout(0.3)",
        "drop_path(0.4)",
        "linear(360) as up;  glu",
        "group_norm(4) as gn1",
        "group_norm(1, affine=false);  relu",
        "group_norm(90, 180, eps=0.1) as gn2",
        "batch_norm1d as bn1",
        "batch_norm1d(affine=false);  relu",
        "layer_norm",
        "layer_norm(bias=false);  relu",
        "rms_norm(180)",
        "layer_norm(elementwise_affine=false)",
    ],
    (3, 4, 15): [
        "dropout2d(0.4)",
        "alpha_dropout",
        "conv2d(6, 1) as up;  glu(0)",
        "upsample([2, 1]);  glu(1)",
        "group_norm(1) as gn1",
        "group_norm(3, affine=false);  relu",
        "conv2d(20, 1) as conv;  group_norm(4) as gn2;  relu;  local_response_norm(4);"
        "  conv2d(3, 1) as conv2",
        "instance_norm2d(affine=true) as in1;  silu",
        "instance_norm2d(track_running_stats=true) as in2;  relu",
        "local_response_norm(2, alpha=0.1, beta=0.5, k=2)",
        "local_response_norm(7, alpha=0.2, beta=1)",
        "layer_norm(axes=-1)",
        "layer_norm(axes=[1, 2]);  silu",
        "rms_norm(axes=[0, 1, 2])",
        "layer_norm([4, _])",
    ],
    (2, 3, 5, 6): [
        "dropout3d(0.4)",
        "feature_alpha_dropout(1)",
        "relu;  alpha_dropout(0)",
        "dropout3d(1)",
        "group_norm(2) as gn1",
        "instance_norm3d(affine=true) as in1",
        "instance_norm3d(affine=true, track_running_stats=true) as in2",
        "local_response_norm(3, beta=0.3, alpha=0.3);  relu",
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


@pytest.mark.parametrize("target", ["native", rarely("x86-64-v3"), rarely("portable")])
@pytest.mark.parametrize("shape", STATEMENTS, ids=str)
def test_one_image_has_the_same_logits(shape, target, tmp_path):
    text = network(shape, STATEMENTS[shape])
    for dtype, close in [("f32", 3e-5)] if target == "native" else [("f64", 1e-6)]:
        assert difference(tmp_path, text, dtype, f"--target={target}", "--split=all") < close
