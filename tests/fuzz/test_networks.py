"""Random networks, compiled both ways and compared (see networks.py, driver.c
and plans.py).

FUZZ_NETWORKS=N runs N networks instead of some, FUZZ_FROM=S starts at
seed S: `make fuzz-networks N=2000 FROM=1000`.  What fails is kept in
build/tests/fuzz-<seed>/, its network as <seed>.net.
"""
import os
import pickle
import random
import re
import shutil
import subprocess

import pytest

from fuzz import plans
from fuzz.networks import CALL, NOT_DRAWN, VALUES, Writer, is_structural, network, table
from fuzz.programs import OPERATORS, emit, link
from harness import BUILD, ROOT, fusions, made_once, netc

COUNT = int(os.environ.get("FUZZ_NETWORKS", 12))
FIRST = int(os.environ.get("FUZZ_FROM", 1))
AT_ONCE = 12  # networks linked into one program

# Of every so many networks one is also compiled for narrower vectors, two with some of the fusions,
# and one in float32.
SHARE = 12
TARGETS = {3: ("x86-64-v3", "-march=x86-64-v3"), 7: ("portable", "")}
SOME_FUSIONS = (1, 10)
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
    nadam radam adamax adagrad adadelta lamb orthogonal
    linear polynomial inverse_sqrt cosine_warm_restarts plateau
    use let if else first target bent loss own1
    """.split()
)
SEEDS = 2500  # a few for each operator, which every seed favours one of


# What no single word tells.
CONSTRUCTS = [
    r"input \[[\d, ]+\] as input\d",  # several inputs, of numbers and of whole ones
    r"input \[\d+\] of \d+ as input\d",
    r"block \w+ \[.*\] as a, \[.*\] as b -> ",  # of several tensors, in a chain, by arguments
    r"from \(left\d+, right\d+\)",
    r"Block\d+\((b=)?right\d+\) as both\d+ \(one\d+, two\d+\)",
    r"-> \[width\*c, ceil\(\w/stride\), ceil\(\w/stride\)\]",  # shapes that are calculated
    r"Block\d+\(\d, leaky_relu\(0\.2\)",  # an activation with arguments as a value
    r"reuse shared\d+",
    r"weight=tied\d+\.weight",
    r'as "t\d+_\{i \* 2\}"',
    r"target=(input|first)\n",
    r"conv3d\(.*as head\n(.|\n)*loss +cross_entropy",  # a class for each position
    r"softplus\(.*beta=",  # the library
]


# How the values of a kind of argument may be written, besides its words.
FORMS = {
    **{kind: {"one", "list"} for kind in ("pair", "triple", "quad", "ints")},
    **{kind: {"one"} for kind in ("int", "real", "single", "tensors", "init")},
    **{kind: {"list"} for kind in ("shape", "values")},
    "axes": {"one", "list", "negative"},
    "bool": {"true", "false"},
    "word": set(),
}
# … and what is not written so, and why.
NO_FORMS = {
    ("permute", "dims"): {"one"},  # the order of one axis
    ("pad", "pad"): {"one"},  # refused: two numbers for each axis
    ("affine_grid", "size"): {"one"},
    ("multihead_attention", "heads"): {"by position"},  # tensors stand there
    # What is all 0 has a gradient that is 1 / eps.
    ("normalize", "eps"): {"left out"},
    # Without it a sequence that cannot be told in so few steps has an infinite loss.
    ("ctc", "zero_infinity"): {"false", "left out"},
    **{(f"batch_norm{n}d", "track_running_stats"): {"false"} for n in (1, 2, 3)},  # refused
}
MORE_FORMS = {
    ("upsample", "scale_factor"): {"one"},
    ("constant", "value"): {"one"},
    ("reshape", "shape"): {"any"},
    ("layer_norm", "normalized_shape"): {"any"},
    ("rms_norm", "normalized_shape"): {"any"},
    **{(name, "mask"): {"list"} for name in ("attention", "self_attention", "multihead_attention")},
}


def forms_of(word):
    """How a value is written, and the value where it is a word."""
    word = word.strip().strip('"')
    found = {"list" if word.startswith("[") else "one", word, word.partition("(")[0]}
    found |= {"negative"} if re.search(r"(?<!\w)-\d", word) else set()
    return found | ({"any"} if "_" in re.findall(r"\w+", word) else set())


def arguments_used(text):
    """{(operator, argument, form)} of a network's text, and what is left out."""
    used = set()
    for name in set(re.findall(r"(?<![\w.=])(\w+)(?![\w(=.])", text)) & table().keys():
        used |= {(name, argument["name"], "left out") for argument in table()[name]["arguments"]}
    for name, inside in CALL.findall(text):
        if name not in table():
            continue
        positional = [arg["name"] for arg in table()[name]["arguments"] if arg["positional"]]
        written = set()
        for at, value in enumerate(VALUES.findall(inside)):
            named = re.match(r"\s*(\w+)=(.*)", value, re.S)
            if named or at < len(positional):
                argument, word = named.groups() if named else (positional[at], value)
                written.add(argument)
                used |= {(name, argument, form) for form in forms_of(word)}
                used |= (
                    {(name, argument, "by name")} if named else {(name, argument, "by position")}
                )
        used |= {
            (name, argument["name"], "left out")
            for argument in table()[name]["arguments"]
            if argument["name"] not in written
        }
    return used


