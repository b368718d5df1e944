/* layer_scale.c: each channel times its own factor.
 *
 *   x, y [c, h, w, lanes]   weight [c, 1, 1]
 */
#include "kernels.h"

static int64_t plane_of(const NetCall *call)
{
    return net_shape_plane(call->x_shape[0]) * call->lanes;
}

void net_layer_scale_forward(const NetCall *call)
{
    int64_t plane = plane_of(call);
    for (int64_t i = 0; i < call->x_shape[0].c * plane; i++)
        call->y[i] = call->x[0][i] * call->parameter[0][i / plane];
}

void net_layer_scale_backward_input(const NetCall *call)
{
    int64_t plane = plane_of(call);
    for (int64_t i = 0; i < call->x_shape[0].c * plane; i++)
        give_gradient(call, i, call->dy[i] * call->parameter[0][i / plane]);
}

void net_layer_scale_backward_parameters(const NetCall *call)
{
    int64_t plane = plane_of(call);
    for (int64_t c = 0; c < call->x_shape[0].c; c++)
        call->dparameter[0][c] = net_dot(call->dy + c * plane, call->x[0] + c * plane, plane);
}
