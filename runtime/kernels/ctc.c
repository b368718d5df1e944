/* ctc.c: connectionist temporal classification of x [t, classes, lanes], logarithms of each step's
 * probabilities: minus the logarithm of the probability of all ways to say the target, a row of
 * classes, in t steps, between which, and between which alone where they are equal, `blank` may
 * stand.  As PyTorch's CTCLoss it is divided by the target's length.  Graves et al. 2006,
 * "Connectionist Temporal Classification".
 *
 * A target ends with its row, or before the first `blank` in it.  aux [t, 2 * length + 1, lanes] is
 * what forward notes: of each step and place the logarithm of all ways to there.
 */
#include "kernels.h"

#include <math.h>

/* One image's. */
typedef struct Ways {
    const NetCall *call;
    int lane, blank;
    int64_t steps, classes, length, most; /* of the target, and of a row */
} Ways;

static int64_t wanted_at(const NetCall *call, int64_t i, int lane)
{
    return ((const int32_t *)call->target)[i * call->lanes + lane];
}

static Ways ways_of(const NetCall *call, int lane)
{
    Ways ways = {.call = call,
                 .lane = lane,
                 .blank = (int)net_attribute(call, "blank", 0),
                 .steps = call->x_shape[0].c,
                 .classes = call->x_shape[0].w,
                 .most = (int64_t)net_attribute(call, "length", 0)};
    while (ways.length < ways.most && wanted_at(call, ways.length, lane) != ways.blank)
        ways.length++;
    return ways;
}

/* Places are the target's classes and a blank before, between and behind them. */
static int64_t places_of(const Ways *ways)
{
    return 2 * ways->length + 1;
}

static int64_t class_at(const Ways *ways, int64_t place)
{
    return place % 2 ? wanted_at(ways->call, place / 2, ways->lane) : ways->blank;
}

static double logarithm(const Ways *ways, int64_t step, int64_t place)
{
    int64_t at = step * ways->classes + class_at(ways, place);
    return (double)ways->call->x[0][at * ways->call->lanes + ways->lane];
}

/* Whether a way may go to a place from the one but one before: not from an equal class. */
static bool may_leap(const Ways *ways, int64_t place)
{
    return place >= 2 && place < places_of(ways) && place % 2
           && class_at(ways, place) != class_at(ways, place - 2);
}

/* log(exp a + exp b) */
static double joined(double a, double b)
{
    double most = a > b ? a : b;
    return most == -INFINITY ? most : most + log1p(exp((a > b ? b : a) - most));
}

static void note(const Ways *ways, int64_t step, int64_t place, double value)
{
    const NetCall *call = ways->call;
    if (call->aux)
        call->aux[(step * (2 * ways->most + 1) + place) * call->lanes + ways->lane] = (real)value;
}

static double noted(const Ways *ways, int64_t step, int64_t place)
{
    const NetCall *call = ways->call;
    return (double)call->aux[(step * (2 * ways->most + 1) + place) * call->lanes + ways->lane];
}

/* The logarithm of all ways. */
static double sum_ways(const Ways *ways)
{
    int64_t places = places_of(ways);
    double row[places];
    for (int64_t s = 0; s < places; s++) {
        row[s] = s < 2 ? logarithm(ways, 0, s) : -INFINITY;
        note(ways, 0, s, row[s]);
    }
    for (int64_t t = 1; t < ways->steps; t++)
        for (int64_t s = places - 1; s >= 0;
             s--) { /* downwards: what is read is of the step before */
            double from = s > 0 ? joined(row[s], row[s - 1]) : row[s];
            if (may_leap(ways, s))
                from = joined(from, row[s - 2]);
            row[s] = from + logarithm(ways, t, s);
            note(ways, t, s, row[s]);
        }
    return places > 1 ? joined(row[places - 1], row[places - 2]) : row[0];
}

static bool is_left_out(const NetCall *call, double all)
{
    return all == -INFINITY && net_attribute(call, "zero_infinity", 0) != 0;
}

static double length_of(const Ways *ways)
{
    return ways->length > 0 ? (double)ways->length : 1;
}

void net_ctc_forward(const NetCall *call)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        const Ways ways = ways_of(call, lane);
        double all = call->active[lane] != 0 ? sum_ways(&ways) : 0;
        give_loss(call, call->grain * call->lanes + lane,
                  is_left_out(call, all) ? 0 : (real)(-all / length_of(&ways)));
    }
}

/* Of the last step the ways end at the last two places; `row` is what is still to come, of the
 * step `t` becomes that of the one before. */
static void step_back(const Ways *ways, int64_t t, double *row)
{
    int64_t places = places_of(ways);
    for (int64_t s = 0; s < places; s++) { /* upwards: what is read is of the step behind */
        double to = row[s] + logarithm(ways, t, s);
        if (s + 1 < places)
            to = joined(to, row[s + 1] + logarithm(ways, t, s + 1));
        if (may_leap(ways, s + 2))
            to = joined(to, row[s + 2] + logarithm(ways, t, s + 2));
        row[s] = to;
    }
}

/* Minus the part of all ways that are at a place with that class. */
static void give_image(const Ways *ways, double scale)
{
    const NetCall *call = ways->call;
    int64_t places = places_of(ways), last = ways->steps - 1;
    double row[places];
    double all = places > 1 ? joined(noted(ways, last, places - 1), noted(ways, last, places - 2))
                            : noted(ways, last, 0);
    if (all == -INFINITY)
        return;
    for (int64_t s = 0; s < places; s++)
        row[s] = s >= places - 2 ? 0 : -INFINITY;
    for (int64_t t = last; t >= 0; t--) {
        for (int64_t s = 0; s < places; s++) {
            int64_t at = t * ways->classes + class_at(ways, s);
            call->dx[at * call->lanes + ways->lane] -=
                (real)(scale * exp(noted(ways, t, s) + row[s] - all));
        }
        if (t > 0)
            step_back(ways, t, row);
    }
}

void net_ctc_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    for (int lane = 0; lane < call->lanes; lane++) {
        const Ways ways = ways_of(call, lane);
        if (call->active[lane] != 0)
            give_image(&ways, call->loss_weight / ((double)call->step->images * length_of(&ways)));
    }
}
