/* add.c: the sum of tensors of one shape.  Every input's gradient is the
 * output's, so there is nothing to compute backward.
 */
#include "kernels.h"

void net_add_forward(const NetCall *call)
{
    int64_t count = net_shape_elements(call->y_shape) * call->lanes;
    for (int64_t i = 0; i < count; i++) {
        real total = call->x[0][i];
        for (int input = 1; input < call->inputs; input++)
            total += call->x[input][i];
        call->y[i] = total;
    }
}
