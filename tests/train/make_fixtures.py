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
COUNT, EPOCHS, STEPS = 20, 8, 3  # values; steps in an epoch
SPLIT = 7  # values from here on may be a group of their own

OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}
WHOLE = {"epoch": EPOCHS, "step": EPOCHS * STEPS}


def schedule(name, by, **arguments):
    """The scheduler that a schedule's arguments mean, or what makes it."""
    if name == "one_cycle":
        return lambda optimizer: schedulers.OneCycleLR(
            optimizer, **{"total_steps": WHOLE[by], **arguments}
        )
    if name == "cosine":
        return lambda optimizer: schedulers.CosineAnnealingLR(
            optimizer, **{"T_max": WHOLE[by], **arguments}
        )
    kinds = {
        "constant": lambda optimizer: schedulers.LambdaLR(optimizer, lambda t: 1),
        "step": lambda optimizer: schedulers.StepLR(optimizer, **arguments),
        "multi_step": lambda optimizer: schedulers.MultiStepLR(optimizer, **arguments),
        "exponential": lambda optimizer: schedulers.ExponentialLR(optimizer, **arguments),
    }
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
    whole = torch.from_numpy(random.normal(size=COUNT))
    parts = [torch.nn.Parameter(part.clone()) for part in (whole[:SPLIT], whole[SPLIT:])]
    optimizer = OPTIMIZERS[case["optimizer"]["name"]](
        [{"params": parts[:1]}, {"params": parts[1:], **case.get("group", {})}],
        **betas({key: value for key, value in case["optimizer"].items() if key != "name"}),
    )
    wanted = dict(case.get("schedule", {"name": "constant"}))
    by = wanted.pop("by", "step" if wanted["name"] == "one_cycle" else "epoch")
    warmup = wanted.pop("warmup", 0)
    if warmup and wanted["name"] == "cosine":
        wanted.setdefault("T_max", WHOLE[by] - warmup)
    make = schedule(by=by, **wanted)
    scheduler = (warmed_up(make, warmup) if warmup else make)(optimizer)
    lr, momentum = [], []
    for step in range(EPOCHS * STEPS):
        gradient = torch.from_numpy(random.normal(size=COUNT))
        parts[0].grad, parts[1].grad = gradient[:SPLIT].clone(), gradient[SPLIT:].clone()
        clip = case.get("clip", {})
        if "norm" in clip:
            torch.nn.utils.clip_grad_norm_(parts, clip["norm"])
        if "value" in clip:
            torch.nn.utils.clip_grad_value_(parts, clip["value"])
        group = optimizer.param_groups[0]
        lr.append(group["lr"])
        momentum.append(group["betas"][0] if "betas" in group else group["momentum"])
        optimizer.step()
        if by == "step" or step % STEPS == STEPS - 1:
            scheduler.step()
    return {**case, "lr": lr, "momentum": momentum, "weights": torch.cat(parts).tolist()}


