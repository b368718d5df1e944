"""Programs of any size, one family per way in which a file can grow.

Each takes n and gives a text whose expanded network is about n layers, or whose file has
about n lines.
"""

HEAD = "network n {\n    input [1, 28, 28]\n"
TAIL = "}\n"
TRAIN = """\
    flatten
    linear(10)
}
train {
    data mnist
    loss cross_entropy
    optimizer sgd(lr=0.1)
    batch 64
    epochs 1
}
"""


def network(lines, tail=TAIL):
    return HEAD + "".join(f"    {line}\n" for line in lines) + tail


def chain(n):
    return network(["relu"] * n)


def convolutions(n):
    return network(["conv2d(2, 1)"] * n)


def repeat(n):
    return network([f"repeat {n} {{ relu }}"])


def broken_repeat(n):
    """What a broken block makes unknown, n times; every help that is tried walks them all."""
    return "block One { relu\n" + network(
        [f"repeat {n // 4} {{ conv2d(1, 1)", "One", "neaky_relu", "One }"]
    )


def nested_repeats(n):
    return network([f"repeat {n // 4} {{ repeat 2 {{ skip {{ conv2d(1, 1) }} }} }}"])


def blocks(n):
    return "".join(f"block B{i} [c, h, w] {{ relu }}\n" for i in range(n)) + network(
        [f"B{i}" for i in range(n)]
    )


def unused_blocks(n):
    return "".join(f"block B{i} [c, h, w] {{ relu }}\n" for i in range(n)) + network(["relu"])


def block_chain(n):
    return (
        "block B0 [c, h, w] { relu }\n"
        + "".join(f"block B{i} [c, h, w] {{ B{i - 1} }}\n" for i in range(1, n))
        + network(["B30"])
    )


def lets(n):
    return network(["let a0 = 1", *(f"let a{i} = a{i - 1} + 1" for i in range(1, n)), "relu"])


def unused_lets(n):
    return network([*(f"let a{i} = 1" for i in range(n)), "relu"])


def list_of_numbers(n):
    numbers = ", ".join(str(i + 1) for i in range(n))
    return network(
        [f"let a = [{numbers}]", f"repeat {n} as i {{ conv2d(1 if a[i] > 0 else 2, 1) }}"]
    )


def parameters(n):
    return f"block B({', '.join(f'p{i}=1' for i in range(n))}) [c, h, w] {{ relu }}\n" + network(
        ["B"]
    )


def branches(n):
    body = "concat {" + " branch { conv2d(1, 1) }" * 100 + " }"
    return network([body, "conv2d(1, 1)"] * (n // 100))


def dense(n):
    return network([f"dense {n // 2} {{ conv2d(1, 1) }}"])


def skips(n):
    return network(["skip { conv2d(1, 1); relu }"] * (n // 3))


def named(n):
    return network(f"relu as r{i}" for i in range(n))


def long_names(n):
    return network(f"relu as {'x' * 200}{i}" for i in range(n))


def comments(n):
    return "# a comment that says little\n" * n + network(["relu"])


def ifs(n):
    return network(f"if {i} > 3 {{ relu }}" for i in range(n))


def unknown_arguments(n):
    return network(f"conv2d(3, 3, nothing{i}=2)" for i in range(n))


def unknown_operators(n):
    return network(f"rel{i}u" for i in range(n))


def syntax_errors(n):
    return network(["conv2d(3,,3)"] * n)


def shape_faults(n):
    return network(["conv2d(3, 3, padding=1) -> [3, 27, 28]"] * n)


def fault_in_loop(n):
    return network([f"repeat {n} {{ conv2d(8, 3, padding=1) -> [8, 27, 28] }}"])


def settings(n):
    return network(
        ["relu"], TRAIN[:-2] + "".join(f"    freeze linear_1.w{i}\n" for i in range(n)) + "}\n"
    )


def trained(n):
    return network(["conv2d(2, 3, padding=1)", "batch_norm2d", "relu"] * (n // 3), TRAIN)


def trained_dense(n):
    return network([f"dense {n // 4} {{ batch_norm2d; relu; conv2d(1, 1) }}"], TRAIN)


def trained_linear(n):
    return network(["flatten"] + ["linear(16)", "relu"] * (n // 2), TRAIN)


def trained_pools(n):
    return network(
        [
            f"repeat {n // 2} {{ relu }}",
            f"repeat {n // 2} {{ max_pool2d(3, stride=1, padding=1) }}",
        ],
        TRAIN,
    )


FAULTS = [
    unknown_arguments,
    unknown_operators,
    syntax_errors,
    shape_faults,
    fault_in_loop,
    broken_repeat,
]
WRITTEN = [
    chain,
    repeat,
    nested_repeats,
    blocks,
    unused_blocks,
    block_chain,
    lets,
    unused_lets,
    list_of_numbers,
    parameters,
    named,
    long_names,
    comments,
    ifs,
    settings,
]
EXPANDED = [
    chain,
    convolutions,
    repeat,
    nested_repeats,
    branches,
    dense,
    skips,
    trained,
    trained_dense,
    trained_linear,
    trained_pools,
]
FAMILIES = {family.__name__: family for family in dict.fromkeys(WRITTEN + EXPANDED + FAULTS)}
