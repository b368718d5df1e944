/* live.c: the line of a run that lives on a terminal: a bar, the loss and how it went so far.
 *
 *     epoch 3/10 ━━━━━━━━━━╸─────  64 %  loss 0.1234 █▆▅▄▃▂▂▁  accuracy 96.12 %  ETA 1:23
 *
 * What does not fit is left out, the least important first.  Colours are the terminal's own eight,
 * so they suit its theme, and are not used where NO_COLOR asks for none (https://no-color.org).
 * Where the locale is not UTF-8 the bar is of ASCII and there is no picture of the losses.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIN_BAR = 8, MAX_BAR = 30, MIN_TREND = 8 }; /* columns */

bool net_is_terminal(FILE *file)
{
    const char *term = getenv("TERM");
    return isatty(fileno(file)) && !(term && strcmp(term, "dumb") == 0);
}

const char *net_colour(FILE *file, const char *sequence)
{
    const char *none = getenv("NO_COLOR");
    return net_is_terminal(file) && !(none && *none) ? sequence : "";
}

/* ----------------------------------------------------- how the loss went */

/* When there is no room for one more, neighbours become one. */
static void halve(NetTrend *trend)
{
    for (int i = 0; i < NET_TREND / 2; i++)
        trend->means[i] = (trend->means[2 * i] + trend->means[2 * i + 1]) / 2;
    trend->count = NET_TREND / 2;
    trend->each *= 2;
}

void net_trend_add(NetTrend *trend, double loss)
{
    trend->each = trend->each ? trend->each : 1;
    trend->sum += loss;
    if (++trend->added < trend->each)
        return;
    if (trend->count == NET_TREND)
        halve(trend);
    trend->means[trend->count++] = trend->sum / (double)trend->added;
    trend->sum = 0;
    trend->added = 0;
}

/* Losses that are all above 0 are shown by their logarithm, or a run's beginning is all there is
 * to see. */
static double height_of(const NetTrend *trend, bool logarithm, int from, int to)
{
    double sum = 0;
    for (int i = from; i < to; i++)
        sum += logarithm ? log(trend->means[i]) : trend->means[i];
    return sum / (to - from);
}

static void draw_trend(FILE *out, const NetTrend *trend, int columns)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    enum { BLOCKS = sizeof blocks / sizeof *blocks };
    double heights[NET_TREND], min = HUGE_VAL, max = -HUGE_VAL;
    bool logarithm = true;
    for (int i = 0; i < trend->count; i++)
        logarithm &= trend->means[i] > 0;
    for (int i = 0; i < columns; i++) {
        heights[i] = height_of(trend, logarithm, i * trend->count / columns,
                               (i + 1) * trend->count / columns);
        min = fmin(min, heights[i]);
        max = fmax(max, heights[i]);
    }
    for (int i = 0; i < columns; i++)
        fputs(blocks[max > min ? (int)((heights[i] - min) / (max - min) * (BLOCKS - 0.01)) : 0],
              out);
}

/* -------------------------------------------------------------- the line */

/* How many columns each piece has; 0: it is left out. */
typedef struct Layout {
    int head, bar, percent, loss, trend, others, rate, left;
} Layout;

static int take(int *room, int columns)
{
    if (*room < columns)
        return 0;
    *room -= columns;
    return columns;
}

/* The more important pieces take their room first; what is left widens the bar and the picture. */
static Layout lay_out(const NetLive *line, int columns, bool utf8)
{
    int room = columns, bar_ends = utf8 ? 1 : 3, trend = utf8 ? line->trend->count : 0;
    Layout layout = {0};
    layout.head = take(&room, (int)strlen(line->head));
    layout.percent = take(&room, (int)strlen(line->percent));
    layout.loss = take(&room, (int)strlen(line->loss));
    layout.left = take(&room, (int)strlen(line->left));
    layout.bar = take(&room, MIN_BAR + bar_ends);
    layout.others = take(&room, (int)strlen(line->others));
    if (trend >= 2)
        layout.trend = take(&room, (trend < MIN_TREND ? trend : MIN_TREND) + 1);
    layout.rate = take(&room, (int)strlen(line->rate));
    while (room > 0 && layout.trend > 0 && layout.trend < trend + 1)
        layout.trend += take(&room, 1);
    while (room > 0 && layout.bar > 0 && layout.bar < MAX_BAR + bar_ends)
        layout.bar += take(&room, 1);
    return layout;
}

typedef struct Colours {
    const char *strong, *bar, *faint, *trend, *plain;
} Colours;

static Colours colours_of(FILE *terminal)
{
    return (Colours){.strong = net_colour(terminal, NET_STRONG),
                     .bar = net_colour(terminal, NET_GREEN),
                     .faint = net_colour(terminal, NET_FAINT),
                     .trend = net_colour(terminal, NET_CYAN),
                     .plain = net_colour(terminal, NET_PLAIN)};
}

static void draw_bar(FILE *out, const Colours *colours, int columns, double part, bool utf8)
{
    int halves = (int)(part * columns * 2 + 0.5), full = halves / 2;
    bool half = utf8 && halves % 2;
    fprintf(out, "%s%s", utf8 ? " " : " [", colours->bar);
    for (int i = 0; i < full; i++)
        fputs(utf8 ? "━" : "#", out);
    if (half)
        fputs("╸", out);
    fprintf(out, "%s%s", colours->plain, colours->faint);
    for (int i = full + half; i < columns; i++)
        fputs(utf8 ? "─" : ".", out);
    fprintf(out, "%s%s", colours->plain, utf8 ? "" : "]");
}

static void draw_text(FILE *out, const Colours *colours, const char *colour, const char *text,
                      int columns)
{
    if (columns > 0)
        fprintf(out, "%s%s%s", colour, text, *colour ? colours->plain : "");
}

void net_live_draw(FILE *terminal, const NetLive *line, int columns)
{
    const Colours all = colours_of(terminal), *colours = &all;
    bool utf8 = net_is_utf8();
    Layout layout = lay_out(line, columns, utf8);
    fputc('\r', terminal);
    draw_text(terminal, colours, "", line->head, layout.head);
    if (layout.bar > 0)
        draw_bar(terminal, colours, layout.bar - (utf8 ? 1 : 3), line->part, utf8);
    draw_text(terminal, colours, "", line->percent, layout.percent);
    draw_text(terminal, colours, colours->strong, line->loss, layout.loss);
    if (layout.trend > 0) {
        fprintf(terminal, " %s", colours->trend);
        draw_trend(terminal, line->trend, layout.trend - 1);
        fputs(colours->plain, terminal);
    }
    draw_text(terminal, colours, "", line->others, layout.others);
    draw_text(terminal, colours, colours->faint, line->rate, layout.rate);
    draw_text(terminal, colours, colours->faint, line->left, layout.left);
    fputs("\033[K", terminal);
    fflush(terminal);
}
