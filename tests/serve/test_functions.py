"""Functions of an element in an editor."""
import pytest

from serve.client import Client, position_of, uri_of
from harness import ROOT

URI = "file:///nowhere/f.net"
TEXT = """function swish(x, beta=1.0) = x*sigmoid(beta*x)
function twice(x) = swish(swish(x, beta=2))

network n {
    input [1, 28, 28]
    swish(beta=0.5)
    twice
    flatten
    linear(10)
}
"""


@pytest.fixture
def client():
    with Client() as one:
        one.open(URI, TEXT)
        assert one.wait_diagnostics(URI) == []
        yield one


@pytest.mark.parametrize(
    "word, nth, says",
    [
        (
            "swish",
            3,
            [
                "[1, 28, 28] → [1, 28, 28]",
                "function swish(x, beta=1.0) = x*sigmoid(beta*x)",
            ],
        ),
        ("x*sig", 0, ["**x**: parameter of function swish, a tensor"]),
        ("beta*x", 0, ["**beta**: parameter of function swish, a number"]),
        ("sigmoid", 0, ["**sigmoid(x)**: a function"]),
    ],
)
def test_hover(client, word, nth, says):
    told = client.at("hover", URI, *position_of(TEXT, word, nth))["contents"]["value"]
    assert all(one in told for one in says), told


@pytest.mark.parametrize(
    "word, nth, line, uses", [("swish", 1, 0, 4), ("beta=0", 0, 0, 4), ("twice", 1, 1, 2)]
)
def test_definitions_and_references(client, word, nth, line, uses):
    at = position_of(TEXT, word, nth)
    assert client.at("definition", URI, *at)["range"]["start"]["line"] == line
    assert len(client.at("references", URI, *at, context={"includeDeclaration": True})) == uses


@pytest.mark.parametrize(
    "word, new, refused", [("swish", "silu2", False), ("beta", "b", False), ("x,", "exp", True)]
)
def test_renames(client, word, new, refused):
    line, character = position_of(TEXT, word)
    message = client.request_raw(
        "textDocument/rename",
        {
            "textDocument": {"uri": URI},
            "newName": new,
            "position": {"line": line, "character": character},
        },
    )
    assert ("error" in message) == refused
    if not refused:
        assert len(message["result"]["changes"][URI]) == 4


@pytest.mark.parametrize(
    "text, wanted, unwanted",
    [
        ("|", ["function", "block"], ["swish"]),
        (TEXT.replace("    twice", "    |"), ["swish", "twice", "relu"], ["clamp"]),
        (TEXT.replace("beta=0.5", "|"), ["beta="], ["x=", "clamp"]),
        (TEXT.replace("beta*x)", "|)"), ["x", "beta", "clamp", "twice"], ["conv2d", "beta="]),
        (TEXT.replace("beta=2", "|"), ["x", "beta="], ["conv2d"]),
        (TEXT.replace("= x*", "= x*|"), ["x", "beta", "exp"], ["conv2d"]),
    ],
)
def test_completion(client, text, wanted, unwanted):
    before, after = text.split("|")
    client.change(URI, {"text": before + after})
    items = client.at("completion", URI, before.count("\n"), len(before) - before.rfind("\n") - 1)
    found = [item["label"] for item in items]
    assert all(word in found for word in wanted), found
    assert not any(word in found for word in unwanted), found


def test_signature_help(client):
    text = TEXT.replace("beta=0.5", "")
    client.change(URI, {"text": text})
    line, character = position_of(text, "swish()")
    told = client.at("signatureHelp", URI, line, character + len("swish("))
    assert told["signatures"][0]["label"] == "swish(beta=1.0)"


def test_symbols_and_colours(client):
    names = [(one["name"], one.get("detail")) for one in client.about("documentSymbol", URI)]
    assert ("twice", "twice(x) = swish(swish(x, beta=2))") in names
    assert client.about("semanticTokens/full", URI)["data"]


def test_the_library_is_read_and_clean(client):
    library = ROOT / "library/activations.net"
    client.open(uri_of(library), library.read_text())
    assert client.wait_diagnostics(uri_of(library)) == []
    text = 'use "activations.net"\n' + TEXT.replace("    twice", "    mish").replace(
        TEXT[: TEXT.index("network")], ""
    ).replace("swish(beta=0.5)", "selu")
    client.change(URI, {"text": text})
    assert client.wait_diagnostics(URI) == []
    definition = client.at("definition", URI, *position_of(text, "mish"))
    assert definition["uri"].endswith("library/activations.net")


def test_a_loss_of_the_program(client):
    text = (
        "loss dice(p, t) = 1 - 2*sum(p*t)/(sum(p) + sum(t))\n"
        "network n {\n    input [1, 4, 4]\n    sigmoid\n}\ntrain {\n    loss dice\n}\n"
    )
    uri = "file:///nowhere/dice.net"
    client.open(uri, text)
    assert "loss dice(p, t)" in client.at("hover", uri, 6, 10)["contents"]["value"]
    assert client.at("definition", uri, 6, 10)["range"]["start"] == {"line": 0, "character": 5}
    offered = [item["label"] for item in client.at("completion", uri, 6, 9)]
    assert "dice" in offered and "huber" in offered and "relu" not in offered
    offered = [item["label"] for item in client.at("completion", uri, 3, 4)]
    assert "dice" not in offered
