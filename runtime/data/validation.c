/* validation.c: by which images a run is judged: by some of the training images, which are then
 * not trained on, by those of a folder of their own, or by the test images.
 *
 * What is taken from the training images follows from their number, their classes and a seed.
 * Every class gives its part: the images, shuffled and then sorted by class, are gone through, and
 * every n-th is taken.  Where an image has no class, every n-th of the shuffled ones is.  Of a text
 * the end is taken, for its stretches overlap.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 65536 }; /* those beyond count as one */

/* The classes of whole images; NULL: there are none. */
static const NetArray *class_array(const NetImages *images)
{
    const NetArray *array = images->has_targets ? &images->arrays[images->targets[0]] : NULL;
    bool whole = array && (array->kind == NET_BYTES || array->kind == NET_WHOLE);
    return whole && net_shape_elements(array->shape) == 1 ? array : NULL;
}

static int64_t class_of(const NetArray *labels, int64_t image)
{
    int64_t label = net_array_whole(labels, net_array_at(labels, image, 0), 0);
    return label < 0 || label >= CLASSES ? CLASSES - 1 : label;
}

/* Stable, so that those of one class stay as they were shuffled. */
static bool sort_by_class(int32_t *order, const NetImages *images, NetError *error)
{
    const NetArray *labels = class_array(images);
    size_t count = (size_t)images->count;
    int64_t *begin = net_allocate(CLASSES + 1, sizeof *begin, error);
    int32_t *sorted = begin ? net_allocate(count, sizeof *sorted, error) : NULL;
    if (!sorted) {
        free(begin);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        begin[class_of(labels, (int64_t)i) + 1]++;
    for (int label = 0; label < CLASSES; label++)
        begin[label + 1] += begin[label];
    for (size_t i = 0; i < count; i++)
        sorted[begin[class_of(labels, order[i])]++] = order[i];
    memcpy(order, sorted, count * sizeof *order);
    free(sorted);
    free(begin);
    return true;
}

/* Takes `taken` of them, evenly spread over the order, which becomes those that stay and then
 * those that are taken, each as they are in the file. */
static bool part_order(int32_t *order, int64_t count, int64_t taken, NetError *error)
{
    bool *is_taken = net_allocate((size_t)count, sizeof *is_taken, error);
    if (!is_taken)
        return false;
    for (int64_t i = 0; i < count; i++)
        is_taken[order[i]] = (i + 1) * taken / count > i * taken / count;
    int64_t stay = 0, take = count - taken;
    for (int64_t i = 0; i < count; i++)
        order[is_taken[i] ? take++ : stay++] = (int32_t)i;
    free(is_taken);
    return true;
}

static bool draw(NetData *data, int64_t taken, bool by_class, uint64_t seed, NetError *error)
{
    const NetImages *images = &data->train;
    net_shuffle(data->order, images->count, seed, net_hash("validation"));
    data->trained = images->count - taken;
    data->judged = data->trained;
    return (!by_class || sort_by_class(data->order, images, error))
           && part_order(data->order, images->count, taken, error);
}

/* An epoch's stretches begin anywhere up to one later, so there is one between. */
static void cut_off(NetData *data, int64_t taken)
{
    for (int64_t i = 0; i < data->train.count; i++)
        data->order[i] = (int32_t)i;
    data->judged = data->train.count - taken;
    data->trained = data->judged - 1;
}

bool net_split_training(NetData *data, double part, bool by_class, uint64_t seed, NetError *error)
{
    int64_t count = data->train.count, taken = llround(part * (double)count);
    bool text = data->train.arrays[0].slides;
    if (taken < 1 || count - taken - text < 1)
        return net_fail(error,
                        "validation %.10g of %" PRId64 " training %s leaves none to %s: give "
                        "another part",
                        part, count, data->noun.many, taken < 1 ? "judge by" : "train on");
    data->order = net_allocate((size_t)count, sizeof *data->order, error);
    if (!data->order)
        return false;
    if (!text)
        return draw(data, taken, by_class && class_array(&data->train), seed, error);
    cut_off(data, taken);
    return true;
}

int64_t net_trained_images(const NetData *data)
{
    return data->order ? data->trained : data->train.count;
}

void net_order_images(int32_t *order, const NetData *data, uint64_t seed, uint64_t epoch)
{
    int64_t count = net_trained_images(data);
    net_shuffle(order, count, seed, epoch);
    for (int64_t i = 0; data->order && i < count; i++)
        order[i] = data->order[order[i]];
}

int64_t net_text_offset(const NetData *data, uint64_t seed, uint64_t epoch)
{
    const NetArray *text = &data->train.arrays[0];
    if (!text->slides)
        return 0;
    return (int64_t)((double)text->stride * net_random(seed, epoch, net_hash("text"), 0));
}

NetJudged net_judged(const NetData *data)
{
    if (data->order)
        return (NetJudged){"validation", &data->train,      data->order,
                           data->judged, data->train.count, NULL};
    if (data->validation.count > 0)
        return (NetJudged){"validation", &data->validation, NULL, 0, data->validation.count, NULL};
    return (NetJudged){"test", &data->test, NULL, 0, data->test.count, NULL};
}

/* ------------------------------------------------------------ a folder */

static bool same_names(const NetData *data, const NetData *other, NetError *error)
{
    if (!data->class_names || !other->class_names
        || strcmp(data->class_names, other->class_names) == 0)
        return true;
    return net_fail(error, "%s has other classes than %s, whose %s are trained on", other->what,
                    data->what, data->noun.many);
}

/* Its test images, or all where it is of one part. */
static bool take_images(NetData *data, NetData *other, NetError *error)
{
    NetImages *images = other->test.count > 0 ? &other->test : &other->train;
    if (!same_names(data, other, error))
        return false;
    data->validation = *images;
    data->pictures = data->pictures || other->pictures;
    *images = (NetImages){0};
    return true;
}

bool net_validation_open(NetData *data, const NetOpening *opening, NetError *error)
{
    NetData other;
    if (!net_data_open(&other, opening, error))
        return false;
    bool good = take_images(data, &other, error);
    net_data_close(&other);
    return good;
}
