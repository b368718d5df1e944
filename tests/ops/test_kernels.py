"""Every reference kernel's gradients against central finite differences, in
float64, over random shapes and arguments."""
import numpy as np
import pytest

from ops.cases import CASES, inputs
from ops.kernels import Call

EPSILON = 1e-6
ATOL, RTOL = 1e-5, 1e-3
CASES_EACH = 25
PLACES_EACH = 12  # elements of a tensor that are shaken


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
    for array, gradient in zip([*xs, *call.parameters[: call.trained]], [*dxs, *dparameters]):
        for at in random.choice(array.size, min(array.size, PLACES_EACH), replace=False):
            expected = numeric_gradient(call, xs, direction, array, at)
            np.testing.assert_allclose(
                gradient.flat[at], expected, RTOL, ATOL, err_msg=f"{attributes}"
            )


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


def test_add_sums_its_inputs():
    random = np.random.default_rng(2)
    xs = [random.normal(size=(5, 2, 3, 3)) for _ in range(3)]
    call = Call("add", {}, [(2, 3, 3)] * 3, (2, 3, 3), images=5)
    np.testing.assert_allclose(call.forward(*xs), xs[0] + xs[1] + xs[2], 1e-12)


def test_dropout_depends_on_the_image_not_on_the_grain():
    x = np.ones((9, 3, 4, 4))
    outputs = [
        Call("dropout", dict(p=0.3), [(3, 4, 4)], (3, 4, 4), images=9, lanes=lanes).forward(x)
        for lanes in (2, 4, 16)
    ]
    assert all((y == outputs[0]).all() for y in outputs)
    kept = outputs[0] != 0
    assert 0.6 < kept.mean() < 0.8
    np.testing.assert_allclose(outputs[0][kept], 1 / 0.7)


def test_dropout_is_the_identity_in_evaluation():
    x = np.random.default_rng(3).normal(size=(3, 2, 2, 2))
    assert (
        Call("dropout", dict(p=0.3), [(2, 2, 2)], (2, 2, 2), images=3, training=False).forward(x)
        == x
    ).all()


def batch_norm(images, shape, training=True):
    parameters = [
        np.ones(shape[0]),
        np.zeros(shape[0]),
        np.full(shape[0], 0.5),
        np.full(shape[0], 4.0),
        None,
    ]
    return Call(
        "batch_norm2d",
        dict(eps=0.0, momentum=0.1, affine=True),
        [shape],
        shape,
        images,
        lanes=4,
        parameters=parameters,
        trained=2,
        statistics=4 * shape[0],
        training=training,
    )


def test_batch_norm_keeps_running_averages():
    x = np.random.default_rng(4).normal(3, 2, size=(10, 2, 3, 3))
    call = batch_norm(10, (2, 3, 3))
    y = call.forward(x)
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, 1e-12)
    np.testing.assert_allclose(call.parameters[2], 0.9 * 0.5 + 0.1 * x.mean((0, 2, 3)), 1e-12)
    np.testing.assert_allclose(call.parameters[3], 0.9 * 4 + 0.1 * x.var((0, 2, 3), ddof=1), 1e-12)


def test_batch_norm_evaluates_by_running_averages():
    x = np.random.default_rng(5).normal(size=(3, 2, 3, 3))
    call = batch_norm(3, (2, 3, 3), training=False)
    np.testing.assert_allclose(call.forward(x), (x - 0.5) / 2, 1e-12)
    assert (call.parameters[2] == 0.5).all() and (call.parameters[3] == 4).all()


def test_batch_norm_of_one_value_keeps_the_running_variance():
    call = batch_norm(1, (2, 1, 1))
    call.attributes[0].value[0] = 1e-5  # eps: the variance is 0
    assert np.isfinite(call.forward(np.ones((1, 2, 1, 1)))).all()
    assert (call.parameters[3] == 4).all()


def test_max_pool_takes_the_first_of_equals_and_any_nan():
    attributes = dict(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    call = Call("max_pool2d", attributes, [(1, 2, 2)], (1, 1, 1), images=2, aux=True)
    x = np.array([[[[1.0, 3.0], [3.0, 3.0]]], [[[1.0, np.nan], [5.0, 2.0]]]])
    y = call.forward(x)
    assert y[0] == 3 and np.isnan(y[1])
    (dx,), _ = call.backward([x], np.ones_like(y))
    assert (dx == [[[[0, 1], [0, 0]]], [[[0, 1], [0, 0]]]]).all()
