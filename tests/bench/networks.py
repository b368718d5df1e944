"""The networks that are compared, what is measured of each, and how each is trained.

What a network is made of stands in models/: graph.py reads it.
"""
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent

MNIST = "mlp cnn inception resnet densenet".split()
CIFAR = ["resnet18_cifar"]
LARGE = (
    "resnet18 resnet50 mobilenet_v2 efficientnet_b0 densenet121 convnext_tiny vgg16 vit_b_16 unet"
).split()
TEXTS = ["gpt", "char_lstm"]  # of whole numbers, and a class for each step
NETWORKS = MNIST + CIFAR + LARGE + TEXTS
MASKS = {"unet"}  # no loss for masks: inference only

SGD = {  # the arguments of PyTorch's
    **dict.fromkeys(MNIST, {"lr": 0.01, "momentum": 0.5}),
    **dict.fromkeys(CIFAR, {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}),
    **dict.fromkeys(LARGE + TEXTS, {"lr": 0.01, "momentum": 0.9}),
}

# What models/ of large images and of texts have no recipe for: a step is timed, no network is
# trained.
NORMALIZE = "    normalize mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]\n"
TRAIN_SECTION = """
train {
    data      synthetic
    loss      cross_entropy
    optimizer sgd(lr=0.01, momentum=0.9)
    batch     16
    epochs    1
}
"""


class Figure(NamedTuple):
    """One thing that is measured: seconds of a training step, or of a call, of `batch` images."""

    network: str
    kind: str  # training, inference, or generate: one more token of a text
    batch: int

    def __str__(self):
        return f"{self.network}, {self.what()}"

    def what(self):
        if self.kind == "training":
            return f"training, batch {self.batch}"
        if self.kind == "generate":
            return "a text goes on, token by token"
        return "inference, one image" if self.batch == 1 else f"inference, {self.batch} images"


def figures(network, batches=None):
    """What is measured of a network: with the batch sizes given, or with its own."""
    if network in TEXTS:
        wanted = {"training": batches or [16, 64], "generate": [1]}
    elif batches:
        wanted = {"training": batches, "inference": batches}
    elif network in MNIST:
        wanted = {"training": [64], "inference": [1, 1000]}
    elif network in CIFAR:
        wanted = {"training": [128]}
    else:
        wanted = {"training": [16], "inference": [1, 64]}
    if network in MASKS:
        wanted["training"] = []
    return [Figure(network, kind, batch) for kind, sizes in wanted.items() for batch in sizes]


def source(network, folder, root=ROOT):
    """Its .net file of a checkout, with a train section; one that is made goes to `folder`."""
    model = root / "models" / f"{network}.net"
    if network not in LARGE + TEXTS or network in MASKS:
        return model
    section = TRAIN_SECTION
    if network not in TEXTS:
        section = section.replace("synthetic\n", "synthetic\n" + NORMALIZE)
    made = folder / f"{network}.net"
    made.write_text(model.read_text() + section)
    return made
