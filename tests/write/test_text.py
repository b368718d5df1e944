"""The emitted C is text for people: its size is bounded, every function says what it computes, and
C compilers have nothing to say of it.
"""
import math
import re
import shutil
import subprocess

import pytest

from harness import MODELS, ROOT, netc, rarely, run, trainer
from ops.cases import ROWS
from ops.test_emission import STATEMENTS, network

TARGETS = ["x86-64-v3", "x86-64-v4", "portable"]
LINES = {"cnn": 2500, "inception": 9000, "densenet": 9000}  # of the file; each may only fall
PADS = ["constant", "reflection", "replication", "circular", "zero"]


def padded(axes):
    """A pad of each kind along so many axes, and back."""
    cut = "".join(f";  slice(1, -1, axis={axis + 1})" for axis in range(axes))
    for kind in PADS:
        if (kind, axes) != ("zero", 2):
            value = ", 0.5" if kind == "constant" else ""
            yield f"{kind}_pad{axes}d(1{value}){cut}"


FLAT, DEEP, BACK = "flatten(1);  ", "reshape([_, 2, 5, 9]);  ", ";  reshape([_, 10, 9])"
# What has no statement of its own in the table, from [4, 10, 9] to [4, 10, 9].
ROUND_TRIPS = [
    *(FLAT + pad + BACK for pad in padded(1)),
    *padded(2),
    *(DEEP + pad + BACK for pad in padded(3)),
    FLAT + "batch_norm1d;  instance_norm1d;  dropout1d(0.1)" + BACK,
    "instance_norm2d;  dropout2d(0.1);  alpha_dropout(0.1);  feature_alpha_dropout(0.1)",
    DEEP + "batch_norm3d;  instance_norm3d;  dropout3d(0.1)" + BACK,
    "pad([1, 1]);  slice(1, -1, axis=2);  flip(0);  roll(1);  channel_shuffle(2);  drop_path(0.1)",
    "pixel_shuffle(2);  pixel_unshuffle(2);  cumsum;  normalize",
    "add { branch { }  branch { mean(keep=true) }  branch { max(keep=true) } "
    "branch { sum(keep=true) }  branch { argmax(keep=true) } }",
    "matmul { branch { }  branch { transpose;  matmul { branch { }  branch { transpose } } } };  "
    "linear(9)",
    "bilinear(out_features=9) { branch { }  branch { relu } }",
    "grid_sample { branch { }  branch { flatten;  linear(6);  reshape([2, 3]);  "
    "affine_grid([10, 9]) } }",
]

EVERYTHING = [
    *STATEMENTS,
    "batch_norm2d",
    "adaptive_avg_pool2d([10, 9])",
    "mul { branch { sigmoid }\n branch { } }",
    "reshape([20, 18]);  rnn(9, bidirectional=true) as both;  reshape([4, 10, 9])",
    *ROUND_TRIPS,
]

LONGEST = 300  # lines of a function
FUNCTION = re.compile(r"^(?:static|int) [^;={]*\)\n\{\n(.*?)^\}\n", re.S | re.M)


def emitted(name, *options, target="x86-64-v3"):
    return netc("emit", f"--target={target}", *options, MODELS / f"{name}.net").stdout


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", sorted(path.stem for path in MODELS.glob("*.net")))
def test_files_and_functions_are_no_longer_than_this(name, target):
    text = emitted(name, target=target)
    assert text.count("\n") <= LINES.get(name, math.inf)
    assert max(body.count("\n") for body in FUNCTION.findall(text)) <= LONGEST


@pytest.mark.parametrize("name", ["cnn", "inception", "resnet18", "convnext_tiny"])
def test_every_function_has_a_comment(name):
    lines = emitted(name).split("\n")
    for number, line in enumerate(lines):
        begins = (
            re.match(r"(static|int) .*\b(\w+)\(", line)
            and not line.rstrip().endswith(";")
            and " = " not in line
        )
        if begins:
            before = lines[number - 1]
            assert before.endswith("*/") or before.startswith(("NetKernel ", "#")), line


def test_comments_name_the_algorithm_what_is_fused_and_the_line():
    text = emitted("cnn")
    assert re.search(
        r"/\* conv1: conv2d \[1, 28, 28\] -> .*, forward   \S*cnn.net:5\n"
        r" \* Direct convolution: .*\n \* Fused: max_pool2d_1 \(max_pool2d\), relu_1 \(relu\) \*/",
        text,
    )
    assert re.search(r"Winograd F\(4x4, 3x3\).*Lavin\s*(\n \* )?and Gray 2016", emitted("densenet"))


COMPILERS = {
    "gcc": ["gcc", "-std=c11"],
    "clang": ["clang", "-std=c11"],
    "g++": ["gcc", "-x", "c++", "-std=c++17"],
    "clang++": ["clang", "-x", "c++", "-std=c++17"],
}
EVALUATED_AS_MORE = {
    "x87": ["gcc", "-mfpmath=387", "-march=x86-64-v3"],
    "i386": ["gcc", "-m32", "-msse2", "-mfpmath=387", "-Wno-psabi"],
    "s390x": ["s390x-linux-gnu-gcc"],
}
# Those of the losses that are of named outputs find them in heads of their own.
HEADS = [
    "aside { flatten;  linear(5) as head1;  output one }",
    "aside { flatten;  linear(5) as head2;  output other }",
    "aside { flatten;  linear(5) as head3;  output third }",
    "aside { flatten;  linear(40) as s;  reshape([8, 5]);  log_softmax(axis=-1);  output said }",
    "aside { flatten;  linear(6);  normalize;  output cosines }",
]
TRIPLET = "triplet(one, other, third)"  # is held against nothing
LOSSES = {
    "f32": [
        *("cross_entropy", "nll", "hinge", "ctc(3), output=said", TRIPLET),
        *("cosine(one, third)", "contrastive(other, third)"),
        *("arcface, output=cosines", "cosface, output=cosines"),
    ],
    "f64": ["mse", "l1", "huber", "smooth_l1", "bce_with_logits", "kl_div", "hinge_embedding"],
}
SETTINGS = {
    dtype: "\n    loss ".join(
        loss if loss == TRIPLET else f"{loss}, target=t{i}" for i, loss in enumerate(losses)
    )
    for dtype, losses in LOSSES.items()
}


