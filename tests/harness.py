"""What the tests share: running netc and the trainers it builds, and reading
and writing safetensors.

A test never writes outside build/ and its own tmp_path.  What several tests need
is made once, in a folder of this run that its workers share and that goes with
it: trainers under a key of their C and of the flags it is compiled with.  So a
run never takes what another one made.
"""
import atexit
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np

try:
    import pytest
except ImportError:  # a campaign's Python, which marks nothing
    pytest = None

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
NETC = BUILD / "netc"
MODELS = ROOT / "models"
# Those for MNIST: seconds, not minutes.
TUTORIALS = "cnn densenet inception lenet5 mlp resnet".split()
# What a program that has the runtime is linked with.
LIBRARIES = "-lcjson -lz -lpng -ljpeg -lm -lpthread".split()

# What a run of the tests makes once: a folder that its workers are told of.
RUN_FOLDER = "NETC_TESTS_RUN"

# The C compiler of a trainer, with flags behind its own, where no test is about what the
# optimiser makes of it: a quarter of the time that GCC's -O2 takes, for few steps on small images.
QUICK = ("clang", "-O0")
# The same of one that several processes run.
QUICK_MPI = ("env OMPI_CC=clang mpicc", "-O0")
# Of one that computes for seconds: twice that time, and a quarter of the run's.  (Link-time
# optimisation in several processes is of no use to tests that run side by side.)
COMPUTING = ("gcc", "-Og", "-fira-region=one", "-fno-lto")
# Of one whose bits are compared: it joins products and sums where GCC's -O2 does, and takes two
# thirds of the time.
JOINING = ("gcc", "-O1", "-fexpensive-optimizations", "-fno-lto")
# As `netc build` says: for PyTorch's numbers and for the trainers of models/.
AS_USERS = ("cc",)


# What another test shows on this machine already is tested for other ones, and in further ways, by
# `make test-slow`.
def rarely(*values):
    return pytest.param(*values, marks=pytest.mark.slow) if pytest else values


OF_ALL_TARGETS = ["native", rarely("x86-64-v3"), "portable"]

TIMEOUT = 300  # seconds; no test waits longer on one command

# What Python calls a signal's death: a crash is never an accepted outcome.
CRASH = "died of signal {}"


def run(program, *arguments, expect=0, timeout=TIMEOUT, env=None, cwd=ROOT, stdin="", **keywords):
    """Runs a program, checks its exit code (None: any but a crash), gives the CompletedProcess."""
    command = [str(word) for word in (program, *arguments)]
    result = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", **(env or {})},
        **keywords,
    )
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


def fusions():
    """The names that `--fuse` knows, in their order."""
    return (
        netc("check", "--fuse=?", expect=2)
        .stderr.partition("some of ")[2]
        .partition(", not")[0]
        .split(", ")
    )


def check_text(text, tmp_path, *options, name="wrong.net", expect=1):
    """Runs `netc check` on a program given as text, in a file `name` of the working directory."""
    (tmp_path / name).write_text(text)
    return netc("check", *options, name, cwd=tmp_path, expect=expect)


# ---------------------------------------------------------------- building


