/* parameter.c: a trained tensor, spread over the lanes.
 *
 *   y [shape, lanes]   weight [shape]
 */
#include "kernels.h"

void net_parameter_forward(const NetCall *call)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[i * call->lanes + lane] = call->parameter[0][i];
}

void net_parameter_backward_parameters(const NetCall *call)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        call->dparameter[0][i] = net_sum(call->dy + i * call->lanes, call->lanes);
}
