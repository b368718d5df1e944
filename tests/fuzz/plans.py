"""Checks a plan without knowing how the compiler made it.

The schedule that `netc check --dump=plan` prints is executed on paper: a cell
of memory holds a number that stands for the value that was written there, each
node writes a number mixed from all the numbers it reads, and sums add up.  The
same numbers are computed a second time straight from the definition, forward
from the graph, backward by adding up what every reader of a tensor contributes
to its gradient, with memory of its own for each tensor.  So a tensor that is
overwritten too early, a missing or doubled contribution, a wrong slice of a
concat or a sum that starts before all grains are done all end as a number that
differs.

Two grains run one after the other through each phase, in one scratch arena
that starts as rubbish: what the first leaves there or in its kept arena must
not matter to the second, and what one needs of the other must be there.  What
is computed for the whole batch at once comes after both, last one first: such
nodes of a phase may not need one another.

Of what the runtime does around the kernels, it is only seen to that every
parameter is moved once, after its gradient has been summed: by who computes it
for the whole batch, or over the grains.
"""
import re

import numpy as np

from fuzz.networks import elementwise, table

GRAINS = 2
VIEWS = {"flatten", "reshape", "identity"}
# Dropouts of every kind.
EVALUATES_AS_IDENTITY = {op["name"] for op in table().values() if "training_only" in op["traits"]}

NODE = re.compile(r"^ *\d+  forward (\w+)(.*)$")
LOSS = re.compile(r"(?: times \S+)? (loss[^( ]*)")
TENSOR = r"(\S.*?) (\[[\d, ]*\])"
OUTPUT = re.compile(rf"^output (\S+) = {TENSOR}", re.M)
LINE = re.compile(r"^  (then )?(\w+) (\S+?)( \(view\))?:(.*)$")
MOVED = re.compile(r"^  (then )?(load|normalize|sum|update) (\S+):")
PART = re.compile(r"^        \S+\[\d+:\d+\] \[.*\] made of (\S+)$")
ALONE = re.compile(rf" alone -> d {TENSOR}$")
FILTERS = re.compile(r"^  (makes|with) filters\+(\d+), (\d+) vectors$")
PIECES = re.compile(r"^  in pieces, some \d+ us$")
WORKSPACE = re.compile(r"^  in memory scratch\+(\d+), (\d+) vectors$")
ACCESS = re.compile(
    r" (->)?((?:d (?:inputs of )?)?\S+(?: aux| statistics| again| alone)?)"
    r" (none|input|scratch|kept|register)(\*)?(?:\+(\d+))?"
)


class Wrong(AssertionError):
    pass


def expect(condition, *words):
    if not condition:
        raise Wrong(" ".join(map(str, words)))


# ------------------------------------------------------------------- reading


class Node:
    def __init__(self, op, path, inputs, out):
        self.op, self.path, self.inputs, self.out = op, path, inputs, out


def elements(shape):
    return int(np.prod([int(size) for size in shape.strip("[]").split(",")]))


def read_graph(text):
    """Forward nodes in order, every tensor's elements by name, the inputs and the output, each
    node's trained parameters, those of which weights are made, and what named outputs are."""
    head = re.match(r"graph \S+: (.+) -> (\S+) ", text)
    sizes = {name.lstrip(", "): elements(shape) for name, shape in re.findall(TENSOR, head[1])}
    inputs_of_all, nodes, trained, makers = list(sizes), [], {}, set()
    outputs = {name: of for name, of, _ in OUTPUT.findall(text)}
    for line in text.splitlines():
        found = NODE.match(line)
        if not found:
            if parameter := re.match(r"^        (\S+) \[.*\] trained", line):
                trained.setdefault(nodes[-1].path, []).extend(
                    [] if line.endswith(", frozen") else [parameter[1]]
                )
            if made := re.match(r"^        \S+ \[.*\] made of (.*)", line):
                makers.update(made[1].split(", "))
            if part := PART.match(line):  # nothing else says that it is trained; none is frozen
                trained.setdefault(nodes[-1].path, []).append(part[1])
            if alone := ALONE.search(line):  # one use's gradients of parameters that others have
                sizes[alone[1]] = elements(alone[2])
            continue
        op, rest = found.groups()
        if (
            " -> " not in rest
        ):  # the loss: its path, then its argument list, its input and what it notes
            of, *noted = rest.split(" of ")[-1].strip().split("; ")
            nodes.append(Node(op, LOSS.match(rest)[1], of.split(", "), None))
            sizes.update(
                (name, elements(shape))
                for name, shape in (re.match(TENSOR, part).groups() for part in noted)
            )
            continue
        before, after = rest.rsplit(" -> ", 1)
        for part in after.split("; "):
            name, shape = re.match(TENSOR, part).groups()
            sizes[name] = elements(shape)
        out, shape = re.match(TENSOR, after.split("; ")[0]).groups()
        inputs = before.rsplit(" of ", 1)[1].split(", ") if " of " in before else []
        axis = re.match(r"\(axis=(-?\d+)", rest)
        if op == "concat" and axis and int(axis[1]) % len(shape.split(",")):
            op = "concat of copies"
        nodes.append(Node(op, out, inputs, out))
    return nodes, sizes, inputs_of_all, head[2], trained, makers, outputs


