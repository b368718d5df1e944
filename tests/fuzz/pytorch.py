#!/usr/bin/env python3
"""Random networks against PyTorch, in float64: a step's loss, every gradient, running averages, and
what is answered in inference.  Needs a Python with PyTorch 2.13 and numpy:

    PYTHONPATH=tests python-with-torch -m fuzz.pytorch [N [FROM]]

`make fuzz-pytorch N=500 FROM=1 TORCH_PYTHON=…` runs it.  What PyTorch computes is derived from
netc's graph, which `netc --dump=graph` prints, and from tests/ops/cases.py's words for each
operator.  So wrong arithmetic shows, and wrong gradients do, and what is left out or joined in the
wrong order; what the graph itself gets wrong of the text shows in tests/graph and tests/parity.

PyTorch draws other numbers at random: nothing is dropped here, and noise is a constant.
"""
import ast
import re
import shutil
import subprocess
import sys
from functools import reduce

import numpy as np
import torch

from bench.graph import parse
from fuzz.networks import network, table
from fuzz.programs import OPERATORS, emit, link
from harness import BUILD, ROOT, netc
from ops.cases import BY_NAME

AT_ONCE = 12
# Of the largest value of what is compared, or of a share of the largest gradient: see driver.c.
TOLERANCE, NORMED_TOLERANCE, SMALL = 1e-9, 1e-7, 1e-3
DROPS = re.compile(
    r"\b(dropout[123]d|dropout|alpha_dropout|feature_alpha_dropout|drop_path)(\([^)]*\))?(?!\w|=)"
)
NOISE = re.compile(r"\bnoise\((?:shape=)?(\[[^\]]*\]), (?:draw=)?\w+(?:\([^)]*\))?\)")


class Refused(Exception):
    """PyTorch does not compute it."""


def mean_slope(found):
    """Of rrelu the layer that it is in evaluation."""
    words = re.findall(r"(?:\w+=)?[\d.]+", found[1] or "")
    given = dict(
        word.split("=") if "=" in word else (name, word)
        for name, word in zip(("lower", "upper"), words)
    )
    lower, upper = float(given.get("lower", 1 / 8)), float(given.get("upper", 1 / 3))
    return f"leaky_relu({(lower + upper) / 2})"


def without_chance(text):
    """The network with no dropping, no noise and no slopes that are drawn."""
    text = DROPS.sub(r"\1(0)", text)
    text = re.sub(r"\brrelu(\([^)]*\))?", mean_slope, text)
    text = re.sub(r"\bdropout=[\d.]+", "dropout=0", text)
    return NOISE.sub(r"constant(\1, 0.3)", text)


# ------------------------------------------------------------ functions of an element


def truth(value):
    return value if torch.is_tensor(value) else bool(value)


def tensor_like(value, *others):
    like = next((other for other in others if torch.is_tensor(other)), None)
    return value if torch.is_tensor(value) or like is None else torch.full_like(like, value)


def extreme(name):
    def joined(a, b):
        if not torch.is_tensor(a) and not torch.is_tensor(b):
            return (max if name == "maximum" else min)(a, b)
        return getattr(torch, name)(tensor_like(a, b), tensor_like(b, a))

    return lambda *values: reduce(joined, values)


def elementwise(name):
    return lambda x: getattr(torch, name)(torch.as_tensor(x, dtype=torch.float64))


def choose(condition, yes, no):
    """… of which both sides are computed, so that neither may overflow."""
    if not torch.is_tensor(condition):
        return yes if condition else no
    return torch.where(
        condition, tensor_like(yes, condition.double()), tensor_like(no, condition.double())
    )


BUILTIN = {
    **{
        name: elementwise(name)
        for name in "exp expm1 log log1p sqrt tanh sigmoid erf sin cos relu abs".split()
    },
    "max": extreme("maximum"),
    "min": extreme("minimum"),
    "clamp": lambda x, min=None, max=None: torch.clamp(
        torch.as_tensor(x, dtype=torch.float64), min, max
    ),
    "pow": lambda x, n: x**n,
    "choose": choose,
    "both": lambda a, b: truth(a) & truth(b),
    "either": lambda a, b: truth(a) | truth(b),
    "opposite": lambda a: torch.logical_not(a) if torch.is_tensor(a) else not a,
    "true": True,
    "false": False,
}


