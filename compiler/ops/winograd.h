/* winograd.h: convolution by Toom and Cook's way (Winograd 1980, "Arithmetic
 * Complexity of Computations"; Lavin and Gray 2016, "Fast Algorithms for
 * Convolutional Neural Networks", https://arxiv.org/abs/1509.09308).
 *
 * A tile of outputs along an axis, and the taps they are sums over, are the
 * coefficients of two polynomials whose product is found from its values at six
 * points: 0, 1, -1, 2, -2 and infinity.  Sources become values by `turn`, values
 * outputs by `unturn`, and between them, at each of the points of both axes,
 * stands a plain matrix product over the channels: 36 multiply-adds where 4 × 4
 * outputs of 3 × 3 taps need 144, and 2 × 2 of 5 × 5 need 100.  The gradient of the
 * weights is a convolution, too, whose taps are gradients: along rows it takes six
 * multiply-adds for twelve, or ten.
 *
 * The points are small, so float32 keeps about a digit less than it does directly.
 */
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "tiles.h"

enum { POINTS = 6, POINTS_OF_BOTH = POINTS * POINTS };

/* The outputs of a tile along an axis with so many taps; 0: there is no such tile. */
Int winograd_outputs(Int taps);
/* One group, stride and dilation 1, and sizes of which no product overflows. */
bool is_plain_gather(const Gather *gather);
/* Whether the layer is one that tiles fit: as many taps along either axis, at stride and
 * dilation 1. */
bool winograd_fits(const Gather *gather);

/* The least odd number that is no less.  A tile goes to, or comes from, a line at
 * each point: at an odd distance no two of them want the same place in a cache. */
Int round_up_odd(Int count);

/* The multiply-adds, of rows of lanes, of doing it directly, without those of taps in the
 * padding. */
double direct_work(const Gather *gather);

/* The axis of the tiles: each reads POINTS sources. */
Axis winograd_tiles(const Axis *axis);
/* Runs of tiles whose sources, and outputs, lie alike: a last tile of which some
 * outputs lie outside is one of its own. */
void split_tiles(const Axis *axis, RunList *runs);

/* Rows of tiles that are taken together: as many as fit, each `size` large, into `most`, and go
 * into all without a rest. */
Int rows_of_tiles(const Axis *rows, Int size, Int most);
/* The matrix product at a point, of which every tile is a position. */
Gather point_product(const Gather *gather, Int tiles);
/* Opens the loop over a run of tiles of a row; inside, `column`, and `tile`, which counts from
 * the first of row `top`. */
void open_tiles(Kernel *kernel, const Axis *columns, Run run);

/* Writes "vec <name><column>_0, <name><column>_1, …;", so many. */
void declare_column(Kernel *kernel, const char *name, Int column, Int count);

/* A value that a tile has at each of its places: how it is written, with the numbers
 * that its row and column, or its point, times `step` put in. */
typedef struct Place {
    const char *text;
    Int step;
} Place;

/* Writes the turning of a tile that begins at column `start` of `tiles`: of the
 * sources, "line%lld[… %lld]" of a row and a column times step, counted from the
 * tile's first, to the values, "to[%lld]" of a point times step. */
void emit_turn_tile(Kernel *kernel, const Axis *tiles, Int start, Place source, Place value);
/* The same along one row only: "source" of a column. */
void emit_turn_row(Kernel *kernel, const Axis *tiles, Int start, const char *source, Place value);
/* Lavin and Gray's matrix G: what a tap of so many adds to the value at a point. */
double winograd_factor(Int point, Int tap, Int taps);
/* Declares g0 … g5, the values of so many taps.  A NULL after the first is zero. */
void emit_turn_taps(Kernel *kernel, const char *const tap[], Int taps);
/* Declares the first so many outputs of six values, <to><first> and on; `from`: a name
 * in which * is the point. */
void emit_unturn(Kernel *kernel, const char *to, Int first, const char *from, Int taps,
                 Int outputs);
/* Writes half of the way back: along the rows of the products, "from[%lld]". */
void emit_unturn_tile(Kernel *kernel, Place product, Int taps, Int inside);
/* … and the other: declares <to><first> and on, the outputs of row i of the tile, as many as lie
 * inside. */
void emit_unturn_row(Kernel *kernel, const char *to, Int first, Int i, Int taps, Int inside);

/* For the layers of whole grains. */

/* Vectors of memory that the gather takes by this way, where it is less work; 0:
 * it is not.  `pool`, which takes the outputs, may be NULL. */
Int winograd_work(const Gather *gather, const Node *pool, int lanes);
/* The same as emit_gather(), with so much memory at the operand `work`. */
void emit_winograd(Kernel *kernel, const Gather *gather);
/* Likewise of the weight's gradient; `forward` is the layer's forward gather. */
Int winograd_gradient_work(const Gather *forward, int lanes);
void emit_winograd_gradient(Kernel *kernel, const Gather *forward);

#endif
