"""What runs when, and where each tensor lies: the plans of the tutorial networks.

One target is named, for a plan counts in vectors and must not depend on the
machine that prints it.  `make golden` rewrites the expectations.
"""
from pathlib import Path

import pytest

from harness import MODELS, TUTORIALS, netc

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize("model", TUTORIALS)
def test_plans(model, golden):
    dump = netc("--dump=plan", "--target=x86-64-v4", MODELS / f"{model}.net").stdout
    golden(HERE / f"{model}.txt", dump)
