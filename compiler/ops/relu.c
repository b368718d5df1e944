/* relu.c: the rectifier. */
#include "ops/operator.h"

const Operator operator_relu = {
    .name = "relu",
    .summary = "Rectified linear unit: negative values become 0.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = max(x, 0); the gradient at 0 is 0",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.ReLU.html",
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE | OP_MONOTONE,
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
    /* y < 0 is false for NaN, which therefore passes, as in PyTorch. */
    .value = "vec_select(x[i] < (vec){ 0 }, (vec){ 0 }, x[i])",
    .gradient = "vec_select(y[i] > (vec){ 0 }, dy[i], (vec){ 0 })",
    .emit = emit_pointwise,
};
