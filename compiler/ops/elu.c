/* elu.c: the exponential linear unit.  Below 0 its derivative is y + alpha, so
 * the backward pass needs no exponential.
 */
#include "ops/operator.h"

enum { ALPHA };

static const ArgSpec args[] = {[ALPHA] = {"alpha", ARG_REAL, .positional = true, .otherwise = "1.0",
                                          .doc = "What very negative values tend to, negated."},
                               {0}};

static const char *expression(const Node *node)
{
    double alpha = node->args[ALPHA].real;
    return node->stage == STAGE_FORWARD
               ? format("vec_select(x[i] > (vec){ 0 }, x[i], (real)%.17g * vec_expm1(x[i]))", alpha)
               : format("vec_select(x[i] <= (vec){ 0 }, dy[i] * (y[i] + (real)%.17g), dy[i])",
                        alpha);
}

const Operator operator_elu = {
    .name = "elu",
    .summary =
        "Exponential linear unit: the input above 0, below it an exponential that tends to -alpha.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x where x > 0, else alpha*(exp(x) - 1)\n"
               "dy/dx = 1 where x > 0, else alpha*exp(x)",
    .reference = "Clevert et al. 2015, https://arxiv.org/abs/1511.07289\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.ELU.html",
    .args = args,
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X | READS_Y,
    .infer = infer_same_shape,
    .expression = expression,
    .emit = emit_pointwise,
};
