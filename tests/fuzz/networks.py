"""Random valid networks: network(seed, operators) is the text of a .net file.

A network is grown from the top: each step draws an operator or a structure
(branches, a skip, a dense block, a repeat, a block of its own, a named tensor
picked up later) that fits the current shape.  Where two ways must meet, the one
that came out differently is brought back by a 1×1 convolution and an adaptive
pool, so any body can stand in any structure.  A share of the steps are traps:
small graphs in which a tensor is shared, overwritten or joined in the way that
in-place memory gets wrong first.

Everything is small: a few channels, images of a few pixels.  What matters is
odd sizes and odd company, not amount of arithmetic.  Tensors have one to four axes;
what takes one number of axes only is looked up by it.

So that none is left out, each seed favours one operator: it is drawn as soon as a shape suits
it, with many of its arguments written.

What an operator is, `netc explain --json` says: a new one is drawn by its ranks,
its arguments' roles and ranges, and its window.  Only what that table leaves
unsaid, limits of one argument by another, has a function here.
"""
import functools
import math
import random
import re

from harness import operators

MAX_CHANNELS = 12
MAX_SIDE = {2: 60, 3: 13, 4: 6}  # by the number of axes
MAX_ELEMENTS = 1200  # of one tensor
CLASSES = 5
PAD_MODES = dict(
    zero="constant",
    constant="constant",
    reflection="reflect",
    replication="replicate",
    circular="circular",
)
PAD_LAYERS = [
    f"{kind}_pad{axes}d" for kind in PAD_MODES for axes in (1, 2, 3) if (kind, axes) != ("zero", 2)
]


def output_size(size, kernel, stride, padding, dilation, ceil_mode=False):
    """Output size of a window along one axis; 0 when it does not fit."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if room < 0:
        return 0
    out = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (out - 1) * stride >= size + padding:
        out -= 1
    return out


def all_see_the_image(size, axis, out):
    """No dilated window lies in the padding alone: its maximum is -inf, in PyTorch too."""
    kernel, stride, padding, dilation = axis
    return all(
        any(0 <= index * stride - padding + tap * dilation < size for tap in range(kernel))
        for index in range(out)
    )


# Structures write them: what they take is no tensor like others.
NOT_DRAWN = {"affine_grid", "embedding"}
# Of one output in place of mse; their own draws, so that the rest of a network stays as it is.
LOSSES = ["mse", "cosface", "cosine", "hinge(p=2)", "cross_entropy", "arcface"]
# Losses that grow with the output and whose slopes do not: where a random network's output is
# millions, differences of such a loss are rounding.  So the output is bounded first.
STRAIGHT = {
    **{
        name: ["tanh"]
        for name in "l1 huber smooth_l1 bce_with_logits hinge hinge_embedding".split()
    },
    **{name: ["tanh", "log_softmax"] for name in ("nll", "kl_div")},
}
# Those of cosines take the values of a vector of length 1.
BOUNDS = {**STRAIGHT, "arcface": ["tanh", "normalize"], "cosface": ["tanh", "normalize"]}
# What netc's library has, and numbers for it: no jump lies where rounding would cross it.
LIBRARY = {
    **{name: {} for name in "hardsigmoid logsigmoid mish selu softsign tanhshrink".split()},
    **{name: {} for name in "quick_gelu squared_relu".split()},
    "celu": {"alpha": (0.7, 2)},
    "hardtanh": {"min_val": (-0.7,), "max_val": (0.4, 2)},
    "softplus": {"beta": (0.5, 2), "threshold": (20, 30)},
    "softshrink": {"lambd": (0.3,)},
    "swish": {"beta": (0.5, 2)},
    "threshold": {"threshold": (0,)},
}
# A call and what stands in it; its values, one by one.
CALL = re.compile(r"(?<![\w.])(\w+)\(((?:[^()]|\([^()]*\))*)\)")
VALUES = re.compile(r"(?:\[[^\]]*\]|\([^)]*\)|[^,\[(])+")
# Lists that one number cannot stand for, or stands for something else.
WHOLE_LISTS = {"pad", "normalized_shape"}
# Of several named outputs, and how many.
OF_OUTPUTS = {"triplet": 3, "contrastive": 2, "cosine": 2}
# Whose width is asserted, and not the channels.
OF_THE_LAST_AXIS = set("linear rnn gru lstm self_attention".split())


@functools.cache
def table():
    return {op["name"]: op for op in operators()}


def elementwise():
    """y[i] depends on x[i] alone (and on the other inputs' i): y may lie where x lies."""
    return {name for name, op in table().items() if {"in_place", "view"} & set(op["traits"])} | {
        "mul"
    }


def is_structural(op):
    """Joins and what ends a chain, which the structures write."""
    drawn_otherwise = {"joins", "loss", "source"} & set(op["traits"])
    return bool(drawn_otherwise) or op["name"] in NOT_DRAWN


def call(name, *positional, **named):
    words = [text(value) for value in positional] + [
        f"{key}={text(value)}" for key, value in named.items()
    ]
    return f"{name}({', '.join(words)})" if words else name


def same_number(word, other):
    """Whether both are the same value, as far as they say one."""
    try:
        return word == other or float(word) == float(other)
    except (TypeError, ValueError):
        return False


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(text, value)) + "]"
    return str(value)


def elements(shape):
    return math.prod(shape)


def of_rank(shape, rank):
    """The same values with so many axes: the last ones are joined, or axes of 1 follow."""
    joined = (*shape[: rank - 1], elements(shape[rank - 1 :]))
    return joined if len(shape) >= rank else (*shape, *[1] * (rank - len(shape)))


class Scope:
    """A block or the network: the tensors whose names are visible in it."""

    def __init__(self):
        self.tensors = []  # (name, shape)
        self.is_whole = False  # the network's own: not a block's, nor a branch's
        self.tokens = None  # the input's name, length and how many numbers there are, of an image
        self.inputs = 0  # of the network; none where there is one alone, which needs no name


