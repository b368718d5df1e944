"""From text to the typed graph: what right programs become, what wrong ones are
told, PyTorch's names, and that no program makes the walk long.

right/NAME.net has its graph in right/NAME.txt; wrong/NAME.net has its messages
in wrong/NAME.txt; the tutorial networks have their graphs in graph/ and what
differentiation makes of them in gradient/.  All are rewritten by `make golden`.
"""
import re
import time
from pathlib import Path

import pytest

from harness import MODELS, TUTORIALS, check_text, netc

HERE = Path(__file__).resolve().parent
FAST = 10  # seconds that even a program of nothing but iterations may take
DEEP = 2  # seconds for 1,000 layers: takes some 20 ms, on a busy machine more


def programs(folder):
    return pytest.mark.parametrize(
        "program", sorted(folder.glob("*.net")), ids=lambda path: path.stem
    )


@programs(HERE / "right")
def test_right(program, golden):
    golden(
        program.with_suffix(".txt"), netc("--dump=graph", program.name, cwd=program.parent).stdout
    )


@programs(HERE / "wrong")
def test_wrong(program, golden):
    golden(
        program.with_suffix(".txt"),
        netc("check", program.name, cwd=program.parent, expect=1).stderr,
    )


@pytest.mark.parametrize("model", TUTORIALS)
@pytest.mark.parametrize("stage", ["graph", "gradient"])
def test_models(model, stage, golden):
    golden(HERE / stage / f"{model}.txt", netc(f"--dump={stage}", MODELS / f"{model}.net").stdout)


NETWORK = "{}network n {{\n    input [4, 8, 8]\n{}\n}}\n"
DOUBLING = "".join(
    f"block {a} {{ {b}; {b} }}\n"
    for a, b in zip("ABCDEFGHIJKLMNOPQRSTUVWXY", "BCDEFGHIJKLMNOPQRSTUVWXYZ")
)


@pytest.mark.parametrize(
    "blocks, body, code",
    [
        ("", "repeat 1000000000 { }", "too-large"),
        ("", "repeat 99999 { repeat 99999 { } }", "too-large"),
        ("", "repeat 100000 { relu }\nrelu", "too-large"),
        ("", "if true { " * 80 + "relu" + " }" * 80, "too-large"),
        (DOUBLING + "block Z { }\n", "A", "too-large"),
        ("block W(f) { f(f) }\n", "W(W)", "too-large"),
        ("", 'repeat 90000 as i { relu as "x{i}" }\nrepeat 90000 { from foo }', "unknown-name"),
        (
            "",
            "relu as x\nrepeat 50000 { relu }\nrepeat 40000 { from x; conv2d(16, 9) }",
            "window-too-large",
        ),
        ("", "let x = " + "1 + " * 900 + "1\nconv2d(x, 1)", None),
    ],
)
def test_limits(blocks, body, code, tmp_path):
    start = time.monotonic()
    told = check_text(
        NETWORK.format(blocks, body), tmp_path, "--diagnostics=short", expect=1 if code else 0
    ).stderr
    assert time.monotonic() - start < FAST
    assert set(re.findall(r"error\[([\w-]+)\]", told)) == ({code} if code else set())


def test_a_deep_network_builds_fast(tmp_path):
    start = time.monotonic()
    check_text(NETWORK.format("", "conv2d(4, 3, padding=1); relu\n" * 500), tmp_path, expect=0)
    assert time.monotonic() - start < DEEP
