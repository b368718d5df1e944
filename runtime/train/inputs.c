/* inputs.c: what a network takes besides its first input.
 *
 * All inputs of a grain lie one after the other, each from its own offset on.  The first is what
 * pictures and texts are for and is loaded by pass.c; the others are here: bytes of a data set,
 * normalised as its pixels are, or a caller's floats, taken as they are.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

int64_t net_input_elements(const NetModel *model)
{
    const NetInput *last = &model->inputs[model->input_count - 1];
    return last->offset + net_shape_elements(last->shape);
}

static int64_t channels_of(const NetInput *input)
{
    return net_image_shape(input->shape).c;
}

bool net_open_further(NetSession *session, NetError *error)
{
    const NetModel *model = session->model;
    int64_t channels = 0;
    for (int i = 1; i < model->input_count; i++)
        channels += channels_of(&model->inputs[i]);
    session->further_scale = net_allocate((size_t)channels, sizeof(real), error);
    session->further_shift = net_allocate((size_t)channels, sizeof(real), error);
    return session->further_scale && session->further_shift;
}

/* What has as many channels as the first input is normalised as that is; other pixels are
 * from 0 to 1. */
void net_normalise_further(NetSession *session)
{
    const NetModel *model = session->model;
    const double *mean = session->normal, *std = mean + session->image.c;
    int64_t at = 0;
    for (int i = 1; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        for (int64_t c = 0; c < channels_of(input); c++, at++) {
            bool alike = channels_of(input) == session->image.c;
            session->further_scale[at] =
                (real)(input->numbers ? 1 : 1 / (255 * (alike ? std[c] : 1)));
            session->further_shift[at] = (real)(input->numbers || !alike ? 0 : -mean[c] / std[c]);
        }
    }
}

void net_load_pixels(const NetModel *model, real *to, const uint8_t *const *images, NetShape shape,
                     const real *scale, const real *shift)
{
    if (model->load_at_once) {
        net_load_grain(to, images, model->lanes, shape, scale, shift);
    } else {
        net_transpose_pixels(to, images, model->lanes, shape);
        net_normalise_grain(to, images, model->lanes, shape, scale, shift);
    }
}

/* NULL: the images have no array for it. */
static const NetArray *array_of(const NetImages *images, int input)
{
    return images && images->inputs[input] > 0 ? &images->arrays[images->inputs[input]] : NULL;
}

/* Values of any kind but pixels, as they are; zeros without an array. */
static void load_numbers(real *to, const NetArray *array, const int64_t *indices, int lanes,
                         int64_t elements)
{
    for (int lane = 0; lane < lanes; lane++) {
        bool there = array && indices[lane] >= 0;
        const void *values = there ? net_array_at(array, indices[lane], 0) : NULL;
        for (int64_t i = 0; i < elements; i++)
            to[i * lanes + lane] = there ? (real)net_array_number(array, values, i) : 0;
    }
}

static void load_floats(real *to, const float *floats, const int64_t *indices, int lanes,
                        int64_t elements)
{
    const float *rows[NET_MAX_LANES];
    for (int lane = 0; lane < lanes; lane++)
        rows[lane] = floats && indices[lane] >= 0 ? floats + indices[lane] * elements : NULL;
    net_transpose_grain(to, rows, lanes, elements);
}

void net_load_further(const NetSession *session, const NetBatch *batch, real *grain,
                      const int64_t *indices)
{
    const NetModel *model = session->model;
    const real *scale = session->further_scale, *shift = session->further_shift;
    for (int i = 1; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        int64_t elements = net_shape_elements(input->shape);
        real *to = grain + input->offset * model->lanes;
        const NetArray *array = array_of(batch->images, i);
        const uint8_t *pixels[NET_MAX_LANES];
        for (int lane = 0; array && lane < model->lanes; lane++)
            pixels[lane] = indices[lane] >= 0 ? net_array_at(array, indices[lane], 0) : NULL;
        if (!batch->images)
            load_floats(to, batch->further ? batch->further[i - 1] : NULL, indices, model->lanes,
                        elements);
        else if (array && array->kind == NET_PIXELS)
            net_load_pixels(model, to, pixels, net_image_shape(input->shape), scale, shift);
        else
            load_numbers(to, array, indices, model->lanes, elements);
        scale += channels_of(input);
        shift += channels_of(input);
    }
}

/* ------------------------------------------------------------ one image */

/* To the layout of a program for one image, in which a position's channels lie side by side. */
static real *input_at(const NetInput *input, real *to, int64_t i)
{
    int64_t inner = input->shape.c, outer = net_shape_elements(input->shape) / inner;
    return &to[input->offset + i % outer * inner + i / outer];
}

void net_place_further_floats(const NetModel *model, const float *const *further, real *to)
{
    for (int i = 1; i < model->input_count; i++) {
        const float *from = further ? further[i - 1] : NULL;
        for (int64_t k = 0; k < net_shape_elements(model->inputs[i].shape); k++)
            *input_at(&model->inputs[i], to, k) = from ? (real)from[k] : 0;
    }
}

void net_place_further(const NetSession *session, const NetImages *images, int64_t index, real *to)
{
    const NetModel *model = session->model;
    const real *scale = session->further_scale, *shift = session->further_shift;
    for (int i = 1; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        int64_t elements = net_shape_elements(input->shape), channels = channels_of(input);
        const NetArray *array = array_of(images, i);
        const void *values = array ? net_array_at(array, index, 0) : NULL;
        for (int64_t k = 0; k < elements; k++) {
            int64_t c = k / (elements / channels);
            *input_at(input, to, k) = !array ? 0
                                      : array->kind == NET_PIXELS
                                          ? (real)((const uint8_t *)values)[k] * scale[c] + shift[c]
                                          : (real)net_array_number(array, values, k);
        }
        scale += channels;
        shift += channels;
    }
}

/* ----------------------------------------------------------- from C */

int net_input_count(const NetSession *session)
{
    return session->model->input_count;
}

const char *net_input_name(const NetSession *session, int input)
{
    return session->model->inputs[input].name;
}

NetShape net_input_shape(const NetSession *session, int input)
{
    return session->model->inputs[input].shape;
}

int64_t net_input_numbers(const NetSession *session, int input)
{
    return session->model->inputs[input].numbers;
}
