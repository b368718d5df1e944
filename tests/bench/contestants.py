"""Who takes part: netc's own trainer and the processes of peers.py, each under a clock.

A contestant that keeps everybody waiting is ended, with all processes that it has started,
and the reason is told.  Nothing here waits without a limit.
"""
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.networks import ROOT, source

PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}


class LeftOut(Exception):
    """Why a contestant cannot go on."""


class TooSlow(LeftOut):
    pass


class TimeIsUp(Exception):
    """The whole run's time."""


class Clock:
    """How long to wait for an answer: `limit` seconds, and never longer than the run may take."""

    def __init__(self, limit, minutes=None):
        self.limit = limit
        self.end = time.monotonic() + 60 * minutes if minutes else float("inf")

    def patience(self):
        rest = self.end - time.monotonic()
        if rest <= 0:
            raise TimeIsUp
        return min(self.limit, rest)

    def ran_out(self, what):
        """To be raised when `patience` was not enough."""
        if time.monotonic() >= self.end:
            return TimeIsUp()
        return TooSlow(f"{what} took longer than {self.limit:g} s")


def started(command, **keywords):
    """A process that leads a group of its own, so that all it starts can be ended with it."""
    command = [str(word) for word in command]
    return subprocess.Popen(command, text=True, env=ENVIRONMENT, start_new_session=True, **keywords)


def end(process):
    """It and what it has started.  The number of one that was waited for may be another's."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "without a message"


def output_of(command, clock, what):
    """A program's stdout; it is waited for as long as the clock allows."""
    process = started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, errors = process.communicate(timeout=clock.patience())
    except subprocess.TimeoutExpired:
        end(process)
        raise clock.ran_out(what) from None
    except BaseException:
        end(process)
        raise
    if process.returncode:
        raise LeftOut(f"{what} failed (exit {process.returncode}): {last_line(errors)}")
    return out


# ----------------------------------------------------------------------- netc


def trainer(network, folder, clock, root=ROOT):
    """The network's trainer, made by the netc of a checkout that has been built."""
    path = folder / network
    made_from = [root / "build" / "netc", root / "build" / "libnet_f32.a"]
    made_from += [root / "models" / f"{network}.net"]
    if not path.exists() or path.stat().st_mtime < max(file.stat().st_mtime for file in made_from):
        command = [made_from[0], "build", "--warn=no-rows-left-out", source(network, folder, root)]
        output_of([*command, "-o", path], clock, "netc build")
    return path


TIMES = 5  # that a trainer's benchmark measures


class Netc:
    """Every turn is a run of the trainer's own benchmark."""

    def __init__(self, figure, setting, folder, clock, root=ROOT):
        threads = setting.split()[0]
        self.clock, self.figure, self.setting, self.step = clock, figure, setting, None
        self.share = None  # of the peak, in a turn of training
        self.command = [trainer(figure.network, folder, clock, root), "bench", "--json"]
        self.command += ["--threads", threads, "--only"]
        if figure.kind == "training":
            self.command += ["training", "--batch", figure.batch]
            self.key = "training_seconds"
        elif figure.kind == "generate":
            self.command += ["generate"]
            self.key = "generate_seconds"
        elif figure.batch == 1:
            self.command += ["one"]
            self.key = "inference_1_seconds"
        else:
            self.command += ["many", "--many", figure.batch]
            self.key = "inference_many_seconds"

    def take(self, steps):
        """Seconds of a step: the trainer's median of five times so many, None: as it likes."""
        command = [*self.command, *(["--steps", steps] if steps else [])]
        told = json.loads(output_of(command, self.clock, "a turn"))
        self.step = told[self.key]["median"]
        if self.figure.kind == "training":
            self.share = told["share_of_peak"]["median"]
        return self.step

    def measure(self, seconds):
        """As long as a peer's turn; the first time, a step's length is found out before."""
        if self.figure.kind == "generate":
            return self.take(None)  # its own turns: a step is a window full of tokens
        if self.step is None and self.take(1) * TIMES >= seconds:
            return self.step
        return self.take(max(1, round(seconds / TIMES / self.step)))

    def close(self):
        pass


# ---------------------------------------------------------------------- peers


class Peer:
    """A process of peers.py: seconds to measure go in, the seconds of a step or call come out."""

    def __init__(self, name, figure, setting, folder, clock):
        self.clock, self.setting = clock, setting
        self.errors = folder / f"{name} {setting}.stderr".replace(" ", "_")
        command = [PYTHON, "-m", "bench.peers", name, *figure, setting, folder]
        with open(self.errors, "w") as errors:
            self.process = started(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        try:
            self.wait("being prepared")
        except BaseException:
            self.close()
            raise

    def wait(self, what):
        """A line of its answer."""
        ready, _, _ = select.select([self.process.stdout], [], [], self.clock.patience())
        if not ready:
            raise self.clock.ran_out(what)
        line = self.process.stdout.readline()
        if not line:
            raise LeftOut(f"{what} failed: {last_line(self.errors.read_text(errors='replace'))}")
        return line

    def measure(self, seconds):
        try:
            print(seconds, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # the answer will be missing
        return float(self.wait("a turn"))

    def close(self):
        end(self.process)
        for pipe in self.process.stdin, self.process.stdout:
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def version(module):
    """What a peer's package calls its version; None: it is not installed."""
    code = f"import {module}; print(getattr({module}, '__version__', '?'))"
    told = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True)
    return told.stdout.split()[-1] if told.returncode == 0 and told.stdout.strip() else None


def size_of(modules):
    """MB of the files of packages."""
    code = (
        "import importlib.util as u; "
        f"print(*[u.find_spec(n).submodule_search_locations[0] for n in {list(modules)}])"
    )
    folders = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True).stdout.split()
    files = [file for folder in folders for file in Path(folder).rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6
