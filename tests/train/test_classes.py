"""What classes are called: the data know it when a network is trained, and the
saved weights say it wherever they are used."""
import json
import struct

import numpy as np
import pytest

from data.test_data import png
from harness import read_safetensors, run, trainer, write_safetensors

NET = """network shades {
    input [1, 4, 4]
    flatten
    linear(%d) as fc
}
train {
    data      "shades"
    loss      cross_entropy
    optimizer sgd(lr=1)
    batch     8
    epochs    30
}
"""
ONE_EPOCH = "train --quiet --epochs 1".split()
SHADES = {"black": 0, "grau und süß": 128, "white": 255}  # in the order of their bytes


def shades(classes=3):
    return trainer(NET % classes)


@pytest.fixture
def folder(tmp_path):
    """Four even images of each shade."""
    for split in "train", "test":
        for name, shade in SHADES.items():
            (tmp_path / "d" / split / name).mkdir(parents=True)
            for i in range(4):
                pixels = np.full((4, 4, 1), np.clip(shade + i - 2, 0, 255), "u1")
                (tmp_path / "d" / split / name / f"{i}.png").write_bytes(png(pixels, 0))
    return tmp_path / "d"


@pytest.fixture
def weights(folder, tmp_path):
    run(shades(), "train", "--data", folder, "--quiet", "--save", tmp_path / "w")
    return tmp_path / "w"


def metadata(path):
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + length]).get("__metadata__", {})


def test_weights_name_the_classes_of_a_folder(weights):
    assert metadata(weights)["class_names"] == "\n".join(SHADES)


def test_predict_says_a_files_class_by_name_without_the_data(folder, weights, tmp_path):
    (tmp_path / "new.png").write_bytes(png(np.full((4, 4, 1), 250, "u1"), 0))
    folder.rename(tmp_path / "gone")
    told = run(shades(), "predict", "--weights", weights, tmp_path / "new.png").stdout
    assert f"{tmp_path}/new.png: white, " in told and "grau und süß " in told


def test_predict_and_test_on_data_say_names(folder, weights):
    told = run(shades(), "predict", "--weights", weights, "--data", folder, "--count", 12).stdout
    assert "test image 0: black, " in told and "(right: black)" in told
    state = read_safetensors(weights)
    wrong = {
        "fc.weight": 0 * state["fc.weight"],
        "fc.bias": np.array([0, 0, 1], "<f4"),
    }  # always white
    write_safetensors(weights, wrong, {"class_names": metadata(weights)["class_names"]})
    told = run(shades(), "test", "--weights", weights, "--data", folder).stdout
    assert "black taken for white: 4" in told and "grau und süß taken for white: 4" in told


def test_weights_without_names_take_the_datas(folder, weights, tmp_path):
    write_safetensors(tmp_path / "bare", read_safetensors(weights))
    assert (
        "test image 0: black"
        in run(shades(), "predict", "--weights", tmp_path / "bare", "--data", folder).stdout
    )
    told = run(
        shades(), "predict", "--weights", tmp_path / "bare", folder / "test" / "white" / "0.png"
    ).stdout
    assert "0.png: 2, " in told


def test_checkpoints_name_them_too_and_go_on(folder, tmp_path):
    run(shades(), *ONE_EPOCH, "--data", folder, "--checkpoint", tmp_path / "c")
    assert metadata(tmp_path / "c")["class_names"] == "\n".join(SHADES)
    files = ["--data", folder, "--resume", tmp_path / "c", "--save", tmp_path / "w"]
    run(shades(), *"train --quiet --epochs 2".split(), *files)
    assert metadata(tmp_path / "w")["class_names"] == "\n".join(SHADES)


def test_data_with_other_classes_are_refused(folder, weights, tmp_path):
    for split in "train", "test":
        (folder / split / "white").rename(folder / split / "ivory")
    for command in "test", "predict":
        told = run(shades(), command, "--weights", weights, "--data", folder, expect=1).stderr
        assert told == (
            f"trainer: error: {folder} calls class 2 ivory, "
            "and the weights were trained to call it white\n"
        )
    # As first weights they are welcome: the new run's classes are its data's.
    files = ["--data", folder, "--init", weights, "--save", tmp_path / "again"]
    run(shades(), *ONE_EPOCH, *files)
    assert metadata(tmp_path / "again")["class_names"] == "black\ngrau und süß\nivory"


