"""Several processes, MPI's ranks, train one network: they write what one process writes, byte for
byte, and end together."""
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import (
    QUICK_MPI,
    netc,
    network_file,
    rarely,
    read_log,
    read_safetensors,
    run,
    trainer,
)
from runs import blocks_of_noise, few_images, images_of_a_grain, write_pictures

MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMPI_MCA_plm": "isolated",  # no ssh is needed on one machine
    "OMPI_MCA_odls_base_sigkill_timeout": "0",
}
pytestmark = pytest.mark.skipif(not shutil.which("mpirun"), reason="MPI is not installed")

# Of every kind of work that reads other grains or is for all of them: norms' statistics, also of a
# concat's parts, filters transformed once for all grains, a
# layer for the whole batch that reads the images, one that follows another, one behind dropout;
# and losses of a layer that makes the logits.
CONVOLUTIONS = """network ranks {
    input [3, 12, 10]
    conv2d(6, 3, padding=1)
    batch_norm2d
    relu
    concat {
        branch { conv2d(5, 1);  batch_norm2d;  relu }
        branch { conv2d(4, 3, padding=1) }
    }
    batch_norm2d
    conv2d(24, 3, padding=1)
    conv2d(24, 3, padding=1)
    max_pool2d(2)
    dropout(0.2)
    flatten
    linear(10)
}
"""
MATRICES = """network ranks {
    input [3, 12, 10]
    flatten
    linear(203, bias=false) as first
    relu
    dropout(0.25)
    skip { linear(203) as inner;  relu }
    skip { reuse inner }
    linear(129) as last
    hardswish
    linear(10) as fc
}
"""
TRAIN = """train {
    data      synthetic
    normalize mean=0.5, std=0.25
    loss      cross_entropy
    optimizer %s
    batch     %d
    epochs    2
    %s
}
"""
IMAGES, BATCH = 150, 70  # five grains of 16 in float32, the last step's only one


def program(network, optimizer="sgd(lr=0.05, momentum=0.9)", more="", *options):
    text = network + TRAIN % (optimizer, BATCH, more)
    return trainer(text, "--mpi", *options, compiler=QUICK_MPI)


def data():
    return few_images(CONVOLUTIONS, IMAGES)


APART = {"NET_RANKS_MEMORY": "own"}  # as ranks on several machines, they send messages


def train(ranks, made, *words, expect=0, more=None):
    """Under mpirun with so many ranks; alone with none."""
    start = ["mpirun", "-n", ranks] if ranks else []
    words = ["train", "--quiet", "--data", data(), *words]
    return run(*start, made, *words, expect=expect, env={**MPI, **(more or {})})


def losses(log):
    return [
        {
            key: event.get(key)
            for key in ("event", "loss", "train_loss", "test_loss", "test_accuracy")
        }
        for event in read_log(log)
    ]


# What a step has besides its gradient.
RECIPE = (
    'clip norm=0.5;  group "*.bias", clip=false;  accumulate 2;  ema 0.9;  '
    "schedule plateau(patience=0);  "
    "augment mixup, random_resized_crop([12, 10]), repeated_augment(3)"
)


ROWS = 'clip adaptive=0.02;  group "*.weight", max_norm=0.5;  layer_decay 0.9, "*.weight"'


