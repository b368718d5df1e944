/* adaptive_avg_pool2d.c: means over windows chosen by the size of the output, along one, two or
 * three axes.
 *
 *   x [c, h, w, lanes]   y [c, rows, columns, lanes]
 */
#include "kernels.h"

/* From floor(position * in / out) to ceil((position + 1) * in / out), PyTorch's rule,
 * written so that no product leaves int64_t. */
Extent net_adaptive_extent(const NetCall *call, int axis, int64_t position)
{
    int64_t in = shape_along(call->x_shape[0], axis), out = shape_along(call->y_shape, axis);
    int64_t whole = in / out, part = in % out;
    int64_t from = position * whole + position * part / out;
    int64_t to = (position + 1) * whole + ((position + 1) * part + out - 1) / out;
    return (Extent){from, to, to - from};
}

#define ADAPTIVE(name)                                                          \
    NET_STAGE(name, forward, net_average_forward(call, net_adaptive_extent, 0)) \
    NET_STAGE(name, backward_input, net_average_backward(call, net_adaptive_extent, 0))
ADAPTIVE(adaptive_avg_pool1d)
ADAPTIVE(adaptive_avg_pool2d)
ADAPTIVE(adaptive_avg_pool3d)
