"""A short part of `make kills` (see kills.py)."""
from faults import kills

KILLS = 80


def test_killed_runs_are_taken_up_again():
    line, findings = kills.campaign(KILLS, processes=2)
    assert not findings, (line, *findings)
