"""No text whatever is netc's own fault: exit 3 never happens.  Words, quotes and
braces of right programs are moved about, and every command is given the result.
MUTANTS=N MUTANTS_FROM=N for more, or others."""
import os
import random
import re

import pytest

from harness import MODELS, ROOT, TUTORIALS, netc

COUNT, FIRST = int(os.environ.get("MUTANTS", 240)), int(os.environ.get("MUTANTS_FROM", 1))
AT_ONCE = 40  # files a command is given: one's faults must not be another's

WORD = re.compile(r"[A-Za-z_][\w.]*|\d[\w.]*|\s+|.", re.S)
PUT = (
    list("\"'{}()[],;#\n.=*/+-%_<>\r\t\x7f\0\x1b")
    + ["\u202e", "é", "\udcff", '"{', '}"', "'}\"", '"a{', "{i}", "->", "//", "#=", "' "]
    + [" as ", " from "]
    + [f"{word} " for word in "repeat dense if else skip shortcut branch let".split()]
    + ["input ", "block ", "train "]
    + "0 -1 1.5 9223372036854775807 1e308 true".split()
    + ["not ", "-> [_, _]", " -> [4]", "identity", "relu\n", "concat", "add("]
)
SEEDS = [
    path.read_text()
    for path in sorted((ROOT / "tests" / "front" / "right").glob("*.net"))
    + sorted((ROOT / "tests" / "graph" / "right").glob("*.net"))
    + [MODELS / f"{name}.net" for name in TUTORIALS]
]


def mutant(number):
    """A right program with a few of its words removed, moved, copied, or replaced by one that
    has a meaning."""
    draw = random.Random(number)
    words = WORD.findall(draw.choice(SEEDS))
    for _ in range(draw.choice([1, 1, 2, 3, 6])):
        at, other = draw.randrange(len(words)), draw.randrange(len(words))
        kind = draw.randrange(5)
        if kind == 0 and len(words) > 20:
            del words[at : at + draw.randrange(1, 10)]
        elif kind == 1:
            words[at], words[other] = words[other], words[at]
        elif kind == 2:
            words[at:at] = words[other : other + draw.randrange(1, 30)]
        elif kind == 3:
            words[at] = draw.choice(PUT)
        else:
            words.insert(at, draw.choice(PUT))
    return "".join(words).encode("utf-8", "surrogateescape")


def write(folder, texts):
    for i, text in enumerate(texts):
        (folder / f"m{i}.net").write_bytes(text)
    return [f"m{i}.net" for i in range(len(texts))]


def commands(names, folder):
    """Every command on these files; what check finds no fault in also goes the whole way."""
    for words in (
        ["check"],
        ["check", "--diagnostics=json"],
        ["check", "--diagnostics=sarif"],
        ["check", "--diagnostics=narrated"],
        ["fmt", "--diff"],
        ["fmt", "--annotate", "--diff"],
        ["fmt", "--strip", "--diff"],
    ):
        assert netc(*words, *names, cwd=folder, expect=None).returncode in (0, 1)
    told = netc("check", "--diagnostics=short", *names, cwd=folder, expect=None).stderr
    for name in [name for name in names if f"{name}:" not in told][:5]:
        for words in (["emit"], ["emit", "--kernels=reference"], ["graph"], ["summary"]):
            assert netc(*words, name, cwd=folder, expect=None).returncode in (0, 1)
    assert netc("check", "--fix", *names, cwd=folder, expect=None).returncode in (0, 1)


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, AT_ONCE))
def test_mutants(first, tmp_path):
    commands(
        write(tmp_path, [mutant(number) for number in range(first, first + AT_ONCE)]), tmp_path
    )


# Texts that once ended netc with exit 3 or a signal, or nearly.
FOUND = [
    "network n {\n    input [8]\n    relu as \"a{'}\" # don't\n}\n",
    'network n {\n    input [8]\n    relu as "a{i\'" + \'}"\n}\n',
    "network n {\n    input [8]\n    repeat 2 as i { relu as \"{i}{i'}\" }\n    # it's\n}\n",
    "network n {\n    input [8]\n    foo\n}\n",
    "network n {\n    input [8]\n}\n",
    "block b {\n    relu\n}\n",
    # An unknown operator in a setting's value, in a text that is broken elsewhere.
    "network n {\n    input [8]\n    linear(2)\n}\n"
    "train {\n    optimizer sgd(lr=linera(3))\n}\n"
    "block b( {\n",
    "",
]


@pytest.mark.parametrize("order", [1, -1])
def test_texts_that_were_found(order, tmp_path):
    commands(write(tmp_path, [text.encode() for text in FOUND[::order]]), tmp_path)
