/* conv2d.h: what conv2d.c (what the operator is) tells conv2d_emit.c (its kernels). */
#ifndef CONV2D_H
#define CONV2D_H

#include "single.h"
#include "window.h"

bool conv2d_pads_with_zeros(const Node *node);
bool emit_conv2d(Kernel *kernel);
Axis conv2d_axis(const Node *node, int axis);
bool can_do_single_conv2d(const Node *node); /* conv2d_single.c */
void single_conv2d(Single *single);
bool conv2d_pools(const Node *node, const Node *pool);
bool conv2d_unpools(const Node *node, const Node *pool);
Int conv2d_work(const Node *node, const Node *pool, int lanes);
bool conv2d_sums(const Node *node, const Node *sums);

#endif
