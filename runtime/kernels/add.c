/* add.c: the sum of tensors, of which those with an axis of 1 are repeated along it.  An input of
 * the output's shape has its gradient; the others' are sums of it.
 */
#include "kernels.h"

void net_add_forward(const NetCall *call)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        for (int input = 0; input < call->inputs; input++) {
            const real *x = call->x[input] + net_spread_source(call, input, i) * call->lanes;
            real *y = call->y + i * call->lanes;
            for (int lane = 0; lane < call->lanes; lane++)
                y[lane] = input ? y[lane] + x[lane] : x[lane];
        }
}

void net_add_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        real *dx = call->dx + net_spread_source(call, call->which, i) * call->lanes;
        for (int lane = 0; lane < call->lanes; lane++)
            dx[lane] += call->dy[i * call->lanes + lane];
    }
}
