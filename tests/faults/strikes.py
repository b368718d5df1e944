"""Running a command in a folder of its own while something goes wrong in it: an
allocation or a system call fails, or a signal comes.

tracer.c does it to system calls, allocations.c to allocations.  A Case is a
command with the files that it needs; `strike` runs it once, with at most one
thing wrong, and gives all that can be seen from outside.
"""
import functools
import multiprocessing
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from harness import NETC, ROOT, made_once, run

HERE = Path(__file__).parent
# The processes of a campaign have its cases as they were made: since Python 3.14 others begin anew.
FORK = multiprocessing.get_context("fork")
NOT_TRACED = "; no system calls, as ptrace is not permitted here"
TIMEOUT = 60  # seconds; every command here takes a fraction of one
C_FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]


@dataclass(frozen=True)
class Case:
    """`program` NETC or a trainer; `files` {name: bytes}, in the folder it runs in."""

    name: str
    program: Path
    arguments: tuple
    files: dict = field(default_factory=dict, hash=False)
    stdin: bytes = b""
    timeless: object = None  # text -> text without what differs from run to run

    def command(self):
        return [str(self.program), *self.arguments]


@dataclass
class Outcome:
    """`status` negative: the signal that ended it; None: it went on for TIMEOUT."""

    status: int
    out: str
    err: str
    files: dict
    struck: str  # "write ENOSPC 5"; "": nothing was


# ---------------------------------------------------------------- the tools


@functools.cache
def tool(name, *flags):
    """A C file of this folder, compiled."""
    source = HERE / name
    with made_once(source.stem) as made:
        if not made.exists():
            run("gcc", *C_FLAGS, *flags, source, "-o", made)
    return made


def tracer():
    return tool("tracer.c")


def allocations():
    return tool("allocations.c", "-shared", "-fPIC")


@functools.cache
def main_offset(program):
    """How far main lies from the entry point: where the tracer begins to count."""
    lines = (line.split() for line in run("nm", program).stdout.splitlines())
    at = {words[2]: int(words[0], 16) for words in lines if len(words) == 3}
    return at["main"] - at["_start"]


@functools.cache
def can_trace():
    """Some containers do not permit ptrace."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        command = [tracer(), report, str(main_offset(NETC)), "fail", "1000000", NETC, "--version"]
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT).returncode == 0


# ------------------------------------------------------------------ folders


def scratch():
    """Where folders cost nothing: in memory, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def fill(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if name.startswith("bin/"):
            path.chmod(0o755)


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Folder:
    """A case's folder, `work`, and beside it whatever the tools need."""

    def __init__(self, files):
        self.root = Path(tempfile.mkdtemp(prefix="faults-", dir=scratch()))
        self.work = self.root / "work"
        (self.work / "tmp").mkdir(parents=True)
        self.report = self.root / "report"
        fill(self.work, files)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def environment(self, **more):
        """Temporary files are seen too; programs in bin/ stand for the C compiler and Graphviz."""
        known = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        return {
            **known,
            "PATH": f"{self.work}/bin:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "TMPDIR": str(self.work / "tmp"),
            **more,
        }

    def finish(self, command, stdin, environment):
        """(status, out, err)"""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        words = [str(word) for word in command]
        with subprocess.Popen(words, cwd=self.work, env=environment, **pipes) as process:
            try:
                out, err = process.communicate(stdin, TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                return None, decode(out), decode(err)
        return process.returncode, decode(out), decode(err)


def decode(data):
    return data.decode(errors="replace")


# ------------------------------------------------------------------ strikes


def unless_missed(struck):
    return "" if struck.startswith("missed") else struck


def traced(folder, case, how, number):
    command = [tracer(), folder.report, main_offset(case.program), how, number, *case.command()]
    status, out, err = folder.finish(command, case.stdin, folder.environment())
    told = folder.report.read_text(errors="replace").splitlines()
    if status is None:
        return Outcome(None, out, err, contents(folder.work), told[0] if told else "nothing yet")
    assert status == 0, (case.name, how, number, err)
    struck, ending = told[:2]
    kind, value = ending.split()
    status = int(value) if kind == "exit" else -int(value)
    return Outcome(status, out, err, contents(folder.work), unless_missed(struck))


def starved(folder, case, how, number, stack=False):
    """With an allocation failing.  `stack`: the report says who asked."""
    more = {
        "LD_PRELOAD": str(allocations()),
        "FAULT_AT": str(number),
        "FAULT_REPORT": str(folder.report),
    }
    if how == "onward":
        more["FAULT_ONWARD"] = "1"
    if stack:
        more["FAULT_STACK"] = "1"
    status, out, err = folder.finish(case.command(), case.stdin, folder.environment(**more))
    struck = folder.report.read_text().strip() if folder.report.exists() else ""
    return Outcome(status, out, err, contents(folder.work), unless_missed(struck))


STRIKES = {"call": traced, "allocation": starved}


def strike(case, kind, how, number):
    """Runs a case with its `number`-th call or allocation struck."""
    with Folder(case.files) as folder:
        return STRIKES[kind](folder, case, how, number)


def undisturbed(case):
    """The same with nothing wrong."""
    with Folder(case.files) as folder:
        status, out, err = folder.finish(case.command(), case.stdin, folder.environment())
        return Outcome(status, out, err, contents(folder.work), "")
