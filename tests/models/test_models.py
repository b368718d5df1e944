"""The networks in models/: their sizes, their names equal to PyTorch's, and
that they learn."""
import json
import re
from pathlib import Path

import numpy as np
import pytest

from harness import (
    AS_USERS,
    MODELS,
    ROOT,
    TUTORIALS,
    check_text,
    netc,
    rarely,
    read_log,
    read_safetensors,
    run,
    trainer,
)
from runs import few_images

# Trained parameters, and what each flatten gives.
SIZES = {
    "mlp": (575050, [784]),
    "cnn": (8490, [320]),
    "inception": (97298, [1408]),
    "resnet": (41514, [512]),
    "densenet": (46210, [84]),
    "lenet5": (61706, [120]),
    "resnet18": (11689512, [512]),
    "resnet18_cifar": (11173962, [512]),
    "resnet50": (25557032, [2048]),
    "vgg11_cifar": (9231114, [512]),
    "vgg16": (138357544, [25088]),
    "googlenet": (6624904, [1024]),
    "mobilenet_v2": (3504872, [1280]),
    "efficientnet_b0": (5288548, [1280]),
    "densenet121": (7978856, [1024]),
    "convnext_tiny": (28589128, [768]),
    "unet": (17263042, []),
    "char_lstm": (181700, []),
    "unet_transposed": (31037698, []),
    "resnext50_32x4d": (25028904, [2048]),
    "inception_v3": (27161264, [768, 2048]),
    "mobilenet_v3_small": (2542856, [576]),
    "shufflenet_v2_x1_0": (2278604, [1024]),
    "regnet_y_400mf": (4344144, [440]),
    "vit_b_16": (86567656, [768, 768]),
    "swin_t": (
        28288354,
        2 * [39, 147] + 2 * [78, 294] + 6 * [156, 588] + 2 * [312, 1176],
    ),
    "mlp_mixer": (59880472, [768]),
    "gpt": (10745088, []),
    "bert": (85054464, []),
    "llama": (1100048384, []),
    "siamese": (11432897, [512, 512]),
    "dcgan_generator": (3576704, []),
    "m5": (26915, [64]),
    "ds_cnn": (23756, [64]),
    "resnet8": (78186, [64]),
}

# Not trained on pictures of 32 × 32: they take something else, or larger ones only.
OTHER_INPUTS = {
    "inception_v3",
    "vit_b_16",
    "swin_t",
    "gpt",
    "bert",
    "llama",
    "siamese",
    "dcgan_generator",
    "m5",
    "ds_cnn",
}
PICTURES = sorted(set(SIZES) - set(TUTORIALS) - OTHER_INPUTS)

# PyTorch's module makes its parameters in another order than it uses them in.
IN_ANOTHER_ORDER = {"bert", "llama", "swin_t"}

IMAGES = 16  # as many as a batch: every step sees the same ones
STEPS = 12


def file_of(model):
    return MODELS / f"{model}.net"


def summary(model):
    return json.loads(netc("summary", "--json", file_of(model)).stdout)


def test_every_model_is_listed_here():
    assert {path.stem for path in MODELS.glob("*.net")} == set(SIZES)


@pytest.mark.parametrize("model", SIZES)
def test_sizes(model):
    told, (parameters, flattens) = summary(model), SIZES[model]
    assert told["parameters"] == parameters
    assert [
        layer["out"][0] for layer in told["layers"] if layer["operator"] == "flatten"
    ] == flattens


@pytest.mark.parametrize("model", ["mlp", "cnn", "inception", "resnet", "densenet"])
def test_state_is_pytorchs_state_dict(model):
    final = read_safetensors(ROOT / "tests" / "parity" / f"{model}.final.safetensors")
    state = summary(model)["state"]
    assert [(entry["name"], entry["shape"]) for entry in state] == [
        (name, list(array.shape)) for name, array in final.items()
    ]
    types = {"F32": "float32", "I64": "int64"}
    assert [types[entry["dtype"]] for entry in state] == [
        str(array.dtype) for array in final.values()
    ]


# NAME.params is the state_dict of torchvision's model of that name, or of the one that the
# model's first lines name: a line per tensor, its name and shape; swin_t's is without
# relative_position_index.
@pytest.mark.parametrize(
    "listing", sorted(Path(__file__).parent.glob("*.params")), ids=lambda path: path.stem
)
def test_state_is_pytorchs_models(listing):
    state = summary(listing.stem)["state"]
    order = sorted if listing.stem in IN_ANOTHER_ORDER else list
    assert order(f"{entry['name']} {entry['shape']}" for entry in state) == order(
        listing.read_text().splitlines()
    )


