"""Losses in networks: gradients by finite differences, written out against plain loops, one's own
against those that are there, what a test prints of them against NumPy, and what is refused."""
import json
import re

import numpy as np
import pytest

from harness import check_text, netc, read_log, read_safetensors, run, trainer, write_safetensors
from runs import write_idx

# Each loss once, of outputs that nothing but a loss reads and of the last one.
EVERY = """\
loss dice(p, t, smooth=1.0) = 1 - (2*sum(p*t) + smooth)/(sum(p) + sum(t) + smooth)
loss kl(mu, logvar) = -0.5*sum(1 + logvar - mu*mu - exp(logvar))
loss margin(p, t) = sum(t*pow(relu(0.9 - p), 2) + 0.5*(1 - t)*pow(relu(p - 0.1), 2))
loss apart(a, b, y, m=1.0) = y*sum((a - b)*(a - b)) + (1 - y)*relu(m - sqrt(sum((a - b)*(a - b))))
loss spread(a) = sqrt(mean((a - mean(a))*(a - mean(a))) + 0.1)
function half(x) = x/2
loss gated(g, x, t) = mean(g*abs(half(x) - t))
loss either(p, t, hard=true) = mean(abs(p - t)) if hard or mean(p) > 0 else mean(p) + mean(p*t)

network every {
    input [2, 5, 4]
    conv2d(3, 3, padding=1) as conv
    aside { conv2d(4, 1) as pixels;  tanh;  output pixels }
    aside { conv2d(2, 1) as image;  output image }
    aside { adaptive_avg_pool2d(1);  output gate }
    flatten
    aside { linear(6) as a;  output a }
    aside { linear(6) as b;  output b }
    aside { linear(6) as c;  output c }
    aside { linear(5) as logs;  log_softmax;  output logs }
    aside { linear(6);  normalize;  linear(5, bias=false, unit_norm=true);  output cosines }
    aside { linear(3) as marks;  sigmoid;  output marks }
    linear(5) as last
}
train {
    data      synthetic
    loss      cross_entropy(weight=[1, 2, 0.5, 1, 3], label_smoothing=0.1), target=class
    loss      cross_entropy(ignore_index=2), output=pixels, weight=0.3, target=mask
    loss      cross_entropy(weight=[1, 2, 3, 0.5]), output=pixels, target=mask
    loss      nll(weight=[1, 2, 1, 1, 3]), output=logs, target=class
    loss      hinge(p=2, margin=0.7), target=class
    loss      arcface(margin=0.3, scale=8), output=cosines, target=class
    loss      cosface, output=cosines, weight=0.1, target=class
    loss      mse, output=image, target=input
    loss      l1(reduction=sum), output=image, weight=0.01, target=clean
    loss      huber(delta=0.3), output=image, target=clean
    loss      smooth_l1(beta=0.5), output=image, target=clean
    loss      bce_with_logits(pos_weight=[2, 0.5]), output=image, target=yes
    loss      kl_div(reduction=batchmean), output=logs, target=parts
    loss      hinge_embedding, output=a, weight=0.1, target=signs
    loss      cosine(a, b, margin=0.1), target=sign
    loss      cosine, output=c, target=vector
    loss      triplet(a, b, c, swap=true)
    loss      contrastive(b, c, margin=4), target=pair
    loss      dice(smooth=0.5), output=marks, target=marks
    loss      kl(a, b), weight=0.1
    loss      margin, output=marks, target=marks
    loss      apart(a, c), target=pair
    loss      spread, weight=-0.2
    loss      either, output=marks, target=marks
    loss      gated(gate, conv), target=gates
    optimizer sgd(lr=0.001)
    batch     11
    epochs    1
}
"""
EVERY = EVERY.replace("as conv\n", "as conv\n    output conv\n")


def parts():
    """The same losses in programs of few targets each."""
    head, section = EVERY.split("train {\n")
    lines = section.splitlines()
    losses = [line for line in lines if line.strip().startswith("loss ")]
    rest = [line for line in lines if line not in losses and "data" not in line]
    for chosen in losses[:12], losses[12:]:
        if not any("output" not in line and "(" not in line.split(",")[0] for line in chosen):
            chosen = ["    loss      mse, target=last, weight=0.1", *chosen]
        kept = re.sub(
            r"    aside \{[^\n]*output (\w+) \}\n",
            lambda m: m[0] if any(re.search(rf"\b{m[1]}\b", line) for line in chosen) else "",
            head,
        )
        yield "\n".join([kept + "train {", "    data      synthetic", *chosen, *rest])


