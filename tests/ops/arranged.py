"""Uses of operators that work along axes, on shapes of one to four of them: (shape, statements).
NAME is a name of the use's own."""
import functools
import operator

JOINED = [
    ([3, 4, 5], "concat(axis=1) { branch { tanh } branch { slice(1, 3, axis=1) } branch { } }"),
    ([3, 4, 5], "concat(axis=-1) { branch { slice(0, 2, axis=2) } branch { sigmoid } }"),
    ([6, 4], "concat(axis=1) { branch { relu } branch { slice(0, 1, axis=1) } }"),
    ([2, 3, 4, 2], "concat(axis=2) { branch { } branch { slice(0, 1, axis=2) } }"),
    ([5, 4], "concat(axis=0) { branch { slice(0, 1) } branch { tanh } }"),
    ([3, 4, 5], "softmax(axis=1)"),
    ([3, 4, 5], "softmax(axis=-1)"),
    ([7, 6], "softmax(axis=-1)"),
    ([7, 6], "softmin(axis=-1)"),
    ([7, 6], "log_softmax(axis=1)"),
    ([3, 2, 4, 2], "log_softmax(axis=1)"),
    ([3, 2, 4, 2], "softmax"),
]

BROADCAST = [
    ([3, 4, 5], "add { branch { } branch { slice(0, 1) } }"),
    ([3, 4, 5], "mul { branch { slice(0, 1); sigmoid } branch { } }"),
    (
        [3, 4, 5],
        "add { branch { } branch { slice(0, 1, axis=1); slice(0, 1, axis=2) } branch { } }",
    ),
    ([3, 4, 5], "mul { branch { slice(0, 1, axis=1) } branch { slice(1, 2, axis=2) } }"),
    ([6, 5], "add { branch { slice(0, 1, axis=1) } branch { slice(1, 2, axis=0) } }"),
    ([6, 5], "mul { branch { slice(0, 1, axis=0); slice(0, 1, axis=1) } branch { tanh } }"),
    ([2, 3, 4, 2], "mul { branch { slice(0, 1, axis=2) } branch { tanh } branch { slice(0, 1) } }"),
    ([2, 3, 4, 2], "add { branch { slice(0, 1, axis=1); slice(1, 2, axis=3) } branch { } }"),
    ([17, 3, 5], "add { branch { slice(0, 1, axis=1); slice(0, 1, axis=2) } branch { } };  relu"),
]

REDUCED = [
    ([3, 4, 5], "mean"),
    ([3, 4, 5], "mean([1, 2])"),
    ([3, 4, 5], "mean(-1, keep=true)"),
    ([6, 5], "mean([0, -1])"),
    ([2, 3, 4, 2], "sum([0, 2], keep=true)"),
    ([2, 3, 4, 2], "sum([1, 3])"),
    ([12], "sum"),
    ([3, 4, 5], "max"),
    ([3, 4, 5], "max([0, 2])"),
    ([6, 5], "max(axis=1)"),
    ([3, 4, 5], "relu;  max([1, 2], keep=true)"),
    ([2, 3, 4, 2], "max([0, 1, 2, 3])"),
    ([3, 4, 5], "argmax(1)"),
    ([3, 4, 5], "argmax([0, 2], keep=true)"),
]

LINES = [
    ([6, 5], "normalize"),
    ([6, 5], "normalize(dim=-1)"),
    ([3, 4, 5], "normalize(dim=1, eps=0.5)"),
    ([3, 4, 5], "normalize(p=1, dim=2)"),
    ([3, 4, 5], "normalize(p=1)"),
    ([3, 4, 5], "normalize(p=3)"),
    ([2, 3, 4, 2], "normalize(p=1.5, dim=2)"),
    ([3, 4, 5], "cumsum"),
    ([6, 5], "cumsum(axis=1)"),
    ([2, 3, 4, 2], "cumsum(axis=2)"),
]

PRODUCTS = [
    ([6, 5], "matmul { branch { } branch { transpose } }"),
    ([6, 5], "matmul { branch { transpose } branch { tanh } }"),
    ([3, 4, 5], "matmul { branch { tanh } branch { transpose } }"),
    ([4, 9, 7], "matmul { branch { transpose } branch { slice(1, 2) } }"),
    ([4, 3, 7], "matmul { branch { slice(0, 1) } branch { transpose } }"),
    ([2, 3, 4, 2], "matmul { branch { transpose } branch { slice(0, 1); tanh } }"),
    ([2, 3, 4, 2], "matmul { branch { slice(1, 2, axis=1) } branch { slice(0, 1); transpose } }"),
    ([6, 5], "identity as NAMEa;  transpose as NAMEb;  matmul(NAMEa, NAMEb)"),
    ([7], "bilinear(out_features=4) { branch { } branch { slice(0, 3) } } as NAME"),
    ([3, 5], "bilinear(out_features=6, bias=false) { branch { tanh } branch { } } as NAME"),
    ([2, 3, 4], "transpose;  bilinear(out_features=2) { branch { } branch { tanh } } as NAME"),
]