class OnTensors(ast.NodeTransformer):
    """Python's `if`, `and` and `not` of one value, as calls that take each element's."""

    @staticmethod
    def call(name, *arguments):
        return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])

    def visit_IfExp(self, node):
        self.generic_visit(node)
        return self.call("choose", node.test, node.body, node.orelse)

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        name = "both" if isinstance(node.op, ast.And) else "either"
        return reduce(lambda a, b: self.call(name, a, b), node.values)

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return self.call("opposite", node.operand) if isinstance(node.op, ast.Not) else node


def definitions(word, text, known):
    """{name: (what it computes of its tensors and of its numbers by name, how it is written)} of
    every `function` or `loss`; they may use those that are known or before them."""
    found = {}
    for name, parameters, value in re.findall(rf"^{word} (\w+)\((.*?)\) += (.*)$", text, re.M):
        lines = f"lambda {parameters}: {value}"
        tree = ast.fix_missing_locations(OnTensors().visit(ast.parse(lines, mode="eval")))
        names = {**known, **{name: computed for name, (computed, _) in found.items()}}
        found[name] = eval(compile(tree, name, "eval"), names), ast.parse(lines, mode="eval").body
    return found


def functions_of(text):
    found = definitions("function", text, BUILTIN)
    return {name: computed for name, (computed, _) in found.items()}


def read_alone(value):
    """The names that are read outside of every sum."""
    if isinstance(value, ast.Call) and value.func.id in ("sum", "mean", "logsumexp"):
        return set()
    own = {value.id} if isinstance(value, ast.Name) else set()
    return own.union(*map(read_alone, ast.iter_child_nodes(value)))


class OwnLoss:
    """One of the program's own: of an example's whole tensors."""

    def __init__(self, computed, lines):
        self.computed = computed
        names = [arg.arg for arg in lines.args.args]
        self.tensors = names[: len(names) - len(lines.args.defaults)]
        self.alone = read_alone(lines.body)

    def target(self, xs, target):
        """Of its first output's shape, or one number."""
        if self.tensors[-1] in self.alone:
            return target.reshape(-1)
        return numbers_of(xs[0], target)

    def mean(self, xs, held, numbers):
        if held:
            xs = [*xs, self.target(xs, *held)]
        assert len(xs) == len(self.tensors)
        return torch.stack([self.computed(*example, **numbers) for example in zip(*xs)]).mean()


def losses_of(text, functions):
    sums = {"sum": torch.sum, "mean": torch.mean}
    sums["logsumexp"] = lambda x: x.reshape(-1).logsumexp(0)
    known = {**BUILTIN, **functions, **sums}
    return {name: OwnLoss(*made) for name, made in definitions("loss", text, known).items()}


# ------------------------------------------------------------------ operators


