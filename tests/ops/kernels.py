"""The reference kernels, called from Python on arrays of images.

A Call runs one operator on a batch laid out in grains as a compiled program
lays it out.  Lanes without an image hold arbitrary finite values in the inputs
and exact zeros in the gradient of the output; what comes back from them must be
exact zeros again, which backward() checks.
"""
import ctypes as c
import functools

import numpy as np

from harness import ROOT, key_of, made_once, run

REALS = {"f32": (np.float32, c.c_float, "float"), "f64": (np.float64, c.c_double, "double")}
GARBAGE = 0.75  # what lanes without an image hold


class Shape(c.Structure):
    _fields_ = [("rank", c.c_int)] + [(name, c.c_int64) for name in "chwd"]


class Attribute(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("value", c.c_double * 8),
        ("word", c.c_char_p),
        ("count", c.c_int),
        ("values", c.POINTER(c.c_double)),
    ]


class Step(c.Structure):
    _fields_ = [
        ("weights", c.c_void_p),
        ("buffers", c.c_void_p),
        ("gradients", c.c_void_p),
        ("gradient_stride", c.c_int64),
        ("input", c.c_void_p),
        ("targets", c.c_void_p * 16),
        ("active", c.c_void_p),
        ("kept", c.c_void_p),
        ("filters", c.c_void_p),
        ("loss", c.c_void_p),
        ("grains", c.c_int64),
        ("from", c.c_int64),
        ("to", c.c_int64),
        ("norm_from", c.c_int64),
        ("norm_to", c.c_int64),
        ("images", c.c_int64),
        ("seed", c.c_uint64),
        ("step", c.c_uint64),
        ("hook", c.c_void_p),
        ("move", c.c_void_p),
        ("packed", c.c_void_p),
        ("backwards", c.c_bool),
        ("row", c.c_int64),
        ("rows", c.c_void_p),
        ("target_weights", c.c_double * 16),
        ("shares", c.c_void_p),
    ]


class NetCall(c.Structure):
    _fields_ = [
        ("lanes", c.c_int),
        ("attributes", c.POINTER(Attribute)),
        ("training", c.c_bool),
        ("inputs", c.c_int),
        ("x", c.POINTER(c.c_void_p)),
        ("x_shape", c.POINTER(Shape)),
        ("y", c.c_void_p),
        ("y_shape", Shape),
        ("aux", c.c_void_p),
        ("statistics", c.c_void_p),
        ("statistics_stride", c.c_int64),
        ("dy", c.c_void_p),
        ("dx", c.c_void_p),
        ("which", c.c_int),
        ("accumulate", c.c_bool),
        ("parameters", c.c_int),
        ("parameter", c.c_void_p * 8),
        ("dparameter", c.c_void_p * 8),
        ("gradient_stride", c.c_int64),
        ("step", c.POINTER(Step)),
        ("grain", c.c_int64),
        ("active", c.c_void_p),
        ("salt", c.c_uint64),
        ("numbers", c.c_int64),
        ("loss_weight", c.c_double),
        ("loss_adds", c.c_bool),
        ("dx_at", c.POINTER(c.c_int64)),
        ("target", c.c_void_p),
        ("target_weight", c.c_double),
    ]


@functools.cache
def library(real, *flags):
    """The kernels as a shared library of their own, so that any flags can be tried."""
    sources = sorted((ROOT / "runtime" / "kernels").glob("*.c")) + [
        ROOT / "runtime" / "core" / "random.c"
    ]
    with made_once(f"kernels-{key_of(real, *flags)}.so") as made:
        if not made.exists():
            run(
                "gcc",
                *"-std=c11 -D_GNU_SOURCE -O1 -shared -fPIC".split(),
                f"-DNET_REAL={REALS[real][2]}",
                *flags,
                "-I",
                ROOT / "runtime",
                *sources,
                "-o",
                made,
                "-lm",
            )
    return c.CDLL(str(made))


def attribute(name, value):
    word = value.encode() if isinstance(value, str) else None
    numbers = [0] if word else list(value) if isinstance(value, (list, tuple)) else [value] * 8
    count = len(value) if isinstance(value, (list, tuple)) else 0
    whole = (c.c_double * len(numbers))(*numbers)
    return Attribute(name.encode(), (c.c_double * 8)(*numbers[:8]), word, count, whole)


def target_weight(targets, attributes):
    """What a batch's classes count together, as the trainer says it to the kernels."""
    weights, ignored = attributes.get("weight"), attributes.get("ignore_index", [])
    counted = targets[~np.isin(targets, ignored)]
    return float(np.take(weights, counted).sum() if weights else counted.size)


def net_shape(shape):
    """[c], [c, w], [c, h, w] or [c, d, h, w]; what a shape has not is 1."""
    c, *plane = shape
    d, h, w = [1] * (3 - len(plane)) + plane
    return Shape(len(shape), c, h, w, d)


