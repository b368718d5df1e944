"""examples/cluster/plan.py: the formulas of its page, and the table that is there."""
import importlib.util
import re
from pathlib import Path

import pytest

from harness import MODELS, ROOT, run, trainer

PAGE = ROOT / "examples/cluster/README.md"
SPEC = importlib.util.spec_from_file_location("plan", ROOT / "examples/cluster/plan.py")
plan = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plan)


def test_the_formulas():
    """Of 1 MB at 1 ns a byte and 1 us a message."""
    assert plan.ring(8, 1e6, 1e-6, 1e-9) == pytest.approx(14e-6 + 1.75e-3)
    assert plan.halving(8, 1e6, 1e-6, 1e-9) == pytest.approx(6e-6 + 1.75e-3)
    assert plan.tree(8, 1e6, 1e-6, 1e-9) == pytest.approx(6e-6 + 6e-3)
    assert plan.tree(5, 1e6, 1e-6, 1e-9) == plan.tree(8, 1e6, 1e-6, 1e-9)
    info = {"lanes": 16, "norms": [10, 20]}
    gathered = 2 * 3e-6 * 2 + 7 * 4 * 8 * 30 * 2 * 1e-9  # two norms; 7 others' 4 grains
    assert plan.norm_seconds(info, 8, 64, 1e-6, 1e-9) == pytest.approx(gathered)


def test_what_is_hidden_costs_nothing():
    info = {"parameters": 25_000_000, "lanes": 16, "norms": []}
    assert plan.plan(info, 10.0, 8, 64, 10e9, 2e-5)["all"] == 1
    slow = plan.plan(info, 0.03, 8, 64, 10e9, 2e-5)
    assert slow["all"] == pytest.approx(0.03 / (0.03 + slow["halving"] - 0.02))
    assert plan.plan(info, 10.0, 1, 64, 10e9, 2e-5)["all"] == 1


def test_the_figures_of_a_trainer_are_read():
    bench = (
        "cores     µs a step    images/s\n    1     1000.5   64\n   16       90.0   711   11.1\n"
    )
    assert plan.read_bench(bench, 16) == pytest.approx(90e-6)
    assert plan.read_bench(bench, 1) == pytest.approx(1000.5e-6)


@pytest.mark.skipif("avx512f" not in Path("/proc/cpuinfo").read_text(), reason="its grain is 16")
def test_the_page_has_what_the_script_prints(golden):
    made = trainer((MODELS / "resnet50.net").read_text(), "--target=x86-64-v4")
    printed = run(ROOT / "examples/cluster/plan.py", made, "--step", 0.75).stdout
    block = re.compile(r"(<!-- plan -->\n```\n)((?:.*\n)*?)(```\n)")
    golden(PAGE, block.sub(lambda found: found[1] + printed + found[3], PAGE.read_text()))
