/* cross_entropy.c: the loss of a classifier from its logits, x [classes, lanes], or of one for each
 * position, [classes, h, w, lanes] and [t, classes, lanes]; over images and positions as classes.h
 * says.  Lanes without an image give exactly 0.
 */
#include "classes.h"

#include <math.h>

/* One position's softmax in one lane: its logits' maximum, which is subtracted so that no
 * exponential overflows, and the sum of the exponentials then. */
typedef struct Softmax {
    const NetCall *call;
    int64_t position;
    int lane;
    real maximum, total;
} Softmax;

static real logit(const Softmax *at, int64_t k)
{
    return at->call->x[0][class_place(at->call, at->position, k, at->lane)];
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

/* Of images that are mixed, the neighbour's target, and what the own one counts. */
static int64_t other_of(const Softmax *at)
{
    return class_wanted(at->call, at->position, at->lane ^ 1);
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

static real smoothing_of(const NetCall *call)
{
    return (real)net_attribute(call, "label_smoothing", 0);
}

/* (1 - s) * w[t] * the target's surprise + s * the mean of all classes', each times its own w. */
static real loss_of(const Softmax *softmax, int64_t wanted)
{
    const NetCall *call = softmax->call;
    real smoothing = smoothing_of(call), mean = 0;
    real loss = (real)class_weight(call, wanted) * surprise(softmax, wanted);
    real share = share_of(softmax);
    if (share != 1) {
        int64_t other = other_of(softmax);
        loss =
            share * loss + (1 - share) * (real)class_weight(call, other) * surprise(softmax, other);
    }
    if (smoothing == 0)
        return loss;
    for (int64_t k = 0; k < classes_of(call); k++)
        mean += (real)class_weight(call, k) * surprise(softmax, k) / (real)classes_of(call);
    return (1 - smoothing) * loss + smoothing * mean;
}

void net_cross_entropy_forward(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        real sum = 0;
        for (int64_t p = 0; call->active[lane] != 0 && p < positions_of(call); p++) {
            const Softmax softmax = softmax_of(call, p, lane);
            int64_t wanted = class_wanted(call, p, lane);
            if (!is_ignored(call, wanted))
                sum += loss_of(&softmax, wanted) * (real)position_share(call);
        }
        give_loss(call, call->grain * call->lanes + lane, sum);
    }
}

/* What the target distribution has of class k, times what that counts. */
static real wanted_of(const Softmax *softmax, int64_t wanted, int64_t k)
{
    const NetCall *call = softmax->call;
    real smoothing = smoothing_of(call), share = share_of(softmax), part = k == wanted ? share : 0;
    if (share != 1 && k == other_of(softmax))
        part += 1 - share;
    return (real)class_weight(call, k)
           * ((1 - smoothing) * part + smoothing / (real)classes_of(call));
}

static void give_position_gradient(const Softmax *softmax, int64_t wanted)
{
    const NetCall *call = softmax->call;
    int64_t classes = classes_of(call);
    real all = 0,
         share = (real)(call->loss_weight * position_share(call)) / (real)call->step->images;
    for (int64_t k = 0; k < classes; k++)
        all += wanted_of(softmax, wanted, k);
    for (int64_t k = 0; k < classes; k++) {
        real probability = (real)exp(logit(softmax, k) - softmax->maximum) / softmax->total;
        give_gradient(call, class_place(call, softmax->position, k, softmax->lane),
                      share * (all * probability - wanted_of(softmax, wanted, k)));
    }
}

void net_cross_entropy_backward_input(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++)
        for (int64_t p = 0; p < positions_of(call); p++) {
            const Softmax softmax = softmax_of(call, p, lane);
            int64_t wanted = class_wanted(call, p, lane);
            if (call->active[lane] != 0 && !is_ignored(call, wanted))
                give_position_gradient(&softmax, wanted);
            else
                for (int64_t k = 0; k < classes_of(call); k++)
                    give_gradient(call, class_place(call, p, k, lane), 0);
        }
}
