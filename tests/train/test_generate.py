"""A text goes on the same whether the network keeps what it saw or looks at all of it again."""
import json

import pytest

from harness import run, trainer

# Of every kind of layer that computes one step of a text: of rows by themselves, of the step's own
# parameters, of what is kept.
NET = """function shifted(x, y, by=0.5) = x*sigmoid(by*y) + by

block Layer(heads, groups) [t, d] -> [t, d] {
    skip {
        rms_norm as n1;  linear((heads + 2*groups)*12) as qkv
        attention(heads, kv_heads=groups, causal=true);  linear(d) as out
    }
    skip {
        rms_norm as x
        linear(heads*8) as q_proj;   rotary(heads) as q;                     from x
        linear(groups*8) as k_proj;  rotary(groups, pairs=interleaved) as k; from x
        linear(groups*5) as v
        attention(q, k, v, heads=heads, kv_heads=groups, causal=true, window=9)
        linear(d) as o_proj
    }
    skip { self_attention(heads, causal=true) as itself }
    skip {
        layer_norm as n2
        shifted(by=0.7) {
            branch { linear(2*d) as up;  glu }
            branch { linear(d) as gate;  softmax(axis=-1) }
        }
        dropout(0.1)
    }
}

network steps {
    input [40] of 23 as tokens
    embedding(36) as wte                                                        -> [40, 36]
    add {
        branch { }
        branch { parameter([40, 36], normal(std=0.5)) as position }
        branch { parameter([1, 36], normal) as all }
    }
    Layer(6, 2) as a
    concat(axis=-1) {
        branch { slice(0, 5, axis=1) }
        branch { slice(5, 36, axis=-1);  normalize(dim=1) }
    }
    mul { branch { }  branch { mean(axis=-1, keep=true);  tanh } }
    reshape([40, 4, 9]);  layer_norm(axes=[1, 2]) as planes
    permute([0, -1, 1]);  layer_scale(0.7) as scaled;  transpose(2, 1)          -> [40, 4, 9]
    prelu(40) as slopes;  rrelu;  flatten(start=1)                              -> [40, 36]
    prelu as slope
    add { branch { }  branch { noise([40, 36], normal(0.2, std=0.1)) } }
    lstm(37, num_layers=2, dropout=0.2) as memory
    gru(21) as gated
    skip { layer_norm as n3;  rnn(21, nonlinearity=relu) as plain }
    lstm(30, proj_size=18, bias=false) as projected
    linear(36) as wide
    linear(36) as mix;  tanh
    reuse mix
    linear(23, weight=wte.weight) as head
}
train {
    data text("input.txt");  loss cross_entropy;  optimizer adamw(lr=0.002)
    batch 20;  epochs 1
}
"""
TEXT = "abcde fghij klmno pqrs.\n" * 80  # of 22 characters: one of the numbers is none's


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    (folder / "input.txt").write_text(TEXT)
    program = trainer(NET, "--split=all")
    run(program, *"train --max-steps=4 --quiet --save=w".split(), cwd=folder)
    return program, folder


def test_its_speed_is_measured(trained):
    program, _ = trained
    words = "bench --only generate --steps 1 --json".split()
    told = json.loads(run(program, *words).stdout)["generate_seconds"]
    assert 0 < told["least"] <= told["median"] <= told["most"]
    assert "tokens/s" in run(program, *words[:-1]).stdout


@pytest.mark.parametrize("prompt, count", [("a", 40), ("abc fgh", 40), (TEXT[:50], 5)])
def test_a_text_is_the_same_by_steps_and_by_windows(trained, prompt, count):
    """Also where it grows beyond what the network sees, which is 40 characters."""
    program, folder = trained
    assert "one step for each character" in run(program, "info").stdout
    words = ["generate", "--weights=w", f"--prompt={prompt}", f"--count={count}"]
    for seed in 1, 2:
        texts = {
            run(program, *words, f"--seed={seed}", "--temperature=0.4", *more, cwd=folder).stdout
            for more in (["--threads=1"], ["--threads=3"], ["--threads=2", "--no-cache"])
        }
        assert len(texts) == 1, texts
        text = texts.pop()
        assert text.startswith(prompt) and len(text) == len(prompt) + count + 1
        assert len(set(text)) > 5, text
