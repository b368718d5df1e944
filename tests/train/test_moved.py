"""Targets with a class for each pixel move with their images: what a pixel is can be learned
however the images are turned, and the run is the same for any number of threads and when it is
taken up again."""
import numpy as np
import pytest

from data.test_data import png
from harness import QUICK_MPI, have, read_log, run, trainer
from train.test_ranks import APART, MPI

NET = """network pixels {
    input [1, 12, 8]
    conv2d(2, 1) as fc
}
train {
    data      masks("pics")
    normalize mean=0.5, std=0.5
    augment   horizontal_flip, vertical_flip, random_crop([12, 8], padding=3), random_rotation(180)
    loss      cross_entropy(ignore_index=255)
    optimizer sgd(lr=1)
    batch     8
    epochs    6
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bright pixel is of class 1."""
    folder, numbers = tmp_path_factory.mktemp("moved"), np.random.default_rng(1)
    for part, count in ("train", 40), ("test", 4):
        for kind in "images", "masks":
            (folder / "pics" / part / kind).mkdir(parents=True)
        for i in range(count):
            mask = numbers.integers(0, 2, (12, 8), "u1")
            (folder / "pics" / part / "images" / f"{i}.png").write_bytes(png(60 + 150 * mask, 0))
            (folder / "pics" / part / "masks" / f"{i}.png").write_bytes(png(mask, 0))
    return folder


def train(folder, *options):
    run(trainer(NET), "train", "--quiet", "--log", "log", *options, cwd=folder)
    return [event for event in read_log(folder / "log") if event["event"] == "epoch"][-1]


def test_a_mask_moves_with_its_picture(folder):
    # Of a mask that stayed where it was nothing can be learned: the loss would be that of chance.
    assert train(folder, "--save", "w")["train_loss"] < 0.3 < np.log(2)
    train(folder, "--save", "again", "--threads", 3)
    assert (folder / "again").read_bytes() == (folder / "w").read_bytes()
    train(folder, "--checkpoint", "c", "--max-steps", 7)
    train(folder, "--resume", "c", "--save", "again")
    assert (folder / "again").read_bytes() == (folder / "w").read_bytes()


@pytest.mark.skipif(not have("mpirun"), reason="no MPI here")
def test_ranks_move_it_alike(folder):
    """Each has a share of the pictures, of which a step takes every one twice."""
    text = NET.replace("random_rotation(180)", "random_rotation(180), repeated_augment(2)")
    program = trainer(text.replace("batch     8", "batch     40"), "--mpi", compiler=QUICK_MPI)
    words = program, "train", "--quiet", "--save"
    run(*words, "w", cwd=folder)
    alone = (folder / "w").read_bytes()
    for more in {}, APART:
        run("mpirun", "-n", 2, *words, "w", cwd=folder, env={**MPI, **more})
        assert (folder / "w").read_bytes() == alone


def test_where_classes_are_filled_in_is_asked_of_the_data(folder):
    """A byte of a mask cannot be less than 0."""
    text = NET.replace("ignore_index=255", "ignore_index=-1")
    told = run(trainer(text), "train", "--quiet", cwd=folder, expect=1).stderr
    assert "random_crop fills mask with -1 from beyond the images' edges" in told
    assert "target_fill= says another" in told
