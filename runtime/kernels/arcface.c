/* arcface.c: softmax and negative log-likelihood of the target class, of cosines x [classes, lanes]
 * of which the target's is made smaller by a margin first:
 *
 *     arcface   cos(acos(x) + margin) = x * cos(margin) - sin(acos(x)) * sin(margin)
 *     cosface   x - margin
 *
 * and all are multiplied by a scale.  Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for
 * Deep Face Recognition"; Wang et al. 2018, "CosFace: Large Margin Cosine Loss for Deep Face
 * Recognition".  Where the angle and the margin are more than pi together, the cosine would rise
 * again: as in the authors' program it is x - margin * sin(margin) there.
 *
 * The batch's loss is the mean over images.  Lanes without an image give exactly 0.
 */
#include "classes.h"

#include <math.h>

/* What the target's cosine becomes, and its derivative. */
typedef struct Moved {
    double value, slope;
} Moved;

typedef Moved Margin(double cosine, double margin);

static Moved by_angle(double cosine, double margin)
{
    /* of its inverse, which is infinite at an angle of 0 */
    static const double least_sine = 1e-4;
    double squared = 1 - cosine * cosine, sine = squared > 0 ? sqrt(squared) : 0;
    if (cosine <= -cos(margin))
        return (Moved){cosine - margin * sin(margin), 1};
    Moved moved = {cosine * cos(margin) - sine * sin(margin), cos(margin)};
    if (sine > 0)
        moved.slope += cosine / fmax(sine, least_sine) * sin(margin);
    return moved;
}

static Moved by_cosine(double cosine, double margin)
{
    return (Moved){cosine - margin, 1};
}

/* One lane's logits. */
typedef struct Logits {
    const NetCall *call;
    int lane;
    int64_t wanted;
    Moved moved; /* the target's cosine */
    double scale, maximum, total;
} Logits;

static double logit(const Logits *at, int64_t k)
{
    double cosine = (double)at->call->x[0][class_place(at->call, 0, k, at->lane)];
    return at->scale * (k == at->wanted ? at->moved.value : cosine);
}

static Logits logits_of(const NetCall *call, int lane, Margin *margin)
{
    Logits at = {.call = call, .lane = lane, .wanted = class_wanted(call, 0, lane)};
    at.moved = margin((double)call->x[0][class_place(call, 0, at.wanted, lane)],
                      net_attribute(call, "margin", 0));
    at.scale = net_attribute(call, "scale", 0);
    at.maximum = logit(&at, 0);
    for (int64_t k = 1; k < classes_of(call); k++)
        at.maximum = fmax(at.maximum, logit(&at, k));
    for (int64_t k = 0; k < classes_of(call); k++)
        at.total += exp(logit(&at, k) - at.maximum);
    return at;
}

static void forward(const NetCall *call, Margin *margin)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        double loss = 0;
        if (call->active[lane] != 0) {
            const Logits at = logits_of(call, lane, margin);
            loss = log(at.total) - (logit(&at, at.wanted) - at.maximum);
        }
        give_loss(call, call->grain * call->lanes + lane, (real)loss);
    }
}

static void give_lane_gradient(const NetCall *call, int lane, Margin *margin)
{
    const Logits at = logits_of(call, lane, margin);
    double share = call->loss_weight * at.scale / (double)call->step->images;
    for (int64_t k = 0; k < classes_of(call); k++) {
        double gradient = exp(logit(&at, k) - at.maximum) / at.total;
        if (k == at.wanted)
            gradient = (gradient - 1) * at.moved.slope;
        give_gradient(call, class_place(call, 0, k, lane), (real)(share * gradient));
    }
}

static void backward(const NetCall *call, Margin *margin)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        if (call->active[lane] != 0)
            give_lane_gradient(call, lane, margin);
        for (int64_t k = 0; call->active[lane] == 0 && k < classes_of(call); k++)
            give_gradient(call, class_place(call, 0, k, lane), 0);
    }
}

void net_arcface_forward(const NetCall *call)
{
    forward(call, by_angle);
}

void net_arcface_backward_input(const NetCall *call)
{
    backward(call, by_angle);
}

void net_cosface_forward(const NetCall *call)
{
    forward(call, by_cosine);
}

void net_cosface_backward_input(const NetCall *call)
{
    backward(call, by_cosine);
}
