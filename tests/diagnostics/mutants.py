"""Models with one random fault each, and what must be said of them.

A mutant is a model's text with a number changed, a name misspelt, a brace (or a
parenthesis, or a bracket) lost or doubled, or a line left out.  Some mutants are
right programs again; where the rules below say that one cannot be, silence is a
failure.

What `check --fix` makes of them is compared with what the model's author wrote,
layout aside.
"""
import difflib
import json
import random
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from harness import MODELS, NETC, ROOT

TOKEN = re.compile(r"""#[^\n]*|"[^"\n]*"|[A-Za-z_][\w.]*|\d[\w.]*|->|[^\s]""")
PAIRS = "{}()[]"
LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@dataclass
class Mutant:
    model: str
    number: int
    kind: str
    line: int  # where the fault is, in the mutant's text
    what: str
    lost: str  # of a line left out: that line
    text: str
    wrong: bool  # cannot be a right program


def tokens(text):
    return [match for match in TOKEN.finditer(text) if match[0][0] not in '#"']


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def replaced(text, match, new):
    return text[: match.start()] + new + text[match.end() :]


def another_number(dice, digits):
    number = int(digits)
    choices = [
        number + 1,
        number - 1,
        number * 2,
        number // 2,
        0,
        dice.randrange(1, 100),
        number * 1000003,
    ]
    return str(dice.choice([choice for choice in choices if choice >= 0 and choice != number]))


