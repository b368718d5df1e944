"""Data sets as files that tell the truth and files that do not: every false one
is one sentence that names the file, and never a crash (the driver is built with
the address and undefined-behaviour sanitizers)."""
import base64
import gzip
import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from harness import ROOT, c_program, rarely, run, trainer
from sanitize import sanitized


@pytest.fixture(scope="module")
def driver():
    return sanitized.program((Path(__file__).parent / "driver.c").read_text(), *WEBP_LIBRARY)


def static_library(name):
    found = run("gcc", f"-print-file-name={name}").stdout.strip()
    return found if found.startswith("/") else None


# As netc build links it: where it is.
HAS_WEBP = static_library("libwebp.a")
WEBP_LIBRARY = ["-Wl,-u,WebPDecodeRGBA", HAS_WEBP] if HAS_WEBP else []


def refuse(driver, *arguments):
    """The one sentence of a refusal."""
    printed = run(driver, *arguments, expect=1)
    assert printed.stderr == "" and printed.stdout.count("\n") == 1, printed.stdout + printed.stderr
    return printed.stdout.strip()


# ---------------------------------------------------------------------- IDX


def idx(array, magic=None, sizes=None):
    sizes = array.shape if sizes is None else sizes
    return (
        (magic or bytes([0, 0, 8, array.ndim]))
        + struct.pack(f">{len(sizes)}I", *sizes)
        + array.tobytes()
    )


IMAGES = (np.arange(5 * 4 * 6) * 7 % 256).astype("u1").reshape(5, 4, 6)
LABELS = np.array([0, 1, 2, 3, 9], "u1")


def idx_folder(
    folder, images=None, labels=None, ending="", pack=bytes, name="train-images-idx3-ubyte"
):
    """A folder of four good files, but for a training file given as bytes."""
    folder.mkdir(exist_ok=True)
    for split in "train", "t10k":
        for kind, good, given in ("images-idx3", IMAGES, images), ("labels-idx1", LABELS, labels):
            content = given if split == "train" and given is not None else pack(idx(good))
            (folder / f"{split}-{kind}-ubyte{ending}").write_bytes(content)
    return folder


def opened(folder, classes=10, shape=(1, 4, 6)):
    return "open", folder, *shape, classes, 1


def test_plain_gzipped_and_dotted_files_are_the_same_data(driver, tmp_path):
    plain = run(driver, *opened(idx_folder(tmp_path / "plain"))).stdout.splitlines()
    packed = run(
        driver, *opened(idx_folder(tmp_path / "gz", ending=".gz", pack=gzip.compress))
    ).stdout.splitlines()
    dotted = idx_folder(tmp_path / "dotted")
    for path in list(dotted.iterdir()):
        path.rename(dotted / path.name.replace("-idx", ".idx"))
    assert plain[1:] == packed[1:] == run(driver, *opened(dotted)).stdout.splitlines()[1:]
    assert plain[1].startswith("train 5 ")


def test_a_flat_input_takes_the_images_it_is_a_flattening_of(driver, tmp_path):
    folder = idx_folder(tmp_path / "flat")
    assert "train 5" in run(driver, *opened(folder, shape=(24, 0, 0))).stdout
    assert (
        refuse(driver, *opened(folder, shape=(25, 0, 0)))
        == f"{folder} has 1x4x6 images, the network takes 25 values"
    )


WRONG_IMAGES = {
    "empty": (b"", "ends at byte 0 of the 16 its header calls for"),
    "short header": (idx(IMAGES)[:9], "ends at byte 9 of the 16 its header calls for"),
    "short": (idx(IMAGES)[:-1], "ends at byte 135 of the 136 its header calls for"),
    "long": (idx(IMAGES) + b"!", "goes on after byte 136, where its header says it ends"),
    "magic": (
        idx(IMAGES, magic=b"PK\0\3"),
        "is not an IDX file: it starts with bytes 50 4b, not 00 00",
    ),
    "floats": (
        idx(IMAGES, magic=b"\0\0\x0d\3"),
        "holds values of type 0x0d (byte 2); only unsigned bytes, 0x08, are read",
    ),
    "labels": (idx(LABELS), "has 1 dimensions (byte 3), where images have 3"),
    "zero": (idx(IMAGES, sizes=(5, 0, 6)), "says that dimension 2 (byte 8) is 0"),
    "vast": (
        idx(IMAGES, sizes=(0xFFFFFFFF,) * 3),
        "calls for more than the 2048 MB that are read: dimension 1 (byte 4) is 4294967295",
    ),
    "boastful": (
        idx(IMAGES, sizes=(70_000_000, 4, 6)),
        "ends at byte 136 of the 1680000016 its header calls for",
    ),
}


@pytest.mark.parametrize("case", WRONG_IMAGES)
def test_a_false_file_is_one_sentence(driver, tmp_path, case):
    content, sentence = WRONG_IMAGES[case]
    folder = idx_folder(tmp_path / "d", images=content)
    assert refuse(driver, *opened(folder)) == f"{folder}/train-images-idx3-ubyte {sentence}"


@pytest.mark.parametrize("case", ["short", "boastful", "long"])
def test_so_is_a_false_file_that_is_gzipped(driver, tmp_path, case):
    content, sentence = WRONG_IMAGES[case]
    folder = idx_folder(
        tmp_path / "d", images=gzip.compress(content), ending=".gz", pack=gzip.compress
    )
    assert refuse(driver, *opened(folder)) == f"{folder}/train-images-idx3-ubyte.gz {sentence}"


