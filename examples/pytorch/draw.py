#!/usr/bin/env python3
"""Writes noisy images in which one quarter is a little brighter than the rest, in
MNIST's file format (http://yann.lecun.com/exdb/mnist/):

    python3 draw.py FOLDER
"""
import random
import struct
import sys
from pathlib import Path

SIDE, COUNTS = 14, {"train": 640, "t10k": 200}


def draw(quarter, numbers):
    """SIDE × SIDE bytes; quarters 0 and 1 are above 2 and 3."""
    half = SIDE // 2
    return bytes(
        numbers.randrange(200) + 25 * (quarter == row // half * 2 + column // half)
        for row in range(SIDE)
        for column in range(SIDE)
    )


def main(folder):
    numbers = random.Random(1)
    Path(folder).mkdir(exist_ok=True)
    for split, count in COUNTS.items():
        labels = bytes(numbers.randrange(4) for _ in range(count))
        images = b"".join(draw(label, numbers) for label in labels)
        Path(folder, f"{split}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 0x803, count, SIDE, SIDE) + images
        )
        Path(folder, f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 0x801, count) + labels
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 draw.py FOLDER")
    main(sys.argv[1])