def in_assertion(text, at):
    """Inside the brackets of `-> [ ]` within a body, where only the real size is right."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return (
        re.search(r"->\s*\[[^\]]*$", line) is not None
        and not line.startswith("block")
        and "in_" not in line
    )


def mutate_number(dice, text):
    match = dice.choice([token for token in tokens(text) if token[0].isdigit()])
    new = another_number(dice, match[0])
    wrong = in_assertion(text, match.start()) or re.search(
        r"in_(channels|features)\s*=\s*$", text[: match.start()]
    )
    return match.start(), f"{match[0]} -> {new}", replaced(text, match, new), bool(wrong)


def misspelt(dice, name):
    at = dice.randrange(len(name))
    kinds = [
        name[:at] + name[at + 1 :],
        name[:at] + dice.choice(LETTERS) + name[at:],
        name[:at] + dice.choice(LETTERS) + name[at + 1 :],
        name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
    ]
    return dice.choice(kinds)


KEYWORDS = (
    "block network train skip shortcut concat add mul branch repeat dense input let else".split()
)


def mutate_name(dice, text):
    """A word of the language, an operator, an argument or a setting that is misspelt is no other:
    the names here are so far apart that a slip of one letter does not lead from one to another,
    but for a few, which are left to chance."""
    match = dice.choice([token for token in tokens(text) if token[0][0].isalpha()])
    new = misspelt(dice, match[0])
    if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", new) or new == match[0]:
        return None
    called = re.match(r"\s*\(", text[match.end() :]) and not re.search(
        r"block\s*$", text[: match.start()]
    )
    known = set(re.findall(r"\w+", text))
    wrong = (called or match[0] in KEYWORDS) and new not in known
    return match.start(), f"{match[0]} -> {new}", replaced(text, match, new), bool(wrong)


def mutate_brace(dice, text):
    match = dice.choice([token for token in tokens(text) if token[0] in PAIRS])
    lost = dice.random() < 0.5
    new = "" if lost else match[0] * 2
    return (
        match.start(),
        f"{match[0]} {'lost' if lost else 'doubled'}",
        replaced(text, match, new),
        True,
    )


def mutate_line(dice, text):
    lines = text.split("\n")
    at = dice.choice(
        [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    )
    rest = "\n".join(lines[:at] + lines[at + 1 :])
    code = re.sub(r"#.*", "", lines[at])
    wrong = code.count("{") != code.count("}")
    return sum(len(line) + 1 for line in lines[:at]), f"without: {lines[at].strip()}", rest, wrong


KINDS = {"number": mutate_number, "name": mutate_name, "brace": mutate_brace, "line": mutate_line}


def mutants(count, seed):
    dice = random.Random(seed)
    models = sorted(MODELS.glob("*.net"))
    number = 0
    while number < count:
        model = dice.choice(models)
        text = model.read_text()
        kind = dice.choice(list(KINDS))
        made = KINDS[kind](dice, text)
        if made:
            at, what, mutated, wrong = made
            lost = text.split("\n")[line_of(text, at) - 1] if kind == "line" else ""
            yield Mutant(model.name, number, kind, line_of(text, at), what, lost, mutated, wrong)
            number += 1


def told_of(batch, folder):
    """{mutant's number: its errors}, of many files checked by one command."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for mutant in batch:
        names[f"{mutant.number}.net"] = mutant.number
        (folder / f"{mutant.number}.net").write_text(mutant.text)
    result = subprocess.run(
        [NETC, "check", "--diagnostics=json", "--max-errors=0", *names],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode in (0, 1), f"exit {result.returncode}\n{result.stderr}"
    told = {mutant.number: [] for mutant in batch}
    for message in json.loads(result.stdout):
        if message["severity"] == "error":
            told[names[message["spans"][0]["file"]]].append(message)
    return told


def lines_told(message):
    """Every line that a message points at."""
    lines = set()
    for span in message["spans"] + [edit for help in message["help"] for edit in help["edits"]]:
        lines |= set(range(span["line"], span["end_line"] + 1))
    return lines


def names_what_is_lost(mutant, message):
    """Of a line left out nothing is left to point at; what it held may be named instead."""
    words = set(re.findall(r"[A-Za-z_]\w+", re.sub(r"#.*", "", mutant.lost)))
    told = " ".join(
        [message["message"], *message["notes"], *(help["message"] for help in message["help"])]
    )
    return bool(words & set(re.findall(r"[A-Za-z_]\w+", told)))


def verdict(mutant, errors):
    """What is wrong with the messages, or None."""
    if not errors:
        return "silent" if mutant.wrong else None
    if len(errors) > 1:
        return "several"
    near = {mutant.line} | ({mutant.line - 1} if mutant.kind == "line" else set())
    if near & lines_told(errors[0]) or names_what_is_lost(mutant, errors[0]):
        return None
    return "elsewhere"


def judge(count, seed, folder, size=250):
    """([(verdict, mutant, its errors)], count): the first are those whose message is wrong,
    the second is how many mutants had errors."""
    batch, found, wrong = [], [], 0
    for mutant in [*mutants(count, seed), None]:
        if mutant:
            batch.append(mutant)
        if batch and (mutant is None or len(batch) == size):
            told = told_of(batch, folder)
            for one in batch:
                wrong += bool(told[one.number])
                why = verdict(one, told[one.number])
                if why:
                    found.append((why, one, told[one.number]))
            batch = []
    return found, wrong


# ------------------------------------------------------------- what --fix makes of them

SHAPES = set(
    "shape-assert shape-rank shape-mismatch concat-mismatch add-mismatch mul-mismatch "
    "window-too-large classes-mismatch groups".split()
)


def fixed(batch, folder):
    """{number: its text after `check --fix`}, of files that told_of() has written."""
    names = [f"{mutant.number}.net" for mutant in batch]
    result = subprocess.run(
        [NETC, "check", "--fix", *names], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert result.returncode in (0, 1), f"exit {result.returncode}\n{result.stderr}"
    return {mutant.number: (folder / name).read_text() for mutant, name in zip(batch, names)}


def syntax_errors(messages):
    return sum(message["code"] == "syntax" for message in messages)


def lost_lines(before, after, messages):
    """Lines that are gone, not changed, and that no message before points at or counts."""
    told = set()
    for message in messages:
        for span in message["spans"]:
            told |= set(range(span["line"], span["end_line"] + 1))
        for help in message["help"]:
            told |= {int(line) for line in re.findall(r"line (\d+)", help["message"])}
    lost = []
    for _, start, end, new, stop in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if end - start > stop - new and not told & set(range(start + 1, end + 1)):
            lost += [line for line in before[start:end] if line.strip()]
    return lost


def program_of(text):
    """The words of a program without layout, and without the shapes it asserts: a layer
    put back computes the same without."""
    text = re.sub(r"#[^\n]*", "", text)
    text = re.sub(r"->\s*\[[^\]]*\]", "", text)
    return re.findall(r'"[^"\n]*"|[\w.]+|[^\s\w;]', text)


@dataclass
class Fixes:
    mutants: int = 0
    applied: int = 0  # files that --fix changed
    author: int = 0  # to what the author had
    of_shapes: int = 0  # those of them whose fault was one of shapes
    of_shapes_author: int = 0

    def __str__(self):
        all_shapes, author_shapes = self.of_shapes, self.of_shapes_author
        return (
            f"{self.mutants} mutants, --fix changed {self.applied}: "
            f"{self.author} are the author's program ({share(self.author, self.applied):.1%}); "
            f"of {all_shapes} faults of shapes {author_shapes} "
            f"({share(author_shapes, all_shapes):.1%})"
        )


def share(part, whole):
    return part / whole if whole else 1.0


def harm_of(batch, before, folder):
    """[(why, mutant, its text after)] where --fix did harm, and all texts after."""
    after = fixed(batch, folder)
    changed = [mutant for mutant in batch if after[mutant.number] != mutant.text]
    again = (
        told_of([replace(mutant, text=after[mutant.number]) for mutant in changed], folder)
        if changed
        else {}
    )
    harm = []
    for mutant in changed:
        text = after[mutant.number]
        if syntax_errors(again[mutant.number]) > syntax_errors(before[mutant.number]):
            harm.append(("worse syntax", mutant, text))
        if lost_lines(mutant.text.split("\n"), text.split("\n"), before[mutant.number]):
            harm.append(("lost lines", mutant, text))
    return harm, after


def count_fixes(fixes, mutant, errors, after):
    fixes.mutants += 1
    if after == mutant.text:
        return False
    same = program_of(after) == program_of((MODELS / mutant.model).read_text())
    of_shapes = errors[0]["code"] in SHAPES
    fixes.applied += 1
    fixes.author += same
    fixes.of_shapes += of_shapes
    fixes.of_shapes_author += of_shapes and same
    return not same


def judge_fixes(count, seed, folder, size=250):
    """Figures; where --fix did harm; and what it made that is not the author's program."""
    fixes, harm, others, batch = Fixes(), [], [], []
    for mutant in [*mutants(count, seed), None]:
        if mutant:
            batch.append(mutant)
        if batch and (mutant is None or len(batch) == size):
            told = told_of(batch, folder)
            found, after = harm_of(batch, told, folder)
            harm += found
            others += [
                (one, told[one.number], after[one.number])
                for one in batch
                if count_fixes(fixes, one, told[one.number], after[one.number])
            ]
            batch = []
    return fixes, harm, others


def report_fix(mutant, after):
    print(f"{mutant.model}:{mutant.line} {mutant.kind} ({mutant.what}) #{mutant.number}")
    for line in difflib.unified_diff(mutant.text.split("\n"), after.split("\n"), lineterm="", n=0):
        print(f"    {line}")


def report(found):
    for why, mutant, errors in found:
        print(f"{why}: {mutant.model}:{mutant.line} {mutant.kind} ({mutant.what}) #{mutant.number}")
        for message in errors:
            span = message["spans"][0]
            print(f"    {span['line']}:{span['column']}: {message['code']}: {message['message']}")
