"""The sources themselves: clean under clang as they are under gcc, which the
build has shown already."""
import pytest

from harness import ROOT, have, run
from sanitize import sanitized

pytestmark = pytest.mark.skipif(not have("clang"), reason="clang is not installed")


def test_compiler_and_runtime_are_clean_under_clang():
    """Where a warning is an error, with all the flags that sanitizers add."""
    assert sanitized.compiler() == "clang"
    made = sanitized.make("fuzz-objects")
    assert made.returncode == 0, made.stderr


def test_so_are_the_ranks():
    if not have("mpicc"):
        pytest.skip("no MPI here")
    flags = "-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -DNET_REAL=float -Iruntime"
    mpi = ROOT / "runtime" / "ranks" / "mpi.c"
    run("mpicc", *flags.split(), "-Wno-unused-command-line-argument", mpi, env={"OMPI_CC": "clang"})
