/* axes.c: see axes.h. */
#include "kernels/grain/axes.h"

AxisLoops axis_loops(Shape shape, unsigned reduced)
{
    AxisLoops loops = {0};
    for (int axis = 0; axis < shape.rank; axis++) {
        bool kind = reduced >> axis & 1;
        int last = loops.count - 1;
        if (shape.dim[axis] == 1)
            continue;
        if (last >= 0 && loops.reduced[last] == kind) {
            loops.size[last] *= shape.dim[axis];
        } else {
            loops.size[loops.count] = shape.dim[axis];
            loops.reduced[loops.count++] = kind;
        }
    }
    return loops;
}

static const char *index_text(const AxisLoops *loops, bool kept)
{
    Text text = {0};
    for (int k = 0; k < loops->count; k++) {
        Int step = 1;
        if (kept && loops->reduced[k])
            continue;
        for (int behind = k + 1; behind < loops->count; behind++)
            step *= kept && loops->reduced[behind] ? 1 : loops->size[behind];
        text_add(&text, "%si%d", text.length ? " + " : "", k);
        if (step > 1)
            text_add(&text, " * %lldL", step);
    }
    return text.length ? text_chars(&text) : "0";
}

const char *whole_index(const AxisLoops *loops)
{
    return index_text(loops, false);
}

const char *kept_index(const AxisLoops *loops)
{
    return index_text(loops, true);
}

int open_kept_loops(Kernel *kernel, const AxisLoops *loops)
{
    int opened = 0;
    for (int k = 0; k < loops->count; k++) {
        if (loops->reduced[k])
            continue;
        if (!opened++)
            open_pieces(kernel, format("i%d", k), loops->size[k]);
        else
            kernel_line(kernel, "for (int i%d = 0; i%d < %lld; i%d++) {", k, k, loops->size[k], k);
    }
    return opened;
}

int open_reduced_loops(Kernel *kernel, const AxisLoops *loops)
{
    int opened = 0;
    for (int k = 0; k < loops->count; k++) {
        if (!loops->reduced[k])
            continue;
        kernel_line(kernel, "for (int i%d = 0; i%d < %lld; i%d++) {", k, k, loops->size[k], k);
        opened++;
    }
    return opened;
}

void close_loops(Kernel *kernel, int count)
{
    for (int k = 0; k < count; k++)
        kernel_line(kernel, "}");
}
