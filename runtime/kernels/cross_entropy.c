/* cross_entropy.c: the loss of a classifier from its logits, x [classes, lanes].
 * The loss is the mean over the images of the batch, so each image's gradient
 * is its own divided by their number; lanes without an image give exactly 0.
 */
#include "kernels.h"

#include <math.h>

/* One image's softmax: its logits' maximum, which is subtracted so that no
 * exponential overflows, and the sum of the exponentials then. */
typedef struct Softmax {
    real maximum, total;
} Softmax;

static int64_t classes_of(const NetCall *call)
{
    return net_shape_elements(call->x_shape[0]);
}

static Softmax softmax_of(const NetCall *call, int lane)
{
    const real *x = call->x[0] + lane;
    Softmax softmax = {x[0], 0};
    for (int64_t k = 1; k < classes_of(call); k++)
        if (x[k * call->lanes] > softmax.maximum)
            softmax.maximum = x[k * call->lanes];
    for (int64_t k = 0; k < classes_of(call); k++)
        softmax.total += (real)exp(x[k * call->lanes] - softmax.maximum);
    return softmax;
}

static int64_t image_of(const NetCall *call, int lane)
{
    return call->grain * call->lanes + lane;
}

/* -log softmax(x)[k]; the difference first, which is exact for near logits. */
static real surprise(const NetCall *call, Softmax softmax, int64_t k, int lane)
{
    return (real)log(softmax.total) - (call->x[0][k * call->lanes + lane] - softmax.maximum);
}

/* (1 - s) * the target's surprise + s * the mean surprise of all classes. */
static real loss_of(const NetCall *call, int lane)
{
    real smoothing = (real)net_attribute(call, "label_smoothing", 0), mean = 0;
    Softmax softmax = softmax_of(call, lane);
    real loss = surprise(call, softmax, call->step->targets[image_of(call, lane)], lane);
    if (smoothing == 0)
        return loss;
    for (int64_t k = 0; k < classes_of(call); k++)
        mean += surprise(call, softmax, k, lane) / (real)classes_of(call);
    return (1 - smoothing) * loss + smoothing * mean;
}

void net_cross_entropy_forward(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++)
        call->step->loss[image_of(call, lane)] = call->active[lane] != 0 ? loss_of(call, lane) : 0;
}

static void give_image_gradient(const NetCall *call, int lane)
{
    real smoothing = (real)net_attribute(call, "label_smoothing", 0);
    Softmax softmax = softmax_of(call, lane);
    int64_t classes = classes_of(call), target = call->step->targets[image_of(call, lane)];
    for (int64_t k = 0; k < classes; k++) {
        int64_t at = k * call->lanes + lane;
        real wanted = (k == target ? 1 - smoothing : 0) + smoothing / (real)classes;
        real probability = (real)exp(call->x[0][at] - softmax.maximum) / softmax.total;
        give_gradient(call, at, (probability - wanted) / (real)call->step->images);
    }
}

void net_cross_entropy_backward_input(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        if (call->active[lane] != 0)
            give_image_gradient(call, lane);
        else
            for (int64_t k = 0; k < classes_of(call); k++)
                give_gradient(call, k * call->lanes + lane, 0);
    }
}
