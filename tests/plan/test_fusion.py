"""Fusions change when and where values are computed, never which: every one of
them, alone and together, trains to the same weights as none."""
import functools
import re

import numpy as np
import pytest

from harness import (
    JOINING,
    MODELS,
    QUICK,
    built,
    c_program,
    fusions,
    netc,
    rarely,
    read_safetensors,
    run,
    write_safetensors,
)
from runs import train_steps

FUSIONS = fusions()
TRAIN = """train {
    data      synthetic
    normalize mean=0.5, std=0.25
    loss      cross_entropy
    optimizer sgd(lr=0.1, momentum=0.9)
    batch     40
    epochs    1
}
"""

# What can flow into what: batch norm into an activation and a sum, sums of
# three, a sum of a tensor with itself, activations that read x on their way back
# and those that read y, one that two layers read, one before a view, one after a
# kernel that has no specialised text (a pool whose windows overlap), slices of a
# concat, a dropout in the way, a maximum after an activation with a border left over.
NET = (
    """block Gate [c, h, w] -> [c, h, w] {
    skip {
        conv2d(c, 3, padding=1)
        batch_norm2d
        relu6
    }
    leaky_relu
}

network fused {
    input [3, 13, 11]

    conv2d(6, 3, padding=1)                       as stem
    elu
    relu
    max_pool2d(2)                                 as halved
    batch_norm2d
    relu                                          as shared
    concat {
        branch { conv2d(4, 1)
                 hardswish }
        branch { conv2d(6, 3, padding=1, padding_mode=reflect)
                 relu }
        branch { avg_pool2d(3, stride=1, padding=1)
                 dropout(0.3)
                 relu }
    }
    Gate                                          as gate
    skip { silu }
    conv2d(8, 3, stride=2, padding=1)             as a
    conv2d(8, 1)                                  as b
    conv2d(8, 1)                                  as c
    add(a, b, c)
    tanh
    add(c, c)
    max_pool2d(2, stride=1)
    sigmoid                                       as late
    conv2d(5, 2)
    flatten
    relu
    linear(9)
    relu
    linear(10)
}

"""
    + TRAIN
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fused")

    @functools.cache
    def train(*options):
        return train_steps(folder, NET, *options, steps=4)

    return train


def largest_difference(one, other):
    return max(
        np.max(
            np.abs(one[name].astype("f8") - other[name].astype("f8")) / (1e-3 + np.abs(other[name]))
        )
        for name in other
    )


@pytest.mark.parametrize(
    "fuse", [*map(rarely, FUSIONS), "activation,residual,pool", ",".join(FUSIONS)]
)
def test_fusions_change_no_result(trained, fuse):
    assert (
        largest_difference(
            trained("--dtype=f64", f"--fuse={fuse}"), trained("--dtype=f64", "--fuse=none")
        )
        < 1e-9
    )


def test_fused_kernels_agree_with_the_reference(trained):
    assert (
        largest_difference(trained("--dtype=f64"), trained("--dtype=f64", "--kernels=reference"))
        < 1e-9
    )


def test_all_fusions_are_on_unless_told(tmp_path):
    (tmp_path / "fused.net").write_text(NET)
    plan = lambda *options: netc("--dump=plan", *options, tmp_path / "fused.net").stdout
    assert plan() == plan("--fuse=" + ",".join(FUSIONS))
    assert plan() != plan("--fuse=none")


@pytest.mark.parametrize(
    "fuse, shown",
    [
        ("activation", r"forward rblock1\.conv1: .* register\n  then forward rblock1\.relu_1:"),
        ("residual", r"forward rblock1\.conv2: .* register\n  then forward rblock1\.add_1:"),
        (
            "gradient",
            r"backward_input rblock1\.conv2: .* register\n  then backward_input rblock1\.relu_1:",
        ),
        ("loss", r"forward fc: .*\n  then forward loss: .* register\n  then backward_input loss:"),
        (
            "load",
            r"load input: ->input register\n  then normalize input: input register ->input input",
        ),
        ("update", r"sum fc\.bias: .* cache\n  then update fc\.bias: d fc\.bias cache"),
        ("pool", r"forward max_pool2d_1: conv1 .*\n  forward relu_1:"),
    ],
)
def test_a_plan_shows_what_is_fused(fuse, shown):
    plan = lambda names: netc("--dump=plan", f"--fuse={names}", MODELS / "resnet.net").stdout
    assert re.search(shown, plan(fuse))
    assert not re.search(shown, plan("none"))


def test_concat_is_copied_only_without_its_fusion():
    copies = lambda *options: netc("emit", *options, MODELS / "inception.net").stdout.count(
        " into incep1"
    )
    assert copies() == 0
    assert copies("--fuse=none") == 2 * 4  # in training and in inference


# Parts of a concat whose statistics another norm computed, beside other parts; and a concat of a
# concat.
REUSED = (
    """network reused {
    input [3, 9, 7]

    conv2d(4, 3, padding=1)     as stem
    batch_norm2d
    relu
    conv2d(5, 3, padding=1)     as a
    conv2d(2, 1)                as b
    concat(b, stem, a)          as inner
    batch_norm2d(eps=0.01)
    relu
    conv2d(4, 1)                as c
    concat(c, inner, stem)
    batch_norm2d
    relu
    flatten
    linear(10)
}

"""
    + TRAIN
)


def write(tmp_path, text):
    (tmp_path / "n.net").write_text(text)
    return tmp_path / "n.net"


def test_reusing_statistics_changes_no_bit(tmp_path):
    without, taken = (
        train_steps(tmp_path, REUSED, f"--fuse={fuse}", compiler=JOINING)
        for fuse in ("activation", "activation,statistics")
    )
    assert all(np.array_equal(without[name], taken[name]) for name in without)


# Gradients of which a batch norm needs sums.  A convolution stores them, or adds them to
# another's: with and without parameters, behind an activation and at once, in groups and with a
# stride.  A pool stores the last one.
SUMMED = (
    """network summed {
    input [3, 11, 9]

    conv2d(4, 3, padding=1)
    batch_norm2d
    relu
    conv2d(6, 3, padding=1)
    batch_norm2d(affine=false)
    skip { conv2d(6, [3, 5], padding=[1, 2], groups=2);  batch_norm2d;  hardswish;  conv2d(6, 1) }
    conv2d(8, 3, stride=2)
    batch_norm2d(eps=0.01)
    avg_pool2d(2)
    flatten
    linear(10)
}
"""
    + TRAIN
)


# The sum hands a gradient both to a batch norm, the last to read it, and to an activation, which
# overwrites it.
SHARED = (
    """network shared {
    input [3, 12, 9]
    skip { conv2d(3, 3, padding=1)
           tanh
           silu }
    shortcut { batch_norm2d as norm }
    sigmoid
    avg_pool2d(3)
    conv2d(4, 1)
    flatten
    linear(10)
}
"""
    + TRAIN
)


def test_sums_are_of_the_gradient_before_it_goes_on(tmp_path):
    none, sums = (
        train_steps(tmp_path, SHARED, "--dtype=f64", f"--fuse={fuse}")
        for fuse in ("none", "gradient,statistics,first-layer")
    )
    assert "then backward_parameters norm" in netc("--dump=plan", write(tmp_path, SHARED)).stdout
    assert largest_difference(sums, none) < 1e-11


def test_sums_made_as_a_gradient_is_stored(tmp_path):
    text = netc("--dump=plan", write(tmp_path, SUMMED)).stdout
    assert text.count("then backward_parameters batch_norm2d") == 4
    assert (
        "then backward_parameters"
        not in netc("--dump=plan", "--fuse=gradient", tmp_path / "n.net").stdout
    )
    made = {}
    for fuse in "none", "statistics", "gradient,statistics":
        made[fuse] = train_steps(tmp_path, SUMMED, "--dtype=f64", f"--fuse={fuse}")
    for fuse in "statistics", "gradient,statistics":
        for name, expected in made["none"].items():
            np.testing.assert_allclose(made[fuse][name], expected, 1e-10, 1e-12, err_msg=name)


# Means after 1 x 1 convolutions.  Windows overlap, hang over the end, reach into padding that does
# not count, or are all of a plane; there are groups, and convolutions with a bias and without; one
# mean follows two of them.  Other means stay where they are: their padding counts, their divisor
# is another, another layer reads the convolution's output, or it has few channels.
AVERAGED = (
    """network averaged {
    input [12, 15, 13]

    conv2d(16, 1)                                             as first
    conv2d(12, 1, groups=4, bias=false)                       as second
    avg_pool2d(2, stride=2, ceil_mode=true)                   as hanging
    batch_norm2d
    relu
    concat {
        branch { conv2d(10, 1)                                as overlapped
                 avg_pool2d(3, stride=2, padding=1, count_include_pad=false)  as overlapping
                 flatten }
        branch { conv2d(8, 1)                                 as whole
                 adaptive_avg_pool2d(1)                       as mean
                 flatten }
        branch { conv2d(8, 1)                                 as uneven
                 adaptive_avg_pool2d([3, 2])                  as parts
                 flatten }
        branch { conv2d(8, 1)                                 as padded
                 avg_pool2d(3, stride=2, padding=1)           as counting
                 flatten }
        branch { conv2d(8, 1)                                 as divided
                 avg_pool2d(2, divisor_override=3)            as dividing
                 flatten }
        branch { conv2d(8, 3)                                 as wide
                 avg_pool2d(2)                                as averaging
                 flatten }
        branch { conv2d(8, 1, stride=2)                       as strided
                 avg_pool2d(2)                                as striding
                 flatten }
        branch { conv2d(1, 1)                                 as narrow
                 avg_pool2d(2)                                as few
                 flatten }
    }
    linear(10)
}
"""
    + TRAIN
)


def test_a_mean_comes_before_the_channels_are_mixed(tmp_path):
    plan = lambda *options: netc("--dump=plan", *options, write(tmp_path, AVERAGED)).stdout
    pooled_first = lambda text, conv, pool: text.index(f"forward {pool}:") < text.index(
        f"forward {conv}:"
    )
    moved = [
        ("first", "hanging"),
        ("second", "hanging"),
        ("overlapped", "overlapping"),
        ("whole", "mean"),
        ("uneven", "parts"),
    ]
    stay = [
        ("padded", "counting"),
        ("divided", "dividing"),
        ("wide", "averaging"),
        ("strided", "striding"),
        ("narrow", "few"),
    ]
    assert all(pooled_first(plan(), *pair) for pair in moved)
    assert not any(pooled_first(plan(), *pair) for pair in stay)
    assert not any(pooled_first(plan("--fuse=activation"), *pair) for pair in moved + stay)
    made = {}
    for options in ["--fuse=none"], [], ["--kernels=reference"]:
        made[" ".join(options)] = train_steps(tmp_path, AVERAGED, "--dtype=f64", *options)
    assert all(largest_difference(weights, made["--fuse=none"]) < 1e-9 for weights in made.values())


# Convolutions before pools: padding of every width, groups, a stride and a dilation; windows that
# are no squares and leave a border; an activation between; a window too small to gain by it; and an
# output that another layer reads too, so that its gradient is not the pool's alone.
POOLED = (
    """network pooled {
    input [3, 40, 45]

    conv2d(6, 3, stride=2, dilation=2)                  as strided
    max_pool2d([2, 3])
    conv2d(8, [3, 5], padding=[1, 2], groups=2)         as grouped
    relu
    max_pool2d(2)
    concat {
        branch { conv2d(5, 4, padding=2)                        as padded
                 max_pool2d(2)
                 flatten }
        branch { conv2d(3, 3, padding=[1, 2], dilation=[1, 2])  as dilated
                 max_pool2d([2, 1])
                 flatten }
        branch { conv2d(4, 1)                                   as pointwise
                 max_pool2d(2)
                 flatten }
        branch { conv2d(7, 2, padding=1)                        as read_twice
                 concat {
                     branch { max_pool2d(2)
                              flatten }
                     branch { flatten }
                 } }
    }
    linear(10)
}
"""
    + TRAIN
)


def test_weight_gradients_of_what_a_pool_follows(tmp_path):
    plan = lambda *options: netc("--dump=plan", *options, write(tmp_path, POOLED)).stdout
    pooled = r"  backward_parameters (\w+): .* max_pool2d_\d aux"
    assert re.findall(pooled, plan("--target=x86-64-v4")) == ["padded", "grouped"]
    pooled += r"|backward_input max_pool2d_1: .* register\n  then backward_parameters (strided)"
    assert len(re.findall(pooled, plan("--target=x86-64-v4"))) == 3
    assert not re.search(
        pooled, plan("--target=x86-64-v4", "--fuse=pool") + plan("--target=x86-64-v3")
    )
    all_of_them = "pool,gradient,pool-gradient"
    for dtype, close, fuses in (
        ("f64", 1e-9, (all_of_them,)),
        ("f32", 1e-3, (all_of_them,)),
    ):
        made = {}
        for fuse in "none", *fuses:
            made[fuse] = train_steps(tmp_path, POOLED, f"--dtype={dtype}", f"--fuse={fuse}")
        assert all(largest_difference(weights, made["none"]) < close for weights in made.values())


@pytest.mark.parametrize(
    "loss, fused",
    [("cross_entropy(label_smoothing=0.1)", True), ("mse", True), ("hinge", False)],
)
def test_a_loss_stores_its_gradient_at_once(tmp_path, loss, fused):
    text = REUSED.replace("loss      cross_entropy", f"loss      {loss}")
    plan = lambda *options: netc("--dump=plan", *options, write(tmp_path, text)).stdout
    assert (
        "then backward_input loss" in plan()
    ) == fused and "then backward_input loss" not in plan("--fuse=gradient")
    made = {}
    for fuse in "none", "loss":
        made[fuse] = train_steps(tmp_path, text, "--dtype=f64", f"--fuse={fuse}")
    assert largest_difference(made["loss"], made["none"]) < 1e-11


# By a layer that computes all of a grain's logits: at once, through a view, or after another
# epilogue.  It does not where it computes a part of them or works on the whole batch, nor after
# another layer's kernel, which a dropout has in training.
@pytest.mark.parametrize(
    "last, times",
    [
        ("flatten\n    linear(10) as last", 2),
        ("conv2d(10, [9, 7]) as last\n    flatten", 2),
        ("flatten\n    linear(10) as last\n    tanh", 2),
        ("flatten\n    linear(10)\n    skip { linear(10) as last }", 2),
        ("conv2d(5, [4, 4]) as last\n    max_pool2d(2)\n    flatten", 2),
        ("flatten\n    linear(70)\n    linear(300) as last", 0),
        (
            "concat {\n"
            " branch { conv2d(2, [9, 7]) }\n"
            " branch { conv2d(8, [9, 7]) as last }\n"
            " }\n"
            "    flatten",
            0,
        ),
        ("flatten\n    linear(10) as last\n    dropout(0.4)", 1),
    ],
)
def test_a_layer_computes_the_loss_of_its_logits(tmp_path, last, times):
    text = REUSED.replace("flatten\n    linear(10)", last)
    plan = lambda *options: netc("--dump=plan", *options, write(tmp_path, text)).stdout
    shown = r"forward last: .*\n(  then forward (?!loss).*\n)*  then forward loss"
    assert len(re.findall(shown, plan())) == times
    assert not re.search(shown, plan("--fuse=gradient,pool,activation,residual"))
    data = None if "10" in last else "synthetic"  # the images drawn here are of ten classes
    made = {
        fuse: train_steps(tmp_path, text, "--dtype=f64", f"--fuse={fuse}", data=data)
        for fuse in ("none", "loss,activation,residual,pool")
    }
    assert all(largest_difference(weights, made["none"]) < 1e-11 for weights in made.values())


# Layers whose gradients are summed over the whole batch and in grains, one of them not trained;
# and settings that want all gradients before any weight moves.  The first case has an
# optimiser that joins products and sums, and has each of the two fusions alone.
@pytest.mark.parametrize(
    "more",
    [
        "",
        "clip norm=0.1",
        rarely("clip value=0.001"),
        'freeze "first.*"',
        rarely("augment horizontal_flip(0.5)"),
    ],
)
def test_loading_and_updating_at_once_change_no_bit(tmp_path, more):
    text = REUSED.replace("flatten\n", "flatten\n    linear(90) as first\n    relu\n").replace(
        "    epochs", f"    {more}\n    epochs"
    )
    plan = netc("--dump=plan", write(tmp_path, text)).stdout
    assert ("then update linear_1.weight" in plan) == ("clip" not in more)
    assert ("update first.weight" in plan) == ("freeze" not in more)
    fusions, compiler = (("load,update",), QUICK) if more else (("load", "update"), JOINING)
    made = {
        fuse: train_steps(tmp_path, text, f"--fuse={fuse}", compiler=compiler)
        for fuse in ("none", *fusions)
    }
    assert all(
        np.array_equal(weights[name], made["none"][name])
        for weights in made.values()
        for name in weights
    )


# Batch norms whose outputs are read on the way back in one later phase and in two: by a weight
# gradient for the whole batch, through a view, as part of a concat, and by another norm.
RECOMPUTED = (
    """network reread {
    input [3, 9, 7]

    conv2d(4, 3, padding=1)
    batch_norm2d                as once
    relu                        as once_relu
    conv2d(4, 3, padding=1)
    batch_norm2d                as twice
    leaky_relu                  as twice_relu
    add {
        branch { conv2d(4, 1)
                 batch_norm2d
                 conv2d(4, 3, padding=1)
                 batch_norm2d   as last }
        branch { conv2d(4, 1) }
    }
    relu
    conv2d(4, 3, padding=1)     as late
    batch_norm2d                as first_of_two
    batch_norm2d                as second_of_two
    concat {
        branch { conv2d(3, 1) }
        branch { batch_norm2d   as joined }
    }
    flatten
    linear(30)
    linear(10)
}
"""
    + TRAIN
)


def test_recomputing_changes_no_bit(tmp_path):
    plan = lambda *options: netc("--dump=plan", *options, write(tmp_path, RECOMPUTED)).stdout
    recomputed = re.findall(r"recompute (\w+)", plan())
    assert (
        recomputed.count("once") == recomputed.count("once_relu") == 1
        and recomputed.count("first_of_two") >= 1
    )
    assert (
        recomputed.count("twice")
        == len(set(re.findall(r"phase (\d+)(?:\n  .*)*?\n  recompute twice:", plan())))
        >= 1
    )
    assert not {"joined", "last"} & set(recomputed)
    kept = lambda text: int(re.search(r"training: .* kept (\d+)", text)[1])
    without = "--fuse=" + ",".join(name for name in FUSIONS if name != "recompute")
    assert (
        "recompute"
        not in plan(without) + netc("emit", "--kernels=reference", tmp_path / "n.net").stdout
    )
    assert kept(plan()) < kept(plan(without))
    made = []
    for options in [], [without]:
        made.append(train_steps(tmp_path, RECOMPUTED, *options, compiler=JOINING))
    assert all(np.array_equal(made[0][name], made[1][name]) for name in made[0])


def test_nothing_is_recomputed_in_the_forward_pass(tmp_path):
    text = """network n {
 input [3, 11, 9]
 conv2d(8, 3, padding=1)
 batch_norm2d as shared
 add { branch { batch_norm2d as left }
 branch { batch_norm2d as right } }
 flatten
 linear(10)
}
"""
    text += TRAIN
    plan = netc("--dump=plan", write(tmp_path, text)).stdout
    assert (
        "recompute shared" in plan and "recompute shared" not in plan[: plan.index("forward loss")]
    )


def test_statistics_that_another_norm_computed_are_reused(tmp_path):
    kernels = lambda *options: netc("emit", *options, write(tmp_path, REUSED)).stdout
    assert "reused0[g" in kernels() and "reused1[g" in kernels()
    assert "reused0[g" not in kernels("--fuse=none")
    assert "reused0[g" not in kernels("--kernels=reference")


def test_the_images_have_a_gradient_only_without_first_layer():
    plan = lambda *options: netc("--dump=plan", *options, MODELS / "cnn.net").stdout
    assert "backward_input conv1" not in plan()
    assert "backward_input conv1" in plan("--fuse=none")


# Batch norms after convolutions, in evaluation: direct, in groups, one channel to a group, by
# Winograd's way with a bias and without, before an activation, a pool (whose factors may be
# negative) and a sum, by the reference kernel, transposed, without parameters, as a slice of a
# concat; and those that stay: after what two layers read, a pool, or another norm.
NORMED = (
    """network normed {
    input [3, 22, 19]

    conv2d(6, 3, padding=1)                              as direct
    batch_norm2d                                         as direct_norm
    relu
    max_pool2d(2)                                        as pooled
    skip { conv2d(6, 3, padding=1, groups=3, bias=false) as grouped
           batch_norm2d(affine=false)                    as grouped_norm }
    conv2d(6, 3, padding=1, groups=6)                    as depthwise
    batch_norm2d                                         as depthwise_norm
    conv2d(24, 1)                                        as wide
    batch_norm2d                                         as wide_norm
    conv2d(32, 3, padding=1, bias=false)                 as winograd
    batch_norm2d(eps=0.01)                               as winograd_norm
    conv2d(24, 3, padding=1)                             as termed
    batch_norm2d                                         as termed_norm
    relu6
    conv2d(5, 3, padding=1, padding_mode=reflect)        as reflected
    batch_norm2d                                         as reflected_norm
    silu
    conv_transpose2d(4, 2, stride=2)                     as transposed
    batch_norm2d                                         as transposed_norm
    max_pool2d(2)
    batch_norm2d                                         as after_pool
    concat {
        branch { conv2d(4, 3, padding=1)                 as sliced
                 batch_norm2d                            as sliced_norm }
        branch { conv2d(3, 1)                            as twice
                 skip { batch_norm2d                     as read_twice }
                 batch_norm2d                            as second
                 batch_norm2d                            as third }
    }
    flatten
    linear(10)
}
"""
    + TRAIN
)


def inference(text):
    return text[text.index("inference: ") : text.index("single: ")]


def test_a_norm_in_evaluation_is_done_with_a_convolutions_sums(tmp_path):
    plan = lambda *options: inference(netc("--dump=plan", *options, write(tmp_path, NORMED)).stdout)
    norm = r"  then forward (\w*norm|after_pool|read_twice|second|third):"
    done = lambda text: set(re.findall(norm, text))
    makers = "direct grouped depthwise wide winograd termed reflected transposed sliced".split()
    assert done(plan()) == {f"{name}_norm" for name in makers}
    assert not done(plan("--fuse=activation,pool,residual,concat,winograd"))


# The logits of many images; of the weights that a file holds, which with no file are written to it.
LOGITS = """
#include "net.h"
#include <stdio.h>
extern const NetModel normed_model;
int main(int count, char **words)
{
    static float images[20 * 3 * 22 * 19], logits[20 * 10];
    NetError error;
    NetSession *network = net_open(&normed_model, 2, 20, 5, &error);
    if (!network)
        return 1;
    if (count > 2 ? !net_save(network, words[1], &error) : !net_load(network, words[1], &error))
        return 1;
    for (int i = 0; i < 20 * 3 * 22 * 19; i++)
        images[i] = (float)((unsigned)i * 2654435761u % 1000) / 500 - 1;
    net_predict(network, images, 20, logits);
    for (int i = 0; i < 20 * 10; i++)
        printf("%.9g\\n", (double)logits[i]);
    return 0;
}
"""


def logits_of(dtype, compiler, fuse, weights):
    network = built(NORMED, "--object", f"--dtype={dtype}", f"--fuse={fuse}", compiler=compiler)
    program = c_program(LOGITS, network, real=dtype)
    if not weights.exists():  # norms' numbers are not the ones and zeros that they begin with
        run(program, weights, "save")
        made, random = read_safetensors(weights), np.random.default_rng(3)
        for name in made:
            if made[name].dtype.kind == "f":
                low = 0.2 if name.endswith("running_var") else -1
                made[name] = random.uniform(low, 1, made[name].shape).astype(made[name].dtype)
        write_safetensors(weights, made)
    return np.array(run(program, weights).stdout.split(), "f8")


# The first with an optimiser that joins products and sums.
@pytest.mark.parametrize("dtype, compiler", [("f32", JOINING), rarely("f64", QUICK)])
def test_a_norm_done_with_sums_changes_no_bit(tmp_path, dtype, compiler):
    others = "winograd,activation,residual,pool,concat"
    one, other = (
        logits_of(dtype, compiler, fuse, tmp_path / "w") for fuse in (others + ",norm", others)
    )
    assert len(one) == 200 and np.ptp(one) > 0 and np.array_equal(one, other)


@pytest.mark.parametrize(
    "words, unknown",
    [
        ("", ""),
        ("nothing", "nothing"),
        ("pool,", ""),
        ("none,pool", "none"),
        ("pool concat", "pool concat"),
        ("load,updates", "updates"),
    ],
)
def test_unknown_fusions_are_misuse(words, unknown):
    result = netc("check", f"--fuse={words}", MODELS / "cnn.net", expect=2)
    assert f"not '{unknown}'" in result.stderr and "activation, residual" in result.stderr
