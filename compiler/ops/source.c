/* source.c: see source.h. */
#include "ops/source.h"

bool infer_source_shape(Node *node)
{
    const ArgValue *shape = &node->args[0];
    for (int axis = 0; axis < shape->count; axis++)
        if (shape->integer[axis] == OPEN_SIZE) {
            Diagnostic *d =
                node_error(node, "not-a-dimension", shape->span,
                           "%s has no input that could say what `_` is", node->op->name);
            diag_help(d, "write the size");
            return false;
        }
    node->out_shape = shape_from(shape->count, shape->integer);
    return true;
}

void emit_source(Kernel *kernel, const char *value)
{
    open_pieces(kernel, "i", shape_elements(kernel->node->out->shape));
    kernel_store(kernel, "y[i]", "i", value);
    kernel_line(kernel, "}");
}

/* One position's channels after the other; `at` the position, `channel` the first of a vector. */
static void fill_positions(ImageKernel *image, const char *whole_value, const char *last_value)
{
    Kernel *kernel = &image->kernel;
    Shape shape = kernel->node->out->shape;
    Int channels = shape.dim[0], whole = channels / kernel->lanes * kernel->lanes;
    open_pieces(kernel, "p", shape_plane(shape));
    if (whole > 0) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        image_store(image, "p", "c", kernel->lanes, whole_value);
        kernel_line(kernel, "}");
    }
    if (whole < channels)
        image_store(image, "p", format("%lld", whole), channels - whole, last_value);
    kernel_line(kernel, "}");
}

void image_source(ImageKernel *image, const char *from)
{
    Int channels = image->kernel.node->out->shape.dim[0],
        whole = channels / image->kernel.lanes * image->kernel.lanes;
    fill_positions(
        image, format("*(const unaligned_vec *)(%s + p * %lldL + c)", from, channels),
        format("*(const unaligned_vec *)(%s + p * %lldL + %lld)", from, channels, whole));
}

void image_filled(ImageKernel *image, const char *value)
{
    fill_positions(image, value, value);
}
