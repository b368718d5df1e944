/* batch_norm2d.h: for kernels that store a batch norm's dy and make its sums as they do. */
#ifndef BATCH_NORM2D_H
#define BATCH_NORM2D_H

#include "ops.h"

/* Whether the norm's sums fit on a kernel's stack. */
bool has_room_for_sums(const Node *norm);
/* Before all stores, and after; nothing where kernel->sums is NULL. */
void open_gradient_sums(Kernel *kernel);
void close_gradient_sums(Kernel *kernel);
/* Adds `count` values that have been stored from `to` + offset on, elements `at` +
 * offset and on of dy, to the sums of `channel` (an expression). */
void add_gradient_sums(Kernel *kernel, const char *channel, Int offset, Int count);

#endif
