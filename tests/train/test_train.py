"""Training as a whole: the same bits for any number of threads and after any
interruption, what the log says, and what a run refuses."""
import contextlib
import math
import os
import re
import signal
import struct
import subprocess
import time

import numpy as np
import pytest

import runs
from harness import have, read_log, read_safetensors, run, trainer, write_safetensors
from runs import BATCH, IMAGES, NET, STEPS, TESTS


def small(optimizer="sgd(lr=0.1, momentum=0.9)", schedule="constant", *options):
    return runs.small(optimizer, schedule, *(options or ["--kernels=specialised"]))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.write_data(tmp_path_factory.mktemp("data"))


def train(program, data, *options, expect=0):
    return run(program, "train", "--data", data, "--quiet", *options, expect=expect)


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
def test_threads_change_nothing(kernels, data, tmp_path):
    program = small("adam(lr=0.01)", "constant", f"--kernels={kernels}")
    for threads in 1, 2, 3, 7:
        train(
            program,
            data,
            "--threads",
            threads,
            "--save",
            tmp_path / f"w{threads}",
            "--checkpoint",
            tmp_path / f"c{threads}",
        )
        for name in "w", "c":
            assert (tmp_path / f"{name}{threads}").read_bytes() == (
                tmp_path / f"{name}1"
            ).read_bytes()


@pytest.mark.parametrize(
    "optimizer", ["sgd(lr=0.1, momentum=0.9, weight_decay=0.001)", "sgd(lr=0.1)", "adam(lr=0.01)"]
)
@pytest.mark.parametrize("stop", [1, STEPS, STEPS + 2])
def test_a_resumed_run_is_the_run(optimizer, stop, data, tmp_path):
    program = small(optimizer, "cosine, warmup=2, by=step")
    whole, parts = [
        ("--save", tmp_path / name, "--log", tmp_path / f"{name}.log")
        for name in ("whole", "parts")
    ]
    given = "--batch 40 --lr 0.05 --seed 3".split()
    train(program, data, *given, *whole)
    train(program, data, *given, "--max-steps", stop, "--checkpoint", tmp_path / "c", *parts)
    train(program, data, "--resume", tmp_path / "c", *parts)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    timeless = [
        [
            {
                key: value
                for key, value in event.items()
                if key not in ("seconds", "images_per_second")
            }
            for event in read_log(tmp_path / name)
        ]
        for name in ("whole.log", "parts.log")
    ]
    assert timeless[0] == timeless[1]


def test_resume_refuses_another_run(data, tmp_path):
    program = small()
    train(program, data, "--max-steps", 2, "--checkpoint", tmp_path / "c", "--save", tmp_path / "w")
    assert (
        "seed 1" in train(program, data, "--resume", tmp_path / "c", "--seed", 2, expect=1).stderr
    )
    assert (
        "shuffled"
        in train(program, data, "--resume", tmp_path / "c", "--no-shuffle", expect=1).stderr
    )
    assert "is no checkpoint" in train(program, data, "--resume", tmp_path / "w", expect=1).stderr
    assert (
        "optimizer sgd" in train(small("adam"), data, "--resume", tmp_path / "c", expect=1).stderr
    )
    other = trainer(
        (NET % ("sgd(lr=0.1, momentum=0.9)", "constant")).replace("conv2d(6,", "conv2d(7,")
    )
    assert (
        "conv1.weight is [6, 1, 3, 3], and [7, 1, 3, 3] in this network"
        in train(other, data, "--resume", tmp_path / "c", expect=1).stderr
    )


def test_a_checkpoint_serves_as_weights(data, tmp_path):
    program = small()
    train(program, data, "--epochs", 1, "--checkpoint", tmp_path / "c", "--save", tmp_path / "w")
    tests = [
        run(program, "test", "--data", data, "--weights", tmp_path / name).stdout for name in "cw"
    ]
    assert tests[0] == tests[1]
    train(program, data, "--epochs", 0, "--init", tmp_path / "c", "--save", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "w").read_bytes()


def test_the_log(data, tmp_path):
    train(small(), data, "--epochs", 2, "--log", tmp_path / "log", "--save", tmp_path / "w")
    events = read_log(tmp_path / "log")
    assert [event["event"] for event in events] == 2 * ([*STEPS * ["step"], "epoch"])
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, 2 * STEPS + 1))
    assert all(
        set(event) == {"event", "epoch", "step", "loss", "lr"} and event["lr"] == 0.1
        for event in steps
    )
    last = events[-1]
    assert set(last) == set(
        "event epoch train_loss train_accuracy test_loss test_accuracy".split()
        + ["seconds", "images_per_second"]
    )
    sizes = [BATCH] * (STEPS - 1) + [IMAGES % BATCH]
    mean = np.average([event["loss"] for event in steps[STEPS:]], weights=sizes)
    assert last["train_loss"] == pytest.approx(mean, rel=1e-12)
    assert read_safetensors(tmp_path / "w")["bn1.num_batches_tracked"] == 2 * STEPS
    assert struct.unpack("<Q", (tmp_path / "w").read_bytes()[:8])[0] % 8 == 0


