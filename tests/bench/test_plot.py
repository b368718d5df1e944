"""The picture and the table of a run: of example_run.json, whose figures are made up, and, on
pages that show a run of their own, of that."""
import copy
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import plot, record
from harness import ROOT, run
from typeface import width

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE / "example_run.json"
SVG = "{http://www.w3.org/2000/svg}"
ASCENT, DESCENT = 0.74, 0.22  # in ems


def example():
    return record.read(EXAMPLE)


def with_batches():
    """Each network with several batch sizes, the fastest 20 times as fast as its peers."""
    changed, figures = example(), []
    for batch in (1, 16, 64):
        for figure in changed["figures"]:
            if figure["batch"] != 1 or figure["kind"] == "inference" and batch == 1:
                figures.append({**copy.deepcopy(figure), "batch": batch})
    for turns in (figures[0]["contestants"]["netc"]["turns"],):
        turns[:] = [seconds / 20 for seconds in turns]
    unique = {(f["network"], f["kind"], f["batch"]): f for f in figures}
    return {**changed, "figures": list(unique.values())}


def alone():
    """Without a peer, and nothing measured at all."""
    changed = example()
    for figure in changed["figures"]:
        figure["contestants"] = {"netc": figure["contestants"]["netc"]}
    return changed


RUNS = {
    "example": example,
    "batches": with_batches,
    "alone": alone,
    "empty": lambda: {**example(), "figures": []},
}
every_run = pytest.mark.parametrize("made", RUNS)


def boxes(root):
    """[(text, left, top, right, bottom)] in the widest typeface"""
    for element in root.iter(SVG + "text"):
        size, x, y = (float(element.get(key)) for key in ("font-size", "x", "y"))
        wide = size * width(element.text, "widest", element.get("font-weight") == "bold")
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[element.get("text-anchor")]
        yield element.text, left, y - ASCENT * size, left + wide, y + DESCENT * size


@every_run
def test_texts_are_within_the_picture_and_apart(made):
    root = ElementTree.fromstring(plot.draw(RUNS[made]()))
    _, _, wide, high = (float(number) for number in root.get("viewBox").split())
    found = list(boxes(root))
    assert found
    for number, (text, left, top, right, bottom) in enumerate(found):
        assert left >= 0 and top >= 0 and right <= wide and bottom <= high, text
        for other in found[:number]:
            apart = right <= other[1] or other[3] <= left or bottom <= other[2] or other[4] <= top
            assert apart, (text, other[0])


@every_run
def test_bars_keep_clear_of_texts(made):
    root = ElementTree.fromstring(plot.draw(RUNS[made]()))
    for bar in list(root.iter(SVG + "rect"))[1:]:
        x, y, wide, high = (float(bar.get(key)) for key in ("x", "y", "width", "height"))
        for text, left, top, right, bottom in boxes(root):
            assert x + wide <= left or right <= x or y + high <= top or bottom <= y, text


@every_run
def test_each_text_has_a_length_and_the_background_is_the_pictures_own(made):
    """So that it fits in any typeface, and can be read on a dark page."""
    root = ElementTree.fromstring(plot.draw(RUNS[made]()))
    first = next(iter(root))
    assert first.tag == SVG + "rect" and first.get("width") == first.get("height") == "100%"
    assert first.get("fill") == plot.PAPER
    for text in root.iter(SVG + "text"):
        usual = width(text.text, "usual", text.get("font-weight") == "bold")
        assert float(text.get("textLength")) == pytest.approx(
            float(text.get("font-size")) * usual, abs=0.1
        )


def test_bars_are_as_long_as_the_ratios_say():
    """From 1 to the ratio on a scale that doubles at equal distances, to the left below 1."""
    scale = plot.Scale([6.55, 0.77])
    assert (scale.low, scale.high) == (-1, 3) and scale.ticks() == [0.5, 1, 2, 4, 8]
    step = scale.at(2) - scale.at(1)
    assert scale.at(8) == plot.SCALE and scale.at(4) - scale.at(2) == step == -scale.at(0.5) + step
    figures = {figure["network"]: figure for figure in example()["figures"][:2]}
    for figure in figures.values():
        bar = ElementTree.fromstring(next(plot.draw_bar(0, 0, scale, figure)))
        ratio = record.ratio(figure)
        assert float(bar.get("width")) == pytest.approx(abs(scale.at(ratio) - scale.at(1)), abs=0.1)
        assert bar.get("fill") == (plot.FASTER if ratio >= 1 else plot.SLOWER)


