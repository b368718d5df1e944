#!/usr/bin/env python3
"""Makes own.safetensors, with which test_own.py compares: PyTorch takes four steps in float64 with
the losses of own.net.  Needs PyTorch (CPU):

    python3 tests/losses/make_fixtures.py
"""
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import write_safetensors  # noqa: E402
from losses.own_data import BATCH, STEPS, arrays, initial_state  # noqa: E402


def losses_of(state, x, box, label, y, size):
    h = torch.tanh(F.linear(x, state["fc1.weight"], state["fc1.bias"]))
    q = F.linear(h, state["grid.weight"], state["grid.bias"]).reshape(-1, 3, 5)
    p = F.linear(h, state["fc2.weight"], state["fc2.bias"])
    detect = F.smooth_l1_loss(p[:, :4], box) + 2 * F.cross_entropy(p[:, 4:], label)
    grid = (q[:, 0, ::2] - y[:, 0, ::2]).abs().mean((1,))
    grid = grid + (torch.sigmoid(q[:, 1:, -2:]) * y[:, 1:, -2:]).sum((1, 2))
    grid = grid + 0.1 * q[:, 2, 1] ** 2 * y[:, -1, 1]
    apart = [(q[:, 0] - q[:, i]).norm(dim=1) for i in (1, 2)]
    near = F.relu(apart[0] - apart[1] + 0.5)
    both = (p[:, :6] * x).mean(1) + (q[:, :, 1:3].mean((1, 2)) + p[:, 5] - size) ** 2
    return detect + 0.5 * grid.mean() + 0.3 * near.mean() + both.mean()


def main():
    given = {key: torch.from_numpy(np.array(value)) for key, value in arrays().items()}
    given = {key: v if key == "label" else v.double() for key, v in given.items()}
    state = {
        key: torch.from_numpy(np.array(value)).double().requires_grad_()
        for key, value in initial_state().items()
    }
    optimizer = torch.optim.SGD(state.values(), lr=0.1)
    losses = []
    for start in range(0, STEPS * BATCH, BATCH):
        optimizer.zero_grad()
        loss = losses_of(state, *(value[start : start + BATCH] for value in given.values()))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    made = {f"final.{key}": value.detach().numpy() for key, value in state.items()}
    write_safetensors(HERE / "own.safetensors", made | {"losses": np.array(losses)})
    print(losses)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
