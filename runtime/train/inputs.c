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

/* What has as many channels as the first input is normalised as that is; other values of a data
 * set's bytes are from 0 to 1. */
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

void net_load_further(const NetSession *session, const NetBatch *batch, real *grain,
                      const int64_t *indices)
{
    const NetModel *model = session->model;
    const real *scale = session->further_scale, *shift = session->further_shift;
    for (int i = 1; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        int64_t elements = net_shape_elements(input->shape);
        real *to = grain + input->offset * model->lanes;
        const float *floats = batch->further ? batch->further[i - 1] : NULL;
        const uint8_t *bytes =
            batch->images && batch->images->further ? batch->images->further[i - 1] : NULL;
        const float *rows[NET_MAX_LANES];
        const uint8_t *images[NET_MAX_LANES];
        for (int lane = 0; lane < model->lanes; lane++) {
            bool there = indices[lane] >= 0;
            rows[lane] = there && floats ? floats + indices[lane] * elements : NULL;
            images[lane] = there && bytes ? bytes + indices[lane] * elements : NULL;
        }
        if (bytes)
            net_load_pixels(model, to, images, net_image_shape(input->shape), scale, shift);
        else
            net_transpose_grain(to, rows, model->lanes, elements);
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

void net_place_further_bytes(const NetSession *session, const NetImages *images, int64_t index,
                             real *to)
{
    const NetModel *model = session->model;
    const real *scale = session->further_scale, *shift = session->further_shift;
    for (int i = 1; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        int64_t elements = net_shape_elements(input->shape), channels = channels_of(input);
        const uint8_t *from = images->further ? images->further[i - 1] + index * elements : NULL;
        for (int64_t k = 0; k < elements; k++) {
            int64_t c = k / (elements / channels);
            *input_at(input, to, k) = from ? (real)from[k] * scale[c] + shift[c] : 0;
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
