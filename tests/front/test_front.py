"""Text to AST: dumps of right programs, messages about wrong ones, and inputs
made to do harm.  right/NAME.txt and wrong/NAME.txt are rewritten by `make
golden`."""
import os
import re
from pathlib import Path

import pytest

from harness import MODELS, check_text, netc

HERE = Path(__file__).resolve().parent
RIGHT = sorted((HERE / "right").glob("*.net"))
WRONG = sorted((HERE / "wrong").glob("*.net"))

ERROR = re.compile(r"^(\S*?):(\d+):(\d+): error\[([\w-]+)\]: (.*)$", re.M)

SYNTAX = ("syntax", "unclosed-brace", "number")


def stem(path):
    return path.stem


@pytest.mark.parametrize("program", RIGHT, ids=stem)
def test_dump(program, golden):
    golden(program.with_suffix(".txt"), netc("--dump=ast", program.name, cwd=program.parent).stdout)


@pytest.mark.parametrize("program", WRONG, ids=stem)
def test_messages(program, golden):
    """Of the syntax only: the rest of what is wrong is other tests' matter."""
    told = netc("--dump=ast", program.name, cwd=program.parent, expect=1)
    assert told.stdout == ""
    golden(program.with_suffix(".txt"), told.stderr)


def errors(text, tmp_path, name="wrong.net"):
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(data)
    told = netc("check", "--diagnostics=short", name, cwd=tmp_path, expect=1, timeout=60)
    return [
        (int(line), int(column), code) for _, line, column, code, _ in ERROR.findall(told.stderr)
    ]


# ------------------------------------------------------------ hostile input

HEAD = "network n {\n input [8]\n "
HOSTILE = {
    "parentheses": (HEAD + "linear(" + "(" * 100000, "too-large"),
    "brackets": (HEAD + "linear(" + "[" * 100000, "too-large"),
    "calls": (HEAD + "linear(" + "f(" * 100000, "too-large"),
    "minuses": (HEAD + "linear(" + "-" * 100000 + "1)\n}", "too-large"),
    "sum": (HEAD + "linear(" + "1+" * 100000 + "1)\n}", "too-large"),
    "conditionals": (HEAD + "linear(" + "1 if 2 else " * 100000 + "1)\n}", "too-large"),
    "else_if": (HEAD + "if a {}" + " else if b {}" * 100000 + "\n}", "too-large"),
    "words": ("a " * 2000000, "too-large"),
    "long_word": (HEAD + "a" * 1000000 + "\n}", "too-large"),
    "long_text": ('use "' + "a" * 1000000 + '"\n', "too-large"),
    "long_number": (HEAD + "linear(" + "1" * 1000000 + ")\n}", "number"),
    "nul": (HEAD + "relu\0\n}", "syntax"),
    "latin1": (b"network n { # \xe9\n input [8]\n}", "syntax"),
    "overlong_utf8": (b"network n { # \xc0\x80\n input [8]\n}", "syntax"),
    "surrogate": (b"network n { # \xed\xa0\x80\n input [8]\n}", "syntax"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_one_error(name, tmp_path):
    text, code = HOSTILE[name]
    assert [found for _, _, found in errors(text, tmp_path)] == [code]


def test_nested_braces(tmp_path):
    found = errors(HEAD + "\n skip {" * 100000, tmp_path)
    assert "too-large" in [code for _, _, code in found]


def test_errors_end_somewhere(tmp_path):
    assert len(errors("network n {\n" + "relu relu\n" * 100000 + "}\n", tmp_path)) <= 1002


def test_a_file_is_at_most_16_mib(tmp_path):
    told = check_text("#" * ((16 << 20) + 1), tmp_path)
    assert "larger than 16 MiB" in told.stderr
    check_text("#" * (16 << 20), tmp_path, expect=0)


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing", "\r\n", "\ufeff", "\ufeffblock A { relu }\r\n", ";;"]
)
def test_a_library_may_be_empty(text, tmp_path):
    check_text(text, tmp_path, expect=0)


def test_carriage_returns_are_not_seen(tmp_path):
    assert errors("network n {\r\n    input [8]\r\n    relu relu\r\n}\r\n", tmp_path) == [
        (3, 10, "syntax")
    ]


# ------------------------------------------------------- one slip, one error


BRACES_EVERY = 3  # of all models' braces; the others are slow tests


def brace_faults():
    for model in sorted(path.stem for path in MODELS.glob("*.net")):
        text = (MODELS / f"{model}.net").read_text()
        for match in re.finditer(r"[{}]", text):
            if "#" in text[text.rfind("\n", 0, match.start()) + 1 : match.start()]:
                continue
            at = match.start()
            yield model, text.count("\n", 0, at) + 1, match[0], text[:at] + text[
                at + 1 :
            ], "without"
            yield model, text.count("\n", 0, at) + 1, match[0], text[:at] + match[0] + text[
                at:
            ], "doubled"


@pytest.mark.parametrize(
    "model,line,brace,text,fault",
    [
        pytest.param(
            *case,
            id=f"{case[0]}-{case[1]}-{case[4]}-{i}",
            marks=pytest.mark.slow if i % BRACES_EVERY else (),
        )
        for i, case in enumerate(brace_faults())
    ],
)
def test_one_brace_fault_is_one_syntax_error(model, line, brace, text, fault, tmp_path):
    found = [(at, code) for at, _, code in errors(text, tmp_path)]
    assert len(found) == 1 and found[0][1] in SYNTAX
    if (brace, fault) in {("{", "without"), ("{", "doubled")}:
        assert found[0][0] == line


# ------------------------------------------------------------------ what `use` reads

USER = 'use "{}"\nnetwork n {{\n    input [8]\n    relu\n}}\n'
SECRET = "secret:x:0:0\n"


def secret(folder):
    (folder / "passwd").write_text(SECRET)
    return "passwd"


def link(folder):
    secret(folder)
    (folder / "blocks.net").symlink_to("passwd")
    return "blocks.net"


def pipe(folder):
    os.mkfifo(folder / "pipe.net")
    return "pipe.net"


def device(folder):
    (folder / "zero.net").symlink_to("/dev/zero")
    return "zero.net"


def named_folder(folder):
    (folder / "folder.net").mkdir()
    return "folder.net"


@pytest.mark.parametrize(
    "make, sentence",
    [
        (secret, "passwd is not read: `use` takes a file of blocks whose name ends in .net"),
        (link, "passwd is not read: `use` takes"),
        (pipe, "cannot read pipe.net: not a regular file"),
        (device, "/dev/zero is not read: `use` takes"),
        (named_folder, "cannot read folder.net: Is a directory"),
        (lambda folder: "/dev/stdin", "/dev/stdin is not read: `use` takes"),
    ],
    ids="secret link pipe device folder stdin".split(),
)
def test_use_reads_files_of_blocks_only(make, sentence, tmp_path):
    told = check_text(USER.format(make(tmp_path)), tmp_path).stderr
    assert sentence in told and ":1:1" in told and "x:0:0" not in told


def test_the_file_on_the_command_line_may_be_a_pipe(tmp_path):
    assert (
        netc("check", "/dev/stdin", stdin="network n {\n    input [8]\n    relu\n}\n").stderr == ""
    )
