#!/usr/bin/env python3
"""Draws what `predict -o` wrote of a regression, each answer over what was right:

    python3 plot.py answers.csv > answers.svg
"""
import csv
import sys

SIZE, EDGE = 380, 74


def main(path):
    with open(path, newline="") as rows:
        points = [(float(row["target_0"]), float(row["value_0"])) for row in csv.DictReader(rows)]
    most = max(max(point) for point in points) * 1.05

    def place(value):
        return EDGE + value / most * (SIZE - EDGE - 12)

    def text(x, y, words, anchor="middle", turn=""):
        return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{turn}>{words}</text>'

    step = 10 ** (len(str(int(most))) - 1)
    step *= 2 if most > 4 * step else 1
    low, high = SIZE - EDGE, SIZE - place(most)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}"'
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="{SIZE}" height="{SIZE}" fill="#fff"/>',
        f'<path d="M{EDGE} {low}L{place(most):.0f} {high:.0f}" stroke="#bbb"/>',
        f'<path d="M{EDGE} {high:.0f}V{low}H{place(most):.0f}" stroke="#444" fill="none"/>',
    ]
    for value in range(0, int(most) + 1, step):
        out.append(text(place(value), low + 16, f"{value:,}"))
        out.append(text(EDGE - 6, SIZE - place(value) + 4, f"{value:,}", "end"))
    for right, answer in points:
        at = f'cx="{place(right):.1f}" cy="{SIZE - place(answer):.1f}"'
        out.append(f'<circle {at} r="3" fill="#2266aa" fill-opacity="0.6"/>')
    turn = f' transform="rotate(-90 12 {SIZE / 2:.0f})"'
    out += [text(SIZE / 2, low + 36, "right"), text(12, SIZE / 2, "answer", turn=turn), "</svg>"]
    print("\n".join(out))


if __name__ == "__main__":
    main(sys.argv[1])
