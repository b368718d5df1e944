/* mul.c: the product of tensors, element by element, of which those with an axis of 1 are repeated
 * along it.
 */
#include "kernels.h"

/* The product of all inputs, or of all but one, at value i of y. */
static real product(const NetCall *call, int without, int64_t i, int lane)
{
    real total = 1;
    for (int input = 0; input < call->inputs; input++)
        if (input != without)
            total *= call->x[input][net_spread_source(call, input, i) * call->lanes + lane];
    return total;
}

void net_mul_forward(const NetCall *call)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[i * call->lanes + lane] = product(call, -1, i, lane);
}

/* What was repeated gathers its gradient over what it was repeated for. */
void net_mul_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->dx[net_spread_source(call, call->which, i) * call->lanes + lane] +=
                call->dy[i * call->lanes + lane] * product(call, call->which, i, lane);
}
