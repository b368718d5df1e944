/* winograd.c: see winograd.h.  What the matrices' rows share is written alike, for
 * the C compiler to compute once: 12 operations for six sources, 8 or 10 for outputs. */
#include "winograd.h"

#include <math.h>
#include <string.h>

Int winograd_outputs(Int taps)
{
    return taps == 3 || taps == 5 ? POINTS + 1 - taps : 0;
}

/* channels, positions along an axis: with them, no product of what follows overflows */
enum { MAX_SIZE = 1 << 20 };

bool is_plain_gather(const Gather *gather)
{
    const Axis *rows = &gather->rows, *columns = &gather->columns;
    if (gather->summed > MAX_SIZE || gather->tiled > MAX_SIZE || rows->positions > MAX_SIZE
        || columns->positions > MAX_SIZE)
        return false;
    return rows->stride == 1 && columns->stride == 1 && rows->dilation == 1
           && columns->dilation == 1 && gather->groups == 1 && !gather->unweighted;
}

bool winograd_fits(const Gather *gather)
{
    return is_plain_gather(gather) && gather->rows.taps == gather->columns.taps
           && winograd_outputs(gather->rows.taps);
}

Int round_up_odd(Int count)
{
    return count | 1;
}

/* Taps of all positions that read a source. */
static Int count_taps(const Axis *axis)
{
    Int count = 0;
    for (Int p = 0; p < axis->positions; p++)
        for (Int tap = 0; tap < axis->taps; tap++)
            count += axis_source(axis, p, tap) >= 0;
    return count;
}

