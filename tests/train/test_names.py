"""Files of a run that name each other are refused before anything is read or
written: what one option says to write would destroy what another needs."""
import os
import shutil
import subprocess

import pytest

from harness import run
from runs import small, train, write_data

WRITTEN = ["--save", "--save-best", "--checkpoint", "--log", "--save-gradients"]
READ = ["--init", "--resume"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def spell(way, folder):
    """Another name of folder/f."""
    (folder / "sub").mkdir(exist_ok=True)
    if way == "dots":
        return folder / "sub" / ".." / "f"
    if way == "folder":
        os.symlink(folder, folder / "here")
        return folder / "here" / "f"
    if way == "link":
        os.symlink("f", folder / "other")
    elif way == "hard":
        os.link(folder / "f", folder / "other")
    return folder / ("f" if way == "same" else "other")


@pytest.mark.parametrize(
    "first, second",
    [
        (a, b)
        for i, a in enumerate([*WRITTEN, *READ])
        for b in [*WRITTEN, *READ][i + 1 :]
        if (a, b) not in {("--checkpoint", "--resume"), ("--init", "--resume")}
    ],
)
def test_two_options_with_one_file(first, second, data, tmp_path):
    train(data, "--quiet", "--max-steps", 1, "--checkpoint", tmp_path / "f")
    before = (tmp_path / "f").read_bytes()
    told = train(data, "--quiet", first, tmp_path / "f", second, tmp_path / "f", expect=2).stderr
    assert f"{first} and {second} name one file" in told and told.count("\n") == 1
    assert (tmp_path / "f").read_bytes() == before


@pytest.mark.parametrize(
    "way, exists",
    [
        *((way, exists) for way in ("same", "dots", "folder", "link") for exists in (False, True)),
        ("hard", True),
    ],
)
def test_by_whatever_name(way, exists, data, tmp_path):
    if exists:
        train(data, "--quiet", "--max-steps", 1, "--save", tmp_path / "f")
    other = spell(way, tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    told = train(data, "--quiet", "--save", tmp_path / "f", "--checkpoint", other, expect=2).stderr
    assert "--save and --checkpoint name one file" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_relative_names(data, tmp_path):
    told = run(
        small(), "train", "--data", data, "--save", "f", "--log", "./f", cwd=tmp_path, expect=2
    ).stderr
    assert "name one file" in told and not list(tmp_path.iterdir())


def test_a_run_goes_on_in_its_own_checkpoint(data, tmp_path):
    options = ("--quiet", "--checkpoint", tmp_path / "c")
    train(data, *options, "--max-steps", 2)
    train(data, *options, "--resume", tmp_path / "c", "--max-steps", 4)


def test_devices_may_be_named_twice(data):
    files = "--save /dev/null --checkpoint /dev/null --log /dev/null".split()
    train(data, "--quiet", "--max-steps", 1, *files)


def test_files_of_missing_folders_are_not_one(data, tmp_path):
    told = train(
        data, "--save", tmp_path / "none" / "a", "--log", tmp_path / "none" / "b", expect=1
    ).stderr
    assert "cannot write" in told


def test_the_trainer_itself(data, tmp_path):
    program = tmp_path / "trainer"
    shutil.copy(small(), program)
    before = program.read_bytes()
    for option in WRITTEN:
        assert (
            "is this program itself"
            in run(program, "train", "--data", data, option, program, expect=2).stderr
        )
    assert program.read_bytes() == before


def test_the_name_of_a_kept_checkpoint(data, tmp_path):
    told = train(
        data,
        "--quiet",
        "--checkpoint",
        tmp_path / "c",
        "--keep",
        2,
        "--save",
        tmp_path / "c.500",
        expect=2,
    ).stderr
    assert "is the name of an earlier checkpoint that --keep makes" in told
    train(
        data,
        "--quiet",
        "--max-steps",
        1,
        "--checkpoint",
        tmp_path / "c",
        "--keep",
        2,
        "--save",
        tmp_path / "c.best",
    )


@pytest.mark.parametrize(
    "option, text",
    [
        *((option, text) for option in WRITTEN for text in ("network n {\n}\n", "x")),
        *((option, "{}") for option in WRITTEN if option != "--log"),
    ],
)
def test_a_file_of_another_kind_is_not_replaced(option, text, data, tmp_path):
    """A mistyped name, or one that the shell completed: a network's file, an image of the data."""
    (tmp_path / "f").write_text(text)
    told = train(data, "--quiet", option, tmp_path / "f", expect=2).stderr
    assert (
        f"{option} {tmp_path / 'f'} would replace a file that is no " in told
        and told.count("\n") == 1
    )
    assert (tmp_path / "f").read_text() == text


def test_what_a_run_wrote_is_replaced(data, tmp_path):
    for _ in range(2):
        train(
            data,
            "--quiet",
            "--max-steps",
            1,
            "--save",
            tmp_path / "w",
            "--log",
            tmp_path / "l",
            "--checkpoint",
            tmp_path / "c",
        )
    (tmp_path / "w").write_text("")  # as mktemp leaves it
    train(data, "--quiet", "--max-steps", 1, "--save", tmp_path / "w")


def test_standard_output_that_goes_to_a_file_of_any_kind(data, tmp_path):
    with open(tmp_path / "out", "w") as out:
        out.write("before\n")
        out.flush()
        subprocess.run(
            [small(), *"train --quiet --max-steps 1 --log /dev/stdout --data".split(), data],
            stdout=out,
            check=True,
            timeout=60,
        )
    assert (tmp_path / "out").read_text().startswith('before\n{"event"')
