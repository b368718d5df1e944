/* rotary.c: rotations of pairs of features by an angle that grows with the step.
 *
 *   x, y [windows, steps, features, lanes]
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

typedef struct Rotary {
    int64_t steps, features, heads, width, pairs;
    bool interleaved;
    double base;
} Rotary;

static Rotary rotary_of(const NetCall *call)
{
    NetShape shape = call->x_shape[0];
    Rotary rotary = {.steps = net_shape_dim(shape, shape.rank - 2),
                     .features = net_shape_dim(shape, shape.rank - 1),
                     .heads = (int64_t)net_attribute(call, "heads", 0),
                     .width = (int64_t)net_attribute(call, "head_width", 0),
                     .pairs = (int64_t)net_attribute(call, "rotated", 0) / 2,
                     .interleaved = strcmp(net_attribute_word(call, "pairs"), "interleaved") == 0,
                     .base = net_attribute(call, "base", 0)};
    rotary.width = rotary.width ? rotary.width : rotary.features / rotary.heads;
    rotary.pairs = rotary.pairs ? rotary.pairs : rotary.width / 2;
    return rotary;
}

/* The pair that a feature belongs to; -1: it is not turned. */
static int64_t pair_of(const Rotary *rotary, int64_t feature)
{
    int64_t own = feature % rotary->width;
    if (feature >= rotary->heads * rotary->width || own >= 2 * rotary->pairs)
        return -1;
    return rotary->interleaved ? own / 2 : own % rotary->pairs;
}

/* Value i becomes itself times `own` plus value `other` times `others`. */
typedef struct Turn {
    int64_t other;
    real own, others;
} Turn;

/* By the step's angle, or, with sign -1, back by it. */
static Turn turn_of(const Rotary *rotary, int64_t i, double sign)
{
    int64_t feature = i % rotary->features, pair = pair_of(rotary, feature);
    if (pair < 0)
        return (Turn){i, 1, 0};
    int64_t own = feature % rotary->width, apart = rotary->interleaved ? 1 : rotary->pairs;
    bool first = rotary->interleaved ? own % 2 == 0 : own < rotary->pairs;
    double angle = (double)(i / rotary->features % rotary->steps)
                   * pow(rotary->base, -(double)pair / (double)rotary->pairs);
    double d = sign * sin(angle);
    return (Turn){first ? i + apart : i - apart, (real)cos(angle), (real)(first ? -d : d)};
}

static real turned(const NetCall *call, const real *from, int64_t i, Turn turn, int lane)
{
    return from[i * call->lanes + lane] * turn.own
           + from[turn.other * call->lanes + lane] * turn.others;
}

void net_rotary_forward(const NetCall *call)
{
    const Rotary rotary = rotary_of(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        const Turn turn = turn_of(&rotary, i, 1);
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[i * call->lanes + lane] = turned(call, call->x[0], i, turn, lane);
    }
}

void net_rotary_backward_input(const NetCall *call)
{
    const Rotary rotary = rotary_of(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        const Turn turn = turn_of(&rotary, i, -1);
        for (int lane = 0; lane < call->lanes; lane++)
            give_gradient(call, i * call->lanes + lane, turned(call, call->dy, i, turn, lane));
    }
}
