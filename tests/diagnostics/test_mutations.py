"""One random fault in a model: never a crash, never silence where the program
cannot be right, one error, and that at the fault; and what --fix makes of it.
See mutants.py.

`make mutants N=10000 FROM=1` takes any number and seed.
"""
import os
from collections import Counter

from diagnostics import mutants

COUNT, SEED = int(os.environ.get("MUTANTS", 1200)), int(os.environ.get("MUTANTS_FROM", 1))
FIXED = int(os.environ.get("MUTANTS", 300))
AUTHORS = 0.85  # of the files that --fix changed: what their author had
ELSEWHERE = 0.02  # of those with errors: no span of the message is at the fault
SEVERAL = 0.01  # a line left out can be several faults: a name, and a shape


def test_mutants(tmp_path):
    found, wrong = mutants.judge(COUNT, SEED, tmp_path)
    mutants.report(found)
    count = Counter(why for why, _, _ in found)
    print(f"{COUNT} mutants, {wrong} with errors: {dict(count)}")
    assert wrong > COUNT / 2
    assert count["silent"] == 0
    assert count["several"] <= SEVERAL * wrong
    assert count["elsewhere"] <= ELSEWHERE * wrong


def test_fixes_do_no_harm_and_are_what_was_meant(tmp_path):
    fixes, harm, others = mutants.judge_fixes(FIXED, SEED, tmp_path)
    for why, mutant, after in harm:
        print(why)
        mutants.report_fix(mutant, after)
    for mutant, _, after in others:
        mutants.report_fix(mutant, after)
    print(fixes)
    assert not harm
    assert fixes.applied > FIXED / 5
    assert fixes.author >= AUTHORS * fixes.applied
    assert fixes.of_shapes_author >= AUTHORS * fixes.of_shapes
