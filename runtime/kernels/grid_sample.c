/* grid_sample.c: values of an image at places that a second tensor gives, and the places of an
 * affine map (Jaderberg et al. 2015, "Spatial Transformer Networks").
 *
 *   x [c, h, w, lanes]   grid [rows, columns, 2, lanes]   y [c, rows, columns, lanes]; or volumes
 *
 * A value is a sum over taps, each of which has a weight along each axis; the gradient of a place
 * is that of the weights.  Places are from -1 to 1, the last axis first.
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

enum { MAX_AXES = 3, MAX_TAPS = 4 };

typedef struct Sampling {
    int axes, taps; /* behind the channels; along each */
    bool nearest, align_corners;
    enum { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION } padding;
} Sampling;

/* Along one axis: which positions, -1: none, with what weights, and their gradients. */
typedef struct Taps {
    int64_t at[MAX_TAPS];
    double weight[MAX_TAPS], slope[MAX_TAPS];
} Taps;

static Sampling sampling_of(const NetCall *call)
{
    const char *mode = net_attribute_word(call, "mode"),
               *padding = net_attribute_word(call, "padding_mode");
    Sampling sampling = {
        .axes = call->y_shape.rank - 1,
        .nearest = strcmp(mode, "nearest") == 0,
        .align_corners = net_attribute(call, "align_corners", 0) != 0,
        .padding = strcmp(padding, "zeros") == 0    ? PAD_ZEROS
                   : strcmp(padding, "border") == 0 ? PAD_BORDER
                                                    : PAD_REFLECTION,
    };
    sampling.taps = sampling.nearest ? 1 : strcmp(mode, "bicubic") == 0 ? 4 : 2;
    return sampling;
}

/* ------------------------------------------------------------- places */

/* -1 … 1 to positions; *slope becomes its gradient. */
static double position_of(const Sampling *sampling, double place, int64_t size, double *slope)
{
    *slope = (double)(sampling->align_corners ? size - 1 : size) / 2;
    return sampling->align_corners ? (place + 1) * *slope : ((place + 1) * (double)size - 1) / 2;
}

static double clipped(double position, int64_t size, double *slope)
{
    if (position <= 0 || position >= (double)(size - 1))
        *slope = 0;
    return fmin(fmax(position, 0), (double)(size - 1));
}

/* Mirrored at the outer values, or half a step outside of them. */
static double reflected(const Sampling *sampling, double position, int64_t size, double *slope)
{
    double low = sampling->align_corners ? 0 : -0.5,
           span = (double)(sampling->align_corners ? size - 1 : size);
    if (span == 0) {
        *slope = 0;
        return 0;
    }
    double from = position - low;
    if (from < 0)
        *slope = -*slope;
    from = fabs(from);
    double turns = floor(from / span), extra = fmod(from, span);
    if (fmod(turns, 2) == 0)
        return extra + low;
    *slope = -*slope;
    return span - extra + low;
}

static double padded(const Sampling *sampling, double position, int64_t size, double *slope)
{
    if (sampling->padding == PAD_ZEROS)
        return position;
    if (sampling->padding == PAD_REFLECTION)
        position = reflected(sampling, position, size, slope);
    return clipped(position, size, slope);
}

static int64_t inside(double position, int64_t size)
{
    return position >= 0 && position < (double)size ? (int64_t)position : -1;
}

/* The four around the place, each of which is padded by itself. */
static Taps cubic_taps(const Sampling *sampling, double position, int64_t size, double slope)
{
    Taps taps;
    double first = floor(position), unused = 1;
    net_cubic_weights(position - first, taps.weight, taps.slope);
    for (int tap = 0; tap < 4; tap++) {
        taps.at[tap] = inside(padded(sampling, first - 1 + tap, size, &unused), size);
        taps.slope[tap] *= slope;
    }
    return taps;
}

static Taps taps_at(const Sampling *sampling, double place, int64_t size)
{
    double slope, position = position_of(sampling, place, size, &slope);
    if (sampling->taps == 4)
        return cubic_taps(sampling, position, size, slope);
    position = padded(sampling, position, size, &slope);
    if (sampling->nearest)
        return (Taps){{inside(nearbyint(position), size)}, {1}, {0}};
    double first = floor(position), part = position - first;
    return (Taps){
        {inside(first, size), inside(first + 1, size)}, {1 - part, part}, {-slope, slope}};
}

/* ---------------------------------------------------------- the kernels */

/* Of one place of y in one lane. */
typedef struct Sample {
    Taps taps[MAX_AXES];
    int64_t size[MAX_AXES];
} Sample;

static int64_t places(const NetCall *call)
{
    return net_shape_plane(call->y_shape);
}

static Sample sample_of(const NetCall *call, const Sampling *sampling, int64_t place, int lane)
{
    Sample sample = {0};
    for (int axis = 0; axis < sampling->axes; axis++) {
        int64_t from_last = sampling->axes - 1 - axis;
        const real *grid = call->x[1] + (place * sampling->axes + from_last) * call->lanes;
        sample.size[axis] = net_shape_dim(call->x_shape[0], 1 + axis);
        sample.taps[axis] = taps_at(sampling, (double)grid[lane], sample.size[axis]);
    }
    return sample;
}

