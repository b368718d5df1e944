/* window.h: windows, what convolutions and pools share: how many positions a
 * window has on an input, which is the output's size, and the message when it has none.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "ops/operator.h"

Int window_output_size(Window window, Int input); /* of a sliding one; < 1: it does not fit */
/* The output's size by a transposed window, at most INT64_MAX; < 1: the padding cuts all off. */
Int transposed_output_size(Window window, Int input);

/* Sets node->out_shape: so many channels, and along the other axes as many positions as the window
 * has on the input.  Reports window-too-large and gives false where there are none. */
bool infer_window_shape(Node *node, Int channels);

/* PyTorch refuses pools whose padding exceeds half the window: such a window
 * could lie wholly in the padding. */
bool padding_at_most_half(const Node *node);

/* Of windows that are fitted: the arguments of an operator along one, two or three axes … */
extern const ArgSpec fitted_args_of_1[], fitted_args_of_2[], fitted_args_of_3[];
/* … and its output's shape, by output_size. */
void infer_fitted_shape(Node *node);
/* Whether the output's sizes divide the input's, so that all windows are alike and lie side by
 * side. */
bool fits_evenly(const Node *node);

#endif
