"""Losses as cases: a Call with its targets, and what PyTorch makes of the same."""
import numpy as np

from ops.kernels import Call

F = "torch.nn.functional"


def images_and_lanes(random):
    return dict(images=int(random.integers(1, 10)), lanes=int(random.choice([2, 4, 8])))


def drawn(random, op, attributes, shapes, draw, options):
    """`draw(images)`: the targets."""
    batch = images_and_lanes(random)
    call = Call(op, attributes, shapes, None, targets=draw(batch["images"]), **batch, **options)
    return call, attributes


def class_shape(random):
    """[classes], [classes, h, w] or [t, classes], and its classes and positions."""
    classes = int(random.integers(2, 8))
    h, w = (int(n) for n in random.integers(1, 4, 2))
    shapes = [((classes,), 1), ((classes, h, w), h * w), ((h, classes), h)]
    shape, positions = shapes[random.integers(3)]
    return shape, classes, positions


def draw_classes(random, classes, positions, ignored=None):
    def draw(images):
        targets = random.integers(classes, size=(images, positions))
        if ignored is not None:
            targets[random.random(targets.shape) < 0.3] = ignored
            targets[0, 0] = 0
        return targets

    return draw


def of_classes(random, op, options, **more):
    shape, classes, positions = class_shape(random)
    a = dict(more)
    if random.integers(2):
        a["weight"] = [float(w) for w in random.uniform(0.2, 3, classes)]
    if random.integers(2):
        a["ignore_index"] = [int(random.choice([255, classes - 1, -100]))]
    draw = draw_classes(random, classes, positions, a.get("ignore_index", [None])[0])
    return drawn(random, op, a, [shape], draw, options)


def cross_entropy(random, **options):
    smoothing = float(random.choice([0, 0.1, 1]))
    return of_classes(random, "cross_entropy", options, label_smoothing=smoothing)


def nll(random, **options):
    return of_classes(random, "nll", options)


def hinge(random, **options):
    classes = int(random.integers(2, 9))
    a = dict(margin=float(random.uniform(0.2, 2)), p=int(random.integers(1, 3)))
    if random.integers(2):
        a["weight"] = [float(w) for w in random.uniform(0.2, 3, classes)]
    return drawn(random, "hinge", a, [(classes,)], draw_classes(random, classes, 1), options)


def of_cosines(op, **choices):
    def case(random, **options):
        classes = int(random.integers(2, 9))
        a = {name: float(random.choice(values)) for name, values in choices.items()}
        return drawn(random, op, a, [(classes,)], draw_classes(random, classes, 1), options)

    case.__name__ = op
    return case


ARCS, SCALES = [0.5, 0.3, 2.0], [64.0, 1.0, 8.0]
arcface = of_cosines("arcface", margin=ARCS, scale=SCALES)
cosface = of_cosines("cosface", margin=[0.35, 0.1], scale=SCALES)


def torch_classes(a, x, target):
    """With the classes' axis second, and the arguments that PyTorch takes."""
    if x.ndim == 3:
        x = x.transpose(1, 2)
    return x, target.reshape(len(x), *x.shape[2:])


def torch_weights(torch, a):
    weight = a.get("weight")
    ignored = a.get("ignore_index")
    return dict(weight=None if weight is None else torch.tensor(weight, dtype=torch.float64)) | (
        {"ignore_index": ignored[0]} if ignored else {}
    )


def torch_cross_entropy(torch, a, x, target):
    return torch.nn.functional.cross_entropy(
        *torch_classes(a, x, target),
        label_smoothing=a["label_smoothing"],
        **torch_weights(torch, a),
    )


def torch_nll(torch, a, x, target):
    return torch.nn.functional.nll_loss(*torch_classes(a, x, target), **torch_weights(torch, a))


def torch_hinge(torch, a, x, target):
    return torch.nn.functional.multi_margin_loss(
        x, target[:, 0], p=a["p"], margin=a["margin"], **torch_weights(torch, a)
    )


def torch_margin(torch, a, x, target, moved):
    """`moved`: the target's cosines."""
    return torch.nn.functional.cross_entropy(
        a["scale"] * x.scatter(1, target[:, :1], moved), target[:, 0]
    )


