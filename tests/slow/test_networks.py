"""Each network of the table that has a train section takes ten steps by it, made smaller, and its
loss falls.  This takes twenty minutes of one core."""
import pytest

from networks.table import with_section
from networks.training import falls, losses


@pytest.mark.parametrize("row", [pytest.param(row, id=row.stem) for row in with_section()])
def test_trains(row, tmp_path):
    assert falls(losses(row, tmp_path))
