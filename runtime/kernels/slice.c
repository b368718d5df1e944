/* slice.c: a part of an axis. */
#include "kernels.h"

static int64_t source(const NetCall *call, int64_t i)
{
    int axis = net_axis(call, "axis", call->y_shape.rank);
    int64_t inner = 1, from = (int64_t)net_attribute(call, "from", 0),
            step = (int64_t)net_attribute(call, "step", 0);
    for (int behind = axis + 1; behind < call->y_shape.rank; behind++)
        inner *= net_shape_dim(call->y_shape, behind);
    int64_t in = net_shape_dim(call->x_shape[0], axis), out = net_shape_dim(call->y_shape, axis);
    int64_t place = i / inner % out, outer = i / (inner * out);
    return (outer * in + (from < 0 ? from + in : from) + place * step) * inner + i % inner;
}

NET_MOVES(slice, source)
