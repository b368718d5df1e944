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

/* The same gradient of what lies anywhere: operands' names, or expressions of where grain 0's first
 * row begins. */
typedef struct RowGradient {
    Int in, out, rows;
    const char *x, *dy, *dweight;
    Int x_stride, dy_stride; /* vectors from grain to grain */
    Int x_row, dy_row;       /* and from row to row */
} RowGradient;
void emit_row_gradient(Kernel *kernel, RowGradient gradient); /* in >= lanes */

typedef struct BiasGradient {
    Int out, rows;
    const char *dy, *dbias;
    Int dy_stride, dy_row;
} BiasGradient;
void emit_bias_gradient_of_rows(Kernel *kernel, BiasGradient gradient);

/* Whether other layers' gradients of the parameter are there, to which the kernel's are added. */
bool adds_gradient(const Kernel *kernel, const char *gradient);

/* Hands over to who moves weights what the units have of the rows of `dweight`, `row` elements
 * each; where other layers' gradients are still to come, that is left to the last of them. */
void move_rows(Kernel *kernel, const char *dweight, Int row);

/* From here on `begin` and `end`: of a weight with so many rows those that are the units'. */
void declare_gradient_rows(Kernel *kernel, Int out);

/* A vector's product with a weight, for each of `group` grains, a variable of 1, 2 or 4:
 *
 *   result[o]  = sum over i of weight[o, i] * source[i]
 *   result[i] += sum over o of weight[o, i] * source[o], transposed
 *
 * `result` and `source` are expressions of the first grain's, all others their stride on. */
typedef struct VectorProduct {
    Int in, out; /* of the weight */
    const char *weight, *result, *source;
    Int result_stride, source_stride;
    bool transposed;
} VectorProduct;
enum { MAX_GROUP = 4 };
void emit_vector_product(Kernel *kernel, VectorProduct product);

#endif
