/* activations.c: the operators that go value by value.  y may be x's memory and
 * dx may be dy's; the derivatives are had from y where y alone gives them, else
 * from x.  A NaN stays one, and the gradient at a kink is PyTorch's.
 */
#include "kernels.h"

#include <math.h>

static int64_t values_of(const NetCall *call)
{
    return net_shape_elements(call->x_shape[0]) * call->lanes;
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

void net_relu6_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++) {
        real x = call->x[0][i];
        call->y[i] = x < 0 ? 0 : x > 6 ? 6 : x;
    }
}

void net_relu6_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i, call->y[i] <= 0 || call->y[i] >= 6 ? 0 : call->dy[i]);
}

void net_leaky_relu_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    real slope = (real)net_attribute(call, "negative_slope", 0);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = call->x[0][i] > 0 ? call->x[0][i] : call->x[0][i] * slope;
}

void net_leaky_relu_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    real slope = (real)net_attribute(call, "negative_slope", 0);
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i, call->x[0][i] > 0 ? call->dy[i] : call->dy[i] * slope);
}

/* rrelu's: drawn in training, else the mean of what may be drawn. */
static real drawn_slope(const NetCall *call, int64_t at)
{
    double lower = net_attribute(call, "lower", 0), upper = net_attribute(call, "upper", 0);
    if (!call->training)
        return (real)(lower + (upper - lower) / 2);
    uint64_t image = (uint64_t)(call->grain * call->lanes + at % call->lanes),
             index =
                 image * (uint64_t)net_shape_elements(call->y_shape) + (uint64_t)(at / call->lanes);
    return (real)(lower
                  + (upper - lower)
                        * net_random(call->step->seed, call->step->step, call->salt, index));
}

void net_rrelu_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = call->x[0][i] > 0 ? call->x[0][i] : call->x[0][i] * drawn_slope(call, i);
}

void net_rrelu_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i,
                      call->x[0][i] > 0 ? call->dy[i] : call->dy[i] * drawn_slope(call, i));
}

void net_elu_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    double alpha = net_attribute(call, "alpha", 0);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = call->x[0][i] > 0 ? call->x[0][i] : (real)(alpha * expm1(call->x[0][i]));
}

void net_elu_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    real alpha = (real)net_attribute(call, "alpha", 0);
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i,
                      call->x[0][i] <= 0 ? call->dy[i] * (call->y[i] + alpha) : call->dy[i]);
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

void net_silu_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = (real)(call->x[0][i] * logistic(call->x[0][i]));
}

void net_silu_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++) {
        double x = call->x[0][i], s = logistic(x);
        give_gradient(call, i, (real)(call->dy[i] * s * (1 + x * (1 - s))));
    }
}

void net_hardswish_forward(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++) {
        real x = call->x[0][i];
        call->y[i] = x * (x <= -3 ? 0 : x >= 3 ? 6 : x + 3) / 6;
    }
}

void net_hardswish_backward_input(const NetCall *call)
{
    int64_t count = values_of(call);
    for (int64_t i = 0; i < count; i++) {
        real x = call->x[0][i];
        give_gradient(call, i,
                      x <= -3 ? 0
                      : x < 3 ? call->dy[i] * (x / 3 + (real)0.5)
                              : call->dy[i]);
    }
}
