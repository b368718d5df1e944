"""The normalisation that weights were trained with goes with them."""
import json
import struct

import pytest

from harness import c_program, netc, read_safetensors, run, trainer, write_safetensors

NET = """network shades {
    input [1, 8, 8]
    flatten
    linear(10) as fc
}
train {
    data synthetic
    normalize mean=0.1307, std=0.3081
    loss cross_entropy
    optimizer sgd(lr=0.05)
    batch 500
    epochs 1
}
"""
OPTIONS = ["--set", "normalize.mean=0.7123456789012345", "--max-steps", 120]


@pytest.fixture(scope="module")
def program():
    return trainer(NET, "--kernels=reference")


@pytest.fixture(scope="module")
def trained(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    shown = run(
        program, "train", *OPTIONS, "--save", folder / "w", "--checkpoint", folder / "c"
    ).stdout
    (folder / "accuracy").write_text(shown.split("test accuracy ")[1].split(" %")[0])
    return folder


def metadata(path):
    raw = path.read_bytes()
    return json.loads(raw[8 : 8 + struct.unpack_from("<Q", raw)[0]])["__metadata__"]


@pytest.mark.parametrize("name", ["w", "c"])
def test_test_is_what_training_ended_with(name, program, trained):
    result = run(program, "test", "--weights", trained / name)
    assert f"accuracy {(trained / 'accuracy').read_text()} %" in result.stdout
    assert float(metadata(trained / name)["normalize.mean"]) == 0.7123456789012345
    told = result.stderr
    assert (
        "was trained with normalize.mean 0.71234568, which is used; this program's own is 0.1307"
        in told
        and told.count("\n") == 1
    )


def test_predict_says_it_too(program, trained):
    assert (
        "which is used"
        in run(
            program, "predict", "--weights", trained / "w", "--data", "synthetic", "--count", 1
        ).stderr
    )


def test_what_is_given_wins_and_is_said(program, trained):
    given = run(program, "test", "--weights", trained / "w", "--set", "normalize.mean=0.1307")
    assert (
        "normalize.mean 0.1307 is used, as asked for" in given.stderr
        and "was trained with 0.71234568" in given.stderr
    )
    assert f"accuracy {(trained / 'accuracy').read_text()} %" not in given.stdout
    assert run(program, "test", "--weights", trained / "w", *OPTIONS[:2]).stderr == ""


def test_weights_that_do_not_say_are_run_as_the_program_says(program, trained, tmp_path):
    write_safetensors(tmp_path / "plain", read_safetensors(trained / "w"))
    plain = run(program, "test", "--weights", tmp_path / "plain")
    given = run(program, "test", "--weights", trained / "w", "--set", "normalize.mean=0.1307")
    assert plain.stderr == "" and plain.stdout == given.stdout


def test_fine_tuning_has_its_own(program, trained, tmp_path):
    assert (
        run(
            program,
            "train",
            "--quiet",
            "--init",
            trained / "w",
            "--epochs",
            0,
            "--save",
            tmp_path / "w",
        ).stderr
        == ""
    )
    assert float(metadata(tmp_path / "w")["normalize.mean"]) == 0.1307


def test_a_resumed_run_keeps_it(program, trained, tmp_path):
    run(program, "train", "--quiet", "--resume", trained / "c", "--save", tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == (trained / "w").read_bytes()


@pytest.mark.parametrize(
    "key, value, told",
    [
        ("mean", "nan", "a number from -1000000 to 1000000 is expected"),
        ("std", "0", "a number from 1e-06"),
        ("mean", "", "a number"),
        ("std", "1,2", "has 2 numbers, and an image 1 channels"),
        ("mean", "0.5,", "a number"),
    ],
)
def test_false_numbers(key, value, told, program, trained, tmp_path):
    write_safetensors(tmp_path / "w", read_safetensors(trained / "w"), {f"normalize.{key}": value})
    refused = run(program, "test", "--weights", tmp_path / "w", expect=1).stderr
    assert told in refused and f"{tmp_path / 'w'}: normalize.{key}" in refused


CALLER = r"""
#include "net.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    NetError error;
    NetSession *session = net_open(&shades_model, 1, 1, 1, &error);
    uint8_t image[64];
    float probabilities[10];
    for (int i = 0; i < 64; i++)
        image[i] = (uint8_t)(4 * i);
    for (int i = 1; session && i < argc; i++) {
        double mean, std;
        if (!net_load(session, argv[i], &error)) {
            puts(error.text);
            return 1;
        }
        net_normalisation(session, 0, &mean, &std);
        net_classify(session, image, 1, probabilities);
        printf("%.17g %.17g %.9g\n", mean, std, (double)probabilities[0]);
    }
    net_close(session);
    return 0;
}
"""


def test_a_c_program_uses_and_can_ask_for_it(trained, tmp_path):
    """And of weights that do not say, read after it, the program's own again."""
    (tmp_path / "shades.net").write_text(NET)
    emitted = netc(
        "emit", "shades.net", "--target=portable", "--kernels=reference", "-o", "-", cwd=tmp_path
    ).stdout
    caller = c_program(
        emitted + CALLER, "-DNET_NO_MAIN", "-Wno-unused-parameter", "-Wno-unused-function"
    )
    write_safetensors(tmp_path / "plain", read_safetensors(trained / "w"))
    lines = [
        line.split()
        for line in run(
            caller, tmp_path / "plain", trained / "w", tmp_path / "plain"
        ).stdout.splitlines()
    ]
    assert [float(line[0]) for line in lines] == [0.1307, 0.7123456789012345, 0.1307]
    assert lines[0] == lines[2] and lines[0][2] != lines[1][2] and float(lines[1][1]) == 0.3081
