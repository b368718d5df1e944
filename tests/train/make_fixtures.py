#!/usr/bin/env python3
"""Makes pytorch.json, which test_optimizers.py compares with: what PyTorch 2.13's
optimizers, schedulers and clipping do to two small matrices in float64; what PyTorch has not
(lion, lars, lamb, TensorFlow's rmsprop) is written here by its paper.  Needs PyTorch (CPU) and
numpy:

    python3 tests/train/make_fixtures.py
"""
import json
from pathlib import Path

import numpy as np
import torch
from torch import optim
from torch.optim import lr_scheduler as schedulers

HERE = Path(__file__).resolve().parent
COUNT, EPOCHS, STEPS = 20, 8, 3  # values; steps in an epoch
SPLIT = 8  # values from here on may be a group of their own
SHAPES = (4, 2), (3, 4)


class Written(optim.Optimizer):
    """One of a formula for each parameter, with its state; `updates` counts from 1."""

    defaults = {}

    def __init__(self, parameters, **given):
        super().__init__(parameters, {**self.defaults, **given})

    def step(self):
        with torch.no_grad():
            for group in self.param_groups:
                for w in group["params"]:
                    state = self.state[w]
                    state["updates"] = state.get("updates", 0) + 1
                    w.copy_(self.moved(w.clone(), w.grad, state, group))


class Lion(Written):
    """Chen et al. 2023, algorithm 2."""

    defaults = dict(lr=1e-4, betas=(0.9, 0.99), weight_decay=0)

    def moved(self, w, g, state, group):
        beta1, beta2 = group["betas"]
        m = state.get("m", torch.zeros_like(w))
        update = torch.sign(beta1 * m + (1 - beta1) * g)
        state["m"] = beta2 * m + (1 - beta2) * g
        return w - group["lr"] * (update + group["weight_decay"] * w)


class Lars(Written):
    """You, Gitman and Ginsburg 2017, algorithm 1."""

    defaults = dict(momentum=0.9, weight_decay=0, trust_coefficient=1e-3, adapt=True)

    def moved(self, w, g, state, group):
        decay = group["weight_decay"]
        local = group["trust_coefficient"] * w.norm() / (g.norm() + decay * w.norm())
        local = local if group["adapt"] else 1
        v = group["momentum"] * state.get("v", torch.zeros_like(w))
        state["v"] = v = v + group["lr"] * local * (g + decay * w)
        return w - v


class Lamb(Written):
    """You et al. 2020, algorithm 2, the norms as they are."""

    defaults = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=1e-2, adapt=True)

    def moved(self, w, g, state, group):
        (beta1, beta2), t = group["betas"], state["updates"]
        m = beta1 * state.get("m", torch.zeros_like(w)) + (1 - beta1) * g
        v = beta2 * state.get("v", torch.zeros_like(w)) + (1 - beta2) * g**2
        state["m"], state["v"] = m, v
        ratio = (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + group["eps"])
        direction = ratio + group["weight_decay"] * w
        trust = w.norm() / direction.norm() if group["adapt"] else 1
        return w - group["lr"] * trust * direction


class TensorFlowRMSprop(Written):
    """tf.compat.v1.train.RMSPropOptimizer, whose squares begin at 1."""

    defaults = dict(lr=1e-2, alpha=0.9, eps=1e-10, momentum=0.0, centered=False, weight_decay=0)

    def moved(self, w, g, state, group):
        g = g + group["weight_decay"] * w
        square = group["alpha"] * state.get("s", torch.ones_like(w)) + (1 - group["alpha"]) * g**2
        mean = group["alpha"] * state.get("a", torch.zeros_like(w)) + (1 - group["alpha"]) * g
        state["s"], state["a"] = square, mean
        inside = square - mean**2 if group["centered"] else square
        move = group["lr"] * g / (inside + group["eps"]).sqrt()
        state["b"] = group["momentum"] * state.get("b", torch.zeros_like(w)) + move
        return w - state["b"]


