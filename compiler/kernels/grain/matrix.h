/* matrix.h: the matrix products of a linear layer that is computed for the
 * whole batch at once.
 *
 *   y[o]          = bias[o] + sum over i of weight[o, i] * x[i]
 *   dx[i]       (+)= sum over o of weight[o, i] * dy[o]
 *   dweight[o, i] = sum over grains and lanes of dy[o] * x[i];  dbias[o] = … of dy[o]
 *
 * Where the layer works on the last axis of a larger shape, x is [rows][in] and y [rows][out], and
 * all sums over grains run over each one's rows.
 *
 * Each writes the kernel of a range of units, `from` to `to`, of all grains,
 * and sets kernel->units.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include "kernels/kernel.h"

typedef struct Matrix {
    Int in, out;
    Int rows; /* of one image */
    bool bias;
} Matrix;

void emit_matrix_forward(Kernel *kernel, Matrix matrix);
void emit_matrix_input_gradient(Kernel *kernel, Matrix matrix, bool accumulate);
void emit_matrix_gradient(Kernel *kernel, Matrix matrix); /* in >= lanes */

#endif
