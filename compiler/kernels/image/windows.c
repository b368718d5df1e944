/* windows.c: kernels of one image that go channel by channel: weighted sums, means and maxima
 * over windows, and the scale and shift of a norm.
 */
#include "kernels/image/tiles.h"

#include <string.h>

enum { WINDOW_COLUMNS = 4, LOOPED_TAPS = 8 };

static void window_start(ImageKernel *image, const ChannelWindow *window, Int positions)
{
    for (Int p = 0; p < positions; p++)
        switch (window->kind) {
        case WINDOW_WEIGHTED:
            kernel_line(&image->kernel, "vec a%lld = *(const unaligned_vec *)(w + c);", p);
            break;
        case WINDOW_MEAN:
            kernel_line(&image->kernel, "vec a%lld = { 0 };", p);
            break;
        case WINDOW_LARGEST:
            kernel_line(&image->kernel, "vec a%lld = (vec){ 0 } - (real)__builtin_inf();", p);
            break;
        }
}

/* `value`, a vec, joins position p's result; its weight is k.  The comparison is
 * false for NaN on either side, so that a NaN wins, as in PyTorch. */
static void window_join(ImageKernel *image, const ChannelWindow *window, Int p, const char *value)
{
    const char *a = format("a%lld", p);
    switch (window->kind) {
    case WINDOW_WEIGHTED:
        kernel_line(&image->kernel, "%s += %s * k;", a, value);
        break;
    case WINDOW_MEAN:
        kernel_line(&image->kernel, "%s += %s;", a, value);
        break;
    case WINDOW_LARGEST:
        kernel_line(
            &image->kernel,
            "{ const vec value = %s; %s = vec_select((%s >= value) | (%s != %s), %s, value); }",
            value, a, a, a, a, a);
        break;
    }
}

static void window_weights(ImageKernel *image, const ChannelWindow *window, const char *column)
{
    if (window->kind == WINDOW_WEIGHTED)
        kernel_line(
            &image->kernel,
            "const vec k = *(const unaligned_vec *)(w + (1 + tap * %lldL + %s) * %lldL + c);",
            window->columns.taps, column, image->packing.block);
}

/* One window over a long row, all of it inside: a loop. */
static bool is_one_long_row(const Axis *columns)
{
    return columns->positions == 1 && columns->before == 0 && columns->taps <= columns->sources
           && columns->dilation == 1 && columns->taps > LOOPED_TAPS;
}

static void window_taps(ImageKernel *image, const ChannelWindow *window, Run run)
{
    Kernel *kernel = &image->kernel;
    const Axis *columns = &window->columns;
    if (is_one_long_row(columns)) {
        kernel_line(kernel, "for (int q = 0; q < %lld; q++) {", columns->taps);
        window_weights(image, window, "q");
        window_join(image, window, 0,
                    format("*(const unaligned_vec *)(v + q * %lldL)", image->x_stride));
        kernel_line(kernel, "}");
        return;
    }
    for (Int tap = 0; tap < columns->taps; tap++) {
        if (!is_read(columns, run, tap))
            continue;
        kernel_line(kernel, "{");
        window_weights(image, window, format("%lld", tap));
        for (Int p = 0; p < run.width; p++) {
            Int source = axis_source(columns, run.start + p, tap);
            if (source >= 0)
                window_join(image, window, p,
                            format("*(const unaligned_vec *)(v + %lldL)",
                                   (source - first_source(columns, run.start)) * image->x_stride));
        }
        kernel_line(kernel, "}");
    }
}

static void window_tile(ImageKernel *image, const ChannelWindow *window, Run run, Int used)
{
    Kernel *kernel = &image->kernel;
    open_run(kernel, &window->columns, run);
    window_start(image, window, run.width);
    open_row_taps(kernel, &window->rows);
    kernel_line(kernel, "const real *v = x + (line * %lldL + source) * %lldL + c;",
                window->columns.sources, image->x_stride);
    window_taps(image, window, run);
    kernel_line(kernel, "}");
    for (Int p = 0; p < run.width; p++)
        image_store(image, format("row * %lldL + column + %lld", window->columns.positions, p), "c",
                    used,
                    window->kind == WINDOW_MEAN ? format("a%lld * (real)%.17g", p, window->scale)
                                                : format("a%lld", p));
    kernel_line(kernel, "}");
}

static void window_channels(ImageKernel *image, const ChannelWindow *window, const RunList *runs,
                            Int from, Int to, Int used)
{
    Kernel *kernel = &image->kernel;
    bool shared = kernel->splits;
    if (from >= to)
        return;
    if (!shared || image->cut == BY_ROWS)
        kernel_line(kernel, "for (int c = %lld; c < %lld; c += LANES)", from, to);
    else if (used == kernel->lanes)
        kernel_line(kernel, "for (int c = begin; c + LANES <= end; c += LANES)");
    else
        kernel_line(kernel, "for (int c = %lld; c < end; c += LANES)", from);
    if (shared && image->cut == BY_ROWS)
        kernel_line(kernel, "for (int row = begin; row < end; row++) {");
    else
        kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", window->rows.positions);
    declare_row_taps(kernel, &window->rows);
    for (int i = 0; i < runs->count; i++)
        window_tile(image, window, runs->items[i], used);
    kernel_line(kernel, "}");
}

static void pack_window(ImageKernel *image, const ChannelWindow *window)
{
    Packing *packing = &image->packing;
    Int lanes = image->kernel.lanes;
    packing->groups = packing->ins = 1;
    packing->outs = window->channels;
    packing->rows = window->rows.taps;
    packing->columns = window->columns.taps;
    packing->block = packing->last = (window->channels + lanes - 1) / lanes * lanes;
}

/* A thread's pieces, from `begin` to `end`: rows, or of a single one vectors of channels. */
static void declare_own_pieces(ImageKernel *image, const ChannelWindow *window)
{
    Kernel *kernel = &image->kernel;
    if (!kernel->splits)
        return;
    image->cut = window->rows.positions > 1 ? BY_ROWS : BY_BLOCKS;
    if (image->cut == BY_ROWS)
        declare_pieces(kernel, "begin", "end", 0, window->rows.positions, 1);
    else
        declare_pieces(kernel, "begin", "end", 0, window->channels, kernel->lanes);
}

void image_window(ImageKernel *image, ChannelWindow window)
{
    RunList runs = {0};
    Int lanes = image->kernel.lanes, whole = window.channels / lanes * lanes;
    declare_own_pieces(image, &window);
    split_columns(&window.columns, WINDOW_COLUMNS, &runs);
    if (window.kind == WINDOW_WEIGHTED)
        pack_window(image, &window);
    window_channels(image, &window, &runs, 0, whole, lanes);
    window_channels(image, &window, &runs, whole, window.channels, window.channels - whole);
}

void image_scale(ImageKernel *image, const Parameter *weight, const Parameter *bias)
{
    Shape shape = input_shape(image->kernel.node);
    Axis one = {.sources = 1, .positions = 1, .taps = 1, .stride = 1, .dilation = 1}, all = one;
    all.sources = all.positions = shape_plane(shape);
    image->packing = (Packing){.weight = weight, .bias = bias};
    image_window(
        image, (ChannelWindow){
                   .kind = WINDOW_WEIGHTED, .channels = shape.dim[0], .rows = one, .columns = all});
}
