"""Published networks against PyTorch, four steps in float64 each: parity/test_published.py trains
the quickest of them."""
import pytest

from harness import COMPUTING
from parity.test_published import QUICKEST, TRAINED, check_training


@pytest.mark.parametrize("name", [name for name in TRAINED if name not in QUICKEST])
def test_training(name, tmp_path):
    check_training(name, tmp_path, COMPUTING)
