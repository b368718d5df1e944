"""Any network of models/ for JAX: a function that goes through netc's graph layer by layer.

Channels are last, which XLA's convolutions on a CPU like best.  Parameters have PyTorch's
names; `converted` takes PyTorch's layout to the one used here.  An operator, or an argument
of one, that no network of the bench has is refused.
"""
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Unsupported(Exception):
    pass


class Pass:
    """One walk through a network: its parameters, and what comes of running averages."""

    def __init__(self, parameters, averages, training=False, key=None):
        self.parameters, self.averages, self.training = parameters, averages, training
        self.key = key
        self.new_averages = dict(averages)

    def of(self, layer, name):
        """A layer's parameter, None where it has none of that name."""
        for parameter in layer.parameters:
            if parameter.path.rpartition(".")[2] == name:
                return self.parameters[parameter.path]
        return None

    def affine(self, layer, x):
        weight, bias = self.of(layer, "weight"), self.of(layer, "bias")
        return x if weight is None else x * weight + bias

    def next_key(self):
        self.key, key = jax.random.split(self.key)
        return key


def require(layer, **wanted):
    """The arguments must have these values."""
    for name, only in wanted.items():
        if layer.arguments[name] != only:
            raise Unsupported(
                f"{layer.output}: {layer.op}({name}={layer.arguments[name]}) is not written for JAX"
            )


# ------------------------------------------------------------------ operators


