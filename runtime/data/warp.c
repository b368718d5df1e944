/* warp.c: images turned, sheared and moved, and parts of them made larger or smaller. */
#include "data/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* From where an output pixel's value comes, both from the image's middle:
 * x' = xx x + xy y + x0, y' = yx x + yy y + y0. */
typedef struct Map {
    double xx, xy, x0, yx, yy, y0;
} Map;

/* The inverse of torchvision's map. */
static Map invert(const NetAffine *affine)
{
    double angle = affine->angle, shear_x = affine->shear_x, shear_y = affine->shear_y;
    double a = cos(angle - shear_y) / cos(shear_y), b = -a * tan(shear_x) - sin(angle);
    double c = sin(angle - shear_y) / cos(shear_y), d = -c * tan(shear_x) + cos(angle);
    double x = affine->centre_x + affine->right, y = affine->centre_y + affine->down;
    Map map = {.xx = d / affine->scale_x,
               .xy = -b / affine->scale_x,
               .yx = -c / affine->scale_y,
               .yy = a / affine->scale_y};
    map.x0 = affine->centre_x - map.xx * x - map.xy * y;
    map.y0 = affine->centre_y - map.yx * x - map.yy * y;
    return map;
}

/* ---------------------------------------------------------------- border */

/* Backwards after the last pixel, and so on: `twice` the last or not, each time. */
static int64_t mirrored(int64_t at, int64_t size, bool twice)
{
    int64_t period = twice ? 2 * size : 2 * size - 2;
    int64_t within = period > 0 ? at % period : 0;
    within = within < 0 ? within + period : within;
    return within < size ? within : period - within - twice;
}

int64_t net_border_index(NetBorderMode mode, int64_t at, int64_t size)
{
    if (at >= 0 && at < size)
        return at;
    switch (mode) {
    case NET_BORDER_CONSTANT:
        return -1;
    case NET_BORDER_EDGE:
        return at < 0 ? 0 : size - 1;
    case NET_BORDER_REFLECT:
        return mirrored(at, size, false);
    case NET_BORDER_SYMMETRIC:
        return mirrored(at, size, true);
    }
    return -1;
}

uint8_t net_border_fill(const NetBorder *border, int64_t channel)
{
    return border->fill[channel < NET_MAX_FILLS ? channel : NET_MAX_FILLS - 1];
}

/* What a plane is taken from. */
typedef struct Plane {
    const uint8_t *pixels; /* NULL: numbers */
    const double *numbers;
    NetShape shape;
    NetBorderMode mode;
    double fill;
} Plane;

static double value_at(const Plane *plane, int64_t at)
{
    return plane->pixels ? plane->pixels[at] : plane->numbers[at];
}

static double pixel(const Plane *plane, double y, double x)
{
    int64_t row = net_border_index(plane->mode, (int64_t)y, plane->shape.h),
            column = net_border_index(plane->mode, (int64_t)x, plane->shape.w);
    return row < 0 || column < 0 ? plane->fill : value_at(plane, row * plane->shape.w + column);
}

static double between(const Plane *plane, double y, double x)
{
    double top = floor(y), left = floor(x), v = y - top, u = x - left;
    return (1 - v) * ((1 - u) * pixel(plane, top, left) + u * pixel(plane, top, left + 1))
           + v * ((1 - u) * pixel(plane, top + 1, left) + u * pixel(plane, top + 1, left + 1));
}

typedef struct Point {
    double y, x;
} Point;

/* Where what comes to row y, column x is from. */
static Point source_of(const Map *map, NetShape shape, int64_t y, int64_t x)
{
    double middle_y = (double)(shape.h - 1) / 2, middle_x = (double)(shape.w - 1) / 2;
    double down = (double)y - middle_y, right = (double)x - middle_x;
    return (Point){.y = map->yx * right + map->yy * down + map->y0 + middle_y,
                   .x = map->xx * right + map->xy * down + map->x0 + middle_x};
}

static double taken(const Plane *plane, Point from, bool bilinear)
{
    return bilinear ? between(plane, from.y, from.x)
                    : pixel(plane, nearbyint(from.y), nearbyint(from.x));
}

void net_warp(uint8_t *to, const uint8_t *from, NetShape shape, const NetAffine *affine)
{
    Map map = invert(affine);
    Plane plane = {.shape = shape, .mode = affine->border.mode};
    int64_t pixels = shape.h * shape.w;
    for (int64_t i = 0; i < pixels; i++) {
        Point source = source_of(&map, shape, i / shape.w, i % shape.w);
        for (int64_t c = 0; c < shape.c; c++) {
            plane.pixels = from + c * pixels;
            plane.fill = net_border_fill(&affine->border, c);
            to[c * pixels + i] = (uint8_t)(taken(&plane, source, affine->bilinear) + 0.5);
        }
    }
}

