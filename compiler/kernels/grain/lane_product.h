/* lane_product.h: the product of two matrices of a grain, of which every lane has its own:
 * attention's scores, and the matrix products of two tensors.
 */
#ifndef LANE_PRODUCT_H
#define LANE_PRODUCT_H

#include "kernels/kernel.h"

/* The name of a function of the emitted C:
 *
 *   lane_product(vec *c, int64_t c_step, const vec *a, int64_t a_step, int64_t a_next,
 *                const vec *b, int64_t b_step, int64_t b_next, int rows, int columns, int count,
 *                bool adds)
 *
 * c[i * c_step + j] = or, where it adds, += the sum over k < count of
 * a[i * a_step + k * a_next] * b[j * b_step + k * b_next], for i < rows and j < columns, in the
 * order of k.  All steps are in rows of lanes; c overlaps neither a nor b. */
const char *lane_product_function(const Kernel *kernel);

/* The same of two panels, which were copied so that what is multiplied at once lies side by side:
 *
 *   panel_product(vec *c, int64_t c_step, int64_t c_next, const vec *a, int64_t a_next,
 *                 const vec *b, int64_t b_tile, int rows, int columns, int count, bool adds)
 *
 * c[i * c_step + j * c_next] = or += the sum over k of a[k * a_next + i] * B(k, j), where b has
 * PANEL_COLUMNS columns j after the others: B(k, j) is b[j / PANEL_COLUMNS * b_tile +
 * k * PANEL_COLUMNS + j % PANEL_COLUMNS].  Rows of `a` that are a power of two apart would lie in
 * the same few places of a cache: panel_step(). */
enum { PANEL_COLUMNS = 4 };
const char *panel_product_function(const Kernel *kernel);
/* From one row of so many values of such a panel to the next. */
static inline Int panel_step(Int values)
{
    return values | 1;
}

#endif
