"""A network as netc understands it: `netc --dump=graph` as objects.

So a peer that has no such network in its own library computes what models/ says,
and nothing is written a second time.  Arguments that the text leaves out are the
operator's defaults, of `netc explain --json`.
"""
import json
import re
import subprocess
from typing import NamedTuple

NODE = re.compile(r" *\d+  forward (\w+)(?:\((.*?)\))?(?: of (.+?))? -> (\S+) \[([\d, ]*)\]")
PARAMETER = re.compile(r" {8}(\S+) \[([\d, ]*)\] (\w+) ([^,]+(?:, -?[\d.e-]+)?)")
HEADER = re.compile(r"graph (\S+): (\S+) \[([\d, ]*)\] -> (\S+)")


class Parameter(NamedTuple):
    path: str  # PyTorch's name
    shape: tuple  # PyTorch's
    kind: str  # trained, buffer or counter
    initial: tuple  # ("uniform", low, high), ("normal", mean, deviation) or ("constant", value)


class Layer(NamedTuple):
    op: str
    arguments: dict  # {name: int, float, bool, str, a list of ints, or None}
    inputs: list  # tensors' names; none: it is the same for all images
    output: str
    shape: tuple  # of one image's output
    parameters: list


class Graph(NamedTuple):
    name: str
    input: str
    shape: tuple  # of one image: c, h, w; of a text: t
    output: str
    layers: list  # in the order of their computation


def dimensions(text):
    return tuple(int(number) for number in re.findall(r"\d+", text))


def value(text, kind):
    """An argument's value; of two numbers that are equal, one is written."""
    if kind == "bool":
        return text == "true"
    if kind in ("pair", "quad") and re.match(r"[\[\d]", text):
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        return numbers * 2 if kind == "pair" and len(numbers) == 1 else numbers
    if kind in ("shape", "axes", "ints") and re.match(r"[\[\d-]", text):
        return [int(number) for number in re.findall(r"-?\d+", text)]
    if kind == "values":
        return [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", text)]
    if kind in ("int", "real"):
        return int(text) if kind == "int" else float(text)
    return text


def arguments(text, specifications):
    """{name: value}, all of them."""
    written = dict(re.findall(r"(\w+)=(\[[^\]]*\]|[^,]+)", text or ""))
    found = {}
    for spec in specifications:
        word = written.get(spec["name"], spec["default"])
        same = word and word.startswith("=") and word[1:]  # stride is =kernel_size
        found[spec["name"]] = (
            found[same] if same else None if word is None else value(word, spec["kind"])
        )
    return found


def initial(text):
    kind, *numbers = text.replace(" to ", " ").replace(",", " ").split()
    if kind not in ("uniform", "normal"):
        kind, numbers = "constant", [kind]
    return (kind, *map(float, numbers))


def parse(text, operators):
    """The Graph of what `netc --dump=graph` prints; `operators`: {name: its arguments}."""
    header = HEADER.match(text)
    graph = Graph(header[1], header[2], dimensions(header[3]), header[4], [])
    for line in text.splitlines():
        if node := NODE.match(line):
            op, written, inputs, output, shape = node.groups()
            called = arguments(written, operators[op])
            graph.layers.append(
                Layer(
                    op, called, inputs.split(", ") if inputs else [], output, dimensions(shape), []
                )
            )
        elif found := PARAMETER.match(line):
            path, shape, kind, start = found.groups()
            graph.layers[-1].parameters.append(
                Parameter(path, dimensions(shape), kind, initial(start))
            )
    return graph


def read(netc, source):
    """The Graph of a .net file."""

    def told(*words):
        return subprocess.run([netc, *words], check=True, capture_output=True, text=True).stdout

    table = json.loads(told("explain", "--json"))["operators"]
    operators = {operator["name"]: operator["arguments"] for operator in table}
    return parse(told("--dump=graph", source), operators)
