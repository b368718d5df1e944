"""A short part of `make sanitize`: one network, few threads and steps."""
import pytest

from harness import made_once, rarely
from sanitize import sanitize, sanitized


def of_addresses():
    home = sanitize.furnished(
        sanitize.MADE / "quick", sanitized.compiler(), f"-O0 -g {sanitize.SANITIZERS['address']}"
    )
    library = home / "build" / "libnet_f32.a"
    library.parent.mkdir(exist_ok=True)
    if not library.exists():
        library.symlink_to(sanitized.library())
    return home


def of_threads():
    return sanitize.make_home("thread", "-O0", sanitized.compiler())


# tests/core has the pool of threads under the thread sanitizer.
@pytest.mark.parametrize("home", [of_addresses, rarely(of_threads)])
def test_a_network_under_a_sanitizer(home):
    with made_once("sanitize"):
        line, findings = sanitize.campaign(
            [home()], ["cnn"], ["specialised"], [1, 3], processes=1, batch=20
        )
    assert not findings, findings[0]
    assert " 8 runs on 1 to 3 threads, 0 findings" in line
