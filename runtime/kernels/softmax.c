/* softmax.c: softmax over an axis and its logarithm.
 *
 *   x, y [outer, n, inner, lanes]: each line along the axis is on its own, so a
 *   column below is the n values of it, which lie inner * lanes apart.
 */
#include "kernels.h"

#include <math.h>

/* From one value of a column to the next, from its first to its end, and of how many columns. */
typedef struct Columns {
    int64_t step, size, count;
} Columns;

static Columns columns_of(const NetCall *call)
{
    Lines lines = net_lines(call->x_shape[0], net_axis(call, "axis", call->x_shape[0].rank));
    int64_t step = lines.inner * call->lanes;
    return (Columns){step, lines.size * step, lines.outer * step};
}

/* Where a column begins, in elements. */
static int64_t begin_of(Columns columns, int64_t column)
{
    return column / columns.step * columns.size + column % columns.step;
}

/* Of one column: the largest value, which is subtracted so that no exponential
 * overflows, and the sum of the exponentials then. */
typedef struct Column {
    real largest;
    double total;
} Column;

static Column column_of(const NetCall *call, Columns columns, int64_t at, real sign)
{
    const real *x = call->x[0] + at;
    Column column = {sign * x[0], 0};
    for (int64_t i = columns.step; i < columns.size; i += columns.step)
        if (sign * x[i] > column.largest)
            column.largest = sign * x[i];
    for (int64_t i = 0; i < columns.size; i += columns.step)
        column.total += exp(sign * x[i] - column.largest);
    return column;
}

/* Of the values times `sign`. */
static void softmax_forward(const NetCall *call, real sign)
{
    Columns columns = columns_of(call);
    for (int64_t k = 0; k < columns.count; k++) {
        int64_t at = begin_of(columns, k);
        Column column = column_of(call, columns, at, sign);
        for (int64_t i = at; i < at + columns.size; i += columns.step)
            call->y[i] = (real)(exp(sign * call->x[0][i] - column.largest) / column.total);
    }
}

static void softmax_backward(const NetCall *call, real sign)
{
    Columns columns = columns_of(call);
    for (int64_t k = 0; k < columns.count; k++) {
        int64_t at = begin_of(columns, k);
        double mean = 0; /* of dy, weighted by y */
        for (int64_t i = at; i < at + columns.size; i += columns.step)
            mean += (double)call->dy[i] * (double)call->y[i];
        for (int64_t i = at; i < at + columns.size; i += columns.step)
            give_gradient(call, i, sign * call->y[i] * (call->dy[i] - (real)mean));
    }
}

NET_STAGE(softmax, forward, softmax_forward(call, 1))
NET_STAGE(softmax, backward_input, softmax_backward(call, 1))
NET_STAGE(softmin, forward, softmax_forward(call, -1))
NET_STAGE(softmin, backward_input, softmax_backward(call, -1))

void net_log_softmax_forward(const NetCall *call)
{
    Columns columns = columns_of(call);
    for (int64_t k = 0; k < columns.count; k++) {
        int64_t at = begin_of(columns, k);
        Column column = column_of(call, columns, at, 1);
        real logarithm = (real)log(column.total);
        for (int64_t i = at; i < at + columns.size; i += columns.step)
            call->y[i] = call->x[0][i] - column.largest - logarithm;
    }
}

void net_log_softmax_backward_input(const NetCall *call)
{
    Columns columns = columns_of(call);
    for (int64_t k = 0; k < columns.count; k++) {
        int64_t at = begin_of(columns, k);
        double total = 0;
        for (int64_t i = at; i < at + columns.size; i += columns.step)
            total += call->dy[i];
        for (int64_t i = at; i < at + columns.size; i += columns.step)
            give_gradient(call, i, (real)(call->dy[i] - exp(call->y[i]) * total));
    }
}
