"""Augmentation: each step against its definition, or against what torchvision makes of the same
image with the same numbers (make_augment_fixtures.py says how), and the same images for any number
of threads, in any batch, in any order."""
import subprocess
from pathlib import Path

import numpy as np
import pytest

from data.test_data import driver, png  # noqa: F401
from harness import run, trainer
from runs import few_images
from sanitize import sanitized

SHAPE = C, H, W = 3, 9, 12
IMAGES = np.random.default_rng(1).integers(1, 256, (40, *SHAPE), "u1")
FIXTURES = np.load(Path(__file__).parent / "torchvision.npz")

DRIVER = r"""
#include "runtime.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 40, C = 3, H = 9, W = 12, PIXELS = C * H * W, MAX_VALUES = 16 };

/* The image as a target of a kind of array, and what it became. */
static void put_target(const NetAugment *augment, const NetTarget *target, NetArray *array,
                       const uint8_t *image, int number, int thread)
{
    int32_t whole[PIXELS];
    float real[PIXELS];
    double moved[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        real[i] = (float)(whole[i] = image[i]);
    const void *from = array->kind == NET_WHOLE   ? (const void *)whole
                       : array->kind == NET_FLOAT ? (const void *)real
                                                  : image;
    const void *to = net_augment_target(augment, target, array, from, number, thread);
    for (int i = 0; i < PIXELS; i++)
        moved[i] = array->kind == NET_WHOLE   ? ((const int32_t *)to)[i]
                   : array->kind == NET_FLOAT ? (double)((const float *)to)[i]
                                              : ((const uint8_t *)to)[i];
    fwrite(moved, sizeof *moved, PIXELS, stdout);
}

/* driver SEED EPOCH PATH VALUE …: images on standard input, as many on output; "target KIND": each
 * image as a target behind it. */
int main(int argc, char **argv)
{
    NetTarget target = {.kind = NET_NUMBERS, .shape = {3, C, H, W, 1}, .ignored = NET_NOT_IGNORED};
    NetModel model = {.wanted = &target, .wanted_count = 1};
    static NetImages data = {.targets = {1}, .array_count = 2};
    NetArray *array = &data.arrays[1];
    bool targets = false;
    static double numbers[MAX_VALUES][MAX_VALUES];
    static uint8_t images[COUNT][PIXELS];
    NetValue values[MAX_VALUES];
    NetSettings settings = {values, 0};
    for (int i = 3; i + 1 < argc && settings.count < MAX_VALUES; i += 2) {
        if (strcmp(argv[i], "target") == 0) {
            *array = (NetArray){.name = "t", .kind = (NetKind)atoi(argv[i + 1]),
                                .shape = target.shape};
            targets = true;
            continue;
        }
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
    if (targets && !net_targets_open(&augment, &model, &data, 2, &error))
        return 3;
    for (int i = 0; i < COUNT; i++) {
        fwrite(net_augment_image(&augment, images[i], i, false, i % 2, i % 4), PIXELS, 1, stdout);
        if (targets)
            put_target(&augment, &target, array, images[i], i, i % 2);
    }
    net_augment_close(&augment);
    return 0;
}
"""


EIGENVECTORS = -0.5675, 0.7192, 0.4009, -0.5808, -0.0045, -0.8140, -0.5836, -0.6948, 0.4203


def augment(*steps, seed=1, epoch=0, more=(), images=IMAGES):
    return np.frombuffer(augmented(steps, seed, epoch, more, images), "u1").reshape(IMAGES.shape)


PIXELS, BYTES, WHOLE, FLOAT = range(4)  # NetKind


def with_target(kind, *steps, images=IMAGES):
    """The images, and what becomes of each as a target."""
    both = np.dtype([("image", "u1", SHAPE), ("target", "f8", SHAPE)])
    out = np.frombuffer(augmented(steps, 1, 0, ("target", kind), images), both)
    return out["image"], out["target"]


