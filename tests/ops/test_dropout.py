"""What dropouts drop together, and what they keep: the reference kernels, which
ops/test_norms.py compares with what is emitted."""
import numpy as np
import pytest

from ops.kernels import Call


def dropped(op, shape, p, x=None, images=300, lanes=8):
    x = np.ones((images, *shape)) if x is None else x
    return Call(op, dict(p=p), [shape], shape, images=images, lanes=lanes).forward(x)


@pytest.mark.parametrize(
    "op, shape, together",
    [
        ("dropout1d", (5, 4), 1),
        ("dropout2d", (5, 3, 2), 1),
        ("dropout3d", (3, 2, 3, 2), 1),
        ("feature_alpha_dropout", (5, 3, 2), 1),
        ("drop_path", (5, 3, 2), 0),
    ],
)
def test_one_fate_for_all(op, shape, together):
    """… of a channel, or of an image: axes from `together` on."""
    y = dropped(op, shape, 0.3)
    flat = y.reshape(*y.shape[: 1 + together], -1)
    assert (flat == flat[..., :1]).all()
    share = (flat[..., 0] == flat[..., 0].max()).mean()
    assert 0.6 < share < 0.8
    for lanes in 2, 16:
        np.testing.assert_array_equal(dropped(op, shape, 0.3, lanes=lanes), y)


@pytest.mark.parametrize("op", ["dropout1d", "dropout2d", "dropout3d", "drop_path"])
def test_the_mean_stays(op):
    shape = (4, 3, 2, 2)[: 4 if op == "drop_path" else 1 + int(op[-2])]
    y = dropped(op, shape, 0.3)
    np.testing.assert_allclose(y[y != 0], 1 / 0.7)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("op", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha_keeps_mean_and_variance(op, p):
    """As the paper has it for values of mean 0 and variance 1; a dropped one becomes PyTorch's."""
    x = np.random.default_rng(1).normal(size=(4000, 8, 2))
    y = dropped(op, (8, 2), p, x, images=len(x))
    assert abs(y.mean()) < 0.05 and abs(y.var() - 1) < 0.08
    lowest = -1.7580993408473766
    scale = 1 / np.sqrt((lowest**2 * p + 1) * (1 - p))
    is_dropped = np.isclose(y, scale * lowest * (1 - p), 1e-12)
    assert abs(is_dropped.mean() - p) < 0.03
    np.testing.assert_allclose(y[~is_dropped], (x * scale - scale * lowest * p)[~is_dropped], 1e-12)


@pytest.mark.parametrize("op", ["alpha_dropout", "drop_path", "dropout2d"])
def test_all_or_nothing(op):
    x = np.random.default_rng(2).normal(size=(5, 3, 2, 2))
    np.testing.assert_array_equal(dropped(op, (3, 2, 2), 0.0, x, images=5), x)
    assert not dropped(op, (3, 2, 2), 1.0, x, images=5).any()
