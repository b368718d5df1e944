"""Several threads share the kernels of a grain where there are more of them than grains: whatever
is shared, and by how many, not one bit of a result changes."""
import re

import numpy as np
import pytest

from harness import JOINING, MODELS, QUICK, netc, rarely
from runs import train_steps

# Of every way to compute a convolution and its gradients: Winograd's tiles with many channels and
# with few, with the sums of a norm's gradient, a pool and an epilogue; a window of one element
# with and without a bias, at a stride; groups, a group for each channel; a window that only the
# direct way fits; transposed.  The norm after the concat reuses sums.
NET = """block Unit(out, kernel=3, stride=1, groups=1) {
    conv2d(out, kernel, stride=stride, padding=(kernel - 1)/2, groups=groups, bias=false)
    batch_norm2d
    relu
}

network shared {
    input [3, 30, 26]

    conv2d(20, 3, padding=1)
    relu
    max_pool2d(2)
    Unit(70)
    skip { Unit(35, 1);  Unit(70) }
    concat {
        branch { conv2d(18, 5, padding=2) }
        branch { conv2d(50, 1);  gelu }
    }
    batch_norm2d
    Unit(34, 3, 2)
    Unit(34, 3, groups=34)
    Unit(34, 3, groups=2)
    conv_transpose2d(17, 3, stride=2)
    layer_norm2d
    conv2d(23, [2, 7], padding=[1, 3])
    prelu(23)
    avg_pool2d(2)
    conv2d(19, 1, stride=2)
    prelu
    dropout(0.2)
    adaptive_avg_pool2d(2)
    flatten
    linear(10)
}
train {
    data      synthetic
    normalize mean=0.5, std=0.25
    loss      cross_entropy
    optimizer sgd(lr=0.05, momentum=0.9)
    batch     16
    epochs    1
}
"""


def weights(tmp_path, split, threads, batch, options=(), compiler=QUICK):
    return train_steps(
        tmp_path,
        NET,
        f"--split={split}",
        *options,
        steps=2,
        compiler=compiler,
        more=["--threads", threads, "--batch", batch],
    )


def assert_equal(weights, expected, what):
    for name, values in expected.items():
        np.testing.assert_array_equal(weights[name], values, err_msg=f"{name} {what}")


# A batch of one grain, and one that leaves some over for fewer threads than grains.
@pytest.mark.parametrize(
    "options, compiler, batches",
    [
        ((), QUICK, (13, 40)),
        rarely((), JOINING, (13, 40)),  # tests/ops/test_packed.py has its optimiser, too
        rarely(("--target=portable", "--dtype=f64"), QUICK, (2, 5)),
        rarely(("--fuse=none",), QUICK, (13, 40)),
    ],
)
def test_who_shares_what_changes_no_bit(tmp_path, options, compiler, batches):
    for batch, threads in zip(batches, ((2, 5), (2,))):
        alone = weights(tmp_path, "all", 1, batch, options, compiler)
        for count in threads:
            shared = weights(tmp_path, "all", count, batch, options, compiler)
            assert_equal(shared, alone, f"{count} threads, batch {batch}")


def test_nor_does_whether_anything_is_shared(tmp_path):
    shared, alone = (
        weights(tmp_path, split, threads, 20, ("--fuse=none",))
        for split, threads in (("all", 3), ("none", 1))
    )
    assert_equal(shared, alone, "shared")


def pieces(network, *options):
    """{step: estimated µs} of those that threads share, of the training plan."""
    lines = netc("--dump=plan", *options, network).stdout.partition("\ninference:")[0].split("\n")
    found, step = {}, None
    for line in lines:
        told = re.fullmatch(r"  in pieces, some (\d+) us", line)
        if told:
            found[step] = int(told[1])
        elif re.match(r"  (?!then |in memory)", line):
            step = line.strip().split(":")[0]
    return found


def test_large_kernels_are_shared_and_small_ones_are_not(tmp_path):
    network = tmp_path / "sizes.net"
    network.write_text(NET.replace("conv2d(20, 3, padding=1)", "conv2d(20, 3, stride=5)"))
    small, all_of_them = pieces(network), pieces(network, "--split=all")
    assert pieces(network, "--split=none") == {}
    assert small.items() <= all_of_them.items() and len(small) < len(all_of_them)
    assert min(small.values()) >= 10 > max(all_of_them[step] for step in all_of_them - small.keys())
    assert len(pieces(MODELS / "resnet18_cifar.net")) > 60


def test_a_network_of_small_kernels_is_what_it_is_without(tmp_path):
    """No loop of a kernel that nobody shares has bounds that are found when it runs."""
    auto, none = (
        netc("emit", f"--split={split}", MODELS / "mlp.net").stdout for split in ("auto", "none")
    )
    assert "net_pieces(team" not in none and auto.count("net_pieces(team") < 20
