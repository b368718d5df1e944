"""What a recipe adds to a step: gradients of several batches, averages of the weights, optimizers
that look at whole layers, a schedule that goes by the tests."""
import re

import numpy as np
import pytest

from harness import read_log, read_safetensors, run, trainer
from runs import few_images, write_idx

IMAGES = 70  # of batches of 8: the ninth has 6

NETWORK = """network recipe {
    input [1, 12, 12]
    conv2d(6, 3) as conv1
    %s
    relu
    max_pool2d(2)
    dropout(0.2)
    flatten
    linear(120) as fc1
    relu
    linear(10) as fc
}
train {
    data       synthetic
    loss       cross_entropy
    optimizer  muon(lr=0.02, adam_lr=0.002)
    schedule   plateau(patience=0, factor=0.5, threshold=0.2)
    clip       norm=0.5
    ema        0.8, every=2, warmup=1
    accumulate 4
    group      "fc.*", adapt=false
    batch      8
    epochs     3
}
"""
PLAIN = NETWORK % ""
NORMS = (NETWORK % "batch_norm2d as bn1").replace("dropout(0.2)", "").replace("clip ", "# ")
NORMS = NORMS.replace("plateau(", "plateau(monitor=train_loss, ")


# What is asked of each row of a parameter, and slower layers.
BOUNDED = re.sub(r"muon\(.*\)", "sgd(lr=0.1)", PLAIN).replace("norm=0.5", "adaptive=0.05")
BOUNDED = re.sub(r"ema .*", 'layer_decay 0.5, "conv1.*", "fc#.*"', BOUNDED)
BOUNDED = BOUNDED.replace('"fc.*", adapt=false', '"fc1.*", max_norm=0.6, clip=false')


def train(text, folder, *options):
    """The file of weights that it writes."""
    path = folder / "w"
    data = few_images(text, IMAGES)
    run(trainer(text), "train", "--quiet", "--data", data, *options, "--save", path)
    return path.read_bytes()


def test_without_batch_norms_it_is_the_larger_batch(tmp_path):
    whole = ["--batch", 32, "--set", "accumulate=1"]
    assert train(PLAIN, tmp_path) == train(PLAIN, tmp_path, *whole)


def gradients(folder, *options):
    """Of the last step, where no weight moves."""
    still = ["--set", "optimizer.lr=0", "--set", "optimizer.adam_lr=0", "--no-shuffle"]
    train(NORMS, folder, *still, *options, "--save-gradients", folder / "g")
    return read_safetensors(folder / "g")


def test_with_batch_norms_it_is_the_mean_of_the_batches(tmp_path):
    """Of the first step four batches of 8; of the third 8 images, 6 of a batch of their own."""
    plain = ["--set", "accumulate=1", "--max-steps"]
    each = {step: gradients(tmp_path, *plain, step + 1) for step in (0, 1, 2, 3, 8)}
    images = [8] * 8 + [6]
    for step, batches in (1, [0, 1, 2, 3]), (3, [8]):
        both = gradients(tmp_path, "--max-steps", step)
        total = sum(images[i] for i in batches)
        for name, ours in both.items():
            expected = sum(each[i][name] * images[i] / total for i in batches)
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)
    counted = read_safetensors(tmp_path / "w")["bn1.num_batches_tracked"]
    assert counted == 9


def rows_of(array):
    return array.astype("f8").reshape(len(array) if array.ndim > 1 else 1, -1)


def row_norms(array):
    return np.linalg.norm(rows_of(array), axis=1, keepdims=True)