FLAT = """network flat {
    input [1, 12, 12]
    flatten
    linear(10) as fc
}
train {
    data "digits";  optimizer sgd(lr=0.1);  batch 48;  epochs 1
    loss %s
}
"""


def expected_loss(logits, labels, loss):
    """The loss as PyTorch documents it, over a whole split."""
    wanted = np.eye(10)[labels]
    if loss == "mse":
        return ((logits - wanted) ** 2).mean()
    smoothing = float(loss.partition("=")[2].rstrip(")") or 0)
    surprise = np.log(np.exp(logits).sum(1, keepdims=True)) - logits
    return (((1 - smoothing) * wanted + smoothing / 10) * surprise).sum(1).mean()


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
@pytest.mark.parametrize("loss", ["cross_entropy", "cross_entropy(label_smoothing=0.3)", "mse"])
def test_the_test_loss_is_the_networks_own(loss, kernels, data, tmp_path):
    program = trainer(FLAT % loss, f"--kernels={kernels}")
    train(program, data, "--log", tmp_path / "log", "--save", tmp_path / "w")
    weights = read_safetensors(tmp_path / "w")
    pixels = (
        np.frombuffer((data / "t10k-images-idx3-ubyte").read_bytes()[16:], "u1").reshape(TESTS, -1)
        / 255
    )
    labels = np.frombuffer((data / "t10k-labels-idx1-ubyte").read_bytes()[8:], "u1")
    wanted = expected_loss(pixels @ weights["fc.weight"].T + weights["fc.bias"], labels, loss)
    assert read_log(tmp_path / "log")[-1]["test_loss"] == pytest.approx(wanted, rel=1e-5)
    told = run(program, "test", "--data", data, "--weights", tmp_path / "w").stdout
    assert float(told.split()[2].rstrip(",")) == pytest.approx(wanted, abs=2e-6)


def test_without_a_train_section_the_test_loss_is_cross_entropy(data, tmp_path):
    trained = trainer(FLAT % "mse")
    train(trained, data, "--save", tmp_path / "w")
    bare, plain = trainer((FLAT % "mse").partition("train")[0]), trainer(FLAT % "cross_entropy")
    told = {
        run(program, "test", "--data", data, "--weights", tmp_path / "w", "--threads", n).stdout
        for program in (bare, plain)
        for n in (1, 2, 2, 2, 5, 5)
    }
    assert len(told) == 1, told


def test_a_run_cut_by_steps_has_no_epoch(data, tmp_path):
    train(small(), data, "--max-steps", STEPS - 1, "--log", tmp_path / "log")
    assert [event["event"] for event in read_log(tmp_path / "log")] == (STEPS - 1) * ["step"]


def test_shuffling(data, tmp_path):
    losses = {}
    for name, options in (
        ("plain", ["--no-shuffle"]),
        ("one", ["--seed", 1]),
        ("again", ["--seed", 1]),
        ("two", ["--seed", 2]),
    ):
        train(small(), data, "--epochs", 1, "--log", tmp_path / name, *options)
        losses[name] = [
            event["loss"] for event in read_log(tmp_path / name) if event["event"] == "step"
        ]
    assert losses["one"] == losses["again"] != losses["two"]
    assert losses["plain"] != losses["one"]


def rates(program, data, tmp_path, *options):
    train(program, data, "--log", tmp_path / "log", *options)
    return [event["lr"] for event in read_log(tmp_path / "log") if event["event"] == "step"]


