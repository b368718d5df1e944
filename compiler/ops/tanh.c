/* tanh.c: the hyperbolic tangent.  Its derivative is had from its value. */
#include "ops/operator.h"

const Operator operator_tanh = {
    .name = "tanh",
    .summary = "Hyperbolic tangent, between -1 and 1.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = (exp(x) - exp(-x)) / (exp(x) + exp(-x));  dy/dx = 1 - y*y",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Tanh.html",
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
    .value = "vec_tanh(x[i])",
    .gradient = "dy[i] * ((real)1 - y[i] * y[i])",
    .emit = emit_pointwise,
};
