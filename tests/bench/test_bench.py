"""make bench without any peer: what it measures, whom it waits for, and what a run keeps.

In the peers' place is a program that answers as peers.py does, or that does not, as the test
says; in the trainer's place, but for one test, one that tells made-up figures."""
import json
import sys
import time

import pytest

from bench import bench, contestants, footprint, graph, record
from bench.networks import CIFAR, LARGE, MNIST, NETWORKS, TEXTS, Figure, figures, source
from harness import MODELS, NETC, ROOT, alive, netc, operators, trainer
from runs import wait_for

PEER = """#!{python} -S
import json, pathlib, subprocess, sys, time
if sys.argv[1] == "-c":
    sys.exit(print("1.0"))
name, network, kind, batch, setting, folder = sys.argv[3:]
folder = pathlib.Path(folder)
does = json.loads((folder / "does.json").read_text()).get(name)
if does == "hangs":
    child = subprocess.Popen(["sleep", "1000"])
    (folder / "child.new").write_text(str(child.pid))
    (folder / "child.new").rename(folder / "child")
    time.sleep(1000)
if does == "fails":
    sys.exit("\\nno memory for this")
print("ready", flush=True)
for turn, line in enumerate(sys.stdin):
    if does == "stops" and turn:
        time.sleep(1000)
    with open(folder / "turns", "a") as log:
        log.write(name + "\\n")
    print(0.002 if setting == "2 channels_last" else 0.004, flush=True)
"""
TRAINER = """#!{python} -S
import json, pathlib
with open(pathlib.Path(__file__).parent / "turns", "a") as log:
    log.write("netc\\n")
told = dict.fromkeys("training inference_1 inference_many generate".split(), dict(median=0.001))
told = {{key + "_seconds": value for key, value in told.items()}}
print(json.dumps(dict(told, share_of_peak=dict(median=0.5))))
"""
SOME = Figure("resnet18", "training", 16)
TIED = ["lm_head.weight"]  # gpt's other name of its embedding


class Arena:
    """A folder in which a run takes place."""

    def __init__(self, folder):
        self.folder, self.file = folder, folder / "run.json"
        for name, text in ("peer", PEER), ("trainer", TRAINER):
            (folder / name).write_text(text.format(python=sys.executable))
            (folder / name).chmod(0o755)
        self.let()

    def let(self, **does):
        (self.folder / "does.json").write_text(json.dumps(does))

    def run(self, *words, peers="torch-eager,jax", networks="resnet18", repeats=2):
        """The exit status."""
        words = ["--networks", networks, "--peers", peers, "--repeats", str(repeats), *words]
        words += ["--threads", "1,2", "--output", str(self.file)]
        return bench.carry_out(bench.parse(words))

    def resume(self, *words, **keywords):
        return self.run("--resume", *words, **keywords)

    def entries(self, figure=SOME):
        return record.figure(record.read(self.file), figure)["contestants"]

    def turns(self):
        return (self.folder / "turns").read_text().split()


@pytest.fixture
def arena(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "WORK", tmp_path)
    monkeypatch.setattr(bench, "SETTLE", 0)
    monkeypatch.setattr(contestants, "PYTHON", str(tmp_path / "peer"))
    monkeypatch.setattr(contestants, "trainer", lambda *_: tmp_path / "trainer")
    return Arena(tmp_path)


# ---------------------------------------------------------- the command line


def test_figures_of_a_network():
    assert figures("cnn") == [
        ("cnn", "training", 64),
        ("cnn", "inference", 1),
        ("cnn", "inference", 1000),
    ]
    assert figures("resnet18_cifar") == [("resnet18_cifar", "training", 128)]
    assert figures("vgg16", [1, 16])[1:] == [
        ("vgg16", "training", 16),
        ("vgg16", "inference", 1),
        ("vgg16", "inference", 16),
    ]
    assert {figure.kind for figure in figures("unet", [1, 16, 64])} == {"inference"}
    assert figures("gpt") == [
        ("gpt", "training", 16),
        ("gpt", "training", 64),
        ("gpt", "generate", 1),
    ]


def test_words_of_the_command_line():
    options = bench.parse(["--networks", "large,cnn,cnn", "--batches", "64,1,16", "--peers", ""])
    assert options.networks == [*LARGE, "cnn"] and options.batches == [1, 16, 64]
    assert options.peers == [] and bench.parse([]).networks == MNIST + CIFAR


