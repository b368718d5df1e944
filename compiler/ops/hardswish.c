/* hardswish.c: swish by straight lines, as in MobileNetV3. */
#include "ops/operator.h"

const Operator operator_hardswish = {
    .name = "hardswish",
    .summary = "Swish by straight lines: 0 below -3, the input above 3, a parabola between.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x * min(max(x + 3, 0), 6) / 6",
    .reference = "Howard et al. 2019, https://arxiv.org/abs/1905.02244\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.Hardswish.html",
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X,
    .infer = infer_same_shape,
    /* The gradient at -3 is 0 and at 3 is 1, as in PyTorch. */
    .value = "x[i] * vec_select(x[i] <= (vec){ 0 } - (real)3, (vec){ 0 }, vec_select(x[i] >= "
             "(vec){ 0 } + (real)3, (vec){ 0 } + (real)6, x[i] + (real)3)) / (real)6",
    .gradient = "vec_select(x[i] <= (vec){ 0 } - (real)3, (vec){ 0 }, vec_select(x[i] < (vec){ 0 "
                "} + (real)3, dy[i] * (x[i] / (real)3 + (real)0.5), dy[i]))",
    .emit = emit_pointwise,
};
