/* gather.h: copies of which each axis has a rule of its own: padding, rolling, mirroring. */
#ifndef GATHER_H
#define GATHER_H

#include "kernels/kernel.h"

/* Where position `at` along an axis of y comes from along that axis of x. */
typedef struct AxisSource {
    const char *(*find)(const void *rule, const char *at); /* as C; NULL: from `at` itself */
    const void *rule;
    bool misses;  /* what is found may lie outside of x: then y is a constant */
    bool repeats; /* two positions may come from one */
    bool covers;  /* every position of x is somewhere in y */
} AxisSource;

/* y from x, axis by axis, `value` where nothing is found; or dx from dy: the sums of what came from
 * each, in the order in which it lies in y. */
void emit_gather(Kernel *kernel, Shape in, Shape out, const AxisSource *sources, double value);

#endif
