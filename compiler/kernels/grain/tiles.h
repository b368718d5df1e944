/* tiles.h: the multiply-add kernels of conv2d and linear, written out as
 * straight-line text with one named accumulator per output.
 *
 * Measurements decide this form (a loop nest over an accumulator array runs at
 * a third of the speed): a tile of channels × positions is held in registers
 * while the sum runs, so every loaded value is used several times, and the C
 * compiler has nothing left to guess.
 */
#ifndef TILES_H
#define TILES_H

#include "kernels/contraction.h"

/* "2 * step + 1", so many steps and one by one further. */
const char *strided(Int steps, const char *step, Int further);
/* The operands of the epilogue as a function takes them: ", const vec *f0_x1". */
const char *epilogue_parameters(const Kernel *kernel);

/* The values that one side of an outer product multiplies: their indices among the
 * tile's rows or columns, and how far behind the side's first each is read. */
typedef struct Value {
    Int at, offset;
} Value;
typedef struct Operands {
    const char *name; /* of the pointer, a variable */
    bool spread;      /* it points to reals, each of which is spread over a row of lanes */
    Int first;        /* how far behind the pointer offsets begin */
    const char *step; /* what they count: a number or a variable; NULL: elements */
    LIST(Value) items;
} Operands;
/* The call of tile[row * width + column] += row's value * column's value, for all of both: a
 * function of its own, which is inlined, so that the array `tile` is registers. */
void outer_product(Kernel *kernel, Int width, const Operands *rows, const Operands *columns);
/* "vec tile[sums]", of zeros. */
void declare_tile(Kernel *kernel, Int sums);
/* Of the sums of an outer product those that are kept in registers, with one side's
 * operands and one of the other's, at the fewest loads: out channels times in
 * channels, each of which has so many `lines`. */
typedef struct OuterTile {
    Int outs, ins;
} OuterTile;
OuterTile choose_outer_tile(const Contraction *forward, OuterTile max_tile, Int lines,
                            int registers);
/* Closes a loop over tiles, whose finish's constants are not to take registers from its sums. */
void end_tile(Kernel *kernel);

/* Inside, `group`: several are pieces, a single one is what the kernel itself has to cut. */
void open_groups(Kernel *kernel, Int groups);

/* tiles of channels: with more, the first one's wait for memory is lost among them */
enum { MAX_AHEAD = 8 };
/* True when so many rows of lanes stay in a core's second cache from one tile to the next. */
bool fits_block(const Kernel *kernel, Int vectors);
void emit_contraction(Kernel *kernel, const Contraction *contraction);
/* A matrix product as a function of the emitted C, of a contraction of one row and one tap:
 * (vec *out, const vec *in, const real *weights, outs, ins, columns), where in is [ins][columns],
 * out [outs][columns] and the weights [ins][outs]. */
const char *product_function(const Kernel *kernel, const Contraction *contraction);
/* Both stages of a mean over windows, whose forward axes these are. */
void emit_mean(Kernel *kernel, Axis rows, Axis columns, double scale);

/* weight_gradient.c:
 * dweight[o, i, k] = sum over positions p and lanes of dy[o, p] * x[i, source(p, k)],
 * where `forward` is the layer's forward contraction; and dbias, when the layer has one.
 * With kernel->pool, p is a window of its, and the source that of the window's
 * largest element. */
void emit_weight_gradient(Kernel *kernel, const Contraction *forward);
/* Whether that is less work than with a gradient for every element, most of them
 * zero, where choosing by lanes is no slower than a multiply-add. */
bool is_worth_choosing(const Contraction *forward, const Node *pool);
/* pointwise_gradient.c: both gradients of a window of one element at stride 1, with
 * channels enough, without a pool. */
bool is_pointwise_gradient(const Contraction *forward);
void emit_pointwise_gradient(Kernel *kernel, const Contraction *forward);
void emit_bias_gradient(Kernel *kernel, Int channels, Int positions);

#endif
