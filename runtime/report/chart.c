/* chart.c: lines as SVG, in the colours of the page's style sheet, so that they suit a light page
 * and a dark one.
 *
 * A step's loss is noise around its mean: of such a line means are drawn, at most MEANS of them.
 * Where values are above 0 and far apart the axis is logarithmic: a loss falls fast and then for
 * long by little.
 */
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 640,
    HEIGHT = 300,
    LEFT = 58,
    RIGHT = 14,
    TOP = 12,
    BOTTOM = 34,
    MEANS = 300,
    FEW_POINTS = 60,
    TICKS = 5
};

void net_html(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* What a chart's axes go from and to. */
typedef struct Frame {
    double left, right, bottom, top;
    bool logarithmic;
} Frame;

static double place_x(const Frame *frame, double x)
{
    return LEFT + (x - frame->left) / (frame->right - frame->left) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const Frame *frame, double y)
{
    double from = frame->bottom, to = frame->top;
    if (frame->logarithmic) {
        y = log(y);
        from = log(from);
        to = log(to);
    }
    return HEIGHT - BOTTOM - (y - from) / (to - from) * (HEIGHT - TOP - BOTTOM);
}

/* 1, 2 or 5 times a power of ten, at least `value`. */
static double round_up(double value)
{
    double power = pow(10, floor(log10(value)));
    for (int i = 0; i < 3; i++)
        if (value <= power * (const double[]){1, 2, 5}[i] * (1 + 1e-9))
            return power * (const double[]){1, 2, 5}[i];
    return 10 * power;
}

/* ------------------------------------------------------------- the points */

typedef struct Points {
    double x[MEANS], y[MEANS];
    int count;
} Points;

/* Means of as many each; values that are no numbers are left out. */
static void reduce(Points *points, const NetLine *line)
{
    int64_t parts = line->count < MEANS ? line->count : MEANS;
    points->count = 0;
    for (int64_t part = 0; part < parts; part++) {
        double x = 0, y = 0;
        int64_t found = 0, from = part * line->count / parts, to = (part + 1) * line->count / parts;
        for (int64_t i = from; i < to; i++)
            if (isfinite(line->y[i])) {
                x += line->x[i] * line->scale;
                y += line->y[i];
                found++;
            }
        if (found > 0) {
            points->x[points->count] = x / (double)found;
            points->y[points->count++] = y / (double)found;
        }
    }
}

static void widen(Frame *frame, const Points *points)
{
    for (int i = 0; i < points->count; i++) {
        frame->left = fmin(frame->left, points->x[i]);
        frame->right = fmax(frame->right, points->x[i]);
        frame->bottom = fmin(frame->bottom, points->y[i]);
        frame->top = fmax(frame->top, points->y[i]);
    }
}

static void settle(Frame *frame, const NetChart *chart)
{
    frame->logarithmic =
        chart->may_be_logarithmic && frame->bottom > 0 && frame->top > 30 * frame->bottom;
    if (frame->logarithmic) {
        frame->bottom /= 1.1;
        frame->top *= 1.1;
        return;
    }
    if (frame->top - frame->bottom <= 1e-9 * fabs(frame->top)) { /* one value: between 0 and more */
        frame->bottom = fmin(0, 1.25 * frame->bottom);
        frame->top = fmax(0, 1.25 * frame->top);
    }
    double step =
        round_up(fmax(frame->top - frame->bottom, fabs(frame->top) * 1e-3 + 1e-12) / TICKS);
    frame->bottom = floor(frame->bottom / step) * step;
    frame->top = ceil(frame->top / step) * step;
}

/* --------------------------------------------------------------- the axes */

static void draw_y_tick(FILE *out, const Frame *frame, const NetChart *chart, double value)
{
    double y = place_y(frame, value);
    fprintf(out,
            "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
            "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g%s</text>\n",
            LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 4,
            chart->percent        ? 100 * value
            : fabs(value) < 1e-12 ? 0
                                  : value,
            chart->percent ? " %" : "");
}

/* Of a logarithmic axis 1, 2 and 5 times powers of ten, or where it is long the powers alone. */
static void draw_y_ticks(FILE *out, const Frame *frame, const NetChart *chart)
{
    static const double digits[] = {1, 2, 5};
    if (!frame->logarithmic) {
        double step = round_up((frame->top - frame->bottom) / TICKS);
        for (double y = frame->bottom; y <= frame->top + step / 2; y += step)
            draw_y_tick(out, frame, chart, y);
        return;
    }
    int each = frame->top > 1e3 * frame->bottom ? 1 : 3;
    for (double power = pow(10, floor(log10(frame->bottom))); power <= frame->top; power *= 10)
        for (int i = 0; i < each; i++)
            if (power * digits[i] >= frame->bottom && power * digits[i] <= frame->top)
                draw_y_tick(out, frame, chart, power * digits[i]);
}

static void draw_x_ticks(FILE *out, const Frame *frame, const NetChart *chart)
{
    double step = fmax(round_up((frame->right - frame->left) / 8), 1);
    for (double x = ceil(frame->left / step - 1e-9) * step; x <= frame->right * (1 + 1e-9);
         x += step)
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>\n",
                place_x(frame, x), HEIGHT - BOTTOM + 17, x);
    fprintf(out, "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
            WIDTH - RIGHT, HEIGHT - 3, chart->x_label);
}

