#!/usr/bin/env python3
"""This project's speed beside its peers', in one run on one machine.

    make bench                          the small networks, all installed peers
    make bench BENCH_ARGS="--networks large --batches 1,16,64 --minutes 240"

Every peer is a process of its own (peers.py) that is prepared, its compilation
included, and then measured when told to.  Each is tried with every setting it has
(threads, memory format); its best setting enters the repeats, which go round all
by turns, so that a slow moment of the machine falls on all of them.  A figure is
the least of the repeats.  Nobody is waited for longer than --limit, and the run
ends when --minutes are over: with what it has, in a file that --resume goes on with.

README.md says how to install the peers.  BENCH_PYTHON names the Python that has
them.
"""
import argparse
import hashlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from bench import footprint, record, report
from bench.contestants import Clock, LeftOut, Netc, Peer, TimeIsUp, TooSlow, version
from bench.networks import CIFAR, LARGE, MNIST, NETWORKS, ROOT, TEXTS, figures

WORK = ROOT / "build" / "bench"
PEERS = {  # the packages of each; the first one's version is told
    "torch-eager": ["torch"],
    "torch-compile": ["torch"],
    "jax": ["jax", "jaxlib"],
    "onnxruntime": ["onnxruntime"],
    "openvino": ["openvino"],
}
INFERENCE_ONLY = {"onnxruntime", "openvino"}
FORMATS = {"torch-eager": ["contiguous", "channels_last"]}  # what PyTorch's users choose from
FORMATS["torch-compile"] = FORMATS["torch-eager"]
GENERATE = {"torch-eager", "torch-compile"}  # who keeps what was seen of a text
CORES = len(os.sched_getaffinity(0))
SETTLE = 0.3  # seconds: threads of the last one measured stop spinning


class Run:
    """What was asked for, and what has been measured so far."""

    def __init__(self, options, peers, kept, path):
        self.options, self.peers, self.record, self.path = options, peers, kept, path
        self.clock = Clock(options.limit, options.minutes)
        self.wanted = [
            figure for network in options.networks for figure in figures(network, options.batches)
        ]

    def save(self):
        record.write(self.record, self.path)

    def names(self, figure):
        """Who takes part in a figure."""
        ours = ["netc", "before"] if self.options.before else ["netc"]
        if figure.kind == "generate":
            return ours + [peer for peer in self.peers if peer in GENERATE]
        trains = figure.kind == "training"
        return ours + [peer for peer in self.peers if not (trains and peer in INFERENCE_ONLY)]

    def settings(self, name, figure):
        """What a contestant is tried with.  On one core nobody is fast with a large network."""
        threads = self.options.threads or ([CORES] if figure.network in LARGE else [1, CORES])
        threads = sorted(set(threads))
        if name in record.OURS:
            return [f"{count} thread{'s' if count > 1 else ''}" for count in threads]
        forms = FORMATS.get(name, [""])[: 1 if figure.network in TEXTS else None]
        return [f"{count} {form}".strip() for form in forms for count in threads]

    def start(self, name, figure, setting):
        if name == "netc":
            return Netc(figure, setting, WORK, self.clock)
        if name == "before":
            root = self.options.before
            folder = root / "build" / "bench"
            folder.mkdir(exist_ok=True)
            return Netc(figure, setting, folder, self.clock, root)
        return Peer(name, figure, setting, WORK, self.clock)


# ------------------------------------------------------------------ measuring


def is_left_out(entry, clock):
    """For good: it was too slow for a limit that was no shorter."""
    return "left_out" in entry and entry.get("limit", 0) >= clock.limit


def is_open(run, entry):
    """Whether there is something to measure."""
    if "left_out" in entry:
        return not is_left_out(entry, run.clock)
    return len(entry.get("turns", ())) < run.options.repeats


def leave_out(run, entry, why):
    entry["left_out"] = str(why)
    if isinstance(why, TooSlow):
        entry["limit"] = run.clock.limit


def audition(run, figure, name, entry):
    """The contestant with its best setting; None: all settings failed."""
    best, best_seconds, tried, failure = None, None, {}, None
    try:
        for setting in run.settings(name, figure):
            candidate = None
            try:
                candidate = run.start(name, figure, setting)
                time.sleep(SETTLE)
                tried[setting] = candidate.measure(run.options.seconds / 2)
                if best is None or tried[setting] < best_seconds:
                    best, best_seconds, candidate = candidate, tried[setting], best
            except LeftOut as why:
                failure, tried[setting] = why, str(why)
            finally:
                if candidate:
                    candidate.close()
    except BaseException:
        if best:
            best.close()
        raise
    entry["tried"] = tried
    if best:
        entry.update(setting=best.setting, turns=[])
    else:
        leave_out(run, entry, failure)
    return best


def admit(run, figure, name, entry):
    """The contestant, ready to be measured; None: it is left out."""
    if is_left_out(entry, run.clock):
        return None
    if "left_out" in entry:
        entry.clear()
    if "setting" not in entry:
        return audition(run, figure, name, entry)
    try:
        return run.start(name, figure, entry["setting"])
    except LeftOut as why:
        leave_out(run, entry, why)
        return None


def go_round(run, stored, present):
    """A turn for each.  A round that is broken off counts for nobody."""
    told = {}
    for name, contestant in list(present.items()):
        time.sleep(SETTLE)
        try:
            told[name] = contestant.measure(run.options.seconds)
        except LeftOut as why:
            leave_out(run, stored["contestants"][name], why)
            present.pop(name).close()
    for name, seconds in told.items():
        stored["contestants"][name]["turns"].append(seconds)
    if stored["kind"] == "training" and "netc" in told:
        stored.setdefault("share_of_peak", []).append(present["netc"].share)


