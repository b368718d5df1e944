"""The command line: what each command takes, prints and exits with."""
import json
import os
import stat
import sys

import pytest

from harness import MODELS, NETC, ROOT, have, netc, rarely, run

CNN = MODELS / "cnn.net"
COMMANDS = ["check", "build", "emit", "summary", "graph", "fmt", "lsp", "explain"]


def test_version():
    assert netc("--version").stdout.startswith("netc ")


def assert_folded(text):
    assert all(len(line) <= 80 for line in text.splitlines()), text


def test_help_lists_every_command():
    text = netc("--help").stdout
    assert_folded(text)
    assert all(f"\n  {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command):
    text = netc(command, "--help").stdout
    assert text.startswith(f"usage: netc {command}")
    assert_folded(text)


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "no command"),
        (["chek", "x.net"], "did you mean 'check'"),
        (["--jsn", "x.net"], "--jsn"),
        (["check"], "needs a FILE"),
        (["check", "--json", CNN], "takes no option '--json'"),
        (["check", "-x", CNN], "takes no option '-x'"),
        (["check", "--fix", "-xy", CNN], "takes no option '-x'"),
        (["summary", "--jsom", CNN], "did you mean '--json'"),
        (["summary", CNN, CNN], "one too many"),
        (["build", CNN], "-o TRAINER"),
        (["build", CNN, "-o"], "needs a value"),
        (["build", CNN, "-o", "-"], "-o TRAINER"),
        (["build", CNN, "-o", "x", "--kernels=fast"], "specialised|reference"),
        (["build", CNN, "-o", "x", "--dtype=f16"], "f32|f64"),
        (["build", CNN, "-o", "x", "--target=vax"], "vax"),
        (["check", "--max-errors=many", CNN], "whole number"),
        (["check", "--diagnostics=xml", CNN], "human|short|json|sarif"),
        (["explain", "conv9d"], "conv9d"),
        (["explain", "conv2d", "linear"], "one too many"),
    ],
)
def test_misuse_exits_with_2(words, said):
    assert said in netc(*words, expect=2).stderr


def test_check_is_silent_over_several_files():
    result = netc("check", *sorted(MODELS.glob("*.net")))
    assert result.stdout == result.stderr == ""


def test_a_missing_file(tmp_path):
    assert "nowhere.net" in netc("check", tmp_path / "nowhere.net", expect=1).stderr


def test_a_folder_is_not_a_program(tmp_path):
    assert str(tmp_path) in netc("check", tmp_path, expect=1).stderr


def test_one_wrong_file_among_right_ones(tmp_path):
    (tmp_path / "wrong.net").write_text("network n { input [1, 28, 28]\n  convv2d(3, 3)\n}\n")
    assert "wrong.net" in netc("check", CNN, tmp_path / "wrong.net", CNN, expect=1).stderr


def test_max_errors(tmp_path):
    (tmp_path / "wrong.net").write_text(
        "network n {\n input [1, 28, 28]\n" + "conv2d(1, 3, strode=1)\n" * 9 + "}\n"
    )
    text = netc(
        "check", "--diagnostics=short", "--max-errors=4", tmp_path / "wrong.net", expect=1
    ).stderr
    assert text.count(": error") == 4


def test_colour_only_when_asked_for(tmp_path):
    (tmp_path / "wrong.net").write_text("network n { input [1, 28, 28]\n  convv2d(3, 3)\n}\n")
    assert "\033[" not in netc("check", tmp_path / "wrong.net", expect=1).stderr
    assert "\033[" in netc("check", "--color=always", tmp_path / "wrong.net", expect=1).stderr


# ----------------------------------------------------------------- library

LIBRARY = "block A [c, h, w] -> [8, h, w] {\n    conv2d(8, 1) as conv\n}\n"


def test_a_library_checks_but_does_not_build(tmp_path):
    (tmp_path / "library.net").write_text(LIBRARY)
    assert netc("check", tmp_path / "library.net").stderr == ""
    for command in ("build", "emit", "summary", "graph"):
        options = ["-o", tmp_path / "out"] if command == "build" else []
        assert "no network" in netc(command, tmp_path / "library.net", *options, expect=1).stderr
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- summary


def test_summary_json_has_the_keys_of_its_contract():
    told = json.loads(netc("summary", "--json", CNN).stdout)
    assert list(told) == (
        "network parameters multiply_adds arena_bytes arena_lower_bound state layers "
        "outputs inputs".split()
    )
    assert list(told["state"][0]) == ["name", "shape", "dtype"]
    assert list(told["layers"][0]) == "name operator in out parameters multiply_adds line".split()
    assert told["inputs"] == [{"name": "input", "shape": [1, 28, 28], "choices": 0}]
    assert told["layers"][0] == {
        "name": "conv1",
        "operator": "conv2d",
        "in": [1, 28, 28],
        "out": [10, 24, 24],
        "parameters": 260,
        "multiply_adds": 10 * 24 * 24 * 25,
        "line": 5,
    }
    assert 0 < told["arena_lower_bound"] <= told["arena_bytes"]
    assert sum(layer["multiply_adds"] for layer in told["layers"]) == told["multiply_adds"]
    assert sum(layer["parameters"] for layer in told["layers"]) == told["parameters"] == 8490


