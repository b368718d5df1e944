/* winograd.h: convolutions of a grain by way of ../winograd.h. */
#ifndef GRAIN_WINOGRAD_H
#define GRAIN_WINOGRAD_H

#include "kernels/winograd.h"

/* Vectors of memory that the gather takes by this way, where it is less work; 0:
 * it is not.  `pool`, which takes the outputs, may be NULL. */
Int winograd_work(const Gather *gather, const Node *pool, int lanes);
/* The same as emit_gather(), with so much memory at the operand `work`. */
void emit_winograd(Kernel *kernel, const Gather *gather);
/* Likewise of the weight's gradient; `forward` is the layer's forward gather. */
Int winograd_gradient_work(const Gather *forward, int lanes);
void emit_winograd_gradient(Kernel *kernel, const Gather *forward);

#endif