def everything(losses):
    """A network with every operator of the table, and these losses."""
    last = "    conv2d(6, 3, stride=2) as last\n"
    heads = "".join(f"    {head}\n" for head in HEADS if re.search(r"\w+(?= })", head)[0] in losses)
    return network(EVERYTHING, losses).replace(last, heads + last)


def works(command, tmp_path):
    """Whether the machine has the compiler, the front end for the language and its headers."""
    source = tmp_path / "nothing.c"
    source.write_text("#include <stdint.h>\n#include <string.h>\n")
    return (
        shutil.which(command[0])
        and subprocess.run(
            [*command, "-fsyntax-only", str(source)], stderr=subprocess.DEVNULL
        ).returncode
        == 0
    )


def compiles(command, source, tmp_path):
    if not works(command, tmp_path):
        pytest.skip(f"no {' '.join(command)}")
    done = subprocess.run(
        [
            *command,
            "-fsyntax-only",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-I",
            str(ROOT / "runtime"),
            str(source),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(source, id="-".join(source), marks=marks)
        for source, marks in {
            ("f32", "specialised"): (),
            ("f64", "reference"): (),
            ("f32", "reference"): pytest.mark.slow,
            ("f64", "specialised"): pytest.mark.slow,
        }.items()
    ],
)
def every_operator(request, tmp_path_factory):
    """The C of a network with every operator of the table."""
    dtype, kernels = request.param
    folder = tmp_path_factory.mktemp("every")
    (folder / "every.net").write_text(everything(SETTINGS[dtype]))
    source = folder / "every.c"
    options = f"--dtype={dtype} --kernels={kernels} --target=x86-64-v3".split()
    netc("emit", *options, "-o", source, folder / "every.net")
    return source


def test_every_operator_is_there(tmp_path):
    seen = set()
    for loss in SETTINGS.values():
        (tmp_path / "every.net").write_text(everything(loss))
        seen |= set(
            re.findall(
                r"NetKernel net_(\w+)_forward;",
                netc("emit", "--kernels=reference", tmp_path / "every.net").stdout,
            )
        )
    assert {row.name for row in ROWS} <= seen


@pytest.mark.parametrize(
    "compiler", [rarely(name) if name == "clang++" else name for name in COMPILERS]
)
def test_compilers_have_nothing_to_say(compiler, every_operator, tmp_path):
    compiles([*COMPILERS[compiler], "-march=x86-64-v3"], every_operator, tmp_path)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["cnn", rarely("resnet")])
def test_nor_of_models(name, compiler, tmp_path):
    source = tmp_path / "emitted.c"
    source.write_text(emitted(name))
    compiles([*COMPILERS[compiler], "-march=x86-64-v3"], source, tmp_path)


def test_columns_that_no_window_takes(tmp_path):
    """Their gradients are zeros: nothing is left of the loop over the windows."""
    (tmp_path / "n.net").write_text(
        """\
network n {
    input [3, 20, 19]
    conv2d(6, 3)
    max_pool2d([2, 3], stride=[3, 4], dilation=[4, 2], padding=1)
    flatten
    linear(10)
}
train {
    data synthetic
    loss cross_entropy
    optimizer sgd(lr=0.1)
    batch 4
    epochs 1
}
"""
    )
    netc("emit", "--warn=no-rows-left-out", tmp_path / "n.net", "-o", tmp_path / "n.c")
    compiles([*COMPILERS["gcc"], "-march=native"], tmp_path / "n.c", tmp_path)
    told = run(
        trainer(tmp_path / "n.net", "--dtype=f64", "--warn=no-rows-left-out"),
        "gradcheck",
        "--random-init",
    ).stdout
    assert " 0 wrong " in told


@pytest.mark.parametrize("machine", EVALUATED_AS_MORE)
def test_where_floats_are_evaluated_as_more(machine, every_operator, tmp_path):
    """In strict C11 too: FLT_EVAL_METHOD is not 0 there."""
    compiles([*EVALUATED_AS_MORE[machine], "-std=c11"], every_operator, tmp_path)


def test_a_model_in_cplusplus_has_its_name_in_c(tmp_path):
    source = tmp_path / "emitted.cpp"
    source.write_text(emitted("mlp"))
    command = next(
        (c for c in (COMPILERS["clang++"], COMPILERS["g++"]) if works(c, tmp_path)), None
    )
    if not command:
        pytest.skip("no C++ compiler")
    run(
        *command,
        "-O0",
        "-march=x86-64-v3",
        "-S",
        "-DNET_NO_MAIN",
        "-I",
        ROOT / "runtime",
        source,
        "-o",
        tmp_path / "emitted.s",
    )
    assert re.search(r"^\s*\.globl\s+mlp_model\b", (tmp_path / "emitted.s").read_text(), re.M)
