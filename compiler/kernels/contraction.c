/* contraction.c: see contraction.h. */
#include "kernels/contraction.h"

#include <string.h>

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

static const Axis *kept_axis(Axis axis)
{
    Axis *kept = NEW(Axis);
    *kept = axis;
    return kept;
}

static Axis rows_of_slices(Axis slices, Axis rows)
{
    return (Axis){
        .sources = slices.sources * rows.sources,
        .positions = slices.positions * rows.positions,
        .taps = slices.taps * rows.taps,
        .stride = 1,
        .dilation = 1,
        .backward = rows.backward,
        .slices = kept_axis(slices),
        .rows = kept_axis(rows),
    };
}

Axis layer_rows(const Node *node)
{
    Axis rows = layer_axis(node, ROWS);
    return window_axes(node) < 3 ? rows : rows_of_slices(layer_axis(node, SLICES), rows);
}

Int axis_source(const Axis *axis, Int position, Int tap)
{
    Int source;
    if (axis->slices) {
        const Axis *rows = axis->rows;
        Int slice = axis_source(axis->slices, position / rows->positions, tap / rows->taps),
            row = axis_source(rows, position % rows->positions, tap % rows->taps);
        return slice < 0 || row < 0 ? -1 : slice * rows->sources + row;
    }
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
    if (axis.slices)
        return rows_of_slices(reversed(*axis.slices), reversed(*axis.rows));
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
    if (axis->slices)
        return every_tap_lies_inside(axis->slices) && every_tap_lies_inside(axis->rows);
    for (Int tap = 0; tap < axis->taps; tap++)
        if (axis_source(axis, 0, tap) < 0 || axis_source(axis, axis->positions - 1, tap) < 0)
            return false;
    return !axis->backward || axis->stride == 1;
}

/* Declares `name`, the source that `tap` reads at `position`, all three expressions, and goes on
 * with the next where there is none, which is not asked of a tap that is always `inside`. */
static void reach(Kernel *kernel, const Axis *axis, const char *name, const char *position,
                  const char *tap, bool inside)
{
    long long stride = axis->stride, dilation = axis->dilation, before = axis->before,
              sources = axis->sources;
    if (!axis->backward) {
        kernel_line(kernel, "const int %s = %s * %lld + %s * %lld - %lld;", name, position, stride,
                    tap, dilation, before);
        if (!inside)
            kernel_line(kernel, "if (%s < 0 || %s >= %lld)", name, name, sources);
    } else if (stride == 1) {
        kernel_line(kernel, "const int %s = %s + %lld - %s * %lld;", name, position, before, tap,
                    dilation);
        if (!inside)
            kernel_line(kernel, "if (%s < 0 || %s >= %lld)", name, name, sources);
    } else {
        const char *reached = strcmp(name, "line") == 0 ? "reached" : format("%s_reached", name);
        kernel_line(kernel, "const int %s = %s + %lld - %s * %lld, %s = %s / %lld;", reached,
                    position, before, tap, dilation, name, reached, stride);
        kernel_line(kernel, "if (%s < 0 || %s %% %lld != 0 || %s >= %lld)", reached, reached,
                    stride, name, sources);
    }
    if (!inside)
        kernel_line(kernel, "    continue;");
}

static void reach_line_of_slices(Kernel *kernel, const Axis *axis, const char *slice,
                                 const char *row, const char *far, const char *near)
{
    const Axis *slices = axis->slices, *rows = axis->rows;
    reach(kernel, slices, "at_slice", slice, far, every_tap_lies_inside(slices));
    reach(kernel, rows, "at_row", row, near, every_tap_lies_inside(rows));
    kernel_line(kernel, "const int line = at_slice * %lld + at_row;", rows->sources);
}

void reach_line(Kernel *kernel, const Axis *axis)
{
    const Axis *rows = axis->rows;
    if (axis->slices)
        reach_line_of_slices(kernel, axis, format("(row / %lld)", rows->positions),
                             format("(row %% %lld)", rows->positions),
                             format("(tap / %lld)", rows->taps),
                             format("(tap %% %lld)", rows->taps));
    else
        reach(kernel, axis, "line", "row", "tap", false);
}

enum { MAX_LISTED = 512 }; /* of a window's rows: they stand on the stack */

static bool is_listed(const Axis *axis)
{
    return axis->slices && axis->taps <= MAX_LISTED;
}

void declare_row_taps(Kernel *kernel, const Axis *axis)
{
    if (!is_listed(axis))
        return;
    Kernel function = begin_function(kernel);
    const Axis *slices = axis->slices, *rows = axis->rows;
    kernel_line(&function, "int count = 0;");
    kernel_line(&function, "const int slice = row / %lld, place = row %% %lld;", rows->positions,
                rows->positions);
    kernel_line(&function, "for (int far = 0; far < %lld; far++)", slices->taps);
    kernel_line(&function, "for (int near = 0; near < %lld; near++) {", rows->taps);
    reach_line_of_slices(&function, axis, "slice", "place", "far", "near");
    kernel_line(&function, "taps[count] = far * %lld + near;", rows->taps);
    kernel_line(&function, "lines[count++] = line;");
    kernel_line(&function, "}");
    kernel_line(&function, "return count;");
    const char *name =
        end_function(kernel, &function,
                     "/* Of a window at a row of a volume: which of its rows, slice by slice, read "
                     "which rows of\n"
                     " * the sources.  How many there are. */",
                     "static int ", "reached_rows", "(int *taps, int *lines, int row)");
    kernel_line(kernel, "int taps[%lld], lines[%lld];", axis->taps, axis->taps);
    kernel_line(kernel, "const int reached = %s(taps, lines, row);", name);
}

void open_tap_lines(Kernel *kernel, const Axis *axis, bool several)
{
    if (is_listed(axis)) {
        kernel_line(kernel, "for (int reach = 0; reach < reached; reach++) {");
        kernel_line(kernel, "const int tap = taps[reach], line = lines[reach];");
        kernel_line(kernel, "(void)tap; /* of what has no weights */");
        return;
    }
    kernel_line(kernel, "for (int tap = 0; tap < %lld; tap++) {", axis->taps);
    if (axis->slices)
        reach_line(kernel, axis);
    else
        reach(kernel, axis, "line", "row", "tap", several || every_tap_lies_inside(axis));
}

void open_row_taps(Kernel *kernel, const Axis *axis)
{
    open_tap_lines(kernel, axis, false);
}

/* --------------------------------------------------------- contractions */

static bool is_whole(const Axis *axis)
{
    if (axis->slices)
        return is_whole(axis->slices) && is_whole(axis->rows);
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
    *rows = (Axis){.sources = 1, .positions = 1, .taps = 1, .stride = 1, .dilation = 1};
    rows->backward = columns->backward;
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
