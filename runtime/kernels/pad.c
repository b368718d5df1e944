/* pad.c: values added at the ends of axes, or cut off.  `axes` of them are padded, from the last
 * one on; attribute `name` has the numbers before and behind each, or one for all.
 */
#include "kernels.h"

typedef enum PadMode { PAD_CONSTANT, PAD_REFLECT, PAD_REPLICATE, PAD_CIRCULAR } PadMode;

typedef struct Pads {
    const char *name;
    PadMode mode;
    int axes;
} Pads;

static int64_t at_least_0(int64_t number)
{
    return number > 0 ? number : 0;
}

/* Where position `place` behind `before` added ones comes from; -1: from nowhere. */
static int64_t source_along(PadMode mode, int64_t place, int64_t size, int64_t before,
                            int64_t after)
{
    int64_t from = at_least_0(-before), cut = size - from - at_least_0(-after);
    place -= before;
    switch (mode) {
    case PAD_CONSTANT:
        return place >= 0 && place < size ? place : -1;
    case PAD_REFLECT:
        return place < 0 ? -place : place >= size ? 2 * (size - 1) - place : place;
    case PAD_REPLICATE:
        return place < 0 ? 0 : place >= size ? size - 1 : place;
    case PAD_CIRCULAR:
        return place < from ? place + cut : place >= from + cut ? place - cut : place;
    }
    return -1;
}

static int64_t source_of(const NetCall *call, Pads pads, int64_t i)
{
    int64_t at = 0, step = 1;
    int rank = call->y_shape.rank, count = net_attribute_count(call, pads.name);
    for (int axis = rank - 1, pair = 0; axis >= 0; axis--, pair++) {
        int64_t size = net_shape_dim(call->x_shape[0], axis),
                whole = net_shape_dim(call->y_shape, axis), place = i % whole;
        bool all = count == 1;
        if (pair < pads.axes)
            place = source_along(pads.mode, place, size,
                                 (int64_t)net_attribute(call, pads.name, all ? 0 : 2 * pair),
                                 (int64_t)net_attribute(call, pads.name, all ? 0 : 2 * pair + 1));
        if (place < 0)
            return -1;
        at += place * step;
        step *= size;
        i /= whole;
    }
    return at;
}

static void forward(const NetCall *call, Pads pads, real value)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        int64_t from = source_of(call, pads, i);
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[i * call->lanes + lane] =
                from < 0 ? value : call->x[0][from * call->lanes + lane];
    }
}

static void backward(const NetCall *call, Pads pads)
{
    net_start_gradient(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        int64_t from = source_of(call, pads, i);
        for (int lane = 0; from >= 0 && lane < call->lanes; lane++)
            call->dx[from * call->lanes + lane] += call->dy[i * call->lanes + lane];
    }
}

/* Of the word: constant, reflect, replicate, circular. */
static Pads pads_of(const NetCall *call)
{
    const char *word = net_attribute_word(call, "mode");
    PadMode mode = word[0] == 'r'   ? (word[2] == 'f' ? PAD_REFLECT : PAD_REPLICATE)
                   : word[1] == 'i' ? PAD_CIRCULAR
                                    : PAD_CONSTANT;
    return (Pads){"pad", mode, net_attribute_count(call, "pad") / 2};
}

void net_pad_forward(const NetCall *call)
{
    forward(call, pads_of(call), (real)net_attribute(call, "value", 0));
}

void net_pad_backward_input(const NetCall *call)
{
    backward(call, pads_of(call));
}

#define PADS(name, mode, value)                                                              \
    NET_STAGE(name, forward,                                                                 \
              forward(call, (Pads){"padding", mode, call->y_shape.rank - 1}, (real)(value))) \
    NET_STAGE(name, backward_input, backward(call, (Pads){"padding", mode, call->y_shape.rank - 1}))
#define EACH_SIZE(name, mode, value) \
    PADS(name##1d, mode, value)      \
    PADS(name##2d, mode, value)      \
    PADS(name##3d, mode, value)

PADS(zero_pad1d, PAD_CONSTANT, 0)
PADS(zero_pad3d, PAD_CONSTANT, 0)
EACH_SIZE(constant_pad, PAD_CONSTANT, net_attribute(call, "value", 0))
EACH_SIZE(reflection_pad, PAD_REFLECT, 0)
EACH_SIZE(replication_pad, PAD_REPLICATE, 0)
EACH_SIZE(circular_pad, PAD_CIRCULAR, 0)
