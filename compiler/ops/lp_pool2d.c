/* lp_pool2d.c: the p-norm of each window, along one or two axes: a mean pool of powers, as PyTorch
 * defines it.
 */
#include "ops/window.h"

enum { NORM_TYPE, KERNEL_SIZE, STRIDE, CEIL_MODE };

/* A norm of 0 would be no number; the others are the user's, as in PyTorch. */
/* clang-format off */
#define ARGUMENTS(sizes) { \
    [NORM_TYPE] = {"norm_type", ARG_REAL, .positional = true, .minimum = 0.01, \
                   .maximum = 1000, .doc = "The power: 1 is a sum, 2 a length."}, \
    [KERNEL_SIZE] = {"kernel_size", sizes, ROLE_KERNEL, .positional = true, .minimum = 1, \
                     .maximum = LARGEST, .doc = "Size of the window."}, \
    [STRIDE] = {"stride", sizes, ROLE_STRIDE, .otherwise = "=kernel_size", .minimum = 1, \
                .maximum = LARGEST, .doc = "Step of the window."}, \
    [CEIL_MODE] = {"ceil_mode", ARG_BOOL, ROLE_CEIL_MODE, .otherwise = "false", \
                   .doc = "Rounds the output size up: a last window may hang over the end."}, \
    {0}}
/* clang-format on */

static const ArgSpec args_of_1[] = ARGUMENTS(ARG_SINGLE);
static const ArgSpec args_of_2[] = ARGUMENTS(ARG_PAIR);

static bool infer(Node *node)
{
    return infer_window_shape(node, input_shape(node).dim[0]);
}

#define LP_POOL                                                                       \
    .summary = "The p-norm of each window.", .window = WINDOW_SLIDES, .infer = infer, \
    .input_gradient_reads = READS_X | READS_Y

const Operator operator_lp_pool1d = {
    .name = "lp_pool1d",
    .shape_rule = "[c, t] -> [c, steps]\n"
                  "steps = floor((t - kernel_size)/stride) + 1; ceil_mode rounds up",
    .formula =
        "y[c, i] = (sum over p of x[c, i*stride + p]^norm_type)^(1/norm_type)\n"
        "a window that hangs over the end is weighed as if it were whole; of a norm_type\n"
        "that is not even, negative sums are no numbers, and where y is 0 it has no gradient",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.LPPool1d.html",
    .args = args_of_1,
    .ranks = RANK(2),
    LP_POOL,
};

const Operator operator_lp_pool2d = {
    .name = "lp_pool2d",
    .shape_rule = "[c, h, w] -> [c, rows, columns]\n"
                  "rows = floor((h - kernel_size)/stride) + 1\n"
                  "columns follow from w in the same way; ceil_mode rounds up",
    .formula =
        "y[c, i, j] = (sum over p, q of x[c, i*stride + p, j*stride + q]^norm_type)\n"
        "             ^(1/norm_type)\n"
        "a window that hangs over the end is weighed as if it were whole; of a norm_type\n"
        "that is not even, negative sums are no numbers, and where y is 0 it has no gradient",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html",
    .args = args_of_2,
    .ranks = RANK(3),
    LP_POOL,
};
