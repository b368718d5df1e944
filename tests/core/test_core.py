"""The runtime's core: threads, sums in a fixed order, random numbers, and files
that are the old one or the whole new one."""
import os
import time
from pathlib import Path

import pytest

from harness import ROOT, c_program, run
from sanitize import sanitized

TEXT = (Path(__file__).parent / "driver.c").read_text()
SOURCES = [str(path) for path in sorted((ROOT / "runtime" / "core").glob("*.c"))]


@pytest.fixture(scope="module")
def driver():
    return c_program(TEXT)


@pytest.mark.parametrize("real", ["f32", "f64"])
def test_core(real):
    assert run(c_program(TEXT, real=real)).stdout == "ok\n"


def test_core_under_sanitizers():
    of_threads = c_program(TEXT, "-fsanitize=thread", "-fno-sanitize-recover=all", *SOURCES)
    for program in of_threads, sanitized.program(TEXT):
        assert run(program).stdout == "ok\n"


def test_a_written_file_replaces_the_old_one_and_keeps_its_permissions(driver, tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(0o640)
    run(driver, "write", path, "give up")
    assert path.read_text() == "old"
    run(driver, "write", path)
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["out"]


def test_a_new_file_has_ordinary_permissions(driver, tmp_path):
    run(driver, "write", "out", cwd=tmp_path)
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_link_is_written_through(driver, tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    run(driver, "write", tmp_path / "link")
    assert (tmp_path / "real").read_text() == "new" and (tmp_path / "link").is_symlink()


def test_a_link_to_nothing_makes_what_it_names(driver, tmp_path):
    (tmp_path / "link").symlink_to("new")
    run(driver, "write", tmp_path / "link")
    assert (tmp_path / "new").read_text() == "new" and (tmp_path / "link").is_symlink()


def test_what_a_killed_run_left_goes(driver, tmp_path):
    for age, name in (7200, "out.netc-abc123"), (5, "out.netc-abc456"):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    run(driver, "write", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["out", "out.netc-abc456"]


def test_what_cannot_be_written(driver, tmp_path):
    for path, reason in (tmp_path, "Is a directory"), (
        tmp_path / "no" / "file",
        "No such file or directory",
    ):
        assert run(driver, "write", path, expect=1).stdout == f"cannot write {path}: {reason}\n"
    full = Path("/dev/full")
    if full.exists():
        assert "No space left" in run(driver, "write", full, expect=1).stdout
