/* initial.c: a network's first weights.
 *
 * Every parameter draws from its own stream, numbered by the hash of its name:
 * adding a layer, or renaming one, leaves the others' first values as they are.
 */
#include "runtime.h"

#include <math.h>

/* The share of a normal distribution of mean 0 and deviation 1 that is below x. */
static double below(double x)
{
    return erfc(-x / sqrt(2)) / 2;
}

/* The value of a normal distribution below which that share of it is, between low and high. */
static double quantile(double share, double low, double high)
{
    for (int halving = 0; halving < 60; halving++) {
        double middle = low + (high - low) / 2;
        if (below(middle) < share)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

/* Draws until a value lies within the bounds; where that is rare, by the inverse of the
 * distribution. */
static double draw_truncated(const NetParameter *parameter, uint64_t seed, uint64_t salt,
                             uint64_t index)
{
    enum { TRIES = 8 };
    for (uint64_t try = 0; try < TRIES; try++) {
        double value = parameter->a + parameter->b * net_random_normal(seed, try, salt, index);
        if (value >= parameter->low && value <= parameter->high)
            return value;
    }
    if (parameter->b <= 0)
        return parameter->a < parameter->low ? parameter->low : parameter->high;
    double low = (parameter->low - parameter->a) / parameter->b,
           high = (parameter->high - parameter->a) / parameter->b;
    bool above = low > 0; /* there the distribution is taken from its other end, which has digits */
    double from = above ? -high : low, to = above ? -low : high,
           share = below(from) + net_random(seed, TRIES, salt, index) * (below(to) - below(from)),
           value = quantile(share, from, to);
    return parameter->a + parameter->b * (above ? -value : value);
}

static double draw(const NetParameter *parameter, uint64_t seed, uint64_t salt, uint64_t index)
{
    switch (parameter->init) {
    case NET_CONSTANT:
        return parameter->a;
    case NET_UNIFORM:
        return parameter->a + (parameter->b - parameter->a) * net_random(seed, 0, salt, index);
    case NET_NORMAL:
        return parameter->a + parameter->b * net_random_normal(seed, 0, salt, index);
    case NET_TRUNCATED:
        return draw_truncated(parameter, seed, salt, index);
    }
    __builtin_unreachable();
}

static void fill(const NetParameter *parameter, real *values, uint64_t seed)
{
    uint64_t salt = net_hash(parameter->path);
    for (int64_t i = 0; i < parameter->elements; i++)
        values[i] = (real)draw(parameter, seed, salt, (uint64_t)i);
}

void net_initialise(const NetModel *model, real *weights, real *buffers, int64_t *counters,
                    uint64_t seed)
{
    for (int i = 0; i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        switch (parameter->kind) {
        case NET_TRAINED:
            fill(parameter, weights + parameter->offset, seed);
            break;
        case NET_BUFFER:
            fill(parameter, buffers + parameter->offset, seed);
            break;
        case NET_COUNTER:
            counters[parameter->offset] = 0;
            break;
        }
    }
    net_first_magnitudes(model, weights);
    net_derive(model, weights);
}
