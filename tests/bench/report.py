"""What a run has measured, as text: while it goes on, and as one table for each kind of figure.

Whatever is not in a table is told below it: who was left out and why, and what was not
measured when the time was up.
"""
import sys
import time

from bench import record
from bench.networks import Figure

WIDTH = 30  # of a contestant's column


def of_record(figure):
    """The Figure of a record's dict."""
    return Figure(figure["network"], figure["kind"], figure["batch"])


def is_time(figure):
    """One image is told as a time, more as a rate."""
    return figure["kind"] == "inference" and figure["batch"] == 1


def shown(figure, seconds):
    """Three digits, or all before the point."""
    value = seconds * 1e6 if is_time(figure) else figure["batch"] / seconds
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def unit(figure):
    if figure["kind"] == "generate":
        return "tokens/s"
    return "µs (less is better)" if is_time(figure) else "images/s"


def median(values):
    return sorted(values)[len(values) // 2]


def times(ratio):
    """Three digits, or all before the point."""
    return f"{ratio:.{2 if ratio < 10 else 1 if ratio < 100 else 0}f} ×"


# ------------------------------------------------------------------- progress


def progress(figure, number, count, began):
    """What has been measured, while the rest is still to come."""
    minutes = (time.monotonic() - began) / 60
    to_go = minutes / number * (count - number)
    ours, ratio = record.least(figure["contestants"].get("netc")), record.ratio(figure)
    print(
        f"{of_record(figure)} ({number} of {count}; {minutes:.0f} min gone, about {to_go:.0f} "
        f"to go): {f'{shown(figure, ours)} {unit(figure)}' if ours else 'netc was left out'}"
        + (f", {times(ratio)} {record.best_peer(figure)[0]}" if ratio else ""),
        file=sys.stderr,
        flush=True,
    )


# --------------------------------------------------------------------- tables


def cell(figure, entry):
    seconds = record.least(entry)
    if seconds is None:
        return "left out" if entry and "left_out" in entry else "-"
    return f"{shown(figure, seconds)} {record.spread(entry):3.0f}% {entry['setting']:<12}"


def print_table(title, figures):
    names = list(dict.fromkeys(name for figure in figures for name in figure["contestants"]))
    trains = figures[0]["kind"] == "training"
    print(f"\n{title}, {unit(figures[0])}: the least of all turns, spread %, setting\n")
    head = "".join(f"{name:>{WIDTH}}" for name in names)
    print(f"{'':16}{head}{'× best peer':>14}" + ("  share of peak" if trains else ""))
    for figure in figures:
        cells = "".join(f"{cell(figure, figure['contestants'].get(n)):>{WIDTH}}" for n in names)
        ratio, shares = record.ratio(figure), figure.get("share_of_peak")
        print(
            f"{figure['network']:16}{cells}{f'{ratio:.2f}' if ratio else '-':>14}"
            + (f"{100 * median(shares):13.1f} %" if shares else "")
        )


def print_footprint(rows):
    print(
        "\ncnn on MNIST: from start to the end of the first step and of the process; "
        "100 steps; program\n"
    )
    for name, row in rows.items():
        if "left_out" in row:
            print(f"{name:16} left out: {row['left_out']}")
            continue
        print(
            f"{name:16} {row['start_seconds'] * 1000:10.0f} ms "
            f"{row['resident_mb']:10.0f} MB resident {row['program_mb']:10.2f} MB of program"
        )


def remarks_on(name, entry, repeats):
    """What a contestant lacks."""
    if "left_out" in entry:
        yield f"{name} was left out: {entry['left_out']}"
        return
    if len(entry.get("turns", ())) < repeats:
        yield f"{name} had {len(entry.get('turns', ()))} of {repeats} turns"
    for setting, seconds in entry.get("tried", {}).items():
        if isinstance(seconds, str):
            yield f"{name} with {setting} was left out: {seconds}"


def remarks(run, wanted):
    """Sentences about what the tables do not have."""
    missing = [peer for peer, version in run["made_by"].items() if version is None]
    if missing:
        yield f"not installed: {', '.join(missing)}"
    entries = {of_record(figure): figure["contestants"] for figure in run["figures"]}
    for figure in wanted:
        if not any(entries.get(figure, {}).values()):
            yield f"{figure}: not measured"
            continue
        for name, entry in entries[figure].items():
            for remark in remarks_on(name, entry, run["repeats"]):
                yield f"{figure}: {remark}"


def print_all(run, wanted, end=None):
    """The tables of the figures that were wanted.  end: why the run ended before all was done."""
    print(
        f"{run['machine']['processor']}, {run['machine']['cores']} cores; the least of "
        f"{run['repeats']} repeats by turns, each contestant with the best of its settings"
    )
    tables = {}
    for figure in run["figures"]:
        if of_record(figure) in wanted and any(map(record.least, figure["contestants"].values())):
            tables.setdefault(of_record(figure).what(), []).append(figure)
    for title, figures in tables.items():
        print_table(title, figures)
    if run["footprint"]:
        print_footprint(run["footprint"])
    said = list(remarks(run, wanted))
    if said or end:
        print("", *([end] if end else []), *said, sep="\n")
