"""By which figure epochs are compared, and the weights of the best of them."""
import pytest

from harness import read_log, run
from runs import STEPS, small, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def train(data, *options, **keywords):
    return run(small(), "train", "--data", data, "--epochs", 6, *options, **keywords)


def bests(folder):
    """The files beside the best one, by their epochs."""
    return {int(path.name.split("-")[1][5:]): path for path in folder.glob("best-epoch*")}


@pytest.mark.parametrize("figure", ["loss", "accuracy", "train_loss"])
def test_the_best_epochs_are_kept_by_the_figure_that_is_asked_for(figure, data, tmp_path):
    """Also by a run that is taken up in the middle of an epoch, whatever its threads."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    words = ["--monitor", figure, "--keep-best", 2, "--save-best", "best.st", "--log", "log"]
    train(data, *words, cwd=whole)
    epochs = [event for event in read_log(whole / "log") if "seconds" in event]
    name = figure if figure.startswith("train") else "test_" + figure
    values = {event["epoch"]: event[name] for event in epochs}
    sign = 1 if figure == "accuracy" else -1
    order = sorted(values, key=lambda epoch: (-sign * values[epoch], epoch))
    kept = bests(whole)
    assert set(kept) == set(order[:2])
    assert kept[order[0]].name == f"best-epoch{order[0]}-{figure}-{values[order[0]]:.5g}.st"
    assert kept[order[0]].read_bytes() == (whole / "best.st").read_bytes()
    assert [event["epoch"] for event in epochs if event["best"]][-1] == order[0]
    middle = ["--max-steps", 3 * STEPS + 2, "--checkpoint", "c", "--threads", 1]
    train(data, *words, *middle, cwd=parts)
    # what is asked for goes on being asked for
    train(data, "--resume", "c", *words[2:], "--threads", 3, cwd=parts)
    assert {path.name: path.read_bytes() for path in bests(parts).values()} == {
        path.name: path.read_bytes() for path in kept.values()
    }
    assert (parts / "best.st").read_bytes() == (whole / "best.st").read_bytes()


def test_a_run_stops_by_the_figure_that_is_asked_for(data):
    told = train(data, "--early-stop", 1, "--monitor", "loss", "--lr", 5).stdout
    assert "by the loss of the test images none was better than epoch " in told
    told = train(data, "--early-stop", 1, "--monitor", "train_loss", "--lr", 5).stdout
    assert "by the train loss none was better than epoch " in told


def test_a_figure_that_there_is_not(data, tmp_path):
    told = train(data, "--save-best", tmp_path / "w", "--monitor", "f1", expect=1).stderr
    assert (
        "--monitor goes by f1, which this network has not: it has loss, accuracy, train_loss"
        in told
    )
    told = train(data, "--monitor", "loss", expect=2).stderr
    assert "--monitor says what --save-best F and --early-stop N go by: give one of them" in told
    assert "--keep-best needs --save-best F" in train(data, "--keep-best", 2, expect=2).stderr


def test_another_file_of_that_name_stays(data, tmp_path):
    words = ["--keep-best", 2, "--save-best", "best.st", "--quiet", "--epochs", 1]
    train(data, *words, cwd=tmp_path)
    (path,) = bests(tmp_path).values()
    path.write_text("mine")
    told = train(data, *words, cwd=tmp_path, expect=1).stderr
    assert f"{path.name} is another file" in told and path.read_text() == "mine"
