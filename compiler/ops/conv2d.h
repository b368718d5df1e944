/* conv2d.h: what conv2d.c (what the operator is) tells conv2d_emit.c (its kernels), and what
 * conv_transpose2d.c shares with them. */
#ifndef CONV2D_H
#define CONV2D_H

#include "single.h"
#include "window.h"

bool conv2d_pads_with_zeros(const Node *node);
/* Whether groups divide the channels of input and output; false: reported. */
bool groups_divide(const Node *node);
/* Weights of these dimensions, and a bias for each of `out` channels.  PyTorch's default:
 * kaiming_uniform(a=sqrt(5)), which is uniform in ±1/sqrt(fan_in), and the same bound for the
 * bias; fan_in is of what lies under dim[0], transposed or not. */
void add_filters(Node *node, const Int dim[4], Int out, bool bias);
/* A 1×1 window at stride 1 is a matrix product: all positions are one row, unless
 * there are so many that they are better taken a block of rows at a time, or a
 * pool takes them by rows. */
void conv2d_flatten_rows(const Kernel *kernel, Gather *gather);
bool emit_conv2d(Kernel *kernel);
bool can_do_single_conv2d(const Node *node); /* conv2d_single.c */
void single_conv2d(Single *single);
bool conv2d_pools(const Node *node, const Node *pool);
bool conv2d_unpools(const Node *node, const Node *pool);
Int conv2d_workspace(const Node *node, const Node *pool, int lanes);
bool conv2d_sums(const Node *node, const Node *sums);

#endif
