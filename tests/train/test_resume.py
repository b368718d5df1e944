"""A run that is taken up again is the run it was, or says what is not, or is refused."""
import json
import struct

import numpy as np
import pytest

from harness import read_log, read_safetensors, run, trainer, write_safetensors
from runs import write_split

NET = """network small {
    input [1, 6, 6]
    conv2d(3, 3) as conv
    relu
    flatten
    linear(4) as fc
}
train {
    data "digits"
    normalize mean=%(mean)s, std=0.3
    loss cross_entropy
    optimizer %(optimizer)s
    batch 20;  epochs %(epochs)s
}
"""
USUAL = {"mean": 0.1, "optimizer": "sgd(lr=0.01, momentum=0.9)", "epochs": 2}
IMAGES, TESTS, STEPS = 90, 30, 5


def small(**changes):
    return trainer(NET % {**USUAL, **changes}, "--kernels=reference")


def make_data(folder, seed=1, images=IMAGES, tests=TESTS):
    folder.mkdir()
    for name, count in ("train", images), ("t10k", tests):
        numbers = np.random.default_rng(seed)
        write_split(folder, name, count, 6, 4, numbers)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data") / "one")


def train(program, data, *options, expect=0):
    return run(program, "train", "--data", data, "--quiet", "--threads", 1, *options, expect=expect)


def header(path):
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def rewrite(path, change):
    """As another tool would: the header changed, the tensors as they are."""
    fields, body = header(path)
    change(fields)
    text = json.dumps(fields).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


@pytest.fixture(scope="module")
def started(data, tmp_path_factory):
    """A checkpoint from within an epoch; of the epoch's end; and the weights."""
    folder = tmp_path_factory.mktemp("started")
    train(small(), data, "--max-steps", 2, "--checkpoint", folder / "middle")
    train(
        small(), data, "--epochs", 1, "--checkpoint", folder / "end", "--save", folder / "weights"
    )
    return folder


# ------------------------------------------------------------------ data


@pytest.mark.parametrize(
    "made, told",
    [
        ({"seed": 2}, "has other labels of training images, other pixels of training images"),
        ({"images": 100}, "has 100 training images, not 90"),
        ({"tests": 20}, "has 20 test images, not 30"),
    ],
)
def test_other_data_are_refused(made, told, data, started, tmp_path):
    other = make_data(tmp_path / "other", **made)
    refused = train(small(), other, "--resume", started / "middle", expect=1).stderr
    assert told in refused and str(data)[:60] in refused and "--init" in refused


def test_one_changed_label_is_another_data_set(data, started, tmp_path):
    other = make_data(tmp_path / "other")
    labels = other / "train-labels-idx1-ubyte"
    raw = bytearray(labels.read_bytes())
    raw[-1] = (raw[-1] + 1) % 4
    labels.write_bytes(raw)
    refused = train(small(), other, "--resume", started / "middle", expect=1).stderr
    assert "has other labels of training images;" in refused


def test_the_same_data_elsewhere_are_the_same(started, tmp_path):
    assert (
        train(small(), make_data(tmp_path / "other"), "--resume", started / "middle").stderr == ""
    )


def without(*prefixes):
    def change(fields):
        for key in list(fields["__metadata__"]):
            if key.startswith(prefixes):
                del fields["__metadata__"][key]

    return change


