/* reshape.c: the same values in their order under another shape, so it moves nothing. */
#include "ops/operator.h"

enum { SHAPE };

static const ArgSpec args[] = {
    [SHAPE] = {"shape", ARG_SHAPE, .positional = true, .minimum = 1, .maximum = LARGEST,
               .doc =
                   "Sizes of the output, [channels, height, width] or of another rank; _ is what "
                   "is left over."},
    {0}};

static Diagnostic *report_sizes(const Node *node, const char *text)
{
    Shape in = input_shape(node);
    Diagnostic *d = node_error(node, "shape-mismatch", node->args[SHAPE].span,
                               "reshape cannot make %s of %s", text, shape_text(in));
    diag_caption(d, "%s = %lld values", product_text(in.rank, in.dim), shape_elements(in));
    node_derivation(d, node->inputs.items[0]);
    return d;
}

static bool infer(Node *node)
{
    const ArgValue *shape = &node->args[SHAPE];
    Int elements = shape_elements(input_shape(node)), given = 1;
    int open = -1;
    for (int i = 0; i < shape->count; i++) {
        if (shape->integer[i] == OPEN_SIZE && open >= 0) {
            node_error(node, "shape-mismatch", shape->span,
                       "only one size of reshape can be what is left over");
            return false;
        }
        if (shape->integer[i] == OPEN_SIZE)
            open = i;
        else if (__builtin_mul_overflow(given, shape->integer[i], &given))
            given = INT64_MAX;
    }
    node->out_shape = shape_from(shape->count, shape->integer);
    if (open >= 0 && elements % given == 0)
        node->out_shape.dim[open] = elements / given;
    else if (open >= 0 || given != elements)
        return report_sizes(node, sizes_text(shape)) == NULL;
    return true;
}

const Operator operator_reshape = {
    .name = "reshape",
    .summary = "The same values, in their order, under another shape.",
    .shape_rule = "any shape -> shape, of as many values",
    .formula = "y[i] = x[i], counted through all axes, the last one fastest",
    .reference = "https://pytorch.org/docs/stable/generated/torch.reshape.html",
    .args = args,
    .traits = OP_VIEW | OP_ARRANGES | OP_WHOLE,
    .infer = infer,
};
