/* mse.c: the mean squared distance of x [classes, lanes] from the one-hot
 * target; over classes and images, as PyTorch's MSELoss.  Lanes without an
 * image give exactly 0.
 */
#include "kernels.h"

/* x[k] less the target's 1 or 0. */
static real distance(const NetCall *call, int64_t k, int lane)
{
    int32_t target = call->step->targets[call->grain * call->lanes + lane];
    return call->x[0][k * call->lanes + lane] - (k == target ? 1 : 0);
}

void net_mse_forward(const NetCall *call)
{
    int64_t classes = net_shape_elements(call->x_shape[0]);
    for (int lane = 0; lane < call->lanes; lane++) {
        double sum = 0;
        for (int64_t k = 0; call->active[lane] != 0 && k < classes; k++)
            sum += (double)distance(call, k, lane) * (double)distance(call, k, lane);
        give_loss(call, call->grain * call->lanes + lane, (real)(sum / (double)classes));
    }
}

void net_mse_backward_input(const NetCall *call)
{
    int64_t classes = net_shape_elements(call->x_shape[0]);
    real scale = 2 * (real)call->loss_weight / ((real)classes * (real)call->step->images);
    for (int64_t k = 0; k < classes; k++)
        for (int lane = 0; lane < call->lanes; lane++)
            give_gradient(call, k * call->lanes + lane,
                          call->active[lane] != 0 ? scale * distance(call, k, lane) : 0);
}
