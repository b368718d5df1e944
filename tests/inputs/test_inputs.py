"""A network of several inputs: what it gives a C program against numpy, its gradients against
differences, training on drawn examples, and what is told of them."""
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
    drawn_state,
    netc,
    run,
    trainer,
    write_safetensors,
)

from reuse.common import DATA

NET = Path(__file__).resolve().parent / "pair.net"
COUNT = 5  # images of the C program
SHAPES = {"left": (2, 5, 6), "right": (2, 5, 6), "words": (7,), "numbers": (3,)}
KERNELS = ["specialised", "reference"]


def program(kernels="specialised"):
    return trainer(NET, "--dtype=f64", f"--kernels={kernels}", compiler=COMPUTING)


def test_what_is_told():
    told = json.loads(netc("summary", "--json", NET).stdout)
    assert {entry["name"]: tuple(entry["shape"]) for entry in told["inputs"]} == SHAPES
    assert [entry["choices"] for entry in told["inputs"]] == [0, 0, 9, 0]
    assert netc("summary", NET).stdout.startswith(
        "pair  left [2, 5, 6], right [2, 5, 6], words [7], numbers [3]\n"
    )
    drawn = netc("graph", NET).stdout
    for number, name in enumerate(SHAPES):
        assert f'  input{number or ""} [label="{name}"' in drawn
    assert "  load words: ->words register" in netc("--dump=plan", NET).stdout
    info = run(program(), "info").stdout
    for line in "left [2, 5, 6]", "right [2, 5, 6]", "words [7] of 9", "numbers [3]":
        assert re.search(rf"^input +{re.escape(line)}$", info, re.MULTILINE)


@pytest.mark.parametrize("kernels", KERNELS)
def test_gradients_are_finite_differences(kernels):
    told = run(program(kernels), *"gradcheck --random-init --samples 8 --set batch=5".split())
    assert " 0 wrong" in told.stdout


def test_it_learns_the_same_for_any_number_of_threads(tmp_path):
    states = []
    for threads in 1, 3:
        run(
            program(),
            *f"train --quiet --max-steps 60 --threads {threads}".split(),
            *["--save", tmp_path / "w"],
        )
        states.append((tmp_path / "w").read_bytes())
    assert states[0] == states[1]
    told = run(program(), "test", "--weights", tmp_path / "w").stdout
    assert float(re.search(r"accuracy ([\d.]+) %", told).group(1)) > 95
    told = run(program(), *"predict --count 3 --data synthetic --weights".split(), tmp_path / "w")
    assert told.stdout.count("(right: ") >= 2


def test_one_array_is_too_few():
    told = run(program(), "train", "--data", DATA, expect=1).stderr
    assert "images, the network takes 2x5x6" in told
    text = NET.read_text().replace("input [2, 5, 6]", "input [1, 28, 28]")
    text = re.sub(r"normalize .*\n", "", text.replace("[2, 5, 6]", "[1, 28, 28]"))
    told = run(trainer(text, compiler=QUICK), "train", "--data", DATA, expect=1).stderr
    assert "no array right, which the network takes as an input; it has image, class" in told


def pairs(path, changed=""):
    """Examples of every input; the array of that name has another value at its end."""
    random = np.random.RandomState(2)
    arrays = {}
    for part in "train", "test":
        for name, shape in SHAPES.items():
            most = {"words": 9, "numbers": 100}.get(name, 256)
            arrays[f"{part}_{name}"] = random.randint(0, most, (40, *shape)).astype("u1")
        arrays[f"{part}_numbers"] = arrays[f"{part}_numbers"].astype("f4")
        arrays[f"{part}_y"] = random.randint(0, 5, 40).astype("u1")
    if changed:
        arrays[changed].flat[-1] = (int(arrays[changed].flat[-1]) + 1) % 5
    np.savez(path, **arrays)
    return path


def test_bytes_of_every_input_are_pixels(tmp_path):
    """As numbers that are normalised already they give the same loss."""
    pairs(tmp_path / "bytes.npz")
    arrays = dict(np.load(tmp_path / "bytes.npz"))
    mean, std = (np.array(x).reshape(2, 1, 1) for x in ([0.4, 0.6], [0.3, 0.2]))
    for name in "test_left", "test_right":
        arrays[name] = ((arrays[name] / 255 - mean) / std).astype("f4")
    np.savez(tmp_path / "numbers.npz", **arrays)
    run(program(), "train", "--quiet", "--max-steps", 1, "--save", tmp_path / "w")
    losses = [
        run(program(), "test", "--weights", tmp_path / "w", "--data", tmp_path / name).stdout
        for name in ("bytes.npz", "numbers.npz")
    ]
    bytes_loss, numbers_loss = (float(re.search("loss ([0-9.]+)", told)[1]) for told in losses)
    assert bytes_loss == pytest.approx(numbers_loss, abs=3e-6)