def test_one_step_of_bounded_rows_and_slower_layers(tmp_path):
    """The unclipped gradient and the first weights give the second."""
    read = lambda name: read_safetensors(tmp_path / name)
    train(BOUNDED, tmp_path, "--max-steps", 0)
    before = read("w")
    one = ["--max-steps", 1, "--save-gradients", tmp_path / "g"]
    train(BOUNDED, tmp_path, *one, "--set", "clip.adaptive=1e9")
    gradients = read("g")
    train(BOUNDED, tmp_path, *one)
    after, clipped = read("w"), 0
    for name, rate in ("conv1", 0.25), ("fc1", 0.5), ("fc", 1):
        for part in "weight", "bias":
            path = f"{name}.{part}"
            weights, gradient = rows_of(before[path]), rows_of(gradients[path])
            norm, most = row_norms(gradients[path]), 0.05 * np.fmax(row_norms(weights), 1e-3)
            if name != "fc1":
                gradient = np.where(norm > most, gradient * most / norm, gradient)
                clipped += (norm > most).sum()
            moved = weights - 0.1 * rate * gradient
            if name == "fc1":
                moved *= np.fmin(1, 0.6 / np.linalg.norm(moved, axis=1, keepdims=True))
            np.testing.assert_allclose(rows_of(after[path]), moved, rtol=1e-4, atol=1e-6)
    assert clipped > 5 and (row_norms(after["fc1.weight"]) > 0.59).any()


@pytest.mark.parametrize("text", [PLAIN, NORMS, BOUNDED], ids=["plain", "norms", "bounded"])
def test_threads_and_resumption_change_nothing(text, tmp_path):
    whole = train(text, tmp_path, "--threads", 1)
    assert train(text, tmp_path, "--threads", 3) == whole
    for steps in 2, 5:
        checkpoint = tmp_path / "c"
        train(text, tmp_path, "--max-steps", steps, "--checkpoint", checkpoint)
        assert train(text, tmp_path, "--resume", checkpoint) == whole


def test_an_average_is_what_torchvisions_is(tmp_path):
    """A copy while the first epoch lasts, then a mix after every second step."""
    kept = ["--checkpoint", tmp_path / "c", "--checkpoint-every", 1, "--keep", 20]
    saved = train(NORMS, tmp_path, *kept, "--log", tmp_path / "log")
    steps = [event["step"] for event in read_log(tmp_path / "log") if event["event"] == "step"]
    first, last = read_safetensors(tmp_path / "c.1"), steps[-1]
    names = [name for name in first if f"optimizer.trained.{name}" in first]
    assert {"fc.weight", "bn1.running_mean"} <= set(names)
    average = {name: first[name].astype("f8") for name in names}
    for step in steps[1:]:
        file = read_safetensors(tmp_path / ("c" if step == last else f"c.{step}"))
        for name in names:
            trained = file[f"optimizer.trained.{name}"].astype("f8")
            copies = step <= 3 or step == 4  # three steps in an epoch; the first change after it
            if step % 2 == 0:
                average[name] = trained if copies else 0.8 * average[name] + 0.2 * trained
            np.testing.assert_allclose(file[name], average[name], rtol=1e-4, atol=1e-6)
    assert saved == (tmp_path / "w").read_bytes()
    weights = read_safetensors(tmp_path / "w")
    assert all((weights[name] == file[name]).all() for name in names)
    assert (weights["fc.weight"] != file["optimizer.trained.fc.weight"]).any()


@pytest.mark.parametrize("text, figure", [(PLAIN, "test_loss"), (NORMS, "train_loss")])
def test_a_plateau_lowers_the_rate(text, figure, tmp_path):
    """Asked for more than there is, of one figure in the second epoch and of the other not."""
    train(text, tmp_path, "--log", tmp_path / "log", "--set", "schedule.threshold=0.01")
    events = read_log(tmp_path / "log")
    losses = [event[figure] for event in events if event["event"] == "epoch"]
    rates = [event["lr"] for event in events if event["event"] == "step"]
    expected, best = [], None
    rate = 0.02
    for loss in losses:
        expected += [rate] * 3
        if best is None or loss < best * (1 - 0.01):
            best = loss
        else:
            rate *= 0.5
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(
    "words, told",
    [
        ("monitor=mean_iou", "has not: it has loss, accuracy, train_loss, train_accuracy"),
        ("monitor=accuracy, mode=min", "mode=min of accuracy, of which more is better"),
    ],
)
def test_a_plateau_of_what_is_not_measured_is_refused(words, told, tmp_path):
    text = LINEAR % ("cutout(2)", "")
    text = text.replace("batch ", f"schedule  plateau({words})\n    batch ")
    failed = run(trainer(text), "train", "--quiet", "--data", "synthetic", expect=1)
    assert told in failed.stderr


