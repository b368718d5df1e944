"""Whether the network that peers.py makes for JAX is PyTorch's: test_jax.py runs it.

    python -m bench.check_jax NETWORK FOLDER

The same weights give the same logits, gradients and running averages, nothing being
dropped.  U-Net's names are another project's, so its parameters are taken in their order.
"""
import sys

NETWORK, FOLDER = sys.argv[1:]
sys.argv = ["", "jax", NETWORK, "training", "1", "1", FOLDER]  # what peers.py reads

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from bench import jax_networks, peers  # noqa: E402

TOLERANCE = 1e-6  # of a tensor's largest element, in float64

jax.config.update("jax_enable_x64", True)
torch.manual_seed(1)
model = peers.torch_network().double()
for module in model.modules():
    if hasattr(module, "p"):  # dropout, and stochastic depth
        module.p = 0.0
    if hasattr(module, "running_var"):
        module.running_mean.normal_()
        module.running_var.uniform_(0.5, 2)
for parameter in model.parameters():
    if not parameter.any():  # a head that begins with zeros says nothing
        torch.nn.init.normal_(parameter, std=0.1)
for layer in peers.GRAPH.layers:
    if layer.op in ("dropout", "drop_path"):
        layer.arguments["p"] = 0.0

ours = [p for layer in peers.GRAPH.layers for p in layer.parameters]
ours = list({p.path: p for p in ours}.values())  # a tied one once
own = dict(model.named_parameters()) | dict(model.named_buffers())
state = {name: tensor for name, tensor in model.state_dict().items() if name in own}
if {p.path for p in ours} != set(state):
    assert len(ours) == len(state)
    own_names = list(state)
    state = dict(zip([p.path for p in ours], state.values()))
    names = dict(zip(own_names, state))
else:
    names = {name: name for name in state}


def arrays(tensors):
    """In JAX's layout: {path: array}, those that are learned and the averages."""
    return jax_networks.load(
        peers.GRAPH,
        lambda p: tensors[p.path].detach().numpy().copy().reshape(p.shape)
        if p.path in tensors
        else np.zeros(p.shape),
    )


def compare(what, ours, wanted, rounded=0.0):
    """rounded: what is so much smaller is no more than other values' rounding."""
    ours, wanted = np.asarray(ours), np.asarray(wanted)
    scale = max(np.abs(wanted).max(), rounded)
    worst = np.abs(ours - wanted).max() / scale
    if not worst <= TOLERANCE:
        sys.exit(f"{NETWORK}: {what} differs by {worst:.2g} of its largest element")


if peers.TOKENS:
    x = torch.randint(peers.TOKENS, (1, *peers.SHAPE))
    channels_last = jax.numpy.asarray(x.numpy())
else:
    x = torch.randn(1, *peers.SHAPE, dtype=torch.float64)
    channels_last = jax.numpy.asarray(x.permute(0, 2, 3, 1).numpy())
parameters, averages = arrays(state)


def forward(parameters, training):
    walk = jax_networks.Pass(parameters, averages, training, jax.random.key(1))
    y = jax_networks.apply(peers.GRAPH, walk, channels_last)
    return (y.transpose(0, 3, 1, 2) if y.ndim == 4 else y), walk.new_averages


compare("logits", forward(parameters, False)[0], model.eval()(x).detach().numpy())
if not peers.NETWORK == "unet":
    y = model.train()(x)
    factors = np.random.default_rng(1).standard_normal(y.shape)
    (y * torch.from_numpy(factors)).sum().backward()

    def loss(parameters):
        y, averages = forward(parameters, True)
        return (y * factors).sum(), averages

    gradients, new = jax.jit(jax.grad(loss, has_aux=True))(parameters)
    wanted, _ = arrays({names[name]: p.grad for name, p in model.named_parameters()})
    statistics = {names[name]: t for name, t in model.state_dict().items() if name in names}
    _, statistics = arrays(statistics)
    # A bias whose sum a batch norm takes away again has a gradient of nothing but rounding.
    rounded = 1e-6 * max(np.abs(gradient).max() for gradient in wanted.values())
    for path, gradient in gradients.items():
        compare(f"the gradient of {path}", gradient, wanted[path], rounded)
    for path, average in new.items():
        compare(path, average, statistics[path])
