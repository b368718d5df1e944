/* mul.c: the product of two or more tensors, element by element.  A [c, 1, 1]
 * scales the channels of a [c, h, w]: squeeze-and-excitation (Hu et al. 2017,
 * https://arxiv.org/abs/1709.01507), the language's only broadcast.
 */
#include "kernels/image/image.h"
#include "ops/operator.h"

/* Whether `part` scales `whole`'s channels, or has its shape. */
static bool multiplies(Shape part, Shape whole)
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

static bool infer(Node *node)
{
    int widest = widest_input(node);
    Shape whole = node->inputs.items[widest]->shape;
    node->out_shape = whole;
    for (int i = 0; i < node->inputs.count; i++) {
        Shape part = node->inputs.items[i]->shape;
        if (multiplies(part, whole))
            continue;
        Diagnostic *d =
            node_error(node, "mul-mismatch", node->span,
                       "mul needs equal shapes, or [c, 1, 1] with [c, h, w]: %s is %s, %s is %s",
                       branch_name(widest), shape_text(whole), branch_name(i), shape_text(part));
        label_branches(d, node);
        diag_sizes(d, part, whole);
        return false;
    }
    return true;
}

/* Input i's value at i of channel c's plane: its own, or the channel's one. */
static const char *factor(const Node *node, int i)
{
    bool scales = !shape_equal(node->inputs.items[i]->shape, node->out->shape);
    return format(scales ? "x%d[c]" : "x%d[c * %lldL + i]", i, shape_plane(node->out->shape));
}

/* The product of `first` and of all inputs but one; -1: of all.  Alone: 1. */
static const char *product(const Node *node, const char *first, int without)
{
    Text text = {0};
    text_add(&text, "%s", first);
    for (int i = 0; i < node->inputs.count; i++)
        if (i != without)
            text_add(&text, "%s%s", text.length ? " * " : "", factor(node, i));
    return text_chars(&text);
}

/* The gradient of what scales a channel is a sum over the channel. */
static void emit_channel_sums(Kernel *kernel, const char *gradient)
{
    Int plane = shape_plane(kernel->node->out->shape);
    kernel_line(kernel, "vec sum = { 0 };");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++)", plane);
    kernel_line(kernel, "    sum += %s;", gradient);
    kernel_line(kernel, "dx[c] %s sum;", kernel->node->accumulate ? "+=" : "=");
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Shape shape = node->out->shape;
    Int plane = shape_plane(shape);
    bool forward = kernel->stage == STAGE_FORWARD;
    const char *at = format("c * %lldL + i", plane), *dy = format("dy[%s]", at);
    open_pieces(kernel, "c", shape.dim[0]);
    if (!forward && !shape_equal(node->inputs.items[node->which]->shape, shape)) {
        emit_channel_sums(kernel, product(node, dy, node->which));
    } else {
        kernel_line(kernel, "for (int i = 0; i < %lld; i++)", plane);
        if (forward)
            kernel_line(kernel, "    y[%s] = %s;", at, product(node, "", -1));
        else
            kernel_line(kernel, "    dx[%s] %s %s;", at, node->accumulate ? "+=" : "=",
                        product(node, dy, node->which));
    }
    kernel_line(kernel, "}");
    return true;
}

/* For one image: the product from channel `channel` of position p on. */
static const char *image_product(const ImageKernel *image, const char *channel)
{
    const Node *node = image->kernel.node;
    Text text = {0};
    for (int i = 0; i < node->inputs.count; i++) {
        Int stride = shape_equal(node->inputs.items[i]->shape, node->out->shape)
                         ? image->x_strides.items[i]
                         : 0;
        text_add(&text, "%s*(const unaligned_vec *)(x%d + p * %lldL + %s)", i ? " * " : "", i,
                 stride, channel);
    }
    return text_chars(&text);
}

static void emit_image(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    Shape shape = kernel->node->out->shape;
    Int channels = shape.dim[0], whole = channels / kernel->lanes * kernel->lanes;
    open_pieces(kernel, "p", shape_plane(shape));
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        image_store(image, "p", "c", kernel->lanes, image_product(image, "c"));
        kernel_line(kernel, "}");
    }
    const char *last = format("%lld", whole);
    if (whole < channels)
        image_store(image, "p", last, channels - whole, image_product(image, last));
    kernel_line(kernel, "}");
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
    .emit = emit,
    .emit_image = emit_image,
};
