"""Functions of an element: uses of the library's and what PyTorch calls them, values at which both
are compared, and others that the tests write."""
import numpy as np

# A use, and the same by torch.nn.functional (F) of a tensor.
LIBRARY = {
    "celu": lambda F, x: F.celu(x),
    "celu(0.5)": lambda F, x: F.celu(x, 0.5),
    "hardshrink": lambda F, x: F.hardshrink(x),
    "hardshrink(2)": lambda F, x: F.hardshrink(x, 2),
    "hardsigmoid": lambda F, x: F.hardsigmoid(x),
    "hardtanh": lambda F, x: F.hardtanh(x),
    "hardtanh(min_val=-2, max_val=0.5)": lambda F, x: F.hardtanh(x, -2, 0.5),
    "logsigmoid": lambda F, x: F.logsigmoid(x),
    "mish": lambda F, x: F.mish(x),
    "selu": lambda F, x: F.selu(x),
    "softplus": lambda F, x: F.softplus(x),
    "softplus(2, threshold=3)": lambda F, x: F.softplus(x, 2, 3),
    "softshrink": lambda F, x: F.softshrink(x),
    "softshrink(0)": lambda F, x: F.softshrink(x, 0),
    "softsign": lambda F, x: F.softsign(x),
    "tanhshrink": lambda F, x: F.tanhshrink(x),
    "threshold": lambda F, x: F.threshold(x, 0, 0),
    "threshold(0.5, value=-7)": lambda F, x: F.threshold(x, 0.5, -7),
    "quick_gelu": lambda F, x: x * (1.702 * x).sigmoid(),
    "squared_relu": lambda F, x: F.relu(x) ** 2,
    "swish": lambda F, x: F.silu(x),
    "swish(beta=2)": lambda F, x: x * (2 * x).sigmoid(),
}

# Built-in functions, and PyTorch's of the same name: F.torch is the module.
BUILTIN = {
    "exp(x/9)": lambda F, x: (x / 9).exp(),
    "expm1(x/9)": lambda F, x: (x / 9).expm1(),
    "log(x*x + 0.5)": lambda F, x: (x * x + 0.5).log(),
    "log1p(x*x)": lambda F, x: (x * x).log1p(),
    "sqrt(x*x + 1)": lambda F, x: (x * x + 1).sqrt(),
    "abs(x)": lambda F, x: x.abs(),
    "tanh(x)": lambda F, x: x.tanh(),
    "sigmoid(x)": lambda F, x: x.sigmoid(),
    "erf(x)": lambda F, x: x.erf(),
    "sin(x)": lambda F, x: x.sin(),
    "cos(x)": lambda F, x: x.cos(),
    "relu(x)": lambda F, x: F.relu(x),
    "clamp(x, -0.5, 3)": lambda F, x: x.clamp(-0.5, 3),
    "clamp(x, max=1)": lambda F, x: x.clamp(max=1),
    "max(x, 0)": lambda F, x: F.torch.maximum(x, F.torch.zeros_like(x)),
    "min(x, 0.5, 3*x)": lambda F, x: F.torch.minimum(
        F.torch.minimum(x, F.torch.full_like(x, 0.5)), 3 * x
    ),
    "pow(x, 3)": lambda F, x: x**3,
    "pow(x, -2)": lambda F, x: x**-2,
    "pow(x*x + 1, 0.7)": lambda F, x: (x * x + 1) ** 0.7,
    "pow(x*x + 0.5, tanh(x))": lambda F, x: (x * x + 0.5) ** x.tanh(),
    "1/(1 + exp(-x))": lambda F, x: x.sigmoid(),
    "x*exp(x)/(1 + exp(x))": lambda F, x: x * x.sigmoid(),
    "x if x >= 0.5 and not x > 3 or x == -1 else 0.25*x": lambda F, x: F.torch.where(
        ((x >= 0.5) & ~(x > 3)) | (x == -1), x, 0.25 * x
    ),
}

# Kinks of some, values beyond which an exponential overflows, and some between.
POINTS = np.array(
    [0, 0.5, -0.5, 1, -1, 2, -2, 3, -3, 1.5, 20, -20, 100, -100, 700, -700, 1e-6, -1e-6]
    + [0.1, -0.1, 0.3, -0.7, 1.3, -1.7, 4.3, -6.1, 9.9, -12.3, 15.5, -17.9, 0.45, -0.45],
    np.float32,
).astype(np.float64)
