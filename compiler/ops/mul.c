/* mul.c: the product of two or more tensors, element by element. */
#include "ops/spread.h"

static bool infer(Node *node)
{
    return infer_spread(node, "mul-mismatch");
}

/* The product of `first` and of all inputs but one; -1: of all.  Alone: 1. */
static const char *product(const Node *node, const char *first, int without)
{
    Text text = {0};
    text_add(&text, "%s", first);
    for (int i = 0; i < node->inputs.count; i++)
        if (i != without)
            text_add(&text, "%s%s", text.length ? " * " : "", spread_element(node, i));
    return text_chars(&text);
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    bool forward = kernel->stage == STAGE_FORWARD;
    emit_spread(kernel,
                forward ? product(node, "", -1) : product(node, spread_dy(node), node->which));
    return true;
}

/* For one image: the product from channel `channel` of position p on. */
static const char *image_product(const ImageKernel *image, const char *channel)
{
    Text text = {0};
    for (int i = 0; i < image->kernel.node->inputs.count; i++)
        text_add(&text, "%s%s", i ? " * " : "", image_spread_element(image, i, channel));
    return text_chars(&text);
}

static void emit_image(ImageKernel *image)
{
    emit_image_spread(image, image_product);
}

const Operator operator_mul = {
    .name = "mul",
    .summary = "The product of two or more tensors, element by element.",
    .shape_rule = "[c, h, w], [c, h, w], ... -> [c, h, w]; or [n], [n], ... -> [n]\n"
                  "an axis of 1 repeats: [c, 1, 1] scales the channels of [c, h, w]",
    .formula = "y = x1 * x2 * ...",
    .reference = "https://pytorch.org/docs/stable/generated/torch.mul.html",
    .traits = OP_JOINS,
    .input_gradient_reads = READS_X,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = spreads_channels,
    .take_row = take_any_row,
};
