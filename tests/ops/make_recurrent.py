#!/usr/bin/env python3
"""Makes recurrent.safetensors, which test_recurrent.py compares with: four steps of PyTorch in
float64, for each of its networks.  Needs PyTorch 2.13 (CPU) and numpy:

    python3 tests/ops/make_recurrent.py

The images are tests/parity/data's first, initial weights those of ops.recurrent.first_state,
which are not stored.  Of a layer "gru(7)" the state after the steps is stored under
"gru(7)/recurrent.weight_ih_l0" and so on, in state_dict's order.
"""
import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import write_safetensors  # noqa: E402
from ops.recurrent import BATCH, COMPARED, STEPS, first_state, rows_before  # noqa: E402


class Recurrent(nn.Module):
    """ops.recurrent.network(layer) as a PyTorch user would write it."""

    def __init__(self, layer):
        super().__init__()
        kind, arguments = layer.rstrip(")").split("(")
        size, *options = arguments.split(", ")
        words = {"true": True, "false": False}
        options = dict(option.split("=") for option in options)
        options = {
            key: words[value] if value in words else int(value) if value.isdigit() else value
            for key, value in options.items()
        }
        for name, shape in rows_before(layer).items():
            setattr(self, name, nn.Parameter(torch.empty(shape)))
            options.pop(f"{name}0")
        self.last = options.pop("last", False)
        self.recurrent = getattr(nn, kind.upper())(28, int(size), batch_first=True, **options)
        state = (options.get("proj_size") or int(size)) * (1 + options.get("bidirectional", False))
        self.fc = nn.Linear(state if self.last else 28 * state, 10)

    def forward(self, x):
        begin = [
            getattr(self, name).unsqueeze(1).repeat(1, len(x), 1)
            for name in "hc"
            if hasattr(self, name)
        ]
        y, final = self.recurrent(x, *([tuple(begin)] if len(begin) > 1 else begin))
        if self.last:
            hidden = final[0] if isinstance(final, tuple) else final
            directions = 2 if self.recurrent.bidirectional else 1
            y = torch.cat(list(hidden[-directions:]), 1)
        return self.fc(y.flatten(1))


def records(stem, count):
    data = gzip.open(HERE.parent / "parity" / "data" / f"{stem}.gz").read()
    rank = data[3]
    shape = [count, *np.frombuffer(data, ">i4", rank, 4)[1:]]
    return np.frombuffer(data, np.uint8, int(np.prod(shape)), 4 + 4 * rank).reshape(shape)


def trained(layer, images, labels):
    model = Recurrent(layer).double()
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    state = first_state(shapes)
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for start in range(0, STEPS * BATCH, BATCH):
        optimizer.zero_grad()
        logits = model(images[start : start + BATCH])
        nn.functional.cross_entropy(logits, labels[start : start + BATCH]).backward()
        optimizer.step()
    return {name: value.numpy() for name, value in model.state_dict().items()}


def main():
    torch.set_num_threads(1)
    count = STEPS * BATCH
    images = torch.from_numpy(records("train-images-idx3-ubyte", count).copy()).double() / 255
    labels = torch.from_numpy(records("train-labels-idx1-ubyte", count).astype("i8"))
    tensors = {}
    for layer in COMPARED:
        for name, value in trained(layer, images, labels).items():
            tensors[f"{layer}/{name}"] = value
    write_safetensors(HERE / "recurrent.safetensors", tensors)


if __name__ == "__main__":
    main()
