#!/usr/bin/env python3
"""Makes the fixtures that test_reuse.py compares with.  Needs PyTorch (CPU):

    python3 tests/reuse/make_fixtures.py

Each network is written as a PyTorch user would and takes four steps in float64 on the images of
tests/parity/data.  NAME.safetensors has the losses, the gradients of the first step and the state
after the last.  Initial weights come from harness.drawn_state; those of tensors that no layer
has are drawn here the same way.
"""
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import write_safetensors  # noqa: E402
from reuse.common import BATCH, STEPS, images_and_labels, initial_state  # noqa: E402


class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, stride=2)
        self.norm = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(9 * width, 96), nn.Linear(96, 32)

    def forward(self, x):
        x = F.relu(self.norm(self.conv1(x)))
        x = F.relu(F.max_pool2d(self.conv2(x), 2)).flatten(1)
        return self.fc2(F.relu(self.fc1(x)))


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.hidden, self.head = Encoder(8), nn.Linear(64, 48), nn.Linear(48, 10)

    def forward(self, x):
        x = torch.cat([self.encoder(F.max_pool2d(x, 2)), self.encoder(F.avg_pool2d(x, 2))], 1)
        return self.head(torch.tanh(self.hidden(x)))


class Position(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, 14, 14))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.wpe = Position()
        self.wte, self.mix = nn.Linear(196, 64, bias=False), nn.Linear(64, 64)
        self.turn, self.lm_head = nn.Linear(64, 64), nn.Linear(64, 64)
        self.lm_head.weight = self.mix.weight
        self.classes = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.wte((F.avg_pool2d(x, 2) + self.wpe.weight).flatten(1)))
        for _ in range(3):
            x = torch.tanh(self.mix(x))
        return self.classes(0.5 * self.lm_head(self.turn(x)))


NETWORKS = {"siamese": Siamese, "tied": Tied}


def make(name):
    model = NETWORKS[name]().double()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = initial_state(shapes)
    model.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    images, labels = images_and_labels()
    images = (torch.from_numpy(images.copy()).double() / 255 - 0.1307) / 0.3081
    labels = torch.from_numpy(labels.astype("i8"))
    made, losses = {}, []
    for start in range(0, STEPS * BATCH, BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images[start : start + BATCH]), labels[start : start + BATCH])
        loss.backward()
        if start == 0:
            made |= {f"gradient.{key}": p.grad.numpy() for key, p in model.named_parameters()}
            made = {key: value.copy() for key, value in made.items()}
        optimizer.step()
        losses.append(loss.item())
    made["losses"] = np.array(losses)
    made |= {f"final.{key}": value.numpy() for key, value in model.state_dict().items()}
    write_safetensors(HERE / f"{name}.safetensors", made)
    print(name, losses)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in NETWORKS:
        make(name)
