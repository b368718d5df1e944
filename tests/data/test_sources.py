"""Tables, named arrays, masks and recordings: what is read against numpy and Python's own writers,
and every false file as one sentence."""
import io
import json
import re
import struct
import zipfile

import numpy as np
import pytest

from data.test_data import GREY, LIMITS, chunk, driver, png, refuse  # noqa: F401
from data.test_folders import picture, shown
from harness import run


def source(driver, path, classes, *shape, reader, expect=0, **env):
    env["SETTINGS"] = f"data.reader={reader};" + env.get("SETTINGS", "")
    return shown(driver, path, classes, *shape, expect=expect, **env)


# ------------------------------------------------------------------- tables

ROWS = [
    # alcohol, sugar, colour, "fixed, acidity", quality
    ("9.5", "1", "red", "7", "3"),
    ("10.5", "1", "white", "8", "5"),
    ("11", "1.0", "red", "6.5", "5"),
    ("8", "1e0", "white", "7,5", "8"),
] * 5
HEADER = "alcohol", "sugar", "colour", "fixed, acidity", "quality"


def table(separator=",", end="\n", mark="", rows=ROWS, header=HEADER):
    def field(text):
        quoted = any(c in text for c in separator + '"\n') or " " in text
        return '"' + text.replace('"', '""') + '"' if quoted else text

    lines = [separator.join(field(text) for text in row) for row in (header, *rows)]
    return (mark + end.join(lines) + end).encode()


def standardised(values, trained):
    values = np.array(values, float)
    std = values[trained].std() or 1
    return (values - values[trained].mean()) / std


@pytest.mark.parametrize(
    "separator, end, mark", [(",", "\n", ""), (";", "\r\n", "\ufeff"), ("\t", "\n\n", "")]
)
def test_a_table(driver, tmp_path, separator, end, mark):
    path = tmp_path / "wine.csv"
    rows = [
        row[:3] + (row[3] if separator == ";" else row[3].replace(",", "."), row[4]) for row in ROWS
    ]
    path.write_bytes(table(separator, end, mark, rows))
    _, parts, classes, recipe = source(
        driver, path, 3, 5, 0, 0, reader="csv", SETTINGS="data.target=quality;data.test=0.25"
    )
    assert classes == ["3", "5", "8"]
    train, test = parts["train"], parts["test"]
    assert (train["count"], test["count"]) == (15, 5)
    again = source(
        driver,
        path,
        3,
        5,
        0,
        0,
        reader="csv",
        OPTIONS="t",
        RECIPE=recipe,
        SETTINGS="data.target=quality;data.test=0.25",
    )[1]
    assert (again["test"]["columns"] == test["columns"]).all() and again["train"]["count"] == 0
    # which rows are tested is the reader's choice; that the values are those of whole rows is not
    known = json.loads(recipe)
    alcohol = np.array([float(row[0]) for row in rows])
    mean, std = known["inputs"][0]["mean"], known["inputs"][0]["std"]
    seen = np.concatenate([train["columns"].reshape(15, 5), test["columns"].reshape(5, 5)])
    labels = np.concatenate([train["quality"], test["quality"]]).astype(int)
    acidity = known["inputs"][3]
    columns = {
        tuple(
            np.round(
                [
                    (a - mean) / std,
                    0,
                    c == "red",
                    c == "white",
                    (float(d.replace(",", ".")) - acidity["mean"]) / acidity["std"],
                ],
                4,
            )
        )
        + (["3", "5", "8"].index(q),)
        for a, (_, _, c, d, q) in zip(alcohol, rows)
    }
    assert {tuple(np.round(x, 4)) + (y,) for x, y in zip(seen, labels)} == columns
    trained = train["columns"].reshape(15, 5)[:, 0]
    assert abs(trained.mean()) < 1e-6 and abs(trained.std() - 1) < 1e-6


