/* spans.c: see spans.h. */
#include "kernels/spans.h"

#include "kernels/contraction.h"

SpanPool span_pool(const Node *node, bool largest, bool counts_padding)
{
    int axes = window_axes(node);
    SpanPool pool = {
        .largest = largest, .counts_padding = counts_padding, .channels = input_shape(node).dim[0]};
    for (int axis = 0; axis < SPAN_AXES; axis++) {
        int number = axes - SPAN_AXES + axis;
        pool.axis[axis] = (SpanAxis){.sources = 1, .positions = 1, .kernel = 1, .stride = 1};
        if (number < 0)
            continue;
        Window window = node_window(node, number);
        pool.axis[axis] = (SpanAxis){.sources = input_shape(node).dim[1 + number],
                                     .positions = node->out_shape.dim[1 + number],
                                     .fitted = node->op->window == WINDOW_FITTED,
                                     .kernel = window.kernel,
                                     .stride = window.stride,
                                     .before = window.before};
    }
    return pool;
}

/* PyTorch's rule: from floor(position * in / out) to ceil((position + 1) * in / out). */
static void declare_fitted(Kernel *kernel, const SpanAxis *along, int axis, const char *position)
{
    kernel_line(kernel, "const int from%d = (int)(%s * %lldL / %lld);", axis, position,
                along->sources, along->positions);
    kernel_line(kernel, "const int to%d = (int)(((%s + 1) * %lldL + %lld) / %lld);", axis, position,
                along->sources, along->positions - 1, along->positions);
}

static void declare_sliding(Kernel *kernel, const SpanAxis *along, int axis, const char *position)
{
    kernel_line(kernel, "const int first%d = %s * %lld - %lld, last%d = first%d + %lld;", axis,
                position, along->stride, along->before, axis, axis, along->kernel);
    kernel_line(kernel, "const int from%d = first%d < 0 ? 0 : first%d;", axis, axis, axis);
    kernel_line(kernel, "const int to%d = last%d < %lld ? last%d : %lld;", axis, axis,
                along->sources, axis, along->sources);
}

/* How many a window has along the first axis, no number of a tap tells. */
static void declare_taps(Kernel *kernel, const SpanAxis *along, int axis)
{
    kernel_line(kernel, "const int origin%d = %s%d;", axis, along->fitted ? "from" : "first", axis);
    if (axis && along->fitted)
        kernel_line(kernel, "const int size%d = to%d - from%d;", axis, axis, axis);
    else if (axis)
        kernel_line(kernel, "const int size%d = %lld;", axis, along->kernel);
}

void declare_span(Kernel *kernel, const SpanPool *pool, int axis, const char *position)
{
    const SpanAxis *along = &pool->axis[axis];
    (along->fitted ? declare_fitted : declare_sliding)(kernel, along, axis, position);
    if (pool->largest && pool->notes)
        declare_taps(kernel, along, axis);
    else if (!pool->largest && (along->fitted || !pool->counts_padding))
        kernel_line(kernel, "const int count%d = to%d - from%d;", axis, axis, axis);
    else if (!pool->largest)
        kernel_line(kernel, "const int count%d = (last%d < %lld ? last%d : %lld) - first%d;", axis,
                    axis, along->sources + along->before, axis, along->sources + along->before,
                    axis);
}

void open_span_loops(Kernel *kernel)
{
    for (int axis = 0; axis < SPAN_AXES; axis++)
        kernel_line(kernel, "for (int at%d = from%d; at%d < to%d; at%d++)%s", axis, axis, axis,
                    axis, axis, axis == SPAN_AXES - 1 ? " {" : "");
}

const char *span_tap(void)
{
    return "(((at0 - origin0) * size1 + at1 - origin1) * size2 + at2 - origin2)";
}

const char *span_place(const SpanPool *pool, const char *name, bool of_sources)
{
    const SpanAxis *rows = &pool->axis[1], *columns = &pool->axis[2];
    return format("(%s0 * %lldL + %s1) * %lldL + %s2", name,
                  of_sources ? rows->sources : rows->positions, name,
                  of_sources ? columns->sources : columns->positions, name);
}
