/* noise.c: standard normal numbers for each of a network's inputs: what a generator, or a decoder
 * alone, makes something of.  There are no targets, and nothing to train on.
 */
#include "runtime.h"

#include <inttypes.h>

enum { MOST = 10000, BYTES = 1 << 28 }; /* examples; of all their numbers together */

static bool draw_input(NetImages *images, const NetInput *input, uint64_t seed, NetError *error)
{
    NetArray *array = net_add_array(images, input->name, NET_FLOAT, input->shape, error);
    int64_t elements = net_shape_elements(input->shape);
    float *values = array ? array->values : NULL;
    for (int64_t i = 0; values && i < images->count * elements; i++)
        values[i] = (float)net_random_normal(seed, 0, net_hash(input->name), (uint64_t)i);
    return array != NULL;
}

bool net_read_noise(NetData *data, const NetOpening *opening, NetError *error)
{
    const NetModel *model = opening->model;
    NetImages *images = &data->test;
    int64_t room = BYTES / ((int64_t)sizeof(float) * net_input_elements(model)) + 1;
    bool good = true;
    snprintf(data->what, sizeof data->what, "noise");
    data->unlabelled = opening->answers_only;
    images->count = room < MOST ? room : MOST;
    for (int i = 0; good && i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        if (input->numbers)
            return net_fail(error,
                            "noise is real numbers, and %s takes whole ones: --data synthetic "
                            "draws those",
                            input->name);
        good = draw_input(images, input, opening->seed, error);
    }
    return good;
}