double direct_work(const Gather *gather)
{
    return (double)gather->summed * (double)gather->tiled * (double)count_taps(&gather->rows)
           * (double)count_taps(&gather->columns);
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

Int rows_of_tiles(const Axis *rows, Int size, Int most)
{
    Int count = rows->positions;
    while (count > 1 && (rows->positions % count || count * size > most))
        count--;
    return count;
}

Gather point_product(const Gather *gather, Int tiles)
{
    Axis one = {.sources = 1, .positions = 1, .taps = 1, .stride = 1, .dilation = 1}, all = one;
    all.sources = all.positions = tiles;
    return (Gather){
        .groups = 1, .tiled = gather->tiled, .summed = gather->summed, .rows = one, .columns = all};
}

void open_tiles(Kernel *kernel, const Axis *columns, Run run)
{
    kernel_line(kernel, "for (int column = %lld; column < %lld; column++) {", run.start,
                run.start + run.count);
    kernel_line(kernel, "const int tile = (row - top) * %lld + column;", columns->positions);
}

/* The text with names for T and F: patterns, in which * is the digit that follows. */
static const char *with_names(const char *text, const char *to, const char *from)
{
    Text named = {0};
    for (; *text; text++) {
        const char *pattern = *text == 'T'   ? to
                              : *text == 'F' ? from
                                             : NULL,
                   *digit = pattern ? strchr(pattern, '*') : NULL;
        if (digit)
            text_add(&named, "%.*s%c%s", (int)(digit - pattern), pattern, *++text, digit + 1);
        else if (pattern)
            text_add(&named, "%s", pattern);
        else
            text_add_range(&named, text, 1);
    }
    return text_chars(&named);
}

/* Declares the six values of six sources. */
static void emit_turn(Kernel *kernel, const char *to, const char *from)
{
    static const char *const lines[] = {
        "const vec T0 = 4 * F0 - 5 * F2 + F4, T5 = 4 * F1 - 5 * F3 + F5;",
        "const vec Tp = F4 - 4 * F2, Tq = F3 - 4 * F1, T1 = Tp + Tq, T2 = Tp - Tq;",
        "const vec Tr = F4 - F2, Ts = F3 - F1, T3 = Tr + 2 * Ts, T4 = Tr - 2 * Ts;",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        kernel_line(kernel, "%s", with_names(lines[i], to, from));
}

void emit_unturn(Kernel *kernel, const char *to, Int first, const char *from, Int taps, Int outputs)
{
    static const char *const lines[] = {"F0 + (F1 + F2) + (F3 + F4)", "(F1 - F2) + 2 * (F3 - F4)",
                                        "(F1 + F2) + 4 * (F3 + F4)", "(F1 - F2) + 8 * (F3 - F4)",
                                        "(F1 + F2) + 16 * (F3 + F4)"};
    for (Int i = 0; i < outputs; i++) {
        const char *line = format("vec T = %s%s;", lines[i], i == POINTS - taps ? " + F5" : "");
        kernel_line(kernel, "%s", with_names(line, format("%s%lld", to, first + i), from));
    }
}

void declare_column(Kernel *kernel, const char *name, Int column, Int count)
{
    Text names = {0};
    for (Int i = 0; i < count; i++)
        text_add(&names, "%s%s%lld_%lld", i ? ", " : "", name, column, i);
    kernel_line(kernel, "vec %s;", text_chars(&names));
}

static void turn_column(Kernel *kernel, Int j, Int at, Place source)
{
    declare_column(kernel, "t", j, POINTS);
    kernel_line(kernel, "{");
    for (Int i = 0; i < POINTS; i++)
        kernel_line(kernel, "const vec d%lld = %s;", i, format(source.text, i, at * source.step));
    emit_turn(kernel, "u*", "d*");
    for (Int i = 0; i < POINTS; i++)
        kernel_line(kernel, "t%lld_%lld = u%lld;", j, i, i);
    kernel_line(kernel, "}");
}

/* `source`: the texts of six sources, NULL in the padding; their values are points `first` and
 * on. */
static void turn_row(Kernel *kernel, const char *const source[], Place value, Int first)
{
    kernel_line(kernel, "{");
    for (Int j = 0; j < POINTS; j++)
        kernel_line(kernel, "const vec d%lld = %s;", j, source[j] ? source[j] : "{ 0 }");
    emit_turn(kernel, "u*", "d*");
    for (Int j = 0; j < POINTS; j++)
        kernel_line(kernel, "%s = u%lld;", format(value.text, (first + j) * value.step), j);
    kernel_line(kernel, "}");
}

void emit_turn_row(Kernel *kernel, const Axis *tiles, Int start, const char *source, Place value)
{
    const char *texts[POINTS];
    for (Int j = 0; j < POINTS; j++)
        texts[j] = axis_source(tiles, start, j) < 0
                       ? NULL
                       : format(source, axis_source(tiles, start, j) - first_source(tiles, start));
    turn_row(kernel, texts, value, 0);
}

void emit_turn_tile(Kernel *kernel, const Axis *tiles, Int start, Place source, Place value)
{
    const char *texts[POINTS];
    for (Int j = 0; j < POINTS; j++)
        if (axis_source(tiles, start, j) >= 0)
            turn_column(kernel, j, axis_source(tiles, start, j) - first_source(tiles, start),
                        source);
    for (Int i = 0; i < POINTS; i++) {
        for (Int j = 0; j < POINTS; j++)
            texts[j] = axis_source(tiles, start, j) < 0 ? NULL : format("t%lld_%lld", j, i);
        turn_row(kernel, texts, value, i * POINTS);
    }
}

/* The points but infinity, and what the turns of sources and outputs leave to the taps there. */
static const double points[] = {0, 1, -1, 2, -2},
                    left[] = {1.0 / 4, -1.0 / 6, -1.0 / 6, 1.0 / 24, 1.0 / 24};

double winograd_factor(Int point, Int tap, Int taps)
{
    return point == POINTS - 1 ? tap == taps - 1 : left[point] * pow(points[point], (double)tap);
}

/* Every other tap from `first`, the next times `factor`, the one after times its square, added
 * up. */
static const char *add_taps(const char *const tap[], Int taps, Int first, Int scale, Int factor)
{
    Text sum = {0};
    for (Int i = first; i < taps; i += 2, scale *= factor)
        if (tap[i])
            text_add(&sum, "%s%s%s", sum.length ? " + " : "",
                     scale == 1 ? "" : format("%lld * ", scale), tap[i]);
    return sum.length ? text_chars(&sum) : "{ 0 }";
}

void emit_turn_taps(Kernel *kernel, const char *const tap[], Int taps)
{
    kernel_line(kernel, "const vec even = %s, odd = %s, even2 = %s, odd2 = %s;",
                add_taps(tap, taps, 0, 1, 1), add_taps(tap, taps, 1, 1, 1),
                add_taps(tap, taps, 0, 1, 4), add_taps(tap, taps, 1, 2, 4));
    const char *at[] = {tap[0], "(even + odd)", "(even - odd)", "(even2 + odd2)", "(even2 - odd2)"};
    for (Int point = 0; point < POINTS - 1; point++)
        kernel_line(kernel, "const vec g%lld = %s * (real)%.17g;", point, at[point], left[point]);
    kernel_line(kernel, "const vec g%d = %s;", POINTS - 1, tap[taps - 1] ? tap[taps - 1] : "{ 0 }");
}

/* Of a row: the last output alone takes the last value. */
static Int values_needed(Int taps, Int inside)
{
    return POINTS - (inside < winograd_outputs(taps));
}

void emit_unturn_tile(Kernel *kernel, Place product, Int taps, Int inside)
{
    Int outputs = winograd_outputs(taps);
    for (Int j = 0; j < values_needed(taps, inside); j++) {
        declare_column(kernel, "s", j, outputs);
        kernel_line(kernel, "{");
        for (Int i = 0; i < POINTS; i++)
            kernel_line(kernel, "const vec m%lld = %s;", i,
                        format(product.text, (i * POINTS + j) * product.step));
        emit_unturn(kernel, "u", 0, "m*", taps, outputs);
        for (Int i = 0; i < outputs; i++)
            kernel_line(kernel, "s%lld_%lld = u%lld;", j, i, i);
        kernel_line(kernel, "}");
    }
}

void emit_unturn_row(Kernel *kernel, const char *to, Int first, Int i, Int taps, Int inside)
{
    emit_unturn(kernel, to, first, format("s*_%lld", i), taps, inside);
}
