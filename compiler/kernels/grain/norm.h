/* norm.h: a batch norm's moments, and the sums of its gradient: also for kernels that store its
 * dy and make the sums as they do, or that store its x, in evaluation.
 */
#ifndef NORM_H
#define NORM_H

#include "kernels/kernel.h"

/* Declares `active`, the lanes that hold an image; … */
void declare_active(Kernel *kernel);
/* … the batch's `mean`, `variance` and `count` of values, of channel c; … */
void combine_moments(Kernel *kernel);
/* … one over the deviation, `inverse`; … */
void declare_deviation(Kernel *kernel);
/* … and "real *own", where a grain's sums of dy, and of dy times normalised x, go. */
void declare_own_sums(Kernel *kernel);
/* Channel c's, of which `sum` and `product` are the texts. */
void store_sums(Kernel *kernel, const char *sum, const char *product);

/* Whether the norm's sums fit on a kernel's stack. */
bool has_room_for_sums(const Node *norm);
/* Before all stores, and after; nothing where kernel->sums is NULL. */
void open_gradient_sums(Kernel *kernel);
void close_gradient_sums(Kernel *kernel);
/* Adds `count` values that have been stored from `to` + offset on, elements `at` +
 * offset and on of dy, to the sums of `channel` (an expression). */
void add_gradient_sums(Kernel *kernel, const char *channel, Int offset, Int count);

/* For kernels whose sums a norm in evaluation takes, where kernel->norm is not NULL: declares
 * `norm`, the numbers of each channel, which is done for every kernel; … */
void open_norm(Kernel *kernel);
/* … and `to` becomes what they make of `value`, a sum of `channel`: all three expressions. */
void norm_value(Kernel *kernel, const char *to, const char *value, const char *channel);

#endif
