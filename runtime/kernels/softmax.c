/* softmax.c: softmax over the channels and its logarithm.
 *
 *   x, y [c, h, w, lanes]: each position of each image is on its own, so a
 *   column below is the c values that lie one plane apart.
 */
#include "kernels.h"

#include <math.h>

static int64_t plane_of(const NetCall *call)
{
    return net_shape_plane(call->x_shape[0]) * call->lanes;
}

/* Of one column: the largest value, which is subtracted so that no exponential
 * overflows, and the sum of the exponentials then. */
typedef struct Column {
    real largest;
    double total;
} Column;

static Column column_of(const NetCall *call, int64_t at)
{
    const real *x = call->x[0] + at;
    int64_t plane = plane_of(call);
    Column column = {x[0], 0};
    for (int64_t c = 1; c < call->x_shape[0].c; c++)
        if (x[c * plane] > column.largest)
            column.largest = x[c * plane];
    for (int64_t c = 0; c < call->x_shape[0].c; c++)
        column.total += exp(x[c * plane] - column.largest);
    return column;
}

void net_softmax_forward(const NetCall *call)
{
    int64_t plane = plane_of(call);
    for (int64_t at = 0; at < plane; at++) {
        Column column = column_of(call, at);
        for (int64_t i = at; i < call->x_shape[0].c * plane; i += plane)
            call->y[i] = (real)(exp(call->x[0][i] - column.largest) / column.total);
    }
}

void net_softmax_backward_input(const NetCall *call)
{
    int64_t plane = plane_of(call), end = call->x_shape[0].c * plane;
    for (int64_t at = 0; at < plane; at++) {
        double mean = 0; /* of dy, weighted by y */
        for (int64_t i = at; i < end; i += plane)
            mean += (double)call->dy[i] * (double)call->y[i];
        for (int64_t i = at; i < end; i += plane)
            give_gradient(call, i, call->y[i] * (call->dy[i] - (real)mean));
    }
}

void net_log_softmax_forward(const NetCall *call)
{
    int64_t plane = plane_of(call);
    for (int64_t at = 0; at < plane; at++) {
        Column column = column_of(call, at);
        real logarithm = (real)log(column.total);
        for (int64_t i = at; i < call->x_shape[0].c * plane; i += plane)
            call->y[i] = call->x[0][i] - column.largest - logarithm;
    }
}

void net_log_softmax_backward_input(const NetCall *call)
{
    int64_t plane = plane_of(call), end = call->x_shape[0].c * plane;
    for (int64_t at = 0; at < plane; at++) {
        double total = 0;
        for (int64_t i = at; i < end; i += plane)
            total += call->dy[i];
        for (int64_t i = at; i < end; i += plane)
            give_gradient(call, i, (real)(call->dy[i] - exp(call->y[i]) * total));
    }
}
