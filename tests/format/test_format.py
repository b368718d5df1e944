"""netc fmt: the layout, that it loses nothing, and that it stands still."""
import random
import re
import shutil

import pytest

from harness import MODELS, ROOT, check_text, netc

HERE = ROOT / "tests" / "format"
SOUND = (
    sorted(MODELS.glob("*.net"))
    + sorted((ROOT / "tests" / "front" / "right").glob("*.net"))
    + sorted((ROOT / "tests" / "graph" / "right").glob("*.net"))
    + sorted((ROOT / "tests" / "graph" / "networks").glob("*.net"))
)


def fmt(text, *options, expect=0):
    return netc("fmt", "-", *options, stdin=text, expect=expect).stdout


def words(text):
    """What a program says: its characters less spaces, newlines and semicolons; comments apart."""
    comments = re.findall(r"#[^\n]*", text)
    bare = re.sub(r"#[^\n]*", "", text)
    return re.sub(r"[\s;]+", "", bare), [re.sub(r"\s+", "", comment) for comment in comments]


@pytest.mark.parametrize("model", sorted(MODELS.glob("*.net")), ids=lambda path: path.stem)
def test_models_are_laid_out(model):
    assert netc("fmt", "--diff", model).stdout == ""


@pytest.mark.parametrize("case", sorted((HERE / "cases").glob("*.net")), ids=lambda path: path.stem)
def test_layout(case, golden):
    text = fmt(case.read_text())
    golden(case.with_suffix(".txt"), text)
    assert fmt(text) == text
    assert words(text) == words(case.read_text())


@pytest.mark.parametrize("path", SOUND, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_loses_nothing_and_stands_still(path):
    text = fmt(path.read_text())
    assert words(text) == words(path.read_text())
    assert fmt(text) == text


@pytest.mark.parametrize("seed", range(12))
def test_spaces_and_comments_anywhere(seed, tmp_path):
    """Every gap between two words takes more spaces.  Some take a comment and a newline, where
    the language allows one.  The meaning and the comments survive, and a text that is laid out
    once stays as it is."""
    chance = random.Random(seed)
    path = chance.choice(SOUND)
    gaps = re.compile(r'("[^"\n]*"|#[^\n]*)|([ \t]+)|(?<=[,(\[])()')

    def stretch(found):
        if found.group(1):
            return found.group(1)
        at = found.end()
        if found.string[at - 1] in ",([" and chance.random() < 0.2:
            return (found.group(2) or "") + chance.choice(
                ["\n", "  # between\n", "\n\n# alone\n    # twice\n"]
            )
        return (found.group(2) or "") + " " * chance.randrange(4)

    mangled = gaps.sub(stretch, path.read_text())
    text = fmt(mangled)
    assert words(text) == words(mangled)
    assert fmt(text) == text


def test_one_line_becomes_many_when_too_long():
    branches = " ".join("branch { conv2d(16, 1) as a%d; relu }" % i for i in range(9))
    text = fmt("network n { input [1, 28, 28]; concat { %s } }" % branches)
    assert max(map(len, text.splitlines())) <= 120
    assert text.count("\n        branch {") == 9
    assert fmt(text) == text


def test_long_arguments_break_after_commas():
    text = fmt("block A(%s) {\n relu\n}\n" % ", ".join("parameter_%d=1" % i for i in range(12)))
    assert max(map(len, text.splitlines())) <= 120
    assert "\n        parameter_" in text
    assert fmt(text) == text


def test_a_setting_that_breaks_begins_in_the_column_of_the_others():
    words = ", ".join("random_resized_crop(224)" for _ in range(6))
    lines = fmt(f"train {{\n    augment {words}\n    optimizer sgd(lr=0.1)\n}}\n").splitlines()
    assert lines[1].startswith("    augment   random") and len(lines) == 5


def test_windows_newlines_and_byte_order_mark():
    assert (
        fmt("\ufeffnetwork n {\r\n  input [8]  # eight \r\n  relu\r\n}\r\n")
        == "network n {\n    input [8]  # eight\n    relu\n}\n"
    )


def test_an_empty_file_and_comments_alone():
    assert fmt("") == ""
    assert fmt("\n\n  # only this\n\n\n#and this\n") == "# only this\n\n# and this\n"


# ------------------------------------------------------------------- files


def test_writes_in_place_and_keeps_permissions(tmp_path):
    path = tmp_path / "a.net"
    path.write_text("network n {input [8]; relu}")
    path.chmod(0o640)
    netc("fmt", path)
    assert path.read_text() == "network n { input [8];  relu }\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.net"]


def test_a_laid_out_file_is_not_written(tmp_path):
    path = tmp_path / "cnn.net"
    shutil.copy2(MODELS / "cnn.net", path)
    before = path.stat().st_mtime_ns
    netc("fmt", path)
    assert path.stat().st_mtime_ns == before


def test_a_file_with_errors_is_left_alone_and_the_others_are_not(tmp_path):
    (tmp_path / "wrong.net").write_text("network n {input [8]; linear(3 }")
    (tmp_path / "right.net").write_text("network n {input [8];linear(3)}")
    result = netc("fmt", "wrong.net", "right.net", cwd=tmp_path, expect=1)
    assert "wrong.net:1" in result.stderr
    assert (tmp_path / "wrong.net").read_text() == "network n {input [8]; linear(3 }"
    assert (tmp_path / "right.net").read_text() == "network n { input [8];  linear(3) }\n"


def test_a_fault_of_meaning_does_not_matter():
    assert fmt("network n{input [8];no_such(3)}") == "network n { input [8];  no_such(3) }\n"


