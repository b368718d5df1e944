/* avg_pool2d.c: the mean of each window. */
#include "kernels/grain/norm.h"
#include "kernels/grain/tiles.h"
#include "kernels/image/image.h"
#include "ops/window.h"

enum { KERNEL_SIZE, STRIDE, PADDING, CEIL_MODE, COUNT_INCLUDE_PAD, DIVISOR_OVERRIDE };

static const ArgSpec args[] = {
    [KERNEL_SIZE] = {"kernel_size", ARG_PAIR, ROLE_KERNEL, .positional = true, .minimum = 1,
                     .maximum = LARGEST, .doc = "Size of the window."},
    [STRIDE] = {"stride", ARG_PAIR, ROLE_STRIDE, .otherwise = "=kernel_size", .minimum = 1,
                .maximum = LARGEST, .doc = "Step of the window."},
    [PADDING] = {"padding", ARG_PAIR, ROLE_PADDING, .otherwise = "0", .maximum = LARGEST,
                 .doc =
                     "Rows and columns of zeros added at both ends, at most half of kernel_size."},
    [CEIL_MODE] = {"ceil_mode", ARG_BOOL, ROLE_CEIL_MODE, .otherwise = "false",
                   .doc = "Rounds the output size up: a last window may hang over the end."},
    [COUNT_INCLUDE_PAD] = {"count_include_pad", ARG_BOOL, .otherwise = "true",
                           .doc = "Whether zeros of the padding count in the mean."},
    [DIVISOR_OVERRIDE] = {"divisor_override", ARG_INT, .otherwise = "none", .minimum = 1,
                          .maximum = LARGEST, .doc = "Divides every window's sum by this instead."},
    {0}};

static bool infer(Node *node)
{
    if (!padding_at_most_half(node) || !infer_window_shape(node, input_shape(node).dim[0]))
        return false;
    return true;
}

/* Every window divides by the same number: none hangs over the padded input,
 * and the padding counts or there is none. */
static bool same_divisor(const Node *node)
{
    bool same = true;
    for (int axis = 0; axis < 2; axis++) {
        Window window = node_window(node, axis);
        Int end = (node->out->shape.dim[1 + axis] - 1) * window.stride + window.kernel;
        same &= end <= input_shape(node).dim[1 + axis] + 2 * window.before;
        same &= window.before == 0 || node->args[COUNT_INCLUDE_PAD].integer[0];
    }
    return same || node->args[DIVISOR_OVERRIDE].given;
}

/* What every window is divided by, where that is one number for all. */
static double divisor_of(const Node *node)
{
    const ArgValue *divisor = &node->args[DIVISOR_OVERRIDE], *size = &node->args[KERNEL_SIZE];
    return divisor->given ? (double)divisor->integer[0]
                          : (double)size->integer[0] * (double)size->integer[1];
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    if (!same_divisor(node))
        return false;
    emit_mean(kernel, layer_axis(node, 0), layer_axis(node, 1), 1 / divisor_of(node));
    return true;
}

/* The zeros of the padding count in no mean. */
static bool is_mean_pool(const Node *node)
{
    bool padded = node->args[PADDING].integer[0] || node->args[PADDING].integer[1];
    return !node->args[DIVISOR_OVERRIDE].given
           && !(padded && node->args[COUNT_INCLUDE_PAD].integer[0]);
}

static bool sums(const Node *node, const Node *sums)
{
    return same_divisor(node) && has_room_for_sums(sums);
}

static bool can_do_image_pool(const Node *node)
{
    return same_divisor(node) && node->args[KERNEL_SIZE].integer[1] <= MAX_IMAGE_TAPS;
}

static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    image_window(image, (ChannelWindow){.kind = WINDOW_MEAN,
                                        .channels = input_shape(node).dim[0],
                                        .rows = layer_axis(node, 0),
                                        .columns = layer_axis(node, 1),
                                        .scale = 1 / divisor_of(node)});
}

const Operator operator_avg_pool2d = {
    .name = "avg_pool2d",
    .summary = "The mean of each window.",
    .shape_rule = "[c, h, w] -> [c, rows, columns]\n"
                  "rows = floor((h + 2*padding - kernel_size)/stride) + 1\n"
                  "columns follow from w in the same way; ceil_mode rounds up",
    .formula = "y[c, i, j] = sum over p, q of\n"
               "             x[c, i*stride + p - padding, j*stride + q - padding] / count\n"
               "count is the window's area within the padded input, or without count_include_pad\n"
               "within the input",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html",
    .args = args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .ranks = RANK(3),
    .window = WINDOW_SLIDES,
    .infer = infer,
    .is_mean_pool = is_mean_pool,
    .can_fuse_sums = sums,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = can_do_image_pool,
};
