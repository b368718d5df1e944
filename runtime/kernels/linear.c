/* linear.c: the fully connected layer, forward and both gradients.
 *
 *   x [in, lanes]   weight [out, in]   y [out, lanes]   bias [out]
 */
#include "kernels.h"

void net_linear_forward(const NetCall *call)
{
    int64_t in = shape_values(call->x_shape[0]), out = call->y_shape.c;
    bool has_bias = net_attribute(call, "bias", 0) != 0;
    for (int64_t o = 0; o < out; o++) {
        real *y = call->y + o * call->lanes;
        for (int lane = 0; lane < call->lanes; lane++)
            y[lane] = has_bias ? call->parameter[1][o] : 0;
        for (int64_t i = 0; i < in; i++)
            net_add_scaled(y, call->x[0] + i * call->lanes, call->parameter[0][o * in + i],
                           call->lanes);
    }
}

void net_linear_backward_input(const NetCall *call)
{
    int64_t in = shape_values(call->x_shape[0]), out = call->y_shape.c;
    net_start_gradient(call);
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++)
            net_add_scaled(call->dx + i * call->lanes, call->dy + o * call->lanes,
                           call->parameter[0][o * in + i], call->lanes);
}

void net_linear_backward_parameters(const NetCall *call)
{
    int64_t in = shape_values(call->x_shape[0]), out = call->y_shape.c;
    bool has_bias = net_attribute(call, "bias", 0) != 0;
    for (int64_t o = 0; o < out; o++) {
        const real *dy = call->dy + o * call->lanes;
        for (int64_t i = 0; i < in; i++)
            call->dparameter[0][o * in + i] =
                net_dot(dy, call->x[0] + i * call->lanes, call->lanes);
        if (has_bias)
            call->dparameter[1][o] = net_sum(dy, call->lanes);
    }
}
