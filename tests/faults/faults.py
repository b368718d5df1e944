"""`make faults`: every allocation and every system call of every command fails,
one at a time, and so do all from each one on; what then happens is judged.

Whatever fails, a command either does all of its work and says that it did
(exit 0), or says in a sentence that names the reason what it could not do.  It
never dies of a signal, never hangs, leaves every file of the user's as it was
or as it was to become, and leaves no file that nobody asked for.

    python3 -m faults.faults [--every N] [--from N] [--kind KIND] [WORD...]

takes every N-th fault from a number on, of the commands whose names have one of
the words.
"""
import argparse
import errno
import json
import os
import re
import struct
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from faults.cases import all_cases
from faults.strikes import FORK, NOT_TRACED, can_trace, strike, undisturbed
from harness import read_safetensors

OUT_OF_MEMORY = re.compile("out of memory|cannot allocate memory", re.I)
NO_REASON = re.compile(r"internal error|: Success\b|No error information")
UNREASONED = "cannot write to standard output"  # stdio keeps no reason of an earlier write
NO_THREAD = "Resource temporarily unavailable"  # for whatever a thread could not be made
WAYS = [("call", "once"), ("call", "onward"), ("allocation", "once"), ("allocation", "onward")]

# How the tracer calls what the table below calls by the campaign's words.
TRACER_WORD = {"once": "fail", "onward": "onward"}


# ---------------------------------------------------------------- judging


def whole_file(name, data, path):
    """A file that a run made on its way is whole: a reader takes it."""
    try:
        if name.endswith(".safetensors"):
            path.write_bytes(data)
            read_safetensors(path)
        elif name.endswith(".jsonl"):
            for line in data.decode().splitlines():
                json.loads(line)
        else:
            return False
    except (ValueError, KeyError, struct.error):
        return False
    return True


def errno_text(struck):
    name = struck.split()[1]
    return os.strerror(getattr(errno, name)) if hasattr(errno, name) else ""


class Judge:
    """Knows what a case does undisturbed, and says what is wrong with a struck run of it."""

    def __init__(self, case, folder):
        self.case, self.folder = case, folder
        self.right = undisturbed(case)
        assert self.right.status in (0, 1), self.right.err

    def same_text(self, one, other):
        clean = self.case.timeless or (lambda text: text)
        return clean(one) == clean(other)

    def same_file(self, name, data, expected):
        if data is None or expected is None or not name.endswith(".jsonl"):
            return data == expected
        return self.same_text(data.decode(errors="replace"), expected.decode())

    def files(self, outcome):
        """Each of the user's files is the old one or the new, and there are no others."""
        before, after = self.case.files, self.right.files
        unlinking = outcome.struck.startswith(("unlink", "rmdir"))
        for name in sorted(set(before) | set(after) | set(outcome.files)):
            data = outcome.files.get(name)
            if name not in before and name not in after:
                if not unlinking:
                    yield "leaves " + re.sub(r"[A-Za-z0-9]{6}\b", "XXXXXX", name)
            elif any(self.same_file(name, data, one.get(name)) for one in (before, after)):
                continue
            elif data is None or not whole_file(name, data, self.folder / f"{os.getpid()}"):
                yield f"{name} is torn"

    def success(self, outcome):
        """What exit 0 promises."""
        if not self.same_text(outcome.out, self.right.out):
            yield "success with another output"
        for name, data in self.right.files.items():
            if not self.same_file(name, outcome.files.get(name), data):
                yield f"success with another {name}"

    def mute(self, outcome, how):
        """Standard error was what failed: what cannot be said is not."""
        call, _, what = outcome.struck.split(" ", 2)
        return call.startswith("write") and (how == "onward" or what == "2")

    def reason(self, outcome, kind, how):
        """A failure says why."""
        told = outcome.err + outcome.out  # where --diagnostics=json writes
        if self.mute(outcome, how):
            return
        if not told.strip():
            yield f"exit {outcome.status} without a word"
        elif NO_REASON.search(told):
            yield "a wrong reason"
        elif kind == "allocation":
            if not OUT_OF_MEMORY.search(told) and NO_THREAD not in told:
                yield "does not say that memory is out"
        elif not any(
            text in told for text in (errno_text(outcome.struck), UNREASONED, NO_THREAD)
        ) and not OUT_OF_MEMORY.search(told):
            yield f"does not say {errno_text(outcome.struck)}"

    def is_as_ever(self, outcome):
        return (outcome.status, outcome.err) == (
            self.right.status,
            self.right.err,
        ) and self.same_text(outcome.out, self.right.out)

    def findings(self, outcome, kind, how):
        allowed = {1, 3} if kind == "allocation" and self.case.name.startswith("netc") else {1}
        if outcome.status is None:
            yield "hangs"
            return
        if outcome.status < 0:
            yield f"dies of signal {-outcome.status}"
            return
        yield from self.files(outcome)
        if outcome.status == 0 or self.is_as_ever(outcome):
            yield from self.success(outcome)
        elif outcome.status not in allowed:
            yield f"exit {outcome.status}"
        else:
            yield from self.reason(outcome, kind, how)


# --------------------------------------------------------------- campaign


def run_share(index, kind, how, first, every):
    """(faults injected, [(case, struck, finding, number)]) of a share of one case's."""
    case, judge = CASES[index], JUDGES[index]
    found, count, number = [], 0, first
    while True:
        outcome = strike(case, kind, TRACER_WORD[how] if kind == "call" else how, number)
        if not outcome.struck:
            return count, found
        what = f"{kind} {number} {how}: {outcome.struck}"
        found += [(case.name, what, finding) for finding in judge.findings(outcome, kind, how)]
        count += 1
        number += every


def shares(ways, first, every, processes):
    """Each fault is in one share, whatever their number turns out to be."""
    return [
        (index, kind, how, first + every * part, every * processes)
        for index in range(len(CASES))
        for kind, how in ways
        for part in range(processes)
    ]


def prepare(words, folder):
    global CASES, JUDGES
    CASES = [case for case in all_cases() if not words or any(word in case.name for word in words)]
    JUDGES = [Judge(case, folder) for case in CASES]


def campaign(folder, words=(), ways=WAYS, first=1, every=1, processes=os.cpu_count()):
    """(the line of figures, findings)"""
    prepare(words, folder)
    ways = [way for way in ways if way[0] == "allocation" or can_trace()]
    counts, findings, start = Counter(), [], time.monotonic()
    with ProcessPoolExecutor(processes, FORK) as pool:
        work = shares(ways, first, every, processes)
        for share, (count, found) in zip(work, pool.map(run_share, *zip(*work))):
            counts[share[1]] += count
            findings += found
    line = (
        f"faults: {len(CASES)} commands, {counts['call']} system calls and "
        f"{counts['allocation']} allocations failed, {len(findings)} findings, "
        f"{time.monotonic() - start:.0f} s"
    )
    return line + ("" if can_trace() else NOT_TRACED), findings


def print_findings(findings):
    """Alike ones together."""
    groups = defaultdict(list)
    for name, struck, finding in findings:
        groups[name, finding].append(struck)
    for (name, finding), struck in groups.items():
        print(f"{name}: {finding} ({len(struck)} times)")
        for one in struck[:4]:
            print("   ", one)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--kind", choices=["call", "allocation"], help="only these")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ways = [way for way in WAYS if options.kind in (None, way[0])]
        line, findings = campaign(Path(folder), options.words, ways, options.first, options.every)
    print_findings(findings)
    print(line)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
