"""netc lsp, driven message by message."""
import json
import re

import pytest

from serve.client import Client, apply, position_of, uri_of
from harness import MODELS, NETC, ROOT, netc, run

URI = "file:///nowhere/n.net"
RESNET = (MODELS / "resnet50.net").read_text()
CNN = (MODELS / "cnn.net").read_text()


@pytest.fixture
def client():
    with Client() as one:
        yield one


def opened(client, text, uri=URI):
    client.open(uri, text)
    return client.wait_diagnostics(uri)


def labels(items):
    return [item["label"] for item in items]


def network(*lines):
    return "network n {\n    input [1, 28, 28]\n%s}\n" % "".join(f"    {line}\n" for line in lines)


# ------------------------------------------------------------- diagnostics


@pytest.mark.parametrize("model", sorted(MODELS.glob("*.net")), ids=lambda path: path.stem)
def test_models_have_nothing_to_say(client, model):
    assert opened(client, model.read_text(), uri_of(model)) == []


def test_diagnostics_as_one_types(client):
    assert opened(client, CNN) == []
    client.change(
        URI,
        {
            "range": {"start": {"line": 4, "character": 4}, "end": {"line": 4, "character": 10}},
            "text": "conv2dd",
        },
    )
    (told,) = client.wait_diagnostics(URI)
    assert told["code"] == "unknown-operator" and told["severity"] == 1
    assert told["range"] == {
        "start": {"line": 4, "character": 4},
        "end": {"line": 4, "character": 11},
    }
    client.change(
        URI,
        {
            "range": {"start": {"line": 4, "character": 10}, "end": {"line": 4, "character": 11}},
            "text": "",
        },
    )
    assert client.wait_diagnostics(URI) == []


def test_related_locations_and_a_fix_that_is_right(client):
    text = CNN.replace("[320]", "[321]")
    (told,) = opened(client, text)
    assert told["code"] == "shape-assert" and told["relatedInformation"]
    actions = client.about(
        "codeAction",
        URI,
        range=told["range"],
        context={"diagnostics": [told], "only": ["quickfix"]},
    )
    fixes = [apply(text, action["edit"]["changes"][URI]) for action in actions]
    assert CNN in fixes
    assert (
        client.about(
            "codeAction",
            URI,
            range={"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
            context={"diagnostics": [], "only": ["quickfix"]},
        )
        == []
    )


def test_a_fix_keeps_to_its_line(client):
    text = network("conv2d(16, 3)", "batch_norm2d(16)", "relu")
    (told,) = opened(client, text)
    (action,) = client.about(
        "codeAction",
        URI,
        range=told["range"],
        context={"diagnostics": [told], "only": ["quickfix"]},
    )
    assert (
        apply(text, action["edit"]["changes"][URI]) == text.replace("(16)", "")
        and action["isPreferred"]
    )


def test_a_guess_is_offered_and_not_preferred(client):
    text = network("conv2d(16, 3) -> [16, 24, 24]")
    (told,) = opened(client, text)
    actions = client.about(
        "codeAction",
        URI,
        range=told["range"],
        context={"diagnostics": [told], "only": ["quickfix"]},
    )
    assert actions and not any(action["isPreferred"] for action in actions)


def test_help_is_searched_when_typing_pauses(client):
    wrong = (
        ROOT / "tests" / "diagnostics" / "programs" / "inception_lacks_padding.net"
    ).read_text()
    assert "padding=2" not in opened(client, wrong)[0]["message"]
    assert "padding=2" in client.wait_diagnostics(URI)[0]["message"]
    client.change(URI, {"text": wrong + "\n"})
    client.change(URI, {"text": CNN})
    while client.diagnostics[URI]:
        client.wait_diagnostics(URI)


def test_what_the_server_tells_is_what_the_command_tells(client, tmp_path):
    for path in sorted((ROOT / "tests" / "diagnostics" / "programs").glob("*.net"))[:40]:
        said = json.loads(netc("check", "--diagnostics=json", path, expect=None).stdout)
        told = opened(client, path.read_text(), uri_of(path))
        assert sorted(one["code"] for one in told) == sorted(one["code"] for one in said), path


def test_positions_are_counted_in_utf_16(client):
    text = (
        "# \U0001f600 é 名\n"
        "network n {\n"
        '    input [8];  linear(3) as "é\U0001f600" # x\n'
        "    reluu\n"
        "}\n"
    )
    told = opened(client, text)
    assert {one["range"]["start"]["line"] for one in told} == {2, 3}
    line, character = position_of(text, '"é')
    assert any(
        one["range"]["start"] == {"line": line, "character": character}
        and one["range"]["end"]["character"] == character + 5
        for one in told
    )
    client.change(
        URI,
        {
            "range": {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 4}},
            "text": "a",
        },
        {
            "range": {
                "start": {"line": 2, "character": character + 1},
                "end": {"line": 2, "character": character + 4},
            },
            "text": "b",
        },
        {
            "range": {"start": {"line": 3, "character": 8}, "end": {"line": 3, "character": 9}},
            "text": "",
        },
    )
    assert client.wait_diagnostics(URI) == []


