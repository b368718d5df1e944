/* prelu.c: the rectifier with a learned slope below 0.
 *
 *   x, y [c, h, w, lanes]   weight [c], or [1]: of all channels
 */
#include "kernels.h"

static int64_t plane_of(const NetCall *call)
{
    return net_shape_plane(call->x_shape[0]) * call->lanes;
}

static bool is_shared(const NetCall *call)
{
    return net_attribute(call, "num_parameters", 0) == 1;
}

/* `value`, which lies at i, or times the slope where x is not above 0. */
static real rectified(const NetCall *call, int64_t i, real value)
{
    real slope = call->parameter[0][is_shared(call) ? 0 : i / plane_of(call)];
    return call->x[0][i] > 0 ? value : value * slope;
}

void net_prelu_forward(const NetCall *call)
{
    for (int64_t i = 0; i < call->x_shape[0].c * plane_of(call); i++)
        call->y[i] = rectified(call, i, call->x[0][i]);
}

void net_prelu_backward_input(const NetCall *call)
{
    for (int64_t i = 0; i < call->x_shape[0].c * plane_of(call); i++)
        give_gradient(call, i, rectified(call, i, call->dy[i]));
}

void net_prelu_backward_parameters(const NetCall *call)
{
    int64_t plane = plane_of(call);
    call->dparameter[0][0] = 0;
    for (int64_t c = 0; c < call->x_shape[0].c; c++) {
        real sum = 0;
        for (int64_t i = c * plane; i < (c + 1) * plane; i++)
            sum += call->x[0][i] > 0 ? 0 : call->x[0][i] * call->dy[i];
        if (is_shared(call))
            call->dparameter[0][0] += sum;
        else
            call->dparameter[0][c] = sum;
    }
}
