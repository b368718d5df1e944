"""`report`: one page of a run that needs nothing else, and says what NumPy says of the weights."""
import base64
import re
import struct
import zlib
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from harness import read_safetensors, run
from train.test_validation import labels_of, one_pixel_each, program, untouched

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Its elements are closed in their order; what is asked for of another place is kept."""

    def __init__(self, text):
        super().__init__()
        self.open, self.asked, self.classes = [], [], set()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.asked += [attributes[key] for key in ("src", "href") if key in attributes]
        self.classes |= set(attributes.get("class", "").split())
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def decode_png(data):
    """Grey ones, by the specification's filters."""
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and (depth, kind) == (8, 0)
    chunks, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            chunks += data[at + 8 : at + 8 + length]
        at += 12 + length
    raw = np.frombuffer(zlib.decompress(chunks), "u1").reshape(height, width + 1)
    image = np.zeros((height + 1, width + 1), int)
    for y, (kind, *row) in enumerate(raw.tolist()):
        for x, value in enumerate(row):
            left, up, corner = image[y + 1, x], image[y, x + 1], image[y, x]
            paeth = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
            image[y + 1, x + 1] = value + (0, left, up, (left + up) // 2, paeth)[kind] & 255
    return image[1:, 1:]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, the images that it was judged by, and its page."""
    folder = tmp_path_factory.mktemp("made")
    data = one_pixel_each(folder / "d")
    kept, log = untouched(folder, data)
    words = "report", folder / "log", "-o", folder / "page.html", "--threads", 1
    run(program(), *words, "--weights", folder / "w", "--data", data)
    return folder, data, kept, log, (folder / "page.html").read_text()


def answers(folder, data, kept):
    weights, right = read_safetensors(folder / "w"), labels_of(data)[kept]
    logits = weights["fc.weight"].T[kept].astype(float) + weights["fc.bias"]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return right, logits.argmax(1), -np.log(shares[np.arange(len(kept)), right])


def test_it_is_one_whole_page(made):
    *_, text = made
    page = Page(text)
    assert text.startswith("<!doctype html>") and "prefers-color-scheme:dark" in text
    assert all(link.startswith("data:image/png;base64,") for link in page.asked)
    assert "http" not in text and "<script" not in text
    assert {"chart", "cells", "pictures", "spark"} - page.classes == {"spark"}


def test_the_curves_are_the_logs(made):
    folder, _, _, log, text = made
    charts = [
        ElementTree.fromstring(svg) for svg in re.findall(r"<svg viewBox.*?</svg>", text, re.S)
    ]
    assert [chart.get("aria-label") for chart in charts] == ["Loss", "Accuracy", "Learning rate"]
    epochs = [event for event in log if event["event"] == "epoch"]
    titles = re.findall(r"<title>(train|validation), epoch (\d+): ([\d.]+)", text)
    for figure, part in ("loss", titles[:6]), ("accuracy", titles[6:]):
        wanted = [
            (split, str(event["epoch"]), event[f"{split}_{figure}"])
            for split in ("train", "validation")
            for event in epochs
        ]
        assert len(part) == len(wanted) == 6
        for (split, epoch, value), (*names, number) in zip(part, wanted):
            scale = 100 if figure == "accuracy" else 1
            assert [split, epoch] == names and abs(float(value) - scale * number) < 6e-3
    for chart in charts:  # within the picture, and not upside down
        for line in chart.iter("polyline"):
            points = np.array([point.split(",") for point in line.get("points").split()], float)
            assert (points >= 0).all() and (points <= (640, 300)).all()
    loss = [line for line in charts[0].iter("polyline") if line.get("class") == "c0"][0]
    heights = [float(point.split(",")[1]) for point in loss.get("points").split()]
    losses = [event["train_loss"] for event in epochs]
    assert np.argsort(heights).tolist() == np.argsort(losses)[::-1].tolist()


def test_the_confusion_is_numpys(made):
    folder, data, kept, _, text = made
    right, taken, _ = answers(folder, data, kept)
    wanted = np.zeros((10, 10), int)
    np.add.at(wanted, (right, taken), 1)
    table = re.search(r'<table class="cells">.*?</table>', text, re.S)[0]
    cells = re.findall(r"<td[^>]*>(\d+|·)</td>", table)
    assert [0 if cell == "·" else int(cell) for cell in cells] == wanted.ravel().tolist()
    assert "36 validation images" in text


def test_the_worst_are_shown(made):
    folder, data, kept, _, text = made
    right, taken, losses = answers(folder, data, kept)
    order = [i for i in np.argsort(-losses) if right[i] != taken[i]][:24]
    assert order
    shown = re.findall(r"loss ([\d.]+), image (\d+)", text)
    pictures = re.findall(r'class="picture".*?base64,([^"]+)"', text)
    assert len(shown) == len(pictures) == len(order)
    for (loss, image), picture, wanted in zip(shown, pictures, losses[order]):
        pixels = decode_png(base64.b64decode(picture))
        assert float(loss) == pytest.approx(wanted, abs=2e-3)
        assert int(image) in kept and np.flatnonzero(pixels) == [int(image)]


def test_gradients_are_those_of_a_step(made, tmp_path):
    folder, data, _, _, text = made
    words = "train", "--data", data, "--quiet", "--no-shuffle", "--max-steps", 1, "--threads", 1
    run(program(), *words, "--init", folder / "w", "--save-gradients", tmp_path / "g")
    for path, gradient in read_safetensors(tmp_path / "g").items():
        row = re.search(rf'<td class="left">{path}</td>.*?<td>(.*?)</td><td>(.*?)</td>', text)
        assert float(row[2]) == pytest.approx(np.linalg.norm(gradient.astype(float)), rel=6e-3)
        weight = read_safetensors(folder / "w")[path]
        assert float(row[1]) == pytest.approx(np.linalg.norm(weight.astype(float)), rel=6e-4)


def test_a_log_alone(made, tmp_path):
    _, data, *_ = made
    run(program(), "train", "--data", data, "--quiet", "--stats", 3, "--log", tmp_path / "log")
    with open(tmp_path / "log", "a") as log:
        log.write('{"event":"st')  # a run that goes on
    run(program(), "report", tmp_path / "log", "--output", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "spark" in Page(text).classes and 'class="cells"' not in text
    assert "fc.weight" in text


@pytest.mark.parametrize(
    "options, status, told",
    [
        (["log"], 2, "a run's log and a page to write"),
        (["log", "-o"], 2, "-o needs a value"),
        (["log", "-o", "./log"], 2, "would replace what it is made of"),
        (["nothing", "-o", "p"], 1, "cannot read nothing"),
        (["table.csv", "-o", "p"], 1, "table.csv: line 1 is none of a run's log"),
        (["empty", "-o", "p"], 1, "empty has no lines"),
        (["log", "-o", "p", "--data", "d"], 2, "--data is of --weights"),
    ],
)
def test_what_cannot_be(options, status, told, tmp_path):
    (tmp_path / "log").write_text('{"event":"step","epoch":1,"step":1,"loss":null,"lr":0.1}\n')
    (tmp_path / "table.csv").write_text("event,epoch,step\nstep,1,1\n")
    (tmp_path / "empty").touch()
    before = set(tmp_path.iterdir())
    result = run(program(), "report", *options, cwd=tmp_path, expect=status)
    assert told in result.stderr and set(tmp_path.iterdir()) == before
