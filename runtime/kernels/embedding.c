/* embedding.c: a row of a table for each whole number.
 *
 *   x [positions, lanes]   weight [numbers, width]   y [positions, width, lanes]
 */
#include "kernels.h"

#include <string.h>

static int64_t width_of(const NetCall *call)
{
    return net_shape_elements(call->y_shape) / net_shape_elements(call->x_shape[0]);
}

/* Of value i of y in one lane, its place in the table. */
static int64_t place(const NetCall *call, int64_t i, int lane)
{
    int64_t width = width_of(call);
    return (int64_t)call->x[0][i / width * call->lanes + lane] * width + i % width;
}

void net_embedding_forward(const NetCall *call)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[i * call->lanes + lane] = call->parameter[0][place(call, i, lane)];
}

void net_embedding_backward_parameters(const NetCall *call)
{
    int64_t width = width_of(call), numbers = call->numbers,
            padding = (int64_t)net_attribute(call, "padding_idx", 0);
    memset(call->dparameter[0], 0, (size_t)(numbers * width) * sizeof(real));
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++)
        for (int lane = 0; lane < call->lanes; lane++) {
            int64_t at = place(call, i, lane);
            if (call->active[lane] != 0 && at / width != padding)
                call->dparameter[0][at] += call->dy[i * call->lanes + lane];
        }
}
