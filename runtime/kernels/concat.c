/* concat.c: tensors joined along an axis: each has a stretch of every line of y. */
#include "kernels.h"

#include <string.h>

/* Where input `which` begins in a line of y, in elements, which are `inner` for each of its
 * positions along the axis. */
static int64_t begin_of(const NetCall *call, int which, int axis, int64_t inner)
{
    int64_t begin = 0;
    for (int input = 0; input < which; input++)
        begin += net_shape_dim(call->x_shape[input], axis) * inner;
    return begin;
}

void net_concat_forward(const NetCall *call)
{
    int axis = net_axis(call, "axis", call->y_shape.rank);
    Lines out = net_lines(call->y_shape, axis);
    for (int input = 0; input < call->inputs; input++) {
        int64_t own = net_lines(call->x_shape[input], axis).size * out.inner,
                begin = begin_of(call, input, axis, out.inner);
        for (int64_t line = 0; line < out.outer; line++)
            memcpy(call->y + (line * out.size * out.inner + begin) * call->lanes,
                   call->x[input] + line * own * call->lanes,
                   (size_t)(own * call->lanes) * sizeof(real));
    }
}

void net_concat_backward_input(const NetCall *call)
{
    int axis = net_axis(call, "axis", call->y_shape.rank);
    Lines out = net_lines(call->y_shape, axis);
    int64_t own = net_lines(call->x_shape[call->which], axis).size * out.inner * call->lanes,
            begin = begin_of(call, call->which, axis, out.inner);
    for (int64_t line = 0; line < out.outer; line++)
        for (int64_t i = 0; i < own; i++)
            give_gradient(call, line * own + i,
                          call->dy[(line * out.size * out.inner + begin) * call->lanes + i]);
}