def test_the_ratio_is_of_the_least_turns():
    figure = example()["figures"][1]
    entries = figure["contestants"]
    assert entries["netc"]["turns"] == [0.55, 0.561, pytest.approx(0.715)]
    assert record.best_peer(figure) == ("torch-compile", 0.97)
    assert record.ratio(figure) == pytest.approx(0.97 / 0.55)
    entries["torch-compile"]["left_out"] = "why"
    assert record.best_peer(figure)[0] == "torch-eager"
    entries["netc"] = {}
    assert record.ratio(figure) is None


def test_panels():
    assert list(plot.panels(example())) == ["training", "one image", "many images"]
    assert list(plot.panels(with_batches())) == [
        "training, batch 1",
        "training, batch 16",
        "training, batch 64",
        "one image",
        "inference, 16 images",
        "inference, 64 images",
    ]


def test_the_table_tells_who_was_left_out():
    rows = {
        (section, line.split(" | ")[0][2:]): line.split(" | ")
        for section, line in sections(plot.table(example()))
    }
    assert rows["training, batch 16, images/s", "densenet121"][4] == "over 60 s"
    assert rows["training, batch 16, images/s", "resnet18"][1:3] == ["29.1", "15.1"]
    assert rows["inference, 64 images, images/s", "resnet18"][6] == "failed"
    one = rows["inference, one image, µs (less is better)", "cnn"]
    assert one[1] == "5.60" and one[-1] == "2.32 × |"


def sections(lines):
    title = None
    for line in lines:
        if found := re.match(r"\| \*\*(.*?)\*\*", line):
            title = found[1]
        elif title:
            yield title, line


# --------------------------------------------------------------------- the page

PAGE = "before\n<!-- speed run.json run.svg -->\nold\n<!-- end of speed -->\nafter\n"


def make(tmp_path, *words, page=PAGE, expect=0):
    (tmp_path / "page.md").write_text(page)
    (tmp_path / "run.json").write_text(EXAMPLE.read_text())
    words = ["-m", "bench.plot", *words, "--svg", "run.svg", "--page", "page.md"]
    return run(
        "/usr/bin/env",
        "python3",
        *words,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "tests")},
        expect=expect,
    )


def test_a_page_is_rewritten(tmp_path):
    make(tmp_path, "run.json")
    page = (tmp_path / "page.md").read_text()
    assert page.startswith("before\n<!-- speed run.json run.svg -->\n") and "old" not in page
    assert page.endswith("<!-- end of speed -->\nafter\n") and "](run.svg)" in page
    assert "2 cores of Example CPU & Co., 28 November 2026; the least of 3 turns." in page
    assert (tmp_path / "run.svg").read_text() == plot.draw(example())
    make(tmp_path, "run.json", page=page)
    assert (tmp_path / "page.md").read_text() == page
    assert {path.name for path in tmp_path.iterdir()} == {"page.md", "run.json", "run.svg"}


def test_what_cannot_be_drawn(tmp_path):
    assert "none.json: No such file" in make(tmp_path, "none.json", expect=1).stderr
    assert (
        "page.md is not a file that `make bench` wrote"
        in make(tmp_path, "page.md", expect=1).stderr
    )
    assert "page.md has no <!-- speed" in make(tmp_path, "run.json", page="", expect=1).stderr


SHOWING = [page for page in ROOT.glob("*.md") if plot.SHOWN.search(page.read_text())]


@pytest.mark.parametrize("page", SHOWING, ids=lambda page: page.name)
def test_pages_show_what_was_measured(page, golden):
    text = page.read_text()
    golden(page, plot.rewritten(text, ROOT))
    for _, measured, picture, _ in plot.SHOWN.findall(text):
        golden(ROOT / picture, plot.draw(record.read(ROOT / measured)))


def test_the_example_is_told_as_one():
    """Nobody is to take its figures for a run's."""
    assert json.loads(EXAMPLE.read_text())["machine"]["processor"].startswith("Example")
