#!/usr/bin/env python3
"""One table of this project's speed beside its peers', in one run on one machine.

    make bench                          the small networks, all installed peers
    tests/bench/bench.py --networks large     those of ImageNet's size
    tests/bench/bench.py --networks cnn,mlp --peers torch-eager,onnxruntime
    tests/bench/bench.py --before ../older    a built checkout of an older commit takes part

Every peer is a process of its own (peers.py) that is prepared once, its
compilation included, and then measured when told to.  Each is tried with every
setting it has (threads 1 and 2, memory format); its best setting enters the
repeats, which go round the peers by turns, so that a slow moment of the machine
falls on all of them.  Figures are medians; the spread is the distance from the
least to the most, in percent of the median.

README.md says how to install the peers.  BENCH_PYTHON names the Python that has
them; what it cannot import is left out of the table.
"""
import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "bench"
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
PEERS = {
    "torch-eager": "torch",
    "torch-compile": "torch",
    "jax": "jax",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
}
NETWORKS = ["mlp", "cnn", "inception", "resnet", "densenet", "resnet18_cifar"]
LARGE = (
    "resnet18 resnet50 mobilenet_v2 efficientnet_b0 densenet121 convnext_tiny vgg16 unet"
).split()
SLOW = {"resnet18_cifar"}  # training only
MASKS = {"unet"}  # inference only
LACKS = {  # what is not written for a peer, or what it cannot do
    "jax": SLOW | set(LARGE),
    "onnxruntime": SLOW,
    "openvino": SLOW,
}
KINDS = {
    "train": "training, images/s",
    "one": "inference, batch 1, µs (less is better)",
    "many": "inference, many images at once, images/s",
}
THREADS = sorted({1, min(2, len(os.sched_getaffinity(0)))})
SETTLE = 0.3  # seconds: threads of the last one measured stop spinning
MNIST_IMAGES = 60000

# What models/ of large images have no recipe for: a step is timed, no network is trained.
TRAIN = """
train {
    data      synthetic
    normalize mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]
    loss      cross_entropy
    optimizer sgd(lr=0.01, momentum=0.9)
    batch     16
    epochs    1
}
"""


# ----------------------------------------------------------------- contenders


class Netc:
    """This project: every turn is a run of the trainer's own benchmark."""

    def __init__(self, network, threads, root):
        self.network, self.setting, self.share = network, f"{threads} thread{'s'[:threads - 1]}", []
        program = trainer(network, root)
        self.command = [program, "bench", "--json", "--threads", str(threads), "--only"]

    def measure(self, kind, seconds):
        only = "training" if kind == "train" else kind
        told = json.loads(
            subprocess.run([*self.command, only], check=True, capture_output=True, text=True).stdout
        )
        if kind == "train":
            self.share.append(told["share_of_peak"]["median"])
            return told["batch"] / told["training_seconds"]["median"]
        if kind == "one":
            return told["inference_1_seconds"]["median"] * 1e6
        return told["many"] / told["inference_many_seconds"]["median"]

    def close(self):
        pass


