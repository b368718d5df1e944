/* single.h: the kernels of a program that computes one image.
 *
 * There a tensor is [channels][height][width] and a `vec` holds LANES
 * consecutive values of it, so no lane stands for an image that is not there.
 * Vectors run over positions: one weight, in all lanes, is multiplied with as
 * many neighbouring positions, and the weights are read as they are stored.
 */
#ifndef SINGLE_H
#define SINGLE_H

#include "tiles.h"

/* Writes the node's kernel for one image: its operator's own, or the loop of one
 * that goes element by element.  False: the reference kernel is to be called. */
bool emit_single(Kernel *kernel);

/* Writes a loop in which `value`, an expression of i that is a vec, is stored in
 * to[i …] for every i in [0, count); `at` is what the element to[0] is of y. */
void single_span(Kernel *kernel, const char *to, const char *at, int64_t count, const char *value);

/* The forward kernels of tiles.h for one image. */
void emit_single_gather(Kernel *kernel, const Gather *gather);
void emit_single_mean(Kernel *kernel, Axis rows, Axis columns, double scale);
/* y[c, p] = the largest of the window. */
void emit_single_max(Kernel *kernel, Axis rows, Axis columns);
/* y[o] = bias[o] + the sum over i of weight[o, i] * x[i]. */
void emit_single_product(Kernel *kernel, int64_t in, int64_t out, bool bias);

#endif