def test_a_used_file_that_is_open_and_not_saved(client, tmp_path):
    (tmp_path / "blocks.net").write_text("block A { relu }\n")
    main = 'use "blocks.net"\nnetwork n { input [8];  A;  B }\n'
    (tmp_path / "main.net").write_text(main)
    here, there = uri_of(tmp_path / "main.net"), uri_of(tmp_path / "blocks.net")
    assert [one["code"] for one in opened(client, main, here)] == ["unknown-operator"]
    client.open(there, "block A { relu }\nblock B { tanh }\n")
    client.wait_diagnostics(there)
    if client.diagnostics[here]:
        client.wait_diagnostics(here)
    assert client.diagnostics[here] == []
    found = client.at("definition", here, *position_of(main, "B }"))
    assert found["uri"] == there and found["range"]["start"] == {"line": 1, "character": 6}
    edits = client.at("rename", here, *position_of(main, "B }"), newName="Second")["changes"]
    assert set(edits) == {here, there}
    client.change(there, {"text": "block A { relu\n"}, version=3)
    client.wait_diagnostics(there)
    while not client.diagnostics[here]:
        client.wait_diagnostics(here)
    assert client.diagnostics[here][0]["range"]["start"]["line"] in (0, 1)


# ------------------------------------------------------------------- hover


@pytest.mark.parametrize(
    "word, nth, says",
    [
        (
            "conv2d(64",
            0,
            [
                "[3, 224, 224] → [64, 112, 112]",
                "9,408 parameters",
                "118,013,952 multiply-adds",
                "receptive field 7 × 7",
                "live while it runs",
                "out_channels",
            ],
        ),
        ("max_pool2d", 0, ["[64, 112, 112] → [64, 56, 56]", "receptive field 11 × 11"]),
        ("adaptive_avg", 0, ["sees the whole image"]),
        ("Bottleneck(64)", 0, ["75,008 parameters", "block Bottleneck(channels, stride=1)"]),
        ("padding=1", 0, ["Rows and columns added"]),
        ("channels", 0, ["parameter of block Bottleneck", "64, 128, 256, 512"]),
        ("resnet50 {", 0, ["[3, 224, 224] → [1000]", "25,557,032 parameters"]),
    ],
)
def test_hover(client, word, nth, says):
    opened(client, RESNET)
    told = client.at("hover", URI, *position_of(RESNET, word, nth))["contents"]["value"]
    assert all(one in told for one in says), told


def test_hover_of_settings_names_and_nothing(client):
    opened(client, CNN)
    assert (
        "moves its parameter"
        in client.at("hover", URI, *position_of(CNN, "optimizer"))["contents"]["value"]
    )
    assert "Learning rate" in client.at("hover", URI, *position_of(CNN, "lr="))["contents"]["value"]
    assert (
        "[20, 8, 8]" in client.at("hover", URI, *position_of(CNN, "conv2", 2))["contents"]["value"]
    )
    assert client.at("hover", URI, 0, 5) is None
    assert client.at("hover", URI, 9999, 9999) is None


# ------------------------------------------------------------------- hints


def test_inlay_hints_are_what_annotate_writes(client):
    for model in sorted(MODELS.glob("*.net")):
        text = model.read_text()
        opened(client, text, uri_of(model))
        hints = client.about(
            "inlayHint",
            uri_of(model),
            range={"start": {"line": 0, "character": 0}, "end": {"line": 999, "character": 0}},
        )
        shown = [hint["label"] for hint in hints]
        annotated = netc("fmt", "--annotate", "-", stdin=text).stdout
        written = re.findall(r"(-> \[[^\]]*\]) +#=", annotated)
        assert sorted(shown) == sorted(written), model