def measure(run, figure):
    """Everybody by turns, until each has its repeats."""
    stored = record.figure(run.record, figure)
    entries, present = stored["contestants"], {}
    for name in run.names(figure):
        entries.setdefault(name, {})
    if not any(is_open(run, entries[name]) for name in run.names(figure)):
        return
    try:
        for name in run.names(figure):
            if contestant := admit(run, figure, name, entries[name]):
                present[name] = contestant
            run.save()
        while any(is_open(run, entries[name]) for name in present):
            go_round(run, stored, present)
            run.save()
    finally:
        for contestant in present.values():
            contestant.close()


def measure_all(run):
    """Figure by figure, then what cnn needs besides time."""
    began = time.monotonic()
    for number, figure in enumerate(run.wanted, 1):
        measure(run, figure)
        report.progress(record.figure(run.record, figure), number, len(run.wanted), began)
    if not set(run.options.networks) & set(MNIST):
        return
    for name in ["netc", *(peer for peer in run.peers if peer not in INFERENCE_ONLY)]:
        if name not in run.record["footprint"]:
            setting = run.settings(name, run.wanted[0])[-1]
            run.record["footprint"][name] = footprint.measure(
                name, PEERS.get(name), setting, run.options.repeats, WORK, run.clock
            )
            run.save()


# --------------------------------------------------------------- command line


def numbers(text):
    values = sorted({int(word) for word in text.split(",")})
    if values[0] < 1:
        raise ValueError
    return values


def names_of(known, groups=None):
    """A type for argparse: names with commas between, or a group's name."""

    def names(text):
        words = []
        for word in filter(None, text.split(",")):
            words += (groups or {}).get(word, [word])
        wrong = [word for word in words if word not in known]
        if wrong:
            raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(known)}")
        return list(dict.fromkeys(words))

    return names


def positive(text):
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def at_least_one(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def parse(words):
    parser = argparse.ArgumentParser(prog="bench", description="netc beside its peers")
    networks = names_of(NETWORKS, {"small": MNIST + CIFAR, "large": LARGE, "texts": TEXTS})
    add = parser.add_argument
    add("--networks", type=networks, default="small", help='names, "small", "large" or "texts"')
    add("--peers", type=names_of(PEERS), default=",".join(PEERS), help='names; "": none')
    add("--batches", type=numbers, help="as 1,16,64: for training and inference alike")
    add("--threads", type=numbers, help="as 1,2; by default 1 and all, for large networks all")
    add("--before", type=Path, help="a built checkout of an older commit takes part")
    add("--repeats", type=at_least_one, default=5, help="turns of each; the least counts")
    add(
        "--seconds", type=positive, default=1.0, help="a turn lasts, if a step does not last longer"
    )
    add("--limit", type=positive, default=300, help="seconds to be ready, and for a turn")
    add("--minutes", type=positive, help="the run ends with what it has then")
    add("--output", type=Path, help="the file of results; by default in build/bench")
    add("--resume", action="store_true", help="go on with the run of --output")
    options = parser.parse_args(words)
    if options.resume and not options.output:
        parser.error("--resume needs --output F: the file to go on with")
    if options.resume and not options.output.exists():
        parser.error(f"--resume: there is no {options.output}")
    if options.output and options.output.exists() and not options.resume:
        parser.error(f"{options.output} exists: --resume goes on with it")
    if options.output and not options.output.resolve().parent.is_dir():
        parser.error(f"{options.output}: there is no such folder")
    if options.before and not (options.before / "build" / "netc").exists():
        parser.error(f"--before {options.before}: build/netc is missing there: run make first")
    return options


def machine():
    """What figures depend on besides programs."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {"processor": ", ".join(sorted(models)) or os.uname().machine, "cores": CORES}


def built(root):
    """A hash of what a checkout's trainers are made with."""
    files = [root / "build" / name for name in ("netc", "libnet_f32.a")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def opened(options):
    """The Run that the command line asks for."""
    made_by = {"netc": built(ROOT)}
    if options.before:
        made_by["before"] = built(options.before)
    made_by.update({peer: version(PEERS[peer][0]) for peer in options.peers})
    fresh = record.new(
        machine(), made_by, options.seconds, options.repeats, time.strftime("%Y-%m-%d")
    )
    path = options.output or WORK / time.strftime("run-%Y-%m-%d-%H%M%S.json")
    kept = record.resume(path, fresh) if options.resume else fresh
    if not options.resume:
        shutil.rmtree(WORK / "onnx", ignore_errors=True)
    run = Run(options, [peer for peer in options.peers if made_by[peer]], kept, path)
    run.save()
    return run


def stop(number, frame):
    raise KeyboardInterrupt


def carry_out(options):
    """The exit status: 130 where the run was interrupted."""
    WORK.mkdir(parents=True, exist_ok=True)
    run, status, end = opened(options), 0, None
    try:
        measure_all(run)
    except TimeIsUp:
        end = f"The time was up after {options.minutes:g} minutes."
    except KeyboardInterrupt:
        status, end = 130, "Interrupted."
    report.print_all(run.record, run.wanted, end)
    print(f"\n{run.path} has all of it" + (", and --resume goes on with it." if end else "."))
    return status


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(carry_out(options))
    except record.BadRecord as wrong:
        sys.exit(f"bench: {wrong}")


if __name__ == "__main__":
    main()
