"""`netc check --fix`: what is certain is done, and only that; and the search for
it takes no time to speak of."""
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from diagnostics import mutants
from harness import MODELS, ROOT, check_text, netc

HERE = Path(__file__).resolve().parent

FAST = 1  # seconds on a busy machine; some 30 ms are spent


@pytest.mark.parametrize(
    "program, line",
    [
        (
            "inception_lacks_padding",
            "        branch { conv2d(16, 1) as branch5x5_1;  "
            "conv2d(24, 5, padding=2) as branch5x5_2 }",
        ),
        ("undefined_block", "    InceptionA as incep1"),
        ("unknown_argument", "    conv2d(10, kernel_size=3) as conv1"),
    ],
)
def test_what_the_help_names_is_done(program, line, tmp_path):
    shutil.copy(HERE / "programs" / f"{program}.net", tmp_path / "a.net")
    before = (tmp_path / "a.net").read_text()
    told = netc("check", "--fix", "a.net", cwd=tmp_path)
    after = (tmp_path / "a.net").read_text()
    assert told.stderr == ""
    assert set(after.splitlines()) - set(before.splitlines()) == {line}
    assert f"\n+{line}\n" in told.stdout
    assert netc("check", "a.net", cwd=tmp_path).stderr == ""


def test_the_difference_is_a_patch(tmp_path):
    shutil.copy(HERE / "programs" / "brace_and_two_typos.net", tmp_path / "a.net")
    before = (tmp_path / "a.net").read_text()
    told = netc("check", "--fix", "a.net", cwd=tmp_path, expect=None)
    after = (tmp_path / "a.net").read_text()
    (tmp_path / "a.net").write_text(before)
    subprocess.run(["patch", "-s", "a.net"], input=told.stdout, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "a.net").read_text() == after != before


@pytest.mark.parametrize(
    "program, offered",
    [
        ("kernel_larger_than_input", "conv2d(40, 5, padding=2)"),
        ("flatten_asserts_512", "conv2d(32, 5) on line"),  # a number that an assertion decides
        ("assert_any", "-> [8, 24, 24] is its shape"),  # the assertion itself
        ("in_features_is_stale", "linear(10, in_features=320)"),
        ("classes_do_not_match", "linear(10) on line"),
        ("skip_over_stride_2", "shortcut { conv2d(32, 1, stride=2) }"),
        ("skip_lacks_padding", "conv2d(8, 3, padding=1)"),  # no branches are alike
        ("concat_of_named", "without max_pool2d(2)"),  # a layer taken out
    ],
)
def test_what_is_uncertain_is_left(program, offered, tmp_path):
    text = (HERE / "programs" / f"{program}.net").read_text()
    told = check_text(text, tmp_path, "--fix")
    assert "help: " in told.stderr and offered in told.stderr and told.stdout == ""
    assert (tmp_path / "wrong.net").read_text() == text


def fixed(text, tmp_path):
    check_text(text, tmp_path, "--fix", expect=None)
    return (tmp_path / "wrong.net").read_text()


def network(*lines, data=""):
    return "network n {\n    input [1, 28, 28]\n%s}\n%s" % (
        "".join(f"    {line}\n" for line in lines),
        data,
    )


TRAIN = """\
train {
    data mnist
    loss cross_entropy
    optimizer sgd(lr=0.1)
    batch 64
    epochs 1
}
"""
CONVBN = (
    "block ConvBN(out, kernel, padding=0) "
    "{ conv2d(out, kernel, padding=padding); batch_norm2d; relu }\n"
)
MADE = {
    "a flatten": (
        network("conv2d(4, 3)", "relu", "linear(10)"),
        "    linear",
        "    flatten\n    linear",
    ),
    "a flatten on a line of several": (
        network("conv2d(4, 3); linear(10)"),
        "linear",
        "flatten; linear",
    ),
    "a flatten before its dropout": (
        network("conv2d(4, 3)", "dropout(0.5)", "linear(10)"),
        "    dropout",
        "    flatten\n    dropout",
    ),
    "a flatten before the loss": (
        network("conv2d(10, 28)", data=TRAIN),
        "    conv2d(10, 28)\n",
        "    conv2d(10, 28)\n    flatten\n",
    ),
    "the data's shape": (
        network("flatten", "linear(10)", data=TRAIN).replace("[1, 28, 28]", "[28, 28, 1]"),
        "[28, 28, 1]",
        "[1, 28, 28]",
    ),
    "the odd branch": (
        network(
            "concat {", "    branch { conv2d(4, 1) }", "    branch { conv2d(4, 3); relu }", "}"
        ),
        "(4, 3)",
        "(4, 3, padding=1)",
    ),
    "the odd branch, of a block": (
        CONVBN
        + network("concat {", "branch { ConvBN(4, 5, padding=2) }", "branch { ConvBN(4, 3) }", "}"),
        "(4, 3)",
        "(4, 3, padding=1)",
    ),
    "a block": (CONVBN + network("ConvNB(4, 3)"), "ConvNB(4", "ConvBN(4"),
    "wide punctuation": (network("conv2d（4，3）"), "（4，3）", "(4,3)"),
    "a space that is none": (network("conv2d(4,\u00a03)"), "\u00a0", " "),
    "what cannot be seen": (network("conv2d\u200b(4, 3)"), "\u200b", ""),
    "an arrow's dash": (network("conv2d(4, 3) –> [4, 26, 26]"), "–", "-"),
    "curly quotes": (network("conv2d(4, 3, padding=“same”)"), "“same”", '"same"'),
    "layers in a list": (
        network("conv2d(4, 3), relu,", "flatten,"),
        "conv2d(4, 3), relu,\n    flatten,",
        "conv2d(4, 3); relu\n    flatten",
    ),
    "a number in quotes": (
        network("flatten", "linear(10)", data=TRAIN.replace("0.1", '"0.1"')),
        '"0.1"',
        "0.1",
    ),
    "a parameter": (
        "block B(out, kernal) { conv2d(out, kernel) }\n" + network("B(4, 3)"),
        "kernal",
        "kernel",
    ),
}


