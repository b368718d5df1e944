"""Networks of papers and libraries: each is said without a warning, is formatted, and has the
published number of parameters; each recipe is said likewise.  Some are trained here, and all that
README.md's table says so of by `make test-slow`."""
import json
import math
import re

import pytest

from harness import MODELS, check_text, netc
from networks.table import (
    HERE,
    IN_MODELS,
    NOT_TRAINED,
    networks,
    smaller,
    table,
    with_section,
)
from networks.training import falls, losses

# Published with windows that leave rows out: how many such warnings there are.
ROWS_LEFT_OUT = {
    "003_keras_mnist_convnet": 1,
    "026_capsnet": 1,
    "027_spatial_transformer": 1,
    "033_squeezenet1_1": 1,
    "064_bit_resnetv2_50": 1,
    "093_fast_style_transfer": 1,
    "118_pilotnet": 3,
}
# How many are said, trained, and trained by the whole recipe; of some numbers there are two.
WRITTEN, TRAINED, BY_RECIPE = 124, 117, 93

FILES = sorted(HERE.glob("*.net"))
# The end of a title: the count, and perhaps the same by hand; or as rounded in a paper.
EXACT = re.compile(r"; ([\d,]+) parameters(?: = ([\d+*() -]+\b\)?))?")
ROUNDED = re.compile(r"; (\d+)\.(\d+) million parameters$")


def number(path):
    return int(path.name.split("_")[0])


def parameters(path):
    told = netc("summary", "--json", "--warn=no-rows-left-out", path)
    return json.loads(told.stdout)["parameters"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_network(path):
    title = path.read_text().splitlines()[0]
    assert title.startswith(f"# {number(path)} ")
    told = netc("check", path).stderr
    assert told.count("warning[rows-left-out]") == ROWS_LEFT_OUT.get(path.stem, 0)
    assert netc("check", "--warn=no-rows-left-out", path).stderr == ""
    netc("fmt", "--check", path)

    counted = parameters(path)
    if exact := EXACT.search(title):
        count, by_hand = exact.groups()
        assert counted == int(count.replace(",", ""))
        # only digits, + - * and brackets: see EXACT
        assert by_hand is None or eval(by_hand) == counted
    elif rounded := ROUNDED.search(title):
        whole, digits = rounded.groups()
        assert f"{counted / 1e6:.{len(digits)}f}" == f"{whole}.{digits}"
    else:
        assert "; unpublished: " in title


@pytest.mark.parametrize("model, count, title", IN_MODELS.values())
def test_network_in_models(model, count, title):
    path = MODELS / f"{model}.net"
    assert netc("check", path).stderr == ""
    assert parameters(path) == count


ROWS = [pytest.param(row, id=row.stem) for row in with_section()]


@pytest.mark.parametrize("row", ROWS)
def test_recipe(row, tmp_path):
    """Of a network of models/ too, and of the smaller one that is trained."""
    if row.number in IN_MODELS:
        (tmp_path / "whole.net").write_text(row.text)
        assert netc("check", tmp_path / "whole.net").stderr == ""
        netc("fmt", "--check", tmp_path / "whole.net")
    told = check_text(smaller(row), tmp_path, "--warn=no-rows-left-out", expect=0)
    assert told.stderr == ""


def of(stem):
    return next(row for row in networks() if row.stem == stem)


# One of each kind of data, which take less than two seconds.
QUICKEST = [
    "003_keras_mnist_convnet",  # IDX files
    "079_lraspp_mobilenet_v3",  # masks
    "098_m5",  # recordings
    "108_character_lstm",  # a text
    "114_table_classes",  # a table
    "116_neumf",  # arrays, of several inputs
]


@pytest.mark.parametrize("stem", QUICKEST)
def test_trains(stem, tmp_path):
    assert falls(losses(of(stem), tmp_path))


# Parameters as Keras counts them, with the running averages.
MLPERF_TINY = {
    "029_resnet8": 78666,
    "068_mobilenet_v1_vww": 221794,
    "099_ds_cnn": 24908,
    "106_anomaly_autoencoder": 269992,
}


@pytest.mark.parametrize("stem", MLPERF_TINY)
def test_mlperf_tiny(stem, tmp_path):
    """At their full size, by the recipes of mlcommons/tiny."""
    row = of(stem)
    assert row.recipe.startswith("mlcommons/tiny ") and smaller(row).count("input [") == 1
    (tmp_path / "whole.net").write_text(row.text)
    state = json.loads(netc("summary", "--json", tmp_path / "whole.net").stdout)["state"]
    kept = [math.prod(entry["shape"]) for entry in state if entry["dtype"] == "F32"]
    assert sum(kept) == MLPERF_TINY[stem]
    assert falls(losses(row, tmp_path))


def test_how_many():
    written = {row.number for row in networks()}
    copies = {row.number for row in networks() if (HERE / f"{row.stem}.net").exists()}
    assert not copies & IN_MODELS.keys(), "a copy of what models/ has"
    assert len(written) >= WRITTEN
    assert len({row.number for row in with_section()}) >= TRAINED
    assert (
        len({row.number for row in with_section() if row.recipe and not row.without}) >= BY_RECIPE
    )
    assert {row.stem for row in networks() if not row.section} == NOT_TRAINED.keys()


def test_the_table(golden):
    path = HERE / "README.md"
    head, begin, rest = path.read_text().partition("<!-- table -->\n")
    end = rest[rest.index("<!-- end of the table -->") :]
    golden(path, head + begin + table() + end)
