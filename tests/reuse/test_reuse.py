"""Layers that are used again, tied parameters and tensors of their own, against PyTorch: the
fixtures hold four steps in float64 (make_fixtures.py says how).  Then what files of tied
parameters may be, and that threads and kernels change nothing."""
import json
import re
from pathlib import Path

import numpy as np
import pytest

from harness import (
    QUICK,
    netc,
    rarely,
    read_log,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from reuse.common import DATA, STEPS, initial_state

HERE = Path(__file__).resolve().parent
NETWORKS = ["siamese", "tied"]
TOLERANCE = 1e-9


def state_shapes(network):
    told = json.loads(netc("summary", "--json", HERE / f"{network}.net").stdout)
    return {entry["name"]: tuple(entry["shape"]) for entry in told["state"]}


def initial_weights(network, folder):
    path = folder / "initial.safetensors"
    write_safetensors(path, initial_state(state_shapes(network)))
    return path


def train(network, folder, *words, options=(), threads=1):
    program = trainer(HERE / f"{network}.net", "--dtype=f64", *options, compiler=QUICK)
    run(
        program,
        *"train --no-shuffle --epochs 1 --quiet --data".split(),
        DATA,
        "--init",
        initial_weights(network, folder),
        "--threads",
        threads,
        *words,
    )


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
@pytest.mark.parametrize("network", NETWORKS)
def test_four_steps(network, kernels, tmp_path):
    options = [f"--kernels={kernels}"]
    wanted = read_safetensors(HERE / f"{network}.safetensors")
    train(
        network,
        tmp_path,
        *["--max-steps", STEPS, "--save", tmp_path / "w", "--log", tmp_path / "log"],
        options=options,
    )
    losses = [event["loss"] for event in read_log(tmp_path / "log") if event["event"] == "step"]
    np.testing.assert_allclose(losses, wanted["losses"], TOLERANCE)
    saved = read_safetensors(tmp_path / "w")
    final = {name[6:]: array for name, array in wanted.items() if name.startswith("final.")}
    assert set(saved) == set(final)
    for name, array in final.items():
        np.testing.assert_allclose(saved[name], array, TOLERANCE, TOLERANCE, err_msg=name)
    train(
        network,
        tmp_path,
        *["--max-steps", 1, "--save-gradients", tmp_path / "g"],
        options=options,
    )
    gradients = read_safetensors(tmp_path / "g")
    assert {f"gradient.{name}" for name in gradients} == {
        name for name in wanted if name.startswith("gradient.")
    }
    for name, array in gradients.items():
        np.testing.assert_allclose(
            array, wanted[f"gradient.{name}"], TOLERANCE, TOLERANCE, err_msg=name
        )


@pytest.mark.parametrize("network", [NETWORKS[0], *map(rarely, NETWORKS[1:])])
def test_the_same_bits_for_any_number_of_threads(network, tmp_path):
    states = []
    for threads in 1, 3, 5:
        words = ["--max-steps", STEPS, "--save", tmp_path / "w"]
        train(network, tmp_path, *words, options=["--split=all"], threads=threads)
        states.append((tmp_path / "w").read_bytes())
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_are_finite_differences(network):
    program = trainer(HERE / f"{network}.net", "--dtype=f64", compiler=QUICK)
    told = run(program, *"gradcheck --random-init --samples 6 --set batch=5".split()).stdout
    assert " 0 wrong" in told


TOKENS = """network gpt {
    input [16] of 11 as tokens
    embedding(12) as wte
    add { branch { }  branch { parameter([16, 12], normal(std=0.02)) as wpe.weight } }
    skip { self_attention(3) as sa }
    reuse sa
    linear(11, bias=false, weight=wte.weight) as lm_head
}
train {
    data text("input.txt");  loss cross_entropy;  optimizer adamw(lr=1e-3)
    batch 5;  epochs 1
}
"""


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
def test_an_embedding_is_tied_and_attention_is_used_again(kernels):
    """The names are nanoGPT's; an operator that is made of others shares what they have."""
    program = trainer(TOKENS, "--dtype=f64", f"--kernels={kernels}", compiler=QUICK)
    told = run(program, *"gradcheck --random-init --samples 8 --threads 2".split()).stdout
    names = re.findall(r"^(\S+) +\[", told, re.M)
    assert names == ["wte.weight", "wpe.weight"] + [
        f"sa.{name}"
        for name in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    ]
    assert " 0 wrong" in told
    state = json.loads(netc("summary", "--json", "/dev/stdin", stdin=TOKENS).stdout)["state"]
    assert [entry["name"] for entry in state] == names + ["lm_head.weight"]


# Layers that are computed for all grains at once, whose gradients of one parameter are one sum: of
# a weight that is made of others, of states, of an embedding, of one under another's name.
WHOLE = """network whole {
    input [12] of 23 as tokens
    embedding(24) as wte
    linear(24, weight_norm=true) as mix;  tanh
    reuse mix;  tanh
    skip { gru(24) as states }
    skip { reuse states }
    skip { linear(24, bias=false) as square }
    skip { rnn(24, weight_hh_l0=square.weight) as plain }
    lstm(30, proj_size=24) as projected
    linear(23, weight=wte.weight) as head
}
train {
    data synthetic;  loss cross_entropy;  optimizer sgd(lr=0.1, momentum=0.9)
    batch 37;  epochs 1
}
"""


def test_sums_over_all_grains_are_those_of_the_plain_loops(tmp_path):
    program = trainer(WHOLE, "--dtype=f64", compiler=QUICK)
    plain = trainer(WHOLE, "--dtype=f64", "--kernels=reference", compiler=QUICK)
    states = []
    for trained, words in (program, []), (plain, []), (program, ["--threads", 3]):
        words = ["--max-steps", 4, "--quiet", "--save", tmp_path / "w", *words]
        run(trained, "train", *words)
        states.append(read_safetensors(tmp_path / "w"))
    for name, array in states[0].items():
        np.testing.assert_allclose(array, states[1][name], 0, 1e-12, err_msg=name)
        np.testing.assert_array_equal(array, states[2][name], err_msg=name)
    told = run(program, *"gradcheck --random-init --samples 3".split()).stdout
    assert " 0 wrong" in told


def test_the_last_use_moves_the_weights():
    at_once = WHOLE.replace(", weight_norm=true", "")  # which is moved after all others
    told = netc("--dump=plan", "/dev/stdin", stdin=at_once).stdout
    lines = [line.strip() for line in told.splitlines()]
    for name in ("wte.weight", "states.weight_hh_l0", "square.weight"):
        added = lines.index(f"added to d {name}")
        moved = lines.index(f"then update {name}: d {name} cache")
        assert added < moved and lines.count(lines[moved]) == 1
    assert "add_gradients" not in told


# --------------------------------------------------------------- tied files


@pytest.fixture
def tied(tmp_path):
    """The program, and a file of its weights."""
    train("tied", tmp_path, "--max-steps", 1, "--save", tmp_path / "w")
    return (
        trainer(HERE / "tied.net", "--dtype=f64", compiler=QUICK),
        read_safetensors(tmp_path / "w"),
    )


def accepts(program, state, folder, expect=0):
    write_safetensors(folder / "given", state)
    words = "train --no-shuffle --epochs 1 --quiet --max-steps 0 --data".split()
    return run(
        program, *words, DATA, "--init", folder / "given", "--save", folder / "out", expect=expect
    ).stderr


def test_a_tied_parameter_is_saved_under_both_names(tied, tmp_path):
    _, state = tied
    assert (state["mix.weight"] == state["lm_head.weight"]).all()
    assert "lm_head.bias" in state and "wpe.weight" in state


@pytest.mark.parametrize("missing", [[], ["lm_head.weight"], ["mix.weight"]])
def test_one_of_its_names_is_enough(tied, missing, tmp_path):
    program, state = tied
    accepts(program, {key: state[key] for key in state if key not in missing}, tmp_path)
    for name, array in read_safetensors(tmp_path / "out").items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)


