/* winograd.c: see winograd.h.  What the matrices' rows share is written alike, for
 * the C compiler to compute once: 12 operations for six sources, 8 or 10 for outputs. */
#include "winograd.h"

int64_t winograd_outputs(int64_t taps)
{
    return taps == 3 || taps == 5 ? POINTS + 1 - taps : 0;
}

bool winograd_fits(const Gather *gather)
{
    const Axis *rows = &gather->rows, *columns = &gather->columns;
    return rows->taps == columns->taps && winograd_outputs(rows->taps) && rows->stride == 1 && columns->stride == 1
           && rows->dilation == 1 && columns->dilation == 1 && gather->groups == 1 && !gather->unweighted;
}

Axis winograd_tiles(const Axis *axis)
{
    int64_t outputs = winograd_outputs(axis->taps);
    return (Axis){
        .sources = axis->sources, .positions = (axis->positions + outputs - 1) / outputs, .taps = POINTS,
        .stride = outputs, .dilation = 1, .before = axis->before,
    };
}

/* The text with T and F for the names' beginnings. */
static const char *with_names(const char *text, const char *to, const char *from)
{
    Text named = { 0 };
    for (; *text; text++)
        text_add(&named, "%s", *text == 'T' ? to : *text == 'F' ? from : (char[]){ *text, 0 });
    return text_chars(&named);
}

void emit_turn(Kernel *kernel, const char *to, const char *from)
{
    static const char *const lines[] = {
        "const vec T0 = 4 * F0 - 5 * F2 + F4, T5 = 4 * F1 - 5 * F3 + F5;",
        "const vec Tp = F4 - 4 * F2, Tq = F3 - 4 * F1, T1 = Tp + Tq, T2 = Tp - Tq;",
        "const vec Tr = F4 - F2, Ts = F3 - F1, T3 = Tr + 2 * Ts, T4 = Tr - 2 * Ts;",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        kernel_line(kernel, "%s", with_names(lines[i], to, from));
}

void emit_unturn(Kernel *kernel, const char *to, const char *from, int64_t taps, int64_t outputs)
{
    static const char *const lines[] = {
        "const vec T0 = F0 + (F1 + F2) + (F3 + F4);", "const vec T1 = (F1 - F2) + 2 * (F3 - F4)", "const vec T2 = (F1 + F2) + 4 * (F3 + F4);",
        "const vec T3 = (F1 - F2) + 8 * (F3 - F4)",
    };
    for (int64_t i = 0; i < outputs; i++) {
        const char *last = i == winograd_outputs(taps) - 1 ? " + F5;" : i % 2 ? ";" : "";
        kernel_line(kernel, "%s", with_names(format("%s%s", lines[i], last), to, from));
    }
}
