"""Ten steps of a network of the table by its own recipe, smaller, on data that stand in."""
import json
import re

from harness import COMPUTING, QUICK, netc, read_log, run, trainer
from networks.stand_in import EXAMPLES, stand_in
from networks.table import SLOWER, smaller

STEPS = 10
# Multiply-adds of an example, from which on it pays to compile for longer.
LARGE = 50e6


def rate(row):
    """The recipe's; of sgd for a batch of so few examples, by the square root of their share."""
    optimizer = row.setting("optimizer")
    told = re.search(r"\blr=([\d.e-]+)", optimizer)
    if not told:
        return []
    share = min(1, EXAMPLES / int(row.setting("batch")))
    power = 1 if row.stem in SLOWER else 0.5 if optimizer.startswith("sgd") else 0
    return ["--lr", float(told[1]) * share**power]


def compiler_for(path):
    told = json.loads(netc("summary", "--json", "--warn=no-rows-left-out", path).stdout)
    return QUICK if told["multiply_adds"] < LARGE else COMPUTING


def losses(row, folder):
    """Of ten steps, each on the same examples."""
    path, log = folder / f"{row.stem}.net", folder / "log.jsonl"
    path.write_text(smaller(row))
    told = run(
        trainer(path, compiler=compiler_for(path)),
        "train",
        "--data",
        stand_in(path, folder),
        "--batch",
        EXAMPLES,
        *rate(row),
        "--max-steps",
        STEPS,
        "--epochs",
        max(STEPS, int(row.setting("epochs"))),
        "--skip-broken",
        "--quiet",
        "--log",
        log,
    )
    assert "nan" not in told.stdout
    return [event["loss"] for event in read_log(log) if event["event"] == "step"]


def falls(told):
    """From the first three steps to the last three: drawn numbers make a loss tremble."""
    assert len(told) == STEPS
    return sum(told[-3:]) < sum(told[:3])
