/* upsample.c: axes enlarged (or reduced), by a factor or to a size.  Values between those that are
 * there are the nearest one, or made of their neighbours along each axis.
 */
#include "ops/window.h"

#include <math.h>

enum { SCALE_FACTOR, SIZE, MODE, ALIGN_CORNERS };

/* Each linear mode is of so many axes behind the channels, and cubic is of two; as in PyTorch. */
static const char *const modes[] = {"nearest",   "linear",        "bilinear", "bicubic",
                                    "trilinear", "nearest-exact", NULL};

static const ArgSpec args[] = {
    [SCALE_FACTOR] = {"scale_factor", ARG_VALUES, ROLE_SCALE, .positional = true,
                      .otherwise = "none", .minimum = 1e-3, .maximum = 65536,
                      .doc = "How many times larger each axis behind the channels becomes: one "
                             "number for all, or one for each."},
    [SIZE] = {"size", ARG_INTS, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
              .doc = "Sizes of those axes of the output, instead of scale_factor."},
    [MODE] = {"mode", ARG_WORD, .otherwise = "nearest", .words = modes,
              .doc = "How values between are had."},
    [ALIGN_CORNERS] = {"align_corners", ARG_BOOL, .otherwise = "false",
                       .doc =
                           "Whether the first and the last values stay at the ends; of the modes "
                           "that are not nearest."},
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

static bool is_mode(const Node *node, const char *word)
{
    return node->args[MODE].word == intern(word);
}

static bool is_nearest(const Node *node)
{
    return is_mode(node, "nearest") || is_mode(node, "nearest-exact");
}

static bool mode_fits(const Node *node)
{
    static const char *const by_axes[] = {"linear", "bilinear", "trilinear"};
    int axes = input_shape(node).rank - 1;
    const ArgValue *corners = &node->args[ALIGN_CORNERS];
    if (corners->given && corners->integer[0] && is_nearest(node)) {
        Diagnostic *d =
            node_error(node, "argument-range", corners->span,
                       "upsample: align_corners has no meaning for mode=%s", node->args[MODE].word);
        diag_help(d, "mode=%s, or leave it out", by_axes[axes - 1]);
        return false;
    }
    if (is_nearest(node) || is_mode(node, by_axes[axes - 1])
        || (axes == 2 && is_mode(node, "bicubic")))
        return true;
    Diagnostic *d =
        node_error(node, "argument-range", node->args[MODE].span, "upsample: mode=%s is not of %s",
                   node->args[MODE].word, shape_text(input_shape(node)));
    diag_caption(d, "mode=%s is", by_axes[axes - 1]);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool count_fits(const Node *node)
{
    int axes = input_shape(node).rank - 1;
    const ArgValue *given = &node->args[node->args[SIZE].given ? SIZE : SCALE_FACTOR];
    if (given->count == 1 || given->count == axes)
        return true;
    Diagnostic *d = node_error(node, "argument-range", given->span,
                               "upsample takes one number or %d, not %d", axes, given->count);
    diag_caption(d, "one for each axis behind the channels");
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* The factor that was asked for along an axis; 0: a size was. */
static double factor_of(const Node *node, int axis)
{
    const ArgValue *factor = &node->args[SCALE_FACTOR];
    return factor->given ? factor->reals[factor->count == 1 ? 0 : axis - 1] : 0;
}

static Int size_of(const Node *node, int axis)
{
    const ArgValue *size = &node->args[SIZE];
    if (size->given)
        return size->integer[size->count == 1 ? 0 : axis - 1];
    return (Int)floor((double)input_shape(node).dim[axis] * factor_of(node, axis));
}

static bool infer(Node *node)
{
    if (!one_is_given(node) || !count_fits(node) || !mode_fits(node))
        return false;
    node->out_shape = input_shape(node);
    for (int axis = 1; axis < node->out_shape.rank; axis++) {
        node->out_shape.dim[axis] = size_of(node, axis);
        if (node->out_shape.dim[axis] >= 1)
            continue;
        Diagnostic *d =
            node_error(node, "argument-range", node->args[SCALE_FACTOR].span,
                       "upsample: nothing is left of %s %lld",
                       axis_name(node->out_shape.rank, axis), input_shape(node).dim[axis]);
        diag_caption(d, "%lld * %.10g is less than 1", input_shape(node).dim[axis],
                     factor_of(node, axis));
        node_derivation(d, node->inputs.items[0]);
        return false;
    }
    return true;
}

/* -------------------------------------------- nearest, by whole factors */

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

/* Whether nothing else than this factor was asked for. */
static bool is_factor(const Node *node, int axis, Int whole)
{
    double factor = factor_of(node, axis);
    return factor == 0 || factor == (double)whole;
}

/* Whether the usual case is: a whole factor, of which the values' repeats are written out. */
static bool emit_repeats(Kernel *kernel)
{
    Shape in = input_shape(kernel->node), out = kernel->node->out->shape;
    if (!is_nearest(kernel->node) || in.rank != 3)
        return false;
    Int rows = out.dim[1] / in.dim[1], columns = out.dim[2] / in.dim[2];
    if (rows * in.dim[1] != out.dim[1] || columns * in.dim[2] != out.dim[2] || rows > MAX_REPEATS
        || columns > MAX_REPEATS || !is_factor(kernel->node, 1, rows)
        || !is_factor(kernel->node, 2, columns))
        return false;
    open_positions(kernel, in);
    emit_block(kernel, rows, columns);
    for (int i = 0; i < 3; i++)
        kernel_line(kernel, "}");
    return true;
}

/* --------------------------------------------- by taps along each axis */

enum { MAX_POSITIONS = 2048 }; /* along an axis: its taps lie on the stack */

static const char *resize_word(const Node *node)
{
    return is_mode(node, "nearest")         ? "NET_NEAREST"
           : is_mode(node, "nearest-exact") ? "NET_NEAREST_EXACT"
           : is_mode(node, "bicubic")       ? "NET_CUBIC"
                                            : "NET_LINEAR";
}

static int taps_of(const Node *node)
{
    return is_nearest(node) ? 1 : is_mode(node, "bicubic") ? 4 : 2;
}

static void emit_tables(Kernel *kernel, int taps)
{
    const Node *node = kernel->node;
    Shape in = input_shape(node), out = node->out->shape;
    for (int axis = 1; axis < in.rank; axis++) {
        Int count = out.dim[axis] * taps;
        kernel_line(kernel, "int64_t at%d[%lld];", axis, count);
        kernel_line(kernel, "real weight%d[%lld];", axis, count);
        kernel_line(kernel, "net_resize_axis(%s, %lld, %lld, %.17g, %s, at%d, weight%d);",
                    resize_word(node), in.dim[axis], out.dim[axis], factor_of(node, axis),
                    node->args[ALIGN_CORNERS].integer[0] ? "true" : "false", axis, axis);
    }
}

/* Loops over an output's positions, and in them over its taps. */
static void open_tap_loops(Kernel *kernel, int taps)
{
    const Node *node = kernel->node;
    Shape in = input_shape(node), out = node->out->shape;
    for (int axis = 1; axis < in.rank; axis++)
        kernel_line(kernel, "for (int i%d = 0; i%d < %lld; i%d++) {", axis, axis, out.dim[axis],
                    axis);
    kernel_line(kernel,
                kernel->stage == STAGE_FORWARD ? "vec sum = { 0 };" : "const vec d = *from++;");
    for (int axis = 1; axis < in.rank; axis++) {
        const char *tap = format("i%d * %d + t%d", axis, taps, axis);
        kernel_line(kernel, "for (int t%d = 0; t%d < %d; t%d++) {", axis, axis, taps, axis);
        kernel_line(kernel, "const int64_t s%d = %sat%d[%s];", axis,
                    axis > 1 ? format("s%d * %lld + ", axis - 1, in.dim[axis]) : "", axis, tap);
        kernel_line(kernel, "const real w%d = %sweight%d[%s];", axis,
                    axis > 1 ? format("w%d * ", axis - 1) : "", axis, tap);
    }
}

static void close_loops(Kernel *kernel, int count)
{
    for (int i = 0; i < count; i++)
        kernel_line(kernel, "}");
}

static bool emit_taps(Kernel *kernel)
{
    const Node *node = kernel->node;
    Shape in = input_shape(node), out = node->out->shape;
    bool forward = kernel->stage == STAGE_FORWARD;
    int taps = taps_of(node), last = in.rank - 1;
    for (int axis = 1; axis < in.rank; axis++)
        if (out.dim[axis] > MAX_POSITIONS)
            return false;
    emit_tables(kernel, taps);
    open_pieces(kernel, "c", in.dim[0]);
    kernel_line(kernel, "%svec *plane = %s + c * %lldL;", forward ? "const " : "",
                forward ? "x" : "dx", shape_plane(in));
    kernel_line(kernel, "%s + c * %lldL;", forward ? "vec *to = y" : "const vec *from = dy",
                shape_plane(out));
    if (!forward && !node->accumulate) {
        kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++)", shape_plane(in));
        kernel_line(kernel, "    plane[i] = splat(0);");
    }
    open_tap_loops(kernel, taps);
    kernel_line(kernel, forward ? "sum += plane[s%d] * w%d;" : "plane[s%d] += d * w%d;", last,
                last);
    close_loops(kernel, last);
    if (forward)
        kernel_line(kernel, "*to++ = sum;");
    close_loops(kernel, last + 1);
    return true;
}

static bool emit(Kernel *kernel)
{
    return emit_repeats(kernel) || emit_taps(kernel);
}

const Operator operator_upsample = {
    .name = "upsample",
    .summary = "The axes behind the channels enlarged: the nearest value, or one between values.",
    .shape_rule =
        "[c, h, w] -> [c, rows*h, columns*w] with [rows, columns] = scale_factor\n"
        "or [c, rows, columns] with [rows, columns] = size; likewise [c, t], [c, d, h, w]",
    .formula = "nearest: y[c, i, j] = x[c, floor(i * h / rows of y), floor(j * w / columns of y)]\n"
               "others: the value at (i + 0.5) * h / rows of y - 0.5, or with align_corners at\n"
               "i * (h - 1) / (rows of y - 1), of two or, bicubic, of four values along each axis",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Upsample.html",
    .args = args,
    .ranks = RANK(2) | RANK(3) | RANK(4),
    .window = WINDOW_FITTED,
    .infer = infer,
    .emit = emit,
};
