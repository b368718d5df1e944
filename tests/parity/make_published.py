#!/usr/bin/env python3
"""Makes published.safetensors, which test_published.py compares with: of each network of
published.py a digest of the names and shapes of PyTorch's state_dict, and where four steps of
training lead, in float64.  Needs PyTorch 2.13 and torchvision 0.28 (CPU), and numpy:

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


class Block(nn.Module):
    """A layer of the decoder: Radford et al. 2019, with nanoGPT's names."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.attn.c_proj = nn.Linear(width, width, bias=False)
        self.mlp.c_fc = nn.Linear(width, 4 * width, bias=False)
        self.mlp.c_proj = nn.Linear(4 * width, width, bias=False)

    def attended(self, x):
        parts = self.attn.c_attn(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(*parts, is_causal=True)
        return self.attn.c_proj(y.transpose(1, 2).flatten(2))

    def forward(self, x):
        x = x + self.attended(self.ln_1(x))
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x))))


class GPT(nn.Module):
    """nanoGPT's character model."""

    def __init__(self, length=256, letters=65, width=384, heads=6, layers=6):
        super().__init__()
        blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.transformer = nn.ModuleDict(
            dict(
                wte=nn.Embedding(letters, width),
                wpe=nn.Embedding(length, width),
                h=blocks,
                ln_f=nn.LayerNorm(width, bias=False),
            )
        )
        self.lm_head = nn.Linear(width, letters, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        x = self.transformer.wte(tokens) + self.transformer.wpe.weight
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x)).flatten(0, 1)


# What no weight is, and netc computes: BetweenPositions in swin_t.net.
NO_WEIGHTS = "relative_position_index"


def build(name, **keywords):
    """torchvision's, or pytorch-cifar's, with its arguments."""
    plain = name[4:] if name[0].isdigit() else name
    if plain in PYTORCH_CIFAR:
        return PYTORCH_CIFAR[plain]()
    if plain == "gpt":
        return GPT(**keywords)
    if plain == "deeplabv3_resnet50":
        keywords |= dict(weights_backbone=None, aux_loss=True)
    if plain == "lraspp_mobilenet_v3":
        plain, keywords = "lraspp_mobilenet_v3_large", {"weights_backbone": None}
    if plain in ("googlenet", "inception_v3"):
        keywords["init_weights"] = False
    if plain == "googlenet":
        keywords["aux_logits"] = False
    return torchvision.models.get_model(plain, weights=None, **keywords)


def state_of(model):
    return {key: value for key, value in model.state_dict().items() if NO_WEIGHTS not in key}


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


def examples(published):
    """All inputs and their targets, one behind the other."""
    if not published.letters:
        images, labels = shared.drawn_images(published)
        return torch.from_numpy(images).double() / 255, torch.from_numpy(labels)
    text, count = torch.from_numpy(shared.drawn_text(published)), shared.STEPS * published.batch
    size = count * published.side
    return text[:size].reshape(count, -1), text[1 : size + 1].reshape(count, -1)


def train(name, published):
    """The losses, and the state at the end."""
    keywords = {"length": published.side} if published.letters else {"num_classes": shared.CLASSES}
    if name == "vit_b_16":
        keywords["image_size"] = published.side
    model = make_certain(build(name, **keywords)).double().train()
    state = state_of(model)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    for key, value in shared.first_state(name, shapes).items():
        state[key].copy_(torch.from_numpy(np.array(value)))
    inputs, targets = examples(published)
    optimizer = torch.optim.SGD(model.parameters(), lr=published.rate, momentum=shared.MOMENTUM)
    losses = []
    for step in range(shared.STEPS):
        taken = slice(step * published.batch, (step + 1) * published.batch)
        optimizer.zero_grad()
        loss = loss_of(model(inputs[taken]), targets[taken].flatten())
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
