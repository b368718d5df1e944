#!/usr/bin/env python3
"""Makes torchvision.npz, which test_augment.py compares with: what torchvision 0.28's
transforms.v2.functional make of two images, given everything that is drawn.  Needs torchvision:

    python3 tests/data/make_augment_fixtures.py

An entry's name is what the test's driver takes: the image, the operation and its numbers."""
import math
from unittest import mock
from pathlib import Path

import numpy as np
import torch
from torchvision.transforms import v2 as T
from torchvision.transforms.v2 import functional as F

HERE = Path(__file__).resolve().parent
MODES = ["constant", "edge", "reflect", "symmetric"]  # as NetBorderMode
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


def border(image, mode, fill, angle, scale, shear_x, bilinear):
    """What torchvision pads with, far enough, before it turns.  (Given a fill, its bilinear affine
    takes that twice where an edge is mixed with it.)"""
    wide = min(image.shape[1:]) - 1
    out = F.affine(
        F.pad(image, [wide] * 4, fill=fill, padding_mode=MODES[mode]),
        angle=angle,
        translate=[0, 0],
        scale=scale,
        shear=[shear_x, 0],
        interpolation="bilinear" if bilinear else "nearest",
    )
    return out[:, wide:-wide, wide:-wide]


def solarize_add(image, added):
    return torch.where(image < 128, (image.int() + added).clamp(max=255).to(torch.uint8), image)


def resize(image, top, left, height, width):
    return F.resized_crop(image, top, left, height, width, list(image.shape[1:]), antialias=True)


def mask(image, top, left, height, width):
    """By the pixels' middles, as PIL's nearest; torchvision's own for tensors takes corners."""
    size, nearest = list(image.shape[1:]), T.InterpolationMode.NEAREST_EXACT
    return F.resized_crop(image, top, left, height, width, size, nearest)


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
    "mask": mask,
    "border": border,
    "invert": F.invert,
    "solarize_add": solarize_add,
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
    ("mask", 3, 2, 15, 9),
    ("mask", 1, 5, 22, 13),
    *[("border", mode, 0, 33, 0.9, 9, bilinear) for mode in range(4) for bilinear in (0, 1)],
    ("border", 0, 77, 33, 0.9, 9, 1),
    ("border", 0, 200, -50, 0.8, 0, 0),
    ("invert",),
    ("solarize_add", 99),
]


# ------------------------------------------- what operations are drawn


def philox(counter, key):
    """Philox4x32-10, as runtime/core/random.c has it."""
    low = 0xFFFFFFFF
    x, keys = list(counter), [key & low, key >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(p1 >> 32) ^ x[1] ^ keys[0], p1 & low, (p0 >> 32) ^ x[3] ^ keys[1], p0 & low]
        keys = [(keys[0] + 0x9E3779B9) & low, (keys[1] + 0xBB67AE85) & low]
    return x


def spread(x):
    most = 0xFFFFFFFFFFFFFFFF
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & most
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & most
    return x ^ (x >> 31)