def test_damaged_gzip_data(driver, tmp_path):
    good = gzip.compress(idx(IMAGES))
    damaged = good[:-8] + bytes([good[-8] ^ 1]) + good[-7:]
    for content, sentence in (good[:60], "is cut off"), (
        damaged,
        "has damaged gzip data near byte",
    ):
        folder = idx_folder(tmp_path / "d", images=content, ending=".gz", pack=gzip.compress)
        assert sentence in refuse(driver, *opened(folder))


def test_a_claim_alone_takes_no_memory(driver, tmp_path):
    """The file claims 1.7 GB and has 136 bytes; the process may have 300 MB more than at its
    start."""
    folder = idx_folder(tmp_path / "d", images=WRONG_IMAGES["boastful"][0])
    plain = c_program((Path(__file__).parent / "driver.c").read_text())
    limited = subprocess.run(
        ["sh", "-c", 'ulimit -v 300000; exec "$@"', "sh", plain, *map(str, opened(folder))],
        capture_output=True,
        text=True,
    )
    assert "ends at byte 136" in limited.stdout, limited


def test_images_and_labels_must_be_as_many(driver, tmp_path):
    folder = idx_folder(tmp_path / "d", labels=idx(LABELS[:4]))
    assert refuse(driver, *opened(folder)) == (
        f"{folder}/train-images-idx3-ubyte has 5 images "
        f"and {folder}/train-labels-idx1-ubyte has 4 labels"
    )


def test_a_label_the_network_has_no_class_for(driver, tmp_path):
    folder = idx_folder(tmp_path / "d")
    assert (
        refuse(driver, *opened(folder, classes=9))
        == f"{folder} labels training image 4 as class 9, and the network has 9 classes, from 0"
    )


def test_images_of_another_shape(driver, tmp_path):
    folder = idx_folder(tmp_path / "d")
    assert (
        refuse(driver, *opened(folder, shape=(3, 32, 32)))
        == f"{folder} has 1x4x6 images, the network takes 3x32x32"
    )


def test_one_file_of_the_four_missing(driver, tmp_path):
    folder = idx_folder(tmp_path / "d")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert "has no t10k-labels-idx1-ubyte" in refuse(driver, *opened(folder))


def test_nothing_there(driver, tmp_path):
    assert refuse(driver, *opened(tmp_path / "none")).startswith(
        f"there is no directory {tmp_path}/none"
    )
    assert refuse(driver, *opened(tmp_path)).startswith(f"{tmp_path} has neither IDX files")
    printed = run(
        driver, *opened("mnist"), cwd=tmp_path, env={"NET_DATA": str(tmp_path)}, expect=1
    ).stdout
    assert printed == (
        f"no mnist in data/mnist or {tmp_path}/mnist: "
        "run `make mnist`, or use --data synthetic\n"
    )


def test_named_sets_are_looked_for_in_net_data(driver, tmp_path):
    idx_folder(tmp_path / "kmnist")
    named = lambda classes: ("open", "kmnist", 1, 4, 6, classes, 1)
    found = run(driver, *named(10), env={"NET_DATA": str(tmp_path)}).stdout
    assert found.startswith(f"kmnist in {tmp_path}/kmnist\n")
    wrong = run(driver, *named(100), env={"NET_DATA": str(tmp_path)}, expect=1).stdout
    assert wrong == f"kmnist in {tmp_path}/kmnist has 10 classes, the network gives 100\n"


def test_mnist_itself(driver, mnist):
    assert "train 60000 " in run(driver, *opened(mnist, shape=(1, 28, 28))).stdout


# ------------------------------------------------------------------ CIFAR-10


def cifar_folder(folder, first=None):
    folder.mkdir(exist_ok=True)
    records = (np.arange(4 * 3073) // 7 % 256).astype("u1").reshape(4, 3073)
    records[:, 0] = [3, 1, 4, 9]
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        (folder / name).write_bytes(records.tobytes())
    if first is not None:
        (folder / "data_batch_1.bin").write_bytes(first(bytearray(records.tobytes())))
    return folder


def test_cifar10(driver, tmp_path):
    printed = run(driver, *opened(cifar_folder(tmp_path / "c"), shape=(3, 32, 32))).stdout
    assert "train 20 " in printed and "test 4 " in printed


def label_of_record_2(content):
    content[2 * 3073] = 10
    return content


@pytest.mark.parametrize(
    "change, sentence",
    ids="cut label empty".split(),
    argvalues=[
        (
            lambda content: content[:5000],
            "ends at byte 5000, inside record 1 "
            "(records are 3073 bytes and this one starts at byte 3073)",
        ),
        (label_of_record_2, "gives record 2 (byte 6146) the label 10, above 9"),
        (lambda content: b"", "is empty"),
    ],
)
def test_false_cifar10(driver, tmp_path, change, sentence):
    folder = cifar_folder(tmp_path / "c", change)
    assert (
        refuse(driver, *opened(folder, shape=(3, 32, 32)))
        == f"{folder}/data_batch_1.bin {sentence}"
    )


def test_a_missing_cifar10_batch(driver, tmp_path):
    folder = cifar_folder(tmp_path / "c")
    (folder / "data_batch_4.bin").unlink()
    assert "data_batch_4.bin: No such file" in refuse(driver, *opened(folder, shape=(3, 32, 32)))


# ---------------------------------------------------------------------- PNG


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, colour, bits=8, chunks=b"", width=None):
    """A PNG of [h, w] or [h, w, channels] bytes, or of packed rows of `width` pixels; colour
    is its type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA; `chunks` precede the image."""
    h, w = pixels.shape[0], width or pixels.shape[1]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, colour, 0, 0, 0))
        + chunks
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def read_png(driver, tmp_path, content, *shape):
    (tmp_path / "x.png").write_bytes(content)
    return np.array(run(driver, "png", tmp_path / "x.png", *shape).stdout.split(), int).reshape(
        shape
    )


