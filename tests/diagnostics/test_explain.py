"""Every page of `netc explain CODE`: its wrong program gets that code and no
other, and its right program checks clean."""
import json
import re

import pytest

from harness import ROOT, netc

LISTED = netc("explain").stdout
PARTS = dict(re.findall(r"^(\w+):\n((?:.+\n)+)", LISTED, re.M))
OPERATORS, WORDS, ERRORS, WARNINGS = (
    re.findall(r"^ *([\w-]+)  ", PARTS[part], re.M)
    for part in ("operators", "words", "errors", "warnings")
)


def programs(code):
    """{"Wrong": text, "Right": text} of the page, without its indentation."""
    page = netc("explain", code).stdout
    found = re.findall(r"^(Wrong|Right|Example):\n\n((?:    .*\n|\n)+)", page, re.M)
    return {which: re.sub(r"^    ", "", text, flags=re.M) for which, text in found}


def test_something_is_listed():
    assert "conv2d" in OPERATORS and "shape-assert" in ERRORS and "unused-let" in WARNINGS


@pytest.mark.parametrize("code", ERRORS + WARNINGS)
def test_examples(code, tmp_path):
    severity = "error" if code in ERRORS else "warning"
    for which, text in programs(code).items():
        (tmp_path / f"{which}.net").write_text(text)
        wrong = which == "Wrong"
        told = netc(
            "check",
            "--diagnostics=short",
            f"{which}.net",
            cwd=tmp_path,
            expect=wrong and severity == "error",
        ).stderr
        if wrong:
            assert set(re.findall(r"(error|warning)\[([\w-]+)\]", told)) == {(severity, code)}
        else:
            assert told == ""


@pytest.mark.parametrize("word", WORDS)
def test_a_words_page(word, tmp_path):
    (tmp_path / "n.net").write_text(text := programs(word)["Example"])
    assert netc("check", tmp_path / "n.net").stderr == ""
    assert re.search(rf"\b{word}\b", text)
    assert word not in OPERATORS


def test_every_word_of_the_grammar_has_a_page():
    lexer = (ROOT / "compiler" / "front" / "lex.l").read_text()
    spelled = set(re.findall(r'^    \{"(\w+)", [A-Z]+\},$', lexer, re.M))
    plain = {"true", "false", "and", "or", "not", "_"}
    assert spelled and spelled - plain == set(WORDS) - {"weight"}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operators_page(operator):
    page = netc("explain", operator).stdout
    assert page.startswith(operator)
    for heading in ("shape", "formula", "reference"):
        assert re.search(rf"^{heading} +\S", page, re.M)


def test_no_such_page():
    assert "neither an operator nor" in netc("explain", "shape-asert", expect=2).stderr


def test_the_train_sections_pages():
    """Of a setting what it may begin with; of an optimizer its arguments and their defaults."""
    assert re.search(r"^  schedule +How the learning rate", LISTED, re.M)
    page = netc("explain", "schedule").stdout
    assert page.startswith("schedule\n") and "cosine_warm_restarts" in page
    page = netc("explain", "lamb").stdout
    assert page.startswith("lamb(lr=1e-3, beta1=0.9,") and "default 1e-6" in page
    settings = {
        row["name"]: row for row in json.loads(netc("explain", "--json").stdout)["settings"]
    }
    assert settings["optimizer"]["required"] and settings["init"]["repeated"]
    assert [one["name"] for one in settings["ema"]["arguments"]] == ["decay", "every", "warmup"]
