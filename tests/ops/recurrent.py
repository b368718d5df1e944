"""The networks of rnn, gru and lstm that are compared with PyTorch."""
import re

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
    "rnn(5, h0=h)",
    "gru(6, num_layers=2, bidirectional=true, h0=h, last=true)",
    "lstm(6, num_layers=2, proj_size=4, bidirectional=true, h0=h, c0=c, last=true)",
]


def rows_before(layer):
    """{name: its sizes} of the tensors that hold what a layer begins with."""
    number = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", layer)}
    rows = number.get("num_layers", 1) * (2 if "bidirectional=true" in layer else 1)
    hidden = int(re.search(r"\d+", layer)[0])
    sizes = {"h": number.get("proj_size", hidden), "c": hidden}
    return {name: (rows, size) for name, size in sizes.items() if f"{name}0=" in layer}


def network(layer):
    before = "".join(
        f"    parameter({list(shape)}, normal) as {name}\n"
        for name, shape in rows_before(layer).items()
    )
    return f"""network n {{
    input [1, 28, 28] as image
{before}    from image
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