def test_check_and_diff(tmp_path):
    (tmp_path / "a.net").write_text("network n {\n  input [8]\n    relu\n}\n")
    assert netc("fmt", "--check", "a.net", cwd=tmp_path, expect=1).stdout == "a.net\n"
    shown = netc("fmt", "--diff", "a.net", cwd=tmp_path).stdout
    assert shown == (
        "--- a.net\n"
        "+++ a.net\n"
        "@@ -1,4 +1,4 @@\n"
        " network n {\n"
        "-  input [8]\n"
        "+    input [8]\n"
        "     relu\n"
        " }\n"
    )
    assert netc("fmt", "--check", "--diff", "a.net", cwd=tmp_path, expect=1).stdout == shown
    netc("fmt", "a.net", cwd=tmp_path)
    assert netc("fmt", "--check", "--diff", "a.net", cwd=tmp_path).stdout == ""


def test_the_diff_applies(tmp_path):
    """What --diff shows is what `patch` needs to make what fmt writes."""
    if not shutil.which("patch"):
        pytest.skip("patch is not installed")
    from harness import run

    for path in SOUND:
        (tmp_path / "a.net").write_text(path.read_text())
        diff = netc("fmt", "--diff", "a.net", cwd=tmp_path).stdout
        if diff:
            run("patch", "-s", "a.net", cwd=tmp_path, stdin=diff)
        assert (tmp_path / "a.net").read_text() == fmt(path.read_text())


@pytest.mark.parametrize(
    "words, said",
    [
        (["--annotate", "--strip", "-"], "undo each other"),
        (["--json", "-"], "takes no option"),
        ([], "needs a FILE"),
    ],
)
def test_misuse(words, said):
    assert said in netc("fmt", *words, expect=2).stderr


def test_a_missing_file(tmp_path):
    assert "nowhere.net" in netc("fmt", tmp_path / "nowhere.net", expect=1).stderr


# ---------------------------------------------------------------- annotate


@pytest.mark.parametrize("model", sorted(MODELS.glob("*.net")), ids=lambda path: path.stem)
def test_annotated_models_check_and_strip_to_themselves(model, tmp_path):
    text = fmt(model.read_text(), "--annotate")
    check_text(text, tmp_path, name="annotated.net", expect=0)
    assert fmt(text) == text
    assert fmt(text, "--annotate") == text
    assert fmt(text, "--strip") == model.read_text()


def test_annotations_stand_beside_what_a_person_wrote():
    assert (
        fmt((MODELS / "cnn.net").read_text(), "--annotate").split("\n\n")[1]
        == """\
    conv2d(10, 5) as conv1 -> [10, 24, 24]  #= out_channels, kernel_size
    max_pool2d(2)          -> [10, 12, 12]  #=
    relu                   -> [10, 12, 12]  #=
    conv2d(20, 5) as conv2 -> [20, 8, 8]    #=
    max_pool2d(2)          -> [20, 4, 4]    #=
    relu                   -> [20, 4, 4]
    flatten                -> [320]
    linear(10)    as fc    -> [10]          #=
}"""
    )


def test_a_block_used_at_several_shapes_gets_its_own_symbols():
    text = fmt((MODELS / "resnet50.net").read_text(), "--annotate")
    assert re.search(
        r"conv2d\(4\*channels, 1, bias=false\) +as conv3 "
        r"+-> \[4\*channels, ceil\(h/stride\), ceil\(w/stride\)\]",
        text,
    )


def test_where_nothing_fits_nothing_is_written(tmp_path):
    text = (
        "network n {\n"
        "    input [1, 8, 8]\n"
        "    repeat 2 as i {\n"
        "        conv2d(3 + 2*i, 1)\n"
        "    }\n"
        "}\n"
    )
    assert fmt(text, "--annotate") == text.replace("    }\n}", "    } -> [5, 8, 8]  #=\n}")


def test_annotations_are_renewed_when_stale():
    text = fmt((MODELS / "cnn.net").read_text(), "--annotate").replace(
        "conv2d(10, 5)", "conv2d(12, 5)"
    )
    assert "as conv1 -> [12, 24, 24]  #=" in fmt(text, "--annotate")


def test_a_program_with_faults_is_not_annotated(tmp_path):
    (tmp_path / "a.net").write_text("network n {input [8]; conv2d(3, 3)}")
    assert "shape-rank" in netc("fmt", "--annotate", "a.net", cwd=tmp_path, expect=1).stderr
    assert (tmp_path / "a.net").read_text() == "network n {input [8]; conv2d(3, 3)}"


def test_used_files_are_found(tmp_path):
    (tmp_path / "blocks.net").write_text("block A { relu }\n")
    (tmp_path / "a.net").write_text('use "blocks.net"\nnetwork n { input [8]; A }\n')
    netc("fmt", "--annotate", "a.net", cwd=tmp_path)
    assert (tmp_path / "a.net").read_text() == 'use "blocks.net"\nnetwork n { input [8];  A }\n'
    assert (tmp_path / "blocks.net").read_text() == "block A { relu }\n"


def test_what_is_split_is_on_lines_of_its_own():
    """A body that is too long for a line, though each of its statements is not."""
    long = "tanh;  tanh;  tanh;  tanh;  relu as " + "a" * 73
    text = fmt("block S {\n    add {\n        branch { }\n        branch { %s }\n    }\n}\n" % long)
    assert text.count("            tanh\n") == 4 and fmt(text) == text


def test_an_output_has_no_shape_beside_it():
    aside = "    aside {\n        conv2d(4, 3, padding=1);  output side\n    }\n"
    layers = aside + "    conv2d(8, 3)\n"
    text = fmt("network n {\n    input [4, 8, 8]\n%s}\n" % layers, "--annotate")
    assert "output side\n" in text and "-> [8, 6, 6]" in text
