"""Training against PyTorch, number by number: the fixtures hold what PyTorch
2.13 computed from the same weights and images (make_fixtures.py says how)."""
import json

import numpy as np
import pytest

from pathlib import Path
from harness import MODELS, drawn_state, netc, read_log, read_safetensors, run, trainer, write_safetensors

HERE = Path(__file__).resolve().parent
SEED = 1                        # make_fixtures.SEED

LOSS_RTOL = 1e-5                # over the first 10 steps
GRADIENT_RTOL = 1e-4            # of a tensor's norm, after one step
WEIGHT_ATOL = 1e-4              # after 20 steps

NETWORKS = ["mlp", "cnn", "inception", "resnet", "densenet"]
KERNELS = ["specialised", "reference"]
every_network = pytest.mark.parametrize("network", NETWORKS)
both_kernels = pytest.mark.parametrize("kernels", KERNELS)


def initial_weights(network, folder):
    told = json.loads(netc("summary", "--json", MODELS / f"{network}.net").stdout)
    path = folder / "initial.safetensors"
    write_safetensors(path, drawn_state({entry["name"]: entry["shape"] for entry in told["state"]}, SEED))
    return path


def train(network, kernels, folder, *options):
    """One unshuffled epoch over the fixtures' images: 20 steps, the last of 32 images."""
    program = trainer(MODELS / f"{network}.net", f"--kernels={kernels}")
    run(program, "train", "--data", HERE / "data", "--no-shuffle", "--epochs", 1, "--quiet",
        "--init", initial_weights(network, folder), *options)


def expected(network):
    return json.loads((HERE / f"{network}.json").read_text())


def relative(actual, wanted):
    """The error's norm over the wanted tensor's."""
    scale = np.linalg.norm(wanted)
    return np.linalg.norm(actual.astype("f8") - wanted) / scale if scale else np.linalg.norm(actual)


@every_network
@both_kernels
def test_losses_and_weights(network, kernels, tmp_path):
    train(network, kernels, tmp_path, "--save", tmp_path / "w", "--log", tmp_path / "log")
    events = read_log(tmp_path / "log")
    losses = [event["loss"] for event in events if event["event"] == "step"]
    wanted = expected(network)
    assert len(losses) == 20
    assert losses[:10] == pytest.approx(wanted["losses"][:10], rel=LOSS_RTOL)
    epoch, = [event for event in events if event["event"] == "epoch"]
    assert epoch["test_accuracy"] == pytest.approx(wanted["test_accuracy"])
    assert epoch["test_loss"] == pytest.approx(wanted["test_loss"], rel=1e-4)

    final = read_safetensors(HERE / f"{network}.final.safetensors")
    saved = read_safetensors(tmp_path / "w")
    assert list(saved) == list(final)
    for name, tensor in final.items():
        assert saved[name].shape == tensor.shape and saved[name].dtype == tensor.dtype, name
        assert np.abs(saved[name] - tensor).max() <= WEIGHT_ATOL, name


@every_network
@both_kernels
def test_gradients(network, kernels, tmp_path):
    train(network, kernels, tmp_path, "--max-steps", 1, "--save-gradients", tmp_path / "g")
    wanted = read_safetensors(HERE / f"{network}.gradient.safetensors")
    gradients = read_safetensors(tmp_path / "g")
    assert set(gradients) == set(wanted)
    for name, tensor in wanted.items():
        assert gradients[name].shape == tensor.shape, name
        assert relative(gradients[name], tensor) <= GRADIENT_RTOL, name


@pytest.mark.parametrize("network", ["cnn", "densenet"])
def test_saved_weights_load_into_pytorch(network, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file
    import importlib.util
    spec = importlib.util.spec_from_file_location("make_fixtures", HERE / "make_fixtures.py")
    fixtures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixtures)

    train(network, "specialised", tmp_path, "--save", tmp_path / "w.safetensors")
    model = fixtures.NETWORKS[network]()
    model.load_state_dict(load_file(tmp_path / "w.safetensors"))        # strict: every name, every shape
    final = read_safetensors(HERE / f"{network}.final.safetensors")
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.from_numpy(np.array(final[name])).dtype
        assert np.abs(tensor.numpy() - final[name]).max() <= WEIGHT_ATOL, name
