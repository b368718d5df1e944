"""Uses of operators that work along axes, on shapes of one to four of them: (shape, statements)."""

JOINED = [
    ([3, 4, 5], "concat(axis=1) { branch { tanh } branch { slice(1, 3, axis=1) } branch { } }"),
    ([3, 4, 5], "concat(axis=-1) { branch { slice(0, 2, axis=2) } branch { sigmoid } }"),
    ([6, 4], "concat(axis=1) { branch { relu } branch { slice(0, 1, axis=1) } }"),
    ([2, 3, 4, 2], "concat(axis=2) { branch { } branch { slice(0, 1, axis=2) } }"),
    ([5, 4], "concat(axis=0) { branch { slice(0, 1) } branch { tanh } }"),
    ([3, 4, 5], "softmax(axis=1)"),
    ([3, 4, 5], "softmax(axis=-1)"),
    ([7, 6], "softmax(axis=-1)"),
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
        again = statements.replace(" as ", " as again_")
        branches += f"""        branch {{
            linear({values}) as into{i}
            reshape({shape})
            concat {{
                branch {{ {statements};  flatten }}
                branch {{ tanh;  {again};  flatten }}
                branch {{ flatten }}
            }}
            linear(10) as out{i}
        }}
"""
    return f"""network arranged {{
    input [1, 28, 28]
    avg_pool2d(4)
    flatten
    add {{
{branches}        branch {{ linear(10) as beside }}
    }}
}}
{TRAIN}"""