# -------------------------------------------------------------- completion


@pytest.mark.parametrize(
    "text, wanted, unwanted",
    [
        (network("con|"), ["conv2d", "concat", "skip"], ["cross_entropy", "mnist"]),
        (network("conv2d(|"), ["out_channels=", "kernel_size="], ["conv2d"]),
        (network("conv2d(8, kernel_size=3, |)"), ["stride="], ["kernel_size="]),
        (network("conv2d(8, 3, padding_mode=|)"), ["zeros", "reflect"], ["stride="]),
        (network("conv2d(8, 3, bias=|)"), ["true", "false"], ["stride="]),
        (network("conv2d(8, 3) |"), ["as"], ["conv2d"]),
        (network("conv2d(8, 3) as one", "from |"), ["one"], ["conv2d"]),
        (network("conv2d(8, 3) as one", "concat(|)"), ["one"], []),
        (network("conv2d(8, 3) as one", "attention(2, mask=|)"), ["one"], ["causal="]),
        (network("conv2d(8, 3) as one", "attention(|)"), ["one", "heads=", "mask="], []),
        (network("let k = 3", "conv2d(|)"), ["k", "out_channels="], []),
        (
            "block A(width, deep=2) [c, h, w] { relu }\n" + network("A(|)"),
            ["width=", "deep="],
            ["conv2d"],
        ),
        ("block A(width) [c, h, w] {\n    conv2d(|\n}\n", ["width", "c", "h"], []),
        ("block A { relu }\n" + network("|"), ["A", "relu"], []),
        ("|", ["network", "block", "train", "use"], ["conv2d"]),
        (network("relu") + "train {\n    |\n}\n", ["data", "optimizer"], ["conv2d"]),
        (network("relu") + "train {\n    data |\n}\n", ["mnist", "cifar10"], ["sgd"]),
        (network("relu") + "train {\n    optimizer |\n", ["sgd", "adam"], ["mnist"]),
        (network("relu") + "train {\n    optimizer sgd(|)\n}\n", ["lr=", "momentum="], ["beta1="]),
        (network("relu") + "train {\n    loss |\n}\n", ["cross_entropy", "mse"], ["relu"]),
        (network("relu") + "train {\n    schedule cosine(by=|)\n}\n", ["epoch", "step"], []),
        (network("relu") + "train {\n    normalize |\n}\n", ["mean=", "std="], []),
    ],
)
def test_completion(client, text, wanted, unwanted):
    before, after = text.split("|")
    opened(client, before + after)
    found = labels(
        client.at("completion", URI, before.count("\n"), len(before) - before.rfind("\n") - 1)
    )
    assert all(word in found for word in wanted) and not any(
        word in found for word in unwanted
    ), found


@pytest.mark.parametrize(
    "call, label, active",
    [
        ("conv2d(|", "conv2d(out_channels, kernel_size, stride=1", 0),
        ("conv2d(8, |", "conv2d(out_channels, kernel_size, stride=1", 1),
        ("conv2d(8, 3, padding=|1)", "conv2d(out_channels, kernel_size, stride=1", 3),
        ("A(1, |)", "A(width, deep=2)", 1),
    ],
)
def test_signature_help(client, call, label, active):
    before, after = ("block A(width, deep=2) { relu }\n" + network(call)).split("|")
    opened(client, before + after)
    told = client.at("signatureHelp", URI, before.count("\n"), len(before) - before.rfind("\n") - 1)
    assert told["signatures"][0]["label"].startswith(label)
    assert told["activeParameter"] == active
    parameters = [parameter["label"] for parameter in told["signatures"][0]["parameters"]]
    assert all(one in told["signatures"][0]["label"] for one in parameters)


def test_every_operator_and_setting_is_completed(client):
    opened(client, network(""))
    found = labels(client.at("completion", URI, 2, 4))
    opened(client, network("relu") + "train {\n    loss \n}\n")
    losses = labels(client.at("completion", URI, 5, 9))
    for name in re.findall(
        r"OPERATOR\((\w+)\)", (ROOT / "compiler" / "ops" / "ops.def").read_text()
    ):
        assert name in found or name in losses


# ------------------------------------------------------------------- names