@pytest.mark.parametrize("case", MADE)
def test_what_has_one_reading_is_made(case, tmp_path):
    text, old, new = MADE[case]
    assert fixed(text, tmp_path) == text.replace(old, new)
    assert netc("check", "wrong.net", cwd=tmp_path).stderr == ""


OFFERED = {
    "a block that is not there": (
        network("ConvBN(4, 3)"),
        "perhaps the `use` of its file is missing",
    ),
    "either activation": (network("xelu"), "the nearest is"),
    "one pooling of two": (network("Pooling(2)"), "it is max_pool2d here"),
    "Keras' strides, or PyTorch's channels": (network("conv2d(32, 3, 1)"), "leave the first out"),
    "a flatten and a size": (
        network("conv2d(4, 3)", "linear(10, in_features=9)"),
        "`flatten` before it makes [2704], and in_features=2704",
    ),
    "a parameter's value": (
        "block B(out, one) { concat { branch { conv2d(out, one) }  branch { conv2d(out, 3) } } }\n"
        + network("B(4, 1)"),
        "conv2d(out, 3, padding=1)",
    ),
    "a projection, in the block's words": (
        "block B(c, stride=1) { skip { conv2d(c, 3, stride=stride, padding=1) } }\n"
        + network("B(4)", "B(8, stride=2)"),
        "shortcut { conv2d(c, 1, stride=stride) }",
    ),
    "the shortcut's other side": (
        "block B(c, down=false) { skip { conv2d(2*c, 1, stride=2 if down else 1) } "
        "shortcut { if down { conv2d(2*c, 1, stride=2) } } }\n" + network("B(4)"),
        "else { conv2d(2*c, 1) }",
    ),
    "channels first": (
        network("conv2d(4, 3)").replace("[1, 28, 28]", "[28, 28, 1]"),
        "input [1, 28, 28]: the channels come first",
    ),
    "sizes that halve": (
        network("repeat 3 { max_pool2d(2) as p }", "upsample(2)", "concat(p.1)"),
        "input [1, 32, 32]: sizes divisible by",
    ),
    "an expression": (
        network(
            "conv2d(6, 5); max_pool2d(2); conv2d(16, 5); max_pool2d(2)",
            "flatten",
            "linear(9, in_features=16*5*5)",
        ),
        "conv2d(6, 5, padding=2)",
    ),
}


@pytest.mark.parametrize("case", OFFERED)
def test_what_has_several_is_offered(case, tmp_path):
    text, help = OFFERED[case]
    told = check_text(text, tmp_path, "--fix")
    assert (
        help in told.stderr and told.stdout == "" and (tmp_path / "wrong.net").read_text() == text
    )


@pytest.mark.parametrize(
    "call, meant",
    [
        ("batch_norm2d(16)", "batch_norm2d"),
        ("batch_norm2d(16, eps=1e-3)", "batch_norm2d(eps=1e-3)"),
        ("batch_norm2d( 16 ) as bn", "batch_norm2d as bn"),
        ("layer_norm2d(16);  relu", "layer_norm2d;  relu"),
        ("linear(1024, 10)", "linear(10)"),
        ("conv2d(16, 32, 5, 1, 2)", "conv2d(32, 5, stride=1, padding=2)"),
        ("conv2d(16, 32, kernel_size=5)", "conv2d(32, kernel_size=5)"),
        ("batch_norm2d(16, 0.001)", "batch_norm2d(eps=0.001)"),
    ],
)
def test_the_input_is_known(call, meant, tmp_path):
    text = f"# line 1\nnetwork n {{\n    input [16, 8, 8]\n    relu; {call}\n}}\n# the last line\n"
    text = text.replace("relu; linear", "flatten; linear")
    assert fixed(text, tmp_path) == text.replace(call, meant)


