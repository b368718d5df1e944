/* sigmoid.c: the logistic function.  Its derivative is had from its value. */
#include "ops/operator.h"

const Operator operator_sigmoid = {
    .name = "sigmoid",
    .summary = "Logistic function, between 0 and 1.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = 1 / (1 + exp(-x));  dy/dx = y*(1 - y)",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html",
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
    .value = "vec_sigmoid(x[i])",
    .gradient = "dy[i] * y[i] * ((real)1 - y[i])",
    .emit = emit_pointwise,
};
