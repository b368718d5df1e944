/* mul.c: the product of tensors, element by element, where a [c, 1, 1] input
 * multiplies whole channels of a [c, h, w] one.
 */
#include "kernels.h"

/* Input `input`'s value at position `i` of a channel of y. */
static real value_at(const NetCall *call, int input, int64_t channel, int64_t i, int lane)
{
    NetShape shape = call->x_shape[input];
    int64_t plane = net_shape_plane(shape);
    return call->x[input][(channel * plane + (plane > 1 ? i : 0)) * call->lanes + lane];
}

/* The product of all inputs, or of all but one. */
static real product(const NetCall *call, int without, int64_t channel, int64_t i, int lane)
{
    real total = 1;
    for (int input = 0; input < call->inputs; input++)
        if (input != without)
            total *= value_at(call, input, channel, i, lane);
    return total;
}

void net_mul_forward(const NetCall *call)
{
    int64_t plane = net_shape_plane(call->y_shape);
    for (int64_t channel = 0; channel < call->y_shape.c; channel++)
        for (int64_t i = 0; i < plane; i++)
            for (int lane = 0; lane < call->lanes; lane++)
                call->y[(channel * plane + i) * call->lanes + lane] =
                    product(call, -1, channel, i, lane);
}

/* What multiplied a whole channel gathers its gradient over the channel. */
void net_mul_backward_input(const NetCall *call)
{
    NetShape shape = call->x_shape[call->which];
    int64_t plane = net_shape_plane(call->y_shape), own_plane = net_shape_plane(shape);
    net_start_gradient(call);
    for (int64_t channel = 0; channel < call->y_shape.c; channel++)
        for (int64_t i = 0; i < plane; i++)
            for (int lane = 0; lane < call->lanes; lane++) {
                int64_t at = (channel * plane + i) * call->lanes + lane;
                int64_t own = (channel * own_plane + (own_plane > 1 ? i : 0)) * call->lanes + lane;
                call->dx[own] += call->dy[at] * product(call, call->which, channel, i, lane);
            }
}
