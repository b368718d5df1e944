"""By which images a run is judged, and how it ends when it gets no better."""
import numpy as np
import pytest

from data.test_data import png
from harness import check_text, read_log, read_safetensors, run, trainer
from runs import small, write_data, write_idx

COUNT, SIDE = 144, 12
# One image for each pixel: its column of the weights moves when it is trained on, and only then.
NET = """network columns {
    input [1, 12, 12]
    flatten
    linear(10) as fc
}
train {
    data "digits";  loss cross_entropy;  optimizer sgd(lr=0.5);  batch 10;  epochs 3
    validation 0.25
    stop patience=2
}
"""
LABELS = np.repeat(np.arange(10), [24, 24, 16, 16, 16, 16, 8, 8, 8, 8]).astype("u1")


def program():
    return trainer(NET, "--kernels=reference")


def one_pixel_each(folder, tests=10):
    folder.mkdir()
    images = np.zeros((COUNT, SIDE, SIDE), "u1")
    images.reshape(COUNT, -1)[np.arange(COUNT), np.arange(COUNT)] = 255
    labels = np.random.default_rng(3).permutation(LABELS)
    for name, count in ("train", COUNT), ("t10k", tests):
        write_idx(folder / f"{name}-images-idx3-ubyte", images[:count])
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels[:count])
    return folder


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    return one_pixel_each(tmp_path_factory.mktemp("columns") / "d")


def train(data, *options, made=None, **keywords):
    words = "train", "--data", data, "--quiet", "--threads", 1
    return run(made or program(), *words, *options, **keywords)


def labels_of(folder):
    return np.frombuffer((folder / "train-labels-idx1-ubyte").read_bytes()[8:], "u1")


def untouched(folder, data, *options):
    """The images that were not trained on, told from the weights; and the run's log."""
    train(data, "--epochs", 0, "--save", folder / "first", *options)
    train(data, "--save", folder / "w", "--log", folder / "log", *options)
    first, last = (read_safetensors(folder / name)["fc.weight"] for name in ("first", "w"))
    return np.flatnonzero((first == last).all(axis=0)), read_log(folder / "log")


def test_a_part_of_each_class_is_judged_by_and_not_trained_on(columns, tmp_path):
    kept, log = untouched(tmp_path, columns)
    labels = labels_of(columns)
    assert len(kept) == 36
    for label in range(10):
        assert abs(4 * (labels[kept] == label).sum() - (labels == label).sum()) < 4
    weights = read_safetensors(tmp_path / "w")
    logits = weights["fc.weight"].T[kept].astype(float) + weights["fc.bias"]
    surprise = np.log(np.exp(logits).sum(1)) - logits[np.arange(36), labels[kept]]
    last = log[-1]
    assert last["validation_loss"] == pytest.approx(surprise.mean(), rel=1e-5)
    assert last["validation_accuracy"] == (logits.argmax(1) == labels[kept]).mean()
    assert last["train_accuracy"] > 0 and not any(key.startswith("test") for key in last)
    assert sum(event["event"] == "step" for event in log) == 3 * 11  # of 108 images


def test_the_seed_draws_them(columns, tmp_path):
    drawn = [tuple(untouched(tmp_path, columns, "--seed", seed)[0]) for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]
    half = untouched(tmp_path, columns, "--set", "validation=0.5", "--no-shuffle")[0]
    assert len(half) == 72


