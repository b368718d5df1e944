"""The trainer's bench: that every figure is there and adds up.  How large the
figures are is the machine's affair: nothing is asked of them but that they are
numbers above zero.
"""
import json
import re

import pytest

from harness import MODELS, netc, rarely, run, trainer
from runs import images_of_a_grain

QUICK = ("--steps", 2, "--threads", 2)
NO_TRAIN = """\
network small {
    input [1, 8, 8]
    conv2d(4, 3) as conv
    relu
    flatten
    linear(10) as fc
}
"""


def bench(program, *options):
    return json.loads(run(program, "bench", "--json", *QUICK, *options).stdout)


def layers_of(path):
    return {
        layer["name"]: layer
        for layer in json.loads(netc("summary", path, "--json").stdout)["layers"]
    }


@pytest.mark.parametrize(
    "name, kernels",
    [
        ("cnn", "specialised"),
        rarely("densenet", "specialised"),
        ("lenet5", "specialised"),
        ("mlp", "specialised"),
        ("cnn", "reference"),
    ],
)
def test_every_kernel_is_counted_once(name, kernels):
    told = bench(trainer(MODELS / f"{name}.net", f"--kernels={kernels}"), "--only", "layers")
    assert told["network"] == name and told["threads"] == 2 and told["batch"] == 64
    layers = [
        layer for layer in layers_of(MODELS / f"{name}.net").values() if layer["multiply_adds"]
    ]
    counted = {
        (part["layer"], part["kernel"]): part["multiply_adds"]
        for part in told["parts"]
        if part["multiply_adds"]
    }
    # The first layer's input is the image, which needs no gradient.
    wanted = {
        (layer["name"], kernel): layer["multiply_adds"]
        for index, layer in enumerate(layers)
        for kernel in ("forward", "backward_parameters", "backward_input")
        if index or kernel != "backward_input"
    }
    assert counted == wanted
    assert told["multiply_adds"] == sum(wanted.values())
    assert all(part["seconds"] >= 0 for part in told["parts"]) and any(
        part["seconds"] > 0 for part in told["parts"]
    )


def test_figures_are_in_order():
    told = bench(trainer(MODELS / "cnn.net"))
    for figure in (
        "training_seconds",
        "inference_1_seconds",
        "inference_many_seconds",
        "peak_gflops",
        "share_of_peak",
    ):
        assert 0 < told[figure]["least"] <= told[figure]["median"] <= told[figure]["most"]


def test_one_thread_and_the_table():
    lines = run(
        trainer(MODELS / "cnn.net"), "bench", "--steps", 1, "--threads", 1, "--batch", 16
    ).stdout.splitlines()
    assert lines[0].startswith("cnn: specialised kernels") and "1 thread;" in lines[0]
    assert [line.split()[:3:2] for line in lines[1:4]] == [
        ["training", "16"],
        ["inference", "1"],
        ["inference", "1000"],
    ]
    assert any(
        line.split()[:2] == ["conv2", "backward_input"] and line.endswith("%") for line in lines
    )
    assert lines[-1].split()[0] == "step"


def test_images_of_a_folder():
    folder = MODELS.parent / "tests" / "parity" / "data"
    assert bench(trainer(MODELS / "cnn.net"), "--data", folder)["training_seconds"]["median"] > 0
    wrong = run(
        trainer(MODELS / "cnn.net"), "bench", *QUICK, "--data", folder, "--batch", 5000, expect=1
    ).stderr
    assert "a batch of 5000 images" in wrong and "1248" in wrong


def test_without_a_train_section():
    told = bench(trainer(NO_TRAIN))
    assert {part["kernel"] for part in told["parts"]} == {"forward"}
    assert told["multiply_adds"] == 4 * 9 * 36 + 144 * 10
    assert "testing" in run(trainer(NO_TRAIN), "bench", "--steps", 1).stdout


def test_as_many_images_at_once_as_are_asked_for():
    program = trainer(MODELS / "cnn.net")
    told = bench(program, "--only", "many", "--many", 48)
    assert told["many"] == 48 and told["inference_many_seconds"]["median"] > 0
    line = run(program, "bench", *QUICK, "--only", "many", "--many", 48).stdout.splitlines()[1]
    assert line.split()[:3] == ["inference", "batch", "48"]
    assert "--many" in run(program, "bench", "--many", 1, expect=2).stderr


def test_one_thing_alone():
    program = trainer(MODELS / "cnn.net")
    for only, figures in (
        ("training", ["training_seconds", "peak_gflops", "share_of_peak"]),
        ("one", ["inference_1_seconds"]),
        ("many", ["inference_many_seconds"]),
        ("layers", ["one_thread_peak_gflops", "one_thread_step_seconds", "parts"]),
    ):
        told = bench(program, "--only", only)
        assert list(told) == ["network", "threads", "batch", "many", "multiply_adds", *figures]
    lines = run(program, "bench", *QUICK, "--only", "one").stdout.splitlines()
    assert len(lines) == 2 and lines[1].split()[:3] == ["inference", "batch", "1"]
    assert (
        "training, one, many, generate or layers, not 'two'"
        in run(program, "bench", "--only", "two", expect=2).stderr
    )


def test_cores_are_simulated():
    """A row for each count; of many threads for one grain, the kernels that keep them waiting."""
    program = trainer(MODELS / "cnn.net", "--split=all")
    batch = images_of_a_grain(program) + 1
    told = run(program, "bench", "--cores", "1,2,64", "--threads", 2, "--batch", batch).stdout
    rows = re.findall(
        r"^ +(\d+) +[\d.]+ +\d+ +([\d.]+) +([\d.]+) %(?: +[\d.]+ \(.*\))?$", told, re.M
    )
    assert [int(cores) for cores, _, _ in rows] == [1, 2, 64]
    assert rows[0][1:] == ("1.00", "100.0") and 0 < float(rows[1][1]) < 64
    assert "kernels for which 32 threads of a grain wait the longest" in told
    assert re.search(r"^\w+ +(forward|backward_\w+) +[\d.]+ +[\d.]+ +[\d.]+ %$", told, re.M)


def test_what_nobody_shares_takes_the_team_as_long_as_one():
    """And there is a row without a count of one to compare with."""
    program = trainer(MODELS / "cnn.net", "--split=none")
    told = run(program, "bench", "--cores", "1,8", "--threads", 1, "--batch", 4).stdout
    one, eight = (float(row.split()[1]) for row in told.split("\n")[1:3])
    assert eight > one / 2 and "conv2" in told.partition("wait the longest")[2]
    told = run(program, "bench", "--cores", "3", "--threads", 1, "--batch", 4).stdout
    assert re.fullmatch(r" +3 +[\d.]+ +\d+ *", told.split("\n")[1])


@pytest.mark.parametrize("other", [["--json"], ["--only", "layers"], ["--many", "8"]])
def test_cores_and_other_figures(other):
    told = run(trainer(MODELS / "cnn.net"), "bench", "--cores", "1", *other, expect=2).stderr
    assert "--cores prints a table of its own" in told


@pytest.mark.parametrize("cores", ["", "0", "1,", "1,x", "5000", ",".join("1" * 33)])
def test_cores_that_are_no_numbers(cores):
    told = run(trainer(MODELS / "cnn.net"), "bench", "--cores", cores, expect=2).stderr
    assert "numbers of cores, as 1,2,4,64, are expected" in told
