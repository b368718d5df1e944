"""The shape rules of the windowed operators against PyTorch's formula, and of those
that arrange axes, over random arguments; and every operator's page."""
import json

import numpy as np
import pytest

from ops.cases import CASES, VIEWS
from harness import netc, operators

NETWORKS_EACH = 4
LAYERS_EACH = 12


def argument(name, value):
    if isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    value = f'"{value}"' if value == "nearest-exact" else value
    return f"{name}={list(value) if isinstance(value, (list, tuple)) else value}"


def layer(call, attributes):
    """One branch: the operator on an input of the case's shape, with the shape asserted."""
    arguments = {
        name: value
        for name, value in attributes.items()
        if not (name == "divisor_override" and value == 0) and value != []
    }
    for name, role in arguments_of(call.op).items():
        if role == "channels":
            arguments[name] = call.out_shape[0]
    words = ", ".join(argument(*item) for item in arguments.items())
    return (
        "network n {\n"
        f"    input {list(call.in_shapes[0])}\n"
        f"    {call.op}({words}) -> {list(call.out_shape)}\n"
        "}\n"
    )


def arguments_of(name):
    """Their roles by name."""
    (arguments,) = [op["arguments"] for op in operators() if op["name"] == name]
    return {argument["name"]: argument["role"] for argument in arguments}


SPATIAL = {
    op["name"]
    for op in operators()
    if op["window"] or "padding" in arguments_of(op["name"]).values()
}


ARRANGING = set(
    "permute transpose slice mean sum max argmax pad zero_pad1d constant_pad2d reflection_pad3d "
    "pixel_shuffle pixel_unshuffle affine_grid".split()
)


@pytest.mark.parametrize(
    "case",
    [*VIEWS, *(case for case in CASES if case.__name__ in SPATIAL | ARRANGING)],
    ids=lambda case: case.__name__,
)
@pytest.mark.parametrize("seed", range(NETWORKS_EACH))
def test_windows_have_the_documented_size(case, seed, tmp_path):
    random = np.random.default_rng([seed, *case.__name__.encode()])
    paths = []
    for i in range(LAYERS_EACH):
        path = tmp_path / f"layer{i}.net"
        path.write_text(layer(*case(random)))
        paths.append(path)
    netc("check", *paths)


def test_parameters_and_multiply_adds(tmp_path):
    (tmp_path / "n.net").write_text(
        "network n {\n    input [4, 9, 9]\n    conv2d(6, [3, 2], groups=2) as conv\n"
        "    batch_norm2d as norm\n    flatten\n    linear(5, bias=false) as fc\n}\n"
    )
    summary = json.loads(netc("summary", "--json", tmp_path / "n.net").stdout)
    assert [(entry["name"], entry["shape"]) for entry in summary["state"]] == [
        ("conv.weight", [6, 2, 3, 2]),
        ("conv.bias", [6]),
        ("norm.weight", [6]),
        ("norm.bias", [6]),
        ("norm.running_mean", [6]),
        ("norm.running_var", [6]),
        ("norm.num_batches_tracked", []),
        ("fc.weight", [5, 336]),
    ]
    assert summary["multiply_adds"] == 6 * 7 * 8 * 2 * 3 * 2 + 5 * 336


@pytest.mark.parametrize("name", [op["name"] for op in operators()])
def test_every_operator_has_a_page(name):
    page = netc("explain", name).stdout
    assert page.startswith(name)
    for heading in ("\nshape ", "\nformula ", "\nreference "):
        assert heading in page
    assert max(map(len, page.splitlines())) <= 100
    assert f"  {name} " in netc("explain").stdout
