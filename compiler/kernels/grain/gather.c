/* gather.c: see gather.h. */
#include "kernels/grain/gather.h"
#include "kernels/grain/strided.h"

/* An axis, or neighbours that are taken as they are. */
typedef struct Gathered {
    Int in, out; /* sizes */
    const AxisSource *source;
} Gathered;
typedef struct Gather {
    int count;
    Gathered axis[MAX_RANK];
} Gather;

static Gather merged(Shape in, Shape out, const AxisSource *sources)
{
    Gather gather = {0};
    for (int axis = 0; axis < in.rank; axis++) {
        Gathered *last = gather.count ? &gather.axis[gather.count - 1] : NULL;
        if (last && !last->source->find && !sources[axis].find) {
            last->in *= in.dim[axis];
            last->out *= out.dim[axis];
        } else {
            gather.axis[gather.count++] = (Gathered){in.dim[axis], out.dim[axis], &sources[axis]};
        }
    }
    return gather;
}

/* The axis whose positions are pieces; -1: none, as on the way back two of them could add to one
 * value. */
static int piece_axis(const Kernel *kernel, const Gather *gather)
{
    for (int k = 0; k < gather->count; k++)
        if (kernel->stage == STAGE_FORWARD || !gather->axis[k].source->repeats)
            return k;
    return -1;
}

static void open_axis(Kernel *kernel, const Gathered *axis, int k, bool pieces)
{
    if (pieces)
        open_pieces(kernel, format("i%d", k), axis->out);
    else
        kernel_line(kernel, "for (int64_t i%d = 0; i%d < %lld; i%d++) {", k, k, axis->out, k);
    if (axis->source->find)
        kernel_line(kernel, "const int64_t s%d = %s;", k,
                    axis->source->find(axis->source->rule, format("i%d", k)));
}

/* "i0 * 64L + s1", or of y "i0 * 80L + i1". */
static const char *index_text(const Gather *gather, bool of_x)
{
    Text text = {0};
    for (int k = 0; k < gather->count; k++) {
        Int step = 1;
        for (int behind = k + 1; behind < gather->count; behind++)
            step *= of_x ? gather->axis[behind].in : gather->axis[behind].out;
        text_add(&text, "%s%s%d", k ? " + " : "", of_x && gather->axis[k].source->find ? "s" : "i",
                 k);
        if (step > 1)
            text_add(&text, " * %lldL", step);
    }
    return text_chars(&text);
}

/* Whether what was found lies in x: "(uint64_t)s1 < 28"; NULL: it always does. */
static const char *found_text(const Gather *gather)
{
    Text text = {0};
    for (int k = 0; k < gather->count; k++)
        if (gather->axis[k].source->misses)
            text_add(&text, "%s(uint64_t)s%d < %lld", text.length ? " && " : "", k,
                     gather->axis[k].in);
    return text.length ? text_chars(&text) : NULL;
}

static void emit_value(Kernel *kernel, const Gather *gather, bool adds, double value)
{
    const char *found = found_text(gather), *x = index_text(gather, true),
               *y = index_text(gather, false);
    if (kernel->stage != STAGE_FORWARD)
        kernel_line(kernel, "%sdx[%s] %s dy[%s];", found ? format("if (%s) ", found) : "", x,
                    adds ? "+=" : "=", y);
    else if (found)
        kernel_line(kernel, "y[%s] = %s ? x[%s] : splat((real)%.17g);", y, found, x, value);
    else
        kernel_line(kernel, "y[%s] = x[%s];", y, x);
}

void emit_gather(Kernel *kernel, Shape in, Shape out, const AxisSource *sources, double value)
{
    const Gather gather = merged(in, out, sources);
    bool backward = kernel->stage != STAGE_FORWARD, exact = true;
    for (int k = 0; k < gather.count; k++)
        exact &= !gather.axis[k].source->repeats && gather.axis[k].source->covers;
    int pieces = piece_axis(kernel, &gather);
    if (pieces < 0)
        kernel->splits = false;
    if (backward && !exact && !kernel->node->accumulate)
        emit_no_gradient(kernel);
    if (pieces >= 0)
        open_axis(kernel, &gather.axis[pieces], pieces, true);
    for (int k = 0; k < gather.count; k++)
        if (k != pieces)
            open_axis(kernel, &gather.axis[k], k, false);
    emit_value(kernel, &gather, kernel->node->accumulate || !exact, value);
    for (int k = 0; k < gather.count; k++)
        kernel_line(kernel, "}");
}