def test_a_run_goes_on_with_all_of_its_inputs(tmp_path):
    words = [*"train --quiet --max-steps 1 --checkpoint".split(), tmp_path / "c", "--data"]
    run(program(), *words, pairs(tmp_path / "a.npz"))
    again = [*"train --quiet --max-steps 2 --resume".split(), tmp_path / "c", "--data"]
    run(program(), *again, pairs(tmp_path / "b.npz"))
    for array, part in {
        "train_right": "training",
        "train_words": "training",
        "test_numbers": "test",
    }.items():
        told = run(program(), *again, pairs(tmp_path / "b.npz", array), expect=1).stderr
        assert f"has other further inputs or labels of {part} examples; give --data" in told
    told = run(program(), *again, pairs(tmp_path / "b.npz", "train_left"), expect=1).stderr
    assert "has other values of training examples; give --data" in told


# ------------------------------------------------------------------ from C

MAIN = """
#include "net.h"
#include <stdio.h>
#include <string.h>
extern const NetModel pair_model;
/* weights; the inputs of 5 examples as float on standard input: all at once, each alone, and the
 * first input without the others */
int main(int argc, char **argv)
{
    static float values[4][5 * 60], scores[25], last[25];
    const int64_t elements[] = {60, 60, 7, 3};
    const float *const inputs[] = {values[0], values[1], values[2], values[3]};
    const float *const first[] = {values[0], NULL, NULL, NULL};
    float *const outputs[] = {scores};
    NetError error;
    NetSession *network = net_open(&pair_model, 2, 3, 1, &error);
    if (argc != 2 || !network || !net_load(network, argv[1], &error))
        return 1;
    for (int i = 0; i < net_input_count(network); i++) {
        NetShape shape = net_input_shape(network, i);
        if (fread(values[i], sizeof(float), (size_t)(5 * elements[i]), stdin) == 0)
            return 1;
        fprintf(stderr, "%s %d %d %d\\n", net_input_name(network, i), shape.rank, (int)shape.c,
                (int)net_input_numbers(network, i));
    }
    net_predict_inputs(network, inputs, 5, last, outputs);
    fwrite(last, sizeof last, 1, stdout);
    fwrite(scores, sizeof scores, 1, stdout);
    for (int k = 0; k < 5; k++) {
        const float *const one[] = {values[0] + 60 * k, values[1] + 60 * k, values[2] + 7 * k,
                                    values[3] + 3 * k};
        net_predict_inputs(network, one, 1, last + 5 * k, NULL);
    }
    fwrite(last, sizeof last, 1, stdout);
    net_predict_inputs(network, first, 5, last, NULL);
    fwrite(last, sizeof last, 1, stdout);
    net_predict(network, values[0], 5, last);
    fwrite(last, sizeof last, 1, stdout);
    net_close(network);
    return 0;
}
"""


def convolved(x, weight, bias):
    """Of [n, c, h, w], padded so that it keeps its size."""
    pad = weight.shape[2] // 2
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]


def expected(state, left, right, words, numbers):
    conv = [state["conv.weight"], state["conv.bias"]]
    seen, other = (np.maximum(convolved(x, *conv), 0) for x in (left, right))
    pictures = seen * other + convolved(right, state["direct.weight"], state["direct.bias"])
    known = state["emb.weight"][words.astype(int)]
    flat = [array.reshape(len(left), -1) for array in (numbers, pictures, known)]
    return np.concatenate(flat, 1) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("kernels", KERNELS)
def test_from_c(kernels, tmp_path):
    network = built(NET, "--object", f"--kernels={kernels}", compiler=QUICK)
    (tmp_path / "main.c").write_text(MAIN)
    flags = ["-std=c11", "-O1", "-I", ROOT / "runtime"]
    run(
        *["gcc", *flags, tmp_path / "main.c", network, ROOT / "build" / "libnet_f32.a"],
        *[*LIBRARIES, "-o", tmp_path / "main"],
    )
    told = json.loads(netc("summary", "--json", NET).stdout)
    state = drawn_state({entry["name"]: entry["shape"] for entry in told["state"]}, 7)
    write_safetensors(tmp_path / "w", state)
    random = np.random.RandomState(1)
    values = [random.normal(size=(COUNT, *shape)).astype("f4") for shape in SHAPES.values()]
    values[2] = random.randint(0, 9, (COUNT, 7)).astype("f4")
    (tmp_path / "values").write_bytes(b"".join(array.tobytes() for array in values))
    command = f"{tmp_path / 'main'} {tmp_path / 'w'} < {tmp_path / 'values'} > {tmp_path / 'out'}"
    assert (
        run("sh", "-c", command).stderr == "left 3 2 0\nright 3 2 0\nwords 1 7 9\nnumbers 1 3 0\n"
    )
    whole = expected(state, *values)
    alone = expected(state, values[0], *(0 * array for array in values[1:]))
    found = np.fromfile(tmp_path / "out", "f4").reshape(5, COUNT, 5)
    for array, wanted in zip(found, [whole, whole, whole, alone, alone]):
        np.testing.assert_allclose(array, wanted, 1e-4, 1e-5)