CASES = (
    [
        {"optimizer": dict(name=name, lr=0.01, **arguments)}
        for name, arguments in [
            ("sgd", {}),
            ("sgd", dict(weight_decay=0.1)),
            ("sgd", dict(momentum=0.9)),
            ("sgd", dict(momentum=0.9, dampening=0.3, weight_decay=0.1)),
            ("sgd", dict(momentum=0.9, weight_decay=0.1, nesterov=True)),
            ("adam", {}),
            ("adam", dict(beta1=0.8, beta2=0.9, eps=1e-4, weight_decay=0.1)),
            ("adam", dict(amsgrad=True)),
            ("adam", dict(amsgrad=True, beta1=0.5, beta2=0.5, weight_decay=0.1)),
            ("adamw", {}),
            ("adamw", dict(weight_decay=0.2, amsgrad=True)),
            ("adamw", dict(beta1=0.7, beta2=0.8, eps=1e-3, weight_decay=0)),
            ("rmsprop", {}),
            ("rmsprop", dict(alpha=0.9, eps=1e-4, weight_decay=0.1)),
            ("rmsprop", dict(momentum=0.9)),
            ("rmsprop", dict(centered=True)),
            ("rmsprop", dict(momentum=0.5, centered=True, weight_decay=0.1)),
            ("rmsprop", dict(momentum=0.9, centered=True, weight_decay=0.1, alpha=0.8, eps=1e-3)),
            ("sgd", dict(momentum=0.5, dampening=0.5)),
            ("sgd", dict(momentum=0.5, nesterov=True)),
        ]
    ]
    + [
        {"optimizer": dict(name="sgd", lr=0.1), "schedule": dict(name=name, **arguments)}
        for name, arguments in [
            ("constant", dict(warmup=3)),
            ("constant", dict(warmup=5, by="step")),
            ("step", dict(step_size=2, gamma=0.5, warmup=2)),
            ("step", dict(step_size=3)),
            ("step", dict(step_size=5, gamma=0.5, by="step", warmup=4)),
            ("multi_step", dict(milestones=[2, 5, 6], gamma=0.3)),
            ("multi_step", dict(milestones=[4, 7], by="step", warmup=2)),
            ("multi_step", dict(milestones=[3, 10], gamma=0.5, by="step")),
            ("multi_step", dict(milestones=[3], warmup=2)),
            ("exponential", dict(gamma=0.9, warmup=2)),
            ("exponential", dict(gamma=0.9, by="step")),
            ("exponential", dict(gamma=0.9)),
            ("exponential", dict(gamma=0.95, by="step", warmup=5)),
            ("cosine", {}),
            ("cosine", dict(eta_min=0.01, by="step", warmup=4)),
            ("cosine", dict(T_max=5)),
            ("cosine", dict(T_max=10, eta_min=0.02, by="step")),
            ("cosine", dict(eta_min=0.01, warmup=3)),
            ("one_cycle", dict(max_lr=0.5)),
            ("one_cycle", dict(max_lr=0.5, by="epoch", anneal_strategy="linear", pct_start=0.4)),
            ("one_cycle", dict(max_lr=0.2, three_phase=True, div_factor=10, final_div_factor=100)),
            ("one_cycle", dict(max_lr=0.2, cycle_momentum=False)),
            ("one_cycle", dict(max_lr=0.2, base_momentum=0.7, max_momentum=0.9)),
            (
                "one_cycle",
                dict(max_lr=0.2, total_steps=30, anneal_strategy="linear", three_phase=True),
            ),
            ("one_cycle", dict(max_lr=0.2, total_steps=9, by="epoch", three_phase=True)),
        ]
    ]
    + [
        {"optimizer": dict(name="adam", lr=0.1), "schedule": dict(name="one_cycle", max_lr=0.2)},
        {
            "optimizer": dict(name="rmsprop", lr=0.1, momentum=0.5),
            "schedule": dict(name="one_cycle", max_lr=0.2),
        },
        {"optimizer": dict(name="sgd", lr=0.1, momentum=0.9), "clip": dict(norm=2)},
        {"optimizer": dict(name="sgd", lr=0.1), "clip": dict(norm=1000)},
        {"optimizer": dict(name="adam", lr=0.1), "clip": dict(value=0.5)},
        {"optimizer": dict(name="rmsprop", lr=0.01), "clip": dict(norm=1)},
        {
            "optimizer": dict(name="adamw", lr=0.1, weight_decay=0.2),
            "clip": dict(norm=3),
            "schedule": dict(name="one_cycle", max_lr=0.2),
        },
    ]
    + [
        {
            "optimizer": dict(name=name, lr=0.01, weight_decay=0.1),
            "group": group,
            "schedule": dict(name="step", step_size=3),
        }
        for name, group in [
            ("sgd", dict(lr=0.05, weight_decay=0)),
            ("adam", dict(weight_decay=0)),
            ("adamw", dict(lr=0.05)),
            ("rmsprop", dict(lr=0.05, weight_decay=0.3)),
        ]
    ]
)


# --------------------------------------------------------- initialisers

SHAPE = (12, 8, 3, 5)


def bounds(call, *arguments, **named):
    """What a torch.nn.init function draws from: found from what it asks of the generator."""
    asked = []

    class Asked(torch.Tensor):
        def uniform_(self, low=0.0, high=1.0, generator=None):
            asked.append(["uniform", low, high])
            return self

        def normal_(self, mean=0.0, std=1.0, generator=None):
            asked.append(["normal", mean, std])
            return self

    getattr(torch.nn.init, call)(torch.empty(SHAPE).as_subclass(Asked), *arguments, **named)
    (drawn,) = asked
    return drawn


INITIALISERS = [
    ("kaiming_normal", {}),
    ("kaiming_uniform", {}),
    ("kaiming_normal", dict(mode="fan_out", nonlinearity="relu")),
    ("kaiming_uniform", dict(a=0.3)),
    ("kaiming_uniform", dict(mode="fan_out", nonlinearity="tanh")),
    ("kaiming_normal", dict(nonlinearity="sigmoid")),
    ("kaiming_normal", dict(nonlinearity="selu")),
    ("kaiming_uniform", dict(nonlinearity="linear")),
    ("kaiming_normal", dict(nonlinearity="conv2d")),
    ("kaiming_normal", dict(a=0.2, nonlinearity="leaky_relu", mode="fan_out")),
    ("xavier_normal", {}),
    ("xavier_normal", dict(gain=2.0)),
    ("xavier_uniform", {}),
    ("xavier_uniform", dict(gain=0.5)),
    ("normal", {}),
    ("normal", dict(mean=1.0, std=0.2)),
    ("uniform", {}),
    ("uniform", dict(a=-0.5, b=0.25)),
]


def main():
    cases = [run(case) for case in CASES]
    lines = ",\n ".join(json.dumps(case) for case in cases)
    drawn = ",\n ".join(
        json.dumps([name, arguments, bounds(name + "_", **arguments)])
        for name, arguments in INITIALISERS
    )
    (HERE / "pytorch.json").write_text(
        f'{{"torch": "{torch.__version__}", "cases": [\n {lines}\n],\n'
        f'"initialisers": [\n {drawn}\n]}}\n'
    )


if __name__ == "__main__":
    main()
