"""Every command of netc and of a trainer, each with all that it reads and writes,
as small as it can be: what is wanted is many runs."""
import functools
import gzip
import json
import re
import struct

import numpy as np

from data.test_data import JPEG, png
from faults.strikes import Case, undisturbed
from harness import NETC, trainer

CLASSES, TRAIN_IMAGES, TEST_IMAGES = 3, 10, 4

TRAIN = """
train {
    data      "digits"
    normalize mean=0.5, std=0.25
    loss      cross_entropy
    optimizer sgd(lr=0.1, momentum=0.9)
    batch     4
    epochs    2
}
"""
NET = (
    """# a comment
use "block.net"

network tiny {
    input [1, 8, 8]
    Pair(2) as pair
    flatten  ->  [32]
    linear(3) as fc
}
"""
    + TRAIN
)
BLOCK = """block Pair(channels) [c, h, w] -> [channels, h/2, w/2] {
    conv2d(channels, 3, padding=1) as conv
    relu
    max_pool2d(2)
}
"""
LINEAR = (
    """network tiny {
    input [1, 8, 8]
    flatten
    linear(3) as fc
}
"""
    + TRAIN
)
COLOUR = LINEAR.replace("[1, 8, 8]", "[3, 32, 32]").replace("linear(3)", "linear(10)")

# Two mistakes: a name with one reading, and behind it a shape with several.
WRONG = """network wrong {
    input [1, 8, 8]
    conv2d(2, 3) as conv
    rellu
    skip {
        conv2d(2, 3) as inner
    }
    flatten
    linear(3) as fc
}
"""
SHAPE = WRONG.replace("rellu", "relu")
FIXABLE = WRONG.replace("    skip {\n        conv2d(2, 3) as inner\n    }\n", "")

# Stand for the C compiler and for Graphviz: they only copy.
COMPILER = b"""#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in -o) made=$2; shift ;; *.c) source=$1 ;; esac
    shift
done
[ -n "$made" ] || exit 0
{ printf '\\177ELF\\n'; cat "$source"; } > "$made" && chmod +x "$made"
"""
DOT = b"""#!/bin/sh
[ "$1" = -V ] || cat "$4" > "$3"
"""

NETWORK = {"a.net": NET.encode(), "block.net": BLOCK.encode()}


def netc(name, *arguments, files=NETWORK, stdin=b"", timeless=None):
    return Case(f"netc {name}", NETC, arguments, files, stdin, timeless)


# ----------------------------------------------------------- the server


def framed(*messages):
    bodies = (json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages)
    return b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)


def request(number, method, params=None):
    return {"id": number, "method": method, "params": params or {}}


def notice(what, document, **more):
    return {"method": f"textDocument/{what}", "params": {"textDocument": document, **more}}


