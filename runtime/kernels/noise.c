/* noise.c: numbers drawn at random in training.  What is drawn follows from the seed, the step, the
 * layer and its position in the batch, never from the grain's width or the thread.
 */
#include "kernels.h"

#include <string.h>

typedef struct Distribution {
    bool normal;
    double a, b; /* mean and deviation; bounds */
} Distribution;

static Distribution distribution_of(const NetCall *call)
{
    return (Distribution){strcmp(net_attribute_word(call, "draw"), "normal") == 0,
                          net_attribute(call, "draw", 0), net_attribute(call, "draw", 1)};
}

static double mean_of(Distribution from)
{
    return from.normal ? from.a : from.a + (from.b - from.a) / 2;
}

static double draw(const NetCall *call, Distribution from, uint64_t index)
{
    const NetStep *step = call->step;
    return from.normal
               ? from.a + from.b * net_random_normal(step->seed, step->step, call->salt, index)
               : from.a + (from.b - from.a) * net_random(step->seed, step->step, call->salt, index);
}

void net_noise_forward(const NetCall *call)
{
    const Distribution from = distribution_of(call);
    int64_t elements = net_shape_elements(call->y_shape);
    for (int64_t i = 0; i < elements; i++)
        for (int lane = 0; lane < call->lanes; lane++) {
            uint64_t image = (uint64_t)(call->grain * call->lanes + lane),
                     index = image * (uint64_t)elements + (uint64_t)i;
            call->y[i * call->lanes + lane] =
                (real)(call->training ? draw(call, from, index) : mean_of(from));
        }
}
