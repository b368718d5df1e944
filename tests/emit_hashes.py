"""A hash of every C file that netc emits: models x targets x element types x fusions.

A change that is not to change what is emitted is made between two runs of

    python3 tests/emit_hashes.py [NETC] > before
    diff before after

One line per combination: model, target, type, kernels or fusion, the first 16 digits of
SHA-256, bytes.  `native` is left out: it differs from machine to machine.
"""
import concurrent.futures
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ["x86-64-v4", "x86-64-v3", "portable"]


def fusions(netc):
    """The names that --fuse knows, which are listed for who gives another."""
    said = subprocess.run([netc, "check", "--fuse=?"], stderr=subprocess.PIPE, text=True).stderr
    return said.partition("some of ")[2].partition(", not")[0].split(", ")


def combinations(netc):
    """(words for a line, options): every type and target with all fusions, with none and with
    the reference kernels; and on one target each fusion alone."""
    for dtype in ("f32", "f64"):
        for target in TARGETS:
            common = [f"--dtype={dtype}", f"--target={target}"]
            for choice in ([], ["--fuse=none"], ["--kernels=reference"]):
                yield [target, dtype, *(choice or ["all"])], common + choice
    for fusion in fusions(netc):
        yield ["x86-64-v3", "f32", fusion], [
            "--dtype=f32",
            "--target=x86-64-v3",
            f"--fuse={fusion}",
        ]


def emitted(netc, model, options):
    return subprocess.run(
        [netc, "emit", *options, str(model)], stdout=subprocess.PIPE, check=True
    ).stdout


def hash_line(netc, model, words, options):
    text = emitted(netc, model, options)
    return " ".join([model.name, *words, hashlib.sha256(text).hexdigest()[:16], str(len(text))])


def main():
    netc = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build" / "netc")
    jobs = [
        (netc, model, words, options)
        for model in sorted((ROOT / "models").glob("*.net"))
        for words, options in combinations(netc)
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for line in pool.map(lambda job: hash_line(*job), jobs):
            print(line)


if __name__ == "__main__":
    main()
