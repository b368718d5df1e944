/* contraction.c: see contraction.h. */
#include "kernels/contraction.h"

Axis layer_axis(const Node *node, int axis)
{
    int number = window_axes(node) - 2 + axis;
    if (number < 0)
        return (Axis){.sources = 1, .positions = 1, .taps = 1, .stride = 1, .dilation = 1};
    Window window = node_window(node, number);
    Int in = input_shape(node).dim[1 + number], out = node->out->shape.dim[1 + number];
    bool transposed = node->op->window == WINDOW_TRANSPOSED;
    return (Axis){
        .sources = transposed ? out : in,
        .positions = transposed ? in : out,
        .taps = window.kernel,
        .stride = window.stride,
        .dilation = window.dilation,
        .before = window.before,
    };
}

Int axis_source(const Axis *axis, Int position, Int tap)
{
    Int source;
    if (axis->backward) {
        Int reached = position + axis->before - tap * axis->dilation;
        if (reached < 0 || reached % axis->stride != 0)
            return -1;
        source = reached / axis->stride;
    } else {
        source = position * axis->stride + tap * axis->dilation - axis->before;
    }
    return source >= 0 && source < axis->sources ? source : -1;
}

Axis reversed(Axis axis)
{
    Int sources = axis.sources;
    axis.sources = axis.positions;
    axis.positions = sources;
    axis.backward = true;
    return axis;
}

/* -------------------------------------------------------- runs of tiles */

Int first_source(const Axis *axis, Int column)
{
    return axis->backward ? column / axis->stride : column * axis->stride;
}

static bool alike(const Axis *axis, Int a, Int b, Int width)
{
    for (Int x = 0; x < width; x++)
        for (Int tap = 0; tap < axis->taps; tap++) {
            Int from_a = axis_source(axis, a + x, tap), from_b = axis_source(axis, b + x, tap);
            if ((from_a < 0) != (from_b < 0))
                return false;
            if (from_a >= 0 && from_a - first_source(axis, a) != from_b - first_source(axis, b))
                return false;
        }
    return true;
}

void split_columns(const Axis *axis, Int width, RunList *runs)
{
    for (Int x = 0; x < axis->positions; x += width) {
        Int left = axis->positions - x;
        Run run = {x, left < width ? left : width, 1};
        Run *last = runs->count ? &runs->items[runs->count - 1] : NULL;
        if (last && last->width == run.width && alike(axis, last->start, x, run.width))
            last->count++;
        else
            push(runs, run);
    }
}

void open_run(Kernel *kernel, const Axis *axis, Run run)
{
    if (run.count > 1)
        kernel_line(kernel, "for (int column = %lld; column < %lld; column += %lld) {", run.start,
                    run.start + run.count * run.width, run.width);
    else
        kernel_line(kernel, "{");
    if (run.count == 1)
        kernel_line(kernel, "const int column = %lld;", run.start);
    if (axis->backward)
        kernel_line(kernel, "const int source = column / %lld;", axis->stride);
    else
        kernel_line(kernel, "const int source = column * %lld;", axis->stride);
}

/* ------------------------------------------------------------ rows' taps */

bool every_tap_lies_inside(const Axis *axis)
{
    for (Int tap = 0; tap < axis->taps; tap++)
        if (axis_source(axis, 0, tap) < 0 || axis_source(axis, axis->positions - 1, tap) < 0)
            return false;
    return !axis->backward || axis->stride == 1;
}

void open_tap_lines(Kernel *kernel, const Axis *axis, bool several)
{
    long long stride = axis->stride, dilation = axis->dilation, before = axis->before,
              sources = axis->sources;
    bool inside = several || every_tap_lies_inside(axis);
    kernel_line(kernel, "for (int tap = 0; tap < %lld; tap++) {", axis->taps);
    if (!axis->backward) {
        kernel_line(kernel, "const int line = row * %lld + tap * %lld - %lld;", stride, dilation,
                    before);
        if (!inside)
            kernel_line(kernel, "if (line < 0 || line >= %lld)", sources);
    } else if (stride == 1) {
        kernel_line(kernel, "const int line = row + %lld - tap * %lld;", before, dilation);
        if (!inside)
            kernel_line(kernel, "if (line < 0 || line >= %lld)", sources);
    } else {
        kernel_line(kernel, "const int reached = row + %lld - tap * %lld, line = reached / %lld;",
                    before, dilation, stride);
        kernel_line(kernel, "if (reached < 0 || reached %% %lld != 0 || line >= %lld)", stride,
                    sources);
    }
    if (!inside)
        kernel_line(kernel, "    continue;");
}

void open_row_taps(Kernel *kernel, const Axis *axis)
{
    open_tap_lines(kernel, axis, false);
}

/* --------------------------------------------------------- contractions */

static bool is_whole(const Axis *axis)
{
    return axis->taps == 1 && axis->stride == 1 && axis->before == 0
           && axis->sources == axis->positions;
}

bool is_pointwise(const Contraction *contraction)
{
    return is_whole(&contraction->rows) && is_whole(&contraction->columns);
}

void flatten_spatial(Contraction *contraction)
{
    Axis *rows = &contraction->rows, *columns = &contraction->columns;
    columns->sources = columns->positions = rows->sources * columns->sources;
    rows->sources = rows->positions = 1;
}

Contraction reversed_contraction(const Contraction *forward, bool accumulate)
{
    Contraction contraction = *forward;
    contraction.in = "dy";
    contraction.out = "dx";
    contraction.bias = NULL;
    contraction.accumulate = accumulate;
    contraction.out_channels = forward->in_channels;
    contraction.in_channels = forward->out_channels;
    contraction.out_step = forward->in_step;
    contraction.in_step = forward->out_step;
    contraction.rows = reversed(forward->rows);
    contraction.columns = reversed(forward->columns);
    return contraction;
}
