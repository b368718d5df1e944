"""`make lint`: what is looked for without running anything.

The layout is clang-format's, of one version: another writes some lines in another
way, so it is asked only where it is that one.  No line of C has over 100 columns.
cppcheck's findings are errors, but for those below, which are none.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 100
FORMATTER = "14"
# Why each is none: the caller gives one of two tokens; a tensor is there where its rank is; the
# array is set just before; -0x1p63 is read as positive; an axis here is at most 2; `seen` is
# below the name's length there; the identity lives as long as the run; exp() is positive.
NO_FAULTS = {
    ("nullPointer", "compiler/front/layout.c"), ("nullPointer", "compiler/graph/blocks.c"),
    ("uninitvar", "compiler/graph/image.c"), ("incorrectLogicOperator", "compiler/graph/values.c"),
    ("arrayIndexOutOfBoundsCond", "compiler/ops/concat.c"), ("arrayIndexOutOfBoundsCond", "compiler/serve/wire.c"),
    ("autoVariables", "runtime/main.c"), ("invalidFunctionArg", "runtime/train/pass.c"),
}


def files(*endings):
    listed = subprocess.run(["git", "ls-files", "compiler", "runtime", "examples", "tests"], cwd=ROOT, capture_output=True,
                            text=True, check=True).stdout.split()
    return [name for name in listed if name.endswith(endings)]


def long_lines():
    for name in files(".c", ".h", ".y", ".l", ".def"):
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if len(line) > COLUMNS:
                yield f"{name}:{number}: {len(line)} columns, more than {COLUMNS}"


def misplaced():
    found = shutil.which("clang-format")
    version = re.search(r"version (\d+)", subprocess.run([found, "--version"], capture_output=True, text=True).stdout)[1] if found else None
    if version != FORMATTER:
        print(f"lint: the layout is not looked at: it is clang-format {FORMATTER}'s, and here is {version or 'none'}")
        return
    result = subprocess.run([found, "--dry-run", "-Werror", *files(".c", ".h")], cwd=ROOT, capture_output=True, text=True)
    yield from (line for line in result.stderr.splitlines() if re.match(r"\S+:\d+:\d+: error", line))


def suspicious():
    if not shutil.which("cppcheck"):
        print("lint: cppcheck is not here")
        return
    result = subprocess.run(["cppcheck", "--quiet", "--enable=warning,portability", "--std=c11", "-Icompiler", "-Iruntime",
                             "--library=tests/cppcheck.cfg", "-j2", "--template={id}\t{file}:{line}: {message} [{id}]",
                             "compiler", "runtime"], cwd=ROOT, capture_output=True, text=True)
    for line in result.stderr.splitlines():
        kind, tab, told = line.partition("\t")
        if tab and (kind, told.split(":")[0]) not in NO_FAULTS:
            yield told


def main():
    faults = [*long_lines(), *misplaced(), *suspicious()]
    for fault in faults:
        print(fault)
    print(f"lint: {len(faults)} fault{'s' * (len(faults) != 1)}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
