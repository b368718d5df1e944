/* window.c: windows, for convolutions and pools.  The output size is
 * PyTorch's: floor((in + before + after - extent) / stride) + 1, or in ceil
 * mode ceil(…) + 1 less a last window that would start beyond the input.
 * https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
 */
#include "ops/window.h"

Int window_output_size(Window window, Int input)
{
    Int slack = input + window.before + window.after - window_extent(window);
    if (window.ceil_mode)
        slack += window.stride - 1;
    if (slack < 0)
        return 0;
    Int size = slack / window.stride + 1;
    if (window.ceil_mode && (size - 1) * window.stride >= input + window.before)
        size--;
    return size;
}

Int transposed_output_size(Window window, Int input)
{
    Int size;
    if (__builtin_mul_overflow(input - 1, window.stride, &size)
        || __builtin_add_overflow(size, window_extent(window) + window.output_padding, &size))
        return INT64_MAX;
    return size - window.before - window.after;
}

/* "4 + 2*1 = 6 rows" says where the padded size comes from. */
static void report_too_large(const Node *node, Window window, Int input, int axis)
{
    int kernel_arg = role_arg(node->op, ROLE_KERNEL);
    const char *one = axis_unit(input_shape(node).rank, 1 + axis), *along = format("%ss", one);
    Int padded = input + window.before + window.after;
    Diagnostic *d = node_error(node, "window-too-large", node->args[kernel_arg].span,
                               "%s: padded input %lld is smaller than the window %lld",
                               node->op->name, padded, window_extent(window));
    if (window.dilation > 1)
        diag_caption(d, "%lld taps, dilation %lld: spans %lld %s", window.kernel, window.dilation,
                     window_extent(window), along);
    else
        diag_caption(d, "%lld %s", window.kernel, along);
    diag_note(d, "the input %s has %lld %s, padded by %lld and %lld", shape_text(input_shape(node)),
              input, input == 1 ? one : along, window.before, window.after);
    node_derivation(d, node->inputs.items[0]);
}

bool infer_window_shape(Node *node, Int channels)
{
    Shape in = input_shape(node);
    node->out_shape = shape_with(in, 0, channels);
    for (int axis = 0; axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        Int size = window_output_size(window, in.dim[1 + axis]);
        if (size < 1) {
            report_too_large(node, window, in.dim[1 + axis], axis);
            return false;
        }
        node->out_shape.dim[1 + axis] = size;
    }
    return true;
}

bool padding_at_most_half(const Node *node)
{
    for (int axis = 0; axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        if (window.before <= window.kernel / 2)
            continue;
        Diagnostic *d =
            node_error(node, "argument-range", node->args[role_arg(node->op, ROLE_PADDING)].span,
                       "%s: padding %lld is more than half of kernel_size %lld", node->op->name,
                       window.before, window.kernel);
        diag_caption(d, "0 to %lld", window.kernel / 2);
        return false;
    }
    return true;
}

/* ------------------------------------------------------- fitted windows */

#define FITTED(sizes, what)                                                  \
    {                                                                        \
        {"output_size",                                                      \
         sizes,                                                              \
         ROLE_OUTPUT_SIZE,                                                   \
         .positional = true,                                                 \
         .minimum = 1,                                                       \
         .maximum = LARGEST,                                                 \
         .doc = what " of the output; 1 takes each channel as one window."}, \
        {                                                                    \
            0                                                                \
        }                                                                    \
    }
const ArgSpec fitted_args_of_1[] = FITTED(ARG_SINGLE, "Steps");
const ArgSpec fitted_args_of_2[] = FITTED(ARG_PAIR, "Rows and columns");
const ArgSpec fitted_args_of_3[] = FITTED(ARG_TRIPLE, "Slices, rows and columns");

void infer_fitted_shape(Node *node)
{
    const ArgValue *size = &node->args[role_arg(node->op, ROLE_OUTPUT_SIZE)];
    node->out_shape = input_shape(node);
    for (int axis = 0; axis < window_axes(node); axis++)
        node->out_shape.dim[1 + axis] = size->integer[axis];
}

bool fits_evenly(const Node *node)
{
    Shape in = input_shape(node), out = node->out->shape;
    bool evenly = true;
    for (int axis = 1; axis < in.rank; axis++)
        evenly &= in.dim[axis] % out.dim[axis] == 0;
    return evenly;
}
