"""Writes pytorch.safetensors: what PyTorch computes for random uses of every
operator, forward and backward, in float64.

    /path/to/python-with-torch tests/ops/make_fixtures.py [OPERATOR ...]

With operators, only theirs; the others stay as they are.
The inputs are kept beside the results, so that the tests need no PyTorch and
do not depend on how numpy draws.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import read_metadata, read_safetensors, write_safetensors
from ops.cases import BY_NAME, ROWS, inputs, missing

FILE = Path(__file__).with_name("pytorch.safetensors")
CASES_EACH = 6
MAX_VALUES = 600  # of an input: the file stays small


def leaf(array):
    return torch.tensor(np.array(array, np.float64), requires_grad=True)


def compute(call, attributes, xs, random):
    """{name: array} of one use: x0, …, p0, …, y, dy, dx0, …, dp0, …"""
    tensors = [leaf(x) for x in xs]
    parameters = [
        leaf(p).requires_grad_(i < call.trained)
        for i, p in enumerate(call.parameters)
        if p is not None
    ]
    given = [p.detach().clone() for p in parameters]
    target = [] if call.targets is None else [torch.tensor(call.targets)]
    y = BY_NAME[call.op].pytorch(torch, attributes, *tensors, *parameters, *target)
    made = {f"x{i}": x for i, x in enumerate(xs)} | {
        f"p{i}": p.numpy() for i, p in enumerate(given)
    }
    made |= {
        f"after{i}": p.numpy() for i, p in enumerate(parameters[call.trained :])
    }  # running averages
    made["y"] = y.detach().numpy()
    if call.out_shape:
        made["dy"] = random.normal(size=y.shape)
        y.backward(torch.tensor(made["dy"]))
    else:
        if call.targets is not None:
            made["targets"] = call.targets
        y.backward()
    made |= {f"dx{i}": x.grad.numpy() for i, x in enumerate(tensors)}
    return made | {f"dp{i}": p.grad.numpy() for i, p in enumerate(parameters[: call.trained])}


def describe(call, attributes):
    """The keywords that make the same Call."""
    return dict(
        op=call.op,
        attributes=attributes,
        in_shapes=call.in_shapes,
        out_shape=call.out_shape,
        images=call.images,
        lanes=call.lanes,
        trained=call.trained,
        statistics=call.statistics.shape[1],
        aux=call.has_aux,
        counters=sum(p is None for p in call.parameters),
    )


def kept(names):
    """The tensors and descriptions of all operators but these."""
    if not names:
        return {}, {}
    metadata = read_metadata(FILE)
    others = {key: text for key, text in metadata.items() if key.split(".")[0] not in names}
    return {
        key: array
        for key, array in read_safetensors(FILE).items()
        if key.rsplit(".", 1)[0] in others
    }, others


def main(names):
    tensors, described = kept(names)
    for row in ROWS:
        if row.pytorch is None or (names and row.name not in names):
            continue
        random = np.random.default_rng([7, *row.name.encode()])
        made, seen = 0, []
        while made < CASES_EACH or missing(row.name, seen):
            call, attributes = row.case(random)
            if made >= CASES_EACH and missing(row.name, seen + [attributes]) == missing(
                row.name, seen
            ):
                continue
            if call.images * max(np.prod(shape) for shape in call.in_shapes) > MAX_VALUES:
                continue
            key = f"{call.op}.{made}"
            results = compute(call, attributes, inputs(random, call), random)
            tensors |= {f"{key}.{name}": array for name, array in results.items()}
            described[key] = json.dumps(describe(call, attributes))
            seen.append(attributes)
            made += 1
    write_safetensors(FILE, tensors, described)


main(sys.argv[1:])