class Walk:
    """One pass through a network of `count` images."""

    def __init__(self, graph, functions, own, parameters, buffers, constants, count, training):
        self.graph, self.constants = graph, constants
        self.functions, self.own = functions, own
        self.parameters, self.buffers = parameters, buffers  # the buffers are changed in place
        self.count, self.training = count, training
        self.tensors = {}

    def parameter(self, layer, found):
        """Its tensor: trained, or made of others."""
        if not found.made_of:
            return self.parameters[found.path].reshape(found.shape)
        if layer.arguments.get("spectral_norm"):
            return self.over_largest_singular(layer, found)
        rows = [self.parameters[path].reshape(found.shape[0], -1) for path in found.made_of]
        if len(rows) == 2:
            made = rows[0] * rows[1] / rows[1].norm(dim=1, keepdim=True)
        elif layer.arguments.get("unit_norm"):
            made = torch.nn.functional.normalize(rows[0])
        else:
            variance, mean = torch.var_mean(rows[0], 1, correction=0, keepdim=True)
            made = (rows[0] - mean) / torch.sqrt(
                variance + layer.arguments["weight_standardization"]
            )
        return made.reshape(found.shape)

    def over_largest_singular(self, layer, found):
        """By the vectors as they are: the program that is compared makes no power iterations."""
        (path,) = found.made_of
        made = self.parameters[path].reshape(found.shape)
        rows = made.transpose(0, 1) if layer.op.startswith("conv_transpose") else made
        u, v = self.running(layer)
        return made / (u @ rows.reshape(len(u), -1) @ v)

    def named(self, layer):
        """{its last word: tensor} of a layer's parameters: what is made, not what it is made of."""
        makers = {path for parameter in layer.parameters for path in parameter.made_of}
        return {
            parameter.path.rpartition(".")[2]: self.parameter(layer, parameter)
            for parameter in layer.parameters
            if parameter.kind == "made"
            or (parameter.kind == "trained" and parameter.path not in makers)
        }

    def running(self, layer):
        return [
            self.buffers[p.path] for p in layer.parameters if p.kind == "buffer"
        ]  # mean, variance

    def value(self, layer, xs):
        if layer.op in self.functions:
            return self.functions[layer.op](*xs, **layer.arguments)
        if layer.op in SPECIAL:
            return SPECIAL[layer.op](self, layer, *xs)
        if layer.op not in BY_NAME or BY_NAME[layer.op].pytorch is None:
            raise Refused(layer.op)
        parameters = self.named(layer).values()
        return BY_NAME[layer.op].pytorch(torch, attributes(layer), *xs, *parameters)

    def compute(self, layer):
        xs = [self.tensors[name] for name in layer.inputs]
        try:
            y = self.value(layer, xs)
        except RuntimeError as error:
            raise Refused(f"{layer.op}: {str(error).splitlines()[0]}") from error
        self.tensors[layer.output] = y.reshape(self.count, *layer.shape)

    def run(self, inputs):
        self.tensors.update(inputs)
        for layer in self.graph.layers:
            self.compute(layer)

    def loss(self, targets):
        """targets: by a loss's number, what each is held against; one has nothing."""
        total = 0
        for number, loss in enumerate(self.graph.losses):
            xs = [self.tensors[name] for name in loss.of]
            held = targets.get(number)
            if isinstance(held, str):
                held = self.tensors[held]
            held = [] if held is None else [held.reshape(len(xs[0]), -1)]
            if loss.op in self.own:
                computed = self.own[loss.op].mean(xs, held, loss.arguments)
            else:
                held = [of_target(loss, xs, target) for target in held]
                computed = BY_NAME[loss.op].pytorch(torch, loss_attributes(loss), *xs, *held)
            total = total + loss.weight * computed
        return total


def of_target(loss, xs, target):
    """Of each image a row of classes, or numbers."""
    if loss.op == "ctc":  # it ends before the first blank
        blank = loss.arguments["blank"]
        return target.long().masked_fill((target == blank).cumsum(1) > 0, blank)
    if loss.op in ("cross_entropy", "nll", "hinge", "arcface", "cosface"):
        return target.long()
    if len(xs) > 1:
        return target
    return numbers_of(xs[0], target)


def numbers_of(x, target):
    """… of x's shape: a class where numbers are wanted is 1."""
    if target.shape[1] == 1 and x[0].numel() > 1:
        target = torch.nn.functional.one_hot(target[:, 0].long(), x[0].numel()).double()
    return target.reshape(x.shape)


def loss_attributes(loss):
    """As tests/ops/loss_cases.py's words take them: what is not said is not there."""
    a = {name: value for name, value in loss.arguments.items() if value is not None}
    return a | ({"ignore_index": [a["ignore_index"]]} if "ignore_index" in a else {})


def attributes(layer):
    """As tests/ops/cases.py's words take them."""
    a = dict(layer.arguments)
    if layer.op == "upsample":
        axes = len(layer.shape) - 1
        a = {**a, **{name: a[name] or [] for name in ("size", "scale_factor")}}
        a |= {
            name: a[name] * (axes if len(a[name]) == 1 else 1) for name in ("size", "scale_factor")
        }
    if layer.op in ("layer_norm", "rms_norm"):
        rank, sizes = len(layer.shape), a["normalized_shape"]
        a["axes"] = rank - len(sizes) if sizes else min(axis % rank for axis in a["axes"])
        a["eps"] = -1 if a["eps"] is None else a["eps"]
    if layer.op == "roll":
        a["dims"] = a["dims"] or []
    if layer.op == "pad" and a["value"] is None:
        a["value"] = 0.0
    return a


