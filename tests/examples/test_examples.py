"""The examples' READMEs are run as they are read: every ```sh block, in order, in
a scratch copy of the folder.

After a block may stand ```text, which is what it prints, `...` being anything.  A block
marked `sh fails` ends with a status other than 0.  One marked `sh pytorch` needs a Python
with PyTorch, python3 or $TORCH_PYTHON, and is skipped without."""
import os
import re
import shutil
import subprocess

import pytest

from harness import COMPUTING, ROOT, c_compiler

EXAMPLES = ["own-network", "c-program", "pytorch", "png-folder", "cluster"]
EXAMPLES += ["regression", "two-heads", "segmentation", "speech-commands"]
SOURCES = {".md", ".net", ".c", ".py", ".png"}
SECONDS = 120  # that any block may take; on an idle machine none takes 20

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
    tools = scratch / "tools"
    tools.mkdir()
    (tools / "cc").symlink_to(c_compiler(*COMPUTING))  # a third of what -O2 takes
    pytorch = any("pytorch" in marks for marks, _, _ in found) and python_with_pytorch(tools)
    told = []
    for marks, commands, expected in found:
        assert set(marks) <= {"fails", "pytorch"}
        if "pytorch" in marks and not pytorch:
            continue
        result = run_block(folder, commands, environment(tools))
        told.append(result.stdout)
        said = f"{commands}exit {result.returncode}\n{result.stdout}"
        assert (result.returncode != 0) == ("fails" in marks), said
        assert expected is None or matches(result.stdout, expected), f"{said}\nexpected\n{expected}"
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