@pytest.mark.parametrize(
    "words, said",
    [
        (["--networks", "resnet19"], "'resnet19' is none of mlp, "),
        (["--peers", "tinygrad"], "'tinygrad' is none of torch-eager, "),
        (["--batches", "1,0"], "--batches: invalid"),
        (["--batches", "1,,2"], "--batches: invalid"),
        (["--repeats", "0"], "--repeats: invalid"),
        (["--limit", "nan"], "--limit: invalid"),
        (["--minutes", "-1"], "--minutes: invalid"),
        (["--resume"], "--resume needs --output F"),
        (["--resume", "--output", "/none.json"], "there is no /none.json"),
        (["--output", "/none/run.json"], "there is no such folder"),
        (["--output", str(ROOT / "README.md")], "--resume goes on with it"),
        (["--before", "/none"], "build/netc is missing there"),
    ],
)
def test_words_that_are_wrong(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        bench.parse(words)
    assert end.value.code == 2 and said in capsys.readouterr().err


# ------------------------------------------------------------------ networks


@pytest.mark.parametrize("network", NETWORKS)
def test_the_graph_has_all_of_the_network(network):
    read = graph.read(NETC, MODELS / f"{network}.net")
    told = json.loads(netc("summary", "--json", MODELS / f"{network}.net").stdout)
    assert [(layer.output, layer.op, list(layer.shape)) for layer in read.layers] == [
        (layer["name"], layer["operator"], layer["out"]) for layer in told["layers"]
    ]
    ours = {p.path: list(p.shape) for layer in read.layers for p in layer.parameters}
    assert list(ours.items()) == [
        (state["name"], state["shape"]) for state in told["state"] if state["name"] not in TIED
    ]
    known = {read.input}
    for layer in read.layers:
        assert known.issuperset(layer.inputs)
        known.add(layer.output)
    assert read.output in known


def test_arguments_are_whole():
    """Those that are written, and those that are not."""
    text = netc("--dump=graph", MODELS / "mobilenet_v2.net").stdout
    table = {operator["name"]: operator["arguments"] for operator in operators()}
    first, norm = graph.parse(text, table).layers[:2]
    assert first.arguments == {
        "out_channels": 32,
        "kernel_size": [3, 3],
        "stride": [2, 2],
        "padding": [1, 1],
        "dilation": [1, 1],
        "groups": 1,
        "bias": False,
        "padding_mode": "zeros",
        "in_channels": None,
        "weight_norm": False,
        "weight_standardization": None,
        "spectral_norm": False,
        "n_power_iterations": 1,
    }
    assert first.parameters[0].initial[0] == "uniform" and first.parameters[0].initial[2] > 0
    assert norm.arguments["eps"] == 1e-5 and norm.parameters[0].initial == ("constant", 1.0)
    assert [p.kind for p in norm.parameters] == ["trained"] * 2 + ["buffer"] * 2 + ["counter"]


def test_arguments_of_two_numbers_and_words():
    table = {operator["name"]: operator["arguments"] for operator in operators()}
    conv = graph.arguments("kernel_size=[3, 5], padding=same, out_channels=4", table["conv2d"])
    assert conv["kernel_size"] == [3, 5] and conv["padding"] == "same"
    assert graph.arguments("kernel_size=3", table["max_pool2d"])["stride"] == [3, 3]


@pytest.mark.parametrize("network", LARGE + TEXTS)
def test_large_networks_are_sources_that_netc_takes(network, tmp_path):
    assert netc("check", source(network, tmp_path)).stderr == ""


def test_every_figure_is_a_trainers(tmp_path, monkeypatch):
    """With the trainer of this project, not a made-up one."""
    monkeypatch.setattr(contestants, "trainer", lambda *_: trainer(MODELS / "mlp.net"))
    clock = contestants.Clock(limit=60)
    for kind, batch in ("training", 7), ("inference", 1), ("inference", 9):
        figure = Figure("mlp", kind, batch)
        contestant = contestants.Netc(figure, "1 thread", tmp_path, clock)
        assert contestant.measure(0.01) > 0 and contestant.measure(0.01) > 0
        assert (contestant.share is not None) == (kind == "training")


# -------------------------------------------------------------------- a run


def test_all_take_turns(arena, capsys):
    assert arena.run(repeats=3) == 0
    entries = arena.entries()
    assert set(entries) == {"netc", "torch-eager", "jax"}
    assert entries["torch-eager"]["setting"] == "2 channels_last"
    assert entries["torch-eager"]["tried"]["1 contiguous"] == 0.004
    assert all(len(entry["turns"]) == 3 for entry in entries.values())
    # Four runs of netc to try two settings, four turns of PyTorch, two of JAX: then the rounds of
    # the first figure.
    assert arena.turns()[10:19] == ["netc", "torch-eager", "jax"] * 3
    told = capsys.readouterr()
    assert "2.00" in told.out and "50.0 %" in told.out and "8,000 " in told.out
    assert "resnet18, training, batch 16 (1 of 3;" in told.err and "2.00 × torch-eager" in told.err


def test_a_text_goes_on_beside_those_who_keep_what_they_saw(arena, capsys):
    arena.run(networks="char_lstm", peers="torch-eager,jax")
    entries = arena.entries(Figure("char_lstm", "generate", 1))
    assert set(entries) == {"netc", "torch-eager"}
    assert set(entries["torch-eager"]["tried"]) == {"1 contiguous", "2 contiguous"}
    told = capsys.readouterr()
    assert "token by token, tokens/s" in told.out and " 1,000 " in told.out


def test_who_cannot_train_only_answers(arena):
    arena.run(peers="onnxruntime")
    assert set(arena.entries()) == {"netc"}
    assert set(arena.entries(Figure("resnet18", "inference", 1))) == {"netc", "onnxruntime"}


def test_who_hangs_is_left_out_and_ended(arena, capsys):
    """With what it has started."""
    arena.let(jax="hangs")
    assert arena.run("--limit", "4", "--batches", "16", networks="unet") == 0
    entry = arena.entries(Figure("unet", "inference", 16))["jax"]
    assert entry["left_out"] == "being prepared took longer than 4 s" and entry["limit"] == 4
    assert set(entry["tried"]) == {"1", "2"}
    assert "jax was left out: being prepared took longer than 4 s" in capsys.readouterr().out
    child = int((arena.folder / "child").read_text())
    wait_for(lambda: not alive(child))


def test_who_stops_and_who_fails_are_left_out(arena, capsys):
    arena.let(jax="stops", **{"torch-eager": "fails"})
    assert arena.run("--limit", "4", "--batches", "16", networks="unet") == 0
    entries = arena.entries(Figure("unet", "inference", 16))
    assert entries["jax"]["left_out"] == "a turn took longer than 4 s"
    assert entries["torch-eager"]["left_out"] == "being prepared failed: no memory for this"
    assert "limit" not in entries["torch-eager"]
    assert len(entries["netc"]["turns"]) == 2
    assert "torch-eager was left out: being prepared failed" in capsys.readouterr().out


def test_a_peer_that_is_not_installed_is_told(arena, monkeypatch, capsys):
    monkeypatch.setattr(bench, "version", lambda module: None if module == "jax" else "1.0")
    assert arena.run() == 0
    assert "jax" not in arena.entries() and "not installed: jax" in capsys.readouterr().out


# --------------------------------------------------- what ends, and goes on


def test_the_time_is_up_and_the_run_goes_on(arena, capsys):
    """The one whom it waited for is not blamed."""
    arena.let(jax="hangs")
    assert arena.run("--minutes", "0.1", "--limit", "1000") == 0
    before, told = arena.entries(), capsys.readouterr().out
    assert before["torch-eager"]["setting"] == "2 channels_last" and before["jax"] == {}
    assert "The time was up after 0.1 minutes." in told and "--resume goes on" in told
    assert "resnet18, training, batch 16: jax had 0 of 2 turns" in told
    assert "resnet18, inference, one image: not measured" in told
    arena.let()
    assert arena.resume() == 0
    assert all(len(entry["turns"]) == 2 for entry in arena.entries().values())
    assert "was up" not in capsys.readouterr().out


def test_an_interrupted_run_keeps_its_rounds(arena, monkeypatch, capsys):
    measure, count = contestants.Peer.measure, 0

    def interrupted(peer, seconds):
        nonlocal count
        count += 1
        if count == 12:  # six trials, two rounds of two, and the second of a third one
            raise KeyboardInterrupt
        return measure(peer, seconds) * count

    monkeypatch.setattr(contestants.Peer, "measure", interrupted)
    assert arena.run(repeats=5) == 130
    kept = {name: entry["turns"] for name, entry in arena.entries().items()}
    assert {name: len(turns) for name, turns in kept.items()} == dict.fromkeys(kept, 2)
    assert "Interrupted." in capsys.readouterr().out
    monkeypatch.setattr(contestants.Peer, "measure", measure)
    tried = len(arena.turns())
    assert arena.resume(repeats=5) == 0
    assert {name: entry["turns"][:2] for name, entry in arena.entries().items()} == kept
    assert all(len(entry["turns"]) == 5 for entry in arena.entries().values())
    # Nobody is tried again; only netc's step is.
    assert arena.turns()[tried : tried + 10] == ["netc"] + ["netc", "torch-eager", "jax"] * 3


def test_a_complete_run_measures_nothing_again(arena):
    arena.run()
    turns, text = arena.turns(), arena.file.read_text()
    assert arena.resume() == 0
    assert arena.turns() == turns and arena.file.read_text() == text


def test_who_was_left_out_is_tried_again(arena):
    """Who was too slow, with a longer limit only."""
    arena.let(jax="hangs", **{"torch-eager": "fails"})
    arena.run("--limit", "3", "--batches", "16", networks="unet")
    arena.let()
    figure = Figure("unet", "inference", 16)
    arena.resume("--limit", "3", "--batches", "16", networks="unet")
    assert "left_out" in arena.entries(figure)["jax"]
    assert len(arena.entries(figure)["torch-eager"]["turns"]) == 2
    arena.resume("--limit", "100", "--batches", "16", networks="unet")
    assert len(arena.entries(figure)["jax"]["turns"]) == 2


def test_another_run_is_not_gone_on_with(arena):
    arena.run()
    written = arena.file.read_text()
    for change, said in (
        (lambda run: run["machine"].update(cores=1234), "another machine (cores 1234, here"),
        (lambda run: run["made_by"].update(netc="0"), "was measured with netc 0, here is"),
        (lambda run: run["made_by"].update(jax="0.1"), "was measured with jax 0.1, here is 1.0"),
        (lambda run: run.update(seconds=7), "turns of 7 s: give the same --seconds"),
        (lambda run: run.update(format="1"), "is not a file that `make bench` wrote"),
        (lambda run: run["figures"].append(3), "is not a file that `make bench` wrote"),
    ):
        run = json.loads(written)
        change(run)
        arena.file.write_text(json.dumps(run))
        with pytest.raises(record.BadRecord) as wrong:
            arena.resume()
        assert said in str(wrong.value) and json.loads(arena.file.read_text()) == run


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "run.json"
    good = record.new({}, {}, 1.0, 5, "2026-11-28")
    record.write(good, path)
    with pytest.raises(TypeError):
        record.write({**good, "figures": [object()]}, path)
    assert record.read(path) == good and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"format": "netc bench 1"}'])
def test_damaged_files(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(record.BadRecord, match="run.json is not a file that"):
        record.read(tmp_path / "run.json")
    with pytest.raises(record.BadRecord, match="none.json: No such file"):
        record.read(tmp_path / "none.json")


# ----------------------------------------------------------------- footprints


def test_a_process_is_timed_and_ended(tmp_path):
    clock = contestants.Clock(limit=2)
    seconds, resident = footprint.timed_run(["sleep", "0.1"], clock)
    assert 0.1 <= seconds < 2 and 0 < resident < 1000
    start = time.monotonic()
    with pytest.raises(contestants.TooSlow, match="the run took longer than 2 s"):
        footprint.timed_run(["sleep", "1000"], clock)
    assert time.monotonic() - start < 60
    with pytest.raises(contestants.LeftOut, match="the run failed"):
        footprint.timed_run(["false"], clock)


def test_a_program_that_fails_is_told_with_its_last_line():
    command = ["sh", "-c", "echo one; echo two >&2; echo three >&2; exit 4"]
    with pytest.raises(contestants.LeftOut, match=r"a turn failed \(exit 4\): three"):
        contestants.output_of(command, contestants.Clock(60), "a turn")
