/* constant.c: known values, spread over the lanes: a table, or one number.
 *
 *   y [shape, lanes]   weight [shape]
 */
#include "kernels.h"

void net_constant_forward(const NetCall *call)
{
    double value = net_attribute(call, "value", 0);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[i * call->lanes + lane] =
                call->parameters > 0 ? call->parameter[0][i] : (real)value;
}
