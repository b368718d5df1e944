/* upsample.c: an image enlarged by repeating its nearest values.  Its size is
 * given by a whole factor or outright; the factor along an axis need not be
 * whole then.
 */
#include "ops/window.h"

enum { SCALE_FACTOR, SIZE, MODE };

static const char *const modes[] = {"nearest", NULL};

static const ArgSpec args[] = {
    [SCALE_FACTOR] = {"scale_factor", ARG_PAIR, ROLE_SCALE, .positional = true, .otherwise = "none",
                      .minimum = 1, .maximum = LARGEST,
                      .doc = "How many times each row and column is repeated."},
    [SIZE] = {"size", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
              .doc = "Rows and columns of the output, instead of scale_factor."},
    [MODE] = {"mode", ARG_WORD, .otherwise = "nearest", .words = modes,
              .doc = "How values between are had."},
    {0}};

static bool one_is_given(const Node *node)
{
    const ArgValue *factor = &node->args[SCALE_FACTOR], *size = &node->args[SIZE];
    if (factor->given != size->given)
        return true;
    if (!size->given) {
        node_error(node, "missing-argument", node->span, "upsample needs scale_factor or size");
        return false;
    }
    Diagnostic *d = node_error(node, "argument-range", size->span,
                               "upsample takes scale_factor or size, not both");
    diag_label(d, factor->span, "scale_factor");
    return false;
}

static bool infer(Node *node)
{
    if (!one_is_given(node))
        return false;
    Shape in = input_shape(node);
    Int size[2];
    for (int axis = 0; axis < 2; axis++) {
        const Int factors[] = {in.dim[1 + axis], node->args[SCALE_FACTOR].integer[axis]};
        size[axis] = node->args[SIZE].given ? node->args[SIZE].integer[axis]
                                            : saturating_product(2, factors);
    }
    node->out_shape = shape_of(3, in.dim[0], size[0], size[1]);
    return true;
}

enum { MAX_REPEATS = 16 };

static void open_positions(Kernel *kernel, Shape in)
{
    open_pieces(kernel, "c", in.dim[0]);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", in.dim[1]);
    kernel_line(kernel, "for (int column = 0; column < %lld; column++) {", in.dim[2]);
}

/* A value of x and the rows × columns values of y that repeat it. */
static void emit_block(Kernel *kernel, Int rows, Int columns)
{
    const Node *node = kernel->node;
    Shape in = input_shape(node), out = node->out->shape;
    bool forward = kernel->stage == STAGE_FORWARD;
    kernel_line(kernel, "const int64_t at = (c * %lld + row) * %lld + column;", in.dim[1],
                in.dim[2]);
    kernel_line(kernel, "%s + (c * %lld + row * %lld) * %lldL + column * %lld;",
                forward ? "vec *to = y" : "const vec *d = dy", out.dim[1], rows, out.dim[2],
                columns);
    if (!forward)
        kernel_line(kernel, "vec a = %s;", node->accumulate ? "dx[at]" : "{ 0 }");
    kernel_line(kernel, "for (int p = 0; p < %lld; p++) {", rows);
    for (Int q = 0; q < columns; q++)
        if (forward)
            kernel_line(kernel, "to[p * %lld + %lld] = x[at];", out.dim[2], q);
        else
            kernel_line(kernel, "a += d[p * %lld + %lld];", out.dim[2], q);
    kernel_line(kernel, "}");
    if (!forward)
        kernel_line(kernel, "dx[at] = a;");
}

/* Whole factors, the usual case, are written out; others call the reference. */
static bool emit(Kernel *kernel)
{
    Shape in = input_shape(kernel->node), out = kernel->node->out->shape;
    Int rows = out.dim[1] / in.dim[1], columns = out.dim[2] / in.dim[2];
    if (rows * in.dim[1] != out.dim[1] || columns * in.dim[2] != out.dim[2] || rows > MAX_REPEATS
        || columns > MAX_REPEATS)
        return false;
    open_positions(kernel, in);
    emit_block(kernel, rows, columns);
    for (int i = 0; i < 3; i++)
        kernel_line(kernel, "}");
    return true;
}

const Operator operator_upsample = {
    .name = "upsample",
    .summary = "An image enlarged by repeating the nearest value.",
    .shape_rule = "[c, h, w] -> [c, rows*h, columns*w] with [rows, columns] = scale_factor\n"
                  "or [c, rows, columns] with [rows, columns] = size",
    .formula = "y[c, i, j] = x[c, floor(i * h / rows of y), floor(j * w / columns of y)]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Upsample.html",
    .args = args,
    .ranks = RANK(3),
    .window = WINDOW_FITTED,
    .infer = infer,
    .emit = emit,
};
