"""Of cnn on MNIST: the time to the end of a first step and of the process, peak memory, and how
large the program is."""
import os
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path

from bench.contestants import PYTHON, LeftOut, end, size_of, started, trainer

MNIST_IMAGES = 60000
STEPS = 100  # after which the peak is read


def write_mnist(folder):
    """Files of MNIST's names and sizes, but not its pictures: no figure here depends on them."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, count in ("train", MNIST_IMAGES), ("t10k", MNIST_IMAGES // 6):
        images, labels = folder / f"{stem}-images-idx3-ubyte", folder / f"{stem}-labels-idx1-ubyte"
        if images.exists() and labels.exists():
            continue
        images.write_bytes(
            struct.pack(">iiii", 0x803, count, 28, 28)
            + bytes(i * 2654435761 >> 13 & 255 for i in range(784)) * count
        )
        labels.write_bytes(struct.pack(">ii", 0x801, count) + bytes(i % 10 for i in range(count)))
    return folder


def timed_run(command, clock):
    """(seconds, peak resident MB) of a process from its start to its end.

    A process starts in our memory, and what it is told as its peak is at least
    ours: which is ours of this moment, once what we held earlier is forgotten."""
    Path("/proc/self/clear_refs").write_text("5")
    patience, start = clock.patience(), time.perf_counter()
    process = started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    alarm = threading.Timer(patience, os.killpg, [process.pid, signal.SIGKILL])
    alarm.start()
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    except BaseException:
        end(process)
        raise
    finally:
        alarm.cancel()
    seconds = time.perf_counter() - start
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status and seconds >= patience:
        raise clock.ran_out("the run")
    if status:
        raise LeftOut("the run failed")
    return seconds, usage.ru_maxrss / 1024


def program_size(name, modules, folder, clock):
    """MB: the stripped trainer, or the packages that a peer's program needs besides Python."""
    if name != "netc":
        return size_of(modules)
    stripped = folder / "cnn.stripped"
    subprocess.run(["strip", "-o", stripped, trainer("cnn", folder, clock)], check=True)
    return stripped.stat().st_size / 1e6


def command(name, setting, steps, folder, clock):
    data = write_mnist(folder / "mnist")
    if name == "netc":
        words = f"train --quiet --max-steps {steps} --data".split()
        return [trainer("cnn", folder, clock), *words, data]
    peer = [PYTHON, "-m", "bench.peers", name, "cnn", "training", 64, setting, folder]
    return [*peer, steps, data]


def measure(name, modules, setting, repeats, folder, clock):
    """A record's entry."""
    first, all_steps = (command(name, setting, n, folder, clock) for n in (1, STEPS))
    try:
        return {
            "start_seconds": min(timed_run(first, clock)[0] for _ in range(repeats)),
            "resident_mb": timed_run(all_steps, clock)[1],
            "program_mb": program_size(name, modules, folder, clock),
        }
    except LeftOut as why:
        return {"left_out": str(why)}