NAMES = """\
block A(width, act=relu) [c, h, w] -> [width, h, w] {
    let k = width
    repeat 2 as i {
        conv2d(k, 3, padding=1) as conv
        act
    }
    add(conv.0, conv.1)
    from conv.1
}

network n {
    input [1, 28, 28] as image
    A(8, act=tanh) as first
    skip { A(8) }
    concat(first, image)
}
"""


@pytest.mark.parametrize(
    "word, nth, line, uses",
    [
        ("A(8", 0, 0, 3),
        ("width", 1, 0, 3),
        ("act", 2, 0, 3),
        ("k, 3", 0, 1, 2),
        ("conv", 1, 3, 4),
        ("conv.1", 1, 3, 4),
        ("first, image", 0, 12, 2),
        ("image", 1, 11, 2),
        ("h, w", 1, 0, 2),
    ],
)
def test_definitions_and_references(client, word, nth, line, uses):
    # There are no errors; a warning says that a sum is not read.
    assert all(one["severity"] > 1 for one in opened(client, NAMES))
    at = position_of(NAMES, word, nth)
    assert client.at("definition", URI, *at)["range"]["start"]["line"] == line
    assert len(client.at("references", URI, *at, context={"includeDeclaration": True})) == uses
    assert len(client.at("references", URI, *at, context={"includeDeclaration": False})) == uses - 1
    assert len(client.at("documentHighlight", URI, *at)) == uses


@pytest.mark.parametrize(
    "word, nth, new",
    [
        ("A(8", 0, "Block"),
        ("width", 0, "channels"),
        ("act", 0, "activation"),
        ("k, 3", 0, "kk"),
        ("conv", 1, "layer.conv"),
        ("conv.1", 0, "c"),
        ("image", 0, "x"),
        ("first", 0, "a"),
    ],
)
def test_a_renamed_program_means_the_same(client, word, nth, new):
    opened(client, NAMES)
    edits = client.at("rename", URI, *position_of(NAMES, word, nth), newName=new)["changes"]
    renamed = apply(NAMES, edits[URI])
    assert renamed != NAMES
    client.change(URI, {"text": renamed})
    assert all(one["severity"] > 1 for one in client.wait_diagnostics(URI))


@pytest.mark.parametrize(
    "word, new",
    [
        ("width", "c"),
        ("first", "image"),
        ("width", "3x"),
        ("width", ""),
        ("relu", "tanh"),
        ("repeat", "loop"),
        ("width", "a.b"),
    ],
)
def test_renames_that_are_refused(client, word, new):
    opened(client, NAMES)
    line, character = position_of(NAMES, word)
    message = client.request_raw(
        "textDocument/rename",
        {
            "textDocument": {"uri": URI},
            "newName": new,
            "position": {"line": line, "character": character},
        },
    )
    assert message["error"]["code"] == -32803


# ----------------------------------------------------------------- outline


def test_symbols_folds_and_colours(client):
    opened(client, RESNET)
    block, net = client.about("documentSymbol", URI)
    assert (block["name"], net["name"]) == ("Bottleneck", "resnet50")
    assert "conv1" in [child["name"] for child in block["children"]]
    folds = client.about("foldingRange", URI)
    assert {"startLine": 2, "endLine": 19} in folds and any(
        fold.get("kind") == "comment" for fold in folds
    )
    legend = client.capabilities["semanticTokensProvider"]["legend"]["tokenTypes"]
    data = client.about("semanticTokens/full", URI)["data"]
    line = character = 0
    lines, seen = RESNET.split("\n"), {}
    for down, right, length, kind, _ in zip(*[iter(data)] * 5):
        line, character = line + down, right + (0 if down else character)
        seen.setdefault(legend[kind], set()).add(lines[line][character : character + length])
    assert (
        "conv2d" in seen["function"]
        and "Bottleneck" in seen["class"]
        and "stride" in seen["parameter"]
    )
    assert (
        {"skip", "shortcut", "block"} <= seen["keyword"]
        and "padding" in seen["property"]
        and "224" in seen["number"]
    )


def test_formatting_is_what_the_command_does(client):
    text = RESNET.replace("    relu\n", "  relu ;\n").replace(", ", ",")
    opened(client, text)
    assert (
        apply(text, client.about("formatting", URI, options={}))
        == netc("fmt", "-", stdin=text).stdout
    )
    client.change(URI, {"text": RESNET})
    assert client.about("formatting", URI, options={}) == []
    client.change(URI, {"text": RESNET + "}"})
    assert client.about("formatting", URI, options={}) == []


