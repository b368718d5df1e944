"""Random networks as programs: each build of a network is an object, and those of several are
linked with driver.c, which compares them, or numbers.c, which writes what they compute."""
import functools
from pathlib import Path

from fuzz.networks import table
from harness import BUILD, LIBRARIES, QUICK, ROOT, key_of, made_once, netc, run

HERE = Path(__file__).parent
C_FLAGS = [
    "-std=c11",
    "-D_GNU_SOURCE",
    "-DNET_NO_MAIN",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-I",
    str(ROOT / "runtime"),
    "-I",
    str(ROOT / "tests"),
]
REALS = {"f64": "double", "f32": "float"}


OPERATORS = frozenset(table())


def compile_c(compiler, source, made, *flags):
    run(*compiler, *C_FLAGS, *flags, "-c", source, "-o", made)


@functools.cache
def headers(*flags):
    """What emitted C includes, compiled once for all workers: half the time of a small network's C
    is the reading of the processor's intrinsics."""
    with made_once(f"fuzz-headers-{key_of(*flags)}") as folder:
        if not folder.exists():
            folder.mkdir()
            (folder / "headers.h").write_text(
                '#include "net_runtime.h"\n#ifdef __x86_64__\n#include <immintrin.h>\n#endif\n'
            )
            run(
                *QUICK,
                *C_FLAGS,
                *flags,
                "-x",
                "c-header",
                folder / "headers.h",
                "-o",
                folder / "all",
            )
        return folder / "all"


def emit(folder, seed, kind, *options, real="f64", march="-march=native"):
    """One build of a network as an object that exports <kind>_<seed>."""
    source = folder / f"{seed}.{kind}.c"
    netc("emit", folder / f"{seed}.net", "-o", source, f"--dtype={real}", *options)
    flags = [f"-DNET_REAL={REALS[real]}", *march.split()]
    compile_c(
        QUICK,
        source,
        source.with_suffix(".o"),
        *flags,
        *("-include-pch", headers(*flags)),
        f"-Dn{seed}_model={kind}_{seed}",
    )
    return kind


def write_table(path, kinds):
    externs = "".join(
        f"extern const NetModel {kind}_{seed};\n" for seed in kinds for kind in kinds[seed]
    )
    models = {seed: ", ".join(f"&{kind}_{seed}" for kind in kinds[seed]) for seed in kinds}
    rows = "".join(
        f'    {{ "n{seed}", {len(kinds[seed])}, {{ {models[seed]} }} }},\n' for seed in kinds
    )
    path.write_text(
        '#include "fuzz/drawn.h"\n'
        f"{externs}const Entry networks[] = {{\n{rows}    {{ 0 }},\n}};\n"
    )


def program(name, real):
    """driver.c or numbers.c, and what they share, as objects, compiled once for all workers."""
    with made_once(f"fuzz-{name}.{real}") as folder:
        if not folder.exists():
            folder.mkdir()
            for part in (name, "drawn"):
                compile_c(
                    ("gcc", "-O2"),
                    HERE / f"{part}.c",
                    folder / f"{part}.o",
                    f"-DNET_REAL={REALS[real]}",
                    *"-Wall -Wextra -Werror".split(),
                )
        return [folder / f"{part}.o" for part in (name, "drawn")]


def link(folder, name, real, kinds):
    table, made = folder / f"table.{real}.c", folder / f"{name}.{real}"
    write_table(table, kinds)
    objects = [folder / f"{seed}.{kind}.o" for seed in kinds for kind in kinds[seed]]
    run(
        "gcc",
        *C_FLAGS,
        f"-DNET_REAL={REALS[real]}",
        *program(name, real),
        table,
        *objects,
        "-o",
        made,
        BUILD / f"libnet_{real}.a",
        *LIBRARIES,
    )
    return made
