/* product.h: products of matrices that every image has its own of, by lane_product.h.
 */
#ifndef PRODUCT_H
#define PRODUCT_H

#include "kernels/kernel.h"

/* out[b, row, column] = sum over k of left[b, row, k] * right[b, k, column], and over those b that
 * `out` has only one of.  Steps are from one to the next, in vectors. */
typedef struct MatrixOperand {
    const char *name;
    Int row, column;     /* steps */
    Int batch[MAX_RANK]; /* of each batch axis; 0: it is repeated, or, of `out`, summed over */
} MatrixOperand;
typedef struct MatrixProduct {
    Int rows, columns, terms;
    int batches; /* batch axes */
    Int batch_size[MAX_RANK];
    MatrixOperand out, left, right;
} MatrixProduct;

/* `out` has the values of a row side by side. */
void emit_matrix_product(Kernel *kernel, const MatrixProduct *product, bool accumulate);

#endif
