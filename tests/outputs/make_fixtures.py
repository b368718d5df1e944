#!/usr/bin/env python3
"""Makes heads.safetensors, with which test_outputs.py compares: PyTorch takes four steps in float64
on the images of tests/parity/data, with several losses.  Needs PyTorch (CPU):

    python3 tests/outputs/make_fixtures.py
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


class Head(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc = nn.Linear(4 * channels, 10)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(x, 2).flatten(1))


class Aux2(Head):
    def __init__(self):
        super().__init__(4)
        self.conv = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        return super().forward(F.relu(self.conv(x)))


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.aux1 = nn.Conv2d(1, 8, 3, stride=2, padding=1), Head(8)
        self.conv2, self.aux2 = nn.Conv2d(8, 8, 3, padding=1), Aux2()
        self.head, self.last = Head(8), nn.Linear(10, 10)

    def forward(self, x):
        features = F.relu(self.conv1(x))
        x = F.relu(self.conv2(features))
        scaled = torch.tanh(self.head(x))
        return self.last(scaled), self.aux1(features), self.aux2(x), scaled, features


def losses_of(outputs, labels):
    last, aux1, aux2, scaled, _ = outputs
    own = F.cross_entropy(last, labels) + 0.1 * F.cross_entropy(scaled, labels)
    return own, own + 0.3 * F.cross_entropy(aux1, labels, label_smoothing=0.1) + (
        0.4 * F.mse_loss(aux2, F.one_hot(labels, 10).double())
    )


def main():
    model = Heads().double()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = initial_state(shapes)
    model.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    images, labels = images_and_labels()
    images = (torch.from_numpy(images.copy()).double() / 255 - 0.1307) / 0.3081
    labels = torch.from_numpy(labels.astype("i8"))
    with torch.no_grad():
        outputs = model(images[:5])
    made = {
        name: outputs[i].numpy().astype("f4")
        for name, i in (("last", 0), ("scaled", 3), ("features", 4))
    }
    losses = []
    for start in range(0, STEPS * BATCH, BATCH):
        optimizer.zero_grad()
        _, loss = losses_of(model(images[start : start + BATCH]), labels[start : start + BATCH])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    made["losses"] = np.array(losses)
    made |= {f"final.{key}": value.numpy() for key, value in model.state_dict().items()}
    with torch.no_grad():
        made["evaluated"] = losses_of(model(images), labels)[0].numpy()
    write_safetensors(HERE / "heads.safetensors", made)
    print(losses)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
