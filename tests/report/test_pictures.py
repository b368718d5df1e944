"""netc graph --svg: what is written fits its boxes in any common sans-serif and stands
clear of the lines, for every model.

Widths are typeface.c's, which a test here holds to two fonts' known ones."""
import re
from xml.etree import ElementTree

import pytest

from harness import MODELS, ROOT, have, netc
from typeface import width

pytestmark = pytest.mark.skipif(not have("dot"), reason="Graphviz is not installed")

every_model = pytest.mark.parametrize("model", sorted(path.stem for path in MODELS.glob("*.net")))
SVG = "{http://www.w3.org/2000/svg}"
ASCENT, DESCENT = 0.74, 0.22  # of letters and brackets, in ems
STEPS = 24  # in which a curve is followed


class Line:
    """A <text>: its characters, and the box they take in the widest typeface."""

    def __init__(self, element):
        pieces = [(element.text or "", False)]
        for span in element:
            pieces += [
                (span.text or "", span.get("font-weight") == "bold"),
                (span.tail or "", False),
            ]
        self.text = "".join(text for text, _ in pieces)
        self.size = float(element.get("font-size"))
        self.length = float(element.get("textLength", "nan"))
        self.widths = {
            face: self.size * sum(width(text, face, bold) for text, bold in pieces)
            for face in ("widest", "usual")
        }
        x, y, wide = float(element.get("x")), float(element.get("y")), self.widths["widest"]
        left = {"start": x, "middle": x - wide / 2}[element.get("text-anchor")]
        self.box = (left, y - ASCENT * self.size, left + wide, y + DESCENT * self.size)


def bounds(points):
    return (
        min(x for x, _ in points),
        min(y for _, y in points),
        max(x for x, _ in points),
        max(y for _, y in points),
    )


def numbers(text):
    values = [float(number) for number in re.findall(r"-?[\d.]+", text)]
    return list(zip(values[::2], values[1::2]))


def curve(path):
    """Points along a path of cubic Béziers."""
    points = numbers(path)
    for i in range(0, len(points) - 3, 3):
        for step in range(STEPS + 1):
            t = step / STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield tuple(
                sum(w * point[axis] for w, point in zip(weights, points[i : i + 4]))
                for axis in (0, 1)
            )


def within(box, point, margin=0.0):
    return (
        box[0] - margin <= point[0] <= box[2] + margin
        and box[1] - margin <= point[1] <= box[3] + margin
    )


def holds(outer, inner):
    return within(outer, inner[:2]) and within(outer, inner[2:])


