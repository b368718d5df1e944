#!/usr/bin/env python3
"""Makes torchvision.npz, which test_augment.py compares with: what torchvision 0.28's
transforms.v2.functional make of two images, given everything that is drawn.  Needs torchvision:

    python3 tests/data/make_augment_fixtures.py

An entry's name is what the test's driver takes: the image, the operation and its numbers."""
import math
from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

HERE = Path(__file__).resolve().parent
SHAPES = {"colour": (3, 24, 20), "grey": (1, 24, 20)}


def images():
    """Noise on a slope, so that neither the histogram nor the hues are even."""
    numbers = np.random.default_rng(3)
    for name, shape in SHAPES.items():
        slope = np.linspace(0, 150, shape[2]) + np.linspace(0, 60, shape[0])[:, None, None]
        yield name, (slope + numbers.integers(0, 46, shape)).astype("u1")


def warp(image, angle, right, down, scale, shear_x, shear_y, corner, bilinear):
    return F.affine(
        image,
        angle=angle,
        translate=[right, down],
        scale=scale,
        shear=[shear_x, shear_y],
        interpolation="bilinear" if bilinear else "nearest",
        center=[0, 0] if corner else None,
    )


def resize(image, top, left, height, width):
    return F.resized_crop(image, top, left, height, width, list(image.shape[1:]), antialias=True)


def turned(image, angle):
    return F.rotate(image, angle)


OPERATIONS = {
    "brightness": F.adjust_brightness,
    "contrast": F.adjust_contrast,
    "saturation": F.adjust_saturation,
    "hue": F.adjust_hue,
    "sharpness": F.adjust_sharpness,
    "posterize": F.posterize,
    "solarize": F.solarize,
    "autocontrast": F.autocontrast,
    "equalize": F.equalize,
    "warp": warp,
    "rotate": turned,
    "resize": resize,
}
CASES = [
    *[(name, factor) for name in ("brightness", "contrast", "saturation") for factor in (0.3, 1.7)],
    *[("hue", turn) for turn in (-0.3, 0.1, 0.5)],
    *[("sharpness", factor) for factor in (0.1, 1.9)],
    *[("posterize", bits) for bits in (2, 5, 8)],
    *[("solarize", threshold) for threshold in (100.5, 128, 0)],
    ("autocontrast",),
    ("equalize",),
    ("warp", 0, 0, 0, 1, math.degrees(math.atan(0.3)), 0, 1, 0),
    ("warp", 0, 0, 0, 1, 0, math.degrees(math.atan(-0.7)), 1, 0),
    ("warp", 0, 5, 0, 1, 0, 0, 0, 0),
    ("warp", 0, 0, -7, 1, 0, 0, 0, 0),
    ("warp", 33, 2, -3, 1.3, 9, -14, 0, 0),
    ("warp", -21, 1, 0, 0.8, 5, 3, 0, 1),
    ("rotate", 27),
    ("rotate", -118),
    ("resize", 3, 2, 15, 9),
    ("resize", 0, 0, 24, 20),
    ("resize", 10, 5, 1, 3),
]


# `test resize(…), center_crop(…)` of a picture of another size, as the driver takes the settings.
PICTURE = 3, 37, 52
FITS = [
    ([16], [12, 14]),
    ([20], [20, 20]),
    ([40, 30], None),
    (None, [24, 31]),
    (None, [40, 60]),
    ([60], [48, 90]),
]


def fits():
    numbers = np.random.default_rng(5)
    _, height, width = PICTURE
    slope = np.linspace(0, 120, width) + np.linspace(0, 90, height)[:, None]
    picture = (slope[None] + numbers.integers(0, 46, PICTURE)).astype("u1")
    yield "picture", picture
    for size, crop in FITS:
        out, settings = torch.from_numpy(picture), []
        if size:
            out = F.resize(out, size, antialias=True)
            settings.append("test.resize.size=" + ",".join(map(str, size)))
        if crop:
            out = F.center_crop(out, crop)
            settings.append("test.center_crop.size=" + ",".join(map(str, crop)))
        yield "fit " + ";".join(settings), out.numpy()
    yield "resized 16", F.resize(torch.from_numpy(picture), [16], antialias=True).numpy()


def main():
    made = dict(fits())
    for name, image in images():
        made[name] = image
        for operation, *numbers in CASES:
            out = OPERATIONS[operation](torch.from_numpy(image.copy()), *numbers)
            key = " ".join([name, operation, *map(repr, numbers)])
            made[key] = out.numpy()
    np.savez_compressed(HERE / "torchvision.npz", **made)


if __name__ == "__main__":
    main()
