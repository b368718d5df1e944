"""The compiler's rooms: a folder includes and calls only what comes before it in the list in
compiler/netc.h.  What a lower room needs of a higher one it is given, in a table of functions."""
import re
import shutil
import subprocess
from collections import defaultdict

import pytest

from harness import ROOT

COMPILER, OBJECTS = ROOT / "compiler", ROOT / "build/compiler"
SOURCES = [
    path.relative_to(COMPILER).as_posix()
    for path in sorted(COMPILER.rglob("*"))
    if path.suffix in (".c", ".h", ".y", ".l")
]


def rooms():
    """From the lowest on: the runtime's, those that netc.h lists, and compiler/ itself."""
    listed = re.findall(r"^ \*   (\w+(?:/\w+)?)  +\w", (COMPILER / "netc.h").read_text(), re.M)
    return ["core", *listed, ""]


ORDER = {room: rank for rank, room in enumerate(rooms())}


def room_of(path):
    return next(
        (
            room
            for room in (path.rpartition("/")[0], path.partition("/")[0])
            if "/" in path and room in ORDER
        ),
        "",
    )


def goes_up(source, target):
    return ORDER[room_of(target)] > ORDER[room_of(source)]


def included(source):
    """The headers that a file includes; bison's is front's."""
    names = re.findall(r'^#include "([^"]+)"', (COMPILER / source).read_text(), re.M)
    return ["front/parse.h" if name == "parse.h" else name for name in names]


def circles(edges):
    """The files from which a way leads back to themselves, by headers alone."""
    reached = {}
    for start in edges:
        seen, left = set(), list(edges[start])
        while left:
            at = left.pop()
            if at not in seen:
                seen.add(at)
                left.extend(edges.get(at, ()))
        reached[start] = seen
    return sorted(start for start in edges if start in reached[start])


def symbols():
    """By symbol: the file that defines it; by file: what others are to define."""
    objects = {
        str(OBJECTS / re.sub(r"\.[cyl]$", ".o", source)): source
        for source in SOURCES
        if not source.endswith(".h")
    }
    defined, wanted = {}, defaultdict(set)
    for line in subprocess.run(
        ["nm", "-A", *objects], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        path, _, told = line.partition(":")
        kind, name = told.split()[-2:]
        if kind in "TDRBCV":
            defined[name] = objects[path]
        elif kind == "U":
            wanted[objects[path]].add(name)
    return defined, wanted


def test_every_folder_is_a_room():
    folders = {path.partition("/")[0] for path in SOURCES if "/" in path}
    assert folders == {room.partition("/")[0] for room in ORDER} - {"core", ""}


def test_includes_go_down():
    assert [
        f"{source} includes {header}"
        for source in SOURCES
        for header in included(source)
        if goes_up(source, header)
    ] == []


# A room's own headers are for its files; these are for higher rooms as well.
SHARED = set(
    "util/shape.h diag/log.h front/ast.h front/front.h front/parse.h graph/fusions.def "
    "write/programs.h".split()
)


def is_for(source, header):
    room, _, name = header.rpartition("/")
    return (
        room.partition("/")[0] in ("core", "kernels")
        or header in SHARED
        or name in (f"{room}.h", "kernel.h")
        or room_of(source) == room_of(header)
        or "/" not in header
    )


def test_a_rooms_own_headers_are_its_own():
    assert [
        f"{source} includes {header}"
        for source in SOURCES
        for header in included(source)
        if not is_for(source, header)
    ] == []


def test_headers_are_in_no_circle():
    assert circles({source: included(source) for source in SOURCES if source.endswith(".h")}) == []


def test_only_what_runs_the_stages_reads_them_all():
    assert [source for source in SOURCES if "netc.h" in included(source)] == ["main.c", "options.c"]


@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm")
def test_calls_go_down():
    defined, wanted = symbols()
    assert [
        f"{source} uses {name} of {defined[name]}"
        for source in sorted(wanted)
        for name in sorted(wanted[source])
        if name in defined and goes_up(source, defined[name])
    ] == []


@pytest.mark.parametrize(
    "source, target, up",
    [
        ("graph/build.c", "plan/plan.h", True),
        ("plan/fuse/loss.c", "plan/plan.h", False),
        ("plan/plan.c", "plan/fuse/fuse.h", False),
        ("kernels/text.c", "kernels/grain/tiles.h", True),
        ("ops/conv2d.c", "kernels/image/conv2d.h", False),
        ("util/text.c", "core/output.h", False),
        ("serve/server.c", "netc.h", True),
    ],
)
def test_what_goes_up(source, target, up):
    assert goes_up(source, target) == up


def test_a_circle_is_found():
    assert circles({"a.h": ["b.h"], "b.h": ["c.h"], "c.h": ["b.h"], "d.h": []}) == ["b.h", "c.h"]