void net_warp_numbers(double *to, const double *from, NetShape shape, const NetAffine *affine,
                      double fill)
{
    Map map = invert(affine);
    Plane plane = {.shape = shape, .mode = affine->border.mode, .fill = fill};
    int64_t pixels = shape.h * shape.w;
    for (int64_t i = 0; i < pixels; i++) {
        Point source = source_of(&map, shape, i / shape.w, i % shape.w);
        for (int64_t c = 0; c < shape.c; c++) {
            plane.numbers = from + c * pixels;
            to[c * pixels + i] = taken(&plane, source, affine->bilinear);
        }
    }
}

/* ------------------------------------------------------------- resizing */

/* Which of `count` source pixels an output pixel is made of, and how wide its triangle is. */
typedef struct Support {
    int64_t from, to;
    double centre, reach, sum; /* of all weights */
} Support;

/* A triangle about the output pixel's middle, as wide as it, or as a source pixel. */
static double weight(const Support *support, int64_t at)
{
    double away = fabs(((double)at + 0.5 - support->centre) / support->reach);
    return away < 1 ? 1 - away : 0;
}

static Support support_of(int64_t output, int64_t outputs, int64_t count)
{
    double scale = (double)count / (double)outputs;
    Support support = {.centre = scale * ((double)output + 0.5), .reach = scale > 1 ? scale : 1};
    int64_t from = (int64_t)(support.centre - support.reach + 0.5),
            to = (int64_t)(support.centre + support.reach + 0.5);
    support.from = from < 0 ? 0 : from;
    support.to = to > count ? count : to;
    for (int64_t at = support.from; at < support.to; at++)
        support.sum += weight(&support, at);
    return support;
}

/* Weighted sums of a source row's pixels, one for each of `count` output columns from `first`. */
static void mean_row(double *sums, const uint8_t *row, const Support *columns,
                     const double *weights, int64_t taps, int64_t count)
{
    for (int64_t x = 0; x < count; x++) {
        double sum = 0;
        for (int64_t at = columns[x].from; at < columns[x].to; at++)
            sum += weights[x * taps + at - columns[x].from] * row[at];
        sums[x] = sum;
    }
}

/* What a resize works in.  Rows of sums are computed once and used by the output rows that they
 * are part of: source row y is in place y % rows. */
typedef struct Resizer {
    Support *columns;                 /* [count] */
    double *weights;                  /* [count][taps] */
    double *sums;                     /* [rows][count] */
    int64_t count, taps, rows, known; /* rows below `known` were computed */
} Resizer;

static void close_resizer(Resizer *resizer)
{
    free(resizer->columns);
    free(resizer->weights);
    free(resizer->sums);
}

/* Source pixels that one output pixel has at most. */
static int64_t most_taps(int64_t outputs, int64_t count)
{
    double scale = (double)count / (double)outputs;
    int64_t most = (int64_t)(2 * (scale > 1 ? scale : 1)) + 2;
    return most < count ? most : count;
}

/* Of output columns first … first + count - 1 of `outputs`. */
static bool open_resizer(Resizer *resizer, int64_t first, int64_t count, int64_t outputs,
                         int64_t rows, const NetWindow *window, NetError *error)
{
    *resizer = (Resizer){.count = count};
    resizer->taps = most_taps(outputs, window->width);
    resizer->rows = most_taps(rows, window->height);
    resizer->columns = net_allocate((size_t)count, sizeof *resizer->columns, error);
    resizer->weights = net_allocate((size_t)(count * resizer->taps), sizeof(double), error);
    resizer->sums = net_allocate((size_t)(count * resizer->rows), sizeof(double), error);
    if (!resizer->columns || !resizer->weights || !resizer->sums)
        return false;
    for (int64_t x = 0; x < count; x++) {
        Support *column = &resizer->columns[x];
        *column = support_of(first + x, outputs, window->width);
        for (int64_t at = column->from; at < column->to; at++)
            resizer->weights[x * resizer->taps + at - column->from] = weight(column, at);
    }
    return true;
}