def forms_known(name, argument):
    where = (name, argument["name"])
    forms = FORMS[argument["kind"]] | MORE_FORMS.get(where, set()) | set(argument.get("words", []))
    forms |= {"by name"} | ({"by position"} if argument["positional"] else set())
    forms |= set() if argument["required"] else {"left out"}
    forms |= {"negative"} if argument["kind"] == "int" and argument.get("minimum", 0) < 0 else set()
    return forms - NO_FORMS.get(where, set())


def arguments_known():
    """What `netc explain` says: every argument in every form in which it can be written."""
    for name, op in table().items():
        for argument in op["arguments"]:
            yield from ((name, argument["name"], form) for form in forms_known(name, argument))


@pytest.fixture(scope="module")
def written():
    """Once for all workers: it takes as long as to compile fifty of them."""
    with made_once("random-networks") as made:
        if not made.exists():
            writers = [Writer(seed, OPERATORS) for seed in range(SEEDS)]
            texts = [(writer.network(f"n{at}"), writer.uses) for at, writer in enumerate(writers)]
            made.write_bytes(pickle.dumps(texts))
        return pickle.loads(made.read_bytes())


@pytest.fixture(scope="module")
def texts(written):
    return [text for text, _ in written]


def test_the_vocabulary_is_used(texts):
    """Every operator occurs, and every way to train."""
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    assert OPERATORS - NOT_DRAWN | TRAINING <= words
    assert all(any(f"{name}(" in text for text in texts) for name in NOT_DRAWN)
    assert all(any(re.search(written, text) for text in texts) for written in CONSTRUCTS)


def test_every_operator_is_used_at_every_rank(written):
    """… of those that a step draws; the structures' have their own."""
    drawn = {name for name, op in table().items() if not is_structural(op)}
    wanted = {(name, rank) for name in drawn for rank in table()[name]["ranks"]}
    assert wanted - set().union(*(uses for _, uses in written)) == set()


def test_every_network_is_valid(texts, tmp_path):
    for seed, text in enumerate(texts):
        (tmp_path / f"{seed}.net").write_text(text)
    names = [f"{seed}.net" for seed in range(len(texts))]
    netc("check", "--warn=no-rows-left-out", *names, cwd=tmp_path)


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
    if seed % SHARE in SOME_FUSIONS:
        drawn = random.Random(seed)
        some = [name for name in fusions() if drawn.random() < 0.5]
        kinds.append(emit(folder, seed, "some", f"--fuse={','.join(some) or 'none'}", split(seed)))
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
