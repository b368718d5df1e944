#!/usr/bin/env python3
"""One peer on one figure with one setting, measured as its users would run it.

    python -m bench.peers PEER NETWORK KIND BATCH "THREADS [FORMAT]" FOLDER
        prints a line when all is compiled; then each line on stdin is a number of
        seconds, and the answer what a step or a call took
    python -m bench.peers PEER NETWORK training BATCH "THREADS [FORMAT]" FOLDER STEPS MNIST
        reads the data, trains STEPS steps and ends

KIND is training, inference or generate; every answer is in seconds of BATCH images,
or of one more token of a text.  All images lie in memory as bytes; a training step
picks its shuffled batch, normalises it, goes forward and backward and updates,
without a data loader in the way.
"""
import os
import sys
import time
from pathlib import Path

PEER, NETWORK, KIND, BATCH, (THREADS, *FORMAT) = *sys.argv[1:5], sys.argv[5].split()
FOLDER, BATCH, THREADS = Path(sys.argv[6]), int(BATCH), int(THREADS)
for variable in "OMP_NUM_THREADS", "MKL_NUM_THREADS":
    os.environ[variable] = str(THREADS)
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(FOLDER / "inductor"))
if PEER == "jax":  # its pool is as wide as the process may run
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
# What a library prints must not be taken for an answer.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402

from bench import graph  # noqa: E402
from bench.networks import CIFAR, MNIST, ROOT, SGD, TEXTS  # noqa: E402

GRAPH = graph.read(ROOT / "build" / "netc", ROOT / "models" / f"{NETWORK}.net")
SHAPE, RATES = GRAPH.shape, SGD[NETWORK]
TOKENS = NETWORK in TEXTS and GRAPH.layers[0].parameters[0].shape[0]  # how many different ones
IMAGES = max(BATCH, 128 if TOKENS or SHAPE[1] > 32 else 8192)
CLASSES, MEAN, STD = 10, 0.1307, 0.3081
RNG = np.random.default_rng(1)


def drawn_images():
    """And their classes; of texts, what follows each token."""
    if TOKENS:
        texts = RNG.integers(0, TOKENS, (IMAGES, SHAPE[0] + 1))
        return texts[:, :-1].copy(), texts[:, 1:].copy()
    images = RNG.integers(0, 256, (IMAGES, *SHAPE), np.uint8)
    return images, RNG.integers(0, CLASSES, IMAGES).astype(np.int64)


def read_mnist(folder):
    def read(name, offset):
        return np.fromfile(folder / f"train-{name}-ubyte", np.uint8, offset=offset)

    images, labels = read("images-idx3", 16), read("labels-idx1", 8)
    return images.reshape(-1, *SHAPE), labels.astype(np.int64)


def batches(count, seed=0):
    while True:
        seed += 1
        order = np.random.default_rng(seed).permutation(count)
        for first in range(0, count - BATCH + 1, BATCH):
            yield order[first : first + BATCH]


# ------------------------------------------------------------------- PyTorch


def torch_network():
    sys.path.insert(0, str(ROOT / "tests" / "parity"))
    if NETWORK in CIFAR:
        from make_resnet18_cifar import ResNet18

        return ResNet18()
    if NETWORK == "unet":
        from bench.torch_unet import UNet

        return UNet()
    if NETWORK in TEXTS:
        from bench import torch_texts

        return torch_texts.NETWORKS[NETWORK]()
    if NETWORK in MNIST:
        from make_fixtures import NETWORKS

        return NETWORKS[NETWORK]()
    import torchvision

    return getattr(torchvision.models, NETWORK)(weights=None)


class Torch:
    def __init__(self):
        import torch

        torch.set_num_threads(THREADS)
        self.torch = torch
        channels_last = FORMAT == ["channels_last"]
        self.form = torch.channels_last if channels_last else torch.contiguous_format
        self.model = torch_network().to(memory_format=self.form)

    def compiled(self, function):
        return self.torch.compile(function) if PEER == "torch-compile" else function

    def network_loss(self, pixels, labels):
        if TOKENS:
            logits = self.model(pixels).flatten(0, 1)
            return self.torch.nn.functional.cross_entropy(logits, labels.flatten())
        x = ((pixels.float() / 255 - MEAN) / STD).to(memory_format=self.form)
        return self.torch.nn.functional.cross_entropy(self.model(x), labels)

    def training(self, images, labels):
        images, labels = self.torch.from_numpy(images), self.torch.from_numpy(labels)
        optimizer = self.torch.optim.SGD(self.model.parameters(), fused=True, **RATES)
        loss, order = self.compiled(self.network_loss), batches(len(images))

        def step():
            chosen = self.torch.from_numpy(next(order))
            optimizer.zero_grad(set_to_none=True)
            loss(images[chosen], labels[chosen]).backward()
            optimizer.step()

        return step

    def generate(self):
        """A token at a time, and a new text when the window is full; the likeliest is taken."""
        step = self.compiled(self.model.eval().step)
        token, position = self.torch.zeros(1, 1, dtype=self.torch.long), 0

        def call():
            nonlocal token, position
            with self.torch.inference_mode():
                token = step(token, position)[:, -1].argmax(1, keepdim=True)
            position = (position + 1) % SHAPE[0]

        return call

    def inference(self):
        forward = self.compiled(self.model.eval())
        x = self.torch.randn(BATCH, *SHAPE).to(memory_format=self.form)

        def call():
            with self.torch.inference_mode():
                forward(x)

        return call


