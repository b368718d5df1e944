/* upsample.c: an image enlarged (or thinned out) by taking the nearest value.
 *
 *   x [c, h, w, lanes]   y [c, rows, columns, lanes]
 */
#include "kernels.h"

#include <math.h>

/* PyTorch computes the nearest position in float, whatever the tensors' type, and
 * so does this: at some ratios that rounding decides. */
static int64_t source(int64_t at, int64_t in, int64_t out)
{
    float scale = (float)in / (float)out;
    int64_t from = (int64_t)floorf((float)at * scale);
    return from < in ? from : in - 1;
}

/* The offset in x, lane 0, of y's value number `y`. */
static int64_t source_of(const NetCall *call, int64_t y)
{
    NetShape in = call->x_shape[0], out = call->y_shape;
    int64_t row = source(y / out.w % out.h, in.h, out.h), column = source(y % out.w, in.w, out.w);
    return ((y / (out.h * out.w) * in.h + row) * in.w + column) * call->lanes;
}

void net_upsample_forward(const NetCall *call)
{
    for (int64_t y = 0; y < net_shape_elements(call->y_shape); y++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[y * call->lanes + lane] = call->x[0][source_of(call, y) + lane];
}

void net_upsample_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    for (int64_t y = 0; y < net_shape_elements(call->y_shape); y++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->dx[source_of(call, y) + lane] += call->dy[y * call->lanes + lane];
}
