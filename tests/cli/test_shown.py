"""What comes from elsewhere (file names, words of the command line, sources,
weights) reaches no terminal as it is: controls, C1, marks that hide or turn text,
and bytes that are no UTF-8 are written out."""
import json
import os
import pty
import subprocess

import numpy as np
import pytest

from harness import NETC, drawn_state, netc, run, trainer, write_safetensors

# Each with what is shown of it.
FOREIGN = {
    b"\x1b[31m": "\\x1b[31m",
    b"\x1b]0;owned\x07": "\\x1b]0;owned\\x07",
    b"a\nb": "a\\x0ab",
    b"a\rb": "a\\x0db",
    b"\x7f": "\\x7f",
    b"\xc2\x9b1m": "\\u{9b}1m",
    b"\x9b1m": "\\x9b1m",
    b"\xff\xfe": "\\xff\\xfe",
    b"\xed\xa0\x80": "\\xed\\xa0\\x80",
    b"\xc0\x9b": "\\xc0\\x9b",
    "\u202egpj": "\\u{202e}gpj",
    "a\u200bb": "a\\u{200b}b",
    "\u2066x": "\\u{2066}x",
    "\ufeffx": "\\u{feff}x",
    "\u061cx": "\\u{61c}x",
    "\U000e0041": "\\u{e0041}",
    b"\xf0\x9f": "\\xf0\\x9f",
}
PLAIN = ["naïve", "数", "🙂", "a b", "qu'o\"te", "e\u0301"]


def bytes_of(word):
    return word if isinstance(word, bytes) else word.encode()


def raw(*words, expect=1, cwd=None, env=None):
    """Both outputs as bytes, which must hold nothing hidden but newlines."""
    done = subprocess.run(
        [bytes_of(word) if not hasattr(word, "__fspath__") else word for word in words],
        capture_output=True,
        cwd=cwd,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", **(env or {})},
    )
    told = done.stdout + done.stderr
    assert done.returncode == expect, told
    assert_visible(told)
    return told.decode()


def assert_visible(told):
    text = told.decode()  # valid, or this fails
    assert [c for c in text if c != "\n" and not c.isprintable()] == [], text


@pytest.mark.parametrize("foreign", FOREIGN, ids=repr)
def test_names_of_files_and_words(foreign, tmp_path):
    shown, name = FOREIGN[foreign], bytes_of(foreign) + b".net"
    with open(bytes_of(str(tmp_path)) + b"/" + name, "wb") as file:
        file.write(b"network n {\n  input [8]\n  reluu\n}\n")
    for style in ("human", "short", "narrated"):
        assert shown in raw(NETC, "check", f"--diagnostics={style}", name, cwd=tmp_path)
    assert shown in raw(NETC, "check", b"no " + name, cwd=tmp_path)
    assert shown in raw(NETC, "fmt", "--check", name, cwd=tmp_path)
    assert shown in raw(NETC, name, expect=2)
    assert shown in raw(NETC, "check", b"--" + name, expect=2)
    for style in ("json", "sarif"):
        told = subprocess.run(
            [NETC, b"check", f"--diagnostics={style}".encode(), name],
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
        )
        json.loads(told.stdout.decode())


@pytest.mark.parametrize("plain", PLAIN)
def test_other_names_are_shown_as_they_are(plain, tmp_path):
    assert f"cannot read {plain}: " in netc("check", plain, cwd=tmp_path, expect=1).stderr


@pytest.mark.parametrize(
    "foreign", [one for one in FOREIGN if one not in (b"a\nb", b"a\rb")], ids=repr
)
def test_sources_with_their_carets_in_place(foreign, tmp_path):
    """The caret stands under the escape, and under what comes after one."""
    (tmp_path / "a.net").write_bytes(
        b"network n {\n    input [8]\n    "
        + bytes_of(foreign)
        + b"\n    relu # "
        + bytes_of(foreign)
        + b"\n}\n"
    )
    told = raw(NETC, "check", "a.net", cwd=tmp_path)
    line, marks = told.splitlines()[3:5]
    assert FOREIGN[foreign] in line and line[marks.index("^")] == "\\"


