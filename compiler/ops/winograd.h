/* winograd.h: convolution by Toom and Cook's way (Winograd 1980, "Arithmetic
 * Complexity of Computations"; Lavin and Gray 2016, "Fast Algorithms for
 * Convolutional Neural Networks", https://arxiv.org/abs/1509.09308).
 *
 * A tile of outputs along an axis, and the taps they are sums over, are the
 * coefficients of two polynomials whose product is found from its values at six
 * points: 0, 1, -1, 2, -2 and infinity.  Sources become values by `turn`, values
 * outputs by `unturn`, and between them, at each of the points of both axes,
 * stands a plain matrix product over the channels: 36 multiply-adds where 4 × 4
 * outputs of 3 × 3 taps need 144, and 2 × 2 of 5 × 5 need 100.
 *
 * The points are small, so float32 keeps about a digit less than it does directly.
 */
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "tiles.h"

enum { POINTS = 6, POINTS_OF_BOTH = POINTS * POINTS };

/* The outputs of a tile along an axis with so many taps; 0: there is no such tile. */
int64_t winograd_outputs(int64_t taps);
/* Whether the layer is one that tiles fit: as many taps along either axis, at stride and dilation 1. */
bool winograd_fits(const Gather *gather);

/* The axis of the tiles: each reads POINTS sources. */
Axis winograd_tiles(const Axis *axis);

/* Writes the declarations "const vec <to>0 = …" to <to>5, the values of the sources <from>0 to <from>5 … */
void emit_turn(Kernel *kernel, const char *to, const char *from);
/* … and of the first so many outputs, <to>0 and on, of the values. */
void emit_unturn(Kernel *kernel, const char *to, const char *from, int64_t taps, int64_t outputs);

#endif