ATTENTIONS = [
    # three tensors, of other lengths and widths; a mask that is trained, one that is not
    (
        [7, 9],
        "linear(8) as NAMEq;  slice(0, 5);  linear(4) as NAMEk;  linear(6) as NAMEv;  "
        "parameter([4, 7, 5], normal(std=0.5)) as NAMEm;  constant([1, 5], 0.3) as NAMEc;  "
        "attention(NAMEq, NAMEk, NAMEv, heads=4, kv_heads=2, causal=true, mask=[NAMEm, NAMEc], "
        "dropout=0.3)",
    ),
    # more keys than queries, which the current tensor is; one tensor that is two of them
    (
        [19, 4],
        "linear(6) as NAMEk;  slice(2, 5);  linear(6) as NAMEq;  "
        "attention(NAMEk, NAMEk, heads=2, scale=0.7, causal=true)",
    ),
    # a batch of windows: of masks, one for each head and one for each window, of a sum
    (
        [3, 18, 4],
        "linear(12) as NAMEx;  parameter([2, 18, 1], normal(std=0.5)) as NAMEh;  "
        "parameter([3, 1, 18, 18], normal(std=0.5)) as NAMEw;  from NAMEx;  "
        "attention(2, mask=[NAMEh, NAMEw], window=4, dropout=0.2)",
    ),
    # windows of queries that share keys' heads; the mask is made of the image
    (
        [2, 3, 4],
        "linear(4) as NAMEq;  slice(0, 2, axis=1);  linear(2) as NAMEk;  linear(3) as NAMEv;  "
        "linear(2) as NAMEm;  reshape([2, 1, 1, 4]);  slice(0, 2, axis=-1) as NAMEs;  "
        "attention(NAMEq, NAMEk, NAMEv, heads=2, kv_heads=1, mask=NAMEs)",
    ),
    ([40, 3], "linear(9) as NAMEx;  attention(1, window=6, causal=true)"),
    ([5, 12], "rotary(3)"),
    ([2, 4, 9], "rotary(2, pairs=interleaved, head_width=4, rotated=2, base=100)"),
]

MOVED = [
    ([6, 4, 5], "channel_shuffle(3)"),
    ([6, 5], "channel_shuffle(2)"),
    ([12, 2, 3], "pixel_shuffle(2)"),
    ([9, 2, 1], "pixel_shuffle(3)"),
    ([2, 4, 6], "pixel_unshuffle(2)"),
    ([3, 4, 5], "roll(2)"),
    ([3, 4, 5], "roll(-1, dims=1)"),
    ([3, 4, 5], "roll([2, -7], dims=[-1, 0])"),
    ([2, 3, 4, 2], "roll([1, 2, 1], dims=[0, 2, 3])"),
    ([6, 5], "flip([0, 1])"),
    ([3, 4, 5], "flip(-1)"),
    ([2, 3, 4, 2], "flip([1, 3])"),
]

PADDED = [
    ([12], "pad([2, 3])"),
    ([12], "pad([2, 3], mode=reflect)"),
    ([6, 5], "pad([0, 0, 1, 2], value=1.5)"),
    ([6, 5], "pad([-1, 2, 1, -2], value=-1)"),
    ([3, 4, 5], "pad([0, 0, 0, 0, 2, 1])"),
    ([3, 4, 5], "pad([4, 2, 1, 3], mode=reflect)"),
    ([3, 4, 5], "pad([2, -1, -1, 3, 2, 1], mode=reflect)"),
    ([3, 4, 5], "pad([7, -2, -1, 3], mode=replicate)"),
    ([3, 4, 5], "pad([5, 3, 1, 4, 2, 3], mode=circular)"),
    ([3, 4, 5], "pad([3, -1, -2, 2], mode=circular)"),
    ([2, 3, 4, 2], "pad([1, 0, 2, 1, 1, 2, 0, 1], mode=replicate)"),
    ([2, 3, 4, 2], "pad([1, -1, 2, 1, -1, 2, 1, 0])"),
    ([6, 5], "zero_pad1d([3, -1])"),
    ([2, 3, 4, 2], "zero_pad3d(2)"),
    ([6, 5], "constant_pad1d(1, 0.5)"),
    ([3, 4, 5], "constant_pad2d([1, 2, -1, 3], value=2)"),
    ([2, 3, 4, 2], "constant_pad3d([1, 0, 0, 1, 2, -2], -1)"),
    ([6, 5], "reflection_pad1d(4)"),
    ([3, 4, 5], "reflection_pad2d([1, 4, 0, 3])"),
    ([2, 3, 4, 2], "reflection_pad3d(1)"),
    ([6, 5], "replication_pad1d([0, 6])"),
    ([3, 4, 5], "replication_pad2d(2)"),
    ([2, 3, 4, 2], "replication_pad3d([1, 0, 0, 1, 2, 2])"),
    ([6, 5], "circular_pad1d([5, 2])"),
    ([3, 4, 5], "circular_pad2d(3)"),
    ([2, 3, 4, 2], "circular_pad3d([2, 1, 0, 1, 3, 2])"),
]