@pytest.mark.parametrize("model", ["resnet18_cifar", "vgg11_cifar"])
def test_models_for_cifar_carry_the_usual_recipe(model):
    text = file_of(model).read_text()
    for line in (
        "data      cifar10",
        "normalize mean=[0.4914, 0.4822, 0.4465], std=[0.2470, 0.2435, 0.2616]",
        "augment   random_crop(32, padding=4), horizontal_flip",
        "momentum=0.9, weight_decay=5e-4)",
        "schedule  cosine",
    ):
        assert line in text


def test_the_table_of_models():
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]* \| ([^|]*) ?\| (\d+(?: × \d+)*) \| ([\d,]+) \| ([\d.]+) M \|$",
        (MODELS / "README.md").read_text(),
        re.M,
    )
    assert {name for name, *_ in rows} == {path.stem for path in MODELS.glob("*.net")}
    for name, data, shape, parameters, millions in rows:
        told = summary(name)
        text = (MODELS / f"{name}.net").read_text()
        assert re.search(r"^    input \[(.*)\]", text, re.M)[1] == shape.replace(" ×", ",")
        assert told["parameters"] == int(parameters.replace(",", ""))
        digits = len(millions.partition(".")[2])
        assert f"{told['multiply_adds'] / 1e6:.{digits}f}" == millions, name
        said = data.strip().lower().replace("-", "")
        assert f"data      {said}\n" in text if said else "train {" not in text


@pytest.mark.parametrize("model", TUTORIALS)
def test_every_tutorial_model_has_the_tutorials_settings(model):
    text = file_of(model).read_text()
    for line in (
        "data      mnist",
        "normalize mean=0.1307, std=0.3081",
        "optimizer sgd(lr=0.01, momentum=0.5)",
        "batch     64",
        "epochs    10",
    ):
        assert line in text


# ------------------------------------------------------------- learning


def to_learn(model, lr):
    """The model on CIFAR-10's images, with a train section of its own; U-Net's
    mask is averaged to logits, and an image's rows are steps of a sequence."""
    text = re.sub(r"\ntrain \{.*\n\}\n", "", file_of(model).read_text(), flags=re.S)
    network = text.index("\nnetwork ")
    body = re.sub(r" *-> \[[0-9 ,]*\]", "", text[network:])  # shapes of the full size
    body = re.sub(r"input \[(\d+), \d+, \d+\]", r"input [\1, 32, 32]", body).replace(
        "linear(1000)", "linear(10)"
    )
    if model == "char_lstm":
        first = re.search(r" *input .*\n.*embedding.*\n", body)[0]
        body = body.replace(first, "    input [3, 32, 32]\n    reshape([96, 32])\n")
        body = body.replace("linear(100)", "slice(-1)\n    flatten\n    linear(10)")
    if model.startswith("unet"):
        body = re.sub(
            r"conv2d\(2, 1\) +as outc.conv",
            "conv2d(10, 1) as outc.conv\n    adaptive_avg_pool2d(1)\n    flatten",
            body,
        )
    train = f"""
train {{
    data cifar10
    loss cross_entropy
    optimizer sgd(lr={lr}, momentum=0.9)
    batch {IMAGES}
    epochs {STEPS}
}}
"""
    return text[:network] + body + train


def draw_cifar10(folder):
    """Random images in CIFAR-10's files: a label and 3 × 32 × 32 bytes each."""
    random = np.random.default_rng(1)
    folder.mkdir()
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        count = IMAGES // 5 + (name < f"data_batch_{IMAGES % 5 + 1}")
        records = random.integers(256, size=(count, 1 + 3 * 32 * 32), dtype=np.uint8)
        records[:, 0] %= 10
        (folder / name).write_bytes(records.tobytes())
    return folder


def losses(source, data, tmp_path, *options, steps=STEPS):
    log = tmp_path / "log.jsonl"
    words = ["train", "--data", data, "--max-steps", steps, "--quiet", "--log", log]
    run(trainer(source, *options, compiler=AS_USERS), *words)
    return [event["loss"] for event in read_log(log) if event["event"] == "step"]


@pytest.mark.parametrize("model", PICTURES)
def test_the_slow_tests_networks_are_right(model, tmp_path):
    """They are trained by `make test-slow` alone; that they compile shows here."""
    check_text(to_learn(model, 0.01), tmp_path, expect=0)


def falls(told):
    third = len(told) // 3
    return sum(told[-third:]) < sum(told[:third])


# tests/parity trains the larger ones, for 20 steps.
@pytest.mark.parametrize(
    "model",
    [rarely(name) if name in ("inception", "resnet", "densenet") else name for name in TUTORIALS],
)
def test_tutorial_models_learn(model, tmp_path):
    source = file_of(model)
    images = few_images(source.read_text(), 64)
    assert falls(losses(source, images, tmp_path, steps=30))