class Access:
    def __init__(self, write, name, space, everyone, address):
        self.write, self.name, self.everyone = write, name, everyone
        self.space, self.address = space, address


class Step:
    def __init__(self, phase, stage, path, skipped, accesses):
        self.phase, self.stage, self.path, self.skipped = phase, stage, path, skipped
        self.reads = [access for access in accesses if not access.write]
        self.writes = [access for access in accesses if access.write]
        self.before = None  # whose work the same kernel does, and hands on in a register
        # The scratch cells that a kernel fills with its own numbers; its last step has them.
        self.memory = None
        self.filters = None  # the cells that it makes, or needs made
        # By grain and name, the numbers of what it reads and then overwrites.
        self.seen = [{} for _ in range(GRAINS)]

    def earlier(self):
        return self.before.earlier() + [self.before] if self.before else []

    def whole_batch(self):
        first = (self.earlier() + [self])[0]
        return any(
            access.everyone and not access.name.endswith(" statistics")
            for access in first.reads + first.writes
        )


def read_plan(text):
    head = re.match(
        r"(training|inference): \d+ phases?, lanes (\d+), scratch (\d+), kept (\d+),"
        r" filters (\d+)",
        text,
    )
    training, lanes = head[1] == "training", int(head[2])
    steps, phase, moves = [], 0, []
    for line in text.splitlines()[1:]:
        if line == "update":
            continue
        if move := MOVED.match(line):
            moves.append((move[2], move[3]))
            continue
        if line.startswith("phase "):
            phase = int(line.split()[1])
            continue
        if PIECES.match(line):
            continue
        if line.startswith("  added to d "):  # of a parameter that several layers have
            continue
        if filters := FILTERS.match(line):
            steps[-1].filters = int(filters[2]), int(filters[2]) + int(filters[3])
            expect(
                (filters[1] == "makes") == (steps[-1].stage == "filters"), "not understood:", line
            )
            continue
        if memory := WORKSPACE.match(line):
            steps[-1].memory = int(memory[1]), int(memory[1]) + int(memory[2])
            continue
        then, stage, path, view, rest = LINE.match(line).groups()
        accesses = [
            Access(bool(write), name, space, bool(everyone), int(address or 0))
            for write, name, space, everyone, address in ACCESS.findall(rest)
        ]
        expect(
            "".join(f" {'->' * a.write}{a.name} {a.space}{'*' * a.everyone}" for a in accesses)
            == re.sub(r"\+\d+", "", rest),
            "not understood:",
            line,
        )
        steps.append(Step(phase, stage, path, bool(view), accesses))
        if then:  # one kernel does both: it reads the first's operands while it writes the last's
            steps[-1].before = steps[-2]
    check_filters(steps, int(head[5]) // lanes)
    steps = [step for step in steps if step.stage != "filters"]
    return training, lanes, int(head[3]) // lanes, int(head[4]) // lanes, steps, moves


def check_filters(steps, size):
    """Who reads transformed weights finds its own layer's, made in an earlier phase; nobody's
    lie on another's."""
    makers, readers = [
        sorted(
            (step.filters, (step.earlier() + [step])[0].path, step.phase)
            for step in steps
            if step.filters and (step.stage == "filters") == makes
        )
        for makes in (True, False)
    ]
    expect(
        [maker[:2] for maker in makers] == [reader[:2] for reader in readers],
        "filters that are made and those that are read differ",
    )
    for maker, reader in zip(makers, readers):
        expect(maker[2] < reader[2], maker[1], "reads filters that are not made yet")
    ends = [0] + [end for (_, end), *_ in makers]
    begins = [begin for (begin, _), *_ in makers] + [size]
    expect(all(end <= begin for end, begin in zip(ends, begins)), "filters overlap, or lie outside")


# --------------------------------------------------------------- the numbers


def mix(key, *arrays, count):
    """`count` numbers that depend on the key and on every number read."""
    state = hash((key, *(array.tobytes() for array in arrays))) & (2**64 - 1)
    with np.errstate(over="ignore"):
        numbers = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(state)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        return (numbers ^ (numbers >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)


class Checker:
    def __init__(self, graph, plan):
        self.nodes, self.sizes, self.inputs, self.output, *parameters, outputs = read_graph(graph)
        self.trained, self.makers = parameters
        self.training, self.lanes, *sizes, self.steps, self.moves = read_plan(plan)
        self.scratch_size, self.kept_size = sizes
        self.by_path = {node.path: node for node in self.nodes}
        # What the program leaves of them: copies, where they do not lie where they can stay.
        self.copies = {"logits": self.output} | outputs
        self.sizes |= {name: self.sizes[of] for name, of in self.copies.items()}
        self.number_inputs()
        self.check_moves()
        self.ideals = [self.ideal(grain) for grain in range(GRAINS)]

    def hands_on(self, node):
        """The output is the input: nothing runs."""
        return node.op in VIEWS or (not self.training and node.op in EVALUATES_AS_IDENTITY)

    def size(self, name):
        """In vectors: statistics are single values, `lanes` of them to a vector."""
        plain = (name[2:] if name.startswith("d ") else name).removesuffix(" again")
        count = self.sizes[plain]
        single = plain.endswith((" statistics", " alone"))
        return -(-count // self.lanes) if single else count

    def number_inputs(self):
        """step.which: the how-manieth kernel of its path and stage."""
        seen = {}
        for step in self.steps:
            key = (step.stage, step.path)
            step.which = seen[key] = seen.get(key, -1) + 1

    def check_moves(self):
        whole = {
            step.path
            for step in self.steps
            if step.stage == "backward_parameters" and step.whole_batch()
        }
        due = {("update", path) for paths in self.trained.values() for path in paths}
        due |= {
            ("sum", path)
            for node, paths in self.trained.items()
            for path in paths
            if node not in whole or path in self.makers
        }
        done = [move for move in self.moves if move[0] in ("sum", "update")]
        expect(
            set(done) == (due if self.training else set()) and len(done) == len(set(done)),
            "moved are",
            done,
            "and should be",
            due,
        )
        for move, path in done:
            expect(
                move == "sum"
                or ("sum", path) not in due
                or done.index(("sum", path)) < done.index((move, path)),
                path,
                "moves before it is summed",
            )

    # ------------------------------------------------ straight from the graph

    def ideal(self, grain):
        """{name: numbers}: "x", "x aux", "x statistics", "d x", and "d x statistics", which are the
        backward sums.

        What a kernel reads of other grains is not mixed in; another check is for that.
        """
        values = {name: mix((name, grain), count=self.sizes[name]) for name in self.inputs}
        steps = {}
        for step in self.steps:
            steps.setdefault(step.path, []).append(step)
        for node in self.nodes:
            if node.out is None:
                for step in steps.get(node.path, []):
                    if step.stage == "forward":
                        for write in step.writes:
                            values[write.name] = self.kernel(step, write, grain, values)
                continue
            if self.hands_on(node):
                values[node.out] = values[node.inputs[0]]
            elif node.op == "concat":
                values[node.out] = np.concatenate([values[name] for name in node.inputs])
            else:
                for step in steps.get(node.path, []):
                    if step.stage in ("statistics", "forward", "recompute"):
                        for write in step.writes:
                            values[write.name] = self.kernel(step, write, grain, values)
                if node.out not in values:  # nobody needs it
                    values[node.out] = mix(("dead", node.out), count=self.sizes[node.out])
        values |= {name: values[of] for name, of in self.copies.items()}
        if self.training:
            self.ideal_gradients(grain, values, steps)
        return values

    def kernel(self, step, write, grain, values):
        reads = [values[read.name] for read in step.reads if not self.is_sum(step, read)]
        # Recomputed numbers are the same.
        recompute = step.stage == "recompute"
        stage, which = ("forward", 0) if recompute else (step.stage, step.which)
        return mix(
            (stage, step.path, which, write.name.removesuffix(" again"), grain),
            *reads,
            count=self.size(write.name),
        )

    @staticmethod
    def is_sum(step, read):
        """What is added to: the gradient that the step also writes."""
        return step.stage == "backward_input" and step.writes[0].name == read.name

    def contribute(self, values, name, numbers):
        with np.errstate(over="ignore"):
            values["d " + name] = (
                values["d " + name] + numbers if "d " + name in values else numbers
            )

    def ideal_gradients(self, grain, values, steps):
        needed = {}
        for node in self.nodes:
            if node.out:
                needed[node.out] = node.path in self.trained or any(
                    needed.get(name, False) for name in node.inputs
                )
        for node in reversed(self.nodes):
            if node.out and "d " + node.out not in values:
                continue
            dy = values["d " + node.out] if node.out else None
            wanted = [name for name in node.inputs if needed.get(name, False)]
            if node.op in VIEWS or node.op == "add":  # what is repeated has kernels
                for name in wanted:
                    if self.sizes[name] == self.sizes[node.out]:
                        self.contribute(values, name, dy)
                wanted = [name for name in wanted if self.sizes[name] != self.sizes[node.out]]
                if not wanted:
                    continue
            if node.op == "concat":
                at = 0
                for name in node.inputs:
                    if needed.get(name, False):
                        self.contribute(values, name, dy[at : at + self.sizes[name]])
                    at += self.sizes[name]
                continue
            kernels = [step for step in steps.get(node.path, []) if step.stage == "backward_input"]
            if [step.writes[0].name for step in kernels] == [f"d inputs of {node.out}"]:
                self.contribute_together(kernels[0], wanted, grain, values)
                kernels, wanted = [], []  # of its own parameters there are sums beside them
            expect(
                [step.writes[0].name for step in kernels] == ["d " + name for name in wanted],
                f"{node.path}: gradients of {wanted} are wanted,",
                [step.writes[0].name for step in kernels],
                "computed",
            )
            sums = [
                step for step in steps.get(node.path, []) if step.stage == "backward_parameters"
            ]
            expect(
                len(sums) == 1 if node.path in self.trained else len(sums) <= 1,
                f"{node.path} has {len(sums)} sums of its parameters' gradients",
            )
            for step, name in zip(kernels, wanted):
                self.contribute(values, name, self.kernel(step, step.writes[0], grain, values))
                self.overwrite(step, grain, values)
            for step in sums:
                for write in step.writes:
                    numbers = self.kernel(step, write, grain, values)
                    values[write.name if self.is_alone(write) else "beside " + write.name] = numbers
                self.check_added(step, steps[node.path])

    def contribute_together(self, step, wanted, grain, values):
        """One kernel makes all inputs' gradients, which lie one behind the other."""
        together, at = step.writes[0], 0
        self.sizes[together.name[2:]] = sum(self.sizes[name] for name in wanted)
        values[together.name] = self.kernel(step, together, grain, values)
        self.overwrite(step, grain, values)
        for name in wanted:
            self.contribute(values, name, values[together.name][at : at + self.sizes[name]])
            at += self.sizes[name]

    def overwrite(self, step, grain, values):
        """What a gradient's kernel leaves besides, where forward had noted something."""
        left = {write.name: self.kernel(step, write, grain, values) for write in step.writes[1:]}
        step.seen[grain] = {name: values[name] for name in left}
        values.update(left)

    @staticmethod
    def is_alone(access):
        """Gradients that one use of shared parameters makes, to be added to the others'."""
        return access.name.endswith(" alone")

    def check_added(self, step, steps):
        alone = [write.name for write in step.writes if self.is_alone(write)]
        added = [
            read.name for other in steps if other.stage == "add_gradients" for read in other.reads
        ]
        expect(alone == added, f"{step.path} makes {alone}, and {added} are added")

    # ---------------------------------------------------- as the plan has it

    def run(self):
        rng = np.random.default_rng(0)
        self.kept = [rng.integers(0, 2**63, self.kept_size, np.uint64) for _ in range(GRAINS)]
        self.beside = [kept.copy() for kept in self.kept]
        for phase in range(self.steps[-1].phase + 1 if self.steps else 0):
            steps = [step for step in self.steps if step.phase == phase and not step.skipped]
            for grain in range(GRAINS):
                self.scratch = rng.integers(0, 2**63, self.scratch_size, np.uint64)
                self.register = None
                for step in steps:
                    if not step.whole_batch():
                        self.execute(step, grain)
            whole = [step for step in steps if step.whole_batch()]
            self.scratch = rng.integers(0, 2**63, self.scratch_size, np.uint64)
            for last in reversed(
                [step for step in whole if step not in [other.before for other in whole]]
            ):
                for grain in range(GRAINS):
                    for step in last.earlier() + [last]:
                        self.execute(step, grain)
        for grain in range(GRAINS):
            self.check_logits(grain)

    def input_under(self, name):
        """The input of which this is a view, or that it is."""
        while name not in self.inputs:
            (name,) = [node.inputs[0] for node in self.nodes if node.out == name]
        return name

    def cells(self, access, grain, beside=False):
        size = self.size(access.name)
        if access.space == "input":
            held = self.ideals[grain][self.input_under(access.name)]
            return held[access.address : access.address + size]
        if access.space == "register":
            if access.write:
                self.register = np.zeros(size, np.uint64)
            return self.register
        memory = (
            self.scratch
            if access.space == "scratch"
            else self.beside[grain]
            if beside
            else self.kept[grain]
        )
        expect(
            access.space != "none" and access.address + size <= len(memory),
            access.name,
            "lies outside its arena",
        )
        return memory[access.address : access.address + size]

    def check_read(self, step, read, grain):
        own = read.name in step.seen[grain]  # what it overwrites it reads of each grain by itself
        everyone = range(GRAINS) if read.everyone and not own else [grain]
        for other in everyone:
            found = self.cells(read, other)
            expect(
                np.array_equal(found, self.values(step, other)[read.name]),
                f"{step.stage} {step.path} of grain {grain} reads {read.name} of grain {other}: "
                "not what it should be",
            )
            beside = "beside " + read.name
            if step.stage == "backward_input" and read.everyone and beside in self.ideals[other]:
                expect(
                    np.array_equal(
                        self.cells(read, other, beside=True), self.ideals[other][beside]
                    ),
                    f"{step.path}'s sums over the batch are not what they should be",
                )

    def values(self, step, grain):
        """As they are when it runs."""
        return {**self.ideals[grain], **step.seen[grain]}

    def store(self, write, grain, numbers):
        self.cells(write, grain)[:] = numbers
        if write.space == "kept":
            self.cells(write, grain, beside=True)[:] = numbers

    def fill_memory(self, step):
        """A kernel's memory holds nothing that the kernel reads or writes, nor what is read
        later."""
        begin, end = step.memory
        expect(end <= len(self.scratch), step.path, "has memory outside the arena")
        self.scratch[begin:end] = 0x5555555555555555
        for access in (
            access for part in step.earlier() + [step] for access in part.reads + part.writes
        ):
            apart = (
                access.space != "scratch"
                or access.address + self.size(access.name) <= begin
                or end <= access.address
            )
            expect(apart, f"{step.stage} {step.path} has its memory over {access.name}")

    def execute(self, step, grain):
        if step.memory:
            self.fill_memory(step)
        if step.stage in ("accumulate", "copy"):
            self.move(step, grain)
            return
        node = self.by_path[step.path]
        if node.op == "concat":
            self.concat(step, grain)
            return
        sums = [read for read in step.reads if self.is_sum(step, read)]
        for read in step.reads:
            if read not in sums:
                self.check_read(step, read, grain)
        for write in step.writes:
            self.check_apart(step, write)
            numbers = self.kernel(step, write, grain, self.values(step, grain))
            if step.stage == "backward_parameters" and not self.is_alone(write):
                self.cells(write, grain, beside=True)[:] = numbers
                continue
            with np.errstate(over="ignore"):
                self.store(write, grain, numbers + self.cells(sums[0], grain) if sums else numbers)

    def elementwise(self, step):
        """What is no operator is a function of an element."""
        op = self.by_path[step.path].op
        return op in elementwise() or op not in table()

    def check_apart(self, step, write):
        """A kernel writes where it reads only element by element."""
        begin, end = write.address, write.address + self.size(write.name)
        # Those of the same kernel: it may not write over what it has yet to read.
        for earlier in step.earlier():
            for read in earlier.reads:
                apart = (
                    read.space != write.space
                    or write.space == "register"
                    or read.address + self.size(read.name) <= begin
                    or end <= read.address
                )
                level = (
                    self.elementwise(step.earlier()[0])
                    and read.address == begin
                    and self.size(read.name) == self.size(write.name)
                )
                expect(
                    apart or level or self.is_sum(earlier, read),
                    f"{step.stage} {step.path} writes {write.name} over {read.name}, "
                    "which its kernel reads",
                )
        for read in step.reads:
            if (
                read.space != write.space
                or write.space == "register"
                or self.is_sum(step, read)
                or read.name in step.seen[0]
                or step.stage == "backward_parameters"
            ):
                continue
            apart = read.address + self.size(read.name) <= begin or end <= read.address
            level = (
                self.elementwise(step)
                and read.address == begin
                and self.size(read.name) == self.size(write.name)
            )
            expect(
                apart or level,
                f"{step.stage} {step.path} writes {write.name} over {read.name}, which it reads",
            )
        for other in step.writes:
            if other is not write and other.space == write.space:
                expect(
                    other.address + self.size(other.name) <= begin or end <= other.address,
                    f"{step.path} writes {write.name} and {other.name} to one address",
                )

    def concat(self, step, grain):
        for read in step.reads:
            self.check_read(step, read, grain)
        out, at = step.writes[0], 0
        for read in step.reads:  # those that lie there already are not copied, the others in order
            numbers = self.cells(read, grain).copy()
            size = self.size(read.name)
            if read.space != out.space or read.address != out.address + at:
                self.cells(out, grain)[at : at + size] = numbers
                if out.space == "kept":
                    self.cells(out, grain, beside=True)[at : at + size] = numbers
            at += size
        expect(
            np.array_equal(self.cells(out, grain), self.ideals[grain][out.name]),
            f"{out.name} is not its inputs joined",
        )

    def move(self, step, grain):
        source, target = step.reads[-1], step.writes[0]
        numbers = self.cells(source, grain).copy()
        if step.stage == "accumulate":
            with np.errstate(over="ignore"):
                numbers = numbers + self.cells(target, grain)
        if source.space == target.space:
            size = self.size(source.name)
            apart = (
                source.address + size <= target.address or target.address + size <= source.address
            )
            expect(
                apart or source.address == target.address,
                f"{step.stage} of {source.name} to {target.name}: they overlap in part",
            )
        self.store(target, grain, numbers)

    def check_logits(self, grain):
        """The output survives the step."""
        last = [
            access
            for step in self.steps
            for access in step.reads + step.writes
            if access.name in ("logits", self.output)
        ]
        output = next(
            (access for access in last if access.name == "logits"), last[-1] if last else None
        )
        if output is None or output.space != "kept":
            return  # the output is a view whose address the plan does not print
        expect(
            np.array_equal(self.cells(output, grain), self.ideals[grain][self.output]),
            "the logits are overwritten",
        )


def check(graph, plan):
    """Raises Wrong when a step of the plan would read what it should not.

    The plans for one image and for one row of a sequence are of graphs that are not
    printed: their results are compared by running them."""
    programs = [
        part
        for part in re.split(r"^(?=\w+: \d+ phase)", plan, flags=re.M)[1:]
        if not part.startswith(("single:", "row:"))
    ]
    expect(programs, "no plan in", plan)
    for program in programs:
        Checker(graph, program).run()
