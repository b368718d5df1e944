"""Functions of an element: against PyTorch, by finite differences, written out against the
reference, for one image, and where they are fused."""
import re

import numpy as np
import pytest

from harness import ROOT, c_program, netc, read_safetensors, run, trainer
from ops.function_cases import BUILTIN, LIBRARY, POINTS
from ops.one_image import difference
from ops.test_emission import TRAIN, network, same_both_ways

LIMITS = {"f32": 3e-6, "f64": 1e-14}  # relative, and absolute below 1
USE = 'use "activations.net"\n'

DRIVER = """
#include <stdio.h>
#include "%s"
static const real points[] = { %s };
enum { COUNT = sizeof points / sizeof *points };
#define SHOW(value, gradient) \\
    for (int i = 0; i < COUNT; i++) { \\
        const vec x = points[i] - (vec){ 0 }; \\
        printf("%%.17g %%.17g\\n", (double)(value)(x)[0], (double)(gradient)(x)[0]); \\
    }
%s
int main(void)
{
%s    return 0;
}
"""


def emitted(tmp_path, uses, definitions, dtype):
    """The C of a network that applies these one after the other, and of each the names of its two
    functions."""
    layers = "".join(f"    {use}\n" for use in uses)
    text = (
        definitions
        + f"network n {{\n    input [1, 28, 28]\n    conv2d(1, 1)\n{layers}    flatten\n"
        + "    linear(10)\n}\n"
        + TRAIN % "cross_entropy"
    )
    (tmp_path / "n.net").write_text(text)
    c = tmp_path / f"{dtype}.c"
    netc("emit", "--target=portable", f"--dtype={dtype}", tmp_path / "n.net", "-o", c)
    heads = re.findall(r"static inline vec (function_(\d+)_\w+)\((.*)\)\n", c.read_text())
    values = {int(n): (name, args) for name, n, args in heads if "dy" not in args}
    slopes = {int(n): (name, args) for name, n, args in heads if "dy" in args}
    assert sorted(values) == sorted(slopes) == list(range(1, len(uses) + 1))
    return c, [(values[n], slopes[n]) for n in range(1, len(uses) + 1)]


def wrapped(name, args, number, kind):
    """A C function of x alone, of a dy of ones."""
    passed = ", ".join("(real)1 - (vec){ 0 }" if a == "vec dy" else "x" for a in args.split(", "))
    return f"{kind}{number}", f"static vec {kind}{number}(vec x) {{ return {name}({passed}); }}\n"


def computed(tmp_path, uses, definitions, dtype):
    """{use: (y, dx)} at all points."""
    c, functions = emitted(tmp_path, uses, definitions, dtype)
    heads, calls = "", ""
    for number, (value, slope) in enumerate(functions):
        pair = wrapped(*value, number, "value"), wrapped(*slope, number, "slope")
        heads += "".join(text for _, text in pair)
        calls += f"    SHOW({pair[0][0]}, {pair[1][0]})\n"
    points = ", ".join(f"(real){x!r}" for x in POINTS.tolist())
    program = c_program(DRIVER % (c, points, heads, calls), "-DNET_NO_MAIN", "-O0", real=dtype)
    lines = np.array([line.split() for line in run(program).stdout.splitlines()], float)
    return dict(zip(uses, lines.reshape(len(uses), len(POINTS), 2).transpose(0, 2, 1)))


# PyTorch multiplies these gradients by a number that it has rounded to float32.
ROUNDED = {"hardsigmoid:dx": 1e-7}


def compared(made, dtype):
    wanted = read_safetensors(ROOT / "tests/ops/functions.safetensors")
    np.testing.assert_array_equal(wanted["x"], POINTS)
    for use, results in made.items():
        for kind, result in zip(("y", "dx"), results):
            expected = wanted[f"{use}:{kind}"]
            limit = max(LIMITS[dtype], ROUNDED.get(f"{use}:{kind}", 0))
            fits = np.abs(expected) < (1e30 if dtype == "f32" else 1e300)
            np.testing.assert_allclose(
                result[fits], expected[fits], limit, limit, err_msg=f"{use} {kind} {dtype}"
            )


@pytest.mark.parametrize("dtype", LIMITS)
def test_library_as_pytorch(tmp_path, dtype):
    compared(computed(tmp_path, list(LIBRARY), USE, dtype), dtype)


@pytest.mark.parametrize("dtype", LIMITS)
def test_builtin_as_pytorch(tmp_path, dtype):
    definitions = "".join(f"function f{i}(x) = {text}\n" for i, text in enumerate(BUILTIN))
    uses = [f"f{i}" for i in range(len(BUILTIN))]
    made = computed(tmp_path, uses, definitions, dtype)
    compared(dict(zip(BUILTIN, made.values())), dtype)


def test_the_library_has_all_that_is_tested():
    text = (ROOT / "library/activations.net").read_text()
    names = set(re.findall(r"^function (\w+)", text, re.M))
    assert names == {re.match(r"\w+", use)[0] for use in LIBRARY} | {"highway"}


