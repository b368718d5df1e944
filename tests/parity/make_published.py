#!/usr/bin/env python3
"""Makes published.safetensors, which test_published.py compares with: of each network of published.py
a digest of the names and shapes of PyTorch's state_dict, and where four steps of training lead, in
float64.  Needs PyTorch 2.13 and torchvision 0.28 (CPU), and numpy:

    python3 tests/parity/make_published.py [NETWORK ...]

With networks, only theirs; the others stay as they are.  As NAME.state, NAME.losses and
NAME.probes; published.py says what is kept.
"""
import re
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness  # noqa: E402
from parity import published as shared  # noqa: E402
from parity.pytorch_cifar import MODULES as PYTORCH_CIFAR  # noqa: E402

# What no weight is, and netc computes: BetweenPositions in swin_t.net.
NO_WEIGHTS = "relative_position_index"


def build(name, **keywords):
    """torchvision's, or pytorch-cifar's, with its arguments."""
    plain = name[4:] if name[0].isdigit() else name
    if plain in PYTORCH_CIFAR:
        return PYTORCH_CIFAR[plain]()
    aliases = {
        "shufflenet_v2": "shufflenet_v2_x1_0",
        "mobilenet_v3_large": "mobilenet_v3_large",
    }
    if plain in ("googlenet", "inception_v3"):
        keywords["init_weights"] = False
    if plain == "googlenet":
        keywords["aux_logits"] = False
    return torchvision.models.get_model(aliases.get(plain, plain), weights=None, **keywords)


def state_of(model):
    """… as netc names it: a name of regnet's has a hyphen, block1-0, which netc writes block1_0."""
    return {
        re.sub(r"(block\d)-", r"\1_", key): value
        for key, value in model.state_dict().items()
        if NO_WEIGHTS not in key
    }


def make_certain(model):
    """Nothing is dropped at random."""
    for module in model.modules():
        if isinstance(module, (nn.modules.dropout._DropoutNd, torchvision.ops.StochasticDepth)):
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
        for key in ("attention_dropout", "dropout"):
            if isinstance(getattr(module, key, None), float):
                setattr(module, key, 0.0)
    return model


def loss_of(answer, labels):
    """Of the logits, and of the auxiliary head's where there is one."""
    if isinstance(answer, tuple):
        logits, auxiliary = answer
        return F.cross_entropy(logits, labels) + 0.4 * F.cross_entropy(auxiliary, labels)
    return F.cross_entropy(answer, labels)


def train(name, published):
    """The losses, and the state at the end."""
    keywords = {"image_size": published.side} if "vit" in name else {}
    if published.side:
        keywords["num_classes"] = shared.CLASSES
    model = make_certain(build(name, **keywords)).double().train()
    state = state_of(model)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    for key, value in harness.drawn_state(shapes, shared.SEED).items():
        state[key].copy_(torch.from_numpy(np.array(value)))
    images, labels = shared.drawn_images(published)
    images, labels = torch.from_numpy(images).double() / 255, torch.from_numpy(labels)
    optimizer = torch.optim.SGD(model.parameters(), lr=shared.RATE, momentum=shared.MOMENTUM)
    losses = []
    for step in range(shared.STEPS):
        taken = slice(step * published.batch, (step + 1) * published.batch)
        optimizer.zero_grad()
        loss = loss_of(model(images[taken]), labels[taken])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {key: value.numpy() for key, value in state_of(model).items()}


def main(names):
    torch.set_num_threads(1)
    tensors = harness.read_safetensors(shared.FIXTURE) if names else {}
    for name, published in shared.NETWORKS.items():
        if names and name not in names:
            continue
        state = [(key, tuple(value.shape)) for key, value in state_of(build(name)).items()]
        tensors[f"{name}.state"] = shared.digest_of(state)
        if published.side:
            losses, state = train(name, published)
            tensors[f"{name}.losses"] = np.array(losses)
            tensors[f"{name}.probes"] = shared.probes(state)
            print(name, losses, flush=True)
        harness.write_safetensors(shared.FIXTURE, dict(sorted(tensors.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
