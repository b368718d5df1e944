"""netc graph: what is drawn, folded and boxed."""
import re

import pytest

from harness import MODELS, ROOT, netc

HERE = ROOT / "tests" / "write" / "dot"


def dot(text):
    return netc("graph", "/dev/stdin", stdin=text).stdout


@pytest.mark.parametrize("model", ["densenet", "efficientnet_b0", "inception", "resnet50", "unet"])
def test_drawings(model, golden):
    golden(HERE / f"{model}.dot", netc("graph", MODELS / f"{model}.net").stdout)


@pytest.mark.parametrize("model", sorted(MODELS.glob("*.net")), ids=lambda path: path.stem)
def test_every_edge_joins_boxes_and_says_a_shape(model):
    text = netc("graph", model).stdout
    boxes = set(re.findall(r"^ *(\w+) \[label=", text, re.M))
    edges = re.findall(r"^ *(\w+) -> (\w+) \[label=\" (.*?)\"", text, re.M)
    assert edges and all(source in boxes and target in boxes and shape.startswith("[") for source, target, shape in edges)
    assert boxes - {"input"} == {target for _, target, _ in edges}
    assert text.count("{") == text.count("}")
    assert len(boxes) <= 60


def test_turns_that_differ_are_drawn_apart():
    text = dot("network n {\n input [1, 8, 8]\n repeat 4 as i { conv2d(4, 3, padding=1, stride=2 if i == 0 else 1) as c }\n}\n")
    assert "× 3" in text
    assert text.count("conv2d") == 2
