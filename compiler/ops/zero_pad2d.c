/* zero_pad2d.c: rows and columns of zeros around an image, or cut off it. */
#include "ops/operator.h"

enum { PADDING };

static const ArgSpec args[] = {
    [PADDING] = {"padding", ARG_QUAD, ROLE_PADDING, .positional = true, .minimum = -LARGEST,
                 .maximum = LARGEST,
                 .doc = "Columns and rows added at the sides; a negative number cuts off."},
    {0}};

static bool report_empty(const Node *node, int axis, Int size, Int before, Int after)
{
    const char *along = axis == 0 ? "rows" : "columns";
    Diagnostic *d = node_error(node, "argument-range", node->args[PADDING].span,
                               "zero_pad2d: %lld %s less %lld and %lld leave none", size, along,
                               -before, -after);
    diag_caption(d, "%lld%+lld%+lld = %lld %s", size, before, after, size + before + after, along);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool infer(Node *node)
{
    Shape in = input_shape(node);
    const Int *sides = node->args[PADDING].integer; /* left, right, top, bottom */
    Int rows = in.dim[1] + sides[2] + sides[3], columns = in.dim[2] + sides[0] + sides[1];
    if (rows < 1)
        return report_empty(node, 0, in.dim[1], sides[2], sides[3]);
    if (columns < 1)
        return report_empty(node, 1, in.dim[2], sides[0], sides[1]);
    node->out_shape = shape_of(3, in.dim[0], rows, columns);
    return true;
}

/* A statement for every channel, row and column of what it sets. */
static void emit_rows(Kernel *kernel, Int rows, Int columns, const char *statement)
{
    open_pieces(kernel, "c", input_shape(kernel->node).dim[0]);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", rows);
    kernel_line(kernel, "for (int column = 0; column < %lld; column++) {", columns);
    kernel_line(kernel, "%s", statement);
    for (int i = 0; i < 3; i++)
        kernel_line(kernel, "}");
}

/* "the value at (row - down, column - right) of `from`, or 0 outside": one test of
 * each index, unsigned so that negatives are outside too. */
static const char *value_or_zero(const char *from, Shape shape, Int down, Int right)
{
    return format("(unsigned)(row - %lld) < %lld && (unsigned)(column - %lld) < %lld ? "
                  "%s[(c * %lld + row - %lld) * %lldL + column - %lld] : (vec){ 0 };",
                  down, shape.dim[1], right, shape.dim[2], from, shape.dim[1], down, shape.dim[2],
                  right);
}

/* The gradient is padding by the opposite numbers. */
static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    const Int *sides = node->args[PADDING].integer;
    Shape in = input_shape(node), out = node->out->shape;
    bool forward = kernel->stage == STAGE_FORWARD;
    const Shape *to = forward ? &out : &in;
    const char *becomes = format("%s[(c * %lld + row) * %lldL + column] %s ", forward ? "y" : "dx",
                                 to->dim[1], to->dim[2], !forward && node->accumulate ? "+=" : "=");
    const char *value = forward ? value_or_zero("x", in, sides[2], sides[0])
                                : value_or_zero("dy", out, -sides[2], -sides[0]);
    emit_rows(kernel, to->dim[1], to->dim[2], format("%s%s", becomes, value));
    return true;
}

const Operator operator_zero_pad2d = {
    .name = "zero_pad2d",
    .summary = "Zeros around an image.",
    .shape_rule = "[c, h, w] -> [c, top + h + bottom, left + w + right]",
    .formula = "y[c, i, j] = x[c, i - top, j - left] inside the image, 0 outside",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.ZeroPad2d.html",
    .args = args,
    .ranks = RANK(3),
    .infer = infer,
    .emit = emit,
};
