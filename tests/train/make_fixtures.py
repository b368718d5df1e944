#!/usr/bin/env python3
"""Makes pytorch.json, which test_optimizers.py compares with: what PyTorch 2.13's
optimizers, schedulers and clipping do to one small vector in float64.  Needs
PyTorch (CPU) and numpy:

    python3 tests/train/make_fixtures.py
"""
import json
from pathlib import Path

import numpy as np
import torch
from torch.optim import SGD, Adam, AdamW, RMSprop
from torch.optim import lr_scheduler as schedulers

HERE = Path(__file__).resolve().parent
COUNT, EPOCHS, STEPS = 20, 8, 3         # values; steps in an epoch

OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
WHOLE = {"epoch": EPOCHS, "step": EPOCHS * STEPS}


def schedule(name, by, **arguments):
    """The scheduler that a schedule's arguments mean, or what makes it."""
    if name == "one_cycle":
        return lambda optimizer: schedulers.OneCycleLR(optimizer, **{"total_steps": WHOLE[by], **arguments})
    if name == "cosine":
        return lambda optimizer: schedulers.CosineAnnealingLR(optimizer, **{"T_max": WHOLE[by], **arguments})
    kinds = {"constant": lambda optimizer: schedulers.LambdaLR(optimizer, lambda t: 1),
             "step": lambda optimizer: schedulers.StepLR(optimizer, **arguments),
             "multi_step": lambda optimizer: schedulers.MultiStepLR(optimizer, **arguments),
             "exponential": lambda optimizer: schedulers.ExponentialLR(optimizer, **arguments)}
    return kinds[name]


def warmed_up(make, warmup):
    def sequence(optimizer):
        rise = schedulers.LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1)
        return schedulers.SequentialLR(optimizer, [rise, make(optimizer)], milestones=[warmup])
    return sequence


def betas(arguments):
    """PyTorch's pair for adam's beta1 and beta2."""
    given = dict(arguments)
    if "beta1" in given:
        given["betas"] = given.pop("beta1"), given.pop("beta2")
    return given


def run(case):
    random = np.random.RandomState(1)
    weight = torch.nn.Parameter(torch.from_numpy(random.normal(size=COUNT)))
    optimizer = OPTIMIZERS[case["optimizer"]["name"]](
        [weight], **betas({key: value for key, value in case["optimizer"].items() if key != "name"}))
    wanted = dict(case.get("schedule", {"name": "constant"}))
    by, warmup = wanted.pop("by", "step" if wanted["name"] == "one_cycle" else "epoch"), wanted.pop("warmup", 0)
    if warmup and wanted["name"] == "cosine":
        wanted.setdefault("T_max", WHOLE[by] - warmup)
    make = schedule(by=by, **wanted)
    scheduler = (warmed_up(make, warmup) if warmup else make)(optimizer)
    lr, momentum = [], []
    for step in range(EPOCHS * STEPS):
        weight.grad = torch.from_numpy(random.normal(size=COUNT))
        clip = case.get("clip", {})
        if "norm" in clip:
            torch.nn.utils.clip_grad_norm_([weight], clip["norm"])
        if "value" in clip:
            torch.nn.utils.clip_grad_value_([weight], clip["value"])
        group, = optimizer.param_groups
        lr.append(group["lr"])
        momentum.append(group["betas"][0] if "betas" in group else group["momentum"])
        optimizer.step()
        if by == "step" or step % STEPS == STEPS - 1:
            scheduler.step()
    return {**case, "lr": lr, "momentum": momentum, "weights": weight.tolist()}


CASES = [{"optimizer": dict(name=name, lr=0.01, **arguments)} for name, arguments in [
    ("sgd", {}), ("sgd", dict(weight_decay=0.1)), ("sgd", dict(momentum=0.9)),
    ("sgd", dict(momentum=0.9, dampening=0.3, weight_decay=0.1)),
    ("sgd", dict(momentum=0.9, weight_decay=0.1, nesterov=True)),
    ("adam", {}), ("adam", dict(beta1=0.8, beta2=0.9, eps=1e-4, weight_decay=0.1)), ("adam", dict(amsgrad=True)),
    ("adamw", {}), ("adamw", dict(weight_decay=0.2, amsgrad=True)),
    ("rmsprop", {}), ("rmsprop", dict(alpha=0.9, eps=1e-4, weight_decay=0.1)), ("rmsprop", dict(momentum=0.9)),
    ("rmsprop", dict(centered=True)), ("rmsprop", dict(momentum=0.5, centered=True, weight_decay=0.1)),
]] + [{"optimizer": dict(name="sgd", lr=0.1), "schedule": dict(name=name, **arguments)} for name, arguments in [
    ("constant", dict(warmup=3)), ("step", dict(step_size=3)), ("step", dict(step_size=5, gamma=0.5, by="step", warmup=4)),
    ("multi_step", dict(milestones=[2, 5, 6], gamma=0.3)), ("multi_step", dict(milestones=[4, 7], by="step", warmup=2)),
    ("exponential", dict(gamma=0.9)), ("exponential", dict(gamma=0.95, by="step", warmup=5)),
    ("cosine", {}), ("cosine", dict(eta_min=0.01, by="step", warmup=4)), ("cosine", dict(T_max=5)),
    ("one_cycle", dict(max_lr=0.5)), ("one_cycle", dict(max_lr=0.5, by="epoch", anneal_strategy="linear", pct_start=0.4)),
    ("one_cycle", dict(max_lr=0.2, three_phase=True, div_factor=10, final_div_factor=100)),
    ("one_cycle", dict(max_lr=0.2, cycle_momentum=False)),
    ("one_cycle", dict(max_lr=0.2, base_momentum=0.7, max_momentum=0.9)),
]] + [
    {"optimizer": dict(name="adam", lr=0.1), "schedule": dict(name="one_cycle", max_lr=0.2)},
    {"optimizer": dict(name="rmsprop", lr=0.1, momentum=0.5), "schedule": dict(name="one_cycle", max_lr=0.2)},
    {"optimizer": dict(name="sgd", lr=0.1, momentum=0.9), "clip": dict(norm=2)},
    {"optimizer": dict(name="sgd", lr=0.1), "clip": dict(norm=1000)},
    {"optimizer": dict(name="adam", lr=0.1), "clip": dict(value=0.5)},
]


def main():
    cases = [run(case) for case in CASES]
    lines = ",\n ".join(json.dumps(case) for case in cases)
    (HERE / "pytorch.json").write_text(f'{{"torch": "{torch.__version__}", "cases": [\n {lines}\n]}}\n')


if __name__ == "__main__":
    main()
