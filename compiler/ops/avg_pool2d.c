/* avg_pool2d.c: the mean of each window, along one, two or three axes. */
#include "kernels/grain/norm.h"
#include "kernels/grain/tiles.h"
#include "kernels/image/image.h"
#include "ops/window.h"

/* Along one axis PyTorch has no divisor_override. */
enum { KERNEL_SIZE, STRIDE, PADDING, CEIL_MODE, COUNT_INCLUDE_PAD, DIVISOR_OVERRIDE };

/* clang-format off */
#define ARGUMENTS(sizes, what) \
    [KERNEL_SIZE] = {"kernel_size", sizes, ROLE_KERNEL, .positional = true, .minimum = 1, \
                     .maximum = LARGEST, .doc = "Size of the window."}, \
    [STRIDE] = {"stride", sizes, ROLE_STRIDE, .otherwise = "=kernel_size", .minimum = 1, \
                .maximum = LARGEST, .doc = "Step of the window."}, \
    [PADDING] = {"padding", sizes, ROLE_PADDING, .otherwise = "0", .maximum = LARGEST, \
                 .doc = what " of zeros added at both ends, at most half of kernel_size."}, \
    [CEIL_MODE] = {"ceil_mode", ARG_BOOL, ROLE_CEIL_MODE, .otherwise = "false", \
                   .doc = "Rounds the output size up: a last window may hang over the end."}, \
    [COUNT_INCLUDE_PAD] = {"count_include_pad", ARG_BOOL, .otherwise = "true", \
                           .doc = "Whether zeros of the padding count in the mean."}
#define DIVISOR \
    [DIVISOR_OVERRIDE] = {"divisor_override", ARG_INT, .otherwise = "none", .minimum = 1, \
                          .maximum = LARGEST, .doc = "Divides every window's sum by this instead."}
/* clang-format on */

static const ArgSpec args_of_1[] = {ARGUMENTS(ARG_SINGLE, "Steps"), {0}};
static const ArgSpec args_of_2[] = {ARGUMENTS(ARG_PAIR, "Rows and columns"), DIVISOR, {0}};
static const ArgSpec args_of_3[] = {
    ARGUMENTS(ARG_TRIPLE, "Slices, rows and columns"), DIVISOR, {0}};

static bool infer(Node *node)
{
    return padding_at_most_half(node) && infer_window_shape(node, input_shape(node).dim[0]);
}

/* 0: every window's sum is divided by what it counts. */
static Int divisor_override(const Node *node)
{
    bool given = node->op->args != args_of_1 && node->args[DIVISOR_OVERRIDE].given;
    return given ? node->args[DIVISOR_OVERRIDE].integer[0] : 0;
}

/* Every window divides by the same number: none hangs over the padded input,
 * and the padding counts or there is none. */
static bool same_divisor(const Node *node)
{
    bool same = true;
    for (int axis = 0; axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        Int end = (node->out->shape.dim[1 + axis] - 1) * window.stride + window.kernel;
        same &= end <= input_shape(node).dim[1 + axis] + 2 * window.before;
        same &= window.before == 0 || node->args[COUNT_INCLUDE_PAD].integer[0];
    }
    return same || divisor_override(node);
}

/* What every window is divided by, where that is one number for all. */
static double divisor_of(const Node *node)
{
    double taps = 1;
    for (int axis = 0; axis < window_axes(node); axis++)
        taps *= (double)node_window(node, axis).kernel;
    return divisor_override(node) ? (double)divisor_override(node) : taps;
}

static SpanPool mean_spans(const Node *node)
{
    return span_pool(node, false, node->args[COUNT_INCLUDE_PAD].integer[0]);
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    if (!same_divisor(node)) {
        emit_span_pool(kernel, mean_spans(node));
        return true;
    }
    emit_mean(kernel, layer_rows(node), layer_axis(node, COLUMNS), 1 / divisor_of(node));
    return true;
}

/* The zeros of the padding count in no mean. */
static bool is_mean_pool(const Node *node)
{
    bool padded = false;
    for (int axis = 0; axis < window_axes(node); axis++)
        padded |= node_window(node, axis).before > 0;
    return !divisor_override(node) && !(padded && node->args[COUNT_INCLUDE_PAD].integer[0]);
}

static bool sums(const Node *node, const Node *sums)
{
    return same_divisor(node) && has_room_for_sums(sums);
}

static bool can_do_image_pool(const Node *node)
{
    return !same_divisor(node) || layer_axis(node, COLUMNS).taps <= MAX_IMAGE_TAPS;
}

static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    if (!same_divisor(node)) {
        image_span_pool(image, mean_spans(node));
        return;
    }
    image_window(image, (ChannelWindow){.kind = WINDOW_MEAN,
                                        .channels = input_shape(node).dim[0],
                                        .rows = layer_rows(node),
                                        .columns = layer_axis(node, COLUMNS),
                                        .scale = 1 / divisor_of(node)});
}

#define AVG_POOL                                                                       \
    .summary = "The mean of each window.",                                             \
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE, .window = WINDOW_SLIDES, \
    .infer = infer, .is_mean_pool = is_mean_pool, .can_fuse_sums = sums, .emit = emit, \
    .emit_image = emit_image, .can_do_image = can_do_image_pool

const Operator operator_avg_pool1d = {
    .name = "avg_pool1d",
    .shape_rule = "[c, t] -> [c, steps]\n"
                  "steps = floor((t + 2*padding - kernel_size)/stride) + 1; ceil_mode rounds up",
    .formula = "y[c, i] = sum over p of x[c, i*stride + p - padding] / count\n"
               "count is the window's size within the padded input, or without count_include_pad\n"
               "within the input",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AvgPool1d.html",
    .args = args_of_1,
    .ranks = RANK(2),
    AVG_POOL,
};

const Operator operator_avg_pool2d = {
    .name = "avg_pool2d",
    .shape_rule = "[c, h, w] -> [c, rows, columns]\n"
                  "rows = floor((h + 2*padding - kernel_size)/stride) + 1\n"
                  "columns follow from w in the same way; ceil_mode rounds up",
    .formula = "y[c, i, j] = sum over p, q of\n"
               "             x[c, i*stride + p - padding, j*stride + q - padding] / count\n"
               "count is the window's area within the padded input, or without count_include_pad\n"
               "within the input",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html",
    .args = args_of_2,
    .ranks = RANK(3),
    AVG_POOL,
};

const Operator operator_avg_pool3d = {
    .name = "avg_pool3d",
    .shape_rule = "[c, d, h, w] -> [c, slices, rows, columns]\n"
                  "slices = floor((d + 2*padding - kernel_size)/stride) + 1\n"
                  "rows and columns follow from h and w in the same way; ceil_mode rounds up",
    .formula = "y[c, s, i, j] = sum over r, p, q of x[c, s*stride + r - padding, ...] / count\n"
               "count is the window's values within the padded input, or without\n"
               "count_include_pad within the input",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AvgPool3d.html",
    .args = args_of_3,
    .ranks = RANK(4),
    AVG_POOL,
};