GREY = (np.arange(12 * 8) * 5 % 256).astype("u1").reshape(12, 8)


def test_png_of_the_networks_size_is_unchanged(driver, tmp_path):
    assert (read_png(driver, tmp_path, png(GREY, 0), 1, 12, 8)[0] == GREY).all()


def test_png_in_colour_and_channels_first(driver, tmp_path):
    pixels = np.stack([GREY, 255 - GREY, GREY // 2], 2)
    assert (read_png(driver, tmp_path, png(pixels, 2), 3, 12, 8) == pixels.transpose(2, 0, 1)).all()


def test_png_is_averaged_down_and_spread_up(driver, tmp_path):
    halved = GREY.reshape(6, 2, 4, 2).mean((1, 3))
    assert np.abs(read_png(driver, tmp_path, png(GREY, 0), 1, 6, 4)[0] - halved).max() <= 0.5
    assert (
        read_png(driver, tmp_path, png(GREY, 0), 1, 24, 16)[0] == GREY.repeat(2, 0).repeat(2, 1)
    ).all()
    uneven = read_png(driver, tmp_path, png(GREY, 0), 1, 5, 7)
    assert abs(uneven.mean() - GREY.mean()) < 1


def test_transparent_pixels_are_white(driver, tmp_path):
    assert (read_png(driver, tmp_path, png(np.zeros((2, 2, 4), "u1"), 6), 3, 2, 2) == 255).all()


RED_GREEN_BLUE = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], "u1")
GREYS = [76, 150, 29]  # ITU-R BT.601, as other readers round it
GAMMA = chunk(b"gAMA", struct.pack(">I", 100000))
PALETTE = chunk(b"PLTE", RED_GREEN_BLUE.tobytes())


@pytest.mark.parametrize(
    "content",
    ids="8 16 gamma srgb palette half".split(),
    argvalues=[
        png(RED_GREEN_BLUE, 2),
        png(RED_GREEN_BLUE.repeat(2, 2), 2, 16),
        png(RED_GREEN_BLUE, 2, chunks=GAMMA),
        png(RED_GREEN_BLUE, 2, chunks=chunk(b"sRGB", b"\0")),
        png(np.array([[0, 1, 2]], "u1"), 3, chunks=PALETTE),
        png(np.array([[0b00011000]], "u1"), 3, 2, PALETTE, width=3),
    ],
)
def test_greys_of_colours(driver, tmp_path, content):
    assert read_png(driver, tmp_path, content, 1, 1, 3).tolist() == [[GREYS]]


