"""Trainers on the data of test_folders.py and test_sources.py: memory changes no result, what was
made of the values goes with the weights, and what cannot be read any more loses no weights."""
import shutil

import numpy as np

from data.test_data import GREY, NETWORK, png
from data.test_folders import picture
from harness import run, trainer

TABLE = """network t {
    input [3]
    linear(4);  tanh
    linear(2) as fc
}
train {
    data csv("there.csv", target=y, drop=id)
    loss cross_entropy;  optimizer sgd(lr=0.1);  batch 8;  epochs 2
}
"""


def test_memory_changes_no_result_and_a_lost_picture_loses_no_weights(tmp_path):
    program, folder = trainer(NETWORK), tmp_path / "d"
    for i in range(40):
        for part in "train", "test":
            picture(
                folder, f"{part}/{'abc'[i % 3]}/{i:02}.png", png(np.roll(GREY, i) // (i + 1), 0)
            )
    weights = []
    for options in ([], ["--memory", "1KB"], ["--memory", "1B", "--threads", "3"]):
        saved = tmp_path / f"w{len(weights)}"
        run(program, "train", "--data", folder, "--save", saved, "--epochs", 3, *options)
        weights.append(saved.read_bytes())
    assert weights[0] == weights[1] == weights[2]
    whole = run(program, "test", "--data", folder, "--weights", saved).stdout
    shutil.rmtree(folder / "train")
    picture(folder, "test/a/Thumbs.db", b"")
    few = run(program, "test", "--data", folder, "--weights", saved, "--memory", "1B")
    assert few.stdout == whole and "1 file that is no PNG, JPEG, BMP or WebP by name" in few.stderr
    picture(folder, "test/a/00.png", b"\x89PNG")
    left = run(program, "predict", "--data", folder, "--weights", saved, "--skip-broken")
    assert "1 of 40 pictures are left out" in left.stderr
    told = run(program, "train", "--memory", "2 PB", expect=2).stderr
    assert "--memory 2 PB: a size, as 2GB or 512MB, is expected" in told


def test_pictures_cut_from_their_own_sizes_make_the_same_weights_however_they_are_read(tmp_path):
    recipe = (
        'data "there";  validation 0.2;  test resize(7), center_crop([6, 4])\n'
        "augment resize(7), random_crop([6, 4], padding=1), horizontal_flip;"
    )
    program, folder = trainer(NETWORK.replace('data "there";', recipe)), tmp_path / "d"
    for i in range(30):
        content = png(np.roll(GREY, i)[: 12 - i % 3, : 8 - i % 2], 0)
        picture(folder, f"{'abc'[i % 3]}/{i:02}.png", content)
    train = program, "train", "--data", folder, "--epochs", 3
    run(*train, "--save", tmp_path / "w")
    run(*train, "--save", tmp_path / "w1", "--memory", "1B", "--threads", 3)
    run(*train, "--max-steps", 4, "--checkpoint", tmp_path / "c")
    run(*train, "--resume", tmp_path / "c", "--save", tmp_path / "w2", "--memory", "500B")
    assert len({(tmp_path / name).read_bytes() for name in ("w", "w1", "w2")}) == 1
    told = run(program, "test", "--data", folder, "--weights", tmp_path / "w").stdout
    assert "of 30)" in told, told


def rows(path, numbers, colours="red blue"):
    names = colours.split()
    lines = [f"{i},{i * 1.5 - 3},{names[i % len(names)]},{i % 3 % 2}" for i in numbers]
    path.write_text("\n".join(["id,size,colour,y", *lines]) + "\n")
    return path


def test_a_tables_recipe_goes_with_the_weights(tmp_path):
    program = trainer(TABLE)
    table = rows(tmp_path / "t.csv", range(50))
    saved, checkpoint = tmp_path / "w", tmp_path / "c"
    run(program, "train", "--data", table, "--save", saved, "--checkpoint", checkpoint)
    same = run(program, "test", "--data", table, "--weights", saved)
    assert "(5 images)" in same.stdout or "of 5)" in same.stdout, same.stdout
    moved = rows(tmp_path / "moved.csv", range(1000, 1020), "red")
    other = run(program, "test", "--data", moved, "--weights", saved)
    assert "all its 20 rows are for testing" in other.stderr and "of 20)" in other.stdout
    strange = rows(tmp_path / "strange.csv", range(5), "red pink")
    told = run(program, "test", "--data", strange, "--weights", saved, expect=1).stderr
    assert "line 3 has 'pink' in column colour, which is none of the 2" in told
    told = run(
        program,
        "train",
        "--data",
        rows(tmp_path / "n.csv", range(60)),
        "--resume",
        checkpoint,
        "--epochs",
        4,
        expect=1,
    ).stderr
    assert "is made to numbers in another way than the run's data were" in told
    # standardised as the training rows are: other weights would follow from other rows
    again = tmp_path / "again"
    run(program, "train", "--data", table, "--resume", checkpoint, "--epochs", 3, "--save", again)
    straight = tmp_path / "straight"
    run(program, "train", "--data", table, "--epochs", 3, "--save", straight)
    assert again.read_bytes() == straight.read_bytes()
