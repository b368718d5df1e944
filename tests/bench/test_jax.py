"""The networks that JAX is measured with are PyTorch's.

Needs a Python with both, python3 or $BENCH_PYTHON; torchvision for the large ones."""
import functools
import os
import subprocess

import pytest

from bench.networks import LARGE, NETWORKS, ROOT
from harness import run

PYTHON = os.environ.get("BENCH_PYTHON", "python3")


@functools.cache
def imports(modules):
    return not subprocess.run([PYTHON, "-c", f"import {modules}"], capture_output=True).returncode


@pytest.mark.parametrize("network", NETWORKS)
def test_jax_computes_what_pytorch_does(network, tmp_path):
    needed = "jax, torch, torchvision" if network in LARGE else "jax, torch"
    if not imports(needed):
        pytest.skip("PyTorch and JAX are not installed")
    tests = {"PYTHONPATH": str(ROOT / "tests")}
    run(PYTHON, "-m", "bench.check_jax", network, tmp_path, env=tests)
