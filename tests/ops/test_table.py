"""What is told of a layer is made from the table of operators: conv_transpose2d and
prelu, which no label, hover, drawing or fix has heard of, are right in all of them."""
import json
import re

import pytest

from harness import ROOT, check_text, netc
from serve.client import Client

UP = """network up {
    input [8, 28, 28]
    max_pool2d(2)
    conv2d(8, 3, stride=2, padding=1)
    conv_transpose2d(4, 3, stride=2, padding=1, output_padding=1) as up
    prelu(4)
    upsample(size=[28, 28])
    conv2d(2, 3)
}
"""


def test_labels_say_the_transposed_arithmetic(tmp_path):
    told = check_text(UP.replace("conv2d(2, 3)", "conv2d(2, 3) -> [2, 1, 1]"), tmp_path).stderr
    assert "[8, 7, 7] -> [4, 14, 14]: (7 - 1)*2 - 2*1 + 3 + 1 = 14" in told


@pytest.mark.parametrize(
    "word, field",
    [
        ("conv2d(8", 6),  # a pool of 2, then 3 windows that lie 2 apart
        ("conv_transpose2d", 10),  # two windows, which lie 4 apart
        ("prelu", 10),
        ("conv2d(2", 12),  # between the values of an enlarged image lies half of what did before
    ],
)
def test_receptive_fields(word, field):
    uri, line = "file:///nowhere/up.net", UP[: UP.index(word)].count("\n")
    with Client() as client:
        client.open(uri, UP)
        assert (
            f"receptive field {field} × {field}"
            in client.at("hover", uri, line, 5)["contents"]["value"]
        )


def test_a_drawing_shows_a_convolution_and_what_follows_it():
    (box,) = [
        line
        for line in netc("graph", "/dev/stdin", stdin=UP).stdout.splitlines()
        if "conv_transpose2d" in line
    ]
    assert 'bgcolor="#cfe3f7"><b>up' in box and "output_padding=1" in box and "prelu" in box


@pytest.mark.parametrize(
    "layer, says",
    [
        (
            "conv_transpose2d(4, 3, output_padding=1)",
            "output_padding 1 is not smaller than stride 1 or dilation 1",
        ),
        (
            "conv_transpose2d(4, 3, stride=2, output_padding=[1, 2])",
            "output_padding 2 is not smaller than stride 2 or dilation 1",
        ),
        ("conv_transpose2d(4, 1, padding=14)", "padding 14 cuts off all 28 rows"),
        ("conv_transpose2d(4, 3, groups=3)", "groups=3 does not divide the 8 input channels"),
        ("conv_transpose2d(4, 3, in_channels=9)", "in_channels=9, but its input has 8"),
        ("conv_transpose2d(4, 3, stride=2147483647)", "is too large"),
        ("prelu(3)", "3 slopes are neither 1 nor the input's 8"),
    ],
)
def test_what_does_not_fit(tmp_path, layer, says):
    assert (
        says
        in check_text(f"network n {{\n    input [8, 28, 28]\n    {layer}\n}}\n", tmp_path).stderr
    )


def test_a_dilation_makes_room_for_output_padding(tmp_path):
    check_text(
        "network n {\n"
        "    input [8, 28, 28]\n"
        "    conv_transpose2d(4, 3, dilation=3, output_padding=2) -> [4, 36, 36]\n"
        "}\n",
        tmp_path,
        expect=0,
    )


def test_a_wide_stride_makes_no_long_text(tmp_path):
    text = (
        "network n {\n"
        "    input [1, 2, 2]\n"
        "    conv_transpose2d(2, 3, stride=[1, 100000])\n"
        "    flatten\n"
        "    linear(10)\n"
        "}\n"
    )
    (tmp_path / "n.net").write_text(text)
    emitted = netc("emit", tmp_path / "n.net").stdout
    assert len(emitted) < 100_000 and "net_conv_transpose2d_forward(" in emitted


def test_the_table_as_json():
    (described,) = json.loads(netc("explain", "--json", "conv_transpose2d").stdout)["operators"]
    assert (described["rank"], described["window"]) == (3, "transposed")
    assert {
        "name": "output_padding",
        "kind": "pair",
        "role": "output_padding",
        "default": "0",
        "minimum": 0,
    }.items() <= next(
        argument for argument in described["arguments"] if argument["name"] == "output_padding"
    ).items()
    assert "neither an operator" in netc("explain", "--json", "shape-assert", expect=2).stderr


# The words of a window.  Only these know them: an operator's own file, and the files for other
# frameworks' words and for a block's parameters.
WORDS = re.compile(
    r'"(kernel_size|stride|padding|dilation|output_padding|ceil_mode|scale_factor|output_size)"'
)
KNOWN = {"graph/hints.c", "graph/training_data.c", "repair/alike.c"}


def test_nothing_asks_by_argument_name():
    compiler = ROOT / "compiler"
    asking = {
        str(path.relative_to(compiler))
        for path in compiler.rglob("*.c")
        if path.parent.name != "ops" and WORDS.search(path.read_text())
    }
    assert asking <= KNOWN
