/* winograd.h: convolutions of a grain by way of ../winograd.h. */
#ifndef GRAIN_WINOGRAD_H
#define GRAIN_WINOGRAD_H

#include "kernels/winograd.h"

/* Vectors of memory that the contraction takes by this way, where it is less work; 0:
 * it is not.  `pool`, which takes the outputs, may be NULL. */
Int winograd_work(const Contraction *contraction, const Node *pool, int lanes, bool filters);
/* The same as emit_contraction(), with so much memory at the operand `workspace`. */
void emit_winograd(Kernel *kernel, const Contraction *contraction);
/* Vectors of its transformed filters, where it is less work if they are made for all grains at
 * once, at the operand `filters` (`filters` above; else they are a part of that memory); 0: it is
 * not, or they are too large.  The kernel that makes them. */
Int winograd_filters(const Contraction *contraction, const Node *pool, int lanes);
void emit_winograd_filters(Kernel *kernel, const Contraction *contraction);
/* Likewise of the weight's gradient; `forward` is the layer's forward contraction. */
Int winograd_gradient_work(const Contraction *forward, int lanes);
void emit_winograd_gradient(Kernel *kernel, const Contraction *forward);

#endif
