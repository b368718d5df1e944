"""Targets in units of their own, and a network's other outputs: what a loss, `test` and `predict`
say of a table against NumPy, what goes with the weights, and where nothing is standardised."""
import json
import re
import shutil

import numpy as np
import pytest

from harness import (
    LIBRARIES,
    QUICK,
    QUICK_MPI,
    ROOT,
    built,
    check_text,
    netc,
    read_log,
    read_metadata,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from train.test_ranks import MPI

NETWORK = """network t {
    input [2]
    linear(6) as body
    tanh      as h
    linear(3) as fc_kind
    output kind
    from h
    linear(1) as fc_mass
    output mass
    from h
    linear(1) as price
}
train {
    data csv("t.csv", target=[price, mass, kind], test="u.csv")
    loss mse, target=price
    loss l1, output=mass, target=mass, weight=0.5
    loss cross_entropy, output=kind, target=kind
    optimizer sgd(lr=0.05);  batch 8;  epochs 2
}
"""
KINDS = "ash", "elm", "oak"


def table(path, count, seed):
    """Its columns."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 2)).round(3)
    price = (30000 + 9000 * x[:, 0] + random.normal(size=count) * 500).round()
    mass = (0.003 + 0.001 * x[:, 1]).round(6)
    kind = random.integers(0, 3, count)
    lines = [f"{a},{b},{p},{m},{KINDS[k]}" for (a, b), p, m, k in zip(x, price, mass, kind)]
    path.write_text("\n".join(["a,b,price,mass,kind", *lines]) + "\n")
    return x, price, mass, kind


@pytest.fixture
def here(tmp_path):
    return tmp_path, table(tmp_path / "t.csv", 60, 1), table(tmp_path / "u.csv", 20, 2)


def train(folder, *words, program=None, start=()):
    program = program or trainer(NETWORK)
    run(*start, program, "train", "--quiet", "--threads", 1, *words, cwd=folder, env=MPI)
    return program


def forward(state, x):
    h = np.tanh(x @ state["body.weight"].T + state["body.bias"])
    return [
        h @ state[f"{name}.weight"].T + state[f"{name}.bias"]
        for name in ("price", "fc_mass", "fc_kind")
    ]


def state_of(path):
    return {name: array.astype(float) for name, array in read_safetensors(path).items()}


def inputs(trained, x):
    return (x - trained.mean(0)) / trained.std(0)


def test_the_loss_is_of_standardised_targets(here):
    folder, (x, price, mass, kind), _ = here
    train(folder, "--max-steps", 1, "--save", "first", "--lr", 0)
    train(folder, "--init", "first", "--lr", 0, "--epochs", 1, "--log", "log.jsonl")
    values = forward(state_of(folder / "first"), inputs(x, x))
    wanted = [(of - of.mean()) / of.std() for of in (price, mass)]
    loss = ((values[0][:, 0] - wanted[0]) ** 2).mean()
    loss += 0.5 * abs(values[1][:, 0] - wanted[1]).mean()
    shares = np.exp(values[2]) / np.exp(values[2]).sum(1, keepdims=True)
    loss -= np.log(shares[np.arange(60), kind]).mean()
    epoch = [event for event in read_log(folder / "log.jsonl") if event["event"] == "epoch"][0]
    assert epoch["train_loss"] == pytest.approx(loss, rel=1e-5)


def test_figures_and_answers_are_in_the_targets_units(here):
    folder, (trained, *_), (x, price, mass, kind) = here
    program = train(folder, "--save", "w", "--epochs", 20)
    state, metadata = state_of(folder / "w"), read_metadata(folder / "w")
    scale = {
        name: [float(metadata[f"target.{name}.{part}"]) for part in ("mean", "std")]
        for name in ("price", "mass")
    }
    values = forward(state, inputs(trained, x))
    answers = {
        name: values[i][:, 0] * scale[name][1] + scale[name][0]
        for i, name in enumerate(("price", "mass"))
    }
    told = run(program, "test", "--weights", "w", cwd=folder).stdout
    for prefix, name, wanted in ("", "price", price), ("mass ", "mass", mass):
        error = answers[name] - wanted
        around = ((wanted - wanted.mean()) ** 2).sum()
        for figure, value in (
            ("MAE", abs(error).mean()),
            ("RMSE", np.sqrt((error**2).mean())),
            ("R²", 1 - (error**2).sum() / around),
        ):
            found = float(re.search(rf", {prefix}{figure} (-?[0-9.]+)", told)[1])
            assert found == pytest.approx(value, rel=1e-4, abs=6e-5), (name, figure, told)
    right = (values[2].argmax(1) == kind).mean()
    assert f"kind accuracy {100 * right:.2f} %" in told
    words = ["predict", "--data", "t.csv", "--weights", "w", "--count", 20]
    run(program, *words, "-o", "p.csv", cwd=folder)
    rows = (folder / "p.csv").read_text().splitlines()
    assert rows[0] == "row,value_0,target_0,mass,mass_target,kind,kind_probability,kind_label"
    rows = np.array([[float(cell) for cell in row.split(",")[1:]] for row in rows[1:]])
    np.testing.assert_allclose(rows[:, 0], answers["price"], 1e-5)
    np.testing.assert_allclose(rows[:, 2], answers["mass"], 1e-5)
    np.testing.assert_allclose(rows[:, [1, 3]], np.transpose([price, mass]), 1e-6)
    assert (rows[:, 4] == values[2].argmax(1)).all() and (rows[:, 6] == kind).all()
    one = json.loads(run(program, *words[:-1], 1, "--json", cwd=folder).stdout)[0]
    assert one["values"] == pytest.approx([answers["price"][0]], rel=1e-5)
    assert one["outputs"]["mass"]["values"] == pytest.approx([answers["mass"][0]], rel=1e-5)
    assert one["outputs"]["kind"]["index"] == values[2][0].argmax()
    assert one["target"] == [price[0]] and one["outputs"]["kind"]["label"] == kind[0]
    shown = run(program, *words[:-1], 1, cwd=folder).stdout.splitlines()
    for line, title, name, right in (
        (shown[0], "test row 0", "price", price),
        (shown[1], "  mass", "mass", mass),
    ):
        numbers = re.fullmatch(rf"{title}: (\S+) \(target (\S+)\)", line)
        assert float(numbers[1]) == pytest.approx(answers[name][0], rel=1e-4)
        assert float(numbers[2]) == pytest.approx(right[0], rel=1e-5)
    assert re.fullmatch(
        rf"  kind: {values[2][0].argmax()}, .* % \((right|wrong): {kind[0]}\)", shown[2]
    )
    # a table without targets is answered, and cannot be tested
    rows = [line.split(",")[:2] for line in (folder / "u.csv").read_text().splitlines()]
    (folder / "new.csv").write_text("\n".join(map(",".join, rows)))
    bare = ["--data", "new.csv", "--weights", "w"]
    told = run(program, "predict", *bare, "--count", 1, cwd=folder).stdout.splitlines()
    assert told[:2] == [shown[0].split(" (")[0], shown[1].split(" (")[0]] and "(" not in told[2]
    assert run(program, "predict", *bare, "--csv", cwd=folder).stdout.splitlines()[0] == (
        "row,value_0,mass,kind,kind_probability"
    )
    told = run(program, "test", *bare, cwd=folder, expect=1).stderr
    assert "new.csv has no column price, which the network was trained with" in told
    # what is a table's is said of rows
    assert " per row\n" in run(program, "info").stdout
    assert "go through the training rows" in run(program, "train", "--help").stdout


def test_lr_find_is_of_the_same_loss_and_what_no_rows_are_is_told(here):
    folder, *_ = here
    program = train(folder, "--max-steps", 1, "--log", "train.jsonl", "--save", "w")
    run(program, "lr-find", "--threads", 1, "--steps", 20, "--log", "find.jsonl", cwd=folder)
    first = [read_log(folder / f"{name}.jsonl")[0]["loss"] for name in ("train", "find")]
    assert first[0] == pytest.approx(first[1], rel=1e-5)
    for words, says, status in (
        (["predict", "t.csv", "--weights", "w"], "takes a table by its option: --data F.csv", 2),
        (["predict", "--weights", "w"], "predict needs rows of a table: --data F.csv", 2),
    ):
        told = run(program, *words, cwd=folder, expect=status)
        assert says in told.stderr and not told.stdout


def test_weights_that_say_nothing_are_taken_as_they_are(here):
    folder, (trained, *_), (x, *_) = here
    program = train(folder, "--save", "w", "--max-steps", 1)
    state, metadata = state_of(folder / "w"), read_metadata(folder / "w")
    kept = {"data_recipe": metadata["data_recipe"]}
    write_safetensors(folder / "pytorch", read_safetensors(folder / "w"), kept)
    run(
        program,
        *["predict", "--data", "t.csv", "--weights", "pytorch", "--count", 20, "-o", "p.csv"],
        cwd=folder,
    )
    rows = (folder / "p.csv").read_text().splitlines()[1:]
    found = [float(row.split(",")[1]) for row in rows]
    np.testing.assert_allclose(found, forward(state, inputs(trained, x))[0][:, 0], 1e-5, 1e-6)
    for text, says in ("1,2", "has 2 numbers, and the network gives 1"), ("x", "target.price.mean"):
        write_safetensors(
            folder / "bad", read_safetensors(folder / "w"), {**kept, "target.price.mean": text}
        )
        told = run(program, "test", "--weights", "bad", cwd=folder, expect=1).stderr
        assert says in told


def test_a_resumed_run_keeps_them_and_ranks_find_the_same(here):
    folder, *_ = here
    train(folder, "--save", "whole", "--log", "log.csv")
    assert "test_mass_mae" in (folder / "log.csv").read_text().splitlines()[0]
    train(folder, "--max-steps", 5, "--checkpoint", "c")
    train(folder, "--resume", "c", "--save", "resumed")
    assert (folder / "whole").read_bytes() == (folder / "resumed").read_bytes()
    if shutil.which("mpirun"):
        program = trainer(NETWORK, "--mpi", compiler=QUICK_MPI)
        words = ["--batch", 32, "--log"]
        two = ["mpirun", "-n", 2]
        train(folder, *words, "ranks.csv", "--save", "ranks", program=program, start=two)
        train(folder, *words, "alone.csv", "--save", "alone", program=program)
        assert (folder / "alone").read_bytes() == (folder / "ranks").read_bytes()
        told = [
            # but for seconds and images a second
            [row.split(",")[:-2] for row in (folder / name).read_text().splitlines()]
            for name in ("ranks.csv", "alone.csv")
        ]
        assert told[0] == told[1] and len(told[0][0]) > 10


MAIN = """
#include "net.h"
#include <stdio.h>
extern const NetModel t_model;
/* The answers to three examples at once, to the first alone, and its other outputs. */
int main(int argc, char **argv)
{
    static const float x[6] = {0.5f, -1, 2, 0.25f, 0, 0};
    float all[3], one, outputs[4], kind[3], mass;
    float *const named[] = {kind, &mass}; /* in the order of the network */
    NetError error;
    NetSession *network = net_open(&t_model, 1, 2, 1, &error);
    if (argc != 2 || !network || !net_load(network, argv[1], &error))
        return 1;
    net_predict(network, x, 3, all);
    net_predict_outputs(network, x, 1, &one, named);
    outputs[0] = mass;
    for (int i = 0; i < 3; i++)
        outputs[1 + i] = kind[i];
    printf("%.9g %.9g %.9g %.9g %.9g %.9g\\n", all[0], all[1], all[2], one, outputs[0], kind[2]);
    net_close(network);
    return 0;
}
"""


def test_answers_to_c(here):
    folder, *_ = here
    train(folder, "--save", "w")
    network = built(NETWORK, "--object", compiler=QUICK)
    (folder / "main.c").write_text(MAIN)
    run(
        *["gcc", "-std=c11", "-I", ROOT / "runtime", folder / "main.c", network],
        *[ROOT / "build" / "libnet_f32.a", *LIBRARIES, "-o", folder / "main"],
    )
    told = [float(word) for word in run(folder / "main", folder / "w").stdout.split()]
    metadata = read_metadata(folder / "w")
    values = forward(state_of(folder / "w"), np.array([[0.5, -1], [2, 0.25], [0, 0]]))
    price, mass = (
        float(metadata[f"target.{name}.mean"])
        + float(metadata[f"target.{name}.std"]) * values[i][:, 0]
        for i, name in enumerate(("price", "mass"))
    )
    np.testing.assert_allclose(told, [*price, price[0], mass[0], values[2][0, 2]], 1e-5)


# ------------------------------------------------------- which are standardised

CHOICE = """loss off(p, t) = mean(abs(p - t))
network n {
    input [4]
    linear(8);  tanh as h
    linear(2);  %s
    output aux
    from h
    linear(2) as fc
}
train {
    data arrays("d")
    loss %s
    loss %s, output=aux
    optimizer sgd(lr=0.1);  batch 8;  epochs 1
}
"""


@pytest.mark.parametrize(
    "last, main, aux, units",
    [
        ("identity", "mse", "mse", 1),
        ("identity", "mse, target=a", "huber, target=b", 2),
        ("dropout(0.1)", "mse, target=a", "smooth_l1, target=b", 2),
        ("sigmoid", "mse, target=a", "mse, target=b", 1),
        ("sigmoid", "mse, target=a", "mse, target=b, standardize=true", 2),
        ("sigmoid", "mse, target=a", "mse, target=a", 0),
        ("identity", "mse, target=a, standardize=false", "l1, target=b", 1),
        ("identity", "mse, target=a", "bce_with_logits, target=b", 1),
        ("identity", "mse, target=a", "off, target=b", 1),
        ("identity", "mse, target=a\n    loss off, target=a", "l1, target=b", 1),
        ("identity", "mse, target=a\n    loss mse, target=c", "l1, target=b", 1),
        ("identity", "cross_entropy, target=a", "mse, target=b", 1),
    ],
)
def test_what_is_standardised(last, main, aux, units, tmp_path):
    (tmp_path / "n.net").write_text(CHOICE % (last, main, aux))
    emitted = netc("emit", tmp_path / "n.net").stdout
    wanted = emitted.partition("NetTarget wanted[]")[2].partition("};\n")[0]
    assert wanted.count(", true }") == units, wanted


@pytest.mark.parametrize(
    "main, aux, says",
    [
        ("cross_entropy, standardize=true", "mse", "has a unit already: standardize= is for mse"),
        ("mse, target=a, standardize=1", "mse, target=b", "true or false"),
        (
            "mse, target=a, standardize=true\n    loss mse, target=c",
            "mse, target=b",
            "another loss reads the same output, which has one unit only",
        ),
        (
            "mse, target=a, standardize=true",
            "mse, target=a, standardize=false",
            "another output is held against the same target as it is",
        ),
    ],
)
def test_what_cannot_be(main, aux, says, tmp_path):
    told = check_text(CHOICE % ("identity", main, aux), tmp_path).stderr
    assert says in told and told.count("error[") == 1


def test_pictures_and_the_input_have_no_unit(tmp_path):
    text = """network n {
    input [1, 4, 4]
    conv2d(1, 3, padding=1)
}
train {
    data synthetic
    loss mse, target=%s
    optimizer sgd(lr=0.1);  batch 8;  epochs 1
}
"""
    for target, says in ("input", "is for targets of the data"), ("y", "this one is [1, 4, 4]"):
        told = check_text(text % f"{target}, standardize=true", tmp_path).stderr
        assert says in told
        assert check_text(text % target, tmp_path, expect=0).stderr == ""