class Call:
    """`op` on `images` images: inputs of `in_shapes`, of any rank, to `out_shape` (None: a loss).

    parameters: arrays in state order, None for a counter; trained: how many of
    them, from the first, have gradients; targets: an image's class or classes, or
    numbers, for a loss.
    """

    def __init__(
        self,
        op,
        attributes,
        in_shapes,
        out_shape,
        images,
        lanes=4,
        parameters=(),
        trained=0,
        statistics=0,
        aux=False,
        targets=None,
        real="f64",
        training=True,
        flags=(),
    ):
        self.op, self.real, self.lanes, self.images = op, REALS[real][0], lanes, images
        self.library = library(real, *flags)
        self.grains = -(-images // lanes)
        self.in_shapes = [tuple(shape) for shape in in_shapes]
        self.out_shape = out_shape and tuple(out_shape)
        self.parameters = [None if p is None else np.array(p, self.real) for p in parameters]
        self.trained, self.training = trained, training
        self.attributes = (Attribute * (len(attributes) + 1))(
            *[attribute(*item) for item in attributes.items()]
        )
        self.statistics = np.zeros((self.grains, max(statistics, 1)), self.real)
        self.active = (np.arange(self.grains * lanes) < images).astype(self.real)
        self.loss = np.full(self.grains * lanes, np.nan, self.real)
        self.targets = None if targets is None else np.asarray(targets)
        if targets is not None:
            whole = np.issubdtype(self.targets.dtype, np.integer)
            rows = self.targets.astype(np.int32 if whole else self.real)
            self.target_grains = self.grain_layout(rows, 0, rows.dtype)
            self.target_weight = target_weight(self.targets, attributes) if whole else 0
        self.has_aux = aux  # or its shape, where that is not the output's
        shape = aux if isinstance(aux, (list, tuple)) else self.out_shape or (1,)
        self.aux = np.zeros((self.grains, *shape, lanes), self.real)
        self.gradients = np.full(
            (self.grains, sum(p.size for p in self.parameters[:trained]) + 1), np.nan, self.real
        )
        self.step = Step(
            active=self.active.ctypes.data,
            loss=self.loss.ctypes.data,
            grains=self.grains,
            to=self.grains,
            norm_to=self.grains,
            images=images,
            seed=7,
            step=3,
        )

    def grain_layout(self, array, fill, dtype=None):
        """[images, ...] to [grains, ..., lanes]."""
        whole = np.full((self.grains * self.lanes, *array.shape[1:]), fill, dtype or self.real)
        whole[: self.images] = array
        whole = whole.reshape(self.grains, self.lanes, *array.shape[1:])
        return np.ascontiguousarray(np.moveaxis(whole, 1, -1))

    def image_layout(self, array, exact_zeros=False):
        array = np.moveaxis(array, -1, 1).reshape(-1, *array.shape[1:-1])
        assert (
            not exact_zeros or not array[self.images :].any()
        ), "a lane without an image has a gradient"
        return array[: self.images]

    def run_stage(self, stage, xs, y=None, dy=None, dx=None, which=0, accumulate=False):
        kernel = getattr(self.library, f"net_{self.op}_{stage}")
        kernel.restype = None
        for grain in range(self.grains):
            call = NetCall(
                lanes=self.lanes,
                attributes=self.attributes,
                training=self.training,
                inputs=len(xs),
                statistics=self.statistics.ctypes.data,
                statistics_stride=self.statistics.shape[1],
                which=which,
                accumulate=accumulate,
                parameters=len(self.parameters),
                gradient_stride=self.gradients.shape[1],
                step=c.pointer(self.step),
                grain=grain,
                active=self.active[grain * self.lanes :].ctypes.data,
                salt=11,
                loss_weight=1,
            )
            pointers = [x[grain].ctypes.data for x in xs]
            call.x = (c.c_void_p * len(xs))(*pointers)
            call.x_shape = (Shape * len(xs))(*[net_shape(shape) for shape in self.in_shapes])
            if self.out_shape:
                call.y_shape = net_shape(self.out_shape)
            if self.targets is not None:
                call.target = self.target_grains[grain].ctypes.data
                call.target_weight = self.target_weight
            call.aux = self.aux[grain].ctypes.data if self.has_aux else None
            call.y, call.dy, call.dx = (
                None if a is None else a[grain].ctypes.data for a in (y, dy, dx)
            )
            offset = 0
            for i, parameter in enumerate(self.parameters):
                call.parameter[i] = None if parameter is None else parameter.ctypes.data
                if i < self.trained:
                    call.dparameter[i] = self.gradients[grain, offset:].ctypes.data
                    offset += parameter.size
            kernel(c.byref(call))

    def forward(self, *xs):
        """Images to images; a loss gives each image's."""
        grains = [self.grain_layout(x, GARBAGE) for x in xs]
        if hasattr(self.library, f"net_{self.op}_statistics") and self.training:
            self.run_stage("statistics", grains)
        y = (
            np.full((self.grains, *self.out_shape, self.lanes), np.nan, self.real)
            if self.out_shape
            else None
        )
        self.run_stage("forward", grains, y=y)
        self.y = y
        if not self.out_shape:
            assert not self.loss[self.images :].any()
            return self.loss[: self.images].copy()
        return self.image_layout(y)

    def backward(self, xs, dy=None, into=None):
        """After forward(*xs): gradients of the inputs and of the trained
        parameters.  into: values the inputs' gradients are added to."""
        grains = [self.grain_layout(x, GARBAGE) for x in xs]
        dy_grains = None if dy is None else self.grain_layout(dy, 0)
        if hasattr(self.library, f"net_{self.op}_backward_parameters"):
            self.run_stage("backward_parameters", grains, y=self.y, dy=dy_grains)
        dxs = []
        for which, x in enumerate(xs):
            dx = (
                np.full(grains[which].shape, np.nan, self.real)
                if into is None
                else self.grain_layout(into[which], 0)
            )
            self.run_stage(
                "backward_input",
                grains,
                y=self.y,
                dy=dy_grains,
                dx=dx,
                which=which,
                accumulate=into is not None,
            )
            dxs.append(self.image_layout(dx, exact_zeros=True).reshape(x.shape))
        total, dparameters, offset = self.gradients.sum(0), [], 0
        for parameter in self.parameters[: self.trained]:
            dparameters.append(total[offset : offset + parameter.size].reshape(parameter.shape))
            offset += parameter.size
        return dxs, dparameters
