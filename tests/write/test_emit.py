"""The emitted C: whatever the files and the layers are called, it compiles."""
import pytest

from harness import netc, run

PLAIN = "network a {\n    input [4]\n    linear(10)\n}\n"

# Every name here is a keyword or another name of C, or equals its neighbour as a C identifier.
CONFUSABLE = """network int {
    input [1, 6, 6]
    conv2d(2, 1) as main
    conv2d(2, 1) as register
    conv2d(2, 1) as a.b
    conv2d(2, 1) as a_b
    conv2d(2, 1) as NULL
    conv2d(2, 1) as vec
    conv2d(2, 1) as real
    conv2d(2, 1) as "0.1"
    flatten
    linear(10) as printf
}
"""


@pytest.mark.parametrize("name", ["line\nbreak.net", "qu\"o'te.net", "back\\slash\\", "%s%n.net", "??)?.net"])
def test_any_file_name_compiles(name, tmp_path):
    folder = tmp_path / "odd*"
    folder.mkdir()
    (folder / name).write_text(PLAIN)
    netc("build", folder / name, "-o", tmp_path / "out")
    assert name.split("\n")[0] in run(tmp_path / "out", "info").stdout


def test_a_folder_whose_name_ends_a_comment(tmp_path):
    folder = tmp_path / "odd*"
    folder.mkdir()
    (folder / "a.net").write_text(PLAIN)
    netc("build", folder / "a.net", "-o", tmp_path / "out")
    assert "*/" not in netc("emit", folder / "a.net").stdout.splitlines()[1]


def test_names_of_layers_that_are_names_of_c(tmp_path):
    (tmp_path / "int.net").write_text(CONFUSABLE)
    netc("build", tmp_path / "int.net", "-o", tmp_path / "out")
    assert "a.b " in run(tmp_path / "out", "info").stdout
