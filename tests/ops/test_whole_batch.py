"""Linear layers so large that they are computed for the whole batch at once:
odd sizes, no bias, a gradient that is added to, batches that end inside a
grain and inside a group of grains."""
import numpy as np
import pytest

from harness import JOINING, QUICK, built, c_program, netc, network_file, rarely, run
from runs import train_steps

TOLERANCE = 1e-9
NETWORK = """network n {
    input [1, 9, 25]
    flatten
    linear(203, bias=false) as first
    relu
    dropout(0.25)
    skip { linear(203) as inner;  relu }
    skip { linear(131) as narrow;  linear(203) as wide }
    linear(129) as last
    hardswish
    linear(10) as fc
}
train {
    data synthetic
    loss cross_entropy
    optimizer sgd(lr=0.05, momentum=0.9, weight_decay=0.001)
    batch 64
    epochs 1
}
"""

# The bits of the logits of 301 images, on as many threads as the first argument says and so many at
# once as the last; with one between them, after an image that is not counted.
INFERENCE = r"""
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const NetModel n_model;
enum { COUNT = 301, IN = 225, OUT = 10 };

int main(int argc, char **argv)
{
    static float pixels[COUNT * IN], logits[COUNT * OUT];
    int64_t threads = atoi(argv[1]), batch = atoi(argv[argc - 1]);
    NetError error;
    NetSession *session = net_open(&n_model, (int)threads, batch, 5, &error);
    if (!session)
        return 1;
    for (int i = 0; i < COUNT * IN; i++)
        pixels[i] = (float)((i * 2654435761u >> 16) % 1000) / 500 - 1;
    if (argc > 3)
        net_predict(session, pixels, 1, logits);
    for (int64_t first = 0; first < COUNT; first += batch) {
        int64_t count = COUNT - first < batch ? COUNT - first : batch;
        net_predict(session, pixels + first * IN, count, logits + first * OUT);
    }
    for (int i = 0; i < COUNT * OUT; i++) {
        unsigned bits;
        memcpy(&bits, logits + i, sizeof bits);
        printf("%08x\n", bits);
    }
    net_close(session);
}
"""


def weights(tmp_path, batch, *options, network=NETWORK, threads=2, more=(), compiler=QUICK):
    return train_steps(
        tmp_path,
        network,
        *options,
        images=1000,
        compiler=compiler,
        more=["--batch", batch, "--threads", threads, *more],
    )


# The first as the optimiser makes it; of the others the question is whether the code has an order
# of its own.
@pytest.mark.parametrize(
    "options, compiler",
    [
        ([], JOINING),
        rarely(["--target=x86-64-v3"], QUICK),
        (["--dtype=f64", "--target=portable"], QUICK),
    ],
)
def test_neither_threads_nor_kept_gradients_matter(options, compiler, tmp_path):
    made = [
        weights(tmp_path, 77, *options, threads=threads, compiler=compiler) for threads in (1, 2, 3)
    ]
    made.append(
        weights(
            tmp_path, 77, *options, compiler=compiler, more=["--save-gradients", tmp_path / "g"]
        )
    )
    assert all(np.array_equal(other[name], made[0][name]) for other in made for name in made[0])


# Rows of 1,601 inputs are transposed in pieces; 301 images in more than one go.
@pytest.mark.parametrize(
    "batch, rows",
    [
        (3, "9, 25"),
        rarely(77, "9, 25"),
        rarely(150, "9, 25"),
        (301, "9, 25"),
        (77, "1, 1601"),
        rarely(301, "1, 1601"),
    ],
)
def test_against_the_reference(batch, rows, tmp_path):
    network, made = NETWORK.replace("9, 25", rows), {}
    for kernels in "reference", "specialised":
        made[kernels] = weights(
            tmp_path, batch, "--dtype=f64", f"--kernels={kernels}", network=network
        )
    for name, expected in made["reference"].items():
        np.testing.assert_allclose(
            made["specialised"][name], expected, TOLERANCE, TOLERANCE, err_msg=name
        )


def linked(network, target, compiler):
    """INFERENCE, with the network compiled for a target."""
    return c_program(
        INFERENCE, "-Wno-error", built(network, "--object", f"--target={target}", compiler=compiler)
    )


@pytest.mark.parametrize("target", ["native", "x86-64-v3"])
def test_an_answer_does_not_depend_on_the_batch_it_is_in(target):
    """Few grains are shared out by output, many by grain; some threads have as many grains as
    others, some do not."""
    program = linked(NETWORK, target, JOINING if target == "native" else QUICK)
    expected = run(program, 1, 16).stdout
    assert len(set(expected.split())) > 1000
    for threads, batch in (1, 301), (2, 301), (3, 301), (2, 250), (2, 240), (2, 120), (3, 37):
        assert run(program, threads, batch).stdout == expected, (threads, batch)


@pytest.mark.parametrize("target", ["native", rarely("x86-64-v3"), rarely("portable")])
def test_an_image_alone_is_answered_alike_in_both_directions(target):
    """Where images come one by one, every other one takes the weights of large layers from the last
    on."""
    network = NETWORK.replace("203", "403")
    program = linked(network, target, QUICK)
    assert "s->backwards" in netc("emit", f"--target={target}", network_file(network)).stdout
    logits = lambda *arguments: np.array(
        [int(line, 16) for line in run(program, *arguments).stdout.split()], "u4"
    )
    alone, once_more = logits(1, 1), logits(1, "after one", 1)
    assert np.array_equal(alone, once_more)
    np.testing.assert_allclose(alone.view("f4"), logits(1, 16).view("f4"), 1e-4, 1e-5)
