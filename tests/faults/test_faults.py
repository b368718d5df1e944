"""A short part of `make faults` (see faults.py): some of the allocations and system
calls of every command fail."""
from faults import faults

# Primes, so that each of a command's repeated patterns is met at another place.
CALLS_EVERY, ALLOCATIONS_EVERY = 37, 397


def test_some_system_calls_fail(tmp_path):
    ways = [way for way in faults.WAYS if way[0] == "call"]
    line, findings = faults.campaign(tmp_path, ways=ways, first=5, every=CALLS_EVERY, processes=2)
    assert not findings, (line, *findings)


def test_some_allocations_fail(tmp_path):
    ways = [way for way in faults.WAYS if way[0] == "allocation"]
    line, findings = faults.campaign(tmp_path, ways=ways, first=5, every=ALLOCATIONS_EVERY, processes=2)
    assert not findings, (line, *findings)