NETWORKS = sorted(
    path for folder in ("models", "tests", "examples") for path in (ROOT / folder).rglob("*.net")
)


RECIPE = """network n {
    input [4]
    linear(1) as fc
}

train {
    data      csv("t.csv", target=y)
    loss      mse%s
    optimizer adam
    schedule  %s
    batch     64
    epochs    2
}
"""


def test_the_train_section_in_others_words(tmp_path):
    """PyTorch's classes of what is said by a choice here, and an argument without its value."""
    text = RECIPE % (", standardize", "CosineAnnealingLR(T_max=2)")
    after = fixed(text, tmp_path)
    assert "    schedule  cosine(T_max=2)\n" in after
    assert "    loss      mse, standardize=true\n" in after
    assert netc("check", "wrong.net", cwd=tmp_path).stderr == ""
    told = check_text(text.replace("standardize", "weight"), tmp_path).stderr
    assert "`weight` needs a value" in told and "help: `weight=0.5`" in told


def test_an_input_of_whole_numbers_is_made_no_pictures(tmp_path):
    text = """network n {
    input [8] of 50
    embedding(4)
    flatten
    linear(10) as fc
}
train { data mnist;  loss cross_entropy;  optimizer adam;  batch 64;  epochs 1 }
"""
    left = check_text(text, tmp_path, "--fix").stderr
    assert (tmp_path / "wrong.net").read_text() == text and left.count("error[") == 1
    assert "images are real numbers, and the network's input [8] holds whole ones" in left


def test_no_file_is_harmed(tmp_path):
    """Every .net of this repository, right or wrong, with the files it uses beside it."""
    files = [path.relative_to(ROOT) for path in NETWORKS]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    before = messages_of(files, tmp_path)
    netc("check", "--fix", *files, cwd=tmp_path, expect=None)
    after = messages_of(files, tmp_path)
    for file in files:
        was, now = (folder / file for folder in (ROOT, tmp_path))
        assert mutants.syntax_errors(after[str(file)]) <= mutants.syntax_errors(
            before[str(file)]
        ), file
        lines = [path.read_bytes().decode(errors="replace").split("\n") for path in (was, now)]
        assert mutants.lost_lines(*lines, before[str(file)]) == [], file


def messages_of(files, folder):
    told = {str(file): [] for file in files}
    result = netc("check", "--diagnostics=json", "--max-errors=0", *files, cwd=folder, expect=None)
    for message in json.loads(result.stdout):
        if message["spans"]:
            told.setdefault(message["spans"][0]["file"], []).append(message)
    return told


def test_a_right_program_is_not_written(tmp_path):
    shutil.copy(MODELS / "cnn.net", tmp_path)
    (tmp_path / "cnn.net").chmod(0o444)
    stamp = (tmp_path / "cnn.net").stat().st_mtime_ns
    told = netc("check", "--fix", "cnn.net", cwd=tmp_path)
    assert told.stdout == told.stderr == "" and (tmp_path / "cnn.net").stat().st_mtime_ns == stamp


LAYERS = "".join(
    f"    conv2d(16, 3, padding=1, bias=false) as conv{i}\n    relu\n" for i in range(100)
)
WORST = [
    "flatten -> [777]",
    "skip { conv2d(24, 4) }",
    "max_pool2d(7, stride=3) -> [33, 17, 31]",
    "conv2d(8, 99)",
]


@pytest.mark.parametrize("fault", WORST)
def test_the_search_is_bounded(fault, tmp_path):
    start = time.monotonic()
    check_text(f"network n {{\n    input [3, 64, 64]\n{LAYERS}    {fault}\n}}\n", tmp_path)
    assert time.monotonic() - start < FAST


DOUBTFUL = "network n {\n    input [8]\n    let width = 16\n    linear(8)\n}\n"


@pytest.mark.parametrize(
    "options, told, code",
    [
        ([], "warning[unused-let]", 0),
        (["--warn=error"], "error[unused-let]", 1),
        (["--warn=no-unused-let"], "", 0),
        (["--warn=no-unused-let", "--warn=unused-let"], "warning[unused-let]", 0),
        (["--warn=error", "--warn=no-unused-let"], "", 0),
        (["--warn=no-unused-block"], "warning[unused-let]", 0),
    ],
)
def test_warnings_are_chosen(options, told, code, tmp_path):
    said = check_text(DOUBTFUL, tmp_path, *options, expect=code).stderr
    assert told in said and bool(told) == bool(said)


@pytest.mark.parametrize("word", ["nonsense", "shape-assert", "no-", ""])
def test_no_such_warning(word, tmp_path):
    assert "--warn takes" in check_text(DOUBTFUL, tmp_path, f"--warn={word}", expect=2).stderr
