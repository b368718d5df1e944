/* mix.c: two training images made one, and their targets with them.
 *
 *   mixup   share * image + (1 - share) * other                  Zhang et al. 2018
 *   cutmix  a rectangle of the other, 1 - share of the area      Yun et al. 2019
 *
 * As torchvision.transforms.v2: the share is drawn from a Beta distribution once for each step, by
 * seed, epoch and the step's first image.  Images are mixed in pairs of neighbours of the batch,
 * each with the other, so who computes one has both, and one grain has both in lanes side by side;
 * a last one without a neighbour stays.
 */
#include "data/picture.h"

#include <math.h>
#include <string.h>

/* A stream of a step's numbers, one after the other. */
typedef struct Stream {
    uint64_t seed, epoch, salt, next;
} Stream;

enum { MOST_NUMBERS = 4096 }; /* of a step */

static double take(Stream *stream)
{
    return net_random(stream->seed, stream->epoch, stream->salt, stream->next++);
}

static double take_normal(Stream *stream)
{
    return net_random_normal(stream->seed, stream->epoch, stream->salt, stream->next++);
}

/* The logarithm of a number of the Gamma distribution (Marsaglia and Tsang 2000; of a shape below 1
 * by that of one more). */
static double take_log_gamma(Stream *stream, double shape)
{
    double boost = shape < 1 ? log(1 - take(stream)) / shape : 0;
    double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = take_normal(stream), root = 1 + c * x, v = root * root * root;
        if (v > 0 && log(1 - take(stream)) < x * x / 2 + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
}

/* Of the Beta distribution with both parameters alpha. */
static double take_share(Stream *stream, double alpha)
{
    double own = take_log_gamma(stream, alpha), other = take_log_gamma(stream, alpha);
    return 1 / (1 + exp(other - own));
}

static int64_t clamped(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

/* CutMix's rectangle about any pixel, cut off at the edges; the share is what is left. */
static void take_window(Stream *stream, NetMixing *mixing, NetShape shape)
{
    double side = 0.5 * sqrt(1 - mixing->share), h = (double)shape.h, w = (double)shape.w;
    int64_t x = (int64_t)(take(stream) * w), y = (int64_t)(take(stream) * h),
            across = (int64_t)(side * w), down = (int64_t)(side * h);
    mixing->left = clamped(x - across, shape.w);
    mixing->right = clamped(x + across, shape.w);
    mixing->top = clamped(y - down, shape.h);
    mixing->bottom = clamped(y + down, shape.h);
    double area = (double)((mixing->right - mixing->left) * (mixing->bottom - mixing->top));
    mixing->share = 1 - area / (h * w);
}

NetMixing net_mix_draw(const NetAugment *augment, int64_t first)
{
    NetMixing mixing = {.share = 1};
    bool both = augment->mixup_alpha > 0 && augment->cutmix_alpha > 0;
    if (augment->mixup_alpha <= 0 && augment->cutmix_alpha <= 0)
        return mixing;
    Stream stream = {augment->seed, augment->epoch, net_hash("mix"),
                     (uint64_t)first * MOST_NUMBERS};
    mixing.mixes = true;
    mixing.pastes = both ? take(&stream) < 0.5 : augment->cutmix_alpha > 0;
    mixing.share =
        take_share(&stream, mixing.pastes ? augment->cutmix_alpha : augment->mixup_alpha);
    if (mixing.pastes)
        take_window(&stream, &mixing, augment->shape);
    return mixing;
}

int64_t net_mix_partner(const NetMixing *mixing, int64_t image, int64_t count)
{
    int64_t other = image ^ 1;
    return mixing->mixes && other < count ? other : image;
}

static void paste(uint8_t *to, const uint8_t *other, NetShape shape, const NetMixing *mixing)
{
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t y = row % shape.h, at = row * shape.w + mixing->left;
        if (y >= mixing->top && y < mixing->bottom)
            memcpy(to + at, other + at, (size_t)(mixing->right - mixing->left));
    }
}

void net_mix_images(uint8_t *to, const uint8_t *own, const uint8_t *other, NetShape shape,
                    const NetMixing *mixing)
{
    int64_t count = shape.c * shape.h * shape.w;
    const float share = (float)mixing->share, rest = 1 - share;
    if (mixing->pastes) {
        if (to != own)
            memcpy(to, own, (size_t)count);
        paste(to, other, shape, mixing);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        to[i] = (uint8_t)(share * (float)own[i] + rest * (float)other[i] + 0.5f);
}
