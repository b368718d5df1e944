"""Folders of pictures as people have them, sets that memory has no room for, EMNIST's files, and
labels beyond a byte."""
import gzip
import os
import struct

import numpy as np
import pytest

from data.test_data import GREY, driver, idx, idx_folder, png, refuse  # noqa: F401
from harness import run


def shown(driver, folder, classes, *shape, expect=0, **env):
    """What the driver prints of all arrays, by their names, the train part's and the test's."""
    printed = run(
        driver,
        "arrays",
        folder,
        *shape,
        classes,
        1,
        env={k: str(v) for k, v in env.items()},
        expect=expect,
    ).stdout.splitlines()
    notes = [line[6:] for line in printed if line.startswith("note: ")]
    rest = [line for line in printed if not line.startswith("note: ")]
    if expect:
        assert len(rest) == 1, printed
        return notes, rest[0]
    parts, part = {}, None
    for line in rest[:-2]:
        words = line.split()
        if words[0] in ("train", "test") and len(words) == 2:
            part = parts.setdefault(words[0], {"count": int(words[1])})
        else:
            head, values = line.split(":")
            name = head.split()[0]
            part[name] = np.array([float(v) for v in values.split()])
    return notes, parts, rest[-2].split(","), rest[-1]


def picture(folder, name, content=None):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(png(GREY, 0) if content is None else content)


SHAPE = 1, 6, 4


def test_folders_in_folders_without_parts_and_strangers(driver, tmp_path):
    for name in "cat/1.png cat/deep/er/2.png dog/3.png".split():
        picture(tmp_path, name)
    for name in "cat/Thumbs.db dog/.DS_Store dog/notes.txt dog/4.gif .git/HEAD".split():
        picture(tmp_path, name, b"")
    picture(tmp_path, "scripts/run.sh", b"")
    notes, parts, classes, _ = shown(driver, tmp_path, 2, *SHAPE)
    assert classes == ["cat", "dog"]
    assert parts["train"]["class"].tolist() == [0, 0, 1] and parts["test"]["count"] == 0
    assert notes == [
        f"{tmp_path} has 4 files that are no PNG, JPEG, BMP or WebP by name, left out: "
        "Thumbs.db, .DS_Store, 4.gif, …",
        f"{tmp_path} has no test beside its training images: all 3 are trained on, "
        "and none is tested with",
    ]


def test_the_test_part_by_its_other_names_and_without_training_images(driver, tmp_path):
    for split in "train", "val", "valid":
        for name in "cat", "dog":
            picture(tmp_path, f"{split}/{name}/1.png")
    notes, parts, classes, _ = shown(driver, tmp_path, 2, *SHAPE)
    assert parts["test"]["count"] == 2 and classes == ["cat", "dog"]
    assert notes == [f"{tmp_path}/valid is not used: {tmp_path}/val is"]
    os.rename(tmp_path / "train", tmp_path / "gone")
    weights = {"OPTIONS": "t", "CLASSES": "bee\ncat\ndog"}
    _, parts, classes, _ = shown(driver, tmp_path, 3, *SHAPE, **weights)
    assert "train" in parts and parts["train"]["count"] == 0
    assert parts["test"]["class"].tolist() == [1, 2] and classes == ["bee", "cat", "dog"]
    picture(tmp_path, "val/yak/1.png")
    assert shown(driver, tmp_path, 3, *SHAPE, expect=1, **weights)[1] == (
        f"{tmp_path}/val has a class yak, which the weights have not"
    )
    assert shown(driver, tmp_path, 3, *SHAPE, expect=1)[1] == (
        f"{tmp_path} has no train beside {tmp_path}/val"
    )