# --------------------------------------------------- ONNX Runtime, OpenVINO


def exported():
    """PyTorch's network as an ONNX file, made once; whole or not at all."""
    path = FOLDER / "onnx" / f"{NETWORK}.onnx"
    if path.exists():
        return str(path)
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(f".{os.getpid()}")
    torch.onnx.export(
        torch_network().eval(),
        (torch.zeros(1, *SHAPE),),
        str(made),
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        dynamo=False,
    )
    made.replace(path)
    return str(path)


class OnnxRuntime:
    def inference(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = onnxruntime.InferenceSession(
            exported(), options, providers=["CPUExecutionProvider"]
        )
        feed = {"x": RNG.standard_normal((BATCH, *SHAPE), np.float32)}
        return lambda: session.run(None, feed)


class OpenVino:
    """In float32, with its hint for one image at a time or for many at once."""

    def inference(self):
        import openvino

        core = openvino.Core()
        network = core.read_model(exported())
        hint = {
            "PERFORMANCE_HINT": "LATENCY" if BATCH == 1 else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": THREADS,
        }
        network.reshape([BATCH, *SHAPE])
        request = core.compile_model(network, "CPU", hint).create_infer_request()
        images = RNG.standard_normal((BATCH, *SHAPE), np.float32)
        return lambda: request.infer({0: images})


# ------------------------------------------------------------------------ JAX


class Jax:
    def __init__(self):
        import jax

        from bench import jax_networks

        self.jax, self.networks = jax, jax_networks
        self.parameters, self.averages = jax_networks.first(GRAPH, RNG)

    def step(self, parameters, velocity, averages, key, pixels, labels):
        jax, jnp = self.jax, self.jax.numpy
        key, used = jax.random.split(key)

        def loss(parameters):
            walk = self.networks.Pass(parameters, averages, training=True, key=used)
            x = pixels
            if not TOKENS:
                x = (pixels.astype(jnp.float32).transpose(0, 2, 3, 1) / 255 - MEAN) / STD
            logits = jax.nn.log_softmax(self.networks.apply(GRAPH, walk, x))
            right = jnp.take_along_axis(logits, labels[..., None], -1)
            return -right.mean(), walk.new_averages

        gradients, averages = jax.grad(loss, has_aux=True)(parameters)
        decay = RATES.get("weight_decay", 0)
        velocity = {
            path: RATES["momentum"] * velocity[path] + gradient + decay * parameters[path]
            for path, gradient in gradients.items()
        }
        moved = {path: p - RATES["lr"] * velocity[path] for path, p in parameters.items()}
        return moved, velocity, averages, key

    def training(self, images, labels):
        velocity = {path: 0 * parameter for path, parameter in self.parameters.items()}
        state = self.parameters, velocity, self.averages, self.jax.random.key(1)
        step = self.jax.jit(self.step, donate_argnums=(0, 1, 2))
        order = batches(len(images))

        def call():
            nonlocal state
            chosen = next(order)
            state = self.jax.block_until_ready(step(*state, images[chosen], labels[chosen]))

        return call

    def inference(self):
        c, h, w = SHAPE
        x = self.jax.numpy.asarray(RNG.standard_normal((BATCH, h, w, c), np.float32))
        forward = self.jax.jit(
            lambda parameters, averages, x: self.networks.apply(
                GRAPH, self.networks.Pass(parameters, averages), x
            )
        )
        return lambda: forward(self.parameters, self.averages, x).block_until_ready()


# ------------------------------------------------------------------ measuring


def timed(call, seconds):
    """(calls, seconds) of calls for about `seconds`; one at least."""
    calls, start = 0, time.perf_counter()
    while True:
        call()
        calls += 1
        if (taken := time.perf_counter() - start) >= seconds:
            return calls, taken


def answer(call):
    """Turns, until stdin ends.  What comes first in a turn is not counted, but where a call
    takes so long that what ran before it does not matter."""
    longest = 0.0
    for line in sys.stdin:
        seconds = float(line)
        if longest < seconds:
            timed(call, seconds / 4)
        calls, taken = timed(call, seconds)
        longest = taken / calls
        print(longest, file=ANSWERS, flush=True)


def main():
    peer = {
        "torch-eager": Torch,
        "torch-compile": Torch,
        "jax": Jax,
        "onnxruntime": OnnxRuntime,
        "openvino": OpenVino,
    }[PEER]()
    if len(sys.argv) > 7:
        step = peer.training(*read_mnist(Path(sys.argv[8])))
        for _ in range(int(sys.argv[7])):
            step()
        return
    call = peer.training(*drawn_images()) if KIND == "training" else getattr(peer, KIND)()
    for _ in range(2):  # compiled in the first, or by what the first found out
        call()
    print("ready", file=ANSWERS, flush=True)
    answer(call)


if __name__ == "__main__":
    main()
