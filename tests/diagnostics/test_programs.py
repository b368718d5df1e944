"""Wrong and doubtful programs and what is said about them.  programs/NAME.net
opens with what must be said, whatever the wording:

    # expects LINE: word word …

one line per message: the line its primary span is on, and words the message must
hold, quoted as for a shell.  programs/NAME.txt, .json and .sarif are the whole
texts, rewritten by `make golden`.
"""
import json
import re
import shlex
from pathlib import Path

import pytest

from harness import netc

HERE = Path(__file__).resolve().parent
PROGRAMS = sorted((HERE / "programs").glob("*.net"))
EXPECTS = re.compile(r"^# expects (\d+):(.*)$", re.M)
WITHOUT_PROGRAM = {"read", "write", "tool", "usage"}  # faults of the disk and the command line

every_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)


def told(program, style):
    """Run in the programs' folder: messages name the file as it was given."""
    doubtful = program.stem.startswith("warning_")
    result = netc(
        "check",
        f"--diagnostics={style}",
        program.name,
        cwd=program.parent,
        expect=0 if doubtful else 1,
    )
    return result.stderr if style in ("human", "short", "narrated") else result.stdout


@every_program
def test_text(program, golden):
    golden(program.with_suffix(".txt"), told(program, "human"))


@every_program
def test_every_fault_is_told_where_it_is(program):
    expected = EXPECTS.findall(program.read_text())
    assert expected, "the program does not say what it expects"
    lines = [
        int(line) for line in re.findall(r":(\d+):\d+: (?:error|warning)", told(program, "short"))
    ]
    assert lines == [int(line) for line, _ in expected]
    text = told(program, "human")
    for _, words in expected:
        for word in shlex.split(words):
            assert word in text


@every_program
def test_json_and_sarif(program, golden):
    golden(program.with_suffix(".json"), told(program, "json"))
    golden(program.with_suffix(".sarif"), told(program, "sarif"))
    lines = [int(line) for line, _ in EXPECTS.findall(program.read_text())]
    results = json.loads(told(program, "sarif"))["runs"][0]["results"]
    regions = [result["locations"][0]["physicalLocation"]["region"] for result in results]
    assert [region["startLine"] for region in regions] == lines


def is_region(region):
    return (
        1 <= region["startLine"] <= region["endLine"]
        and region["startColumn"] >= 1
        and region["endColumn"] >= 1
    )


@every_program
def test_sarif_is_valid(program):
    """What SARIF 2.1.0 (OASIS, 2020) demands of the parts that are used: sections 3.13 to 3.57."""
    document = json.loads(told(program, "sarif"))
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert document["version"] == "2.1.0" and run["tool"]["driver"]["name"] == "netc"
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] and result["level"] in (
            "error",
            "warning",
        )
        assert result["message"]["text"]
        for locations in (result["locations"], result["relatedLocations"]):
            assert len({json.dumps(location) for location in locations}) == len(locations)
            for location in locations:
                assert location["physicalLocation"]["artifactLocation"]["uri"] and is_region(
                    location["physicalLocation"]["region"]
                )
        for fix in result["fixes"]:
            assert fix["description"]["text"]
            for change in fix["artifactChanges"]:
                assert change["artifactLocation"]["uri"] and change["replacements"]
                assert all(
                    is_region(one["deletedRegion"]) and "text" in one["insertedContent"]
                    for one in change["replacements"]
                )


JSON_KEYS = {
    "": {"severity", "code", "message", "spans", "notes", "help"},
    "spans": {"file", "line", "column", "end_line", "end_column", "primary", "label"},
    "help": {"message", "applicability", "edits"},
}
EDIT_KEYS = {"file", "line", "column", "end_line", "end_column", "text"}


@every_program
def test_json_has_the_keys_of_its_contract(program):
    for message in json.loads(told(program, "json")):
        assert set(message) == JSON_KEYS[""]
        assert [span["primary"] for span in message["spans"]] == [True] + [False] * (
            len(message["spans"]) - 1
        )
        assert all(set(one) == JSON_KEYS[key] for key in ("spans", "help") for one in message[key])
        assert all(set(edit) == EDIT_KEYS for help in message["help"] for edit in help["edits"])


@every_program
def test_narrated_has_no_drawing(program):
    text = told(program, "narrated")
    assert text.startswith(("Error, ", "Warning, ")) and not re.search(r"[|^]| -> |--->", text)


def test_every_code_is_met():
    met = {message["code"] for program in PROGRAMS for message in json.loads(told(program, "json"))}
    listed = re.findall(r"^([\w-]+)  ", netc("explain").stdout.partition("\nerrors:\n")[2], re.M)
    assert met == set(listed) - WITHOUT_PROGRAM
    assert len(PROGRAMS) >= 150
