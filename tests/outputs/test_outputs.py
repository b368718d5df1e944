"""Named outputs, asides and several losses: against PyTorch (make_fixtures.py says how), from C,
and what is said of those that do not fit."""
import json
import re
from pathlib import Path

import numpy as np
import pytest

from harness import (
    COMPUTING,
    LIBRARIES,
    QUICK,
    ROOT,
    built,
    check_text,
    netc,
    read_log,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from reuse.common import DATA, STEPS, images_and_labels, initial_state

HERE = Path(__file__).resolve().parent
NET = HERE / "heads.net"
WANTED = read_safetensors(HERE / "heads.safetensors")
TOLERANCE = 1e-9


def initial_weights(folder):
    told = json.loads(netc("summary", "--json", NET).stdout)
    shapes = {entry["name"]: tuple(entry["shape"]) for entry in told["state"]}
    write_safetensors(folder / "initial", initial_state(shapes))
    return folder / "initial"


def train(folder, *words, options=(), threads=1):
    program = trainer(NET, "--dtype=f64", *options, compiler=COMPUTING)
    run(
        program,
        *"train --no-shuffle --epochs 1 --quiet --data".split(),
        DATA,
        *["--init", initial_weights(folder), "--threads", threads, "--max-steps", STEPS, *words],
    )
    return program


@pytest.mark.parametrize("options", [["--kernels=reference"], ["--fuse=none"], ["--split=all"]])
def test_several_losses_are_pytorchs(options, tmp_path):
    train(tmp_path, "--save", tmp_path / "w", "--log", tmp_path / "log", options=options)
    losses = [event["loss"] for event in read_log(tmp_path / "log") if event["event"] == "step"]
    np.testing.assert_allclose(losses, WANTED["losses"], TOLERANCE)
    for name, array in read_safetensors(tmp_path / "w").items():
        np.testing.assert_allclose(
            array, WANTED[f"final.{name}"], TOLERANCE, TOLERANCE, err_msg=name
        )


def test_the_same_bits_for_any_number_of_threads(tmp_path):
    states = []
    for threads in 1, 3, 5:
        train(tmp_path, "--save", tmp_path / "w", options=["--split=all"], threads=threads)
        states.append((tmp_path / "w").read_bytes())
    assert states[0] == states[1] == states[2]


def test_gradients_are_finite_differences():
    program = trainer(NET, "--dtype=f64", compiler=COMPUTING)
    told = run(program, *"gradcheck --random-init --samples 6 --set batch=5".split()).stdout
    assert " 0 wrong" in told


def test_an_auxiliary_head_is_of_training_only():
    plan = netc("--dump=plan", NET).stdout
    training, inference = plan[: plan.index("\ninference:")], plan[plan.index("\ninference:") :]
    assert "aux1.fc" in training and "loss.aux2" in training
    assert "aux" not in inference and "loss.scaled" in inference
    drawn = netc("graph", NET).stdout
    assert '"features"' in drawn and '"aux1"' not in drawn


MAIN = """
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern const NetModel heads_model;
/* weights, then images [5][784] as float on standard input: all outputs of 5 images at once, then
 * of each alone */
int main(int argc, char **argv)
{
    static float pixels[5 * 784], last[50], features[5 * 8 * 196], scaled[50];
    float *const outputs[] = {features, scaled}, *const none[] = {NULL, scaled};
    NetError error;
    NetSession *network = net_open(&heads_model, 2, 3, 1, &error);
    if (argc != 2 || !network || !net_load(network, argv[1], &error)
        || fread(pixels, sizeof pixels, 1, stdin) != 1)
        return 1;
    for (int i = 0; i < net_output_count(network); i++) {
        NetShape shape = net_output_shape(network, i);
        fprintf(stderr, "%s %d %d %d %d\\n", net_output_name(network, i), shape.rank, (int)shape.c,
                (int)shape.h, (int)shape.w);
    }
    net_predict_outputs(network, pixels, 5, last, outputs);
    fwrite(last, sizeof last, 1, stdout);
    fwrite(features, sizeof features, 1, stdout);
    fwrite(scaled, sizeof scaled, 1, stdout);
    memset(features, 0, sizeof features);
    for (int i = 0; i < 5; i++) {
        float *const own[] = {features + i * 8 * 196, scaled + i * 10};
        net_predict_outputs(network, pixels + i * 784, 1, last + i * 10, own);
    }
    fwrite(last, sizeof last, 1, stdout);
    fwrite(features, sizeof features, 1, stdout);
    fwrite(scaled, sizeof scaled, 1, stdout);
    net_predict_outputs(network, pixels, 5, NULL, none);
    net_close(network);
    return 0;
}
"""


@pytest.mark.parametrize("options", [[], ["--kernels=reference"]])
def test_named_outputs_from_c(options, tmp_path):
    network = built(NET, "--object", *options, compiler=QUICK)
    (tmp_path / "main.c").write_text(MAIN)
    flags = ["-std=c11", "-O1", "-I", ROOT / "runtime"]
    run(
        *["gcc", *flags, tmp_path / "main.c", network, ROOT / "build" / "libnet_f32.a"],
        *[*LIBRARIES, "-o", tmp_path / "main"],
    )
    images, _ = images_and_labels()
    pixels = ((images[:5] / 255 - 0.1307) / 0.3081).astype("f4")
    (tmp_path / "pixels").write_bytes(pixels.tobytes())
    command = f"{tmp_path / 'main'} {initial_weights(tmp_path)} < {tmp_path / 'pixels'} > "
    told = run("sh", "-c", command + str(tmp_path / "out")).stderr
    assert told == "features 3 8 14 14\nscaled 1 10 1 1\n"
    found = np.fromfile(tmp_path / "out", "f4").reshape(2, -1)
    for values in found:
        last, features, scaled = np.split(values, [50, 50 + 5 * 8 * 196])
        for name, array in ("last", last), ("features", features), ("scaled", scaled):
            np.testing.assert_allclose(array, WANTED[name].ravel(), 1e-4, 1e-5, err_msg=name)


# ----------------------------------------------------------------- messages

WRONG = """network n {{
    input [1, 8, 8]
    flatten
    aside {{ linear(5) as small;  output five }}
    aside {{ linear(10) as same;  output aux }}
    {}
    linear(10)
}}
train {{
    data      "images"
    loss      cross_entropy, output=aux
    {}
    optimizer sgd(lr=0.1)
    batch     8
    epochs    1
}}
"""
LOSS = "loss mse, output=five"


@pytest.mark.parametrize(
    "statement, setting, says",
    [
        ("", "loss cross_entropy", ["unread-output", "no loss reads the output five"]),
        ("", "loss mse, output=axu", ["unknown-name", "no output is named axu", "nearest is aux"]),
        ("", "loss mse, output=wide", ["`output wide` in the network names the current tensor"]),
        ("", LOSS, ["classes-mismatch", "the output five has 5 values", "another one 10"]),
        ("output aux", "loss cross_entropy", ["two outputs are named aux", "the first"]),
        ("", "loss mse, output=aux, weight=big", ["nothing is named `big`"]),
        ("", "loss mse, weight=1e9", ["`weight` of loss must be -1000000 to 1000000"]),
        ("", "", ["no loss reads the network's output, its last tensor"]),
        ("output relu(3)", "loss cross_entropy", ["syntax"]),
        ("aside { conv2d(3, 99) }", "loss cross_entropy", ["shape-rank"]),
    ],
)
def test_what_does_not_fit(statement, setting, says, tmp_path):
    told = check_text(WRONG.format(statement, setting), tmp_path).stderr
    for words in says:
        assert words in told


def test_an_aside_that_nothing_reads_is_a_dead_layer(tmp_path):
    text = "network n {\n    input [8]\n    aside { linear(3) }\n    linear(2)\n}\n"
    assert "dead-layer" in check_text(text, tmp_path, expect=0).stderr


def test_the_words_stay_names(tmp_path):
    text = """block output(reuse) [n] { linear(reuse) }
block aside [n] { relu }
network n {
    input [8]
    let reuse = 3
    output(reuse) as output
    aside         as aside
    from output
    aside { output aside;  relu;  output "b" }
    add(aside, output)
}
"""
    told = check_text(text, tmp_path, "--dump=graph", expect=0).stdout
    assert re.findall(r"^output (\S+) = ", told, re.M) == ["aside", "b"]
