"""One optimizer step at a time, in float64, against PyTorch's formulas."""
import subprocess

import numpy as np
import pytest

from harness import c_program

COUNT, STEPS = 64, 10
RTOL = 1e-13

DRIVER = r"""
#include "runtime.h"
#include <stdlib.h>

enum { COUNT = 64, STEPS = 10, MOST = 8 };

/* driver NAME PATH NUMBER PATH NUMBER …: weights, then a gradient per step, on
 * standard input; the weights after each step on standard output. */
int main(int argc, char **argv)
{
    double numbers[MOST];
    NetValue values[MOST] = {{.path = "optimizer", .word = argv[1]}};
    NetSettings settings = {values, 1};
    for (int i = 2; i + 1 < argc && settings.count < MOST; i += 2) {
        numbers[settings.count] = atof(argv[i + 1]);
        values[settings.count] = (NetValue){.path = argv[i], .count = 1, .numbers = &numbers[settings.count]};
        settings.count++;
    }
    NetOptimizer optimizer;
    NetError error;
    if (!net_optimizer_open(&optimizer, &settings, COUNT, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    static real weights[COUNT], gradient[COUNT];
    if (fread(weights, sizeof *weights, COUNT, stdin) != COUNT)
        return 2;
    for (int step = 1; step <= STEPS; step++) {
        if (fread(gradient, sizeof *gradient, COUNT, stdin) != COUNT)
            return 2;
        optimizer.rates.updates = step;
        net_optimizer_update(&optimizer, weights, gradient, 0, COUNT / 2);      /* as two threads do */
        net_optimizer_update(&optimizer, weights, gradient, COUNT / 2, COUNT);
        fwrite(weights, sizeof *weights, COUNT, stdout);
    }
    net_optimizer_close(&optimizer);
    return 0;
}
"""


def sgd(w, gradients, lr, momentum=0, dampening=0, weight_decay=0, nesterov=0):
    velocity = None
    for g in gradients:
        g = g + weight_decay * w
        if momentum:
            velocity = g if velocity is None else momentum * velocity + (1 - dampening) * g
            g = g + momentum * velocity if nesterov else velocity
        w = w - lr * g
        yield w


def adam(w, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0):
    m = v = 0
    for t, g in enumerate(gradients, 1):
        g = g + weight_decay * w
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        w = w - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        yield w


def run_driver(name, numbers, data, expect=0):
    words = [word for path, value in numbers.items() for word in (f"optimizer.{path}", str(value))]
    result = subprocess.run([c_program(DRIVER, real="f64"), name, *words], input=data, capture_output=True)
    assert result.returncode == expect, result.stderr
    return result


@pytest.mark.parametrize("rule, numbers", [
    (sgd, dict(lr=0.1)), (sgd, dict(lr=0.1, weight_decay=0.01)), (sgd, dict(lr=0.1, momentum=0.9)),
    (sgd, dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01)),
    (sgd, dict(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=1)),
    (adam, dict(lr=0.01)), (adam, dict(lr=0.01, beta1=0.8, beta2=0.99, eps=1e-6, weight_decay=0.1)),
])
def test_steps(rule, numbers):
    draws = np.random.default_rng(1)
    weights, gradients = draws.normal(size=COUNT), draws.normal(size=(STEPS, COUNT))
    out = run_driver(rule.__name__, numbers, weights.tobytes() + gradients.tobytes()).stdout
    np.testing.assert_allclose(np.frombuffer(out).reshape(STEPS, COUNT), list(rule(weights, gradients, **numbers)), rtol=RTOL)


def test_nesterov_needs_momentum():
    assert b"momentum above 0" in run_driver("sgd", dict(lr=0.1, nesterov=1), b"", expect=1).stderr
