"""The emitted C is text for people: its size is bounded, every function says what it computes, and
C compilers have nothing to say of it.
"""
import math
import re
import shutil
import subprocess

import pytest

from harness import MODELS, ROOT, netc, run, trainer

TARGETS = ["x86-64-v3", "x86-64-v4", "portable"]
LINES = {"cnn": 2500, "inception": 9000, "densenet": 9000}         # of the file; each may only fall
LONGEST = 300                                                       # lines of a function
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
        begins = re.match(r"(static|int) .*\b(\w+)\(", line) and not line.rstrip().endswith(";") and " = " not in line
        if begins:
            before = lines[number - 1]
            assert before.endswith("*/") or before.startswith(("NetKernel ", "#")), line


def test_comments_name_the_algorithm_what_is_fused_and_the_line():
    text = emitted("cnn")
    assert re.search(r"/\* conv1: conv2d \[1, 28, 28\] -> .*, forward   \S*cnn.net:5\n"
                     r" \* Direct convolution: .*\n \* Fused: max_pool2d_1 \(max_pool2d\), relu_1 \(relu\) \*/", text)
    assert re.search(r"Winograd F\(4x4, 3x3\).*Lavin\s*(\n \* )?and Gray 2016", emitted("densenet"))


@pytest.mark.parametrize("compiler", [["gcc", "-std=c11"], ["clang", "-std=c11"], ["clang", "-x", "c++", "-std=c++17"]], ids=" ".join)
@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_compilers_have_nothing_to_say(name, compiler, tmp_path):
    if not shutil.which(compiler[0]):
        pytest.skip(f"no {compiler[0]}")
    source = tmp_path / "emitted.c"
    source.write_text(emitted(name))
    done = subprocess.run([*compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-march=x86-64-v3",
                           "-I", str(ROOT / "runtime"), str(source)], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_columns_that_no_window_takes(tmp_path):
    """Their gradients are zeros: nothing is left of the loop over the windows."""
    (tmp_path / "n.net").write_text(
        "network n {\n    input [3, 20, 19]\n    conv2d(6, 3)\n"
        "    max_pool2d([2, 3], stride=[3, 4], dilation=[4, 2], padding=1)\n    flatten\n    linear(10)\n}\n"
        "train {\n    data synthetic\n    loss cross_entropy\n    optimizer sgd(lr=0.1)\n    batch 4\n    epochs 1\n}\n")
    netc("emit", "--warn=no-rows-left-out", tmp_path / "n.net", "-o", tmp_path / "n.c")
    done = subprocess.run(["gcc", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-march=native",
                           "-I", str(ROOT / "runtime"), str(tmp_path / "n.c")], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    told = run(trainer(tmp_path / "n.net", "--dtype=f64", "--warn=no-rows-left-out"), "gradcheck", "--random-init").stdout
    assert " 0 wrong " in told


def test_where_floats_are_evaluated_as_more(tmp_path):
    """s390x is such a machine; here the x87 unit stands for it."""
    source = tmp_path / "emitted.c"
    source.write_text(emitted("cnn"))
    done = subprocess.run(["gcc", "-std=gnu11", "-fsyntax-only", "-march=x86-64-v3", "-mfpmath=387",
                           "-I", str(ROOT / "runtime"), str(source)], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