def test_cosine_by_epoch_is_pytorchs(data, tmp_path):
    lr = rates(small("sgd(lr=0.1)", "cosine, eta_min=0.01"), data, tmp_path, "--epochs", 4)
    wanted = [0.01 + 0.09 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert lr == pytest.approx(np.repeat(wanted, STEPS))


def test_warmup_by_step(data, tmp_path):
    lr = rates(small("sgd(lr=0.1)", "cosine, warmup=5, by=step"), data, tmp_path)
    wanted = [
        0.1 * min(1, (step + 1) / 5)
        if step < 5
        else 0.05 * (1 + math.cos(math.pi * (step - 5) / (3 * STEPS - 5)))
        for step in range(3 * STEPS)
    ]
    assert lr == pytest.approx(wanted)


FILES = ("checkpoint", "c"), ("save", "w"), ("log", "log")


def test_an_interrupted_run_keeps_what_it_did(data, tmp_path):
    program = small()
    files = [f"--{option}={tmp_path}/{name}" for option, name in FILES]
    command = [program, *"train --quiet --epochs 1000000 --data".split(), data, *files]
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not ((tmp_path / "log").exists() and (tmp_path / "log").stat().st_size > 2000):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    steps = sum(event["event"] == "step" for event in read_log(tmp_path / "log"))
    assert read_safetensors(tmp_path / "w")["bn1.num_batches_tracked"] == steps
    words = ["--resume", tmp_path / "c", "--max-steps", steps + 1]
    run(program, "train", "--data", data, "--quiet", *words)


def test_a_loss_that_is_no_number_stops_the_run(data, tmp_path):
    """The weights of the epochs before stay in the checkpoint, and nothing is saved of this one."""
    program = small("sgd(lr=0.1)")
    kept = [f"--{option}={tmp_path}/{name}" for option, name in FILES]
    train(program, data, "--epochs", 2, *kept)
    before = [(tmp_path / name).read_bytes() for name in "cw"]
    words = "--epochs 100 --lr 1000 --set optimizer.weight_decay=1000".split()
    told = train(program, data, "--resume", tmp_path / "c", *words, *kept, expect=1).stderr
    assert re.search(
        r"error: the loss is (nan|infinite) at step \d+ \(epoch [3-9]\): "
        r".* is the first that is not finite; the run is stopped",
        told,
    )
    assert [line.split(": ")[1] for line in told.splitlines()] == ["note", "note", "note", "error"]
    assert read_log(tmp_path / "log")[-1]["loss"] is None
    assert [(tmp_path / name).read_bytes() for name in "cw"] == before
    train(program, data, "--resume", tmp_path / "c", "--epochs", 3)


# Every layer multiplies by some 10^7: the sixth of them is past what a float holds.
GROWING = """network growing {
    input [1, 12, 12]
    conv2d(3, 3, padding=1) as first
    batch_norm2d as norm
    relu6
    max_pool2d(4)
    dropout(0.1)
    flatten
%s}
train {
    data "digits";  optimizer sgd(lr=0.1);  batch 48;  epochs 1
    init "grow*", constant(1e6)
    loss %s
}
"""


def grow(layers):
    return "".join(f"    linear(10) as grow{i}\n" for i in range(layers))


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
@pytest.mark.parametrize(
    "layers, loss, told",
    [
        (
            8,
            "cross_entropy",
            "the loss is nan at step 1 (epoch 1): "
            "the output of grow5 (linear, line 14) is the first that is not finite",
        ),
        (
            3,
            "mse",
            "the loss is infinite at step 1 (epoch 1): "
            "every layer's output is finite, and the loss itself overflows",
        ),
    ],
)
def test_where_the_first_value_that_is_no_number_came_from(kernels, layers, loss, told, data):
    program = trainer(GROWING % (grow(layers), loss), f"--kernels={kernels}")
    for threads in 1, 3:
        assert told in train(program, data, "--threads", threads, expect=1).stderr


def test_weights_that_are_no_numbers_are_not_saved(data, tmp_path):
    """The last step's loss is a number; what the step makes of the weights is none."""
    text = (FLAT % "mse").replace("flatten", "flatten;  linear(4) as idle;  dropout(1)")
    program, kept = trainer(text), ("--save", tmp_path / "w")
    train(program, data, "--max-steps", 1, *kept)
    weights = {name: tensor.copy() for name, tensor in read_safetensors(tmp_path / "w").items()}
    weights["idle.bias"][2] = 3e38
    write_safetensors(tmp_path / "spoilt", weights)
    before = (tmp_path / "w").read_bytes()
    told = train(
        program,
        data,
        "--max-steps",
        1,
        "--init",
        tmp_path / "spoilt",
        "--set",
        "optimizer.weight_decay=1000",
        "--checkpoint",
        tmp_path / "c",
        *kept,
        expect=1,
    ).stderr
    assert "idle.bias[2] is -inf after step 1: the run is stopped and nothing is written" in told
    assert (tmp_path / "w").read_bytes() == before and not (tmp_path / "c").exists()


def test_an_unwritable_output_is_told_before_training(data, tmp_path):
    for option in "--save", "--checkpoint", "--log", "--save-gradients":
        result = train(
            small(), data, "--epochs", 1000000, option, tmp_path / "missing" / "file", expect=1
        )
        assert "cannot write" in result.stderr and "missing/file" in result.stderr


@pytest.mark.skipif(not have("bash"), reason="needs bash's ulimit")
def test_a_full_disk_keeps_the_old_file(data, tmp_path):
    program = small()
    train(program, data, "--max-steps", 1, "--save", tmp_path / "w")
    before = (tmp_path / "w").read_bytes()
    words = f"{program} train --data {data} --quiet --max-steps 2 --save {tmp_path}/w"
    limited = f'trap "" XFSZ; ulimit -f 1; exec {words}'
    assert "cannot write" in run("bash", "-c", limited, expect=1).stderr
    assert (tmp_path / "w").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KB; only root can mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True
    ).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, left):
    """Leaves `left` bytes of the disk."""
    with open(folder / "filler", "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        file.truncate(os.fstat(file.fileno()).st_size - left)


@pytest.mark.skipif(not have("mount"), reason="needs mount")
@pytest.mark.parametrize("option", ["--save", "--checkpoint", "--save-gradients"])
def test_a_disk_that_is_full_keeps_the_old_file(option, data, small_disk):
    program, made = small(), small_disk / "w"
    train(program, data, "--max-steps", 1, option, made)
    before = made.read_bytes()
    fill(small_disk, 4096)
    refused = train(program, data, "--max-steps", 2, option, made, expect=1).stderr
    assert (
        f"cannot write {made}" in refused
        and "No space left on device" in refused
        and refused.count("\n") == 1
    )
    assert made.read_bytes() == before
    assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "w"]


