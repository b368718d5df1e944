/* image.h: kernels that compute one image, vectors of consecutive channels.
 *
 * A tensor is [height][width][channels]; one that is part of a concatenation
 * is a slice of each position's channels, so from one position to the next it
 * is `stride` elements, which may be more than its own channels.  Loads are
 * whole vectors and may reach into what lies behind a value, even into what another thread
 * writes meanwhile: those lanes are in no result.  Stores are exact.
 *
 * A kernel is `(real *y, const real *x, …, const real *w)`, where w are its
 * parameters as NetPacking in net_runtime.h lays them out.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "kernels/contraction.h"
#include "kernels/spans.h"

/* How the parameters are packed: NetPacking's fields that depend on the kernel. */
typedef struct Packing {
    const Parameter *weight, *bias; /* NULL: ones; zeros */
    Int groups, outs, ins, rows, columns;
    Int block, last; /* elements that a block of outs takes; the last one */
    Int points; /* of Winograd's tiles, along an axis: then the factors are values there; 0: taps */
    const double *at; /* [points][columns]: what a tap adds to the value at a point, of both axes */
    bool transposed;  /* weight is [groups * ins][outs] of taps, not [groups * outs][ins] */
} Packing;
Int packed_elements(const Packing *packing);

struct ImageKernel {
    Kernel kernel;
    Int x_stride, y_stride;
    LIST(Int) x_strides; /* of all inputs, for an operator that has several */
    bool winograd;       /* whether convolutions may go by winograd.h */
    /* elements that the kernel uses meanwhile, of the operand `workspace`, which is its thread's,
     * and as many of `team_workspace`, which is all threads'; set by it */
    Int work;
    bool halves;                       /* a vector of half the width costs half */
    const char *epilogue;              /* as Kernel.epilogue */
    LIST(const char *) epilogue_names; /* what it reads besides the value … */
    LIST(Int) epilogue_strides;        /* … and from a position to the next */
    Packing packing;                   /* set by an operator that has parameters; outs 0: none */
    /* what a piece is, where the kernel splits: a block of channels, or a row */
    enum { BY_BLOCKS, BY_ROWS } cut;
};

enum { MAX_IMAGE_TAPS = 64 }; /* of a window's columns: their text is written out */

/* Writes the store of `value`, a vec, of which `used` lanes are channels of y
 * from `channel` on at position `position`: both expressions. */
void image_store(ImageKernel *image, const char *position, const char *channel, Int used,
                 const char *value);

/* Sums of all inputs of a group, weighted: convolutions and matrix products. */
void image_contraction(ImageKernel *image, Contraction contraction);

/* The same by way of winograd.h, where that is less work; false: it is not, and nothing was
 * written. */
bool image_winograd(ImageKernel *image, Contraction contraction);

/* Channel by channel: weighted sums, means and maxima over windows. */
typedef enum WindowKind { WINDOW_WEIGHTED, WINDOW_MEAN, WINDOW_LARGEST } WindowKind;
typedef struct ChannelWindow {
    WindowKind kind;
    Int channels;
    Axis rows, columns;
    double scale; /* WINDOW_MEAN */
} ChannelWindow;
void image_window(ImageKernel *image, ChannelWindow window);
/* The same of means and maxima whose windows are not all alike. */
void image_span_pool(ImageKernel *image, SpanPool pool);

/* y = weight * x + bias along the last axis of x, of `in` values, of which y has `out`. */
void image_rows(ImageKernel *image, const Parameter *bias, Int in, Int out);

/* y = x * weight[c] + bias[c], ones and zeros where NULL, and a batch norm's
 * scale and shift when the node is one. */
void image_scale(ImageKernel *image, const Parameter *weight, const Parameter *bias);

#endif