def test_names_of_one_parameter_have_one_value(tied, tmp_path):
    program, state = tied
    told = accepts(program, state | {"lm_head.weight": state["mix.weight"] + 1}, tmp_path, 1)
    assert "mix.weight and lm_head.weight are one parameter in this network, and differ" in told
    cut = state | {"lm_head.weight": state["mix.weight"][:5]}
    assert "lm_head.weight is [5, 64], and [64, 64]" in accepts(program, cut, tmp_path, 1)
    lost = {key: state[key] for key in state if key not in ("mix.weight", "lm_head.weight")}
    assert "has no mix.weight" in accepts(program, lost, tmp_path, 1)


# ------------------------------------------------------------------ sources

DRAWN = """network n {{
    input [3]
    {}
    linear(2)
}}
train {{ data "images"; loss cross_entropy; optimizer sgd(lr=0.1); batch 2; epochs 1 }}
"""


@pytest.mark.parametrize(
    "init, low, high, mean, deviation",
    [
        ("zeros", 0, 0, 0, 0),
        ("ones", 1, 1, 1, 0),
        ("0.25", 0.25, 0.25, 0.25, 0),
        ("constant(-2)", -2, -2, -2, 0),
        ("normal(1, std=0.5)", -4, 6, 1, 0.5),
        ("uniform(-1, 3)", -1, 3, 1, 4 / 12**0.5),
        ("trunc_normal(std=0.02)", -0.1, 0.1, 0, 0.02),
        ("trunc_normal(0, 1, -1, 1)", -1, 1, 0, 0.53956),
        ("trunc_normal(0, 1, 2, 3)", 2, 3, 2.31579, 0.25278),
        ("trunc_normal(0, 1, 9, 12)", 9, 10.5, 9.1085, 0.106),
        ("trunc_normal(5, 1, -3, 0)", -3, 0, -0.18650, 0.17),
        ("kaiming_uniform(nonlinearity=relu)", -1, 1, 0, (2 / 6) ** 0.5),
        ("xavier_normal", -3, 3, 0, (2 / 1006) ** 0.5),
    ],
)
def test_how_a_parameter_begins(init, low, high, mean, deviation, tmp_path):
    """kaiming: of [1000, 6] fan_in is 6."""
    text = DRAWN.format(
        f"concat {{ branch {{ }}  branch {{ parameter([1000, 6], {init}) as p; " "flatten } }"
    )
    program = trainer(text)
    run(program, *"train --data synthetic --max-steps 0 --quiet --save".split(), tmp_path / "w")
    values = read_safetensors(tmp_path / "w")["p"]
    assert values.shape == (1000, 6)
    assert low - 1e-6 <= values.min() and values.max() <= high + 1e-6
    spread = max(deviation, 1e-9)
    assert abs(values.mean() - mean) < 0.06 * spread
    assert abs(values.std() - deviation) < 0.06 * spread


def test_noise_is_drawn_anew_in_training_and_is_its_mean_in_evaluation(tmp_path):
    drawn = DRAWN.format("add { branch { }  branch { noise([3], normal(0.5, std=2)) } }")
    known = DRAWN.format("add { branch { }  branch { constant([3], 0.5) } }")
    logs = []
    for number, source in enumerate((drawn, known)):
        log = tmp_path / f"log{number}"
        words = "train --data synthetic --max-steps 3 --quiet --log".split()
        run(trainer(source), *words, log)
        logs.append([event["loss"] for event in read_log(log) if event["event"] == "step"])
    assert len(set(logs[0])) == 3 and logs[0] != logs[1]
