"""Operators whose kernels for one image are their own: a lone image's logits are
those it has among others, with channels that fill no row of lanes, some, and
several with a rest."""
import pytest

from ops.lone import difference

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


@pytest.mark.parametrize("target", ["native", "x86-64-v3", "portable"])
@pytest.mark.parametrize("channels", [5, 16, 71, 96])
def test_a_lone_image_has_the_same_logits(tmp_path, channels, target):
    (tmp_path / "alone.net").write_text(NET.replace("CHANNELS", str(channels)).replace("REST", str(channels - 3)))
    for dtype, close in ("f64", 1e-6), ("f32", 3e-5):   # logits leave as floats
        assert difference(tmp_path, tmp_path / "alone.net", "alone", dtype, f"--target={target}") < close
