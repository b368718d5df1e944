#!/usr/bin/env python3
"""Makes the fixtures that test_parity.py compares with.  Needs PyTorch 2.13
(CPU), numpy, and MNIST in $MNIST_DIR or data/mnist:

    python3 tests/parity/make_fixtures.py

Each network is written out as a PyTorch user would, with parameter names that
must equal those of models/*.net, and trained for 20 steps on one thread, in
float32; densenet in float64.  There, a value that rounding takes across relu's
kink moves sums that nearly cancel: PyTorch's own float32 gradients are up to
5e-4 of a tensor's norm from its float64 ones, and after 20 steps its running
statistics up to 2e-3, so that float32 is no measure.  The files made:

    data/                       the first 1248 training and 64 test images, as MNIST's own files:
                                19 batches of 64 and a last one of 32
    NAME.gradient.safetensors   the gradients of the first step
    NAME.final.safetensors      the state after 20 steps
    NAME.json                   the 20 losses; the loss and accuracy on the 64 test images

Initial weights come from harness.drawn_state and are not stored.
"""
import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402

IMAGES, TEST_IMAGES, BATCH, SEED = 1248, 64, 64, 1
PRECISION = {"densenet": torch.float64}  # the others: torch.float32


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(784, 512), nn.Linear(512, 256), nn.Linear(256, 128)
        self.l4, self.l5 = nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        for layer in (self.l1, self.l2, self.l3, self.l4):
            x = F.relu(layer(x))
        return self.l5(x)


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.fc = nn.Linear(320, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc(x.flatten(1))


class InceptionA(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branch1x1 = nn.Conv2d(channels, 16, 1)
        self.branch5x5_1 = nn.Conv2d(channels, 16, 1)
        self.branch5x5_2 = nn.Conv2d(16, 24, 5, padding=2)
        self.branch3x3_1 = nn.Conv2d(channels, 16, 1)
        self.branch3x3_2 = nn.Conv2d(16, 24, 3, padding=1)
        self.branch3x3_3 = nn.Conv2d(24, 24, 3, padding=1)
        self.branch_pool = nn.Conv2d(channels, 24, 1)

    def forward(self, x):
        return torch.cat(
            [
                self.branch1x1(x),
                self.branch5x5_2(self.branch5x5_1(x)),
                self.branch3x3_3(self.branch3x3_2(self.branch3x3_1(x))),
                self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1)),
            ],
            1,
        )


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.incep1 = nn.Conv2d(1, 10, 5), InceptionA(10)
        self.conv2, self.incep2 = nn.Conv2d(88, 20, 5), InceptionA(20)
        self.fc = nn.Linear(1408, 10)

    def forward(self, x):
        x = self.incep1(F.relu(F.max_pool2d(self.conv1(x), 2)))
        x = self.incep2(F.relu(F.max_pool2d(self.conv2(x), 2)))
        return self.fc(x.flatten(1))


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.rblock1 = nn.Conv2d(1, 16, 5), ResidualBlock(16)
        self.conv2, self.rblock2 = nn.Conv2d(16, 32, 5), ResidualBlock(32)
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = self.rblock1(F.max_pool2d(F.relu(self.conv1(x)), 2))
        x = self.rblock2(F.max_pool2d(F.relu(self.conv2(x)), 2))
        return self.fc(x.flatten(1))


class DenseLayer(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return self.conv(F.relu(self.norm(x)))


class Transition(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0 = nn.Conv2d(1, 24, 3, padding=1, bias=False)
        self.block1 = nn.ModuleList(DenseLayer(24 + 12 * i, 12) for i in range(4))
        self.transition1 = Transition(72)
        self.block2 = nn.ModuleList(DenseLayer(36 + 12 * i, 12) for i in range(4))
        self.norm, self.fc = nn.BatchNorm2d(84), nn.Linear(84, 10)

    def forward(self, x):
        x = self.conv0(x)
        for layer in self.block1:
            x = torch.cat([x, layer(x)], 1)
        x = self.transition1(x)
        for layer in self.block2:
            x = torch.cat([x, layer(x)], 1)
        return self.fc(F.relu(self.norm(x)).mean((2, 3)))


NETWORKS = {"mlp": MLP, "cnn": CNN, "inception": Inception, "resnet": ResNet, "densenet": DenseNet}


# ------------------------------------------------------------------- data


def read_idx(stem, count):
    """The first `count` records of an IDX file, without its header."""
    folder = Path(os.environ.get("MNIST_DIR", HERE.parent.parent / "data" / "mnist"))
    path = folder / stem if (folder / stem).exists() else folder / f"{stem}.gz"
    data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    rank = data[3]
    dims = [count, *np.frombuffer(data, ">i4", rank, 4)[1:]]
    return np.frombuffer(data, np.uint8, int(np.prod(dims)), 4 + 4 * rank).reshape(dims)


def write_idx(stem, array):
    (HERE / "data").mkdir(exist_ok=True)
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    # mtime 0 and no name: the same bytes whenever it is made.
    with open(HERE / "data" / f"{stem}.gz", "wb") as out, gzip.GzipFile(
        "", "wb", 9, out, 0
    ) as packed:
        packed.write(header + array.tobytes())


def prepare(images, precision):
    return ((torch.from_numpy(images.copy()).to(precision) / 255 - 0.1307) / 0.3081).unsqueeze(1)


# ---------------------------------------------------------------- training


def numpy_state(tensors):
    """Counters stay whole; the rest is stored as float32, whatever it was computed in."""
    return {
        name: tensor.detach().numpy().astype("<f4" if tensor.is_floating_point() else "<i8")
        for name, tensor in tensors
    }


def make(name, images, labels, test_images, test_labels):
    precision = PRECISION.get(name, torch.float32)
    images, test_images = prepare(images, precision), prepare(test_images, precision)
    model = NETWORKS[name]().to(precision)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = harness.drawn_state(shapes, SEED)
    model.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    losses = []
    for start in range(0, IMAGES, BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images[start : start + BATCH]), labels[start : start + BATCH])
        loss.backward()
        if start == 0:
            gradients = numpy_state((key, value.grad) for key, value in model.named_parameters())
            harness.write_safetensors(HERE / f"{name}.gradient.safetensors", gradients)
        optimizer.step()
        losses.append(loss.item())
    harness.write_safetensors(
        HERE / f"{name}.final.safetensors", numpy_state(model.state_dict().items())
    )
    model.eval()
    with torch.no_grad():
        logits = model(test_images)
    told = {
        "torch": torch.__version__,
        "losses": losses,
        "test_loss": F.cross_entropy(logits, test_labels).item(),
        "test_accuracy": (logits.argmax(1) == test_labels).float().mean().item(),
    }
    (HERE / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")
    print(name, losses[0], losses[-1], told["test_accuracy"])


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    arrays = {}
    for stem, count in (
        ("train-images-idx3-ubyte", IMAGES),
        ("train-labels-idx1-ubyte", IMAGES),
        ("t10k-images-idx3-ubyte", TEST_IMAGES),
        ("t10k-labels-idx1-ubyte", TEST_IMAGES),
    ):
        arrays[stem] = read_idx(stem, count)
        write_idx(stem, arrays[stem])
    images, labels, test_images, test_labels = arrays.values()
    for name in NETWORKS:
        make(
            name,
            images,
            torch.from_numpy(labels.astype("i8")),
            test_images,
            torch.from_numpy(test_labels.astype("i8")),
        )


if __name__ == "__main__":
    main()
