"""What `predict` says of many pictures: as JSON, as a table, of folders; and the pictures that a
network makes."""
import csv
import io
import json
import os

import numpy as np
import pytest

from data.test_data import png
from harness import read_safetensors, run, trainer, write_safetensors
from train.test_report import decode_png

SIDE, CLASSES = 6, ["cat", "dog, big", 'owl "x"', "rat"]
NET = """network looks {
    input [1, 6, 6]
    flatten
    linear(4) as fc
}
"""
MAKES = """network makes {
    input [1, 6, 6]
    conv2d(1, 3, padding=1, bias=false) as conv
}
"""


def program():
    return trainer(NET, "--kernels=reference")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures in folders, two of which cannot be read, and weights."""
    folder = tmp_path_factory.mktemp("made")
    numbers = np.random.default_rng(4)
    for name in "in/b.png", "in/a.PNG", "in/deep/d.jfif", "in/deep/er/c.png", "in/.hidden.png":
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(numbers.integers(0, 256, (SIDE, SIDE), "u1"), 0))
    (folder / "in/notes.txt").write_text("none")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnone")
    (folder / "empty").mkdir()
    weights = {
        "fc.weight": numbers.normal(size=(4, 36)).astype("f4"),
        "fc.bias": numbers.normal(size=4).astype("f4"),
    }
    write_safetensors(folder / "w", weights, {"class_names": "\n".join(CLASSES)})
    return folder


def shares(folder, name):
    weights = read_safetensors(folder / "w")
    pixels = decode_png((folder / name).read_bytes()).ravel() / 255
    logits = weights["fc.weight"].astype(float) @ pixels + weights["fc.bias"]
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


def predict(folder, *options, expect=0):
    return run(program(), "predict", "--weights", "w", *options, cwd=folder, expect=expect)


# A folder's own pictures are before those of the folders in it.
FOUND = ["in/a.PNG", "in/b.png", "in/deep/d.jfif", "in/deep/er/c.png"]


def test_json_says_the_likeliest(folder):
    said = json.loads(predict(folder, "--json", "--top", 2, "in").stdout)
    assert [one["image"] for one in said] == FOUND
    for one in said:
        wanted = shares(folder, one["image"])
        order = np.argsort(-wanted)
        assert one["class"] == CLASSES[order[0]] and one["index"] == order[0]
        assert [top["class"] for top in one["top"]] == [CLASSES[i] for i in order[:2]]
        found = [top["probability"] for top in one["top"]]
        assert (
            found == pytest.approx(wanted[order[:2]], rel=1e-4) and found[0] == one["probability"]
        )


def test_a_table_of_a_folder(folder, tmp_path):
    notes = predict(folder, "in/", "-o", tmp_path / "t.csv").stderr
    assert (
        "in has 2 files that are no PNG, JPEG, BMP or WebP by name, left out: "
        ".hidden.png, notes.txt" in notes
    )
    printed = predict(folder, "in", "--csv").stdout
    assert (tmp_path / "t.csv").read_text() == printed
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["image"] for row in rows] == FOUND and set(rows[0]) == {
        *("image", "class", "probability")
    }
    for row in rows:
        wanted = shares(folder, row["image"])
        assert row["class"] == CLASSES[wanted.argmax()]
        assert float(row["probability"]) == pytest.approx(wanted.max(), rel=1e-4)
    (first, *_) = csv.DictReader(io.StringIO(predict(folder, "in", "--csv", "--top", 4).stdout))
    wanted = shares(folder, first["image"])
    assert [first[f"class_{i}"] for i in (2, 3, 4)] == [CLASSES[i] for i in np.argsort(-wanted)[1:]]


def test_one_that_cannot_be_read_stops_none(folder, tmp_path):
    result = predict(folder, "--csv", "in/b.png", "broken.png", "in/a.PNG", expect=1)
    assert [line.split(",")[0] for line in result.stdout.splitlines()] == [
        *("image", "in/b.png", "in/a.PNG")
    ]
    assert "broken.png" in result.stderr and result.stderr.count("\n") == 1
    os.mkfifo(tmp_path / "pipe.png")  # nobody writes: who opens it waits
    result = predict(folder, "--csv", tmp_path, "in/b.png", expect=1)
    assert "pipe.png: it is not a file" in result.stderr and "in/b.png," in result.stdout


@pytest.mark.parametrize(
    "options, status, told",
    [
        (["empty"], 1, "empty has no pictures: .png, .jpg, .jpeg, .jpe, .jfif, .bmp or .webp"),
        (["nowhere.png"], 1, "nowhere.png"),
        (["in", "-o", "x.txt"], 2, "F.csv, F.json, F.png or DIR/ is expected"),
        (["in", "-o", "made/"], 1, "the network's output is no picture to put into made"),
        (["in", "-o", "made.png"], 1, "the network's output is no picture for made.png"),
        (["in", "--csv", "--json"], 2, "a table or JSON"),
        (["in", "--top", "0"], 2, "a whole number from 1"),
    ],
)
def test_what_cannot_be(options, status, told, folder):
    before = sorted(folder.rglob("*"))
    result = predict(folder, *options, expect=status)
    assert told in result.stderr and sorted(folder.rglob("*")) == before


def test_pictures_that_a_network_makes(folder, tmp_path):
    """A kernel that moves the picture by one: what was normalised is on the pixels' scale again."""
    made, kernel = trainer(MAKES, "--kernels=reference"), np.zeros((1, 1, 3, 3), "f4")
    kernel[0, 0, 1, 0] = 1
    normal = {"normalize.mean": "0.5", "normalize.std": "0.25"}
    write_safetensors(tmp_path / "w", {"conv.weight": kernel}, normal)
    words = "predict", "--weights", tmp_path / "w", "in", "-o", f"{tmp_path}/out"
    (tmp_path / "out").mkdir()
    run(made, *words, cwd=folder)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["in-a.png", "in-b.png", "in-deep-d.png", "in-deep-er-c.png"]
    for source, name in zip(FOUND, names):
        pixels = decode_png((folder / source).read_bytes())
        wanted = np.full((SIDE, SIDE), 128)  # what is beside the picture is 0, the mean
        wanted[:, 1:] = pixels[:, :-1]
        assert (decode_png((tmp_path / "out" / name).read_bytes()) == wanted).all()
    told = run(made, "predict", "--weights", tmp_path / "w", "in", "--csv", cwd=folder, expect=1)
    assert "output is a picture: --output DIR/" in told.stderr


