/* batch_norm2d.c: batch normalisation, of 0 to 3 axes behind the channels, in four stages, with all
 * grains meeting between `statistics` and `forward` and between the two backward stages.
 *
 *   x, y [c, h, w, lanes]   weight, bias, running_mean, running_var [c]
 *
 * A grain's statistics, for C channels:
 *
 *   [2*c], [2*c + 1]             its mean, and the sum of squared distances from it (M2)
 *   [2*C + 2*c], [2*C + 2*c + 1] its sums of dy and of dy * normalised x
 *
 * Lanes without an image take no part: not in the sums, and their gradient is
 * zero.  Sums over a plane run in double, as PyTorch's do: thousands of float
 * additions, one after the other, would cost two digits.
 */
#include "kernels.h"

#include <math.h>

/* What a channel is normalised by. */
typedef struct Moments {
    real mean, variance;
    int64_t count;
} Moments;

static bool is_active(const NetCall *call, int64_t grain, int lane)
{
    return call->step->active[grain * call->lanes + lane] != 0;
}

static int64_t plane_of(const NetCall *call)
{
    return net_shape_plane(call->x_shape[0]);
}

/* How many values of one channel the images of `grain` have. */
static int64_t grain_count(const NetCall *call, int64_t grain)
{
    int64_t images = 0;
    for (int lane = 0; lane < call->lanes; lane++)
        images += is_active(call, grain, lane);
    return images * plane_of(call);
}

/* The sum over the grain's images of (x - about)^power, power 1 or 2. */
static double channel_sum(const NetCall *call, int64_t channel, double about, int power)
{
    int64_t plane = plane_of(call);
    const real *x = call->x[0] + channel * plane * call->lanes;
    double total = 0;
    for (int lane = 0; lane < call->lanes; lane++) {
        if (!is_active(call, call->grain, lane))
            continue;
        for (int64_t i = 0; i < plane; i++) {
            double distance = (double)x[i * call->lanes + lane] - about;
            total += power == 1 ? distance : distance * distance;
        }
    }
    return total;
}

/* Two passes over the grain: the mean first, then distances from it, which
 * loses no digits where the mean is far from zero. */
static void statistics(const NetCall *call)
{
    real *own = call->statistics + call->grain * call->statistics_stride;
    int64_t count = grain_count(call, call->grain);
    for (int64_t c = 0; c < call->x_shape[0].c; c++) {
        double mean = count > 0 ? channel_sum(call, c, 0, 1) / (double)count : 0;
        own[2 * c] = (real)mean;
        own[2 * c + 1] = (real)channel_sum(call, c, (double)own[2 * c], 2);
    }
}

/* The whole batch's moments from the grains', in the order of the grains.
 * Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm
 * for computing sample variances". */
static Moments batch_moments(const NetCall *call, int64_t channel)
{
    real mean = 0, m2 = 0;
    int64_t count = 0;
    for (int64_t grain = call->step->norm_from; grain < call->step->norm_to; grain++) {
        const real *part = call->statistics + grain * call->statistics_stride + 2 * channel;
        int64_t part_count = grain_count(call, grain), both = count + part_count;
        if (part_count == 0)
            continue;
        real delta = part[0] - mean, share = (real)part_count / (real)both;
        mean += delta * share;
        m2 += part[1] + delta * delta * (real)count * share;
        count = both;
    }
    return (Moments){mean, count > 0 ? m2 / (real)count : 0, count};
}

/* weight and bias come before the running averages, when there are any. */
static int first_buffer(const NetCall *call)
{
    return net_attribute(call, "affine", 0) != 0 ? 2 : 0;
}

/* The running variance takes the unbiased estimate, which one value does not
 * have: then it stays as it was. */
static void update_running(const NetCall *call, int64_t channel, Moments batch)
{
    real momentum = (real)net_attribute(call, "momentum", 0);
    real *mean = call->parameter[first_buffer(call)] + channel;
    real *variance = call->parameter[first_buffer(call) + 1] + channel;
    *mean = (1 - momentum) * *mean + momentum * batch.mean;
    if (batch.count > 1) {
        real unbiased = batch.variance * ((real)batch.count / (real)(batch.count - 1));
        *variance = (1 - momentum) * *variance + momentum * unbiased;
    }
}

static Moments moments_of(const NetCall *call, int64_t channel)
{
    if (call->training)
        return batch_moments(call, channel);
    int first = first_buffer(call);
    return (Moments){call->parameter[first][channel], call->parameter[first + 1][channel], 0};
}

