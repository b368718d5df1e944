#!/usr/bin/env python3
"""Draws shapes of every size, place, angle and shade, as a large and a small set of pictures:

    python3 draw.py

makes many/train/SHAPE/000.png … and many/test/…, six shapes with many pictures of each, and
few/…, three other shapes with eight to learn from; the same ones whenever they are drawn."""
import math
import random
import struct
import zlib
from pathlib import Path

SIDE = 24
SETS = {
    "many": (["circle", "cross", "half", "ring", "square", "triangle"], {"train": 80, "test": 20}),
    "few": (["arrow", "frame", "moon"], {"train": 8, "test": 50}),
}


def write_png(path, pixels):
    """pixels: rows of greys, 0 to 255."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + bytes(row) for row in pixels)
    header = struct.pack(">IIBBBBB", len(pixels[0]), len(pixels), 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def triangle(x, y):
    return -0.8 <= y <= 0.7 and abs(x) <= (0.7 - y) / 1.7


# Whether the shape, within 1 of (0, 0), covers (x, y).
INSIDE = {
    "circle": lambda x, y: math.hypot(x, y) <= 0.9,
    "cross": lambda x, y: max(abs(x), abs(y)) <= 0.9 and min(abs(x), abs(y)) <= 0.3,
    "half": lambda x, y: y >= -0.2 and math.hypot(x, y + 0.2) <= 0.95,
    "ring": lambda x, y: 0.5 <= math.hypot(x, y) <= 0.95,
    "square": lambda x, y: max(abs(x), abs(y)) <= 0.7,
    "triangle": triangle,
    "arrow": lambda x, y: triangle(1.2 * x, 1.7 * y - 0.5) or abs(x) <= 0.2 and -0.9 <= y <= 0.2,
    "frame": lambda x, y: 0.4 <= max(abs(x), abs(y)) <= 0.75,
    "moon": lambda x, y: math.hypot(x, y) <= 0.95 and math.hypot(x - 0.45, y) >= 0.7,
}


def draw(shape, numbers):
    size, angle = numbers.uniform(6, 10), numbers.uniform(0, 2 * math.pi)
    left, top = (numbers.uniform(size, SIDE - size) for _ in range(2))
    paper, ink = numbers.randrange(0, 100), numbers.randrange(150, 256)
    cos, sin = math.cos(angle) / size, math.sin(angle) / size

    def shade(column, row):
        x, y = column + 0.5 - left, row + 0.5 - top
        value = ink if INSIDE[shape](x * cos - y * sin, x * sin + y * cos) else paper
        return min(255, max(0, int(value + numbers.gauss(0, 12))))

    return [[shade(column, row) for column in range(SIDE)] for row in range(SIDE)]


for folder, (shapes, counts) in SETS.items():
    numbers = random.Random(folder)
    for split, count in counts.items():
        for shape in shapes:
            images = Path(folder, split, shape)
            images.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                write_png(images / f"{i:03}.png", draw(shape, numbers))
