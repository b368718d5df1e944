#!/usr/bin/env python3
"""Makes the fixture that test_resnet18_cifar.py compares with: 20 steps of
models/resnet18_cifar.net's recipe, without augmentation, in PyTorch 2.13 (CPU).

    python3 tests/parity/make_resnet18_cifar.py

The numbers kept are of float64.  It also trains in float32 and prints how far
PyTorch strays from itself.  The files made:

    resnet18_cifar.json             the 20 losses
    resnet18_cifar.safetensors      of every tensor, its gradient in the first step as gradient.NAME
                                    and its final value as final.NAME; resnet18_cifar.py says what
                                    is kept
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402
from parity import resnet18_cifar as shared  # noqa: E402


class BasicBlock(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        before = 64
        for i, channels in enumerate((64, 128, 256, 512)):
            first = BasicBlock(before, channels, 1 if i == 0 else 2)
            setattr(self, f"layer{i + 1}", nn.Sequential(first, BasicBlock(channels, channels, 1)))
            before = channels
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean((2, 3)))


def train(dtype, steps=shared.STEPS):
    """The losses, the first gradients and the final state."""
    model = ResNet18().to(dtype)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state = harness.drawn_state(shapes, shared.SEED)
    model.load_state_dict(
        {name: torch.from_numpy(np.array(tensor)) for name, tensor in state.items()}
    )
    images, labels = shared.drawn_images()
    mean, std = (
        torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
        for values in (shared.MEAN, shared.STD)
    )
    images = ((torch.from_numpy(images).double() / 255 - mean) / std).to(dtype)
    labels = torch.from_numpy(labels.astype("i8"))
    optimizer = torch.optim.SGD(model.parameters(), **shared.RECIPE)
    losses = []
    for start in range(0, steps * shared.BATCH, shared.BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(
            model(images[start : start + shared.BATCH]), labels[start : start + shared.BATCH]
        )
        loss.backward()
        if start == 0:
            gradients = {
                name: value.grad.numpy().copy() for name, value in model.named_parameters()
            }
        optimizer.step()
        losses.append(loss.item())
    return losses, gradients, {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def relative(a, b):
    return float(np.linalg.norm(a.astype("f8") - b) / max(np.linalg.norm(b), 1e-30))


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    losses, gradients, final = train(torch.float64)
    losses32, gradients32, final32 = train(torch.float32)
    print(
        "float32 from float64: losses",
        max(abs(a / b - 1) for a, b in zip(losses32, losses)),
        "gradients",
        max(relative(gradients32[name], gradients[name]) for name in gradients),
        "final",
        max((relative(final32[name], final[name]), name) for name in final),
    )
    print(losses)
    tensors = {}
    for part, values in ("gradient", gradients), ("final", final):
        for name, tensor in values.items():
            tensors[f"{part}.{name}"], tensors[f"{part}.{name}.elements"] = shared.kept(
                name, tensor
            )
    harness.write_safetensors(shared.FIXTURE, tensors)
    shared.LOSSES.write_text(
        json.dumps({"torch": torch.__version__, "losses": losses}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
