/* gelu.c: the Gaussian error linear unit, exact by erf or by the tanh formula
 * that some models were trained with.
 */
#include "ops/operator.h"

enum { APPROXIMATE };

static const char *const approximations[] = {"none", "tanh", NULL};

static const ArgSpec args[] = {
    [APPROXIMATE] = {"approximate", ARG_WORD, .otherwise = "none", .words = approximations,
                     .doc = "none: exact, by erf; tanh: the usual formula."},
    {0}};

/* By tanh it is x times the logistic function of twice what the formula has in the
 * brackets, which is here x times this. */
static const char inner[] = "((real)1.5957691216057308 + (real)0.071354816272600249 * x[i] * x[i])";
static const char inner_slope[] =
    "((real)1.5957691216057308 + (real)0.21406444881780074 * x[i] * x[i])";

static const char *expression(const Node *node)
{
    bool forward = node->stage == STAGE_FORWARD;
    if (node->args[APPROXIMATE].word != intern("tanh"))
        return forward ? "vec_gelu(x[i])" : "dy[i] * vec_gelu_gradient(x[i])";
    const char *below = format("vec_sigmoid(x[i] * %s)", inner);
    return forward ? format("x[i] * %s", below)
                   : format("dy[i] * %s * ((real)1 + x[i] * ((real)1 - %s) * %s)", below, below,
                            inner_slope);
}

const Operator operator_gelu = {
    .name = "gelu",
    .summary = "Gaussian error linear unit: the input times the normal distribution's probability "
               "below it.",
    .shape_rule = "any shape, unchanged",
    .formula = "none: y = x * (1 + erf(x/sqrt(2))) / 2\n"
               "tanh: y = x * (1 + tanh(sqrt(2/pi) * (x + 0.044715*x^3))) / 2",
    .reference = "Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.GELU.html",
    .args = args,
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X,
    .infer = infer_same_shape,
    .expression = expression,
    .emit = emit_pointwise,
};
