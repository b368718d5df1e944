/* conv2d.h: what convolutions and transposed convolutions share. */
#ifndef CONV2D_H
#define CONV2D_H

#include "ops/operator.h"

/* Whether groups divide the channels of input and output; false: reported. */
bool groups_divide(const Node *node);
/* Weights [first, second, kernel sizes …], and a bias for each output channel where the argument
 * `bias` says so.  PyTorch's default: kaiming_uniform(a=sqrt(5)), which is uniform in
 * ±1/sqrt(fan_in), and the same bound for the bias; fan_in is of what lies under `first`,
 * transposed or not. */
void add_filters(Node *node, Int first, Int second);

#endif