def batch_norm(walk, layer, x):
    a, named = layer.arguments, walk.named(layer)
    mean, variance = walk.running(layer)
    if walk.training and x.shape[0] * int(np.prod(x.shape[2:])) == 1:
        raise Refused("a batch norm of one value")
    return torch.nn.functional.batch_norm(
        x,
        mean,
        variance,
        named.get("weight"),
        named.get("bias"),
        walk.training,
        a["momentum"],
        a["eps"],
    )


def instance_norm(walk, layer, x):
    a, named = layer.arguments, walk.named(layer)
    mean, variance = walk.running(layer) or (None, None)
    return torch.nn.functional.instance_norm(
        x,
        mean,
        variance,
        named.get("weight"),
        named.get("bias"),
        walk.training or mean is None,
        a["momentum"],
        a["eps"],
    )


def recurrent(walk, layer, x, *before):
    """PyTorch's module with the layer's parameters; it wants states and cells, or neither."""
    a = dict(layer.arguments)
    last = a.pop("last")
    names = [name for name in ("h0", "c0") if a.pop(name, None)]
    for name in ("input_size", "dropout"):
        a.pop(name, None)
    a = {name: value for name, value in a.items() if value is not None}
    module = getattr(torch.nn, layer.op.upper())(x.shape[2], batch_first=True, **a).double()
    begin = dict(zip(names, (rows.transpose(0, 1).contiguous() for rows in before)))
    if layer.op == "lstm" and begin:
        rows = a.get("num_layers", 1) * (1 + a.get("bidirectional", False))
        sizes = {"h0": a.get("proj_size") or a["hidden_size"], "c0": a["hidden_size"]}
        begin = [
            begin.get(name, torch.zeros(rows, len(x), size).double())
            for name, size in sizes.items()
        ]
        begin = {"both": tuple(begin)}
    y, final = torch.func.functional_call(module, walk.named(layer), (x, *begin.values()))
    if not last:
        return y
    hidden = final[0] if isinstance(final, tuple) else final
    return torch.cat(list(hidden[-(1 + module.bidirectional) :]), 1)


def embedding(walk, layer, x):
    (weight,) = walk.named(layer).values()
    return torch.nn.functional.embedding(x.long(), weight, layer.arguments["padding_idx"])


def max_unpool2d(walk, layer, x, pooled):
    (pool,) = {
        str(other.arguments): other
        for other in walk.graph.layers
        if other.op == "max_pool2d"
        and other.inputs == layer.inputs[1:]
        and walk.tensors[other.output].shape == x.shape
    }.values()
    a = {**pool.arguments, "output_size": list(layer.shape[1:])}
    return BY_NAME["max_unpool2d"].pytorch(torch, a, x, pooled)


def pad(walk, layer, x):
    """Along one axis after the other: PyTorch has the other modes for some ranks alone."""
    a = attributes(layer)
    if a["mode"] == "constant":
        return torch.nn.functional.pad(x, a["pad"], value=a["value"])
    for at in range(0, len(a["pad"]), 2):
        axis, (before, after) = x.dim() - 1 - at // 2, a["pad"][at : at + 2]
        moved = x.movedim(axis, -1)
        flat = moved.reshape(1, -1, moved.shape[-1])
        cut = flat[..., max(-before, 0) : flat.shape[-1] - max(-after, 0)]
        ends = [max(before, 0), max(after, 0)]
        flat = torch.nn.functional.pad(cut, ends, mode=a["mode"]) if any(ends) else cut
        x = flat.reshape(*moved.shape[:-1], -1).movedim(-1, axis)
    return x


def whole(walk, layer, x):
    return x.reshape(len(x), *layer.shape)


def source(walk, layer):
    (value,) = walk.named(layer).values()
    return value.expand(walk.count, *layer.shape)


def constant(walk, layer):
    values = walk.constants.get(layer.output)
    if values is None:
        values = layer.arguments["value"]
    return torch.tensor(values, dtype=torch.float64).expand(walk.count, -1) * torch.ones(
        walk.count, int(np.prod(layer.shape))
    )


def concat(walk, layer, *xs):
    axis = layer.arguments["axis"]
    return torch.cat(xs, axis + (axis >= 0))


def attention(walk, layer, *xs):
    a = dict(layer.arguments)
    a["kv_heads"] = a["kv_heads"] or a["heads"]
    return BY_NAME["attention"].pytorch(torch, a, *xs)