@contextlib.contextmanager
def locked(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def run_folder():
    """This run's, which goes when the process that made it ends; those of killed runs go now."""
    if RUN_FOLDER not in os.environ:
        made = BUILD / "tests" / f"run-{os.getpid()}"
        for left in made.parent.glob("run-*"):
            if left == made or not alive(int(left.name[4:])):
                shutil.rmtree(left, ignore_errors=True)
        made.mkdir(parents=True)
        os.environ[RUN_FOLDER] = str(made)
        atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(os.environ[RUN_FOLDER])


MADE = run_folder()


def key_of(*words):
    return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()[:16]


@contextlib.contextmanager
def made_once(name):
    """A path in the run's folder; who finds nothing there makes it, and the others wait."""
    with locked(MADE / f"{name}.lock"):
        yield MADE / name


@functools.cache
def c_compiler(program, *flags):
    """A C compiler that puts flags of its own behind those that it is given."""
    if not flags:
        return program
    with made_once(f"cc-{key_of(program, *flags)}") as path:
        if not path.exists():
            path.write_text(f'#!/bin/sh\nexec {program} "$@" {" ".join(flags)}\n')
            path.chmod(0o755)
    return path


def network_file(source):
    """The path of a .net file given by path or by text."""
    if isinstance(source, Path):
        return source
    with made_once(f"text-{key_of(source)}") as folder:
        path = folder / "network.net"
        if not path.exists():
            folder.mkdir()
            path.write_text(source)
    return path


LINKING = {"--dynamic", "--object", "--mpi"}


@functools.cache
def key_of_c(path, *options):
    """Of the network's C but for the names of its file and of its target."""
    text = netc("emit", path, *[word for word in options if word not in LINKING]).stdout
    names = r"^ \* Compiled by netc .*\n|^    \.(source|target) = .*\n"
    return key_of(re.sub(names, "", text, flags=re.M))


def without_native_target(path, options):
    """The options without a target for which the C is the same as for this machine."""
    others = [word for word in options if not word.startswith("--target=")]
    return others if key_of_c(path, *others) == key_of_c(path, *options) else options


def built(source, *options, compiler=QUICK, exact=False):
    """What `netc build` makes of `source`, a path or the text of a .net file,
    with a C compiler and its flags.  Made once for what is the same C, built
    with the same options but for what is in the C already; `exact`: for the target
    as it is told, which the program checks."""
    path = network_file(source)
    options = options if exact else without_native_target(path, options)
    if compiler != AS_USERS and not LINKING & set(options):
        return trainer_of_object(path, *options, compiler=compiler)
    rest = [word for word in options if word in LINKING or word.startswith("--target=")]
    key = key_of(key_of_c(path, *options), *sorted(rest), *compiler)
    with made_once(f"built-{key}") as folder:
        made = folder / "trainer"
        if not made.exists():
            folder.mkdir(exist_ok=True)
            netc("build", path, "-o", made, f"--cc={c_compiler(*compiler)}", *options)
    return made


# What netc build compiles with a network where it makes no object of it.
MAIN = """#include "net_runtime.h"
extern const NetModel the_model;
int main(int argc, char **argv)
{
    return net_main(&the_model, argc, argv);
}
"""


def trainer_of_object(path, *options, compiler):
    """The object is compiled once for the tests that have the trainer and for those that call the
    network from C."""
    network = built(path, "--object", *options, compiler=compiler, exact=True)
    made = network.parent / "linked" / "trainer"
    with made_once(f"linked-{network.parent.name}"):
        if not made.exists():
            made.parent.mkdir(exist_ok=True)
            link(MAIN, path, network, made, *options)
    return made


@functools.cache
def shared_library(real):
    """The runtime's library in a form that hundreds of programs are linked with sooner."""
    with made_once(f"libnet_{real}.so") as made:
        if not made.exists():
            whole = f"-Wl,--whole-archive,{BUILD}/libnet_{real}.a,--no-whole-archive"
            run("gcc", "-shared", f"-Wl,-soname,{made}", whole, *LIBRARIES, "-o", made)
    return made


def link(text, path, network, made, *options):
    """A program of C text, which calls a network's object the_model; compiled once for all
    networks of an element type."""
    real = "f64" if "--dtype=f64" in options else "f32"
    with made_once(f"main-{key_of(text, real)}.o") as main:
        if not main.exists():
            main.with_suffix(".c").write_text(text)
            compile_c("-c", main.with_suffix(".c"), "-o", main, real=real)
    name = re.search(r"^network (\w+)", path.read_text(), re.M)[1]
    names_it = f"-Wl,--defsym=the_model={name}_model"
    run("gcc", main, network, names_it, shared_library(real), *LIBRARIES, "-o", made)


def compile_c(*words, real):
    flags = "-std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror".split()
    number = f"-DNET_REAL={'float' if real == 'f32' else 'double'}"
    run("gcc", *flags, number, "-I", ROOT / "runtime", *words)


def trainer(source, *options, compiler=QUICK, exact=False):
    """The trainer of a network, a path or the text of a .net file.  A tutorial's
    with no option is always built as users build it: many tests need it."""
    usual = source in {MODELS / f"{name}.net" for name in TUTORIALS} and not options
    return built(source, *options, compiler=AS_USERS if usual else compiler, exact=exact)


def c_program(text, *flags, real="f32"):
    """A C test program linked against the runtime; gives the executable's path."""
    with made_once(f"program-{key_of(text, real, *flags)}") as made:
        if not made.exists():
            source = made.with_suffix(".c")
            source.write_text(text)
            library = BUILD / f"libnet_{real}.a"
            compile_c(*flags, source, "-o", made, library, *LIBRARIES, real=real)
    return made


# ------------------------------------------------------------- safetensors

# https://huggingface.co/docs/safetensors: a little-endian uint64 header length,
# a JSON header {name: {dtype, shape, data_offsets}}, then the bytes.
DTYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}


def read_safetensors(path):
    """{name: array} in the header's order."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(body[begin:end], DTYPES[entry["dtype"]]).reshape(
            entry["shape"]
        )
    return tensors


def read_metadata(path):
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + length]).get("__metadata__", {})


def write_safetensors(path, tensors, metadata=None):
    names = {np.dtype(value): key for key, value in DTYPES.items()}
    header, chunks, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        # ascontiguousarray would make a scalar one-dimensional.
        chunk = np.asarray(array, order="C").tobytes()
        header[name] = {
            "dtype": names[np.asarray(array).dtype],
            "shape": list(np.shape(array)),
            "data_offsets": [offset, offset + len(chunk)],
        }
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
