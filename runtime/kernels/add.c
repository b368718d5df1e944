/* add.c: the sum of tensors, of which those with an axis of 1 are repeated along it.  An input of
 * the output's shape has its gradient; the others' are sums of it.
 */
#include "kernels.h"

/* y may be the memory of any input of its shape: all are read before it is written. */
void net_add_forward(const NetCall *call)
{
    const real *x[call->inputs];
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        for (int input = 0; input < call->inputs; input++)
            x[input] = call->x[input] + net_spread_source(call, input, i) * call->lanes;
        for (int lane = 0; lane < call->lanes; lane++) {
            real total = x[0][lane];
            for (int input = 1; input < call->inputs; input++)
                total += x[input][lane];
            call->y[i * call->lanes + lane] = total;
        }
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
