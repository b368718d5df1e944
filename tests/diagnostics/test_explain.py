"""Every page of `netc explain CODE`: its wrong program gets that code and no
other, and its right program checks clean."""
import re
import subprocess

import pytest

from harness import NETC, netc

LISTED = subprocess.run([NETC, "explain"], capture_output=True, text=True).stdout
OPERATORS, _, CODES = (re.findall(r"^  *(\w[\w-]*)  |^(\w[\w-]*)  ", part, re.M) if i != 1 else part
                       for i, part in enumerate(LISTED.partition("\nerrors:\n")))
OPERATORS, CODES = ([a or b for a, b in found] for found in (OPERATORS, CODES))


def programs(code):
    """{"Wrong": text, "Right": text} of the page, without its indentation."""
    page = netc("explain", code).stdout
    found = re.findall(r"^(Wrong|Right):\n\n((?:    .*\n|\n)+)", page, re.M)
    return {which: re.sub(r"^    ", "", text, flags=re.M) for which, text in found}


def test_something_is_listed():
    assert "conv2d" in OPERATORS and "shape-assert" in CODES


@pytest.mark.parametrize("code", CODES)
def test_examples(code, tmp_path):
    for which, text in programs(code).items():
        (tmp_path / f"{which}.net").write_text(text)
        told = netc("check", "--diagnostics=short", f"{which}.net", cwd=tmp_path, expect=which == "Wrong").stderr
        if which == "Right":
            assert told == ""
        else:
            assert set(re.findall(r"error\[([\w-]+)\]", told)) == {code}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operators_page(operator):
    page = netc("explain", operator).stdout
    assert page.startswith(operator)
