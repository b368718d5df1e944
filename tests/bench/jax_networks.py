"""Any network of models/ for JAX: a function that goes through netc's graph layer by layer.

An image's channels are last, which XLA's convolutions on a CPU like best; sequences [t, d] lie as
they are.  Parameters have PyTorch's
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
        self.key, self.graph, self.count = key, None, 0
        self.new_averages = dict(averages)

    def of(self, layer, name):
        """A layer's parameter, None where it has none of that name."""
        for parameter in layer.parameters:
            if parameter.path.rpartition(".")[2].removeprefix("in_proj_") == name:
                return self.parameters[parameter.path]
        return None

    def affine(self, layer, x):
        weight, bias = self.of(layer, "weight"), self.of(layer, "bias")
        x = x if weight is None else x * weight
        return x if bias is None else x + bias

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


# --------------------------------------------------------------------- layout


def in_order(x):
    """Of images [n, c, h, w] as netc and PyTorch count their values; of all else itself."""
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


def stored(x):
    """The other way round."""
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x


def stored_axis(x, axis):
    """Where an axis of one image lies in x."""
    axis %= x.ndim - 1
    return {0: 3}.get(axis, axis) if x.ndim == 4 else axis + 1


def is_tied(graph, layer):
    """Whether its weight is that of a layer of another kind before it, and lies as there."""
    for other in graph.layers:
        if any(p.path == layer.parameters[0].path for p in other.parameters):
            return other.op != layer.op
    return False


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
    weight = walk.of(layer, "weight")
    y = x @ (weight.T if is_tied(walk.graph, layer) else weight)
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


def layer_norm(walk, layer, x):
    require(layer, axes=[-1], normalized_shape=None)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return walk.affine(layer, (x - mean) * lax.rsqrt(variance + layer.arguments["eps"]))


def embedding(walk, layer, x):
    return walk.of(layer, "weight")[x]


def parameter(walk, layer):
    value = walk.parameters[layer.parameters[0].path]
    return jnp.broadcast_to(stored(value[None]), (walk.count, *stored(value[None]).shape[1:]))


def attention(walk, layer, x):
    require(layer, scale=None)
    a = layer.arguments
    require(layer, kv_heads=a["heads"])
    parts = x.reshape(*x.shape[:2], 3, a["heads"], -1)
    y = jax.nn.dot_product_attention(*(parts[:, :, i] for i in range(3)), is_causal=a["causal"])
    return y.reshape(*x.shape[:2], -1)


def lstm(walk, layer, x):
    require(layer, bias=True, dropout=0.0, bidirectional=False, last=False, proj_size=0)
    for number in range(layer.arguments["num_layers"]):
        w_ih, w_hh, b_ih, b_hh = (
            walk.of(layer, f"{name}_l{number}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )

        def step(state, sums):
            h, c = state
            i, f, g, o = jnp.split(sums + h @ w_hh.T + b_hh, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((x.shape[0], w_hh.shape[1]), x.dtype)
        x = lax.scan(step, (zero, zero), (x @ w_ih.T + b_ih).swapaxes(0, 1))[1].swapaxes(0, 1)
    return x


def slice_(walk, layer, x):
    a = layer.arguments
    taken = slice(a["from"], a["to"], a["step"])
    return x[(slice(None),) * stored_axis(x, a["axis"]) + (taken,)]


def transpose(walk, layer, x):
    require(layer, dim0=-2, dim1=-1)
    return stored(in_order(x).swapaxes(-2, -1))


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
    rows, columns = map(int, (2 * layer.arguments["scale_factor"])[:2])  # one is both's
    return x.repeat(rows, 1).repeat(columns, 2)


def dropout(walk, layer, x):
    if not walk.training:
        return x
    kept = 1 - layer.arguments["p"]
    return jnp.where(jax.random.bernoulli(walk.next_key(), kept, x.shape), x / kept, 0)


def drop_path(walk, layer, x):
    """All of an image's branch at once."""
    if not walk.training:
        return x
    kept = 1 - layer.arguments["p"]
    drawn = jax.random.bernoulli(walk.next_key(), kept, (len(x),) + (1,) * (x.ndim - 1))
    return jnp.where(drawn, x / kept, 0)


def flatten(walk, layer, x):
    if len(layer.shape) == 1:  # the linear layer behind it has its rows in this order
        return x.reshape(x.shape[0], -1)
    return reshape(walk, layer, x)


def reshape(walk, layer, x):
    return stored(in_order(x).reshape(x.shape[0], *layer.shape))


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
    "drop_path": drop_path,
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
    "concat": lambda walk, layer, *xs: jnp.concatenate(
        xs, stored_axis(xs[0], layer.arguments["axis"])
    ),
    "layer_norm": layer_norm,
    "embedding": embedding,
    "parameter": parameter,
    "attention": attention,
    "lstm": lstm,
    "slice": slice_,
    "transpose": transpose,
    "reshape": reshape,
}


def apply(graph, walk, x):
    """What the network makes of x [n, h, w, c], or [n, t]; walk.new_averages are then the new
    ones."""
    walk.graph, walk.count = graph, x.shape[0]
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
    while layer.inputs and (maker := makers.get(layer.inputs[0])):
        if maker.op == "flatten":
            return shapes[maker.inputs[0]] if len(maker.shape) == 1 else None
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
    if layer.op in ("embedding", "parameter", "lstm"):
        return array
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
            known = parameter.path in parameters or parameter.path in averages
            if parameter.kind != "counter" and not known:
                array = jnp.asarray(converted(graph, layer, np.asarray(state(parameter))))
                (parameters if parameter.kind == "trained" else averages)[parameter.path] = array
    return parameters, averages


def first(graph, rng):
    """As `load`, but drawn as the network says."""
    return load(graph, lambda parameter: drawn(parameter, rng))
