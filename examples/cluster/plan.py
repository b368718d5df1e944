#!/usr/bin/env python3
"""What a step of data-parallel training costs on many machines, on paper.

    plan.py TRAINER [--batch 64] [--cores 16] [--step SECONDS] [--rates 10,100] [--nodes 8,64]

The trainer's own figures go in: its parameters and batch norms by `TRAINER info`, the time of a
step on one machine by `TRAINER bench --cores` unless --step gives it.  Each machine has a batch of
its own size, so more machines make a larger batch.  The formulas are those of Thakur, Rabenseifner
and Gropp 2005, "Optimization of collective communication operations in MPICH", with a message's
latency a and a line's time for a byte b, for n machines and V bytes of gradients:

    ring                          2 (n - 1) a + 2 (n - 1)/n V b
    halving and doubling          2 log2(n) a + 2 (n - 1)/n V b       what netc does, n a power of 2
    tree, whole messages          2 log2(n) (a + V b)                 what netc does, other n

The sums of batch norms over all images are gathered twice a step for each norm: of every grain two
numbers for each channel, forward and backward; with --norms rank nothing is sent.  Gradients of the
last layers are on their way while the others are computed, so of the shorter of both, two thirds of
a step and the reduction, nothing is seen.
"""
import argparse
import math
import re
import subprocess

BYTES = 4  # of an element
BACKWARD = 2 / 3  # of a step, in which gradients are made: two products for the forward's one


def read_info(text):
    """Of what TRAINER info prints: parameters, images of a grain, each batch norm's channels."""
    numbers = {
        name: int(re.search(pattern, text, re.M)[1])
        for name, pattern in {
            "parameters": r"^parameters +(\d+)",
            "lanes": r"^grain +(\d+) images",
        }.items()
    }
    norms = re.findall(r"^\S+ +batch_norm\w* +\[(\d+)", text, re.M)
    return {**numbers, "norms": [int(channels) for channels in norms]}


def read_bench(text, cores):
    """Seconds of a step, of what TRAINER bench --cores prints."""
    return float(re.search(rf"^ *{cores} +(\d+\.\d+)", text, re.M)[1]) / 1e6


def levels(nodes):
    return math.ceil(math.log2(nodes))


def ring(nodes, size, latency, byte):
    return 2 * (nodes - 1) * latency + 2 * (nodes - 1) / nodes * size * byte


def halving(nodes, size, latency, byte):
    return 2 * levels(nodes) * latency + 2 * (nodes - 1) / nodes * size * byte


def tree(nodes, size, latency, byte):
    return 2 * levels(nodes) * (latency + size * byte)


def norm_seconds(info, nodes, batch, latency, byte):
    """A gather of what each grain has: every machine receives what the others sum up."""
    grains = math.ceil(batch / info["lanes"])
    received = (nodes - 1) * grains * 2 * BYTES
    return sum(2 * (levels(nodes) * latency + received * c * byte) for c in info["norms"])


def plan(info, step, nodes, batch, rate, latency):
    """Seconds of each part of a step on so many machines, at a line of `rate` bits a second."""
    size, byte = info["parameters"] * BYTES, 8 / rate
    sums = {f.__name__: f(nodes, size, latency, byte) if nodes > 1 else 0.0
            for f in (ring, halving, tree)}  # fmt: skip
    own = sums["tree" if nodes & (nodes - 1) else "halving"]
    seen = max(0.0, own - BACKWARD * step)
    norms = norm_seconds(info, nodes, batch, latency, byte) if nodes > 1 else 0.0
    return {
        **sums,
        "bytes": 2 * (nodes - 1) / nodes * size,
        "norms": norms,
        "all": step / (step + seen + norms),
        "rank": step / (step + seen),
    }


def pays_until(info, step, batch, rate, latency, which, least=0.5):
    """The largest power of two of machines of which half is not lost; at most 2^20."""
    nodes = 1
    while nodes < 1 << 20 and plan(info, step, 2 * nodes, batch, rate, latency)[which] >= least:
        nodes *= 2
    return nodes


def table(info, step, options):
    latency = options.latency / 1e6
    print(f"{info['parameters']} parameters, {info['parameters'] * BYTES / 1e6:.1f} MB of "
          f"gradients, {len(info['norms'])} batch norms of {sum(info['norms'])} channels; "
          f"{options.batch} images a machine, {step:.3f} s a step\n")  # fmt: skip
    print("| machines | Gb/s | MB sent | ring, ms | halving, ms | tree, ms | norms, ms "
          "| efficiency | with --norms rank |")  # fmt: skip
    print("| ---: " * 9 + "|")
    for rate in options.rates:
        for nodes in options.nodes:
            p = plan(info, step, nodes, options.batch, rate * 1e9, latency)
            times = " | ".join(f"{1e3 * p[k]:.1f}" for k in ("ring", "halving", "tree", "norms"))
            print(f"| {nodes} | {rate:g} | {p['bytes'] / 1e6:.1f} | {times} "
                  f"| {100 * p['all']:.0f} % | {100 * p['rank']:.0f} % |")  # fmt: skip
    for rate in options.rates:
        limits = [pays_until(info, step, options.batch, rate * 1e9, latency, which)
                  for which in ("all", "rank")]  # fmt: skip
        words = ["more than a million" if n == 1 << 20 else str(n) for n in limits]
        print(f"\nAt {rate:g} Gb/s half of the machines' time is lost beyond {words[0]} machines, "
              f"with --norms rank beyond {words[1]}.")  # fmt: skip


def numbers(kind):
    return lambda text: [kind(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("trainer")
    parser.add_argument("--batch", type=int, default=64, help="images of a machine")
    parser.add_argument("--cores", type=int, default=16, help="of a machine")
    parser.add_argument("--step", type=float, help="seconds of a step; else it is measured")
    parser.add_argument("--latency", type=float, default=20, help="of a message, in microseconds")
    parser.add_argument("--rates", type=numbers(float), default=[10, 100], help="in Gb/s")
    parser.add_argument("--nodes", type=numbers(int), default=[8, 64, 1024])
    options = parser.parse_args()

    def ask(*words):
        return subprocess.run([options.trainer, *words], check=True, capture_output=True,
                              text=True).stdout  # fmt: skip

    info = read_info(ask("info"))
    words = ("bench", "--cores", str(options.cores), "--batch", str(options.batch))
    step = options.step or read_bench(ask(*words), options.cores)
    table(info, step, options)


if __name__ == "__main__":
    main()
