/* winograd.c: see winograd.h.  What the matrices' rows share is written alike, for
 * the C compiler to compute once: 12 operations for six sources, 8 or 10 for outputs.
 *
 * A transform is a small function of the emitted C, and a tile another, made of calls of it: all
 * are inlined into the loops over tiles, where arrays with constant indices become registers. */
#include "kernels/winograd.h"

#include <math.h>
#include <string.h>

Int winograd_outputs(Int taps)
{
    return taps == 3 || taps == 5 ? POINTS + 1 - taps : 0;
}

/* channels, positions along an axis: with them, no product of what follows overflows */
enum { MAX_SIZE = 1 << 20 };

bool is_plain_contraction(const Contraction *contraction)
{
    const Axis *rows = &contraction->rows, *columns = &contraction->columns;
    if (contraction->in_channels > MAX_SIZE || contraction->out_channels > MAX_SIZE
        || rows->positions > MAX_SIZE || columns->positions > MAX_SIZE)
        return false;
    return !rows->slices && rows->stride == 1 && columns->stride == 1 && rows->dilation == 1
           && columns->dilation == 1 && contraction->groups == 1 && !contraction->unweighted;
}

bool winograd_fits(const Contraction *contraction)
{
    return is_plain_contraction(contraction) && contraction->rows.taps == contraction->columns.taps
           && winograd_outputs(contraction->rows.taps);
}

Int round_up_odd(Int count)
{
    return count | 1;
}

Int count_taps(const Axis *axis)
{
    Int count = 0;
    for (Int p = 0; p < axis->positions; p++)
        for (Int tap = 0; tap < axis->taps; tap++)
            count += axis_source(axis, p, tap) >= 0;
    return count;
}

double direct_work(const Contraction *contraction)
{
    return (double)contraction->in_channels * (double)contraction->out_channels
           * (double)count_taps(&contraction->rows) * (double)count_taps(&contraction->columns);
}

Axis winograd_tiles(const Axis *axis)
{
    Int outputs = winograd_outputs(axis->taps);
    return (Axis){
        .sources = axis->sources,
        .positions = (axis->positions + outputs - 1) / outputs,
        .taps = POINTS,
        .stride = outputs,
        .dilation = 1,
        .before = axis->before,
    };
}

void split_tiles(const Axis *axis, RunList *runs)
{
    Axis tiles = winograd_tiles(axis);
    split_columns(&tiles, 1, runs);
    Run *last = &runs->items[runs->count - 1];
    if (axis->positions % tiles.stride == 0 || last->count == 1)
        return;
    last->count--;
    push(runs, ((Run){tiles.positions - 1, 1, 1}));
}

Int rows_of_tiles(const Axis *rows, Int size, Int max_size)
{
    Int count = rows->positions;
    while (count > 1 && (rows->positions % count || count * size > max_size))
        count--;
    return count;
}

Contraction point_product(const Contraction *contraction, Int tiles)
{
    Axis one = {.sources = 1, .positions = 1, .taps = 1, .stride = 1, .dilation = 1}, all = one;
    all.sources = all.positions = tiles;
    return (Contraction){.groups = 1,
                         .out_channels = contraction->out_channels,
                         .in_channels = contraction->in_channels,
                         .rows = one,
                         .columns = all};
}

void open_tiles(Kernel *kernel, const Axis *columns, Run run)
{
    kernel_line(kernel, "for (int column = %lld; column < %lld; column++) {", run.start,
                run.start + run.count);
    kernel_line(kernel, "const int tile = (row - top) * %lld + column;", columns->positions);
}

const char *winograd_head(Int values)
{
    enum {
        MANY = 512 /* a fortieth of the transform's time is what the places of points take */
    };
    return values < MANY ? ALWAYS_INLINE : "static void ";
}

const char *winograd_title(Int taps)
{
    Int outputs = winograd_outputs(taps);
    return format("F(%lldx%lld, %lldx%lld)", outputs, outputs, taps, taps);
}

const char *tile_number(Int number, Int count, const char *tiles)
{
    if (number <= 1 && number < count)
        return format("%lld", number);
    return number == count ? tiles : format("%s - %lld", tiles, count - number);
}

/* ------------------------------------------- functions of the emitted C */

#define REFERENCE "Lavin and Gray 2016, https://arxiv.org/abs/1509.09308"