@pytest.mark.parametrize("part", range(2))
def test_every_loss(part, tmp_path):
    text = list(parts())[part]
    made, logs = {}, {}
    for kernels in "specialised", "reference":
        made[kernels] = trainer(text, "--dtype=f64", f"--kernels={kernels}")
        log = tmp_path / f"{kernels}.jsonl"
        run(made[kernels], "train", "--quiet", "--max-steps", 3, "--log", log)
        logs[kernels] = [event["loss"] for event in read_log(log)]
    assert logs["specialised"] == pytest.approx(logs["reference"], rel=1e-12)
    assert len(set(logs["reference"])) == 3 and np.isfinite(logs["reference"]).all()
    told = run(made["specialised"], "gradcheck", "--random-init", "--samples", 6).stdout
    assert " 0 wrong" in told


# What is there, and the same of one's own; each of an output of its own.
ALIKE = {
    "mse": "mean((p - t)*(p - t))",
    "huber(delta=0.5)": "mean(0.5*(p - t)*(p - t) if abs(p - t) <= 0.5"
    " else 0.5*(abs(p - t) - 0.25))",
    "l1(reduction=sum)": "12*sum(abs(p - t))",
    "l1": "sum(0*p + mean(abs(p - t)))/6",
    "smooth_l1": "mean(0.5*(p - t)*(p - t) if abs(p - t) < 1 else abs(p - t) - 0.5)"
    " if true or mean(p) > 0 else mean(p*t)",
    "cosine": "1 - sum(p*t)/sqrt((sum(p*p) + 1e-12)*(sum(t*t) + 1e-12))",
}
NUMBERED = """\
%snetwork alike {
    input [1, 4, 4]
    flatten
%s    linear(6) as fc
}
train {
    data      synthetic
    loss      mse, target=y
%s    optimizer sgd(lr=0.1)
    batch     12
    epochs    1
}
"""


