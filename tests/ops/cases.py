"""Random uses of every operator, over shapes and arguments that its rule
allows: odd sizes, strides, dilation, groups, padding modes, ceil mode, batches
that leave lanes empty."""
import numpy as np

from ops.kernels import Call


def places(size, kernel, stride, padding, dilation=1, ceil_mode=False):
    """The number of windows along an axis, as PyTorch documents it."""
    before, after = padding if isinstance(padding, tuple) else (padding, padding)
    slack = size + before + after - dilation * (kernel - 1) - 1
    if slack < 0:
        return 0
    if not ceil_mode:
        return slack // stride + 1
    count = -(-slack // stride) + 1
    return count - ((count - 1) * stride >= size + before)


def pair(random, low, high):
    return [int(random.integers(low, high + 1)), int(random.integers(low, high + 1))]


def images_and_lanes(random):
    return dict(images=int(random.integers(1, 10)), lanes=int(random.choice([2, 4, 8])))


def conv2d(random, **options):
    while True:
        groups = int(random.choice([1, 1, 1, 2, 3]))
        inner, outer = int(random.integers(1, 4)), int(random.integers(1, 4))
        mode = str(random.choice(["zeros", "zeros", "reflect", "replicate", "circular"]))
        a = dict(kernel_size=pair(random, 1, 4), stride=pair(random, 1, 3), padding=pair(random, 0, 3),
                 dilation=pair(random, 1, 2), groups=groups, bias=bool(random.integers(2)), padding_mode=mode)
        pads = list(a["padding"])
        word = random.choice(["", "", "", "same", "valid"])
        if word:
            a["padding"] = str(word)
            pads = [0, 0]
        if word == "same":
            a["stride"] = [1, 1]
            totals = [d * (k - 1) for d, k in zip(a["dilation"], a["kernel_size"])]
            pads = [(t // 2, t - t // 2) for t in totals]
        size = pair(random, 1, 9)
        most = [max(p) if isinstance(p, tuple) else p for p in pads]
        limit = {"reflect": [n - 1 for n in size], "circular": size}.get(mode, most)
        out = [places(n, k, s, p, d) for n, k, s, p, d in zip(size, a["kernel_size"], a["stride"], pads, a["dilation"])]
        if min(out) >= 1 and all(m <= n for m, n in zip(most, limit)):
            break
    weight = random.normal(size=(groups * outer, inner, *a["kernel_size"]))
    parameters = [weight] + ([random.normal(size=groups * outer)] if a["bias"] else [])
    return Call("conv2d", a, [(groups * inner, *size)], (groups * outer, *out), parameters=parameters,
                trained=len(parameters), **images_and_lanes(random), **options), a


def linear(random, **options):
    n, m, bias = int(random.integers(1, 20)), int(random.integers(1, 9)), bool(random.integers(2))
    parameters = [random.normal(size=(m, n))] + ([random.normal(size=m)] if bias else [])
    a = dict(bias=bias)
    return Call("linear", a, [(n,)], (m,), parameters=parameters, trained=len(parameters),
                **images_and_lanes(random), **options), a


def pool(random, op, **options):
    while True:
        kernel = pair(random, 1, 4)
        a = dict(kernel_size=kernel, stride=pair(random, 1, 4), padding=[int(random.integers(0, k // 2 + 1)) for k in kernel],
                 ceil_mode=bool(random.integers(2)))
        if op == "max_pool2d":
            a["dilation"] = pair(random, 1, 3)
        else:
            a["count_include_pad"] = bool(random.integers(2))
            a["divisor_override"] = int(random.choice([0, 0, 3]))
        size = pair(random, 1, 9)
        dilation = a.get("dilation", [1, 1])
        out = [places(n, k, s, p, d, a["ceil_mode"])
               for n, k, s, p, d in zip(size, kernel, a["stride"], a["padding"], dilation)]
        # A window in the padding alone is -inf, which no finite difference can check.
        empty = any(k == 2 and p == 1 and d > n for n, k, p, d in zip(size, kernel, a["padding"], dilation))
        if min(out) >= 1 and not empty:
            break
    channels = int(random.integers(1, 4))
    return Call(op, a, [(channels, *size)], (channels, *out), aux=op == "max_pool2d",
                **images_and_lanes(random), **options), a


def max_pool2d(random, **options):
    return pool(random, "max_pool2d", **options)


def avg_pool2d(random, **options):
    return pool(random, "avg_pool2d", **options)


def adaptive_avg_pool2d(random, **options):
    channels, a = int(random.integers(1, 4)), dict(output_size=pair(random, 1, 7))
    return Call("adaptive_avg_pool2d", a, [(channels, *pair(random, 1, 9))], (channels, *a["output_size"]),
                **images_and_lanes(random), **options), a


def batch_norm2d(random, **options):
    shape = (int(random.integers(1, 4)), *pair(random, 1, 4))
    a = dict(eps=1e-5, momentum=float(random.choice([0.1, 0.3, 1.0])), affine=bool(random.integers(2)))
    batch = images_and_lanes(random)
    if batch["images"] * shape[1] * shape[2] < 3:
        batch["images"] = 3     # of one value there is no variance, and of two no gradient
    affine = [random.normal(size=shape[0]) for _ in range(2)] if a["affine"] else []
    parameters = affine + [random.normal(size=shape[0]), random.uniform(0.5, 2, size=shape[0]), None]
    return Call("batch_norm2d", a, [shape], shape, parameters=parameters, trained=len(affine),
                statistics=4 * shape[0], **batch, **options), a


def elementwise(op, **attributes):
    def case(random, **options):
        shape = (int(random.integers(1, 4)), *pair(random, 1, 4))
        return Call(op, attributes, [shape], shape, **images_and_lanes(random), **options), attributes
    case.__name__ = op
    return case


def activation(op, **choices):
    """An element by element operator whose arguments are drawn from lists."""
    def case(random, **options):
        shape = (int(random.integers(1, 4)), *pair(random, 1, 4))
        attributes = {name: values[random.integers(len(values))] for name, values in choices.items()}
        return Call(op, attributes, [shape], shape, **images_and_lanes(random), **options), attributes
    case.__name__ = op
    return case


def over_channels(op):
    def case(random, **options):
        shape = (int(random.integers(1, 7)), *pair(random, 1, 4))
        return Call(op, {}, [shape], shape, **images_and_lanes(random), **options), {}
    case.__name__ = op
    return case


def zero_pad2d(random, **options):
    size = pair(random, 1, 5)
    while True:
        left, right, top, bottom = (int(n) for n in random.integers(-2, 4, size=4))
        out = [size[0] + top + bottom, size[1] + left + right]
        if min(out) >= 1:
            break
    channels, a = int(random.integers(1, 4)), dict(padding=[left, right, top, bottom])
    return Call("zero_pad2d", a, [(channels, *size)], (channels, *out), **images_and_lanes(random), **options), a


def upsample(random, **options):
    size, channels = pair(random, 1, 5), int(random.integers(1, 4))
    if random.integers(2):
        a = dict(scale_factor=pair(random, 1, 3), mode="nearest")
        out = [n * k for n, k in zip(size, a["scale_factor"])]
    else:
        a = dict(size=pair(random, 1, 9), mode="nearest")
        out = a["size"]
    return Call("upsample", a, [(channels, *size)], (channels, *out), **images_and_lanes(random), **options), a


def layer_norm2d(random, **options):
    shape = (int(random.integers(2, 7)), *pair(random, 1, 4))
    a = dict(eps=float(random.choice([1e-6, 1e-2])), affine=bool(random.integers(2)))
    affine = [random.normal(size=shape[0]) for _ in range(2)] if a["affine"] else []
    return Call("layer_norm2d", a, [shape], shape, parameters=affine, trained=len(affine),
                **images_and_lanes(random), **options), a


def layer_scale(random, **options):
    shape, a = (int(random.integers(1, 4)), *pair(random, 1, 4)), dict(init=1e-6)
    return Call("layer_scale", a, [shape], shape, parameters=[random.normal(size=(shape[0], 1, 1))], trained=1,
                **images_and_lanes(random), **options), a


def mul(random, **options):
    shape = (int(random.integers(1, 4)), *pair(random, 1, 4))
    shapes = [shape] + [shape if random.integers(2) else (shape[0], 1, 1) for _ in range(int(random.integers(1, 3)))]
    random.shuffle(shapes)
    return Call("mul", {}, shapes, shape, **images_and_lanes(random), **options), {}


def cross_entropy(random, **options):
    classes, batch = int(random.integers(2, 12)), images_and_lanes(random)
    a = dict(label_smoothing=float(random.choice([0, 0.1, 1])))
    return Call("cross_entropy", a, [(classes,)], None, targets=random.integers(classes, size=batch["images"]),
                **batch, **options), a


def mse(random, **options):
    classes, batch = int(random.integers(2, 12)), images_and_lanes(random)
    return Call("mse", {}, [(classes,)], None, targets=random.integers(classes, size=batch["images"]),
                **batch, **options), {}


CASES = [conv2d, linear, max_pool2d, avg_pool2d, adaptive_avg_pool2d, batch_norm2d, elementwise("dropout", p=0.4),
         elementwise("relu"), elementwise("tanh"), elementwise("sigmoid"), mul, cross_entropy, mse,
         activation("relu6"), activation("leaky_relu", negative_slope=[0.01, 0.0, 0.3, -0.5]),
         activation("elu", alpha=[1.0, 0.3, -0.5]), activation("gelu", approximate=["none", "tanh"]),
         activation("silu"), activation("hardswish"), over_channels("softmax"), over_channels("log_softmax"),
         zero_pad2d, upsample, layer_norm2d, layer_scale]


# What the comparison with PyTorch must have seen of each operator's arguments.
WANTED = {
    "conv2d": {"padding_mode": ["zeros", "reflect", "replicate", "circular"], "padding": ["same", "valid"], "bias": [True, False],
               "groups": [1, 2, 3]},
    "linear": {"bias": [True, False]},
    "max_pool2d": {"ceil_mode": [True, False]},
    "avg_pool2d": {"ceil_mode": [True, False], "count_include_pad": [True, False], "divisor_override": [0, 3]},
    "batch_norm2d": {"momentum": [0.1, 0.3, 1.0], "affine": [True, False]},
    "leaky_relu": {"negative_slope": [0.01, 0.0, 0.3, -0.5]},
    "elu": {"alpha": [1.0, 0.3, -0.5]},
    "gelu": {"approximate": ["none", "tanh"]},
    "layer_norm2d": {"eps": [1e-6, 1e-2], "affine": [True, False]},
    "cross_entropy": {"label_smoothing": [0, 0.1, 1]},
}


def missing(op, seen):
    """The (argument, value) pairs of WANTED that none of the attributes in `seen` has."""
    return {(name, value) for name, values in WANTED.get(op, {}).items() for value in values
            if not any(attributes[name] == value for attributes in seen)}


KINKS = {"relu6": [0, 6], "hardswish": [-3, 3]}


def inputs(random, call):
    """Images away from the activations' kinks, but on both sides of each; a tie
    in a max pool has probability zero."""
    kinks = KINKS.get(call.op, [0])
    drawn = [random.normal(scale=max(1, kinks[-1]), size=(call.images, *shape)) for shape in call.in_shapes]
    for kink in kinks:
        drawn = [np.where(np.abs(x - kink) < 1e-3, kink + 1e-2, x) for x in drawn]
    return drawn