# ------------------------------------------------------------------ texts

TEXTS = """network moods {
    input [6] of 4
    embedding(2) as votes
    sum(axis=0) as sums
}
train { data text("there");  loss cross_entropy;  optimizer sgd(lr=0.1);  batch 4;  epochs 1 }
"""
STEPS = """network capitals {
    input [6] of 256
    embedding(2) as votes
}
train { data arrays("there");  loss cross_entropy;  optimizer sgd(lr=0.1);  batch 4;  epochs 1 }
"""


def test_texts_by_class(tmp_path):
    """Each ä votes for the second class, each b for the first; what fills up has no vote."""
    votes = np.array([[0, 1], [2, 0], [0, 0], [0, 0]], "f4")
    names = {"class_names": "bad\ngood", "data_recipe": "\\u00e4\nb\nc"}
    write_safetensors(tmp_path / "w", {"votes.weight": votes}, names)
    (tmp_path / "in").mkdir()
    for name, text in ("1", "äääääb"), ("2", "bäc"), ("3", "bädly"):
        (tmp_path / f"in/{name}.txt").write_text(text)
    words = trainer(TEXTS, "--kernels=reference"), "predict", "--weights", "w"
    result = run(*words, "--json", "--prompt", "ää", "in", cwd=tmp_path, expect=1)
    said = json.loads(result.stdout)
    assert [(one["text"], one["class"]) for one in said] == [
        ("ää", "good"),
        ("in/1.txt", "good"),
        ("in/2.txt", "bad"),
    ]
    assert said[0]["probability"] == pytest.approx(1 / (1 + np.exp(-2)), rel=1e-5)
    assert "in/3.txt: byte 3 begins 'd', which is none of the 3 characters" in result.stderr
    table = run(*words, "--csv", "--prompt", "cb,", "in/2.txt", cwd=tmp_path, expect=1).stdout
    assert table.splitlines() == ["text,class,probability", "in/2.txt,bad,0.731059"]
    assert "ää: good, 88.1 %" in run(*words, "--prompt", "ää", cwd=tmp_path).stdout
    for wrong, told in (
        ([], "predict needs texts: --prompt TEXT"),
        (["in", "--data", "in"], "predict takes text files or --data, not both"),
        (["--prompt", "b", "--data", "in"], "predict takes --prompt or --data, not both"),
    ):
        assert told in run(*words, *wrong, cwd=tmp_path, expect=2).stderr
    write_safetensors(tmp_path / "w", {"votes.weight": votes})
    told = run(*words, "--prompt", "b", cwd=tmp_path, expect=1).stderr
    assert "the weights do not say which number a character has" in told


def test_a_class_for_each_byte_of_a_text(tmp_path):
    votes = np.zeros((256, 2), "f4")
    votes[ord("A") : ord("Z") + 1, 1] = 1
    write_safetensors(tmp_path / "w", {"votes.weight": votes}, {"class_names": "small\nlarge"})
    words = trainer(STEPS, "--kernels=reference"), "predict", "--weights", "w"
    said = json.loads(run(*words, "--json", "--prompt", "aBcD", cwd=tmp_path).stdout)
    assert said == [{"text": "aBcD", "classes": ["small", "large", "small", "large"]}]
    (tmp_path / "t").write_text("Beyond its end")
    table = run(*words, "--csv", "t", cwd=tmp_path).stdout
    assert table == "text,classes\nt,large small small small small small\n"
    assert run(*words, "t", cwd=tmp_path).stdout == "t: " + table[15:]


