#!/usr/bin/env python3
"""Draws circles, squares and triangles of every size, place and colour:

    python3 draw.py FOLDER

makes FOLDER/train/CLASS/000.png … and FOLDER/test/CLASS/000.png …; each folder
gets pictures of its own, the same ones whenever it is drawn."""
import random
import struct
import sys
import zlib
from pathlib import Path

SIDE, COUNTS = 40, {"train": 80, "test": 20}


def write_png(path, pixels):
    """pixels: rows of (red, green, blue), 0 to 255."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in pixels)
    header = struct.pack(">IIBBBBB", len(pixels[0]), len(pixels), 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def inside(shape, x, y):
    """Whether the shape of radius 1 around (0, 0) covers (x, y)."""
    if shape == "circle":
        return x * x + y * y <= 1
    if shape == "square":
        return max(abs(x), abs(y)) <= 0.85
    return y <= 0.8 and abs(x) * 1.6 <= y + 1


def draw(shape, numbers):
    size, x, y = numbers.uniform(7, 14), numbers.uniform(15, 25), numbers.uniform(15, 25)
    paper = [numbers.randrange(0, 90) for _ in range(3)]
    ink = [numbers.randrange(140, 256) for _ in range(3)]
    if numbers.random() < 0.5:
        paper, ink = ink, paper
    return [
        [
            ink if inside(shape, (column - x) / size, (row - y) / size) else paper
            for column in range(SIDE)
        ]
        for row in range(SIDE)
    ]


def main(folder):
    numbers = random.Random(folder)
    for split, count in COUNTS.items():
        for shape in "circle", "square", "triangle":
            images = Path(folder, split, shape)
            images.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                write_png(images / f"{i:03}.png", draw(shape, numbers))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 draw.py FOLDER")
    main(sys.argv[1])