class MuonWithAdamW(optim.Optimizer):
    """torch.optim.Muon, in float64 where it would round to bfloat16, and AdamW for a group that
    is not to be adapted."""

    def __init__(self, groups, **given):
        adam = {k: given.pop(k) for k in ("adam_lr", "adam_eps", "betas") if k in given}
        self.ours = []
        for group in groups:
            group = dict(group)
            if group.pop("adapt", True):
                self.ours.append(optim.Muon([group], **given))
                continue
            self.ours.append(
                optim.AdamW(
                    [group],
                    lr=adam.get("adam_lr", given["lr"]),
                    betas=adam.get("betas", (0.9, 0.999)),
                    eps=adam.get("adam_eps", 1e-8),
                    weight_decay=given.get("weight_decay", 0.1),
                )
            )
        super().__init__([p for group in groups for p in group["params"]], {"lr": given["lr"]})
        self.param_groups = [group for one in self.ours for group in one.param_groups]

    def step(self):
        rounding, torch.Tensor.bfloat16 = torch.Tensor.bfloat16, torch.Tensor.clone
        for one in self.ours:
            one.step()
        torch.Tensor.bfloat16 = rounding


OPTIMIZERS = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "adamax": optim.Adamax,
    "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
    "adadelta": optim.Adadelta,
    "lion": Lion,
    "lars": Lars,
    "lamb": Lamb,
    "muon": MuonWithAdamW,
}
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
    if name in ("linear", "polynomial"):
        make = schedulers.LinearLR if name == "linear" else schedulers.PolynomialLR
        return lambda optimizer: make(optimizer, **{"total_iters": WHOLE[by], **arguments})
    kinds = {
        "inverse_sqrt": lambda optimizer: schedulers.LambdaLR(
            optimizer, lambda t: (1 + t / arguments["timescale"]) ** -0.5
        ),
        "inv": lambda optimizer: schedulers.LambdaLR(
            optimizer, lambda t: (1 + arguments["gamma"] * t) ** -arguments.get("power", 1)
        ),
        "cosine_warm_restarts": lambda optimizer: schedulers.CosineAnnealingWarmRestarts(
            optimizer, **arguments
        ),
        "plateau": lambda optimizer: schedulers.ReduceLROnPlateau(optimizer, **arguments),
        "constant": lambda optimizer: schedulers.LambdaLR(optimizer, lambda t: 1),
        "step": lambda optimizer: schedulers.StepLR(optimizer, **arguments),
        "multi_step": lambda optimizer: schedulers.MultiStepLR(optimizer, **arguments),
        "exponential": lambda optimizer: schedulers.ExponentialLR(optimizer, **arguments),
    }
    return kinds[name]


def warmed_up(make, warmup, decay):
    def sequence(optimizer):
        rise = (
            schedulers.LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1)
            if decay is None
            else schedulers.LinearLR(optimizer, decay, total_iters=warmup)
        )
        return schedulers.SequentialLR(optimizer, [rise, make(optimizer)], milestones=[warmup])

    return sequence


def optimizer_of(case, groups):
    given = {key: value for key, value in case["optimizer"].items() if key != "name"}
    if "beta1" in given:
        given["betas"] = given.pop("beta1"), given.pop("beta2")
    if case["optimizer"].get("eps_inside"):  # all three are TensorFlow's
        for key in ("eps_inside", "lr_in_momentum", "initial_accumulator_value"):
            given.pop(key)
        return TensorFlowRMSprop(groups, **given)
    return OPTIMIZERS[case["optimizer"]["name"]](groups, **given)


# An epoch's loss and accuracy, which plateau goes by.
FIGURES = [(2.0, 0.2), (1.5, 0.3), (1.4999, 0.30001), (1.6, 0.25), (1.2, 0.5), (1.3, 0.4)] + [
    (1.25, 0.45)
] * 2


def advance(scheduler, epoch, mode):
    if isinstance(scheduler, schedulers.ReduceLROnPlateau):
        scheduler.step(FIGURES[epoch][mode == "max"])
    else:
        scheduler.step()


def clip_adaptively(weight, factor, eps=1e-3):
    """The gradient's, as timm.utils.agc.adaptive_clip_grad: norms over all axes but the first."""
    largest = weight.detach().norm(2, dim=1, keepdim=True).clamp(min=eps) * factor
    norm = weight.grad.norm(2, dim=1, keepdim=True)
    clipped = weight.grad * (largest / norm.clamp(min=1e-6))
    weight.grad = torch.where(norm < largest, weight.grad, clipped)


