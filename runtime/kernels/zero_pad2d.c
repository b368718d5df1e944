/* zero_pad2d.c: zeros around an image; negative padding cuts off.
 *
 *   x [c, h, w, lanes]   y [c, top + h + bottom, left + w + right, lanes]
 */
#include "kernels.h"

/* Where y's row (axis 0) or column (axis 1) `at` comes from, or -1 for zeros. */
static int64_t source(const NetCall *call, int axis, int64_t at)
{
    int64_t from = at - (int64_t)net_attribute(call, "padding", axis == 0 ? 2 : 0);
    int64_t size = axis == 0 ? call->x_shape[0].h : call->x_shape[0].w;
    return from >= 0 && from < size ? from : -1;
}

/* Runs through y: *x_at is the offset in x, lane 0, or -1.  False at the end. */
static bool next_value(const NetCall *call, int64_t y, int64_t *x_at)
{
    NetShape in = call->x_shape[0], out = call->y_shape;
    if (y == net_shape_elements(out))
        return false;
    int64_t row = source(call, 0, y / out.w % out.h), column = source(call, 1, y % out.w);
    *x_at = row < 0 || column < 0
                ? -1
                : ((y / (out.h * out.w) * in.h + row) * in.w + column) * call->lanes;
    return true;
}

void net_zero_pad2d_forward(const NetCall *call)
{
    int64_t x_at;
    for (int64_t y = 0; next_value(call, y, &x_at); y++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[y * call->lanes + lane] = x_at < 0 ? 0 : call->x[0][x_at + lane];
}

void net_zero_pad2d_backward_input(const NetCall *call)
{
    int64_t x_at;
    net_start_gradient(call);
    for (int64_t y = 0; next_value(call, y, &x_at); y++)
        for (int lane = 0; x_at >= 0 && lane < call->lanes; lane++)
            call->dx[x_at + lane] += call->dy[y * call->lanes + lane];
}
