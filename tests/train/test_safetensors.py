"""Weights that are not what they claim: one sentence, and nothing is read astray."""
import json
import re
import struct

import numpy as np
import pytest

from harness import netc, run, trainer, write_safetensors
from sanitize import sanitized

NET = "network two {\n    input [3]\n    linear(2) as fc\n}\n"
WEIGHTS = {"fc.weight": np.arange(6, dtype="f4").reshape(2, 3), "fc.bias": np.ones(2, "f4")}


def load(path):
    """The trainer's own words on a file; it needs no data to refuse one."""
    return run(trainer(NET), "test", "--weights", path, "--data", "no-such-folder", expect=1).stderr


def entry(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def write(path, header, data=bytes(24)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_a_good_file_is_taken(tmp_path):
    write_safetensors(tmp_path / "w", WEIGHTS)
    assert "no-such-folder" in load(tmp_path / "w")


@pytest.mark.parametrize(
    "header, told",
    [
        ({"a": entry([2**40, 2**40], [0, 24])}, "product is too large"),
        ({"a": entry([-6], [0, 24])}, "whole numbers from 0"),
        ({"a": entry([1.5], [0, 24])}, "whole numbers from 0"),
        ({"a": entry([6], [0, 24]), "b": entry([1], [20, 24])}, "inside"),
        ({"a": entry([2], [0, 8]), "b": entry([2], [16, 24])}, "after a gap"),
        ({"a": entry([2], [0, 8])}, "16 bytes follow"),
        ({"a": entry([6], [24, 0])}, "span -24 bytes"),
        ({"a": entry([5], [0, 24])}, "which is not [5] of F32"),
        ({"a": entry([100], [0, 400])}, "end at 400 and there are 24"),
        ({"a": entry([6], [0, 24], "Q4")}, "unknown dtype Q4"),
        ({"a": entry([1] * 9, [0, 4])}, "more than 8 dimensions"),
        ({"a": 3}, "not an object"),
        ([], "not a JSON object"),
        ({"__metadata__": {"a": 1}}, "not text"),
        (b'{"a":', "not JSON"),
        (b"{} {}", "follows the header"),
        (b'{"\xff": 1}', "not UTF-8"),
        (b"[" * 100000, "not JSON"),
        (
            b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},'
            b'"a":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}',
            "twice",
        ),
    ],
)
def test_a_lying_header(header, told, tmp_path):
    message = load(write(tmp_path / "w", header))
    assert told in message and str(tmp_path / "w") in message and message.count("\n") == 1


@pytest.mark.parametrize(
    "bytes_, told",
    [
        (b"", "0 bytes"),
        (b"\xff" * 64, "not a safetensors file"),
        (struct.pack("<Q", 1000) + b"{}", "cut short"),
    ],
)
def test_no_such_file_format(bytes_, told, tmp_path):
    (tmp_path / "w").write_bytes(bytes_)
    assert told in load(tmp_path / "w")


def test_a_folder_or_nothing(tmp_path):
    assert "not a file" in load(tmp_path)
    assert "No such file" in load(tmp_path / "missing")


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"fc.bias": None}, "has no fc.bias, which is [2]"),
        ({"fc.bias": np.ones(3, "f4")}, "fc.bias is [3], and [2] in this network"),
        ({"more": np.ones(3, "f4")}, "has more, [3], which this network has not"),
        ({"fc.bias": np.ones(2, "i4")}, "fc.bias is I32"),
        (
            {"fc.bias": None, "more": np.ones(1, "f4"), "most": np.ones(1, "f4")},
            "(and 2 more differences)",
        ),
    ],
)
def test_weights_of_another_network(changes, told, tmp_path):
    tensors = {
        name: tensor for name, tensor in {**WEIGHTS, **changes}.items() if tensor is not None
    }
    write_safetensors(tmp_path / "w", tensors)
    assert told in load(tmp_path / "w")


# ------------------------------------------------- every cut, every bit of a header

LIMITS = {"ASAN_OPTIONS": "max_allocation_size_mb=100:allocator_may_return_null=1"}

