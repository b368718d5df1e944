"""Augmentation: each step against its definition, and the same images for any
number of threads, in any batch, in any order."""
import subprocess

import numpy as np
import pytest

from harness import c_program, run, trainer
from runs import few_images

SHAPE = C, H, W = 3, 9, 12
IMAGES = np.random.default_rng(1).integers(1, 256, (40, *SHAPE), "u1")

DRIVER = r"""
#include "runtime.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 40, C = 3, H = 9, W = 12, PIXELS = C * H * W, MAX_VALUES = 16 };

/* driver SEED EPOCH PATH VALUE …: images on standard input, as many on output. */
int main(int argc, char **argv)
{
    static double numbers[MAX_VALUES][MAX_VALUES];
    static uint8_t images[COUNT][PIXELS];
    NetValue values[MAX_VALUES];
    NetSettings settings = {values, 0};
    for (int i = 3; i + 1 < argc && settings.count < MAX_VALUES; i += 2) {
        NetValue *value = &values[settings.count];
        *value = (NetValue){.path = argv[i], .numbers = numbers[settings.count++]};
        if (isalpha((unsigned char)*argv[i + 1]))
            value->word = argv[i + 1];
        else
            for (char *part; (part = strsep(&argv[i + 1], ","));)
                value->numbers[value->count++] = atof(part);
    }
    NetAugment augment;
    NetError error;
    uint64_t seed = strtoull(argv[1], NULL, 10);
    NetShape shape = {3, C, H, W, 1};
    if (!net_augment_open(&augment, &settings, shape, 4, 2, seed, &error))
        return 1;
    augment.epoch = strtoull(argv[2], NULL, 10);
    if (fread(images, PIXELS, COUNT, stdin) != COUNT)
        return 2;
    for (int i = 0; i < COUNT; i++)
        fwrite(net_augment_image(&augment, images[i], i, i % 2, i % 4), PIXELS, 1, stdout);
    net_augment_close(&augment);
    return 0;
}
"""


