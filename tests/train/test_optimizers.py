"""Optimizers, schedules and clipping in float64 against what PyTorch did to the
same weights and gradients (make_fixtures.py says how)."""
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness import c_program

COUNT, EPOCHS, STEPS = 20, 8, 3         # make_fixtures's
RTOL = 1e-12

DRIVER = r"""
#include "runtime.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 20, EPOCHS = 8, STEPS = 3, MOST = 20, SPLIT = 7 };

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
    static double numbers[MOST][MOST];
    NetValue values[MOST];
    NetSettings settings = {values, 0};
    for (int i = 1; i + 1 < argc && settings.count < MOST; i += 2, settings.count++)
        values[settings.count] = read_value(argv[i], argv[i + 1], numbers[settings.count]);
    const NetParameter parameters[] = {
        {.path = "a", .kind = NET_TRAINED, .elements = SPLIT},
        {.path = "b", .kind = NET_TRAINED, .offset = SPLIT, .elements = COUNT - SPLIT, .group = 1},
    };
    const NetModel model = {.parameters = parameters, .parameter_count = 2, .trained = COUNT};
    NetOptimizer optimizer = {0};
    NetSchedule schedule;
    NetError error;
    if (!net_schedule_open(&schedule, &settings, STEPS, &error) || !net_optimizer_open(&optimizer, &model, &settings, &error)) {
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
        net_clip_apply(&optimizer.clip, gradient, 0, COUNT);
        net_optimizer_update(&optimizer, weights, gradient, 0, COUNT / 2);      /* as two threads do */
        net_optimizer_update(&optimizer, weights, gradient, COUNT / 2, COUNT);
        bool adam = net_optimizer_name(&optimizer)[0] == 'a';
        double told[] = {optimizer.groups[0].lr, adam ? optimizer.rates.beta1 : optimizer.rates.momentum};
        fwrite(told, sizeof *told, 2, stdout);
        fwrite(weights, sizeof *weights, COUNT, stdout);
    }
    net_optimizer_close(&optimizer);
    return 0;
}
"""

CASES = json.loads((Path(__file__).parent / "pytorch.json").read_text())["cases"]


def title(case):
    return " ".join(" ".join(map(str, part.values())) for key, part in case.items() if isinstance(part, dict))


def text(value):
    return ",".join(map(str, value)) if isinstance(value, list) else str(int(value) if isinstance(value, bool) else value)


def words(case):
    """The settings as the compiler resolves them."""
    for part in "optimizer", "schedule", "clip":
        for key, value in case.get(part, {}).items():
            yield from (part if key == "name" else f"{part}.{key}", text(value))
    if case.get("schedule", {}).get("name") == "one_cycle" and "by" not in case["schedule"]:
        yield from ("schedule.by", "step")
    yield from ("epochs", str(EPOCHS))
    if case["optimizer"]["name"] == "adamw" and "weight_decay" not in case["optimizer"]:
        yield from ("optimizer.weight_decay", "0.01")


def drive(settings, expect=0):
    random = np.random.RandomState(1)
    data = random.normal(size=COUNT).tobytes() + random.normal(size=(EPOCHS * STEPS, COUNT)).tobytes()
    result = subprocess.run([c_program(DRIVER, real="f64"), *settings], input=data, capture_output=True)
    assert result.returncode == expect, result.stderr
    return np.frombuffer(result.stdout).reshape(-1, 2 + COUNT) if expect == 0 else result.stderr.decode()


@pytest.mark.parametrize("case", CASES, ids=title)
def test_pytorch(case):
    out = drive(words(case))
    np.testing.assert_allclose(out[:, 0], case["lr"], rtol=RTOL)
    np.testing.assert_allclose(out[:, 1], case["momentum"], rtol=RTOL)
    np.testing.assert_allclose(out[-1, 2:], case["weights"], rtol=RTOL, atol=RTOL)


def test_a_group_has_its_own_rate_and_decay():
    plain = drive("optimizer sgd optimizer.lr 0.1 optimizer.weight_decay 0.5".split())
    other = drive("optimizer sgd optimizer.lr 0.02 optimizer.weight_decay 0".split())
    both = drive("optimizer sgd optimizer.lr 0.1 optimizer.weight_decay 0.5 group.1.lr 0.02 group.1.weight_decay 0".split())
    assert (both[:, 2:9] == plain[:, 2:9]).all() and (both[:, 9:] == other[:, 9:]).all()


def test_nesterov_needs_momentum():
    assert "momentum above 0" in drive("optimizer sgd optimizer.lr 0.1 optimizer.nesterov 1".split(), expect=1)
