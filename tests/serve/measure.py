"""How long an edit in a file of 1,000 lines takes to be answered: from the change
to its diagnostics, and to the shapes at all its lines.  A measurement, no test.

    python3 tests/serve/measure.py
"""
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from serve.client import Client

URI = "file:///nowhere/long.net"


def long_network():
    block = (
        "block Block(width) [c, h, w] -> [width, h, w] {\n    skip {\n"
        "        conv2d(width, 3, padding=1) as conv1\n        batch_norm2d as bn1\n        relu\n"
        "        conv2d(width, 3, padding=1) as conv2\n    }\n    relu\n}\n"
    )
    lines = [
        f"    Block(16) as b{i}"
        if i % 9 == 0
        else f"    conv2d({16}, 3, padding=1) as c{i}"
        if i % 3 == 0
        else "    relu"
        for i in range(988)
    ]
    return block + "network long {\n    input [16, 32, 32]\n" + "\n".join(lines) + "\n}\n"


def times(client, text, edits):
    told, hinted = [], []
    for number, new in enumerate(edits):
        line = text.split("\n")[500]
        start = time.perf_counter()
        client.change(
            URI,
            {
                "range": {
                    "start": {"line": 500, "character": 0},
                    "end": {"line": 500, "character": len(line)},
                },
                "text": new,
            },
            version=number + 2,
        )
        text = "\n".join(text.split("\n")[:500] + [new] + text.split("\n")[501:])
        client.wait_diagnostics(URI)
        told.append(1000 * (time.perf_counter() - start))
        client.about(
            "inlayHint",
            URI,
            range={"start": {"line": 460, "character": 0}, "end": {"line": 540, "character": 0}},
        )
        hinted.append(1000 * (time.perf_counter() - start))
    return told, hinted


def report(name, values):
    print(f"{name:46} median {statistics.median(values):6.1f} ms, worst {max(values):6.1f} ms")


with Client() as client:
    text = long_network()
    client.open(URI, text)
    assert client.wait_diagnostics(URI) == []
    print(text.count("\n"), "lines")
    told, hinted = times(client, text, ["    tanh", "    relu"] * 20)
    report("an edit that is right: diagnostics", told)
    report("an edit that is right: and inlay hints", hinted)
    told, _ = times(client, text, ["    conv2d(16, 99)", "    relu"] * 20)
    report("an edit that brings a fault, or fixes it", told)
    waits = []
    for number in range(20):  # the worst: the next key falls into a search for help
        client.change(
            URI,
            {
                "text": text.replace(
                    "input [16, 32, 32]", "input [16, 32, 32]\n    linear(3) -> [7]"
                )
            },
            version=1000 + 2 * number,
        )
        client.wait_diagnostics(URI)
        time.sleep(0.205)
        start = time.perf_counter()
        client.change(URI, {"text": text}, version=1001 + 2 * number)
        while client.wait_diagnostics(URI):
            pass
        waits.append(1000 * (time.perf_counter() - start))
    report("the same within a search for help", waits)
    told, _ = times(client, text, ["    relu {", "    relu"] * 20)
    report("an edit that unbalances a brace, or fixes it", told)
