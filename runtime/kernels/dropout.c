/* dropout.c: drops values at random in training: one by one, whole channels, or all of an image.
 * Whether they are dropped follows from the seed, the step, the layer and the position in the
 * batch, never from the grain's width or the thread; so the backward pass draws the same mask.
 */
#include "kernels.h"

#include <math.h>

/* How many values of an image, one behind the other, have one fate, … */
typedef struct Dropout {
    int64_t together, elements;
    double p;
    /* … and what that is: x * scale + shift, or `dropped` */
    double scale, shift, dropped;
} Dropout;

static bool is_dropped(const NetCall *call, const Dropout *dropout, int64_t element, int lane)
{
    uint64_t image = (uint64_t)(call->grain * call->lanes + lane);
    uint64_t count = (uint64_t)(dropout->elements / dropout->together);
    uint64_t index = image * count + (uint64_t)(element / dropout->together);
    return net_random(call->step->seed, call->step->step, call->salt, index) < dropout->p;
}

static void forward(const NetCall *call, Dropout dropout)
{
    for (int64_t i = 0; i < dropout.elements; i++)
        for (int lane = 0; lane < call->lanes; lane++) {
            int64_t at = i * call->lanes + lane;
            real x = call->x[0][at];
            if (!call->training)
                call->y[at] = x;
            else if (is_dropped(call, &dropout, i, lane))
                call->y[at] = (real)dropout.dropped;
            else
                call->y[at] = x * (real)dropout.scale + (real)dropout.shift;
        }
}

static void backward_input(const NetCall *call, Dropout dropout)
{
    for (int64_t i = 0; i < dropout.elements; i++)
        for (int lane = 0; lane < call->lanes; lane++) {
            int64_t at = i * call->lanes + lane;
            real scale = is_dropped(call, &dropout, i, lane) ? 0 : (real)dropout.scale;
            give_gradient(call, at, call->dy[at] * scale);
        }
}

/* Those that are left keep the mean. */
static Dropout zeroes(const NetCall *call, int64_t together)
{
    double p = net_attribute(call, "p", 0), scale = p < 1 ? 1 / (1 - p) : 0;
    return (Dropout){together, net_shape_elements(call->x_shape[0]), p, scale, 0, 0};
}

/* They keep the variance, too: what is dropped becomes what selu tends to. */
static Dropout keeps_variance(const NetCall *call, int64_t together)
{
    const double lowest = -1.7580993408473766;
    Dropout dropout = zeroes(call, together);
    double p = dropout.p;
    if (p < 1) {
        dropout.scale = 1 / sqrt((1 - p) * (1 + p * lowest * lowest));
        dropout.shift = -dropout.scale * p * lowest;
        dropout.dropped = dropout.scale * (1 - p) * lowest;
    }
    return dropout;
}

static int64_t plane_of(const NetCall *call)
{
    return net_shape_plane(call->x_shape[0]);
}

#define DROPOUT(name, of, together)                             \
    NET_STAGE(name, forward, forward(call, of(call, together))) \
    NET_STAGE(name, backward_input, backward_input(call, of(call, together)))
DROPOUT(dropout, zeroes, 1)
DROPOUT(dropout1d, zeroes, plane_of(call))
DROPOUT(dropout2d, zeroes, plane_of(call))
DROPOUT(dropout3d, zeroes, plane_of(call))
DROPOUT(drop_path, zeroes, net_shape_elements(call->x_shape[0]))
DROPOUT(alpha_dropout, keeps_variance, 1)
DROPOUT(feature_alpha_dropout, keeps_variance, plane_of(call))