def test_annotation_as_an_action(client):
    opened(client, CNN)
    nowhere = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    (action,) = client.about(
        "codeAction", URI, range=nowhere, context={"diagnostics": [], "only": ["source"]}
    )
    annotated = apply(CNN, action["edit"]["changes"][URI])
    assert annotated == netc("fmt", "--annotate", "-", stdin=CNN).stdout
    client.change(URI, {"text": annotated})
    actions = client.about(
        "codeAction", URI, range=nowhere, context={"diagnostics": [], "only": ["source.strip"]}
    )
    assert apply(annotated, actions[0]["edit"]["changes"][URI]) == CNN


# ------------------------------------------------------------ the protocol


def test_order_of_life():
    with Client(initialize=False) as client:
        assert client.request_raw("textDocument/hover", {})["error"]["code"] == -32002
        client.open(URI, CNN)  # ignored: not initialized yet
        assert "capabilities" in client.request("initialize", {})
        assert client.request_raw("initialize", {})["error"]["code"] == -32600
        assert client.request_raw("no/such/method", {})["error"]["code"] == -32601
        assert (
            client.request_raw("textDocument/hover", {"textDocument": {"uri": URI}})["error"][
                "code"
            ]
            == -32602
        )
        client.notify("no/such/notification", {})
        client.request("shutdown", None)
        assert client.request_raw("textDocument/hover", {})["error"]["code"] == -32600
        client.notify("exit", None)
        assert client.process.wait(20) == 0


def test_an_exit_without_shutdown_and_an_end_of_input():
    with Client() as client:
        client.notify("exit", None)
        assert client.process.wait(20) == 1
    assert run(NETC, "lsp", expect=1).stdout == ""


def test_a_client_that_is_gone_ends_the_server():
    with Client() as client:
        client.process.stdout.close()
        client.open(URI, CNN)
        assert client.process.wait(20) == 1


