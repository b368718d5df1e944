"""Networks of whole numbers: texts as data, embedding, a class for each step, and what goes on with
a text.  Against the plain loops, differences of the loss, and NumPy."""
import numpy as np
import pytest

from harness import check_text, read_safetensors, run, trainer

NET = """block Layer(heads) [t, d] -> [t, d] {
    skip { layer_norm;  self_attention(heads, causal=CAUSAL) as attn }
    skip { layer_norm;  linear(2*d) as up;  gelu;  linear(d) as down }
}
network letters {
    input [12] of 20 as tokens
    embedding(24, padding_idx=3) as wte                        -> [12, 24]
    add { branch { }  branch { parameter([12, 24], normal(std=0.02)) as position } }
    Layer(3) as h
    linear(20, weight=wte.weight) as head                      -> [12, 20]
}
train { data DATA;  loss cross_entropy;  optimizer sgd(lr=0.3);  batch 20;  epochs 1 }
"""
TEXT = "abcde fghij klmno pqrs\n" * 80


def network(data="synthetic", causal="true"):
    return NET.replace("CAUSAL", causal).replace("DATA", data)


def weights(tmp_path, name, *options, text=None, more=()):
    path = tmp_path / name
    run(
        trainer(text or network(), *options),
        "train",
        "--max-steps=4",
        "--quiet",
        "--save",
        path,
        *more,
    )
    return read_safetensors(path)


def test_gradients_are_differences_of_the_loss():
    told = run(trainer(network(), "--dtype=f64"), "gradcheck", "--samples=8", "--threads=1").stdout
    assert " 0 wrong" in told and "wte.weight" in told


@pytest.mark.parametrize("dtype, close", [("f64", 1e-12), ("f32", 2e-5)])
def test_kernels_are_the_plain_loops(tmp_path, dtype, close):
    plain = weights(tmp_path, "plain", f"--dtype={dtype}", "--kernels=reference")
    fast = weights(tmp_path, "fast", f"--dtype={dtype}")
    assert fast.keys() == plain.keys() and "h.attn.in_proj_weight" in fast
    for name, values in plain.items():
        assert np.abs(values - fast[name]).max() < close, name


def test_threads_change_no_bit(tmp_path):
    one, two = (weights(tmp_path, f"{n}", more=[f"--threads={n}"]) for n in (1, 3))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_padding_row_begins_as_zeros(tmp_path):
    """Only there: the head that has the same table moves it."""
    first, moved = (weights(tmp_path, f"{lr}", more=[f"--lr={lr}"])["wte.weight"] for lr in (0, 1))
    assert not first[3].any() and first[[0, 2, 4, 19]].any(1).all() and moved[3].any()


@pytest.fixture
def trained(tmp_path):
    (tmp_path / "input.txt").write_text(TEXT)
    text = (
        network('text("input.txt")')
        .replace("of 20", "of 21")
        .replace("(20,", "(21,")
        .replace("sgd(lr=0.3)", "adamw(lr=0.01)")
    )
    program = trainer(text.replace("[12, 20]", "[12, 21]"))
    told = run(program, "train", "--epochs=25", "--save=w", cwd=tmp_path).stdout
    return program, told, tmp_path


def test_a_text_is_learned_and_gone_on_with(trained):
    program, told, folder = trained
    assert "input.txt" in told and float(told.split("test accuracy ")[-1].split()[0]) > 97
    options = "generate", "--weights=w", "--prompt=abc", "--count=40", "--temperature=0"
    written = run(program, *options, cwd=folder).stdout
    assert written == TEXT[:43] + "\n"
    drawn = [
        run(program, *options[:4], "--top-k=5", f"--seed={seed}", cwd=folder).stdout
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] and all(text.startswith("abc") for text in drawn)


def test_a_texts_end_or_another_text_is_judged_by(trained):
    """Of the same characters, which have the numbers that they are trained with."""
    program, _, folder = trained
    (folder / "other.txt").write_text("pqrs\nklmno " * 9)
    (folder / "strange.txt").write_text("abcde fghij Z" * 9)
    words = "train", "--epochs=12"
    part = run(program, *words, "--validation=0.25", cwd=folder).stdout
    assert " 102 training and 34 validation windows" in part and "test" not in part
    assert float(part.split("validation accuracy ")[-1].split()[0]) > 90
    other = run(program, *words, "--validation=other.txt", "--save=v", cwd=folder).stdout
    assert " 8 validation windows" in other
    assert float(other.split("validation accuracy ")[-1].split()[0]) > 60
    told = run(program, *words, "--validation=strange.txt", cwd=folder, expect=1).stderr
    assert "strange.txt: byte 12 begins 'Z', which is none of the 21 characters that the" in told


@pytest.mark.parametrize(
    "options, says",
    [
        (["--prompt=Z"], "begins with none of the 21 characters"),
        (["--prompt="], "goes on with a prompt"),
        ([], "needs --weights F and --prompt"),
    ],
)
def test_a_prompt_that_cannot_be(trained, options, says):
    program, _, folder = trained
    expect = 2 if not options else 1
    told = run(program, "generate", "--weights=w", *options, expect=expect, cwd=folder)
    assert says in told.stderr and told.stdout == ""


def test_who_looks_ahead_cannot_go_on(tmp_path):
    (tmp_path / "input.txt").write_text(TEXT)
    text = network('text("input.txt")', causal="false").replace("of 20", "of 21")
    program = trainer(text.replace("(20,", "(21,").replace("[12, 20]", "[12, 21]"))
    run(program, "train", "--max-steps=2", "--quiet", "--save=w", cwd=tmp_path)
    told = run(program, "generate", "--weights=w", "--prompt=abc", cwd=tmp_path, expect=1)
    assert "looks at what follows" in told.stderr
    info = run(program, "info").stdout
    assert "again for each character, as h.attn.attention looks at other steps" in info


@pytest.mark.parametrize(
    "content, says",
    [
        (b"abc", "too few to train"),
        (b"abc\xff" * 100, "byte 3 begins no character of UTF-8"),
        (bytes(range(32, 126)) * 9, "94 different characters, and the network takes 20"),
        (None, "cannot read input.txt"),
    ],
)
def test_texts_that_cannot_be_read(tmp_path, content, says):
    if content is not None:
        (tmp_path / "input.txt").write_bytes(content)
    program = trainer(network('text("input.txt")'))
    assert says in run(program, "train", "--quiet", cwd=tmp_path, expect=1).stderr


def test_images_are_no_tokens(tmp_path):
    told = check_text(network("mnist"), tmp_path).stderr
    assert "holds whole ones" in told and 'data text("file.txt")' in told


def test_an_embedding_is_a_row_for_each(tmp_path):
    """The loss of a network that is an embedding alone, by NumPy."""
    text = (
        "network rows {\n    input [5] of 7\n    embedding(7) as table\n}\n"
        "train { data synthetic;  loss cross_entropy;  optimizer sgd(lr=0);  batch 8;  epochs 1 }\n"
    )
    program = trainer(text, "--dtype=f64")
    log = tmp_path / "log"
    run(
        program,
        "train",
        "--max-steps=1",
        "--no-shuffle",
        "--quiet",
        f"--log={log}",
        f"--save={tmp_path / 'w'}",
    )
    table = read_safetensors(tmp_path / "w")["table.weight"]
    losses = np.log(np.exp(table).sum(1))[:, None] - table
    loss = float(log.read_text().split('"loss":')[1].split(",")[0].strip(" }\n"))
    assert losses.min() <= loss <= losses.max()
