"""Stand-ins for data that are not here: a few examples, drawn, in the files that a network's
`data` line reads, with the shapes and kinds that its inputs and losses want.

Each step sees the same examples, so a loss that is learned falls."""
import re

import numpy as np

from data.test_data import png
from data.test_sources import wav
from harness import netc
from runs import write_split

EXAMPLES = 8
SHAPE = r"\{ (\d), (\d+), (\d+), (\d+), (\d+) \}"
INPUT = re.compile(rf'^    \{{ "(\w+)", {SHAPE}, (\d+), \d+ \}},$', re.M)
TARGET = re.compile(
    rf'^    \{{ (?:"(\w+)"|0), "(\w+)", NET_(CLASSES|NUMBERS), {SHAPE}, '
    r"(\d+), (\d+), (\d+), (\d+), (-?\d+)L, ([^,]+), ([^,]+), (\w+), \w+, \w+ \},$",
    re.M,
)


def shape_of(rank, c, h, w, d):
    return {1: (c,), 2: (c, w), 3: (c, h, w), 4: (c, d, h, w)}[rank]


# What goes by a figure of the test part.
JUDGED = re.compile(r"^    schedule +plateau\b(?!\(monitor=train_)", re.M)


class Wanted:
    """What a network's C says that it takes and is held against."""

    def __init__(self, path):
        emitted = netc("emit", path, "--warn=no-rows-left-out", "-o", "-").stdout
        self.inputs = [
            (name, shape_of(*map(int, shape)), int(numbers))
            for name, *shape, numbers in INPUT.findall(emitted)
        ]
        self.targets = TARGET.findall(emitted)
        assert self.inputs and len(self.targets) == emitted.count(
            ", NET_NUMBERS, {"
        ) + emitted.count(", NET_CLASSES, {"), "the C that is read here is written in another way"
        self.parts = ["train"]
        if JUDGED.search(path.read_text()):
            self.parts.append("test")


def drawn_input(shape, numbers, random):
    if numbers:
        return random.integers(0, numbers, (EXAMPLES, *shape))
    return random.standard_normal((EXAMPLES, *shape)).astype("f4")


def drawn_target(target, random):
    """Of one loss: classes at its positions, or numbers that it may be held against."""
    _, loss, kind, *rest = target
    shape = shape_of(*map(int, rest[:5]))
    classes, positions, step, _ = map(int, rest[5:9])
    low, high, ends = float(rest[10]), float(rest[11]), rest[12] == "true"
    if kind == "CLASSES":
        places = () if positions == 1 else shape[1:] if step > 1 else shape[:-1]
        drawn = random.integers(0, classes, (EXAMPLES, *places))
        if loss == "ctc":  # a few characters; the rest are blanks
            drawn[:, 5:] = 0
        return drawn
    drawn = random.random((EXAMPLES, *shape)).astype("f4")
    if loss == "kl_div":  # probabilities
        return drawn / drawn.sum(axis=1, keepdims=True)
    if ends:
        return np.where(drawn < 0.5, low, high).astype("f4")
    return drawn if low <= high else 2 * drawn - 1


def write_arrays(folder, wanted, random):
    folder.mkdir()
    for part in wanted.parts:
        for name, shape, numbers in wanted.inputs:
            name = "x" if len(wanted.inputs) == 1 else name
            np.save(folder / f"{part}_{name}.npy", drawn_input(shape, numbers, random))
        for target in wanted.targets:
            np.save(folder / f"{part}_{target[0] or 'y'}.npy", drawn_target(target, random))
    return folder


def picture(shape, random):
    """Noise in cells, as wide as a quarter of the picture, and of each pixel."""
    channels, height, width = shape
    cells = random.integers(0, 200, (4, 4, channels))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    pixels = cells[rows][:, columns] + random.integers(0, 56, (height, width, channels))
    return pixels.astype("u1")


def write_picture(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(pixels[..., 0], 0) if pixels.shape[2] == 1 else png(pixels, 2))


