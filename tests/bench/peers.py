#!/usr/bin/env python3
"""One peer on one network with one setting, measured as its users would run it.

    peers.py PEER NETWORK "THREADS [FORMAT]" FOLDER
        lines on stdin say what to measure: "train 1.0"
    peers.py PEER NETWORK "THREADS [FORMAT]" FOLDER STEPS MNIST
        reads the data, trains STEPS steps and ends

The first answer on stdout names the kinds it can measure; every further line is
one figure: images/s for train and many, microseconds for one.  All images lie
in memory as bytes; a training step picks its shuffled batch, normalises it,
goes forward and backward and updates, without a data loader in the way.
"""
import os
import sys
import time
from pathlib import Path

PEER, NETWORK, (THREADS, *FORMAT) = sys.argv[1], sys.argv[2], sys.argv[3].split()
FOLDER = Path(sys.argv[4])
THREADS = int(THREADS)
for variable in "OMP_NUM_THREADS", "MKL_NUM_THREADS":
    os.environ[variable] = str(THREADS)
if PEER == "jax":  # its pool is as wide as the process may run
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
CIFAR, SMALL = (
    NETWORK == "resnet18_cifar",
    NETWORK in "mlp cnn inception resnet densenet".split(),
)
if CIFAR:
    BATCH, SHAPE, IMAGES, MANY = 128, (3, 32, 32), 8192, 1000
    RATES = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
elif SMALL:
    BATCH, SHAPE, IMAGES, MANY = 64, (1, 28, 28), 8192, 1000
    RATES = {"lr": 0.01, "momentum": 0.5}
else:  # networks of torchvision, and a U-Net
    side = 96 if NETWORK == "unet" else 224
    BATCH, SHAPE, IMAGES, MANY = 16, (3, side, side), 128, 64
    RATES = {"lr": 0.01, "momentum": 0.9}
MEAN, STD = 0.1307, 0.3081
RNG = np.random.default_rng(1)


def drawn_images():
    return RNG.integers(0, 256, (IMAGES, *SHAPE), np.uint8), RNG.integers(0, 10, IMAGES).astype(
        np.int64
    )


def read_mnist(folder):
    images = np.fromfile(folder / "train-images-idx3-ubyte", np.uint8, offset=16).reshape(
        -1, *SHAPE
    )
    return images, np.fromfile(folder / "train-labels-idx1-ubyte", np.uint8, offset=8).astype(
        np.int64
    )


def batches(count, seed=0):
    while True:
        seed += 1
        order = np.random.default_rng(seed).permutation(count)
        for first in range(0, count - BATCH + 1, BATCH):
            yield order[first : first + BATCH]


# ------------------------------------------------------------------- PyTorch


def torch_network():
    sys.path[:0] = [str(ROOT / "tests" / "parity"), str(ROOT / "tests"), str(Path(__file__).parent)]
    if CIFAR:
        from make_resnet18_cifar import ResNet18

        return ResNet18()
    if NETWORK == "unet":
        from torch_unet import UNet

        return UNet()
    if not SMALL:
        import torchvision

        return getattr(torchvision.models, NETWORK)(weights=None)
    from make_fixtures import NETWORKS

    return NETWORKS[NETWORK]()


class Torch:
    kinds = (
        ["train"] if CIFAR else ["one", "many"] if NETWORK == "unet" else ["train", "one", "many"]
    )

    def __init__(self, images, labels):
        import torch

        torch.set_num_threads(THREADS)
        self.torch = torch
        channels_last = FORMAT == ["channels_last"]
        self.form = torch.channels_last if channels_last else torch.contiguous_format
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.model = torch_network().to(memory_format=self.form)
        self.optimizer = torch.optim.SGD(self.model.parameters(), fused=True, **RATES)
        self.loss = self.network_loss
        self.forward = self.model
        if PEER == "torch-compile":
            self.loss, self.forward = torch.compile(self.network_loss), torch.compile(self.model)
        self.order = batches(len(images))

    def network_loss(self, pixels, labels):
        x = ((pixels.float() / 255 - MEAN) / STD).to(memory_format=self.form)
        return self.torch.nn.functional.cross_entropy(self.model(x), labels)

    def train(self):
        chosen = self.torch.from_numpy(next(self.order))
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.images[chosen], self.labels[chosen]).backward()
        self.optimizer.step()
        return BATCH

    def infer(self, count):
        self.model.eval()
        x = self.torch.randn(count, *SHAPE).to(memory_format=self.form)

        def call():
            with self.torch.inference_mode():
                self.forward(x)
            return count

        return call


# --------------------------------------------------------------- ONNX Runtime