@pytest.mark.parametrize(
    "options, told",
    [
        (["--lr", "abc"], "a number from 0 to 1000"),
        (["--lr", "nan"], "a number"),
        (["--lr", "0.1x"], "a number"),
        (["--lr", "0x10"], "a number"),
        (["--batch", "0"], "a whole number from 1 to 65536"),
        (["--batch", "1.5"], "a whole number"),
        (["--epochs", "-1"], "a whole number from 0"),
        (["--threads", "0"], "a whole number from 1"),
        (["--seed", ""], "''"),
        (["--bacth", "3"], "is --batch meant?"),
        (["--quiet", "-xy"], "train has no option -x;"),
        (["--quiet=1"], "takes no value"),
        (["--epochs"], "needs a value"),
        (["stray"], "stray is none"),
        (["--set", "optimizer.momentun=1"], "unknown setting optimizer.momentun"),
        (["--set", "lr"], "PATH=VALUE"),
        (["--set", "optimizer=1"], "is the word sgd"),
        (["--set", "loss.label_smoothing=0.1"], "compiled into"),
        (["--set", "normalize.mean=1,2"], "1 number is expected"),
        (["--init", "a", "--resume", "b"], "--init and --resume"),
    ],
)
def test_misuse(options, told):
    result = run(small(), "train", *options, expect=2)
    assert told in result.stderr and result.stderr.count("\n") == 1 and ": error: " in result.stderr


def test_options_of_pictures_files_where_there_are_none(data, tmp_path):
    words = "--max-steps", 1, "--skip-broken", "--cache", tmp_path / "kept"
    told = train(small(), data, *words).stderr
    assert "note: --skip-broken does nothing: " in told and "has no files of pictures" in told
    assert "note: --cache keeps nothing: " in told and not (tmp_path / "kept").exists()


def test_no_train_section():
    program = trainer("network bare {\n    input [4]\n    linear(2) as fc\n}\n")
    assert "no train section" in run(program, "train", expect=2).stderr
    assert "linear" in run(program, "info").stdout


def test_every_command_has_help():
    assert all(
        name in run(small(), "--help").stdout
        for name in ("train", "test", "predict", "bench", "gradcheck", "info")
    )
    for name in "train", "test", "predict", "bench", "gradcheck", "info":
        usage, _, listed = run(small(), name, "--help").stdout.partition("\n")
        assert usage.startswith("usage: ")
        assert all(len(line) <= 80 for line in listed.splitlines()), listed
    assert "is predict meant?" in run(small(), "predit", expect=2).stderr


def test_bench_and_predict(data, tmp_path):
    assert "images/s" in run(small(), "bench", "--steps", 2, "--threads", 1).stdout
    train(small(), data, "--max-steps", 1, "--save", tmp_path / "w")
    told = run(small(), "predict", "--weights", tmp_path / "w", "--data", data, "--count", 2).stdout
    assert told.count("test image") == 2 and "%" in told


def test_weights_without_counters_and_in_half_precision(data, tmp_path):
    program = small()
    train(program, data, "--epochs", 1, "--save", tmp_path / "w")
    weights = read_safetensors(tmp_path / "w")
    del weights["bn1.num_batches_tracked"]
    wide = {name: tensor.astype("f8") for name, tensor in weights.items()}
    write_safetensors(tmp_path / "wide", wide)
    tests = [
        run(program, "test", "--data", data, "--weights", tmp_path / name).stdout
        for name in ("w", "wide")
    ]
    assert tests[0] == tests[1]
    half = {name: tensor.astype("f2") for name, tensor in weights.items()}
    write_safetensors(tmp_path / "half", half)
    train(program, data, "--epochs", 0, "--init", tmp_path / "half", "--save", tmp_path / "again")
    again = read_safetensors(tmp_path / "again")
    assert all((again[name] == tensor.astype("f4")).all() for name, tensor in half.items())