def test_another_data_set_is_judged_by_as_its_test_images_are(tmp_path):
    """And the weights are the same whatever a run is judged by."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in ours, theirs:
        folder.mkdir()
        write_data(folder)
    images = np.random.default_rng(9).integers(0, 256, (50, 12, 12), "u1")
    write_idx(theirs / "t10k-images-idx3-ubyte", images)
    files = lambda name: ["--save", tmp_path / f"{name}.w", "--log", tmp_path / f"{name}.log"]
    train(theirs, *files("one"), made=small())
    train(ours, *files("two"), "--validation", theirs, made=small())
    one, two = (read_log(tmp_path / f"{name}.log")[-1] for name in ("one", "two"))
    for figure in "loss", "accuracy":
        assert one[f"test_{figure}"] == two[f"validation_{figure}"]
    assert (tmp_path / "one.w").read_bytes() == (tmp_path / "two.w").read_bytes()


def write_classes(folder, count):
    for number in range(count):
        path = folder / "cat dog owl".split()[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12), "u1")
        path.write_bytes(png(pixels, 0))


PICTURES = NET.replace("linear(10)", "linear(3)").replace("validation 0.25", 'validation "val"')


def test_a_folder_of_pictures_by_class(tmp_path):
    for part, count in ("d/train", 12), ("d/test", 3), ("val", 9), ("other", 6):
        write_classes(tmp_path / part, count)
    made = trainer(PICTURES, "--kernels=reference")
    train("d", "--log", "log", "--save", "w", made=made, cwd=tmp_path)
    (tmp_path / "d/test").rename(tmp_path / "d/away")
    (tmp_path / "val").rename(tmp_path / "d/test")
    told = run(made, "test", "--data", "d", "--weights", "w", cwd=tmp_path).stdout
    last = read_log(tmp_path / "log")[-1]
    assert f"test loss {last['validation_loss']:.6f}" in told and "of 9)" in told
    (tmp_path / "other/cat").rename(tmp_path / "other/cow")
    told = train("d", "--validation", "other", made=made, cwd=tmp_path, expect=1).stderr
    assert "other has a class cow, which the training images have not" in told


# ------------------------------------------------------------ the end


def test_a_run_that_gets_no_better_ends(tmp_path):
    """As its own log has it: two epochs after the first that none was better than."""
    data = write_data(tmp_path)
    options = "--validation", 0.25, "--epochs", 40, "--log", tmp_path / "log", "--threads", 1
    words = ["train", "--data", data, "--early-stop", 2, *options]
    shown = run(small(), *words).stdout
    found = [
        event["validation_accuracy"] for event in read_log(tmp_path / "log") if "seconds" in event
    ]
    tops = [i for i, value in enumerate(found) if value > max(found[:i], default=-1)]
    assert len(found) < 40 and len(found) == tops[-1] + 3
    assert f"stopped after epoch {len(found)}: " in shown and f"epoch {tops[-1] + 1} for 2" in shown
    shown = run(small(), *words, "--set", "stop.min_delta=1").stdout
    assert "stopped after epoch 3: by the validation images none was better than epoch 1" in shown


def test_a_run_in_pieces_is_the_run_in_one(tmp_path):
    """The split, the best and the patience go on; with another seed too the split is the run's."""
    data = write_data(tmp_path)
    options = ["--validation", 0.25, "--early-stop", 2]
    files = lambda name: sum(
        ([f"--{key}", tmp_path / f"{name}.{key}"] for key in ("save", "save-best", "log")), []
    )
    train(data, *options, *files("whole"), "--epochs", 20, made=small())
    steps = sum(event["event"] == "step" for event in read_log(tmp_path / "whole.log"))
    for step in [*range(3, steps, 7), 10**6]:
        resume = ["--resume", tmp_path / "c"] if step > 3 else options
        words = [*files("parts"), "--checkpoint", tmp_path / "c", "--max-steps", step]
        train(data, *resume, *words, "--epochs", 20, made=small())
    for key in "save", "save-best":
        assert (tmp_path / f"whole.{key}").read_bytes() == (tmp_path / f"parts.{key}").read_bytes()
    whole, parts = (
        [timeless(event) for event in read_log(tmp_path / f"{name}.log")]
        for name in ("whole", "parts")
    )
    assert whole == parts
    told = train(
        data, "--resume", tmp_path / "c", "--validation", 0.5, made=small(), expect=1
    ).stderr
    assert "100 validation images, not 50" in told


def timeless(event):
    return {
        key: value for key, value in event.items() if key not in ("seconds", "images_per_second")
    }


def test_the_split_stays_when_the_seed_changes(columns, tmp_path):
    kept = untouched(tmp_path, columns)[0]
    train(columns, "--epochs", 1, "--checkpoint", tmp_path / "c")
    train(columns, "--resume", tmp_path / "c", "--seed", 5, "--epochs", 3, "--save", tmp_path / "w")
    first, last = (read_safetensors(tmp_path / name)["fc.weight"] for name in ("first", "w"))
    assert list(np.flatnonzero((first == last).all(axis=0))) == list(kept)


@pytest.mark.parametrize(
    "options, told",
    [
        (["--validation", "0.001"], "0.001 of 144 training images leaves none to judge by"),
        (["--validation", "1.5"], "--validation 1.5: a number from 0 to 0.99 is expected"),
        (["--validation", "nowhere"], "there is no directory nowhere"),
        (["--early-stop", "x"], "--early-stop x: a whole number from 0"),
    ],
)
def test_what_cannot_be(options, told, columns, tmp_path):
    result = train(columns, *options, expect=None, cwd=tmp_path)
    assert result.returncode in (1, 2) and told in result.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line, told",
    [
        ("validation 2", "argument-range"),
        ('validation ""', "the folder's name is empty"),
        ("validation 0.1, 0.2", "too-many-arguments"),
        ("stop", "missing-argument"),
        ("stop patience=0", "argument-range"),
        ("early_stopping patience=3", "it is stop here"),
    ],
)
def test_what_the_compiler_says(line, told, tmp_path):
    text = NET.replace("validation 0.25\n", "").replace("stop patience=2", line)
    assert told in check_text(text, tmp_path).stderr
