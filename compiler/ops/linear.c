/* linear.c: the fully connected layer.
 *
 *   x      [in]
 *   weight [out, in]
 *   bias   [out]
 */
#include "ops.h"

#include <math.h>

enum { OUT_FEATURES, BIAS, IN_FEATURES };

static const ArgSpec args[] = {
    [OUT_FEATURES] = {"out_features", ARG_INT, .positional = true, .minimum = 1, .maximum = LARGEST,
                      .doc = "Values of the output."},
    [BIAS]         = {"bias", ARG_BOOL, .otherwise = "true",
                      .doc = "Whether a learned value is added to each output."},
    [IN_FEATURES]  = {"in_features", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
                      .maximum = LARGEST, .doc = "Asserts the input's values."},
    {0}
};

/* PyTorch's default: weight and bias uniform in ±1/sqrt(fan_in). */
static bool infer(Node *node)
{
    if (!node_needs_rank(node, 1))
        return false;
    int64_t in = input_shape(node).dim[0], out = node->args[OUT_FEATURES].integer[0];
    int64_t dim[] = {out, in};
    if (!assertion_holds(node, IN_FEATURES, in) || !parameter_fits(node, "weight", 2, dim))
        return false;
    double bound = 1 / sqrt((double)in);
    Init init = {INIT_UNIFORM, -bound, bound};
    node_parameter(node, "weight", PARAMETER_TRAINED, init, 2, dim, in, out);
    if (node->args[BIAS].integer[0])
        node_parameter(node, "bias", PARAMETER_TRAINED, init, 1, &out, in, out);
    node->out_shape = shape_of(1, out, 1, 1);
    return true;
}

static int64_t multiply_adds(const Node *node)
{
    int64_t factors[] = {input_shape(node).dim[0], node->out_shape.dim[0]};
    return saturating_product(2, factors);
}

const Operator operator_linear = {
    .name = "linear",
    .summary = "Fully connected layer: every output is a weighted sum of every input.",
    .shape_rule = "[n] -> [out_features]",
    .formula = "y[o] = bias[o] + sum over i of weight[o, i] * x[i]\n"
               "weight and bias start uniform in -1/sqrt(n) to 1/sqrt(n)",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Linear.html",
    .args = args,
    .parameter_gradient_reads = READS_X,
    .infer = infer,
    .multiply_adds = multiply_adds,
};
