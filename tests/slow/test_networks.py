"""Each network that the table says is trained takes ten steps by its recipe, made smaller, and its
loss falls.  This takes an hour of one core."""
import pytest

from networks.table import trained
from networks.training import falls, losses


@pytest.mark.parametrize("row", [pytest.param(row, id=row.stem) for row in trained()])
def test_trains(row, tmp_path):
    assert falls(losses(row, tmp_path))
