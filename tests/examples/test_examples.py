"""The examples' READMEs are run as they are read: every ```sh block, in order, in
a scratch copy of the folder.

After a block may stand ```text, which is what it prints, `...` being anything.  A block
marked `sh fails` ends with a status other than 0.  One marked `sh pytorch` needs a Python
with PyTorch, python3 or $TORCH_PYTHON, and is skipped without.

The output after a block marked `sh long` is of a run that takes a minute: here it takes
few steps, on a few images that are noise, by a program whose C is compiled quickly; what is
printed is then compared but for its numbers and the epochs' lines."""
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from faults.cases import idx
from harness import JOINING, QUICK, ROOT, c_compiler

EXAMPLES = ["own-network", "c-program", "pytorch", "png-folder", "cluster"]
EXAMPLES += ["regression", "two-heads", "segmentation", "speech-commands"]
EXAMPLES += ["autoencoder", "char-gpt", "fine-tuning", "vae"]
SOURCES = {".md", ".net", ".c", ".py", ".png"}
SECONDS = 120  # that any block may take; on an idle machine none takes 20
STEPS = 3  # of a run that is long

# Each block runs in the environment and the folder that the ones before it left.
SCRIPT = """set -e
[ ! -f .state ] || . ./.state
{block}
export -p > .state
"""


def blocks(readme):
    """[(marks, commands, expected output or None)]"""
    found = re.findall(
        r"^```sh *(.*)\n((?:.*\n)*?)```\n(?:\n(?:(?!```|#).*\n)*?\n?```text\n((?:.*\n)*?)```)?",
        readme,
        re.M,
    )
    return [(marks.split(), commands, expected or None) for marks, commands, expected in found]


@pytest.fixture
def scratch(tmp_path):
    """The repository with one example that may be written to."""
    for name in "build", "runtime", "models":
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "examples").mkdir()
    return tmp_path / "examples"


def python_with_pytorch(tools):
    """False, or `tools` has a python3 that can import torch."""
    python = os.environ.get("TORCH_PYTHON", "python3")
    if subprocess.run(
        [python, "-c", "import torch, safetensors.torch, numpy"], capture_output=True
    ).returncode:
        return False
    (tools / "python3").write_text(
        f'#!/bin/sh\nexec {python} "$@"\n'
        if os.path.isabs(python)
        else f'#!/bin/sh\nexec {shutil.which(python)} "$@"\n'
    )
    (tools / "python3").chmod(0o755)
    return True


def matches(printed, expected):
    """A line of three dots is any number of lines; in a line they are any characters."""
    pattern = "".join(
        "(?:.*\n)*" if line == "...\n" else re.escape(line).replace(re.escape("..."), ".*")
        for line in expected.splitlines(True)
    )
    return re.fullmatch(pattern, printed) is not None


def without_numbers(text):
    """And without an epoch's line, of which a run of few steps has another, and alignment."""
    lines = [line for line in text.splitlines() if not re.match("epoch |stopped after", line)]
    return "".join(re.sub(r"\d[\d.,]*", "N", re.sub(" +", " ", line)) + "\n" for line in lines)


def made_short(commands):
    """Training takes few steps."""
    return re.sub(r"^(\S+ train)\b", rf"\1 --max-steps {STEPS}", commands, flags=re.M)


def write_noise(folder):
    """MNIST's four files, of a few images."""
    numbers = np.random.default_rng(1)
    folder.mkdir(parents=True)
    for name, count in ("train", 256), ("t10k", 64):
        images = numbers.integers(0, 256, (count, 28, 28), "u1")
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        labels = numbers.integers(0, 10, count, "u1")
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))


def run_block(folder, commands, environment):
    script = SCRIPT.replace("{block}", commands)
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        text=True,
        errors="replace",
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def environment(tools):
    """NO_COLOR and a locale in which pictures are drawn alike everywhere."""
    return {
        **os.environ,
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",  # as in a container
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_plm": "isolated",
        "PATH": f"{tools}:{os.environ['PATH']}",
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_readme(name, scratch):
    folder = scratch / name
    folder.mkdir()
    for path in (ROOT / "examples" / name).iterdir():
        if path.suffix in SOURCES:  # and not what a reader made there
            shutil.copy(path, folder)
    found = blocks((folder / "README.md").read_text())
    assert found
    if any("mnist" in commands for _, commands, _ in found):
        write_noise(scratch.parent / "data" / "mnist")
    tools = scratch / "tools"
    tools.mkdir()
    # Half of what -O2 takes, and runs nearly as fast; of runs of few steps a fifth.
    long = any("long" in marks for marks, _, _ in found)
    (tools / "cc").symlink_to(c_compiler(*(QUICK if long else JOINING)))
    pytorch = any("pytorch" in marks for marks, _, _ in found) and python_with_pytorch(tools)
    told = []
    for marks, commands, expected in found:
        assert set(marks) <= {"fails", "long", "pytorch"}
        if "pytorch" in marks and not pytorch:
            continue
        if "long" in marks:
            commands = made_short(commands)
        result = run_block(folder, commands, environment(tools))
        told.append(result.stdout)
        said = f"{commands}exit {result.returncode}\n{result.stdout}"
        assert (result.returncode != 0) == ("fails" in marks), said
        printed = result.stdout
        if "long" in marks and expected:
            printed, expected = without_numbers(printed), without_numbers(expected)
        assert expected is None or matches(printed, expected), f"{said}\nexpected\n{expected}"
    if pytorch:
        same_tests("".join(told))


def same_tests(told):
    """netc and PyTorch find the same loss and accuracy, with the weights of either."""
    tests = re.findall(r"test loss ([\d.]+), (accuracy .*)", told)
    assert len(tests) == 4
    for (loss, rest), (again, rest_again) in (tests[:2], tests[2:]):
        assert float(loss) == pytest.approx(float(again), abs=2e-6) and rest == rest_again


def test_every_example_is_run():
    """The others are texts: what they show is tested elsewhere."""
    there = {path.parent.name for path in (ROOT / "examples").glob("*/README.md")}
    assert there - {"editors", "errors", "pictures"} == set(EXAMPLES)


def test_what_counts_as_printed():
    assert (
        matches("a\nb 1.5 %\nc\n", "a\n...\nc\n")
        and matches("a\n", "a\n...\n")
        and matches("[1] x*\n", "[1] x*\n")
    )
    assert matches("a 1.5 %\n", "a ... %\n") and not matches("a\nb\n", "a...b\n")
    assert (
        not matches("a\nb\n", "a\n")
        and not matches("ab\n", "a.b\n")
        and not matches("[1]\n", "1\n")
    )
