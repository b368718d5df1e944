#!/usr/bin/env python3
"""Makes spectral.safetensors, which test_parametrizations.py compares with: three steps of PyTorch
in float64 of its network of spectral norms, and its logits then.  Needs PyTorch 2.13 (CPU):

    python3 tests/ops/make_spectral.py

The images are tests/parity/data's first, initial weights ops.make_recurrent's.
"""
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import write_safetensors  # noqa: E402
from ops.make_recurrent import records  # noqa: E402
from ops.recurrent import BATCH, first_state  # noqa: E402

STEPS = 3


class Network(nn.Module):
    """test_parametrizations.SPECTRAL as a PyTorch user would write it."""

    def __init__(self):
        super().__init__()
        self.a = spectral_norm(nn.Conv2d(1, 6, 5))
        self.c = spectral_norm(nn.ConvTranspose2d(6, 4, 3, groups=2, bias=False))
        self.d = spectral_norm(nn.Linear(144, 20), n_power_iterations=3)
        self.e = spectral_norm(nn.Conv1d(4, 8, 3))
        self.fc = nn.Linear(24, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.a(x)), 5)
        x = nn.functional.pad(self.c(x), (0, 6, 0, 6)).flatten(2)
        return self.fc(torch.relu(self.e(torch.tanh(self.d(x)[..., :5]))).flatten(1))


def main():
    torch.set_num_threads(1)
    count = STEPS * BATCH
    images = torch.from_numpy(records("train-images-idx3-ubyte", count).copy()).double() / 255
    labels = torch.from_numpy(records("train-labels-idx1-ubyte", count).astype("i8"))
    model = Network().double()
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    state = first_state(shapes)
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for start in range(0, count, BATCH):
        optimizer.zero_grad()
        logits = model(images[start : start + BATCH].unsqueeze(1))
        nn.functional.cross_entropy(logits, labels[start : start + BATCH]).backward()
        optimizer.step()
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    model.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(images.unsqueeze(1)), labels)
    write_safetensors(HERE / "spectral.safetensors", tensors, {"loss": repr(loss.item())})


if __name__ == "__main__":
    main()