class Peer:
    """A process of peers.py: a line with what to measure goes in, a number comes out."""

    def __init__(self, name, network, setting):
        self.name, self.network, self.setting = name, network, setting
        command = [PYTHON, Path(__file__).with_name("peers.py"), name, network, setting, WORK]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        first = self.process.stdout.readline()
        self.kinds = set(first.split())
        if not first:
            shown = " ".join(f"'{word}'" if " " in str(word) else str(word) for word in command)
            print(
                f"left out: {name} could not be prepared for {network}; "
                f"this shows why: {shown} </dev/null",
                file=sys.stderr,
            )

    def measure(self, kind, seconds):
        if kind not in self.kinds:
            return None
        print(kind, seconds, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        return float(answer) if answer else None

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def source(network, root):
    """Its .net file, with a train section."""
    model = root / "models" / f"{network}.net"
    if network not in LARGE or network in MASKS:
        return model
    made = root / "build" / "bench" / f"{network}.net"
    made.write_text(model.read_text() + TRAIN)
    return made


def trainer(network, root=ROOT):
    """The network's trainer, made by the netc of a checkout that has been built."""
    path = root / "build" / "bench" / network
    path.parent.mkdir(exist_ok=True)
    made_from = [root / "build" / "netc", root / "build" / "libnet_f32.a"]
    if not path.exists() or path.stat().st_mtime < max(file.stat().st_mtime for file in made_from):
        subprocess.run(
            [root / "build" / "netc", "build", "--warn=no-rows-left-out", source(network, root)]
            + ["-o", path],
            check=True,
        )
    return path


def settings(peer):
    """What a peer is tried with: threads, and the memory formats PyTorch users choose from."""
    formats = ["contiguous", "channels_last"] if peer.startswith("torch") else [""]
    return [f"{threads} {form}".strip() for form in formats for threads in THREADS]


# ------------------------------------------------------------------ measuring


def best_peer(kind, row):
    return best(kind, [row[name] for name in row if name not in ("netc", "before")])


def best(kind, values):
    """The better of (figure, …) tuples; a batch-1 figure is a time."""
    values = [value for value in values if value[0] is not None]
    if not values:
        return None
    return min(values, key=lambda v: v[0]) if kind == "one" else max(values, key=lambda v: v[0])


def contenders(network, peers, before):
    for name, root in ("netc", ROOT), ("before", before):
        if root:
            yield name, [Netc(network, threads, root) for threads in THREADS]
    for peer in peers:
        if network not in LACKS.get(peer, ()):
            yield peer, [Peer(peer, network, setting) for setting in settings(peer)]


def choose(candidates, kinds, seconds):
    """{kind: the candidate whose trial was best}."""
    trials = {kind: [] for kind in kinds}
    for candidate in candidates:
        for kind in kinds:
            time.sleep(SETTLE)
            trials[kind].append((candidate.measure(kind, seconds), candidate))
    return {kind: found[1] for kind in kinds if (found := best(kind, trials[kind]))}


def measure_network(network, peers, before, repeats, seconds):
    """{kind: {name: (median, spread, setting, share of peak or None)}}"""
    kinds = [kind for kind in KINDS if network not in (MASKS if kind == "train" else SLOW)]
    chosen, everyone = {}, []
    for name, candidates in contenders(network, peers, before):
        chosen[name] = choose(candidates, kinds, seconds / 2)
        everyone += candidates
        for candidate in set(candidates) - set(chosen[name].values()):
            candidate.close()
    results = {kind: {name: [] for name in chosen if kind in chosen[name]} for kind in kinds}
    for candidate in chosen["netc"].values():
        candidate.share = []
    for _ in range(repeats):
        for kind in kinds:
            for name in results[kind]:
                time.sleep(SETTLE)
                results[kind][name].append(chosen[name][kind].measure(kind, seconds))
    for candidate in {candidate for picks in chosen.values() for candidate in picks.values()}:
        candidate.close()
    return {
        kind: {
            name: (
                statistics.median(values),
                100 * (max(values) - min(values)) / statistics.median(values),
                chosen[name][kind].setting,
                statistics.median(chosen[name][kind].share)
                if name == "netc" and kind == "train"
                else None,
            )
            for name, values in results[kind].items()
        }
        for kind in kinds
    }


# -------------------------------------------------------- start, memory, size


def write_mnist():
    """Files of MNIST's names and sizes, but not its pictures: no figure here depends on them."""
    folder = WORK / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    for stem, count in ("train", MNIST_IMAGES), ("t10k", MNIST_IMAGES // 6):
        images, labels = folder / f"{stem}-images-idx3-ubyte", folder / f"{stem}-labels-idx1-ubyte"
        if images.exists() and labels.exists():
            continue
        images.write_bytes(
            struct.pack(">iiii", 0x803, count, 28, 28)
            + bytes(i * 2654435761 >> 13 & 255 for i in range(784)) * count
        )
        labels.write_bytes(struct.pack(">ii", 0x801, count) + bytes(i % 10 for i in range(count)))
    return folder


def timed_run(command):
    """(seconds, peak resident MB) of a process from its start to its end.

    A process starts in our memory, and what it is told as its peak is at least
    ours: which is ours of this moment, once what we held earlier is forgotten."""
    Path("/proc/self/clear_refs").write_text("5")
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    return (seconds, usage.ru_maxrss / 1024) if status == 0 else (None, None)


def program_size(name):
    """MB: the stripped trainer, or the packages that a peer's program needs besides Python."""
    if name == "netc":
        stripped = WORK / "cnn.stripped"
        subprocess.run(["strip", "-o", stripped, trainer("cnn")], check=True)
        return stripped.stat().st_size / 1e6
    wanted = {"torch": ["torch"], "jax": ["jax", "jaxlib"]}[PEERS[name]]
    code = (
        "import importlib.util as u; "
        f"print(*[u.find_spec(n).submodule_search_locations[0] for n in {wanted}])"
    )
    folders = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True).stdout.split()
    return (
        sum(f.stat().st_size for folder in folders for f in Path(folder).rglob("*") if f.is_file())
        / 1e6
    )


def measure_footprint(peers, repeats):
    """[(name, seconds to the end of a first step, peak MB of 100 steps, program MB)]

    The network is cnn, on files of MNIST's sizes.
    """
    data = write_mnist()
    rows = []
    for name in ["netc", *[peer for peer in peers if peer not in ("onnxruntime", "openvino")]]:

        def command(steps):
            if name == "netc":
                words = f"train --quiet --max-steps {steps} --data".split()
                return [trainer("cnn"), *words, data]
            peer = [PYTHON, Path(__file__).with_name("peers.py"), name]
            return [*peer, "cnn", settings(name)[-1], WORK, str(steps), data]

        starts = [timed_run(command(1))[0] for _ in range(repeats)]
        if None not in starts:
            rows.append(
                (name, statistics.median(starts), timed_run(command(100))[1], program_size(name))
            )
    return rows


# ------------------------------------------------------------------- the table


def print_kind(kind, results, names):
    print(f"\n{KINDS[kind]}: median, spread %, setting\n")
    print(
        f"{'':16}"
        + "".join(f"{name:>30}" for name in names)
        + f"{'× best peer':>14}"
        + ("  share of peak" if kind == "train" else "")
    )
    for network, measured in results.items():
        row = measured.get(kind, {})
        if "netc" not in row:
            continue
        digits = 1 if kind == "one" else 0
        cells = [
            f"{row[name][0]:12,.{digits}f} {row[name][1]:3.0f}% {row[name][2]:<12}"
            if name in row
            else "-"
            for name in names
        ]
        rival = best_peer(kind, row)
        ratio = f"{row['netc'][0] / rival[0]:14.2f}" if rival else f"{'-':>14}"
        share = f"{100 * row['netc'][3]:13.1f} %" if row["netc"][3] else ""
        print(f"{network:16}" + "".join(f"{cell:>30}" for cell in cells) + ratio + share)


def tell_progress(network, measured, number, count, began):
    """What has been measured, while the rest is still to come."""
    minutes = (time.monotonic() - began) / 60
    to_go = minutes / number * (count - number)
    print(
        f"{network} ({number} of {count}; {minutes:.0f} min gone, about {to_go:.0f} to go)",
        file=sys.stderr,
    )
    for kind, row in measured.items():
        rival = best_peer(kind, row)
        share = f", {100 * row['netc'][3]:.1f} % of peak" if row["netc"][3] else ""
        print(
            f"    {KINDS[kind]:38} {row['netc'][0]:12,.1f}"
            + (f"  × best peer {row['netc'][0] / rival[0]:.2f}" if rival else "")
            + share,
            file=sys.stderr,
            flush=True,
        )


def print_footprint(rows):
    print(
        "\n"
        "cnn on MNIST: from start to the end of the first step and of the process; "
        "100 steps; program\n"
    )
    for name, seconds, memory, size in rows:
        print(
            f"{name:16} {seconds * 1000:10.0f} ms "
            f"{memory:10.0f} MB resident {size:10.2f} MB of program"
        )


def installed(peers):
    def there(peer):
        return (
            subprocess.run([PYTHON, "-c", f"import {PEERS[peer]}"], capture_output=True).returncode
            == 0
        )

    return [peer for peer in peers if there(peer)]


def main():
    parser = argparse.ArgumentParser(
        description="netc beside its peers", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--networks", default=",".join(NETWORKS), help='or "large"')
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--before", type=Path, help="a built checkout of an older commit")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="a turn lasts")
    options = parser.parse_args()
    shutil.rmtree(WORK / "onnx", ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    peers = installed([peer for peer in options.peers.split(",") if peer])
    names = ["netc", *(["before"] if options.before else []), *peers]
    results, began = {}, time.monotonic()
    networks = LARGE if options.networks == "large" else options.networks.split(",")
    for number, network in enumerate(networks, 1):
        trainer(network)
        results[network] = measure_network(
            network, peers, options.before, options.repeats, options.seconds
        )
        tell_progress(network, results[network], number, len(networks), began)
    print(
        f"{os.cpu_count()} processors; medians of {options.repeats} repeats by turns, "
        "each peer with the best of its settings"
    )
    for kind in KINDS:
        print_kind(kind, results, names)
    if not set(networks) <= set(LARGE):
        print_footprint(measure_footprint(peers, options.repeats))


if __name__ == "__main__":
    main()
