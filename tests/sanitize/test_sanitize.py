"""A short part of `make sanitize`: one network, few threads and steps."""
import pytest

from harness import made_once
from sanitize import sanitize


@pytest.mark.parametrize("sanitizer", sanitize.SANITIZERS)
def test_a_network_under_a_sanitizer(sanitizer):
    with made_once(f"sanitize-{sanitizer}"):
        line, findings = sanitize.campaign(
            [sanitizer], ["cnn"], ["specialised"], [1, 3], processes=1, optimise="-O0"
        )
    assert not findings, findings[0]
    assert " 8 runs on 1 to 3 threads, 0 findings" in line
