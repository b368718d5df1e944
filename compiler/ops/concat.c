/* concat.c: tensors joined along their channels.  In the batch-innermost layout
 * the inputs are consecutive slices of the output, so the branches write there
 * directly and nothing is copied.
 */
#include "ops/operator.h"

/* The first axis after the channels on which two shapes differ; 0 when only
 * their ranks do, -1 when they fit. */
static int differing_axis(Shape a, Shape b)
{
    if (a.rank != b.rank)
        return 0;
    for (int axis = 1; axis < a.rank; axis++)
        if (a.dim[axis] != b.dim[axis])
            return axis;
    return -1;
}

/* The input most others agree with, by majority vote (Boyer and Moore 1981);
 * the one that differs from it is the likelier fault. */
static int commonest_input(const Node *node)
{
    int candidate = 0, votes = 0;
    for (int i = 0; i < node->inputs.count; i++) {
        if (votes == 0)
            candidate = i;
        bool agrees =
            differing_axis(node->inputs.items[i]->shape, node->inputs.items[candidate]->shape) < 0;
        votes += agrees ? 1 : -1;
    }
    return votes > 0 ? candidate : 0;
}

/* "branch 1 is [16, 12, 12]", or when all but one agree, "the others are
 * [_, 12, 12]". */
static const char *wanted_text(const Node *node, int common, int odd)
{
    Shape wanted = node->inputs.items[common]->shape;
    bool all = node->inputs.count > 2;
    for (int i = 0; i < node->inputs.count; i++)
        all = all && (i == odd || differing_axis(node->inputs.items[i]->shape, wanted) < 0);
    if (all && wanted.rank == 3)
        return format("the others are [_, %lld, %lld]", wanted.dim[1], wanted.dim[2]);
    return format("%s is %s", branch_name(common), shape_text(wanted));
}

static void report_mismatch(const Node *node, int common, int odd, int axis)
{
    const Tensor *wanted = node->inputs.items[common], *branch = node->inputs.items[odd];
    const char *differs = axis > 0
                              ? format("%s %lld, not %lld", axis_name(branch->shape.rank, axis),
                                       branch->shape.dim[axis], wanted->shape.dim[axis])
                              : "another rank";
    Diagnostic *d = node_error(node, "concat-mismatch", node->span, "concat: %s is %s, %s: %s",
                               branch_name(odd), shape_text(branch->shape),
                               wanted_text(node, common, odd), differs);
    diag_caption(d, "all axes but the channels must be equal");
    label_branches(d, node);
    diag_sizes(d, branch->shape, shape_with(wanted->shape, 0, -1));
}

static bool infer(Node *node)
{
    int common = commonest_input(node);
    Shape wanted = node->inputs.items[common]->shape;
    Int channels = 0;
    for (int i = 0; i < node->inputs.count; i++) {
        Shape shape = node->inputs.items[i]->shape;
        int axis = differing_axis(shape, wanted);
        if (axis >= 0) {
            report_mismatch(node, common, i, axis);
            return false;
        }
        if (__builtin_add_overflow(channels, shape.dim[0], &channels)) {
            node_error(node, "too-large", node->span,
                       "concat: the channels of the branches add up to too many");
            return false;
        }
    }
    node->out_shape = shape_with(wanted, 0, channels);
    return true;
}

const Operator operator_concat = {
    .name = "concat",
    .summary = "Two or more tensors joined along their channels.",
    .shape_rule = "[c1, h, w], [c2, h, w], ... -> [c1 + c2 + ..., h, w]\n"
                  "[n1], [n2], ... -> [n1 + n2 + ...]",
    .formula = "y = x1, then x2, ...",
    .reference = "https://pytorch.org/docs/stable/generated/torch.cat.html",
    .traits = OP_JOINS | OP_CONCATENATES,
    .infer = infer,
};
