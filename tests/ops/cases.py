"""Random uses of every operator, over shapes and arguments that its rule
allows: odd sizes, strides, dilation, groups, padding modes, ceil mode, batches
that leave lanes empty.  ROWS has one row for each operator: how it is drawn, what
PyTorch calls it, what must have been seen of its arguments."""
import functools
import re

import numpy as np

from ops.loss_cases import LOSSES
from ops.kernels import Call


def output_size(size, kernel, stride, padding, dilation=1, ceil_mode=False):
    """The number of windows along an axis, as PyTorch documents it."""
    before, after = padding if isinstance(padding, tuple) else (padding, padding)
    slack = size + before + after - dilation * (kernel - 1) - 1
    if slack < 0:
        return 0
    if not ceil_mode:
        return slack // stride + 1
    count = -(-slack // stride) + 1
    return count - ((count - 1) * stride >= size + before)


def numbers(random, count, low, high):
    return [int(random.integers(low, high + 1)) for _ in range(count)]


def pair(random, low, high):
    return numbers(random, 2, low, high)


def axes_of(op):
    """Behind the channels, of an operator whose name ends with them: conv2d has 2."""
    return int(op[-2])


LARGEST_SIDE = {1: 14, 2: 9, 3: 5}  # by the number of axes


def sides(random, axes):
    return numbers(random, axes, 1, LARGEST_SIDE[axes])


def any_shape(random):
    """Of one to four axes."""
    return tuple(numbers(random, int(random.integers(1, 5)), 1, 4))


def images_and_lanes(random):
    return dict(images=int(random.integers(1, 10)), lanes=int(random.choice([2, 4, 8])))


def drawn(random, op, attributes, in_shapes, out_shape, parameters=(), **options):
    """A Call on a drawn number of images and lanes, all of whose parameters are trained, and its
    attributes."""
    batch = images_and_lanes(random)
    options = {"parameters": parameters, "trained": len(parameters), **batch, **options}
    return Call(op, attributes, in_shapes, out_shape, **options), attributes


def convolution(op):
    axes = axes_of(op)

    def case(random, **options):
        while True:
            groups = int(random.choice([1, 1, 1, 2, 3]))
            inner, outer = pair(random, 1, 3)
            mode = str(random.choice(["zeros", "zeros", "reflect", "replicate", "circular"]))
            a = dict(
                kernel_size=numbers(random, axes, 1, 4),
                stride=numbers(random, axes, 1, 3),
                padding=numbers(random, axes, 0, 3),
                dilation=numbers(random, axes, 1, 2),
                groups=groups,
                bias=bool(random.integers(2)),
                padding_mode=mode,
            )
            pads = list(a["padding"])
            word = random.choice(["", "", "", "same", "valid"])
            if word:
                a["padding"] = str(word)
                pads = [0] * axes
            if word == "same":
                a["stride"] = [1] * axes
                totals = [d * (k - 1) for d, k in zip(a["dilation"], a["kernel_size"])]
                pads = [(t // 2, t - t // 2) for t in totals]
            size = sides(random, axes)
            most = [max(p) if isinstance(p, tuple) else p for p in pads]
            limit = {"reflect": [n - 1 for n in size], "circular": size}.get(mode, most)
            out = [
                output_size(n, k, s, p, d)
                for n, k, s, p, d in zip(size, a["kernel_size"], a["stride"], pads, a["dilation"])
            ]
            if min(out) >= 1 and all(m <= n for m, n in zip(most, limit)):
                break
        weight = random.normal(size=(groups * outer, inner, *a["kernel_size"]))
        parameters = [weight] + ([random.normal(size=groups * outer)] if a["bias"] else [])
        shapes = [(groups * inner, *size)], (groups * outer, *out)
        return drawn(random, op, a, *shapes, parameters=parameters, **options)

    case.__name__ = op
    return case


def transposed_convolution(op):
    axes = axes_of(op)

    def case(random, **options):
        while True:
            groups = int(random.choice([1, 1, 1, 2, 3]))
            inner, outer = pair(random, 1, 3)
            a = dict(
                kernel_size=numbers(random, axes, 1, 4),
                stride=numbers(random, axes, 1, 3),
                padding=numbers(random, axes, 0, 3),
                output_padding=numbers(random, axes, 0, 2),
                groups=groups,
                bias=bool(random.integers(2)),
                dilation=numbers(random, axes, 1, 2),
            )
            size = numbers(random, axes, 1, LARGEST_SIDE[axes] * 2 // 3)
            names = "stride padding dilation kernel_size output_padding".split()
            out = [
                (n - 1) * s - 2 * p + d * (k - 1) + o + 1
                for n, s, p, d, k, o in zip(size, *(a[name] for name in names))
            ]
            if min(out) >= 1 and all(
                o < max(s, d) for o, s, d in zip(a["output_padding"], a["stride"], a["dilation"])
            ):
                break
        parameters = [random.normal(size=(groups * inner, outer, *a["kernel_size"]))] + (
            [random.normal(size=groups * outer)] if a["bias"] else []
        )
        shapes = [(groups * inner, *size)], (groups * outer, *out)
        return drawn(random, op, a, *shapes, parameters=parameters, **options)

    case.__name__ = op
    return case


def linear(random, **options):
    n, m, bias = int(random.integers(1, 20)), int(random.integers(1, 9)), bool(random.integers(2))
    parameters = [random.normal(size=(m, n))] + ([random.normal(size=m)] if bias else [])
    rows, a = numbers(random, int(random.choice([0, 1, 1, 2, 3])), 1, 4), dict(bias=bias)
    return drawn(random, "linear", a, [(*rows, n)], (*rows, m), parameters=parameters, **options)


def pool(op):
    axes = axes_of(op)

    def case(random, **options):
        while True:
            kernel = numbers(random, axes, 1, 4)
            a = dict(
                kernel_size=kernel,
                stride=numbers(random, axes, 1, 4),
                padding=[int(random.integers(0, k // 2 + 1)) for k in kernel],
                ceil_mode=bool(random.integers(2)),
            )
            if op.startswith("max"):
                a["dilation"] = numbers(random, axes, 1, 3)
            else:
                a["count_include_pad"] = bool(random.integers(2))
            if op.startswith("avg") and axes > 1:  # along one axis PyTorch has none
                a["divisor_override"] = int(random.choice([0, 0, 3]))
            size = sides(random, axes)
            dilation = a.get("dilation", [1] * axes)
            out = [
                output_size(n, k, s, p, d, a["ceil_mode"])
                for n, k, s, p, d in zip(size, kernel, a["stride"], a["padding"], dilation)
            ]
            # A window in the padding alone is -inf, which no finite difference can check.
            empty = any(
                k == 2 and p == 1 and d > n
                for n, k, p, d in zip(size, kernel, a["padding"], dilation)
            )
            # avg_pool3d of PyTorch does not count the padding where it looks whether a window fits.
            refused = op == "avg_pool3d" and any(k > n for k, n in zip(kernel, size))
            if min(out) >= 1 and not empty and not refused:
                break
        channels = int(random.integers(1, 4))
        shapes = [(channels, *size)], (channels, *out)
        return drawn(random, op, a, *shapes, aux=op.startswith("max"), **options)

    case.__name__ = op
    return case


def lp_pool(op):
    axes = axes_of(op)

    def case(random, **options):
        while True:
            a = dict(
                norm_type=float(random.choice([1, 2, 2, 4])),
                kernel_size=numbers(random, axes, 1, 4),
                stride=numbers(random, axes, 1, 4),
                ceil_mode=bool(random.integers(2)),
            )
            size = sides(random, axes)
            out = [
                output_size(n, k, s, 0, 1, a["ceil_mode"])
                for n, k, s in zip(size, a["kernel_size"], a["stride"])
            ]
            if min(out) >= 1:
                break
        channels = int(random.integers(1, 4))
        return drawn(random, op, a, [(channels, *size)], (channels, *out), **options)

    case.__name__ = op
    return case


def adaptive_pool(op):
    axes = axes_of(op)

    def case(random, **options):
        channels, a = int(random.integers(1, 4)), dict(output_size=numbers(random, axes, 1, 7))
        shapes = [(channels, *sides(random, axes))], (channels, *a["output_size"])
        return drawn(random, op, a, *shapes, aux="max" in op, **options)

    case.__name__ = op
    return case


def max_unpool2d(random, **options):
    """Of windows that share nothing: where several go to one place the last counts, whose gradient
    PyTorch gives to all of them."""
    while True:
        kernel, dilation = pair(random, 1, 3), pair(random, 1, 2)
        span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
        a = dict(
            kernel_size=kernel,
            stride=[int(random.integers(n, n + 2)) for n in span],
            padding=[int(random.integers(0, k // 2 + 1)) for k in kernel],
            dilation=dilation,
        )
        size = pair(random, 2, 9)
        pooled = [
            output_size(n, k, s, p, d)
            for n, k, s, p, d in zip(size, kernel, a["stride"], a["padding"], dilation)
        ]
        least = [
            (n - 1) * s - 2 * p + k for n, s, p, k in zip(pooled, a["stride"], a["padding"], kernel)
        ]
        covers = min(least) >= 1 and np.prod(least) >= np.prod(size)
        a["output_size"] = least if covers and random.integers(2) else size
        empty = any(
            k == 2 and p == 1 and d > n for n, k, p, d in zip(size, kernel, a["padding"], dilation)
        )
        if min(pooled) >= 1 and not empty:
            break
    channels = int(random.integers(1, 4))
    shapes = [(channels, *pooled), (channels, *size)], (channels, *a["output_size"])
    return drawn(random, "max_unpool2d", a, *shapes, **options)


def batch_norm(op, *ranks):
    def case(random, **options):
        shape = tuple(numbers(random, int(random.choice(ranks)), 1, 4))
        a = dict(
            eps=1e-5,
            momentum=float(random.choice([0.1, 0.3, 1.0])),
            affine=bool(random.integers(2)),
        )
        batch = images_and_lanes(random)
        if batch["images"] * np.prod(shape[1:]) < 3:
            batch["images"] = 3  # of one value there is no variance, and of two no gradient
        affine = [random.normal(size=shape[0]) for _ in range(2)] if a["affine"] else []
        running = [random.normal(size=shape[0]), random.uniform(0.5, 2, size=shape[0]), None]
        options = {"trained": len(affine), "statistics": 4 * shape[0], **batch, **options}
        return Call(op, a, [shape], shape, parameters=affine + running, **options), a

    case.__name__ = op
    return case


def elementwise(op, **attributes):
    def case(random, **options):
        shape = any_shape(random)
        return drawn(random, op, attributes, [shape], shape, **options)

    case.__name__ = op
    return case


def activation(op, **choices):
    """An element by element operator whose arguments are drawn from lists."""

    def case(random, **options):
        shape = any_shape(random)
        attributes = {
            name: values[random.integers(len(values))] for name, values in choices.items()
        }
        return drawn(random, op, attributes, [shape], shape, **options)

    case.__name__ = op
    return case


def over_axis(op):
    def case(random, **options):
        shape = (int(random.integers(1, 7)), *any_shape(random)[1:])
        a = dict(axis=int(random.integers(-len(shape), len(shape))))
        return drawn(random, op, a, [shape], shape, **options)

    case.__name__ = op
    return case


def reshape(random, **options):
    """… to sizes that are factors of its elements; one of them may be left open."""
    shape = any_shape(random)
    left, out = int(np.prod(shape)), []
    for _ in range(int(random.integers(0, 4))):
        out.append(int(random.choice([n for n in range(1, left + 1) if left % n == 0])))
        left //= out[-1]
    out.append(left)
    return drawn(random, "reshape", dict(shape=out), [shape], tuple(out), **options)


def flatten(random, **options):
    shape = any_shape(random)
    start, end = sorted(numbers(random, 2, 0, len(shape) - 1))
    out = (*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :])
    a = dict(start=start, end=end - len(shape) * int(random.integers(2)))
    return drawn(random, "flatten", a, [shape], out, **options)


def permute(random, **options):
    shape = any_shape(random)
    order = [int(axis) for axis in random.permutation(len(shape))]
    a = dict(dims=[axis - len(shape) * int(random.integers(2)) for axis in order])
    out = tuple(shape[axis] for axis in order)
    return drawn(random, "permute", a, [shape], out, **options)


def transpose(random, **options):
    shape = any_shape(random)
    while len(shape) < 2:
        shape = any_shape(random)
    first, second = numbers(random, 2, -len(shape), len(shape) - 1)
    if random.integers(3) == 0:
        first, second = -2, -1
    out = list(shape)
    out[first], out[second] = out[second], out[first]
    return drawn(random, "transpose", dict(dim0=first, dim1=second), [shape], tuple(out), **options)


def attention(random, **options):
    kv, group, width, value = (int(random.integers(1, 4)) for _ in range(4))
    heads, steps, keys = kv * group, int(random.integers(1, 20)), int(random.integers(1, 20))
    windows = (int(random.integers(1, 4)),) * int(random.integers(0, 2))
    joined = bool(random.integers(2))
    a = dict(heads=heads, kv_heads=kv, causal=bool(random.integers(2)))
    a["scale"] = float(random.choice([0, 0, 0.3]))  # 0: as nothing is said
    a["window"] = int(random.choice([0, 0, 3]))
    a["dropout"] = 0.0
    if not joined or a["window"]:
        keys = steps
    if joined:
        shapes = [(steps, heads * width), (keys, kv * width), (keys, kv * value)]
    else:
        value = width
        shapes = [(steps, (heads + 2 * kv) * width)]
    scores = (*windows, heads, steps, keys)
    masks = [
        tuple(int(random.choice([1, size, size])) for size in scores[-rank:])
        for rank in numbers(random, int(random.integers(0, 3)), 2, len(scores))
    ]
    a["mask"] = [0] * len(masks)
    shapes = [(*windows, *shape) for shape in shapes] + masks
    out = (*windows, steps, heads * value)
    return drawn(random, "attention", a, shapes, out, **options)


def rotary(random, **options):
    heads, half, steps = (int(random.integers(1, 5)) for _ in range(3))
    windows = (int(random.integers(1, 4)),) * int(random.integers(0, 2))
    rotated, own = 2 * half, bool(random.integers(2))
    width = rotated + int(random.choice([0, 0, 1, 3]))
    a = dict(heads=heads, base=float(random.choice([10000, 100])))
    a["pairs"] = str(random.choice(["halves", "interleaved"]))
    a["head_width"], a["rotated"] = own * width, rotated if width > rotated else 0
    features = heads * width + own * int(random.integers(0, 4))
    shape = (*windows, steps, features)
    return drawn(random, "rotary", a, [shape], shape, **options)


def torch_rotary(torch, a, x):
    """Pairs as complex numbers, times those of the angles."""
    width = a["head_width"] or x.shape[-1] // a["heads"]
    rotated = a["rotated"] or width
    turned, rest = x.split([a["heads"] * width, x.shape[-1] - a["heads"] * width], dim=-1)
    turned = turned.unflatten(-1, (a["heads"], width))
    turned, kept = turned.split([rotated, width - rotated], dim=-1)
    angles = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * a["base"] ** (
        -torch.arange(rotated // 2, dtype=x.dtype) / (rotated // 2)
    )
    interleaved = a["pairs"] == "interleaved"
    pairs = turned.unflatten(-1, (-1, 2)) if interleaved else turned.unflatten(-1, (2, -1)).mT
    turns = torch.polar(torch.ones_like(angles), angles)[:, None]
    made = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * turns)
    made = (made if interleaved else made.mT).flatten(-2)
    return torch.cat([torch.cat([made, kept], -1).flatten(-2), rest], -1)


def attention_sides(a, xs):
    """Queries, keys and values by heads, and the masks' sum; all of [images, windows, ...]."""
    masks = len(a["mask"])
    tensors, masks = xs[: len(xs) - masks], xs[len(xs) - masks :]
    if len(tensors) == 1:
        width = tensors[0].shape[-1] // (a["heads"] + 2 * a["kv_heads"])
        parts = [a["heads"] * width, a["kv_heads"] * width, a["kv_heads"] * width]
        tensors = tensors[0].split(parts, dim=-1)
    windows = tensors[0].ndim == 4
    sides = []
    for tensor, heads in zip(tensors, [a["heads"], a["kv_heads"], a["kv_heads"]]):
        tensor = tensor if windows else tensor[:, None]
        sides.append(tensor.unflatten(-1, (heads, -1)).transpose(2, 3))
    shaped = [m.reshape(len(m), *(1,) * (5 - m.ndim), *m.shape[1:]) for m in masks]
    return sides, sum(shaped) if shaped else None, windows


def torch_attention(torch, a, *xs):
    (q, k, v), mask, windows = attention_sides(a, xs)
    steps, keys = q.shape[-2], k.shape[-2]
    seen = torch.ones(steps, keys, dtype=torch.bool)
    if a["causal"]:
        seen = seen.tril()
    if a["window"]:
        seen = seen.tril(a["window"] - 1).triu(1 - a["window"])
    own = dict(is_causal=a["causal"]) if mask is None and not a["window"] else {}
    if not own:
        hidden = torch.zeros(steps, keys, dtype=q.dtype).masked_fill(~seen, -torch.inf)
        own = dict(attn_mask=hidden if mask is None else mask + hidden)
    y = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, scale=a["scale"] or None, enable_gqa=True, **own
    )
    y = y.transpose(2, 3).flatten(3)
    return y if windows else y[:, 0]


def slice_case(random, **options):
    shape = tuple(n + 2 for n in any_shape(random))
    axis = int(random.integers(-len(shape), len(shape)))
    size = shape[axis]
    first = int(random.integers(0, size))
    last = int(random.integers(first + 1, size + 1))
    a = {"from": first - size * int(random.integers(2)), "axis": axis, "step": 1}
    a["step"] = int(random.choice([1, 1, 2, 3]))
    a["to"] = last if last == size else last - size * int(random.integers(2))
    out = list(shape)
    out[axis] = len(range(first, last, a["step"]))
    return drawn(random, "slice", a, [shape], tuple(out), **options)


slice_case.__name__ = "slice"


def zero_pad2d(random, **options):
    size = pair(random, 1, 5)
    while True:
        left, right, top, bottom = (int(n) for n in random.integers(-2, 4, size=4))
        out = [size[0] + top + bottom, size[1] + left + right]
        if min(out) >= 1:
            break
    channels, a = int(random.integers(1, 4)), dict(padding=[left, right, top, bottom])
    return drawn(random, "zero_pad2d", a, [(channels, *size)], (channels, *out), **options)


def axis_of(random, shape):
    return int(random.integers(-len(shape), len(shape)))


def some_axes(random, shape):
    """At least one, in any order, counted from either end."""
    count = int(random.integers(1, len(shape) + 1))
    return [
        int(axis) - len(shape) * int(random.integers(2))
        for axis in random.permutation(len(shape))[:count]
    ]


def reduction(op):
    def case(random, **options):
        shape = any_shape(random)
        a = dict(axis=some_axes(random, shape), keep=bool(random.integers(2)))
        gone = {axis % len(shape) for axis in a["axis"]}
        out = [1 if axis in gone else n for axis, n in enumerate(shape)]
        if not a["keep"]:
            out = [n for axis, n in enumerate(shape) if axis not in gone] or [1]
        return drawn(random, op, a, [shape], tuple(out), **options)

    case.__name__ = op
    return case


def normalize(random, **options):
    shape = tuple(n + 1 for n in any_shape(random))
    a = dict(
        p=float(random.choice([1, 2, 3])),
        dim=axis_of(random, shape),
        eps=float(random.choice([1e-12, 1.5])),
    )
    return drawn(random, "normalize", a, [shape], shape, **options)


def matmul(random, **options):
    m, n, k = numbers(random, 3, 1, 5)
    batch = numbers(random, int(random.integers(0, 3)), 1, 3)
    first, second = ([size if random.integers(3) else 1 for size in batch] for _ in range(2))
    out = [*map(max, zip(first, second)), m, n]
    return drawn(random, "matmul", {}, [(*first, m, k), (*second, k, n)], tuple(out), **options)


def bilinear(random, **options):
    rows = numbers(random, int(random.integers(0, 3)), 1, 3)
    first, second, out = numbers(random, 3, 1, 5)
    a = dict(out_features=out, bias=bool(random.integers(2)))
    parameters = [random.normal(size=(out, first, second))]
    parameters += [random.normal(size=out)] if a["bias"] else []
    shapes = [(*rows, first), (*rows, second)], (*rows, out)
    return drawn(random, "bilinear", a, *shapes, parameters=parameters, **options)


def channel_shuffle(random, **options):
    groups, each = pair(random, 1, 4)
    shape = (groups * each, *any_shape(random)[1:])
    return drawn(random, "channel_shuffle", dict(groups=groups), [shape], shape, **options)


def pixels(op):
    def case(random, **options):
        r, (c, h, w) = int(random.integers(1, 4)), numbers(random, 3, 1, 3)
        small, large = (c * r * r, h, w), (c, h * r, w * r)
        up = op == "pixel_shuffle"
        a = {"upscale_factor" if up else "downscale_factor": r}
        shapes = (small, large) if up else (large, small)
        return drawn(random, op, a, [shapes[0]], shapes[1], **options)

    case.__name__ = op
    return case


def roll(random, **options):
    shape = any_shape(random)
    dims = some_axes(random, shape) if random.integers(4) else []
    a = dict(shifts=numbers(random, max(len(dims), 1), -9, 9), dims=dims)
    return drawn(random, "roll", a, [shape], shape, **options)


def flip(random, **options):
    shape = any_shape(random)
    return drawn(random, "flip", dict(dims=some_axes(random, shape)), [shape], shape, **options)


def padded(random, shape, mode, axes):
    """Numbers before and behind the last axes, the last one first, and the shape then."""
    pads, out = [], list(shape)
    for axis in range(len(shape) - 1, len(shape) - 1 - axes, -1):
        size = shape[axis]
        room = {1: 6, 2: 5}.get(len(shape), 2)
        most = min({"reflect": size - 1, "circular": size}.get(mode, room), room)
        cut = int(random.integers(0, size)) if random.integers(4) == 0 else 0
        before, after = (int(n) for n in random.integers(0, most + 1, size=2))
        if cut:
            before, after = (
                (-cut, min(after, size - cut))
                if random.integers(2)
                else (
                    min(before, size - cut),
                    -cut,
                )
            )
        pads += [before, after]
        out[axis] += before + after
    return pads, tuple(out)


def pad(random, **options):
    shape = any_shape(random)
    mode = str(random.choice(["constant", "reflect", "replicate", "circular"]))
    # PyTorch has the other modes for some numbers of axes alone.
    counts = (
        range(1, len(shape) + 1)
        if mode == "constant"
        else [[1], [1, 2], [2, 3], [3]][len(shape) - 1]
    )
    pads, out = padded(random, shape, mode, int(random.choice(counts)))
    a = dict(pad=pads, value=1.5 if mode == "constant" and random.integers(2) else 0.0, mode=mode)
    return drawn(random, "pad", a, [shape], out, **options)


PAD_MODES = dict(
    zero="constant",
    constant="constant",
    reflection="reflect",
    replication="replicate",
    circular="circular",
)


def pad_layer(op):
    axes, mode = axes_of(op), PAD_MODES[op.split("_")[0]]

    def case(random, **options):
        shape = tuple(numbers(random, axes + 1, 2, 4))
        if random.integers(4) == 0:
            a, out = dict(padding=[1]), (shape[0], *(n + 2 for n in shape[1:]))
        else:
            pads, out = padded(random, shape, mode, axes)
            a = dict(padding=pads)
        if op.startswith("constant"):
            a["value"] = float(random.choice([-1, 0.5]))
        return drawn(random, op, a, [shape], out, **options)

    case.__name__ = op
    return case


def upsample(random, **options):
    axes = int(random.integers(1, 4))
    size, channels = numbers(random, axes, 1, [5, 4, 2][axes - 1]), int(random.integers(1, 3))
    modes = ["nearest", "nearest-exact", ["linear", "bilinear", "trilinear"][axes - 1]]
    mode = str(random.choice(modes + ["bicubic"] * (axes == 2)))
    a = dict(mode=mode, align_corners=bool(random.integers(2)) and "nearest" not in mode)
    if random.integers(2):
        a["scale_factor"] = [float(random.choice([1, 2, 3, 1.5, 2.3])) for _ in size]
        a["size"] = []
        out = [int(np.floor(n * k)) for n, k in zip(size, a["scale_factor"])]
    else:
        a["scale_factor"], a["size"] = [], numbers(random, axes, 1, [9, 9, 4][axes - 1])
        out = a["size"]
    return drawn(random, "upsample", a, [(channels, *size)], (channels, *out), **options)


def grid_sample(random, **options):
    axes, channels = int(random.integers(2, 4)), int(random.integers(1, 3))
    size, out = numbers(random, axes, 1, 4), numbers(random, axes, 1, 3)
    a = dict(
        mode=str(random.choice(["bilinear", "nearest"] + ["bicubic"] * (axes == 2))),
        padding_mode=str(random.choice(["zeros", "border", "reflection"])),
        align_corners=bool(random.integers(2)),
    )
    shapes = [(channels, *size), (*out, axes)], (channels, *out)
    return drawn(random, "grid_sample", a, *shapes, **options)


def affine_grid(random, **options):
    axes = int(random.integers(2, 4))
    a = dict(size=numbers(random, axes, 1, 4), align_corners=bool(random.integers(2)))
    return drawn(random, "affine_grid", a, [(axes, axes + 1)], (*a["size"], axes), **options)


def layer_norm2d(random, **options):
    shape = (int(random.integers(2, 7)), *pair(random, 1, 4))
    a = dict(eps=float(random.choice([1e-6, 1e-2])), affine=bool(random.integers(2)))
    affine = [random.normal(size=shape[0]) for _ in range(2)] if a["affine"] else []
    return drawn(random, "layer_norm2d", a, [shape], shape, parameters=affine, **options)


def layer_scale(random, **options):
    shape, a = (int(random.integers(1, 4)), *pair(random, 1, 4)), dict(init=1e-6)
    return drawn(
        random,
        "layer_scale",
        a,
        [shape],
        shape,
        parameters=[random.normal(size=(shape[0], 1, 1))],
        **options,
    )


def prelu(random, **options):
    shape = any_shape(random)
    a = dict(num_parameters=int(random.choice([1, shape[0]])), init=0.25)
    return drawn(
        random,
        "prelu",
        a,
        [shape],
        shape,
        parameters=[random.normal(size=a["num_parameters"])],
        **options,
    )


def parameter(random, **options):
    shape = (int(random.integers(1, 4)), *pair(random, 1, 4))
    return drawn(
        random,
        "parameter",
        dict(shape=shape),
        [],
        shape,
        parameters=[random.normal(size=shape)],
        **options,
    )


def constant(random, **options):
    shape, table = (int(random.integers(1, 4)), *pair(random, 1, 4)), bool(random.integers(2))
    parameters = [random.normal(size=shape)] if table else []
    return drawn(
        random,
        "constant",
        dict(shape=shape, value=0.5),
        [],
        shape,
        parameters=parameters,
        **options | dict(trained=0),
    )


def mul(random, **options):
    shape = any_shape(random)
    shapes = [
        tuple(n if random.integers(3) else 1 for n in shape)
        for _ in range(int(random.integers(2, 4)))
    ]
    return drawn(random, "mul", {}, shapes, tuple(map(max, zip(*shapes))), **options)


def behind_batch(axis):
    """An image's axis as one of the batch's."""
    return axis if axis < 0 else axis + 1


def two(value):
    return each_axis(value, 2)


def each_axis(value, axes):
    """One number for each, or a word."""
    return value if isinstance(value, str) else tuple(np.broadcast_to(value, axes).tolist())


def norm_of_last_axes(op, **choices):
    """layer_norm or rms_norm; the attributes say which axis is the first of those."""

    def case(random, **options):
        shape = tuple(numbers(random, int(random.integers(1, 5)), 1, 4))
        first = int(random.integers(len(shape)))
        shape = (*shape[:-1], shape[-1] + 2)  # of one value the variance is 0
        a = dict(axes=first) | {
            name: values[random.integers(len(values))] for name, values in choices.items()
        }
        count = a["elementwise_affine"] + (a["elementwise_affine"] and a.get("bias", False))
        parameters = [random.normal(size=shape[first:]) for _ in range(count)]
        return drawn(random, op, a, [shape], shape, parameters=parameters, **options)

    case.__name__ = op
    return case


def on_sequences(*statements):
    """Of [channels, 90]."""
    return [f"flatten(1);  {s};  reshape([_, 10, 9])" for s in statements]


def group_norm(random, **options):
    groups, rank = int(random.integers(1, 4)), int(random.integers(1, 5))
    shape = (groups * 2 * int(random.integers(1, 3)), *numbers(random, rank - 1, 1, 3))
    a = dict(
        num_groups=groups, eps=float(random.choice([1e-5, 1e-2])), affine=bool(random.integers(2))
    )
    parameters = [random.normal(size=shape[0]) for _ in range(2 * a["affine"])]
    return drawn(random, "group_norm", a, [shape], shape, parameters=parameters, **options)


def instance_norm(op):
    def case(random, **options):
        shape = (int(random.integers(1, 4)), *numbers(random, axes_of(op), 1, 3))
        shape = (*shape[:-1], shape[-1] + 1)  # of one value the variance is 0
        tracks = bool(random.integers(2))
        a = dict(
            eps=float(random.choice([1e-5, 1e-2])),
            momentum=float(random.choice([0.1, 0.3])),
            affine=bool(random.integers(2)),
            track_running_stats=tracks,
        )
        affine = [random.normal(size=shape[0]) for _ in range(2 * a["affine"])]
        running = [random.normal(size=shape[0]), random.uniform(0.5, 2, size=shape[0]), None]
        options = {"trained": len(affine), "statistics": 2 * shape[0] * tracks, **options}
        parameters = affine + running * tracks
        return drawn(random, op, a, [shape], shape, parameters=parameters, **options)

    case.__name__ = op
    return case


def local_response_norm(random, **options):
    shape = (int(random.integers(1, 7)), *numbers(random, int(random.integers(1, 4)), 1, 3))
    a = dict(
        size=int(random.integers(1, 8)),
        alpha=float(random.choice([1e-4, 0.5])),
        beta=float(random.choice([0.75, 0.5, 1.0, 0.3])),
        k=float(random.choice([1.0, 2.0])),
    )
    return drawn(random, "local_response_norm", a, [shape], shape, aux=True, **options)


def dropouts(op, lowest_rank, highest_rank):
    """PyTorch draws other numbers: finite differences alone."""

    def case(random, **options):
        rank = int(random.integers(lowest_rank, highest_rank + 1))
        shape = tuple(numbers(random, rank, 1, 4))
        a = dict(p=float(random.choice([0.0, 0.3, 0.8, 1.0])))
        return drawn(random, op, a, [shape], shape, **options)

    case.__name__ = op
    return case


def glu(random, **options):
    out = any_shape(random)
    axis = int(random.integers(len(out)))
    shape = (*out[:axis], 2 * out[axis], *out[axis + 1 :])
    return drawn(random, "glu", dict(axis=axis), [shape], out, **options)


# ------------------------------------------------------- in PyTorch's words
# Of the attributes, the inputs, the parameters and a loss's targets; `torch` is
# handed on, so that the tests need none.


def torch_convolution(op):
    axes = axes_of(op)

    def convolve(torch, a, x, weight, bias=None):
        sizes = [each_axis(a[name], axes) for name in ("stride", "padding", "dilation")]
        if a["padding_mode"] == "zeros":
            return getattr(torch.nn.functional, op)(x, weight, bias, *sizes, a["groups"])
        layer = getattr(torch.nn, f"Conv{axes}d")(
            x.shape[1],
            weight.shape[0],
            each_axis(a["kernel_size"], axes),
            *sizes,
            a["groups"],
            bias is not None,
            a["padding_mode"],
        ).double()
        named = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return torch.func.functional_call(layer, named, (x,))

    return convolve


def torch_transposed(op):
    def convolve(torch, a, x, weight, bias=None):
        stride, padding, more, dilation = (
            each_axis(a[name], axes_of(op))
            for name in ("stride", "padding", "output_padding", "dilation")
        )
        return getattr(torch.nn.functional, op)(
            x, weight, bias, stride, padding, more, a["groups"], dilation
        )

    return convolve


def torch_slice(torch, a, x):
    """`axis` is counted within an image: x has the batch's before."""
    axis = a["axis"] + (a["axis"] >= 0)
    return x.movedim(axis, 0)[a["from"] : a["to"] : a["step"]].movedim(0, axis)


def torch_max_pool(op):
    names = ("kernel_size", "stride", "padding", "dilation")
    return lambda torch, a, x: getattr(torch.nn.functional, op)(
        x, *(each_axis(a[name], axes_of(op)) for name in names), a["ceil_mode"]
    )


def torch_avg_pool(op):
    return lambda torch, a, x: getattr(torch.nn.functional, op)(
        x,
        *(each_axis(a[name], axes_of(op)) for name in ("kernel_size", "stride", "padding")),
        a["ceil_mode"],
        a["count_include_pad"],
        *([a["divisor_override"] or None] if "divisor_override" in a else []),
    )


def torch_lp_pool(op):
    def whole(sizes):
        return sizes[0] if len(sizes) == 1 else tuple(sizes)

    return lambda torch, a, x: getattr(torch.nn.functional, op)(
        x, a["norm_type"], whole(a["kernel_size"]), whole(a["stride"]), a["ceil_mode"]
    )


def torch_max_unpool2d(torch, a, x, pooled):
    """PyTorch's unpooling may be asked for sizes near the default only, its operator for any."""
    names = ("kernel_size", "stride", "padding", "dilation")
    _, indices = torch.nn.functional.max_pool2d(
        pooled, *(two(a[name]) for name in names), return_indices=True
    )
    return torch.ops.aten.max_unpool2d(x, indices, two(a["output_size"])) + 0 * pooled.sum()


def torch_batch_norm(torch, a, x, *parameters):
    weight, bias = parameters[:2] if a["affine"] else (None, None)
    mean, variance = parameters[-2:]
    return torch.nn.functional.batch_norm(
        x, mean, variance, weight, bias, True, a["momentum"], a["eps"]
    )


def torch_layer_norm2d(torch, a, x, weight=None, bias=None):
    return torch.nn.functional.layer_norm(
        x.permute(0, 2, 3, 1), x.shape[1:2], weight, bias, a["eps"]
    ).permute(0, 3, 1, 2)


def torch_upsample(torch, a, x):
    corners = None if "nearest" in a["mode"] else a["align_corners"]
    return torch.nn.functional.interpolate(
        x, a["size"] or None, tuple(a["scale_factor"]) or None, a["mode"], corners
    )


def torch_reduction(name):
    def reduce(torch, a, x):
        axes = [behind_batch(axis) for axis in a["axis"]]
        y = getattr(torch, name)(x, axes, a["keep"])
        return y if y.dim() > 1 else y[:, None]

    return reduce


def torch_argmax(torch, a, x):
    """… of the axes in their order, as one, and with a gradient of 0."""
    axes = sorted(axis % (x.dim() - 1) + 1 for axis in a["axis"])
    kept = [axis for axis in range(x.dim()) if axis not in axes]
    flat = x.permute(*kept, *axes).flatten(len(kept))
    y = torch.argmax(flat, -1).double() + 0 * flat.sum(-1)
    if a["keep"]:
        return y.reshape([1 if axis in axes else n for axis, n in enumerate(x.shape)])
    return y if y.dim() > 1 else y[:, None]


def torch_pad(torch, a, x):
    pad, value = a.get("pad", a.get("padding")), a.get("value", 0.0)
    return torch.nn.functional.pad(x, pad, a["mode"], value if a["mode"] == "constant" else None)


def torch_pad_layer(op):
    axes = axes_of(op)

    def pad(torch, a, x):
        pads = a["padding"] * (2 * axes if len(a["padding"]) == 1 else 1)
        return torch_pad(torch, {**a, "padding": pads, "mode": PAD_MODES[op.split("_")[0]]}, x)

    return pad


def torch_roll(torch, a, x):
    if not a["dims"]:
        return x.flatten(1).roll(a["shifts"], 1).reshape(x.shape)
    return x.roll(a["shifts"], [behind_batch(axis) for axis in a["dims"]])


def torch_bilinear(torch, a, x, z, weight, bias=None):
    return torch.nn.functional.bilinear(x, z, weight, bias)


def torch_affine_grid(torch, a, x):
    return torch.nn.functional.affine_grid(x, [len(x), 1, *a["size"]], a["align_corners"])


def functional(name, *attributes):
    """torch.nn.functional's function of this name, with some of the attributes."""
    return lambda torch, a, x, *parameters: getattr(torch.nn.functional, name)(
        x, *parameters, **{key: a[key] for key in attributes}
    )


def torch_norm_of_last_axes(function):
    def norm(torch, a, x, *parameters):
        eps = None if a["eps"] < 0 else a["eps"]
        sizes = x.shape[1 + a["axes"] :]
        return getattr(torch.nn.functional, function)(x, sizes, *parameters, eps=eps)

    return norm


def torch_instance_norm(torch, a, x, *parameters):
    weight, bias = parameters[:2] if a["affine"] else (None, None)
    mean, variance = parameters[-2:] if a["track_running_stats"] else (None, None)
    return torch.nn.functional.instance_norm(
        x, mean, variance, weight, bias, True, a["momentum"], a["eps"]
    )


# ------------------------------------------------------------------ the table


class Row:
    """An operator's row.

    case(random) draws a Call and its attributes.
    pytorch(torch, attributes, …): see above; None: not compared.
    wanted: attribute values that the comparison must have seen.
    kinks: where a value has no derivative.
    statements: uses that keep [4, 10, 9], and [36, 10, 9] if every first (4 becomes (36;
                test_emission.py compares their emitted kernels.
    """

    def __init__(self, case, pytorch, wanted=None, kinks=(0,), statements=()):
        self.case, self.name, self.pytorch = case, case.__name__, pytorch
        self.wanted, self.kinks, self.statements = wanted or {}, list(kinks), list(statements)


CONVOLUTIONS = {
    "conv2d": [],
    "conv1d": [
        "flatten(1);  conv1d(4, 3, padding=1) as line1;  relu;  reshape([_, 10, 9])",
        "flatten(1);  conv1d(8, 5, stride=2, padding=2) as line2;  tanh;  "
        "conv_transpose1d(4, 2, stride=2) as line3;  reshape([_, 10, 9])",
        "flatten(1);  conv1d(4, 4, padding=same, dilation=3, groups=4) as line4;  "
        "reshape([_, 10, 9])",
        "flatten(1);  conv1d(4, 1, bias=false) as line5;  sigmoid;  reshape([_, 10, 9])",
    ],
    "conv3d": [
        "reshape([_, 2, 5, 9]);  conv3d(4, 3, padding=1) as solid1;  relu;  reshape([_, 10, 9])",
        "reshape([_, 5, 2, 9]);  conv3d(8, [3, 1, 3], padding=same, groups=4) as solid2;  tanh;  "
        "conv3d(4, 1) as solid3;  reshape([_, 10, 9])",
        "reshape([_, 2, 5, 9]);  conv3d(4, [2, 3, 3], stride=[1, 2, 1], padding=[1, 2, 0], "
        "dilation=[2, 1, 2], groups=2) as solid4;  upsample(size=[2, 5, 9]);  reshape([_, 10, 9])",
    ],
}
TRANSPOSED = {
    "conv_transpose2d": [
        "conv_transpose2d(4, 3, padding=1) as up1;  relu",
        "conv_transpose2d(4, 1, bias=false) as up2;  batch_norm2d as norm",
        "conv_transpose2d(6, [4, 3], stride=2, padding=1, output_padding=[0, 1], groups=2) "
        "as up3;  max_pool2d(2);  conv2d(4, 1) as down3",
        "conv_transpose2d(4, 3, padding=2, dilation=2, groups=4) as up4;  "
        "batch_norm2d as norm4;  relu",
        "conv2d(8, 3, stride=2, padding=1) as down5;  "
        "conv_transpose2d(4, 2, stride=2) as up5;  zero_pad2d([0, -1, 0, 0])",
    ],
    "conv_transpose1d": [
        "flatten(1);  conv_transpose1d(4, 3, padding=1) as rise1;  relu;  reshape([_, 10, 9])",
        "flatten(1);  conv1d(6, 3, stride=3) as fall2;  "
        "conv_transpose1d(4, 4, stride=3, padding=1, output_padding=1, groups=2) as rise2;  "
        "reshape([_, 10, 9])",
    ],
    "conv_transpose3d": [
        "reshape([_, 2, 5, 9]);  conv_transpose3d(4, [1, 3, 3], padding=[0, 1, 1]) as rise3;  "
        "relu;  reshape([_, 10, 9])",
        "reshape([_, 2, 5, 9]);  conv3d(4, 3, stride=[1, 2, 2], padding=1) as fall4;  "
        "conv_transpose3d(4, [1, 3, 3], stride=[1, 2, 2], padding=[0, 1, 1]) as rise4;  "
        "reshape([_, 10, 9])",
    ],
}

MAX_POOLS = {
    "max_pool2d": [],
    "max_pool1d": [
        "flatten(1);  conv1d(4, 3, padding=1) as peak1;  max_pool1d(2);  relu;  "
        "conv_transpose1d(4, 2, stride=2) as peak2;  reshape([_, 10, 9])",
        "flatten(1);  max_pool1d(3, stride=1, padding=1);  reshape([_, 10, 9])",
        "flatten(1);  max_pool1d(5, stride=3, dilation=2, ceil_mode=true);  linear(90) as peak3;  "
        "reshape([_, 10, 9])",
        "flatten(1);  conv1d(4, 5, padding=2, groups=4) as peak4;  relu;  max_pool1d(5);  "
        "linear(90) as peak5;  reshape([_, 10, 9])",
        "flatten(1);  max_pool1d(30);  linear(90) as peak6;  reshape([_, 10, 9])",
    ],
    "max_pool3d": [
        "reshape([_, 2, 5, 9]);  relu;  max_pool3d([2, 3, 3], stride=1, padding=1);  "
        "slice(0, 2, axis=1);  reshape([_, 10, 9])",
        "reshape([_, 2, 5, 9]);  max_pool3d(2, stride=[1, 2, 2], dilation=[1, 2, 1], padding=1, "
        "ceil_mode=true);  upsample(size=[2, 5, 9]);  reshape([_, 10, 9])",
    ],
}
AVG_POOLS = {
    "avg_pool2d": [],
    "avg_pool1d": [
        "flatten(1);  avg_pool1d(3, stride=1, padding=1);  reshape([_, 10, 9])",
        "flatten(1);  avg_pool1d(7, ceil_mode=true, count_include_pad=false);  "
        "linear(90) as mean1;  reshape([_, 10, 9])",
        "flatten(1);  conv1d(4, 1) as mean2;  avg_pool1d(2);  linear(90) as mean3;  "
        "reshape([_, 10, 9])",
    ],
    "avg_pool3d": [
        "reshape([_, 2, 5, 9]);  avg_pool3d([1, 3, 3], stride=1, padding=[0, 1, 1]);  tanh;  "
        "reshape([_, 10, 9])",
    ],
}
LP_POOLS = {
    "lp_pool1d": ["flatten(1);  lp_pool1d(2, 2);  linear(90) as length1;  reshape([_, 10, 9])"],
    "lp_pool2d": ["lp_pool2d(2, [2, 3]);  upsample(size=[10, 9])"],
}
ADAPTIVE_POOLS = {
    "adaptive_avg_pool2d": [],
    "adaptive_avg_pool1d": [
        "flatten(1);  adaptive_avg_pool1d(30);  linear(90) as share1;  reshape([_, 10, 9])",
        "flatten(1);  adaptive_avg_pool1d(100);  adaptive_avg_pool1d(90);  reshape([_, 10, 9])",
        "flatten(1);  adaptive_avg_pool1d(1);  linear(90) as share2;  reshape([_, 10, 9])",
    ],
    "adaptive_avg_pool3d": [
        "reshape([_, 2, 5, 9]);  adaptive_avg_pool3d([2, 3, 3]);  relu;  "
        "adaptive_avg_pool3d([1, 10, 9]);  reshape([_, 10, 9])",
    ],
    "adaptive_max_pool1d": [
        "flatten(1);  conv1d(4, 3, padding=1) as top1;  relu;  adaptive_max_pool1d(30);  "
        "linear(90) as top2;  reshape([_, 10, 9])",
        "flatten(1);  adaptive_max_pool1d(70);  linear(90) as top3;  reshape([_, 10, 9])",
        "flatten(1);  adaptive_max_pool1d(1);  linear(90) as top4;  reshape([_, 10, 9])",
    ],
    "adaptive_max_pool2d": [
        "conv2d(4, 3, padding=1) as top5;  relu;  adaptive_max_pool2d([5, 3]);  "
        "upsample(size=[10, 9])",
        "adaptive_max_pool2d([7, 4]);  sigmoid;  adaptive_max_pool2d([10, 9])",
        "adaptive_max_pool2d(1);  upsample(size=[10, 9])",
    ],
    "adaptive_max_pool3d": [
        "reshape([_, 2, 5, 9]);  adaptive_max_pool3d([2, 3, 9]);  tanh;  "
        "adaptive_max_pool3d([1, 10, 9]);  reshape([_, 10, 9])",
    ],
}

BATCH_NORMS = {"batch_norm1d": (1, 2), "batch_norm2d": (3,), "batch_norm3d": (4,)}
ROWS = [
    *(
        Row(
            convolution(op),
            torch_convolution(op),
            {
                "padding_mode": ["zeros", "reflect", "replicate", "circular"],
                "padding": ["same", "valid"],
                "bias": [True, False],
                "groups": [1, 2, 3],
            },
            statements=statements,
        )
        for op, statements in CONVOLUTIONS.items()
    ),
    Row(
        linear,
        lambda torch, a, x, weight, bias=None: torch.nn.functional.linear(x, weight, bias),
        {"bias": [True, False]},
        statements=[
            "reshape([_, 90]);  linear(90) as rows1;  reshape([_, 10, 9])",
            "reshape([_, 10, 9]);  linear(9, bias=false) as rows2",
            "flatten;  reshape([_, 1]);  linear(3) as rows7;  linear(1) as rows8;  "
            "reshape([_, 10, 9])",
            "reshape([_, 2, 5, 9]);  linear(18) as rows3;  relu;  linear(9) as rows4;  "
            "reshape([_, 10, 9])",
            "flatten(1);  transpose;  linear(7) as rows5;  linear(4) as rows6;  gelu;  "
            "transpose;  reshape([_, 10, 9])",
        ],
    ),
    Row(
        rotary,
        torch_rotary,
        {"pairs": ["halves", "interleaved"], "head_width": [0, 2], "rotated": [0, 2]},
        statements=["flatten(1);  rotary(1);  reshape([_, 10, 9])"],
    ),
    Row(
        attention,
        torch_attention,
        {"causal": [True, False], "scale": [0, 0.3], "window": [0, 3]},
        statements=[
            "reshape([_, 12]);  attention(2, causal=true);  linear(12) as seen1;  "
            "reshape([_, 10, 9])",
            "reshape([_, 12]);  attention(2, kv_heads=1, scale=0.5);  "
            "linear(12, bias=false) as seen2;  reshape([_, 10, 9])",
        ],
    ),
    *(
        Row(pool(op), torch_max_pool(op), {"ceil_mode": [True, False]}, statements=statements)
        for op, statements in MAX_POOLS.items()
    ),
    *(
        Row(
            pool(op),
            torch_avg_pool(op),
            {
                "ceil_mode": [True, False],
                "count_include_pad": [True, False],
                **({} if op == "avg_pool1d" else {"divisor_override": [0, 3]}),
            },
            statements=statements,
        )
        for op, statements in AVG_POOLS.items()
    ),
    *(
        Row(
            lp_pool(op),
            torch_lp_pool(op),
            {"ceil_mode": [True, False], "norm_type": [1.0, 2.0, 4.0]},
            statements=statements,
        )
        for op, statements in LP_POOLS.items()
    ),
    *(
        Row(
            adaptive_pool(op),
            lambda torch, a, x, op=op: getattr(torch.nn.functional, op)(
                x, tuple(a["output_size"]) if len(a["output_size"]) > 1 else a["output_size"][0]
            ),
            statements=statements,
        )
        for op, statements in ADAPTIVE_POOLS.items()
    ),
    Row(
        max_unpool2d,
        torch_max_unpool2d,
        statements=[
            "max_pool2d([2, 3]) as pooled1;  max_unpool2d(pooled1)",
            "relu;  max_pool2d(2, ceil_mode=true) as pooled2;  conv2d(4, 1) as between2;  "
            "max_unpool2d(pooled2, output_size=[10, 9])",
            "max_pool2d(3, stride=2, padding=1) as pooled3;  "
            "max_unpool2d(pooled3, kernel_size=3, output_size=[10, 9]);  tanh",
        ],
    ),
    *(
        Row(
            batch_norm(op, *ranks),
            torch_batch_norm,
            {"momentum": [0.1, 0.3, 1.0], "affine": [True, False]},
        )
        for op, ranks in BATCH_NORMS.items()
    ),
    Row(elementwise("dropout", p=0.4), None),  # PyTorch draws other numbers
    Row(elementwise("relu"), functional("relu")),
    Row(elementwise("tanh"), lambda torch, a, x: torch.tanh(x)),
    Row(elementwise("sigmoid"), lambda torch, a, x: torch.sigmoid(x)),
    Row(
        mul,
        lambda torch, a, *xs: functools.reduce(torch.mul, xs),
    ),
    *[Row(*loss) for loss in LOSSES],
    Row(activation("relu6"), functional("relu6"), kinks=[0, 6]),
    Row(
        activation("leaky_relu", negative_slope=[0.01, 0.0, 0.3, -0.5]),
        functional("leaky_relu", "negative_slope"),
        {"negative_slope": [0.01, 0.0, 0.3, -0.5]},
    ),
    Row(
        elementwise("rrelu", lower=0.1, upper=0.4),
        None,  # PyTorch draws other numbers
        statements=["rrelu(0.1, 0.4)"],
    ),
    Row(
        activation("elu", alpha=[1.0, 0.3, -0.5]),
        functional("elu", "alpha"),
        {"alpha": [1.0, 0.3, -0.5]},
    ),
    Row(
        activation("gelu", approximate=["none", "tanh"]),
        functional("gelu", "approximate"),
        {"approximate": ["none", "tanh"]},
    ),
    Row(activation("silu"), functional("silu")),
    Row(activation("hardswish"), functional("hardswish"), kinks=[-3, 3]),
    Row(
        over_axis("softmax"),
        lambda torch, a, x: torch.softmax(x, behind_batch(a["axis"])),
        {"axis": [-2, -1, 0, 1, 2]},
    ),
    Row(
        over_axis("softmin"),
        lambda torch, a, x: torch.nn.functional.softmin(x, behind_batch(a["axis"])),
        {"axis": [-2, -1, 0, 1, 2]},
        statements=["softmin(axis=1)"],
    ),
    Row(
        over_axis("log_softmax"),
        lambda torch, a, x: torch.log_softmax(x, behind_batch(a["axis"])),
        {"axis": [-2, -1, 0, 1, 2]},
    ),
    Row(zero_pad2d, lambda torch, a, x: torch.nn.functional.pad(x, a["padding"])),
    Row(
        upsample,
        torch_upsample,
        {
            "mode": "nearest nearest-exact linear bilinear bicubic trilinear".split(),
            "align_corners": [True, False],
            "size": [[]],
            "scale_factor": [[]],
        },
    ),
    *(
        Row(
            reduction(op),
            torch_argmax if op == "argmax" else torch_reduction(torch_name),
            {"keep": [True, False]},
        )
        for op, torch_name in dict(mean="mean", sum="sum", max="amax", argmax="argmax").items()
    ),
    Row(
        normalize,
        lambda torch, a, x: torch.nn.functional.normalize(
            x, a["p"], behind_batch(a["dim"]), a["eps"]
        ),
        {"p": [1, 2, 3], "eps": [1e-12, 1.5]},
    ),
    Row(over_axis("cumsum"), lambda torch, a, x: x.cumsum(behind_batch(a["axis"]))),
    Row(matmul, lambda torch, a, x, z: torch.matmul(x, z)),
    Row(bilinear, torch_bilinear, {"bias": [True, False]}),
    Row(
        channel_shuffle,
        lambda torch, a, x: torch.nn.functional.channel_shuffle(
            x.flatten(2) if x.dim() > 2 else x[:, :, None], a["groups"]
        ).reshape(x.shape),
    ),
    Row(pixels("pixel_shuffle"), functional("pixel_shuffle", "upscale_factor")),
    Row(pixels("pixel_unshuffle"), functional("pixel_unshuffle", "downscale_factor")),
    Row(roll, torch_roll, {"dims": [[]]}),
    Row(flip, lambda torch, a, x: x.flip([behind_batch(axis) for axis in a["dims"]])),
    Row(pad, torch_pad, {"mode": ["constant", "reflect", "replicate", "circular"]}),
    *(
        Row(pad_layer(op), torch_pad_layer(op), {"padding": [[1]]})
        for op in ["zero_pad1d", "zero_pad3d"]
        + [
            f"{kind}_pad{axes}d"
            for kind in ("constant", "reflection", "replication", "circular")
            for axes in (1, 2, 3)
        ]
    ),
    Row(
        grid_sample,
        lambda torch, a, x, grid: torch.nn.functional.grid_sample(x, grid, **a),
        {
            "mode": ["bilinear", "nearest", "bicubic"],
            "padding_mode": ["zeros", "border", "reflection"],
            "align_corners": [True, False],
        },
        statements=[
            "grid_sample(padding_mode=reflection) { branch { }  branch { conv2d(2, 3, padding=1) "
            "as place1;  permute([1, 2, 0]) } };  relu",
            "grid_sample(mode=bicubic, padding_mode=border, align_corners=true) { branch { }  "
            "branch { conv2d(2, 1) as place2;  permute([1, 2, 0]) } };  tanh",
            "reshape([_, 2, 5, 9]);  grid_sample { branch { }  branch { conv3d(3, 1) as place3;  "
            "permute([1, 2, 3, 0]) } };  reshape([_, 10, 9])",
        ],
    ),
    Row(
        affine_grid,
        torch_affine_grid,
        {"align_corners": [True, False]},
        statements=[
            "grid_sample(padding_mode=border) { branch { }  branch { flatten;  linear(6) as turn;  "
            "reshape([2, 3]);  affine_grid([10, 9]) } }"
        ],
    ),
    Row(layer_norm2d, torch_layer_norm2d, {"eps": [1e-6, 1e-2], "affine": [True, False]}),
    Row(layer_scale, lambda torch, a, x, weight: x * weight),
    *(
        Row(
            transposed_convolution(op),
            torch_transposed(op),
            {"bias": [True, False], "groups": [1, 2, 3]},
            statements=statements,
        )
        for op, statements in TRANSPOSED.items()
    ),
    Row(
        parameter,
        None,  # it has no input
        statements=[
            "add { branch { }  branch { parameter([4, 10, 9], normal(std=0.5)) as position } }",
            "mul { branch { parameter([4, 1, 1], 1) as gain }  branch { } };  relu",
            "concat { branch { parameter([2, 10, 9], uniform(-1, 1)) as extra }  branch { } };  "
            "conv2d(4, 1) as narrow6",
        ],
    ),
    Row(
        constant,
        None,
        statements=[
            "concat { branch { }  branch { constant([1, 10, 9], "
            f"{[(i * 7 % 13) / 13 for i in range(90)]}) }} }};  conv2d(4, 1) as narrow7",
            "mul { branch { constant([4, 10, 9], 0.5) }  branch { tanh } }",
        ],
    ),
    Row(
        prelu,
        functional("prelu"),
        {"num_parameters": [1, 2, 3]},
        statements=["prelu", "prelu(4, init=-0.5)"],
    ),
    Row(
        permute,
        lambda torch, a, x: x.permute(0, *(axis + (axis >= 0) for axis in a["dims"])),
        statements=[
            "permute([2, 0, 1]);  tanh;  permute([1, 2, 0])",
            "reshape([_, 2, 5, 9]);  permute([1, -1, 0, 2]);  relu;  permute([-2, 0, -1, 1]);  "
            "reshape([_, 10, 9])",
            "permute([1, 2, 0]);  linear(4) as ends;  permute([2, 0, 1])",
        ],
    ),
    Row(
        transpose,
        lambda torch, a, x: x.transpose(*(a[name] + (a[name] >= 0) for name in ("dim0", "dim1"))),
        statements=[
            "transpose;  conv2d(4, [3, 1], padding=[1, 0]) as turned;  transpose",
            "transpose(0, -1);  gelu;  transpose(2, 0)",
            "flatten(1);  transpose;  sigmoid;  transpose(1, 0);  reshape([_, 10, 9])",
        ],
    ),
    Row(
        slice_case,
        torch_slice,
        statements=[
            "slice(1, -1, axis=1);  zero_pad2d([0, 0, 1, 1])",
            "slice(0, -1, axis=-1);  relu;  zero_pad2d([0, 1, 0, 0])",
            "slice(1, axis=1, step=3);  upsample(size=[10, 9])",
            "slice(1, 3);  conv2d(4, 1) as parts",
            "reshape([_, 2, 5, 9]);  slice(1, axis=1);  tanh;  reshape([_, 5, 9]);  "
            "upsample(size=[10, 9])",
        ],
    ),
]
ROWS += [
    Row(
        norm_of_last_axes(
            "layer_norm",
            eps=[1e-5, 1e-2],
            elementwise_affine=[True, True, False],
            bias=[True, False],
        ),
        torch_norm_of_last_axes("layer_norm"),
        {"elementwise_affine": [True, False], "bias": [True, False], "axes": [0, 1, 2, 3]},
        statements=on_sequences("layer_norm", "layer_norm(90, bias=false, eps=0.1);  relu"),
    ),
    Row(
        norm_of_last_axes("rms_norm", eps=[-1.0, 1e-5, 1e-2], elementwise_affine=[True, False]),
        torch_norm_of_last_axes("rms_norm"),
        {"elementwise_affine": [True, False], "eps": [-1.0, 1e-5], "axes": [0, 1, 2, 3]},
        statements=on_sequences("rms_norm", "rms_norm([_, 90], eps=0.1);  silu"),
    ),
]


ROWS += [
    Row(
        group_norm,
        lambda torch, a, x, *parameters: torch.nn.functional.group_norm(
            x, a["num_groups"], *parameters, eps=a["eps"]
        ),
        {"affine": [True, False], "num_groups": [1, 2, 3]},
        statements=["group_norm(2) as gn1;  relu", "group_norm(4, affine=false)"],
    ),
    *(
        Row(
            instance_norm(f"instance_norm{axes}d"),
            torch_instance_norm,
            {"affine": [True, False], "track_running_stats": [True, False]},
        )
        for axes in (1, 2, 3)
    ),
    Row(
        local_response_norm,
        functional("local_response_norm", "size", "alpha", "beta", "k"),
        {"beta": [0.75, 0.5, 1.0, 0.3]},
        statements=["local_response_norm(5)", "local_response_norm(2, alpha=0.1, beta=0.5);  relu"],
    ),
]


DROPOUTS = {
    "dropout1d": (2, 2),
    "dropout2d": (3, 3),
    "dropout3d": (4, 4),
    "alpha_dropout": (1, 4),
    "feature_alpha_dropout": (2, 4),
    "drop_path": (1, 4),
}
ROWS += [Row(dropouts(op, *ranks), None) for op, ranks in DROPOUTS.items()] + [
    Row(
        glu,
        lambda torch, a, x: torch.nn.functional.glu(x, 1 + a["axis"]),
        {"axis": [0, 1, 2, 3]},
        statements=["upsample([2, 1]);  glu(1)", "upsample([1, 2]);  relu;  glu"],
    ),
]

# What is drawn at random has no gradient; these are compared as statements of a network.
NOISE = [
    "add { branch { }  branch { noise([4, 10, 9], normal(0.5, std=0.1)) } }",
    "mul { branch { noise([4, 10, 9], uniform(0.5, 1.5)) }  branch { relu } }",
]
STATEMENTS = [statement for row in ROWS for statement in row.statements] + NOISE
BY_NAME = {row.name: row for row in ROWS}
CASES = [row.case for row in ROWS]
VIEWS = [reshape, flatten]  # have no kernels: what can be wrong of them is their shape


def renamed(statements, prefix):
    """The same layers under other names."""
    names = "|".join(re.findall(r" as (\w+)", statements))
    return re.sub(rf"\b({names})\b", prefix + r"\1", statements) if names else statements


def missing(op, seen):
    """The (argument, value) pairs wanted of which none of the attributes in `seen` has."""
    wanted = BY_NAME[op].wanted if op in BY_NAME else {}
    return {
        (name, str(value))
        for name, values in wanted.items()
        for value in values
        if not any(attributes[name] == value for attributes in seen)
    }


def inputs(random, call):
    """Images away from the activations' kinks, but on both sides of each; a tie
    in a max pool has probability zero."""
    kinks = BY_NAME[call.op].kinks
    drawn = [
        random.normal(scale=max(1, kinks[-1]), size=(call.images, *shape))
        for shape in call.in_shapes
    ]
    for kink in kinks:
        drawn = [np.where(np.abs(x - kink) < 1e-3, kink + 1e-2, x) for x in drawn]
    return drawn
