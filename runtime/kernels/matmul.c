/* matmul.c: products of matrices.
 *
 *   a [batch, m, k, lanes]   b [batch, k, n, lanes]   y [batch, m, n, lanes]
 */
#include "kernels.h"

#include <string.h>

typedef struct Sizes {
    int64_t batch, m, n, k;
} Sizes;

static Sizes sizes_of(const NetCall *call)
{
    int last = call->y_shape.rank - 1;
    int64_t m = net_shape_dim(call->y_shape, last - 1), n = net_shape_dim(call->y_shape, last);
    return (Sizes){net_shape_elements(call->y_shape) / (m * n), m, n,
                   net_shape_dim(call->x_shape[0], last)};
}

/* Which matrix of an input belongs to one of y: its batch axes of 1 are repeated. */
static int64_t matrix_of(const NetCall *call, int input, int64_t matrix)
{
    int64_t at = 0, step = 1;
    for (int axis = call->y_shape.rank - 3; axis >= 0; axis--) {
        int64_t size = net_shape_dim(call->y_shape, axis),
                own = net_shape_dim(call->x_shape[input], axis);
        at += own > 1 ? matrix % size * step : 0;
        step *= own;
        matrix /= size;
    }
    return at;
}

/* Calls `add` for every product that y is a sum of: positions of y, a and b, lane 0. */
static void each_product(const NetCall *call,
                         void (*add)(const NetCall *, int64_t y, int64_t a, int64_t b))
{
    Sizes sizes = sizes_of(call);
    for (int64_t i = 0; i < sizes.batch * sizes.m * sizes.n; i++) {
        int64_t matrix = i / (sizes.m * sizes.n), row = i / sizes.n % sizes.m, column = i % sizes.n;
        int64_t a = (matrix_of(call, 0, matrix) * sizes.m + row) * sizes.k,
                b = matrix_of(call, 1, matrix) * sizes.k * sizes.n + column;
        for (int64_t k = 0; k < sizes.k; k++)
            add(call, i * call->lanes, (a + k) * call->lanes, (b + k * sizes.n) * call->lanes);
    }
}

static void add_to_y(const NetCall *call, int64_t y, int64_t a, int64_t b)
{
    for (int lane = 0; lane < call->lanes; lane++)
        call->y[y + lane] += call->x[0][a + lane] * call->x[1][b + lane];
}

static void add_to_dx(const NetCall *call, int64_t y, int64_t a, int64_t b)
{
    const real *other = call->which ? call->x[0] + a : call->x[1] + b;
    real *dx = call->dx + (call->which ? b : a);
    for (int lane = 0; lane < call->lanes; lane++)
        dx[lane] += call->dy[y + lane] * other[lane];
}

void net_matmul_forward(const NetCall *call)
{
    memset(call->y, 0, (size_t)(net_shape_elements(call->y_shape) * call->lanes) * sizeof(real));
    each_product(call, add_to_y);
}

void net_matmul_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    each_product(call, add_to_dx);
}