def test_summary_table(golden):
    golden(
        ROOT / "tests" / "cli" / "summary_cnn.txt",
        netc("summary", "--target=x86-64-v3", CNN).stdout,
    )


# ------------------------------------------------------------------ graph


def test_graph_names_every_layer_and_shape():
    text = netc("graph", MODELS / "inception.net").stdout
    assert text.startswith('digraph "inception"')
    for word in ("branch5x5_2", "cluster_incep2", "[88, 12, 12]", "conv2d(24, 5, padding=2)"):
        assert word in text


@pytest.mark.skipif(not have("dot"), reason="Graphviz is not installed")
def test_graph_svg(tmp_path):
    for model in sorted(MODELS.glob("*.net")):
        netc("graph", "--svg", model, "-o", tmp_path / "a picture.svg")
        assert "</svg>" in (tmp_path / "a picture.svg").read_text()
    assert "</svg>" in netc("graph", "--svg", CNN).stdout


def test_graph_svg_without_graphviz(tmp_path):
    (tmp_path / "out.svg").write_text("before")
    text = netc(
        "graph", "--svg", CNN, "-o", tmp_path / "out.svg", env={"PATH": str(tmp_path)}, expect=1
    ).stderr
    assert "Graphviz" in text
    assert (tmp_path / "out.svg").read_text() == "before"


# ------------------------------------------------------------ emit, build


FEW = "cnn densenet gpt unet mobilenet_v2 char_lstm".split()  # tests/write has every operator
ALL = sorted(model.stem for model in MODELS.glob("*.net"))


@pytest.mark.parametrize(
    "compiler, models", [rarely("gcc", ALL), rarely("clang", ALL), ("clang", FEW)]
)
def test_emitted_c_compiles_without_warnings(compiler, models, tmp_path):
    """Of every model; tests/write has every operator, both kinds of kernels and types."""
    if not have(compiler):
        pytest.skip(f"{compiler} is not installed")
    for model in models:
        netc("emit", "--target=x86-64-v3", MODELS / f"{model}.net", "-o", tmp_path / "net.c")
        run(
            compiler,
            *"-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -march=x86-64-v3".split(),
            "-fsyntax-only",
            "-I",
            ROOT / "runtime",
            tmp_path / "net.c",
        )


def test_build_with_spaces_in_names(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "my network.net").write_text(CNN.read_text())
    netc(
        "build", folder / "my network.net", "-o", folder / "my trainer", env={"TMPDIR": str(folder)}
    )
    assert os.stat(folder / "my trainer").st_mode & stat.S_IXUSR
    assert sorted(os.listdir(folder)) == ["my network.net", "my trainer"]


def failing_compiler(folder):
    path = folder / "failing-cc"
    path.write_text("#!/bin/sh\necho 'no such instruction' >&2\nexit 1\n")
    path.chmod(0o755)
    return path


def test_a_failing_c_compiler_leaves_the_old_trainer(tmp_path):
    (tmp_path / "trainer").write_text("\x7fELF before")
    text = netc(
        "build", CNN, "-o", tmp_path / "trainer", f"--cc={failing_compiler(tmp_path)}", expect=1
    ).stderr
    assert "no such instruction" in text and "failing-cc failed" in text
    assert (tmp_path / "trainer").read_text() == "\x7fELF before"


def test_a_missing_c_compiler(tmp_path):
    text = netc(
        "build",
        CNN,
        "-o",
        tmp_path / "trainer",
        "--cc=no-such-cc",
        env={"TMPDIR": str(tmp_path)},
        expect=1,
    ).stderr
    assert "no-such-cc" in text
    assert os.listdir(tmp_path) == []


def test_an_unwritable_output(tmp_path):
    for command in ("build", "emit", "graph"):
        assert (
            "no/such/folder"
            in netc(command, CNN, "-o", tmp_path / "no/such/folder/x", expect=1).stderr
        )


def test_a_moved_netc_says_what_it_misses(tmp_path):
    moved = tmp_path / "netc"
    moved.write_bytes(NETC.read_bytes())
    moved.chmod(0o755)
    assert "libnet_f32.a" in run(moved, "build", CNN, "-o", tmp_path / "trainer", expect=1).stderr
    run(moved, "build", CNN, "-o", tmp_path / "trainer", env={"NETC_HOME": str(ROOT)})


# ------------------------------------------------------------------- dumps


@pytest.mark.parametrize("stage", ["ast", "graph", "gradient", "plan"])
def test_dump_with_and_without_its_command(stage):
    assert netc(f"--dump={stage}", CNN).stdout == netc("check", f"--dump={stage}", CNN).stdout != ""


def test_a_library_is_told_nothing_of_the_network_checked_before_it(tmp_path):
    library = tmp_path / "library.net"
    library.write_text("block A {\n    conv2d(12, 5, groups=3, in_channels=10)\n}\n")
    alone, after = (netc("check", *models, library, expect=1) for models in ([], [CNN]))
    assert after.stderr == alone.stderr


def test_a_word_of_two_settings_is_explained_of_both():
    text = netc("explain", "resize").stdout
    assert "section's `augment`" in text and "section's `test`" in text


def test_what_campaigns_share_needs_no_pytest():
    script = "import sys; sys.modules['pytest'] = None; import fuzz.programs, ops.cases"
    run(sys.executable, "-c", script, env={**os.environ, "PYTHONPATH": str(ROOT / "tests")})
