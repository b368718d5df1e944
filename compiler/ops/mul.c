/* mul.c: the product of two or more tensors, element by element.  A [c, 1, 1]
 * scales the channels of a [c, h, w]: squeeze-and-excitation (Hu et al. 2017,
 * https://arxiv.org/abs/1709.01507), the language's only broadcast.
 */
#include "ops.h"

/* Whether `part` scales `whole`'s channels, or has its shape. */
static bool multiplies(Shape part, Shape whole)
{
    return shape_equal(part, whole) || (part.rank == 3 && whole.rank == 3 && part.dim[0] == whole.dim[0] &&
                                        part.dim[1] == 1 && part.dim[2] == 1);
}

/* The shape the others must match: the first that is not [c, 1, 1]. */
static int widest_input(const Node *node)
{
    for (int i = 0; i < node->inputs.count; i++) {
        Shape shape = node->inputs.items[i]->shape;
        if (shape.rank != 3 || shape.dim[1] != 1 || shape.dim[2] != 1)
            return i;
    }
    return 0;
}

static bool infer(Node *node)
{
    int widest = widest_input(node);
    Shape whole = node->inputs.items[widest]->shape;
    node->out_shape = whole;
    for (int i = 0; i < node->inputs.count; i++) {
        Shape part = node->inputs.items[i]->shape;
        if (multiplies(part, whole))
            continue;
        Diagnostic *d = node_error(node, "mul-mismatch", node->span,
                                   "mul needs equal shapes, or [c, 1, 1] with [c, h, w]: %s is %s, %s is %s",
                                   branch_name(widest), shape_text(whole), branch_name(i), shape_text(part));
        label_branches(d, node);
        diag_sizes(d, part, whole);
        return false;
    }
    return true;
}

const Operator operator_mul = {
    .name = "mul",
    .summary = "The product of two or more tensors, element by element.",
    .shape_rule = "[c, h, w], [c, h, w], ... -> [c, h, w]; or [n], [n], ... -> [n]\n"
                  "an input may be [c, 1, 1]: it scales the others' channels",
    .formula = "y = x1 * x2 * ...",
    .reference = "https://pytorch.org/docs/stable/generated/torch.mul.html",
    .traits = OP_JOINS,
    .input_gradient_reads = READS_X,
    .infer = infer,
};