def test_parts_as_others_spell_them_and_a_folder_that_an_archive_made(driver, tmp_path):
    """Two folders named Train and TEST_SET are no two classes; beside a Car, Train is one."""
    root = tmp_path / "unpacked" / "set"
    for part in "Train", "TEST_SET":
        for name in "cat", "dog":
            picture(root, f"{part}/{name}/1.png")
    notes, parts, classes, _ = shown(driver, root, 2, *SHAPE)
    assert classes == ["cat", "dog"] and not notes
    assert parts["train"]["count"] == parts["test"]["count"] == 2
    assert shown(driver, tmp_path / "unpacked", 2, *SHAPE, expect=1)[1] == (
        f"{tmp_path}/unpacked has one class, set: is {root} meant?"
    )
    for name in "Train", "Car":
        picture(tmp_path, f"vehicles/{name}/1.png")
    assert shown(driver, tmp_path / "vehicles", 2, *SHAPE)[2] == ["Car", "Train"]


def test_broken_pictures_are_told_at_once_and_can_be_left_out(driver, tmp_path):
    for i in range(6):
        picture(tmp_path, f"train/{'ab'[i % 2]}/{i}.png", png(GREY // (i + 1), 0))
        picture(tmp_path, f"test/{'ab'[i % 2]}/{i}.png")
    for name in "a/2", "b/5":
        picture(tmp_path, f"train/{name}.png", png(GREY, 0)[:50])
    notes, told = shown(driver, tmp_path, 2, *SHAPE, expect=1)
    assert told == notes[0] + (
        ", and 1 more of 6 pictures cannot be read; --skip-broken leaves them out"
    )
    assert [note.split(" is cut off")[0] for note in notes] == [
        f"{tmp_path}/train/a/2.png",
        f"{tmp_path}/train/b/5.png",
    ]
    for memory in 0, 60:  # of 24 bytes a picture
        notes, parts, _, _ = shown(driver, tmp_path, 2, *SHAPE, OPTIONS="s", MEMORY=memory)
        assert parts["train"]["class"].tolist() == [0, 0, 1, 1]
        assert notes[-1] == "2 of 6 pictures are left out"
        whole = [GREY.reshape(6, 2, 4, 2).mean((1, 3)) // (i + 1) for i in (0, 4, 1, 3)]
        if not memory:
            pixels = parts["train"]["image"].reshape(4, 6, 4)
            assert np.abs(pixels - whole).max() <= 2


def test_a_set_that_memory_has_no_room_for_is_what_it_is(driver, tmp_path):
    for i in range(23):
        picture(tmp_path, f"{'abc'[i % 3]}/{i:02}.png", png(GREY // (i + 1), 0))
    lost = tmp_path / "b" / "16.png"
    for memory in 1, 24 * 5, 24 * 22:
        printed = run(driver, "stream", tmp_path, *SHAPE, 3, 1, memory).stdout
        assert printed == "same\n"
    printed = run(driver, "stream", tmp_path, *SHAPE, 3, 1, 24, lost).stdout
    assert printed == (
        f"same\ncannot read {lost}: No such file or directory: "
        "it could be read when the data were opened\n"
    )


def test_a_cache_of_decoded_pictures(driver, tmp_path):
    """Used while its pictures are the same files, made anew else, and never half."""
    folder, cache = tmp_path / "d", tmp_path / "c"
    for i in range(12):
        picture(folder, f"train/{'abc'[i % 3]}/{i:02}.png", png(GREY // (i + 1), 0))
        picture(folder, f"test/{'abc'[i % 3]}/{i:02}.png", png(GREY // (i + 2), 0))

    def streamed():
        return run(driver, "stream", folder, *SHAPE, 3, 1, 1, env={"CACHE": str(cache)})

    plain = run(driver, "stream", folder, *SHAPE, 3, 1, 1).stdout
    assert plain == streamed().stdout == "same\n"
    files = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert sorted(path.name.split("-")[1] for path in files) == ["test.pictures", "train.pictures"]
    assert streamed().stdout == "same\n"
    assert files == {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    words = "arrays", folder, *SHAPE, 3, 1
    told = run(driver, *words, env={"CACHE": str(cache)}).stdout
    assert "note" not in told
    picture(folder, "train/b/01.png", png(GREY // 9, 0))
    told = run(driver, *words, env={"CACHE": str(cache)}).stdout
    assert told.count("is made anew: its pictures have changed") == 1
    train = next(path for path in files if "train" in path.name)
    whole = train.read_bytes()
    for damaged in whole[:20], whole[:-1], whole[:24] + b"\xff" * 8 + whole[32:], b"":
        train.write_bytes(damaged)
        assert "is made anew" in run(driver, *words, env={"CACHE": str(cache)}).stdout
        assert len(train.read_bytes()) == len(whole)
    picture(folder, "train/b/01.png", png(GREY, 0)[:50])
    notes, refused = shown(driver, folder, 3, *SHAPE, expect=1, CACHE=cache)
    assert "is not made, for some of its pictures cannot be read" in notes[-1]
    assert "train/b/01.png is cut off" in refused
    notes, parts, _, _ = shown(driver, folder, 3, *SHAPE, OPTIONS="s", CACHE=cache)
    assert parts["train"]["count"] == 11 and "1 of 12 pictures are left out" in notes
    not_a_folder = run(driver, *words, env={"CACHE": str(train)}, expect=1).stdout
    assert not_a_folder.startswith(f"cannot write {train}/") or "Not a directory" in not_a_folder


def test_more_classes_than_a_byte_has(driver, tmp_path):
    for i in range(300):
        picture(tmp_path, f"{i:03}/x.png", png(GREY[:2, :2], 0))
    _, parts, classes, _ = shown(driver, tmp_path, 300, 1, 1, 1)
    assert parts["train"]["class"].tolist() == list(range(300)) and len(classes) == 300


def test_idx_labels_beyond_a_byte(driver, tmp_path):
    folder = idx_folder(tmp_path / "d")
    for kind, code, name in (">i2", 11, "short"), (">i4", 12, "int"):
        for split in "train", "t10k":
            for old in folder.glob(f"{split}-labels*"):
                old.unlink()
            labels = np.array([0, 300, 2, 7, 299]).astype(kind)
            content = idx(labels, magic=bytes([0, 0, code, 1]))
            (folder / f"{split}-labels-idx1-{name}").write_bytes(content)
        _, parts, _, _ = shown(driver, folder, 301, 1, 4, 6)
        assert parts["train"]["class"].tolist() == [0, 300, 2, 7, 299]
    below = idx(np.array([0, 1, -2, 3, 4]).astype(">i4"), magic=bytes([0, 0, 12, 1]))
    (folder / "train-labels-idx1-int").write_bytes(below)
    assert refuse(driver, "open", folder, 1, 4, 6, 301, 1) == (
        f"{folder}/train-labels-idx1-int gives image 2 the label -2 (byte 16)"
    )


def emnist(folder, name, images, labels):
    folder.mkdir(exist_ok=True)
    for part in "train", "test":
        for kind, array in ("images-idx3", images), ("labels-idx1", labels):
            path = folder / f"emnist-{name}-{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(idx(array)))


def test_emnist_stands_upright_and_its_letters_begin_at_0(driver, tmp_path):
    images = np.arange(3 * 4 * 4, dtype="u1").reshape(3, 4, 4)
    emnist(tmp_path / "emnist", "letters", images, np.array([1, 26, 5], "u1"))
    _, parts, classes, _ = shown(driver, tmp_path / "emnist", 26, 1, 4, 4)
    assert (parts["train"]["image"].reshape(3, 4, 4) == images.transpose(0, 2, 1)).all()
    assert parts["test"]["class"].tolist() == [0, 25, 4] and classes[:2] == ["a", "b"]
    emnist(tmp_path / "emnist", "digits", images, np.array([1, 9, 5], "u1"))
    assert "has several data sets: `data emnist_digits` or `data emnist_letters`" in refuse(
        driver, "open", tmp_path / "emnist", 1, 4, 4, 26, 1
    )
    found = run(
        driver, "open", "emnist_digits", 1, 4, 4, 10, 1, env={"NET_DATA": str(tmp_path)}
    ).stdout
    assert found.startswith(f"emnist_digits in {tmp_path}/emnist\ntrain 3 ")