class Writer:
    def __init__(self, seed, operators):
        self.random = random.Random(seed)
        self.other = random.Random(-1 - seed)
        self.third = random.Random(f"losses {seed}")
        self.operators = operators
        self.blocks = []  # texts
        self.functions = []  # (name, how many tensors, whether it has a number)
        self.names = 0
        self.budget = self.random.choice((3, 6, 9, 14))
        drawn = sorted(
            name for name, op in table().items() if name in operators and not is_structural(op)
        )
        self.favourite = drawn[seed % len(drawn)] if drawn else None  # not drawn yet
        self.turn = seed // max(len(drawn), 1)  # it was so often the favourite before
        self.eager = False  # its arguments are being drawn
        self.losses = []  # further lines of the train section
        self.aim = None  # the main loss and what stands before it, where the ending says so
        self.own_losses = []  # (name, how many outputs, its target, whether it has a number)
        self.bounds = []  # what follows the last layer
        self.uses = set()  # (operator, number of axes) of what was drawn
        self.library = False  # its activations are taken in
        self.of_arrays = False  # data of any shapes, which no folder of images has
        self.shape = None  # the first input's; None of whole numbers

    # ------------------------------------------------------------- drawing

    def chance(self, p):
        return self.random.random() < (max(p, 0.5) if self.eager else p)

    def pick(self, *values):
        return self.random.choice(values)

    def name(self, prefix="t"):
        self.names += 1
        return f"{prefix}{self.names}"

    def channels(self):
        return self.random.randint(1, MAX_CHANNELS)

    # ----------------------------------------------------------- operators
    # Each gives (statement, shape), or None where it does not fit.

    def simple(self, shape, name, *positional, **named):
        return (call(name, *positional, **named), shape) if name in self.operators else None

    def window(self, shape, max_padding=lambda kernel: kernel):
        """(kernel, stride, padding, dilation) per axis."""
        axes = []
        for size in shape[1:]:
            kernel = self.pick(1, 2, 2, 3, 3, 3, 4, 5, self.random.randint(1, size))
            axes.append(
                (
                    kernel,
                    self.pick(1, 1, 1, 2, 2, 3, 4),
                    self.random.randint(0, max_padding(kernel)),
                    self.pick(1, 1, 1, 2, 3),
                )
            )
        if self.chance(0.6):
            axes = [axes[0]] * len(axes)
        return axes

    def pairs(self, axes):
        return [sizes[0] if len(set(sizes)) == 1 else list(sizes) for sizes in zip(*axes)]

    def convolution(self, shape):
        c, name = shape[0], f"conv{len(shape) - 1}d"
        axes = self.window(shape, lambda kernel: kernel + 1)
        modes = ["zeros", "reflect", "replicate", "circular"]
        mode = modes[self.turn % 4] if self.eager else self.pick(*["zeros"] * 5, *modes)
        groups = self.pick(1, 1, 1, c, *[g for g in range(1, c + 1) if c % g == 0])
        out = groups * self.random.randint(1, max(1, MAX_CHANNELS // groups))
        if mode in ("reflect", "circular"):  # no more than there is
            most = [size - (mode == "reflect") for size in shape[1:]]
            axes = [(k, s, min(p, n), d) for (k, s, p, d), n in zip(axes, most)]
        kernel, stride, padding, dilation = self.pairs(axes)
        named = {}
        if self.chance(0.15):
            stride, axes = 1, [(k, 1, 0, d) for k, _, _, d in axes]
            padding, sizes = "same", list(shape[1:])
            if mode == "reflect" and any(
                d * (k - 1) >= 2 * size for (k, _, _, d), size in zip(axes, shape[1:])
            ):
                mode = "zeros"
            if mode == "circular" and any(
                d * (k - 1) > 2 * size for (k, _, _, d), size in zip(axes, shape[1:])
            ):
                mode = "zeros"
            if mode != "zeros" and any(
                d * (k - 1) // 2 + 1 >= size for (k, _, _, d), size in zip(axes, shape[1:])
            ):
                mode = "zeros"
        else:
            sizes = [output_size(size, *axis) for size, axis in zip(shape[1:], axes)]
        if stride != 1:
            named["stride"] = stride
        if padding != 0:
            named["padding"] = padding
        if dilation != 1:
            named["dilation"] = dilation
        if groups != 1:
            named["groups"] = groups
        if mode != "zeros" and padding != 0 or self.eager or self.chance(0.01):
            named["padding_mode"] = mode
        if padding == 0 and self.chance(0.2):
            named["padding"] = "valid"
        named |= self.parametrization()
        if self.chance(0.3):
            named["bias"] = False
        return call(name, out, kernel, **named), (out, *sizes)

    def pool(self, shape, name):
        axes = self.window(shape, lambda kernel: kernel // 2)
        if name.startswith("avg"):
            axes = [(k, s, p, 1) for k, s, p, _ in axes]
        if self.chance(0.4):
            axes = [(k, k, 0, 1) for k, _, _, _ in axes]
        ceil_mode = self.chance(0.25)
        sizes = [output_size(size, *axis, ceil_mode) for size, axis in zip(shape[1:], axes)]
        if not all(map(all_see_the_image, shape[1:], axes, sizes)):
            return "identity", shape
        kernel, stride, padding, dilation = self.pairs(axes)
        named = {
            key: value
            for key, value, default in (
                ("stride", stride, kernel),
                ("padding", padding, 0),
                ("dilation", dilation, 1),
            )
            if value != default
        }
        if ceil_mode:
            named["ceil_mode"] = True
        if name.startswith("avg") and self.chance(0.3):
            named["count_include_pad"] = False
        if name in ("avg_pool2d", "avg_pool3d") and self.chance(0.1):
            named["divisor_override"] = self.random.randint(1, 7)
        return call(name, kernel, **named), (shape[0], *sizes)

    def max_pool(self, shape):
        return self.pool(shape, f"max_pool{len(shape) - 1}d")

    def avg_pool(self, shape):
        return self.pool(shape, f"avg_pool{len(shape) - 1}d")

    def lp_pool(self, shape):
        """Of even powers: of others a negative sum has no root.  The first power is a sum."""
        axes = [(k, s, 0, 1) for k, s, _, _ in self.window(shape)]
        named = {"ceil_mode": True} if self.chance(0.25) else {}
        sizes = [output_size(size, *axis, bool(named)) for size, axis in zip(shape[1:], axes)]
        kernel, stride, _, _ = self.pairs(axes)
        if self.chance(0.3):
            named["stride"] = stride
        else:
            axes = [(k, k, 0, 1) for k, _, _, _ in axes]
            sizes = [output_size(size, *axis, bool(named)) for size, axis in zip(shape[1:], axes)]
        return call(f"lp_pool{len(shape) - 1}d", self.pick(1, 2, 2, 4), kernel, **named), (
            shape[0],
            *sizes,
        )

    def adaptive_pool(self, shape, kind):
        size = [self.random.randint(1, side + 2) for side in shape[1:]]
        if self.chance(0.3):
            size = [1] * len(size)
        return call(
            f"adaptive_{kind}_pool{len(size)}d", size[0] if len(set(size)) == 1 else size
        ), (shape[0], *size)

    def adaptive_avg_pool(self, shape):
        return self.adaptive_pool(shape, "avg")

    def adaptive_max_pool(self, shape):
        return self.adaptive_pool(shape, "max")

    def batch_norm(self, shape):
        named = {}
        if self.chance(0.15):
            named["affine"] = False
        if self.chance(0.15):
            named["eps"] = 0.01
        if self.chance(0.15):
            named["momentum"] = 0.3
        if self.chance(0.05):
            named["track_running_stats"] = True
        return call(f"batch_norm{max(1, len(shape) - 1)}d", **named), shape

    def parametrization(self):
        """How a layer's weight is made, mostly of nothing else."""
        plain = [{}] * 8
        made = self.pick({"weight_norm": True}, {"weight_standardization": 0.01}, *plain)
        if not made and self.other.random() < 0.08:
            made = {"spectral_norm": True}
            made |= {"n_power_iterations": 2} if self.other.random() < 0.5 else {}
        return made

    def group_norm(self, shape):
        groups = self.pick(1, *[g for g in range(1, shape[0] + 1) if shape[0] % g == 0])
        if groups == elements(shape):
            return "relu", shape  # one value is its own mean
        named = {"affine": False} if self.chance(0.3) else {}
        return call("group_norm", groups, **named), shape

    def instance_norm(self, shape):
        named = {}
        if elements(shape[1:]) == 1:
            return "relu", shape
        if self.chance(0.5):
            named["affine"] = True
        if self.chance(0.3):
            named |= {"track_running_stats": True, "momentum": 0.3}
        if self.chance(0.15):
            named["eps"] = 0.01
        return call(f"instance_norm{len(shape) - 1}d", **named), shape

    def local_response_norm(self, shape):
        named = {"alpha": self.pick(1e-4, 0.5), "beta": self.pick(0.75, 0.5, 1, 0.3)}
        named |= {"k": self.pick(0.5, 2)} if self.chance(0.3) else {}
        return call("local_response_norm", self.random.randint(1, shape[0] + 2), **named), shape

    def norm_of_last_axes(self, shape, name):
        count, named = self.random.randint(1, len(shape)), {}
        if self.chance(0.2):
            named["elementwise_affine"] = False
        elif name == "layer_norm" and self.chance(0.2):
            named["bias"] = False
        if self.chance(0.3):
            named["eps"] = 0.01
        if self.chance(0.3):
            sizes = [self.pick(size, size, "_") for size in shape[-count:]]
            return call(name, sizes, **named), shape
        if count > 1 or len(shape) > 2 or self.chance(0.2):
            axes = [self.axis(axis, shape) for axis in range(len(shape))[-count:]]
            named["axes"] = axes if len(axes) > 1 else axes[0]
        return call(name, **named), shape

    def layer_norm(self, shape):
        return self.norm_of_last_axes(shape, "layer_norm")

    def rms_norm(self, shape):
        return self.norm_of_last_axes(shape, "rms_norm")

    def glu(self, shape):
        even = [axis for axis, size in enumerate(shape) if size % 2 == 0]
        if not even:
            return "tanh", shape
        axis = self.pick(*even)
        out = (*shape[:axis], shape[axis] // 2, *shape[axis + 1 :])
        return call("glu", self.axis(axis, shape)), out

    def dropout(self, shape):
        return call("dropout", *([] if self.chance(0.3) else [self.pick(0, 0.1, 0.4, 0.8)])), shape

    def zero_pad2d(self, shape):
        left, right, top, bottom = (self.pick(-1, 0, 0, 1, 2, 3) for _ in range(4))
        alike = left == top == 1  # one number for all sides, without a draw of its own
        right, bottom = (1, 1) if alike else (right, bottom)
        return call("zero_pad2d", 1 if alike else [left, right, top, bottom]), (
            shape[0],
            shape[1] + top + bottom,
            shape[2] + left + right,
        )

    def upsample(self, shape):
        axes = len(shape) - 1
        mode = self.pick("nearest", *["linear bilinear trilinear".split()[axes - 1]] * 2)
        mode = "bicubic" if axes == 2 and self.chance(0.2) else mode
        mode = '"nearest-exact"' if self.chance(0.1) else mode
        named = {"mode": mode} if mode != "nearest" or self.chance(0.2) else {}
        if "nearest" not in mode and self.chance(0.5):
            named["align_corners"] = self.chance(0.5)
        if self.chance(0.3):
            size = [self.random.randint(1, side + 5) for side in shape[1:]]
            return call("upsample", size=size, **named), (shape[0], *size)
        factors = [self.pick(1, 2, 3, 1.5) for _ in shape[1:]]
        out = [int(side * factor) for side, factor in zip(shape[1:], factors)]
        if len(set(factors)) == 1:
            factors = factors[0]
        return call("upsample", factors, **named), (shape[0], *out)

    def some_axes(self, shape):
        axes = self.random.sample(range(len(shape)), self.random.randint(1, len(shape)))
        return axes, [self.axis(axis, shape) for axis in axes]

    def reduction(self, shape, name):
        axes, written = self.some_axes(shape)
        keep = self.chance(0.5)
        out = [1 if axis in axes else n for axis, n in enumerate(shape) if keep or axis not in axes]
        named = {"keep": keep} if keep or self.chance(0.2) else {}
        return call(name, written[0] if len(axes) == 1 else written, **named), tuple(out or [1])

    def normalize(self, shape):
        """By an eps that is no small number: what is all 0 has a gradient that is 1 / eps."""
        named = {"p": self.pick(1, 2, 2, 3), "eps": self.pick(0.1, 0.5, 1)}
        return call(
            "normalize", **named, dim=self.axis(self.random.randrange(len(shape)), shape)
        ), (shape)

    def along_axis(self, shape, name):
        return call(name, axis=self.axis(self.random.randrange(len(shape)), shape)), shape

    def roll(self, shape):
        if self.chance(0.2):
            return call("roll", self.random.randint(-9, 9)), shape
        axes, written = self.some_axes(shape)
        return call("roll", [self.random.randint(-9, 9) for _ in axes], dims=written), shape

    def flip(self, shape):
        return call("flip", self.some_axes(shape)[1]), shape

    def pixel_shuffle(self, shape):
        r = self.pick(*[r for r in (1, 2, 3) if shape[0] % (r * r) == 0])
        return call("pixel_shuffle", r), (shape[0] // (r * r), shape[1] * r, shape[2] * r)

    def pixel_unshuffle(self, shape):
        r = self.pick(*[r for r in (1, 2, 3) if shape[1] % r == shape[2] % r == 0])
        return call("pixel_unshuffle", r), (shape[0] * r * r, shape[1] // r, shape[2] // r)

    def sides(self, shape, axes, mode):
        """Numbers before and behind the last axes, the last first, and the shape then."""
        pads, out = [], list(shape)
        least = min({"reflect": size - 1, "circular": size}.get(mode, 3) for size in shape[-axes:])
        if self.chance(0.15):  # as many on all sides
            ends = self.random.randint(0, min(least, 3))
            return [ends] * 2 * axes, (*out[:-axes], *(size + 2 * ends for size in out[-axes:]))
        for axis in range(len(shape) - 1, len(shape) - 1 - axes, -1):
            size = shape[axis]
            most = min({"reflect": size - 1, "circular": size}.get(mode, 3), 3)
            ends = [self.random.randint(0, most), self.random.randint(0, most)]
            if mode in ("constant", "replicate") and size > 1 and self.chance(0.2):
                ends[self.random.randrange(2)] = -self.random.randint(1, size - 1)
            pads += ends
            out[axis] += sum(ends)
        return pads, tuple(out)

    def pad(self, shape):
        mode = self.pick("constant", "reflect", "replicate", "circular")
        pads, out = self.sides(shape, self.random.randint(1, len(shape)), mode)
        named = {"mode": mode} if mode != "constant" or self.chance(0.3) else {}
        if mode == "constant" and self.chance(0.5):
            named["value"] = self.pick(-1, 0.5)
        return call("pad", pads, **named), out

    def pad_layer(self, shape, name):
        mode = PAD_MODES[name.split("_")[0]]
        pads, out = self.sides(shape, len(shape) - 1, mode)
        if name.startswith("constant"):
            return call(name, pads, self.pick(-1, 0.5)), out
        return call(name, pads), out

    def layer_norm2d(self, shape):
        named = {"affine": False} if self.chance(0.2) else {"eps": 0.01} if self.chance(0.3) else {}
        return call("layer_norm2d", **named), shape

    def layer_scale(self, shape):
        return call("layer_scale", *([] if self.chance(0.3) else [0.5])), shape

    def flatten(self, shape):
        """All axes, or some; it may be asked for those that it takes by default."""
        if self.chance(0.5):
            return "flatten", (elements(shape),)
        start, end = sorted(self.random.randint(0, len(shape) - 1) for _ in range(2))
        joined = elements(shape[start : end + 1])
        named = {} if end == len(shape) - 1 else {"end": self.axis(end, shape)}
        return (
            call("flatten", self.axis(start, shape), **named),
            (*shape[:start], joined, *shape[end + 1 :]),
        )

    def axis(self, axis, shape):
        """… counted from one end or the other."""
        return axis - self.pick(0, len(shape))

    def reshape(self, shape):
        left, out = elements(shape), []
        for _ in range(self.random.randint(0, 3)):
            out.append(self.pick(*[n for n in range(1, left + 1) if left % n == 0]))
            left //= out[-1]
        out.append(left)
        self.random.shuffle(out)
        asked = list(out)
        if self.chance(0.4):
            asked[self.random.randrange(len(asked))] = "_"
        return call("reshape", asked), tuple(out)

    def permute(self, shape):
        order = self.random.sample(range(len(shape)), len(shape))
        dims = [self.axis(axis, shape) for axis in order]
        return call("permute", dims), tuple(shape[axis] for axis in order)

    def transpose(self, shape):
        first, second = -2, -1
        named = {}
        if self.chance(0.5):
            first, second = (self.random.randrange(len(shape)) for _ in range(2))
            named = {"dim0": self.axis(first, shape), "dim1": self.axis(second, shape)}
        out = list(shape)
        out[first], out[second] = out[second], out[first]
        return call("transpose", **named), tuple(out)

    def slice(self, shape):
        axis = self.random.randrange(len(shape))
        size = shape[axis]
        first = self.random.randint(0, size - 1)
        last, step = self.random.randint(first + 1, size), self.pick(1, 1, 2, 3)
        named = {} if last == size else {"to": last - self.pick(0, size)}
        if axis or self.chance(0.2):
            named["axis"] = self.axis(axis, shape)
        if step > 1:
            named["step"] = step
        return call("slice", first - self.pick(0, size), **named), (
            *shape[:axis],
            len(range(first, last, step)),
            *shape[axis + 1 :],
        )

    def linear(self, shape):
        """Of the last axis.  Something has to say that an image's is that."""
        *rows, last = shape
        wide = not rows and last >= 64 and self.chance(0.4)
        out = 16384 // last + self.random.randint(0, 9) if wide else self.random.randint(1, 40)
        named = {"bias": False} if self.chance(0.2) else {}
        made = self.parametrization()
        if not made and out % 20 == 7:  # without a draw of its own
            made = {"unit_norm": True}
        named |= made
        statement = call("linear", min(out, 270), **named)
        if len(rows) > 1:
            statement = f"{call('reshape', list(shape))};  {statement}"
        return statement, (*rows, min(out, 270))

    def attention(self, shape):
        """A linear layer makes queries, keys and values of what is not divided so."""
        heads, width = self.pick(1, 2, 3, 4), self.random.randint(1, 4)
        kv_heads = self.pick(*[n for n in range(1, heads + 1) if heads % n == 0])
        named = {} if kv_heads == heads else {"kv_heads": kv_heads}
        if self.chance(0.5):
            named["causal"] = True
        named |= self.some(scale=(0.5,), window=(1, 4), dropout=(0.3,))
        parts = (heads + 2 * kv_heads) * width
        before, masks = self.masks(shape, heads, shape[-2])
        return (
            f"{self.arranged(shape)}{before}{call('linear', parts)};  "
            f"{call('attention', heads, **named, **masks)}",
            (*shape[:-1], heads * width),
        )

    def masks(self, shape, heads, keys):
        """Statements that name what is added to scores, mostly none, and the argument for it."""
        left, names = self.name(), []
        statements = f"identity as {left};  "
        scores = (*shape[:-2], heads, shape[-2], keys)
        for _ in range(self.other.choice((0, 0, 1, 2) if not self.eager else (1, 2))):
            rank = self.other.randint(2, len(scores))
            sizes = [self.other.choice((1, size, size)) for size in scores[-rank:]]
            names.append(self.name("mask"))
            statements += f"parameter({text(sizes)}, normal(std=0.5)) as {names[-1]};  "
        if not names:
            return "", {}
        return f"{statements}from {left};  ", {"mask": names if len(names) > 1 else names[0]}

    def arranged(self, shape):
        """What says that the last axis of three is one of features."""
        return f"{call('reshape', list(shape))};  " if len(shape) > 2 else ""

    def rotary(self, shape):
        """Of as many heads as there are whole pairs for, the first features."""
        if shape[-1] < 2:
            return self.attention(shape)
        heads = self.random.randint(1, shape[-1] // 2)
        width = shape[-1] // heads // 2 * 2
        divided = width * heads == shape[-1] and self.other.random() < 0.5
        named = {} if divided else {"head_width": width}
        named = {**named, **self.some(pairs=("interleaved", "halves"))}
        if self.other.random() < 0.3:
            named["base"] = self.other.choice((100, 2.5))
        if width > 2 and self.other.random() < 0.3:
            named["rotated"] = 2 * self.other.randint(1, width // 2)
        return f"{self.arranged(shape)}{call('rotary', heads, **named)}", shape

    def self_attention(self, shape):
        heads = self.pick(*[n for n in range(1, shape[-1] + 1) if shape[-1] % n == 0][:4])
        named = self.some(causal=(True,), bias=(False,))
        if self.other.random() < 0.3:
            named["dropout"] = 0.3
        before, masks = self.masks(shape, heads, shape[-2])
        made = call("self_attention", heads, **named, **masks)
        return f"{self.arranged(shape)}{before}{made}", shape

    def recurrent(name):
        def draw(self, shape):
            size, layers = self.random.randint(1, 20), self.pick(1, 1, 2)
            both, last = self.chance(0.4), self.chance(0.3)
            named = {"bidirectional": True} if both else {}
            named |= {"last": True} if last else {}
            named |= {"bias": False} if self.chance(0.2) else {}
            named |= {"num_layers": layers} if layers > 1 else {}
            named |= {"dropout": 0.2} if layers > 1 and self.chance(0.5) else {}
            named |= {"nonlinearity": self.pick("tanh", "relu")} if name == "rnn" else {}
            state = size
            if name == "lstm" and size > 1 and self.chance(0.3):
                state = named["proj_size"] = self.random.randint(1, size - 1)
            out, rows = state * (2 if both else 1), layers * (2 if both else 1)
            begin = [("h0", state)] + ([("c0", size)] if name == "lstm" else [])
            before, given = self.begun_with(rows, begin)
            made = call(name, size, **named, **given)
            return f"{before}{made}", (out,) if last else (shape[0], out)

        return draw

    def begun_with(self, rows, sizes):
        """Statements that name what a recurrent layer begins with, mostly nothing, and its
        arguments for them."""
        given = {
            name: (self.name("before"), size)
            for name, size in sizes
            if self.other.random() < (0.7 if self.eager else 0.2)
        }
        if not given:
            return "", {}
        left = self.name()
        tensors = [
            f"parameter({text([rows, size])}, normal(std=0.5)) as {tensor};  "
            for tensor, size in given.values()
        ]
        statements = f"identity as {left};  {''.join(tensors)}from {left};  "
        return statements, {name: tensor for name, (tensor, _) in given.items()}

    # -------------------------------------------- operators, by their table

    def value(self, argument, shape, roles):
        """What an argument may be, or None; `roles`: those that have been drawn."""
        role, low, high = argument["role"], argument.get("minimum", -1), argument.get("maximum", 1)
        if role in roles:
            return roles[role]
        if argument["assertion"]:
            return shape[0]
        if argument["kind"] == "bool":
            return self.chance(0.5)
        if argument["kind"] == "word":
            words = argument["words"]
            return words[self.turn % len(words)] if self.eager else self.pick(*words)
        if argument["kind"] == "real":
            return self.pick(*[real for real in (0.2, 0.5, 0, 1, -0.5) if low <= real <= high])
        return None

    def roles(self, op, shape):
        """A value for every role that an argument can have, as a number or one for each axis."""
        groups = self.pick(1, 1, *[g for g in range(1, shape[0] + 1) if shape[0] % g == 0])
        drawn = {
            "groups": groups,
            "channels": groups * self.random.randint(1, max(1, MAX_CHANNELS // groups)),
            "per_channel": self.pick(1, shape[0]),
            "ceil_mode": self.chance(0.25),
        }
        if op["window"] in ("slides", "transposed"):
            axes = self.window(
                shape, lambda kernel: kernel - 1 if op["window"] == "transposed" else kernel // 2
            )
            drawn |= dict(zip(("kernel", "stride", "padding", "dilation"), map(list, zip(*axes))))
            drawn["output_padding"] = [
                self.random.randint(0, max(stride, dilation) - 1) for _, stride, _, dilation in axes
            ]
        if op["window"] == "fitted":
            drawn["output_size"] = [self.random.randint(1, side + 2) for side in shape[1:]]
            drawn["scale"] = [self.random.randint(1, 3) for _ in shape[1:]]
        return drawn

    def size_after(self, op, roles, size, axis):
        kernel, stride, padding, dilation, more = (
            roles[role][axis]
            for role in ("kernel", "stride", "padding", "dilation", "output_padding")
        )
        if op["window"] == "transposed":
            return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + more
        return output_size(size, kernel, stride, padding, dilation, roles["ceil_mode"])

    def made_in_one_way(self, named):
        """Of what was drawn of a layer's weight, one is left."""
        if not named.get("spectral_norm"):
            return
        named.pop("weight_norm", None)
        if self.other.random() < 0.5:
            named["n_power_iterations"] = 2

    def drawn(self, shape, op):
        """A use of any operator that its table describes.  Of the arguments that say a size,
        all are written or none."""
        roles = self.roles(op, shape)
        sizes = set(
            "kernel stride padding dilation output_padding ceil_mode output_size scale channels "
            "groups".split()
        )
        named = {}
        for argument in op["arguments"]:
            if (
                argument["required"]
                or argument["role"] in sizes
                or self.chance(0.1 if argument["assertion"] else 0.4)
            ):
                value = self.value(argument, shape, roles)
                if value is not None:
                    named[argument["name"]] = (
                        value[0] if isinstance(value, list) and len(set(value)) == 1 else value
                    )
        self.made_in_one_way(named)
        has = {argument["role"] for argument in op["arguments"]}
        channels = roles["channels"] if "channels" in has else shape[0]
        if op["window"] in ("slides", "transposed"):
            defaults = {
                "stride": roles["kernel"],
                "padding": [0] * len(roles["kernel"]),
                "dilation": [1] * len(roles["kernel"]),
                "output_padding": [0] * len(roles["kernel"]),
                "ceil_mode": False,
            }
            roles |= {role: value for role, value in defaults.items() if role not in has}
            return call(op["name"], **named), (
                channels,
                *(self.size_after(op, roles, size, axis) for axis, size in enumerate(shape[1:])),
            )
        if op["window"] == "fitted":
            return call(op["name"], **named), (
                channels,
                *(
                    roles["output_size"]
                    if "output_size" in has
                    else [side * factor for side, factor in zip(shape[1:], roles["scale"])]
                ),
            )
        return call(op["name"], **named), (channels, *shape[1:])

    # Those of which the table leaves something unsaid.
    DRAWN_BY = {
        "conv1d": convolution,
        "conv2d": convolution,
        "conv3d": convolution,
        "max_pool1d": max_pool,
        "max_pool2d": max_pool,
        "max_pool3d": max_pool,
        "avg_pool1d": avg_pool,
        "avg_pool2d": avg_pool,
        "avg_pool3d": avg_pool,
        "lp_pool1d": lp_pool,
        "lp_pool2d": lp_pool,
        "adaptive_avg_pool1d": adaptive_avg_pool,
        "adaptive_avg_pool2d": adaptive_avg_pool,
        "adaptive_avg_pool3d": adaptive_avg_pool,
        "adaptive_max_pool1d": adaptive_max_pool,
        "adaptive_max_pool2d": adaptive_max_pool,
        "adaptive_max_pool3d": adaptive_max_pool,
        "batch_norm1d": batch_norm,
        "batch_norm2d": batch_norm,
        "batch_norm3d": batch_norm,
        "group_norm": group_norm,
        "instance_norm1d": instance_norm,
        "instance_norm2d": instance_norm,
        "instance_norm3d": instance_norm,
        "local_response_norm": local_response_norm,
        "layer_norm": layer_norm,
        "rms_norm": rms_norm,
        "glu": glu,
        "zero_pad2d": zero_pad2d,
        "upsample": upsample,
        "layer_norm2d": layer_norm2d,
        "layer_scale": layer_scale,
        "dropout": dropout,
        "rrelu": lambda self, shape: self.rrelu(shape),
        "linear": linear,
        "rotary": rotary,
        "attention": attention,
        "self_attention": self_attention,
        "rnn": recurrent("rnn"),
        "gru": recurrent("gru"),
        "lstm": recurrent("lstm"),
        "flatten": flatten,
        "reshape": reshape,
        "permute": permute,
        "transpose": transpose,
        "slice": slice,
        "normalize": normalize,
        "roll": roll,
        "flip": flip,
        "pixel_shuffle": pixel_shuffle,
        "pixel_unshuffle": pixel_unshuffle,
        "pad": pad,
        **{
            name: functools.partial(
                lambda self, shape, name: self.reduction(shape, name), name=name
            )
            for name in ("mean", "sum", "max", "argmax")
        },
        **{
            name: functools.partial(
                lambda self, shape, name: self.along_axis(shape, name), name=name
            )
            for name in ("softmax", "softmin", "log_softmax", "cumsum")
        },
        **{
            name: functools.partial(
                lambda self, shape, name: self.pad_layer(shape, name), name=name
            )
            for name in PAD_LAYERS
        },
    }
    # How often: 1 unless told here, of those for sequences or volumes alone, which are rare, 3.
    WEIGHTS = {
        "conv1d": 6,
        "conv2d": 6,
        "conv3d": 6,
        "linear": 3,
        "flatten": 0.5,
        "max_pool2d": 2,
        "avg_pool2d": 2,
        "batch_norm2d": 2,
        "relu": 2,
        # A tie that is none after rounding is another position.
        "argmax": 0.2,
        **{name: 2 if name[-2:] in ("1d", "3d") else 0.6 for name in PAD_LAYERS},
    }

    def weight(self, op):
        return self.WEIGHTS.get(op["name"], 3 if op["rank"] in (2, 4) else 1)

    def use(self, op, shape):
        """(statement, shape) of one operator, which may come out too large or empty."""
        draw = self.DRAWN_BY.get(op["name"])
        statement, out = draw(self, shape) if draw else self.drawn(shape, op)
        return self.with_more(op, statement, shape), out

    def with_more(self, op, statement, shape):
        """… with arguments that change nothing, or hardly anything."""
        last = statement.rpartition(";  ")[2]
        if re.match(r"\w+", last)[0] != op["name"]:
            return statement
        width = shape[-1 if op["name"] in OF_THE_LAST_AXIS else 0]
        more = {
            argument["name"]: width if argument["assertion"] else argument.get("words", [0.01])[0]
            for argument in op["arguments"]
            if not re.search(rf"\b{argument['name']}=", last)
            and (
                argument["assertion"]
                or argument["role"] == "epsilon"
                or (argument["kind"] == "word" and len(argument["words"]) == 1)
            )
            and self.chance(0.03)
        }
        if not more:
            return statement
        inside = ", ".join(f"{name}={text(value)}" for name, value in more.items())
        return f"{statement[:-1]}, {inside})" if last.endswith(")") else f"{statement}({inside})"

    def favoured(self, shape):
        """A use of the favourite, where it fits."""
        op, self.eager = table()[self.favourite], True
        found = None
        for _ in range(10 if len(shape) in op["ranks"] else 0):
            statement, out = self.use(op, shape)
            if op["name"] in statement and all(size > 0 for size in out) and self.fits(out):
                found, self.favourite = self.noted(op, shape, statement, out), None
                break
        self.eager = False
        return found

    def operator(self, shape):
        """One statement that fits `shape` and gives a tensor that is not too large."""
        rows = [
            op
            for name, op in table().items()
            if name in self.operators and not is_structural(op) and len(shape) in op["ranks"]
        ]
        favoured = self.favoured(shape) if self.favourite else None
        for _ in range(0 if favoured else 30):
            (op,) = self.random.choices(rows, [self.weight(op) for op in rows])
            statement, out = self.use(op, shape)
            if all(size > 0 for size in out) and self.fits(out):
                return self.noted(op, shape, statement, out)
        return favoured or ("relu", shape)

    def noted(self, op, shape, statement, out):
        """(statement, shape), of which is kept that the operator was drawn."""
        if re.search(rf"\b{op['name']}\b", statement):
            self.uses.add((op["name"], len(shape)))
        return statement, out

    @staticmethod
    def fits(shape):
        return elements(shape) <= MAX_ELEMENTS

    def activation(self):
        return self.random.choice(
            [
                name
                for name in "relu relu tanh sigmoid silu leaky_relu hardswish gelu".split()
                if name in self.operators
            ]
        )

    # ---------------------------------------------------------- structures

    def mixing(self, shape, channels, kernel=1, **named):
        """A layer that makes so many channels of them and keeps the other axes."""
        if len(shape) == 1:
            return call("linear", channels)
        return call(f"conv{len(shape) - 1}d", channels, kernel, **named)

    def repair(self, lines, shape, wanted):
        """Statements that bring `shape` to `wanted`, appended to `lines`."""
        if len(shape) != len(wanted):
            shape = of_rank(shape, len(wanted))
            lines.append(call("reshape", list(shape)))
        if shape[0] != wanted[0]:
            bias = {"bias": False} if len(shape) > 1 and self.chance(0.5) else {}
            lines.append(self.mixing(shape, wanted[0], **bias))
        if shape[1:] != wanted[1:]:
            pool = self.pick("avg", "avg", "max")
            size = list(wanted[1:]) if len(wanted) > 2 else wanted[1]
            lines.append(call(f"adaptive_{pool}_pool{len(wanted) - 1}d", size))

    def body(self, scope, shape, depth, wanted=None, steps=None):
        """Indented statements and their shape; brought to `wanted` if given."""
        lines = []
        for _ in range(self.random.randint(0, 3) if steps is None else steps):
            shape = self.step(scope, lines, shape, depth, flat=False)
        if wanted is not None:
            self.repair(lines, shape, wanted)
            shape = wanted
        return lines, shape

    @staticmethod
    def braces(head, lines, tail=""):
        if not lines:
            return [f"{head} {{ }}{tail}"]
        return [f"{head} {{"] + ["    " + line for line in lines] + [f"}}{tail}"]

    def inner(self, scope):
        """A scope whose names are forgotten again: what is inside is not visible outside."""
        inner = Scope()
        inner.tensors, inner.tokens = list(scope.tensors), scope.tokens
        return inner

    def join(self, scope, lines, shape, depth):
        """concat, add or mul of two to four branches."""
        kind = self.pick("concat", "concat", "add", "add", "mul")
        count = self.random.randint(2, 4)
        wanted = (
            None
            if kind == "concat"
            else shape
            if self.chance(0.7)
            else (self.channels(), *shape[1:])
        )
        if len(shape) == 1 and wanted is not None:
            wanted = shape
        statements, channels, sides = [], 0, None
        for i in range(count):
            inner = self.inner(scope)
            start, head = shape, []
            others = scope.tensors
            if others and self.chance(0.25):
                name, start = self.random.choice(others)
                head = [f"from {name}"]
            rest, out = self.body(inner, start, depth + 1, wanted)
            if kind == "concat":
                sides = out[1:] if sides is None else sides
                self.repair(rest, out, (out[0], *sides))
                out = (out[0], *sides)
            channels += out[0]
            statements += self.braces("branch", head + rest)
        if kind != "concat":
            out = wanted
        else:
            out = (channels, *sides)
        lines += self.braces(kind, statements)
        return out

    def squeeze(self, scope, lines, shape, depth):
        """Squeeze-and-excitation: the one broadcast."""
        excite = [call("adaptive_avg_pool2d", 1), call("conv2d", shape[0], 1), self.activation()]
        first, second = self.braces("branch", []), self.braces("branch", excite)
        lines += self.braces("mul", first + second if self.chance(0.7) else second + first)
        return shape

    def spread(self, scope, lines, shape, depth):
        """A branch with axes of 1, which are repeated; of two of them each may have some."""
        branches, out = [], [1] * len(shape)
        for _ in range(self.random.randint(2, 3)):
            axes, written = self.some_axes(shape)
            if self.chance(0.3):
                axes, body = [], [self.activation()]
            else:
                body = [call(self.pick("mean", "sum", "max"), written, keep=True)]
            out = [n if axis not in axes else now for axis, (n, now) in enumerate(zip(shape, out))]
            branches += self.braces("branch", body)
        lines += self.braces(self.pick("add", "mul"), branches)
        return tuple(out)

    def product(self, scope, lines, shape, depth):
        """Of a matrix, or of each of several, with its own transposed one."""
        if len(shape) == 1:
            return self.bilinear(scope, lines, shape, depth)
        first, second = ["tanh"], ["transpose"]
        out = (*shape[:-1], shape[-2])
        if self.chance(0.5):
            first, second, out = ["transpose"], ["tanh"], (*shape[:-2], shape[-1], shape[-1])
        if len(shape) > 2 and self.chance(0.4):
            self.pick(first, second).append("slice(0, 1)")
        lines += self.braces(
            "matmul", self.braces("branch", first) + self.braces("branch", second)
        ) + ["tanh"]
        return out

    def bilinear(self, scope, lines, shape, depth):
        out, named = self.random.randint(1, 6), {"bias": False} if self.chance(0.3) else {}
        lines += (
            [call("reshape", list(shape))]
            + self.braces(
                call("bilinear", out_features=out, **named),
                self.braces("branch", [self.activation()]) + self.braces("branch", ["tanh"]),
            )
            + ["tanh"]
        )
        return (*shape[:-1], out)

    def attended(self, scope, lines, shape, depth):
        """Attention of a query to keys and values that are fewer and of other widths."""
        if len(shape) not in (2, 3) or shape[-1] > 60:
            return self.bilinear(scope, lines, shape, depth)
        keys, left = self.random.randint(1, shape[-2]), self.name()
        named = self.some(causal=(True,), dropout=(0.3,))
        heads = self.pick(*[n for n in range(1, shape[-1] + 1) if shape[-1] % n == 0][:4])
        before, masks = self.masks(shape, heads, keys)
        lines.append(f"{self.arranged(shape)}{before}identity as {left}")
        fewer = [call("slice", 0, keys, axis=-2)]
        if self.chance(0.5):
            widths = {"kdim": self.random.randint(1, 6), "vdim": self.random.randint(1, 6)}
            named |= self.some(bias=(False,), embed_dim=(shape[-1],))
            named |= {name: width for name, width in widths.items() if self.chance(0.5)}
            sides = [fewer + [call("linear", width)] for width in widths.values()]
            branches = [self.braces("branch", side) for side in ([], *sides)]
            head = call("multihead_attention", heads=heads, **named, **masks)
            lines += self.braces(head, sum(branches, []))
            return shape
        kv_heads = self.pick(*[n for n in range(1, heads + 1) if heads % n == 0])
        width, of_value = self.random.randint(1, 4), self.random.randint(1, 4)
        q, k, v = (self.name(letter) for letter in "qkv")
        lines += [
            f"{call('linear', heads * width)} as {q}",
            f"from {left};  {fewer[0]};  {call('linear', kv_heads * width)} as {k}",
            f"from {left};  {fewer[0]};  {call('linear', kv_heads * of_value)} as {v}",
            call("attention", q, k, v, heads=heads, kv_heads=kv_heads, **named, **masks),
        ]
        return (*shape[:-1], heads * of_value)

    def joined_along(self, scope, lines, shape, depth):
        axis = self.random.randrange(len(shape))
        end = self.random.randint(1, shape[axis])
        branches = self.braces("branch", [call("slice", 0, end, axis=axis), self.activation()])
        branches += self.braces("branch", [])
        lines += self.braces(call("concat", axis=self.axis(axis, shape)), branches)
        return (*shape[:axis], shape[axis] + end, *shape[axis + 1 :])

    def sampled(self, scope, lines, shape, depth):
        axes = len(shape) - 1
        if axes < 2:
            return self.joined_along(scope, lines, shape, depth)
        size = [self.random.randint(1, 4) for _ in range(axes)]
        count = elements((*size, axes))
        named = {
            "mode": self.pick("bilinear", "nearest", *["bicubic"] * (axes == 2)),
            "padding_mode": self.pick("zeros", "border", "reflection"),
            "align_corners": self.chance(0.5),
        }
        grid = ["flatten", call("linear", count), call("reshape", [*size, axes])]
        if self.chance(0.5):
            flags = self.some(align_corners=(True, False))
            affine = self.pick(
                call("affine_grid", size, **flags), call("affine_grid", size=size, **flags)
            )
            count = axes * (axes + 1)
            grid = ["flatten", call("linear", count), call("reshape", [axes, axes + 1]), affine]
        branches = self.braces("branch", []) + self.braces("branch", grid)
        lines += self.braces(call("grid_sample", **named), branches)
        return (shape[0], *size)

    def skip(self, scope, lines, shape, depth):
        inner = self.inner(scope)
        if self.chance(0.35) and len(shape) > 1:
            rest, out = self.body(inner, shape, depth + 1)
            shortcut = []
            self.repair(shortcut, shape, out)
            if self.chance(0.3) and len(out) == 3:
                shortcut.append("batch_norm2d")
            made = self.braces("skip", rest)
            made[-1] += " shortcut {" + ("" if shortcut else " }")
            lines += made + (["    " + line for line in shortcut] + ["}"] if shortcut else [])
            return out
        rest, _ = self.body(inner, shape, depth + 1, shape)
        head = self.pick("skip", "skip", "skip", "skip if 3 < 2", "skip if true")
        lines += self.braces(head, rest)
        return shape

    def dense(self, scope, lines, shape, depth):
        layers, growth = self.random.randint(1, 3), self.random.randint(1, 3)
        inner = []
        if len(shape) > 1:
            if len(shape) == 3 and self.chance(0.5):
                inner += ["batch_norm2d"]
            if self.chance(0.7):
                inner += ["relu"]
        inner += [self.mixing(shape, growth, self.pick(1, 3), padding="same")]
        if self.chance(0.3):
            inner += [self.activation()]
        out = (shape[0] + layers * growth, *shape[1:])
        if not self.fits(out):
            return shape
        lines += self.braces(f"dense {layers}", inner)
        return out

    def repeat(self, scope, lines, shape, depth):
        rest, _ = self.body(self.inner(scope), shape, depth + 1, shape)
        lines += self.braces(
            f"repeat {self.random.randint(0, 3)}" + (" as i" if self.chance(0.3) else ""), rest
        )
        return shape

    def condition(self, scope, lines, shape, depth):
        """One side is taken; the other, with a layer that would not fit, is not there."""
        rest, out = self.body(self.inner(scope), shape, depth + 1)
        never = ["linear(3)", "conv2d(3, 99)"]
        truth = self.pick("true", "5 // 2 == 2", "3 > 2 and not false")
        if self.chance(0.5):
            lines += self.braces(f"if not ({truth})", never)[:-1] + self.braces("} else", rest)
        else:
            lines += self.braces(f"if {truth}", rest + ["identity"])[:-1] + self.braces(
                "} else", never
            )
        return out

    def iterations(self, scope, lines, shape, depth):
        """A list of named layers; one of them is joined again afterwards."""
        count, name = self.random.randint(1, 3), self.name()
        layer = self.mixing(shape, shape[0], self.pick(1, 3), padding="same")
        quoted = depth == 0 and self.chance(0.5)  # inside another repeat the name would come twice
        lines += self.braces(
            f"repeat {count} as i",
            [
                f'{layer} as "{name}_{{i * 2}}"' if quoted else f"{layer} as {name}",
                self.activation(),
            ],
        )
        last = self.random.randint(0, count - 1)
        lines.append(f"add({name}_{2 * last})" if quoted else f"add({name}.{last})")
        return shape

    def borrowed(self, scope, lines, shape, depth):
        """A block that is handed a tensor and an activation."""
        others = [entry for entry in scope.tensors if entry[1] == shape]
        if not others:
            return self.named(scope, lines, shape, depth)
        name = self.name("Block")
        rest, _ = self.body(Scope(), shape, depth + 1, shape)
        self.blocks += self.braces(
            f"block {name}(other, act)", rest + ["act", f"{self.pick('add', 'concat')}(other)"]
        ) + [""]
        joined = self.blocks[-3].strip().startswith("concat")
        lines.append(f"{name}({self.random.choice(others)[0]}, {self.activation()})")
        return (2 * shape[0], *shape[1:]) if joined else shape

    def block(self, scope, lines, shape, depth):
        """A block of its own, used once or twice."""
        name = self.name("Block")
        keeps = len(shape) == 1 or self.chance(0.5)
        rest, out = self.body(Scope(), shape, depth + 1, shape if keeps else None)
        into = f"[{', '.join('n' if len(shape) == 1 else 'cdhw'[: len(shape)])}]"
        give = into if out == shape else text(out)
        signature = self.pick("", f" {into}", f" {into} -> {give}", f" {into} -> {give}")
        middle = [
            self.mixing(out, "width"),
            *([self.activation()] if len(out) > 1 else []),
            self.mixing(out, out[0]),
        ]
        inner = rest + (middle if self.chance(0.5) else [])
        param = "(width=2)" if len(inner) > len(rest) else ""
        self.blocks += self.braces(f"block {name}{param}{signature}", inner) + [""]
        lines.append(f"{name}({self.random.randint(1, 4)})" if param and self.chance(0.6) else name)
        if out == shape and self.chance(0.4):
            lines.append(name)
        return out

    def named(self, scope, lines, shape, depth):
        """Names the current tensor, or joins one that was named before."""
        same = [name for name, other in scope.tensors if other == shape]
        near = [
            (name, other)
            for name, other in scope.tensors
            if other[1:] == shape[1:] and len(other) == len(shape)
        ]
        if same and self.chance(0.6):
            lines.append(
                call(
                    self.pick("add", "add", "mul"),
                    *self.random.sample(same, min(len(same), self.pick(1, 1, 2))),
                )
            )
            return shape
        if near and self.chance(0.6):
            name, other = self.random.choice(near)
            out = (shape[0] + other[0], *shape[1:])
            if self.fits(out):
                lines.append(call("concat", name))
                return out
        name = self.name()
        statement, out = self.operator(shape)
        lines.append(f"{statement} as {name}")
        scope.tensors.append((name, out))
        return out

    def detour(self, scope, lines, shape, depth):
        """Goes back to an earlier tensor, and joins what was left behind later."""
        others = scope.tensors
        if not others:
            return self.named(scope, lines, shape, depth)
        name, start = self.random.choice(others)
        left = self.name()
        lines += [f"identity as {left}", f"from {name}"]
        rest, out = self.body(self.inner(scope), start, depth + 1, shape)
        lines += rest + [f"{self.pick('add', 'concat')}({left})"]
        return shape if lines[-1].startswith("add") else (2 * shape[0], *shape[1:])

    # ------------------------------------------- sources, and layers again

    def initialiser(self):
        return self.pick(
            "zeros", "ones", 0.3, "normal(std=0.5)", "uniform(-1, 1)", "trunc_normal(std=0.4)"
        )

    def source(self, shape):
        """A tensor of its own: trained, known, or drawn at random."""
        kind = self.pick("parameter", "parameter", "constant", "noise")
        if kind not in self.operators:
            return "identity"
        if kind == "parameter":
            return f"parameter({text(shape)}, {self.initialiser()}) as {self.name('own')}"
        if kind == "noise":
            drawn = self.pick("normal", "normal(std=0.2)", "uniform(0.2, 0.4)")
            return f"noise({text(shape)}, {drawn})"
        count = 1
        for size in shape:
            count *= size
        values = [round(self.random.uniform(-1, 1), 2) for _ in range(count)]
        return f"constant({text(shape)}, {text(values) if count > 1 and self.chance(0.7) else 0.4})"

    def rrelu(self, shape):
        return call("rrelu", **self.some(lower=(0.1, 0.3), upper=(0.4, 0.5))), shape

    def embedding(self, numbers):
        named = {"num_embeddings": numbers} if self.chance(0.2) else {}
        if self.other.random() < 0.25:
            named["padding_idx"] = self.other.randrange(numbers)
        return named

    def embedded(self, scope, lines, shape, depth):
        """What the input's whole numbers, or some of them, are embedded as, joined to the chain."""
        name, length, numbers = scope.tokens
        if len(shape) != 2:
            return self.sourced(scope, lines, shape, depth)
        first = self.random.randrange(length)
        part = [call("slice", first)] if first or self.chance(0.3) else []
        part.append(call("embedding", shape[1], **self.embedding(numbers)))
        branches = self.braces("branch", [f"from {name}"] + part) + self.braces("branch", [])
        lines += self.braces("concat", branches)
        return (length - first + shape[0], shape[1])

    def begun(self, scope, lines):
        """Whole numbers, which are embedded first: the shape then."""
        length, numbers, width = (self.random.randint(1, most) for most in (12, 30, 12))
        scope.tokens = "tokens", length, numbers
        lines.append(f"input [{length}] of {numbers} as tokens")
        if length > 1 and self.chance(0.2):
            lines.append(call("slice", 1))
            length -= 1
        name = self.name("tied")
        lines.append(call("embedding", width, **self.embedding(numbers)) + f" as {name}")
        if self.chance(0.3):  # the same rows the other way round
            lines.append(f"tanh;  linear({numbers}, bias=false, weight={name}.weight)")
            width = numbers
        return (length, width)

    def sourced(self, scope, lines, shape, depth):
        """A source is joined to the chain, before it or behind."""
        kind = self.pick("add", "mul", "concat")
        size = self.random.randint(1, 3) if kind == "concat" else shape[0]
        wide = kind != "mul" or len(shape) != 3 or self.chance(0.6)
        given = (size, *(shape[1:] if wide else (1, 1)))
        after = [self.activation()] if self.chance(0.3) else []
        first = self.braces("branch", [self.source(given)] + after)
        second = self.braces("branch", [self.activation()] if self.chance(0.3) else [])
        lines += self.braces(kind, first + second if self.chance(0.5) else second + first)
        return (shape[0] + size, *shape[1:]) if kind == "concat" else shape

    def again(self, scope, lines, shape, depth):
        """A layer, or a block, that is used again: in a chain, in a branch, in a loop."""
        name = self.name("shared")
        rest, _ = self.body(Scope(), shape, depth + 1, shape)
        if self.chance(0.5) and rest:
            block = self.name("Block")
            self.blocks += self.braces(f"block {block}", rest) + [""]
            layer = block
        elif len(shape) == 3 and self.chance(0.5):
            layer = "batch_norm2d"
        else:
            sizes = (self.pick(1, 3),) if len(shape) > 1 else ()
            named = {"padding": "same"} if len(shape) > 1 else {}
            layer = self.mixing(shape, shape[0], *sizes, **named)
        made = [f"{layer} as {name}"]
        reused = f"reuse {name}"
        ways = [
            made + [self.activation(), reused],
            made + self.braces(f"repeat {self.random.randint(1, 3)}", [self.activation(), reused]),
            self.braces(
                "add", self.braces("branch", made) + self.braces("branch", ["tanh", reused])
            ),
            self.braces("skip", made + [self.activation(), reused]),
        ]
        lines += self.random.choice(ways)
        return shape

    def tied(self, scope, lines, shape, depth):
        """Two layers with one matrix."""
        first, second = self.name("tied"), self.name("tied")
        layer = self.mixing(shape, shape[0])[:-1] + self.pick("", ", bias=false")
        lines += [
            f"{layer}) as {first}",
            self.activation(),
            f"{layer}, weight={first}.weight)" + (f" as {second}" if self.chance(0.5) else ""),
        ]
        return shape

    # ------------------------------------------- several tensors and inputs

    def signature(self, shape):
        """Names for its axes, and the shape as they say it."""
        return text(list("n" if len(shape) == 1 else "cdhw"[: len(shape)])).replace("'", "")

    def streams(self, scope, lines, shape, depth):
        """A block of two tensors that gives two, which are joined or handed on."""
        name, left, right = (self.name(prefix) for prefix in ("Block", "left", "right"))
        inner = Scope()
        inner.tensors = [("a", shape), ("b", shape)]
        first, _ = self.body(inner, shape, depth + 1, shape)
        second, _ = self.body(inner, shape, depth + 1, shape)
        sides = self.pick("", self.signature(shape), text(shape))
        takes = f" {sides or '[' + ', '.join('_' * len(shape)) + ']'} as "
        gives = f" -> {sides}, {sides}" if sides and self.chance(0.6) else ""
        joined = self.pick(
            "add(l)", "concat(l);  " + self.mixing(shape, shape[0], 1), "mul(l);  tanh"
        )
        inside = [
            *self.pick(["from a"], ["add", "from a"], ["add"]),
            *first,
            "identity as l",
            "from b",
            *second,
            *([joined] if self.chance(0.5) else []),
            f"{self.activation()} as r",
            self.pick("from (l, r)", "from (r, l)"),
        ]
        self.blocks += self.braces(f"block {name}{takes}a,{takes}b{gives}", inside) + [""]
        return self.streamed(scope, lines, shape, depth, name, (left, right))

    def streamed(self, scope, lines, shape, depth, name, sides):
        """Such a block is used: of a chain of two, or with one that is an argument."""
        left, right = sides
        other, _ = self.body(self.inner(scope), shape, depth + 1, shape)
        lines += [f"identity as {left}", *other, f"{self.activation()} as {right}"]
        one, two = self.name("one"), self.name("two")
        results = f" as {self.name('both')} ({one}, {two})"
        lines += self.pick(
            [f"from ({left}, {right})", name + results],
            [f"from {left}", f"{name}({right}){results}"],
            [f"from {left}", f"{name}(b={right}){results}"],
            [f"from ({left}, {right})"]
            + self.braces(f"repeat {self.random.randint(1, 2)}", [name])
            + [name + results],
            self.braces(name, self.braces("branch", []) + self.braces("branch", [f"from {left}"])),
        )
        if not lines[-1].endswith(results):
            lines.append(self.pick("add", "mul"))
            return shape
        kind = self.pick("add", "mul", "concat")
        lines += self.pick(
            [kind], [f"from {one}", f"{kind}({two})"], [f"from {two}", f"{kind}({one})"]
        )
        scope.tensors += [(one, shape), (two, shape)]
        return (2 * shape[0], *shape[1:]) if kind == "concat" else shape

    def fed(self, scope, lines, shape, depth):
        """A further input, of numbers or of whole ones, whose chain is joined."""
        left, name = self.name(), self.name("input")
        if scope.inputs > 4:
            return self.named(scope, lines, shape, depth)
        scope.inputs += 1
        lines.append(f"identity as {left}")
        if self.chance(0.25):
            length, numbers, width = (self.random.randint(1, most) for most in (8, 20, 6))
            given, begun = (length, width), call("embedding", width, **self.embedding(numbers))
            lines += [f"input [{length}] of {numbers} as {name}", begun]
        else:
            given = self.pick(shape, self.any_shape(), (self.random.randint(1, 9),))
            lines.append(f"input {text(given)} as {name}")
            scope.tensors.append((name, given))
        rest, _ = self.body(self.inner(scope), given, depth + 1, shape)
        kind = self.pick("add", "concat", "mul")
        lines += rest + [f"{kind}({left})"]
        return (2 * shape[0], *shape[1:]) if kind == "concat" else shape

    # ---------------------------------------------- values, and what takes them

    def whole(self, value):
        """An expression of a whole number that is this one."""
        return self.pick(
            f"{value + 3} - 3",
            f"{2 * value + 1} // 2",
            f"max({value}, {self.random.randint(1, value)})",
            f"{value} if 3 > 2 else {value + 1}",
            f"ceil({2 * value - 1}/2)",
            f"abs(-{value})",
            f"({7 * value + 3} - 3)/7",
            f"min({value + 2}, 2*{value}) - min(2, {value})",
            f"floor({2 * value + 1}/2)",
            f"round({4 * value + 1}/4)",
            f"{value} + {12 * value} % {value}",
            f"pow({value}, 2) // {value}",
        )

    def valued(self, scope, lines, shape, depth):
        """A value with a name is a layer's channels."""
        out, name = self.channels(), self.name("k")
        lines += [f"let {name} = {self.whole(out)}", self.mixing(shape, name)]
        return (out, *shape[1:])

    def generic(self, scope, lines, shape, depth):
        """A block whose shapes are calculated of what it is given."""
        name, factor = self.name("Block"), self.random.randint(1, 3)
        deep, out = self.chance(0.5), factor * shape[0]
        symbols = ["n"] if len(shape) == 1 else list("cdhw"[: len(shape)])
        halved = len(shape) > 1 and self.chance(0.6)
        sizes = [f"ceil({axis}/stride)" for axis in symbols[1:]] if halved else symbols[1:]
        more = dict(stride="stride", padding="3 // 2") if halved else {}
        sizes = ", ".join([f"width*{symbols[0]}", *sizes])
        layer = self.mixing(shape, f"width*{symbols[0]}", 3 if halved else 1, **more)
        self.blocks += self.braces(
            f"block {name}(width, act, deep=false{', stride=2' * halved}) "
            f"[{', '.join(symbols)}] -> [{sizes}]",
            [layer, *self.braces("if deep", ["act"]), self.pick("act", "tanh")],
        ) + [""]
        act = self.random.choice(self.valued_activations())
        more = {"deep": True} if deep else self.some(deep=(False,))
        lines.append(call(name, factor, act, **more))
        return (out, *((side + 1) // 2 if halved else side for side in shape[1:]))

    def valued_activations(self):
        """Activations as values: an operator, one with arguments, or a function."""
        of_one = [name for name, tensors, _ in self.functions if tensors == 1]
        return [self.activation(), "leaky_relu(0.2)", "gelu(approximate=tanh)", *of_one]

    def taken(self, scope, lines, shape, depth):
        """A function of netc's library."""
        self.library = True
        name, numbers = self.pick(*LIBRARY.items())
        lines.append(call(name, **self.some(**numbers)) if numbers else name)
        return shape

    # ------------------------------------------------------------- outputs

    def auxiliary(self, scope, lines, shape, depth):
        """A head of its own, which a loss reads; the chain goes on as if it were not there."""
        name = self.name("aux")
        rest, out = self.body(self.inner(scope), shape, depth + 1)
        flat = ["flatten"] if len(out) > 1 or self.chance(0.3) else []
        flat.append(call("linear", CLASSES))
        loss = self.pick("cross_entropy", "cross_entropy(label_smoothing=0.2)", "mse")
        weight = f", weight={self.pick(0.3, 1, 2)}" if self.chance(0.7) else ""
        line = f"{loss}, output={name}"
        if own := self.own_line(0.25, name):
            line, flat = own, self.ending_of_own(flat, out)
        lines += self.braces(
            "aside", rest + flat[:-1] + [f"{flat[-1]} as {name}", f"output {name}"]
        )
        self.losses.append(f"loss      {line}{weight}")
        return shape

    def ending_of_own(self, flat, out):
        """Of a loss of one's own an output may have any shape."""
        whole = elements(out) <= 100 and self.third.random() < 0.5
        return [*([] if whole else flat), self.third.choice(("tanh", "sigmoid"))]

    def compared(self, scope, lines, shape, depth):
        """Vectors whose distances a loss reads, and at times what a sequence is transcribed as."""
        loss = self.pick(*OF_OUTPUTS, "ctc")
        names = [self.name("near") for _ in range(OF_OUTPUTS.get(loss, 1))]
        own = self.own_line(0.3, *names) if loss != "ctc" else None
        for name in names:
            rest, out = self.body(self.inner(scope), shape, depth + 1)
            if loss == "ctc":
                steps = self.random.randint(1, 6)
                rest += ["flatten", call("linear", 4 * steps), "tanh"]
                rest += [call("reshape", [steps, 4]), "log_softmax(axis=-1)"]
            else:
                width = self.third.choice((4, 4, 1)) if own else 4  # one number repeats
                rest += ["flatten", call("linear", width), "tanh"]
            lines += self.braces("aside", rest + [f"identity as {name}", f"output {name}"])
        named = self.of_loss(loss)
        if loss == "ctc":
            named = self.some(blank=(1,)) | {"length": 2, "zero_infinity": True}
            first = [named.pop("length")] if self.other.random() < 0.5 else []
            line = f"{call(loss, *first, **named)}, output={names[0]}"
        else:
            named |= self.some(margin=(0.3,)) if loss == "cosine" else {}
            line = call(loss, *names, **named)
        against = "" if loss == "triplet" else f", target={self.name('as')}"
        weight = f", weight={self.pick(0.3, 1)}"
        self.losses.append(f"loss      {own or line}{weight}{'' if own else against}")
        return shape

    def told(self, scope, lines, shape, depth):
        """The current tensor is an output."""
        lines.append(f"output {self.name('out')}")
        return shape

    # --------------------------------------------------------------- traps

    def trap(self, scope, lines, shape, depth):
        c, spatial = shape[0], len(shape) == 3
        act, other, left = self.activation(), self.activation(), self.name()
        weigh = self.mixing(shape, c, 3, padding=1)
        norm = ["batch_norm2d"] if spatial else ["dropout(0.3)"]
        join = self.pick("add", "mul", "concat")
        double = (2 * c, *shape[1:]) if join == "concat" else shape
        wide, same = (2 * c, *shape[1:]), self.braces
        traps = [
            # Of a tensor both raw and through an element-by-element operator, in both orders.
            (same(join, same("branch", []) + same("branch", [act])), double),
            (same(join, same("branch", [act]) + same("branch", [])), double),
            ([f"{weigh} as {left}", act, f"{join}({left})"], double),
            ([f"{act} as {left}", other, weigh, f"{join}({left})"], double),
            # Twice the same tensor.
            ([f"{act} as {left}", f"{join}({left})"], double),
            ([f"{weigh} as {left}", f"concat({left})"], wide),
            ([f"{weigh} as {left}", f"add({left}, {left})"], shape),
            ([f"{weigh} as {left}", f"mul({left})", act], shape),
            # One tensor in two concats.
            (
                [f"{weigh} as {left}"]
                + same("concat", same("branch", []) + same("branch", [act]))
                + [act]
                + [f"concat({left})"],
                (3 * c, *shape[1:]),
            ),
            # A view in a skip: the body is the tensor itself, or only looks like work.
            (same("skip", []), shape),
            (same("skip", ["identity", "dropout(0)"]), shape),
            (same("skip", [act, "dropout"]), shape),
            ([act] + same("skip", [other]), shape),
            (same("skip", same("skip", [act])), shape),
            # Several norms of one tensor, and one of a concat.
            (same(join, same("branch", norm + [act]) + same("branch", norm)), double),
            (same("concat", same("branch", []) + same("branch", [weigh])) + norm, wide),
            (same("concat", same("branch", norm) + same("branch", norm)) + [act], wide),
            # A concat of concats, one with itself inside.
            (
                same(
                    "concat",
                    same("branch", same("concat", same("branch", [act]) + same("branch", [])))
                    + same("branch", [weigh]),
                ),
                (3 * c, *shape[1:]),
            ),
            # A chain of operators that may all share one memory.
            ([act, "dropout(0.2)", other, "identity", "dropout"], shape),
            (["identity", f"identity as {left}", act, f"add({left})"], shape),
        ]
        made, out = self.random.choice(
            [entry for entry in traps if self.fits(entry[1])] or [([act], shape)]
        )
        lines += made
        return out

    def viewed(self, scope, lines, shape, depth):
        """A view between two layers, with other channels and rows behind it than before."""
        wide = (shape[0] * self.pick(1, 2, 3), *shape[1:])
        out = self.pick(
            (wide[0], elements(wide[1:])),
            (wide[0] * wide[1], *wide[2:]) if len(wide) > 2 else wide,
            *[(n, elements(wide) // n) for n in (2, 3, 4) if elements(wide) % n == 0],
            *[
                (n, elements(wide) // n // m, m)
                for n in (2, 4)
                for m in (2, 3, 5)
                if elements(wide) % (n * m) == 0
            ],
        )
        if len(shape) == 1 or not self.fits(wide):
            return self.named(scope, lines, shape, depth)
        axes = len(out) - 1
        norms = [f"batch_norm{axes}d"] if axes in (1, 2, 3) else []
        pools = [f"max_pool{axes}d(2)"] if axes in (1, 2) and min(out[1:]) > 1 else []
        before = [f"batch_norm{len(wide) - 1}d", self.activation()]
        after = self.pick(*[[norm] for norm in norms], *[[pool] for pool in pools])
        lines += [self.mixing(wide, wide[0], self.pick(1, 3), padding="same")]
        lines += before if self.chance(0.4) else []
        lines += [call("reshape", list(out))] + after
        if pools and after == pools:
            out = (out[0], *(size // 2 for size in out[1:]))
        lines += [self.activation()] if self.chance(0.5) else []
        if self.chance(0.5):
            lines.append(self.mixing(out, out[0], self.pick(1, 3), padding="same"))
        return out

    def pooled_trap(self, scope, lines, shape, depth):
        """What a pool looks at is overwritten, or overwrites."""
        left = self.name()
        pool = self.pick("max_pool2d(3, stride=1, padding=1)", "avg_pool2d(3, stride=1, padding=1)")
        lines += [
            f"{self.activation()} as {left}",
            pool,
            self.activation(),
            f"{self.pick('add', 'mul')}({left})",
        ]
        return shape

    def unpooled(self, scope, lines, shape, depth):
        """A max pool, something of its shape, and back to where the largest were.  No windows
        share a value: of several that go to one place the last counts, though all have its
        gradient."""
        name = self.name()
        axes = [
            (kernel, max(stride, dilation * (kernel - 1) + 1), padding, dilation)
            for kernel, stride, padding, dilation in self.window(shape, lambda kernel: kernel // 2)
        ]
        sizes = [output_size(size, *axis) for size, axis in zip(shape[1:], axes)]
        if min(sizes) < 1 or not all(map(all_see_the_image, shape[1:], axes, sizes)):
            return self.named(scope, lines, shape, depth)
        kernel, stride, padding, dilation = self.pairs(axes)
        pool = call("max_pool2d", kernel, stride=stride, padding=padding, dilation=dilation)
        between, _ = self.body(self.inner(scope), (shape[0], *sizes), depth + 1, (shape[0], *sizes))
        least = [(n - 1) * s - 2 * p + k for n, (k, s, p, _) in zip(sizes, axes)]
        covers = min(least) > 0 and elements(least) >= elements(shape[1:])
        out = least if covers and self.chance(0.5) else list(shape[1:])
        named = {} if out == least and self.chance(0.7) else {"output_size": out}
        words = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)
        if "output_size" in named and out[0] == out[1] and self.chance(0.5):
            named["output_size"] = out[0]
        named |= words if self.chance(0.3) else {}
        lines += [f"{pool} as {name}", *between, call("max_unpool2d", name, **named)]
        return (shape[0], *out)

    # ------------------------------------------------------------ the whole

    # ----------------------------------------------------------- functions

    def number(self):
        return self.pick("0.5", "1", "2", "-0.3", "1.7", "3", "k")

    def bounded(self, tensors, depth):
        """Between -2 and 2, whatever its tensors are."""
        inner = self.element(tensors, depth - 1)
        return self.pick(
            f"tanh({inner})",
            f"sigmoid({inner})",
            f"erf({inner})",
            f"sin({inner})",
            f"cos({inner})",
            f"clamp({inner}, -1.3, 1.7)",
            f"{self.pick(*tensors)}/(1 + abs({inner}) + abs({self.pick(*tensors)}))",
            f"1/(1 + exp(-({inner})))",
            f"exp(-pow({inner}, 2))",
        )

    def element(self, tensors, depth):
        """Of these tensors' elements, of no more than a few times their size; continuous, or
        jumping where no sum of small numbers comes to lie."""
        if depth <= 0:
            return self.pick(*tensors, *tensors, self.number())
        inner = lambda: self.element(tensors, depth - 1)
        x = self.pick(*tensors)
        return self.pick(
            self.bounded(tensors, depth),
            f"({inner()} {self.pick('+', '-')} {inner()})",
            f"{inner()}*{self.bounded(tensors, depth)}",
            f"{inner()}/{self.pick('2', '(1.5 + sigmoid(' + x + '))')}",
            f"{self.pick('max', 'min')}({inner()}, {inner()})",
            f"-abs({inner()})",
            f"relu({inner()})",
            f"log(1 + exp({inner()}))",
            f"sqrt(0.1 + pow({inner()}, 2))",
            f"log1p(abs({inner()}))",
            f"expm1(min({inner()}, 0.8))",
            self.pick(f"clamp({inner()}, min=-1.1)", f"clamp({inner()}, max=0.9)"),
            self.used_function(inner),
            f"({inner()} if {x} > 0.1371 or not {x} >= -2.713 else {inner()})",
        )

    def used_function(self, inner):
        """One of the program's, of one tensor, in another."""
        known = [name for name, tensors, _ in self.functions if tensors == 1]
        return f"{self.pick(*known)}({inner()})" if known else f"cos({inner()})"

    def function(self, tensors):
        """The name of one of so many tensors, and how it is called: mostly a new one."""
        known = [entry for entry in self.functions if entry[1] == tensors]
        if known and self.chance(0.3):
            name, _, numbered = self.random.choice(known)
        else:
            name = self.name("f")
            names = self.random.sample(["x", "y", "z", "h", "t"], tensors)
            value = self.element(names, self.random.randint(1, 3))
            value = "0.5*(" + " + ".join([value, *names]) + ")"  # all of them matter
            numbered = re.search(r"\bk\b", value) is not None
            chosen = self.chance(0.2)
            value = f"{value} if bent else 0.7*{names[0]}" if chosen else value
            more = ", k=1.5" * numbered + ", bent=true" * chosen
            self.blocks.append(f"function {name}({', '.join(names)}{more}) = {value}")
            self.functions.append((name, tensors, numbered))
        if not numbered or self.chance(0.3):
            return name
        return call(name, k=self.pick(0.7, 2, -1))

    # ------------------------------------------------- losses of one's own

    def total(self, tensors, depth):
        """A number of a loss: of sums over what is done to elements, or of sums of sums."""
        inner = lambda: self.total(tensors, depth - 1)
        of, x = self.pick("mean", "mean", "sum"), self.pick(*tensors)
        if depth <= 0:
            value = self.element(tensors, self.random.randint(0, 2))
            reads = set(tensors) & set(re.findall(r"\w+", value))
            return f"{of}({value if reads else f'{x}*{value}'})"
        return self.pick(
            f"({inner()} {self.pick('+', '-')} {inner()})",
            f"{inner()}*{self.pick('0.3', 'sigmoid(' + inner() + ')')}",
            f"{inner()}/(1.5 + {of}({x}*{x}))",
            f"sqrt(0.1 + pow({inner()}, 2))",
            f"log(1 + exp({inner()}))",
            f"{self.pick('max', 'min')}({inner()}, {inner()})",
            f"({inner()} if {inner()} > 0.1371 else {inner()})",
            f"{of}({self.bounded(tensors, 1)}*({x} - mean({x})))",
            f"{of}(relu({self.pick(*tensors)} - 0.3*{inner()}))",
        )

    def own_loss(self, outputs):
        """The name of one of so many outputs, how it is called, and what its target is: numbers
        of an output's shape, one number, or nothing."""
        known = [entry for entry in self.own_losses if entry[1] == outputs]
        if known and self.chance(0.3):
            name, _, target, numbered = self.random.choice(known)
        else:
            name, target = f"own{len(self.own_losses) + 1}", self.pick("t", "t", "y", "")
            names = self.random.sample(["p", "q", "z"], outputs)
            tensors = names + ["t"] * (target == "t")
            value = self.total(tensors, self.random.randint(0, 2))
            known = [name for name, count, numbered in self.functions if count == 1]
            used = f"tanh({self.pick(*known)}({self.pick(*tensors)}))" if known else "1"
            value = f"{value}*mean({used})" if known and self.chance(0.5) else value
            value = " + ".join([value, *(f"0.5*mean({x}*{x})" for x in names)])
            if self.chance(0.4):
                part = f"{names[-1]}[{self.pick('0', '-1', ':1', '::2')}]"
                value += f" + 0.2*logsumexp({part}) - 0.1*sum({part}*{part})"
            value = f"(1 + y)*({value})" if target == "y" else value
            numbered = re.search(r"\bk\b", value) is not None
            head = ", ".join(names + [target] * bool(target) + ["k=1.5"] * numbered)
            self.blocks.append(f"loss {name}({head}) = {value}")
            self.own_losses.append((name, outputs, target, numbered))
        return name, {"k": self.pick(0.7, 2, -1)} if numbered and self.chance(0.7) else {}, target

    def own_line(self, share, *outputs):
        """A loss of one's own, of these named outputs, and what it is held against; mostly None.
        What it draws leaves all other draws as they are."""
        kept, self.random = self.random, self.third
        line = None
        if self.chance(share):
            name, named, target = self.own_loss(max(len(outputs), 1))
            several = outputs if len(outputs) > 1 else ()
            line = call(name, *several, **named)
            line += f", output={outputs[0]}" if len(outputs) == 1 else ""
            held = target and (target == "y" or outputs or self.chance(0.3))
            line += f", target=held{len(self.losses)}" if held else ""
        self.random = kept
        return line

    def applied(self, scope, lines, shape, depth):
        """A function, of the tensor alone or of branches, one of which may be repeated."""
        tensors = self.pick(1, 1, 1, 2, 2, 3)
        if tensors == 1:
            lines.append(self.function(1))
            return shape
        branches = []
        repeated = self.random.randrange(4) if len(shape) == 3 else -1
        for i in range(tensors):
            rest, _ = self.body(self.inner(scope), shape, depth + 1, shape)
            if i == repeated:
                rest.append(call("adaptive_avg_pool2d", 1))
            branches += self.braces("branch", rest)
        lines += self.braces(self.function(tensors), branches)
        return shape

    def step(self, scope, lines, shape, depth, flat=True):
        if self.budget <= 0:
            return shape
        self.budget -= 1
        structures = [(self.named, 3), (self.trap, 3), (self.detour, 1), (self.iterations, 1)]
        if depth < 3:
            structures += [
                (self.condition, 1),
                (self.borrowed, 1),
                (self.join, 3),
                (self.applied, 3),
                (self.skip, 3),
                (self.dense, 1),
                (self.repeat, 1),
                (self.block, 2),
                (self.sourced, 2),
                (self.again, 2),
                (self.tied, 1),
                (self.spread, 1),
                (self.product, 1),
                (self.attended, 1),
                (self.viewed, 1),
                (self.bilinear, 0.5),
                (self.joined_along, 1),
                (self.sampled, 0.5),
                (self.streams, 1),
                (self.valued, 0.7),
                (self.generic, 1),
                (self.taken, 1),
            ]
        if depth < 3 and scope.tokens:
            structures += [(self.embedded, 2)]
        if depth == 0 and scope.inputs:
            structures += [(self.fed, 3)]
        if depth == 0 and scope.is_whole:
            structures += [(self.auxiliary, 1.5), (self.told, 0.5), (self.compared, 0.5)]
        if len(shape) == 3:
            structures += [(self.squeeze, 1), (self.pooled_trap, 1), (self.unpooled, 1)]
        if self.chance(0.5):
            (made,) = self.random.choices(
                [way for way, _ in structures], [weight for _, weight in structures]
            )
            before = len(lines)
            out = made(scope, lines, shape, depth)
            if any(
                "mul" in line for line in lines[before:]
            ):  # products of products leave every range
                lines.append(self.pick("tanh", "sigmoid"))
            if not self.fits(out):
                channels = 2 if len(out) > 1 else 8
                lines.append(self.mixing(out, channels))
                out = (channels, *out[1:])
            if (
                len(out) > 1
                and len(lines) > before
                and not lines[-1].startswith("output")
                and self.chance(0.1)
            ):
                lines[-1] += f" -> [{out[0]}, _{''.join(f', {size}' for size in out[2:])}]"
            return out
        statement, out = self.operator(shape)
        lines.append(statement)
        return out

    def input_shape(self):
        rank = self.pick(1, 2, 2, 4, 4, *[3] * 6)
        if self.favourite and self.chance(0.8):
            ranks = table()[self.favourite]["ranks"]  # one after the other, as it comes again
            rank = ranks[self.turn % len(ranks)] if self.chance(0.7) else self.pick(*ranks)
        return self.shape_of_rank(rank)

    def any_shape(self):
        return self.shape_of_rank(self.pick(1, 2, 3, 3, 4))

    def shape_of_rank(self, rank):
        if rank == 1:
            return (self.random.randint(1, 90),)
        sides = [self.random.randint(1, MAX_SIDE[rank]) for _ in range(rank - 1)]
        if self.chance(0.4):
            sides = [sides[0]] * len(sides)
        return (self.random.randint(1, 4), *sides)

    # ---------------------------------------------------------- training

    def some(self, **values):
        """Each argument or not, with one of its values."""
        return {
            name: self.random.choice(choices)
            for name, choices in values.items()
            if self.chance(0.4)
        }

    def sgd(self):
        named = self.some(momentum=(0.5, 0.9), dampening=(0.2,), weight_decay=(0.01, 0.2))
        if self.chance(0.3):
            named |= {"momentum": named.get("momentum", 0.7), "dampening": 0, "nesterov": True}
        return named

    def eps(self):
        """Not the default: a gradient that should be 0 has rounding, which 1e-8 would enlarge."""
        return {"eps": self.pick(1e-5, 1e-3)}

    def adam(self):
        return self.eps() | self.some(
            betas=((0.8, 0.99), (0.5, 0.6)), weight_decay=(0.01, 0.2), amsgrad=(True, False)
        )

    def rmsprop(self):
        return self.eps() | self.some(
            alpha=(0.9, 0.5), weight_decay=(0.01,), momentum=(0.5, 0.9), centered=(True, False)
        )

    def nadam(self):
        return self.eps() | self.some(
            betas=((0.8, 0.99),),
            momentum_decay=(0.01,),
            weight_decay=(0.01, 0.2),
            decoupled_weight_decay=(True, False),
        )

    def radam(self):
        return self.eps() | self.some(weight_decay=(0.01,), decoupled_weight_decay=(True, False))

    def adamax(self):
        return self.eps() | self.some(betas=((0.8, 0.99),), weight_decay=(0.01,))

    def adagrad(self):
        return self.eps() | self.some(
            lr_decay=(0.1,), weight_decay=(0.01,), initial_accumulator_value=(0.1,)
        )

    def adadelta(self):
        return self.eps() | self.some(rho=(0.5,), weight_decay=(0.01,))

    def lamb(self):
        """Always with a decay: it scales a step to its weights, and so one that is nothing but
        rounding, as of a bias before a norm.  (lars is never drawn: it takes a gradient that is
        nothing in another way than one that is rounding.  Nor is lion, which takes its sign.)"""
        return self.eps() | {"weight_decay": self.pick(0.1, 0.5)}

    def schedule(self):
        counted = self.some(warmup=(1, 2), by=("epoch", "step"))
        if self.chance(0.3):
            named = self.some(
                by=("epoch", "step"),
                total_steps=(3, 9),
                pct_start=(0.4, 0.6),
                anneal_strategy=("cos", "linear"),
                cycle_momentum=(True, False),
                base_momentum=(0.5,),
                max_momentum=(0.8,),
                div_factor=(10,),
                final_div_factor=(100,),
                three_phase=(True, False),
            )
            return call("one_cycle", 0.004, **named)
        return self.pick(
            call("constant", **counted),
            call("step", self.pick(1, 2), **self.some(gamma=(0.5,)), **counted),
            call("multi_step", self.pick([1], [1, 2]), **self.some(gamma=(0.5,)), **counted),
            call("exponential", self.pick(0.5, 0.9), **counted),
            call("cosine", **self.some(T_max=(3, 7), eta_min=(0.001,)), **counted),
            call("linear", **self.some(start_factor=(0.5,), total_iters=(2, 5)), **counted),
            call("polynomial", **self.some(power=(2,), total_iters=(3,)), **counted),
            call("inverse_sqrt", timescale=self.pick(1, 3), **counted),
            call("cosine_warm_restarts", self.pick(1, 2), **self.some(T_mult=(2,)), **counted),
            call("plateau", **self.some(patience=(0, 2), factor=(0.5,))),
        )

    def initialisers(self):
        """Of the last layer, which every network has, or by paths that it matches."""
        fans = call(
            "kaiming_" + self.pick("normal", "uniform"),
            **self.some(
                a=(0.2,),
                mode=("fan_in", "fan_out"),
                nonlinearity=("relu", "tanh", "leaky_relu", "sigmoid"),
            ),
        )
        xavier = [
            call("xavier_normal", **self.some(gain=(0.5,))),
            call("xavier_uniform", **self.some(gain=(2,))),
        ]
        lines = [
            f'"head.weight", {self.pick(fans, *xavier, "orthogonal(gain=0.7)")}',
            f'"*.bias", {self.pick("normal(std=0.1)", "uniform(-0.1, 0.2)", "constant(0.1)")}',
            f'"*.weight", {self.pick("normal(0.1, 0.2)", "uniform(-0.3, 0.3)")}',
        ]
        return [f"    init      {line}" for line in lines if self.chance(0.25)]

    def groups(self, rates):
        """Settings of single parameters; `rates`: whether they may have their own learning rate."""
        lines = []
        if self.chance(0.2):
            globs = self.pick('"*.bias"', '"head.bias"', '"head.w*"', '"*.bias", "head.b*"')
            lines.append(f"    freeze    {globs}")
        for glob in '"*.bias"', '"head.*"', '"*.weight"':
            named = self.some(weight_decay=(0, 0.1), **({"lr": (0.001, 0.004)} if rates else {}))
            if named and self.chance(0.25):
                lines.append(
                    f"    group     {glob}, "
                    + ", ".join(f"{key}={text(value)}" for key, value in named.items())
                )
        return lines

    def of_loss(self, name):
        """Some of a loss's arguments.  Of one output a cosine has no margin."""
        drawn = {
            "bool": lambda argument: self.other.choice((True, False)),
            "int": lambda argument: self.other.choice(
                (1, 2, -100) if argument["minimum"] < 0 else (1, 2)
            ),
            "real": lambda argument: self.other.choice(
                [real for real in (0.3, 0.7, 1.5, 3) if real >= argument.get("minimum", real)][:2]
            ),
            "values": lambda argument: [self.other.choice((0.5, 1, 2)) for _ in range(CLASSES)],
            "word": lambda argument: self.other.choice(argument["words"]),
        }
        return {
            argument["name"]: drawn[argument["kind"]](argument)
            for argument in table()[name]["arguments"]
            if self.other.random() < 0.5 and name != "cosine"
        }

    def train(self, flat, tokens):
        optimizer, draw = self.pick(
            *[("sgd", self.sgd)] * 4,
            *[("adam", self.adam), ("adamw", self.adam), ("rmsprop", self.rmsprop)] * 2,
            ("nadam", self.nadam),
            ("radam", self.radam),
            ("adamax", self.adamax),
            ("adagrad", self.adagrad),
            ("adadelta", self.adadelta),
            ("lamb", self.lamb),
        )
        loss = "cross_entropy" + (
            f"(label_smoothing={self.pick(0.1, 0.3, 1)})" if self.chance(0.3) else ""
        )
        if flat and "mse" in self.operators and self.chance(0.2):
            loss = self.other.choice([*LOSSES, *STRAIGHT])
            self.bounds = BOUNDS.get(loss, [])
            loss = loss if "(" in loss else call(loss, **self.of_loss(loss))
        own = self.own_line(0.1)
        if own and loss.startswith("cross_entropy"):
            loss, self.bounds = own, ["tanh"]
        if self.aim:
            loss, self.bounds = self.aim
        if self.aim or self.of_arrays:
            loss = loss if "target=" in loss or self.targetless(loss) else f"{loss}, target=main"
            self.losses = [
                line if "target=" in line or self.targetless(line) else f"{line}, target=classes"
                for line in self.losses
            ]
        schedule = self.schedule() if self.chance(0.6) else ""
        if optimizer in ("adagrad", "adadelta") and schedule.startswith("one_cycle"):
            schedule = "cosine"  # they have no momentum for it to move
        lines = [
            'data      arrays("folder")'
            if self.of_arrays
            else "data      synthetic"
            if tokens
            else 'data      "images"',
            f"loss      {loss}",
            *(self.losses if flat or self.of_arrays else []),
            f"optimizer {call(optimizer, lr=self.pick(0.001, 0.002), **draw())}",
            *([f"schedule  {schedule}"] if schedule else []),
            *(
                [f"clip      {self.pick('norm=0.5', 'norm=100', 'value=0.05')}"]
                if self.chance(0.3)
                else []
            ),
            f"batch     {self.pick(3, 9, 16, 21)}",
            f"epochs    {self.random.randint(1, 4)}",
            f"seed      {self.random.randint(1, 99)}",
        ]
        return [
            "train {",
            *("    " + line for line in lines),
            *self.initialisers(),
            *(self.groups("one_cycle" not in schedule) if optimizer != "lamb" else []),
            "}",
        ]

    @staticmethod
    def targetless(line):
        """One of the program's own, which says itself what it is held against, or nothing."""
        return re.match(r"(loss +)?(own\d|triplet)", line) is not None

    def positions(self, lines, shape):
        """A head for each position, and a loss of it."""
        axis = "axis=-1" if len(shape) == 2 else "axis=0"
        head = call("linear", CLASSES) if len(shape) == 2 else self.mixing(shape, CLASSES, 1)
        lines.append(f"{head} as head")
        loss = self.pick("cross_entropy", "cross_entropy", "nll", "mse", *STRAIGHT)
        loss = "nll" if loss == "hinge" else loss  # of one vector
        named = self.of_loss(loss)
        named.pop("pos_weight", None)
        if loss == "kl_div":  # numbers are drawn, and below 0 there are no probabilities
            named["log_target"] = True
        bounds = ["tanh", f"log_softmax({axis})"] if loss == "nll" else STRAIGHT.get(loss, [])
        self.aim = call(loss, **named), bounds

    def like_the_input(self, lines, shape, name):
        """An autoencoder: what comes out is held against what goes in."""
        if len(shape) > 1:
            lines.append("flatten")
        lines.append(call("linear", elements(self.shape)) + " as head")
        loss = self.pick("mse", "mse", "l1", "huber", "smooth_l1")
        self.aim = (
            f"{call(loss, **self.of_loss(loss))}, target={name}",
            [*STRAIGHT.get(loss, []), call("reshape", list(self.shape))],
        )

    def ending(self, lines, shape, each):
        """The network's last layers; whether they give one vector of classes.  `each`: there may be
        one for each position."""
        if each and len(shape) == 2 and shape[0] <= 20 and self.chance(0.5):
            lines.append(call("linear", CLASSES) + " as head")
            return False
        if each and len(shape) == 2 and self.chance(0.3):  # as an image's pixels
            rows = self.pick(*[n for n in range(1, shape[1] + 1) if shape[1] % n == 0])
            shape = (shape[0], rows, shape[1] // rows)
            lines.append(call("reshape", list(shape)))
        if each and len(shape) == 3 and elements(shape[1:]) <= 100 and self.chance(0.5):
            lines.append(call("conv2d", CLASSES, 1) + " as head")
            return False
        if len(shape) > 1:
            if len(shape) == 3 and self.chance(0.25):
                lines.append(call("adaptive_avg_pool2d", 1))
                shape = (shape[0], 1, 1)
            lines.append("flatten")
            shape = (elements(shape),)
            self.budget = self.random.randint(0, 3)
            while self.budget > 0:
                shape = self.step(Scope(), lines, shape, 0)
            if len(shape) > 1:
                lines.append("flatten")
        lines.append(call("linear", CLASSES) + " as head")
        return True

    def reworded_line(self, line):
        """A statement; what is calculated has functions that are named as operators are."""
        calculated = re.match(r" *(function|loss|let|if|block) ", line)
        return line if calculated else CALL.sub(self.reworded, line)

    def reworded(self, found):
        """A call as it is, or with the same arguments written in another way: by name or by
        position, one number for a list of one, without what is the default, or with what is."""
        whole, name, inside = found[0], found[1], found[2]
        if name not in table() or name == "affine_grid" or self.random.random() < 0.5:
            return whole
        arguments = {argument["name"]: argument for argument in table()[name]["arguments"]}
        positional = [word for word, argument in arguments.items() if argument["positional"]]
        if "joins" in table()[name]["traits"]:  # what stands without a name are tensors
            positional = []
        given, left = {}, list(positional)
        for word in VALUES.findall(inside):
            named = re.match(r" *(\w+)=(.*)", word)
            if not named and not left:
                return whole  # tensors
            given[named[1] if named else left.pop(0)] = (named[2] if named else word).strip()
        if not given.keys() <= arguments.keys():
            return whole
        given = {word: self.other_form(arguments[word], value) for word, value in given.items()}
        given |= self.flags(name, arguments, given)
        given = {
            word: value
            for word, value in given.items()
            if word == "axes"  # which says that an image has one of features
            or not same_number(value, arguments[word]["default"])
            or self.random.random() < 0.3
        }
        first = []
        while self.random.random() < 0.8 and positional and positional[0] in given:
            first.append(given.pop(positional.pop(0)))
        words = first + [f"{word}={value}" for word, value in given.items()]
        return f"{name}({', '.join(words)})" if words else name

    def other_form(self, argument, value):
        one = re.fullmatch(r"\[([^,\]]+)\]", value)
        alike = re.fullmatch(r"\[(\w+)((?:, *\1)+)\]", value)
        if argument["kind"] in ("axes", "ints") and one and argument["name"] not in WHOLE_LISTS:
            return one[1]
        if argument["kind"] in ("ints", "quad", "pair", "triple") and alike:
            return alike[1] if argument["name"] not in WHOLE_LISTS else value
        many = {"pair": 2, "triple": 3}.get(argument["kind"])
        if many and re.fullmatch(r"\d+", value) and self.random.random() < 0.3:
            return text([int(value)] * many)
        return value

    def flags(self, name, arguments, given):
        """Of truths that are not written, some, as they are anyway."""
        return {
            word: argument["default"]
            for word, argument in arguments.items()
            if argument["kind"] == "bool"
            and word not in given
            and argument["default"] in ("true", "false")
            and self.random.random() < 0.8
        }

    def network(self, name):
        scope, lines = Scope(), []
        scope.is_whole = True
        if "embedding" in self.operators and self.chance(0.15):
            shape = self.begun(scope, lines)
        else:
            shape = self.input_shape()
            scope.inputs = int(self.chance(0.15))
            lines.append(f"input {text(shape)}{' as first' * scope.inputs}")
            self.shape = shape
            if scope.inputs:
                scope.tensors.append(("first", shape))
        while self.budget > 0:
            shape = self.step(scope, lines, shape, 0)
        self.of_arrays = scope.inputs > 1 or (not scope.tokens and self.chance(0.15))
        if self.shape and elements(self.shape) <= 100 and self.chance(0.06):
            self.like_the_input(lines, shape, "first" if scope.inputs else "input")
            flat = True
        elif self.of_arrays and len(shape) > 1 and elements(shape[1:]) <= 100 and self.chance(0.5):
            self.positions(lines, shape)
            flat = False
        else:
            flat = self.ending(lines, shape, scope.tokens and not self.losses)
        train = self.train(flat, scope.tokens)
        whole = self.braces(f"network {name}", lines + self.bounds)
        self.random = random.Random(f"words {name}")
        own, whole = ([self.reworded_line(line) for line in part] for part in (self.blocks, whole))
        taken = ['use "activations.net"', ""] if self.library else []
        return "\n".join(taken + own + whole + [""] + train) + "\n"


def network(seed, operators):
    return Writer(seed, operators).network(f"n{seed}")
