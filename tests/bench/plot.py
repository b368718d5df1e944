"""A run's file as a picture and as a page's table.

    make plot RUN=run.json SVG=speed.svg            the picture
    make plot RUN=run.json SVG=speed.svg PAGE=README.md     and the page that shows it

The picture has a bar for each network: how many times as fast as the best peer netc is,
on a scale that doubles.  It has a background of its own, so that it can be read on a dark
page; and room for the widest sans-serif that is common, with each text's length stated,
as in the drawings of networks (compiler/report/svg.c).

A page has `<!-- speed RUN SVG -->` and `<!-- end of speed -->`; what is between them is
written here, and RUN and SVG are told from the page's folder.
"""
import argparse
import math
import os
import re
import sys
import time
from pathlib import Path
from xml.sax.saxutils import escape

from bench import record, report
from typeface import is_known, width

CALLED = {
    "netc": "netc",
    "before": "netc before",
    "torch-eager": "PyTorch",
    "torch-compile": "torch.compile",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}

# pixels
SIZE, ROW, BAR, MARGIN, GAP = 12, 20, 12, 16, 8
SCALE = 120  # length of a panel's scale
ACROSS = 3  # panels beside each other
INK, GREY, LINE, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
FASTER, SLOWER = "#0969da", "#bc4c00"


# ------------------------------------------------------------------ what is shown


def kind_of(figure):
    if figure["kind"] in ("training", "generate"):
        return figure["kind"]
    return "one image" if figure["batch"] == 1 else "many images"


def panels(run):
    """{title: {network: figure}}; a panel for each batch size where a network has several."""
    kinds = {kind: [] for kind in ("training", "one image", "many images", "generate")}
    for figure in run["figures"]:
        kinds[kind_of(figure)].append(figure)
    found = {}
    for kind, figures in kinds.items():
        several = len({figure["network"] for figure in figures}) < len(figures)
        for figure in sorted(figures, key=lambda figure: figure["batch"] if several else 0):
            title = report.of_record(figure).what() if several and kind != "one image" else kind
            found.setdefault(title, {})[figure["network"]] = figure
    return found


def verdict(figure):
    """What stands beside a bar."""
    ratio = record.ratio(figure)
    if ratio:
        return f"{report.times(ratio)} {CALLED[record.best_peer(figure)[0]]}"
    return "no peer" if record.least(figure["contestants"].get("netc")) else "not measured"


def conditions(run):
    date = time.strptime(run["date"], "%Y-%m-%d")
    return (
        f"{run['machine']['cores']} cores of {run['machine']['processor']}, "
        f"{date.tm_mday} {time.strftime('%B %Y', date)}; the least of {run['repeats']} turns"
    )


# --------------------------------------------------------------------- the picture


def wide(text, size=SIZE, bold=False):
    """Pixels that a text may take."""
    return size * width(text, "widest", bold)


def text(x, y, words, anchor="start", fill=INK, size=SIZE, bold=False):
    stated = ""
    if is_known(words):
        stated = f' textLength="{size * width(words, "usual", bold):.1f}"'
        stated += ' lengthAdjust="spacingAndGlyphs"'
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'font-family="Helvetica,Arial,sans-serif" font-size="{size}"{weight}{stated}>'
        f"{escape(words)}</text>"
    )


