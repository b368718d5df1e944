/* fit.c: how a picture of any size becomes one of the network's: torchvision's Resize and
 * CenterCrop, which keep its form, as `test` of the train section says; and of training pictures,
 * which are kept in their own sizes, the first crop of `augment`, before which may be a resize.
 */
#include "data/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static void read_size(int64_t size[2], const NetSettings *settings, const char *path)
{
    const NetValue *value = net_setting_find(settings, path);
    for (int i = 0; value && i < 2 && i < value->count; i++)
        size[i] = (int64_t)value->numbers[i];
}

NetFit net_fit_of(const NetSettings *settings)
{
    NetFit fit = {0};
    read_size(fit.resize, settings, "test.resize.size");
    read_size(fit.crop, settings, "test.center_crop.size");
    return fit;
}

NetFit net_resize_of_training(const NetSettings *settings)
{
    NetFit fit = {0};
    read_size(fit.resize, settings, "augment.resize.size");
    return fit;
}

bool net_fits(const NetFit *fit)
{
    return fit->resize[0] > 0 || fit->crop[0] > 0;
}

bool net_keeps_sizes(const NetSettings *settings)
{
    const NetFit fit = net_fit_of(settings);
    return net_fits(&fit)
           && (net_setting_find(settings, "augment.random_crop")
               || net_setting_find(settings, "augment.random_resized_crop"));
}

int64_t net_fit_least(const NetFit *fit)
{
    if (fit->resize[0] == 0)
        return INT64_MAX;
    return fit->resize[0] > fit->resize[1] ? fit->resize[0] : fit->resize[1];
}

/* torchvision's: of one number the longer side is cut to a whole number. */
NetShape net_fit_resized(const NetFit *fit, NetShape own)
{
    int64_t side = fit->resize[0], least = own.h < own.w ? own.h : own.w;
    if (side == 0)
        return own;
    if (fit->resize[1] > 0) {
        own.h = side;
        own.w = fit->resize[1];
        return own;
    }
    int64_t h = own.h, w = own.w;
    own.h = h <= w ? side : (int64_t)((double)(side * h) / (double)least);
    own.w = w <= h ? side : (int64_t)((double)(side * w) / (double)least);
    return own;
}

/* Where a crop of the middle begins; of what is smaller, before its first pixel. */
static int64_t middle(int64_t size, int64_t crop)
{
    if (crop > size)
        return -((crop - size) / 2);
    return (int64_t)nearbyint((double)(size - crop) / 2);
}

bool net_fit_picture(uint8_t *to, const uint8_t *from, NetShape own, const NetFit *fit,
                     NetError *error)
{
    NetShape all = net_fit_resized(fit, own);
    bool cut = fit->crop[0] > 0;
    NetWindow part = {.height = cut ? fit->crop[0] : all.h, .width = cut ? fit->crop[1] : all.w};
    part.top = middle(all.h, part.height);
    part.left = middle(all.w, part.width);
    const NetWindow whole = {.height = own.h, .width = own.w};
    return net_resize_part(to, part, all.h, all.w, from, own, whole, error);
}

/* ------------------------------------------- sets that are in memory already */

/* Of `count` images of one size, each as `fit` has it. */
static uint8_t *fit_all(const NetImages *images, NetShape shape, const NetFit *fit, NetError *error)
{
    int64_t pixels = net_shape_elements(shape);
    uint8_t *fitted = net_allocate((size_t)images->count, (size_t)pixels, error);
    for (int64_t i = 0; fitted && i < images->count; i++)
        if (!net_fit_picture(fitted + i * pixels, net_image_at(images, i, 0),
                             images->arrays[0].shape, fit, error)) {
            free(fitted);
            return NULL;
        }
    return fitted;
}

static bool check_crop_fits(const NetData *data, NetShape own, const NetSettings *settings,
                            NetError *error)
{
    NetCrop crop = net_crop_of(settings);
    const NetFit resize = net_resize_of_training(settings);
    NetShape resized = net_fit_resized(&resize, own);
    return net_crop_fits(&crop, resized)
           || net_fail(error,
                       "%s has images of %" PRId64 "x%" PRId64 ", which random_crop([%" PRId64
                       ", %" PRId64 "]) has no room in: a larger padding, or resize before it",
                       data->what, own.h, own.w, crop.h, crop.w);
}

/* The training images are left as they are where a crop of augment's makes them the network's. */
static bool fit_images(NetData *data, NetImages *images, NetShape shape, const NetOpening *opening,
                       NetError *error)
{
    NetArray *array = &images->arrays[0];
    const NetFit fit = net_fit_of(opening->settings);
    if (images->array_count == 0 || images->stream || array->kind != NET_PIXELS
        || array->shape.c != shape.c)
        return true;
    if (images == &data->train && net_keeps_sizes(opening->settings))
        return check_crop_fits(data, array->shape, opening->settings, error)
               && net_stream_over(images, shape, opening, error);
    uint8_t *fitted = fit_all(images, shape, &fit, error);
    if (!fitted)
        return false;
    net_array_replace(array, shape, fitted);
    return true;
}

bool net_fit_data(NetData *data, const NetOpening *opening, NetError *error)
{
    const NetFit fit = net_fit_of(opening->settings);
    NetShape shape = net_image_shape(opening->model->input);
    return !net_fits(&fit)
           || (fit_images(data, &data->train, shape, opening, error)
               && fit_images(data, &data->test, shape, opening, error));
}
