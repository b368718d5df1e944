"""What make_published.py and test_published.py share: networks as published, how they are made
small, the images, and what is kept of what PyTorch computes.

A network's state must be PyTorch's, name by name and shape by shape.  Then four steps in float64,
of ten classes and on small images where the network allows it, must end where PyTorch's do.
Nothing is dropped at random.  First weights come from harness.drawn_state.  Of a tensor its norm
and its projection on a vector of signs are kept, which see every element.
"""
import hashlib
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness import MODELS, ROOT, drawn_state

HERE = Path(__file__).resolve().parent
FIXTURE = HERE / "published.safetensors"
SEED, STEPS, CLASSES, MOMENTUM = 1, 4, 10, 0.9


class Published(NamedTuple):
    side: int = 0  # of the images, or a text's length; 0: it is not trained here
    batch: int = 4
    rate: float = 0.01  # less where a step would enlarge what rounding leaves a hundredfold
    # What of the file's text is replaced besides, for the smaller images.
    replaced: tuple = ()
    auxiliary: str = ""  # the output of an auxiliary head, which a loss reads
    tied: tuple = ()  # two names of one parameter
    letters: int = 0  # different ones of a text
    quick: bool = False  # in seconds: `make test` trains it


# By file; a number is one of tests/networks.  What says no side has its state compared alone.
NETWORKS = {
    "resnet18": Published(64),
    "resnet50": Published(64, rate=0.0001),
    "vgg16": Published(32),
    "googlenet": Published(64),
    "inception_v3": Published(
        299, 2, replaced=(("InceptionAux(1000)", f"InceptionAux({CLASSES})"),), auxiliary="aux"
    ),
    "densenet121": Published(64),
    "mobilenet_v2": Published(64, rate=0.001),
    "mobilenet_v3_small": Published(64),
    "shufflenet_v2_x1_0": Published(64),
    "efficientnet_b0": Published(64),
    "resnext50_32x4d": Published(64, rate=0.001),
    "regnet_y_400mf": Published(64, rate=0.001),
    "vit_b_16": Published(
        32, rate=0.0001, replaced=(("[1, 197, 768]", "[1, 5, 768]"), ("[197, 768]", "[5, 768]"))
    ),
    "swin_t": Published(224, 2, rate=0.001),
    "030_alexnet": Published(64),
    "033_squeezenet1_1": Published(64, quick=True),
    "041_wide_resnet50_2": Published(64, 2, rate=0.00001),
    "045_mobilenet_v3_large": Published(64),
    "046_mnasnet1_0": Published(64, rate=0.001),
    "049_efficientnet_v2_s": Published(64, 2, rate=0.0001),
    "075_maxvit_t": Published(224, 2),
    "078_deeplabv3_resnet50": Published(),
    "079_lraspp_mobilenet_v3": Published(),
    "vgg11_cifar": Published(32),
    "011_preact_resnet18": Published(32),
    "013_resnext29_2x64d": Published(32, rate=0.001),
    "015_senet18": Published(32),
    "016_dpn26": Published(32),
    "017_simple_dla": Published(32),
    "018_pnasnet_a": Published(32, quick=True),
    "019_regnetx_200mf": Published(32),
    "020_efficientnet_b0_cifar": Published(32),
    "021_shufflenet_g2": Published(32, rate=0.001),
    "gpt": Published(
        32,
        replaced=(("[256]", "[32]"), ("[256, 384]", "[32, 384]")),
        letters=65,
        tied=("transformer.wte.weight", "lm_head.weight"),
    ),
}


def network_path(name):
    return (ROOT / "tests" / "networks" if name[0].isdigit() else MODELS) / f"{name}.net"


# Those that are dropped in the same way by nobody else.
CHANCE = re.compile(r"\b(dropout[123]?d?|drop_path)(\(|(?!\w))")


def end_of(text, at):
    """Behind the bracket that closes the one before `at`."""
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def without_chance(text):
    """The network with nothing dropped."""
    parts, at = [], 0
    while found := CHANCE.search(text, at):
        parts += [text[at : found.start()], found[1], "(0)"]
        at = end_of(text, found.end()) if found[2] else found.end()
    return "".join(parts) + text[at:]


def small_text(name):
    """The network of ten classes for its images here, with a train section."""
    published = NETWORKS[name]
    text = re.sub(r"\ntrain \{.*\n\}\n", "", network_path(name).read_text(), flags=re.S)
    at = text.index("\nnetwork ")
    body = re.sub(r" *-> \[[0-9 ,]*\]", "", text[at:])  # shapes of the full size
    body = re.sub(
        r"input \[(\d+), \d+, \d+\]", rf"input [\1, {published.side}, {published.side}]", body
    )
    text = text[:at] + body
    for old, new in published.replaced:
        assert old in text, (name, old)
        text = text.replace(old, new)
    text = re.sub(r"\b(linear|conv2d)\(1000\b", rf"\1({CLASSES}", without_chance(text))
    data = 'text("text.txt")' if published.letters else '"images"'
    losses = ["loss cross_entropy"]
    if published.auxiliary:
        losses.append(f"loss cross_entropy, output={published.auxiliary}, weight=0.4")
    return f"""{text}
train {{
    data {data}
    {chr(10).join(losses)}
    optimizer sgd(lr={published.rate}, momentum={MOMENTUM})
    batch {published.batch}
    epochs 1
}}
"""


def drawn_text(published):
    """The whole numbers of its characters.  Four steps read its beginning; a tenth is for tests."""
    random, count = np.random.RandomState(SEED), 2 * STEPS * published.batch * published.side
    return np.append(np.arange(published.letters), random.randint(0, published.letters, count))


def drawn_images(published):
    """In the order of their classes, as a folder of them is read; one of each class at least."""
    random, count = np.random.RandomState(SEED), max(CLASSES, STEPS * published.batch)
    coarse = random.randint(0, 192, (count, 3, 8, 8))
    wide = -(-published.side // 8)
    large = coarse.repeat(wide, 2).repeat(wide, 3)[:, :, : published.side, : published.side]
    images = (large + random.randint(0, 64, large.shape)).astype("u1")
    return images, np.sort(np.arange(count) % CLASSES)


def first_state(name, shapes):
    """What a network begins with, of {name: shape}."""
    state = drawn_state(shapes, SEED)
    if NETWORKS[name].tied:
        one, other = NETWORKS[name].tied
        state[one] = state[other]
    return state


def digest_of(state):
    """Of names and shapes, in any order: [(name, shape)]."""
    lines = sorted(f"{name} {list(shape)}" for name, shape in state)
    return np.frombuffer(hashlib.sha256("\n".join(lines).encode()).digest(), "u1")


def kept(name, tensor):
    """The norm, and the projection."""
    flat = np.asarray(tensor, "f8").ravel()
    signs = np.random.RandomState(zlib.crc32(name.encode())).randint(0, 2, flat.size) * 2 - 1
    return np.linalg.norm(flat), signs @ flat


def probes(state):
    """[tensors][norm, projection] of the floating-point ones, by name."""
    return np.array(
        [kept(name, state[name]) for name in sorted(state) if state[name].dtype.kind == "f"]
    )
