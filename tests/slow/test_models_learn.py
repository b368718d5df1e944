"""Every large model builds with either kernels and takes steps on drawn images.

Its loss falls, as it must: the few images are the same in each step.  This takes minutes:
`make test-slow` runs this folder, `make test` does not.
"""
import pytest

from models.test_models import PICTURES, draw_cifar10, falls, losses, to_learn

# Learning rates; batch normalisation bears the larger ones.
RATES = {
    "vgg16": 0.01,
    "resnet18": 0.02,
    "resnet50": 0.02,
    "googlenet": 0.02,
    "mobilenet_v2": 0.02,
    "efficientnet_b0": 0.02,
    "densenet121": 0.02,
    "convnext_tiny": 0.01,
    "mlp_mixer": 0.02,
    "unet": 0.02,
    "char_lstm": 0.1,
    "unet_transposed": 0.02,
    "resnext50_32x4d": 0.02,
    "mobilenet_v3_small": 0.02,
    "shufflenet_v2_x1_0": 0.02,
    "regnet_y_400mf": 0.02,
    "resnet8": 0.02,
    "resnet18_cifar": 0.02,
    "vgg11_cifar": 0.02,
}


def test_every_model_is_here():
    assert set(RATES) == set(PICTURES)


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
@pytest.mark.parametrize("model", RATES)
def test_learns(model, kernels, tmp_path):
    text = to_learn(model, RATES[model])
    assert falls(losses(text, draw_cifar10(tmp_path / "data"), tmp_path, f"--kernels={kernels}"))
