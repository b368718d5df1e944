"""`make lint`: what is looked for without running anything; with --format, `make format`.

The layout is clang-format's and, of Python, black's, each of one version: another
writes some lines in another way, so it is asked only where it is that one.  No line
has over 100 columns.  cppcheck's findings are errors, but for those below, which are none.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 100
FORMATTERS = {"clang-format": "14", "black": "23"}
# Why each is none: the caller gives one of two tokens; a tensor is there where its rank is; the
# array is set just before; -0x1p63 is read as positive; an axis here is at most 2; `seen` is
# below the name's length there; the identity lives as long as the run; exp() is positive.
NO_FAULTS = {
    ("nullPointer", "compiler/front/layout.c"),
    ("nullPointer", "compiler/graph/blocks.c"),
    ("uninitvar", "compiler/graph/image.c"),
    ("incorrectLogicOperator", "compiler/graph/values.c"),
    ("arrayIndexOutOfBoundsCond", "compiler/ops/concat.c"),
    ("arrayIndexOutOfBoundsCond", "compiler/serve/wire.c"),
    ("autoVariables", "runtime/commands/one_run.c"),
    ("invalidFunctionArg", "runtime/train/pass.c"),
}


def files(*endings):
    listed = subprocess.run(
        ["git", "ls-files", "compiler", "runtime", "examples", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [name for name in listed if name.endswith(endings)]


def sources(program):
    return files(".c", ".h") if program == "clang-format" else files(".py")


def long_lines():
    for name in files(".c", ".h", ".y", ".l", ".def", ".py"):
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if len(line) > COLUMNS:
                yield f"{name}:{number}: {len(line)} columns, more than {COLUMNS}"


def asked(program):
    """The command of a program that lays text out, if it is here and of its version."""
    told = (
        shutil.which(program)
        and subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    )
    version = re.search(r"(\d+)\.", told)[1] if told else None
    if version == FORMATTERS[program]:
        return [program] if program == "clang-format" else [program, f"--line-length={COLUMNS}"]
    print(
        f"lint: {program} {FORMATTERS[program]} is not asked for the layout: "
        f"here is {version or 'none'}"
    )
    return None


def misplaced():
    """Files that a formatter would write in another way."""
    checks = {
        "clang-format": (["--dry-run", "-Werror"], r"\S+:\d+:\d+: error.*"),
        "black": (["--check"], r"would reformat.*"),
    }
    for program, (options, fault) in checks.items():
        command = asked(program)
        if command:
            result = subprocess.run(
                [*command, *options, *sources(program)], cwd=ROOT, capture_output=True, text=True
            )
            yield from re.findall(f"^{fault}", result.stderr, re.M)


def lay_out():
    for program, option in ("clang-format", "-i"), ("black", "--quiet"):
        command = asked(program)
        if command:
            subprocess.run([*command, option, *sources(program)], cwd=ROOT, check=True)


def suspicious():
    if not shutil.which("cppcheck"):
        print("lint: cppcheck is not here")
        return
    result = subprocess.run(
        [
            "cppcheck",
            "--quiet",
            "--enable=warning,portability",
            "--std=c11",
            "-Icompiler",
            "-Iruntime",
            "--library=tests/cppcheck.cfg",
            "-j2",
            "--template={id}\t{file}:{line}: {message} [{id}]",
            "compiler",
            "runtime",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    for line in result.stderr.splitlines():
        kind, tab, told = line.partition("\t")
        if tab and (kind, told.split(":")[0]) not in NO_FAULTS:
            yield told


def main():
    if "--format" in sys.argv[1:]:
        lay_out()
        return 0
    faults = [*long_lines(), *misplaced(), *suspicious()]
    for fault in faults:
        print(fault)
    print(f"lint: {len(faults)} fault{'s' * (len(faults) != 1)}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
