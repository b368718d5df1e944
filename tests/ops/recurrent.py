"""The networks of rnn, gru and lstm that are compared with PyTorch."""
import numpy as np

from harness import drawn_state

SEED, BATCH, STEPS = 1, 13, 4

COMPARED = [
    "rnn(5, bias=false)",
    "rnn(8, num_layers=2, nonlinearity=relu, bidirectional=true, last=true)",
    "gru(6, num_layers=2, last=true)",
    "gru(5, bias=false, bidirectional=true)",
    "lstm(7, num_layers=2, bidirectional=true, last=true)",
    "lstm(18, bias=false, last=true)",
    "lstm(6, num_layers=2, proj_size=4, bidirectional=true, last=true)",
]


def network(layer):
    return f"""network n {{
    input [1, 28, 28]
    reshape([28, 28])
    {layer} as recurrent
    flatten
    linear(10) as fc
}}
train {{
    data synthetic
    loss cross_entropy
    optimizer sgd(lr=0.1, momentum=0.9)
    batch {BATCH}
    epochs 1
}}
"""


def first_state(shapes):
    """A state that 28 steps of relu leave finite."""
    return {name: np.float32(0.3) * value for name, value in drawn_state(shapes, SEED).items()}