const char *winograd_source_function(const Kernel *kernel)
{
    Kernel function = begin_function(kernel);
    kernel_line(&function, "const vec p = d4 - 4 * d2, q = d3 - 4 * d1, r = d4 - d2, s = d3 - d1;");
    kernel_add(&function, "v[0] = 4 * d0 - 5 * d2 + d4;");
    kernel_add(&function, "v[5] = 4 * d1 - 5 * d3 + d5;");
    kernel_line(&function, "v[1] = p + q, v[2] = p - q, v[3] = r + 2 * s, v[4] = r - 2 * s;");
    return end_function(
        kernel, &function,
        "/* Winograd, along one axis: six sources' values at 0, 1, -1, 2, -2 and infinity (the\n"
        " * matrix B transposed of " REFERENCE "). */",
        ALWAYS_INLINE, "winograd_values",
        "(vec v[6], vec d0, vec d1, vec d2, vec d3, vec d4, vec d5)");
}

/* The points but infinity, and what the transforms of sources and outputs leave to the taps
 * there. */
static const double points[] = {0, 1, -1, 2, -2},
                    left[] = {1.0 / 4, -1.0 / 6, -1.0 / 6, 1.0 / 24, 1.0 / 24};

double winograd_factor(Int point, Int tap, Int taps)
{
    return point == POINTS - 1 ? tap == taps - 1 : left[point] * pow(points[point], (double)tap);
}

/* Every other tap from `first`, the next times `factor`, the one after times its square, added
 * up. */
static const char *add_taps(Int taps, Int first, Int scale, Int factor)
{
    Text sum = {0};
    for (Int i = first; i < taps; i += 2, scale *= factor)
        text_add(&sum, "%s%st%lld", sum.length ? " + " : "",
                 scale == 1 ? "" : format("%lld * ", scale), i);
    return text_chars(&sum);
}

const char *winograd_tap_function(const Kernel *kernel, Int taps)
{
    static const char *const at[] = {"t0", "(even + odd)", "(even - odd)", "(even2 + odd2)",
                                     "(even2 - odd2)"};
    Kernel function = begin_function(kernel);
    Text parameters = {0};
    text_add(&parameters, "(vec g[6]");
    for (Int i = 0; i < taps; i++)
        text_add(&parameters, ", vec t%lld", i);
    text_add(&parameters, ")");
    kernel_line(&function, "const vec even = %s, odd = %s;", add_taps(taps, 0, 1, 1),
                add_taps(taps, 1, 1, 1));
    kernel_line(&function, "const vec even2 = %s, odd2 = %s;", add_taps(taps, 0, 1, 4),
                add_taps(taps, 1, 2, 4));
    for (Int point = 0; point < POINTS - 1; point++)
        kernel_line(&function, "g[%lld] = %s * (real)%.17g;", point, at[point], left[point]);
    kernel_line(&function, "g[%d] = t%lld;", POINTS - 1, taps - 1);
    return end_function(kernel, &function,
                        format("/* Winograd, along one axis: the values of %lld taps at the same "
                               "points (the matrix G of\n * " REFERENCE "). */",
                               taps),
                        ALWAYS_INLINE, format("winograd_taps_%lld", taps), text_chars(&parameters));
}

const char *winograd_output_function(const Kernel *kernel, Int outputs)
{
    static const char *const sums[] = {"m0 + (m1 + m2) + (m3 + m4)", "(m1 - m2) + 2 * (m3 - m4)",
                                       "(m1 + m2) + 4 * (m3 + m4)", "(m1 - m2) + 8 * (m3 - m4)",
                                       "(m1 + m2) + 16 * (m3 + m4)"};
    Kernel function = begin_function(kernel);
    for (Int i = 0; i < outputs; i++)
        kernel_line(&function, "y[%lld] = %s%s;", i, sums[i], i == outputs - 1 ? " + m5" : "");
    return end_function(
        kernel, &function,
        format("/* Winograd, along one axis: %lld outputs of six products (the "
               "matrix A transposed of\n * " REFERENCE "). */",
               outputs),
        ALWAYS_INLINE, format("winograd_outputs_%lld", outputs),
        format("(vec y[%lld], vec m0, vec m1, vec m2, vec m3, vec m4, vec m5)", outputs));
}

