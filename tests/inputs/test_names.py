"""Names in quotes: with hyphens, as PyTorch has them, and as tensors that arguments mean."""
import json

import pytest

from harness import MODELS, check_text, netc

LOOPS = """block Gate(t) [n] -> [n] {{ mul(t);  linear(n) as back }}
block Outer(t) [n] -> [n] {{ Gate(t) as inner;  concat(t);  linear(n) as out }}
block Sum [n] as left, [n] as right -> [n] {{ add }}
network n {{
    input [8] as x
    repeat 3 as i {{ linear(8) as {name};  relu }}
    Outer({first}) as one
    concat({first}, {second})
    linear(8) as mix
    Sum({second})
    from ({first}, mix);  Sum
    repeat 2 as i {{ Outer({each}) as many }}
    linear(8)
}}
"""


def dumped(text, tmp_path):
    (tmp_path / "n.net").write_text(text)
    return netc("--dump=graph", tmp_path / "n.net").stdout


def test_quoted_arguments_are_the_tensors(tmp_path):
    plain = {"name": "a", "first": "a.0", "second": "a.1", "each": "a.2"}
    quoted = {"name": '"a.{i}"', "first": '"a.{0}"', "second": '"a.{2-1}"', "each": '"a.{i*0+2}"'}
    assert dumped(LOOPS.format(**plain), tmp_path) == dumped(LOOPS.format(**quoted), tmp_path)


def test_one_of_another_name_is_told_where_it_is_used(tmp_path):
    text = 'block U(t) [n] -> [n] { add(t) }\nnetwork n { input [8];  U("nope{1}") as u }\n'
    told = check_text(text, tmp_path).stderr
    assert "no tensor is named nope1 here" in told and "in this use of block U as u" in told


def test_hyphens(tmp_path):
    text = """network n {
    input [8]
    linear(8) as "block1-0.fc"
    relu as "b-{1+1}"
    linear(8, weight="block1-0.fc.weight")
    concat("b-2")
    linear(4) as block1_0.fc
}
"""
    path = tmp_path / "n.net"
    path.write_text(text)
    state = json.loads(netc("summary", "--json", path).stdout)["state"]
    assert [entry["name"] for entry in state][:2] == ["block1-0.fc.weight", "block1-0.fc.bias"]
    emitted = netc("emit", path).stdout
    assert "block1_0_fc_forward(" in emitted and '"block1-0.fc.weight"' in emitted
    assert "<b>block1-0.fc" in netc("graph", path).stdout


@pytest.mark.parametrize("name", ["-a", "a..b", "a.-b", "a b", ".a"])
def test_what_is_no_name(name, tmp_path):
    told = check_text(f'network n {{ input [8];  linear(3) as "{name}" }}\n', tmp_path).stderr
    assert f'"{name}" is no name' in told and "in quotes, hyphens" in told


def test_regnet_has_torchvisions_names():
    state = json.loads(netc("summary", "--json", MODELS / "regnet_y_400mf.net").stdout)["state"]
    names = [entry["name"] for entry in state]
    assert "trunk_output.block2.block2-1.f.se.fc1.bias" in names and len(names) == 384