class Onnx:
    """Inference of PyTorch's network, exported once per run of the benchmark."""

    kinds = ["one", "many"]

    def exported(self):
        path = FOLDER / "onnx" / f"{NETWORK}.onnx"
        if not path.exists():
            self.export(path)
        return path

    @staticmethod
    def export(path):
        import torch

        path.parent.mkdir(parents=True, exist_ok=True)
        axes = {"x": {0: "n"}, "y": {0: "n"}}
        torch.onnx.export(
            torch_network().eval(),
            (torch.zeros(1, *SHAPE),),
            str(path),
            input_names=["x"],
            output_names=["y"],
            dynamic_axes=axes,
            dynamo=False,
        )


class OnnxRuntime(Onnx):
    def __init__(self, images, labels):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self.session = onnxruntime.InferenceSession(
            str(self.exported()), options, providers=["CPUExecutionProvider"]
        )

    def infer(self, count):
        feed = {"x": RNG.standard_normal((count, *SHAPE), np.float32)}

        def call():
            self.session.run(None, feed)
            return count

        return call


class OpenVino(Onnx):
    """In float32, with its hint for one image at a time or for many at once."""

    def __init__(self, images, labels):
        import openvino

        self.core = openvino.Core()
        self.network = self.core.read_model(str(self.exported()))

    def infer(self, count):
        hint = {
            "PERFORMANCE_HINT": "LATENCY" if count == 1 else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": THREADS,
        }
        self.network.reshape([count, *SHAPE])
        request = self.core.compile_model(self.network, "CPU", hint).create_infer_request()
        images = RNG.standard_normal((count, *SHAPE), np.float32)

        def call():
            request.infer({0: images})
            return count

        return call


# ------------------------------------------------------------------------ JAX


class Jax:
    kinds = ["train", "one", "many"]

    def __init__(self, images, labels):
        sys.path.insert(0, str(Path(__file__).parent))
        import jax
        import jax_networks

        self.jax, self.images, self.labels = jax, images, labels
        self.apply = jax_networks.NETWORKS[NETWORK]
        self.parameters, self.averages = jax_networks.initial(self.apply, SHAPE, RNG)
        self.velocity = [0 * p for p in self.parameters]
        self.step = jax.jit(self.one_step, donate_argnums=(0, 1, 2))
        self.order = batches(len(images))

    def one_step(self, parameters, velocity, averages, pixels, labels):
        jax, jnp = self.jax, self.jax.numpy
        from jax_networks import Pass

        def loss(parameters):
            state = Pass(parameters, averages, training=True)
            x = (pixels.astype(jnp.float32).transpose(0, 2, 3, 1) / 255 - MEAN) / STD
            logits = jax.nn.log_softmax(self.apply(state, x))
            return -logits[jnp.arange(len(labels)), labels].mean(), state.new_averages

        gradients, averages = jax.grad(loss, has_aux=True)(parameters)
        velocity = [RATES["momentum"] * v + g for v, g in zip(velocity, gradients)]
        return [p - RATES["lr"] * v for p, v in zip(parameters, velocity)], velocity, averages

    def train(self):
        chosen = next(self.order)
        self.parameters, self.velocity, self.averages = self.step(
            self.parameters, self.velocity, self.averages, self.images[chosen], self.labels[chosen]
        )
        self.jax.block_until_ready(self.parameters)
        return BATCH

    def infer(self, count):
        from jax_networks import Pass

        x = self.jax.numpy.asarray(
            RNG.standard_normal((count, SHAPE[1], SHAPE[2], SHAPE[0]), np.float32)
        )
        forward = self.jax.jit(lambda p, a, x: self.apply(Pass(p, a, training=False), x))

        def call():
            forward(self.parameters, self.averages, x).block_until_ready()
            return count

        return call


# ------------------------------------------------------------------ measuring


def measure(call, seconds):
    """(images, calls, seconds) of calls for about `seconds`, after a few that are not counted."""
    warm = time.perf_counter()
    while time.perf_counter() - warm < seconds / 4:
        call()
    images = calls = 0
    start = time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        images += call()
        calls += 1
    return images, calls, taken


def main():
    peer = {
        "torch-eager": Torch,
        "torch-compile": Torch,
        "jax": Jax,
        "onnxruntime": OnnxRuntime,
        "openvino": OpenVino,
    }[PEER]
    if len(sys.argv) > 5:
        runner = peer(*read_mnist(Path(sys.argv[6])))
        for _ in range(int(sys.argv[5])):
            runner.train()
        return
    runner = peer(*drawn_images())
    calls = {"train": getattr(runner, "train", None)}
    print(*peer.kinds, flush=True)
    for line in sys.stdin:
        kind, seconds = line.split()
        if kind not in peer.kinds:
            sys.exit(f"{PEER} cannot measure {kind}")
        if kind not in calls:
            calls[kind] = runner.infer(1 if kind == "one" else MANY)
        images, count, taken = measure(calls[kind], float(seconds))
        print(taken / count * 1e6 if kind == "one" else images / taken, flush=True)


if __name__ == "__main__":
    main()
