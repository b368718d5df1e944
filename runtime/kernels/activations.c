/* activations.c: relu, tanh and sigmoid, value by value.  y may be x's memory
 * and dx may be dy's; the derivatives are had from y.  A NaN stays one.
 */
#include "kernels.h"

#include <math.h>

static int64_t values_of(const NetCall *call)
{
    return shape_values(call->x_shape[0]) * call->lanes;
}

void net_relu_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = call->x[0][i] <= 0 ? 0 : call->x[0][i];
}

void net_relu_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i, call->y[i] <= 0 ? 0 : call->dy[i]);
}

void net_tanh_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = (real)tanh(call->x[0][i]);
}

void net_tanh_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i, call->dy[i] * (1 - call->y[i] * call->y[i]));
}

void net_sigmoid_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = (real)(1 / (1 + exp(-call->x[0][i])));
}

void net_sigmoid_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i, call->dy[i] * call->y[i] * (1 - call->y[i]));
}
