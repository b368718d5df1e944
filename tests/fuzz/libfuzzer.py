"""`make fuzz N=… TARGET=…`: N executions of the fuzz targets, spread over them and
over all processors, and one line of figures at the end; exit 1 with findings.

An input that makes a program fail is kept in build/fuzz/findings/TARGET and told
with the command that runs it again.  What reaches new code is kept in
build/fuzz/corpus/TARGET, from which the next run goes on; `--keep` writes a small
choice of it to tests/fuzz/corpus/TARGET.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzz import seeds

ROOT = seeds.ROOT
MADE = ROOT / "build" / "fuzz"
KEPT = Path(__file__).resolve().parent / "corpus"

# A target's program, its share of the executions in thousandths, and the length of
# its inputs.  A reader of files takes ten thousand inputs a second, the search for
# repairs forty: with these shares none of them takes over a sixth of the time.
TARGETS = {
    "net": ("compiler", 8, 3000),
    "repair": ("compiler", 1, 1500),
    "build": ("compiler", 27, 1200),
    "serve": ("compiler", 70, 4000),
    "editor": ("compiler", 3, 2500),
    "command": ("compiler", 6, 300),
    "weights": ("runtime", 150, 3000),
    "resume": ("runtime", 60, 6000),
    "idx": ("runtime", 100, 400),
    "cifar": ("runtime", 142, 6500),
    "png": ("runtime", 195, 400),
    "jpeg": ("runtime", 150, 400),
    "data": ("runtime", 50, 600),
    "settings": ("runtime", 30, 200),
    "train": ("runtime", 8, 300),
}
OPTIONS = [
    "-timeout=120",
    "-report_slow_units=1000000",
    "-rss_limit_mb=3000",
    "-close_fd_mask=3",
    "-print_final_stats=1",
    "-reload=0",
    "-entropic=0",
]
ENVIRONMENT = {
    "ASAN_OPTIONS": "quarantine_size_mb=8:detect_leaks=1:malloc_context_size=3:"
    "allocator_release_to_os_interval_ms=-1:allocator_may_return_null=1:"
    "max_allocation_size_mb=2500:handle_abort=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def write_inputs(folder, inputs):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, data in enumerate(inputs):
        (folder / f"{number:03}").write_bytes(data)


def without_checksums(data):
    """What is changed in such a file is believed."""
    length = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:length])
    header["__metadata__"].pop("checksums", None)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[length:]


def inputs(target):
    """The seeds; those of weights and checkpoints also as the trainer under test writes them."""
    yield from seeds.inputs(target)
    if target in ("weights", "resume"):
        with tempfile.TemporaryDirectory() as folder:
            result = execute([program(target)], target, {"FUZZ_SEEDS": folder})
            assert result.returncode == 0, result.stderr
            for path in sorted(Path(folder).iterdir()):
                yield path.read_bytes()
                yield without_checksums(path.read_bytes())


def folders(target):
    """Where its inputs are: what runs found, what is kept, what is made here."""
    found, made = MADE / "corpus" / target, MADE / "seeds" / target
    found.mkdir(parents=True, exist_ok=True)
    write_inputs(made, inputs(target))
    return [folder for folder in (found, KEPT / target, made) if folder.exists()]


def program(target):
    return MADE / f"{TARGETS[target][0]}-fuzz"


def command(target, runs, seed, inputs):
    findings = MADE / "findings" / target
    findings.mkdir(parents=True, exist_ok=True)
    return [
        program(target),
        f"-runs={runs}",
        f"-seed={seed}",
        f"-max_len={TARGETS[target][2]}",
        f"-artifact_prefix={findings}/",
        *OPTIONS,
        *inputs,
    ]


def execute(words, target, environment={}):
    return subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **ENVIRONMENT, "FUZZ_TARGET": target, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )


class Outcome:
    """Of a job: what was executed, in which time, and the report of what failed."""

    def __init__(self, target, result, seconds):
        def figure(pattern):
            found = re.findall(pattern, result.stderr)
            return int(found[-1]) if found else 0

        self.target, self.seconds, self.failed = target, seconds, result.returncode != 0
        self.runs = figure(r"number_of_executed_units: (\d+)")
        self.coverage = figure(r" cov: (\d+)")
        self.report, self.status = result.stderr, result.returncode

    def input(self):
        found = re.search(r"Test unit written to (\S+)", self.report)
        return found[1] if found else None


def is_stall(outcome):
    """A timeout that does not come again is the machine's, which others use."""
    if "libFuzzer: timeout" not in outcome.report or not outcome.input():
        return False
    again = execute([program(outcome.target), *OPTIONS, outcome.input()], outcome.target)
    return again.returncode == 0


