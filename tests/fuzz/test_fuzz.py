"""A short part of `make fuzz`: the programs build, every kept input and every seed
runs, and a few thousand mutants of them, the same each time, find nothing."""
import shutil

import pytest

from fuzz import libfuzzer
from harness import ROOT
from sanitize import sanitized

# Of the slow targets as many as take a second or two, and every n-th of the seeds.
RUNS = {
    "net": 500,
    "repair": 40,
    "build": 200,
    "editor": 200,
    "serve": 1000,
    "command": 500,
    "resume": 1000,
    "train": 1000,
}
EVERY = {"net": 3, "repair": 20, "build": 6}

libfuzzer.MADE = sanitized.MADE  # compiled in a third of the time, for a few runs

pytestmark = pytest.mark.skipif(not shutil.which("clang"), reason="the fuzz targets need clang")


@pytest.fixture(scope="module")
def programs():
    folder = sanitized.MADE.relative_to(ROOT)
    made = sanitized.make(folder / "compiler-fuzz", folder / "runtime-fuzz")
    if "libclang_rt.fuzzer" in made.stderr:
        pytest.skip("clang has no libFuzzer here: make fuzz installs it")
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("target", libfuzzer.TARGETS)
def test_fuzz(target, programs, tmp_path):
    made, found = tmp_path / "seeds", tmp_path / "found"
    libfuzzer.write_inputs(made, list(libfuzzer.inputs(target))[:: EVERY.get(target, 1)])
    found.mkdir()
    inputs = [found, made, *(folder for folder in [libfuzzer.KEPT / target] if folder.exists())]
    runs = sum(len(list(folder.iterdir())) for folder in inputs) + RUNS.get(target, 2000)
    result = libfuzzer.execute(libfuzzer.command(target, runs, 1, inputs), target)
    assert result.returncode == 0, result.stderr[-6000:]


def test_a_fault_of_the_programs_own_is_a_finding(programs, tmp_path):
    """The harness sees an overrun of one byte in an arena, and exit(3)."""
    for fault, told in (
        ("overrun", "heap-buffer-overflow"),
        ("exit", "exit status 3"),
        ("leak", "detected memory leaks"),
    ):
        (tmp_path / "input").write_bytes(b"x")
        result = libfuzzer.execute(
            [libfuzzer.program("net"), tmp_path / "input"], "net", {"FUZZ_FAULT": fault}
        )
        assert result.returncode != 0 and told in result.stderr, result.stderr[-3000:]
