"""Writes pytorch.safetensors: what PyTorch computes for random uses of every
operator, forward and backward, in float64.

    /path/to/python-with-torch tests/ops/make_fixtures.py

The inputs are kept beside the results, so that the tests need no PyTorch and
do not depend on how numpy draws.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import write_safetensors
from ops.cases import CASES, inputs, missing

CASES_EACH = 6
MOST_VALUES = 600               # of an input: the file stays small


def two(value):
    return value if isinstance(value, str) else tuple(np.broadcast_to(value, 2).tolist())


def conv2d(a, x, weight, bias=None):
    if a["padding_mode"] == "zeros":
        return F.conv2d(x, weight, bias, two(a["stride"]), two(a["padding"]), two(a["dilation"]), a["groups"])
    layer = torch.nn.Conv2d(x.shape[1], weight.shape[0], two(a["kernel_size"]), two(a["stride"]), two(a["padding"]),
                            two(a["dilation"]), a["groups"], bias is not None, a["padding_mode"]).double()
    named = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return torch.func.functional_call(layer, named, (x,))


def max_pool2d(a, x):
    return F.max_pool2d(x, two(a["kernel_size"]), two(a["stride"]), two(a["padding"]), two(a["dilation"]), a["ceil_mode"])


def avg_pool2d(a, x):
    return F.avg_pool2d(x, two(a["kernel_size"]), two(a["stride"]), two(a["padding"]), a["ceil_mode"],
                        a["count_include_pad"], a["divisor_override"] or None)


def batch_norm2d(a, x, *parameters):
    weight, bias = parameters[:2] if a["affine"] else (None, None)
    mean, variance = parameters[-2:]
    return F.batch_norm(x, mean, variance, weight, bias, True, a["momentum"], a["eps"])


def layer_norm2d(a, x, weight=None, bias=None):
    return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], weight, bias, a["eps"]).permute(0, 3, 1, 2)


def upsample(a, x):
    factor = a.get("scale_factor")
    return F.interpolate(x, size=a.get("size"), scale_factor=factor and tuple(map(float, factor)), mode=a["mode"])


OPERATORS = {
    "conv2d": conv2d, "max_pool2d": max_pool2d, "avg_pool2d": avg_pool2d, "batch_norm2d": batch_norm2d,
    "layer_norm2d": layer_norm2d, "upsample": upsample,
    "linear": lambda a, x, weight, bias=None: F.linear(x.flatten(1), weight, bias),
    "adaptive_avg_pool2d": lambda a, x: F.adaptive_avg_pool2d(x, two(a["output_size"])),
    "zero_pad2d": lambda a, x: F.pad(x, a["padding"]),
    "layer_scale": lambda a, x, weight: x * weight,
    "relu": lambda a, x: F.relu(x), "tanh": lambda a, x: torch.tanh(x), "sigmoid": lambda a, x: torch.sigmoid(x),
    "relu6": lambda a, x: F.relu6(x), "leaky_relu": lambda a, x: F.leaky_relu(x, a["negative_slope"]),
    "elu": lambda a, x: F.elu(x, a["alpha"]), "gelu": lambda a, x: F.gelu(x, approximate=a["approximate"]),
    "silu": lambda a, x: F.silu(x), "hardswish": lambda a, x: F.hardswish(x),
    "softmax": lambda a, x: F.softmax(x, 1), "log_softmax": lambda a, x: F.log_softmax(x, 1),
    "mul": lambda a, *xs: torch.stack([x.expand(max(xs, key=torch.numel).shape) for x in xs]).prod(0),
    "cross_entropy": lambda a, x, target: F.cross_entropy(x.flatten(1), target, label_smoothing=a["label_smoothing"]),
    "mse": lambda a, x, target: F.mse_loss(x.flatten(1), F.one_hot(target, x.shape[1]).double()),
}


def leaf(array):
    return torch.tensor(np.array(array, np.float64), requires_grad=True)


def compute(call, attributes, xs, random):
    """{name: array} of one use: x0, …, p0, …, y, dy, dx0, …, dp0, …"""
    tensors = [leaf(x) for x in xs]
    parameters = [leaf(p).requires_grad_(i < call.trained) for i, p in enumerate(call.parameters) if p is not None]
    given = [p.detach().clone() for p in parameters]
    target = [] if call.out_shape else [torch.tensor(call.targets[:call.images].astype(np.int64))]
    y = OPERATORS[call.op](attributes, *tensors, *parameters, *target)
    made = {f"x{i}": x for i, x in enumerate(xs)} | {f"p{i}": p.numpy() for i, p in enumerate(given)}
    made |= {f"after{i}": p.numpy() for i, p in enumerate(parameters[call.trained:])}     # running averages
    made["y"] = y.detach().numpy()
    if call.out_shape:
        made["dy"] = random.normal(size=y.shape)
        y.backward(torch.tensor(made["dy"]))
    else:
        made["targets"] = call.targets[:call.images]
        y.backward()
    made |= {f"dx{i}": x.grad.numpy() for i, x in enumerate(tensors)}
    return made | {f"dp{i}": p.grad.numpy() for i, p in enumerate(parameters[:call.trained])}


def describe(call, attributes):
    """The keywords that make the same Call."""
    return dict(op=call.op, attributes=attributes, in_shapes=call.in_shapes, out_shape=call.out_shape,
                images=call.images, lanes=call.lanes, trained=call.trained, statistics=call.statistics.shape[1],
                aux=call.has_aux, counters=sum(p is None for p in call.parameters))


def main():
    tensors, described = {}, {}
    for case in CASES:
        if case.__name__ == "dropout":
            continue            # PyTorch draws other numbers
        random = np.random.default_rng([7, *case.__name__.encode()])
        made, seen = 0, []
        while made < CASES_EACH or missing(case.__name__, seen):
            call, attributes = case(random)
            if made >= CASES_EACH and missing(case.__name__, seen + [attributes]) == missing(case.__name__, seen):
                continue
            if call.images * max(np.prod(shape) for shape in call.in_shapes) > MOST_VALUES:
                continue
            key = f"{call.op}.{made}"
            results = compute(call, attributes, inputs(random, call), random)
            tensors |= {f"{key}.{name}": array for name, array in results.items()}
            described[key] = json.dumps(describe(call, attributes))
            seen.append(attributes)
            made += 1
    write_safetensors(Path(__file__).with_name("pytorch.safetensors"), tensors, described)


main()
