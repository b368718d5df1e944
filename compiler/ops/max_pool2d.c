/* max_pool2d.c: the largest value of each window.  The forward pass notes which
 * tap of the window won (aux, [c, rows, columns], counted row by row), so the
 * backward pass needs neither x nor y: an activation may overwrite y in place.
 */
#include "window.h"

enum { KERNEL_SIZE, STRIDE, PADDING, DILATION, CEIL_MODE };

static const ArgSpec args[] = {
    [KERNEL_SIZE] = {"kernel_size", ARG_PAIR, .positional = true, .minimum = 1, .maximum = LARGEST,
                     .doc = "Size of the window."},
    [STRIDE]      = {"stride", ARG_PAIR, .otherwise = "=kernel_size", .minimum = 1, .maximum = LARGEST,
                     .doc = "Step of the window."},
    [PADDING]     = {"padding", ARG_PAIR, .otherwise = "0", .maximum = LARGEST,
                     .doc = "Rows and columns of -inf added at both ends, at most half of kernel_size."},
    [DILATION]    = {"dilation", ARG_PAIR, .otherwise = "1", .minimum = 1, .maximum = LARGEST,
                     .doc = "Distance between the window's taps."},
    [CEIL_MODE]   = {"ceil_mode", ARG_BOOL, .otherwise = "false",
                     .doc = "Rounds the output size up: a last window may hang over the end."},
    {0}
};

static const WindowArgs window_args = {KERNEL_SIZE, STRIDE, PADDING, DILATION, CEIL_MODE};

/* aux holds a tap's number as a real: exact in float up to 2^24. */
static bool taps_countable(const Node *node)
{
    const ArgValue *kernel = &node->args[KERNEL_SIZE];
    if (saturating_product(2, kernel->integer) <= 1 << 24)
        return true;
    Diagnostic *d = node_error(node, "argument-range", kernel->span, "max_pool2d: a window of %lld by %lld is too large",
                               (long long)kernel->integer[0], (long long)kernel->integer[1]);
    diag_caption(d, "at most %d taps", 1 << 24);
    return false;
}

static bool infer(Node *node)
{
    if (!node_needs_rank(node, 3))
        return false;
    Window window[2] = {node_window(node, window_args, 0), node_window(node, window_args, 1)};
    int64_t rows, columns;
    if (!padding_at_most_half(node, window_args) ||
        !infer_places(node, window, KERNEL_SIZE, &rows, &columns) || !taps_countable(node))
        return false;
    node->out_shape = node->aux_shape = shape_of(3, input_shape(node).dim[0], rows, columns);
    return true;
}

const Operator operator_max_pool2d = {
    .name = "max_pool2d",
    .summary = "The largest value of each window; its gradient goes to the first largest in scan order.",
    .shape_rule = "[c, h, w] -> [c, rows, columns]\n"
                  "rows = floor((h + 2*padding - dilation*(kernel_size-1) - 1)/stride) + 1; columns from w likewise",
    .formula = "y[c, i, j] = max over p, q of x[c, i*stride + p*dilation - padding, j*stride + q*dilation - padding]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html",
    .args = args,
    .input_gradient_reads = READS_AUX,
    .infer = infer,
};