def test_a_grey_is_the_same_from_every_file(driver, tmp_path):
    """All three channels equal: the grey itself, whatever the file's gamma and its bits."""
    levels = np.arange(256).astype("u1").reshape(16, 16)
    for content in (
        png(levels, 0, chunks=GAMMA),
        png(np.stack([levels] * 3, 2), 2, chunks=GAMMA),
        png(np.stack([levels, levels // 3], 2).reshape(16, 32), 0, 16, width=16),
    ):
        assert (read_png(driver, tmp_path, content, 1, 16, 16)[0] == levels).all()
    assert read_png(
        driver, tmp_path, png(np.array([[0b00011011]], "u1"), 0, 2, width=4), 1, 1, 4
    ).tolist() == [[[0, 85, 170, 255]]]


@pytest.mark.parametrize(
    "content, shown",
    ids="rgba rgba16 greya palette colour".split(),
    argvalues=[
        (
            png(np.array([[[255, 0, 0, 128], [0, 0, 0, 64]]], "u1"), 6),
            [(255, 127, 127), (191, 191, 191)],
        ),
        (
            png(np.array([[[255, 0, 0, 128], [0, 0, 0, 64]]], "u1").repeat(2, 2), 6, 16),
            [(255, 127, 127), (191, 191, 191)],
        ),
        (
            png(np.array([[[10, 128], [0, 64]]], "u1"), 4, chunks=GAMMA),
            [(132, 132, 132), (191, 191, 191)],
        ),
        (
            png(np.array([[0, 1]], "u1"), 3, chunks=PALETTE + chunk(b"tRNS", b"\x80\x40")),
            [(255, 127, 127), (191, 255, 191)],
        ),
        (
            png(RED_GREEN_BLUE[:, :2], 2, chunks=chunk(b"tRNS", struct.pack(">HHH", 255, 0, 0))),
            [(255, 255, 255), (0, 255, 0)],
        ),
    ],
)
def test_half_transparent_pixels_lie_on_white(driver, tmp_path, content, shown):
    assert read_png(driver, tmp_path, content, 3, 1, 2)[:, 0].T.tolist() == [
        list(pixel) for pixel in shown
    ]


@pytest.mark.parametrize(
    "content, sentence",
    ids="empty other cut flipped header".split(),
    argvalues=[
        (b"", "is no PNG, JPEG, BMP or WebP file"),
        (b"\xff\xd8\xff\xe0 no JPEG", "is a damaged JPEG, near byte"),
        (png(GREY, 0)[:40], "is cut off: it ends at byte 40, before its image does"),
        (png(GREY, 0).replace(b"IDAT\x78", b"IDAT\x79"), "is a damaged PNG, near byte"),
        (
            png(GREY, 0)[:16] + struct.pack(">II", 60000, 60000) + png(GREY, 0)[24:],
            "is a damaged PNG, near byte",
        ),
    ],
)
def test_a_false_png(driver, tmp_path, content, sentence):
    (tmp_path / "x.png").write_bytes(content)
    assert sentence in refuse(driver, "png", tmp_path / "x.png", 1, 12, 8)


def test_a_vast_png_is_refused_by_its_size(driver, tmp_path):
    vast = bytearray(png(GREY, 0))
    vast[16:24] = struct.pack(">II", 60000, 60000)
    vast[29:33] = struct.pack(">I", zlib.crc32(vast[12:29]))
    (tmp_path / "x.png").write_bytes(vast)
    assert "60000 x 60000 pixels: more than the 64 million" in refuse(
        driver, "png", tmp_path / "x.png", 1, 12, 8
    )


def test_a_png_for_a_network_of_other_channels(driver, tmp_path):
    (tmp_path / "x.png").write_bytes(png(GREY, 0))
    assert "takes 2 channels" in refuse(driver, "png", tmp_path / "x.png", 2, 12, 8)


# ---------------------------------------------------------- synthetic digits


def draw(driver, tmp_path, shape, classes=10, seed=1, count=400):
    run(driver, "draw", tmp_path / "drawn", *shape, classes, seed, count)
    content = np.frombuffer((tmp_path / "drawn").read_bytes(), "u1")
    return content[:-count].reshape(count, *shape), content[-count:]


def test_synthetic_images_depend_on_seed_and_number_only(driver, tmp_path):
    pixels, labels = draw(driver, tmp_path, (1, 28, 28))
    fewer, fewer_labels = draw(driver, tmp_path, (1, 28, 28), count=30)
    others, _ = draw(driver, tmp_path, (1, 28, 28), seed=2)
    assert (fewer == pixels[:30]).all() and (fewer_labels == labels[:30]).all()
    assert (others != pixels).any()
    assert len({image.tobytes() for image in pixels}) == len(pixels)


@pytest.mark.parametrize(
    "shape, classes",
    [
        ((1, 28, 28), 10),
        ((3, 32, 32), 100),
        ((2, 9, 40), 3),
        ((1, 4, 4), 10),
        ((1, 1, 7), 2),
        ((3, 20, 20), 1000),
        ((1, 28, 28), 1),
    ],
)
def test_synthetic_images_of_any_shape_and_any_number_of_classes(driver, tmp_path, shape, classes):
    pixels, labels = draw(driver, tmp_path, shape, classes)
    assert labels.max() < classes
    assert len(set(labels)) > min(classes, 256) * 0.7
    assert pixels.std() > 20


def test_synthetic_digits_can_be_told_apart(driver, tmp_path):
    """By the nearest of 3000 others: well above chance, where a network gets 99 %."""
    pixels, labels = draw(driver, tmp_path, (1, 28, 28), count=3200)
    flat = pixels.reshape(len(pixels), -1).astype("f4")
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    nearest = labels[:3000][(flat[3000:] @ flat[:3000].T).argmax(1)]
    assert (nearest == labels[3000:]).mean() > 0.8


# ----------------------------------------------------------------- mnist.sh


def get_mnist(folder, expect=0, **environment):
    return run("sh", ROOT / "runtime" / "data" / "mnist.sh", folder, env=environment, expect=expect)


def test_make_mnist_takes_the_folder_it_is_told_and_only_once(mnist, tmp_path):
    folder = tmp_path / "to"
    assert get_mnist(folder, MNIST_DIR=str(mnist)).stdout == f"mnist: {folder}, from {mnist}\n"
    assert sorted(os.listdir(folder)) == [
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
    ]
    assert get_mnist(folder, MNIST_DIR="/nowhere").stdout == f"mnist: {folder} has it already\n"


def test_make_mnist_without_any_source_says_so_and_leaves_nothing(tmp_path):
    """With the shell's tools only: no way to reach a network or a package."""
    tools, folder, false = tmp_path / "tools", tmp_path / "to", idx_folder(tmp_path / "false")
    tools.mkdir()
    for tool in "sh mkdir mv rm cat cut gzip sha256sum find head dirname mktemp".split():
        (tools / tool).symlink_to(shutil.which(tool))
    printed = get_mnist(folder, expect=1, MNIST_DIR=str(false), PATH=str(tools))
    assert printed.stdout == "" and printed.stderr.startswith("mnist: no source answered")
    assert os.listdir(folder) == []


# ---------------------------------------------------------- CIFAR-100, folders


def test_cifar100_takes_the_fine_labels(driver, tmp_path):
    records = (np.arange(3 * 3074) // 7 % 256).astype("u1").reshape(3, 3074)
    records[:, 0], records[:, 1] = [1, 2, 3], [99, 0, 57]
    for name in "train.bin", "test.bin":
        (tmp_path / name).write_bytes(records.tobytes())
    assert "train 3 " in run(driver, *opened(tmp_path, 100, (3, 32, 32))).stdout
    records[1, 1] = 100
    (tmp_path / "train.bin").write_bytes(records.tobytes())
    assert (
        refuse(driver, *opened(tmp_path, 100, (3, 32, 32)))
        == f"{tmp_path}/train.bin gives record 1 (byte 3074) the label 100, above 99"
    )


def image_folder(root):
    for split in "train", "test":
        for number, name in enumerate(["zebra", "ant", "cow"]):
            (root / split / name).mkdir(parents=True)
            for i in range(2):
                (root / split / name / f"{i}.png").write_bytes(png(GREY // (number + i + 1), 0))
    return root


def test_a_folder_by_class(driver, tmp_path):
    lines = run(driver, *opened(image_folder(tmp_path / "f"), 3, (1, 6, 4))).stdout.splitlines()
    assert lines[1].startswith("train 6 ") and lines[2].startswith("test 6 ")
    assert lines[1].split()[3] == f"{fnv(bytes([0, 0, 1, 1, 2, 2])):016x}"


def fnv(content):
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def break_image(root):
    (root / "train" / "cow" / "1.png").write_bytes(png(GREY, 0)[:40])


def only(root, *names):
    for split in "train", "test":
        for path in (root / split).iterdir():
            if path.name not in names:
                shutil.rmtree(path)


@pytest.mark.parametrize(
    "change, sentence",
    ids="broken none one empty extra".split(),
    argvalues=[
        (break_image, "train/cow/1.png is cut off"),
        (lambda root: only(root), "train has no folders: each class is a folder of images in it"),
        (
            lambda root: only(root, "ant"),
            "train has one class, ant: there is nothing to tell apart",
        ),
        (
            lambda root: [path.unlink() for path in (root / "test" / "ant").iterdir()],
            "test/ant has no images",
        ),
        (
            lambda root: (root / "test" / "yak").mkdir(),
            "test has a class yak, which the training images have not",
        ),
    ],
)
def test_a_false_folder(driver, tmp_path, change, sentence):
    change(image_folder(tmp_path / "f"))
    assert sentence in refuse(driver, *opened(tmp_path / "f", 3, (1, 6, 4)))


def test_a_folders_classes_are_the_networks(driver, tmp_path):
    folder = image_folder(tmp_path / "f")
    assert (
        refuse(driver, *opened(folder, 5, (1, 6, 4)))
        == f"{folder} has 3 classes, the network gives 5"
    )


JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000"
    "ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f"
    "141d1a1f1e1d1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432"
    "ffc0000b080008000801011100"
    "ffc40014000100000000000000000000000000000005"
    "ffc40014100100000000000000000000000000000000"
    "ffda0008010100003f000dffd9"
)  # 8 x 8, grey, all 100


def test_jpeg(driver, tmp_path):
    assert np.abs(read_png(driver, tmp_path, JPEG, 1, 8, 8) - 100).max() <= 2
    assert np.abs(read_png(driver, tmp_path, JPEG, 3, 4, 4) - 100).max() <= 2


JPEG_RED = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300281c1e231e19282321232d2b28303c64413c37373c7b"
    "585d4964918099968f808c8aa0b4e6c3a0aadaad8a8cc8ffcbdaeef5ffffff9bc1fffffffaffe6fdfff8ffdb004301"
    "2b2d2d3c353c76414176f8a58ca5f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8"
    "f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8ffc00011080008000803012200021101031101ffc4001500010100000000"
    "000000000000000000000004ffc40014100100000000000000000000000000000000ffc40015010101000000000000"
    "00000000000000000405ffc40014110100000000000000000000000000000000ffda000c03010002110311003f0094"
    "01d61fffd9"
)  # 8 x 8, all (255, 2, 2)


def test_a_coloured_jpegs_grey_is_a_pngs(driver, tmp_path):
    colour = read_png(driver, tmp_path, JPEG_RED, 3, 8, 8)
    coloured = png(colour.astype("u1").transpose(1, 2, 0), 2)
    grey = read_png(driver, tmp_path, JPEG_RED, 1, 8, 8)
    assert colour[:, 0, 0].tolist() == [255, 2, 2] and grey[0, 0, 0] == 78
    assert (read_png(driver, tmp_path, coloured, 1, 8, 8) == grey).all()


JPEG_INKS = bytes.fromhex(
    "ffd8ffee000e41646f626500640000000000ffdb004300100b0c0e0c0a100e0d0e1211101318281a181616183123"
    "251d283a333d3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763ffc0001408"
    "00080008044311004d11005911004b1100ffc40014000100000000000000000000000000000006ffc40014100100"
    "000000000000000000000000000000ffda000e0443004d0059004b00003f0076344462ffd9"
)  # 8 x 8 of CMYK, all 10, 200, 60, 30


def test_a_jpeg_of_inks_and_one_with_bytes_to_spare(driver, tmp_path):
    assert read_png(driver, tmp_path, JPEG_INKS, 3, 8, 8)[:, 3, 3].tolist() == [218, 48, 174]
    spare = JPEG[:-2] + bytes(3) + JPEG[-2:] + b"more"
    assert (
        read_png(driver, tmp_path, spare, 1, 8, 8) == read_png(driver, tmp_path, JPEG, 1, 8, 8)
    ).all()


def exif(orientation, order="<"):
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x112, 3, 1, orientation, 0, 0)


TURNS = {  # what a viewer shows of what is stored
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("turn", TURNS)
def test_a_picture_stands_as_it_was_taken(driver, tmp_path, turn):
    shown = TURNS[turn](GREY)
    content = png(GREY, 0, chunks=chunk(b"eXIf", exif(turn, "<>"[turn % 2])))
    assert (read_png(driver, tmp_path, content, 1, *shown.shape)[0] == shown).all()


JPEG_DARK_LEFT = bytes.fromhex(
    "ffd8ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e2931302e292d2c333a4a3e33"
    "3646372c2d405741464c4e525352323e5a615a50604a51524fffc0000b080008000801011100ffc4001400010000"
    "0000000000000000000000000003ffc40018100002030000000000000000000000000000074583c2ffda00080101"
    "00003f002574a55b3fffd9"
)  # 8 x 8, grey, its left half dark


def test_a_jpegs_exif_turns_it_and_a_damaged_one_does_not(driver, tmp_path):
    app1 = b"Exif\0\0" + exif(6)

    def with_exif(size):
        marker = b"\xff\xe1" + struct.pack(">H", size + 2) + app1[:size]
        return JPEG_DARK_LEFT[:2] + marker + JPEG_DARK_LEFT[2:]

    def is_turned(content):
        shown = read_png(driver, tmp_path, content, 1, 8, 8)[0].astype(int)
        return (shown[:4] < 100).all() and (shown[4:] > 100).all()

    assert is_turned(with_exif(len(app1)))
    assert not any(is_turned(with_exif(size)) for size in range(2, 24, 5))


def test_a_picture_of_a_kind_that_is_not_read_is_told_by_its_name(driver, tmp_path):
    (tmp_path / "x.png").write_bytes(b"GIF89a and more of it")
    assert refuse(driver, "png", tmp_path / "x.png", 1, 4, 4) == (
        f"{tmp_path}/x.png is a GIF file: only PNG, JPEG, BMP and WebP are read, so convert it"
    )


def bmp(rows, bits, colours=b"", header=40, packing=0, masks=(), flip=True, gap=0):
    """`rows`, from the top one, as they are stored, which is from the bottom one unless `flip` is
    false.  The width follows from the bits, the palette from `colours`."""
    height = len(rows)
    width = 8 * len(rows[0]) // bits
    if header == 12:
        info = struct.pack("<IhhHH", 12, width, height, 1, bits)
    else:
        said = len(colours) // 4
        info = struct.pack(
            "<IiiHHIIiiII",
            *(header, width, height if flip else -height, 1, bits, packing, 0, 0, 0, said, 0),
        )
        inside = b"".join(struct.pack("<I", mask) for mask in masks) if header > 40 else b""
        info += inside.ljust(header - 40, b"\0")
        colours = (b"" if header > 40 else struct.pack(f"<{len(masks)}I", *masks)) + colours
    rows = [row + bytes(-len(row) % 4) for row in (rows[::-1] if flip else rows)]
    at = 14 + len(info) + len(colours) + gap
    content = info + colours + bytes(gap) + b"".join(rows)
    return b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, at) + content


BMP_RGB = (np.arange(5 * 7 * 3) * 37 % 256).astype("u1").reshape(5, 7, 3)
BMP_24 = bmp([row[:, ::-1].tobytes() for row in BMP_RGB], 24)


def fields(pixels, *masks):
    """Each pixel's levels, of 0 to 255, in the bits of the masks."""
    values = np.zeros(pixels.shape[:2], "u8")
    for c, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1
        values |= pixels[:, :, c].astype("u8") * (mask >> shift) // 255 << shift
    return values


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("header", [12, 40, 124])
def test_a_bmp_of_a_palette(driver, tmp_path, bits, header):
    numbers = (np.arange(5 * 8) * 3 % 2**bits).reshape(5, 8) % 6
    palette = (np.arange(3 * 2**bits) * 41 % 256).astype("u1").reshape(-1, 3)
    entries = palette if header == 12 else np.hstack([palette, np.zeros_like(palette[:, :1])])
    rows = ["".join(f"{number:0{bits}b}" for number in row) for row in numbers]
    rows = [int(row, 2).to_bytes(bits, "big") for row in rows]
    content = bmp(rows, bits, entries.tobytes(), header, flip=header != 124 or bits != 4)
    assert (
        read_png(driver, tmp_path, content, 3, 5, 8)
        == palette[numbers][:, :, ::-1].transpose(2, 0, 1)
    ).all()


RGB_555, RGB_565 = (0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)


@pytest.mark.parametrize(
    "bits, header, packing, masks, used",
    [
        (16, 40, 0, (), RGB_555),
        (16, 40, 3, RGB_565, RGB_565),
        (16, 124, 3, RGB_565 + (0,), RGB_565),
        (32, 40, 0, (), (0xFF0000, 0xFF00, 0xFF)),
        (32, 52, 3, (0xFF, 0xFF00, 0xFF0000), (0xFF, 0xFF00, 0xFF0000)),
        (32, 108, 3, (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF000000, 0xFF0000, 0xFF00)),
        (32, 40, 6, (0x3FF, 0xFFC00, 0x3FF00000, 0), (0x3FF, 0xFFC00, 0x3FF00000)),
    ],
)
def test_a_bmp_of_fields(driver, tmp_path, bits, header, packing, masks, used):
    """Fewer bits than eight spread over all levels; that alpha is zero everywhere says nothing."""
    values = fields(BMP_RGB, *used)
    rows = [row.astype(f"<u{bits // 8}").tobytes() for row in values]
    content = bmp(rows, bits, header=header, packing=packing, masks=masks, gap=3)
    levels = [values // (m & -m) % ((m // (m & -m)) + 1) * 255 // (m // (m & -m)) for m in used]
    assert (read_png(driver, tmp_path, content, 3, 5, 7) == np.stack(levels)).all()


def test_a_bmp_of_true_colours(driver, tmp_path):
    assert (read_png(driver, tmp_path, BMP_24, 3, 5, 7) == BMP_RGB.transpose(2, 0, 1)).all()
    rows = [np.dstack([row[None, :, ::-1], [[0, 255, 0, 255, 0, 255, 255]]]) for row in BMP_RGB]
    rows = [row.astype("u1").tobytes() for row in rows]
    content = bmp(rows, 32, header=124, packing=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    over_white = BMP_RGB.transpose(2, 0, 1).copy()
    over_white[:, :, [0, 2, 4]] = 255
    assert (read_png(driver, tmp_path, content, 3, 5, 7) == over_white).all()


@pytest.mark.parametrize(
    "content, sentence",
    [
        (bmp([b"\x30"], 4, bytes(8)), "a pixel has a colour that its palette has not"),
        (bmp([bytes(4)], 8, packing=1), "is a BMP that is packed (method 1): save it unpacked"),
        (bmp([bytes(6)], 48), "it says of how many bits a pixel is, and no picture has so many"),
        (
            bmp([bytes(4)], 32, packing=3, masks=(5, 0xFF00, 0xFF0000)),
            "a colour's bits do not lie side by side",
        ),
    ],
)
def test_a_bmp_that_says_what_cannot_be(driver, tmp_path, content, sentence):
    (tmp_path / "x.bmp").write_bytes(content)
    told = refuse(driver, "png", tmp_path / "x.bmp", 3, 5, 7)
    assert told.startswith(f"{tmp_path}/x.bmp is a") and told.endswith(sentence)


# Both of 5 x 7 of the fixtures' picture, without loss and with.
WEBP, LOSSY_WEBP = map(
    base64.b64decode,
    (
        "UklGRqoAAABXRUJQVlA4TJ0AAAAvBgABABfBOACAQtnGr/3X62yswTgAQES6m5f95+O6g5UkSaY2bHz5/ufDs9/8"
        "h6Q+Lq+H3/4j0D/y8w9AhPx+jHwqQC5KGAxBoiEK9evzvdAICQKH9X6dnmnwwp7mvJud/C4KPT/hR+Bq0PdE+t0w"
        "SUR62Naq28tXPTAIALBsbLatM6L/wRWIVPhzoV7nB0keTj64vZvZUO6VtPkBAA==",
        "UklGRl4AAABXRUJQVlA4IFIAAAAQAgCdASoHAAUAAMASJQBOhgl4MhFvfqwAAP7/zNUXuqCBLNniVQiH9cnKdAoc"
        "yFnAgWZO7MaBxBfXMTlcSruKyyWDZ+GpY7KRL3wH9TZAAAAA",
    ),
)


def with_exif_of_webp(content):
    """An extended file: the picture's chunk, then the camera's, which says that it was held upright
    and the picture lies."""
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    chunks = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0, 6, 0, 0, 4, 0, 0])
    chunks += content[12:] + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


@pytest.mark.skipif(not HAS_WEBP, reason="libwebp-dev is not installed")
def test_webp(driver, tmp_path):
    pixels = np.load(Path(__file__).parent / "torchvision.npz")["picture"][:, :5, :7].astype(int)
    assert (read_png(driver, tmp_path, WEBP, 3, 5, 7) == pixels).all()
    turned = read_png(driver, tmp_path, with_exif_of_webp(WEBP), 3, 7, 5)
    assert (turned == np.rot90(pixels, -1, (1, 2))).all()
    assert np.abs(read_png(driver, tmp_path, LOSSY_WEBP, 3, 5, 7) - pixels).mean() < 25


def test_without_libwebp_its_files_are_told_with_what_to_do(tmp_path):
    """The library itself asks for it weakly."""
    text = (Path(__file__).parent / "driver.c").read_text()
    (tmp_path / "x.webp").write_bytes(WEBP)
    assert refuse(c_program(text), "png", tmp_path / "x.webp", 3, 5, 7) == (
        f"{tmp_path}/x.webp is a WebP file, and this program was built without libwebp: install "
        "libwebp-dev and build it again, or convert the file"
    )


# ----------------------------------------------- every cut and every bit of a header

# No damaged file may ask for more memory than this, in MB; a decoder's refusal
# by size is at 64 million pixels.
MAX_MEMORY = 300
LIMITS = {"ASAN_OPTIONS": f"max_allocation_size_mb={MAX_MEMORY}:allocator_may_return_null=1"}


def small_cifar(labels):
    pixels = (np.arange(3072) // 7 % 256).astype("u1").tobytes()
    return bytes(labels) + pixels


def idx_victim(folder, name, ending="", pack=bytes):
    idx_folder(folder, ending=ending, pack=pack)
    return folder, (1, 4, 6), 10, folder / f"{name}{ending}"


def cifar_victim(folder, names, labels, classes):
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(small_cifar(labels))
    return folder, (3, 32, 32), classes, folder / names[0]


def image_victim(folder, name, content, shape):
    folder.mkdir()
    (folder / name).write_bytes(content)
    return folder / name, shape, 1, folder / name


CIFAR10_FILES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
# What is damaged, how many bytes of it are header, and how many of its last
# bytes say nothing that the image needs.
VICTIMS = {
    "idx images": (lambda folder: idx_victim(folder, "train-images-idx3-ubyte"), 16, 0),
    "idx labels": (lambda folder: idx_victim(folder, "t10k-labels-idx1-ubyte"), 8, 0),
    "gzip idx images": (
        lambda folder: idx_victim(folder, "train-images-idx3-ubyte", ".gz", gzip.compress),
        1000,
        0,
    ),
    "gzip idx labels": (
        lambda folder: idx_victim(folder, "train-labels-idx1-ubyte", ".gz", gzip.compress),
        1000,
        0,
    ),
    "cifar-10": (lambda folder: cifar_victim(folder, CIFAR10_FILES, [3], 10), 1, 0),
    "cifar-100": (
        lambda folder: cifar_victim(folder, ["train.bin", "test.bin"], [1, 99], 100),
        2,
        0,
    ),
    "png": (lambda folder: image_victim(folder, "x.png", png(GREY, 0), (1, 12, 8)), 1000, 12),
    "png in colour": (
        lambda folder: image_victim(folder, "x.png", png(np.stack([GREY] * 4, 2), 6), (3, 6, 4)),
        1000,
        12,
    ),
    "jpeg": (lambda folder: image_victim(folder, "x.jpg", JPEG, (1, 8, 8)), 1000, 2),
    "bmp": (lambda folder: image_victim(folder, "x.bmp", BMP_24, (3, 5, 7)), 54, 0),
}
if HAS_WEBP:
    VICTIMS["webp"] = (lambda folder: image_victim(folder, "x", WEBP, (3, 5, 7)), 40, 1)
    VICTIMS["lossy webp"] = (lambda folder: image_victim(folder, "x", LOSSY_WEBP, (3, 5, 7)), 40, 1)


@pytest.mark.parametrize("what", [rarely(v) if v == "cifar-100" else v for v in VICTIMS])
def test_every_cut_and_every_bit_of_a_header(driver, tmp_path, what):
    """A cut file is refused with one sentence that names it; so is one with a
    wrong bit, unless what it then says is possible.  Nothing crashes, hangs,
    or asks for memory it has no use for."""
    make, header, idle = VICTIMS[what]
    source, shape, classes, victim = make(tmp_path / "d")
    size = victim.stat().st_size
    lines = run(
        driver, "damage", source, *shape, classes, victim, header, env=LIMITS
    ).stdout.splitlines()
    assert len(lines) == size + 8 * min(header, size)
    for line in lines:
        how, at, told = re.fullmatch(r"(cut|bit) (\d+): (.*)", line).groups()
        assert told == "read" or str(victim) in told and "out of memory" not in told, line
        assert told != "read" or how == "bit" or int(at) >= size - idle, line


def test_every_bit_of_an_idx_header_is_refused(driver, tmp_path):
    source, shape, classes, victim = idx_victim(tmp_path / "d", "train-images-idx3-ubyte")
    printed = run(driver, "damage", source, *shape, classes, victim, 16).stdout
    assert "bit 127:" in printed and ": read" not in printed


NETWORK = """network n {
    input [1, 6, 4]
    flatten
    linear(3) as fc
}
train {
    data "there";  loss cross_entropy;  optimizer sgd(lr=0.1);  batch 8;  epochs 1
}
"""


@pytest.mark.parametrize(
    "make, told",
    ids="missing nothing broken one labels".split(),
    argvalues=[
        (lambda root: None, "there is no directory"),
        (lambda root: root.mkdir(), "has neither IDX files"),
        (lambda root: break_image(image_folder(root)), "cow/1.png is cut off"),
        (lambda root: only(image_folder(root), "ant"), "has one class, ant"),
        (
            lambda root: idx_folder(
                root,
                images=idx(IMAGES.reshape(5, 6, 4)),
                pack=lambda good: good.replace(idx(IMAGES), idx(IMAGES.reshape(5, 6, 4))),
            ),
            "labels training image 3 as class 3, and the network has 3 classes",
        ),
    ],
)
def test_the_trainer_refuses_in_one_sentence(tmp_path, make, told):
    make(tmp_path / "data")
    for options in ([], ["--quiet"]):
        refused = run(
            trainer(NETWORK),
            "train",
            "--data",
            tmp_path / "data",
            "--save",
            tmp_path / "w",
            *options,
            expect=1,
        )
        assert (
            told in refused.stderr
            and refused.stderr.count("\n") == 1
            and not (tmp_path / "w").exists()
        )


@pytest.mark.parametrize("command, option", [("train", "--epochs"), ("bench", "--steps")])
def test_a_file_cut_off_while_it_is_in_use_is_one_sentence(tmp_path, command, option):
    """Plain files are mapped: what is cut off is gone from the memory of the program too."""
    many = np.zeros((4000, 4, 6), "u1")
    folder = idx_folder(
        tmp_path / "d",
        images=idx(many),
        labels=idx(np.zeros(4000, "u1")),
        pack=lambda good: good.replace(LABELS.tobytes(), bytes(5)),
    )
    command = [
        trainer(NETWORK.replace("[1, 6, 4]", "[1, 4, 6]")),
        command,
        "--data",
        folder,
        option,
        "1000000",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        while f"{folder}/train-images" not in Path(f"/proc/{running.pid}/maps").read_text():
            assert running.poll() is None
        os.truncate(folder / "train-images-idx3-ubyte", 5000)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 1
    assert told == f"trainer: error: a file of {folder} was cut off while it was in use\n"
