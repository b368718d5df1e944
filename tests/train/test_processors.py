"""How many threads a trainer takes where nobody says: as many as there are processors for it."""
import os
import re
import shutil

import pytest

from harness import run
from runs import small, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def threads(data, *start):
    result = run(*start, small(), "train", "--data", data, "--max-steps", 1)
    return int(re.search(r"(\d+) threads?$", result.stdout, re.M)[1])


def test_a_set_of_processors_is_respected(data):
    own = sorted(os.sched_getaffinity(0))
    assert threads(data) <= len(own)
    assert threads(data, "taskset", "--cpu-list", own[0]) == 1


def mount(folder):
    """Runs what follows where that folder is the system's control groups."""
    script = 'mount --bind "$1" /sys/fs/cgroup && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", folder]


def can_mount(folder):
    tools = os.geteuid() == 0 and shutil.which("unshare")
    return tools and run(*mount(folder), "true", expect=None).returncode == 0


@pytest.mark.parametrize(
    "files, most",
    [
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "nonsense\n"}, None),
        ({"unified/cpu.max": "50000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_a_quota_of_a_container_is_respected(data, tmp_path, files, most):
    if not can_mount(tmp_path):
        pytest.skip("a container's files cannot be put in the place of the system's")
    controllers = open("/proc/self/cgroup").read()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    if "cpu/" in str(files) and not re.search(r"^\d+:cpu:", controllers, re.M):
        pytest.skip("there is no group of version 1 here")
    if "cpu.max" in str(files) and not re.search(r"^0::", controllers, re.M):
        pytest.skip("there is no group of version 2 here")
    assert threads(data, *mount(tmp_path)) == (most or threads(data))