RESIZED = [
    ([3, 4, 5], "upsample(2)"),
    ([3, 4, 5], "upsample([1.5, 2.3])"),
    ([3, 4, 5], "upsample(size=[7, 3])"),
    ([6, 5], "upsample(2.5)"),
    ([2, 3, 4, 2], "upsample([2, 1, 3])"),
    ([3, 4, 5], 'upsample(size=[7, 6], mode="nearest-exact")'),
    ([6, 5], "upsample(2, mode=linear)"),
    ([6, 5], "upsample(size=3, mode=linear, align_corners=true)"),
    ([3, 4, 5], "upsample(2, mode=bilinear)"),
    ([3, 4, 5], "upsample(2, mode=bilinear, align_corners=true)"),
    ([3, 4, 5], "upsample([0.6, 1.7], mode=bilinear)"),
    ([3, 4, 5], "upsample(size=[1, 9], mode=bilinear, align_corners=true)"),
    ([3, 4, 5], "upsample(2, mode=bicubic)"),
    ([3, 4, 5], "upsample(size=[7, 2], mode=bicubic, align_corners=true)"),
    ([3, 4, 5], "upsample([1.3, 0.5], mode=bicubic)"),
    ([2, 3, 4, 2], "upsample(2, mode=trilinear)"),
    ([2, 3, 4, 2], "upsample(size=[2, 5, 3], mode=trilinear, align_corners=true)"),
]


def sampled(grid, arguments):
    """At places that lie outside, too."""
    values = functools.reduce(operator.mul, grid)
    layers = f"flatten;  linear({values}) as NAMEg;  mul(NAMEg);  reshape({grid})"
    return f"grid_sample({arguments}) {{ branch {{ }} branch {{ {layers} }} }}"


SAMPLED = [
    ([3, 4, 5], sampled([3, 6, 2], "mode=bilinear, padding_mode=zeros, align_corners=false")),
    ([3, 4, 5], sampled([3, 6, 2], "mode=bilinear, padding_mode=border, align_corners=true")),
    ([3, 4, 5], sampled([2, 3, 2], "mode=bilinear, padding_mode=reflection, align_corners=false")),
    ([3, 4, 5], sampled([2, 3, 2], "mode=nearest, padding_mode=zeros, align_corners=true")),
    ([3, 4, 5], sampled([2, 3, 2], "mode=bicubic, padding_mode=zeros, align_corners=false")),
    ([3, 4, 5], sampled([2, 3, 2], "mode=bicubic, padding_mode=reflection, align_corners=true")),
    ([3, 4, 5], sampled([2, 3, 2], "mode=bicubic, padding_mode=border, align_corners=false")),
    ([2, 3, 4, 2], sampled([2, 3, 1, 3], "mode=bilinear, padding_mode=zeros, align_corners=false")),
    (
        [2, 3, 4, 2],
        sampled([2, 3, 1, 3], "mode=nearest, padding_mode=reflection, align_corners=true"),
    ),
    (
        [3, 4, 5],
        "slice(0, 2);  flatten;  slice(0, 6);  reshape([2, 3]);  affine_grid([4, 3])",
    ),
    ([2, 3], "affine_grid([2, 3], align_corners=true)"),
    ([3, 4], "affine_grid([2, 3, 2])"),
]

FUNCTIONS = [
    ([3, 4, 5], "highway { branch { slice(0, 1);  sigmoid } branch { } branch { tanh } }"),
    ([3, 4, 5], "highway { branch { mean([1, 2], keep=true) } branch { } branch { slice(0, 1) } }"),
    ([6, 5], "highway { branch { mean(1, keep=true) } branch { mean(0, keep=true) } branch { } }"),
    ([2, 3, 4, 2], "highway { branch { } branch { mean([0, 2], keep=true) } branch { tanh } }"),
]

TRAIN = """
train {
    data synthetic
    loss cross_entropy
    optimizer sgd(lr=0.05, momentum=0.9)
    batch 13
    epochs 1
}
"""


def network(uses):
    """Each use stands between two matrix products, so that its gradient goes on; and in a skip, so
    that it is added to another."""
    branches = ""
    for i, (shape, statements) in enumerate(uses):
        values = 1
        for size in shape:
            values *= size
        first, again = (statements.replace("NAME", name) for name in (f"first{i}", f"again{i}"))
        branches += f"""        branch {{
            linear({values}) as into{i}
            reshape({shape})
            concat {{
                branch {{ {first};  flatten }}
                branch {{ tanh;  {again};  flatten }}
                branch {{ flatten }}
            }}
            linear(10) as out{i}
        }}
"""
    return f"""function highway(t, h, x) = t*h + (1 - t)*x

network arranged {{
    input [1, 28, 28]
    avg_pool2d(4)
    flatten
    add {{
{branches}        branch {{ linear(10) as beside }}
    }}
}}
{TRAIN}"""