def test_an_earlier_versions_checkpoint_is_taken_with_a_note(data, started, tmp_path):
    old = tmp_path / "old"
    old.write_bytes((started / "middle").read_bytes())
    rewrite(old, without("checksums", "data", "net.", "network", "frozen", "normalize"))
    told = train(small(), data, "--resume", old, "--save", tmp_path / "a").stderr
    assert "cannot be checked" in told and told.count("\n") == 1
    train(small(), data, "--resume", started / "middle", "--save", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# -------------------------------------------------------------- settings


def notes(program, data, checkpoint, *options):
    lines = train(program, data, "--resume", checkpoint, *options).stderr.splitlines()
    assert all(": note: " in line for line in lines)
    return [line.split(": note: ")[1].replace(str(checkpoint), "C") for line in lines]


def test_what_the_net_file_says_now_wins(data, started, tmp_path):
    edited = small(optimizer="sgd(lr=0.1, momentum=0.9)", epochs=4, mean=0.4)
    log = tmp_path / "log"
    assert notes(edited, data, started / "end", "--log", log, "--save", tmp_path / "w") == [
        "normalize.mean 0.1 in C, now 0.4, as the .net file says",
        "optimizer.lr 0.01 in C, now 0.1, as the .net file says",
        "epochs 1 in C, now 4, as the .net file says",
    ]
    events = read_log(log)
    assert events[-1]["epoch"] == 4 and all(
        event["lr"] == 0.1 for event in events if event["event"] == "step"
    )
    assert header(tmp_path / "w")[0]["__metadata__"]["normalize.mean"].startswith("0.4")


def test_what_the_command_line_says_wins_over_all(data, started):
    edited = small(optimizer="sgd(lr=0.1, momentum=0.9)")
    assert notes(edited, data, started / "end", "--lr", 0.5, "--batch", 10, "--epochs", 2) == [
        "optimizer.lr 0.01 in C, now 0.5, as the command line says",
        "batch 20 in C, now 10, as the command line says",
        "epochs 1 in C, now 2, as the command line says",
    ]


def test_what_the_first_command_line_said_still_counts(data, tmp_path):
    train(small(), data, "--lr", 0.2, "--max-steps", 2, "--checkpoint", tmp_path / "c")
    assert notes(small(), data, tmp_path / "c", "--log", tmp_path / "log") == []
    assert all(
        event["lr"] == 0.2 for event in read_log(tmp_path / "log") if event["event"] == "step"
    )
    edited = small(optimizer="sgd(lr=0.1, momentum=0.9)")
    assert notes(edited, data, tmp_path / "c") == [
        "optimizer.lr 0.2 in C, now 0.1, as the .net file says"
    ]


def test_words_that_are_compiled_in_are_told(data, started):
    text = (NET % USUAL).replace(
        "loss cross_entropy", 'loss mse;  schedule step(2);  freeze "conv.*"'
    )
    told = notes(trainer(text, "--kernels=reference"), data, started / "end")
    assert "loss cross_entropy in C, now mse, as the .net file says" in told
    assert "schedule constant in C, now step, as the .net file says" in told
    assert "schedule.step_size not set in C, now 2" in told
    assert "loss.label_smoothing 0 in C, now not set" in told
    assert any(
        line.startswith("other parameters are frozen") and "conv.weight" in line for line in told
    )


def test_state_that_the_run_did_not_have_begins_at_zero(data, tmp_path):
    train(small(optimizer="sgd(lr=0.01)"), data, "--max-steps", 2, "--checkpoint", tmp_path / "c")
    told = notes(small(), data, tmp_path / "c")
    assert told == [
        "optimizer.momentum 0 in C, now 0.9, as the .net file says",
        "C has no optimizer.momentum_buffer, which begins at 0",
    ]


def test_a_seed_and_an_order_change_between_epochs_only(data, started):
    for option in (["--seed", 2], ["--no-shuffle"]):
        refused = train(small(), data, "--resume", started / "middle", *option, expect=1).stderr
        assert "the middle of an epoch" in refused and "at an epoch's end" in refused
        assert len(notes(small(), data, started / "end", *option)) == 1


def test_another_batch_goes_on_with_the_images_that_are_left(data, started, tmp_path):
    notes(
        small(), data, started / "middle", "--batch", 25, "--epochs", 1, "--log", tmp_path / "log"
    )
    steps = [event["step"] for event in read_log(tmp_path / "log") if event["event"] == "step"]
    assert steps == [3, 4]  # 40 images were done, 50 are left


@pytest.mark.parametrize(
    "change, told",
    [
        (("relu", "tanh"), "`relu_1 = relu of conv` where this one has `tanh_1 = tanh of conv`"),
        (("3, 3) as conv", "3, 3, padding=1) as conv;  max_pool2d(3, stride=1)"), "padding=1"),
        (
            ("conv2d(3, 3)", "conv2d(5, 3)"),
            "conv.weight is [3, 1, 3, 3], and [5, 1, 3, 3] in this network",
        ),
        (
            ("sgd(lr=0.01, momentum=0.9)", "adam"),
            "with the optimizer sgd, and this network's is adam",
        ),
    ],
)
def test_another_network_or_optimizer_is_refused(change, told, data, started):
    program = trainer((NET % USUAL).replace(*change), "--kernels=reference")
    assert told in train(program, data, "--resume", started / "middle", expect=1).stderr


def test_how_a_network_was_built_is_no_difference(data, tmp_path):
    text = (
        (NET % USUAL)
        .replace("relu", "relu;  max_pool2d(2)")
        .replace("conv2d(3, 3)", "conv2d(3, 3, in_channels=1)")
    )
    train(trainer(text), data, "--max-steps", 2, "--checkpoint", tmp_path / "c")
    plain = trainer(text.replace(", in_channels=1", ""), "--kernels=reference", "--fuse=none")
    assert notes(plain, data, tmp_path / "c") == []


# ------------------------------------------------------------- checksums


def flips(path, begin, end, count):
    """Files that differ from `path` in one bit, evenly spread over the bytes."""
    raw = path.read_bytes()
    for i in range(count):
        at = begin + (end - begin) * i // count
        yield at, raw[:at] + bytes([raw[at] ^ 1 << i % 8]) + raw[at + 1 :]


@pytest.mark.parametrize("kind", ["end", "weights"])
def test_a_flipped_bit_is_never_trained_on(kind, data, started, tmp_path):
    source, damaged = started / kind, tmp_path / "damaged"
    (length,) = struct.unpack_from("<Q", source.read_bytes())
    begin = source.read_bytes().find(b'"normalize')
    uses = {"end": ["train", "--resume"], "weights": ["test", "--weights"]}[kind]
    spans = [(8 + length, source.stat().st_size, 16), (begin, 8 + length - 8, 24)]
    for span in spans:
        for at, raw in flips(source, *span):
            damaged.write_bytes(raw)
            result = run(small(), *uses, damaged, "--data", data, "--threads", 1, expect=None)
            assert result.returncode == 1 and str(damaged) in result.stderr, at


def test_a_tool_that_changed_a_tensor_is_told_how_to_go_on(data, started, tmp_path):
    changed = tmp_path / "w"
    metadata = header(started / "weights")[0]["__metadata__"]
    tensors = {name: tensor * 2 for name, tensor in read_safetensors(started / "weights").items()}
    write_safetensors(changed, tensors, metadata)
    refused = run(small(), "test", "--weights", changed, "--data", data, expect=1).stderr
    assert (
        "conv.weight is not what was written" in refused and "remove the key `checksums`" in refused
    )
    del metadata["checksums"]
    write_safetensors(changed, tensors, metadata)
    assert "accuracy" in run(small(), "test", "--weights", changed, "--data", data).stdout


def test_another_tools_order_of_tensors_and_keys_is_no_change(data, started, tmp_path):
    metadata = header(started / "weights")[0]["__metadata__"]
    tensors = read_safetensors(started / "weights")
    write_safetensors(
        tmp_path / "w", dict(reversed(tensors.items())), dict(reversed(metadata.items()))
    )
    texts = [
        run(small(), "test", "--weights", path, "--data", data).stdout
        for path in (tmp_path / "w", started / "weights")
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda text: text.replace("fc.bias", "fc.bios"), "fc.bios, which is not there"),
        (lambda text: "\n".join(text.split("\n")[:-2]) + "\n", "the checksums have none of"),
        (lambda text: "\n".join(text.split("\n")[1:]), "none of __metadata__"),
        (lambda text: text + "more\n", "more is no checksum"),
        (lambda text: "", "none of __metadata__"),
    ],
)
def test_checksums_that_are_not_whole(change, told, data, started, tmp_path):
    changed = tmp_path / "w"
    changed.write_bytes((started / "weights").read_bytes())
    rewrite(
        changed,
        lambda fields: fields["__metadata__"].update(
            checksums=change(fields["__metadata__"]["checksums"])
        ),
    )
    assert told in run(small(), "test", "--weights", changed, "--data", data, expect=1).stderr


