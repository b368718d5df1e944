/* hinge.c: PyTorch's MultiMarginLoss of x [classes, lanes]: the target's score is to be a margin
 * above every other,
 *
 *     loss = sum over k != t of w[t] * max(0, margin - x[t] + x[k])^p / classes.
 *
 * The batch's is the plain mean over images.  Lanes without an image give exactly 0.
 */
#include "classes.h"

#include <math.h>

/* What class k lacks of being far enough below the target. */
static double lack(const NetCall *call, int64_t wanted, int64_t k, int lane)
{
    const real *x = call->x[0];
    double margin = net_attribute(call, "margin", 0);
    double lacks =
        margin - (double)x[wanted * call->lanes + lane] + (double)x[k * call->lanes + lane];
    return k == wanted || lacks < 0 ? 0 : lacks;
}

void net_hinge_forward(const NetCall *call)
{
    double p = net_attribute(call, "p", 0);
    for (int lane = 0; lane < call->lanes; lane++) {
        double sum = 0;
        int64_t wanted = class_wanted(call, 0, lane);
        for (int64_t k = 0; call->active[lane] != 0 && k < classes_of(call); k++)
            sum += pow(lack(call, wanted, k, lane), p);
        sum = call->active[lane] != 0 ? sum * class_weight(call, wanted) / (double)classes_of(call)
                                      : 0;
        give_loss(call, call->grain * call->lanes + lane, (real)sum);
    }
}

/* Of the k-th: the derivative of its power; 0 where it lacks nothing. */
static double slope(const NetCall *call, int64_t wanted, int64_t k, int lane)
{
    double p = net_attribute(call, "p", 0), lacks = lack(call, wanted, k, lane);
    double scale = call->loss_weight * class_weight(call, wanted)
                   / (double)(classes_of(call) * call->step->images);
    return lacks > 0 ? scale * p * pow(lacks, p - 1) : 0;
}

void net_hinge_backward_input(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        int64_t wanted = class_wanted(call, 0, lane);
        bool there = call->active[lane] != 0;
        double all = 0;
        for (int64_t k = 0; there && k < classes_of(call); k++)
            all += slope(call, wanted, k, lane);
        for (int64_t k = 0; k < classes_of(call); k++)
            give_gradient(call, k * call->lanes + lane,
                          !there        ? 0
                          : k == wanted ? (real)-all
                                        : (real)slope(call, wanted, k, lane));
    }
}
