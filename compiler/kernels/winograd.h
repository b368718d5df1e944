/* winograd.h: convolution by Toom and Cook's way (Winograd 1980, "Arithmetic
 * Complexity of Computations"; Lavin and Gray 2016, "Fast Algorithms for
 * Convolutional Neural Networks", https://arxiv.org/abs/1509.09308).
 *
 * A tile of outputs along an axis, and the taps they are sums over, are the
 * coefficients of two polynomials whose product is found from its values at six
 * points: 0, 1, -1, 2, -2 and infinity.  Sources and taps are transformed to values, products of
 * values back to outputs, and between them, at each of the points of both axes,
 * stands a plain matrix product over the channels: 36 multiply-adds where 4 × 4
 * outputs of 3 × 3 taps need 144, and 2 × 2 of 5 × 5 need 100.  The gradient of the
 * weights is a convolution, too, whose taps are gradients: along rows it takes six
 * multiply-adds for twelve, or ten.
 *
 * The points are small, so float32 keeps about a digit less than it does directly.
 */
#ifndef WINOGRAD_H
#define WINOGRAD_H

#include "kernels/contraction.h"

enum { POINTS = 6, POINTS_OF_BOTH = POINTS * POINTS };

/* The outputs of a tile along an axis with so many taps; 0: there is no such tile. */
Int winograd_outputs(Int taps);
/* One group, stride and dilation 1, and sizes of which no product overflows. */
bool is_plain_contraction(const Contraction *contraction);
/* Whether the layer is one that tiles fit: as many taps along either axis, at stride and
 * dilation 1. */
bool winograd_fits(const Contraction *contraction);

/* The least odd number that is no less.  A tile goes to, or comes from, a line at
 * each point: at an odd distance no two of them want the same place in a cache. */
Int round_up_odd(Int count);

/* Taps of all positions that read a source. */
Int count_taps(const Axis *axis);
/* The multiply-adds, of rows of lanes, of doing it directly, without those of taps in the
 * padding. */
double direct_work(const Contraction *contraction);

/* The axis of the tiles: each reads POINTS sources. */
Axis winograd_tiles(const Axis *axis);
/* Runs of tiles whose sources, and outputs, lie alike: a last tile of which some
 * outputs lie outside is one of its own. */
void split_tiles(const Axis *axis, RunList *runs);

/* Rows of tiles that are taken together: as many as fit, each `size` large, into `max_size`, and go
 * into all without a rest. */
Int rows_of_tiles(const Axis *rows, Int size, Int max_size);
/* The matrix product at a point, of which every tile is a position. */
Contraction point_product(const Contraction *contraction, Int tiles);
/* Opens the loop over a run of tiles of a row; inside, `column`, and `tile`, which counts from
 * the first of row `top`. */
void open_tiles(Kernel *kernel, const Axis *columns, Run run);

/* Functions of the emitted C, each written when its name is first asked for: along one axis,
 * vec v[6] of six sources, Lavin and Gray's matrix B transposed; … */
const char *winograd_source_function(const Kernel *kernel);
/* … vec g[6] of so many taps, their matrix G; … */
const char *winograd_tap_function(const Kernel *kernel, Int taps);
/* … and vec y[outputs] of six products, their matrix A transposed. */
const char *winograd_output_function(const Kernel *kernel, Int outputs);
/* The outputs of a tile of products along its columns, vec part[6][outputs]: (part, from, point),
 * where `load` reads the product at a point's number through `from`. */
const char *winograd_columns_function(const Kernel *kernel, Int outputs, const char *pointer,
                                      const char *load);
/* Lavin and Gray's matrix G: what a tap of so many adds to the value at a point. */
double winograd_factor(Int point, Int tap, Int taps);

/* How a tile's sources and values are written in the emitted C. */
typedef struct TileAccess {
    const char *pointer; /* "const vec *" */
    const char *load;    /* of a line and a column's number: "line%lld[source + %lld]" */
    const char *store;   /* of a point's number */
    const char *further; /* parameters that these take, and the loop */
    const char *loop;    /* over a run of tiles: the number of columns that they lie apart */
} TileAccess;
/* The function that transforms a run of `count` tiles of six lines, whose first is at column
 * `start` of `tiles`: (to, point, line, source, count) and what `access` takes further. */
const char *winograd_tiles_function(const Kernel *kernel, const Axis *tiles, Int start,
                                    const TileAccess *access);
/* How the function begins that transforms so many values of a point in a call.  Of few it is a part
 * of its layer: where a point lies is then part of each load and store, and not computed 36 times
 * for every tile.  Of many, the layers share it, and it is compiled once. */
const char *winograd_head(Int values);
/* "F(4x4, 3x3)" */
const char *winograd_title(Int taps);
/* Where a run of tiles begins and ends, in a row of `tiles`, a name in the emitted C: numbers
 * of its last tiles are counted from there, so that rows of any length have one text. */
const char *tile_number(Int number, Int count, const char *tiles);

#endif