# ------------------------------------------------------------------- log


def test_a_log_is_cut_back_to_the_checkpoint(data, tmp_path):
    """A killed run had logged lines after its last checkpoint, and half a line.  They are not
    there twice."""
    options = ["--epochs", 3, "--log", tmp_path / "log"]
    train(small(), data, "--epochs", 3, "--log", tmp_path / "whole")
    train(small(), data, *options, "--max-steps", 7, "--checkpoint", tmp_path / "c")
    train(small(), data, *options, "--max-steps", 13, "--resume", tmp_path / "c")
    with open(tmp_path / "log", "a") as log:
        log.write('{"event":"step","epo')
    train(small(), data, *options, "--resume", tmp_path / "c")
    numbers = [
        [
            (event["event"], event["epoch"], event.get("step"), event.get("loss"))
            for event in read_log(tmp_path / name)
        ]
        for name in ("whole", "log")
    ]
    assert numbers[0] == numbers[1]


def test_a_torn_line_alone_is_cut(data, started, tmp_path):
    (tmp_path / "log").write_text('{"ev')
    train(small(), data, "--resume", started / "middle", "--log", tmp_path / "log")
    assert read_log(tmp_path / "log")[0]["step"] == 3


@pytest.mark.parametrize(
    "text",
    [
        "my notes\n",
        '{"event":"step","step":1}\nmy notes\n',
        '{"event": broken}\n',
        "a word",
        "x" * 40000,
    ],
)
def test_a_file_that_is_no_log_is_left_alone(text, data, started, tmp_path):
    (tmp_path / "notes").write_text(text)
    refused = train(
        small(), data, "--resume", started / "middle", "--log", tmp_path / "notes", expect=1
    ).stderr
    assert "is not a log" in refused and (tmp_path / "notes").read_text() == text


def test_a_log_on_a_device_is_not_cut(data, started):
    train(small(), data, "--resume", started / "middle", "--log", "/dev/null")
    assert (
        '"event":"step"'
        in train(small(), data, "--resume", started / "middle", "--log", "/dev/stdout").stdout
    )