static int combinations(const Sampling *sampling)
{
    int count = 1;
    for (int axis = 0; axis < sampling->axes; axis++)
        count *= sampling->taps;
    return count;
}

/* Combination `k` of one tap of each axis: where it lies in a channel, -1: outside, and its weight;
 * `by`: the weight's gradient in the place along this axis; -1: itself. */
static int64_t combined(const Sampling *sampling, const Sample *sample, int k, int by,
                        double *weight)
{
    int64_t at = 0;
    *weight = 1;
    for (int axis = 0; axis < sampling->axes; axis++, k /= sampling->taps) {
        const Taps *taps = &sample->taps[axis];
        int tap = k % sampling->taps;
        if (taps->at[tap] < 0)
            return -1;
        at = at * sample->size[axis] + taps->at[tap];
        *weight *= axis == by ? taps->slope[tap] : taps->weight[tap];
    }
    return at;
}

/* The sum of x * weight over the taps. */
static double value_at(const NetCall *call, const Sampling *sampling, const Sample *sample,
                       int64_t channel, int by, int lane)
{
    const real *x = call->x[0] + channel * net_shape_plane(call->x_shape[0]) * call->lanes + lane;
    double sum = 0, weight;
    for (int k = 0; k < combinations(sampling); k++) {
        int64_t at = combined(sampling, sample, k, by, &weight);
        if (at >= 0)
            sum += (double)x[at * call->lanes] * weight;
    }
    return sum;
}

void net_grid_sample_forward(const NetCall *call)
{
    const Sampling sampling = sampling_of(call);
    for (int64_t place = 0; place < places(call); place++)
        for (int lane = 0; lane < call->lanes; lane++) {
            Sample sample = sample_of(call, &sampling, place, lane);
            for (int64_t c = 0; c < call->y_shape.c; c++)
                call->y[(c * places(call) + place) * call->lanes + lane] =
                    (real)value_at(call, &sampling, &sample, c, -1, lane);
        }
}

static void add_to_image(const NetCall *call, const Sampling *sampling, const Sample *sample,
                         int64_t place, int lane)
{
    int64_t plane = net_shape_plane(call->x_shape[0]);
    double weight;
    for (int k = 0; k < combinations(sampling); k++) {
        int64_t at = combined(sampling, sample, k, -1, &weight);
        for (int64_t c = 0; at >= 0 && c < call->y_shape.c; c++)
            call->dx[(c * plane + at) * call->lanes + lane] +=
                (real)((double)call->dy[(c * places(call) + place) * call->lanes + lane] * weight);
    }
}

static void add_to_grid(const NetCall *call, const Sampling *sampling, const Sample *sample,
                        int64_t place, int lane)
{
    for (int axis = 0; axis < sampling->axes; axis++) {
        int64_t at = place * sampling->axes + sampling->axes - 1 - axis;
        double sum = 0;
        for (int64_t c = 0; c < call->y_shape.c; c++)
            sum += (double)call->dy[(c * places(call) + place) * call->lanes + lane]
                   * value_at(call, sampling, sample, c, axis, lane);
        call->dx[at * call->lanes + lane] += (real)sum;
    }
}

void net_grid_sample_backward_input(const NetCall *call)
{
    const Sampling sampling = sampling_of(call);
    net_start_gradient(call);
    for (int64_t place = 0; place < places(call); place++)
        for (int lane = 0; lane < call->lanes; lane++) {
            Sample sample = sample_of(call, &sampling, place, lane);
            (call->which ? add_to_grid : add_to_image)(call, &sampling, &sample, place, lane);
        }
}

/* ----------------------------------------------------------- affine_grid */

/* The place along an axis of position i: -1 … 1 between the outer values' middles, or edges. */
static double base_place(const NetCall *call, int64_t i, int64_t size)
{
    if (net_attribute(call, "align_corners", 0) != 0)
        return size > 1 ? 2 * (double)i / (double)(size - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)size - 1;
}

/* The last axis's, then the one's before it, and so on, and 1. */
static void bases(const NetCall *call, int64_t place, double base[MAX_AXES + 1])
{
    int axes = call->y_shape.rank - 1;
    for (int k = 0; k < axes; k++) {
        int64_t size = net_shape_dim(call->y_shape, axes - 1 - k);
        base[k] = base_place(call, place % size, size);
        place /= size;
    }
    base[axes] = 1;
}

void net_affine_grid_forward(const NetCall *call)
{
    int axes = call->y_shape.rank - 1;
    double base[MAX_AXES + 1];
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        const real *theta = call->x[0] + i % axes * (axes + 1) * call->lanes;
        bases(call, i / axes, base);
        for (int lane = 0; lane < call->lanes; lane++) {
            double sum = 0;
            for (int k = 0; k <= axes; k++)
                sum += (double)theta[k * call->lanes + lane] * base[k];
            call->y[i * call->lanes + lane] = (real)sum;
        }
    }
}

void net_affine_grid_backward_input(const NetCall *call)
{
    int axes = call->y_shape.rank - 1;
    double base[MAX_AXES + 1];
    net_start_gradient(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        real *theta = call->dx + i % axes * (axes + 1) * call->lanes;
        bases(call, i / axes, base);
        for (int k = 0; k <= axes; k++)
            net_add_scaled(theta + k * call->lanes, call->dy + i * call->lanes, (real)base[k],
                           call->lanes);
    }
}
