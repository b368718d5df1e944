/* softmax.h: exponentials of a column, for softmax and the losses that are made of it. */
#ifndef SOFTMAX_H
#define SOFTMAX_H

#include "kernels/kernel.h"

/* Of one column of x, `channels` values that lie `plane` apart from
 * `v` on, writes `largest`, which is subtracted so that no exponential
 * overflows, and `total`, the sum of the exponentials then; each goes to `keep`
 * at the value's index besides, when that is not NULL. */
void emit_exponential_total(Kernel *kernel, Int channels, Int plane, const char *keep);

#endif
