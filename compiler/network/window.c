/* window.c: how an output's positions lie over its input, as the arguments with a role say it. */
#include "network/network.h"

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
    int arg = role_arg(node->op, ROLE_PADDING);
    if (arg < 0)
        return;
    const ArgValue *padding = &node->args[arg];
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

int window_axes(const Node *node)
{
    return input_shape(node).rank - 1;
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
