"""How wide a text is in the typefaces that a drawing may be seen in: typeface.c's widths."""
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "compiler" / "report" / "typeface.c"


def read_widths():
    """{(face, bold): [width of ' ', of '!', …]}, in thousandths of an em"""
    rows = [
        [int(number) for number in re.findall(r"\d+", row)]
        for row in re.findall(r"\{([\d,\s]+)\}", SOURCE.read_text())
    ]
    assert [len(row) for row in rows] == [95] * 4
    return {
        ("widest", False): rows[0],
        ("widest", True): rows[1],
        ("usual", False): rows[2],
        ("usual", True): rows[3],
    }


WIDTHS = read_widths()
TIMES = {"widest": 838, "usual": 584}


def is_known(text):
    """Whether all of its characters' widths are known."""
    return all(" " <= character <= "~" or character == "×" for character in text)


def width(text, face, bold=False):
    """In ems."""
    return (
        sum(
            WIDTHS[face, bold][ord(c) - 32]
            if " " <= c <= "~"
            else TIMES[face]
            if c == "×"
            else 1000
            for c in text.replace("\u00a0", " ")
        )
        / 1000
    )