def test_a_run_is_not_resumed_on_other_classes(folder, tmp_path):
    run(shades(), *ONE_EPOCH, "--data", folder, "--checkpoint", tmp_path / "c")
    for split in "train", "test":
        (folder / split / "black").rename(folder / split / "dark")
    told = run(shades(), "train", "--data", folder, "--resume", tmp_path / "c", expect=1).stderr
    assert "calls class 0 dark, and the weights were trained to call it black" in told


@pytest.mark.parametrize(
    "names, told",
    [
        ("a\nb", "names 2 classes, and this network has 3"),
        ("a\nb\nc\nd", "names 4 classes"),
        ("", "names 1 classes"),
        ("a\nb\x1b[31m\nc", "has a control character in a class's name"),
    ],
)
def test_false_names_in_a_file(weights, tmp_path, names, told):
    write_safetensors(tmp_path / "false", read_safetensors(weights), {"class_names": names})
    result = run(shades(), "predict", "--weights", tmp_path / "false", tmp_path / "x.png", expect=1)
    assert (
        result.stderr.startswith(f"trainer: error: {tmp_path}/false {told}")
        and result.stderr.count("\n") == 1
    )


def test_a_folder_whose_name_no_file_could_carry(folder):
    (folder / "train").joinpath(b"caf\xe9".decode("utf-8", "surrogateescape")).mkdir()
    assert (
        "has a name that is not UTF-8" in run(shades(), "train", "--data", folder, expect=1).stderr
    )


def idx(path, array):
    path.write_bytes(
        struct.pack(f">{array.ndim + 1}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()
    )


@pytest.mark.parametrize(
    "folder_name, first",
    [("fashion_mnist", "T-shirt/top"), ("kmnist", "o"), ("mnist", None), ("elsewhere", None)],
)
def test_known_sets_are_known_by_their_folders(tmp_path, folder_name, first):
    (tmp_path / folder_name).mkdir()
    for split in "train", "t10k":
        idx(
            tmp_path / folder_name / f"{split}-images-idx3-ubyte",
            np.arange(160, dtype="u1").reshape(10, 4, 4),
        )
        idx(tmp_path / folder_name / f"{split}-labels-idx1-ubyte", np.arange(10, dtype="u1"))
    program = shades(10)
    for name, folder in (f"{tmp_path / folder_name}/", tmp_path), (folder_name, tmp_path):
        if name == "elsewhere":
            continue
        files = ["--data", name, "--save", tmp_path / "w"]
        run(program, *ONE_EPOCH, *files, env={"NET_DATA": str(folder)})
        lines = metadata(tmp_path / "w").get("class_names")
        assert (
            lines is None
            if first is None
            else lines.split("\n")[0] == first and lines.count("\n") == 9
        )


def test_cifar100s_hundred_names(tmp_path):
    program = trainer(
        "network c {\n"
        "    input [3, 32, 32]\n"
        "    flatten\n"
        "    linear(100) as fc\n"
        "}\n"
        "train {\n"
        "    data cifar100\n"
        "    loss cross_entropy\n"
        "    optimizer sgd(lr=0)\n"
        "    batch 4\n"
        "    epochs 1\n"
        "}\n"
    )
    (tmp_path / "cifar100").mkdir()
    for name in "train.bin", "test.bin":
        (tmp_path / "cifar100" / name).write_bytes(bytes([0, 99] + [7] * 3072) * 4)
    run(program, "train", "--quiet", "--save", tmp_path / "w", env={"NET_DATA": str(tmp_path)})
    names = metadata(tmp_path / "w")["class_names"].split("\n")
    assert len(names) == len(set(names)) == 100 and names == sorted(names)
    assert (names[0], names[50], names[99]) == ("apple", "mouse", "worm")
