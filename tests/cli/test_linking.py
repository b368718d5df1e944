"""A trainer brings along what it is linked with, so that it runs where that is not."""
import os
import re
import subprocess

import pytest

from harness import AS_USERS, BUILD, ROOT, netc, run, trainer

NETWORK = "network n {\n    input [4]\n    linear(2) as fc\n}\n"


def libraries(program):
    """The shared libraries that it wants."""
    text = run("readelf", "-d", program).stdout
    return [line.split("[")[1].rstrip("]") for line in text.splitlines() if "(NEEDED)" in line]


def test_a_trainer_is_static_where_the_libraries_are(tmp_path):
    program = trainer(NETWORK, "--kernels=reference", compiler=AS_USERS)
    needed = libraries(program)
    if not (BUILD / "libcjson.a").exists():
        assert not {"libz.so.1", "libpng16.so.16", "libjpeg.so.62"} & set(needed)
        pytest.skip("there is no libcjson.a here: make deps makes it")
    assert needed == []
    run(program, "info", env={"LD_LIBRARY_PATH": "/nowhere"})


def test_dynamic_takes_the_systems_libraries():
    needed = libraries(trainer(NETWORK, "--kernels=reference", "--dynamic"))
    assert {"libcjson.so.1", "libc.so.6"} <= set(needed)


def test_dynamic_is_not_for_an_object(tmp_path):
    (tmp_path / "n.net").write_text(NETWORK)
    assert (
        "--object links nothing"
        in netc(
            "build", "--object", "--dynamic", "n.net", "-o", "n.o", cwd=tmp_path, expect=2
        ).stderr
    )


def test_a_missing_static_library_is_done_without(tmp_path):
    """The compiler knows of none: all is linked as --dynamic does."""
    (tmp_path / "n.net").write_text(NETWORK)
    compiler = tmp_path / "cc"
    compiler.write_text(
        '#!/bin/sh\ncase $1 in -print-file-name=*) echo "${1#*=}";; *) exec gcc "$@";; esac\n'
    )
    compiler.chmod(0o755)
    netc("build", "--kernels=reference", f"--cc={compiler}", "n.net", "-o", "n", cwd=tmp_path)
    assert "libpng16.so.16" in libraries(tmp_path / "n")
    run(tmp_path / "n", "info")


@pytest.mark.skipif(os.cpu_count() < 2, reason="there is one processor")
@pytest.mark.parametrize(
    "refuses, folder, wanted", [("-none", "plain", 1), ("-flto=*", "plain", 0), ("-none", "a b", 0)]
)
def test_all_processors_compile_where_the_compiler_can_share(tmp_path, refuses, folder, wanted):
    """A compiler that has no such option compiles as one process; and where files lie whose names
    a makefile would have to quote, since GCC's does not."""
    (tmp_path / folder).mkdir()
    (tmp_path / "n.net").write_text(NETWORK)
    compiler = tmp_path / "cc"
    compiler.write_text(
        f"#!/bin/sh\nfor word; do case $word in {refuses}) exit 1;; esac; done\n"
        f'echo "$@" >>{tmp_path}/asked\nexec gcc "$@"\n'
    )
    compiler.chmod(0o755)
    netc(
        "build",
        "--kernels=reference",
        f"--cc={compiler}",
        "n.net",
        "-o",
        "n",
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path / folder)},
    )
    compiling = [line for line in (tmp_path / "asked").read_text().splitlines() if "/n.c " in line]
    assert len(compiling) == 1 and len(re.findall(r" -flto=\d+ ", compiling[0])) == wanted
    run(tmp_path / "n", "info")


@pytest.mark.parametrize(
    "sources",
    [
        "deb http://deb.debian.org/debian bookworm main\n# deb-src x\n",
        "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: sid\nComponents: main\n",
    ],
)
def test_apts_own_sources_are_read(tmp_path, sources):
    """Of both kinds.  From them, sources of source packages are made, which a stand-in for apt
    shows.  It fetches nothing."""
    etc, tools = tmp_path / "etc", tmp_path / "tools"
    (etc / "sources.list.d").mkdir(parents=True)
    tools.mkdir()
    (etc / ("sources.list" if sources[0] == "d" else "sources.list.d/debian.sources")).write_text(
        sources
    )
    (etc / "sources.list.d" / "other.list").write_text("deb https://example.org/apt stable main\n")
    (tools / "apt-get").write_text(
        f"#!/bin/sh\ncat {tmp_path}/build/cjson/sources/* >>{tmp_path}/seen\nexit 1\n"
    )
    (tools / "apt-get").chmod(0o755)
    result = subprocess.run(
        [ROOT / "runtime" / "core" / "cjson.sh", tmp_path / "build"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tools}:/usr/bin:/bin", "APT_ETC": str(etc)},
    )
    seen = (tmp_path / "seen").read_text()
    assert (
        result.returncode != 0
        and "deb-src" in seen
        and "example.org" not in seen
        and "deb http" not in seen
    )
    assert list((tmp_path / "build").iterdir()) == []
