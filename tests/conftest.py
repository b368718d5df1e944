"""Options, fixtures and the closing line.

`--golden` (make golden) rewrites the expectations that differ instead of
failing, so that a diff shows what changed.
"""
import os
import signal
from pathlib import Path

import pytest

import harness


def pytest_addoption(parser):
    parser.addoption(
        "--golden", action="store_true", help="rewrite the expected texts from what is printed now"
    )


def pytest_configure(config):
    for number in (signal.SIGINT, signal.SIGHUP):  # as nohup and a job in the background leave them
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(
                number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            )
    if not harness.NETC.exists():
        raise pytest.UsageError("build/netc is missing: run make first")


# ------------------------------------------------- tests for several workers

# Folders of tests of a few milliseconds each.
LIGHT = {"diagnostics", "format", "front", "graph", "report", "serve"}
AT_ONCE = 4  # tests that a worker has been given; it begins one when it knows the next


def pytest_collection_modifyitems(items):
    """The light ones come last, so that no worker is left alone with a long one."""
    for item in items:
        if harness.ROOT / "tests" / "slow" in item.path.parents:
            item.add_marker("slow")
    items.sort(key=lambda item: item.path.relative_to(harness.ROOT / "tests").parts[0] in LIGHT)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A few tests at a time: pytest-xdist gives a worker hundreds, which may all be long."""
    if config.option.dist != "load":
        return None
    from xdist.scheduler import LoadScheduling

    class FewAtATime(LoadScheduling):
        def _send_tests(self, node, count):
            super()._send_tests(node, min(count, AT_ONCE))

        def check_schedule(self, node, duration=0):
            has = len(self.node2pending[node])
            if not self.pending:
                super().check_schedule(node, duration)
            elif has <= AT_ONCE // 2 and not node.shutting_down:
                self._send_tests(node, AT_ONCE - has)

    return FewAtATime(config, log)


@pytest.fixture
def golden(request):
    """golden(path, text): text must be the file's content."""
    rewrite = request.config.getoption("--golden")

    def compare(path, actual):
        path = Path(path)
        if rewrite and (not path.exists() or path.read_text() != actual):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual)
        assert path.exists(), f"{path} does not exist: `make golden` writes it"
        assert actual == path.read_text()

    return compare


@pytest.fixture(scope="session")
def mnist():
    """The folder of MNIST's four files; the test is skipped when they are not here."""
    for folder in (os.environ.get("MNIST_DIR"), harness.ROOT / "data" / "mnist"):
        if folder and list(Path(folder).glob("train-images*")):
            return Path(folder).resolve()
    pytest.skip("MNIST is not in data/mnist: run make mnist")


# ------------------------------------------------------- the closing line


def pytest_unconfigure(config):
    """After everything pytest prints, in the process that ran the others."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    counts = {
        name: len([report for report in reports if getattr(report, "count_towards_summary", True)])
        for name, reports in reporter.stats.items()
    }
    failed = counts.get("failed", 0) + counts.get("error", 0)
    line = f"{counts.get('passed', 0)} passed, {failed} failed"
    if counts.get("skipped"):
        line += f", {counts['skipped']} skipped"
    reporter.ensure_newline()
    reporter.write_line(line)
