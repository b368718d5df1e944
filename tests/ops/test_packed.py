"""Large convolutions are products of packed operands: their values and gradients are the plain
loops', and no bit depends on the threads."""
import re
import shutil

import numpy as np
import pytest

from harness import JOINING, QUICK, ROOT, netc, network_file, rarely, run, trainer
from runs import blocks_of_noise, train_steps, write_pictures

# Windows of one element and of more, strides that differ, dilation, a padding that a window hangs
# over, positions and channels that no tile divides, more terms than a panel holds; the sums of a
# norm's gradient, an epilogue with another operand, a gradient that two layers add to, a bias.
NET = """network packed {
    input [3, 23, 21]
    conv2d(140, 1)                                           as wide
    relu
    conv2d(44, 1, bias=false)
    batch_norm2d
    relu                                                     as joined
    skip { conv2d(61, 1);  relu;  conv2d(44, 1, bias=false);  batch_norm2d }
    conv2d(45, [1, 3], dilation=[1, 3], padding=[0, 3])      as dilated
    conv2d(40, [7, 1], padding=[3, 0])                       as tall
    concat {
        branch { conv2d(40, 1) }
        branch { identity }
    }
    conv2d(64, 3, stride=2, padding=1, bias=false)           as strided
    batch_norm2d
    relu
    conv2d(384, 1)                                           as many
    conv2d(140, [2, 3], stride=[3, 2], padding=[1, 1])        as uneven
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


# In float64 two grains, one of them not full, as 19 images are in float32.
FEW = {"more": ["--batch", 11]}


PACKED = re.compile(r"^static void (\w+)\([^{;]*\)\n{\n((?: .*\n)*)}", re.M)


def packed_kernels(*options):
    text = netc("emit", network_file(NET), "--target=x86-64-v3", *options).stdout
    return {name for name, body in PACKED.findall(text) if " pack_sources(" in body}


def test_large_layers_are_packed():
    """Forward, backward, and in inference; by --fuse without filters none is."""
    found = packed_kernels()
    for layer in "conv2d_1", "dilated", "tall", "strided", "uneven":
        assert f"{layer}_forward" in found, found
    for layer in "many", "dilated", "tall", "strided":
        assert f"{layer}_backward_input" in found, found
    assert "strided_forward_2" in found  # with a norm, in evaluation
    assert not packed_kernels("--fuse=winograd")


@pytest.mark.parametrize("target", ["native", rarely("portable")])
def test_values_are_those_of_plain_loops(tmp_path, target):
    expected = trained(tmp_path, "--kernels=reference", "--dtype=f64", **FEW)
    found = trained(tmp_path, f"--target={target}", "--dtype=f64", **FEW)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-8, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_it_compiles_without_warnings(tmp_path, compiler):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    text = tmp_path / "packed.c"
    netc("emit", network_file(NET), "--target=x86-64-v3", "-o", text)
    flags = "-std=c11 -Wall -Wextra -Werror -march=x86-64-v3 -fsyntax-only -D_GNU_SOURCE".split()
    run(compiler, *flags, "-I", ROOT / "runtime", text)


@pytest.mark.parametrize("split", ["all", rarely("none")])
def test_no_bit_depends_on_threads_or_pieces(tmp_path, split):
    """Shared by threads, against one alone, of which nothing is shared either in the slow test."""
    expected = trained(tmp_path, f"--split={split}", compiler=JOINING, more=["--threads", 1])
    for threads in 2, 5:
        found = trained(tmp_path, "--split=all", compiler=JOINING, more=["--threads", threads])
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=f"{name} {threads}")


@pytest.mark.parametrize("batch", [7, rarely(200)])
def test_answers_are_those_of_plain_loops(tmp_path, batch):
    """In evaluation, of few grains and of many."""
    saved, told, images = tmp_path / "weights.safetensors", [], blocks_of_noise((23, 21, 3), 40)
    data = tmp_path / "images"
    write_pictures(data / "train", images)
    write_pictures(data / "test", images[:30])
    for option in "--target=native", "--kernels=reference":
        program = trainer(NET, option, "--dtype=f64", compiler=QUICK)
        if not saved.exists():
            run(program, "train", "--data", data, "--max-steps", 2, "--quiet", "--save", saved)
        told.append(
            run(program, "test", "--data", data, "--weights", saved, "--batch", batch).stdout
        )
    assert told[0] == told[1] and "loss" in told[0]
