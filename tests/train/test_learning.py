"""Training that cannot learn is refused, and so are answers that are no numbers."""

import re

import numpy as np
import pytest

from harness import check_text, read_log, read_safetensors, run, trainer, write_safetensors
from runs import write_split

NORMED = """network normed {
    input [1, 6, 6]
    adaptive_avg_pool2d(1)
    conv2d(4, 1) as conv
    batch_norm2d as bn
    relu
    flatten
    linear(%(classes)d) as fc
}
train {
    data "digits";  loss %(loss)s;  optimizer sgd(lr=0.1);  batch %(batch)d;  epochs 2
}
"""
IMAGES = 41


def make_data(folder, classes):
    folder.mkdir(exist_ok=True)
    numbers = np.random.default_rng(1)
    for name, count in ("train", IMAGES), ("t10k", 12):
        write_split(folder, name, count, 6, classes, numbers)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data") / "four", 4)


@pytest.fixture(scope="module")
def normed():
    return trainer(
        NORMED % {"classes": 4, "loss": "cross_entropy", "batch": 12}, "--kernels=reference"
    )


def train(program, data, *options, expect=0):
    return run(program, "train", "--data", data, "--threads", 1, *options, expect=expect)


# ------------------------------------------------------ one value to normalise


def test_a_batch_of_one_is_an_error_of_the_program(tmp_path):
    text = NORMED % {"classes": 4, "loss": "cross_entropy", "batch": 1}
    told = check_text(text, tmp_path).stdout + check_text(text, tmp_path).stderr
    assert (
        "error[cannot-learn]" in told
        and "wrong.net:5:5" in told
        and "a batch of two or more" in told
    )
    check_text(text.replace("adaptive_avg_pool2d(1)", "adaptive_avg_pool2d(2)"), tmp_path, expect=0)
    check_text(text.replace("batch 1;", "batch 2;"), tmp_path, expect=0)


@pytest.mark.parametrize(
    "options, told",
    [
        (["--batch", 1], "each step of 41 images in batches of 1 has one: a larger --batch"),
        (
            ["--batch", 20],
            "the last step of 41 images in batches of 20 has one: --batch 19 leaves none alone",
        ),
        (["--batch", 40], "--batch 39"),
        (["--batch", 20, "--max-steps", 3], "the last step"),
    ],
)
def test_a_batch_of_one_is_refused_before_the_first_step(options, told, normed, data, tmp_path):
    refused = train(normed, data, *options, "--save", tmp_path / "w", expect=1)
    assert told in refused.stderr and "bn (batch_norm2d, line 5)" in refused.stderr
    assert refused.stderr.count("\n") == 1 and not (tmp_path / "w").exists()


def test_what_never_comes_to_one_image_trains(normed, data, tmp_path):
    train(normed, data, "--batch", 20, "--max-steps", 2, "--checkpoint", tmp_path / "c")
    train(normed, data, "--batch", 12)
    refused = train(
        normed, data, "--resume", tmp_path / "c", "--batch", 12, "--epochs", 1, expect=1
    )
    assert "the last step" in refused.stderr  # one image is left of the epoch


# ------------------------------------------------------------- one output

ONE = NORMED % {"classes": 1, "loss": "mse", "batch": 12}


def test_cross_entropy_of_one_class_is_an_error(tmp_path):
    result = check_text(ONE.replace("mse", "cross_entropy"), tmp_path)
    assert (
        "error[cannot-learn]: cross_entropy of one class is always 0"
        in result.stdout + result.stderr
    )


def test_one_output_has_no_accuracy(tmp_path):
    data, program = make_data(tmp_path / "one", 1), trainer(ONE, "--kernels=reference")
    shown = train(
        program, data, "--max-steps", 5, "--save", tmp_path / "w", "--log", tmp_path / "log"
    ).stdout
    assert "test loss" in shown and "stopped after step 5" in shown and "accuracy" not in shown
    epochs = [event for event in read_log(tmp_path / "log") if event["event"] == "epoch"]
    assert epochs and all("test_accuracy" not in event for event in epochs)
    tested = run(program, "test", "--weights", tmp_path / "w", "--data", data).stdout
    assert tested.startswith("test loss ") and "(12 images)" in tested and "accuracy" not in tested
    predicted = run(
        program, "predict", "--weights", tmp_path / "w", "--data", data, "--count", 1
    ).stdout
    said, right = re.fullmatch(
        r"test image 0: (\S+) \(target (\d+)\)", predicted.splitlines()[-1]
    ).groups()
    assert float(said) == pytest.approx(1, abs=3) and int(right) < 10


