/* conv2d.h: a convolution's kernels of a grain, whose padding is zeros; what they can take in is
 * asked of the node of their stage.
 */
#ifndef GRAIN_CONV2D_H
#define GRAIN_CONV2D_H

#include "kernels/contraction.h"

/* A 1×1 window at stride 1 is a matrix product: all positions are one row, unless
 * there are so many that they are better taken a block of rows at a time, or a
 * pool takes them by rows. */
void conv2d_flatten_rows(const Kernel *kernel, Contraction *contraction);
void emit_conv2d(Kernel *kernel);
/* Operator.can_fuse_pool_gradient, workspace and filters. */
bool conv2d_unpools(const Node *node, const Node *pool);
Int conv2d_workspace(const Node *node, const Node *pool, int lanes, bool filters);
Int conv2d_filters(const Node *node, const Node *pool, int lanes);

#endif