@pytest.mark.parametrize(
    "data",
    [
        b'Content-Length: 5\r\n\r\n{"a":',
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 4\r\n\r\nnull",
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Hello\r\n\r\n",
        b"\r\n\r\n",
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b'Content-Length: 20\r\n\r\n{"method":3,"id":[]}',
        b'Content-Length: 9\r\n\r\n\xff\xfe\x00\x01"{}[]',
        b"A" * 100000 + b"\r\n\r\n",
        b"Content-Length: 60000\r\n\r\n" + b"[" * 60000,
        b"Content-Length: 200000000\r\n\r\n" + b" " * 200000000,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_what_is_no_message_is_answered_and_survived(data):
    with Client() as client:
        client.send_bytes(data)
        message = client.read()
        assert message["error"]["code"] in (-32700, -32600) and message["id"] is None
        while True:  # several errors may be told of one mess
            client.send({"jsonrpc": "2.0", "id": 77, "method": "shutdown"})
            message = client.read()
            while message["id"] is None:
                message = client.read()
            assert message == {"jsonrpc": "2.0", "id": 77, "result": None}
            break


@pytest.mark.parametrize("length", [1000000000000, 10])
def test_a_length_that_never_comes(length):
    with Client() as client:
        client.send_bytes(b"Content-Length: %d\r\n\r\n{}" % length)
        client.process.stdin.close()
        assert client.process.wait(20) == 1


@pytest.mark.parametrize(
    "params",
    [
        None,
        [],
        3,
        {},
        {"textDocument": 3},
        {"textDocument": {"uri": 3}},
        {"textDocument": {"uri": URI}},
        {"textDocument": {"uri": URI}, "position": {"line": -1, "character": 0}},
        {"textDocument": {"uri": URI}, "position": {"line": 1.5, "character": 0}},
        {"textDocument": {"uri": URI}, "position": {"line": 1e300, "character": "a"}},
        {
            "textDocument": {"uri": URI},
            "position": {"line": 3, "character": 999999},
            "newName": 3,
            "range": 3,
            "context": [],
        },
        {
            "textDocument": {"uri": URI},
            "position": {"line": 999999, "character": 0},
            "newName": "x",
            "range": {"start": 1},
            "context": {"only": [3]},
        },
    ],
)
def test_parameters_of_any_kind_are_survived(client, params):
    opened(client, CNN)
    methods = (
        "hover completion signatureHelp definition references documentHighlight prepareRename "
        "rename documentSymbol foldingRange inlayHint semanticTokens/full formatting "
        "codeAction".split()
    )
    for method in methods:
        client.request_raw(f"textDocument/{method}", params)
    for method in ["didOpen", "didChange", "didClose", "didSave"]:
        client.notify(f"textDocument/{method}", params)
    assert client.request_raw("$/nothing", {})["error"]["code"] == -32601


def test_changes_that_make_no_sense_change_nothing(client):
    opened(client, CNN)
    for changes in (
        [{"text": 3}],
        [{"range": {}, "text": "x"}],
        [3],
        [
            {
                "range": {"start": {"line": 5, "character": 0}, "end": {"line": 2, "character": 0}},
                "text": "",
            }
        ],
    ):
        client.change(URI, *changes)
    assert client.about("formatting", URI, options={}) == []


def test_every_method_at_every_word_of_broken_texts(client):
    """Nothing but an answer, wherever the cursor stands in whatever is being typed."""
    text = RESNET[:1500]
    for cut in range(0, len(text), 37):
        broken = text[:cut]
        client.open(URI, broken)
        at = (broken.count("\n"), len(broken) - broken.rfind("\n") - 1)
        for method in ("hover", "completion", "signatureHelp", "definition"):
            client.at(method, URI, *at)
        for method in (
            "documentSymbol",
            "foldingRange",
            "semanticTokens/full",
            "inlayHint",
            "formatting",
        ):
            client.about(method, URI)
    assert client.end() == 0


def test_texts_that_are_none(client):
    for text in (
        "",
        "\0",
        "\ufeff",
        "\ud7ff" * 10,
        "{" * 10000,
        "network n {" * 300,
        "\n" * 100000,
        '"' * 999,
        "network n { input{l }",
    ):
        client.open(URI, text)
        client.about("semanticTokens/full", URI)
        client.about("foldingRange", URI)
        client.at("completion", URI, 0, 0)
        client.at("hover", URI, 0, 0)


def test_a_quote_in_the_braces_of_a_text(client, tmp_path):
    """Which once ran on past the text and ended the session."""
    told = opened(
        client,
        "network n {\n    input [8]\n    relu as \"a{'}\" # don't\n}\n",
        uri_of(tmp_path / "a.net"),
    )
    assert [one["code"] for one in told] == ["syntax"]


# ------------------------------------------------------- what the server reads

LIBRARY = "block Mine {\n    relu\n}\n"


def folders(tmp_path):
    for name in ("project/models", "project/blocks", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("project/models", "project/blocks", "elsewhere"):
        (tmp_path / name / "lib.net").write_text(LIBRARY)
    (tmp_path / "project" / "models" / "linked.net").symlink_to(tmp_path / "elsewhere" / "lib.net")
    return tmp_path / "project"


@pytest.mark.parametrize(
    "workspace, path, readable",
    [
        (None, "lib.net", True),
        (None, "../blocks/lib.net", False),
        (None, "linked.net", False),
        (None, "../../elsewhere/lib.net", False),
        ("rootUri", "../blocks/lib.net", True),
        ("workspaceFolders", "../blocks/lib.net", True),
        ("rootUri", "../../elsewhere/lib.net", False),
        ("workspaceFolders", "linked.net", False),
    ],
)
def test_only_the_workspace_and_the_files_own_folder_are_read(workspace, path, readable, tmp_path):
    project = folders(tmp_path)
    asked = {"processId": None, "rootUri": None, "capabilities": {}}
    if workspace:
        asked[workspace] = (
            uri_of(project)
            if workspace == "rootUri"
            else [{"uri": uri_of(project), "name": "project"}]
        )
    with Client(initialize=False) as client:
        client.request("initialize", asked)
        client.notify("initialized", {})
        told = opened(
            client,
            f'use "{path}"\nnetwork n {{\n    input [8]\n    Mine\n}}\n',
            uri_of(project / "models" / "main.net"),
        )
    told = [one for one in told if one["code"] == "use"]
    assert bool(told) == (not readable)
    if told:
        assert (
            "outside this file's folder and the workspace" in told[0]["message"]
            and told[0]["range"]["start"]["line"] == 0
        )
