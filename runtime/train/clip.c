/* clip.c: gradients kept within bounds before they move the weights.
 *
 * The norm is over every parameter that is trained, taken as one vector, but for
 * those of a group with clip=false: they are neither in it nor changed.  Its squares
 * are added within pieces of a fixed length, and the pieces in order, so the sum is
 * the same bits whoever adds which piece.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>

enum { PIECE = 4096 }; /* elements */

static const double EPS = 1e-6; /* torch.nn.utils.clip_grad_norm_ adds it to the norm */

bool net_clip_open(NetClip *clip, const NetSettings *settings, int64_t trained, NetError *error)
{
    *clip = (NetClip){
        .norm = net_setting(settings, "clip.norm", -1),
        .value = net_setting(settings, "clip.value", -1),
        .adaptive = net_setting(settings, "clip.adaptive", -1),
        .eps = net_setting(settings, "clip.eps", 1e-3),
    };
    if (clip->norm < 0)
        return true;
    clip->pieces = (trained + PIECE - 1) / PIECE;
    clip->squares = net_allocate((size_t)clip->pieces, sizeof *clip->squares, error);
    return clip->squares != NULL;
}

void net_clip_close(NetClip *clip)
{
    free(clip->squares);
    *clip = (NetClip){0};
}

static bool clips(const NetOptimizer *optimizer, const NetStretch *stretch)
{
    return optimizer->groups[stretch->group].clips;
}

static double sum_squares(const NetOptimizer *optimizer, const real *gradient, int64_t from,
                          int64_t to)
{
    double sum = 0;
    for (int i = 0; i < optimizer->stretch_count; i++) {
        const NetStretch *stretch = &optimizer->stretches[i];
        int64_t end = stretch->to < to ? stretch->to : to;
        if (!clips(optimizer, stretch))
            continue;
        for (int64_t at = stretch->from > from ? stretch->from : from; at < end; at++)
            sum += (double)gradient[at] * (double)gradient[at];
    }
    return sum;
}

void net_clip_measure(const NetOptimizer *optimizer, const real *gradient, int64_t first,
                      int64_t end)
{
    for (int64_t piece = first; piece < end; piece++)
        optimizer->clip.squares[piece] =
            sum_squares(optimizer, gradient, piece * PIECE, (piece + 1) * PIECE);
}

/* torch.nn.utils.clip_grad_norm_'s factor. */
static double factor(const NetClip *clip)
{
    double sum = 0;
    for (int64_t piece = 0; piece < clip->pieces; piece++)
        sum += clip->squares[piece];
    double scale = clip->norm / (sqrt(sum) + EPS);
    return scale > 1 ? 1 : scale;
}

static void scale_all(real *gradient, int64_t count, real scale)
{
    for (int64_t i = 0; i < count; i++)
        gradient[i] *= scale;
}

/* Written so that a NaN stays one. */
static void limit_each(real *gradient, int64_t count, real max)
{
    for (int64_t i = 0; i < count; i++)
        gradient[i] = gradient[i] > max ? max : gradient[i] < -max ? -max : gradient[i];
}

/* scale_all() or limit_each(), of those of [from, to) that are clipped. */
static void change(const NetOptimizer *optimizer, real *gradient, int64_t from, int64_t to,
                   void (*how)(real *gradient, int64_t count, real by), double by)
{
    for (int i = 0; i < optimizer->stretch_count; i++) {
        const NetStretch *stretch = &optimizer->stretches[i];
        int64_t first = stretch->from > from ? stretch->from : from,
                end = stretch->to < to ? stretch->to : to;
        if (first < end && clips(optimizer, stretch))
            how(gradient + (first - from), end - first, (real)by);
    }
}

void net_clip_apply(const NetOptimizer *optimizer, real *gradient, int64_t from, int64_t to)
{
    const NetClip *clip = &optimizer->clip;
    double scale = clip->norm >= 0 ? factor(clip) : 1;
    if (scale != 1)
        change(optimizer, gradient, from, to, scale_all, scale);
    if (clip->adaptive >= 0)
        net_units_clip(optimizer, gradient, from, to);
    if (clip->value >= 0)
        change(optimizer, gradient, from, to, limit_each, clip->value);
}
