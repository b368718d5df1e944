"""Blocks that take and give several tensors: the same graph as one that is written out, whatever
way the tensors are handed over, and what the formatter and an editor say of them."""
import re
from pathlib import Path

import pytest

from harness import check_text, netc
from serve.client import Client, position_of

NET = Path(__file__).resolve().parent / "rir.net"


def written_out():
    """rir.net without its block: layers by the paths that they have there."""
    lines = ["conv2d(4, 3, padding=1) as stem"]
    residual, transient = "stem", "stem"
    for path, c in ("stage.0", 4), ("stage.1", 4), ("last", 6):
        branches = [
            f"branch {{ from {residual};  conv2d({c}, 1) as {path}.shortcut }}",
            f"branch {{ from {residual};  conv2d({c}, 3, padding=1) as {path}.rr }}",
            f"branch {{ from {transient};  conv2d({c}, 3, padding=1) as {path}.tr }}",
        ]
        lines += [f"add {{ {' '.join(branches)} }} as {path}.add_1", f"relu as {path}.r"]
        branches = [
            f"branch {{ from {residual};  conv2d({c}, 3, padding=1) as {path}.rt }}",
            f"branch {{ from {transient};  conv2d({c}, 3, padding=1) as {path}.tt }}",
        ]
        lines += [f"add {{ {' '.join(branches)} }} as {path}.add_2", f"relu as {path}.t"]
        residual, transient = f"{path}.r", f"{path}.t"
    lines += ["from last.r;  concat(last.t)", "flatten", "linear(10) as fc"]
    body = "".join(f"    {line}\n" for line in lines)
    return f"network rir {{\n    input [3, 8, 8]\n{body}}}\n"


def dumped(text, tmp_path):
    (tmp_path / "n.net").write_text(text)
    return netc("--dump=graph", tmp_path / "n.net").stdout


def test_the_same_as_written_out(tmp_path):
    assert netc("check", NET).stderr == ""
    assert netc("--dump=graph", NET).stdout == dumped(written_out(), tmp_path)


@pytest.mark.parametrize(
    "before, use",
    [
        ("", "from (x, y);  Two(3)"),
        ("", "from x;  Two(3, y)"),
        ("", "Two(3, x, y)"),
        ("", "Two(x, y, 3)"),
        ("", "Two(c=3, right=y, left=x)"),
        ("from x", "Two(3, right=y)"),
        ("from y", "Two(3, left=x)"),
        ("", 'Two(3, "x", "y")'),
        ("", "Two(3) { branch { from x }  branch { from y } }"),
        ("", "Pass(x, y);  Two(3)"),
    ],
)
def test_every_way_of_handing_them_over(before, use, tmp_path):
    text = """block Two(c) [n] as left, [m] as right -> [c], [m] {{
    from left;  linear(c) as a
    from right;  linear(m) as b
    from (a, b)
}}
block Pass [_], [_] -> [_], [_] {{ }}
network n {{
    input [8] as x
    linear(5) as y
    {}
    {} as two (one, other)
    mul {{ branch {{ from one;  linear(2) as c }}  branch {{ from other;  linear(2) as d }} }}
}}
"""
    assert dumped(text.format(before, use), tmp_path) == dumped(
        text.format("", "from (x, y);  Two(3)"), tmp_path
    )


def test_used_again_and_named_in_a_loop(tmp_path):
    told = dumped(
        """block Two [n], [n] -> [n], [n] {
    concat
    linear(n) as a
    linear(n) as b
    from (a, b)
}
network n {
    input [8] as x
    from (x, x)
    repeat 2 { Two as two (a, b) }
    from a.0;  concat(b.1);  linear(8) as y
    from (x, y)
    reuse two.0 as again
    add
}
""",
        tmp_path,
    )
    assert "concat of two.0.a, two.1.b -> concat_1 [16]" in told
    assert re.search(r"linear\(out_features=8\) of again.concat_1 -> again.a", told)
    assert told.count("two.0.a.weight") == 2 and "again.a.weight" not in told
    assert "add of again.a, again.b -> add_1 [8]" in told


def test_where_the_chain_gives_all_tensors_are_arguments(tmp_path):
    text = """block Two(other) [n] as left, [n] as right -> [n], [n] {
    from left;  add(other) as a
    from right;  mul(other) as b
    from (a, b)
}
network n {
    input [8] as x
    linear(8) as y
    from (x, y)
    Two(USE) as two
    add
}
"""
    told = [dumped(text.replace("USE", use), tmp_path) for use in ("x", "other=x")]
    assert told[0] == told[1] and "mul of y, input -> two.b" in told[0]
    assert dumped(text.replace("USE", "x, y, other=x"), tmp_path) == told[0]


def test_layout(tmp_path):
    path = tmp_path / "rir.net"
    path.write_text(NET.read_text())
    netc("fmt", "--check", path)
    netc("fmt", "--annotate", path)
    noted = path.read_text()
    assert re.search(r"from \(r, t\) +-> \[c, 8, 8\], \[c, 8, 8\] +#=", noted)
    assert re.search(r"from \(stem, stem\) +-> \[4, 8, 8\], \[4, 8, 8\] +#=", noted)
    netc("fmt", "--strip", path)
    assert path.read_text() == NET.read_text()


def test_words_of_the_language_are_names_there(tmp_path):
    text = """block Two [n] as input, [n] as skip -> [n], [n] { from (skip, input) }
network n {
    input [8] as x
    Two(x, x) as output (input, let)
    from (let, input)
    add
    linear(3)
}
"""
    check_text(text, tmp_path, expect=0)


def test_an_editor_knows_them():
    text, uri = NET.read_text(), NET.as_uri()
    with Client() as client:
        client.open(uri, text)
        assert client.wait_diagnostics(uri) == []

        def hover(word, nth=0):
            told = client.at("hover", uri, *position_of(text, word, nth))
            return told["contents"]["value"]

        assert "[3, 8, 8] → " not in hover("RiR(6)")
        assert "[4, 8, 8], [4, 8, 8] → [6, 8, 8], [6, 8, 8]" in hover("RiR(6)")
        assert "**transient**: an input of block RiR" in hover("transient")
        assert "what `RiR` on line 22 gives" in hover("right)", 1)
        places = client.at(
            "references",
            uri,
            *position_of(text, "transient"),
            context={"includeDeclaration": True},
        )
        assert len(places) == 3
        edit = client.at("rename", uri, *position_of(text, "right"), newName="second")
        (edits,) = edit["changes"].values()
        assert len(edits) == 2

        pair = NET.with_name("pair.net")
        text, uri = pair.read_text(), pair.as_uri()
        client.open(uri, text)
        assert client.wait_diagnostics(uri) == []
        once = [hover("pair {"), hover("conv2d")]
        assert once == [hover("pair {"), hover("conv2d")]
        assert "left [2, 5, 6], right [2, 5, 6], words [7], numbers [3] → [5]" in once[0]