def torch_arcface(torch, a, x, target):
    """As deepinsight/insightface has it.  What is no cosine has no sine, and PyTorch's root has no
    derivative at 0."""
    cosine, margin = x.gather(1, target[:, :1]), torch.tensor(a["margin"], dtype=torch.float64)
    squared = 1 - cosine**2
    sine = torch.where(squared > 0, torch.sqrt(torch.where(squared > 0, squared, 1.0)), 0.0)
    moved = torch.where(
        cosine > torch.cos(torch.pi - margin),
        cosine * torch.cos(margin) - sine * torch.sin(margin),
        cosine - margin * torch.sin(margin),
    )
    return torch_margin(torch, a, x, target, moved)


def torch_cosface(torch, a, x, target):
    return torch_margin(torch, a, x, target, x.gather(1, target[:, :1]) - a["margin"])


def number_shape(random):
    rank = int(random.integers(1, 4))
    return tuple(int(n) for n in random.integers(1, 6, rank))


def of_numbers(op, draw, reductions=("mean", "sum"), **choices):
    """`draw(random, shape)`: targets of that shape."""

    def case(random, **options):
        shape = number_shape(random)
        a = {name: values[random.integers(len(values))] for name, values in choices.items()}
        a["reduction"] = str(random.choice(reductions))
        if op == "bce_with_logits" and random.integers(2):
            many = shape[1] if len(shape) == 2 else shape[0]
            count = int(random.choice([1, many]))
            a["pos_weight"] = [float(w) for w in random.uniform(0.2, 3, count)]
        return drawn(random, op, a, [shape], lambda images: draw(random, (images, *shape)), options)

    case.__name__ = op
    return case


def normal(random, shape):
    return random.normal(size=shape)


def part(random, shape):
    return random.choice([0.0, 0.3, 1.0], size=shape)


def sign(random, shape):
    return random.choice([-1.0, 1.0], size=shape)


mse = of_numbers("mse", normal)
l1 = of_numbers("l1", normal)
huber = of_numbers("huber", normal, delta=[1.0, 0.3, 4.0])
smooth_l1 = of_numbers("smooth_l1", normal, beta=[1.0, 0.0, 0.3])
bce_with_logits = of_numbers("bce_with_logits", part)
kl_div = of_numbers("kl_div", part, ("mean", "batchmean", "sum"), log_target=[0, 1])
hinge_embedding = of_numbers("hinge_embedding", sign, margin=[1.0, 0.3])


def torch_numbers(name):
    def compute(torch, a, x, target):
        more = dict(a)
        if "log_target" in more:
            more["log_target"] = bool(more["log_target"])
        if "pos_weight" in more:
            weight = torch.tensor(more["pos_weight"], dtype=torch.float64)
            last = x.ndim in (2, 3)  # of a sequence's steps the last axis has the labels
            more["pos_weight"] = weight if last or len(weight) == 1 else weight[:, None, None]
        return getattr(torch.nn.functional, name)(x, target, **more)

    return compute


def embedding(op, count, draw, **choices):
    def case(random, **options):
        n = int(random.integers(1, 8))
        a = {name: values[random.integers(len(values))] for name, values in choices.items()}
        inputs = 1 if op == "cosine" and not random.integers(3) else count
        shape = (n,) if inputs == 1 else (1,)
        targets = (
            (lambda images: normal(random, (images, n)))
            if inputs == 1
            else (lambda images: draw(random, (images, *shape)))
        )
        call, a = drawn(random, op, a, [(n,)] * inputs, targets, options)
        if op == "triplet":
            call.targets = None
        return call, a

    case.__name__ = op
    return case


cosine = embedding("cosine", 2, sign, margin=[0.0, 0.3, -0.5])
triplet = embedding(
    "triplet", 3, sign, margin=[1.0, 0.3], p=[2.0, 1.0, 3.0], eps=[1e-6], swap=[0, 1]
)
contrastive = embedding(
    "contrastive", 2, lambda random, shape: random.choice([0.0, 1.0], size=shape), margin=[1.0, 4.0]
)


def torch_cosine(torch, a, *xs):
    if len(xs) == 2:
        return torch.nn.functional.cosine_embedding_loss(*xs, torch.ones(len(xs[0])))
    return torch.nn.functional.cosine_embedding_loss(xs[0], xs[1], xs[2][:, 0], margin=a["margin"])