static void resize_row(uint8_t *to, Resizer *resizer, const uint8_t *first, int64_t stride,
                       const Support *rows)
{
    int64_t count = resizer->count;
    int64_t y = resizer->known > rows->from ? resizer->known : rows->from;
    for (; y < rows->to; y++)
        mean_row(resizer->sums + y % resizer->rows * count, first + y * stride, resizer->columns,
                 resizer->weights, resizer->taps, count);
    resizer->known = y;
    for (int64_t x = 0; x < count; x++) {
        double sum = 0;
        for (int64_t at = rows->from; at < rows->to; at++)
            sum += weight(rows, at) * resizer->sums[at % resizer->rows * count + x];
        to[x] = (uint8_t)nearbyint(sum / (rows->sum * resizer->columns[x].sum));
    }
}

/* What of 0 … size - 1 is in a part of it. */
static void clip(int64_t *from, int64_t *to, int64_t size)
{
    *from = *from < 0 ? 0 : *from;
    *to = *to > size ? size : *to;
}

bool net_resize_part(uint8_t *to, NetWindow part, int64_t height, int64_t width,
                     const uint8_t *from, NetShape shape, NetWindow window, NetError *error)
{
    int64_t top = part.top, bottom = part.top + part.height, left = part.left,
            right = part.left + part.width;
    const uint8_t *first = from + window.top * shape.w + window.left;
    Resizer resizer = {0};
    memset(to, 0, (size_t)(shape.c * part.height * part.width));
    clip(&top, &bottom, height);
    clip(&left, &right, width);
    if (top >= bottom || left >= right)
        return true;
    bool good = open_resizer(&resizer, left, right - left, width, height, &window, error);
    for (int64_t c = 0; good && c < shape.c; c++) {
        resizer.known = 0;
        for (int64_t y = top; y < bottom; y++) {
            Support rows = support_of(y, height, window.height);
            resize_row(to + (c * part.height + y - part.top) * part.width + left - part.left,
                       &resizer, first + c * shape.h * shape.w, shape.w, &rows);
        }
    }
    close_resizer(&resizer);
    return good;
}

/* Of the plane's values the mean that an output pixel is; `first`: where the window begins. */
static double weighted(const Plane *plane, int64_t first, const Support *rows,
                       const Support *columns)
{
    double sum = 0;
    for (int64_t y = rows->from; y < rows->to; y++) {
        double row = 0;
        for (int64_t x = columns->from; x < columns->to; x++)
            row += weight(columns, x) * value_at(plane, first + y * plane->shape.w + x);
        sum += weight(rows, y) * row;
    }
    return sum / (rows->sum * columns->sum);
}

void net_resize_window(uint8_t *to, NetShape to_shape, const uint8_t *from, NetShape shape,
                       NetWindow window)
{
    const NetWindow all = {.height = to_shape.h, .width = to_shape.w};
    const Plane plane = {.pixels = from, .shape = shape};
    int64_t first = window.top * shape.w + window.left;
    NetError ignored; /* without memory it takes longer */
    if (net_resize_part(to, all, to_shape.h, to_shape.w, from, shape, window, &ignored))
        return;
    for (int64_t y = 0; y < to_shape.h; y++) {
        Support rows = support_of(y, to_shape.h, window.height);
        for (int64_t x = 0; x < to_shape.w; x++) {
            Support columns = support_of(x, to_shape.w, window.width);
            for (int64_t c = 0; c < to_shape.c; c++)
                to[(c * to_shape.h + y) * to_shape.w + x] = (uint8_t)nearbyint(
                    weighted(&plane, first + c * shape.h * shape.w, &rows, &columns));
        }
    }
}

static void take_nearest(double *to, NetShape to_shape, const double *from, NetShape shape,
                         NetWindow window)
{
    for (int64_t row = 0; row < to_shape.c * to_shape.h; row++) {
        int64_t y = (2 * (row % to_shape.h) + 1) * window.height / (2 * to_shape.h);
        const double *source =
            from + (row / to_shape.h * shape.h + window.top + y) * shape.w + window.left;
        for (int64_t x = 0; x < to_shape.w; x++)
            *to++ = source[(2 * x + 1) * window.width / (2 * to_shape.w)];
    }
}

void net_resize_numbers(double *to, NetShape to_shape, const double *from, NetShape shape,
                        NetWindow window, bool nearest)
{
    const Plane plane = {.numbers = from, .shape = shape};
    int64_t first = window.top * shape.w + window.left;
    if (nearest) {
        take_nearest(to, to_shape, from, shape, window);
        return;
    }
    for (int64_t row = 0; row < to_shape.c * to_shape.h; row++) {
        Support rows = support_of(row % to_shape.h, to_shape.h, window.height);
        int64_t begin = first + row / to_shape.h * shape.h * shape.w;
        for (int64_t x = 0; x < to_shape.w; x++) {
            Support columns = support_of(x, to_shape.w, window.width);
            *to++ = weighted(&plane, begin, &rows, &columns);
        }
    }
}
