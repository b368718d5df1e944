"""Operators that have kernels of their own for one image.

An image has the same logits alone as among others: with channels that fill no row of lanes,
some, and several with a rest.
"""
import re

import pytest

from harness import JOINING, OF_ALL_TARGETS, QUICK, netc, network_file, rarely
from ops.cases import STATEMENTS, renamed
from ops.one_image import difference

NET = """network alone {
    input [3, 9, 7]
    conv2d(CHANNELS, 3, padding=1)
    layer_norm2d
    relu
    mul {
        branch { conv2d(CHANNELS, 1) }
        branch { adaptive_avg_pool2d(1)
                 conv2d(CHANNELS, 1)
                 sigmoid }
        branch { concat { branch { conv2d(3, 1) }
                          branch { conv2d(REST, 1)
                                   layer_norm2d(affine=false) } } }
    }
    gelu
    layer_norm2d(eps=0.01)
    concat { branch { conv2d(5, 1) }
             branch { layer_norm2d
                      gelu(approximate=tanh) } }
    flatten
    linear(CHANNELS)
    mul { branch { linear(10) }
          branch { linear(10)
                   gelu } }
}
"""


@pytest.mark.parametrize("target", OF_ALL_TARGETS)
@pytest.mark.parametrize("channels", [5, 16, 71, rarely(96)])
def test_one_image_has_the_same_logits(tmp_path, channels, target):
    network = NET.replace("CHANNELS", str(channels)).replace("REST", str(channels - 3))
    # Logits leave as floats.
    for dtype, close, split in ("f64", 1e-6, "none"), ("f32", 3e-5, "all"):
        options = f"--target={target}", f"--split={split}"
        assert difference(tmp_path, network, dtype, *options) < close


WIDE = """network wide {
    input [WIDTH]
    linear(300)
    relu
    linear(200, bias=false)
    linear(128)
    linear(10)
}
"""


@pytest.mark.parametrize("target", ["native", rarely("x86-64-v3"), rarely("portable")])
@pytest.mark.parametrize("width", [331, 784])
def test_threads_share_large_layers_of_one_image(tmp_path, width, target):
    network = WIDE.replace("WIDTH", str(width))
    text = netc("emit", f"--target={target}", network_file(network)).stdout
    assert "net_pieces(team, " in text[text.index("_single(") :]
    for dtype, close, compiler in ("f64", 1e-6, QUICK), ("f32", 3e-5, JOINING):
        options = f"--target={target}"
        assert difference(tmp_path, network, dtype, options, repeats=100, compiler=compiler) < close


@pytest.mark.parametrize(
    "target, dtype, close",
    [
        ("native", "f32", 3e-5),
        rarely("native", "f64", 1e-6),
        rarely("x86-64-v3", "f32", 3e-5),
        rarely("x86-64-v3", "f64", 1e-6),
        rarely("portable", "f64", 1e-6),
    ],
)
def test_statements_of_the_table(tmp_path, target, dtype, close):
    """Alone, each keeps its shape; then on as many channels as fill a vector and some more."""
    statements = "".join(f"    {statement}\n" for statement in STATEMENTS)
    wide = re.sub(r"\(\[?4", lambda found: found[0].replace("4", "36"), statements)
    wide = renamed(wide, "wide_")
    (tmp_path / "table.net").write_text(
        f"network table {{\n    input [4, 10, 9]\n{statements}    conv2d(36, 1)\n{wide}"
        "    conv2d(2, 1)\n    flatten\n    linear(10)\n}\n"
    )
    options = f"--target={target}", "--split=all"
    assert difference(tmp_path, tmp_path / "table.net", dtype, *options) < close
