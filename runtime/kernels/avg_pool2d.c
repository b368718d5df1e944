/* avg_pool2d.c: means over windows along one, two or three axes, and the walk that the adaptive
 * ones share; and lp_pool, a mean of powers.
 *
 *   x [c, d, h, w, lanes]   y [c, slices, rows, columns, lanes]
 *
 * Of fewer axes there is one slice, and one row.
 */
#include "kernels.h"

#include <math.h>

/* A window over the input, and what its sum is divided by. */
typedef struct Area {
    Extent slices, rows, columns;
    real divisor;
} Area;

/* divisor 0: as many as are counted. */
static Area area_of(const NetCall *call, FindExtent *find, double divisor, int64_t position)
{
    int64_t columns = call->y_shape.w, rows = call->y_shape.h;
    Area area = {find(call, AXIS_DEPTH, position / columns / rows),
                 find(call, AXIS_ROWS, position / columns % rows),
                 find(call, AXIS_COLUMNS, position % columns), (real)divisor};
    if (divisor == 0)
        area.divisor = (real)(area.slices.counted * area.rows.counted * area.columns.counted);
    return area;
}

/* The window's next value in a channel of x; starts from -1, which it is after the last, too. */
static int64_t next_source(NetShape shape, const Area *area, int64_t at)
{
    int64_t z = area->slices.from, y = area->rows.from, x = area->columns.from;
    if (at >= 0) {
        z = at / shape.w / shape.h, y = at / shape.w % shape.h, x = at % shape.w + 1;
        if (x == area->columns.to)
            x = area->columns.from, y++;
        if (y == area->rows.to)
            y = area->rows.from, z++;
    }
    bool empty = area->rows.from >= area->rows.to || area->columns.from >= area->columns.to;
    return empty || z >= area->slices.to ? -1 : (z * shape.h + y) * shape.w + x;
}

/* Lane by lane: a window in a channel of x, its value in y. */
typedef void Visit(const NetCall *call, const Area *area, int64_t channel, int64_t y);

static void visit_windows(const NetCall *call, FindExtent *find, double divisor, Visit *visit)
{
    int64_t plane = net_shape_plane(call->y_shape);
    for (int64_t position = 0; position < plane; position++) {
        Area area = area_of(call, find, divisor, position);
        for (int64_t channel = 0; channel < call->y_shape.c; channel++)
            visit(call, &area, channel * net_shape_plane(call->x_shape[0]),
                  (channel * plane + position) * call->lanes);
    }
}

static void average(const NetCall *call, const Area *area, int64_t channel, int64_t at)
{
    real *y = call->y + at;
    for (int lane = 0; lane < call->lanes; lane++)
        y[lane] = 0;
    for (int64_t i = -1; (i = next_source(call->x_shape[0], area, i)) >= 0;)
        net_add_scaled(y, call->x[0] + (channel + i) * call->lanes, 1, call->lanes);
    for (int lane = 0; lane < call->lanes; lane++)
        y[lane] /= area->divisor;
}

static void give_average(const NetCall *call, const Area *area, int64_t channel, int64_t at)
{
    for (int64_t i = -1; (i = next_source(call->x_shape[0], area, i)) >= 0;)
        net_add_scaled(call->dx + (channel + i) * call->lanes, call->dy + at, 1 / area->divisor,
                       call->lanes);
}

void net_average_forward(const NetCall *call, FindExtent *find_extent, double divisor)
{
    visit_windows(call, find_extent, divisor, average);
}

void net_average_backward(const NetCall *call, FindExtent *find_extent, double divisor)
{
    net_start_gradient(call);
    visit_windows(call, find_extent, divisor, give_average);
}

/* What lies at a position within the input, which is padded by `before` at both ends: in ceil mode
 * the last window may hang over that, too. */
static Extent extent_of(Axis window, int64_t position, bool count_padding)
{
    int64_t start = position * window.stride - window.before;
    int64_t end = start + window.kernel, limit = window.in + window.before;
    end = end < limit ? end : limit;
    Extent extent = {start > 0 ? start : 0, end < window.in ? end : window.in, end - start};
    if (!count_padding)
        extent.counted = extent.to - extent.from;
    return extent;
}

static Extent window_extent(const NetCall *call, int axis, int64_t position)
{
    return extent_of(net_window_axis(call, axis, false), position,
                     net_attribute(call, "count_include_pad", 0) != 0);
}

static double divisor_of(const NetCall *call)
{
    return call->x_shape[0].rank == 2 ? 0 : net_attribute(call, "divisor_override", 0);
}

#define AVG_POOL(name)                                                                   \
    NET_STAGE(name, forward, net_average_forward(call, window_extent, divisor_of(call))) \
    NET_STAGE(name, backward_input, net_average_backward(call, window_extent, divisor_of(call)))
AVG_POOL(avg_pool1d)
AVG_POOL(avg_pool2d)
AVG_POOL(avg_pool3d)

/* ------------------------------------------------------------- lp_pool */

static Extent power_extent(const NetCall *call, int axis, int64_t position)
{
    return extent_of(net_window_axis(call, axis, false), position, true);
}

/* A window that hangs over the end is weighed as if it were whole, as in PyTorch. */
static double whole_window(const NetCall *call, const Area *area)
{
    double taps = 1;
    for (int axis = AXIS_ROWS; axis <= AXIS_COLUMNS; axis++)
        taps *= (double)net_window_axis(call, axis, false).kernel;
    return taps / (double)area->divisor;
}

static void norm(const NetCall *call, const Area *area, int64_t channel, int64_t at)
{
    double p = net_attribute(call, "norm_type", 0), weight = whole_window(call, area);
    for (int lane = 0; lane < call->lanes; lane++) {
        double sum = 0;
        for (int64_t i = -1; (i = next_source(call->x_shape[0], area, i)) >= 0;)
            sum += pow((double)call->x[0][(channel + i) * call->lanes + lane], p);
        call->y[at + lane] = (real)pow(sum * weight, 1 / p);
    }
}

/* dy/dx = weight * (x / y)^(p - 1); where y is 0 it is said to be 0. */
static void give_norm(const NetCall *call, const Area *area, int64_t channel, int64_t at)
{
    double p = net_attribute(call, "norm_type", 0), weight = whole_window(call, area);
    for (int lane = 0; lane < call->lanes; lane++) {
        double y = (double)call->y[at + lane];
        double scale = y == 0 ? 0 : weight * pow(y, 1 - p) * (double)call->dy[at + lane];
        for (int64_t i = -1; scale != 0 && (i = next_source(call->x_shape[0], area, i)) >= 0;) {
            int64_t from = (channel + i) * call->lanes + lane;
            call->dx[from] += (real)(scale * pow((double)call->x[0][from], p - 1));
        }
    }
}

#define LP_POOL(name)                                                    \
    NET_STAGE(name, forward, visit_windows(call, power_extent, 0, norm)) \
    NET_STAGE(name, backward_input, net_start_gradient(call);            \
              visit_windows(call, power_extent, 0, give_norm))
LP_POOL(lp_pool1d)
LP_POOL(lp_pool2d)
