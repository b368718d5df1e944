/* parameter.c: a trained tensor, the same for all images.  A chain begins with it, as with `from`.
 *
 * In the state it bears the statement's own name, as PyTorch's nn.Parameter bears that of its
 * attribute.
 */
#include "ops/source.h"

enum { SHAPE, INIT };

static const ArgSpec args[] = {
    [SHAPE] = SHAPE_ARGUMENT,
    [INIT] = {"init", ARG_INIT, .positional = true,
              .doc = "How it begins: zeros, ones, a number, normal(std=0.02), "
                     "trunc_normal(std=0.02), …"},
    {0}};

static bool has_fans(const Node *node)
{
    const ArgValue *init = &node->args[INIT], *shape = &node->args[SHAPE];
    const char *fault =
        initialiser_fault(init->init, init->init_args, shape->count, shape->integer);
    if (fault) {
        node_error(node, "argument-type", init->span, "%s", fault);
        return false;
    }
    if (!init->init->fans || shape->count >= 2)
        return true;
    Diagnostic *d = node_error(node, "argument-type", init->span,
                               "%s needs a fan_in and a fan_out, and %s has one dimension",
                               init->word, node->path);
    diag_help(d, "normal, uniform, trunc_normal or constant; or two dimensions");
    return false;
}

static bool infer(Node *node)
{
    const ArgValue *shape = &node->args[SHAPE], *init = &node->args[INIT];
    if (!infer_source_shape(node) || !has_fans(node))
        return false;
    Parameter *parameter = node_parameter(node, "weight", PARAMETER_TRAINED, (Init){0},
                                          shape->count, shape->integer, 1, 1);
    parameter->path = node->path;
    initialise_parameter(parameter, init->init, init->init_args);
    return true;
}

enum { ROWS_AT_ONCE = 256 }; /* of a piece: sums of so many rows of lanes */

static void emit_gradient(Kernel *kernel, Int elements)
{
    open_stepped_pieces(kernel, "i", 0, elements, ROWS_AT_ONCE);
    if (elements % ROWS_AT_ONCE == 0)
        kernel_line(kernel, "sum_rows(dweight + i, dy + i, %d);", ROWS_AT_ONCE);
    else
        kernel_line(kernel,
                    "sum_rows(dweight + i, dy + i, (int)(%lldL - i < %d ? %lldL - i : %d));",
                    elements, ROWS_AT_ONCE, elements, ROWS_AT_ONCE);
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    if (kernel->stage == STAGE_FORWARD)
        emit_source(kernel, "splat(weight[i])");
    else
        emit_gradient(kernel, shape_elements(kernel->node->out->shape));
    return true;
}

/* Packed as weights of one input at as many taps as there are positions: so it lies as the image
 * does, behind a row of terms. */
static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    Shape shape = node->out->shape;
    image->packing = (Packing){.weight = node->parameters.items[0],
                               .groups = 1,
                               .outs = shape.dim[0],
                               .ins = 1,
                               .rows = 1,
                               .columns = shape_plane(shape),
                               .block = shape.dim[0],
                               .last = shape.dim[0]};
    image_source(image, format("w + %lld", shape.dim[0]));
}

/* A row for each step, or one for all. */
static bool take_row(Node *row, Int steps)
{
    Shape shape = row->sequence->out->shape;
    return shape.rank <= 2 && (shape.dim[0] == steps || shape.dim[0] == 1);
}

/* Packed as weights of as many inputs as there are rows: one row lies behind the other. */
static void emit_row(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    Int rows = node->sequence->out->shape.dim[0], values = node->out->shape.dim[0];
    image->packing = (Packing){.weight = node->parameters.items[0],
                               .groups = 1,
                               .outs = values,
                               .ins = rows,
                               .rows = 1,
                               .columns = 1,
                               .block = values,
                               .last = values,
                               .transposed = true};
    image->kernel.splits = false;
    image_source(image, format("w + %s * %lldL", rows > 1 ? "(1 + s->row)" : "1", values));
}

const Operator operator_parameter = {
    .name = "parameter",
    .summary =
        "A trained tensor of its own, the same for all images; begins a chain as `from` does.",
    .shape_rule = "no input -> [shape]",
    .formula = "y = weight; in the state the weight bears the statement's own name",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html",
    .args = args,
    .traits = OP_SOURCE | OP_TAKES_EPILOGUE,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_row,
    .emit_row = emit_row,
};
