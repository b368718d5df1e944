"""Every network's gradients against differences of its loss, in float64.  The
reference kernels have their own differences in tests/ops; a whole network on
them takes minutes, so one small one stands for it here.  densenet's gradients
are PyTorch's, in float64 too: tests/parity."""
import pytest

from harness import COMPUTING, MODELS, TUTORIALS, rarely, run, trainer

BATCH = 11  # more than one grain, the last one ragged
SAMPLES = 4  # elements of each parameter: each costs two forward passes


SPECIALISED = [
    rarely(name, "specialised") if name in ("inception", "mlp") else (name, "specialised")
    for name in TUTORIALS
    if name != "densenet"
]


@pytest.mark.parametrize("network, kernels", [*SPECIALISED, rarely("lenet5", "reference")])
def test_gradients(network, kernels):
    options = "--dtype=f64", f"--kernels={kernels}"
    program = trainer(MODELS / f"{network}.net", *options, compiler=COMPUTING)
    told = run(program, "gradcheck", "--batch", BATCH, "--samples", SAMPLES, "--random-init").stdout
    assert " 0 wrong " in told


def test_float32_says_what_to_do():
    assert "--dtype=f64" in run(trainer(MODELS / "cnn.net"), "gradcheck", expect=2).stderr
