"""Optimizers, schedules and clipping in float64 against what PyTorch did to the
same weights and gradients (make_fixtures.py says how)."""
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness import ROOT, c_program, netc, read_safetensors, run, trainer

COUNT, EPOCHS, STEPS = 20, 8, 3  # make_fixtures's
RTOL = 1e-12

DRIVER = r"""
#include "runtime.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 20, EPOCHS = 8, STEPS = 3, MAX_VALUES = 20, SPLIT = 7 };

/* "0.1", "2,5,6" or "step". */
static NetValue read_value(const char *path, char *text, double *numbers)
{
    NetValue value = {.path = path, .numbers = numbers};
    if (isalpha((unsigned char)*text))
        value.word = text;
    else
        for (char *part; (part = strsep(&text, ","));)
            numbers[value.count++] = atof(part);
    return value;
}

/* driver PATH VALUE PATH VALUE …: weights, then a gradient per step, on standard
 * input; rate, momentum and the weights after each step on standard output. */
int main(int argc, char **argv)
{
    static double numbers[MAX_VALUES][MAX_VALUES];
    NetValue values[MAX_VALUES];
    NetSettings settings = {values, 0};
    for (int i = 1; i + 1 < argc && settings.count < MAX_VALUES; i += 2, settings.count++)
        values[settings.count] = read_value(argv[i], argv[i + 1], numbers[settings.count]);
    const NetParameter parameters[] = {
        {.path = "a", .kind = NET_TRAINED, .elements = SPLIT},
        {.path = "b", .kind = NET_TRAINED, .offset = SPLIT, .elements = COUNT - SPLIT, .group = 1},
    };
    const NetModel model = {.parameters = parameters, .parameter_count = 2, .trained = COUNT};
    NetOptimizer optimizer = {0};
    NetSchedule schedule;
    NetError error;
    if (!net_schedule_open(&schedule, &settings, STEPS, &error)
        || !net_optimizer_open(&optimizer, &model, &settings, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    static real weights[COUNT], gradient[COUNT];
    if (fread(weights, sizeof *weights, COUNT, stdin) != COUNT)
        return 2;
    for (int step = 0; step < EPOCHS * STEPS; step++) {
        if (fread(gradient, sizeof *gradient, COUNT, stdin) != COUNT)
            return 2;
        net_optimizer_schedule(&optimizer, &schedule, step, step / STEPS);
        net_clip_measure(&optimizer, gradient, 0, optimizer.clip.pieces);
        net_clip_apply(&optimizer.clip, gradient, COUNT);
        /* In two halves, as two threads do. */
        net_optimizer_update(&optimizer, weights, 0, COUNT / 2, gradient);
        net_optimizer_update(&optimizer, weights, COUNT / 2, COUNT, gradient + COUNT / 2);
        bool adam = net_optimizer_name(&optimizer)[0] == 'a';
        double momentum = adam ? optimizer.rates.beta1 : optimizer.rates.momentum;
        double told[] = {optimizer.groups[0].lr, momentum};
        fwrite(told, sizeof *told, 2, stdout);
        fwrite(weights, sizeof *weights, COUNT, stdout);
    }
    net_optimizer_close(&optimizer);
    return 0;
}
"""

FIXTURES = json.loads((Path(__file__).parent / "pytorch.json").read_text())
CASES = FIXTURES["cases"]


def title(case):
    return " ".join(
        " ".join(map(str, part.values())) for key, part in case.items() if isinstance(part, dict)
    )


def text(value):
    return (
        ",".join(map(str, value))
        if isinstance(value, list)
        else str(int(value) if isinstance(value, bool) else value)
    )


def words(case):
    """The settings as the compiler resolves them."""
    for part, path in (
        ("optimizer", "optimizer"),
        ("schedule", "schedule"),
        ("clip", "clip"),
        ("group", "group.1"),
    ):
        for key, value in case.get(part, {}).items():
            yield from (path if key == "name" else f"{path}.{key}", text(value))
    if case.get("schedule", {}).get("name") == "one_cycle" and "by" not in case["schedule"]:
        yield from ("schedule.by", "step")
    yield from ("epochs", str(EPOCHS))
    if case["optimizer"]["name"] == "adamw" and "weight_decay" not in case["optimizer"]:
        yield from ("optimizer.weight_decay", "0.01")


def drive(settings, expect=0):
    random = np.random.RandomState(1)
    data = (
        random.normal(size=COUNT).tobytes() + random.normal(size=(EPOCHS * STEPS, COUNT)).tobytes()
    )
    result = subprocess.run(
        [c_program(DRIVER, real="f64"), *settings], input=data, capture_output=True
    )
    assert result.returncode == expect, result.stderr
    return (
        np.frombuffer(result.stdout).reshape(-1, 2 + COUNT)
        if expect == 0
        else result.stderr.decode()
    )


@pytest.mark.parametrize("case", CASES, ids=title)
def test_pytorch(case):
    out = drive(words(case))
    np.testing.assert_allclose(out[:, 0], case["lr"], rtol=RTOL)
    np.testing.assert_allclose(out[:, 1], case["momentum"], rtol=RTOL)
    np.testing.assert_allclose(out[-1, 2:], case["weights"], rtol=RTOL, atol=RTOL)


