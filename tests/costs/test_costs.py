"""What a program may cost, told without a clock.

Each command runs on inputs that once took gigabytes or hours, within so much memory and so
much CPU that only what grows faster than its input fails.  `make costs` gives the figures.
"""
import json
import os
import resource
import subprocess
import sys

import pytest

from harness import NETC, check_text, rarely

sys.path.insert(0, os.path.dirname(__file__))
import families as made  # noqa: E402

CPU_SECONDS = 60  # a net for what never ends, not a measurement


def costs(tmp_path, text, *words, megabytes, expect=0, stdin=None):
    """Runs netc on the text within a limit on its memory; gives what it said."""
    path = tmp_path / "a.net"
    path.write_text(text)

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    result = subprocess.run(
        [NETC, *words, *([] if words == ("lsp",) else [path])],
        capture_output=True,
        preexec_fn=limit,
        input=stdin,
        env={**os.environ, "NO_COLOR": "1"},
    )
    told = result.stderr.decode(errors="replace")
    assert result.returncode == expect, f"exit {result.returncode}\n{told[:2000]}"
    return told


# ------------------------------------------------------------ what is large


@pytest.mark.parametrize(
    "words",
    [rarely(["summary"]), ["--dump=plan"], ["emit", "--target=x86-64-v3"]],
    ids=lambda words: words[0],
)
def test_a_chain_of_100_000_layers_takes_little(tmp_path, words):
    costs(tmp_path, made.repeat(100000), *words, megabytes=1200)


@pytest.mark.parametrize(
    "family",
    [
        made.blocks,
        made.unused_blocks,
        made.block_chain,
        made.lets,
        made.unused_lets,
        made.parameters,
    ],
    ids=lambda family: family.__name__,
)
def test_lists_of_definitions_are_read_once(tmp_path, family):
    """20,000 of them, each looked up in the text once a definition, would take minutes."""
    costs(tmp_path, family(20000), "check", megabytes=1000)


@pytest.mark.parametrize(
    "family",
    [
        made.convolutions,
        made.dense,
        made.trained,
        made.trained_linear,
        made.trained_dense,
        made.trained_pools,
        made.branches,
    ],
    ids=lambda family: family.__name__,
)
def test_plans_of_many_layers(tmp_path, family):
    costs(tmp_path, family(10000), "--dump=plan", megabytes=400)


def test_kernels_that_were_written_before_take_no_memory(tmp_path):
    """The text of each is made anew, and nearly a megabyte."""
    costs(tmp_path, made.trained(600), "emit", "--target=x86-64-v3", megabytes=100)


def test_a_long_line_is_laid_out_in_one_pass(tmp_path):
    costs(tmp_path, made.parameters(20000), "fmt", "--diff", megabytes=400)


@pytest.mark.parametrize("family", made.FAULTS, ids=lambda family: family.__name__)
def test_many_faults_take_little(tmp_path, family):
    costs(tmp_path, family(10000), "check", megabytes=500, expect=1)


# --------------------------------------------------------- what is too large

EXPONENTIAL = "".join(
    f"block B{i} [c, h, w] -> [c, h, w] {{ B{i - 1}; B{i - 1} }}\n" for i in range(1, 26)
)


@pytest.mark.parametrize(
    "text, code",
    [
        ("block B0 [c, h, w] { relu }\n" + EXPONENTIAL + made.network(["B25"]), "too-large"),
        ("block B0 [c, h, w] { }\n" + EXPONENTIAL + made.network(["B25"]), "too-large"),
        (made.network(["repeat 400 { repeat 400 { repeat 400 { } } }", "relu"]), "too-large"),
        (made.network(["repeat 200000 { relu }"]), "too-large"),
        (made.network(["concat {" + " branch { relu }" * 1001 + " }"]), "too-large"),
        (made.network(["add {" + " branch { relu }" * 40000 + " }"]), "too-large"),
        (made.network(["let a = " + "-" * 1200 + "1", "relu"]), "too-large"),
        (made.network(["let a = " + "(" * 5000 + "1" + ")" * 5000, "relu"]), "too-large"),
        (made.network(["skip { " * 5000 + "relu" + " }" * 5000]), "too-large"),
        (made.network(["conv2d(2000000000, 3)"]), "too-large"),
    ],
    ids=(
        "blocks empty-blocks empty-iterations iterations branches many-branches "
        "signs parentheses braces weights".split()
    ),
)
def test_too_large_is_one_located_error(tmp_path, text, code):
    told = costs(tmp_path, text, "check", "--diagnostics=short", megabytes=600, expect=1)
    errors = [line for line in told.splitlines() if " error" in line or "error[" in line]
    assert len(errors) == 1 and f"{code}" in errors[0] and "a.net:" in errors[0], told[:2000]


def test_as_many_branches_as_may_be_joined(tmp_path):
    costs(
        tmp_path,
        made.network(["add {" + " branch { conv2d(1, 1) }" * 1000 + " }"]),
        "emit",
        "--target=x86-64-v3",
        megabytes=500,
    )


def test_lists_that_double(tmp_path):
    lines = ["let a0 = [1, 1]", *(f"let a{i} = [a{i - 1}, a{i - 1}]" for i in range(1, 60)), "relu"]
    costs(tmp_path, made.network(lines), "check", megabytes=200)


def test_a_fault_in_a_loop_is_one_error(tmp_path):
    told = costs(
        tmp_path, made.fault_in_loop(50000), "check", "--diagnostics=short", megabytes=500, expect=1
    )
    assert len(told.splitlines()) == 1, told[:2000]


# ------------------------------------------------------- what an editor sends


def message(method, number=None, **parameters):
    body = {"jsonrpc": "2.0", "method": method, "params": parameters}
    if number is not None:
        body["id"] = number
    text = json.dumps(body).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(text), text)


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 999999999999\r\n\r\n{}",
        b"Content-Length: 99999999999999999999999\r\n\r\n{}",
        b"Content-Length: -5\r\n\r\n{}",
        b'Content-Length: many\r\n\r\n{"a": "Content-Length: 5 "}',
        b"Hello\r\n\r\n{}Content-Length:",
        b"A" * 3000000,
        b"Header: x\r\n" * 100000,
    ],
    ids=["long", "longer", "negative", "word", "none", "line", "lines"],
)
def test_a_wrong_length_does_not_swallow_the_session(tmp_path, header):
    """What follows it is answered, without an end of the input."""
    process = subprocess.Popen(
        [NETC, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        process.stdin.write(header + message("initialize", 7, capabilities={}))
        process.stdin.flush()
        told = b""
        while b'"id":7' not in told:
            more = process.stdout.read1(65536)
            assert more, told
            told += more
        assert b'"code":-32700' in told and b'"capabilities"' in told
    finally:
        process.kill()
        process.wait()
