/* strided.h: copies whose values lie in another order, or are some of them: what NumPy and PyTorch
 * call a strided view, stored.  permute, slice and their kind are told so.
 */
#ifndef STRIDED_H
#define STRIDED_H

#include "kernels/kernel.h"

enum { MAX_STRIDED = 6 };

/* Value (i, j, …) of y, of these sizes, is x[from + i * step[0] + j * step[1] + …]; no two read the
 * same. */
typedef struct Strided {
    int rank;
    Int size[MAX_STRIDED], step[MAX_STRIDED];
    Int from;
} Strided;

/* dx = 0, and all threads know it. */
void emit_no_gradient(Kernel *kernel);
/* All values of a shape, as they lie. */
Strided strided_shape(Shape shape);
/* y = x as `strided` says; or, on the way back, dx from dy: what no value of y reads has no
 * gradient. */
void emit_strided(Kernel *kernel, Strided strided);

#endif
