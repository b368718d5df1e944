/* further.c: examples that are drawn for a network of several inputs.
 *
 * An example has a class, and every input tells of it: a picture shows the class, as synthetic.c
 * draws it, each input's by another hand; whole numbers follow from the class three times of four.
 * Targets do so as well.  So a network learns from any of its inputs.
 */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

static const double TELLS = 0.75; /* how often a whole number follows from the class */

static uint8_t *draw_classes(int64_t count, const NetModel *model, uint64_t seed, int split,
                             NetError *error)
{
    uint8_t *classes = net_allocate((size_t)count, 1, error);
    for (int64_t i = 0; classes && i < count; i++)
        classes[i] = (uint8_t)(net_random(seed, (uint64_t)split, net_hash("targets"), (uint64_t)i)
                               * net_drawn_classes(model));
    return classes;
}

/* Below the input's own limit. */
static void draw_numbers(uint8_t *to, const NetInput *of, const uint8_t *classes, int64_t count,
                         uint64_t seed, int split)
{
    int64_t elements = net_shape_elements(of->shape), most = of->numbers < 256 ? of->numbers : 256;
    uint64_t salt = net_hash(of->name) + (uint64_t)split;
    for (int64_t i = 0; i < count * elements; i++) {
        double drawn = net_random(seed, 1, salt, (uint64_t)i);
        double other = (drawn - TELLS) / (1 - TELLS) * (double)most;
        to[i] = (uint8_t)(drawn < TELLS ? classes[i / elements] % most : (int64_t)other % most);
    }
}

static bool draw_input(NetImages *images, const NetInput *of, const NetModel *model,
                       const uint8_t *classes, uint64_t seed, int split, NetError *error)
{
    NetShape shape = of->numbers ? of->shape : net_image_shape(of->shape);
    NetArray *array =
        net_add_array(images, of->name, of->numbers ? NET_BYTES : NET_PIXELS, shape, error);
    if (!array)
        return false;
    array->classes = of->numbers;
    if (of->numbers)
        draw_numbers(array->values, of, classes, images->count, seed, split);
    return of->numbers
           || net_draw_of_classes(array->values, shape, classes, images->count,
                                  net_drawn_classes(model), seed + net_hash(of->name), split,
                                  error);
}

bool net_draw_inputs(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                     int split, NetError *error)
{
    *images = (NetImages){.count = count};
    uint8_t *classes = draw_classes(count, model, seed, split, error);
    bool good = classes != NULL;
    for (int i = 0; good && i < model->input_count; i++)
        good = draw_input(images, &model->inputs[i], model, classes, seed, split, error);
    good = good && net_draw_targets_of(images, model, classes, seed, split, error);
    free(classes);
    if (!good)
        net_images_close(images);
    return good;
}

bool net_draw_all_inputs(NetData *data, const NetModel *model, uint64_t seed, NetError *error)
{
    enum { TRAIN = 8192, TEST = 1024, BYTES = 200000000 };
    int64_t most = BYTES / net_input_elements(model) + 2, train = most < TRAIN ? most : TRAIN;
    snprintf(data->what, sizeof data->what, "synthetic examples");
    return net_draw_inputs(&data->train, train, model, seed, 0, error)
           && net_draw_inputs(&data->test, train < TEST ? train : TEST, model, seed, 1, error);
}
