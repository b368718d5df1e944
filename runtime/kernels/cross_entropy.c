/* cross_entropy.c: the loss of a classifier from its logits, x [classes, lanes], or of one for each
 * position, [classes, h, w, lanes] and [t, classes, lanes].
 * The loss is the mean over the images of the batch and their positions, so each one's gradient
 * is its own divided by their number; lanes without an image give exactly 0.
 */
#include "kernels.h"

#include <math.h>

/* One position's softmax in one lane: its logits' maximum, which is subtracted so that no
 * exponential overflows, and the sum of the exponentials then. */
typedef struct Softmax {
    const NetCall *call;
    int64_t position;
    int lane;
    real maximum, total;
} Softmax;

static bool is_sequence(const NetCall *call)
{
    return call->x_shape[0].rank == 2;
}

static int64_t classes_of(const NetCall *call)
{
    return is_sequence(call) ? call->x_shape[0].w : call->x_shape[0].c;
}

static int64_t positions_of(const NetCall *call)
{
    return net_shape_elements(call->x_shape[0]) / classes_of(call);
}

/* Where class k's logit lies. */
static int64_t place(const Softmax *at, int64_t k)
{
    const NetCall *call = at->call;
    int64_t value = is_sequence(call) ? at->position * classes_of(call) + k
                                      : k * positions_of(call) + at->position;
    return value * call->lanes + at->lane;
}

static real logit(const Softmax *at, int64_t k)
{
    return at->call->x[0][place(at, k)];
}

static Softmax softmax_of(const NetCall *call, int64_t position, int lane)
{
    Softmax softmax = {.call = call, .position = position, .lane = lane};
    softmax.maximum = logit(&softmax, 0);
    for (int64_t k = 1; k < classes_of(call); k++)
        if (logit(&softmax, k) > softmax.maximum)
            softmax.maximum = logit(&softmax, k);
    for (int64_t k = 0; k < classes_of(call); k++)
        softmax.total += (real)exp(logit(&softmax, k) - softmax.maximum);
    return softmax;
}

static int64_t target_of(const Softmax *at)
{
    const NetCall *call = at->call;
    int64_t position = call->grain * positions_of(call) + at->position;
    return call->step->targets[position * call->lanes + at->lane];
}

/* Of images that are mixed, the other one's target, and what the own one counts. */
static int64_t other_of(const Softmax *at)
{
    const NetCall *call = at->call;
    int64_t position = call->grain * positions_of(call) + at->position;
    return call->step->others ? call->step->others[position * call->lanes + at->lane]
                              : target_of(at);
}

static real share_of(const Softmax *at)
{
    const NetCall *call = at->call;
    return call->step->shares ? call->step->shares[call->grain * call->lanes + at->lane] : 1;
}

/* -log softmax(x)[k]; the difference first, which is exact for near logits. */
static real surprise(const Softmax *softmax, int64_t k)
{
    return (real)log(softmax->total) - (logit(softmax, k) - softmax->maximum);
}

/* (1 - s) * the target's surprise + s * the mean surprise of all classes. */
static real loss_of(const Softmax *softmax)
{
    const NetCall *call = softmax->call;
    real smoothing = (real)net_attribute(call, "label_smoothing", 0), mean = 0;
    real loss = surprise(softmax, target_of(softmax)), share = share_of(softmax);
    if (share != 1)
        loss = share * loss + (1 - share) * surprise(softmax, other_of(softmax));
    if (smoothing == 0)
        return loss;
    for (int64_t k = 0; k < classes_of(call); k++)
        mean += surprise(softmax, k) / (real)classes_of(call);
    return (1 - smoothing) * loss + smoothing * mean;
}

void net_cross_entropy_forward(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        real sum = 0;
        for (int64_t p = 0; call->active[lane] != 0 && p < positions_of(call); p++) {
            const Softmax softmax = softmax_of(call, p, lane);
            sum += loss_of(&softmax) / (real)positions_of(call);
        }
        give_loss(call, call->grain * call->lanes + lane, sum);
    }
}

static void give_position_gradient(const Softmax *softmax)
{
    const NetCall *call = softmax->call;
    real smoothing = (real)net_attribute(call, "label_smoothing", 0);
    real share = share_of(softmax);
    int64_t classes = classes_of(call), target = target_of(softmax), other = other_of(softmax);
    for (int64_t k = 0; k < classes; k++) {
        real wanted = (k == target ? share * (1 - smoothing) : 0)
                      + (k == other ? (1 - share) * (1 - smoothing) : 0)
                      + smoothing / (real)classes;
        real probability = (real)exp(logit(softmax, k) - softmax->maximum) / softmax->total;
        give_gradient(call, place(softmax, k),
                      (real)call->loss_weight * (probability - wanted)
                          / (real)(call->step->images * positions_of(call)));
    }
}

void net_cross_entropy_backward_input(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++)
        for (int64_t p = 0; p < positions_of(call); p++) {
            const Softmax softmax = softmax_of(call, p, lane);
            if (call->active[lane] != 0)
                give_position_gradient(&softmax);
            else
                for (int64_t k = 0; k < classes_of(call); k++)
                    give_gradient(call, place(&softmax, k), 0);
        }
}
