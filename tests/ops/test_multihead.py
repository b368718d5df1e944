"""self_attention and multihead_attention against PyTorch's MultiheadAttention, in
multihead.safetensors, which make_multihead.py writes; and one of a block that is used again."""
from pathlib import Path

import numpy as np

from harness import read_safetensors, run, trainer, write_safetensors
from ops import multihead
from ops.test_emission import TRAIN, same_both_ways

HERE = Path(__file__).resolve().parent
PYTORCH = read_safetensors(HERE / "multihead.safetensors")
TOLERANCE = 1e-10  # of weights, after a few steps in float64


def test_trains_as_pytorch(tmp_path):
    first, saved = tmp_path / "first", tmp_path / "saved"
    shapes = {name: tensor.shape for name, tensor in PYTORCH.items()}
    write_safetensors(first, multihead.first_state(shapes))
    run(
        trainer(multihead.NETWORK, "--dtype=f64"),
        *"train --no-shuffle --quiet --threads 2".split(),
        *["--data", HERE.parent / "parity" / "data", "--init", first],
        *["--max-steps", multihead.STEPS, "--save", saved],
    )
    trained = read_safetensors(saved)
    assert list(trained) == list(PYTORCH)
    for name, tensor in PYTORCH.items():
        np.testing.assert_allclose(trained[name], tensor, TOLERANCE, TOLERANCE, err_msg=name)


AGAIN = (
    """block Cross [t, d] -> [t, d] {
    slice(1, 4) as memory
    from memory;  linear(d) as q
    multihead_attention(q, memory, memory, heads=2, dropout=0.2) as attn
    pad([0, 0, 0, t - 3])
}
network n {
    input [1, 28, 28]
    avg_pool2d(4)
    flatten(1)
    transpose
    linear(6) as into
    parameter([1, 49], normal(std=0.5)) as bias
    from into
    self_attention(3, mask=bias, dropout=0.3) as own
    skip { Cross as cross }
    skip { reuse cross }
    flatten
    linear(10) as fc
}
"""
    + TRAIN % "cross_entropy"
)


def test_a_block_used_again_lends_its_rows_twice(tmp_path):
    same_both_ways(AGAIN, tmp_path)
    told = run(
        trainer(AGAIN, "--dtype=f64", "--split=all"), "gradcheck", "--samples=4", "--random-init"
    ).stdout
    assert " 0 wrong " in told and "cross.attn.in_proj_weight" in told