@pytest.fixture(scope="module")
def mover(tmp_path_factory):
    """A network that moves a picture by one, and its weights."""
    made, kernel = tmp_path_factory.mktemp("mover"), np.zeros((1, 1, 3, 3), "f4")
    kernel[0, 0, 1, 0] = 1
    write_safetensors(made / "w", {"conv.weight": kernel})
    return trainer(MAKES, "--kernels=reference"), "predict", "--weights", made / "w"


def test_a_sheet_has_each_picture_beside_its_input(mover, folder, tmp_path):
    shown = FOUND[:3]
    run(*mover, *shown, "-o", tmp_path / "s.png", cwd=folder)
    sheet, scale = decode_png((tmp_path / "s.png").read_bytes()), 8
    side, columns = SIDE * scale, 2
    assert sheet.shape == (2 * (side + 8) + 8, columns * (2 * side + 2 + 8) + 8)
    for number, source in enumerate(shown):
        pixels = decode_png((folder / source).read_bytes())
        moved = np.zeros_like(pixels)
        moved[:, 1:] = pixels[:, :-1]
        row, column = divmod(number, columns)
        top, left = 8 + row * (side + 8), 8 + column * (2 * side + 2 + 8)
        for place, wanted in (left, pixels), (left + side + 2, moved):
            tile = sheet[top : top + side, place : place + side]
            assert (tile == wanted.repeat(scale, 0).repeat(scale, 1)).all()
    assert (sheet[-side - 8 :, 2 * side + 2 + 2 * 8 :] == 32).all()  # there is no fourth


def test_what_no_sheet_can_be(mover, folder, tmp_path):
    (tmp_path / "a.png").write_bytes((folder / "in/b.png").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"none")
    told = run(*mover, "a.png", "-o", "./a.png", cwd=tmp_path, expect=1).stderr
    assert "./a.png would replace a picture that it is made of" in told
    words = "--data", "synthetic", "--count", 257, "-o", "s.png"
    told = run(*mover, *words, cwd=tmp_path, expect=1).stderr
    assert "s.png has room for 256 pictures, and 257 are asked for: --output DIR/" in told
    run(*mover, "broken.png", "-o", "s.png", cwd=tmp_path, expect=1)
    assert not (tmp_path / "s.png").exists()


def noise(tmp_path, *options):
    """[examples][3]: by how much each of three numbers drawn is larger than a fourth one."""
    words = "--data", "noise", "--json", "--top", 4, "--count", 3000, *options
    said = json.loads(run(program(), "predict", "--weights", tmp_path / "w", *words).stdout)
    shares = [{top["index"]: top["probability"] for top in one["top"]} for one in said]
    return np.array([[np.log(one[i] / one[0]) for i in (1, 2, 3)] for one in shares])


def test_noise_is_normal(tmp_path):
    """Logits that are one number of the input each: a difference of two has a variance of 2."""
    weight = np.eye(4, 36, dtype="f4")
    write_safetensors(tmp_path / "w", {"fc.weight": weight, "fc.bias": np.zeros(4, "f4")})
    drawn = noise(tmp_path)
    assert np.abs(drawn.mean(0)).max() < 0.1
    assert np.cov(drawn.T) == pytest.approx(np.eye(3) + 1, abs=0.15)
    assert np.mean(np.abs(drawn) < np.sqrt(2)) == pytest.approx(0.683, abs=0.02)
    assert (noise(tmp_path) == drawn).all() and (noise(tmp_path, "--seed", 2) != drawn).any()


def test_a_part_of_a_larger_networks_weights(folder, tmp_path):
    state = read_safetensors(folder / "w")
    whole = predict(folder, "in", "--csv").stdout
    more = {**state, "encoder.weight": np.ones((2, 2), "f4")}
    names = {"class_names": "\n".join(CLASSES), "normalize.mean": "0", "normalize.std": "1"}
    write_safetensors(tmp_path / "more", more, names)
    words = "predict", "--weights", tmp_path / "more", "in", "--csv"
    told = run(program(), *words, cwd=folder, expect=1).stderr
    assert "has encoder.weight, [2, 2], which this network has not: --partial takes what" in told
    assert run(program(), *words, "--partial", cwd=folder).stdout == whole
    write_safetensors(tmp_path / "more", {**more, "fc.bias": np.ones(3, "f4")}, names)
    told = run(program(), *words, "--partial", cwd=folder, expect=1).stderr
    assert "fc.bias is [3], and [4] in this network" in told
    told = run(program(), *words, cwd=folder, expect=1).stderr
    assert "--partial" not in told
    others = {"class_names": "one\ntwo", "normalize.mean": "0.5,0.5,0.5"}
    write_safetensors(tmp_path / "more", more, others)
    answered = run(program(), *words, "--partial", cwd=folder).stdout
    assert [row["class"] for row in csv.DictReader(io.StringIO(answered))] == [
        str(CLASSES.index(row["class"])) for row in csv.DictReader(io.StringIO(whole))
    ]