def tell(outcome):
    summary = re.findall(
        r"^(?:SUMMARY|finding|==\d+== ERROR|.*runtime error).*", outcome.report, re.M
    )
    path = program(outcome.target).relative_to(ROOT)
    print(
        f"{outcome.target}: {summary[0] if summary else f'exit {outcome.status}'}\n"
        f"    FUZZ_TARGET={outcome.target} {path} {outcome.input() or ''}",
        flush=True,
    )


def run_job(target, runs, seed, inputs):
    """A finding ends libFuzzer.  The other runs get another seed, unless it is the same again."""
    outcomes, found = [], set()
    while runs > 0 and len(outcomes) < MAX_FINDINGS:
        start = time.monotonic()
        outcome = Outcome(
            target, execute(command(target, runs, seed, inputs), target), time.monotonic() - start
        )
        outcomes.append(outcome)
        if not outcome.failed:
            break
        if is_stall(outcome):
            outcome.failed = False
            Path(outcome.input()).unlink()
        else:
            tell(outcome)
            if outcome.input() in found:
                break
            found.add(outcome.input())
        runs -= max(outcome.runs, 1)
        seed += 1000003
    return outcomes


MAX_FINDINGS = 20  # of a job: then the target is left alone


def jobs(names, total, seed):
    """(target, runs, seed), the slow ones first.  None is so long that a processor waits for it
    at the end."""
    shares = sum(TARGETS[name][1] for name in names)
    for name in names:
        runs = -(-total * TARGETS[name][1] // shares)
        pieces = max(1, min(8, runs // 20000))
        yield from (
            (name, runs // pieces + (piece < runs % pieces), seed + piece)
            for piece in range(pieces)
        )


def closing_line(outcomes, seconds):
    by_target = {}
    for outcome in outcomes:
        runs, time_taken, coverage = by_target.get(outcome.target, (0, 0, 0))
        by_target[outcome.target] = (
            runs + outcome.runs,
            time_taken + outcome.seconds,
            max(coverage, outcome.coverage),
        )
    figures = ", ".join(
        f"{name} {runs:,} at {runs / max(taken, 1e-9):,.0f}/s"
        for name, (runs, taken, _) in by_target.items()
    )
    findings = sum(outcome.failed for outcome in outcomes)
    coverage = sum(coverage for _, _, coverage in by_target.values())
    executions = sum(outcome.runs for outcome in outcomes)
    return (
        f"fuzz: {executions:,} executions, {findings} finding{'s' * (findings != 1)}, "
        f"{coverage:,} edges, {seconds:,.0f} s ({figures})"
    )


def keep(target):
    """The smallest choice of what was found that reaches as much, without what the seeds reach.
    Files have up to 2 KB."""
    made, chosen = MADE / "seeds" / target, MADE / "kept" / target
    write_inputs(chosen, inputs(target))
    first = {path.name for path in chosen.iterdir()}
    execute(
        [
            program(target),
            "-merge=1",
            f"-max_len={TARGETS[target][2]}",
            chosen,
            made,
            MADE / "corpus" / target,
        ],
        target,
    )
    there = KEPT / target
    there.mkdir(parents=True, exist_ok=True)
    budget = 20000
    for path in sorted(chosen.iterdir(), key=lambda path: path.stat().st_size):
        budget -= path.stat().st_size
        if path.name not in first and budget > 0:
            shutil.copy(path, there / path.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000000)
    parser.add_argument("--target", default="all")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    names = list(TARGETS) if arguments.target == "all" else arguments.target.split(",")
    if unknown := [name for name in names if name not in TARGETS]:
        sys.exit(f"no fuzz target {unknown[0]}; there are {', '.join(TARGETS)}")
    start = time.monotonic()
    inputs = {name: folders(name) for name in names}
    with concurrent.futures.ThreadPoolExecutor(arguments.processes) as pool:
        done = [
            pool.submit(run_job, name, runs, seed, inputs[name])
            for name, runs, seed in jobs(names, arguments.runs, arguments.seed)
        ]
        outcomes = [outcome for job in done for outcome in job.result()]
    if arguments.keep:
        for name in names:
            keep(name)
    print(closing_line(outcomes, time.monotonic() - start))
    return any(outcome.failed for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main())
