/* max_pool2d.c: the largest value of each window.
 *
 *   x [c, h, w, lanes]   y and aux [c, rows, columns, lanes]
 *
 * aux is the number of the winning tap, counted row by row through the window;
 * -1 for a window that lies in the padding alone, whose maximum is -inf.
 */
#include "kernels.h"

#include <math.h>

/* One window: its position in x (the first tap's) and in y. */
typedef struct Position {
    int64_t channel, row, column;
} Position;

/* Where tap (p, q) of the window at `position` lies in x, lane 0; -1 in the padding. */
static int64_t tap_at(const Axis *rows, const Axis *columns, Position position, int64_t p,
                      int64_t q, int lanes)
{
    int64_t y = position.row * rows->stride + p * rows->dilation - rows->before;
    int64_t x = position.column * columns->stride + q * columns->dilation - columns->before;
    if (y < 0 || y >= rows->in || x < 0 || x >= columns->in)
        return -1;
    return ((position.channel * rows->in + y) * columns->in + x) * lanes;
}

static int64_t offset_of(const Axis *rows, const Axis *columns, Position position, int lanes)
{
    return ((position.channel * rows->out + position.row) * columns->out + position.column) * lanes;
}

/* The next window in the order of y; false after the last. */
static bool next_position(const NetCall *call, Position *position)
{
    if (++position->column < call->y_shape.w)
        return true;
    position->column = 0;
    if (++position->row < call->y_shape.h)
        return true;
    position->row = 0;
    return ++position->channel < call->y_shape.c;
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
    Position position = {0};
    do {
        int64_t at = offset_of(&rows, &columns, position, call->lanes);
        real *best = call->y + at, *winner = call->aux != NULL ? call->aux + at : NULL;
        bool first = true;
        fill(best, -INFINITY, call->lanes);
        if (winner != NULL)
            fill(winner, -1, call->lanes);
        for (int64_t tap = 0; tap < rows.kernel * columns.kernel; tap++) {
            int64_t x = tap_at(&rows, &columns, position, tap / columns.kernel,
                               tap % columns.kernel, call->lanes);
            if (x < 0)
                continue;
            take_larger(best, winner, call->x[0] + x, tap, first, call->lanes);
            first = false;
        }
    } while (next_position(call, &position));
}

void net_max_pool2d_backward_input(const NetCall *call)
{
    Axis rows = net_window_axis(call, 0, true), columns = net_window_axis(call, 1, true);
    Position position = {0};
    net_start_gradient(call);
    do {
        int64_t at = offset_of(&rows, &columns, position, call->lanes);
        for (int lane = 0; lane < call->lanes; lane++) {
            int64_t tap = (int64_t)call->aux[at + lane];
            if (tap < 0)
                continue;
            int64_t x = tap_at(&rows, &columns, position, tap / columns.kernel,
                               tap % columns.kernel, call->lanes);
            call->dx[x + lane] += call->dy[at + lane];
        }
    } while (next_position(call, &position));
}
