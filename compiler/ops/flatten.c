/* flatten.c: an image's values as one row, channel by channel and row by row:
 * the order they lie in already, so it moves nothing.
 */
#include "ops/operator.h"

enum { START, END };

static const ArgSpec args[] = {
    [START] = {"start", ARG_INT, .positional = true, .otherwise = "0", .minimum = -MAX_RANK,
               .maximum = MAX_RANK - 1, .doc = "The first axis that is joined; -1 is the last."},
    [END] = {"end", ARG_INT, .positional = true, .otherwise = "-1", .minimum = -MAX_RANK,
             .maximum = MAX_RANK - 1, .doc = "The last axis that is joined."},
    {0}};

static bool infer(Node *node)
{
    Shape in = input_shape(node);
    int start, end;
    if (!node_axis(node, START, &start) || !node_axis(node, END, &end))
        return false;
    if (start > end) {
        node_error(node, "argument-range",
                   node->args[END].given ? node->args[END].span : node->args[START].span,
                   "flatten: axis %d lies behind axis %d", start, end);
        return false;
    }
    Shape out = {.rank = in.rank - (end - start), .dim = {1, 1, 1, 1}};
    for (int axis = 0, to = 0; axis < in.rank; axis++) {
        out.dim[to] *= in.dim[axis];
        to += axis < start || axis >= end;
    }
    node->out_shape = out;
    return true;
}

const Operator operator_flatten = {
    .name = "flatten",
    .summary = "An image's values as one row of features.",
    .shape_rule = "[c, h, w] -> [c*h*w]; start=1: [c, h*w]",
    .formula = "y[(i*h + j)*w + k] = x[i, j, k]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Flatten.html",
    .args = args,
    .traits = OP_VIEW | OP_WHOLE,
    .infer = infer,
};
