/* max_pool2d.c: the largest value of each window.
 *
 *   x [c, h, w, lanes]   y and aux [c, rows, columns, lanes]
 *
 * aux is the number of the winning tap, counted row by row through the window;
 * -1 for a window that lies in the padding alone, whose maximum is -inf.
 */
#include "kernels.h"

#include <math.h>

/* One window: its place in x (the first tap's) and in y. */
typedef struct Place {
    int64_t channel, row, column;
} Place;

/* Where tap (p, q) of the window at `place` lies in x, lane 0; -1 in the padding. */
static int64_t tap_at(const Axis *rows, const Axis *columns, Place place, int64_t p, int64_t q,
                      int lanes)
{
    int64_t y = place.row * rows->stride + p * rows->dilation - rows->before;
    int64_t x = place.column * columns->stride + q * columns->dilation - columns->before;
    if (y < 0 || y >= rows->in || x < 0 || x >= columns->in)
        return -1;
    return ((place.channel * rows->in + y) * columns->in + x) * lanes;
}

static int64_t place_at(const Axis *rows, const Axis *columns, Place place, int lanes)
{
    return ((place.channel * rows->out + place.row) * columns->out + place.column) * lanes;
}

/* The next window in the order of y; false after the last. */
static bool next_place(const NetCall *call, Place *place)
{
    if (++place->column < call->y_shape.w)
        return true;
    place->column = 0;
    if (++place->row < call->y_shape.h)
        return true;
    place->row = 0;
    return ++place->channel < call->y_shape.c;
}

/* The first of equal values wins, and a NaN wins over everything: PyTorch's
 * rule.  `winner` is NULL when nothing will go backward. */
static void take_larger(real *best, real *winner, const real *x, int64_t tap, bool first, int lanes)
{
    for (int lane = 0; lane < lanes; lane++) {
        if (!first && !(x[lane] > best[lane]) && !isnan(x[lane]))
            continue;
        best[lane] = x[lane];
        if (winner != NULL)
            winner[lane] = (real)tap;
    }
}

static void fill(real *values, real value, int count)
{
    for (int i = 0; i < count; i++)
        values[i] = value;
}

void net_max_pool2d_forward(const NetCall *call)
{
    Axis rows = net_window_axis(call, 0, true), columns = net_window_axis(call, 1, true);
    Place place = {0};
    do {
        int64_t at = place_at(&rows, &columns, place, call->lanes);
        real *best = call->y + at, *winner = call->aux != NULL ? call->aux + at : NULL;
        bool first = true;
        fill(best, -INFINITY, call->lanes);
        if (winner != NULL)
            fill(winner, -1, call->lanes);
        for (int64_t tap = 0; tap < rows.kernel * columns.kernel; tap++) {
            int64_t x = tap_at(&rows, &columns, place, tap / columns.kernel, tap % columns.kernel,
                               call->lanes);
            if (x < 0)
                continue;
            take_larger(best, winner, call->x[0] + x, tap, first, call->lanes);
            first = false;
        }
    } while (next_place(call, &place));
}

void net_max_pool2d_backward_input(const NetCall *call)
{
    Axis rows = net_window_axis(call, 0, true), columns = net_window_axis(call, 1, true);
    Place place = {0};
    net_start_gradient(call);
    do {
        int64_t at = place_at(&rows, &columns, place, call->lanes);
        for (int lane = 0; lane < call->lanes; lane++) {
            int64_t tap = (int64_t)call->aux[at + lane];
            if (tap < 0)
                continue;
            int64_t x = tap_at(&rows, &columns, place, tap / columns.kernel, tap % columns.kernel,
                               call->lanes);
            call->dx[x + lane] += call->dy[at + lane];
        }
    } while (next_place(call, &place));
}
