"""Every file that netc writes: the old one or the whole new one, under the name
that was meant, and nothing beside it."""
import fcntl
import os
import signal
import stat
import subprocess
import time

import pytest

from harness import NETC, netc, run

NETWORK = "network n {\n    input [4]\n    linear(2) as fc\n}\n"
BAD = NETWORK.replace("linear(2)", "linaer(2)")
UNTIDY = NETWORK.replace("    input", "  input")

# What writes FILE, by the network that it takes.
WRITERS = {
    "emit": ["emit", "n.net", "-o", "FILE"],
    "graph": ["graph", "n.net", "-o", "FILE"],
    "build": ["build", "--kernels=reference", "--target=portable", "n.net", "-o", "FILE"],
    "object": "build --object --kernels=reference --target=portable n.net -o FILE".split(),
}
EDITORS = {"fmt": (["fmt", "FILE"], UNTIDY), "fix": (["check", "--fix", "FILE"], BAD)}
COMPILER = "#!/bin/sh\necho ran >> {0}/ran\nexec sleep 60\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "n.net").write_text(NETWORK)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def write(folder, kind, path, expect=0, options=()):
    words = [str(path) if word == "FILE" else word for word in WRITERS[kind]]
    return netc(
        words[0],
        *options,
        *words[1:],
        cwd=folder,
        expect=expect,
        env={"TMPDIR": str(folder / "tmp")},
    )


OLD = "\x7fELF, and old"  # only a program is replaced by one


def names(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_link_is_followed_and_stays(folder, kind):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "old").write_text(OLD)
    (folder / "link").symlink_to("elsewhere/again")
    (folder / "elsewhere" / "again").symlink_to("old")
    (folder / "dangling").symlink_to("elsewhere/new")
    for link, target in ("link", "old"), ("dangling", "new"):
        write(folder, kind, link)
        assert (folder / link).is_symlink() and not (folder / "elsewhere" / target).is_symlink()
        assert (folder / "elsewhere" / target).stat().st_size > 100
    assert names(folder / "elsewhere") == ["again", "new", "old"] and names(folder / "tmp") == []


@pytest.mark.parametrize("kind", EDITORS)
def test_an_edited_file_keeps_its_link_and_permissions(folder, kind):
    words, text = EDITORS[kind]
    (folder / "real.net").write_text(text)
    (folder / "real.net").chmod(0o640)
    (folder / "link.net").symlink_to("real.net")
    netc(*[word.replace("FILE", "link.net") for word in words], cwd=folder, expect=None)
    assert (folder / "link.net").is_symlink() and (folder / "real.net").read_text() == NETWORK
    assert stat.S_IMODE((folder / "real.net").stat().st_mode) == 0o640
    assert names(folder) == ["link.net", "n.net", "real.net", "tmp"]


def test_a_loop_of_links_is_told(folder):
    (folder / "loop").symlink_to("loop")
    assert (
        "cannot write loop: Too many levels of symbolic links"
        in write(folder, "emit", "loop", expect=1).stderr
    )


@pytest.mark.parametrize("kind", ["build", "object"])
def test_a_program_replaces_no_pipe_and_no_device(folder, kind):
    os.mkfifo(folder / "pipe")
    for path in folder / "pipe", "/dev/null", "/dev/stdout":
        assert f"cannot write {path}: it is" in write(folder, kind, path, expect=1).stderr
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode) and stat.S_ISCHR(
        os.stat("/dev/null").st_mode
    )


def test_text_goes_into_a_pipe_and_to_devices(folder):
    os.mkfifo(folder / "pipe")
    with subprocess.Popen(["cat", folder / "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        write(folder, "emit", "pipe")
        assert "n_model" in reader.communicate(timeout=60)[0]
    write(folder, "graph", "/dev/null")
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode) and stat.S_ISCHR(
        os.stat("/dev/null").st_mode
    )


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"])
def test_standard_output_is_written_after_what_is_there(folder, name):
    (folder / "log").write_text("before\n")
    run(
        "/bin/sh",
        "-c",
        f'exec "$@" >>"{folder}/log"',
        "sh",
        NETC,
        "emit",
        folder / "n.net",
        "-o",
        name,
    )
    text = (folder / "log").read_text()
    assert text.startswith("before\n/* n: ") and "n_model" in text


@pytest.mark.parametrize("kind", WRITERS)
def test_what_cannot_be_written_is_told_before_the_work(folder, kind):
    """The network is wrong as well, and nothing has looked at it yet."""
    (folder / "n.net").write_text(BAD)
    (folder / "there").mkdir()
    told = {
        "there": "Is a directory",
        "there/": "Is a directory",
        "no/file": "No such file or directory",
        "n.net/file": "Not a directory",
        "new/": "Is a directory",
        "": "No such file or directory",
    }
    for path, reason in told.items():
        said = write(folder, kind, path, expect=1).stderr
        assert f"cannot write {path}: {reason}" in said and "linaer" not in said


def test_a_folder_that_is_not_writable_is_told_before_the_work(folder):
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    (folder / "n.net").write_text(BAD)
    (folder / "closed").mkdir(mode=0o555)
    assert (
        "cannot write closed/n: Permission denied"
        in write(folder, "build", "closed/n", expect=1).stderr
    )


def test_permissions(folder):
    mask = os.umask(0)
    os.umask(mask)
    write(folder, "build", "program")
    write(folder, "object", "object")
    assert stat.S_IMODE((folder / "program").stat().st_mode) == 0o777 & ~mask
    assert stat.S_IMODE((folder / "object").stat().st_mode) == 0o666 & ~mask
    (folder / "program").chmod(0o640)
    (folder / "object").chmod(0o600)
    write(folder, "build", "program")
    write(folder, "object", "object")
    assert stat.S_IMODE((folder / "program").stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / "object").stat().st_mode) == 0o600