# ------------------------------------------------------------ no numbers


@pytest.fixture(scope="module")
def weights(normed, data, tmp_path_factory):
    saved = tmp_path_factory.mktemp("weights") / "w"
    train(normed, data, "--quiet", "--save", saved)
    return read_safetensors(saved)


@pytest.mark.parametrize(
    "command", [["test", "--weights"], ["predict", "--count", 1, "--weights"], ["train", "--init"]]
)
@pytest.mark.parametrize(
    "name, value, told",
    [
        ("fc.weight", np.nan, "fc.weight[3] is nan"),
        ("bn.running_var", np.inf, "bn.running_var[3] is inf"),
        ("conv.bias", -np.inf, "conv.bias[3] is -inf"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(
    command, name, value, told, normed, data, weights, tmp_path
):
    broken = {key: tensor.copy() for key, tensor in weights.items()}
    broken[name].flat[3] = value
    write_safetensors(tmp_path / "w", broken)
    refused = run(normed, *command, tmp_path / "w", "--data", data, expect=1).stderr
    assert told in refused and str(tmp_path / "w") in refused and refused.count("\n") == 1


def test_doubles_that_no_float_holds_are_refused(normed, data, weights, tmp_path):
    write_safetensors(tmp_path / "w", {**weights, "fc.bias": np.array([0, 1e300, 0, 0])})
    assert (
        "fc.bias[1] is inf"
        in run(normed, "test", "--weights", tmp_path / "w", "--data", data, expect=1).stderr
    )


@pytest.mark.parametrize("command", ["test", "predict"])
def test_answers_that_are_no_numbers_are_told_with_their_layer(
    command, normed, data, weights, tmp_path
):
    large = {
        **weights,
        "bn.weight": np.full(4, 3e38, "f4"),
        "bn.running_var": np.full(4, 1e-6, "f4"),
        "bn.bias": np.ones(4, "f4"),
    }
    write_safetensors(tmp_path / "w", large)
    refused = run(normed, command, "--weights", tmp_path / "w", "--data", data, expect=1).stderr
    assert "the output of" in refused and "is the first that is not finite" in refused


# Infinite of a 0, which no example has: where a batch does not fill a vector's lanes, the rest of
# them hold an example, too.
OF_LOGARITHMS = """\
function logarithm(x) = log(x)
network logarithms {
    input [4]
    logarithm
    linear(3) as fc
}
train {
    data      arrays("nowhere")
    loss      cross_entropy
    optimizer sgd(lr=0.1)
    batch     3
    epochs    1
}
"""


def test_lanes_without_an_example_say_nothing(tmp_path):
    random = np.random.default_rng(3)
    x, y = random.uniform(0.1, 2, (7, 4)).astype("f4"), random.integers(0, 3, 7)
    for name, array in dict(train_x=x, train_y=y, test_x=x, test_y=y).items():
        np.save(tmp_path / f"{name}.npy", array)
    weight, bias, losses = np.zeros((3, 4)), np.zeros(3), []
    write_safetensors(tmp_path / "w", {"fc.weight": weight, "fc.bias": bias})
    for taken in np.split(np.arange(7), [3, 6]):
        logs = np.log(x[taken].astype(float))
        likely = np.exp(logs @ weight.T + bias)
        likely /= likely.sum(1, keepdims=True)
        losses.append(-np.log(likely[np.arange(len(taken)), y[taken]]).mean())
        slope = (likely - np.eye(3)[y[taken]]) / len(taken)
        weight, bias = weight - 0.1 * slope.T @ logs, bias - 0.1 * slope.sum(0)
    program, log = trainer(OF_LOGARITHMS, "--dtype=f64"), tmp_path / "log"
    words = ["--data", tmp_path, "--no-shuffle", "--init", tmp_path / "w", "--log", log]
    run(program, "train", "--quiet", *words)
    found = [event["loss"] for event in read_log(log) if event["event"] == "step"]
    assert found == pytest.approx(losses, rel=1e-9)
