/* flatten.c: an image's values as one row, channel by channel and row by row:
 * the order they lie in already, so it moves nothing.
 */
#include "ops/operator.h"

static bool infer(Node *node)
{
    node->out_shape = shape_of(1, shape_elements(input_shape(node)), 1, 1);
    return true;
}

const Operator operator_flatten = {
    .name = "flatten",
    .summary = "An image's values as one row of features.",
    .shape_rule = "[c, h, w] -> [c*h*w]",
    .formula = "y[(i*h + j)*w + k] = x[i, j, k]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Flatten.html",
    .traits = OP_VIEW,
    .infer = infer,
};
