"""examples/errors/README.md: what it shows is what is printed.  Its blocks are
followed in order: `net` is the file, `console` commands and what they print,
`diff` what somebody then changes.  `make golden` rewrites what is printed."""
import re
import subprocess

from harness import ROOT, run

README = ROOT / "examples" / "errors" / "README.md"
BLOCK = re.compile(r"^```(net|console|diff)\n(.*?)^```$", re.M | re.S)


def printed(text, folder):
    """The console block again, as its commands print it now."""
    said = ""
    for command in re.findall(r"^\$ netc (.*)$", text, re.M):
        result = run(ROOT / "build" / "netc", *command.split(), cwd=folder, expect=None)
        said += f"$ netc {command}\n{result.stdout}{result.stderr}"
    return said


def test_transcripts(tmp_path, golden):
    commands = []

    def follow(block):
        kind, text = block[1], block[2]
        if kind == "net":
            (tmp_path / "inception.net").write_text(text)
        if kind == "diff":
            subprocess.run(
                ["patch", "-s", "inception.net"], input=text, text=True, cwd=tmp_path, check=True
            )
        if kind == "console":
            commands.append(text)
            text = printed(text, tmp_path)
        return f"```{kind}\n{text}```"

    golden(README, BLOCK.sub(follow, README.read_text()))
    assert len(commands) >= 12
    assert run(ROOT / "build" / "netc", "check", "inception.net", cwd=tmp_path).stderr == ""