def conv2d(walk, layer, x):
    require(layer, padding_mode="zeros")
    a = layer.arguments
    padding = a["padding"]
    y = lax.conv_general_dilated(
        x,
        walk.of(layer, "weight"),
        a["stride"],
        padding.upper() if isinstance(padding, str) else [(n, n) for n in padding],
        rhs_dilation=a["dilation"],
        feature_group_count=a["groups"],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    bias = walk.of(layer, "bias")
    return y if bias is None else y + bias


def linear(walk, layer, x):
    bias = walk.of(layer, "bias")
    y = x @ walk.of(layer, "weight")
    return y if bias is None else y + bias


def batch_norm2d(walk, layer, x):
    paths = [p.path for p in layer.parameters if p.path.endswith(("_mean", "_var"))]
    mean, variance = (walk.averages[path] for path in paths)
    if walk.training:
        new, count = layer.arguments["momentum"], x.size // x.shape[3]
        old = mean, variance
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        unbiased = variance * (count / max(count - 1, 1))
        for path, before, now in zip(paths, old, (mean, unbiased)):
            walk.new_averages[path] = lax.stop_gradient((1 - new) * before + new * now)
    return walk.affine(layer, (x - mean) * lax.rsqrt(variance + layer.arguments["eps"]))


def layer_norm2d(walk, layer, x):
    """Over the channels of each position."""
    mean, variance = x.mean(3, keepdims=True), x.var(3, keepdims=True)
    return walk.affine(layer, (x - mean) * lax.rsqrt(variance + layer.arguments["eps"]))


def windows(layer, x, start, reduce, dilation=(1, 1)):
    """`reduce` over the windows of a pool; a last one may hang over the end."""
    a = layer.arguments
    pads = [
        (before, max(0, (out - 1) * stride + d * (kernel - 1) + 1 - size - before))
        for out, size, kernel, stride, before, d in zip(
            layer.shape[1:], x.shape[1:3], a["kernel_size"], a["stride"], a["padding"], dilation
        )
    ]
    return lax.reduce_window(
        x,
        start,
        reduce,
        (1, *a["kernel_size"], 1),
        (1, *a["stride"], 1),
        [(0, 0), *pads, (0, 0)],
        window_dilation=(1, *dilation, 1),
    )


def max_pool2d(walk, layer, x):
    return windows(layer, x, -jnp.inf, lax.max, layer.arguments["dilation"])


def avg_pool2d(walk, layer, x):
    require(layer, ceil_mode=False, count_include_pad=True, divisor_override=None)
    height, width = layer.arguments["kernel_size"]
    return windows(layer, x, 0.0, lax.add) / (height * width)


def adaptive_avg_pool2d(walk, layer, x):
    n, h, w, c = x.shape
    rows, columns = layer.arguments["output_size"]
    if (rows, columns) == (h, w):
        return x
    if h % rows or w % columns:
        raise Unsupported(f"{layer.output}: windows of unequal size are not written for JAX")
    return x.reshape(n, rows, h // rows, columns, w // columns, c).mean((2, 4))


def upsample(walk, layer, x):
    require(layer, mode="nearest", size=None)
    rows, columns = layer.arguments["scale_factor"]
    return x.repeat(rows, 1).repeat(columns, 2)


def dropout(walk, layer, x):
    if not walk.training:
        return x
    kept = 1 - layer.arguments["p"]
    return jnp.where(jax.random.bernoulli(walk.next_key(), kept, x.shape), x / kept, 0)


def flatten(walk, layer, x):
    require(layer, start=0, end=-1)
    return x.reshape(x.shape[0], -1)


def gelu(walk, layer, x):
    return jax.nn.gelu(x, approximate=layer.arguments["approximate"] == "tanh")


OPERATORS = {
    "conv2d": conv2d,
    "linear": linear,
    "batch_norm2d": batch_norm2d,
    "layer_norm2d": layer_norm2d,
    "layer_scale": lambda walk, layer, x: x * walk.parameters[layer.parameters[0].path],
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "upsample": upsample,
    "dropout": dropout,
    "gelu": gelu,
    "relu": lambda walk, layer, x: jax.nn.relu(x),
    "relu6": lambda walk, layer, x: jax.nn.relu6(x),
    "silu": lambda walk, layer, x: jax.nn.silu(x),
    "sigmoid": lambda walk, layer, x: jax.nn.sigmoid(x),
    "tanh": lambda walk, layer, x: jnp.tanh(x),
    "identity": lambda walk, layer, x: x,
    "flatten": flatten,
    "add": lambda walk, layer, *xs: reduce(jnp.add, xs),
    "mul": lambda walk, layer, *xs: reduce(jnp.multiply, xs),
    "concat": lambda walk, layer, *xs: jnp.concatenate(xs, -1),
}


def apply(graph, walk, x):
    """What the network makes of x [n, h, w, c]; walk.new_averages are then the new ones."""
    tensors = {graph.input: x}
    for layer in graph.layers:
        if layer.op not in OPERATORS:
            raise Unsupported(f"{layer.output}: {layer.op} is not written for JAX")
        inputs = [tensors[name] for name in layer.inputs]
        tensors[layer.output] = OPERATORS[layer.op](walk, layer, *inputs)
    return tensors[graph.output]


# ----------------------------------------------------------------- parameters


def flattened(graph, layer):
    """The shape [c, h, w] of the maps that a linear layer's input was before a flatten; None:
    it was none."""
    shapes = {graph.input: graph.shape, **{made.output: made.shape for made in graph.layers}}
    makers = {made.output: made for made in graph.layers}
    while maker := makers.get(layer.inputs[0]):
        if maker.op == "flatten":
            return shapes[maker.inputs[0]]
        if maker.op == "linear":
            return None
        layer = maker
    return None


def converted(graph, layer, array):
    """A parameter of PyTorch's layout in that of this file."""
    if layer.op == "conv2d" and array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if layer.op == "linear" and array.ndim == 2:
        shape = flattened(graph, layer)
        if shape and len(shape) == 3:  # the order of rows is that of [h, w, c]
            array = array.reshape(-1, *shape).transpose(0, 2, 3, 1).reshape(len(array), -1)
        return array.T
    return array.reshape(-1) if array.ndim else array


def drawn(parameter, rng):
    kind, *numbers = parameter.initial
    if kind == "constant":
        return np.full(parameter.shape, numbers[0], np.float32)
    return getattr(rng, kind)(*numbers, parameter.shape).astype(np.float32)


def load(graph, state):
    """(parameters, running averages) as {path: array}, of `state(parameter)`: PyTorch's arrays."""
    parameters, averages = {}, {}
    for layer in graph.layers:
        for parameter in layer.parameters:
            if parameter.kind != "counter":
                array = jnp.asarray(converted(graph, layer, np.asarray(state(parameter))))
                (parameters if parameter.kind == "trained" else averages)[parameter.path] = array
    return parameters, averages


def first(graph, rng):
    """As `load`, but drawn as the network says."""
    return load(graph, lambda parameter: drawn(parameter, rng))