JOINS = """
function gate(x, y)           = x*sigmoid(y)
function mixed(a, b, c, k=2)  = a*b + (1 - a)*tanh(c/k) + max(a, b)
function spread(x, s, keep=true) = x*s if keep else x + s*s
"""
JOINED = [
    "gate { branch { } branch { conv2d(4, 1) as a } }",
    "mixed(k=3) { branch { conv2d(4, 1) as a } branch { } branch { conv2d(4, 1) as b } }",
    "spread { branch { } branch { adaptive_avg_pool2d(1);  conv2d(4, 1) as a } }",
    "spread(keep=false) { branch { adaptive_avg_pool2d(1) } branch { conv2d(4, 1) as a } }",
    "mixed { branch { } branch { } branch { adaptive_avg_pool2d(1) } }",
]


@pytest.mark.parametrize("first", range(0, len(LIBRARY), 8))
def test_written_out_as_reference(first, tmp_path):
    same_both_ways(USE + network(list(LIBRARY)[first : first + 8]), tmp_path)


def named(statement, prefix):
    return re.sub(r" as (\w)", rf" as {prefix}\1", statement)


def test_joins_written_out_as_reference(tmp_path):
    statements = [named(statement, f"j{i}") for i, statement in enumerate(JOINED)]
    same_both_ways(JOINS + network(statements), tmp_path)


def test_gradients_by_finite_differences(tmp_path):
    statements = [named(statement, f"j{i}") for i, statement in enumerate(JOINED)]
    smooth = ["mish", "selu", "softsign", "swish(0.5)", "tanhshrink", "logsigmoid"]
    text = USE + JOINS + network(smooth + statements)
    checked = run(trainer(text, "--dtype=f64"), "gradcheck", "--samples=4", "--threads=1").stdout
    assert " 0 wrong" in checked


ALONE = """network alone {
    input [3, 9, 7]
    conv2d(CHANNELS, 3, padding=1)
    mish
    spread { branch { conv2d(CHANNELS, 1) }
             branch { adaptive_avg_pool2d(1)
                      conv2d(CHANNELS, 1) } }
    gate { branch { } branch { conv2d(CHANNELS, 1) } }
    selu
    flatten
    linear(10)
    gate { branch { softplus } branch { linear(10) } }
}
"""


@pytest.mark.parametrize("channels", [5, 32])
def test_one_image_has_the_same_logits(tmp_path, channels):
    text = USE + JOINS + ALONE.replace("CHANNELS", str(channels))
    for dtype, close, split in ("f64", 1e-6, "none"), ("f32", 3e-5, "all"):
        assert difference(tmp_path, text, dtype, f"--split={split}") < close


FUSED = """
network n {
    input [1, 28, 28]
    conv2d(4, 3) as first
    mish         as act
    conv2d(4, 3, padding=1) as second
    gate(act)    as gated
    flatten
    linear(10)
}
"""


@pytest.mark.parametrize(
    "fuse, shown",
    [
        ("activation", r"forward first: .* register\n  then forward act:"),
        ("residual", r"forward second: .* register\n  then forward gated:"),
        ("gradient", r"backward_input second: .*\n(.*\n)?  then backward_input act:"),
    ],
)
def test_a_plan_shows_what_is_fused(tmp_path, fuse, shown):
    text = USE + JOINS + FUSED + TRAIN % "cross_entropy"
    (tmp_path / "n.net").write_text(text)
    plan = lambda names: netc("--dump=plan", f"--fuse={names}", tmp_path / "n.net").stdout
    assert re.search(shown, plan(fuse))
    assert not re.search(shown, plan("none"))


def test_what_is_computed_twice_is_computed_once(tmp_path):
    text = "function f(x, y) = (x + y)*exp(y + x) + exp(x + y)\n" + FUSED.replace("gate", "f")
    (tmp_path / "n.net").write_text(USE + text)
    c = netc("emit", tmp_path / "n.net").stdout
    body = c[c.index("function_2_f(vec x0, vec x1)\n") :]
    assert body[: body.index("\n}\n")].count("vec_exp(") == 1


def test_uses_of_the_same_numbers_share_their_c(tmp_path):
    text = USE + network(["swish(2)", "swish(beta=2)", "swish", "swish(1.0)"])
    (tmp_path / "n.net").write_text(text)
    c = netc("emit", tmp_path / "n.net").stdout
    assert len(re.findall(r"static inline vec function_\d+_swish\(", c)) == 2


# The gradient of an input may lie where the function's own lay only when all others have read it.
SHARED = """function f(y, x, z) = 0.5*(sigmoid(relu(z*tanh(y))) + y + x*z)
network n {
    input [1, 28, 28]
    flatten
    linear(16)
    skip { f { branch { } branch { } branch { } } }
    f { branch { } branch { linear(16) as a } branch { tanh } }
    linear(10)
}
"""


def test_gradients_of_one_tensor_taken_often(tmp_path):
    same_both_ways(SHARED + TRAIN % "cross_entropy", tmp_path)
