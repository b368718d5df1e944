"""What make_resnet18_cifar.py and test_resnet18_cifar.py share: the images, and
what is kept of a tensor.

Eleven million weights are too many to store, so none are: first weights come
from harness.drawn_state, images from here, and of each tensor the fixture keeps
its norm, its projection on a drawn vector of signs, and some of its elements.
The norm and the projection see every element; the elements say where a
difference lies.
"""
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
FIXTURE = HERE / "resnet18_cifar.safetensors"
LOSSES = HERE / "resnet18_cifar.json"

SEED, BATCH, STEPS, SAMPLES = 1, 16, 20, 256
# The network's own recipe but for its augmentation, which is another stream of
# random numbers there and here.
RECIPE = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def drawn_images():
    """Coarse random colours under noise, and labels: enough for every step to see new ones."""
    random, count = np.random.RandomState(SEED), BATCH * STEPS
    coarse = random.randint(0, 192, (count, 3, 4, 4)).repeat(8, 2).repeat(8, 3)
    return (coarse + random.randint(0, 64, (count, 3, 32, 32))).astype("u1"), random.randint(
        0, 10, count
    ).astype("u1")


def write_cifar10(folder):
    """The images as CIFAR-10's files, in order; as few test images as there may be."""
    images, labels = drawn_images()
    records = np.concatenate([labels[:, None], images.reshape(len(images), -1)], 1)
    for i, part in enumerate(np.array_split(records, 5)):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(part.tobytes())
    (folder / "test_batch.bin").write_bytes(records[:1].tobytes())
    return folder


def kept(name, tensor):
    """(norm, projection), elements."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    flat = np.asarray(tensor, "f8").ravel()
    signs = random.randint(0, 2, flat.size) * 2 - 1
    positions = random.randint(0, flat.size, min(SAMPLES, flat.size))
    return np.array([np.linalg.norm(flat), signs @ flat]), flat[positions].astype("f4")
