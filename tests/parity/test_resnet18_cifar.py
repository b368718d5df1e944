"""A published network against PyTorch: models/resnet18_cifar.net's own recipe,
but for its augmentation, from the same weights and images.

The bounds are of float64.  Batch normalisation of 16 images at a learning rate
of 0.1 doubles a difference at almost every step: PyTorch's float32 is up to 8e-4
of a norm from its float64 in the first gradients (netc's 1e-3), and 65 % in a loss
of the 20.  So float32 is held to the first step only, and more loosely.  All 20 steps are in
`make test-slow`."""
import json

import numpy as np
import pytest

from harness import (
    COMPUTING,
    MODELS,
    drawn_state,
    netc,
    read_log,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from parity.resnet18_cifar import BATCH, FIXTURE, LOSSES, SEED, kept, write_cifar10

# Of a tensor's norm: of its sums, and of some elements.  In float32 the order of the sums decides,
# and with it the number of lanes: an activation near 0 that changes its sign changes the gradients
# behind it.  With 8 lanes the sums are 1.8e-2 from the fixture's (the reference kernels 5e-3), the
# elements 9e-3 (5e-3); with 16 lanes 4e-3 at most.
RTOL = {"f64": 1e-6, "f32": 2.5e-2}
ELEMENTS_RTOL = {"f64": 1e-5, "f32": 4e-2}
LOSS_RTOL = 1e-6
MODEL = MODELS / "resnet18_cifar.net"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The images and the first weights."""
    folder = write_cifar10(tmp_path_factory.mktemp("images"))
    state = json.loads(netc("summary", "--json", MODEL).stdout)["state"]
    write_safetensors(
        folder / "first", drawn_state({entry["name"]: entry["shape"] for entry in state}, SEED)
    )
    return folder


def losses(given, log, dtype, steps, *options, kernels="specialised"):
    """Of an unshuffled epoch, or of its first steps."""
    program = trainer(MODEL, f"--dtype={dtype}", f"--kernels={kernels}", compiler=COMPUTING)
    words = (
        f"train --no-shuffle --epochs 1 --batch {BATCH} --max-steps {steps} --quiet "
        "--set augment.random_crop.padding=0,0 --set augment.horizontal_flip.p=0"
    ).split()
    files = ["--data", given, "--init", given / "first", "--log", log]
    run(program, *words, *files, *options)
    return [event["loss"] for event in read_log(log) if event["event"] == "step"]


def agree(part, tensors, dtype):
    fixture = read_safetensors(FIXTURE)
    wanted = {
        name: kind
        for kind, name in (key.split(".", 1) for key in fixture)
        if kind == part and not name.endswith(".elements")
    }
    assert set(tensors) == set(wanted)
    for name, tensor in tensors.items():
        sums, elements = kept(name, tensor)
        norm = fixture[f"{part}.{name}"][0]
        expected = fixture[f"{part}.{name}.elements"]
        # About what so many elements have of the norm.
        share = norm * np.sqrt(expected.size / tensor.size)
        assert np.abs(sums - fixture[f"{part}.{name}"]).max() <= RTOL[dtype] * norm, name
        assert np.linalg.norm(elements - expected) <= ELEMENTS_RTOL[dtype] * share, name


# tests/parity/test_parity.py has smaller networks.
@pytest.mark.slow
@pytest.mark.parametrize("dtype", RTOL)
def test_first_step(given, tmp_path, dtype, kernels="specialised"):
    told = losses(
        given, tmp_path / "log", dtype, 1, "--save-gradients", tmp_path / "g", kernels=kernels
    )
    assert told == pytest.approx(json.loads(LOSSES.read_text())["losses"][:1], rel=LOSS_RTOL)
    agree("gradient", read_safetensors(tmp_path / "g"), dtype)


def follow(given, tmp_path, steps):
    """Through `steps` steps in float64."""
    wanted = json.loads(LOSSES.read_text())["losses"]
    told = losses(given, tmp_path / "log", "f64", steps, "--save", tmp_path / "w")
    assert len(told) == steps and told == pytest.approx(wanted[:steps], rel=LOSS_RTOL)
    if steps == len(wanted):
        agree("final", read_safetensors(tmp_path / "w"), "f64")


@pytest.mark.slow
def test_three_steps(given, tmp_path):
    follow(given, tmp_path, 3)
