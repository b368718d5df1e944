"""`make kills`: training runs, and the commands of netc that write files, are
killed at every system call and at random moments, and asked to end by SIGTERM,
SIGHUP and SIGINT likewise; then they are taken up again.

Whatever the moment, every file is the old one, the new one or not there; a
resumed run ends with the bytes of the run that nobody disturbed, and its log has
every step once; what a killed run left in the way is gone after the next one,
when it is old.

    python3 -m faults.kills [N]

does N kills: every system call of each command once for each signal, as far as
they go, evenly taken from all of them if they are more, and the rest at random
moments.
"""
import ctypes
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults.cases import (
    COMPILER,
    DOT,
    FIXABLE,
    LINEAR,
    NET,
    NETWORK,
    digits,
    netc,
    train,
    without_times,
)
from faults.faults import print_findings, whole_file
from faults.strikes import FORK, NOT_TRACED, Folder, can_trace, contents, traced
from harness import read_safetensors, trainer
from runs import wait_for

OLD = 30 * 24 * 3600  # seconds: no run that is still alive can have begun so long ago
SHARE_AT_RANDOM = 0.2  # of the kills, at least
GRACEFUL = signal.SIGTERM, signal.SIGHUP, signal.SIGINT
NO_CALL = 10**9
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)

RUN = (
    "--save w.safetensors --checkpoint c.safetensors --checkpoint-every 2 "
    "--log l.jsonl --epochs 3".split()
)


@dataclass(frozen=True)
class Blow:
    """`call`: the number of the system call before which the signal comes;
    0: at a random moment, drawn with `seed`."""

    index: int
    signal: int
    call: int
    seed: int = 0

    def __str__(self):
        when = f"at call {self.call}" if self.call else f"at random moment {self.seed}"
        return f"{signal.Signals(self.signal).name} {when}"


def all_cases():
    """Those that write a file."""
    untidy = {**NETWORK, "a.net": NET.replace("    ", "  ").encode()}
    built = {**NETWORK, "bin/fakecc": COMPILER, "a": b"\x7fELF, an older trainer"}
    program = trainer(LINEAR, "--kernels=reference")  # static, as a user's is
    yield train("anew", *RUN, program=program)
    older = {"w.safetensors": b"01234567{older weights", "l.jsonl": b"{an older log\n"}
    yield train("again", *RUN, "--no-shuffle", program=program, files={**digits(), **older})
    yield netc("fmt", "fmt", "a.net", files=untidy)
    yield netc("check --fix", "check", "--fix", "a.net", files={"a.net": FIXABLE.encode()})
    yield netc("build", "build", "a.net", "-o", "a", "--cc=fakecc", files=built)
    emit = "emit --kernels=reference a.net -o a.c".split()
    yield netc("emit", *emit, files={"a.net": LINEAR.encode(), "a.c": b"older C"})
    drawn = {**NETWORK, "bin/dot": DOT, "a.svg": b"older"}
    yield netc("graph --svg", *"graph --svg a.net -o a.svg".split(), files=drawn)


# ------------------------------------------------------------------ striking


def at_random(folder, case, blow, seconds):
    """Struck at a random moment of its run; its exit status."""
    moment = random.Random(blow.seed).uniform(0, 1.1 * seconds)
    nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    environment = folder.environment()
    with subprocess.Popen(case.command(), cwd=folder.work, env=environment, **nothing) as process:
        time.sleep(moment)
        process.send_signal(blow.signal)
        return process.wait(60)


def adopt_orphans():
    """Of what a killed netc had started this process becomes the parent."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def orphans_ended():
    """They write until then."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def struck(folder, case, blow, seconds):
    if blow.call:
        status = traced(folder, case, int(blow.signal), blow.call).status
    else:
        status = at_random(folder, case, blow, seconds)
    wait_for(orphans_ended)
    return status


def finish(folder, case, *more):
    """The case again, undisturbed: (status, what it said)."""
    command = [*case.command(), *more]
    status, out, err = folder.finish(command, case.stdin, folder.environment())
    return status, out + err


def grow_old(folder):
    """Everything, as if the run had been killed long ago."""
    then = time.time() - OLD
    for path in folder.work.rglob("*"):
        os.utime(path, (then, then))


# ------------------------------------------------------------------- judging