def write_pictures(folder, wanted, random):
    """One of each of the first classes.  The others have one that is cut off, which
    `--skip-broken` leaves out: a class has a folder that is not empty."""
    shape = wanted.inputs[0][1]
    classes = int(wanted.targets[0][8]) if wanted.targets else 1
    for number in range(EXAMPLES):
        path = folder / "train" / f"c{number % classes:04}" / f"{number}.png"
        write_picture(path, picture(shape, random))
    for number in range(EXAMPLES, classes):
        path = folder / "train" / f"c{number:04}" / "cut.png"
        path.parent.mkdir()
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def write_masks(folder, wanted, random):
    shape, classes = wanted.inputs[0][1], int(wanted.targets[0][8])
    for number in range(EXAMPLES):
        write_picture(folder / "train" / "images" / f"{number}.png", picture(shape, random))
        mask = picture((1, *shape[1:]), random) // 64 % classes
        write_picture(folder / "train" / "masks" / f"{number}.png", mask)
    return folder


def write_idx(folder, wanted, random):
    folder.mkdir()
    side, classes = wanted.inputs[0][1][-1], 10
    for part, count in ("train", EXAMPLES), ("t10k", 1):
        write_split(folder, part, count, side, classes, random)
    return folder


def write_cifar10(folder, wanted, random):
    folder.mkdir()
    for number in range(6):
        count = 1 if number == 5 else EXAMPLES // 5 + (number < EXAMPLES % 5)
        images = [picture((3, 32, 32), random).transpose(2, 0, 1) for _ in range(count)]
        records = b"".join(bytes([random.integers(10)]) + i.tobytes() for i in images)
        name = "test_batch.bin" if number == 5 else f"data_batch_{number + 1}.bin"
        (folder / name).write_bytes(records)
    return folder


def write_recordings(folder, wanted, random, rate):
    samples, classes = wanted.inputs[0][1][-1], int(wanted.targets[0][8])
    for number in range(max(EXAMPLES, classes)):
        path = folder / "train" / f"c{number % classes:04}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = 0.25 * np.sin(np.arange(samples) * (0.02 + 0.01 * number))
        path.write_bytes(wav((tone + random.normal(0, 0.01, samples))[:, None], rate=rate))
    return folder


def write_table(path, wanted, random, target):
    columns, classes = wanted.inputs[0][1][0], int(wanted.targets[0][8])
    lines = [",".join([*(f"c{i}" for i in range(columns)), target])]
    for number in range(EXAMPLES * max(1, classes)):
        values = [f"{value:.3f}" for value in random.standard_normal(columns)]
        is_class = wanted.targets[0][2] == "CLASSES"
        lines.append(",".join([*values, f"k{number % classes}" if is_class else values[0]]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_text(path, wanted, random):
    """A saying again and again, and each character that the network's alphabet has room for."""
    length, characters = wanted.inputs[0][1][0], wanted.inputs[0][2]
    alphabet = "".join(map(chr, range(48, 48 + characters)))
    path.write_text(alphabet + "like_a_lamp_in_fog:" * (length * EXAMPLES // 16))
    return path


DATA = re.compile(r'^    data +(?:"[^"]*"|(\w+)(?:\("[^"]*"(?:, (\w+)=(\w+))?\))?)$', re.M)
READERS = {
    "arrays": write_arrays,
    "masks": write_masks,
    "audio": write_recordings,
    "csv": write_table,
    "text": write_text,
    "mnist": write_idx,
    "cifar10": write_cifar10,
    None: write_pictures,
}


def stand_in(path, folder):
    """What `--data` is to say for the .net file; written into `folder`, which is there."""
    reader, _, argument = DATA.search(path.read_text()).groups()
    more = [int(argument) if argument.isdigit() else argument] if argument else []
    random = np.random.default_rng(1)
    return READERS[reader](folder / f"data-{reader}", Wanted(path), random, *more)
