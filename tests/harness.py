"""What the tests share: running netc and the trainers it builds, and reading
and writing safetensors.

A test never writes outside build/ and its own tmp_path.  Trainers are built
once and kept in build/tests/ under a key of everything that went into them (the
.net text, the options, the compiler and the libraries), so that the workers of
a parallel run, and the next run, share them.
"""
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
NETC = BUILD / "netc"
MODELS = ROOT / "models"
TUTORIALS = ["cnn", "densenet", "inception", "lenet5", "mlp", "resnet"]        # those for MNIST: seconds, not minutes
TRAINERS = BUILD / "tests"

TIMEOUT = 300                   # seconds; no test waits longer on one command

# What Python calls a signal's death: a crash is never an accepted outcome.
CRASH = "died of signal {}"


def run(program, *arguments, expect=0, timeout=TIMEOUT, env=None, cwd=ROOT, stdin="", **keywords):
    """Runs a program, checks its exit code (None: any but a crash), gives the CompletedProcess."""
    command = [str(word) for word in (program, *arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout,
                            cwd=cwd, env={**os.environ, "NO_COLOR": "1", **(env or {})}, **keywords)
    told = f"$ {' '.join(command)}\nexit {result.returncode}\n{result.stdout}{result.stderr}"
    assert result.returncode >= 0, CRASH.format(-result.returncode) + "\n" + told
    assert expect is None or result.returncode == expect, f"expected exit {expect}\n{told}"
    return result


def netc(*arguments, **keywords):
    """Runs build/netc, from the repository's root unless told otherwise."""
    return run(NETC, *arguments, **keywords)


@functools.cache
def operators():
    """The table of operators, in its order: dicts as `netc explain --json` has them."""
    return json.loads(netc("explain", "--json").stdout)["operators"]


def check_text(text, tmp_path, *options, name="wrong.net", expect=1):
    """Runs `netc check` on a program given as text, as a file named `name` in the working directory."""
    (tmp_path / name).write_text(text)
    return netc("check", *options, name, cwd=tmp_path, expect=expect)


# ---------------------------------------------------------------- building


@contextlib.contextmanager
def locked(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def toolchain():
    """Changes whenever the compiler, the libraries or the runtime's header do."""
    digest = hashlib.sha256()
    for path in (NETC, BUILD / "libnet_f32.a", BUILD / "libnet_f64.a", ROOT / "runtime" / "net_runtime.h"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def trainer(source, *options):
    """The trainer that `netc build` makes of `source`, a path or the text of a
    .net file.  Built once per text and options; give a path when it uses
    other files."""
    text = source.read_text() if isinstance(source, Path) else source
    key = hashlib.sha256("\0".join([toolchain(), text, *options]).encode()).hexdigest()[:16]
    folder = TRAINERS / key
    made = folder / "trainer"
    with locked(TRAINERS / f"{key}.lock"):
        if not made.exists():
            folder.mkdir(exist_ok=True)
            path = source
            if not isinstance(source, Path):
                path = folder / "network.net"
                path.write_text(text)
            netc("build", path, "-o", made, *options)
    return made


def train_steps(folder, source, *options, steps=3):
    """The weights that a network's trainer, built with these options, has after a few steps on synthetic images."""
    saved = folder / "trained.safetensors"
    run(trainer(source, *options), "train", "--data", "synthetic", "--max-steps", steps, "--threads", 2, "--quiet", "--save", saved)
    return read_safetensors(saved)


def c_program(text, *flags, real="f32"):
    """A C test program linked against the runtime; gives the executable's path."""
    key = hashlib.sha256("\0".join([toolchain(), text, real, *flags]).encode()).hexdigest()[:16]
    made = TRAINERS / key / "program"
    with locked(TRAINERS / f"{key}.lock"):
        if not made.exists():
            made.parent.mkdir(exist_ok=True)
            source = made.with_suffix(".c")
            source.write_text(text)
            run("gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
                f"-DNET_REAL={'float' if real == 'f32' else 'double'}", "-I", ROOT / "runtime", *flags,
                source, "-o", made, BUILD / f"libnet_{real}.a", "-lcjson", "-lz", "-lpng", "-ljpeg", "-lm", "-lpthread")
    return made


# ------------------------------------------------------------- safetensors

# https://huggingface.co/docs/safetensors: a little-endian uint64 header length,
# a JSON header {name: {dtype, shape, data_offsets}}, then the bytes.
DTYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}


def read_safetensors(path):
    """{name: array} in the header's order."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length:]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(body[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def read_metadata(path):
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8:8 + length]).get("__metadata__", {})


def write_safetensors(path, tensors, metadata=None):
    names = {np.dtype(value): key for key, value in DTYPES.items()}
    header, chunks, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        # ascontiguousarray would make a scalar one-dimensional.
        chunk = np.asarray(array, order="C").tobytes()
        header[name] = {"dtype": names[np.asarray(array).dtype], "shape": list(np.shape(array)),
                        "data_offsets": [offset, offset + len(chunk)]}
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def read_log(path):
    """The events of a trainer's --log file."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def have(program):
    return shutil.which(program) is not None


# ------------------------------------------------------------ fixed weights


def drawn_state(shapes, seed):
    """Initial weights for a state_dict of {name: shape}, the same wherever they
    are drawn, so that no fixture has to store them.  Uniform in ±1/sqrt(fan_in)
    for layers; norms get scales and shifts that differ from 1 and 0, so that a
    mistake in them shows."""
    random = np.random.RandomState(seed)
    state = {}
    for name in sorted(shapes):
        shape, (owner, _, kind) = tuple(shapes[name]), name.rpartition(".")
        weight = tuple(shapes.get(f"{owner}.weight", ()))
        norm = f"{owner}.running_mean" in shapes
        if kind == "num_batches_tracked":
            state[name] = np.zeros((), "<i8")
        elif kind in ("running_mean", "running_var"):
            state[name] = np.full(shape, kind == "running_var", "<f4")
        elif norm:
            state[name] = ((kind == "weight") + 0.25 * random.uniform(-1, 1, shape)).astype("<f4")
        else:
            bound = 1 / np.sqrt(np.prod(weight[1:]))
            state[name] = random.uniform(-bound, bound, shape).astype("<f4")
    return {name: state[name] for name in shapes}
