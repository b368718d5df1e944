"""Every reference kernel's gradients against central finite differences, in
float64, over random shapes and arguments."""
import numpy as np
import pytest

from cases import CASES, inputs

EPSILON = 1e-6
ATOL, RTOL = 1e-5, 1e-3
CASES_EACH = 25
PLACES_EACH = 12                # elements of a tensor that are shaken


def objective(call, xs, direction):
    """A scalar of the output: its product with `direction`, or the mean loss."""
    y = call.forward(*xs)
    return y.sum() / call.images if direction is None else (y * direction).sum()


def numeric_gradient(call, xs, direction, array, at):
    kept = array.flat[at]
    array.flat[at] = kept + EPSILON
    above = objective(call, xs, direction)
    array.flat[at] = kept - EPSILON
    below = objective(call, xs, direction)
    array.flat[at] = kept
    return (above - below) / (2 * EPSILON)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("seed", range(CASES_EACH))
def test_gradients_are_finite_differences(case, seed):
    random = np.random.default_rng([seed, *case.__name__.encode()])
    call, attributes = case(random)
    xs = inputs(random, call)
    y = call.forward(*xs)
    assert np.isfinite(y).all()
    direction = random.normal(size=y.shape) if call.out_shape else None
    dxs, dparameters = call.backward(xs, direction)
    for array, gradient in zip([*xs, *call.parameters[:call.trained]], [*dxs, *dparameters]):
        for at in random.choice(array.size, min(array.size, PLACES_EACH), replace=False):
            expected = numeric_gradient(call, xs, direction, array, at)
            np.testing.assert_allclose(gradient.flat[at], expected, RTOL, ATOL, err_msg=f"{attributes}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_gradient_can_be_added_to_another(case):
    random = np.random.default_rng(1)
    call, _ = case(random)
    xs = inputs(random, call)
    y = call.forward(*xs)
    direction = random.normal(size=y.shape) if call.out_shape else None
    dxs, _ = call.backward(xs, direction)
    already = [random.normal(size=x.shape) for x in xs]
    sums, _ = call.backward(xs, direction, into=already)
    for dx, before, after in zip(dxs, already, sums):
        np.testing.assert_allclose(after, before + dx, 1e-12, 1e-12)
