/* look_data.c: the first training examples of a run as the network gets them: mirrored, cropped,
 * mixed, as `augment` says, and what each is held against.
 *
 * The pictures are what a training step has loaded, less the normalisation: nothing between the
 * files and the network is left out.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL = 96, SHOWN_NUMBERS = 3, DRAWN = 64 };

typedef struct LookData {
    NetSession *session;
    const NetData *data;
    NetAugment augment;
    int32_t *order;
    NetSheet sheet;
    uint8_t *pixels; /* of one example */
    FILE *out;
    int64_t drawn, count;
} LookData;

/* ----------------------------------------------------------------- labels */

/* Whether the target is a class for each pixel, to be drawn. */
static bool is_mask(const LookData *look)
{
    const NetModel *model = look->session->model;
    int number = net_main_target(model);
    if (number < 0 || model->wanted[number].kind != NET_CLASSES)
        return false;
    NetShape at = net_target_positions(&model->wanted[number]), image = look->session->image;
    return at.rank == 2 && at.c == image.h && at.w == image.w;
}

static void add_numbers(char text[LABEL], const NetTarget *target, const NetArray *array,
                        const void *values)
{
    int64_t count = net_shape_elements(target->shape);
    size_t used = 0;
    for (int64_t i = 0; i < count && i < SHOWN_NUMBERS; i++)
        used += (size_t)snprintf(text + used, LABEL - used, "%s%.5g", i ? " " : "",
                                 (double)net_target_number(target, array, values, i));
    if (count > SHOWN_NUMBERS)
        snprintf(text + used, LABEL - used, " …");
}

/* What the example is held against; "": nothing, or a picture. */
static const char *label_of(char text[LABEL], const LookData *look, int64_t index)
{
    const NetModel *model = look->session->model;
    const NetImages *images = &look->data->train;
    int number = net_main_target(model);
    text[0] = 0;
    if (number < 0 || !images->has_targets || is_mask(look))
        return text;
    const NetTarget *target = &model->wanted[number];
    const NetArray *array = &images->arrays[images->targets[number]];
    const void *values = net_array_at(array, index, 0);
    if (target->kind == NET_CLASSES && target->positions == 1)
        net_class_shown(text, LABEL, look->session, net_target_class(target, array, values, 0));
    else if (target->kind == NET_NUMBERS)
        add_numbers(text, target, array, values);
    return text;
}

/* "dog", or of two that are mixed "dog (70 %) + cat (30 %)". */
static const char *mixed_label(char text[3 * LABEL], const LookData *look, const NetBatch *batch,
                               int64_t image)
{
    char own[LABEL], other[LABEL];
    int64_t partner = net_mix_partner(&batch->mixing, image, batch->count);
    label_of(own, look, look->order[batch->first + image]);
    if (partner == image)
        snprintf(text, 3 * LABEL, "%s", own);
    else
        snprintf(text, 3 * LABEL, "%s (%.0f %%) + %s (%.0f %%)", own, 100 * batch->mixing.share,
                 label_of(other, look, look->order[batch->first + partner]),
                 100 * (1 - batch->mixing.share));
    return text;
}

/* --------------------------------------------------------------- pictures */

/* What the step has loaded of an image, as pixels again. */
static void take_pixels(const LookData *look, int64_t image)
{
    const NetSession *session = look->session;
    const NetModel *model = session->model;
    int64_t lanes = model->lanes, plane = session->image.h * session->image.w;
    const real *input =
        session->input + image / lanes * net_input_elements(model) * lanes + image % lanes;
    for (int64_t i = 0; i < session->image.c * plane; i++) {
        int64_t channel = i / plane;
        real value = (input[i * lanes] - session->shift[channel]) / session->scale[channel];
        look->pixels[i] = value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + (real)0.5);
    }
}