class Scale:
    """Where a ratio is along a panel's scale: powers of two at equal distances."""

    def __init__(self, ratios):
        self.low = min(-1, *(math.floor(math.log2(ratio)) for ratio in ratios), 0)
        self.high = max(1, *(math.ceil(math.log2(ratio)) for ratio in ratios), 0)

    def at(self, ratio):
        return SCALE * (math.log2(ratio) - self.low) / (self.high - self.low)

    def ticks(self):
        step = -(-(self.high - self.low) // 6)
        return [2.0**power for power in range(self.low, self.high + 1) if power % step == 0]


def draw_bar(x, y, scale, figure):
    ratio = record.ratio(figure)
    if ratio:
        ends = sorted((scale.at(1), scale.at(ratio)))
        yield (
            f'<rect x="{x + ends[0]:.1f}" y="{y + (ROW - BAR) / 2:.1f}" '
            f'width="{max(ends[1] - ends[0], 1):.1f}" height="{BAR}" '
            f'fill="{FASTER if ratio >= 1 else SLOWER}"/>'
        )
    base = y + ROW / 2 + 0.36 * SIZE
    yield text(x + SCALE + GAP, base, verdict(figure), fill=INK if ratio else GREY)


def draw_panel(x, y, title, networks, figures, scale):
    """Title, scale, and a row for each network; what is not measured of one leaves its row
    empty."""
    top, bottom = y + 2 * ROW, y + (2 + len(networks)) * ROW
    yield text(x, y + 0.7 * ROW, title, bold=True)
    for ratio in scale.ticks():
        at = x + scale.at(ratio)
        ink = GREY if ratio == 1 else LINE
        yield f'<path d="M{at:.1f},{top - 2}V{bottom}" stroke="{ink}"/>'
        yield text(at, top - 6, f"{ratio:g}", "middle", GREY, SIZE - 2)
    for number, network in enumerate(networks):
        if network in figures:
            yield from draw_bar(x, top + number * ROW, scale, figures[network])


def draw(run):
    """The SVG's text."""
    found = panels(run)
    networks = list(dict.fromkeys(figure["network"] for figure in run["figures"]))
    ratios = [ratio for figure in run["figures"] if (ratio := record.ratio(figure))]
    scale = Scale(ratios)
    heading = "How many times as fast as the best of its peers netc is"
    note = conditions(run)
    names = max([wide(name) for name in networks], default=0) + GAP
    beside = max([wide(verdict(figure)) for figure in run["figures"]], default=0)
    beside = max(beside, *(wide(title, bold=True) - SCALE for title in found), 0)
    panel = SCALE + GAP + beside + 2 * GAP
    high = (2 + len(networks)) * ROW + MARGIN
    rows = [list(found.items())[i : i + ACROSS] for i in range(0, len(found), ACROSS)]
    across = names + panel * max([len(row) for row in rows], default=0)
    across = 2 * MARGIN + max(across, wide(heading, 15, True), wide(note))
    down = 2 * MARGIN + 2.6 * ROW + high * len(rows)
    parts = [text(MARGIN, MARGIN + 15, heading, size=15, bold=True)]
    parts.append(text(MARGIN, MARGIN + 15 + ROW, note, fill=GREY))
    for line, row in enumerate(rows):
        y = MARGIN + 2.6 * ROW + line * high
        for number, network in enumerate(networks):
            base = y + (2.5 + number) * ROW + 0.36 * SIZE
            parts.append(text(MARGIN + names - GAP, base, network, "end"))
        for number, (title, figures) in enumerate(row):
            x = MARGIN + names + number * panel
            parts += draw_panel(x, y, title, networks, figures, scale)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:.0f}" height="{down:.0f}" '
        f'viewBox="0 0 {across:.0f} {down:.0f}">\n'
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


# ------------------------------------------------------------------------ the page


def cell(figure, name):
    """A table's cell; who was left out is told."""
    entry = figure["contestants"].get(name)
    seconds = record.least(entry)
    if seconds is not None:
        return report.shown(figure, seconds)
    if entry and "left_out" in entry:
        return f"over {entry['limit']:g} s" if "limit" in entry else "failed"
    return ""


def table(run):
    """Markdown, with a column for each contestant."""
    names = list(dict.fromkeys(name for fig in run["figures"] for name in fig["contestants"]))
    heads = [CALLED[name] for name in names]
    yield "| | " + " | ".join([*heads, "netc against the best of them"]) + " |"
    yield "| --- |" + " ---: |" * (len(names) + 1)
    sections = {}
    for figure in run["figures"]:
        sections.setdefault(report.of_record(figure).what(), []).append(figure)
    for title in sorted(sections, key=lambda title: title.startswith("inference")):
        figures = sections[title]
        yield f"| **{title}, {report.unit(figures[0])}** |" + " |" * (len(names) + 1)
        for figure in figures:
            ratio = record.ratio(figure)
            cells = [cell(figure, name) for name in names] + [report.times(ratio) if ratio else ""]
            yield f"| {figure['network']} | " + " | ".join(cells) + " |"


SHOWN = re.compile(r"(<!-- speed (\S+) (\S+) -->\n).*?(<!-- end of speed -->\n)", re.S)


def rewritten(page, folder):
    """A page's text with its figures as its runs' files have them; folder: the page's."""

    def shown(found):
        run = record.read(folder / found[2])
        picture = f"![How many times as fast as the best of its peers netc is]({found[3]})"
        body = f"{conditions(run)}.\n\n{picture}\n\n" + "\n".join(table(run))
        return f"{found[1]}\n{body}\n\n{found[4]}"

    return SHOWN.sub(shown, page)


def replace(path, content):
    """Whole or not at all."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(content)
        os.replace(made, path)
    finally:
        made.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(prog="plot", description="a run of make bench as a picture")
    parser.add_argument("run", type=Path, help="the file that make bench wrote")
    parser.add_argument("--svg", type=Path, required=True, help="the picture to write")
    parser.add_argument("--page", type=Path, help="the page that shows it, to be rewritten")
    options = parser.parse_args()
    try:
        replace(options.svg, draw(record.read(options.run)))
        if options.page:
            page = options.page.read_text()
            if not SHOWN.search(page):
                sys.exit(f"plot: {options.page} has no <!-- speed RUN SVG --> to be rewritten")
            replace(options.page, rewritten(page, options.page.parent))
    except record.BadRecord as wrong:
        sys.exit(f"plot: {wrong}")
    except OSError as error:
        sys.exit(f"plot: {error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
