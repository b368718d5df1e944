"""The sources themselves: clean under clang as they are under gcc, which the
build has shown already."""
import pytest

from harness import BUILD, ROOT, have, run

FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]


def sources(folder):
    return sorted((ROOT / folder).rglob("*.c"))


@pytest.mark.skipif(not have("clang"), reason="clang is not installed")
def test_the_compiler_is_clean_under_clang():
    run(
        "clang",
        *FLAGS,
        "-Icompiler",
        "-Iruntime",
        "-I",
        BUILD / "compiler" / "front",
        *sources("compiler"),
    )


@pytest.mark.skipif(not have("clang"), reason="clang is not installed")
def test_the_runtime_is_clean_under_clang():
    mpi = ROOT / "runtime" / "ranks" / "mpi.c"
    flags = [*FLAGS, "-DNET_REAL=float", "-Iruntime"]
    run("clang", *flags, *(path for path in sources("runtime") if path != mpi))
    if have("mpicc"):
        run("mpicc", *flags, "-Wno-unused-command-line-argument", mpi, env={"OMPI_CC": "clang"})
