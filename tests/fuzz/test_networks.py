"""Random networks, compiled both ways and compared (see networks.py, driver.c
and plans.py).

FUZZ_NETWORKS=N runs N networks instead of some, FUZZ_FROM=S starts at
seed S: `make fuzz-networks N=2000 FROM=1000`.  What fails is kept in
build/tests/fuzz-<seed>/, its network as <seed>.net.
"""
import os
import re
import shutil
import subprocess

import pytest

from fuzz import plans
from fuzz.networks import NOT_DRAWN, network, table
from fuzz.programs import OPERATORS, emit, link
from harness import BUILD, ROOT, netc

COUNT = int(os.environ.get("FUZZ_NETWORKS", 12))
FIRST = int(os.environ.get("FUZZ_FROM", 1))
AT_ONCE = 12  # networks linked into one program

# Of every so many networks one is also compiled for narrower vectors, and one in float32.
SHARE = 12
TARGETS = {3: ("x86-64-v3", "-march=x86-64-v3"), 7: ("portable", "")}
SINGLE = 5

TRAINING = set(
    """
    sgd adam adamw rmsprop momentum dampening nesterov weight_decay betas eps amsgrad
    alpha centered
    constant step multi_step exponential cosine one_cycle warmup by
    clip norm value group freeze init
    kaiming_normal kaiming_uniform xavier_normal xavier_uniform normal uniform
    label_smoothing mse reuse weight trunc_normal zeros ones
    aside output tokens function block skip shortcut dense repeat branch from noise
    """.split()
)
CALL = re.compile(r"(?<![\w.])(\w+)\(((?:[^()]|\([^()]*\))*)\)")
SEEDS = 1700  # a few for each operator, which every seed favours one of


def values_of(inside):
    """The arguments of a call, as they are written."""
    return re.findall(r"(?:\[[^\]]*\]|\([^)]*\)|[^,\[(])+", inside)


def arguments_used(text):
    """{(operator, argument)} and {(operator, argument, word)} of a network's text."""
    used = set()
    for name, inside in CALL.findall(text):
        if name not in table():
            continue
        positional = [arg["name"] for arg in table()[name]["arguments"] if arg["positional"]]
        for at, value in enumerate(values_of(inside)):
            named = re.match(r"\s*(\w+)=(.*)", value, re.S)
            if named or at < len(positional):
                argument, word = named.groups() if named else (positional[at], value)
                used |= {(name, argument), (name, argument, word.strip().strip('"'))}
    return used


def arguments_known():
    """What `netc explain` says: every argument, and of those that are words each one."""
    for name, op in table().items():
        for argument in op["arguments"]:
            yield name, argument["name"]
            if argument["kind"] == "word":
                yield from ((name, argument["name"], word) for word in argument["words"])


@pytest.fixture(scope="module")
def texts():
    return [network(seed, OPERATORS) for seed in range(SEEDS)]


def test_the_vocabulary_is_used(texts):
    """Every operator occurs, and every way to train."""
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    assert OPERATORS - NOT_DRAWN | TRAINING <= words
    assert all(any(f"{name}(" in text for text in texts) for name in NOT_DRAWN)


def test_every_argument_is_used(texts):
    used = set().union(*map(arguments_used, texts))
    assert {what for what in arguments_known() if what not in used} == set()


# ------------------------------------------------------------------ building


def split(seed):
    """Of networks as small as these no kernel is shared by several threads, unless it is asked."""
    return "--split=all" if seed % 2 else "--split=auto"


def build(folder, seed):
    """The float64 builds of one network; their names, the specialised one first."""
    kinds = [
        emit(folder, seed, "specialised", split(seed)),
        emit(folder, seed, "reference", "--kernels=reference", "--fuse=none"),
    ]
    if seed % SHARE in TARGETS:
        target, march = TARGETS[seed % SHARE]
        kinds.append(emit(folder, seed, "narrow", f"--target={target}", split(seed), march=march))
    return kinds


