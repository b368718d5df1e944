/* reduce.c: sums, means and maxima over axes. */
#include "kernels.h"

#include <math.h>

static bool is_reduced(const NetCall *call, int axis)
{
    return net_position_in_list(call, "axis", axis, call->x_shape[0].rank) >= 0;
}

/* Where value i of x is taken to in y; *number: which one it is of those that go there. */
static int64_t target(const NetCall *call, int64_t i, int64_t *number)
{
    NetShape shape = call->x_shape[0];
    int64_t at = 0, step = 1, steps = 1;
    *number = 0;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        int64_t size = net_shape_dim(shape, axis), *own = is_reduced(call, axis) ? &steps : &step;
        *(own == &step ? &at : number) += i % size * *own;
        *own *= size;
        i /= size;
    }
    return at;
}

static int64_t inputs(const NetCall *call)
{
    return net_shape_elements(call->x_shape[0]);
}

static const real *value_of(const NetCall *call, int64_t i)
{
    return call->x[0] + i * call->lanes;
}

static void fill(const NetCall *call, real value)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape) * call->lanes; i++)
        call->y[i] = value;
}

static double share(const NetCall *call)
{
    return (double)net_shape_elements(call->y_shape) / (double)inputs(call);
}

/* --------------------------------------------------------- sums, means */

static void add_up(const NetCall *call)
{
    int64_t number;
    fill(call, 0);
    for (int64_t i = 0; i < inputs(call); i++)
        net_add_scaled(call->y + target(call, i, &number) * call->lanes, value_of(call, i), 1,
                       call->lanes);
}

static void hand_back(const NetCall *call, real scale)
{
    int64_t number;
    for (int64_t i = 0; i < inputs(call); i++) {
        const real *dy = call->dy + target(call, i, &number) * call->lanes;
        for (int lane = 0; lane < call->lanes; lane++)
            give_gradient(call, i * call->lanes + lane, dy[lane] * scale);
    }
}

void net_sum_forward(const NetCall *call)
{
    add_up(call);
}

void net_sum_backward_input(const NetCall *call)
{
    hand_back(call, 1);
}

void net_mean_forward(const NetCall *call)
{
    add_up(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape) * call->lanes; i++)
        call->y[i] *= (real)share(call);
}

void net_mean_backward_input(const NetCall *call)
{
    hand_back(call, (real)share(call));
}

/* --------------------------------------------------------------- maxima */

/* A NaN is larger than any number. */
static bool is_larger(real value, real best)
{
    return value > best || (isnan(value) && !isnan(best));
}

void net_max_forward(const NetCall *call)
{
    int64_t number;
    fill(call, -(real)INFINITY);
    for (int64_t i = 0; i < inputs(call); i++) {
        real *y = call->y + target(call, i, &number) * call->lanes;
        for (int lane = 0; lane < call->lanes; lane++)
            if (is_larger(value_of(call, i)[lane], y[lane]))
                y[lane] = value_of(call, i)[lane];
    }
}

/* How many of the values that go where i goes are as large as the largest. */
static real ties(const NetCall *call, int64_t at, int lane)
{
    int64_t number;
    real count = 0;
    for (int64_t i = 0; i < inputs(call); i++)
        count += target(call, i, &number) == at
                 && value_of(call, i)[lane] == call->y[at * call->lanes + lane];
    return count;
}

void net_max_backward_input(const NetCall *call)
{
    int64_t number;
    for (int64_t i = 0; i < inputs(call); i++) {
        int64_t at = target(call, i, &number);
        for (int lane = 0; lane < call->lanes; lane++) {
            bool largest = value_of(call, i)[lane] == call->y[at * call->lanes + lane];
            give_gradient(call, i * call->lanes + lane,
                          largest ? call->dy[at * call->lanes + lane] / ties(call, at, lane) : 0);
        }
    }
}

void net_argmax_forward(const NetCall *call)
{
    int64_t number;
    for (int64_t at = 0; at < net_shape_elements(call->y_shape); at++)
        for (int lane = 0; lane < call->lanes; lane++) {
            real best = -(real)INFINITY, *y = call->y + at * call->lanes + lane;
            *y = 0;
            for (int64_t i = 0; i < inputs(call); i++)
                if (target(call, i, &number) == at && is_larger(value_of(call, i)[lane], best)) {
                    best = value_of(call, i)[lane];
                    *y = (real)number;
                }
        }
}

void net_argmax_backward_input(const NetCall *call)
{
    for (int64_t i = 0; i < inputs(call) * call->lanes; i++)
        give_gradient(call, i, 0);
}
