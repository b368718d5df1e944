/* relu6.c: the rectifier, cut off at 6, as in MobileNet. */
#include "ops/operator.h"

const Operator operator_relu6 = {
    .name = "relu6",
    .summary = "Rectified linear unit that stops at 6.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = min(max(x, 0), 6); the gradient at 0 and 6 is 0",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.ReLU6.html",
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE | OP_MONOTONE,
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
    /* Comparisons are false for NaN, which therefore passes, as in PyTorch. */
    .value = "vec_select(x[i] > (vec){ 0 } + (real)6, (vec){ 0 } + (real)6, vec_select(x[i] < "
             "(vec){ 0 }, "
             "(vec){ 0 }, x[i]))",
    .gradient =
        "vec_select((y[i] <= (vec){ 0 }) | (y[i] >= (vec){ 0 } + (real)6), (vec){ 0 }, dy[i])",
    .emit = emit_pointwise,
};
