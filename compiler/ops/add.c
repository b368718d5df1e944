/* add.c: the sum of two or more tensors: residual connections, and vectors that are added to each
 * row.
 */
#include "ops/spread.h"

static bool infer(Node *node)
{
    return infer_spread_by(node, "add-mismatch", "equal shapes");
}

static const char *sum_of(const Node *node, const char *(*element)(const Node *node, int input))
{
    Text sum = {0};
    for (int i = 0; i < node->inputs.count; i++)
        text_add(&sum, "%s%s", i ? " + " : "", element(node, i));
    return text_chars(&sum);
}

static const char *element(const Node *node, int input)
{
    (void)node;
    return format("x%d[i]", input);
}

/* Of the forward pass: a gradient is the output's own. */
static const char *expression(const Node *node)
{
    return node->stage == STAGE_FORWARD ? sum_of(node, element) : NULL;
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    if (pointwise_expression(node))
        return emit_pointwise(kernel);
    emit_spread(kernel,
                kernel->stage == STAGE_FORWARD ? sum_of(node, spread_element) : spread_dy(node));
    return true;
}

static const char *image_sum(const ImageKernel *image, const char *channel)
{
    Text sum = {0};
    for (int i = 0; i < image->kernel.node->inputs.count; i++)
        text_add(&sum, "%s%s", i ? " + " : "", image_spread_element(image, i, channel));
    return text_chars(&sum);
}

static void emit_image(ImageKernel *image)
{
    emit_image_spread(image, image_sum);
}

const Operator operator_add = {
    .name = "add",
    .summary = "The sum of two or more tensors of equal shapes.",
    .shape_rule = "[c, h, w], [c, h, w], ... -> [c, h, w]; or [n], [n], ... -> [n]\n"
                  "an axis of 1 repeats: [1, d] is added to each row of [t, d]",
    .formula = "y = x1 + x2 + ...",
    .reference = "https://pytorch.org/docs/stable/generated/torch.add.html",
    .traits = OP_JOINS | OP_SUMS | OP_IN_PLACE | OP_TAKES_EPILOGUE,
    .infer = infer,
    .expression = expression,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = spreads_channels,
};
