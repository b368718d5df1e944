"""The network of self_attention and multihead_attention that is compared with PyTorch."""
from harness import drawn_state

SEED, BATCH, STEPS = 2, 13, 4

NETWORK = f"""network n {{
    input [1, 28, 28]
    reshape([28, 28])
    linear(12)              as into
    self_attention(3, causal=true) as own
    slice(0, 9);  linear(7) as narrow
    from own
    multihead_attention(narrow, narrow, heads=2, kdim=7, vdim=7) as cross
    slice(2, 19);  linear(12) as wide
    from cross
    multihead_attention(wide, wide, heads=4, bias=false) as again
    flatten
    linear(10)              as fc
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
    return drawn_state(shapes, SEED)
