"""`make sanitize`: networks built, trained, tested and asked, with everything that
runs then compiled for a sanitizer: address and undefined behaviour, and threads.
Each with both kinds of kernels and 1 to 16 threads, whose weights must be the same
bit for bit.  A line on stderr for each trainer that is through, one line of figures
at the end; exit 1 with findings.

The runtime library is made once more for each sanitizer, under build/sanitize.
"""
import argparse
import concurrent.futures
import itertools
import os
import random
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MADE = ROOT / "build" / "sanitize"

SANITIZERS = {
    "address": "-fsanitize=address,undefined -fno-sanitize-recover=all",
    "thread": "-fsanitize=thread",
}
# Images in a step: the reference kernels take ten times as long for one.
BATCHES = {"specialised": 64, "reference": 24}
KERNELS = list(BATCHES)
NETWORKS = ["mlp", "cnn", "lenet5", "inception", "resnet", "densenet"]
THREADS = range(1, 17)
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Finding(Exception):
    pass


def execute(*words, **environment):
    result = subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if result.returncode != 0:
        raise Finding(
            f"$ {' '.join(map(str, words))}\n"
            f"exit {result.returncode}\n"
            f"{result.stdout[-1000:]}{result.stderr[-4000:]}"
        )
    return result.stdout


def make_home(sanitizer, optimise, compiler="gcc"):
    """What NETC_HOME names, a folder with the library and the header, and a C compiler with the
    sanitizer on."""
    flags = f"{optimise} -g {SANITIZERS[sanitizer]}"
    home = furnished(MADE / f"{sanitizer}{optimise}", compiler, flags)
    execute(
        "make",
        f"-j{os.cpu_count()}",
        f"BUILD={home.relative_to(ROOT)}/build",
        f"CC={compiler}",
        f"CFLAGS={flags}",
        home.relative_to(ROOT) / "build" / "libnet_f32.a",
        MAKEFLAGS="",
    )
    return home


def furnished(home, program, flags):
    """A home that lacks the library only."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "runtime").exists():
        (home / "runtime").symlink_to(ROOT / "runtime")
    compiler = home / "cc"
    compiler.write_text(f'#!/bin/sh\nexec {program} "$@" {flags}\n')
    compiler.chmod(0o755)
    return home


def build(home, network, kernels):
    trainer = home / f"{network}-{kernels}"
    execute(
        ROOT / "build" / "netc",
        "build",
        ROOT / "models" / f"{network}.net",
        "-o",
        trainer,
        f"--kernels={kernels}",
        f"--cc={home / 'cc'}",
        "--dynamic",
        NETC_HOME=str(home),
    )
    return trainer


def write_digits(folder):
    """A data set of MNIST's shape and few images, the last batch not a full one."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(1)
    for split, count in (("train", 100), ("t10k", 40)):
        (folder / f"{split}-images-idx3-ubyte").write_bytes(
            struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + draw.randbytes(count * 784)
        )
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(draw.randrange(10) for _ in range(count))
        )
    return folder


def exercise(trainer, data, threads, steps, batch):
    """Trains, takes the run up again, tests, asks; gives the weights."""
    weights, checkpoint = (
        trainer.with_name(f"{trainer.name}-{threads}.{kind}") for kind in ("weights", "checkpoint")
    )
    common = ["--data", data, "--threads", threads]
    train = [trainer, "train", *common, "--batch", batch, "--quiet"]
    execute(*train, "--max-steps", steps, "--checkpoint", checkpoint)
    execute(*train, "--max-steps", steps + 1, "--resume", checkpoint, "--save", weights)
    execute(trainer, "test", *common, "--weights", weights)
    execute(trainer, "predict", *common, "--weights", weights, "--count", 3)
    bytes_trained = weights.read_bytes()
    weights.unlink()
    checkpoint.unlink()
    return bytes_trained


def run_trainer(home, network, kernels, data, threads, steps, batch):
    """All runs of one trainer: how many there were, and what was found."""
    try:
        trainer = build(home, network, kernels)
        weights = [
            exercise(trainer, data, count, steps, batch or BATCHES[kernels]) for count in threads
        ]
        if any(other != weights[0] for other in weights):
            raise Finding("the weights depend on the number of threads")
        return 4 * len(weights), None
    except Finding as finding:
        return 0, f"{home.name}, {network}, {kernels}: {finding}"


def campaign(
    homes,
    networks=NETWORKS,
    kernels=KERNELS,
    threads=THREADS,
    steps=2,
    processes=os.cpu_count(),
    batch=None,
):
    """The closing line and the findings."""
    start = time.monotonic()
    data = write_digits(MADE / "digits")
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        done = [
            pool.submit(run_trainer, *case, data, list(threads), steps, batch)
            for case in itertools.product(homes, networks, kernels)
        ]
        for through, job in enumerate(concurrent.futures.as_completed(done), 1):
            print(
                f"{through} of {len(done)} trainers, {time.monotonic() - start:.0f} s",
                job.result()[1] or "",
                file=sys.stderr,
                flush=True,
            )
        results = [job.result() for job in done]
    findings = [found for _, found in results if found]
    return (
        f"sanitize: {len(results)} trainers "
        f"({', '.join(home.name for home in homes)}; "
        f"{len(networks)} networks; {', '.join(kernels)}), "
        f"{sum(runs for runs, _ in results)} runs on {threads[0]} to {threads[-1]} threads, "
        f"{len(findings)} finding{'s' * (len(findings) != 1)}, {time.monotonic() - start:.0f} s"
    ), findings


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--sanitizers", default=",".join(SANITIZERS))
    parser.add_argument("--threads", default="1-16")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    first, last = re.fullmatch(r"(\d+)-(\d+)", arguments.threads).groups()
    line, findings = campaign(
        [make_home(sanitizer, "-O1") for sanitizer in arguments.sanitizers.split(",")],
        arguments.networks.split(","),
        threads=range(int(first), int(last) + 1),
        steps=arguments.steps,
        processes=arguments.processes,
    )
    print(*findings, line, sep="\n", flush=True)
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