NORMED = """network normed {
    input [1, 3, 3]
    conv2d(2, 2) as conv
    batch_norm2d as bn
    flatten
    linear(2) as fc
}
train {
    data synthetic;  loss cross_entropy;  optimizer sgd(lr=0.1, momentum=0.9);  batch 4;  epochs 2
}
"""

DRIVER = r"""
#include "runtime.h"
#include <stdlib.h>
#include <string.h>

static NetSession *session;
static NetOptimizer optimizer;

/* As weights, or as the checkpoint of a run. */
static bool load(const char *path, bool resume, NetError *error)
{
    NetTensorFile file;
    NetSettings settings;
    NetProgress progress;
    if (!resume)
        return net_load(session, path, error);
    bool good = net_settings_open(&settings, session->model, error)
        && net_tensors_open(&file, path, error);
    if (good) {
        good = net_checkpoint_progress(&file, &settings, &progress, NULL, error)
            && net_weights_read(session, &optimizer, &file, NULL, error);
        net_tensors_close(&file);
    }
    net_settings_close(&settings);
    return good;
}

static void try_damage(const char *how, size_t at, const char *path, const uint8_t *bytes,
                       size_t count, bool resume)
{
    NetError error;
    remove(path); /* ext4 writes to the disk what replaces a file that was cut to nothing */
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0)
        exit(2);
    printf("%s %zu: %s\n", how, at, load(path, resume, &error) ? "read" : error.text);
}

enum { BITS_EVERY = 3 }; /* of a checkpoint, which takes four times as long: each byte has some */

/* driver PATH weights|checkpoint */
int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 16];
    NetError error;
    NetSettings settings;
    bool resume = strcmp(argv[argc - 1], "checkpoint") == 0;
    FILE *file = fopen(argv[1], "rb");
    size_t count = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    session = net_session_open(&normed_model, 1, 4, 1, true, &error);
    if (!session || !net_settings_open(&settings, session->model, &error)
        || !net_optimizer_open(&optimizer, session->model, &settings, &error)
        || !load(argv[1], resume, &error)) {
        printf("%s\n", error.text);
        return 1;
    }
    for (size_t cut = 0; cut < count; cut++)
        try_damage("cut", cut, argv[1], bytes, cut, resume);
    for (size_t bit = 0; bit < 8 * count; bit += resume ? BITS_EVERY : 1) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        try_damage("bit", bit, argv[1], bytes, count, resume);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    net_optimizer_close(&optimizer);
    net_settings_close(&settings);
    net_close(session);
    return 0;
}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Built with the address and undefined-behaviour sanitizers."""
    path = tmp_path_factory.mktemp("normed") / "normed.net"
    path.write_text(NORMED)
    emitted = netc("emit", path.name, "--target=portable", "-o", "-", cwd=path.parent).stdout
    return sanitized.program(emitted + DRIVER)


@pytest.mark.parametrize("kind", ["weights", "checkpoint"])
def test_every_cut_and_every_bit(driver, kind, tmp_path):
    """Refused with one sentence that names the file.  Without the key `checksums` the
    file is one that has none, and the bit changed nothing else."""
    made = tmp_path / "w.safetensors"
    run(
        trainer(NORMED),
        "train",
        "--quiet",
        "--max-steps",
        1,
        {"weights": "--save", "checkpoint": "--checkpoint"}[kind],
        made,
    )
    key = made.read_bytes().index(b"checksums")
    size = made.stat().st_size
    # Not splitlines(): a message may quote a form feed.
    lines = run(driver, made, kind, env=LIMITS).stdout.rstrip("\n").split("\n")
    assert len(lines) == size + {"weights": 8 * size, "checkpoint": -(-8 * size // 3)}[kind]
    for line in lines:
        how, at, told = re.fullmatch(r"(cut|bit) (\d+): (.*)", line, re.S).groups()
        if how == "bit" and key <= int(at) // 8 < key + len("checksums"):
            continue
        assert str(made) in told and "out of memory" not in told, line