class Judge:
    def __init__(self, case):
        self.case = case
        with Folder(case.files) as folder:
            start = time.monotonic()
            status, told = finish(folder, case)
            assert status == 0, told
            self.seconds = time.monotonic() - start
            self.right = contents(folder.work)
        with Folder(case.files) as folder:
            self.calls = int(traced_calls(folder, case)) if can_trace() else 0

    def is_training(self):
        return self.case.arguments[0] == "train"

    def known(self, name):
        return name in self.case.files or name in self.right

    def strange(self, files):
        return [name for name in files if not self.known(name)]

    def files(self, folder, files):
        """Old, new or whole; of a log, all lines but one that was being written."""
        for name in sorted(filter(self.known, {**self.case.files, **files})):
            data, before = files.get(name), self.case.files.get(name)
            if data == before or data == self.right.get(name):
                continue
            if name.endswith(".jsonl") and data is not None:
                data = data[: data.rfind(b"\n") + 1]
            if data is None or not whole_file(name, data, folder.root / "copy"):
                yield f"{name} is torn"

    def graceful(self, folder, status, blow, files):
        """After a signal that a run may answer."""
        if status == -blow.signal:
            return  # before it could, or netc, which has nothing to save
        if status not in (0, 128 + blow.signal):
            yield f"exit {status}"
        begun = b'"step"' in files.get("l.jsonl", b"")
        saved = "w.safetensors", "c.safetensors"
        if begun and any(files.get(name) == self.case.files.get(name) for name in saved):
            yield "ends without saving"
        if self.strange(files):
            yield "leaves a temporary file on a signal"

    def again(self, folder):
        """Taken up again, the run ends as it would have."""
        resume = ("--resume", "c.safetensors") if (folder.work / "c.safetensors").exists() else ()
        grow_old(folder)
        status, told = finish(folder, self.case, *resume)
        if status != 0:
            yield f"cannot be taken up again: {told.strip()[:200]}"
            return
        files = contents(folder.work)
        for name, data in self.right.items():
            if name.endswith(".jsonl"):
                yield from self.log(files[name], data)
            elif name.endswith(".safetensors") and not same_tensors(files[name], data, folder.root):
                yield f"{name} differs after it was taken up again"
            elif not name.endswith(".safetensors") and files.get(name) != data:
                yield f"{name} differs after it was taken up again"
        for name in self.strange(files):
            yield "an old temporary file is kept: " + re.sub(r"[A-Za-z0-9]{6}\b", "XXXXXX", name)

    def log(self, data, right):
        if without_times(data.decode()) != without_times(right.decode()):
            steps = Counter(json.loads(line).get("step") for line in data.decode().splitlines())
            twice = [step for step, times in steps.items() if step and times > 1]
            yield f"the log has steps twice: {twice}" if twice else "the log differs"

    def findings(self, folder, blow):
        status = struck(folder, self.case, blow, self.seconds)
        files = contents(folder.work)
        yield from self.files(folder, files)
        if blow.signal in GRACEFUL:
            yield from self.graceful(folder, status, blow, files)
        yield from self.again(folder)


def same_tensors(data, right, folder):
    """The weights, bit for bit."""
    if data == right:
        return True
    (folder / "one").write_bytes(data)
    (folder / "other").write_bytes(right)
    one, other = read_safetensors(folder / "one"), read_safetensors(folder / "other")
    return list(one) == list(other) and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def traced_calls(folder, case):
    """How many system calls it makes."""
    traced(folder, case, int(signal.SIGKILL), NO_CALL)
    return folder.report.read_text().split()[1]


# ------------------------------------------------------------------ campaign


def every_call():
    """Each signal at each call; netc has nothing to save and is killed only."""
    for index, judge in enumerate(JUDGES):
        for number in (signal.SIGKILL, *(GRACEFUL if judge.is_training() else GRACEFUL[:1])):
            for call in range(1, judge.calls + 1):
                yield Blow(index, number, call)


def choose(count):
    """So many blows."""
    points = list(every_call())
    wanted = min(len(points), int(count * (1 - SHARE_AT_RANDOM)))
    chosen = [points[i * len(points) // wanted] for i in range(wanted)] if wanted else []
    signals = [signal.SIGKILL] * 5 + list(GRACEFUL)
    random_ones = [
        Blow(i % 2 if i % 3 else i % len(JUDGES), signals[i % len(signals)], 0, i)
        for i in range(count - len(chosen))
    ]
    return chosen + random_ones


def deal(blow):
    judge = JUDGES[blow.index]
    with Folder(judge.case.files) as folder:
        return [(judge.case.name, str(blow), finding) for finding in judge.findings(folder, blow)]


def campaign(count, processes=os.cpu_count()):
    """(the line of figures, findings)"""
    global JUDGES
    JUDGES = [Judge(case) for case in all_cases()]
    start, blows = time.monotonic(), choose(count)
    with ProcessPoolExecutor(processes, FORK, adopt_orphans) as pool:
        findings = [finding for found in pool.map(deal, blows, chunksize=4) for finding in found]
    signals = Counter(signal.Signals(blow.signal).name for blow in blows)
    calls = sum(1 for blow in blows if blow.call)
    resumed = sum(1 for blow in blows if JUDGES[blow.index].is_training())
    each = ", ".join(f"{number} {name}" for name, number in signals.items())
    line = (
        f"kills: {len(blows)} ({each}; {calls} at system calls, {len(blows) - calls} at random "
        f"moments), {resumed} runs resumed and compared, {len(findings)} findings, "
        f"{time.monotonic() - start:.0f} s"
    )
    return line + ("" if can_trace() else NOT_TRACED), findings


def main():
    line, findings = campaign(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
    print_findings(findings)
    print(line)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
