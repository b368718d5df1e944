#!/usr/bin/env python3
"""Makes multihead.safetensors, which test_multihead.py compares with: four steps of PyTorch in
float64 of its network.  Needs PyTorch 2.13 (CPU) and numpy:

    python3 tests/ops/make_multihead.py

The images are tests/parity/data's first, initial weights those of ops.multihead.first_state.
"""
import sys
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import write_safetensors  # noqa: E402
from ops.make_recurrent import records  # noqa: E402
from ops.multihead import BATCH, STEPS, first_state  # noqa: E402


class Network(nn.Module):
    """ops.multihead.NETWORK as a PyTorch user would write it."""

    def __init__(self):
        super().__init__()
        attention = nn.MultiheadAttention
        self.into = nn.Linear(28, 12)
        self.own = attention(12, 3, batch_first=True)
        self.narrow = nn.Linear(12, 7)
        self.cross = attention(12, 2, kdim=7, vdim=7, batch_first=True)
        self.wide = nn.Linear(12, 12)
        self.again = attention(12, 4, bias=False, batch_first=True)
        self.fc = nn.Linear(28 * 12, 10)

    def forward(self, x):
        x = self.into(x)
        hidden = nn.Transformer.generate_square_subsequent_mask(28, dtype=x.dtype)
        x, _ = self.own(x, x, x, attn_mask=hidden, is_causal=True, need_weights=False)
        narrow = self.narrow(x[:, :9])
        x, _ = self.cross(x, narrow, narrow, need_weights=False)
        wide = self.wide(x[:, 2:19])
        x, _ = self.again(x, wide, wide, need_weights=False)
        return self.fc(x.flatten(1))


def main():
    torch.set_num_threads(1)
    count = STEPS * BATCH
    images = torch.from_numpy(records("train-images-idx3-ubyte", count).copy()).double() / 255
    labels = torch.from_numpy(records("train-labels-idx1-ubyte", count).astype("i8"))
    model = Network().double()
    state = first_state({name: tuple(value.shape) for name, value in model.state_dict().items()})
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for start in range(0, count, BATCH):
        optimizer.zero_grad()
        logits = model(images[start : start + BATCH])
        nn.functional.cross_entropy(logits, labels[start : start + BATCH]).backward()
        optimizer.step()
    made = {name: value.numpy() for name, value in model.state_dict().items()}
    write_safetensors(HERE / "multihead.safetensors", made)


if __name__ == "__main__":
    main()
