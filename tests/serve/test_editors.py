"""The editors' grammars know every word that netc knows."""
import json
import re

import pytest

from harness import BUILD, MODELS, ROOT, have, run
from serve.client import Client

EDITORS = ROOT / "examples" / "editors"
VIM = (EDITORS / "vim" / "syntax" / "net.vim").read_text()
VSCODE = (EDITORS / "vscode" / "syntaxes" / "net.tmLanguage.json").read_text()


def completed(client, text):
    before, after = text.split("|")
    client.open("file:///nowhere/n.net", before + after)
    return {item["label"].rstrip("=") for item in client.at("completion", "file:///nowhere/n.net", before.count("\n"),
                                                            len(before) - before.rfind("\n") - 1)}


@pytest.fixture(scope="module")
def words():
    with Client() as client:
        network = "network n {\n    input [8]\n    relu\n}\n"
        settings = completed(client, network + "train {\n    |\n}\n")
        operators = set(re.findall(r"OPERATOR\((\w+)\)", (ROOT / "compiler" / "ops" / "ops.def").read_text()))
        choices = set()
        for setting in settings - {"normalize", "clip", "group", "batch", "epochs", "seed", "freeze"}:
            start = '"*", ' if setting == "init" else ""
            choices |= completed(client, f"{network}train {{\n    {setting} {start}|\n}}\n")
        return {"Operator": operators, "Setting": settings, "Choice": choices}


@pytest.mark.parametrize("kind, scope", [("Operator", "support.function.net"), ("Setting", "support.type.property-name.net"),
                                         ("Choice", "support.constant.net")])
def test_the_grammars_list_every_word(words, kind, scope):
    assert len(words[kind]) > 10
    listed = re.search(rf"^syn keyword net{kind} +(?:contained +)?(.*)$", VIM, re.M)[1].split()
    assert set(listed) == words[kind]

    def rules(node):
        if isinstance(node, dict):
            yield node
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
            yield from rules(child)

    (rule,) = [rule for rule in rules(json.loads(VSCODE))
               if "match" in rule and (rule.get("name") == scope or {"name": scope} in (rule.get("captures") or {}).values())]
    assert set(re.search(r"\(\?:([\w|]+)\)", rule["match"])[1].split("|")) == words[kind]


def test_the_extension_is_whole():
    folder = EDITORS / "vscode"
    package = json.loads((folder / "package.json").read_text())
    paths = [package["main"], package["contributes"]["grammars"][0]["path"], package["contributes"]["languages"][0]["configuration"]]
    assert all((folder / path).exists() for path in paths)
    json.loads((folder / "language-configuration.json").read_text())
    for rule in re.findall(r'"(?:match|begin|end)": ("(?:[^"\\]|\\.)*")', VSCODE):
        re.compile(json.loads(rule))


@pytest.mark.skipif(not have("nvim"), reason="Neovim is not installed")
def test_every_word_of_the_models_is_coloured(tmp_path):
    """No operator, setting or section of any model is left plain by the Vim grammar."""
    script = tmp_path / "groups.lua"
    script.write_text("""
for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
  for at, word in line:gmatch('()([%a_][%w_]*)') do
    io.stdout:write(word, ' ', vim.fn.synIDattr(vim.fn.synID(number, at, 1), 'name'), '\\n')
  end
end
vim.cmd('qall!')
""")
    (tmp_path / "init.vim").write_text(f"set runtimepath^={EDITORS / 'vim'}\nfiletype plugin on\nsyntax on\n")
    plain = set()
    for model in ("cnn", "resnet50", "efficientnet_b0"):
        said = run("nvim", "--headless", "-n", "-i", "NONE", "-u", tmp_path / "init.vim", MODELS / f"{model}.net", "-c", f"luafile {script}",
                   timeout=60, env={"HOME": str(tmp_path)}).stdout
        groups = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
        for word in ("network", "conv2d", "relu", "flatten", "linear", "input"):
            if word in groups and not groups[word].strip():
                plain.add((model, word))
    assert not plain
