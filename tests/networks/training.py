"""Ten steps of a network of the table by its own recipe, smaller, on data that stand in."""
import re

from harness import COMPUTING, read_log, run, trainer
from networks.stand_in import EXAMPLES, stand_in
from networks.table import smaller

STEPS = 10


def rate(row):
    """The recipe's; of sgd for a batch of so few examples, in proportion."""
    optimizer = row.setting("optimizer")
    told = re.search(r"\blr=([\d.e-]+)", optimizer)
    if not told:
        return []
    share = EXAMPLES / int(row.setting("batch")) if optimizer.startswith("sgd") else 1
    return ["--lr", float(told[1]) * min(1, share)]


def losses(row, folder, compiler=COMPUTING):
    """Of ten steps, each on the same examples."""
    path, log = folder / f"{row.stem}.net", folder / "log.jsonl"
    path.write_text(smaller(row))
    told = run(
        trainer(path, compiler=compiler),
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
    """From the first three steps to the last three: what is drawn in a step makes a loss tremble."""
    assert len(told) == STEPS
    return sum(told[-3:]) < sum(told[:3])