def multihead_attention(walk, layer, *xs):
    """Linear layers around attention; of one tensor it is with itself."""
    a, named = layer.arguments, walk.named(layer)
    count = len(xs) - len(a["mask"])
    sides, masks = xs[:count] * (3 // count), xs[count:]
    weights = [named.get(f"{side}_proj_weight") for side in "qkv"]
    if weights[0] is None:
        weights = named["in_proj_weight"].chunk(3)
    biases = named["in_proj_bias"].chunk(3) if a["bias"] else [None] * 3
    projected = map(torch.nn.functional.linear, sides, weights, biases)
    own = dict(heads=a["heads"], kv_heads=a["heads"], causal=a["causal"], mask=a["mask"])
    y = BY_NAME["attention"].pytorch(torch, own | dict(scale=0, window=0), *projected, *masks)
    return torch.nn.functional.linear(y, named["weight"], named.get("bias"))


SPECIAL = {
    **{name: whole for name in ("identity", "flatten", "reshape")},
    **{name: whole for name, op in table().items() if "training_only" in op["traits"]},
    **{f"batch_norm{axes}d": batch_norm for axes in (1, 2, 3)},
    **{f"instance_norm{axes}d": instance_norm for axes in (1, 2, 3)},
    **{name: recurrent for name in ("rnn", "gru", "lstm")},
    "add": lambda walk, layer, *xs: reduce(torch.add, xs),
    "attention": attention,
    "self_attention": multihead_attention,
    "multihead_attention": multihead_attention,
    "concat": concat,
    "constant": constant,
    "embedding": embedding,
    "max_unpool2d": max_unpool2d,
    "pad": pad,
    "parameter": source,
}


# ------------------------------------------------------------------ comparing


def read_numbers(path):
    """{what: array}, in the file's order."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    found, at = {}, 0
    for line in head.decode().splitlines():
        name, _, count = line.rpartition(" ")
        found[name] = np.frombuffer(body, np.float64, int(count), 8 * at)
        at += int(count)
    return found


def of_kind(numbers, kind):
    return {
        name.partition(" ")[2]: torch.tensor(array)
        for name, array in numbers.items()
        if name.startswith(kind + " ")
    }


def constants_of(c_text, dump):
    """{layer: values} of those whose values are no single number: tables of the emitted C.  Of a
    block that is used again the constants have the names of its first use."""
    tables = {
        name: [float(word) for word in values.split(",")]
        for name, values in re.findall(
            r"^static const real (values\w*)\[\] = \{(.*?)\};", c_text, re.M
        )
    }
    uses = re.findall(r"\b(values\w*) /\* weight: (\S+)\.weight \*/", c_text)
    named = {path: tables[name] for name, path in uses}
    layers = re.findall(r"forward constant\(.* -> (\S+) \[.*\n {8}(\S+)\.weight ", dump)
    return {layer: named[path] for layer, path in layers if path in named}


def told_apart(what, ours, theirs, size, tolerance):
    """What is said of two arrays that differ; nothing where they are alike."""
    theirs = theirs.detach().numpy().reshape(-1)
    if not np.isfinite(theirs).all():
        return []  # both left every range
    apart = np.abs(ours - theirs).max(initial=0) / max(size, np.abs(theirs).max(initial=0), 1e-300)
    return [] if apart <= tolerance else [f"{what} differs by {apart:.3g}"]


class Case:
    """A network, what netc's program computed, and PyTorch's way to it."""

    def __init__(self, folder, seed):
        text = (folder / f"{seed}.net").read_text()
        specifications = {name: op["arguments"] for name, op in table().items()}
        self.dump = netc("--dump=graph", folder / f"{seed}.net").stdout
        self.graph = parse(self.dump, specifications)
        if text.startswith('use "activations.net"'):
            text = (ROOT / "library" / "activations.net").read_text() + text
        self.functions = functions_of(text)
        self.own = losses_of(text, self.functions)
        self.numbers = read_numbers(folder / f"n{seed}.numbers")
        self.constants = constants_of((folder / f"{seed}.reference.c").read_text(), self.dump)
        self.inputs = self.inputs_of(text)
        self.count = len(self.inputs[self.graph.input])
        # What is held against an input; the lines of the losses stand in their order.
        lines = re.findall(r"^ *loss .*", text.rpartition("\ntrain {")[2], re.M)
        self.targets = {
            i: found[1].replace("input", self.graph.input)
            for i, line in enumerate(lines)
            if (found := re.search(r"target=(input|first)\b", line))
        }
        self.targets |= {int(i): target for i, target in of_kind(self.numbers, "labels").items()}

    def inputs_of(self, text):
        """{name: what the network is given}: whole numbers, or pixels from 0 to 1."""
        shapes = {self.graph.input: self.graph.shape, **self.graph.further}
        lines = re.findall(r"^ *input (\[.*?\])( of \d+)?", text, re.M)
        assert len(lines) == len(shapes)
        found = {}
        for number, ((_, whole), (name, shape)) in enumerate(zip(lines, shapes.items())):
            given = torch.tensor(self.numbers[f"images {number}"]).reshape(-1, *shape)
            found[name] = given if whole else given / 255
        return found

    def walk(self, parameters, buffers, training):
        return Walk(
            self.graph,
            self.functions,
            self.own,
            parameters,
            buffers,
            self.constants,
            self.count,
            training,
        )

    def compare(self):
        parameters = {
            path: value.requires_grad_()
            for path, value in of_kind(self.numbers, "parameter").items()
        }
        buffers = of_kind(self.numbers, "buffer")
        training = self.walk(parameters, buffers, True)
        training.run(self.inputs)
        loss = training.loss(self.targets)
        loss.backward()
        with torch.no_grad():
            inference = self.walk(parameters, dict(of_kind(self.numbers, "after")), False)
            inference.run(self.inputs)
        return self.faults(loss, parameters, buffers, inference)

    def faults(self, loss, parameters, buffers, inference):
        normed = re.search(r"forward \w+_norm", self.dump)
        tolerance = NORMED_TOLERANCE if normed else TOLERANCE
        gradients = {
            path: torch.zeros_like(value) if value.grad is None else value.grad
            for path, value in parameters.items()
        }
        size = SMALL * max([1, *(float(g.abs().max()) for g in gradients.values() if g.numel())])
        told = told_apart("the loss", self.numbers["loss"], loss[None], 1e-3, tolerance)
        frozen = set(re.findall(r"^ {8}(\S+) .*, frozen$", self.dump, re.M))
        for path, gradient in gradients.items():
            if path not in frozen:
                told += told_apart(
                    f"the gradient of {path}",
                    self.numbers[f"gradient {path}"],
                    gradient,
                    size,
                    tolerance,
                )
        for path, value in buffers.items():
            told += told_apart(path, self.numbers[f"after {path}"], value, 1e-3, tolerance)
        names = [self.graph.output, *self.graph.outputs]
        answers = torch.cat([inference.tensors[name].flatten(1) for name in names], 1)
        return told + told_apart("an answer", self.numbers["answers"], answers, 1e-3, tolerance)


def write(folder, seeds):
    """What netc's programs compute of these networks."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for seed in seeds:
        (folder / f"{seed}.net").write_text(without_chance(network(seed, OPERATORS)))
        netc(
            "emit",
            "--kernels=reference",
            folder / f"{seed}.net",
            "-o",
            folder / f"{seed}.reference.c",
        )
    program = link(
        folder, "numbers", "f64", {seed: [emit(folder, seed, "specialised")] for seed in seeds}
    )
    told = subprocess.run([program, folder], capture_output=True, text=True, timeout=600)
    return {line.split()[0] for line in told.stdout.splitlines() if line.endswith(" ok")}


def main(count=100, first=1):
    torch.set_num_threads(1)
    alike, refused, wrong = 0, 0, 0
    for start in range(first, first + count, AT_ONCE):
        seeds = range(start, min(start + AT_ONCE, first + count))
        folder, kept = BUILD / "tests" / f"pytorch-{start}", False
        computed = write(folder, seeds)
        for seed in seeds:
            try:
                told = (
                    Case(folder, seed).compare() if f"n{seed}" in computed else ["it does not run"]
                )
            except Refused as reason:
                told, refused = None, refused + 1
                print(f"{seed}: PyTorch refuses {reason}")
            if told:
                wrong, kept = wrong + 1, True
                print(f"{folder / str(seed)}.net: {'; '.join(told[:3])}", flush=True)
            alike += told == []
        if not kept:
            shutil.rmtree(folder)
    print(f"{alike} alike, {refused} that PyTorch refuses, {wrong} that differ")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
