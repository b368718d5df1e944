"""Linear layers so large that they are computed for the whole batch at once:
odd sizes, no bias, a gradient that is added to, batches that end inside a
grain and inside a group of grains."""
import numpy as np
import pytest

from harness import read_safetensors, run, trainer

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
    batch %d
    epochs 1
}
"""


def weights(tmp_path, batch, *options, threads=2, more=()):
    made = tmp_path / "w.safetensors"
    run(trainer(NETWORK % batch, *options), "train", "--quiet", "--max-steps", 3, "--threads", threads, "--save", made, *more)
    return made.read_bytes()


@pytest.mark.parametrize("options", [[], ["--target=x86-64-v3"], ["--dtype=f64", "--target=portable"]], ids=" ".join)
def test_neither_threads_nor_kept_gradients_matter(options, tmp_path):
    expected = weights(tmp_path, 77, *options, threads=1)
    for threads in 2, 3:
        assert weights(tmp_path, 77, *options, threads=threads) == expected
    assert weights(tmp_path, 77, *options, more=["--save-gradients", tmp_path / "g"]) == expected


@pytest.mark.parametrize("batch", [3, 77, 150])
def test_against_the_reference(batch, tmp_path):
    made = {}
    for kernels in "reference", "specialised":
        weights(tmp_path, batch, "--dtype=f64", f"--kernels={kernels}")
        made[kernels] = read_safetensors(tmp_path / "w.safetensors")
    for name, expected in made["reference"].items():
        np.testing.assert_allclose(made["specialised"][name], expected, TOLERANCE, TOLERANCE, err_msg=name)