def build_single(folder, seed):
    return [
        emit(folder, seed, "single", split(seed), real="f32"),
        emit(folder, seed, "single_reference", "--kernels=reference", real="f32"),
        emit(
            folder,
            seed,
            "single_narrow",
            "--target=x86-64-v3",
            real="f32",
            march="-march=x86-64-v3",
        ),
    ]


# ------------------------------------------------------------------- testing


def compare(folder, real, kinds):
    if not kinds:
        return
    result = subprocess.run(
        [link(folder, "driver", real, kinds)], capture_output=True, text=True, timeout=600
    )
    good = {line.split()[0] for line in result.stdout.splitlines() if line.endswith(" ok")}
    assert result.returncode == 0 and len(good) == len(
        kinds
    ), f"{folder}\n{result.stdout}{result.stderr}exit {result.returncode}"


def write(folder, seed):
    """The network's file, whose plan is sound."""
    path = folder / f"{seed}.net"
    path.write_text(network(seed, OPERATORS))
    told = netc("check", "--dump=gradient", "--diagnostics=short", path)
    assert (
        ": error" not in told.stderr
    ), f"{path}\n{told.stderr}"  # drawn at random, they may leave rows out
    plans.check(told.stdout, netc("check", "--dump=plan", path).stdout)


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, AT_ONCE))
def test_networks(first):
    folder = BUILD / "tests" / f"fuzz-{first}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seeds = range(first, min(first + AT_ONCE, FIRST + COUNT))
    for seed in seeds:
        write(folder, seed)
    compare(folder, "f64", {seed: build(folder, seed) for seed in seeds})
    compare(
        folder,
        "f32",
        {seed: build_single(folder, seed) for seed in seeds if seed % SHARE == SINGLE},
    )
    shutil.rmtree(folder)


# Layers between which a view lies: the second has no channel or row of the first's.
VIEWS_BETWEEN = [
    "conv2d(12, [5, 3]);  flatten;  batch_norm1d",
    "conv2d(4, 3, padding=1);  reshape([4, 3, 9]);  max_pool2d(3)",
    "conv2d(4, 3, padding=1);  batch_norm2d;  relu;  reshape([2, 6, 9]);  "
    "conv2d(5, 3, padding=1);  batch_norm2d;  relu",
]
# Slopes that are drawn in training: what is answered in inference is not what is trained.
DRAWN_SLOPES = "conv2d(4, 3, padding=1);  rrelu"


def test_a_view_between_two_layers_and_drawn_slopes(tmp_path):
    texts = [*VIEWS_BETWEEN, DRAWN_SLOPES]
    for seed, layers in enumerate(texts):
        (tmp_path / f"{seed}.net").write_text(
            f"network n{seed} {{\n input [4, 9, 3]\n {layers}\n flatten\n linear(5)\n}}\n"
            'train { data "images"; loss cross_entropy; optimizer sgd(lr=0.01); batch 19; '
            "epochs 1 }\n"
        )
    compare(tmp_path, "f64", {seed: build(tmp_path, seed) for seed in range(len(texts))})


# ------------------------------------------------- the checker's own checks


def moved_writes(plan):
    """The plan with one write, then another, put one vector further on."""
    for found in re.finditer(r"->(\S.*?) (scratch|kept)\+(\d+)", plan):
        yield found[0], plan[: found.start(3)] + str(int(found[3]) + 1) + plan[found.end(3) :]


@pytest.mark.parametrize("name", ["resnet", "densenet"])
def test_the_checker_sees_a_write_at_the_wrong_address(name):
    graph = netc("check", "--dump=gradient", ROOT / "models" / f"{name}.net").stdout
    plan = netc("check", "--dump=plan", ROOT / "models" / f"{name}.net").stdout
    plan = plan[: plan.index("inference:")]
    plans.check(graph, plan)
    writes = list(moved_writes(plan))
    for what, wrong in writes[::7]:
        with pytest.raises(plans.Wrong):
            plans.check(graph, wrong)
            print(what)
