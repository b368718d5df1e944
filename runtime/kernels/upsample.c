/* upsample.c: axes enlarged or reduced; values between those that are there are had from the
 * nearest one, or from their neighbours along each axis.
 *
 *   x [c, …, lanes]   y [c, …, lanes]: the axes behind the channels have other sizes
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

int net_resize_taps(NetResize mode)
{
    return mode == NET_LINEAR ? 2 : mode == NET_CUBIC ? 4 : 1;
}

/* PyTorch computes the nearest position in float, whatever the tensors' type, and
 * so does this: at some ratios that rounding decides. */
static int64_t nearest(NetResize mode, int64_t in, int64_t out, double factor, int64_t i)
{
    float scale = factor > 0 ? (float)(1 / factor) : (float)in / (float)out;
    float place = mode == NET_NEAREST ? (float)i * scale : ((float)i + 0.5f) * scale;
    int64_t from = in == out ? i : (int64_t)floorf(place);
    return from < in ? from : in - 1;
}

/* Where position i of `out` lies among `in`, which begin half a step before their first. */
static double place_of(int64_t in, int64_t out, double factor, bool align_corners, int64_t i)
{
    if (align_corners)
        return out > 1 ? (double)i * ((double)(in - 1) / (double)(out - 1)) : 0;
    double scale = factor > 0 ? 1 / factor : (double)in / (double)out;
    return scale * ((double)i + 0.5) - 0.5;
}

static int64_t within(int64_t at, int64_t size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}

/* Of its two neighbours, which lie 0 and 1 away: the nearer one has the larger weight. */
static void linear_taps(int64_t in, double place, int64_t *at, real *weight)
{
    place = place < 0 ? 0 : place;
    at[0] = within((int64_t)place, in);
    at[1] = within(at[0] + 1, in);
    weight[1] = (real)fmin(place - (double)at[0], 1);
    weight[0] = 1 - weight[1];
}

static void cubic_taps(int64_t in, double place, int64_t *at, real *weight)
{
    int64_t first = within((int64_t)floor(place), in);
    double weights[4];
    if (floor(place) < 0)
        first = (int64_t)floor(place);
    net_cubic_weights(fmin(fmax(place - (double)first, 0), 1), weights, NULL);
    for (int tap = 0; tap < 4; tap++) {
        at[tap] = within(first - 1 + tap, in);
        weight[tap] = (real)weights[tap];
    }
}

static void taps_of(NetResize mode, int64_t in, int64_t out, double scale, bool align_corners,
                    int64_t i, int64_t *at, real *weight)
{
    double place = place_of(in, out, scale, align_corners, i);
    if (mode == NET_LINEAR) {
        linear_taps(in, place, at, weight);
    } else if (mode == NET_CUBIC) {
        cubic_taps(in, place, at, weight);
    } else {
        *at = nearest(mode, in, out, scale, i);
        *weight = 1;
    }
}

void net_resize_axis(NetResize mode, int64_t in, int64_t out, double scale, bool align_corners,
                     int64_t *at, real *weight)
{
    int taps = net_resize_taps(mode);
    for (int64_t i = 0; i < out; i++)
        taps_of(mode, in, out, scale, align_corners, i, at + i * taps, weight + i * taps);
}

/* ---------------------------------------------------------- the kernels */

static NetResize mode_of(const NetCall *call)
{
    const char *word = net_attribute_word(call, "mode");
    return strcmp(word, "nearest") == 0         ? NET_NEAREST
           : strcmp(word, "nearest-exact") == 0 ? NET_NEAREST_EXACT
           : strcmp(word, "bicubic") == 0       ? NET_CUBIC
                                                : NET_LINEAR;
}

/* The place of one tap of y's value `i`, and its weight: a product of those along each axis. */
typedef struct Tap {
    int64_t at;
    real weight;
} Tap;

enum { MAX_TAPS = 4 }; /* along an axis */

/* How many values of x one of y is made of. */
static int tap_count(const NetCall *call)
{
    int count = 1;
    for (int axis = 1; axis < call->y_shape.rank; axis++)
        count *= net_resize_taps(mode_of(call));
    return count;
}

static double scale_of(const NetCall *call, int axis)
{
    int count = net_attribute_count(call, "scale_factor");
    return count == 0 ? 0 : net_attribute(call, "scale_factor", count == 1 ? 0 : axis - 1);
}

static void find_taps(const NetCall *call, int64_t i, Tap *taps)
{
    int64_t step = 1;
    int count = 1, each = net_resize_taps(mode_of(call));
    taps[0] = (Tap){0, 1};
    for (int axis = call->y_shape.rank - 1; axis > 0; axis--) {
        int64_t in = net_shape_dim(call->x_shape[0], axis),
                out = net_shape_dim(call->y_shape, axis);
        int64_t at[MAX_TAPS], place = i % out;
        real weight[MAX_TAPS];
        taps_of(mode_of(call), in, out, scale_of(call, axis),
                net_attribute(call, "align_corners", 0) != 0, place, at, weight);
        for (int tap = each - 1; tap >= 0; tap--)
            for (int k = 0; k < count; k++)
                taps[tap * count + k] =
                    (Tap){taps[k].at + at[tap] * step, taps[k].weight * weight[tap]};
        count *= each;
        step *= in;
        i /= out;
    }
    for (int k = 0; k < count; k++)
        taps[k].at += i * step;
}

void net_upsample_forward(const NetCall *call)
{
    Tap taps[MAX_TAPS * MAX_TAPS * MAX_TAPS];
    int count = tap_count(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        real *y = call->y + i * call->lanes;
        find_taps(call, i, taps);
        for (int lane = 0; lane < call->lanes; lane++)
            y[lane] = 0;
        for (int k = 0; k < count; k++)
            net_add_scaled(y, call->x[0] + taps[k].at * call->lanes, taps[k].weight, call->lanes);
    }
}

void net_upsample_backward_input(const NetCall *call)
{
    Tap taps[MAX_TAPS * MAX_TAPS * MAX_TAPS];
    int count = tap_count(call);
    net_start_gradient(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        find_taps(call, i, taps);
        for (int k = 0; k < count; k++)
            net_add_scaled(call->dx + taps[k].at * call->lanes, call->dy + i * call->lanes,
                           taps[k].weight, call->lanes);
    }
}