static real inverse_deviation(const NetCall *call, Moments moments)
{
    return (real)(1 / sqrt((double)moments.variance + net_attribute(call, "eps", 0)));
}

static real weight_of(const NetCall *call, int64_t channel)
{
    return first_buffer(call) > 0 ? call->parameter[0][channel] : 1;
}

static void forward(const NetCall *call)
{
    int64_t values = plane_of(call) * call->lanes;
    for (int64_t c = 0; c < call->x_shape[0].c; c++) {
        Moments moments = moments_of(call, c);
        real scale = inverse_deviation(call, moments) * weight_of(call, c);
        real bias = first_buffer(call) > 0 ? call->parameter[1][c] : 0;
        const real *x = call->x[0] + c * values;
        for (int64_t i = 0; i < values; i++)
            call->y[c * values + i] = (x[i] - moments.mean) * scale + bias;
        if (call->training && call->grain == 0)
            update_running(call, c, moments);
    }
}

/* A grain's sums of dy and dy * normalised x over one channel. */
typedef struct Sums {
    double dy, dy_normal;
} Sums;

static Sums channel_sums(const NetCall *call, int64_t channel, real mean, real scale)
{
    int64_t plane = plane_of(call), at = channel * plane * call->lanes;
    Sums sums = {0, 0};
    for (int lane = 0; lane < call->lanes; lane++) {
        if (!is_active(call, call->grain, lane))
            continue;
        for (int64_t i = 0; i < plane; i++) {
            int64_t k = at + i * call->lanes + lane;
            sums.dy += (double)call->dy[k];
            sums.dy_normal += (double)call->dy[k] * (double)((call->x[0][k] - mean) * scale);
        }
    }
    return sums;
}

/* The sums go to the statistics, where every grain's backward_input finds them
 * whether or not there are parameters whose gradients they are. */
static void backward_parameters(const NetCall *call)
{
    int64_t channels = call->x_shape[0].c;
    real *own = call->statistics + call->grain * call->statistics_stride + 2 * channels;
    for (int64_t c = 0; c < channels; c++) {
        Moments moments = batch_moments(call, c);
        Sums sums = channel_sums(call, c, moments.mean, inverse_deviation(call, moments));
        own[2 * c] = (real)sums.dy;
        own[2 * c + 1] = (real)sums.dy_normal;
        if (first_buffer(call) > 0) {
            call->dparameter[0][c] = own[2 * c + 1];
            call->dparameter[1][c] = own[2 * c];
        }
    }
}

static Sums batch_sums(const NetCall *call, int64_t channel)
{
    Sums sums = {0, 0};
    for (int64_t grain = call->step->norm_from; grain < call->step->norm_to; grain++) {
        const real *part =
            call->statistics + grain * call->statistics_stride + 2 * call->x_shape[0].c;
        sums.dy += (double)part[2 * channel];
        sums.dy_normal += (double)part[2 * channel + 1];
    }
    return sums;
}

/* dx = weight / deviation * (dy - mean of dy - normalised x * mean of dy * normalised x):
 * Ioffe and Szegedy 2015, section 3, gathered. */
static void backward_input(const NetCall *call)
{
    int64_t values = plane_of(call) * call->lanes;
    for (int64_t c = 0; c < call->x_shape[0].c; c++) {
        Moments moments = batch_moments(call, c);
        Sums sums = batch_sums(call, c);
        real scale = inverse_deviation(call, moments), weight = weight_of(call, c);
        real mean_dy = (real)(sums.dy / (double)moments.count);
        real mean_dy_normal = (real)(sums.dy_normal / (double)moments.count);
        for (int64_t i = 0; i < values; i++) {
            int64_t k = c * values + i;
            real normal = (call->x[0][k] - moments.mean) * scale;
            real gradient = weight * scale * (call->dy[k] - mean_dy - normal * mean_dy_normal);
            give_gradient(call, k,
                          is_active(call, call->grain, (int)(i % call->lanes)) ? gradient : 0);
        }
    }
}

#define BATCH_NORM(name)                                  \
    NET_STAGE(name, statistics, statistics(call))         \
    NET_STAGE(name, forward, forward(call))               \
    NET_STAGE(name, backward_input, backward_input(call)) \
    NET_STAGE(name, backward_parameters, backward_parameters(call))
BATCH_NORM(batch_norm1d)
BATCH_NORM(batch_norm2d)
BATCH_NORM(batch_norm3d)