def augment(*steps, seed=1, epoch=0):
    words = [
        str(word)
        for name, numbers in steps
        for path, value in {
            "": name,
            **{f".{key}": value for key, value in numbers.items()},
        }.items()
        for word in (f"augment.{name}{path}", value)
    ]
    flags = "-fsanitize=address,undefined", "-fno-sanitize-recover=all"
    result = subprocess.run(
        [c_program(DRIVER, *flags), str(seed), str(epoch), *words],
        input=IMAGES.tobytes(),
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    return np.frombuffer(result.stdout, "u1").reshape(IMAGES.shape)


def test_crops_are_windows_of_the_padded_image():
    out = augment(("random_crop", {"padding": "2,3"}))
    padded = np.pad(IMAGES, ((0, 0), (0, 0), (2, 2), (3, 3)))
    positions = [
        [
            (y, x)
            for y in range(5)
            for x in range(7)
            if (padded[i, :, y : y + H, x : x + W] == out[i]).all()
        ]
        for i in range(40)
    ]
    assert all(len(found) == 1 for found in positions)
    ys, xs = zip(*(found[0] for found in positions))
    assert set(ys) == set(range(5)) and set(xs) == set(range(7))


def test_flips():
    assert (augment(("horizontal_flip", {"p": 1})) == IMAGES[..., ::-1]).all()
    assert (augment(("horizontal_flip", {"p": 0})) == IMAGES).all()
    out = augment(("horizontal_flip", {"p": 0.5}))
    flipped = [(out[i] == IMAGES[i, ..., ::-1]).all() for i in range(40)]
    assert (
        all(flipped[i] or (out[i] == IMAGES[i]).all() for i in range(40)) and 8 < sum(flipped) < 32
    )


def affine_matrix(angle, scale, shear_x, shear_y):
    """torchvision's: the rotation and the two shears, [x, y] from the middle."""
    angle, sx, sy = np.radians([angle, shear_x, shear_y])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    along_y = np.array([[1, 0], [-np.tan(sy), 1]])
    along_x = np.array([[1, -np.tan(sx)], [0, 1]])
    return scale * rotation @ along_y @ along_x


def warped(image, matrix):
    """The nearest pixel under the inverse map; black beyond the edges."""
    out, inverse = np.zeros_like(image), np.linalg.inv(matrix)
    middle = np.array([(W - 1) / 2, (H - 1) / 2])
    for y in range(H):
        for x in range(W):
            u, v = np.rint(inverse @ (np.array([x, y]) - middle) + middle).astype(int)
            if 0 <= u < W and 0 <= v < H:
                out[:, y, x] = image[:, v, u]
    return out


@pytest.mark.parametrize(
    "angle, scale, shear", [(0, 1, (0, 0)), (33, 1, (0, 0)), (0, 1.3, (0, 0)), (12, 0.8, (9, -14))]
)
def test_affine_maps(angle, scale, shear):
    (sx, sy), twice = shear, lambda value: f"{value},{value}"
    out = augment(
        (
            "random_affine",
            {"degrees": twice(angle), "scale": twice(scale), "shear": f"{twice(sx)},{twice(sy)}"},
        )
    )
    matrix = affine_matrix(angle, scale, sx, sy)
    # A tie may round either way.
    assert all((out[i] == warped(IMAGES[i], matrix)).mean() > 0.99 for i in range(40))


def test_translations_are_whole_pixels_within_bounds():
    out = augment(("random_affine", {"degrees": 0, "translate": "0.25,0.34"}))
    moves = [
        [
            (y, x)
            for y in range(-3, 4)
            for x in range(-3, 4)
            if (
                np.pad(IMAGES[i], ((0, 0), (3, 3), (3, 3)))[:, 3 - y : 3 - y + H, 3 - x : 3 - x + W]
                == out[i]
            ).all()
        ]
        for i in range(40)
    ]
    assert all(len(move) == 1 for move in moves) and len({move[0] for move in moves}) > 15


def test_bilinear_is_between():
    nearest, bilinear = [
        augment(("random_affine", {"degrees": "20,20", "interpolation": how}))
        for how in ("nearest", "bilinear")
    ]
    assert (nearest != bilinear).any()
    assert (
        bilinear[:, :, 2:-2, 3:-3].astype(float).std()
        < nearest[:, :, 2:-2, 3:-3].astype(float).std()
    )


def test_cutout_is_a_square_of_the_means_grey():
    out = augment(("cutout", {"size": 4}))
    cut = (out == 0).all(1)
    assert (
        ((out == IMAGES) | (out == 0)).all()
        and 4 <= cut.sum((1, 2)).min()
        and cut.sum((1, 2)).max() == 16
    )


def test_choices_differ_by_seed_epoch_and_image():
    steps = (
        ("random_crop", {"padding": "2,2"}),
        ("horizontal_flip", {"p": 0.5}),
        ("cutout", {"size": 3}),
    )
    first = augment(*steps)
    assert (first == augment(*steps)).all()
    assert (first != augment(*steps, seed=2)).any() and (first != augment(*steps, epoch=1)).any()


NET = """network augmented {
    input [1, 28, 28]
    conv2d(4, 5, stride=3) as conv1
    relu
    flatten
    linear(10) as fc
}
train {
    data      synthetic
    normalize mean=0.13, std=0.3
    augment   random_crop(28, padding=2), random_affine(10, translate=(0.1, 0.1), scale=[0.9, 1.1]),
              cutout(5), horizontal_flip
    loss      cross_entropy
    optimizer sgd(lr=0.1)
    batch     50
    epochs    1
}
"""


def test_threads_and_resumption_change_nothing(tmp_path):
    program = trainer(NET)
    options = "--quiet", "--max-steps", 20, "--data", few_images(NET, 400)
    for threads in 1, 3:
        run(program, "train", "--threads", threads, *options, "--save", tmp_path / f"w{threads}")
    run(program, "train", *options, "--max-steps", 9, "--checkpoint", tmp_path / "c")
    run(program, "train", *options, "--resume", tmp_path / "c", "--save", tmp_path / "resumed")
    run(
        program,
        "train",
        *options,
        "--set",
        "augment.horizontal_flip.p=0",
        "--save",
        tmp_path / "plain",
    )
    whole = (tmp_path / "w1").read_bytes()
    assert (
        whole
        == (tmp_path / "w3").read_bytes()
        == (tmp_path / "resumed").read_bytes()
        != (tmp_path / "plain").read_bytes()
    )
