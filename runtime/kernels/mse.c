/* mse.c: the mean squared distance of x [shape, lanes] from its target, as PyTorch's MSELoss: over
 * values and images.  Lanes without an image give exactly 0.
 */
#include "kernels.h"

static real distance(const NetCall *call, int64_t i)
{
    return call->x[0][i] - ((const real *)call->target)[i];
}

void net_mse_forward(const NetCall *call)
{
    int64_t values = net_shape_elements(call->x_shape[0]);
    for (int lane = 0; lane < call->lanes; lane++) {
        double sum = 0;
        for (int64_t k = 0; call->active[lane] != 0 && k < values; k++)
            sum += (double)distance(call, k * call->lanes + lane)
                   * (double)distance(call, k * call->lanes + lane);
        give_loss(call, call->grain * call->lanes + lane, (real)(sum / (double)values));
    }
}

void net_mse_backward_input(const NetCall *call)
{
    int64_t values = net_shape_elements(call->x_shape[0]);
    real scale = 2 * (real)call->loss_weight / ((real)values * (real)call->step->images);
    for (int64_t k = 0; k < values; k++)
        for (int lane = 0; lane < call->lanes; lane++)
            give_gradient(call, k * call->lanes + lane,
                          call->active[lane] != 0 ? scale * distance(call, k * call->lanes + lane)
                                                  : 0);
}