@pytest.mark.parametrize(
    "network, optimizer, more, options",
    [
        (CONVOLUTIONS, "sgd(lr=0.05, momentum=0.9)", ROWS, ()),
        (CONVOLUTIONS, "adamw(lr=0.01)", RECIPE, ("--kernels=reference",)),
        (MATRICES, "adam(lr=0.001)", "augment horizontal_flip(0.5)", ("--dtype=f64",)),
        rarely(MATRICES, "muon(lr=0.01)", 'freeze "first.*"', ("--target=x86-64-v3",)),
    ],
)
def test_ranks_write_the_bytes_of_one_process(tmp_path, network, optimizer, more, options):
    made, written = program(network, optimizer, more, *options), {}
    epoch = 3 if "accumulate" in more else 4  # lines of the log: its steps, and itself
    first = options == ()  # which has all ways; of the others the question is what is reduced
    ways = [(0, 1, {}), (3, 1, {}), (2, 2, APART), *([(2, 3, {}), (3, 1, APART)] if first else [])]
    for ranks, threads, more in ways:
        path = tmp_path / f"{ranks}-{threads}-{len(more)}"
        files = ["--save", f"{path}.w", "--checkpoint", f"{path}.c", "--log", f"{path}.log"]
        train(ranks, made, "--threads", threads, *files, more=more)
        written[path] = (
            path.with_suffix(".w").read_bytes(),
            path.with_suffix(".c").read_bytes(),
            losses(path.with_suffix(".log")),
        )
    one, *others = written.values()
    assert len(one[2]) == 2 * epoch and all(other == one for other in others)


