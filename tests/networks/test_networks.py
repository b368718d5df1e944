"""Networks of papers and libraries: each is said without a warning, is formatted,
and has the published number of parameters."""
import json
import re
from pathlib import Path

import pytest

from harness import MODELS, netc

HERE = Path(__file__).resolve().parent

# Those that models/ has, with their parameters.
IN_MODELS = {
    1: ("mlp", 575050),
    2: ("lenet5", 61706),
    8: ("vgg11_cifar", 9231114),
    10: ("resnet18_cifar", 11173962),
    29: ("resnet8", 78186),
    32: ("vgg16", 138357544),
    34: ("googlenet", 6624904),
    35: ("inception_v3", 27161264),
    39: ("resnet50", 25557032),
    40: ("resnext50_32x4d", 25028904),
    42: ("densenet121", 7978856),
    44: ("mobilenet_v2", 3504872),
    47: ("shufflenet_v2_x1_0", 2278604),
    48: ("efficientnet_b0", 5288548),
    50: ("regnet_y_400mf", 4344144),
    51: ("convnext_tiny", 28589128),
    69: ("vit_b_16", 86567656),
    71: ("swin_t", 28288354),
    72: ("mlp_mixer", 59880472),
    90: ("dcgan_generator", 3576704),
    98: ("m5", 26915),
    99: ("ds_cnn", 23756),
    112: ("gpt", 10745088),
}
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
REACHED = 124

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


@pytest.mark.parametrize("model, count", IN_MODELS.values())
def test_network_in_models(model, count):
    path = MODELS / f"{model}.net"
    assert netc("check", path).stderr == ""
    assert parameters(path) == count


def test_how_many_can_be_said():
    written = {number(path) for path in FILES}
    assert not written & IN_MODELS.keys(), "a copy of what models/ has"
    assert len(written | IN_MODELS.keys()) >= REACHED
