/* resize.c: a picture stretched to the network's height and width by area averaging: each output
 * pixel is the mean of the part of the input that it covers, which neither skips pixels nor
 * invents edges.
 *
 * The mean is over rows first, which whole vectors can do, and then over columns.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* gcc does not fuse under -std=c11, and does not know the pragma. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { STEP = 16 }; /* values: a fixed count, so that the loop over it is vectorised at -O2 */

/* Along one axis: what each output pixel covers of the source's pixels. */
typedef struct Axis {
    int64_t taps;   /* source pixels that one covers at most */
    int64_t *first; /* [outputs] */
    float *weights; /* [outputs][taps]; of what it does not cover 0 */
    float *scale;   /* [outputs]: 1 / the sum of its weights */
} Axis;

static void close_axis(Axis *axis)
{
    free(axis->first);
    free(axis->weights);
    free(axis->scale);
}

/* How much of source pixel `at` output pixel `to` covers, when one output pixel
 * is `scale` source pixels wide. */
static double overlap(int64_t at, int64_t to, double scale)
{
    double low = (double)to * scale, high = (double)(to + 1) * scale;
    double start = low > (double)at ? low : (double)at;
    double end = high < (double)(at + 1) ? high : (double)(at + 1);
    return end > start ? end - start : 0;
}

static void cover(Axis *axis, int64_t output, int64_t from, double scale)
{
    double sum = 0;
    int64_t first = (int64_t)((double)output * scale);
    first = first + axis->taps <= from ? first : from - axis->taps;
    axis->first[output] = first;
    for (int64_t tap = 0; tap < axis->taps; tap++) {
        double weight = overlap(first + tap, output, scale);
        axis->weights[output * axis->taps + tap] = (float)weight;
        sum += weight;
    }
    axis->scale[output] = (float)(1 / sum);
}

static int64_t count_taps(int64_t from, int64_t to, double scale)
{
    int64_t most = 1;
    for (int64_t output = 0; output < to; output++) {
        double low = (double)output * scale, high = (double)(output + 1) * scale;
        int64_t end = (int64_t)high + ((double)(int64_t)high < high);
        int64_t taps = (end < from ? end : from) - (int64_t)low;
        most = taps > most ? taps : most;
    }
    return most;
}

static bool open_axis(Axis *axis, int64_t from, int64_t to, NetError *error)
{
    double scale = (double)from / (double)to;
    *axis = (Axis){.taps = count_taps(from, to, scale)};
    axis->first = net_allocate((size_t)to, sizeof *axis->first, error);
    axis->weights =
        axis->first ? net_allocate((size_t)(to * axis->taps), sizeof(float), error) : NULL;
    axis->scale = axis->weights ? net_allocate((size_t)to, sizeof(float), error) : NULL;
    for (int64_t output = 0; axis->scale && output < to; output++)
        cover(axis, output, from, scale);
    return axis->scale != NULL;
}

/* sum += weight * row */
NET_EACH_WIDTH static void add_row(float *restrict sum, const uint8_t *restrict row, float weight,
                                   int64_t count)
{
    int64_t i = 0;
    for (; i + STEP <= count; i += STEP)
        for (int j = 0; j < STEP; j++)
            sum[i + j] += weight * (float)row[i + j];
    for (; i < count; i++)
        sum[i] += weight * (float)row[i];
}

/* One output row of one channel, from the mean of rows [width][channels]. */
static void mean_columns(uint8_t *to, const float *row, const Axis *across, float scale,
                         int64_t count, int channels)
{
    for (int64_t x = 0; x < count; x++) {
        const float *from = row + across->first[x] * channels;
        const float *weights = across->weights + x * across->taps;
        float sum = 0;
        for (int64_t tap = 0; tap < across->taps; tap++)
            sum += weights[tap] * from[tap * channels];
        to[x] = (uint8_t)(sum * (across->scale[x] * scale) + 0.5F);
    }
}

static void stretch(uint8_t *to, NetShape shape, const NetPicture *picture, const Axis *down,
                    const Axis *across, float *row)
{
    int64_t channels = shape.c, width = picture->width * channels;
    for (int64_t y = 0; y < shape.h; y++) {
        memset(row, 0, (size_t)width * sizeof *row);
        for (int64_t tap = 0; tap < down->taps; tap++) {
            float weight = down->weights[y * down->taps + tap];
            if (weight > 0)
                add_row(row, picture->pixels + (down->first[y] + tap) * width, weight, width);
        }
        for (int64_t c = 0; c < channels; c++)
            mean_columns(to + (c * shape.h + y) * shape.w, row + c, across, down->scale[y], shape.w,
                         (int)channels);
    }
}

bool net_resize(uint8_t *to, NetShape shape, const NetPicture *picture, NetError *error)
{
    Axis down = {0}, across = {0};
    float *row = net_allocate((size_t)(picture->width * shape.c), sizeof *row, error);
    bool good = row && open_axis(&down, picture->height, shape.h, error)
                && open_axis(&across, picture->width, shape.w, error);
    if (good)
        stretch(to, shape, picture, &down, &across, row);
    close_axis(&down);
    close_axis(&across);
    free(row);
    return good;
}
