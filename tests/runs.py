"""The run that the tests of endings, checkpoints and files share: a small
network, a small data set, and a run that is going on; and short runs whose
weights are compared."""
import contextlib
import math
import re
import struct
import subprocess
import time

import numpy as np

from data.test_data import png
from harness import QUICK, made_once, read_safetensors, run, trainer

IMAGES, TESTS, BATCH = 200, 50, 48  # the last batch of an epoch has 8 images
STEPS = math.ceil(IMAGES / BATCH)
LONG = "1000000"  # epochs of a run that somebody ends

# Batch norm for phases, counters and buffers; dropout for random masks; a last
# layer of a width that is no multiple of any vector.
NET = """network small {
    input [1, 12, 12]
    conv2d(6, 3) as conv1
    batch_norm2d as bn1
    relu
    max_pool2d(2)
    dropout(0.2)
    flatten
    linear(10) as fc
}
train {
    data      "digits"
    normalize mean=0.5, std=0.25
    loss      cross_entropy
    optimizer %s
    batch     48
    epochs    3
    schedule  %s
}
"""


def small(optimizer="sgd(lr=0.1, momentum=0.9)", schedule="constant", *options):
    return trainer(NET % (optimizer, schedule), *(options or ["--kernels=reference"]))


def write_idx(path, array):
    path.write_bytes(
        struct.pack(f">{array.ndim + 1}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()
    )


def write_split(folder, name, count, size, classes, numbers):
    """Noise with labels: "train" or "t10k"."""
    write_idx(
        folder / f"{name}-images-idx3-ubyte", numbers.integers(0, 256, (count, size, size), "u1")
    )
    write_idx(folder / f"{name}-labels-idx1-ubyte", numbers.integers(0, classes, count, "u1"))


def write_data(folder, tests=TESTS):
    """The data set's folder."""
    numbers = np.random.default_rng(1)
    for name, count in ("train", IMAGES), ("t10k", tests):
        write_split(folder, name, count, 12, 10, numbers)
    return folder


def blocks_of_noise(shape, count):
    """Images with areas of one value, as written digits have: a maximum may be taken twice."""
    numbers = np.random.default_rng(1)
    there = (shape[0], 1, shape[2])
    return [
        numbers.integers(0, 256, shape, "u1") * numbers.integers(0, 2, there, "u1")
        for _ in range(count)
    ]


def write_pictures(folder, images):
    """By class, as the runtime reads them: grey or coloured."""
    for number, image in enumerate(images):
        path = folder / str(number % 10) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image[..., 0], 0) if image.shape[2] == 1 else png(image, 2))


def few_images(text, count):
    """Training data of ten classes for a network given as text: a folder of images of its size.
    The runtime's own, 70,000 images, take ten times as long to draw as a few steps; only they
    can have two channels, or more than three."""
    channels, height, width = map(int, re.search(r"input \[(\d+), (\d+), (\d+)\]", text).groups())
    if channels not in (1, 3):
        return "synthetic"
    with made_once(f"images-{channels}x{height}x{width}-{count}") as folder:
        if not folder.exists():
            images = blocks_of_noise((height, width, channels), count)
            write_pictures(folder / "test", images[:20])
            write_pictures(folder / "train", images)
    return folder


def train_steps(folder, text, *options, steps=3, images=200, data=None, compiler=QUICK, more=()):
    """The weights that a network's trainer, built with these options, has after a few steps."""
    saved = folder / "trained.safetensors"
    threads = [] if "--threads" in more else ["--threads", 2]
    run(
        trainer(text, *options, compiler=compiler),
        "train",
        "--data",
        data or few_images(text, images),
        "--max-steps",
        steps,
        "--quiet",
        "--save",
        saved,
        *threads,
        *more,
    )
    return read_safetensors(saved)


def train(data, *options, expect=0, **keywords):
    return run(small(), "train", "--data", data, *options, expect=expect, **keywords)


@contextlib.contextmanager
def running(data, *options, **keywords):
    """A run under way, killed at the end if it still is."""
    command = [str(word) for word in (small(), "train", "--data", data, *options)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **keywords
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(condition, process=None, seconds=60):
    """Until it holds; the process must go on meanwhile."""
    until = time.monotonic() + seconds
    while not condition():
        assert (process is None or process.poll() is None) and time.monotonic() < until
        time.sleep(0.01)


def grown(path, size=2000):
    return lambda: path.exists() and path.stat().st_size > size


def images_of_a_grain(program):
    """As many as a vector of the processor has numbers, whatever that is."""
    return int(re.search(r"^grain +(\d+) images$", run(program, "info").stdout, re.M)[1])
