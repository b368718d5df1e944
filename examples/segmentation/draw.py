#!/usr/bin/env python3
"""Draws pictures of discs and boxes, and for each a mask that says what every pixel is of:

    python3 draw.py FOLDER

makes FOLDER/train/images/000.png … and FOLDER/train/masks/000.png …, and the same in FOLDER/test;
each folder gets pictures of its own, the same ones whenever it is drawn.  A mask is a grey PNG
whose pixels are numbers of classes: 0 the ground, 1 a disc, 2 a box."""
import random
import struct
import sys
import zlib
from pathlib import Path

SIDE, COUNTS = 48, {"train": 96, "test": 16}


def write_png(path, rows, channels):
    """rows: of bytes, `channels` for each pixel."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    colour = {1: 0, 3: 2}[channels]
    header = struct.pack(">IIBBBBB", len(rows[0]) // channels, len(rows), 8, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
        + chunk(b"IEND", b"")
    )


def inside(kind, x, y):
    return x * x + y * y <= 1 if kind == 1 else max(abs(x), abs(y)) <= 0.9


def draw(numbers):
    """A picture and its mask, rows of bytes each."""
    things = []
    for _ in range(numbers.randrange(2, 5)):
        place = numbers.uniform(6, SIDE - 6), numbers.uniform(6, SIDE - 6)
        colour = [numbers.randrange(90, 256) for _ in range(3)]
        things.append((numbers.choice([1, 2]), *place, numbers.uniform(5, 11), colour))
    ground = [numbers.randrange(0, 80) for _ in range(3)]
    picture, mask = [], []
    for row in range(SIDE):
        pixels, classes = bytearray(), bytearray()
        for column in range(SIDE):
            kind, ink = 0, ground
            for what, x, y, size, colour in things:  # the last one lies on top
                if inside(what, (column - x) / size, (row - y) / size):
                    kind, ink = what, colour
            light = numbers.gauss(0, 12)
            pixels += bytes(min(255, max(0, int(value + light))) for value in ink)
            classes.append(kind)
        picture.append(bytes(pixels))
        mask.append(bytes(classes))
    return picture, mask


def main(folder):
    numbers = random.Random(folder)
    for split, count in COUNTS.items():
        for part in "images", "masks":
            Path(folder, split, part).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            picture, mask = draw(numbers)
            write_png(Path(folder, split, "images", f"{i:03}.png"), picture, 3)
            write_png(Path(folder, split, "masks", f"{i:03}.png"), mask, 1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 draw.py FOLDER")
    main(sys.argv[1])
