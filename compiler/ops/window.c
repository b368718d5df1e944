/* window.c: sliding windows, for conv2d and the pools.  The output size is
 * PyTorch's: floor((in + before + after - extent) / stride) + 1, or in ceil
 * mode ceil(…) + 1 less a last window that would start beyond the input.
 * https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
 */
#include "window.h"

static Int arg_or(const Node *node, int arg, int axis, Int otherwise)
{
    return arg < 0 ? otherwise : node->args[arg].integer[axis];
}

/* padding=same keeps the size at stride 1: of an odd total the larger half goes
 * after, as in PyTorch.  padding=valid is none. */
static void set_padding(Window *window, const Node *node, int arg, int axis)
{
    const char *word = node->args[arg].word;
    if (word == NULL) {
        window->before = window->after = node->args[arg].integer[axis];
    } else if (word == intern("same")) {
        Int total = window_extent(*window) - 1;
        window->before = total / 2;
        window->after = total - window->before;
    }
}

Window node_window(const Node *node, WindowArgs args, int axis)
{
    Window window = {
        .kernel = node->args[args.kernel_size].integer[axis],
        .stride = node->args[args.stride].integer[axis],
        .dilation = arg_or(node, args.dilation, axis, 1),
        .ceil_mode = arg_or(node, args.ceil_mode, 0, 0) != 0,
    };
    set_padding(&window, node, args.padding, axis);
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

/* "4 + 2*1 = 6 rows" says where the padded size comes from. */
static void report_too_large(const Node *node, Window window, Int input, int axis, int kernel_arg)
{
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

bool infer_places(const Node *node, const Window window[2], int kernel_arg, Int *rows, Int *columns)
{
    Shape in = input_shape(node);
    Int places[2];
    for (int axis = 0; axis < 2; axis++) {
        places[axis] = window_places(window[axis], in.dim[1 + axis]);
        if (places[axis] < 1) {
            report_too_large(node, window[axis], in.dim[1 + axis], axis, kernel_arg);
            return false;
        }
    }
    *rows = places[0];
    *columns = places[1];
    return true;
}

bool padding_at_most_half(const Node *node, WindowArgs args)
{
    for (int axis = 0; axis < 2; axis++) {
        Window window = node_window(node, args, axis);
        if (window.before <= window.kernel / 2)
            continue;
        Diagnostic *d = node_error(node, "argument-range", node->args[args.padding].span,
                                   "%s: padding %lld is more than half of kernel_size %lld",
                                   node->op->name, window.before, window.kernel);
        diag_caption(d, "0 to %lld", window.kernel / 2);
        return false;
    }
    return true;
}

static WindowArgs args_by_name(const Operator *op)
{
    return (WindowArgs){operator_arg(op, "kernel_size"), operator_arg(op, "stride"),
                        operator_arg(op, "padding"), operator_arg(op, "dilation"),
                        operator_arg(op, "ceil_mode")};
}

bool has_window(const Node *node)
{
    WindowArgs args = node->op != NULL ? args_by_name(node->op) : (WindowArgs){-1, -1, -1, -1, -1};
    return args.kernel_size >= 0 && args.stride >= 0 && args.padding >= 0;
}

Window window_of(const Node *node, int axis)
{
    return node_window(node, args_by_name(node->op), axis);
}
