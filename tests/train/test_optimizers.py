"""Optimizers, schedules and clipping in float64 against what PyTorch did to the
same weights and gradients (make_fixtures.py says how)."""
import functools
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness import c_program, netc, read_safetensors, run, trainer

COUNT, EPOCHS, STEPS = 20, 8, 3  # make_fixtures's
RTOL = 1e-12

DRIVER = r"""
#include "runtime.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 20, EPOCHS = 8, STEPS = 3, MAX_VALUES = 30, SPLIT = 8 };

/* In two halves, as two threads do. */
static void update(const NetOptimizer *optimizer, real *weights, real *gradient)
{
    const int half = COUNT / 2;
    if (net_is_layerwise(optimizer)) {
        net_optimizer_direct(optimizer, weights, 0, half, gradient);
        net_optimizer_direct(optimizer, weights, half, COUNT, gradient + half);
        net_layers_measure(optimizer, weights, gradient, 0, 1);
        net_layers_measure(optimizer, weights, gradient, 1, optimizer->layers.pieces);
        for (int round = 0; round < optimizer->layers.rounds; round++)
            for (int thread = 0; thread < 2; thread++)
                net_layers_round(optimizer, round, thread, 2);
    }
    net_optimizer_update(optimizer, weights, 0, half, gradient);
    net_optimizer_update(optimizer, weights, half, COUNT, gradient + half);
}

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
        {.path = "a", .kind = NET_TRAINED, .elements = SPLIT, .rank = 2, .dim = {4, 2}},
        {.path = "b", .kind = NET_TRAINED, .offset = SPLIT, .elements = COUNT - SPLIT, .group = 1,
         .rank = 2, .dim = {3, 4}, .layer = (int)net_setting(&settings, "layer", 0)},
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
    double figures[EPOCHS][2]; /* of each epoch's test */
    if (fread(weights, sizeof *weights, COUNT, stdin) != COUNT
        || fread(figures, sizeof figures, 1, stdin) != 1)
        return 2;
    for (int step = 0; step < EPOCHS * STEPS; step++) {
        if (fread(gradient, sizeof *gradient, COUNT, stdin) != COUNT)
            return 2;
        net_optimizer_schedule(&optimizer, &schedule, step, step / STEPS);
        net_clip_measure(&optimizer, gradient, 0, optimizer.clip.pieces);
        if (optimizer.clip.adaptive >= 0)
            for (int64_t unit = 0; unit < optimizer.units.count; unit++)
                net_units_measure(&optimizer, weights, gradient, unit, unit + 1);
        net_clip_apply(&optimizer, gradient, 0, 5);
        net_clip_apply(&optimizer, gradient + 5, 5, COUNT);
        update(&optimizer, weights, gradient);
        net_units_bound(&optimizer, weights, 0, optimizer.units.count);
        if (step % STEPS == STEPS - 1)
            net_schedule_judge(&schedule, step / STEPS,
                               figures[step / STEPS][schedule.plateau.rises]);
        double told[] = {optimizer.groups[0].lr, optimizer.rates.momentum, optimizer.rates.beta1};
        fwrite(told, sizeof *told, 3, stdout);
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


@functools.cache
def choices(setting):
    """{name: arguments} of what a setting of the train section may begin with."""
    settings = json.loads(netc("explain", "--json").stdout)["settings"]
    (found,) = [row for row in settings if row["name"] == setting]
    return {choice["name"]: choice["arguments"] for choice in found["choices"]}


def words(case):
    """The settings as the compiler resolves them, its defaults with them."""
    for part in "optimizer", "schedule":
        given = case.get(part, {})
        for argument in choices(part).get(given.get("name"), []):
            default = argument["default"]
            if argument["name"] not in given and default is not None:
                value = {"false": "0", "true": "1"}.get(default, default)
                yield from (f"{part}.{argument['name']}", value)
    for part, path in (
        ("optimizer", "optimizer"),
        ("schedule", "schedule"),
        ("clip", "clip"),
        ("group", "group.1"),
    ):
        for key, value in case.get(part, {}).items():
            yield from (path if key == "name" else f"{path}.{key}", text(value))
    for path in "layer", "layer_decay":
        if path in case:
            yield from (path, text(case[path]))
    yield from ("epochs", str(EPOCHS))


def drive(settings, expect=0):
    random = np.random.RandomState(1)
    data = (
        random.normal(size=COUNT).tobytes()
        + np.array(FIXTURES["figures"]).tobytes()
        + random.normal(size=(EPOCHS * STEPS, COUNT)).tobytes()
    )
    result = subprocess.run(
        [c_program(DRIVER, real="f64"), *settings], input=data, capture_output=True
    )
    assert result.returncode == expect, result.stderr
    return (
        np.frombuffer(result.stdout).reshape(-1, 3 + COUNT)
        if expect == 0
        else result.stderr.decode()
    )


@pytest.mark.parametrize("case", CASES, ids=title)
def test_pytorch(case):
    out = drive(words(case))
    np.testing.assert_allclose(out[:, 0], case["lr"], rtol=RTOL)
    names = {argument["name"] for argument in choices("optimizer")[case["optimizer"]["name"]]}
    beta1 = "beta1" in names and "momentum" not in names
    np.testing.assert_allclose(out[:, 2 if beta1 else 1], case["momentum"], rtol=RTOL)
    np.testing.assert_allclose(out[-1, 3:], case["weights"], rtol=RTOL, atol=RTOL)


def test_a_group_has_its_own_rate_and_decay():
    plain = drive("optimizer sgd optimizer.lr 0.1 optimizer.weight_decay 0.5".split())
    other = drive("optimizer sgd optimizer.lr 0.02 optimizer.weight_decay 0".split())
    both = drive(
        "optimizer sgd optimizer.lr 0.1 optimizer.weight_decay 0.5 "
        "group.1.lr 0.02 group.1.weight_decay 0".split()
    )
    assert (both[:, 3:11] == plain[:, 3:11]).all() and (both[:, 11:] == other[:, 11:]).all()


def test_nesterov_needs_momentum():
    assert "momentum above 0" in drive(
        "optimizer sgd optimizer.lr 0.1 optimizer.nesterov 1".split(), expect=1
    )


@pytest.mark.parametrize("part", ["optimizer", "schedule"])
def test_every_argument_is_compared(part):
    for name, arguments in choices(part).items():
        seen = [set(case[part]) for case in CASES if case.get(part, {}).get("name") == name]
        assert set().union(*seen) - {"name"} >= {
            argument["name"] for argument in arguments
        } - EVERYWHERE.get(part, set())
    assert {"adapt", "clip", "lr", "max_norm", "weight_decay"} == set().union(
        *(case["group"] for case in CASES if "group" in case)
    )


# Arguments that are the same code for all of a part, some case has each; and which figure is given to
# a schedule, of which test_recipe.py says more.
EVERYWHERE = {"schedule": {"warmup_decay", "monitor"}}


def test_every_schedule_is_compared_by_epoch_and_by_step():
    for name, arguments in choices("schedule").items():
        default = {argument["name"]: argument["default"] for argument in arguments}
        used = [case["schedule"] for case in CASES if case.get("schedule", {}).get("name") == name]
        if "by" in default:
            assert {schedule.get("by", default["by"]) for schedule in used} == {"epoch", "step"}
        if {"by", "warmup"} <= set(default) and name != "cosine_warm_restarts":
            assert any("warmup" in schedule for schedule in used)


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


WHOLE = """network n {
    input [6, 5, 7]
    conv2d(9, [3, 5]) as tall
    conv2d(6, 1, groups=3) as groups
    flatten
    linear(6) as wide
    linear(9) as eye
    linear(7, bias=false) as sparse
}
train {
    data synthetic;  loss cross_entropy;  optimizer sgd(lr=0.1);  batch 8;  epochs 1
    init "tall.weight", %s
    init "wide.weight", %s
    init "groups.weight", dirac(3)
    init "eye.weight", eye
    init "sparse.weight", sparse(0.4, std=0.5)
}
"""


def first_weights(text, tmp_path):
    run(trainer(text), "train", "--quiet", "--epochs", 0, "--save", tmp_path / "w")
    return read_safetensors(tmp_path / "w")


def test_first_matrices_are_what_pytorchs_are(tmp_path):
    """orthogonal: of the same normal matrix the Q whose R has a positive diagonal."""
    drawn = first_weights(WHOLE % ("normal", "normal"), tmp_path)
    made = first_weights(WHOLE % ("orthogonal", "orthogonal(gain=0.5)"), tmp_path)
    for name, gain in ("tall", 1), ("wide", 0.5):
        matrix = drawn[f"{name}.weight"].astype("f8")
        matrix = matrix.reshape(len(matrix), -1)
        turned = matrix.shape[0] < matrix.shape[1]
        q, r = np.linalg.qr(matrix.T if turned else matrix)
        q *= np.sign(np.diag(r))
        expected = gain * (q.T if turned else q)
        actual = made[f"{name}.weight"].reshape(matrix.shape)
        np.testing.assert_allclose(actual, expected, atol=1e-5)
    dirac = made["groups.weight"]
    assert dirac.shape == (6, 3, 1, 1)
    np.testing.assert_array_equal(dirac[..., 0, 0], np.tile(np.eye(2, 3), (3, 1)))
    np.testing.assert_array_equal(made["eye.weight"], np.eye(9, 6))
    zeros = made["sparse.weight"] == 0
    assert (zeros.sum(0) == 3).all() and len(set(map(tuple, zeros.T))) > 3
    assert 0.3 < made["sparse.weight"][~zeros].std() < 0.7
