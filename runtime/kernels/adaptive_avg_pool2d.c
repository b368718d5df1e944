/* adaptive_avg_pool2d.c: means over windows chosen by the size of the output.
 *
 *   x [c, h, w, lanes]   y [c, rows, columns, lanes]
 */
#include "kernels.h"

/* From floor(position * in / out) to ceil((position + 1) * in / out), PyTorch's rule,
 * written so that no product leaves int64_t. */
static Extent adaptive_extent(const NetCall *call, int axis, int64_t position)
{
    int64_t in = axis == 0 ? call->x_shape[0].h : call->x_shape[0].w;
    int64_t out = axis == 0 ? call->y_shape.h : call->y_shape.w;
    int64_t whole = in / out, part = in % out;
    int64_t from = position * whole + position * part / out;
    int64_t to = (position + 1) * whole + ((position + 1) * part + out - 1) / out;
    return (Extent){from, to, to - from};
}

void net_adaptive_avg_pool2d_forward(const NetCall *call)
{
    net_average_forward(call, adaptive_extent, 0);
}

void net_adaptive_avg_pool2d_backward_input(const NetCall *call)
{
    net_average_backward(call, adaptive_extent, 0);
}