def leftover(folder, name, seconds):
    path = folder / name
    path.write_text("half")
    os.utime(path, (time.time() - seconds,) * 2)
    return name


def test_leftovers_of_killed_runs_go_when_they_are_old_and_nobodys(folder):
    leftover(folder, "c.netc-abc123", 7200)
    leftover(folder, "c.netc-zzzzzz", 7200)
    stay = [
        leftover(folder, "c.netc-new456", 5),
        leftover(folder, "c.netc-held78", 7200),
        leftover(folder, "c.netc-Mine12", 7200),
        leftover(folder, "c.netc-longer1", 7200),
        leftover(folder, "d.netc-abc123", 7200),
        leftover(folder, "c.tmp", 7200),
    ]
    (folder / "c.netc-link00").symlink_to("c.tmp")
    with open(folder / "c.netc-held78") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write(folder, "emit", "c")
    assert names(folder) == sorted(["c", "n.net", "tmp", "c.netc-link00", *stay])


def test_stale_names_are_in_nobodys_way(folder):
    """A name is drawn, not made of the process's number."""
    first = subprocess.Popen(["true"])
    first.wait()
    for number in range(first.pid, first.pid + 2000):
        (folder / f"program.{number}.tmp").write_text("")
    write(folder, "build", "program")
    assert (folder / "program").stat().st_size > 100


def test_folders_of_killed_builds_go_when_they_are_old_and_ours(folder):
    days = {"netc-build-old123": 3, "netc-build-new123": 0.1, "netc-build-open12": 3}
    for name, age in days.items():
        (folder / "tmp" / name).mkdir(mode=0o755 if "open" in name else 0o700)
        (folder / "tmp" / name / "n.c").write_text("")
        os.utime(folder / "tmp" / name, (time.time() - age * 86400,) * 2)
    write(folder, "build", "program")
    assert names(folder / "tmp") == ["netc-build-new123", "netc-build-open12"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_compiler_too_and_leaves_nothing(folder, number):
    """netc dies of it, so that who waits for it is told the truth."""
    compiler = folder / "cc"
    compiler.write_text(COMPILER.format(folder))
    compiler.chmod(0o755)
    (folder / "program").write_text(OLD)
    words = [NETC, "build", f"--cc={compiler}", "--dynamic", "n.net", "-o", "program"]
    with subprocess.Popen(
        words, cwd=folder, env={**os.environ, "TMPDIR": str(folder / "tmp")}, start_new_session=True
    ) as made:
        end = time.time() + 60
        while not (folder / "ran").exists() and time.time() < end:
            time.sleep(0.02)
        made.send_signal(number)
        assert made.wait(timeout=30) == -number
    assert names(folder) == ["cc", "n.net", "program", "ran", "tmp"] and names(folder / "tmp") == []
    assert (folder / "program").read_text() == OLD


def test_a_failed_compile_leaves_the_old_program(folder):
    (folder / "program").write_text(OLD)
    said = write(folder, "build", "program", expect=1, options=["--cc=false"]).stderr
    assert "the C is kept in" in said and (folder / "program").read_text() == OLD
    assert names(folder) == ["n.net", "program", "tmp"] and len(names(folder / "tmp")) == 1


def test_a_full_disk_leaves_the_old_file(folder):
    """A limit on a file's size stands for the full disk."""
    (folder / "c").write_text("old")
    run(
        "/bin/sh",
        "-c",
        'trap "" XFSZ; ulimit -f 8; exec "$@"',
        "sh",
        NETC,
        "emit",
        "n.net",
        "-o",
        "c",
        cwd=folder,
        expect=1,
    )
    assert (folder / "c").read_text() == "old" and names(folder) == ["c", "n.net", "tmp"]


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_read_is_not_replaced(kind, folder):
    """By whatever name: the network itself, and what it uses."""
    (folder / "lib.net").write_text("block Two {\n    linear(2)\n}\n")
    (folder / "n.net").write_text('use "lib.net"\n' + NETWORK)
    os.symlink("n.net", folder / "link.net")
    os.link(folder / "n.net", folder / "hard.net")
    before = {path.name: path.read_bytes() for path in folder.glob("*.net")}
    for name in "n.net", "./n.net", "link.net", "hard.net", folder / "n.net":
        assert "would replace what is read" in write(folder, kind, name, expect=2).stderr
    told = write(folder, kind, "lib.net", expect=1).stderr
    assert "-o lib.net would replace a file that the program uses" in told
    assert {path.name: path.read_bytes() for path in folder.glob("*.net")} == before


@pytest.mark.parametrize("kind", ["build", "object"])
def test_only_a_program_is_replaced_by_a_program(kind, folder):
    (folder / "notes").write_text("mine")
    assert "is there already, and is no program" in write(folder, kind, "notes", expect=1).stderr
    assert (folder / "notes").read_text() == "mine"
