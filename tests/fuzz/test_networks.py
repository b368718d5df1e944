"""Random networks, compiled both ways and compared (see networks.py, driver.c
and plans.py).

FUZZ_NETWORKS=N runs N networks instead of a few hundred, FUZZ_FROM=S starts at
seed S: `make fuzz-networks N=2000 FROM=1000`.  What fails is kept in
build/tests/fuzz-<seed>/, its network as <seed>.net.
"""
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fuzz import plans
from fuzz.networks import Writer, network
from harness import BUILD, ROOT, TRAINERS, locked, netc, run, toolchain

COUNT = int(os.environ.get("FUZZ_NETWORKS", 300))
FIRST = int(os.environ.get("FUZZ_FROM", 1))
AT_ONCE = 10                    # networks linked into one program
HERE = Path(__file__).parent

# A share of the networks is also compiled for narrower vectors.
TARGETS = {3: ("x86-64-v3", "-march=x86-64-v3"), 7: ("portable", "")}

C_FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-DNET_REAL=double", "-DNET_NO_MAIN", "-ffp-contract=fast", "-fno-math-errno",
           "-fno-trapping-math", "-I", str(ROOT / "runtime")]


def operators():
    lines = netc("explain").stdout.split("errors:")[0].splitlines()[1:]
    return [line.split()[0] for line in lines if line.strip()]


OPERATORS = frozenset(operators())


def test_every_operator_is_drawn():
    assert OPERATORS <= set(Writer.DRAWN_BY) | Writer.STRUCTURAL, "tell tests/fuzz/networks.py how to draw it"


def test_the_vocabulary_is_used():
    """Over a few hundred networks every operator occurs."""
    words = {word for seed in range(300) for word in network(seed, OPERATORS).replace("(", " ").split()}
    assert OPERATORS - {"mse"} <= words


# ------------------------------------------------------------------ building


def compile_c(source, made, *flags):
    run("gcc", *C_FLAGS, *flags, "-c", source, "-o", made)


def emit(folder, seed, kind, optimise, *options):
    """One build of a network as an object that exports <kind>_<seed>."""
    source = folder / f"{seed}.{kind}.c"
    netc("emit", folder / f"{seed}.net", "-o", source, "--dtype=f64", *options)
    march = next((word for name, word in (*TARGETS.values(), ("native", "-march=native")) if f"--target={name}" in options),
                 "-march=native")
    compile_c(source, source.with_suffix(".o"), f"-Dn{seed}_model={kind}_{seed}", optimise, *march.split())


def build(folder, seed):
    """The builds of one network; their names, the specialised one first."""
    kinds = ["specialised", "reference"]
    emit(folder, seed, "specialised", "-O1")
    emit(folder, seed, "reference", "-O0", "--kernels=reference")
    target = TARGETS.get(seed % 12)
    if target:
        emit(folder, seed, "narrow", "-O1", f"--target={target[0]}")
        kinds.append("narrow")
    return kinds


def write_table(path, kinds):
    externs = "".join(f"extern const NetModel {kind}_{seed};\n" for seed in kinds for kind in kinds[seed])
    rows = "".join(f'    {{ "n{seed}", {len(kinds[seed])}, {{ {", ".join(f"&{kind}_{seed}" for kind in kinds[seed])} }} }},\n'
                   for seed in kinds)
    path.write_text('#include "net_runtime.h"\n'
                    "typedef struct Entry { const char *name; int builds; const NetModel *models[6]; } Entry;\n"
                    f"{externs}const Entry networks[] = {{\n{rows}    {{ 0 }},\n}};\n")


@pytest.fixture(scope="session")
def driver():
    """driver.c as an object, compiled once for all workers of a run."""
    key = hashlib.sha256(toolchain().encode() + (HERE / "driver.c").read_bytes()).hexdigest()[:16]
    made = TRAINERS / f"fuzz-driver-{key}.o"
    with locked(made.with_suffix(".lock")):
        if not made.exists():
            run("gcc", *C_FLAGS, "-O2", "-Wall", "-Wextra", "-Werror", "-c", HERE / "driver.c", "-o", made)
    return made


def link(folder, driver, kinds):
    write_table(folder / "table.c", kinds)
    program = folder / "compare"
    objects = [folder / f"{seed}.{kind}.o" for seed in kinds for kind in kinds[seed]]
    run("gcc", *C_FLAGS, driver, folder / "table.c", *objects, "-o", program,
        BUILD / "libnet_f64.a", "-lcjson", "-lz", "-lpng", "-ljpeg", "-lm", "-lpthread")
    return program


# ------------------------------------------------------------------- testing


def compare(folder, driver, seeds):
    kinds = {}
    for seed in seeds:
        path = folder / f"{seed}.net"
        path.write_text(network(seed, OPERATORS))
        told = netc("check", path)
        assert told.stdout + told.stderr == "", f"{path}\n{told.stdout}{told.stderr}"
        plans.check(netc("check", "--dump=gradient", path).stdout, netc("check", "--dump=plan", path).stdout)
        kinds[seed] = build(folder, seed)
    result = subprocess.run([link(folder, driver, kinds)], capture_output=True, text=True, timeout=600)
    good = {line.split()[0] for line in result.stdout.splitlines() if line.endswith(" ok")}
    assert result.returncode == 0 and len(good) == len(seeds), f"{folder}\n{result.stdout}{result.stderr}exit {result.returncode}"


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, AT_ONCE))
def test_networks(driver, first):
    folder = TRAINERS / f"fuzz-{first}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    compare(folder, driver, range(first, min(first + AT_ONCE, FIRST + COUNT)))
    shutil.rmtree(folder)


# ------------------------------------------------- the checker's own checks


def moved_writes(plan):
    """The plan with one write, then another, put one vector further on."""
    for found in re.finditer(r"->(\S.*?) (scratch|kept)\+(\d+)", plan):
        yield found[0], plan[:found.start(3)] + str(int(found[3]) + 1) + plan[found.end(3):]


@pytest.mark.parametrize("name", ["resnet", "densenet"])
def test_the_checker_sees_a_write_in_the_wrong_place(name):
    graph = netc("check", "--dump=gradient", ROOT / "models" / f"{name}.net").stdout
    plan = netc("check", "--dump=plan", ROOT / "models" / f"{name}.net").stdout
    plan = plan[:plan.index("inference:")]
    plans.check(graph, plan)
    writes = list(moved_writes(plan))
    for what, wrong in writes[::7]:
        with pytest.raises(plans.Wrong):
            plans.check(graph, wrong)
            print(what)
