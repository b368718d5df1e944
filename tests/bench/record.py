"""What a run has measured, as a JSON file: written after every round of turns, whole or not
at all, so that an interrupted run keeps it and `--resume` goes on.

    {"format": "netc bench 1",
     "machine": {…}, "made_by": {"netc": a hash, peer: its version or null},
     "seconds": 1.0, "repeats": 5, "date": "2026-11-28",
     "figures": [{"network", "kind", "batch", "contestants": {name: entry}, "share_of_peak"}],
     "footprint": {name: {"start_seconds", "resident_mb", "program_mb"}}}

An entry has what each setting did in its trial ("tried": seconds or a sentence), then the
best setting and the seconds of every turn, or why the contestant was left out.  A figure is
the least of its turns: other work on the machine only ever adds time.
"""
import json
import os

FORMAT = "netc bench 1"
OURS = ("netc", "before")  # who is no peer


class BadRecord(Exception):
    """One sentence that names the file."""


# -------------------------------------------------------------------- figures


def least(entry):
    """Seconds of a contestant's best turn; None: it has none, or was left out."""
    if not entry or "left_out" in entry or not entry.get("turns"):
        return None
    return min(entry["turns"])


def spread(entry):
    """From the least to the most, in percent of the median."""
    turns = sorted(entry["turns"])
    return 100 * (turns[-1] - turns[0]) / turns[len(turns) // 2]


def best_peer(figure):
    """(name, seconds) of the fastest peer; None: no peer was measured."""
    peers = [
        (seconds, name)
        for name, entry in figure["contestants"].items()
        if name not in OURS and (seconds := least(entry))
    ]
    return min(peers)[::-1] if peers else None


def ratio(figure):
    """How many times as fast as the best peer netc is; None: one of the two is missing."""
    ours, peer = least(figure["contestants"].get("netc")), best_peer(figure)
    return peer[1] / ours if ours and peer else None


def is_complete(entry, repeats):
    return "left_out" in entry or len(entry.get("turns", ())) >= repeats


# ----------------------------------------------------------------------- file


def new(machine, made_by, seconds, repeats, date):
    return {
        "format": FORMAT,
        "machine": machine,
        "made_by": made_by,
        "seconds": seconds,
        "repeats": repeats,
        "date": date,
        "figures": [],
        "footprint": {},
    }


def write(record, path):
    """Whole or not at all."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(made, "w") as file:
            json.dump(record, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    finally:
        made.unlink(missing_ok=True)


def is_entry(entry):
    turns = entry.get("turns", [])
    return (
        all(isinstance(seconds, float) and seconds > 0 for seconds in turns)
        and isinstance(entry.get("left_out", ""), str)
        and (not turns or isinstance(entry["setting"], str))
    )


def check(record):
    """KeyError, TypeError or ValueError: it is not what `new` and a run make."""
    if record["format"] != FORMAT:
        raise ValueError
    for figure in record["figures"]:
        str(figure["network"]), str(figure["kind"]), int(figure["batch"])
        if not all(is_entry(entry) for entry in figure["contestants"].values()):
            raise ValueError
    int(record["repeats"]), float(record["seconds"]), str(record["date"])
    dict(record["footprint"]), dict(record["made_by"]), dict(record["machine"])


def read(path):
    try:
        record = json.loads(path.read_text())
        check(record)
    except OSError as error:
        raise BadRecord(f"{path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRecord(
            f"{path} is not a file that `make bench` wrote, or it is damaged"
        ) from error
    return record


def resume(path, fresh):
    """The run of `path`, to go on with as `fresh`: on the same machine, of the same programs."""
    record = read(path)
    for key, value in fresh["machine"].items():
        if record["machine"].get(key) != value:
            raise BadRecord(
                f"{path} was measured on another machine ({key} {record['machine'].get(key)}, "
                f"here {value}): give another --output"
            )
    for name, version in fresh["made_by"].items():
        then = record["made_by"].get(name)
        if then is not None and then != version:
            raise BadRecord(
                f"{path} was measured with {name} {then}, here is {version}: give another --output"
            )
    if record["seconds"] != fresh["seconds"]:
        raise BadRecord(f"{path} has turns of {record['seconds']} s: give the same --seconds")
    record["made_by"].update(fresh["made_by"])
    record["repeats"] = fresh["repeats"]
    return record


def figure(record, wanted):
    """The record's dict of a Figure; a new one where there is none."""
    for found in record["figures"]:
        if (found["network"], found["kind"], found["batch"]) == tuple(wanted):
            return found
    record["figures"].append({**wanted._asdict(), "contestants": {}})
    return record["figures"][-1]
