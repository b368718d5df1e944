/* window.c: windows, for convolutions and pools.  The output size is
 * PyTorch's: floor((in + before + after - extent) / stride) + 1, or in ceil
 * mode ceil(…) + 1 less a last window that would start beyond the input.
 * https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
 */
#include "window.h"

/* The argument with this role, along an axis where it is a pair; `otherwise` where the operator
 * has none. */
static Int role_value(const Node *node, ArgRole role, int axis, Int otherwise)
{
    int arg = role_arg(node->op, role);
    return arg < 0 ? otherwise : node->args[arg].integer[axis];
}

/* padding=same keeps the size at stride 1: of an odd total the larger half goes
 * after, as in PyTorch.  padding=valid is none. */
static void set_padding(Window *window, const Node *node, int axis)
{
    const ArgValue *padding = &node->args[role_arg(node->op, ROLE_PADDING)];
    if (padding->word == NULL) {
        window->before = window->after = padding->integer[axis];
    } else if (padding->word == intern("same")) {
        Int total = window_extent(*window) - 1;
        window->before = total / 2;
        window->after = total - window->before;
    }
}

static Window fitted_window(const Node *node, int axis)
{
    Int in = input_shape(node).dim[1 + axis], out = node->out_shape.dim[1 + axis];
    return (Window){.direction = WINDOW_FITTED,
                    .kernel = (in + out - 1) / out,
                    .stride = in < out ? 1 : in / out,
                    .dilation = 1};
}

Window node_window(const Node *node, int axis)
{
    if (node->op->window == WINDOW_FITTED)
        return fitted_window(node, axis);
    Window window = {
        .direction = node->op->window,
        .kernel = role_value(node, ROLE_KERNEL, axis, 1),
        .stride = role_value(node, ROLE_STRIDE, axis, 1),
        .dilation = role_value(node, ROLE_DILATION, axis, 1),
        .ceil_mode = role_value(node, ROLE_CEIL_MODE, 0, 0) != 0,
        .output_padding = role_value(node, ROLE_OUTPUT_PADDING, axis, 0),
    };
    set_padding(&window, node, axis);
    return window;
}

Int window_extent(Window window)
{
    return window.dilation * (window.kernel - 1) + 1;
}

Int window_places(Window window, Int input)
{
    Int slack = input + window.before + window.after - window_extent(window);
    if (window.ceil_mode)
        slack += window.stride - 1;
    if (slack < 0)
        return 0;
    Int places = slack / window.stride + 1;
    if (window.ceil_mode && (places - 1) * window.stride >= input + window.before)
        places--;
    return places;
}

Int transposed_places(Window window, Int input)
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
    const char *along = axis == 0 ? "rows" : "columns";
    Int padded = input + window.before + window.after;
    Diagnostic *d = node_error(node, "window-too-large", node->args[kernel_arg].span,
                               "%s: padded input %lld is smaller than the window %lld",
                               node->op->name, padded, window_extent(window));
    if (window.dilation > 1)
        diag_caption(d, "%lld taps, dilation %lld: spans %lld %s", window.kernel, window.dilation,
                     window_extent(window), along);
    else
        diag_caption(d, "%lld %s", window.kernel, along);
    if (input == 1)
        along = axis == 0 ? "row" : "column";
    diag_note(d, "the input %s has %lld %s, padded by %lld and %lld", shape_text(input_shape(node)),
              input, along, window.before, window.after);
    node_derivation(d, node->inputs.items[0]);
}

bool infer_places(const Node *node, Int *rows, Int *columns)
{
    Shape in = input_shape(node);
    Int places[2];
    for (int axis = 0; axis < 2; axis++) {
        Window window = node_window(node, axis);
        places[axis] = window_places(window, in.dim[1 + axis]);
        if (places[axis] < 1) {
            report_too_large(node, window, in.dim[1 + axis], axis);
            return false;
        }
    }
    *rows = places[0];
    *columns = places[1];
    return true;
}

bool padding_at_most_half(const Node *node)
{
    for (int axis = 0; axis < 2; axis++) {
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
