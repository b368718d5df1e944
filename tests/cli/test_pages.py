"""The pages (*.md) are right: what they show is what there is and what is printed,
their commands exist, every link leads somewhere and every page can be reached from
README.md.  `make golden` rewrites what a page shows of a file or of a message.

A block with `<!-- model NAME -->` above it is models/NAME.net, one with
`<!-- checked -->` a program without a fault, laid out by netc fmt."""
import os
import re

import pytest

from harness import MODELS, ROOT, check_text, fusions, netc, run, trainer

SKIPPED = {"build", "data", ".git", "node_modules"}


def all_pages():
    for folder, within, files in os.walk(ROOT):
        within[:] = sorted(set(within) - SKIPPED)
        yield from (
            os.path.relpath(os.path.join(folder, name), ROOT)
            for name in sorted(files)
            if name.endswith(".md")
        )


PAGES = list(all_pages())
FENCE = re.compile(r"^```(\S*).*\n((?:.*\n)*?)```$", re.M)


def read(page):
    return (ROOT / page).read_text()


def prose(page):
    """The page without its blocks."""
    return FENCE.sub("", read(page))


# ---------------------------------------------------------- what is shown


def shown(mark):
    """A block with `<!-- mark -->` above: (up to the text, the text, the fence)."""
    return re.compile(rf"(<!-- {mark} -->\n```\n)((?:.*\n)*?)(```\n)")


@pytest.mark.parametrize("page", [page for page in PAGES if "<!-- model " in read(page)])
def test_a_model_is_shown_as_it_is(page, golden):
    block = shown(r"model (\w+)")
    golden(
        ROOT / page,
        block.sub(
            lambda found: found[1] + (MODELS / f"{found[2]}.net").read_text() + found[4], read(page)
        ),
    )


def test_the_first_error_is_what_netc_says(tmp_path, golden):
    """Leave out a padding in models/resnet.net and read."""
    network = (MODELS / "resnet.net").read_text()
    broken = network.replace(
        "conv2d(channels, 3, padding=1) as conv2", "conv2d(channels, 3) as conv2"
    )
    assert broken != network
    said = check_text(broken, tmp_path, name="resnet.net").stderr
    page = ROOT / "examples" / "errors" / "README.md"
    text, times = shown("error example").subn(
        lambda found: found[1] + said + found[3], page.read_text()
    )
    assert times == 1
    golden(page, text)


@pytest.mark.parametrize("page", [page for page in PAGES if "<!-- checked -->" in read(page)])
def test_programs_are_right(page, tmp_path):
    for number, found in enumerate(shown("checked").finditer(read(page))):
        (tmp_path / f"{number}.net").write_text(found[2])
        assert netc("check", f"{number}.net", cwd=tmp_path).stderr == ""
        assert netc("fmt", "--diff", f"{number}.net", cwd=tmp_path).stdout == ""


def test_models_and_errors_are_shown():
    """Or the tests above would look at nothing."""
    assert "<!-- model inception -->" in read("README.md") and "<!-- model resnet -->" in read(
        "models/README.md"
    )
    assert read("examples/language.md").count("<!-- checked -->") >= 3


# ------------------------------------------------------------------ links


def anchor(heading):
    """GitHub's name for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def links(page):
    """[(the page's link, the path it leads to, the heading or "")], without those to other
    sites.  Of a folder it is the page in it, which a reader sees there."""
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", prose(page)):
        link = "".join(link)
        if not re.match(r"[a-z]+:", link):
            path, _, heading = link.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            within = os.path.join(path, "README.md")
            yield link, within if within in PAGES else path, heading


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for link, path, heading in links(page):
        assert (ROOT / path).exists(), link
        if heading:
            assert heading in {
                anchor(line) for line in re.findall(r"^#+ (.*)$", prose(path), re.M)
            }, link


def test_every_page_can_be_reached():
    reached, unread = set(), ["README.md"]
    while unread:
        page = unread.pop()
        if page not in reached:
            reached.add(page)
            unread += [path for _, path, _ in links(page) if path in PAGES]
    assert set(PAGES) == reached


# --------------------------------------------------------------- commands


def commands(page, program):
    """[the words after `program`], of the page's sh blocks and of its code within lines."""
    shell = "".join(text for kind, text in FENCE.findall(read(page)) if kind == "sh")
    text = (
        re.sub(r"\s#.*", "", shell.replace("\\\n", " "))
        + "\n"
        + "\n".join(re.findall(r"`([^`]+)`", prose(page)))
    )
    return [
        found.split()
        for found in re.findall(rf"^(?:.*&& )?{program} (.*?)(?: &&.*| \|.*|>.*)?$", text, re.M)
    ]


@pytest.fixture(scope="module")
def options():
    """{command: the options that its page of help lists}"""
    names = re.findall(r"^  (\w+) +\S", netc("--help").stdout.partition("usage")[2], re.M)
    return {
        name: set(re.findall(r"(?<!\w)--?\w[\w-]*", netc(name, "--help").stdout))
        for name in names
        if name != "netc"
    }


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page, "netc")])
def test_commands_exist(page, options):
    for words in commands(page, "netc"):
        if words[0].startswith("--"):
            assert words[0].partition("=")[0] in {"--dump", "--help", "--version"}
        elif words[0] != "COMMAND":
            assert words[0] in options, words
            given = {
                word.partition("=")[0] for word in words[1:] if word.startswith("-") and word != "-"
            }
            assert given <= options[words[0]], words


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page, "make")])
def test_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.M))
    for words in commands(page, "make"):
        assert all(word in targets for word in words if re.fullmatch(r"[a-z-]+", word)), words


def table(page, first):
    """The first cells of the table whose heading begins with `first`, below its heading."""
    found = re.search(rf"^\| {re.escape(first)} \|.*\n\| -.*\n((?:\|.*\n)+)", read(page), re.M)
    return [
        re.split(r"(?<!\\)\|", row)[1].replace("\\|", "|").strip() for row in found[1].splitlines()
    ]


def test_the_options_of_build_are_all_there(options):
    listed = {
        option
        for cell in table("compiler/README.md", "options of `build`")
        + table("compiler/README.md", "options of all")
        for option in re.findall(r"--[\w-]+", cell)
    }
    assert listed | {"--output", "--color", "--max-errors", "--help"} == {
        option for option in options["build"] if option[1] == "-"
    }


def test_the_fusions_are_all_there():
    section = read("compiler/README.md").partition("## Fusions")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", section, re.M) == fusions()


def test_the_trainers_options_are_all_there():
    told = run(trainer(MODELS / "cnn.net", "--kernels=reference"), "train", "--help").stdout
    known = set(re.findall(r"(?<!\w)--\w[\w-]*", told))
    listed = {
        option
        for cell in table("runtime/README.md", "options of `train`")
        for option in re.findall(r"--[\w-]+", cell)
    }
    assert listed == known - {"--help", "--version"}
