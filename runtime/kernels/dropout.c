/* dropout.c: zeroes values at random in training.  Whether a value is dropped follows
 * from the seed, the step, the layer and its position in the batch, never from the
 * grain's width or the thread; so the backward pass draws the same mask.
 */
#include "kernels.h"

/* What the value `element` of the image in `lane` is multiplied by. */
static real factor_of(const NetCall *call, double p, int64_t elements, int64_t element, int lane)
{
    uint64_t image = (uint64_t)(call->grain * call->lanes + lane);
    uint64_t index = image * (uint64_t)elements + (uint64_t)element;
    bool dropped = net_random(call->step->seed, call->step->step, call->salt, index) < p;
    return dropped ? 0 : (real)(1 / (1 - p));
}

void net_dropout_forward(const NetCall *call)
{
    int64_t elements = net_shape_elements(call->y_shape);
    double p = net_attribute(call, "p", 0);
    for (int64_t i = 0; i < elements; i++)
        for (int lane = 0; lane < call->lanes; lane++) {
            int64_t at = i * call->lanes + lane;
            real factor = call->training ? factor_of(call, p, elements, i, lane) : 1;
            call->y[at] = call->x[0][at] * factor;
        }
}

void net_dropout_backward_input(const NetCall *call)
{
    int64_t elements = net_shape_elements(call->x_shape[0]);
    double p = net_attribute(call, "p", 0);
    for (int64_t i = 0; i < elements; i++)
        for (int lane = 0; lane < call->lanes; lane++) {
            int64_t at = i * call->lanes + lane;
            give_gradient(call, at, call->dy[at] * factor_of(call, p, elements, i, lane));
        }
}
