/* spread.c: see spread.h.  A [c, 1, 1] with a [c, h, w] is squeeze-and-excitation's (Hu et al.
 * 2017, https://arxiv.org/abs/1709.01507), the language's only broadcast. */
#include "ops/spread.h"

/* Whether `part` has the shape of `whole`, or a value for each of its channels. */
static bool spreads(Shape part, Shape whole)
{
    return shape_equal(part, whole)
           || (part.rank == 3 && whole.rank == 3 && part.dim[0] == whole.dim[0] && part.dim[1] == 1
               && part.dim[2] == 1);
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

bool infer_spread(Node *node, const char *code)
{
    int widest = widest_input(node);
    Shape whole = node->inputs.items[widest]->shape;
    node->out_shape = whole;
    for (int i = 0; i < node->inputs.count; i++) {
        Shape part = node->inputs.items[i]->shape;
        if (spreads(part, whole))
            continue;
        Diagnostic *d =
            node_error(node, code, node->span,
                       "%s needs equal shapes, or [c, 1, 1] with [c, h, w]: %s is %s, %s is %s",
                       node->op->name, branch_name(widest), shape_text(whole), branch_name(i),
                       shape_text(part));
        label_branches(d, node);
        diag_sizes(d, part, whole);
        return false;
    }
    return true;
}

bool is_spread(const Node *node, int input)
{
    return !shape_equal(node->inputs.items[input]->shape, node->out->shape);
}

/* --------------------------------------------------------- of a grain */

const char *spread_element(const Node *node, int input)
{
    return format(is_spread(node, input) ? "x%d[c]" : "x%d[c * %lldL + i]", input,
                  shape_plane(node->out->shape));
}

const char *spread_dy(const Node *node)
{
    return format("dy[c * %lldL + i]", shape_plane(node->out->shape));
}

/* The gradient of what is each channel's is a sum over the channel. */
static void emit_channel_sums(Kernel *kernel, const char *gradient)
{
    Int plane = shape_plane(kernel->node->out->shape);
    kernel_line(kernel, "vec sum = { 0 };");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++)", plane);
    kernel_line(kernel, "    sum += %s;", gradient);
    kernel_line(kernel, "dx[c] %s sum;", kernel->node->accumulate ? "+=" : "=");
}

void emit_spread(Kernel *kernel, const char *value)
{
    const Node *node = kernel->node;
    Shape shape = node->out->shape;
    Int plane = shape_plane(shape);
    bool forward = kernel->stage == STAGE_FORWARD;
    open_pieces(kernel, "c", shape.dim[0]);
    if (!forward && is_spread(node, node->which)) {
        emit_channel_sums(kernel, value);
    } else {
        kernel_line(kernel, "for (int i = 0; i < %lld; i++)", plane);
        kernel_line(kernel, "    %s[c * %lldL + i] %s %s;", forward ? "y" : "dx", plane,
                    !forward && node->accumulate ? "+=" : "=", value);
    }
    kernel_line(kernel, "}");
}

/* ------------------------------------------------------- of one image */

const char *image_spread_element(const ImageKernel *image, int input, const char *channel)
{
    Int stride = is_spread(image->kernel.node, input) ? 0 : image->x_strides.items[input];
    return format("*(const unaligned_vec *)(x%d + p * %lldL + %s)", input, stride, channel);
}

void emit_image_spread(ImageKernel *image,
                       const char *(*value)(const ImageKernel *image, const char *channel))
{
    Kernel *kernel = &image->kernel;
    Shape shape = kernel->node->out->shape;
    Int channels = shape.dim[0], whole = channels / kernel->lanes * kernel->lanes;
    open_pieces(kernel, "p", shape_plane(shape));
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        image_store(image, "p", "c", kernel->lanes, value(image, "c"));
        kernel_line(kernel, "}");
    }
    const char *last = format("%lld", whole);
    if (whole < channels)
        image_store(image, "p", last, channels - whole, value(image, last));
    kernel_line(kernel, "}");
}
