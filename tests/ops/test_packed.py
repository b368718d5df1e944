"""Large convolutions are products of packed operands: their values and gradients are the plain
loops', and no bit depends on the threads."""
import re

import numpy as np
import pytest

from harness import JOINING, QUICK, netc, network_file, run, trainer
from runs import train_steps

# Windows of one element and of more, strides that differ, dilation, a padding that a window hangs
# over, positions and channels that no tile divides, more terms than a panel holds; the sums of a
# norm's gradient, an epilogue with another operand, a gradient that two layers add to, a bias.
NET = """network packed {
    input [3, 27, 25]
    conv2d(70, 1)                                            as wide
    relu
    conv2d(37, 1, bias=false)
    batch_norm2d
    relu                                                     as joined
    skip { conv2d(61, 1);  relu;  conv2d(37, 1, bias=false);  batch_norm2d }
    conv2d(41, [1, 3], dilation=[1, 3], padding=[0, 3])      as dilated
    conv2d(40, [7, 1], padding=[3, 0])                       as tall
    concat {
        branch { conv2d(40, 1) }
        branch { identity }
    }
    conv2d(44, 3, stride=2, padding=1, bias=false)           as strided
    batch_norm2d
    relu
    conv2d(640, 1)                                           as many
    conv2d(30, [2, 3], stride=[3, 2], padding=[1, 1])        as uneven
    conv2d(26, 1, stride=2)
    flatten
    linear(10)
}
train {
    data      synthetic
    normalize mean=0.5, std=0.25
    loss      cross_entropy
    optimizer sgd(lr=0.02, momentum=0.9)
    batch     19
    epochs    1
}
"""


def trained(folder, *options, **more):
    return train_steps(folder, NET, *options, steps=2, images=40, **more)


def test_large_layers_are_packed(tmp_path):
    """Forward and backward; by --fuse without filters none is."""
    path = network_file(NET)
    text = netc("emit", path).stdout
    calls = set(re.findall(r"static void (\w+_(?:forward|backward_input))\(.*\n(?:.*\n)*?}", text))
    assert "pack_sources(" in text and "pack_weights(" in text and len(calls) > 15
    assert "pack_sources(" not in netc("emit", path, "--fuse=winograd").stdout


@pytest.mark.parametrize("target", ["native", "portable"])
def test_values_are_those_of_plain_loops(tmp_path, target):
    expected = trained(tmp_path, "--kernels=reference", "--dtype=f64")
    found = trained(tmp_path, f"--target={target}", "--dtype=f64")
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-8, atol=1e-10, err_msg=name)


def test_gradients_are_finite_differences(tmp_path):
    program = trainer(NET, "--dtype=f64", compiler=QUICK)
    run(program, "gradcheck", "--batch", 3, "--samples", 1, "--random-init")


def test_no_bit_depends_on_threads_or_pieces(tmp_path):
    expected = trained(tmp_path, "--split=none", compiler=JOINING, more=["--threads", 1])
    for threads in 1, 2, 5:
        found = trained(tmp_path, "--split=all", compiler=JOINING, more=["--threads", threads])
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=f"{name} {threads}")
