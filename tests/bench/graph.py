"""A network as netc understands it: `netc --dump=graph` as objects.

So a peer that has no such network in its own library computes what models/ says,
and nothing is written a second time.  Arguments that the text leaves out are the
operator's defaults, of `netc explain --json`.
"""
import json
import re
import subprocess
from typing import NamedTuple

NODE = re.compile(r" *\d+  forward (\w+)(?:\((.*)\))?(?: of (.+?))? -> (\S+) \[([\d, ]*)\]")
LOSS = re.compile(r" *\d+  forward (\w+)(?: times (\S+))? loss[^( ]*(?:\((.*)\))? of ([^;]+)")
PARAMETER = re.compile(r" {8}(\S+) \[([\d, ]*)\] (\w+) ([^,]+(?:, -?[\d.e-]+)?)")
MADE = re.compile(r" {8}(\S+) \[([\d, ]*)\] made of (.+)")
HEADER = re.compile(r"graph (\S+): (\S+) \[([\d, ]*)\](.*) -> (\S+)")
INPUT = re.compile(r", (\S+) \[([\d, ]*)\]")
OUTPUT = re.compile(r"output (\S+) = (\S+) \[")


class Parameter(NamedTuple):
    path: str  # PyTorch's name
    shape: tuple  # PyTorch's
    kind: str  # trained, buffer or counter
    initial: tuple  # ("uniform", low, high), ("normal", mean, deviation) or ("constant", value), …
    made_of: tuple = ()  # paths of the parameters that it is computed of


class Layer(NamedTuple):
    op: str
    arguments: dict  # {name: int, float, bool, str, a list of ints, or None}
    inputs: list  # tensors' names; none: it is the same for all images
    output: str
    shape: tuple  # of one image's output
    parameters: list


class Loss(NamedTuple):
    op: str
    arguments: dict
    of: list  # tensors' names
    weight: float


class Graph(NamedTuple):
    name: str
    input: str
    shape: tuple  # of one image: c, h, w; of a text: t
    output: str
    layers: list  # in the order of their computation
    losses: list
    outputs: list  # tensors' names, of those that the network names as outputs
    further: dict  # {name: shape} of the inputs behind the first one


def dimensions(text):
    return tuple(int(number) for number in re.findall(r"\d+", text))


# How many numbers one stands for.
LISTS = dict(single=1, pair=2, triple=3, quad=4, ints=1, axes=1, values=1, shape=1)


def number(text):
    return float(text) if re.search(r"[.en]", text) else None if text == "_" else int(text)


def value(text, kind):
    """An argument's value; of several numbers that are equal, one is written.  `_` is None."""
    if kind == "bool":
        return text == "true"
    if kind in LISTS and re.match(r"[\[\d.-]", text):
        numbers = [number(word) for word in text.strip("[]").split(", ") if word != "…"]
        return numbers * LISTS[kind] if len(numbers) == 1 and text[0] != "[" else numbers
    if kind == "tensors":
        return re.findall(r"[^\[\], ]+", text)
    if kind in ("int", "real"):
        return int(text) if kind == "int" else float(text)
    return text


def arguments(text, specifications):
    """{name: value}, all of them; of a function of an element, which has no table, the written."""
    written = dict(re.findall(r"(\w+)=(\[[^\]]*\]|[^,]+)", text or ""))
    if specifications is None:
        return {
            name: word == "true" if word in ("true", "false") else float(word)
            for name, word in written.items()
        }
    found = {}
    for spec in specifications:
        word = written.get(spec["name"], spec["default"])
        if spec["kind"] == "tensors" and word is None:
            word = "[]"
        same = word and word.startswith("=") and word[1:]  # stride is =kernel_size
        found[spec["name"]] = (
            found[same] if same else None if word is None else value(word, spec["kind"])
        )
    return found


def initial(text):
    kind, *numbers = text.replace(" to ", " ").replace(",", " ").split()
    if re.match(r"-?\d", kind):
        kind, numbers = "constant", [kind]
    return (kind, *(float(word) for word in numbers if re.match(r"-?\d", word)))


def parse(text, operators):
    """The Graph of what `netc --dump=graph` prints; `operators`: {name: its arguments}."""
    header = HEADER.match(text)
    further = {name: dimensions(shape) for name, shape in INPUT.findall(header[4])}
    graph = Graph(header[1], header[2], dimensions(header[3]), header[5], [], [], [], further)
    for line in text.splitlines():
        if node := NODE.match(line):
            op, written, inputs, output, shape = node.groups()
            called = arguments(written, operators.get(op))
            graph.layers.append(
                Layer(
                    op, called, inputs.split(", ") if inputs else [], output, dimensions(shape), []
                )
            )
        elif loss := LOSS.match(line):
            op, weight, written, of = loss.groups()
            called = arguments(written, operators.get(op))
            graph.losses.append(Loss(op, called, of.strip().split(", "), float(weight or 1)))
        elif output := OUTPUT.match(line):
            graph.outputs.append(output[2])
        elif made := MADE.match(line):
            path, shape, of = made.groups()
            graph.layers[-1].parameters.append(
                Parameter(path, dimensions(shape), "made", (), tuple(of.split(", ")))
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
