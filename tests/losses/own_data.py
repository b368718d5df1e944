"""What test_own.py and make_fixtures.py share: the examples and the initial weights."""
import numpy as np

from harness import drawn_state

BATCH, STEPS = 10, 4
SHAPES = {
    "fc1.weight": (12, 6),
    "fc1.bias": (12,),
    "grid.weight": (15, 12),
    "grid.bias": (15,),
    "fc2.weight": (7, 12),
    "fc2.bias": (7,),
}


def arrays():
    """The training examples, in their order."""
    random = np.random.RandomState(5)
    count = BATCH * STEPS
    return {
        "x": random.normal(size=(count, 6)).astype("f4"),
        "box": (2 * random.normal(size=(count, 4))).astype("f4"),
        "label": random.randint(0, 3, count),
        "y": random.normal(size=(count, 3, 5)).astype("f4"),
        "size": random.normal(size=count).astype("f4"),
    }


def initial_state():
    return drawn_state(SHAPES, 2)
