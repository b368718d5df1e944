"""All 20 steps of a published network against PyTorch and where they end, and
its first step by the reference kernels."""
from parity.test_resnet18_cifar import (
    follow,
    given,
    test_first_step as first_step,
)  # noqa: F401: the fixture


def test_twenty_steps(given, tmp_path):  # noqa: F811
    follow(given, tmp_path, 20)


def test_first_step_by_the_reference_kernels(given, tmp_path):  # noqa: F811
    first_step(given, tmp_path, "f64", "reference")
