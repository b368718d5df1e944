/* window.h: sliding windows, what conv2d and the pools share: how many places
 * a window has on an input, and the message when it has none.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "ops.h"

/* A window along one axis.  Sizes in elements of that axis. */
typedef struct Window {
    Int kernel, stride, dilation;
    Int before, after; /* padding at the two ends */
    bool ceil_mode;    /* a last window that hangs over the end counts, if it starts inside */
} Window;

/* Which arguments hold the axes of a node's windows; -1 for one its operator
 * does not have. */
typedef struct WindowArgs {
    int kernel_size, stride, padding, dilation, ceil_mode;
} WindowArgs;

/* The window along `axis` (0 rows, 1 columns) as the node's arguments give it. */
Window node_window(const Node *node, WindowArgs args, int axis);

Int window_extent(Window window);            /* dilation * (kernel - 1) + 1 */
Int window_places(Window window, Int input); /* < 1: it does not fit */

/* Sets *rows and *columns from a [c, h, w] input; reports window-too-large and
 * gives false when either would be less than one. */
bool infer_places(const Node *node, const Window window[2], int kernel_arg, Int *rows,
                  Int *columns);

/* PyTorch refuses pools whose padding exceeds half the window: such a window
 * could lie wholly in the padding. */
bool padding_at_most_half(const Node *node, WindowArgs args);

/* Any node's window, found by the names of its operator's arguments, for those
 * that know windows and not operators. */
bool has_window(const Node *node);
Window window_of(const Node *node, int axis);

#endif
