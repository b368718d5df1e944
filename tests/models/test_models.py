"""The networks in models/: their sizes, and names equal to PyTorch's."""
import json

import pytest

from harness import MODELS, ROOT, netc, read_safetensors

# Trained parameters, and what each flatten gives.
SIZES = {
    "mlp": (575050, [784]),
    "cnn": (8490, [320]),
    "inception": (97298, [1408]),
    "resnet": (41514, [512]),
    "densenet": (46210, [84]),
    "lenet5": (61706, [120]),
}


def summary(model):
    return json.loads(netc("summary", "--json", MODELS / f"{model}.net").stdout)


def test_every_model_is_listed_here():
    assert {path.stem for path in MODELS.glob("*.net")} == set(SIZES)


@pytest.mark.parametrize("model", SIZES)
def test_sizes(model):
    told, (parameters, flattens) = summary(model), SIZES[model]
    assert told["parameters"] == parameters
    assert [layer["out"][0] for layer in told["layers"] if layer["operator"] == "flatten"] == flattens


@pytest.mark.parametrize("model", ["mlp", "cnn", "inception", "resnet", "densenet"])
def test_state_is_pytorchs_state_dict(model):
    final = read_safetensors(ROOT / "tests" / "parity" / f"{model}.final.safetensors")
    state = summary(model)["state"]
    assert [(entry["name"], entry["shape"]) for entry in state] == [(name, list(array.shape)) for name, array in final.items()]
    types = {"F32": "float32", "I64": "int64"}
    assert [types[entry["dtype"]] for entry in state] == [str(array.dtype) for array in final.values()]


@pytest.mark.parametrize("model", SIZES)
def test_every_model_has_the_tutorials_settings(model):
    text = (MODELS / f"{model}.net").read_text()
    for line in ("data      mnist", "normalize mean=0.1307, std=0.3081", "optimizer sgd(lr=0.01, momentum=0.5)",
                 "batch     64", "epochs    10"):
        assert line in text
