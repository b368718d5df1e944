/* add.c: the sum of two or more tensors of one shape: residual connections. */
#include "ops/operator.h"

static bool infer(Node *node)
{
    Shape first = input_shape(node);
    node->out_shape = first;
    for (int i = 1; i < node->inputs.count; i++) {
        Shape other = node->inputs.items[i]->shape;
        if (shape_equal(first, other))
            continue;
        Diagnostic *d = node_error(node, "add-mismatch", node->span,
                                   "add needs equal shapes: %s is %s, %s is %s", branch_name(0),
                                   shape_text(first), branch_name(i), shape_text(other));
        label_branches(d, node);
        diag_sizes(d, other, first);
        return false;
    }
    return true;
}

/* Of the forward pass: a gradient is the output's own. */
static const char *expression(const Node *node)
{
    Text sum = {0};
    for (int i = 0; i < node->inputs.count; i++)
        text_add(&sum, i ? " + x%d[i]" : "x%d[i]", i);
    return node->stage == STAGE_FORWARD ? text_chars(&sum) : NULL;
}

const Operator operator_add = {
    .name = "add",
    .summary = "The sum of two or more tensors of equal shapes.",
    .shape_rule = "[c, h, w], [c, h, w], ... -> [c, h, w]; or [n], [n], ... -> [n]",
    .formula = "y = x1 + x2 + ...",
    .reference = "https://pytorch.org/docs/stable/generated/torch.add.html",
    .traits = OP_JOINS | OP_SUMS | OP_IN_PLACE | OP_TAKES_EPILOGUE,
    .infer = infer,
    .expression = expression,
    .emit = emit_pointwise,
};