def augmented(steps, seed, epoch, more, images):
    words = [
        str(word)
        for name, numbers in steps
        for path, value in {
            "": name,
            **{f".{key}": value for key, value in numbers.items()},
        }.items()
        for word in (f"augment.{name}{path}", value)
    ]
    result = subprocess.run(
        [sanitized.program(DRIVER), str(seed), str(epoch), *words, *map(str, more)],
        input=images.tobytes(),
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_crops_are_windows_of_the_padded_image(mode):
    """numpy's modes are torchvision's."""
    fill = {"constant_values": 7} if mode == "constant" else {}
    padded = np.pad(IMAGES, ((0, 0), (0, 0), (2, 2), (3, 3)), mode, **fill)
    assert (padded[:2] == FIXTURES[f"padded {mode}"]).all()
    words = {"padding": "2,3", "padding_mode": mode, **({"fill": 7} if fill else {})}
    out = augment(("random_crop", words))
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


def test_a_border_that_is_wider_than_the_image():
    """It is mirrored again and again, as numpy does."""
    for mode in "reflect", "symmetric", "edge":
        padded = np.pad(IMAGES, ((0, 0), (0, 0), (30, 30), (0, 0)), mode)
        out = augment(("random_crop", {"padding": "30,0", "padding_mode": mode}))
        for image, wide in zip(out, padded):
            assert any((wide[:, y : y + H] == image).all() for y in range(61))


def test_flips():
    assert (augment(("horizontal_flip", {"p": 1})) == IMAGES[..., ::-1]).all()
    assert (augment(("horizontal_flip", {"p": 0})) == IMAGES).all()
    out = augment(("horizontal_flip", {"p": 0.5}))
    flipped = [(out[i] == IMAGES[i, ..., ::-1]).all() for i in range(40)]
    assert (
        all(flipped[i] or (out[i] == IMAGES[i]).all() for i in range(40)) and 8 < sum(flipped) < 32
    )


def affine_matrix(angle, scale, shear_x, shear_y, scale_y=None):
    """torchvision's: the rotation and the two shears, [x, y] from the middle."""
    angle, sx, sy = np.radians([angle, shear_x, shear_y])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    along_y = np.array([[1, 0], [-np.tan(sy), 1]])
    along_x = np.array([[1, -np.tan(sx)], [0, 1]])
    return rotation @ along_y @ along_x @ np.diag([scale, scale_y or scale])


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


def test_a_scale_for_each_axis():
    out = augment(("random_affine", {"degrees": "12,12", "scale": "1.3,1.3,0.8,0.8"}))
    matrix = affine_matrix(12, 1.3, 0, 0, 0.8)
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


# ----------------------------------------------------- targets that move

MOVES = [
    (("horizontal_flip", {"p": 0.5}), ("vertical_flip", {"p": 0.5})),
    (("random_crop", {"padding": "3,4", "fill": 51, "target_fill": 51}),),
    (("random_crop", {"padding": "3,4", "padding_mode": "reflect"}),),
    (("random_affine", {"degrees": 40, "scale": "0.6,1.5", "fill": 51, "target_fill": 51}),),
    (("random_rotation", {"degrees": 90, "padding_mode": "symmetric"}), ("cutout", {"size": 0})),
]


@pytest.mark.parametrize("steps", MOVES, ids=lambda steps: steps[0][0])
@pytest.mark.parametrize("kind", [BYTES, WHOLE, FLOAT])
def test_a_target_moves_as_its_image(kind, steps):
    image, target = with_target(kind, *steps)
    assert (image == target).all() and (image != IMAGES).any()


def test_a_picture_as_target_is_moved_as_the_image_is():
    """Bilinear, in levels, and what is filled in said from 0 to 1."""
    affine = {"degrees": 40, "interpolation": "bilinear", "fill": 51, "target_fill": 0.2}
    steps = ("random_resized_crop", {"scale": "0.2,1"}), ("random_affine", affine)
    image, target = with_target(PIXELS, *steps)
    assert (np.abs(image - target) <= 1).all() and (image == target).mean() > 0.99
    assert (image != IMAGES).any()


def test_classes_are_never_mixed():
    """Nothing new lies between two classes, however an image is moved; reals are means."""
    classes = np.where(IMAGES > 128, 7, 2).astype("u1")
    affine = {"degrees": 40, "interpolation": "bilinear", "target_fill": 255}
    steps = ("random_resized_crop", {"scale": "0.2,0.6"}), ("random_affine", affine)
    _, target = with_target(WHOLE, *steps, images=classes)
    assert set(np.unique(target)) == {2, 7, 255}
    _, target = with_target(FLOAT, *steps, images=classes)
    assert len(np.unique(target)) > 100


def test_colours_leave_a_target_alone():
    steps = (
        ("color_jitter", {"brightness": 0.5, "hue": 0.2}),
        ("random_erasing", {"p": 1}),
        ("lighting", {}),
        ("horizontal_flip", {"p": 1}),
    )
    image, target = with_target(BYTES, *steps)
    assert (target == IMAGES[..., ::-1]).all() and (image != target).any()


@pytest.mark.parametrize(
    "name, numbers", [("rand_augment", {"num_ops": 1, "magnitude": 20}), ("trivial_augment", {})]
)
def test_drawn_operations_move_a_target(name, numbers):
    """No colour changes black, and what comes in from beyond the edges stays another."""
    black = np.zeros_like(IMAGES)
    image, target = with_target(
        BYTES, (name, {**numbers, "fill": 9, "target_fill": 1}), images=black
    )
    assert ((image > 0) == (target > 0)).all() and 5 < target.any((1, 2, 3)).sum() < 40


# ------------------------------------------------------------ torchvision

PICTURES = r"""
#include "data/picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { H = 24, W = 20, MOST = 3 * H * W };
static const double RADIAN = 3.14159265358979323846 / 180;
static double n[8]; /* the operation's numbers */

static void warp(uint8_t *to, const uint8_t *from, NetShape shape)
{
    NetAffine affine = {.angle = RADIAN * n[0], .right = n[1], .down = n[2], .scale_x = n[3],
                        .scale_y = n[3],
                        .shear_x = RADIAN * n[4], .shear_y = RADIAN * n[5], .bilinear = n[7] != 0,
                        .centre_x = n[6] != 0 ? -W / 2.0 : 0, .centre_y = n[6] != 0 ? -H / 2.0 : 0};
    net_warp(to, from, shape, &affine);
}

static void border(uint8_t *to, const uint8_t *from, NetShape shape)
{
    NetAffine affine = {.angle = RADIAN * n[2], .scale_x = n[3], .scale_y = n[3],
                        .shear_x = RADIAN * n[4], .bilinear = n[5] != 0,
                        .border = {.mode = (NetBorderMode)n[0]}};
    memset(affine.border.fill, (int)n[1], NET_MAX_FILLS);
    net_warp(to, from, shape, &affine);
}

static void resize_mask(uint8_t *to, const uint8_t *from, NetShape shape)
{
    static double numbers[2][MOST];
    for (int64_t i = 0; i < shape.c * H * W; i++)
        numbers[0][i] = from[i];
    net_resize_numbers(numbers[1], shape, numbers[0], shape,
                       (NetWindow){(int64_t)n[0], (int64_t)n[1], (int64_t)n[2], (int64_t)n[3]},
                       true);
    for (int64_t i = 0; i < shape.c * H * W; i++)
        to[i] = (uint8_t)numbers[1][i];
}

static void operate(const char *what, uint8_t *to, const uint8_t *from, NetShape shape)
{
    memcpy(to, from, (size_t)shape.c * H * W);
    if (!strcmp(what, "brightness"))
        net_adjust_brightness(to, shape, n[0]);
    else if (!strcmp(what, "contrast"))
        net_adjust_contrast(to, shape, n[0]);
    else if (!strcmp(what, "saturation"))
        net_adjust_saturation(to, shape, n[0]);
    else if (!strcmp(what, "hue"))
        net_adjust_hue(to, shape, n[0]);
    else if (!strcmp(what, "sharpness"))
        net_adjust_sharpness(to, from, shape, n[0]);
    else if (!strcmp(what, "posterize"))
        net_posterize(to, shape, (int)n[0]);
    else if (!strcmp(what, "solarize"))
        net_solarize(to, shape, n[0]);
    else if (!strcmp(what, "autocontrast"))
        net_autocontrast(to, shape);
    else if (!strcmp(what, "equalize"))
        net_equalize(to, shape);
    else if (!strcmp(what, "warp"))
        warp(to, from, shape);
    else if (!strcmp(what, "rotate"))
        net_warp(to, from, shape,
                 &(NetAffine){.angle = -RADIAN * n[0], .scale_x = 1, .scale_y = 1});
    else if (!strcmp(what, "border"))
        border(to, from, shape);
    else if (!strcmp(what, "invert"))
        net_invert(to, shape);
    else if (!strcmp(what, "solarize_add"))
        net_solarize_add(to, shape, (int)n[0]);
    else if (!strcmp(what, "mask"))
        resize_mask(to, from, shape);
    else if (!strcmp(what, "resize"))
        net_resize_window(to, shape, from, shape,
                          (NetWindow){(int64_t)n[0], (int64_t)n[1], (int64_t)n[2], (int64_t)n[3]});
    else
        exit(3);
}

/* driver CHANNELS "OPERATION NUMBER …" …: an image on standard input, one for each on output. */
int main(int argc, char **argv)
{
    static uint8_t from[MOST], to[MOST];
    NetShape shape = {3, atoi(argv[1]), H, W, 1};
    size_t count = (size_t)shape.c * H * W;
    if (fread(from, 1, count, stdin) != count)
        return 2;
    for (int i = 2; i < argc; i++) {
        char *rest = argv[i], *what = strsep(&rest, " "), *number;
        for (int k = 0; (number = strsep(&rest, " ")); k++)
            n[k] = atof(number);
        operate(what, to, from, shape);
        fwrite(to, 1, count, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("name", ["colour", "grey"])
def test_operations_are_torchvisions(name):
    """A level apart where a float32 ends otherwise; a nearest pixel's tie may round either way."""
    fixtures = FIXTURES
    keys = [key for key in fixtures if key.startswith(name + " ")]
    image = fixtures[name]
    cases = [key.removeprefix(name + " ") for key in keys]
    result = subprocess.run(
        [sanitized.program(PICTURES), str(len(image)), *cases],
        input=image.tobytes(),
        capture_output=True,
    )
    assert result.returncode == 0 and len(keys) > 25, result.stderr
    for key, out in zip(keys, np.frombuffer(result.stdout, "u1").reshape(-1, *image.shape)):
        apart = np.abs(out.astype(int) - fixtures[key].astype(int))
        moves = any(word in key for word in ("warp", "rotate", "border"))
        assert (apart > 1).mean() <= (0.01 if moves else 0), key
        assert (apart > 0).mean() <= 0.02 or "resize" in key, key


def test_vertical_flips():
    assert (augment(("vertical_flip", {"p": 1})) == IMAGES[..., ::-1, :]).all()
    assert (augment(("vertical_flip", {"p": 0})) == IMAGES).all()


def test_a_rotation_is_an_affine_map_the_other_way():
    turned = augment(("random_rotation", {"degrees": "25,25"}))
    affine = augment(("random_affine", {"degrees": "-25,-25"}))
    assert (turned == affine).mean() > 0.99


def test_a_crop_of_all_of_the_image_is_the_image():
    whole = {"scale": "1,1", "ratio": f"{W / H},{W / H}"}
    assert (augment(("random_resized_crop", whole)) == IMAGES).all()


def test_resized_crops_differ_and_stay_within_what_the_image_has():
    flat = augment(("random_resized_crop", {"scale": "0.2,0.5"}))
    assert len({image.tobytes() for image in flat}) == 40 and (flat != IMAGES).any()
    assert all(
        out.min() >= image.min() and out.max() <= image.max() for out, image in zip(flat, IMAGES)
    )


def test_erased_rectangles():
    """Of a quarter of the area, as high as wide: 27 of 108 pixels, 5 x 5 in whole ones."""
    out = augment(("random_erasing", {"p": 1, "scale": "0.25,0.25", "ratio": "1,1"}))
    erased = (out == 0).all(1)
    assert ((out == IMAGES) | (out == 0)).all() and (erased.sum((1, 2)) == 25).all()
    assert all(np.ptp(np.argwhere(one), axis=0).tolist() == [4, 4] for one in erased)
    assert len({one.tobytes() for one in erased}) > 10
    assert (augment(("random_erasing", {"p": 0})) == IMAGES).all()


def test_erased_rectangles_of_a_value_and_of_noise():
    """In the unit of what is normalised: 0.25 and 0.5 are 63.75 and 127.5 of 255 levels."""
    normal = "normalize.mean", "0.25,0.5,0.25", "normalize.std", "0.1,0.1,0.2"
    whole = {"p": 1, "scale": "0.8,0.8", "ratio": f"{H / W},{H / W}"}
    valued = augment(("random_erasing", {**whole, "value": "1,-1,0"}), more=normal)
    erased = (valued == np.array([89, 102, 64]).reshape(3, 1, 1)).all(1)
    assert (erased.sum((1, 2)) > 80).all() and (valued == IMAGES).any()
    noisy = augment(("random_erasing", {**whole, "value": "random"}), more=normal)
    channels = [noisy[:, c][erased].astype(float) for c in range(3)]
    assert len({image.tobytes() for image in noisy}) == 40
    for c, (mean, deviation) in enumerate([(63.75, 25.5), (127.5, 25.5), (63.75, 51)]):
        assert abs(channels[c].mean() - mean) < 3 and abs(channels[c].std() - deviation) < 7
    assert abs(np.corrcoef(channels)[np.triu_indices(3, 1)]).max() < 0.06
    unlike = [np.corrcoef(noisy[0, 0].ravel(), noisy[i, 0].ravel())[0, 1] for i in range(1, 40)]
    assert np.abs(unlike).max() < 0.6


def test_lighting_adds_one_colour_along_the_principal_components():
    """Of one component alone it is that, times a normal number; of all, what the paper adds."""
    values, vectors = np.array([0.2175, 0.0188, 0.0045]), np.array(EIGENVECTORS).reshape(3, 3)

    def added(**more):
        out = augment(("lighting", {"alphastd": 0.1, **more}))
        inner = (out > 0) & (out < 255)
        apart = np.ma.array(out.astype(int) - IMAGES, mask=~inner)
        assert np.ma.max(np.ma.ptp(apart, axis=(2, 3))) == 0
        return apart.mean((2, 3)).filled(0)

    first = added(eigval="0.5,0,0")
    alpha = first @ vectors[:, 0] / (255 * 0.5)
    assert np.abs(first - 255 * 0.5 * alpha[:, None] * vectors[:, 0]).max() < 1
    assert 0.07 < alpha.std() < 0.14 and abs(alpha.mean()) < 0.05
    # so few levels are rounded: of larger eigenvalues, which are those told ten times over
    colours = added(eigval=",".join(map(str, 10 * values)), alphastd=0.05)
    along = colours @ vectors / (255 * 10 * values)
    assert np.abs(along.std(0) / 0.05 - 1).max() < 0.35
    assert np.abs(np.corrcoef(along.T)[np.triu_indices(3, 1)]).max() < 0.5
    assert (augment(("lighting", {"alphastd": 0})) == IMAGES).all()
    assert (added() != 0).any()


DRAWN = [key.removeprefix("drawn ") for key in FIXTURES if key.startswith("drawn ")]


@pytest.mark.parametrize("case", DRAWN)
def test_drawn_operations_are_torchvisions_and_timms(case):
    """By the same numbers; a nearest pixel's tie, or a level, may round either way."""
    name, _, settings = case.partition(" ")
    words = dict(word.split("=") for word in settings.split(";") if word)
    out = np.concatenate([augment((name, words), epoch=epoch) for epoch in range(4)])
    apart = np.abs(out[:, :, ::3, ::4].astype(int) - FIXTURES[f"drawn {case}"])
    assert (apart.max((1, 2, 3)) <= 1).mean() > 0.95
    assert len(DRAWN) == 6


REPEATS = r"""
#include "runtime.h"
#include <stdlib.h>

/* driver REPEATS STEP IMAGES: of an epoch the order of 0, 1, … and of each the copy's number */
int main(int argc, char **argv)
{
    int32_t order[100];
    NetAugment augment = {.repeats = argc > 3 ? atoi(argv[1]) : 1};
    int images = atoi(argv[3]);
    for (int i = 0; i < images; i++)
        order[i] = i;
    net_repeat_begin(&augment, atoi(argv[2]), images);
    net_repeat_order(&augment, order);
    for (int i = 0; i < images; i++)
        printf("%d.%d ", order[i], (int)(net_repeat_key(&augment, order[i], i) >> 31));
    return 0;
}
"""


@pytest.mark.parametrize(
    "repeats, step, images, expected",
    [
        (2, 4, 8, "0.0 1.0 0.1 1.1 2.0 3.0 2.1 3.1"),
        (3, 4, 10, "0.0 1.0 0.1 1.1 2.0 3.0 2.1 3.1 4.0 4.1"),
        (3, 8, 7, "0.0 1.0 2.0 0.1 1.1 2.1 0.2"),
        (4, 1, 3, "0.0 1.0 2.0"),
        (1, 4, 5, "0.0 1.0 2.0 3.0 4.0"),
    ],
)
def test_a_step_repeats_its_images(repeats, step, images, expected):
    told = subprocess.run(
        [sanitized.program(REPEATS), str(repeats), str(step), str(images)], capture_output=True
    )
    assert told.stdout.decode().split() == expected.split()


def test_colours_jitter_within_their_ranges():
    brighter = augment(("color_jitter", {"brightness": "1.5,1.5"}))
    expected = np.minimum(IMAGES * np.float32(1.5), 255).astype("u1")
    assert (brighter == expected).all()
    some = augment(("color_jitter", {"brightness": 0.4, "contrast": 0.4, "hue": 0.1}))
    assert len({image.tobytes() for image in some}) == 40
    mean = some.mean((1, 2, 3)) / IMAGES.mean((1, 2, 3))
    assert 0.5 < mean.min() < 0.9 < 1.1 < mean.max() < 1.5
    assert (augment(("color_jitter", {})) == IMAGES).all()


def test_augmentations_that_draw_operations():
    none = augment(("rand_augment", {"num_ops": 0}))
    two, weak = augment(("rand_augment", {})), augment(("rand_augment", {"magnitude": 0}))
    assert (none == IMAGES).all()
    changed = [(two[i] != IMAGES[i]).any() for i in range(40)]
    assert 30 <= sum(changed) and len({image.tobytes() for image in two}) == 40
    same = [(weak[i] == IMAGES[i]).mean() > 0.95 for i in range(40)]
    assert sum(same) > 20  # autocontrast has no magnitude
    one = augment(("trivial_augment", {}))
    assert 25 <= sum((one[i] != IMAGES[i]).any() for i in range(40)) < 40


# -------------------------------------------- pictures of their own sizes


FITS = [key.removeprefix("fit ") for key in FIXTURES if key.startswith("fit ")]


def test_pictures_are_resized_and_cut_as_torchvision_does(driver, tmp_path):
    """A level apart where sums end otherwise."""
    (tmp_path / "p.png").write_bytes(png(FIXTURES["picture"].transpose(1, 2, 0), 2))
    assert len(FITS) == 6
    for settings in FITS:
        expected = FIXTURES[f"fit {settings}"].astype(int)
        words = "png", tmp_path / "p.png", *expected.shape
        printed = run(driver, *words, env={"SETTINGS": settings}).stdout
        apart = np.abs(np.array(printed.split(), int).reshape(expected.shape) - expected)
        assert apart.max() <= ("resize" in settings) and (apart > 0).mean() < 0.2, settings


def own_sizes(tmp_path):
    """The fixtures' picture, and others of other sizes."""
    picture = FIXTURES["picture"].transpose(1, 2, 0)
    for i, name in enumerate("abab"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{i}.png").write_bytes(png(picture[: 37 - 3 * i, : 52 - 5 * i], 2))
    return tmp_path


def crops(driver, folder, h, w, settings, memory=0, **more):
    env = {"SETTINGS": f"test.center_crop.size={h},{w};{settings}", "MEMORY": str(memory)}
    env |= {name: str(value) for name, value in more.items()}
    printed = run(driver, "crops", folder, 3, h, w, 2, 1, env=env).stdout
    return np.array(printed.split(), int).reshape(2, 4, 3, h, w)


def test_training_pictures_are_cut_from_their_own_sizes(driver, tmp_path):
    folder = own_sizes(tmp_path)
    settings = "augment.resize.size=16;augment.random_crop=x;augment.random_crop.size=12,14"
    made = crops(driver, folder, 12, 14, settings)
    resized = FIXTURES["resized 16"].astype(int)
    for epoch in 0, 1:
        windows = (
            np.abs(resized[:, y : y + 12, x : x + 14] - made[epoch, 0]).max()
            for y in range(5)
            for x in range(resized.shape[2] - 13)
        )
        assert sum(worst <= 1 for worst in windows) == 1
    assert (made[0] != made[1]).any((1, 2, 3)).sum() >= 3
    for memory in 1, 5000:
        assert (crops(driver, folder, 12, 14, settings, memory) == made).all()
    for _ in "made", "used":
        again = crops(driver, folder, 12, 14, settings, CACHE=tmp_path / "cache")
        assert (again == made).all()


def test_copies_are_cut_from_a_picture_each_by_itself(driver, tmp_path):
    """Also when pictures are read anew for each batch."""
    folder = own_sizes(tmp_path)
    settings = "augment.random_crop=x;augment.random_crop.size=12,14"
    once = crops(driver, folder, 12, 14, settings)
    settings += ";augment.repeated_augment=x;augment.repeated_augment.repetitions=2"
    twice = crops(driver, folder, 12, 14, settings)
    assert (twice[:, :2] == once[:, :2]).all()
    assert (twice[:, 2:] != twice[:, :2]).any((2, 3, 4)).sum() >= 3
    picture = FIXTURES["picture"]
    for cut in twice[:, 2]:
        assert any(
            (picture[:, y : y + 12, x : x + 14] == cut).all()
            for y in range(picture.shape[1] - 11)
            for x in range(picture.shape[2] - 13)
        )
    assert (crops(driver, folder, 12, 14, settings, memory=1) == twice).all()


def test_a_random_crop_is_a_window_and_a_resized_one_a_part_of_the_picture(driver, tmp_path):
    folder, picture = own_sizes(tmp_path), FIXTURES["picture"].astype(int)
    padded = np.pad(picture, ((0, 0), (1, 1), (2, 2)))
    settings = "augment.random_crop=x;augment.random_crop.size=28,30;augment.random_crop.padding="
    for cut in crops(driver, folder, 28, 30, settings + "1,2")[:, 0]:
        assert any(
            (padded[:, y : y + 28, x : x + 30] == cut).all() for y in range(12) for x in range(27)
        )
    whole = "augment.random_resized_crop=x;augment.random_resized_crop.scale=1,1"
    all_of_it = crops(driver, folder, 40, 30, f"{whole};augment.random_resized_crop.ratio=1.4,1.41")
    expected = FIXTURES["fit test.resize.size=40,30"].astype(int)
    assert np.abs(all_of_it[:, 0] - expected).max() <= 1  # no other form fits in it


def test_a_picture_that_a_crop_has_no_room_in(driver, tmp_path):
    settings = "test.center_crop.size=30,30;augment.random_crop=x;augment.random_crop.size=30,30"
    printed = run(
        driver, "open", own_sizes(tmp_path), 3, 30, 30, 2, 1, env={"SETTINGS": settings}, expect=1
    ).stdout
    assert printed == (
        f"{tmp_path}/b/3.png is 37 x 28 pixels, and random_crop([30, 30]) has no room in it: "
        "`augment resize` before it, or a larger padding; --skip-broken leaves it out\n"
    )


def test_images_in_memory_are_cut_too(driver, tmp_path):
    images = np.random.default_rng(2).integers(0, 256, (4, 9, 11), "u1")
    for part in "train", "test":
        np.save(tmp_path / f"{part}_x.npy", images[:, None])
        np.save(tmp_path / f"{part}_y.npy", np.array([0, 1, 0, 1], "u1"))
    settings = "data.reader=arrays;test.center_crop.size=6,8"
    env = {"SETTINGS": settings}
    shown = run(driver, "arrays", tmp_path, 1, 6, 8, 2, 1, env=env).stdout
    tested = shown.split("\ntest")[1].split(":")[1].split("\n")[0]
    assert (np.array(tested.split(), int).reshape(4, 6, 8) == images[:, 2:8, 2:10]).all()
    env["SETTINGS"] += ";augment.random_crop=x;augment.random_crop.size=6,8"
    printed = run(driver, "crops", tmp_path, 1, 6, 8, 2, 1, env=env).stdout
    for i, cut in enumerate(np.array(printed.split(), int).reshape(8, 6, 8)):
        assert any(
            (images[i % 4, y : y + 6, x : x + 8] == cut).all() for y in range(4) for x in range(4)
        )


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
              cutout(5), horizontal_flip, random_resized_crop(28, scale=[0.5, 1]),
              color_jitter(brightness=0.2), random_erasing(value=random),
              rand_augment(2, 5, magnitude_std=1), trivial_augment, auto_augment,
              repeated_augment(2)
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