def meet(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


class Picture:
    def __init__(self, text):
        self.root = ElementTree.fromstring(text)
        self.parts = {kind: [] for kind in ("node", "edge", "cluster")}
        for group in self.root.iter(SVG + "g"):
            if group.get("class") in self.parts:
                self.parts[group.get("class")].append(group)
        self.labels = [Line(text) for text in self.root.findall(f"{SVG}g/{SVG}text")]  # of frames

    def lines(self, kind):
        return [
            (group, Line(text)) for group in self.parts[kind] for text in group.iter(SVG + "text")
        ]

    def all_lines(self):
        return self.labels + [line for kind in self.parts for _, line in self.lines(kind)]

    def arrows(self):
        """[(where from, where to, points)]"""
        for group in self.parts["edge"]:
            ends = re.fullmatch(r"(\w+)(?::\w+)?->(\w+)", group.find(SVG + "title").text)
            yield ends[1], ends[2], list(curve(group.find(SVG + "path").get("d")))

    def curves(self):
        return [points for _, _, points in self.arrows()]


def shapes(group):
    """The boxes of a node's or a frame's outlines."""
    for shape in group.iter():
        if shape.tag == SVG + "ellipse":
            x, y, rx, ry = (float(shape.get(key)) for key in ("cx", "cy", "rx", "ry"))
            yield (x - rx, y - ry, x + rx, y + ry)
        elif shape.tag in (SVG + "polygon", SVG + "path"):
            yield bounds(numbers(shape.get("points") or shape.get("d")))


@pytest.fixture(scope="module")
def pictures():
    drawn = {}

    def picture(model):
        if model not in drawn:
            drawn[model] = Picture(netc("graph", "--svg", MODELS / f"{model}.net").stdout)
        return drawn[model]

    return picture


def test_widths_are_those_of_the_fonts():
    """As fontconfig's DejaVu Sans and Liberation Sans have them."""
    assert width("conv2d(16, 3, padding=1)", "usual") == pytest.approx(11.37, abs=0.01)
    assert width("conv2d(16, 3, padding=1)", "widest") == pytest.approx(13.16, abs=0.01)


@every_model
def test_the_length_of_a_text_is_stated_and_there_is_room_for_more(model, pictures):
    picture = pictures(model)
    for line in picture.all_lines():
        assert line.length == pytest.approx(line.widths["usual"], abs=0.1), line.text
        assert line.length <= line.widths["widest"]


@every_model
def test_texts_are_within_their_boxes(model, pictures):
    picture = pictures(model)
    for group, line in picture.lines("node"):
        assert any(holds(box, line.box) for box in shapes(group)), line.text


@every_model
def test_no_text_runs_into_another(model, pictures):
    picture = pictures(model)
    lines = picture.all_lines()
    assert not [
        (a.text, b.text) for i, a in enumerate(lines) for b in lines[:i] if meet(a.box, b.box)
    ]


@every_model
def test_lines_stand_clear_of_the_shapes_that_they_say(model, pictures):
    picture = pictures(model)
    assert not [
        line.text
        for _, line in picture.lines("edge")
        for points in picture.curves()
        if any(within(line.box, point) for point in points)
    ]


@every_model
def test_a_shape_is_within_a_frame_or_outside(model, pictures):
    picture = pictures(model)
    frames = [next(shapes(group)) for group in picture.parts["cluster"]]
    assert not [
        line.text
        for _, line in picture.lines("edge")
        for frame in frames
        if meet(frame, line.box) and not holds(frame, line.box)
    ]


@every_model
def test_a_line_within_a_frame_stays_there(model, pictures):
    picture = pictures(model)
    boxes = {group.find(SVG + "title").text: next(shapes(group)) for group in picture.parts["node"]}
    for source, target, points in picture.arrows():
        for frame in (next(shapes(cluster)) for cluster in picture.parts["cluster"]):
            if holds(frame, boxes[source]) and holds(frame, boxes[target]):
                assert all(within(frame, point) for point in points), (source, target)


@every_model
def test_no_line_runs_through_a_box(model, pictures):
    picture = pictures(model)
    boxes = {node.find(SVG + "title").text: next(shapes(node)) for node in picture.parts["node"]}
    for source, target, points in picture.arrows():
        for name, box in boxes.items():
            assert name in (source, target) or not any(
                within(box, point, -0.5) for point in points
            ), (source, target)


@every_model
def test_the_label_of_a_frame_is_drawn_over_the_lines(model, pictures):
    """On a patch that hides them."""
    picture = pictures(model)
    assert not picture.lines("cluster")
    patches = [
        tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
        for rect in picture.root.iter(SVG + "rect")
    ]
    frames = [next(shapes(group)) for group in picture.parts["cluster"]]
    assert len(picture.labels) == len(patches) >= len(frames)
    for (x, y, wide, high), line in zip(patches, picture.labels):
        assert holds((x, y, x + wide + 0.1, y + high), line.box)
        assert any(holds(frame, line.box) for frame in frames), line.text


@every_model
def test_the_background_is_the_pictures_own(model, pictures):
    """So that it can be read on a dark page."""
    first = next(pictures(model).root.iter(SVG + "polygon"))
    _, _, wide, high = (float(number) for number in pictures(model).root.get("viewBox").split())
    left, top, right, bottom = bounds(numbers(first.get("points")))
    # dot rounds its numbers.
    assert first.get("fill") == "white" and right - left > wide - 1 and bottom - top > high - 1


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (ROOT / "examples" / "pictures").glob("*.svg"))
)
def test_the_pictures_of_the_pages_are_drawn_as_today(name, pictures):
    """Only dot may lay them out in another way.  examples/pictures/README.md says how to draw
    them again."""
    kept = Picture((ROOT / "examples" / "pictures" / f"{name}.svg").read_text())
    assert sorted(line.text for line in kept.all_lines()) == sorted(
        line.text for line in pictures(name).all_lines()
    )
    assert sorted(arrow[:2] for arrow in kept.arrows()) == sorted(
        arrow[:2] for arrow in pictures(name).arrows()
    )
