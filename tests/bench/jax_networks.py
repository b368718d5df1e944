"""The networks of models/ for JAX: plain functions, channels last, which XLA's
convolutions on a CPU like best.  A function asks its Pass for each layer in turn; the Pass hands
out the parameters in the order in which `initial` made them.
"""
import jax
import jax.numpy as jnp
from jax import lax


class Pass:
    """One walk through a network; with a generator and no parameters, it makes them."""

    def __init__(self, parameters, averages, training, rng=None):
        self.parameters, self.averages = parameters, averages
        self.training, self.rng = training, rng
        self.new_averages, self.used, self.used_averages = [], 0, 0

    def parameter(self, shape, bound):
        if self.rng is not None:
            self.parameters.append(jnp.asarray(self.rng.uniform(-bound, bound, shape), jnp.float32))
        self.used += 1
        return self.parameters[self.used - 1]

    def conv(self, x, out, size, padding=0, bias=True):
        bound = (size * size * x.shape[3]) ** -0.5
        weight = self.parameter((size, size, x.shape[3], out), bound)
        y = lax.conv_general_dilated(
            x, weight, (1, 1), [(padding, padding)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + self.parameter((out,), bound) if bias else y

    def linear(self, x, out):
        bound = x.shape[1] ** -0.5
        weight = self.parameter((x.shape[1], out), bound)
        return x @ weight + self.parameter((out,), bound)

    def norm(self, x):
        shape = (x.shape[3],)
        weight, bias = self.parameter(shape, 0) + 1, self.parameter(shape, 0)
        if self.rng is not None:
            self.averages.append((jnp.zeros(shape), jnp.ones(shape)))
        mean, variance = self.averages[self.used_averages]
        self.used_averages += 1
        if self.training:
            old_mean, old_variance = mean, variance
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            count = x.shape[0] * x.shape[1] * x.shape[2]
            self.new_averages.append(
                lax.stop_gradient(
                    (
                        0.9 * old_mean + 0.1 * mean,
                        0.9 * old_variance + 0.1 * variance * count / (count - 1),
                    )
                )
            )
        return (x - mean) * lax.rsqrt(variance + 1e-5) * weight + bias


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def avg_pool(x, size, stride, padding):
    pads = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    return lax.reduce_window(x, 0.0, lax.add, (1, size, size, 1), (1, stride, stride, 1), pads) / (
        size * size
    )


def flat(x):
    return x.reshape(x.shape[0], -1)


def mlp(p, x):
    x = flat(x)
    for out in 512, 256, 128, 64:
        x = jax.nn.relu(p.linear(x, out))
    return p.linear(x, 10)


def cnn(p, x):
    x = jax.nn.relu(max_pool(p.conv(x, 10, 5)))
    x = jax.nn.relu(max_pool(p.conv(x, 20, 5)))
    return p.linear(flat(x), 10)


def inception_a(p, x):
    return jnp.concatenate(
        [
            p.conv(x, 16, 1),
            p.conv(p.conv(x, 16, 1), 24, 5, 2),
            p.conv(p.conv(p.conv(x, 16, 1), 24, 3, 1), 24, 3, 1),
            p.conv(avg_pool(x, 3, 1, 1), 24, 1),
        ],
        3,
    )


def inception(p, x):
    x = inception_a(p, jax.nn.relu(max_pool(p.conv(x, 10, 5))))
    x = inception_a(p, jax.nn.relu(max_pool(p.conv(x, 20, 5))))
    return p.linear(flat(x), 10)


def residual(p, x):
    channels = x.shape[3]
    return jax.nn.relu(x + p.conv(jax.nn.relu(p.conv(x, channels, 3, 1)), channels, 3, 1))


def resnet(p, x):
    x = residual(p, max_pool(jax.nn.relu(p.conv(x, 16, 5))))
    x = residual(p, max_pool(jax.nn.relu(p.conv(x, 32, 5))))
    return p.linear(flat(x), 10)


def dense_block(p, x):
    for _ in range(4):
        x = jnp.concatenate([x, p.conv(jax.nn.relu(p.norm(x)), 12, 3, 1, bias=False)], 3)
    return x


def densenet(p, x):
    x = dense_block(p, p.conv(x, 24, 3, 1, bias=False))
    x = avg_pool(p.conv(jax.nn.relu(p.norm(x)), x.shape[3] // 2, 1, bias=False), 2, 2, 0)
    x = dense_block(p, x)
    return p.linear(jax.nn.relu(p.norm(x)).mean((1, 2)), 10)


NETWORKS = {"mlp": mlp, "cnn": cnn, "inception": inception, "resnet": resnet, "densenet": densenet}


def initial(apply, shape, rng):
    """(parameters, running averages) of a network for images of `shape` [c, h, w]."""
    walk = Pass([], [], training=False, rng=rng)
    apply(walk, jnp.zeros((1, shape[1], shape[2], shape[0])))
    return walk.parameters, walk.averages
