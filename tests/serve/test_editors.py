"""The editors' grammars know every word that netc knows: `make golden` writes it into them."""
import json
import re

import pytest

from harness import MODELS, ROOT, have, operators, run
from serve.client import Client

EDITORS = ROOT / "examples" / "editors"
VIM = EDITORS / "vim" / "syntax" / "net.vim"
VSCODE = EDITORS / "vscode" / "syntaxes" / "net.tmLanguage.json"


NO_CHOICES = {
    "normalize",
    "clip",
    "group",
    "ema",
    "batch",
    "accumulate",
    "epochs",
    "seed",
    "freeze",
}


def completed(client, text):
    """Every word that may stand at the bar, in netc's order."""
    before, after = text.split("|")
    client.open("file:///nowhere/n.net", before + after)
    return {
        item["label"].rstrip("="): None
        for item in client.at(
            "completion",
            "file:///nowhere/n.net",
            before.count("\n"),
            len(before) - before.rfind("\n") - 1,
        )
    }


@pytest.fixture(scope="module")
def words():
    with Client() as client:
        network = "network n {\n    input [8]\n    relu\n}\n"
        settings = completed(client, network + "train {\n    |\n}\n")
        choices = {}
        for setting in settings:
            start = '"*", ' if setting == "init" else ""
            choices |= (
                completed(client, f"{network}train {{\n    {setting} {start}|\n}}\n")
                if setting not in NO_CHOICES
                else {}
            )
        return {
            "Operator": [op["name"] for op in operators()],
            "Setting": list(settings),
            "Choice": list(choices),
        }


SCOPES = {
    "Operator": "support.function.net",
    "Setting": "support.type.property-name.net",
    "Choice": "support.constant.net",
}


def vim_with(text, kind, words):
    return re.sub(
        rf"^(syn keyword net{kind} +(?:contained +)?).*$",
        rf"\g<1>{' '.join(words)}",
        text,
        flags=re.M,
    )


def vscode_with(text, kind, words):
    """In the rule with this scope, the one next to it."""
    rule = re.compile(r'("match": "[^"]*\(\?:)[\w|]+(\)[^"]*")')
    lines = text.splitlines(keepends=True)
    (named,) = [i for i, line in enumerate(lines) if f'"{SCOPES[kind]}"' in line]
    at = min((i for i, line in enumerate(lines) if rule.search(line)), key=lambda i: abs(i - named))
    lines[at] = rule.sub(rf"\g<1>{'|'.join(words)}\g<2>", lines[at])
    return "".join(lines)


@pytest.mark.parametrize(
    "path, write", [(VIM, vim_with), (VSCODE, vscode_with)], ids=["vim", "vscode"]
)
def test_the_grammars_list_every_word(words, path, write, golden):
    text = path.read_text()
    for kind, listed in words.items():
        assert len(listed) > 10
        assert write(text, kind, ["nothing"]) != text
        text = write(text, kind, listed)
    golden(path, text)


def test_the_extension_is_whole():
    folder = EDITORS / "vscode"
    package = json.loads((folder / "package.json").read_text())
    paths = [
        package["main"],
        package["contributes"]["grammars"][0]["path"],
        package["contributes"]["languages"][0]["configuration"],
    ]
    assert all((folder / path).exists() for path in paths)
    json.loads((folder / "language-configuration.json").read_text())
    for rule in re.findall(r'"(?:match|begin|end)": ("(?:[^"\\]|\\.)*")', VSCODE.read_text()):
        re.compile(json.loads(rule))


@pytest.mark.skipif(not have("nvim"), reason="Neovim is not installed")
def test_every_word_of_the_models_is_coloured(tmp_path):
    """No operator, setting or section of any model is left plain by the Vim grammar."""
    script = tmp_path / "groups.lua"
    script.write_text(
        """
for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
  for at, word in line:gmatch('()([%a_][%w_]*)') do
    io.stdout:write(word, ' ', vim.fn.synIDattr(vim.fn.synID(number, at, 1), 'name'), '\\n')
  end
end
vim.cmd('qall!')
"""
    )
    (tmp_path / "init.vim").write_text(
        f"set runtimepath^={EDITORS / 'vim'}\nfiletype plugin on\nsyntax on\n"
    )
    plain = set()
    for model in ("cnn", "resnet50", "efficientnet_b0"):
        said = run(
            "nvim",
            *"--headless -n -i NONE -u".split(),
            tmp_path / "init.vim",
            MODELS / f"{model}.net",
            "-c",
            f"luafile {script}",
            timeout=60,
            env={"HOME": str(tmp_path)},
        ).stdout
        groups = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
        for word in ("network", "conv2d", "relu", "flatten", "linear", "input"):
            if word in groups and not groups[word].strip():
                plain.add((model, word))
    assert not plain