static void put_mask(const LookData *look, const NetBatch *batch, int64_t image)
{
    const NetModel *model = look->session->model;
    const NetImages *images = &look->data->train;
    int number = net_main_target(model);
    const NetTarget *target = &model->wanted[number];
    const NetArray *array = &images->arrays[images->targets[number]];
    int64_t index = look->order[batch->first + image],
            key = net_repeat_key(&look->augment, index, batch->first + image);
    const void *values =
        net_augment_target(batch->augment, target, array, net_array_at(array, index, 0), key, 0);
    NetShape shape = look->session->image;
    int64_t plane = shape.h * shape.w;
    shape.c = 3;
    for (int64_t i = 0; i < 3 * plane; i++) {
        int64_t class = net_target_class(target, array, values, i % plane);
        look->pixels[i] =
            class == target->ignored ? 0 : net_class_colour((int)(class & 255), (int)(i / plane));
    }
    net_sheet_put(&look->sheet, look->drawn, 1, look->pixels, shape);
}

static void put_batch(LookData *look, const NetBatch *batch)
{
    char label[3 * LABEL];
    NetShape shape = look->session->image;
    shape.c = shape.c == 3 ? 3 : 1;
    for (int64_t i = 0; i < batch->count; i++, look->drawn++) {
        take_pixels(look, i);
        net_sheet_put(&look->sheet, look->drawn, 0, look->pixels, shape);
        if (is_mask(look))
            put_mask(look, batch, i);
        int64_t column = look->drawn % look->sheet.columns;
        mixed_label(label, look, batch, i);
        if (*label && column == 0)
            fprintf(look->out, "row %" PRId64 ": ", look->drawn / look->sheet.columns + 1);
        if (*label)
            fprintf(look->out, "%s%s", SHOWN(label),
                    column + 1 < look->sheet.columns && look->drawn + 1 < look->count ? ", "
                                                                                      : "\n");
    }
}

/* ------------------------------------------------------------------- all */

static bool draw(LookData *look, NetError *error)
{
    const NetSession *session = look->session;
    while (look->drawn < look->count) {
        int64_t left = look->count - look->drawn;
        NetBatch batch = {
            .images = &look->data->train,
            .order = look->order,
            .first = look->drawn,
            .count = left < session->batch ? left : session->batch,
            .end = look->count,
            .augment = net_augments(&look->augment) ? &look->augment : NULL,
            .mixing = net_mix_draw(&look->augment, look->drawn),
        };
        net_train_batch(look->session, &batch, NULL);
        if (net_stream_failed(batch.images, error))
            return false;
        put_batch(look, &batch);
    }
    return true;
}

static bool check(const LookData *look, NetError *error)
{
    const NetImages *images = &look->data->train;
    return images->arrays[images->inputs[0]].kind == NET_PIXELS
           || net_fail(error,
                       "%s has no pictures, and look draws pictures alone: its %s are numbers",
                       look->data->what, look->data->noun.many);
}

/* The whole batch that a step has is drawn, for its images may be mixed with one another. */
static bool open(LookData *look, const NetSettings *settings, int64_t count, NetError *error)
{
    NetSession *session = look->session;
    int64_t all = net_trained_images(look->data),
            most = session->batch < DRAWN ? session->batch : DRAWN;
    NetShape tile = session->image;
    look->count = count > 0 ? count : most;
    look->count = look->count < all ? look->count : all;
    look->order = net_allocate((size_t)look->data->train.count, sizeof *look->order, error);
    look->pixels = net_allocate(
        (size_t)(net_shape_elements(session->image) + 3 * session->image.h * session->image.w), 1,
        error);
    if (!look->order || !look->pixels)
        return false;
    tile.c = tile.c == 3 || is_mask(look) ? 3 : 1;
    if (!net_augment_begin(&look->augment, settings, session, look->data, error))
        return false;
    net_order_images(look->order, look->data, session->seed, 0);
    net_repeat_order(&look->augment, look->order);
    return net_sheet_open(&look->sheet, look->count, is_mask(look) ? 2 : 1, tile, error);
}

bool net_look_data(NetSession *session, const NetSettings *settings, const NetData *data,
                   int64_t count, const char *path, FILE *out, NetError *error)
{
    LookData look = {.session = session, .data = data, .out = out};
    bool good = check(&look, error) && open(&look, settings, count, error) && draw(&look, error)
                && net_sheet_write(&look.sheet, path, error);
    if (good)
        fprintf(out, "%s: the first %" PRId64 " training %s of %s, as the network gets them\n",
                SHOWN(path), look.count, data->noun.many, SHOWN(data->what));
    net_augment_close(&look.augment);
    net_sheet_close(&look.sheet);
    free(look.order);
    free(look.pixels);
    return good;
}