class Draws:
    """The numbers of an augmentation for one image."""

    def __init__(self, path, seed, epoch, image):
        self.salt, self.seed, self.epoch, self.image = 0xCBF29CE484222325, seed, epoch, image
        for byte in path.encode():
            self.salt = (self.salt ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF

    def block(self, number):
        index = self.image * 8 + number % 8
        key = spread(self.seed + 0x9E3779B97F4A7C15) ^ spread(self.salt + number // 8)
        counter = index & 0xFFFFFFFF, index >> 32, self.epoch, 0
        words = philox(counter, key)
        return [((words[i] << 32 | words[i + 1]) >> 11) * 2.0**-53 for i in (0, 2)]

    def unit(self, number):
        return self.block(number)[0]

    def normal(self, number):
        first, second = self.block(number)
        return math.sqrt(-2 * math.log(1 - first)) * math.cos(2 * math.pi * second)


def drawn(transform, numbers, image):
    """What a transform of torchvision's makes with these numbers, in the order in which it asks."""
    rest = iter(numbers)
    whole = mock.patch("torch.randint", lambda most, _: torch.tensor(int(next(rest) * most)))
    with whole, mock.patch("torch.rand", lambda _: torch.tensor(next(rest), dtype=torch.float64)):
        return transform(torch.from_numpy(image))


def auto_augment(policy, draws, image):
    transform = T.AutoAugment(T.AutoAugmentPolicy(policy))
    numbers = [draws.unit(0)]
    for i, (name, p, _) in enumerate(transform._policies[int(numbers[0] * 25)]):
        numbers.append(draws.unit(2 * i + 1))
        if numbers[-1] <= p and transform._AUGMENTATION_SPACE[name][1]:
            numbers.append(draws.unit(2 * i + 2))
    return drawn(transform, numbers, image)


def rand_augment(draws, image):
    transform, numbers = T.RandAugment(), []
    for i in range(2):
        numbers.append(draws.unit(3 * i))
        name = list(transform._AUGMENTATION_SPACE)[int(numbers[-1] * 14)]
        if transform._AUGMENTATION_SPACE[name][1]:
            numbers.append(draws.unit(3 * i + 2))
    return drawn(transform, numbers, image)


# timm's order.
TIMM = """autocontrast equalize invert rotate posterize solarize solarize_add color contrast
brightness sharpness shear_x shear_y translate_x translate_y""".split()


def timm_operation(name, level, sign, increasing, image):
    """timm 1.0's LEVEL_TO_ARG and NAME_TO_OP, of a level from 0 to 10, with nearest pixels."""
    part = level / 10
    factor = max(0.1, 1 + sign * 0.9 * part) if increasing else 0.1 + 1.8 * part
    bits, threshold = int(4 * part), int(256 * part)
    height, width = image.shape[1:]
    moved = dict(angle=0, translate=[0, 0], scale=1, shear=[0, 0], fill=[9, 99, 199])
    slope = math.degrees(math.atan(sign * 0.3 * part))
    if name == "color":
        return F.adjust_saturation(image, factor)
    if name in ("contrast", "brightness", "sharpness"):
        return getattr(F, f"adjust_{name}")(image, factor)
    if name == "posterize":
        return F.posterize(image, 4 - bits if increasing else bits)
    if name == "solarize":
        least = 256 - threshold if increasing else threshold
        return torch.where(image >= least, 255 - image, image)
    if name == "solarize_add":
        return solarize_add(image, int(110 * part))
    if name == "rotate":
        return F.rotate(image, sign * 30 * part, fill=moved["fill"])
    if name == "shear_x":
        return F.affine(image, **{**moved, "shear": [slope, 0], "center": [0, 0]})
    if name == "shear_y":
        return F.affine(image, **{**moved, "shear": [0, slope], "center": [0, 0]})
    if name == "translate_x":
        return F.affine(image, **{**moved, "translate": [sign * 0.45 * part * width, 0]})
    if name == "translate_y":
        return F.affine(image, **{**moved, "translate": [0, sign * 0.45 * part * height]})
    return getattr(F, name)(image)


def timm(increasing, draws, image):
    """rand-m9-mstd2"""
    out = torch.from_numpy(image)
    for i in range(2):
        if draws.unit(300 + i) < 0.5:
            level = min(max(9 + 2 * draws.normal(3 * i + 1), 0), 10)
            sign = -1 if draws.unit(3 * i + 2) < 0.5 else 1
            name = TIMM[int(draws.unit(3 * i) * 15)]
            out = timm_operation(name, level, sign, increasing, out)
    return out


# An entry: the augmentation, its settings, and what makes the same.
TIMM_SETTINGS = (
    "num_magnitude_bins=11;magnitude_std=2;p=0.5;fill=9,99,199;space=timm"  # the epoch's pictures
)
DRAWN = {
    **{
        f"auto_augment policy={policy}": lambda *words, policy=policy: auto_augment(policy, *words)
        for policy in ("imagenet", "cifar10", "svhn")
    },
    "rand_augment": rand_augment,
    f"rand_augment {TIMM_SETTINGS}": lambda *words: timm(False, *words),
    f"rand_augment {TIMM_SETTINGS}_increasing": lambda *words: timm(True, *words),
}
EPOCHS = 4  # of the test's images, so that each of 25 policies is drawn


def draws():
    images = np.random.default_rng(1).integers(1, 256, (40, 3, 9, 12), "u1")  # the test's
    for key, make in DRAWN.items():
        path = f"augment.{key.split()[0]}"
        out = [
            make(Draws(path, 1, epoch, i), image).numpy()
            for epoch in range(EPOCHS)
            for i, image in enumerate(images)
        ]
        yield f"drawn {key}", np.stack(out)[:, :, ::3, ::4]
    for mode in MODES:
        padded = F.pad(torch.from_numpy(images[:2]), [3, 2, 3, 2], fill=7, padding_mode=mode)
        yield f"padded {mode}", padded.numpy()


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
    made = {**dict(fits()), **dict(draws())}
    for name, image in images():
        made[name] = image
        for operation, *numbers in CASES:
            out = OPERATIONS[operation](torch.from_numpy(image.copy()), *numbers)
            key = " ".join([name, operation, *map(repr, numbers)])
            made[key] = out.numpy()
    np.savez_compressed(HERE / "torchvision.npz", **made)


if __name__ == "__main__":
    main()