/* -------------------------------------------------------------- the lines */

static void draw_line(FILE *out, const Frame *frame, const NetChart *chart, const NetLine *line,
                      const Points *points)
{
    fprintf(out, "<polyline class=\"c%d%s\" points=\"", line->colour, line->faint ? " faint" : "");
    for (int i = 0; i < points->count; i++)
        fprintf(out, "%s%.1f,%.1f", i ? " " : "", place_x(frame, points->x[i]),
                place_y(frame, points->y[i]));
    fprintf(out, "\"/>\n");
    for (int i = 0; i < points->count && !line->faint && points->count <= FEW_POINTS; i++) {
        fprintf(out, "<circle class=\"c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.8\"><title>",
                line->colour, place_x(frame, points->x[i]), place_y(frame, points->y[i]));
        net_html(out, line->label);
        fprintf(out, chart->percent ? ", %s %.4g: %.2f %%" : ", %s %.4g: %.6g", chart->x_label,
                points->x[i], chart->percent ? 100 * points->y[i] : points->y[i]);
        fprintf(out, "</title></circle>\n");
    }
}

static void draw_legend(FILE *out, const NetChart *chart, const NetLine *line, const Points *points)
{
    double last = points->count > 0 ? points->y[points->count - 1] : NAN;
    fprintf(out, "<span class=\"key\"><i class=\"c%d%s\"></i>", line->colour,
            line->faint ? " faint" : "");
    net_html(out, line->label);
    if (!line->faint)
        fprintf(out, chart->percent ? " <b>%.2f %%</b>" : " <b>%.4g</b>",
                chart->percent ? 100 * last : last);
    fprintf(out, "</span>\n");
}

void net_chart_draw(FILE *out, const NetChart *chart, const NetLine *lines, int count)
{
    Frame frame = {HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL, false};
    Points *points = calloc((size_t)count + 1, sizeof *points);
    for (int i = 0; points && i < count; i++) {
        reduce(&points[i], &lines[i]);
        widen(&frame, &points[i]);
    }
    if (!points || !(frame.left < frame.right)) {
        free(points);
        return;
    }
    settle(&frame, chart);
    fprintf(out, "<figure class=\"chart\"><figcaption>%s%s</figcaption>\n<div class=\"keys\">",
            chart->title, frame.logarithmic ? " <small>logarithmic</small>" : "");
    for (int i = 0; i < count; i++)
        if (points[i].count > 0)
            draw_legend(out, chart, &lines[i], &points[i]);
    fprintf(out, "</div>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
            HEIGHT, chart->title);
    draw_y_ticks(out, &frame, chart);
    draw_x_ticks(out, &frame, chart);
    for (int i = 0; i < count; i++)
        if (points[i].count > 0)
            draw_line(out, &frame, chart, &lines[i], &points[i]);
    fprintf(out, "</svg></figure>\n");
    free(points);
}

void net_chart_spark(FILE *out, const double *values, int64_t count)
{
    enum { SPARK_WIDTH = 120, SPARK_HEIGHT = 22 };
    const NetLine line = {.x = values, .y = values, .count = count, .scale = 1};
    Points points;
    double min = HUGE_VAL, max = -HUGE_VAL;
    reduce(&points, &line);
    for (int i = 0; i < points.count; i++) {
        min = fmin(min, points.y[i]);
        max = fmax(max, points.y[i]);
    }
    fprintf(out, "<svg class=\"spark\" viewBox=\"0 0 %d %d\"><polyline class=\"c0\" points=\"",
            SPARK_WIDTH, SPARK_HEIGHT);
    for (int i = 0; i < points.count && points.count > 1; i++)
        fprintf(out, "%s%.1f,%.1f", i ? " " : "",
                1 + (double)i / (points.count - 1) * (SPARK_WIDTH - 2),
                SPARK_HEIGHT - 2
                    - (max > min ? (points.y[i] - min) / (max - min) : 0.5) * (SPARK_HEIGHT - 4));
    fprintf(out, "\"/></svg>");
}
