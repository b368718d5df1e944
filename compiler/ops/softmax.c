/* softmax.c: values over the channels as probabilities, at each position. */
#include "ops.h"

const Operator operator_softmax = {
    .name = "softmax",
    .summary = "Softmax over the channels, at each position: positive values that sum to 1.",
    .shape_rule = "[c, h, w] -> [c, h, w]; or [n] -> [n]",
    .formula = "y[c] = exp(x[c]) / sum over k of exp(x[k])\n"
               "dx[c] = y[c] * (dy[c] - sum over k of dy[k]*y[k])",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Softmax.html (dim=1)",
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
};