def test_ones_own_are_those_that_are_there(tmp_path):
    losses = []
    for own in False, True:
        heads, sides, lines = "", "", ""
        for i, (loss, body) in enumerate(ALIKE.items()):
            heads += f"loss own{i}(p, t) = {body}\n" if own else ""
            sides += f"    aside {{ linear(6) as s{i};  output o{i} }}\n"
            lines += f"    loss {f'own{i}' if own else loss}, output=o{i}, target=y\n"
        log, text = tmp_path / "log", NUMBERED % (heads, sides, lines)
        run(trainer(text, "--dtype=f64"), "train", "--quiet", "--max-steps", 3, "--log", log)
        losses.append([event["loss"] for event in read_log(log)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


# ------------------------------------------------------------------ figures

LINEAR = """\
network linear_one {
    input [1, 4, 4]
    flatten
    linear(%d) as fc
}
train {
    data      "digits"
    loss      %s
    optimizer sgd(lr=0.1)
    batch     48
    epochs    1
}
"""


def figures_of(tmp_path, outputs, loss, labels):
    """What `test` prints as numbers, the outputs and the labels."""
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (len(labels), 4, 4), "u1")
    for name in "train", "t10k":
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", labels)
    state = {
        "fc.weight": random.normal(size=(outputs, 16)).astype(np.float32),
        "fc.bias": random.normal(size=outputs).astype(np.float32),
    }
    write_safetensors(tmp_path / "w", state)
    program = trainer(LINEAR % (outputs, loss))
    told = [
        run(program, "test", "--data", tmp_path, "--weights", tmp_path / "w", "--threads", n).stdout
        for n in (1, 2)
    ]
    assert told[0] == told[1]
    x = images.reshape(len(labels), 16) / 255
    values = x @ state["fc.weight"].T + state["fc.bias"]
    return told[0], values, labels.astype(float)


def test_figures_of_numbers(tmp_path):
    labels = np.random.default_rng(5).integers(0, 10, 200).astype("u1")
    told, values, wanted = figures_of(tmp_path, 1, "mse", labels)
    error = values[:, 0] - wanted
    figures = {
        "MAE": np.abs(error).mean(),
        "RMSE": np.sqrt((error**2).mean()),
        "R²": 1 - (error**2).sum() / ((wanted - wanted.mean()) ** 2).sum(),
    }
    for name, value in figures.items():
        assert float(re.search(rf"{name} (-?[0-9.]+)", told)[1]) == pytest.approx(value, abs=1e-3)


def test_figures_of_yes_and_no(tmp_path):
    labels = np.random.default_rng(6).integers(0, 2, 300).astype("u1")
    told, values, wanted = figures_of(tmp_path, 1, "bce_with_logits", labels)
    says, yes = values[:, 0] > 0, wanted == 1
    pairs = values[yes, 0][:, None] - values[~yes, 0][None]
    figures = {
        "F1": 2 * (says & yes).sum() / (says.sum() + yes.sum()),
        "AUC": (pairs > 0).mean(),
    }
    for name, value in figures.items():
        assert float(re.search(rf"{name} ([0-9.]+)", told)[1]) == pytest.approx(value, abs=3e-3)
    assert f"accuracy {100*(says == yes).mean():.2f} %" in told
    labels[7] = 2
    for name in "train", "t10k":
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", labels)
    program = trainer(LINEAR % (1, "bce_with_logits"))
    told = run(program, "test", "--data", tmp_path, "--weights", tmp_path / "w", expect=1).stderr
    assert "class of test example 7 is 2 at 0, and bce_with_logits takes 0 to 1" in told


def test_figures_of_classes(tmp_path):
    labels = np.random.default_rng(7).integers(0, 12, 240).astype("u1")
    told, values, wanted = figures_of(tmp_path, 12, "cross_entropy", labels)
    ranks = (values > values[np.arange(240), labels][:, None]).sum(1)
    assert f"accuracy {100*(ranks == 0).mean():.2f} %" in told
    assert f"top-5 {100*(ranks < 5).mean():.2f} %" in told


# ------------------------------------------------------------------ refused

BAD = """\
%s
network n {
    input [2, 6, 6]
    flatten
    aside { linear(3) as a;  output three }
    linear(10)
}
train {
    data      synthetic
    loss      cross_entropy
    %s
    optimizer sgd(lr=0.1)
    batch     8
    epochs    1
}
"""


@pytest.mark.parametrize(
    "own, loss, says",
    [
        ("loss d(p, t) = sum(p*t)/sumy(t)", "loss d", ["no function is named sumy", "sum mean"]),
        (
            "loss d(p, t) = p - t",
            "loss d, output=three",
            ["reads `p`, [3], outside of sum", "mean("],
        ),
        ("loss d(p) = sum(3)", "loss d", ["sum of what reads no tensor"]),
        ("loss d(p) = sum(p, 2)", "loss d", ["sum takes one value"]),
        ("loss d(p) = sum(p)", "loss d(three, three)", ["1 named output, not 2", "defined here"]),
        ("", "loss dicy", ["no loss is named dicy"]),
        ("", "loss triplet(three, three)", ["takes 3 named outputs, not 2", "`output NAME`"]),
        ("", "loss triplet(three, three, thre)", ["no output is named thre", "nearest is three"]),
        ("", "loss nll(weight=[1, 2]), output=three, target=y", ["has 2 numbers", "has 3 classes"]),
        ("", "loss mse, target=3", ["takes the name of an array of the data, or input"]),
        ("", "loss mse, target=input", ["no target of this output", "[2, 6, 6]"]),
        ("", "loss cross_entropy, target=input", ["takes classes", "real ones"]),
        ("", "loss triplet(three, three, three), target=x", ["held against no target"]),
        ("", "loss bce_with_logits(pos_weight=[1, 2])", ["has 2 numbers"]),
        ("", "loss kl_div(reduction=most)", ["one of: mean, batchmean, sum"]),
        ("", "loss cosine(three, three, three)", ["this argument of cosine needs its name"]),
    ],
)
def test_what_is_refused(own, loss, says, tmp_path):
    told = check_text(BAD % (own, loss), tmp_path).stderr
    for words in says:
        assert words in told
    assert told.count("error[") == 1 or "unread-output" in told


def test_a_refused_loss_is_all_that_is_told_of_it(tmp_path):
    """Where there is no other, and nothing is held against any target."""
    told = check_text(LINEAR % (3, "hinge(weight=[1, 2])"), tmp_path).stderr
    assert "`weight` of hinge has 2 numbers" in told and told.count("error[") == 1


@pytest.mark.parametrize(
    "layers, says",
    [
        ("normalize;  linear(3, bias=false) as fc", "fc gives others: its weights have any length"),
        ("normalize;  linear(3, unit_norm=true) as fc", "fc gives others: it adds a bias"),
        ("linear(3, bias=false, unit_norm=true) as fc", "fc gives others: its input has any"),
    ],
)
def test_a_loss_of_cosines_takes_no_other_values(layers, says, tmp_path):
    text = (LINEAR % (3, "arcface")).replace("linear(3) as fc", layers)
    assert layers in text
    told = check_text(text, tmp_path).stderr
    assert "error[not-cosines]" in told and says in told and told.count("error[") == 1


def test_a_target_that_the_data_have_not(tmp_path):
    for name in "train", "t10k":
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", np.zeros((8, 4, 4), "u1"))
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", np.zeros(8, "u1"))
    program = trainer(LINEAR % (3, "mse, target=quality"))
    told = run(program, "train", "--data", tmp_path, expect=1).stderr
    assert "has no array quality, which mse is held against; it has class" in told


def test_what_explain_says():
    table = {op["name"]: op for op in json.loads(netc("explain", "--json").stdout)["operators"]}
    assert "MultiMarginLoss" in netc("explain", "hinge").stdout
    assert {"cross_entropy", "huber", "triplet"} <= {
        name for name, op in table.items() if "loss" in op["traits"]
    }