def session():
    """Opens a right text and a wrong one, asks all there is to ask, and takes its leave."""
    right, wrong = {"uri": "file:///work/a.net"}, {"uri": "file:///work/w.net"}
    at = {"textDocument": right, "position": {"line": 6, "character": 6}}
    asked = (
        "hover completion signatureHelp definition references documentHighlight prepareRename "
        "documentSymbol foldingRange semanticTokens/full formatting".split()
    )
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": 20, "character": 0}}
    word = {"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 9}}
    change = {"contentChanges": [{"range": word, "text": "relu"}]}
    return framed(
        request(1, "initialize", {"capabilities": {}}),
        {"method": "initialized", "params": {}},
        notice("didOpen", {**right, "text": LINEAR, "version": 1}),
        notice("didOpen", {**wrong, "text": WRONG, "version": 1}),
        *[request(10 + i, f"textDocument/{what}", at) for i, what in enumerate(asked)],
        request(30, "textDocument/rename", {**at, "newName": "last"}),
        request(31, "textDocument/inlayHint", {"textDocument": right, "range": whole}),
        request(
            32,
            "textDocument/codeAction",
            {"textDocument": wrong, "range": whole, "context": {"diagnostics": []}},
        ),
        notice("didChange", {**wrong, "version": 2}, **change),
        request(33, "textDocument/hover", {**at, "textDocument": wrong}),
        notice("didClose", wrong),
        request(40, "shutdown"),
        {"method": "exit"},
    )


# --------------------------------------------------------------- trainers


def idx(array):
    return struct.pack(f">{array.ndim + 1}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


@functools.cache
def digits():
    """{name: bytes} of the four IDX files."""
    numbers, files = np.random.default_rng(1), {}
    for name, count in ("train", TRAIN_IMAGES), ("t10k", TEST_IMAGES):
        images = numbers.integers(0, 256, (count, 8, 8), "u1")
        files[f"digits/{name}-images-idx3-ubyte"] = idx(images)
        files[f"digits/{name}-labels-idx1-ubyte"] = idx(numbers.integers(0, CLASSES, count, "u1"))
    return files


def packed(files):
    return {name + ".gz": gzip.compress(data) for name, data in files.items()}


def pictures():
    numbers, files = np.random.default_rng(2), {}
    for split in "train", "test":
        for name in "ant", "bee", "cat":
            pixels = numbers.integers(0, 256, (9, 9, 1), "u1")
            files[f"digits/{split}/{name}/0.png"] = png(pixels, 0)
            files[f"digits/{split}/{name}/1.jpg"] = JPEG
    return files


def cifar():
    numbers = np.random.default_rng(3)
    records = [bytes([label]) + numbers.integers(0, 256, 3072, "u1").tobytes() for label in (0, 1)]
    names = ["test_batch"] + [f"data_batch_{i}" for i in range(1, 6)]
    return {f"digits/{name}.bin": b"".join(records) for name in names}


def tiny(*options):
    """Dynamically linked: only so can its allocations be made to fail."""
    return trainer(LINEAR, "--kernels=reference", "--dynamic", *options)


def colour():
    return trainer(COLOUR, "--kernels=reference", "--dynamic")


def train(name, *arguments, program=None, files=None):
    words = ("train", "--threads", "2", "--quiet", *arguments)
    files = digits() if files is None else files
    return Case(f"train {name}", program or tiny(), words, files, timeless=without_times)


def without_times(text):
    """Of a log."""
    return re.sub(r'"(seconds|images_per_second)":[-+.e\d]+', r'"\1":0', text)


def first_words(text):
    """Of each line, for what is measured: numbers, their units and what they are called by."""
    return [line.split()[:1] for line in re.sub(r"[-+.,e\d]+", " ", text).splitlines()]


def without_drawings(text):
    """Where the locale cannot be had, pictures are drawn with other characters."""
    return re.findall(r".*\d %.*", text)


ALL = (
    "--save w.safetensors --checkpoint c.safetensors --log l.jsonl --save-gradients g.safetensors"
).split()


def trained(*arguments):
    """The files that such a run leaves."""
    return undisturbed(train("before", *ALL, *arguments)).files


def trainer_cases():
    done, half = trained(), trained("--max-steps", "2")
    weights = {**digits(), "w.safetensors": done["w.safetensors"]}
    load = ("--weights", "w.safetensors")
    picture = {"p.png": png(np.full((9, 9, 1), 90, "u1"), 0), "p.jpg": JPEG}
    yield train("anew", *ALL)
    yield train("again", *ALL, files=done)
    yield train("resumed", "--resume", "c.safetensors", *ALL, files=half)
    words = "--init w.safetensors --save v.safetensors --set optimizer.momentum=0.5".split()
    yield train("on", *words, files=weights)
    yield train("gzip", "--save", "w.safetensors", files=packed(digits()))
    yield train("pictures", "--save", "w.safetensors", files=pictures())
    yield train(
        "cifar", "--save", "w.safetensors", "--epochs", "1", program=colour(), files=cifar()
    )
    yield Case("train shown", tiny(), ("train", "--threads", "1"), digits(), timeless=first_words)
    yield Case("test", tiny(), ("test", *load), weights)
    yield Case(
        "predict data",
        tiny(),
        ("predict", *load, "--data", "digits"),
        weights,
        timeless=without_drawings,
    )
    yield Case(
        "predict files",
        tiny(),
        ("predict", *load, "p.png", "p.jpg"),
        {**weights, **picture},
        timeless=without_drawings,
    )
    bench = ("bench", "--steps", "1", "--threads")
    yield Case("bench", tiny(), (*bench, "2", "--data", "digits"), digits(), timeless=first_words)
    yield Case("bench json", tiny(), (*bench, "1", "--json"), timeless=first_words)
    yield Case("gradcheck", tiny("--dtype=f64"), ("gradcheck", "--samples", "1", "--threads", "1"))
    yield Case("info", tiny(), ("info",))
    yield Case("trainer help", tiny(), ("train", "--help"))


# ----------------------------------------------------------------- netc


def netc_cases():
    wrong, fixable, shape = ({"a.net": text.encode()} for text in (WRONG, FIXABLE, SHAPE))
    untidy = {**NETWORK, "a.net": NET.replace("    ", "  ").encode(), "b.net": LINEAR.encode()}
    small, dot = {"a.net": LINEAR.replace(TRAIN, "").encode()}, {**NETWORK, "bin/dot": DOT}
    build = ("build", "--kernels=reference", "--cc=fakecc", "a.net")
    compiler = {**small, "bin/fakecc": COMPILER}
    yield netc("check", "check", "a.net", "block.net")
    for style in "human", "short", "json", "sarif", "narrated":
        yield netc(f"check wrong {style}", "check", f"--diagnostics={style}", "a.net", files=shape)
    yield netc("check wrong name", "check", "a.net", files=wrong)
    yield netc("check --fix", "check", "--fix", "a.net", files=fixable)
    yield netc("check --fix wrong", "check", "--fix", "a.net", files=wrong)
    yield netc("build", *build, "-o", "a", files=compiler)
    yield netc(
        "build again", *build, "-o", "a", files={**compiler, "a": b"\x7fELF, an older trainer"}
    )
    yield netc("build --object", *build, "--object", "-o", "a.o", files=compiler)
    yield netc("emit", "emit", "--kernels=reference", "a.net", files=small)
    yield netc("emit -o", "emit", "a.net", "-o", "a.c", files={**NETWORK, "a.c": b"an older one"})
    yield netc("emit reference", "emit", "--kernels=reference", "--dtype=f64", "a.net", "-o", "a.c")
    yield netc("summary", "summary", "a.net")
    yield netc("summary --json", "summary", "--json", "a.net")
    yield netc("graph", "graph", "a.net")
    drawn = "graph --svg a.net -o a.svg".split()
    yield netc("graph --svg", *drawn, files={**dot, "a.svg": b"an older one"})
    yield netc("fmt", "fmt", "a.net", "b.net", files=untidy)
    yield netc("fmt --check", "fmt", "--check", "a.net", "b.net", files=untidy)
    yield netc("fmt --diff", "fmt", "--diff", "a.net", files=untidy)
    yield netc("fmt --annotate", "fmt", "--annotate", "a.net")
    yield netc("fmt -", "fmt", "-", stdin=untidy["a.net"])
    yield netc("explain", "explain")
    yield netc("explain conv2d", "explain", "conv2d")
    yield netc("explain code", "explain", "add-mismatch")
    yield netc("help", "build", "--help")
    for stage in "ast", "graph", "gradient", "plan":
        yield netc(f"--dump={stage}", "check", f"--dump={stage}", "a.net")
    yield netc("lsp", "lsp", stdin=session())


def all_cases():
    yield from netc_cases()
    yield from trainer_cases()
