"""A short part of `make faults` (see faults.py): some of the allocations and system
calls of every command fail."""
from faults import faults

# Primes, so that each of a command's repeated patterns is met at another place.
CALLS_EVERY, ALLOCATIONS_EVERY = 307, 1999


def check(folder, ways, every):
    line, findings = faults.campaign(folder, ways=ways, first=5, every=every, processes=2)
    assert not findings, (line, *findings)


def test_some_system_calls_fail(tmp_path):
    ways = [way for way in faults.WAYS if way[0] == "call"]
    check(tmp_path, ways, CALLS_EVERY)


def test_some_allocations_fail(tmp_path):
    ways = [way for way in faults.WAYS if way[0] == "allocation"]
    check(tmp_path, ways, ALLOCATIONS_EVERY)
