/* avg_pool2d.c: means over windows, and the walk that adaptive_avg_pool2d
 * shares.
 *
 *   x [c, h, w, lanes]   y [c, rows, columns, lanes]
 */
#include "kernels.h"

/* A window over the input: [rows.from, rows.to) by [columns.from, columns.to). */
typedef struct Area {
    Extent rows, columns;
    real divisor;
} Area;

static Area area_of(const NetCall *call, FindExtent *find_extent, double divisor, int64_t row,
                    int64_t column)
{
    Area area = {find_extent(call, 0, row), find_extent(call, 1, column), (real)divisor};
    if (divisor == 0)
        area.divisor = (real)(area.rows.counted * area.columns.counted);
    return area;
}

static void forward_window(const NetCall *call, Area area, int64_t channel, real *y)
{
    NetShape shape = call->x_shape[0];
    for (int lane = 0; lane < call->lanes; lane++)
        y[lane] = 0;
    for (int64_t p = area.rows.from; p < area.rows.to; p++) {
        const real *row = call->x[0] + (channel * shape.h + p) * shape.w * call->lanes;
        for (int64_t q = area.columns.from; q < area.columns.to; q++)
            net_add_scaled(y, row + q * call->lanes, 1, call->lanes);
    }
    for (int lane = 0; lane < call->lanes; lane++)
        y[lane] /= area.divisor;
}

static void backward_window(const NetCall *call, Area area, int64_t channel, const real *dy)
{
    NetShape shape = call->x_shape[0];
    for (int64_t p = area.rows.from; p < area.rows.to; p++) {
        real *row = call->dx + (channel * shape.h + p) * shape.w * call->lanes;
        for (int64_t q = area.columns.from; q < area.columns.to; q++)
            net_add_scaled(row + q * call->lanes, dy, 1 / area.divisor, call->lanes);
    }
}

static int64_t offset_of(const NetCall *call, int64_t channel, int64_t row, int64_t column)
{
    return ((channel * call->y_shape.h + row) * call->y_shape.w + column) * call->lanes;
}

void net_average_forward(const NetCall *call, FindExtent *find_extent, double divisor)
{
    for (int64_t row = 0; row < call->y_shape.h; row++)
        for (int64_t column = 0; column < call->y_shape.w; column++) {
            Area area = area_of(call, find_extent, divisor, row, column);
            for (int64_t channel = 0; channel < call->y_shape.c; channel++)
                forward_window(call, area, channel,
                               call->y + offset_of(call, channel, row, column));
        }
}

void net_average_backward(const NetCall *call, FindExtent *find_extent, double divisor)
{
    net_start_gradient(call);
    for (int64_t row = 0; row < call->y_shape.h; row++)
        for (int64_t column = 0; column < call->y_shape.w; column++) {
            Area area = area_of(call, find_extent, divisor, row, column);
            for (int64_t channel = 0; channel < call->y_shape.c; channel++)
                backward_window(call, area, channel,
                                call->dy + offset_of(call, channel, row, column));
        }
}

/* A window reads only the input, but its padding counts (the default) as far
 * as the padded input goes: in ceil mode the last window may hang over that. */
static Extent window_extent(const NetCall *call, int axis, int64_t position)
{
    Axis window = net_window_axis(call, axis, false);
    int64_t start = position * window.stride - window.before;
    int64_t end = start + window.kernel, limit = window.in + window.before;
    end = end < limit ? end : limit;
    Extent extent = {start > 0 ? start : 0, end < window.in ? end : window.in, end - start};
    if (net_attribute(call, "count_include_pad", 0) == 0)
        extent.counted = extent.to - extent.from;
    return extent;
}

void net_avg_pool2d_forward(const NetCall *call)
{
    net_average_forward(call, window_extent, net_attribute(call, "divisor_override", 0));
}

void net_avg_pool2d_backward_input(const NetCall *call)
{
    net_average_backward(call, window_extent, net_attribute(call, "divisor_override", 0));
}