@pytest.mark.parametrize(
    "foreign", [one for one in FOREIGN if isinstance(one, str)] + ["数", "e\u0301"], ids=repr
)
def test_carets_after_what_is_written_out(foreign, tmp_path):
    (tmp_path / "a.net").write_text(
        f'network n {{\n    input [8]\n    relu as "{foreign}{{nope}}"\n}}\n'
    )
    line, marks = raw(NETC, "check", "a.net", cwd=tmp_path).splitlines()[3:5]
    wide = foreign == "数"
    assert marks.index("^^^^") == line.index("nope") + wide - (foreign == "e\u0301")


def test_a_difference_on_a_terminal(tmp_path):
    """Shown to a person it has nothing hidden; piped it is the file's own, for `patch`."""
    source = "network n {\n  input [8] # \u202e\n    relu # \u009b31m\n}\n"
    (tmp_path / "a.net").write_text(source)
    assert "# \u009b31m" in netc("fmt", "--diff", "a.net", cwd=tmp_path).stdout
    ours, theirs = pty.openpty()
    subprocess.run(
        [NETC, "fmt", "--diff", "a.net"],
        cwd=tmp_path,
        stdout=theirs,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    os.close(theirs)
    told = os.read(ours, 65536).replace(b"\r\n", b"\n")
    os.close(ours)
    assert_visible(told)
    assert b"# \\u{9b}31m" in told and b"# \\u{202e}" in told


@pytest.mark.parametrize("foreign", FOREIGN, ids=repr)
def test_a_file_name_in_the_emitted_c(foreign, tmp_path):
    folder = bytes_of(str(tmp_path)) + b"/odd/*" + bytes_of(foreign)
    os.makedirs(folder)
    with open(folder + b"/a.net", "wb") as file:
        file.write(b"network n {\n    input [4]\n    linear(10)\n}\n")
    told = raw(NETC, "emit", folder + b"/a.net", expect=0)
    assert FOREIGN[foreign] in told.splitlines()[1]
    (tmp_path / "a.c").write_text(told)


# --------------------------------------------------------------- trainers

NETWORK = "network n {\n    input [4]\n    linear(2) as fc\n}\n"
SHAPES = {"fc.weight": (2, 4), "fc.bias": (2,)}


@pytest.fixture(scope="module")
def made():
    return trainer(NETWORK, "--kernels=reference")


@pytest.mark.parametrize("foreign", FOREIGN, ids=repr)
def test_a_trainers_words_and_files(made, foreign, tmp_path):
    word, shown = bytes_of(foreign), FOREIGN[foreign]
    assert shown in raw(made, word, expect=2)
    assert shown in raw(made, "test", b"--" + word, expect=2)
    assert shown in raw(made, "predict", "--weights", word, "x.png", cwd=tmp_path)
    write_safetensors(tmp_path / "good.safetensors", drawn_state(SHAPES, 1))
    assert shown in raw(made, "predict", "--weights", "good.safetensors", word, cwd=tmp_path)
    assert shown in raw(made, "test", "--weights", "good.safetensors", "--data", word, cwd=tmp_path)


@pytest.mark.parametrize(
    "foreign", ["\u202egpj", "a\u200bb", "\u2066x", "\ufeffx", "\u061cx", "\U000e0041"], ids=repr
)
def test_names_of_classes(made, foreign, tmp_path):
    write_safetensors(
        tmp_path / "w.safetensors", drawn_state(SHAPES, 1), {"class_names": f"{foreign}\nb"}
    )
    told = run(
        made, "predict", "--data", "synthetic", "--weights", tmp_path / "w.safetensors"
    ).stdout
    text = "".join(line for line in told.splitlines(True) if "%" in line)  # the others are pictures
    assert_visible(text.encode())
    assert FOREIGN[foreign] in text


@pytest.mark.parametrize("foreign", ["\x1b[31m", "\x07", "\x9b31m", "\u202egpj"], ids=repr)
def test_names_of_tensors(made, foreign, tmp_path):
    write_safetensors(
        tmp_path / "w.safetensors", {**drawn_state(SHAPES, 1), f"t{foreign}": np.zeros(1, "<f4")}
    )
    assert "t\\" in raw(
        made, "predict", "--data", "synthetic", "--weights", tmp_path / "w.safetensors"
    )
