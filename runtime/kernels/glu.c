/* glu.c: one half of an axis times the sigmoid of the other.
 *
 *   x [outer, 2, stretch, lanes]   y [outer, stretch, lanes]
 */
#include "kernels.h"

#include <math.h>

/* With the lanes; `axis` is counted from 0. */
static int64_t stretch_of(const NetCall *call)
{
    int64_t stretch = call->lanes;
    for (int axis = (int)net_attribute(call, "axis", 0); axis < call->y_shape.rank; axis++)
        stretch *= net_shape_dim(call->y_shape, axis);
    return stretch;
}

static double sigmoid(real x)
{
    return 1 / (1 + exp(-(double)x));
}

void net_glu_forward(const NetCall *call)
{
    int64_t stretch = stretch_of(call), values = net_shape_elements(call->y_shape) * call->lanes;
    for (int64_t i = 0; i < values; i++) {
        const real *x = call->x[0] + i + i / stretch * stretch;
        call->y[i] = (real)((double)x[0] * sigmoid(x[stretch]));
    }
}

void net_glu_backward_input(const NetCall *call)
{
    int64_t stretch = stretch_of(call), values = net_shape_elements(call->y_shape) * call->lanes;
    for (int64_t i = 0; i < values; i++) {
        int64_t at = i + i / stretch * stretch;
        double x = (double)call->x[0][at], open = sigmoid(call->x[0][at + stretch]);
        give_gradient(call, at, (real)((double)call->dy[i] * open));
        give_gradient(call, at + stretch, (real)((double)call->dy[i] * x * open * (1 - open)));
    }
}
