/* constant.c: a tensor of known values, the same for all images: never trained, and not in the
 * state.  A list is a table in the C file.
 */
#include "ops/source.h"

enum { SHAPE, VALUE };

static const ArgSpec args[] = {
    [SHAPE] = SHAPE_ARGUMENT,
    [VALUE] = {"value", ARG_VALUES, .positional = true, .minimum = -1e30, .maximum = 1e30,
               .doc = "A number for all values, or a list of as many, row by row."},
    {0}};

static bool is_filled(const Node *node)
{
    return node->args[VALUE].count == 1;
}

static bool infer(Node *node)
{
    const ArgValue *shape = &node->args[SHAPE], *value = &node->args[VALUE];
    if (!infer_source_shape(node))
        return false;
    if (is_filled(node))
        return true;
    Parameter *table = node_parameter(node, "weight", PARAMETER_CONSTANT, (Init){0}, shape->count,
                                      shape->integer, 1, 1);
    table->values = value->reals;
    if (table->elements == 0 || table->elements == value->count)
        return true;
    Diagnostic *d = node_error(node, "argument-type", value->span,
                               "constant of %s has %lld values, and the list has %d",
                               shape_text(node->out_shape), table->elements, value->count);
    diag_caption(d, "%s = %lld", product_text(shape->count, shape->integer), table->elements);
    return false;
}

static const char *filled_value(const Node *node)
{
    return format("splat((real)%.17g)", node->args[VALUE].real);
}

static bool emit(Kernel *kernel)
{
    emit_source(kernel, is_filled(kernel->node) ? filled_value(kernel->node) : "splat(weight[i])");
    return true;
}

static void emit_image(ImageKernel *image)
{
    if (is_filled(image->kernel.node))
        image_filled(image, filled_value(image->kernel.node));
    else
        image_source(image, "weight");
}

/* One row, or one value, for all steps. */
static bool take_row(Node *row, Int steps)
{
    (void)steps;
    return row->sequence->out->shape.dim[0] == 1 || is_filled(row);
}

const Operator operator_constant = {
    .name = "constant",
    .summary = "A tensor of known values, the same for all images; begins a chain as `from` does.",
    .shape_rule = "no input -> [shape]",
    .formula = "y = value; not trained, and not in the state",
    .reference = "https://pytorch.org/docs/stable/generated/torch.tensor.html",
    .args = args,
    .traits = OP_SOURCE | OP_TAKES_EPILOGUE,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_row,
};