def test_a_run_goes_on_with_another_number_of_ranks(tmp_path):
    made = program(CONVOLUTIONS)
    train(0, made, "--save", tmp_path / "whole")
    train(2, made, "--max-steps", 2, "--checkpoint", tmp_path / "c")
    train(3, made, "--max-steps", 4, "--checkpoint", tmp_path / "c", "--resume", tmp_path / "c")
    train(0, made, "--resume", tmp_path / "c", "--save", tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()


def test_ranks_leave_the_same_images_to_be_judged_by(tmp_path):
    made, written = program(CONVOLUTIONS), []
    for ranks, more in (0, {}), (2, APART), (3, {}):
        files = ["--save", tmp_path / "w", "--log", tmp_path / "log"]
        train(ranks, made, "--validation", 0.2, "--early-stop", 1, *files, more=more)
        log = [{**event, "seconds": 0, "images_per_second": 0} for event in read_log(files[3])]
        written.append((files[1].read_bytes(), log))
    assert "validation_loss" in written[0][1][-1] and all(one == written[0] for one in written)


def test_ranks_leave_out_the_same_broken_pictures(tmp_path):
    """Each looks at its own, and all are told."""
    made, folder, written = program(CONVOLUTIONS), tmp_path / "d", []
    shutil.copytree(data(), folder)
    for name in "train/4/4.png", "train/7/77.png", "test/5/5.png":
        (folder / name).write_bytes((folder / name).read_bytes()[:60])
    for ranks, more in (0, {}), (3, APART):
        start = ["mpirun", "-n", ranks] if ranks else []
        words = ["train", "--quiet", "--data", folder, "--skip-broken", "--validation", 0.2]
        result = run(*start, made, *words, "--save", tmp_path / "w", env={**MPI, **more})
        told = [line.split("note: ")[1] for line in result.stderr.splitlines() if "note: " in line]
        written.append(((tmp_path / "w").read_bytes(), told))
    assert written[0] == written[1]
    assert [line for line in written[0][1] if "left out" in line] == [
        f"2 of {IMAGES} pictures are left out",
        "1 of 20 pictures are left out",
    ]


def test_only_rank_0_speaks():
    result = run(
        "mpirun",
        "-n",
        2,
        program(CONVOLUTIONS),
        "train",
        "--data",
        data(),
        "--max-steps",
        3,
        env=MPI,
    )
    said = [result.stdout.count(words) for words in ("training and", "  train loss")]
    assert said == [1, 1], result.stdout


def refuse(ranks, *words):
    result = train(ranks, program(CONVOLUTIONS), *words, expect=None)
    errors = re.findall(r"error: (.*)", result.stderr)
    assert result.returncode and len(errors) == 1, result.stderr
    return errors[0]


def test_what_ranks_cannot_share_is_refused():
    lanes = images_of_a_grain(program(CONVOLUTIONS))
    told = refuse(4, "--batch", 4 * lanes + 3)
    assert told.startswith(
        f"a batch of {4 * lanes + 3} images is 5 grains of {lanes}, which leaves nothing to do for"
    )
    assert f"some of 4 ranks: start 3, or give --batch {8 * lanes}" in told
    few = refuse(2, "--batch", lanes - 1)
    assert few.startswith(f"a batch of {lanes - 1} images is 1 grain of {lanes}")


def test_what_only_rank_0_cannot_do_is_one_sentence(tmp_path):
    assert "nowhere/w" in refuse(2, "--save", tmp_path / "nowhere" / "w")
    assert "nowhere/l" in refuse(3, "--log", tmp_path / "nowhere" / "l")


def test_other_commands_are_one_process_s():
    result = run("mpirun", "-n", 2, program(CONVOLUTIONS), "bench", env=MPI, expect=None)
    assert result.returncode and result.stderr.count("of the commands only train takes ranks") == 1


def with_words(first, second, expect):
    """Two ranks, started with words of their own."""
    words = [str(word) for word in ("mpirun", "-n", 1, *first, ":", "-n", 1, *second)]
    return run(*words, env=MPI, expect=expect)


def each_its_own(first, second):
    result = with_words(first, second, expect=None)
    assert result.returncode
    (told,) = re.findall(r"error: (.*)", result.stderr)
    return told


def test_ranks_that_differ_are_refused(tmp_path):
    made = program(CONVOLUTIONS)
    words = [made, "train", "--quiet", "--data", data()]
    images = blocks_of_noise((12, 10, 3), IMAGES)
    write_pictures(tmp_path / "other" / "test", images[:20])
    write_pictures(tmp_path / "other" / "train", [255 - image for image in images])
    train(0, made, "--max-steps", 1, "--save", tmp_path / "w")
    other = program(CONVOLUTIONS.replace("conv2d(6, 3,", "conv2d(6, 5,"))
    for changed, what in [
        ([*words, "--lr", 0.5], "other settings"),
        ([*words[:-1], tmp_path / "other"], "other data"),
        ([*words, "--init", tmp_path / "w"], "another --init or --resume"),
        ([*words, "--norms", "rank"], "another choice of --norms"),
        ([other, *words[1:]], "another program"),
    ]:
        assert each_its_own(words, changed).startswith(f"rank 1 has {what} than rank 0"), what
    told = each_its_own(words, [*words[:-1], tmp_path / "nowhere"])
    assert "nowhere" in told


# ------------------------------------------------- on several hosts

HOSTS = Path(__file__).with_name("hosts.sh")


def has_hosts():
    tools = all(shutil.which(tool) for tool in ("ip", "tc"))
    return tools and os.geteuid() == 0 and os.access("/dev/net/tun", os.W_OK)


@pytest.mark.skipif(not has_hosts(), reason="namespaces of a network need root and iproute2")
def test_two_hosts_on_a_bad_line_write_the_bytes_of_one_process(tmp_path):
    made = program(CONVOLUTIONS)
    words = ["train", "--quiet", "--data", data(), "--threads", 1, "--max-steps", 4]
    run(made, *words, "--save", tmp_path / "one")
    told = run(HOSTS, 2, 1, "env", "NET_RANKS_TRACE=1", made, *words, "--save", tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()
    all_seconds, waited = map(float, re.findall(r"for (\d+\.\d+) s", told.stderr))
    assert all_seconds > 4 * 2 * 0.002 and 0 <= waited < all_seconds  # each step's there and back


# ------------------------------------------------- what each rank reads


def test_weights_to_begin_with_are_read_by_rank_0_alone(tmp_path):
    made = program(CONVOLUTIONS)
    words = [made, "train", "--quiet", "--data", data(), "--max-steps", 3]
    train(0, made, "--max-steps", 2, "--save", tmp_path / "w", "--checkpoint", tmp_path / "c")
    for option, file in ("--init", "w"), ("--resume", "c"):
        train(0, made, "--max-steps", 3, option, tmp_path / file, "--save", tmp_path / "one")
        here = [*words, option, tmp_path / file]
        with_words(
            [*here, "--save", tmp_path / "two"], [*words, option, tmp_path / "nowhere"], expect=0
        )
        assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()
        told = each_its_own([*words, option, tmp_path / "nowhere"], here)
        assert told.startswith("cannot read") and "nowhere" in told
        (tmp_path / "cut").write_bytes((tmp_path / file).read_bytes()[:-100])
        told = each_its_own([*words, option, tmp_path / "cut"], here)
        assert f"{tmp_path}/cut: " in told


SAMPLE = 256  # images of a split that every rank looks at: data/held.c


def garble(folder, spared):
    """Of the training pictures those that the rank is not to read."""
    pictures = sorted(path for path in (folder / "train").rglob("*.png"))
    sample = {i * len(pictures) // SAMPLE for i in range(SAMPLE)}
    lost = [i for i in range(len(pictures)) if i % 2 != spared and i not in sample]
    assert len(lost) > len(pictures) / 5
    for i in lost:
        pictures[i].write_text("no picture")
    return pictures, lost


def test_each_rank_decodes_its_share_of_the_pictures(tmp_path):
    made, images = program(CONVOLUTIONS), blocks_of_noise((12, 10, 3), 500)
    for name in "whole", "0", "1":
        write_pictures(tmp_path / name / "train", images)
        write_pictures(tmp_path / name / "test", images[:100])
    ranks = []
    for rank in 0, 1:
        garble(tmp_path / str(rank), spared=rank)
        ranks.append([made, "train", "--quiet", "--data", tmp_path / str(rank), "--epochs", 1])
    run(made, "train", "--quiet", "--data", tmp_path / "whole", "--epochs", 1, "--save",
        tmp_path / "one", "--log", tmp_path / "one.log")  # fmt: skip
    with_words(
        [*ranks[0], "--save", tmp_path / "two", "--log", tmp_path / "two.log"], ranks[1], expect=0
    )
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()
    assert losses(tmp_path / "two.log") == losses(tmp_path / "one.log")


def test_a_picture_that_cannot_be_read_is_told_by_the_rank_that_reads_it(tmp_path):
    made = program(CONVOLUTIONS)
    for name in "train", "test":
        write_pictures(tmp_path / "d" / name, blocks_of_noise((12, 10, 3), 500))
    pictures, lost = garble(tmp_path / "d", spared=0)
    words = [made, "train", "--quiet", "--data", tmp_path / "d"]
    assert str(pictures[lost[0]]) in each_its_own(words, words)


# ------------------------------------------------- batch norms of a rank

NORMS = """network norms {
    input [3, 12, 10]
    conv2d(6, 3, padding=1) as conv
    batch_norm2d as norm
    relu
    conv2d(5, 3, stride=2) as second
    batch_norm2d
    flatten
    linear(10)
}
"""


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
def test_norms_of_each_rank_are_those_of_its_images(tmp_path, kernels):
    made = program(NORMS, "sgd(lr=0.05)", "", f"--kernels={kernels}")
    half = 2 * images_of_a_grain(made)

    def step(ranks, batch, steps, *words):
        """The gradient of the last step, before which no weight has moved."""
        run_words = ["--lr", 1e-30, "--no-shuffle", "--batch", batch, "--max-steps", steps]
        files = ["--save-gradients", tmp_path / "g", "--save", tmp_path / "w"]
        train(ranks, made, *run_words, *files, *words)
        return read_safetensors(tmp_path / "g"), read_safetensors(tmp_path / "w")

    first, after_first = step(0, half, 1)
    second, _ = step(0, half, 2)
    own, after_own = step(2, 2 * half, 1, "--norms", "rank")
    whole, _ = step(2, 2 * half, 1)

    def distance(one):
        mean = {name: (first[name] + second[name]) / 2 for name in first}
        largest = max(abs(value).max() for value in mean.values())
        return max(abs(one[name] - mean[name]).max() for name in mean) / largest

    assert distance(own) < 1e-5 < 1e-3 < distance(whole)
    for name in "norm.running_mean", "norm.running_var":
        assert after_own[name].tobytes() == after_first[name].tobytes()


def test_norms_of_each_rank_are_the_same_again(tmp_path):
    made = program(NORMS)
    saved = []
    for ranks, norms in (2, "rank"), (2, "rank"), (2, "all"), (0, "rank"), (0, "all"):
        train(ranks, made, "--norms", norms, "--save", tmp_path / "w")
        saved.append((tmp_path / "w").read_bytes())
    assert saved[0] == saved[1] != saved[2] == saved[3] == saved[4]


def test_a_rank_with_one_image_has_nothing_to_normalise_over():
    made = program(NORMS.replace("stride=2) as second", "stride=2) as second;  avg_pool2d((5, 4))"))
    lanes = images_of_a_grain(made)
    words = [made, "train", "--quiet", "--data", data(), "--norms", "rank", "--batch", lanes + 1]
    told = each_its_own(words, words)
    assert "the last rank in each step" in told and f"in batches of {lanes + 1} has one" in told


# ---------------------------------------------------------- endings of long runs


def ranks_of(process):
    """The trainers' processes, by rank."""
    found = {}
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        told = Path(f"/proc/{child}/environ").read_bytes()
        rank = re.search(rb"\0OMPI_COMM_WORLD_RANK=(\d+)", told)
        if rank:
            found[int(rank[1])] = int(child)
    return found


@pytest.fixture
def long_run(tmp_path):
    """Two ranks that train on and on, and where they are."""
    words = ["train", "--quiet", "--data", data(), "--epochs", 1000000]
    files = ["--checkpoint", tmp_path / "c", "--checkpoint-every", 1]
    command = ["mpirun", "-n", 2, program(CONVOLUTIONS), *words, *files]
    with subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, **MPI, "NET_RANKS_PATIENCE": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 60
        while not (tmp_path / "c").exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        yield process, ranks_of(process)
        process.kill()


def runs(process):
    """Not what has ended and nobody waited for."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def end_of(process, ranks):
    out, error = process.communicate(timeout=60)
    until = time.monotonic() + 10
    while any(runs(rank) for rank in ranks.values()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return process.returncode, error


def goes_on(tmp_path):
    train(
        3, program(CONVOLUTIONS), "--resume", tmp_path / "c", "--max-steps", 1000000, "--epochs", 0
    )


@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_rank_ends_all_after_the_same_step(long_run, tmp_path, rank):
    process, ranks = long_run
    os.kill(ranks[rank], signal.SIGTERM)
    code, error = end_of(process, ranks)
    assert code != 0 and "error:" not in error
    goes_on(tmp_path)


def test_a_rank_that_dies_ends_all(long_run, tmp_path):
    process, ranks = long_run
    os.kill(ranks[1], signal.SIGKILL)
    code, error = end_of(process, ranks)
    assert code != 0
    goes_on(tmp_path)


def test_a_rank_that_hangs_ends_all(long_run, tmp_path):
    process, ranks = long_run
    os.kill(ranks[1], signal.SIGSTOP)
    code, error = end_of(process, ranks)
    (told,) = re.findall(r"error: (.*)", error)
    assert code != 0 and told.startswith("rank 0 of 2: another rank has not answered for 2 s")
    goes_on(tmp_path)


def test_a_compiler_without_mpi_is_told(tmp_path):
    path = network_file(CONVOLUTIONS + TRAIN % ("sgd(lr=0.1)", BATCH, ""))
    result = netc("build", "--mpi", "--cc=gcc", path, "-o", tmp_path / "t", expect=1)
    assert "gcc does not find mpi.h" in result.stderr and "libopenmpi-dev" in result.stderr
    assert not (tmp_path / "t").exists()
    netc("build", "--mpi", "--object", path, "-o", tmp_path / "t", expect=2)
