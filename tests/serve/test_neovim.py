"""A session in a real editor: Neovim, with the files of examples/editors/vim."""
import json
import os

import pytest

from harness import BUILD, ROOT, have, netc, run

EDITOR = ROOT / "examples" / "editors" / "vim"
SCRIPT = ROOT / "tests" / "serve" / "neovim.lua"
PROGRAM = """\
block Twice(width) [c, h, w] -> [2*width, h, w] { conv2d(2*width, 1) as conv }

network n {
    input [1, 28, 28]
    conv2dd(8, 3, padding=1) as conv1
    Twice(4)
    relu
}

train {
    data      mnist
    loss      cross_entropy
    optimizer sgd(lr=0.1)
    batch     64
    epochs    1
}
"""


@pytest.mark.skipif(not have("nvim"), reason="Neovim is not installed")
def test_a_session(tmp_path):
    (tmp_path / "n.net").write_text(
        PROGRAM.replace("    relu\n", "    flatten;  linear(10)\n").replace(
            "    Twice(4)\n", "    Twice(4)\n    relu\n"
        )
    )
    (tmp_path / "init.vim").write_text(
        f"set runtimepath^={EDITOR}\nfiletype plugin on\nsyntax on\nluafile {EDITOR / 'lsp.lua'}\n"
    )
    environment = {
        "PATH": f"{BUILD}:{os.environ['PATH']}",
        "SEEN": str(tmp_path / "seen.json"),
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
    }
    result = run(
        "nvim",
        *"--headless -n -i NONE -u".split(),
        tmp_path / "init.vim",
        tmp_path / "n.net",
        "-c",
        f"luafile {SCRIPT}",
        timeout=120,
        env=environment,
    )
    assert (tmp_path / "seen.json").exists(), result.stderr
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert "late" not in seen, seen["late"]
    assert seen["filetype"] == "net"
    assert any("conv2dd" in message for message in seen["first"])
    assert seen["where"] == [4, 4, 11]
    assert seen["actions"] and not seen["clean"]
    assert "[1, 28, 28] → [8, 28, 28]" in seen["hover"] and "80 parameters" in seen["hover"]
    assert seen["definition"]["range"]["start"] == {"line": 0, "character": 6}
    assert any("reluu" in message for message in seen["typed"])
    assert {"out_channels=", "kernel_size="} <= set(seen["completion"])
    text = "\n".join(seen["lines"]) + "\n"
    assert "block Double(width)" in text and "Double(4)" in text and "relu  # 😀 é after" in text
    assert netc("fmt", "-", stdin=text).stdout == text
    assert seen["colours"][0] == "netSection" and "netOperator" in seen["colours"]