def test_the_model_of_more_cores_has_all_of_the_step():
    """Of a gradient that is clipped, and of matrices made orthogonal, each core has its part."""
    told = run(trainer(PLAIN), "bench", "--cores", "1,40", "--steps", 1, "--threads", 1).stdout
    assert [row.split()[0] for row in told.splitlines() if row.split()[:1] in (["1"], ["40"])] == [
        "1",
        "40",
    ]


# ------------------------------------------------------------ mixup, cutmix

LINEAR = """network linear {
    input [1, 8, 8]
    flatten
    linear(10) as fc
}
train {
    data      synthetic
    augment   %s
    loss      cross_entropy(label_smoothing=0.1%s)
    optimizer sgd(lr=0)
    init      "*", zeros
    batch     2
    epochs    1
}
"""


WEIGHTS = 1 + np.arange(10) / 4


def mixed_gradients(augment, weight, folder, count, *options):
    """Of the weights in each of `count` steps, [step][class][pixel]."""
    for step in range(1, count + 1):
        words = ["--quiet", "--no-shuffle", "--max-steps", step, "--save-gradients", folder / "g"]
        run(trainer(LINEAR % (augment, weight), *options), "train", *words, "--data", folder)
        yield read_safetensors(folder / "g")["fc.weight"].astype("f8")


@pytest.mark.parametrize("augment, weights", [("mixup(0.8)", np.ones(10)), ("cutmix", WEIGHTS)])
def test_pairs_are_mixed_and_their_classes_alike(augment, weights, tmp_path):
    """As PyTorch's cross_entropy of probabilities, a mean over images whatever they weigh.  All
    weights are 0, so each class has a tenth; of one share all is known, and one share has to give
    the gradients of all pixels and classes."""
    numbers, shares = np.random.default_rng(2), set()
    images = numbers.integers(0, 256, (8, 8, 8), "u1")
    for name in "train", "t10k":
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", np.arange(8, dtype="u1"))
    weight = "" if (weights == 1).all() else f", weight={[*map(float, weights)]}"
    given = list(mixed_gradients(augment, weight, tmp_path, 3))
    plain = list(mixed_gradients(augment, weight, tmp_path, 3, "--kernels=reference"))
    np.testing.assert_allclose(given, plain, rtol=1e-4, atol=1e-6)
    for step, gradient in enumerate(given):
        pair = images[2 * step : 2 * step + 2].reshape(2, -1) / 255
        best = min(
            (np.abs(gradient - expected).max(), share)
            for share, expected in expectations(augment, weights, pair, 2 * step)
        )
        assert best[0] < 2e-3, best
        shares.add(round(best[1], 3))
    assert len(shares) == 3


def expectations(augment, weights, pair, first):
    """(share, gradient) of all that may be drawn, to a five-hundredth or a whole pixel."""
    smooth = np.full(10, 0.01)
    for share, mixed in mixtures(augment, pair):
        total = 0
        for own in 0, 1:
            target = smooth.copy()
            target[first + own] += 0.9 * share
            target[first + 1 - own] += 0.9 * (1 - share)
            target *= weights
            total = total + np.outer(target.sum() / 10 - target, mixed[own]) / 2
        yield share, total


def mixtures(augment, pair):
    if augment.startswith("mixup"):
        for share in np.linspace(0, 1, 501):
            yield share, [share * pair[i] + (1 - share) * pair[1 - i] for i in (0, 1)]
        return
    for top in range(8):
        for bottom in range(top, 9):
            for left in range(8):
                for right in range(left, 9):
                    inside = np.zeros((8, 8), bool)
                    inside[top:bottom, left:right] = True
                    both = [np.where(inside.ravel(), pair[1 - i], pair[i]) for i in (0, 1)]
                    yield 1 - inside.mean(), both


def test_mixing_is_the_same_for_any_threads(tmp_path):
    text = NORMS.replace("clip ", "# ").replace("loss ", "augment mixup(0.2), cutmix\n    loss ", 1)
    whole = train(text, tmp_path, "--threads", 1)
    assert train(text, tmp_path, "--threads", 3) == whole
    train(text, tmp_path, "--max-steps", 4, "--checkpoint", tmp_path / "c")
    assert train(text, tmp_path, "--resume", tmp_path / "c") == whole
