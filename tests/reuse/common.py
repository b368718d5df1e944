"""What test_reuse.py and make_fixtures.py share: the images and the initial weights."""
import gzip
from pathlib import Path

import numpy as np

from harness import drawn_state

DATA = Path(__file__).resolve().parent.parent / "parity" / "data"
BATCH, STEPS, SEED = 32, 4, 1


def images_and_labels():
    """[count, 1, 28, 28] bytes and [count] classes, as many as the steps take."""
    count = BATCH * STEPS
    read = [
        np.frombuffer(gzip.open(DATA / f"train-{name}-ubyte.gz").read(), np.uint8)
        for name in ("images-idx3", "labels-idx1")
    ]
    return read[0][16:][: count * 784].reshape(count, 1, 28, 28), read[1][8:][:count]


def initial_state(shapes):
    """drawn_state, where two names of one tensor are equal."""
    state = drawn_state(shapes, SEED)
    if "lm_head.weight" in state:
        state["lm_head.weight"] = state["mix.weight"]
    return state
