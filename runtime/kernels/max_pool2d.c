/* max_pool2d.c: the largest value of each window along one, two or three axes: windows that slide,
 * and the adaptive ones, which share the input; and max_unpool2d, which puts values back where the
 * largest lay.
 *
 *   x [c, d, h, w, lanes]   y and aux [c, slices, rows, columns, lanes]
 *
 * Of fewer axes there is one slice, and one row.  aux is the number of the winning tap, counted
 * slice by slice and row by row through the window; -1 for a window that lies in the padding alone,
 * whose maximum is -inf.
 */
#include "kernels.h"

#include <math.h>

/* A window along one axis: where its taps lie. */
typedef struct Taps {
    int64_t from, count, step;
} Taps;
typedef Taps FindTaps(const NetCall *call, int axis, int64_t position);

typedef struct Window {
    Taps slices, rows, columns;
} Window;

/* One window's position in y, or in a tensor of y's shape. */
typedef struct Position {
    int64_t channel, slice, row, column;
} Position;

static Taps sliding_taps(const NetCall *call, int axis, int64_t position)
{
    Axis window = net_window_axis(call, axis, true);
    return (Taps){position * window.stride - window.before, window.kernel, window.dilation};
}

static Taps adaptive_taps(const NetCall *call, int axis, int64_t position)
{
    Extent extent = net_adaptive_extent(call, axis, position);
    return (Taps){extent.from, extent.to - extent.from, 1};
}

static Window window_at(const NetCall *call, FindTaps *find, Position position)
{
    return (Window){find(call, AXIS_DEPTH, position.slice), find(call, AXIS_ROWS, position.row),
                    find(call, AXIS_COLUMNS, position.column)};
}

static int64_t taps_of(const Window *window)
{
    return window->slices.count * window->rows.count * window->columns.count;
}

/* Where a tap lies in a channel of a tensor of this shape; -1: in the padding. */
static int64_t tap_at(NetShape shape, const Window *window, int64_t tap)
{
    int64_t columns = window->columns.count, rows = window->rows.count;
    int64_t z = window->slices.from + tap / columns / rows * window->slices.step;
    int64_t y = window->rows.from + tap / columns % rows * window->rows.step;
    int64_t x = window->columns.from + tap % columns * window->columns.step;
    if (z < 0 || z >= shape_along(shape, AXIS_DEPTH) || y < 0 || y >= shape.h || x < 0
        || x >= shape.w)
        return -1;
    return (z * shape.h + y) * shape.w + x;
}

/* The next window in the order of y, which has this shape; false after the last. */
static bool next_position(NetShape shape, Position *position)
{
    if (++position->column < shape.w)
        return true;
    position->column = 0;
    if (++position->row < shape.h)
        return true;
    position->row = 0;
    if (++position->slice < shape_along(shape, AXIS_DEPTH))
        return true;
    position->slice = 0;
    return ++position->channel < shape.c;
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

/* Of a window over a channel that begins at x. */
static void largest(const NetCall *call, const Window *window, const real *x, NetShape shape,
                    real *best, real *winner)
{
    bool first = true;
    fill(best, -INFINITY, call->lanes);
    if (winner != NULL)
        fill(winner, -1, call->lanes);
    for (int64_t tap = 0; tap < taps_of(window); tap++) {
        int64_t at = tap_at(shape, window, tap);
        if (at < 0)
            continue;
        take_larger(best, winner, x + at * call->lanes, tap, first, call->lanes);
        first = false;
    }
}

static void forward(const NetCall *call, FindTaps *find)
{
    Position position = {0};
    int64_t plane = net_shape_plane(call->x_shape[0]) * call->lanes, at = 0;
    do {
        Window window = window_at(call, find, position);
        largest(call, &window, call->x[0] + position.channel * plane, call->x_shape[0],
                call->y + at, call->aux != NULL ? call->aux + at : NULL);
        at += call->lanes;
    } while (next_position(call->y_shape, &position));
}

static void backward_input(const NetCall *call, FindTaps *find)
{
    Position position = {0};
    int64_t plane = net_shape_plane(call->x_shape[0]) * call->lanes, at = 0;
    net_start_gradient(call);
    do {
        Window window = window_at(call, find, position);
        for (int lane = 0; lane < call->lanes; lane++, at++) {
            int64_t tap = (int64_t)call->aux[at];
            if (tap < 0)
                continue;
            int64_t x = tap_at(call->x_shape[0], &window, tap) * call->lanes + lane;
            call->dx[position.channel * plane + x] += call->dy[at];
        }
    } while (next_position(call->y_shape, &position));
}

#define MAX_POOL(name, find)                      \
    NET_STAGE(name, forward, forward(call, find)) \
    NET_STAGE(name, backward_input, backward_input(call, find))
MAX_POOL(max_pool1d, sliding_taps)
MAX_POOL(max_pool2d, sliding_taps)
MAX_POOL(max_pool3d, sliding_taps)
MAX_POOL(adaptive_max_pool1d, adaptive_taps)
MAX_POOL(adaptive_max_pool2d, adaptive_taps)
MAX_POOL(adaptive_max_pool3d, adaptive_taps)

/* ---------------------------------------------------------- max_unpool2d
 * x[1] is what the pool was given: which of it was the largest is found again. */

typedef void Meet(const NetCall *call, int64_t x, int64_t y);

/* `meet` of every value of x and of where it goes in y, in the order of x; a window in the padding
 * alone goes nowhere. */
static void meet_all(const NetCall *call, Meet *meet)
{
    NetShape pooled = call->x_shape[1];
    int64_t plane = net_shape_plane(pooled) * call->lanes;
    int64_t y_plane = net_shape_plane(call->y_shape) * call->lanes, at = 0;
    Position position = {0};
    do {
        Window window = window_at(call, sliding_taps, position);
        for (int lane = 0; lane < call->lanes; lane++, at++) {
            const real *x = call->x[1] + position.channel * plane + lane;
            int64_t winner = -1;
            for (int64_t tap = 0; tap < taps_of(&window); tap++) {
                int64_t from = tap_at(pooled, &window, tap) * call->lanes;
                if (from >= 0 && (winner < 0 || x[from] > x[winner] || isnan(x[from])))
                    winner = from;
            }
            if (winner >= 0)
                meet(call, at, position.channel * y_plane + winner + lane);
        }
    } while (next_position(call->x_shape[0], &position));
}

static void put(const NetCall *call, int64_t x, int64_t y)
{
    call->y[y] = call->x[0][x];
}

static void fetch(const NetCall *call, int64_t x, int64_t y)
{
    call->dx[x] += call->dy[y];
}

void net_max_unpool2d_forward(const NetCall *call)
{
    int64_t values = net_shape_elements(call->y_shape) * call->lanes;
    for (int64_t i = 0; i < values; i++)
        call->y[i] = 0;
    meet_all(call, put);
}

/* Of what the pool was given: none.  Only where its largest lie is read of it. */
void net_max_unpool2d_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    if (call->which == 0)
        meet_all(call, fetch);
}
