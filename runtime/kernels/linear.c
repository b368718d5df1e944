/* linear.c: the fully connected layer of the last axis, forward and both gradients.
 *
 *   x [rows, in, lanes]   weight [out, in]   y [rows, out, lanes]   bias [out]
 */
#include "kernels.h"

#include <string.h>

typedef struct Sizes {
    int64_t rows, in, out;
} Sizes;

static int64_t last_axis(NetShape shape)
{
    return shape.rank == 1 ? shape.c : shape.w;
}

static Sizes sizes_of(const NetCall *call)
{
    int64_t in = last_axis(call->x_shape[0]);
    return (Sizes){net_shape_elements(call->x_shape[0]) / in, in, last_axis(call->y_shape)};
}

void net_linear_forward(const NetCall *call)
{
    const Sizes sizes = sizes_of(call);
    bool has_bias = net_attribute(call, "bias", 0) != 0;
    for (int64_t o = 0; o < sizes.rows * sizes.out; o++) {
        const real *x = call->x[0] + o / sizes.out * sizes.in * call->lanes;
        const real *weight = call->parameter[0] + o % sizes.out * sizes.in;
        real *y = call->y + o * call->lanes;
        for (int lane = 0; lane < call->lanes; lane++)
            y[lane] = has_bias ? call->parameter[1][o % sizes.out] : 0;
        for (int64_t i = 0; i < sizes.in; i++)
            net_add_scaled(y, x + i * call->lanes, weight[i], call->lanes);
    }
}

void net_linear_backward_input(const NetCall *call)
{
    const Sizes sizes = sizes_of(call);
    net_start_gradient(call);
    for (int64_t i = 0; i < sizes.rows * sizes.in; i++) {
        const real *dy = call->dy + i / sizes.in * sizes.out * call->lanes;
        for (int64_t o = 0; o < sizes.out; o++)
            net_add_scaled(call->dx + i * call->lanes, dy + o * call->lanes,
                           call->parameter[0][o * sizes.in + i % sizes.in], call->lanes);
    }
}

/* One output's, from one row, added to what other rows gave. */
static void add_row(const NetCall *call, const Sizes *sizes, int64_t row, int64_t o)
{
    const real *dy = call->dy + (row * sizes->out + o) * call->lanes;
    const real *x = call->x[0] + row * sizes->in * call->lanes;
    for (int64_t i = 0; i < sizes->in; i++)
        call->dparameter[0][o * sizes->in + i] += net_dot(dy, x + i * call->lanes, call->lanes);
    if (net_attribute(call, "bias", 0) != 0)
        call->dparameter[1][o] += net_sum(dy, call->lanes);
}

void net_linear_backward_parameters(const NetCall *call)
{
    const Sizes sizes = sizes_of(call);
    memset(call->dparameter[0], 0, (size_t)(sizes.in * sizes.out) * sizeof(real));
    if (net_attribute(call, "bias", 0) != 0)
        memset(call->dparameter[1], 0, (size_t)sizes.out * sizeof(real));
    for (int64_t row = 0; row < sizes.rows; row++)
        for (int64_t o = 0; o < sizes.out; o++)
            add_row(call, &sizes, row, o);
}
