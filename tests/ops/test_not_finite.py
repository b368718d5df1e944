"""A weight that is infinite shows in every output that an image's value reaches through it, and in
no other channel.

Where it meets the zeros around an image alone, PyTorch's kernels differ: most multiply, and 0 times
infinity is no number; its depthwise ones in float32 leave the zeros out.  So here, too: tiles
multiply, and what goes along an image's edge leaves them out.
"""
import numpy as np
import pytest

from harness import QUICK, built, link, network_file, run

CHANNELS, SIDE, IMAGES = 2, 6, 3
LAYERS = {  # how many rows and columns of zeros the first weight meets
    "wide": ("conv2d(2, 3, padding=1)", 1, 1),
    "deep": ("conv2d(2, 3, padding=1, groups=2)", 1, 1),
    "long": ("conv2d(2, [1, 5], padding=[0, 2])", 0, 2),
    "apart": ("conv2d(2, 3, padding=2, dilation=2)", 2, 2),
}
TEXT = """\
network padded {
    input [2, 6, 6]
    concat {
%s    }
}
train {
    data      synthetic
    loss      mse
    optimizer sgd(lr=0.1)
    batch     3
    epochs    1
}
""" % "".join(
    f"        branch {{ {layer} as {name} }}\n" for name, (layer, *_) in LAYERS.items()
)
MAIN = """\
#include "runtime.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
extern const NetModel the_model;
enum { IMAGES = 3, SIZE = 2 * 6 * 6, OUT = 4 * SIZE };
static float images[IMAGES * SIZE], answers[IMAGES * OUT];
static void tell(NetSession *session, int images_at_once)
{
    for (int i = 0; i < IMAGES; i += images_at_once)
        net_predict(session, images + i * SIZE, images_at_once, answers + i * OUT);
    for (int i = 0; i < IMAGES * OUT; i++)
        printf("%.9g ", (double)answers[i]);
    printf("\\n");
}
int main(void)
{
    NetError error;
    NetSession *session = net_open(&the_model, 1, IMAGES, 5, &error);
    for (int i = 0; i < IMAGES * SIZE; i++)
        images[i] = (float)(i % 7 + 1) / 7;
    for (int p = -1; p < the_model.parameter_count; p++) {
        const NetParameter *parameter = &the_model.parameters[p < 0 ? 0 : p];
        if (!strstr(parameter->path, ".weight"))
            continue;
        /* the first of its second channel's */
        float *weight = session->weights + parameter->offset + parameter->elements / 2;
        const float was = *weight;
        *weight = p < 0 ? was : INFINITY;
        printf("%s\\n", p < 0 ? "none" : parameter->path);
        for (int at_once = 1; at_once <= IMAGES; at_once += IMAGES - 1) {
            net_weights_changed(session);
            tell(session, at_once);
        }
        *weight = was;
    }
    net_close(session);
    return 0;
}
"""


@pytest.mark.parametrize("fuse", ["all", "none"])
def test_an_infinite_weight(fuse, tmp_path):
    options = ["--fuse=none"] if fuse == "none" else []
    network = built(TEXT, "--object", *options, compiler=QUICK)
    link(MAIN, network_file(TEXT), network, tmp_path / "main", *options)
    lines = run(tmp_path / "main").stdout.splitlines()
    told = {
        lines[i]: np.array([np.array(line.split(), "f4") for line in lines[i + 1 : i + 3]])
        for i in range(0, len(lines), 3)
    }
    shape = (2, IMAGES, len(LAYERS), CHANNELS, SIDE, SIDE)
    usual = told.pop("none").reshape(shape)
    assert np.isfinite(usual).all() and len(told) == len(LAYERS)
    for number, (name, (_, rows, columns)) in enumerate(LAYERS.items()):
        found = told[f"{name}.weight"].reshape(shape)
        its, before = found[:, :, number, 1], usual[:, :, number, 1]
        assert not np.isfinite(its[..., rows:, columns:]).any(), name
        its[..., rows:, columns:] = before[..., rows:, columns:]
        its[np.isnan(its)] = before[np.isnan(its)]
        np.testing.assert_allclose(found, usual, 1e-5, 1e-6, err_msg=name)
