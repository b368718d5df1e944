/* further.c: examples that are drawn for a network of several inputs.
 *
 * An example has a class, or one for each target, and every input tells of it: a picture shows the
 * class, as synthetic.c draws it, each input's by another hand; whole numbers and rows of values
 * follow from the classes three times of four.  So a network learns from any of its inputs.
 */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

static const double TELLS = 0.75; /* how often a value follows from the class */

static bool draw_targets(NetImages *images, const NetModel *model, uint64_t seed, int split,
                         NetError *error)
{
    int64_t count = images->count * model->targets;
    free(images->labels);
    images->labels = net_allocate((size_t)count, 1, error);
    for (int64_t i = 0; images->labels && i < count; i++)
        images->labels[i] =
            (uint8_t)(net_random(seed, (uint64_t)split, net_hash("targets"), (uint64_t)i)
                      * (double)images->classes);
    return images->labels != NULL;
}

/* Values of input number `input` that follow from the targets: of whole numbers the class itself,
 * and its place among the classes where they are real. */
static void draw_values(uint8_t *to, const NetImages *images, const NetModel *model, int input,
                        uint64_t seed, int split)
{
    const NetInput *of = &model->inputs[input];
    int64_t elements = net_shape_elements(of->shape),
            most = of->numbers && of->numbers < 256 ? of->numbers : 256;
    uint64_t salt = net_hash(of->name) + (uint64_t)split;
    for (int64_t i = 0; i < images->count * elements; i++) {
        double drawn = net_random(seed, 1, salt, (uint64_t)i);
        int64_t place = i % elements * model->targets / elements,
                label = images->labels[i / elements * model->targets + place];
        bool tells = drawn < TELLS;
        int64_t value = of->numbers ? label % most : label * 255 / images->classes;
        to[i] = (uint8_t)(tells ? value
                                : (int64_t)((drawn - TELLS) / (1 - TELLS) * (double)most) % most);
    }
}

/* Whether it is shown as a picture: of one class, and not of whole numbers. */
static bool is_picture(const NetModel *model, int input)
{
    return model->targets == 1 && model->inputs[input].numbers == 0;
}

static bool draw_input(uint8_t **to, const NetImages *images, const NetModel *model, int input,
                       uint64_t seed, int split, NetError *error)
{
    const NetInput *of = &model->inputs[input];
    if (is_picture(model, input)) {
        NetImages drawn = {.labels = images->labels};
        bool good = net_draw_of_classes(&drawn, images, net_image_shape(of->shape),
                                        seed + net_hash(of->name), split, error);
        *to = drawn.pixels;
        return good;
    }
    *to = net_allocate((size_t)images->count, (size_t)net_shape_elements(of->shape), error);
    if (*to)
        draw_values(*to, images, model, input, seed, split);
    return *to != NULL;
}

bool net_draw_inputs(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                     int split, NetError *error)
{
    *images = (NetImages){.count = count,
                          .shape = net_image_shape(model->inputs[0].shape),
                          .classes = model->classes < 256 ? (int)model->classes : 256,
                          .further_count = model->input_count - 1};
    images->further = net_allocate(NET_MAX_INPUTS, sizeof *images->further, error);
    bool good = images->further && draw_targets(images, model, seed, split, error);
    for (int i = 0; good && i < model->input_count; i++)
        good = draw_input(i == 0 ? &images->pixels : &images->further[i - 1], images, model, i,
                          seed, split, error);
    if (!good)
        net_images_close(images);
    return good;
}

bool net_further_noise(NetImages *images, const NetModel *model, uint64_t seed, NetError *error)
{
    if (model->input_count == 1)
        return true;
    images->further_count = model->input_count - 1;
    images->further = net_allocate(NET_MAX_INPUTS, sizeof *images->further, error);
    for (int i = 1; images->further && i < model->input_count; i++) {
        const NetInput *of = &model->inputs[i];
        int64_t elements = images->count * net_shape_elements(of->shape);
        double values = of->numbers && of->numbers < 256 ? (double)of->numbers : 256;
        uint8_t *to = images->further[i - 1] = net_allocate((size_t)elements, 1, error);
        for (int64_t k = 0; to && k < elements; k++)
            to[k] = (uint8_t)(values * net_random(seed, 0, net_hash(of->name), (uint64_t)k));
        if (!to)
            return false;
    }
    return images->further != NULL;
}

bool net_draw_all_inputs(NetData *data, const NetModel *model, uint64_t seed, NetError *error)
{
    enum { TRAIN = 8192, TEST = 1024, BYTES = 200000000 };
    int64_t most = BYTES / net_input_elements(model) + 2, train = most < TRAIN ? most : TRAIN;
    snprintf(data->what, sizeof data->what, "synthetic examples");
    return net_draw_inputs(&data->train, train, model, seed, 0, error)
           && net_draw_inputs(&data->test, train < TEST ? train : TEST, model, seed, 1, error);
}
