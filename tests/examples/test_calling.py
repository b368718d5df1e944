"""net.h: a trained network called from C and C++, with everything that can go wrong."""

import numpy as np
import pytest

from data.test_data import png
from harness import (
    BUILD,
    LIBRARIES,
    MODELS,
    ROOT,
    built,
    have,
    made_once,
    netc,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from sanitize import sanitized


FIRST = """network first {
    input [2, 3, 4]
    conv2d(3, 2) as conv
    relu
    flatten
    linear(5) as fc
}
train {
    data "d"
    normalize mean=[0.25, 0.5], std=[0.5, 0.125]
    loss cross_entropy
    optimizer sgd(lr=0.1)
    batch 4
    epochs 1
}
"""
SECOND = "network second {\n    input [6]\n    linear(2) as fc\n}\n"

# Every call: what fails says so and leaves the program running.
PROGRAM = r"""
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const NetModel first_model, second_model;

static void fail(const char *what, NetError *error)
{
    printf("%s: %s\n", what, error->text);
}

int main(int argc, char **argv)
{
    NetError error;
    if (argc != 4)
        return 2;
    int64_t count = atoi(argv[3]);
    if (!net_open(&first_model, 0, 1, 0, &error))
        fail("threads", &error);
    if (!net_open(&first_model, 1, 0, 0, &error))
        fail("batch", &error);
    NetSession *other = net_open(&second_model, 1, 1, 0, &error);
    NetSession *network = net_open(&first_model, 2, 7, 0, &error);
    if (!network || !other)
        return 1;
    if (!net_load(network, "missing", &error))
        fail("missing", &error);
    if (!net_load(other, argv[1], &error))
        fail("other", &error);
    if (net_class_name(network, 0))
        return 1;
    if (!net_load(network, argv[1], &error) || !net_save(network, argv[2], &error))
        return 1;
    printf("classes");
    for (int64_t i = -1; i <= net_class_count(network); i++)
        printf(" %s", net_class_name(network, i) ? net_class_name(network, i) : "-");
    NetShape size = net_image_size(network);
    printf("\nsize %d %d %d %d\n", size.rank, (int)size.c, (int)size.h, (int)size.w);
    int64_t pixels = size.c * size.h * size.w;
    uint8_t *images = (uint8_t *)malloc((size_t)(count * pixels));
    float *values = (float *)malloc((size_t)(count * pixels) * sizeof *values);
    float *given = (float *)malloc((size_t)count * 5 * sizeof *given);
    if (!net_read_picture(network, "missing.png", images, &error))
        fail("picture", &error);
    for (int64_t i = 0; i < count * pixels; i++) {
        images[i] = (uint8_t)(i * 37 % 256);
        bool second = i / (pixels / 2) % 2;
        values[i] = ((float)images[i] / 255 - (second ? 0.5f : 0.25f)) / (second ? 0.125f : 0.5f);
    }
    net_classify(network, images, count, given);
    for (int64_t i = 0; i < count * 5; i++)
        printf("%.7f\n", (double)given[i]);
    net_predict(network, values, count, given);
    for (int64_t i = 0; i < count * 5; i++)
        printf("%.7f\n", (double)given[i]);
    free(images);
    free(values);
    free(given);
    net_close(network);
    net_close(other);
    net_close(NULL);
    return 0;
}
"""


@pytest.fixture
def weights(tmp_path):
    random = np.random.RandomState(1)
    state = {
        "conv.weight": random.uniform(-1, 1, (3, 2, 2, 2)),
        "conv.bias": random.uniform(-1, 1, 3),
        "fc.weight": random.uniform(-1, 1, (5, 18)),
        "fc.bias": random.uniform(-1, 1, 5),
    }
    state = {name: tensor.astype("f4") for name, tensor in state.items()}
    write_safetensors(tmp_path / "w", state, {"class_names": "a\nb\nc\nd\ne e"})
    return state


def objects(tmp_path, dtype):
    for name, text in ("first", FIRST), ("second", SECOND):
        (tmp_path / f"{name}.net").write_text(text)
        netc(
            "build", "--object", f"--dtype={dtype}", f"{name}.net", "-o", f"{name}.o", cwd=tmp_path
        )
    return "first.o", "second.o"


def program(tmp_path, compiler, *flags, dtype="f32"):
    source = tmp_path / ("program.c" if compiler == "gcc" else "program.cc")
    source.write_text(PROGRAM)
    run(
        compiler,
        "-Wall",
        "-Wextra",
        "-Werror",
        *flags,
        "-I",
        ROOT / "runtime",
        source.name,
        *objects(tmp_path, dtype),
        BUILD / f"libnet_{dtype}.a",
        *LIBRARIES,
        "-o",
        "program",
        cwd=tmp_path,
    )
    return tmp_path / "program"


def expected(state, count):
    """Probabilities and logits by numpy."""
    images = (np.arange(count * 24) * 37 % 256).reshape(count, 2, 3, 4)
    x = (images / 255 - np.array([0.25, 0.5])[:, None, None]) / np.array([0.5, 0.125])[
        :, None, None
    ]
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (2, 3))
    y = (
        np.einsum("nchwij,ocij->nohw", windows, state["conv.weight"])
        + state["conv.bias"][:, None, None]
    )
    logits = np.maximum(y, 0).reshape(count, -1) @ state["fc.weight"].T + state["fc.bias"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.concatenate([(powers / powers.sum(1, keepdims=True)).ravel(), logits.ravel()])


@pytest.mark.parametrize(
    "compiler, dtype, count", [("gcc", "f32", 40), ("gcc", "f64", 3), ("g++", "f32", 1)]
)
def test_every_call(tmp_path, weights, compiler, dtype, count):
    if not have(compiler):
        pytest.skip(f"{compiler} is not here")
    made = program(
        tmp_path, compiler, "-std=c99" if compiler == "gcc" else "-std=c++11", dtype=dtype
    )
    result = run(made, "w", "copy", count, cwd=tmp_path)
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    head, numbers = lines[:7], np.array(lines[7:], "f8")
    assert (
        head[0].startswith("threads: ")
        and head[1] == "batch: a batch of 0 images: 1 to 2147483647 are possible"
    )
    assert head[2] == "missing: cannot read missing: No such file or directory"
    assert head[3].startswith("other: w: fc.weight is [5, 18], and [2, 6] in this network (and ")
    assert head[4:6] == ["classes - a b c d e e -", "size 3 2 3 4"]
    assert head[6] == (
        "picture: missing.png cannot be shown to a network that takes 2 channels: "
        "an image file has 1 or 3"
    )
    assert numbers == pytest.approx(expected(weights, count), abs=1e-5)
    copy = read_safetensors(tmp_path / "copy")
    assert all((copy[name] == tensor).all() for name, tensor in weights.items())


def test_no_memory_is_lost_or_misused(tmp_path, weights):
    """The object is instrumented too: it is compiled from what `emit` writes."""
    for name, text in ("first", FIRST), ("second", SECOND):
        (tmp_path / f"{name}.net").write_text(text)
        netc("emit", "--target=portable", f"{name}.net", "-o", f"{name}.c", cwd=tmp_path)
    program = sanitized.program(PROGRAM, tmp_path / "first.c", tmp_path / "second.c")
    assert run(program, "w", "copy", 40, cwd=tmp_path).stderr == ""


def test_the_other_precisions_library_is_refused(tmp_path):
    (tmp_path / "program.c").write_text(
        '#include "net.h"\n'
        "#include <stdio.h>\n"
        "extern const NetModel first_model;\n"
        "int main(void) {\n"
        "    NetError error;\n"
        "    if (!net_open(&first_model, 1, 1, 0, &error)) puts(error.text);\n"
        "}\n"
    )
    linked = ["program.c", objects(tmp_path, "f32")[0], BUILD / "libnet_f64.a", *LIBRARIES]
    run("gcc", "-I", ROOT / "runtime", *linked, "-o", "program", cwd=tmp_path)
    assert (
        run(tmp_path / "program").stdout
        == "first was compiled for 4-byte numbers and is linked with the library for 8-byte ones\n"
    )


def test_a_picture_is_what_predict_sees(tmp_path):
    """The C program of the example and the trainer give the same answer."""
    (tmp_path / "p.png").write_bytes(
        png((np.arange(30 * 20) * 7 % 256).astype("u1").reshape(30, 20), 0)
    )
    model = MODELS / "cnn.net"
    words = "train --data synthetic --epochs 0 --quiet --save".split()
    run(trainer(model), *words, tmp_path / "w")
    run(
        "gcc",
        "-I",
        ROOT / "runtime",
        ROOT / "examples" / "c-program" / "which.c",
        built(model, "--object"),
        BUILD / "libnet_f32.a",
        *LIBRARIES,
        "-o",
        tmp_path / "which",
    )
    told = run(tmp_path / "which", tmp_path / "w", tmp_path / "p.png").stdout
    assert (
        told
        in run(trainer(model), "predict", "--weights", tmp_path / "w", tmp_path / "p.png").stdout
    )
