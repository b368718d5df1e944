"""A run's log as lines of JSON, as a table and as TensorBoard's events: they say the same, and a
run that is taken up again goes on in each.  The events are read here by the format's definition."""
import csv
import json
import os
import struct

import numpy as np
import pytest

from harness import read_log, read_safetensors
from runs import LONG, STEPS, grown, running, train, wait_for, write_data

KINDS = ["l.jsonl", "l.csv", "l.tfevents"]
TIMES = "seconds", "images_per_second"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def crc32c_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


TABLE = list(crc32c_table())


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """Of a TFRecord file, each with its checksums."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        head, body = data[at : at + 8], data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 8)[0] == masked_crc(head)
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked_crc(body)
        yield body
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def message(data):
    """[(field, value)] of a protobuf message."""
    at, fields = 0, []
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            length, at = {1: (8, at), 5: (4, at)}.get(key & 7) or varint(data, at)
            value, at = data[at : at + length], at + length
        fields.append((key >> 3, value))
    return fields


def read_events(path):
    """[(step, {tag: value})]"""
    first, *others = map(message, records(path.read_bytes()))
    assert first[1] == (3, b"brain.Event:2") and first[0][0] == 1
    for event in others:
        event, scalars = dict(event), {}
        for _, value in message(event[5]):
            value = dict(message(value))
            scalars[value[1].decode()] = struct.unpack("<f", value[2])[0]
        assert struct.unpack("<d", event[1])[0] > 1.7e9
        yield event[2], scalars


def read_table(path):
    with open(path, newline="") as file:
        return [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]


def tag_of(event, name):
    """What the events call a figure of the JSON."""
    split, _, figure = name.partition("_")
    return f"{figure}/{split}" if split in ("train", "test") else f"{event}/{name}"


def plain(event):
    """The figures of a line of JSON, those of parameters flattened."""
    figures = {}
    for name, value in event.items():
        if isinstance(value, dict):
            figures.update({(name, of): number for of, number in value.items()})
        elif name not in ("event", "epoch", "step"):
            figures[name] = value
    return figures


def test_they_say_the_same(data, tmp_path):
    options = ["--quiet", "--epochs", 2, "--stats", 3, "--threads", 1]
    for name in KINDS:
        best = "--save-best", tmp_path / f"{name}.best"
        train(data, *options, *best, "--log", tmp_path / name)
    lines, rows = read_log(tmp_path / "l.jsonl"), read_table(tmp_path / "l.csv")
    events = list(read_events(tmp_path / "l.tfevents"))
    assert len(lines) == len(rows) == len(events) == 2 * STEPS + 2 + 2 * STEPS // 3
    for line, row, (step, scalars) in zip(lines, rows, events):
        assert row.pop("event") == line["event"] and int(row.pop("epoch")) == line["epoch"]
        assert int(row.pop("step")) == step == line.get("step", step)
        assert scalars.pop("epoch", line["epoch"]) == line["epoch"]
        figures = plain(line)
        assert len(figures) == len(row) == len(scalars)
        for name, value in figures.items():
            pair = isinstance(name, tuple)
            column = ".".join(name) if pair else name
            tag = "/".join(name) if pair else tag_of(line["event"], name)
            if name not in TIMES:
                number = float(row[column])  # cJSON writes 15 digits
                assert number == pytest.approx(float(value), rel=1e-14, abs=0)
                assert scalars[tag] == np.float32(number)


def test_statistics_are_norms(data, tmp_path):
    """Of the gradient of that very step; and they change no bit of the run."""
    options = ["--quiet", "--max-steps", 7]
    files = ["--save", tmp_path / "w", "--save-gradients", tmp_path / "g"]
    train(data, *options, "--stats", 7, "--log", tmp_path / "log", *files)
    event = next(event for event in read_log(tmp_path / "log") if event["event"] == "stats")
    for name, file in ("weight_norm", "w"), ("gradient_norm", "g"):
        tensors = read_safetensors(tmp_path / file)
        for path, norm in event[name].items():
            assert norm == pytest.approx(np.linalg.norm(tensors[path].astype(float)), rel=1e-12)
    assert set(event["gradient_norm"]) == set(read_safetensors(tmp_path / "g"))
    often = ["--stats", 1, "--log", tmp_path / "often"]
    train(data, *options, *often, "--save", tmp_path / "a")
    train(data, *options, "--save", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def read_checkpoint(path):
    data = path.read_bytes()
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])["__metadata__"]


def without_times(path):
    """All that a log says but when it was."""
    if path.suffix == ".tfevents":
        return [
            (
                step,
                {tag: value for tag, value in scalars.items() if tag.split("/")[-1] not in TIMES},
            )
            for step, scalars in read_events(path)
        ]
    rows = read_table(path) if path.suffix == ".csv" else read_log(path)
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


@pytest.mark.parametrize("name", KINDS)
def test_a_killed_runs_log_goes_on_whole(name, data, tmp_path):
    """SIGKILL, and half a row besides, as a full disk leaves it."""
    log, stats = tmp_path / name, ["--stats", 2]
    kept = ["--checkpoint", tmp_path / "c", "--checkpoint-every", 4, "--log", log, *stats]
    with running(data, "--quiet", "--epochs", LONG, *kept) as process:
        wait_for(grown(log, 9000), process)
        process.kill()
    with open(log, "ab") as file:
        file.write({".jsonl": b'{"event":"st', ".csv": b"step,1"}.get(log.suffix, b"\x20\0\0\0"))
    step = int(read_checkpoint(tmp_path / "c")["step"])
    options = ["--quiet", "--epochs", LONG, "--max-steps", step + 9]
    train(data, *options, "--resume", tmp_path / "c", "--log", log, *stats)
    train(data, *options, *stats, "--log", tmp_path / f"whole-{name}")
    assert without_times(log) == without_times(tmp_path / f"whole-{name}")


def test_a_folder_is_tensorboards(data, tmp_path):
    for _ in range(2):  # the second run's replace the first's
        train(data, "--quiet", "--max-steps", 3, "--log", f"{tmp_path}/runs/one/")
    (path,) = (tmp_path / "runs/one").iterdir()
    assert path.name == "events.out.tfevents.small" and len(list(read_events(path))) == 3
    train(data, "--quiet", "--max-steps", 2, "--log", tmp_path / "runs/one")
    assert len(list(read_events(path))) == 2


@pytest.mark.parametrize("name", ["l.csv", "l.tfevents"])
def test_what_is_no_log_stays(name, data, tmp_path):
    (tmp_path / name).write_text("a,b\n1,2\n" * 20)
    before = (tmp_path / name).read_bytes()
    train(data, "--max-steps", 2, "--checkpoint", tmp_path / "c", "--quiet")
    told = train(data, "--quiet", "--log", tmp_path / name, expect=2).stderr
    assert "would replace a file that is no run's log" in told
    resume = ["--resume", tmp_path / "c", "--log", tmp_path / name]
    assert "is not a log that train wrote" in train(data, *resume, expect=1).stderr
    assert (tmp_path / name).read_bytes() == before


def test_other_columns_are_another_table(data, tmp_path):
    files = ["--checkpoint", tmp_path / "c", "--log", tmp_path / "l.csv", "--quiet"]
    train(data, *files, "--max-steps", 2)
    more = ["--resume", tmp_path / "c", "--stats", 1]
    assert "is not a log that train wrote" in train(data, *files, *more, expect=1).stderr


def test_events_need_a_file(data, tmp_path):
    os.mkfifo(tmp_path / "a.tfevents")
    reader = os.open(tmp_path / "a.tfevents", os.O_RDONLY | os.O_NONBLOCK)
    told = train(data, "--quiet", "--log", tmp_path / "a.tfevents", expect=1).stderr
    os.close(reader)
    assert "TensorBoard's events are written to a file" in told