def run(case):
    random = np.random.RandomState(1)
    whole = torch.from_numpy(random.normal(size=COUNT))
    parts = [
        torch.nn.Parameter(part.clone().reshape(shape))
        for part, shape in zip((whole[:SPLIT], whole[SPLIT:]), SHAPES)
    ]
    second = {"params": parts[1:], **case.get("group", {})}
    if "layer" in case:
        slower = case["layer_decay"] ** case["layer"]
        second["lr"] = second.get("lr", case["optimizer"]["lr"]) * slower
    optimizer = optimizer_of(case, [{"params": parts[:1]}, second])
    wanted = dict(case.get("schedule", {"name": "constant"}))
    by = wanted.pop("by", "step" if wanted["name"] == "one_cycle" else "epoch")
    warmup, decay = wanted.pop("warmup", 0), wanted.pop("warmup_decay", None)
    if warmup and wanted["name"] in ("cosine", "linear", "polynomial"):
        name = "T_max" if wanted["name"] == "cosine" else "total_iters"
        wanted.setdefault(name, WHOLE[by] - warmup)
    if wanted["name"] == "inverse_sqrt":
        wanted.setdefault("timescale", warmup or 1)
    make = schedule(by=by, **wanted)
    plateau = wanted["name"] == "plateau"  # SequentialLR takes none
    rises = warmup and not plateau
    scheduler = (warmed_up(make, warmup, decay) if rises else make)(optimizer)
    lr, momentum = [], []
    for step in range(EPOCHS * STEPS):
        gradient = torch.from_numpy(random.normal(size=COUNT))
        for part, values in zip(parts, (gradient[:SPLIT], gradient[SPLIT:])):
            part.grad = values.clone().reshape(part.shape)
        clip = case.get("clip", {})
        clipped = parts if second.get("clip", True) else parts[:1]
        if "norm" in clip:
            torch.nn.utils.clip_grad_norm_(clipped, clip["norm"])
        if "value" in clip:
            torch.nn.utils.clip_grad_value_(clipped, clip["value"])
        if "adaptive" in clip:
            for part in clipped:
                clip_adaptively(part, clip["adaptive"], clip.get("eps", 1e-3))
        group = optimizer.param_groups[0]
        if plateau and step < warmup * STEPS:
            for each in optimizer.param_groups:
                each["lr"] = case["optimizer"]["lr"] * (step // STEPS + 1) / warmup
        lr.append(group["lr"])
        momentum.append(group["betas"][0] if "betas" in group else group.get("momentum", 0))
        optimizer.step()
        if "max_norm" in second:
            parts[1].data = torch.renorm(parts[1].data, 2, 0, second["max_norm"])
        if plateau and step // STEPS < warmup:
            continue
        if by == "step" or step % STEPS == STEPS - 1:
            advance(scheduler, step // STEPS, wanted.get("mode"))
    weights = torch.cat([part.flatten() for part in parts]).tolist()
    return {**case, "lr": lr, "momentum": momentum, "weights": weights}


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
            (
                "rmsprop",
                dict(
                    alpha=0.9,
                    eps=1e-3,
                    momentum=0.9,
                    eps_inside=True,
                    lr_in_momentum=True,
                    initial_accumulator_value=1,
                ),
            ),
            (
                "rmsprop",
                dict(
                    alpha=0.8,
                    eps=1e-2,
                    centered=True,
                    weight_decay=0.1,
                    eps_inside=True,
                    lr_in_momentum=True,
                    initial_accumulator_value=1,
                ),
            ),
            ("nadam", {}),
            ("nadam", dict(beta1=0.8, beta2=0.9, eps=1e-4, weight_decay=0.1, momentum_decay=0.1)),
            ("nadam", dict(weight_decay=0.1, decoupled_weight_decay=True)),
            ("radam", {}),
            ("radam", dict(beta1=0.8, beta2=0.9, eps=1e-4, weight_decay=0.1)),
            ("radam", dict(weight_decay=0.1, decoupled_weight_decay=True)),
            ("adamax", {}),
            ("adamax", dict(beta1=0.8, beta2=0.9, eps=1e-4, weight_decay=0.1)),
            ("adagrad", {}),
            ("adagrad", dict(lr_decay=0.1, weight_decay=0.1)),
            ("adagrad", dict(initial_accumulator_value=0.1, eps=1e-3)),
            ("adadelta", {}),
            ("adadelta", dict(rho=0.8, eps=1e-4, weight_decay=0.1)),
            ("lion", {}),
            ("lion", dict(beta1=0.8, beta2=0.9, weight_decay=0.1)),
            ("lars", {}),
            ("lars", dict(momentum=0.5, weight_decay=0.1, trust_coefficient=0.1)),
            ("lamb", {}),
            ("lamb", dict(beta1=0.8, beta2=0.9, eps=1e-4, weight_decay=0.1)),
            ("muon", {}),
            ("muon", dict(momentum=0.8, nesterov=False, weight_decay=0.2, eps=1e-3, ns_steps=3)),
            ("muon", dict(adjust_lr_fn="match_rms_adamw")),
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
            ("constant", dict(warmup=3, warmup_decay=0.1)),
            ("linear", {}),
            ("linear", dict(start_factor=1, end_factor=0, total_iters=5, warmup=2)),
            ("linear", dict(start_factor=0.5, total_iters=7, by="step", warmup=4)),
            ("polynomial", {}),
            ("polynomial", dict(power=0.9, warmup=2, warmup_decay=0.01)),
            ("polynomial", dict(power=2, total_iters=10, by="step", warmup=3)),
            ("inverse_sqrt", dict(warmup=3)),
            ("inverse_sqrt", dict(timescale=7, by="step", warmup=5)),
            ("inverse_sqrt", dict(by="step")),
            ("inv", dict(gamma=0.5, power=0.75)),
            ("inv", dict(gamma=0.1, by="step", warmup=4)),
            ("cosine_warm_restarts", dict(T_0=3)),
            ("cosine_warm_restarts", dict(T_0=2, T_mult=2, eta_min=0.01, by="step", warmup=4)),
            ("cosine_warm_restarts", dict(T_0=2, T_mult=2, warmup=1, warmup_decay=0.5)),
            ("plateau", dict(patience=0)),
            ("plateau", dict(patience=1, factor=0.5, warmup=2)),
            ("plateau", dict(patience=1, factor=0.5, mode="max", cooldown=1)),
            ("plateau", dict(patience=0, threshold=0.05, threshold_mode="abs", min_lr=0.02)),
            ("plateau", dict(patience=0, mode="max", threshold_mode="abs", factor=0.9)),
            ("plateau", dict(patience=0, factor=0.9, eps=0.0095)),
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
            "optimizer": dict(name="sgd", lr=0.1, momentum=0.9),
            "clip": dict(norm=2),
            "group": dict(clip=False),
        },
        {
            "optimizer": dict(name="adam", lr=0.1),
            "clip": dict(value=0.5),
            "group": dict(clip=False),
        },
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
            ("lamb", dict(weight_decay=0, adapt=False)),
            ("lars", dict(weight_decay=0, adapt=False)),
            ("muon", dict(weight_decay=0)),
            ("muon", dict(adapt=False)),
        ]
    ]
    + [
        {
            "optimizer": dict(name="sgd", lr=0.1, momentum=0.9, nesterov=True),
            "clip": dict(adaptive=0.5),
        },
        {
            "optimizer": dict(name="lamb", lr=0.1),
            "clip": dict(adaptive=0.1, eps=2),
            "group": dict(clip=False),
        },
        {"optimizer": dict(name="adadelta", lr=1), "group": dict(max_norm=1.5)},
        {"optimizer": dict(name="muon", lr=0.1), "group": dict(max_norm=0.5)},
        {
            "optimizer": dict(name="adamw", lr=0.1, weight_decay=0.2),
            "layer": 3,
            "layer_decay": 0.8,
            "schedule": dict(name="step", step_size=3),
        },
        {
            "optimizer": dict(name="lars", lr=0.1),
            "group": dict(lr=0.2),
            "layer": 1,
            "layer_decay": 0.5,
        },
    ]
    + [
        {
            "optimizer": dict(
                name="muon",
                lr=0.05,
                weight_decay=0,
                adam_lr=0.01,
                beta1=0.8,
                beta2=0.9,
                adam_eps=1e-4,
            ),
            "group": dict(adapt=False),
            "clip": dict(norm=2),
        },
        {
            "optimizer": dict(name="lamb", lr=0.01),
            "clip": dict(norm=1),
            "schedule": dict(name="one_cycle", max_lr=0.05),
        },
        {
            "optimizer": dict(name="nadam", lr=0.01),
            "schedule": dict(name="one_cycle", max_lr=0.05),
        },
        {
            "optimizer": dict(name="adagrad", lr=0.1),
            "schedule": dict(name="one_cycle", max_lr=0.2, cycle_momentum=False),
        },
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
    torch.set_default_dtype(torch.float64)  # of scalars in an optimizer's state, too
    cases = [run(case) for case in CASES]
    lines = ",\n ".join(json.dumps(case) for case in cases)
    drawn = ",\n ".join(
        json.dumps([name, arguments, bounds(name + "_", **arguments)])
        for name, arguments in INITIALISERS
    )
    (HERE / "pytorch.json").write_text(
        f'{{"torch": "{torch.__version__}", "figures": {json.dumps(FIGURES)},\n'
        f'"cases": [\n {lines}\n],\n'
        f'"initialisers": [\n {drawn}\n]}}\n'
    )


if __name__ == "__main__":
    main()
