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

/* NULL: the images have no array for it, as of a picture that stands alone; it is zeros. */
static const NetArray *array_of(const NetImages *images, int input)
{
    return images && images->inputs[input] > 0 ? &images->arrays[images->inputs[input]] : NULL;
}

bool net_is_bytes(const NetArray *array, int64_t numbers)
{
    return array->kind == NET_PIXELS || (array->kind == NET_BYTES && numbers);
}

void net_load_array(real *to, const NetArray *array, const NetBatch *batch, const int64_t *indices,
                    int lanes)
{
    int64_t elements = net_shape_elements(array->shape);
    for (int lane = 0; lane < lanes; lane++) {
        const void *values = net_array_at(array, indices[lane], batch->offset);
        for (int64_t i = 0; i < elements; i++)
            to[i * lanes + lane] = (real)net_array_number(array, values, i);
    }
}

static void load_bytes(const NetModel *model, real *to, const NetInput *input,
                       const NetArray *array, const NetBatch *batch, const int64_t *indices,
                       const real *scale, const real *shift)
{
    const uint8_t *images[NET_MAX_LANES];
    for (int lane = 0; lane < model->lanes; lane++)
        images[lane] = net_array_at(array, indices[lane], batch->offset);
    net_load_pixels(model, to, images, net_image_shape(input->shape), scale, shift);
}

static void load_floats(const NetModel *model, real *to, int64_t elements, const float *floats,
                        const int64_t *indices)
{
    const float *rows[NET_MAX_LANES];
    for (int lane = 0; lane < model->lanes; lane++)
        rows[lane] = floats ? floats + indices[lane] * elements : NULL;
    net_transpose_grain(to, rows, model->lanes, elements);
}

void net_load_further(const NetSession *session, const NetBatch *batch, real *grain,
                      const int64_t *indices)
{
    const NetModel *model = session->model;
    const real *scale = session->further_scale, *shift = session->further_shift;
    for (int i = 1; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        real *to = grain + input->offset * model->lanes;
        const NetArray *array = array_of(batch->images, i);
        if (!array)
            load_floats(model, to, net_shape_elements(input->shape),
                        batch->further ? batch->further[i - 1] : NULL, indices);
        else if (net_is_bytes(array, input->numbers))
            load_bytes(model, to, input, array, batch, indices, scale, shift);
        else
            net_load_array(to, array, batch, indices, model->lanes);
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

static void place_bytes(const NetInput *input, const uint8_t *from, const real *scale,
                        const real *shift, real *to)
{
    int64_t channels = channels_of(input), area = net_shape_elements(input->shape) / channels;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = c * area; i < (c + 1) * area; i++)
            *input_at(input, to, i) = (real)from[i] * scale[c] + shift[c];
}

static void place_array(const NetInput *input, const NetArray *array, const void *values,
                        const real *scale, const real *shift, real *to)
{
    if (net_is_bytes(array, input->numbers))
        place_bytes(input, values, scale, shift, to);
    else
        for (int64_t i = 0; i < net_shape_elements(input->shape); i++)
            *input_at(input, to, i) = (real)net_array_number(array, values, i);
}

void net_place_image(const NetSession *session, const NetImages *images, int64_t index, real *to)
{
    const NetModel *model = session->model;
    const real *scale = session->further_scale, *shift = session->further_shift;
    const NetArray *first = &images->arrays[0];
    const void *values = net_is_bytes(first, model->numbers) ? net_image_at(images, index, 0)
                                                             : net_array_at(first, index, 0);
    place_array(&model->inputs[0], first, values, session->scale, session->shift, to);
    for (int i = 1; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        const NetArray *array = array_of(images, i);
        if (array)
            place_array(input, array, net_array_at(array, index, 0), scale, shift, to);
        else
            memset(to + input->offset, 0, (size_t)net_shape_elements(input->shape) * sizeof *to);
        scale += channels_of(input);
        shift += channels_of(input);
    }
}

void net_place_further_floats(const NetModel *model, const float *const *further, real *to)
{
    for (int i = 1; i < model->input_count; i++) {
        const float *from = further ? further[i - 1] : NULL;
        for (int64_t k = 0; k < net_shape_elements(model->inputs[i].shape); k++)
            *input_at(&model->inputs[i], to, k) = from ? (real)from[k] : 0;
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
