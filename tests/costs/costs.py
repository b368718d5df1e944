"""make costs: time and memory of every command against doubled inputs.

    python3 tests/costs/costs.py [--sizes 2000,4000,8000] [--only FAMILY,...]

A line per family and command: seconds and megabytes at each size, and by which power of
the size both grow, between the two largest.  It fails where a power is above LIMIT, or
where a command ends by a signal or with an exit code above 1.  What takes less than the
floors is noise and counts as them; time is the least of RUNS.
"""
import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import families as made

ROOT = Path(__file__).resolve().parent.parent.parent
NETC = ROOT / "build" / "netc"

AGAIN = 4  # times that what seems to grow too fast is measured anew
LIMIT = 1.35  # the power; n log n is about 1.1 here
FLOOR_SECONDS, FLOOR_MEGABYTES = 0.25, 60
RUNS = 3  # of what is short
MAX_SECONDS, MAX_BYTES = 120, 8 << 30

READING = ["check", "--dump=ast", "fmt --diff"]
PASSES = [
    "check",
    "--dump=graph",
    "--dump=gradient",
    "--dump=plan",
    "summary",
    "graph",
    "emit --kernels=reference",
    "fmt --annotate --diff",
]
SPECIALISED = "emit --target=x86-64-v3"
FIXING = ["check", "check --fix"]


def limit_process():
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))


def measure(words, text):
    """Exit code, seconds of CPU and megabytes at the most."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.net"
        path.write_text(text)
        stdin = subprocess.DEVNULL
        if words == ["lsp"]:
            (Path(folder) / "in").write_bytes(conversation(path, text))
            stdin = open(Path(folder) / "in", "rb")
        process = subprocess.Popen(
            [NETC, *words] + ([path] if words != ["lsp"] else []),
            preexec_fn=limit_process,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
    return (
        os.waitstatus_to_exitcode(status),
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )


def conversation(path, text):
    """An editor's messages: it opens the file, changes a line a few times, asks and closes."""
    uri = path.as_uri()
    document = {"uri": uri, "version": 1}
    line = text.count("\n") // 2
    position = {"textDocument": document, "position": {"line": line, "character": 5}}
    change = {
        "range": {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 0}},
        "text": " ",
    }
    calls = [
        ("initialize", {"capabilities": {}}),
        (
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "net", "version": 1, "text": text}},
        ),
    ]
    for version in range(2, 5):
        calls.append(
            (
                "textDocument/didChange",
                {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]},
            )
        )
        calls += [
            (f"textDocument/{what}", position) for what in ("hover", "completion", "definition")
        ]
    calls += [
        ("textDocument/documentSymbol", {"textDocument": document}),
        ("shutdown", None),
        ("exit", None),
    ]
    out = b""
    for number, (method, parameters) in enumerate(calls):
        message = {"jsonrpc": "2.0", "method": method, "params": parameters or {}}
        if not method.startswith("textDocument/did") and method != "exit":
            message["id"] = number
        body = json.dumps(message).encode()
        out += b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    return out


def power(smaller, larger, floor, factor):
    return max(0.0, math.log(max(larger, floor) / max(smaller, floor), factor))


def best(words, text):
    exit_code, seconds, megabytes = measure(words, text)
    for _ in range(RUNS - 1):
        if seconds > 2 or exit_code not in (0, 1):
            break
        _, second, _ = measure(words, text)
        seconds = min(seconds, second)
    return exit_code, seconds, megabytes


def report(family, command, sizes):
    """Prints the line; gives what is wrong with it, or nothing."""
    words, texts = command.split(), [family(n) for n in sizes]
    rows = [best(words, text) for text in texts]
    factor = sizes[-1] / sizes[-2]
    for _ in range(AGAIN):  # a slow moment of the machine is not the program's
        if power(rows[-2][1], rows[-1][1], FLOOR_SECONDS, factor) <= LIMIT:
            break
        rows = [min(row, best(words, text)) for row, text in zip(rows, texts)]
    time_power = power(rows[-2][1], rows[-1][1], FLOOR_SECONDS, factor)
    memory_power = power(rows[-2][2], rows[-1][2], FLOOR_MEGABYTES, factor)
    wrong = []
    if any(row[0] not in (0, 1) for row in rows):
        wrong.append(f"exits {[row[0] for row in rows]}")
    if time_power > LIMIT:
        wrong.append("time")
    if memory_power > LIMIT:
        wrong.append("memory")
    seconds = " ".join(f"{row[1]:6.2f}" for row in rows)
    megabytes = " ".join(f"{row[2]:5.0f}" for row in rows)
    print(
        f"{family.__name__:18s} {command:26s} s {seconds}  ^{time_power:.2f}   "
        f"MB {megabytes}  ^{memory_power:.2f}  {', '.join(wrong)}",
        flush=True,
    )
    return wrong


def jobs(only):
    for families, commands in (
        (made.WRITTEN, READING + ["lsp"]),
        (made.EXPANDED, PASSES),
        (made.FAULTS, FIXING + ["lsp"]),
    ):
        for family in families:
            for command in commands:
                if not only or family.__name__ in only:
                    yield family, command, 1
    for family in made.EXPANDED:  # a millisecond or more a layer
        if not only or family.__name__ in only:
            yield family, SPECIALISED, 8


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="2000,4000,8000")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    only = options.only.split(",") if options.only else []
    wrong = lines = 0
    for family, command, smaller in jobs(only):
        lines += 1
        wrong += bool(report(family, command, [size // smaller for size in sizes]))
    print(
        f"costs: {lines} families and commands at {options.sizes}; "
        f"{wrong} grow faster than n^{LIMIT} or fail"
    )
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
