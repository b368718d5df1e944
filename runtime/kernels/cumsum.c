/* cumsum.c: running sums along an axis; on the way back they run from the end. */
#include "kernels.h"

static Lines lines_of(const NetCall *call)
{
    return net_lines(call->y_shape, net_axis(call, "axis", call->y_shape.rank));
}

void net_cumsum_forward(const NetCall *call)
{
    Lines lines = lines_of(call);
    int64_t step = lines.inner * call->lanes;
    for (int64_t i = 0; i < lines.outer * lines.size * step; i++)
        call->y[i] = (i / step % lines.size ? call->y[i - step] : 0) + call->x[0][i];
}

void net_cumsum_backward_input(const NetCall *call)
{
    Lines lines = lines_of(call);
    int64_t step = lines.inner * call->lanes;
    for (int64_t k = 0; k < lines.outer * step; k++) {
        int64_t first = k / step * step * lines.size + k % step;
        real total = 0;
        for (int64_t i = first + (lines.size - 1) * step; i >= first; i -= step) {
            total += call->dy[i];
            give_gradient(call, i, total);
        }
    }
}
