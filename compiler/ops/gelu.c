/* gelu.c: the Gaussian error linear unit, exact by erf or by the tanh formula
 * that some models were trained with.
 */
#include "ops.h"

enum { APPROXIMATE };

static const char *const approximations[] = {"none", "tanh", NULL};

static const ArgSpec args[] = {
    [APPROXIMATE] = {"approximate", ARG_WORD, .otherwise = "none", .words = approximations,
                     .doc = "none: exact, by erf; tanh: the usual formula."},
    {0}
};

const Operator operator_gelu = {
    .name = "gelu",
    .summary = "Gaussian error linear unit: the input times the normal distribution's probability below it.",
    .shape_rule = "any shape, unchanged",
    .formula = "none: y = x * (1 + erf(x/sqrt(2))) / 2\n"
               "tanh: y = x * (1 + tanh(sqrt(2/pi) * (x + 0.044715*x^3))) / 2",
    .reference = "Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.GELU.html",
    .args = args,
    .traits = OP_IN_PLACE,
    .input_gradient_reads = READS_X,
    .infer = infer_same_shape,
};
