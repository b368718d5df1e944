"""A client of `netc lsp` for the tests: sends JSON-RPC, waits for answers, and
keeps the diagnostics it is told."""
import json
import select
import subprocess
import time
from pathlib import Path

from harness import NETC, ROOT

WAIT = 20  # seconds for an answer; a test that waits so long has failed


class Client:
    def __init__(self, cwd=ROOT, initialize=True):
        self.process = subprocess.Popen(
            [NETC, "lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
        )
        self.next_id, self.pending, self.diagnostics, self.published = 1, b"", {}, 0
        if initialize:
            self.capabilities = self.request(
                "initialize", {"processId": None, "rootUri": None, "capabilities": {}}
            )["capabilities"]
            self.notify("initialized", {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # what was still to be sent has no reader

    # ---- messages

    def send_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message):
        body = json.dumps(message).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def read(self, wait=WAIT):
        """The next message, or None when none comes."""
        end = time.monotonic() + wait
        while True:
            head, found, rest = self.pending.partition(b"\r\n\r\n")
            if found:
                length = int(head.split(b":")[1])
                if len(rest) >= length:
                    self.pending = rest[length:]
                    return json.loads(rest[:length])
            ready, _, _ = select.select(
                [self.process.stdout], [], [], max(0, end - time.monotonic())
            )
            data = self.process.stdout.read1(65536) if ready else b""
            if not data:
                return None
            self.pending += data

    def note(self, message):
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            self.published += 1

    def answer(self, number):
        while True:
            message = self.read()
            assert message is not None, "no answer"
            if "id" in message and "method" not in message:
                assert message["id"] == number
                return message
            self.note(message)

    def request_raw(self, method, params):
        number, self.next_id = self.next_id, self.next_id + 1
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return self.answer(number)

    def request(self, method, params):
        message = self.request_raw(method, params)
        assert "error" not in message, message["error"]
        return message["result"]

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    # ---- documents

    def open(self, uri, text):
        self.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "net", "version": 1, "text": text}},
        )

    def change(self, uri, *changes, version=2):
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
        )

    def wait_diagnostics(self, uri):
        """What is published next for this document."""
        while True:
            message = self.read()
            assert message is not None, "no diagnostics"
            self.note(message)
            if (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
            ):
                return message["params"]["diagnostics"]

    def at(self, method, uri, line, character, **more):
        return self.request(
            f"textDocument/{method}",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                **more,
            },
        )

    def about(self, method, uri, **more):
        return self.request(f"textDocument/{method}", {"textDocument": {"uri": uri}, **more})

    def end(self):
        """Shuts the server down in the proper way; gives its exit code."""
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.process.wait(WAIT)


def position_of(text, word, nth=0, inside=0):
    """Line and character of the nth occurrence of `word`, in UTF-16 units."""
    at = -1
    for _ in range(nth + 1):
        at = text.index(word, at + 1)
    at += inside
    line = text.count("\n", 0, at)
    start = text.rfind("\n", 0, at) + 1
    return line, len(text[start:at].encode("utf-16-le")) // 2


def apply(text, edits):
    """The text with a server's edits made in it."""
    lines = text.splitlines(keepends=True) + [""]

    def offset(position):
        line = lines[position["line"]] if position["line"] < len(lines) else ""
        units = line.encode("utf-16-le")[: 2 * position["character"]].decode("utf-16-le")
        return sum(map(len, lines[: position["line"]])) + len(units)

    for edit in sorted(edits, key=lambda edit: offset(edit["range"]["start"]), reverse=True):
        text = (
            text[: offset(edit["range"]["start"])]
            + edit["newText"]
            + text[offset(edit["range"]["end"]) :]
        )
    return text


def uri_of(path):
    return Path(path).resolve().as_uri()
