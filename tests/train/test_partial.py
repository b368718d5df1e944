"""Weights to start from that are another network's in part, or that another program wrote: what
fits is taken, what does not is told."""
import re

import numpy as np
import pytest

from harness import read_safetensors, write_safetensors
from runs import train, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def begun(data, tmp_path_factory):
    """{name: array} of the network's first weights, which none of them is to equal."""
    path = tmp_path_factory.mktemp("begun") / "w"
    train(data, "--quiet", "--epochs", 0, "--save", path)
    return read_safetensors(path)


def other(weights):
    numbers = np.random.default_rng(5)
    return {
        name: numbers.uniform(0.5, 1, array.shape).astype("f4")
        if array.dtype == "f4"
        else array + 7
        for name, array in weights.items()
    }


def started(data, folder, tensors, *options, expect=0):
    """What the run says, and the weights that it starts with."""
    write_safetensors(folder / "in", tensors)
    words = ["--epochs", 0, "--init", folder / "in", *options, "--save", folder / "out"]
    told = train(data, *words, expect=expect)
    return told, read_safetensors(folder / "out") if expect == 0 else None


def test_what_fits_is_taken_and_the_rest_is_told(data, begun, tmp_path):
    file = other(begun)
    file["fc.weight"] = np.ones((4, 150), "f4")
    del file["conv1.bias"]
    file["extra.weight"] = np.ones((2, 3), "f4")
    file["fc.bias"] = np.ones(10, "i4")
    told, weights = started(data, tmp_path, file, "--partial")
    values = sum(begun[name].size for name in begun if begun[name].dtype == "f4")
    taken = sum(begun[f"{n}"].size for n in ("conv1.weight", "bn1.weight", "bn1.bias"))
    taken += begun["bn1.running_mean"].size + begun["bn1.running_var"].size
    text = re.sub(" +", " ", told.stdout)
    assert f"taken 5 of 8 tensors, {taken} of {values} values" in text
    assert " fc.weight [10, 150] in the file [4, 150]\n" in text
    assert " conv1.bias [6] not in the file\n" in text
    assert " fc.bias [10] in the file [10], of no type for weights\n" in text
    assert "not in this network is\n extra.weight [2, 3]\n" in text
    for name, array in weights.items():
        left = name in ("conv1.bias", "fc.weight", "fc.bias")
        np.testing.assert_array_equal(array, begun[name] if left else file[name])


def test_nothing_that_fits_is_a_mistake(data, tmp_path):
    told, _ = started(data, tmp_path, {"a": np.ones(3, "f4")}, "--partial", expect=1)
    assert "nothing of" in told.stderr and "its first tensor is a" in told.stderr
    told = train(data, "--partial", expect=2)
    assert "--partial needs --init" in told.stderr


def test_a_damaged_tensor_is_not_taken(data, begun, tmp_path):
    file = other(begun)
    file["bn1.weight"][2] = np.nan
    told, _ = started(data, tmp_path, file, "--partial", expect=1)
    assert "bn1.weight[2] is nan" in told.stderr


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: name.replace("conv1.", "conv1._orig_mod."),
    ],
    ids=["parallel", "compiled", "both", "within"],
)
def test_the_words_of_wrappers_and_profilers(rename, data, begun, tmp_path):
    """Whole states, with and without --partial, some of them half as long."""
    file = {rename(name): array for name, array in other(begun).items()}
    file |= {"n_averaged": np.array(3), "module.conv1.total_ops": np.array([1.5])}
    for options in [], ["--partial"]:
        _, weights = started(data, tmp_path, file, "--quiet", *options)
        for name, array in weights.items():
            np.testing.assert_array_equal(array, file[rename(name)])
    half = {
        name: array.astype("f2" if array.dtype == "f4" else "f4") for name, array in file.items()
    }
    _, weights = started(data, tmp_path, half, "--quiet")
    for name, array in weights.items():
        np.testing.assert_array_equal(array, half[rename(name)].astype(array.dtype))


def test_a_name_is_not_taken_twice(data, begun, tmp_path):
    file = other(begun)
    file["module.fc.bias"] = file["fc.bias"] + 1
    told, _ = started(data, tmp_path, file, expect=1)
    assert "module.fc.bias" in told.stderr
