"""Writes functions.safetensors: what PyTorch gives for the functions of an element in
function_cases.py and for their gradients, in float64.

    /path/to/python-with-torch tests/ops/make_function_fixtures.py
"""
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import write_safetensors
from ops.function_cases import BUILTIN, LIBRARY, POINTS

F = torch.nn.functional
F.torch = torch
tensors = {"x": POINTS}
for use, function in {**LIBRARY, **BUILTIN}.items():
    x = torch.tensor(POINTS, requires_grad=True)
    y = function(F, x)
    y.sum().backward()
    tensors[f"{use}:y"] = y.detach().numpy()
    tensors[f"{use}:dx"] = x.grad.numpy()
write_safetensors(Path(__file__).with_name("functions.safetensors"), tensors)