def torch_triplet(torch, a, *xs):
    return torch.nn.functional.triplet_margin_loss(
        *xs, margin=a["margin"], p=a["p"], eps=a["eps"], swap=bool(a["swap"])
    )


def torch_contrastive(torch, a, x, y, target):
    d = torch.sqrt(((x - y) ** 2).sum(1) + 1e-12)
    t = target[:, 0]
    lacks = torch.clamp(a["margin"] - d, min=0)
    return (t * ((x - y) ** 2).sum(1) + (1 - t) * lacks**2).mean()


def ctc(random, **options):
    steps, classes, length = (int(n) for n in random.integers([3, 2, 1], [8, 5, 4]))
    blank = int(random.integers(classes))
    a = dict(length=length, blank=blank, zero_infinity=1)

    def draw(images):
        rows = random.integers(classes - 1, size=(images, length))
        rows += rows >= blank  # no blank but behind the end
        ends = random.integers(0, length + 1, size=images)
        rows[np.arange(length)[None] >= ends[:, None]] = blank
        return rows

    options["aux"] = (steps, 2 * length + 1)
    return drawn(random, "ctc", a, [(steps, classes)], draw, options)


def torch_ctc(torch, a, x, target):
    """PyTorch's value, and the gradient in the logarithms themselves: its own is that in logits of
    which they are made."""
    rows = [[int(k) for k in row if k != a["blank"]] for row in target]
    losses = []
    for lane, row in enumerate(rows):
        places = [a["blank"]] + [k for label in row for k in (label, a["blank"])]
        ways = [x[lane, 0, k] if s < 2 else None for s, k in enumerate(places)]
        for t in range(1, x.shape[1]):
            new = []
            for s, k in enumerate(places):
                leap = s >= 2 and k != a["blank"] and k != places[s - 2]
                froms = [w for w in ways[max(0, s - 1 - leap) : s + 1] if w is not None]
                new.append(
                    torch.logsumexp(torch.stack(froms), 0) + x[lane, t, k] if froms else None
                )
            ways = new
        ends = [w for w in ways[-2:] if w is not None]
        all_ways = torch.logsumexp(torch.stack(ends), 0) if ends else 0 * x[lane].sum()
        losses.append(-all_ways / max(len(row), 1))
    loss = torch.stack(losses).mean()
    own = torch.nn.functional.ctc_loss(
        x.transpose(0, 1),
        torch.tensor([k for row in rows for k in row]),
        torch.full((len(x),), x.shape[1]),
        torch.tensor([len(row) for row in rows]),
        blank=a["blank"],
        zero_infinity=True,
    )
    assert torch.allclose(own, loss)
    return loss


# A case, what PyTorch makes of it, arguments that are wanted.
LOSSES = [
    (cross_entropy, torch_cross_entropy, {"label_smoothing": [0, 0.1, 1]}),
    (nll, torch_nll, None),
    (hinge, torch_hinge, {"p": [1, 2]}),
    (
        arcface,
        torch_arcface,
        {"margin": ARCS, "scale": SCALES},
        [0, 1, -1, *(-np.cos(margin) for margin in ARCS)],
    ),
    (cosface, torch_cosface, {"margin": [0.35, 0.1], "scale": SCALES}),
    (mse, torch_numbers("mse_loss"), {"reduction": ["mean", "sum"]}),
    (l1, torch_numbers("l1_loss"), None),
    (huber, torch_numbers("huber_loss"), {"delta": [1.0, 0.3, 4.0]}),
    (smooth_l1, torch_numbers("smooth_l1_loss"), {"beta": [1.0, 0.0, 0.3]}),
    (bce_with_logits, torch_numbers("binary_cross_entropy_with_logits"), None),
    (kl_div, torch_numbers("kl_div"), {"log_target": [0, 1]}),
    (hinge_embedding, torch_numbers("hinge_embedding_loss"), {"margin": [1.0, 0.3]}),
    (cosine, torch_cosine, {"margin": [0.0, 0.3, -0.5]}),
    (triplet, torch_triplet, {"p": [2.0, 1.0, 3.0], "swap": [0, 1]}),
    (contrastive, torch_contrastive, None),
    (ctc, torch_ctc, None),
]
