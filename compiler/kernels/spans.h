/* spans.h: pools whose windows are not all alike: those that share the input where the output's
 * size does not divide it, those that hang over its end, or whose means leave out the padding.  A
 * window is a run of neighbours along each axis, whose ends are computed where they are needed;
 * the windows that a value lies in are a run, too.
 */
#ifndef SPANS_H
#define SPANS_H

#include "kernels/kernel.h"

enum { SPAN_AXES = 3 }; /* slices, rows, columns: of fewer axes the first have one value */

typedef struct SpanAxis {
    Int sources, positions;
    bool fitted; /* else they slide: */
    Int kernel, stride, before;
} SpanAxis;

typedef struct SpanPool {
    bool largest;        /* else means */
    bool notes;          /* of the largest values which tap each is */
    bool counts_padding; /* in a mean, what hangs over the end of the padding left out */
    Int channels;
    SpanAxis axis[SPAN_AXES];
} SpanPool;

/* Of a pool node whose windows have no gaps. */
SpanPool span_pool(const Node *node, bool largest, bool counts_padding);
/* Declares, of the window at `position` along an axis, an expression, the positions `from<axis>`
 * below `to<axis>` that lie inside; and of a mean `count<axis>`, by which it divides, of a maximum
 * `origin<axis>` and `size<axis>`, by which its taps are numbered, unless they are not wanted. */
void declare_span(Kernel *kernel, const SpanPool *pool, int axis, const char *position);
/* The window's loops over its values, of which there are SPAN_AXES, at<axis>. */
void open_span_loops(Kernel *kernel);
/* The number of the value at<axis> among a window's taps. */
const char *span_tap(void);
/* Where a value lies, or a window: "(at0 * 7 + at1) * 9 + at2". */
const char *span_place(const SpanPool *pool, const char *name, bool of_sources);

/* The kernel of a grain, of both stages. */
void emit_span_pool(Kernel *kernel, SpanPool pool);

#endif
