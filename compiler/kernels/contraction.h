/* contraction.h: sums over windows, as which convolutions, matrix products and means are told
 * to those that write them: what lies where along an axis, and what is summed.  A contraction is a
 * matrix product of which one factor is read through windows and never stored: an implicit
 * GEMM.
 */
#ifndef CONTRACTION_H
#define CONTRACTION_H

#include "kernels/kernel.h"

/* One axis of a contraction: positions to compute, taps to sum over, and which
 * source element each tap of each position reads. */
typedef struct Axis {
    Int sources, positions, taps;
    Int stride, dilation, before;
    bool backward; /* positions are the window's inputs, sources its outputs */
    /* of a volume: the rows of all its slices, slice by slice, are one axis, and so are the
     * window's; its stride and the like are those of these two.  NULL: an axis of its own */
    const struct Axis *slices, *rows;
} Axis;

enum { SLICES = -1, ROWS, COLUMNS }; /* a volume's axes: the last three of a shape */
/* Of a layer's window: from x to y where it slides; of a transposed one, whose x is what it
 * slides to, from y to x.  The rows of a [channels, length] are one. */
Axis layer_axis(const Node *node, int axis);
/* The axis of all its rows: of a volume those of all slices. */
Axis layer_rows(const Node *node);
/* The source a tap reads, or -1 when it falls outside. */
Int axis_source(const Axis *axis, Int position, Int tap);
/* that a tile which begins at `column` counts from */
Int first_source(const Axis *axis, Int column);

bool every_tap_lies_inside(const Axis *axis);
/* The axis of an input's gradient: positions and sources change places. */
Axis reversed(Axis axis);

/* Tiles of `width` columns from `start`, `count` of them, whose taps lie alike
 * relative to their first source. */
typedef struct Run {
    Int start, width, count;
} Run;
typedef LIST(Run) RunList;
void split_columns(const Axis *axis, Int width, RunList *runs);

/* Opens the loop (or the plain braces) over a run; inside, `column` is the
 * tile's first column and `source` the source element it starts from. */
void open_run(Kernel *kernel, const Axis *axis, Run run);
/* Where position `row` is known, before those loops: of a volume, which taps it reads. */
void declare_row_taps(Kernel *kernel, const Axis *axis);
/* Opens the loop over a row's taps; inside, `tap` and `line`, the source row for the position
 * `row`.  Taps in the padding are left out, or with `several` rows are left to each. */
void open_tap_lines(Kernel *kernel, const Axis *axis, bool several);
/* In a loop over taps, or rows: `line`; goes on with the next where it lies in the padding. */
void reach_line(Kernel *kernel, const Axis *axis);
void open_row_taps(Kernel *kernel, const Axis *axis);

/* out[t, p] (+)= bias[t] + sum over n, k of weight[t, n, k] * in[n, source(p, k)],
 * in each group; or, unweighted, scale * sum over k of in[p's own channel, source(p, k)]:
 * a mean over windows, each channel a group of one. */
typedef struct Contraction {
    const char *in, *out; /* operands of the kernel: "x", "y" */
    const char *bias;     /* NULL: none */
    bool accumulate;
    bool unweighted;
    double scale; /* unweighted only */
    Int groups;
    Int out_channels, in_channels; /* of a group: of `out`, of `in` */
    Axis rows, columns;
    Int group_step, out_step, in_step; /* of weight; a tap's step is 1 */
} Contraction;

/* A window of one element at stride 1, without padding: a matrix product, whose
 * positions lie side by side in both tensors and may be taken as one row. */
bool is_pointwise(const Contraction *contraction);
void flatten_spatial(Contraction *contraction);

/* The contraction that computes the gradient of `forward`'s input: positions are the
 * input's, sources the output's, and weight's two channel axes change places. */
Contraction reversed_contraction(const Contraction *forward, bool accumulate);

#endif
