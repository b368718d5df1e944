/* spans.c: pools of a grain whose windows are not all alike (../spans.h).  On the way back each
 * value is told what the windows that it lies in give it, and is written once.
 */
#include "kernels/spans.h"

#include "kernels/grain/pool.h"

/* Loops over the channels and over all values, or windows, of each: <name><axis>. */
static void open_places(Kernel *kernel, const SpanPool *pool, const char *name, bool of_sources)
{
    open_pieces(kernel, "c", pool->channels);
    for (int axis = 0; axis < SPAN_AXES; axis++) {
        const SpanAxis *along = &pool->axis[axis];
        kernel_line(kernel, "for (int %s%d = 0; %s%d < %lld; %s%d++) {", name, axis, name, axis,
                    of_sources ? along->sources : along->positions, name, axis);
        if (!of_sources)
            declare_span(kernel, pool, axis, format("%s%d", name, axis));
    }
}

static void close_places(Kernel *kernel)
{
    for (int i = 0; i <= SPAN_AXES; i++)
        kernel_line(kernel, "}");
}

static Int values_of(const SpanPool *pool, bool of_sources)
{
    Int values = 1;
    for (int axis = 0; axis < SPAN_AXES; axis++)
        values *= of_sources ? pool->axis[axis].sources : pool->axis[axis].positions;
    return values;
}

static const char *number_of(const SpanPool *pool, const char *name, bool of_sources)
{
    return format("c * %lldL + %s", values_of(pool, of_sources),
                  span_place(pool, name, of_sources));
}

static void largest_forward(Kernel *kernel, const SpanPool *pool)
{
    bool notes = kernel->training;
    kernel_line(kernel, "vec best = (vec){ 0 } - (real)__builtin_inf(), value%s;",
                notes ? ", which = (vec){ 0 } - 1" : "");
    kernel_line(kernel, "mask takes;");
    open_span_loops(kernel);
    emit_pool_take(kernel, format("plane[%s]", span_place(pool, "at", true)), span_tap(),
                   notes ? " | (which < (vec){ 0 })" : "");
    kernel_line(kernel, "}");
    kernel_store(kernel, "y[p]", "p", "best");
    if (notes)
        kernel_line(kernel, "aux[p] = which;");
}

static void mean_forward(Kernel *kernel, const SpanPool *pool)
{
    kernel_line(kernel, "vec sum = { 0 };");
    open_span_loops(kernel);
    kernel_line(kernel, "sum += plane[%s];", span_place(pool, "at", true));
    kernel_line(kernel, "}");
    kernel_store(kernel, "y[p]", "p", "sum / ((real)count0 * (real)count1 * (real)count2)");
}

static void emit_forward(Kernel *kernel, const SpanPool *pool)
{
    open_places(kernel, pool, "window", false);
    kernel_line(kernel, "const vec *plane = x + c * %lldL;", values_of(pool, true));
    kernel_line(kernel, "const int64_t p = %s;", number_of(pool, "window", false));
    (pool->largest ? largest_forward : mean_forward)(kernel, pool);
    close_places(kernel);
}

/* The loop over the windows that value at<axis> lies in: window<axis>. */
static void open_windows(Kernel *kernel, const SpanAxis *along, int axis)
{
    const char *first, *end;
    if (along->fitted) {
        first = format("(int)(at%d * %lldL / %lld)", axis, along->positions, along->sources);
        end = format("(int)(((at%d + 1) * %lldL + %lld) / %lld)", axis, along->positions,
                     along->sources - 1, along->sources);
    } else {
        first = format("at%d < %lld ? 0 : (at%d - %lld) / %lld + 1", axis,
                       along->kernel - along->before, axis, along->kernel - along->before,
                       along->stride);
        end = format("(at%d + %lld) / %lld + 1", axis, along->before, along->stride);
    }
    kernel_line(kernel, "const int begin%d = %s, reached%d = %s;", axis, first, axis, end);
    kernel_line(kernel, "const int end%d = reached%d < %lld ? reached%d : %lld;", axis, axis,
                along->positions, axis, along->positions);
}

static void emit_backward(Kernel *kernel, const SpanPool *pool)
{
    const char *p = number_of(pool, "window", false);
    open_places(kernel, pool, "at", true);
    kernel_line(kernel, "const int64_t place = %s;", number_of(pool, "at", true));
    kernel_line(kernel, "vec sum = %s;", kernel->node->accumulate ? "dx[place]" : "{ 0 }");
    for (int axis = 0; axis < SPAN_AXES; axis++)
        open_windows(kernel, &pool->axis[axis], axis);
    for (int axis = 0; axis < SPAN_AXES; axis++) {
        kernel_line(kernel, "for (int window%d = begin%d; window%d < end%d; window%d++) {", axis,
                    axis, axis, axis, axis);
        declare_span(kernel, pool, axis, format("window%d", axis));
        kernel_line(kernel, "(void)from%d, (void)to%d;", axis, axis);
    }
    kernel_line(kernel, "const int64_t p = %s;", p);
    if (pool->largest)
        kernel_line(kernel, "sum += (vec)((mask)dy[p] & (aux[p] == splat((real)%s)));", span_tap());
    else
        kernel_line(kernel, "sum += dy[p] / ((real)count0 * (real)count1 * (real)count2);");
    for (int axis = 0; axis < SPAN_AXES; axis++)
        kernel_line(kernel, "}");
    kernel_store(kernel, "dx[place]", "place", "sum");
    close_places(kernel);
}

void emit_span_pool(Kernel *kernel, SpanPool pool)
{
    pool.notes = kernel->training;
    kernel->algorithm = "Windows that are not all alike: each is found by itself.";
    (kernel->stage == STAGE_FORWARD ? emit_forward : emit_backward)(kernel, &pool);
}
