"""netc graph: what is drawn, folded and boxed."""
import re

import pytest

from harness import MODELS, ROOT, netc

HERE = ROOT / "tests" / "report" / "dot"


SOURCE = re.compile(r"^  +(\w+) \[label=.*>(?:parameter|constant|noise)\(", re.M)


def sources(text):
    """Boxes that nothing leads to: a chain begins with them, as with the input."""
    return set(SOURCE.findall(text))


def dot(text):
    return netc("graph", "/dev/stdin", stdin=text).stdout


@pytest.mark.parametrize("model", ["densenet", "efficientnet_b0", "inception", "resnet50", "unet"])
def test_drawings(model, golden):
    golden(HERE / f"{model}.dot", netc("graph", MODELS / f"{model}.net").stdout)


BOX = re.compile(r"^ *(\w+) \[(?:label|shape)=", re.M)
ARROW = re.compile(r"^ *(\w+) -> (\w+) \[(?:label=<<table.*?>(\[.*?\])</td>.*?>>, )?", re.M)


@pytest.mark.parametrize("model", sorted(MODELS.glob("*.net")), ids=lambda path: path.stem)
def test_every_arrow_joins_boxes_and_says_its_shape_once(model):
    """Before it parts: what leaves a point is what came to it."""
    text = netc("graph", model).stdout
    boxes, arrows = set(BOX.findall(text)) - {"node", "edge"}, ARROW.findall(text)
    begins = sources(text)
    assert (
        arrows
        and boxes - {"input"} - begins == {target for _, target, _ in arrows}
        and {source for source, *_ in arrows} <= boxes
    )
    assert all((shape == "") == source.startswith("f") for source, _, shape in arrows)
    assert text.count("{") == text.count("}")
    assert len([box for box in boxes if not box.startswith("f")]) <= 60


def frames(text):
    """{box: its frames, the innermost last, each as its number and whether it is a loop's}"""
    found, opened = {}, []
    for number, line in enumerate(text.splitlines()):
        if "subgraph" in line:
            opened.append((number, False))
        elif line.strip() == "}" and opened:
            opened.pop()
        elif opened and line.strip().startswith("label="):
            opened[-1] = (opened[-1][0], "× " in line)
        elif box := BOX.match(line):
            found[box[1]] = list(opened)
    return found


@pytest.mark.parametrize("model", sorted(MODELS.glob("*.net")), ids=lambda path: path.stem)
def test_what_enters_a_loop_enters_it_once(model):
    """And so a skip inside an iteration begins in the frame of the iteration."""
    text = netc("graph", model).stdout
    within, entering = frames(text), []
    for source, target, _ in ARROW.findall(text):
        entering += [
            (source, frame) for frame in within[target] if frame[1] and frame not in within[source]
        ]
    assert len(entering) == len(set(entering))


def test_a_skip_around_a_block_of_a_loop_parts_in_the_loop_and_not_in_the_block():
    text = dot(
        "block B { conv2d(4, 3, padding=1) as c; batch_norm2d as n }\n"
        "network n {\n input [4, 8, 8]\n repeat 3 { skip { B as b } }\n}\n"
    )
    within = frames(text)
    assert within["f0"] == [frame for frame in within["n0"] if frame[1]] and len(within["n0"]) == 2
    assert [
        (source, target) for source, target, _ in ARROW.findall(text) if "f0" in (source, target)
    ] == [("input", "f0"), ("f0", "n0"), ("f0", "n2")]


def test_a_use_is_drawn_as_it_is_written_but_for_its_spaces():
    uses = "".join(f"    B(8 if  1<9  and {i} > -1 else 9)\n" for i in range(45))
    text = dot(
        "block B(k) [c, h, w] { conv2d(k, 1) as c; max_pool2d(1); conv2d(k, 1) as d }\n"
        f"network n {{\n    input [8, 4, 4]\n{uses}}}\n"
    )
    assert "B(8 if 1&#60;9 and 7 &#62; -1 else 9)" in text


def test_iterations_that_differ_are_drawn_apart():
    text = dot(
        "network n {\n"
        " input [1, 8, 8]\n"
        " repeat 4 as i { conv2d(4, 3, padding=1, stride=2 if i == 0 else 1) as c }\n"
        "}\n"
    )
    assert "× 3" in text
    assert text.count("conv2d") == 2
