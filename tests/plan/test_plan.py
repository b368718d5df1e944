"""What runs when, and what is handed on how: the plans of the tutorial networks.

Where each tensor lies and how large a kernel's own memory is are not in the
expectations, for they move with every improvement: that each lies where it may
is checked by running the plan on paper (fuzz/plans.py).  One target is named, for
a plan counts in vectors and must not depend on the machine that prints it.
`make golden` rewrites the expectations.
"""
import re
from pathlib import Path

import pytest

from fuzz import plans
from harness import MODELS, TUTORIALS, netc

HERE = Path(__file__).resolve().parent
OFFSET = re.compile(r"(?<= )(scratch|kept|input)(\*?)\+\d+")
SIZES = re.compile(
    r", scratch \d+, kept \d+, filters \d+, lower bound \d+$"
    r"|(?<=^  in memory scratch), \d+ vectors$"
    r"|(?<=^  makes filters)\+\d+, \d+ vectors$"
    r"|(?<=^  with filters)\+\d+, \d+ vectors$"
    r"|(?<=^  in pieces), some \d+ us$",
    re.M,
)


def without_addresses(plan):
    return SIZES.sub("", OFFSET.sub(r"\1\2", plan))


@pytest.mark.parametrize("model", TUTORIALS)
def test_plans(model, golden):
    path = MODELS / f"{model}.net"
    plan = netc("--dump=plan", "--target=x86-64-v4", path).stdout
    plans.check(netc("--dump=gradient", path).stdout, plan)
    golden(HERE / f"{model}.txt", without_addresses(plan))


def test_only_addresses_and_sizes_are_left_out():
    """What else there is to a plan is in the expectations."""
    line = (
        "  forward a: x input+4 d b scratch*+12 ->a aux kept+7 ->c register\n"
        "  in memory scratch+0, 9 vectors\n"
        "  makes filters+3, 9 vectors\n"
        "  with filters+3, 9 vectors\n"
        "  in pieces, some 12 us\n"
    )
    assert (
        without_addresses(line)
        == "  forward a: x input d b scratch* ->a aux kept ->c register\n  in memory scratch\n"
        "  makes filters\n  with filters\n  in pieces\n"
    )
    head = "training: 1 phase, lanes 16"
    assert (
        without_addresses(f"{head}, scratch 8, kept 1, filters 2, lower bound 9\n") == f"{head}\n"
    )