def test_several_targets_numbers_and_dropped_columns(driver, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,a,b,y\n" + "".join(f"{i},{i * i},{-i},{i % 2}\n" for i in range(10)))
    settings = "data.target=a,y;data.drop=id;data.test=0.2"
    _, parts, _, _ = source(driver, path, 2, 1, 0, 0, reader="csv", SETTINGS=settings, OPTIONS="n")
    both = np.concatenate([parts[part]["targets"].reshape(-1, 2) for part in ("train", "test")])
    assert sorted(map(tuple, both)) == sorted((i * i, i % 2) for i in range(10))
    notes, parts, _, _ = source(driver, path, 2, 3, 0, 0, reader="csv", SETTINGS="data.test=0.2")
    assert notes == [f"{path}: the target is y, the last column"]
    (tmp_path / "other.csv").write_text("b,y,a,more\n5,1,7,8\n")
    _, parts, _, recipe = source(
        driver,
        path,
        2,
        2,
        0,
        0,
        reader="csv",
        SETTINGS=f"data.target=y;data.drop=id;data.test_file={tmp_path}/other.csv",
    )
    known = {c["name"]: c for c in json.loads(recipe)["inputs"]}
    expected = [
        (7 - known["a"]["mean"]) / known["a"]["std"],
        (5 - known["b"]["mean"]) / known["b"]["std"],
    ]
    assert parts["train"]["count"] == 10
    assert np.allclose(parts["test"]["columns"], expected, rtol=1e-6)


BAD_TABLES = {
    "empty": ("", "has no line: a header, which names the columns, and rows are expected"),
    "header": ("a,y\n", "has one line: a header,"),
    "ragged": ("a,y\n1,2\n1,2,3\n", "line 3 has 3 fields, and the first line has 2"),
    "missing": ("a,y\n1,2\n,2\n", "line 3 has no value in column a: fill it in"),
    "na": ("a,y\nNA,2\n1,2\n", "line 2 has no value in column a"),
    "text": ("a,y\n1,2\n2,1\nx,2\n", "line 4 has 'x' in column a, whose fields are numbers"),
    "huge": ("a,y\n1,2\n1e999,2\n", "line 3 has '1e999' in column a"),
    "quote": ('a,y\n"1,2\n1,2\n', "line 2 has a quote that is opened and never closed"),
    "behind": ('a,y\n1,2\n"1"x,2\n', "line 3 goes on behind a closing quote"),
    "twice": ("a,a,y\n1,2,3\n", "has two columns that are named a"),
    "nameless": ("a,,y\n1,2,3\n", "column 2 has no name in the header (line 1)"),
    "unnamed": (",a,y\n0,1,2\n", "give it one, as id; drop=[id] then leaves it out"),
    "headless": ("1,1\n3,4\n", "begins with numbers (line 1), where a header"),
    "large": ("a,y\n1,2\n2e200,1\n", "line 3 has 2e200 in column a, which is too large: give"),
    "UTF-16": ("\udcff\udcfea\0,\0y\0\n\0", "is a text in UTF-16: save it as UTF-8"),
    "long": (f"a,y\nb,1\n{'1' * 500},1\n", "gives 2 inputs"),
    "zero": ("a,y\n1,\0\n", "is no text: its byte 6 is zero"),
    "latin": ("a,y\n\udce4,1\n", "byte 4 begins no character of UTF-8: save the file as UTF-8"),
    "width": (
        "a,b,y\n1,x,0\n1,z,1\n2,z,0\n",
        "gives 3 inputs, and the network takes 1: a, b (2 texts)",
    ),
}


def test_false_tables(driver, tmp_path):
    path = tmp_path / "t.csv"
    for case, (text, told) in BAD_TABLES.items():
        path.write_bytes(text.encode(errors="surrogateescape"))
        _, sentence = source(
            driver, path, 3, 1, 0, 0, reader="csv", SETTINGS="data.target=y", expect=1
        )
        assert sentence.startswith(f"{path}") and told in sentence, (case, sentence)
    path.write_text("a,y\n1,2\n2,1e39\n")  # of targets that are numbers
    words = {"SETTINGS": "data.target=y", "OPTIONS": "n", "expect": 1}
    assert source(driver, path, 1, 1, 0, 0, reader="csv", **words)[1] == (
        f"{path}: line 3 has 1e39 in column y, which is too large: give the column in another unit"
    )
    path.write_text("a,y\n1,2\n2,1\n")
    for name, told in ("z", "has no column z; it has a, y"), ("y,y", "is named twice"):
        assert (
            told
            in source(
                driver, path, 3, 1, 0, 0, reader="csv", SETTINGS=f"data.target={name}", expect=1
            )[1]
        )
    assert (
        "none of the 1 that the network was trained with"
        in source(
            driver,
            path,
            3,
            1,
            0,
            0,
            reader="csv",
            OPTIONS="t",
            expect=1,
            RECIPE='{"inputs":[{"name":"a","numbers":true,"mean":0,"std":1}],'
            '"targets":[{"name":"y","numbers":true,"classes":["2"]}]}',
        )[1]
    )
    assert (
        "do not say what columns"
        in source(
            driver, path, 3, 1, 0, 0, reader="csv", OPTIONS="t", RECIPE='{"inputs":[{}]}', expect=1
        )[1]
    )


# ------------------------------------------------------------------- arrays


def npy(array, order="C"):
    out = io.BytesIO()
    np.save(out, np.asarray(array, order=order))
    return out.getvalue()


def safetensors(**arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        kinds = {"u1": "U8", "i8": "I64", "i4": "I32", "f4": "F32", "f8": "F64", "f2": "F16"}
        header[name] = {
            "dtype": kinds[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


NUMBERS = np.array([[0, -1.5, 2.25, 6e-8], [65504, 3, -0.1, 1e-3], [1, 2, 3, 4]])
TYPES = "<f4 <f8 <f2 >f4 >f8 >f2 |i1 <i2 >i4 <i8 <u2 >u4 <u8 |u1 |b1".split()


def test_npy_of_every_type_and_order(driver, tmp_path):
    for kind in TYPES:
        x = (NUMBERS if kind[1] == "f" else abs(NUMBERS) % 100).astype(kind)
        for order in "CF":
            (tmp_path / "train_x.npy").write_bytes(npy(x, order))
            (tmp_path / "train_y.npy").write_bytes(npy(np.array([2, 0, 1])))
            _, parts, _, _ = source(driver, tmp_path, 3, 4, 0, 0, reader="arrays")
            assert (parts["train"]["x"].astype("f4") == x.ravel().astype("f4")).all(), (kind, order)
            assert parts["train"]["y"].tolist() == [2, 0, 1] and parts["test"]["count"] == 0
    deep = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    (tmp_path / "train_x.npy").write_bytes(npy(deep, "F"))
    (tmp_path / "train_y.npy").write_bytes(npy(np.array([2, 0])))
    _, parts, _, _ = source(driver, tmp_path, 3, 3, 4, 5, reader="arrays")
    assert (parts["train"]["x"] == deep.ravel()).all()


def test_npz_and_safetensors(driver, tmp_path):
    arrays = {
        "X_train": (np.arange(2 * 24) % 256).astype("u1").reshape(2, 1, 4, 6),
        "y_train": np.array([[1], [0]]),
        "x_test": np.ones((1, 1, 4, 6), "u1"),
        "y_test": np.array([[1]], "i4"),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    (tmp_path / "c.safetensors").write_bytes(safetensors(**arrays))
    for name in "a.npz", "b.npz", "c.safetensors":
        _, parts, _, _ = source(driver, tmp_path / name, 2, 1, 4, 6, reader="arrays")
        assert (parts["train"]["x"] == arrays["X_train"].ravel()).all()
        assert parts["train"]["y"].tolist() == [1, 0] and parts["test"]["count"] == 1
    _, parts, _, _ = source(driver, tmp_path / "a.npz", 2, 1, 4, 6, reader="arrays", OPTIONS="t")
    assert parts["train"]["count"] == 0 and parts["test"]["count"] == 1


def test_arrays_of_three_parts_and_of_python_2(driver, tmp_path):
    """As of folders, what is called val is left for another command where there is a test part."""
    parts = "train", "val", "test"
    for i, part in enumerate(parts):
        longs = npy(NUMBERS + i).replace(b"(3, 4), ", b"(3L, 4L)")
        (tmp_path / f"{part}_x.npy").write_bytes(longs)
        (tmp_path / f"{part}_y.npy").write_bytes(npy(np.array([0, 1, 2])))
    notes, read, _, _ = source(driver, tmp_path, 3, 4, 0, 0, reader="arrays")
    assert (read["test"]["x"].astype("f4") == (NUMBERS + 2).astype("f4").ravel()).all()
    assert notes == [f"{tmp_path}: val_x and its like are not used: test_x is"]
    for name in "x", "y":
        (tmp_path / f"test_{name}.npy").unlink()
    notes, read, _, _ = source(driver, tmp_path, 3, 4, 0, 0, reader="arrays")
    assert (read["test"]["x"].astype("f4") == (NUMBERS + 1).astype("f4").ravel()).all()
    assert not notes


def test_false_arrays(driver, tmp_path):
    def told(x, y=np.array([0, 1, 2]), more=()):
        for name, content in (("train_x", x), ("train_y", y), *more):
            path = tmp_path / f"{name}.npy"
            path.write_bytes(content if isinstance(content, bytes) else npy(content))
        sentence = source(driver, tmp_path, 3, 4, 0, 0, reader="arrays", expect=1)[1]
        for name, _ in more:
            (tmp_path / f"{name}.npy").unlink()
        assert str(tmp_path) in sentence
        return sentence

    assert "x is [5] for each example, and the network takes [4]" in told(np.ones((3, 5)))
    assert "train_y has 2 examples, and x has 3" in told(NUMBERS, np.array([0, 1]))
    assert "labels training image 1 as class 7" in told(NUMBERS, np.array([0, 7, 1]))
    assert "y holds real numbers" in told(NUMBERS, np.array([0, 1.0, 1]))
    assert "beyond those of 32 bits at element 1, in example 1" in told(
        NUMBERS, np.array([0, 2**40, 1])
    )
    assert "training example 1 of x has nan at 2" in told(
        np.where(NUMBERS == -0.1, np.nan, NUMBERS)
    )
    assert "has values of type '<c16'" in told(NUMBERS.astype(complex)).replace("holds", "has")
    assert "train_x has 88 bytes of values, and its header calls for 12 of 8 bytes each" in told(
        npy(NUMBERS)[:-8]
    )
    assert "axis 0 of train_x has no element" in told(np.ones((0, 4)))
    assert "has 6 axes" in told(np.ones((3, 1, 1, 1, 1, 4)))
    assert "has two arrays x" in told(NUMBERS, more=[("X_train", NUMBERS)])
    assert "or leave it out" in told(NUMBERS, more=[("names", np.array(["a", "b", "c"]))])
    empty = tmp_path / "empty.safetensors"
    empty.write_bytes(struct.pack("<Q", 2) + b"{}")
    assert source(driver, empty, 3, 4, 0, 0, reader="arrays", expect=1)[1] == (
        f"{empty} has no array in it"
    )
    (tmp_path / "train_x.npy").unlink()
    assert (
        "has no array x for training"
        in source(driver, tmp_path, 3, 4, 0, 0, reader="arrays", expect=1)[1]
    )


# -------------------------------------------------------------------- masks


def mask(values, palette=False):
    colours = (
        chunk(b"PLTE", bytes(range(256)) * 3)[:0]
        if not palette
        else chunk(b"PLTE", bytes(range(90)))
    )
    return png(np.asarray(values, "u1"), 3 if palette else 0, chunks=colours)


def mask_folder(root, value=lambda m: m, size=(12, 8), count=2):
    for part in "train", "test":
        for i in range(count):
            values = (np.arange(size[0] * size[1]).reshape(size) + i) % 5
            picture(root, f"{part}/images/{i}.png")
            picture(root, f"{part}/masks/{i}.png", mask(value(values), palette=i == 1))
    return root


def test_masks(driver, tmp_path):
    root = mask_folder(tmp_path)
    _, parts, _, _ = source(driver, root, 5, 1, 12, 8, reader="masks", OPTIONS="m")
    assert (
        parts["train"]["mask"].reshape(2, 12, 8)
        == [(np.arange(96).reshape(12, 8) + i) % 5 for i in range(2)]
    ).all()
    _, parts, _, _ = source(driver, root, 5, 1, 6, 4, reader="masks", OPTIONS="m")
    assert (
        parts["test"]["mask"].reshape(2, 6, 4)[0]
        == ((np.arange(96).reshape(12, 8)) % 5)[1::2, 1::2]
    ).all()
    picture(root, "train/images/0.png", png(GREY, 0)[:60])
    _, parts, _, _ = source(driver, root, 5, 1, 12, 8, reader="masks", OPTIONS="ms")
    assert parts["train"]["mask"].tolist() == ((np.arange(96) + 1) % 5).tolist()


def test_broken_masks_are_told_at_once_and_left_out_with_their_pictures(driver, tmp_path):
    root = mask_folder(tmp_path, count=5)
    for broken in "train/masks/0.png", "train/masks/3.png", "train/images/1.png":
        picture(root, broken, b"lost")
    notes, told = source(driver, root, 5, 1, 12, 8, reader="masks", OPTIONS="m", expect=1)
    assert [note.split(" is no ")[0] for note in notes] == [
        f"{root}/train/{name}" for name in ("masks/0.png", "images/1.png", "masks/3.png")
    ]
    assert told.endswith(", and 2 more of 5 pictures cannot be read; --skip-broken leaves them out")
    picture(root, "train/images/2.png", png(GREY // 2, 0))
    notes, parts, _, _ = source(driver, root, 5, 1, 12, 8, reader="masks", OPTIONS="ms")
    assert notes[-1] == "3 of 5 pictures are left out" and parts["train"]["count"] == 2
    values = [(np.arange(96) + i) % 5 for i in (2, 4)]
    assert (parts["train"]["mask"].reshape(2, 96) == values).all()
    pixels = parts["train"]["image"].reshape(2, 96)
    assert (pixels == [GREY.ravel() // 2, GREY.ravel()]).all()


def test_false_masks(driver, tmp_path):
    def told(root):
        return source(driver, root, 5, 1, 12, 8, reader="masks", OPTIONS="m", expect=1)[1]

    root = mask_folder(tmp_path / "a", lambda m: np.where(m == 3, 9, m))
    assert (
        "train/masks/0.png has class 9 at row 0, column 3, and the network has 5 classes"
        in told(root)
    )
    root = mask_folder(tmp_path / "b", size=(8, 12))
    assert "is 12 x 8 pixels, and" in told(root) and "as large as its picture" in told(root)
    picture(root, "train/masks/0.png", png(np.zeros((12, 8, 3), "u1"), 2))
    assert "has colours: the pixels of a mask are numbers of classes" in told(root)
    (root / "train" / "masks" / "0.png").unlink()
    assert "has no mask: there is no" in told(root)
    assert (
        "does not give a class for each pixel"
        in source(driver, root, 5, 1, 12, 8, reader="masks", expect=1)[1]
    )


# ---------------------------------------------------------------- recordings


def wav(frames, bits=16, rate=100, kind=1, extra=b""):
    """frames: [time][channels] in -1 to 1."""
    frames = np.asarray(frames, float)
    if kind == 3:
        data = frames.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        data = np.round(frames * 128 + 128).astype("u1").tobytes()
    else:
        whole = np.round(frames * 2.0 ** (bits - 1)).astype("<i4")
        data = b"".join(int(v).to_bytes(bits // 8, "little", signed=True) for v in whole.ravel())
    channels = frames.shape[1]
    form = struct.pack("<HHIIHH", kind, channels, rate, 0, channels * bits // 8, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + extra
    return b"RIFF\0\0\0\0" + body + b"data" + struct.pack("<I", len(data)) + data


TONE = np.arange(-6, 6)[:, None] / 8


def test_recordings_of_every_kind(driver, tmp_path):
    for kind, bits in (1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64):
        for name, frames in ("high/a", TONE), ("low/b", np.hstack([TONE, -TONE])[:5]):
            content = wav(frames, bits, kind=kind, extra=b"LIST\3\0\0\0abc\0")
            picture(tmp_path, f"{name}.wav", content)
        _, parts, classes, rate = source(driver, tmp_path, 2, 1, 0, 8, reader="audio")
        heard = parts["train"]["audio"].reshape(2, 8)
        assert (heard[0] == TONE[:8, 0]).all() and (heard[1] == 0).all(), (kind, bits)
        assert classes == ["high", "low"] and rate == "100"
    for unknown in 0xFFFFFFFF, 0x7FFFF000 - 36:  # as ffmpeg and sox write into a pipe
        content = wav(TONE)
        at = content.index(b"data") + 4
        picture(
            tmp_path, "low/b.wav", content[:at] + struct.pack("<I", unknown) + content[at + 4 :]
        )
        _, parts, _, _ = source(driver, tmp_path, 2, 1, 0, 8, reader="audio")
        assert (parts["train"]["audio"].reshape(2, 8)[1] == TONE[:8, 0]).all()
    picture(tmp_path, "low/b.wav", wav(np.where(TONE == 0, np.nan, TONE), 32, kind=3))
    assert source(driver, tmp_path, 2, 1, 0, 8, reader="audio", expect=1)[1] == (
        f"{tmp_path}/low/b.wav has a sample that is no number, at 6"
    )
    picture(tmp_path, "low/b.wav", wav(TONE.repeat(2, 0), rate=200))
    assert (
        "200 samples a second, and what was read before 100"
        in source(driver, tmp_path, 2, 1, 0, 8, reader="audio", expect=1)[1]
    )
    _, parts, _, _ = source(driver, tmp_path, 2, 1, 0, 16, reader="audio", SETTINGS="data.rate=100")
    expected = np.concatenate([TONE[:, 0], np.zeros(4)])
    assert (parts["train"]["audio"].reshape(2, 16) == [expected, expected]).all()
    assert (
        "trained with 50 samples a second, and rate= says 100"
        in source(
            driver,
            tmp_path,
            2,
            1,
            0,
            8,
            reader="audio",
            SETTINGS="data.rate=100",
            OPTIONS="t",
            RECIPE="50",
            expect=1,
        )[1]
    )


# -------------------------------------------------------------------- texts


def test_a_text_of_more_characters_than_a_byte_has(driver, tmp_path):
    letters = [chr(0x4E00 + i) for i in range(280)] + list("ab\n")
    text = "".join(letters[i * i % 283] for i in range(3000))
    (tmp_path / "t.txt").write_text(text)
    used = sorted(set(text))
    _, parts, names, _ = shown(driver, tmp_path / "t.txt", 300, 4, 0, 0, NUMBERS=300)
    seen = parts["train"]["text"].astype(int)
    assert "".join(used[n] for n in seen) == text[: len(seen)] and len(names) == 300
    assert [used[int(n)] for n in parts["train"]["next"]] == list(text[4 : len(seen) + 1 : 4])
    assert (
        f"has {len(used)} different characters, and the network takes 100 numbers"
        in shown(driver, tmp_path / "t.txt", 100, 4, 0, 0, NUMBERS=100, expect=1)[1]
    )
    weights = {"OPTIONS": "t", "CLASSES": "\n".join(names)}
    (tmp_path / "other.txt").write_text(used[5] * 50)
    _, parts, again, _ = shown(driver, tmp_path / "other.txt", 300, 4, 0, 0, NUMBERS=300, **weights)
    assert set(parts["test"]["text"]) == {5} and again == names and not parts["train"]["count"]
    (tmp_path / "other.txt").write_text(used[5] * 49 + "ß")
    assert (
        "byte 147 begins 'ß', which is none of the"
        in shown(driver, tmp_path / "other.txt", 300, 4, 0, 0, NUMBERS=300, expect=1, **weights)[1]
    )


def test_texts_by_class(driver, tmp_path):
    for name, text in ("train/bad/1", "no"), ("train/good/1", "yes!!"), ("test/good/2", "ye"):
        picture(tmp_path, f"{name}.txt", text.encode())
    picture(tmp_path, "train/good/notes.md", b"")
    notes, parts, classes, recipe = shown(driver, tmp_path, 2, 4, 0, 0, NUMBERS=7)
    order = "!enosy"
    numbers = [order.index(c) if c in order else 6 for c in "no__yes!"]
    assert parts["train"]["text"].tolist() == numbers and classes == ["bad", "good"]
    assert parts["train"]["class"].tolist() == [0, 1] and "notes.md" in notes[0]
    weights = {"OPTIONS": "t", "RECIPE": recipe.replace(",", "\n")}
    (tmp_path / "test" / "good" / "2.txt").write_text("s!")
    _, parts, _, _ = shown(driver, tmp_path, 2, 4, 0, 0, NUMBERS=7, **weights)
    assert parts["test"]["text"].tolist() == [order.index("s"), order.index("!"), 6, 6]
    (tmp_path / "test" / "good" / "2.txt").write_text("zz")
    told = shown(driver, tmp_path, 2, 4, 0, 0, NUMBERS=7, expect=1, **weights)[1]
    assert told.startswith(f"{tmp_path}/test/good/2.txt: byte 0 begins 'z', which is none of the 6")
    (tmp_path / "test" / "good" / "2.txt").write_text("ye")
    _, parts, _, _ = shown(driver, tmp_path, 2, 4, 0, 0, NUMBERS=256)
    assert parts["test"]["text"].tolist() == [ord("y"), ord("e"), 0, 0]
    assert (
        "has 6 different characters, and the network takes 5 numbers"
        in shown(driver, tmp_path, 2, 4, 0, 0, NUMBERS=6, expect=1)[1]
    )


# ----------------------------------------------- every cut and every bit of a header


def victim(folder, reader):
    """The source, its shape, the file to damage, and how many of its bytes are header."""
    folder.mkdir()
    if reader == "csv":
        path = folder / "t.csv"
        path.write_bytes(b'a,y\n"1",0\n2.5,1\n3,1\n-4e0,0\n')
        return path, (1, 0, 0), path, 100
    if reader in ("npy", "npz", "safetensors"):
        arrays = {"x": NUMBERS[:, :2], "y": np.array([0, 1, 1])}
        path = folder / f"a.{reader}"
        if reader == "npy":
            (folder / "y.npy").write_bytes(npy(arrays["y"]))
            path = folder / "x.npy"
            path.write_bytes(npy(arrays["x"]))
            return folder, (2, 0, 0), path, 80
        with open(path, "wb") as out:
            if reader == "npz":
                np.savez_compressed(out, **arrays)
            else:
                out.write(safetensors(**arrays))
        return path, (2, 0, 0), path, 60
    if reader == "text":
        path = folder / "t.txt"
        path.write_text("aä€b😀" * 3)
        return path, (2, 0, 0), path, 100
    if reader == "texts":
        for name in "abc":
            picture(folder, f"train/{name}/1.txt", "aä€b😀".encode())
        return folder, (2, 0, 0), folder / "train" / "b" / "1.txt", 100
    if reader == "masks":
        mask_folder(folder / "m")
        return folder / "m", (1, 12, 8), folder / "m" / "train" / "masks" / "1.png", 60
    for name in "ab":
        picture(folder, f"{name}/1.wav", wav(TONE[:4]))
    return folder, (1, 0, 4), folder / "a" / "1.wav", 44


@pytest.mark.parametrize("reader", "csv npy npz safetensors masks audio text texts".split())
def test_every_cut_and_every_bit_of_a_header(driver, tmp_path, reader):
    """Nothing crashes, hangs, or asks for memory it has no use for; a refusal names the file, and
    what is cut is refused unless what is left is whole."""
    path, shape, damaged, header = victim(tmp_path / "d", reader)
    name = "arrays" if reader in ("npy", "npz", "safetensors") else reader
    size = damaged.stat().st_size
    lines = run(
        driver,
        "damage",
        path,
        *shape,
        5 if reader == "masks" else 2,
        damaged,
        header,
        env={
            **LIMITS,
            "SETTINGS": f"data.reader={name}",
            "OPTIONS": "m" if reader == "masks" else "",
            **({"NUMBERS": "9"} if reader.startswith("text") else {}),
        },
    ).stdout.splitlines()
    assert len(lines) == size + 8 * min(header, size)
    for line in lines:
        how, at, told = re.fullmatch(r"(cut|bit) (\d+): (.*)", line, re.S).groups()
        assert told == "read" or str(tmp_path) in told and "out of memory" not in told, line
        whole = reader in ("csv", "text", "texts") or (reader == "masks" and int(at) >= size - 12)
        assert told != "read" or how == "bit" or whole, line
    assert any(line.startswith("cut") and "read" not in line[-4:] for line in lines)
