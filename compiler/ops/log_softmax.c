/* log_softmax.c: the logarithm of the softmax over the channels, at each position. */
#include "ops.h"

const Operator operator_log_softmax = {
    .name = "log_softmax",
    .summary = "Logarithm of the softmax over the channels, at each position.",
    .shape_rule = "[c, h, w] -> [c, h, w]; or [n] -> [n]",
    .formula = "y[c] = x[c] - log(sum over k of exp(x[k]))\n"
               "dx[c] = dy[c] - exp(y[c]) * sum over k of dy[k]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html (dim=1)",
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
};
