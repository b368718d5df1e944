/* relu.c: the rectifier. */
#include "ops.h"

const Operator operator_relu = {
    .name = "relu",
    .summary = "Rectified linear unit: negative values become 0.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = max(x, 0); the gradient at 0 is 0",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.ReLU.html",
    .traits = OP_IN_PLACE,
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
};
