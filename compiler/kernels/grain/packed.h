/* packed.h: large convolutions of a grain as a matrix product of packed operands. */
#ifndef PACKED_H
#define PACKED_H

#include "kernels/contraction.h"

/* Vectors of memory that the contraction takes by this way, and of its packed weights, where it is
 * faster; 0: it is not.  `pool`, which takes the outputs, may be NULL. */
Int packed_work(const Contraction *contraction, const Node *pool, int lanes);
Int packed_filters(const Contraction *contraction, const Node *pool, int lanes);
/* The same as emit_contraction(), with so much memory at the operand `workspace`, and the operand
 * `filters`, which the other kernel makes. */
void emit_packed(Kernel *kernel, const Contraction *contraction);
void emit_packed_filters(Kernel *kernel, const Contraction *contraction);

#endif
