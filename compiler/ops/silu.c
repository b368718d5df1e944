/* silu.c: the sigmoid linear unit, also called swish. */
#include "ops/operator.h"

const Operator operator_silu = {
    .name = "silu",
    .summary = "Sigmoid linear unit (swish): the input times its logistic function.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x * s with s = 1 / (1 + exp(-x));  dy/dx = s * (1 + x*(1 - s))",
    .reference = "Elfwing et al. 2017, https://arxiv.org/abs/1702.03118\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.SiLU.html",
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X,
    .infer = infer_same_shape,
    .value = "x[i] * vec_sigmoid(x[i])",
    .gradient = "dy[i] * vec_sigmoid(x[i]) * ((real)1 + x[i] * ((real)1 - vec_sigmoid(x[i])))",
    .emit = emit_pointwise,
};
