/* bilinear.c: a learned product of two tensors, on the last axis.
 *
 *   x1 [rows, in1, lanes]   x2 [rows, in2, lanes]   y [rows, out, lanes]
 *   weight [out, in1, in2]   bias [out]
 */
#include "kernels.h"

#include <string.h>

typedef struct Sizes {
    int64_t rows, in1, in2, out;
} Sizes;

static int64_t last_axis(NetShape shape)
{
    return net_shape_dim(shape, shape.rank - 1);
}

static Sizes sizes_of(const NetCall *call)
{
    int64_t out = last_axis(call->y_shape);
    return (Sizes){net_shape_elements(call->y_shape) / out, last_axis(call->x_shape[0]),
                   last_axis(call->x_shape[1]), out};
}

static bool has_bias(const NetCall *call)
{
    return net_attribute(call, "bias", 0) != 0;
}

/* One term of the sum: positions in x1, x2, y (lane 0) and in the weight. */
typedef void AddTerm(const NetCall *call, int64_t x1, int64_t x2, int64_t y, int64_t weight);

static void each_term(const NetCall *call, AddTerm *add)
{
    Sizes sizes = sizes_of(call);
    for (int64_t row = 0; row < sizes.rows; row++)
        for (int64_t w = 0; w < sizes.out * sizes.in1 * sizes.in2; w++)
            add(call, (row * sizes.in1 + w / sizes.in2 % sizes.in1) * call->lanes,
                (row * sizes.in2 + w % sizes.in2) * call->lanes,
                (row * sizes.out + w / (sizes.in1 * sizes.in2)) * call->lanes, w);
}

static void add_to_y(const NetCall *call, int64_t x1, int64_t x2, int64_t y, int64_t weight)
{
    for (int lane = 0; lane < call->lanes; lane++)
        call->y[y + lane] +=
            call->x[0][x1 + lane] * call->parameter[0][weight] * call->x[1][x2 + lane];
}

static void add_to_dx(const NetCall *call, int64_t x1, int64_t x2, int64_t y, int64_t weight)
{
    const real *other = call->which ? call->x[0] + x1 : call->x[1] + x2;
    real *dx = call->dx + (call->which ? x2 : x1);
    for (int lane = 0; lane < call->lanes; lane++)
        dx[lane] += call->dy[y + lane] * call->parameter[0][weight] * other[lane];
}

static void add_to_dweight(const NetCall *call, int64_t x1, int64_t x2, int64_t y, int64_t weight)
{
    for (int lane = 0; lane < call->lanes; lane++)
        call->dparameter[0][weight] +=
            call->dy[y + lane] * call->x[0][x1 + lane] * call->x[1][x2 + lane];
}

void net_bilinear_forward(const NetCall *call)
{
    Sizes sizes = sizes_of(call);
    for (int64_t i = 0; i < sizes.rows * sizes.out * call->lanes; i++)
        call->y[i] = has_bias(call) ? call->parameter[1][i / call->lanes % sizes.out] : 0;
    each_term(call, add_to_y);
}

void net_bilinear_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    each_term(call, add_to_dx);
}

void net_bilinear_backward_parameters(const NetCall *call)
{
    Sizes sizes = sizes_of(call);
    memset(call->dparameter[0], 0,
           (size_t)(sizes.out * sizes.in1 * sizes.in2) * sizeof *call->dparameter[0]);
    each_term(call, add_to_dweight);
    for (int64_t o = 0; has_bias(call) && o < sizes.out; o++) {
        call->dparameter[1][o] = 0;
        for (int64_t row = 0; row < sizes.rows; row++)
            call->dparameter[1][o] +=
                net_sum(call->dy + (row * sizes.out + o) * call->lanes, call->lanes);
    }
}