const char *winograd_columns_function(const Kernel *kernel, Int outputs, const char *pointer,
                                      const char *load)
{
    const char *transform = winograd_output_function(kernel, outputs);
    Kernel function = begin_function(kernel);
    for (Int j = 0; j < POINTS; j++) {
        Text column = {0};
        for (Int i = 0; i < POINTS; i++)
            text_add(&column, ", %s", format(load, i * POINTS + j));
        kernel_line(&function, "%s(part[%lld]%s);", transform, j, text_chars(&column));
    }
    return end_function(kernel, &function,
                        "/* Winograd: the products of a tile, transformed along its columns. */",
                        ALWAYS_INLINE, format("winograd_columns_%lld", outputs),
                        format("(vec part[6][%lld], %sfrom, int64_t point)", outputs, pointer));
}

/* Of the six columns of a tile those that lie inside; what the others would read are zeros. */
static bool is_inside(const Axis *tiles, Int start, Int column)
{
    return axis_source(tiles, start, column) >= 0;
}

static const char *tile_columns(const Axis *tiles, Int start)
{
    Int first = 0, end = POINTS;
    while (!is_inside(tiles, start, first) && first < POINTS - 1)
        first++;
    while (end > first && !is_inside(tiles, start, end - 1))
        end--;
    return format("%lld_%lld", first, end);
}

static void write_tile_columns(Kernel *function, const Axis *tiles, Int start,
                               const TileAccess *access)
{
    const char *values = winograd_source_function(function);
    for (Int j = 0; j < POINTS; j++)
        if (is_inside(tiles, start, j))
            kernel_add(function, "vec t%lld[6];", j);
    for (Int j = 0; j < POINTS; j++) {
        Text sources = {0};
        if (!is_inside(tiles, start, j))
            continue;
        for (Int i = 0; i < POINTS; i++)
            text_add(&sources, ", %s", format(access->load, i, j));
        kernel_line(function, "%s(t%lld%s);", values, j, text_chars(&sources));
    }
}

static const char *winograd_row_function(const Kernel *kernel, const TileAccess *access)
{
    const char *values = winograd_source_function(kernel);
    Kernel function = begin_function(kernel);
    kernel_line(&function, "vec v[6];");
    kernel_line(&function, "%s(v, d0, d1, d2, d3, d4, d5);", values);
    for (Int j = 0; j < POINTS; j++)
        kernel_add(&function, "%s = v[%lld];", format(access->store, j), j);
    return end_function(
        kernel, &function, "/* Winograd: a row of a tile's values, from one point to the next. */",
        ALWAYS_INLINE, "winograd_row",
        format("(%sto, int64_t point, vec d0, vec d1, vec d2, vec d3, vec d4, vec d5)",
               access->pointer + strlen("const ")));
}

/* Of some lines. */
static void open_loop(Kernel *function, const char *head)
{
    size_t length = strcspn(head, "\n");
    kernel_line(function, "%.*s", (int)length, head);
    if (head[length])
        kernel_line(function, "%s", head + length + 1);
}

const char *winograd_tiles_function(const Kernel *kernel, const Axis *tiles, Int start,
                                    const TileAccess *access)
{
    Kernel function = begin_function(kernel);
    const char *row = winograd_row_function(kernel, access);
    for (Int i = 0; i < POINTS; i++)
        kernel_add(&function, "%sline%lld = line[%lld];", access->pointer, i, i);
    open_loop(&function, format(access->loop, tiles->stride));
    write_tile_columns(&function, tiles, start, access);
    for (Int i = 0; i < POINTS; i++) {
        Text values = {0};
        for (Int j = 0; j < POINTS; j++)
            text_add(&values, ", %s",
                     is_inside(tiles, start, j) ? format("t%lld[%lld]", j, i) : "(vec){ 0 }");
        kernel_line(&function, "%s(to + %lld * point, point%s);", row, i * POINTS,
                    text_chars(&values));
    }
    kernel_line(&function, "}");
    return end_function(
        kernel, &function,
        "/* Winograd: a run of tiles of 6 x 6 sources becomes their values, `point` from one to "
        "the\n * next; columns that lie outside are zeros. */",
        ALWAYS_INLINE, format("winograd_tiles_%s", tile_columns(tiles, start)),
        format("(%sto, int64_t point, %sconst line[6], int64_t source, int64_t count%s)",
               access->pointer + strlen("const "), access->pointer, access->further));
}
