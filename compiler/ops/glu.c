/* glu.c: the gated linear unit: one half of an axis times the sigmoid of the other.
 *
 * Along the axis x has twice as many values as y; those of an index along the axes before it are
 * two stretches of `stretch` values, the second of which are gates.
 */
#include "kernels/image/image.h"
#include "ops/operator.h"

enum { AXIS };

static const ArgSpec args[] = {
    [AXIS] = {"axis", ARG_INT, .positional = true, .otherwise = "-1", .minimum = -MAX_RANK,
              .maximum = MAX_RANK - 1, .doc = "Of which the second half is gates; -1 is the last."},
    {0}};

static bool infer(Node *node)
{
    int axis;
    if (!node_axis(node, AXIS, &axis))
        return false;
    Shape in = input_shape(node);
    if (in.dim[axis] % 2 == 0) {
        node->args[AXIS].integer[0] = axis;
        node->out_shape = shape_with(in, axis, in.dim[axis] / 2);
        return true;
    }
    Diagnostic *d = node_error(node, "argument-range", node->span,
                               "glu takes an even number of %s, half of them gates, not %lld",
                               axis_name(in.rank, axis), in.dim[axis]);
    diag_caption(d, "%s has an odd axis %d", shape_text(in), axis);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static Int stretch_of(const Node *node)
{
    Int stretch = 1;
    for (int axis = (int)node->args[AXIS].integer[0]; axis < node->out->shape.rank; axis++)
        stretch *= node->out->shape.dim[axis];
    return stretch;
}

/* The loops over y; the axes before give the outer one, where they are more than one value. */
static void open_values(Kernel *kernel, Int stretch)
{
    Int outer = shape_elements(kernel->node->out->shape) / stretch;
    if (outer > 1) {
        open_pieces(kernel, "o", outer);
        kernel_line(kernel, "for (int64_t r = 0; r < %lld; r++) {", stretch);
    } else {
        open_pieces(kernel, "r", stretch);
        kernel_line(kernel, "const int64_t o = 0;");
    }
    kernel_line(kernel, "const int64_t i = o * %lldL + r, at = o * %lldL + r;", stretch,
                2 * stretch);
    kernel_line(kernel, "const vec open = vec_sigmoid(x[at + %lld]);", stretch);
}

static void close_values(Kernel *kernel, Int stretch)
{
    if (shape_elements(kernel->node->out->shape) > stretch)
        kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static void store_gradient(Kernel *kernel, const char *at, const char *gradient)
{
    kernel_store(kernel, format("dx[%s]", at), at,
                 kernel->node->accumulate ? format("dx[%s] + %s", at, gradient) : gradient);
}

static bool emit(Kernel *kernel)
{
    Int stretch = stretch_of(kernel->node);
    open_values(kernel, stretch);
    if (kernel->stage == STAGE_FORWARD) {
        kernel_store(kernel, "y[i]", "i", "x[at] * open");
    } else {
        store_gradient(kernel, "at", "dy[i] * open");
        store_gradient(kernel, format("at + %lld", stretch),
                       "dy[i] * x[at] * open * ((real)1 - open)");
    }
    close_values(kernel, stretch);
    return true;
}

/* Of one image the first axis lies innermost: its gates lie behind it at each position; those of
 * another axis, whole positions on. */
static void emit_image(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    const Node *node = kernel->node;
    bool first = node->args[AXIS].integer[0] == 0;
    Int channels = node->out->shape.dim[0], lanes = kernel->lanes, whole = channels / lanes * lanes;
    Int stretch = first ? 1 : stretch_of(node),
        gates = first ? channels : stretch * image->x_stride;
    open_pieces(kernel, "p", shape_plane(node->out->shape));
    if (first)
        kernel_line(kernel, "const real *v = x + p * %lldL;", image->x_stride);
    else
        kernel_line(kernel, "const real *v = x + (p + p / %lld * %lld) * %lldL;", stretch, stretch,
                    image->x_stride);
    const char *load = "*(const unaligned_vec *)";
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        image_store(image, "p", "c", lanes,
                    format("%s(v + c) * vec_sigmoid(%s(v + c + %lldL))", load, load, gates));
        kernel_line(kernel, "}");
    }
    if (whole < channels)
        image_store(
            image, "p", format("%lld", whole), channels - whole,
            format("%s(v + %lld) * vec_sigmoid(%s(v + %lldL))", load, whole, load, whole + gates));
    kernel_line(kernel, "}");
}

/* Along another axis than that of the steps. */
static bool take_row(Node *row, Int steps)
{
    (void)steps;
    return take_row_of_axis(row, AXIS);
}

const Operator operator_glu = {
    .name = "glu",
    .summary = "Gated linear unit: the first half of an axis times the sigmoid of the second.",
    .shape_rule = "[t, 2*d] -> [t, d]; with axis=0 [2*c, h, w] -> [c, h, w]",
    .formula = "y = a * sigmoid(b), where a and b are the axis's halves",
    .reference = "Dauphin et al. 2016, https://arxiv.org/abs/1612.08083\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.GLU.html",
    .args = args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_row,
};