def test_a_group_has_its_own_rate_and_decay():
    plain = drive("optimizer sgd optimizer.lr 0.1 optimizer.weight_decay 0.5".split())
    other = drive("optimizer sgd optimizer.lr 0.02 optimizer.weight_decay 0".split())
    both = drive(
        "optimizer sgd optimizer.lr 0.1 optimizer.weight_decay 0.5 "
        "group.1.lr 0.02 group.1.weight_decay 0".split()
    )
    assert (both[:, 2:9] == plain[:, 2:9]).all() and (both[:, 9:] == other[:, 9:]).all()


def test_nesterov_needs_momentum():
    assert "momentum above 0" in drive(
        "optimizer sgd optimizer.lr 0.1 optimizer.nesterov 1".split(), expect=1
    )


def arguments_in_the_compiler(name):
    """The names in a table of training.c: "sgd_args"."""
    text = (ROOT / "compiler" / "graph" / "training.c").read_text()
    table = re.search(rf"ArgSpec {name}_args\[\] = \{{(.*?)\n?(?:\}};|\{{0\}}\}};)", text, re.S)[1]
    return (
        set(re.findall(r'\{"(\w+)"', table))
        | ({"warmup"} if "WARMUP" in table else set())
        | ({"by"} if "BY" in table else set())
    )


@pytest.mark.parametrize(
    "part, names",
    [
        ("optimizer", "sgd adam adamw rmsprop"),
        ("schedule", "constant step multi_step exponential cosine one_cycle"),
    ],
)
def test_every_argument_is_compared(part, names):
    for name in names.split():
        seen = [set(case[part]) for case in CASES if case.get(part, {}).get("name") == name]
        assert set().union(*seen) - {"name"} == arguments_in_the_compiler(name)


@pytest.mark.parametrize(
    "name", ["constant", "step", "multi_step", "exponential", "cosine", "one_cycle"]
)
def test_every_schedule_is_compared_by_epoch_and_by_step(name):
    default = "step" if name == "one_cycle" else "epoch"
    used = [case["schedule"] for case in CASES if case.get("schedule", {}).get("name") == name]
    assert {schedule.get("by", default) for schedule in used} == {"epoch", "step"}
    if name != "one_cycle":
        assert {schedule.get("by", default) for schedule in used if "warmup" in schedule} == {
            "epoch",
            "step",
        }


# ---------------------------------------------------------------- first weights

NETWORK = """network n {
    input [8, 3, 5]
    conv2d(12, [3, 5]) as conv
    flatten
    linear(10) as fc
}
train {
    data synthetic;  loss cross_entropy;  optimizer sgd(lr=0.1);  batch 8;  epochs 1
    init "conv.weight", %s
}
"""


def drawn_from(program, path):
    """["uniform", low, high] of a parameter, as the emitted table has it."""
    numbers = r"NET_(\w+), (\S+), (\S+), \S+, \S+, (?:true|false), "
    row = rf'"{re.escape(path)}", NET_TRAINED,.*? {numbers}'
    kind, a, b = re.search(row, program).groups()
    return [kind.lower(), float(a), float(b)]


@pytest.mark.parametrize("name, arguments, expected", FIXTURES["initialisers"])
def test_initialisers_draw_from_what_pytorchs_do(name, arguments, expected, tmp_path):
    (tmp_path / "n.net").write_text(
        NETWORK % f"{name}({', '.join(f'{key}={value}' for key, value in arguments.items())})"
    )
    actual = drawn_from(netc("emit", tmp_path / "n.net", "-o", "-").stdout, "conv.weight")
    assert actual[0] == expected[0] and actual[1:] == pytest.approx(expected[1:], rel=1e-12)


def test_first_weights_are_spread_as_they_should_be(tmp_path):
    """12,000 of each kind: mean and deviation within five standard errors, bounds kept."""
    text = """network n {
    input [120]
    linear(100) as normal
    linear(120) as uniform
    linear(100) as plain
    linear(3) as same
}
train {
    data synthetic;  loss cross_entropy;  optimizer sgd(lr=0.1);  batch 8;  epochs 1
    init "normal.weight", normal(mean=0.5, std=0.25)
    init "uniform.weight", uniform(-1, 3)
    init "same.*", constant(0.125)
}
"""
    run(trainer(text), "train", "--quiet", "--epochs", 0, "--save", tmp_path / "w")
    weights = read_safetensors(tmp_path / "w")
    bound = 1 / np.sqrt(120)  # PyTorch's default: kaiming_uniform with a = sqrt(5)
    for name, mean, deviation, low, high in [
        ("normal", 0.5, 0.25, -1, 2),
        ("uniform", 1, 4 / 12**0.5, -1, 3),
        ("plain", 0, 2 * bound / 12**0.5, -bound, bound),
    ]:
        drawn = weights[f"{name}.weight"].astype("f8")
        assert low <= drawn.min() and drawn.max() <= high
        assert abs(drawn.mean() - mean) < 5 * deviation / drawn.size**0.5
        assert abs(drawn.std() / deviation - 1) < 5 / drawn.size**0.5
        assert len(np.unique(drawn)) > 0.99 * drawn.size
    assert (weights["same.weight"] == 0.125).all() and (weights["same.bias"] == 0.125).all()
