#!/usr/bin/env python3
"""patches.net in PyTorch, with weights that go both ways:

    python3 patches.py test WEIGHTS
    python3 patches.py train WEIGHTS NEW_WEIGHTS
"""
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + F.relu(self.conv(x))


class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.block = Residual(8)
        self.fc = nn.Linear(288, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        return self.fc(self.block(x).flatten(1))


def read(split):
    """Images, normalised as patches.net says, and labels."""
    pixels = np.frombuffer(
        Path("data", f"{split}-images-idx3-ubyte").read_bytes(), np.uint8, offset=16
    )
    labels = np.frombuffer(
        Path("data", f"{split}-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8
    )
    images = torch.from_numpy(pixels.reshape(-1, 1, 14, 14).copy()).float() / 255
    return (images - 0.5) / 0.25, torch.from_numpy(labels.astype("int64"))


def test(model):
    images, labels = read("t10k")
    model.eval()
    with torch.no_grad():
        logits = model(images)
    right = (logits.argmax(1) == labels).sum().item()
    loss = F.cross_entropy(logits, labels)
    percent = 100 * right / len(labels)
    print(f"test loss {loss:.6f}, accuracy {percent:.2f} % ({right} of {len(labels)})")


def train(model):
    images, labels = read("train")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for start in range(0, len(images), 32):
        optimizer.zero_grad()
        F.cross_entropy(model(images[start : start + 32]), labels[start : start + 32]).backward()
        optimizer.step()


def main(arguments):
    if (
        len(arguments) < 2
        or arguments[0] not in ("test", "train")
        or len(arguments) != (2 if arguments[0] == "test" else 3)
    ):
        sys.exit(
            "usage: python3 patches.py test WEIGHTS\n"
            "       python3 patches.py train WEIGHTS NEW_WEIGHTS"
        )
    model = Patches()
    model.load_state_dict(load_file(arguments[1]))
    if arguments[0] == "test":
        test(model)
    else:
        train(model)
        save_file(model.state_dict(), arguments[2])


if __name__ == "__main__":
    main(sys.argv[1:])
