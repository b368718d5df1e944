/* initial.c: a network's first weights.
 *
 * Every parameter draws from its own stream, numbered by the hash of its name:
 * adding a layer, or renaming one, leaves the others' first values as they are.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>

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
    case NET_SPARSE:
        return parameter->b * net_random_normal(seed, 0, salt, index);
    case NET_ORTHOGONAL:
        return net_random_normal(seed, 0, salt, index);
    case NET_DIRAC:
    case NET_EYE:
        return 0;
    }
    __builtin_unreachable();
}

/* -------------------------------------------------- of the whole parameter */

enum { SUMS = 8 }; /* of a product, each of every eighth term, so that they need not wait */

static double dot(const double *a, const double *b, int64_t count)
{
    double sums[SUMS] = {0}, sum = 0;
    int64_t whole = count / SUMS * SUMS;
    for (int64_t i = 0; i < whole; i += SUMS)
        for (int k = 0; k < SUMS; k++)
            sums[k] += a[i + k] * b[i + k];
    for (int64_t i = whole; i < count; i++)
        sum += a[i] * b[i];
    for (int k = 0; k < SUMS; k++)
        sum += sums[k];
    return sum;
}

/* The part of each vector behind one of length 1 that lies along it is taken away. */
static void take_away(double *vectors, int64_t number, int64_t count, int64_t length)
{
    const double *unit = vectors + number * length;
    for (int64_t other = number + 1; other < count; other++) {
        double *vector = vectors + other * length, along = dot(unit, vector, length);
        for (int64_t i = 0; i < length; i++)
            vector[i] -= along * unit[i];
    }
}

/* Gram and Schmidt's vectors of the rows; twice, for what rounding left. */
static void make_orthogonal(double *vectors, int64_t count, int64_t length)
{
    for (int round = 0; round < 2; round++)
        for (int64_t number = 0; number < count; number++) {
            double *vector = vectors + number * length, size = sqrt(dot(vector, vector, length));
            for (int64_t i = 0; i < length && size > 0; i++)
                vector[i] /= size;
            take_away(vectors, number, count, length);
        }
}

/* torch.nn.init.orthogonal_ (Saxe et al. 2014): the Q of a normal matrix, the first axis by all
 * others, whose R has no negative diagonal. */
static bool fill_orthogonal(const NetParameter *parameter, real *values, NetError *error)
{
    int64_t rows = parameter->dim[0], columns = parameter->elements / rows;
    bool tall = rows > columns;
    int64_t count = tall ? columns : rows, length = tall ? rows : columns;
    double *vectors = net_allocate((size_t)parameter->elements, sizeof *vectors, error);
    if (!vectors)
        return false;
    for (int64_t i = 0; i < parameter->elements; i++) {
        int64_t row = i / columns, column = i % columns;
        vectors[tall ? column * length + row : i] = (double)values[i];
    }
    make_orthogonal(vectors, count, length);
    for (int64_t i = 0; i < parameter->elements; i++) {
        int64_t row = i / columns, column = i % columns;
        values[i] = (real)(parameter->a * vectors[tall ? column * length + row : i]);
    }
    free(vectors);
    return true;
}

/* torch.nn.init.dirac_: each channel's middle tap passes it on. */
static void fill_dirac(const NetParameter *parameter, real *values)
{
    int64_t groups = (int64_t)parameter->a, outs = parameter->dim[0] / groups,
            ins = parameter->dim[1], window = 1, middle = 0;
    for (int i = 2; i < parameter->rank; i++) {
        window *= parameter->dim[i];
        middle = middle * parameter->dim[i] + parameter->dim[i] / 2;
    }
    for (int64_t out = 0; out < groups * outs; out++)
        if (out % outs < ins)
            values[(out * ins + out % outs) * window + middle] = 1;
}

static void fill_eye(const NetParameter *parameter, real *values)
{
    for (int64_t i = 0; i < parameter->dim[0] && i < parameter->dim[1]; i++)
        values[i * parameter->dim[1] + i] = 1;
}

/* torch.nn.init.sparse_ (Martens 2010): the rows that a column's zeros are in are drawn for it. */
static bool fill_sparse(const NetParameter *parameter, real *values, uint64_t seed, NetError *error)
{
    int64_t rows = parameter->dim[0], columns = parameter->dim[1],
            zeros = (int64_t)ceil(parameter->a * (double)rows);
    int32_t *order = net_allocate((size_t)rows, sizeof *order, error);
    for (int64_t column = 0; order && column < columns; column++) {
        net_shuffle(order, rows, seed ^ net_hash(parameter->path), (uint64_t)column);
        for (int64_t i = 0; i < zeros; i++)
            values[order[i] * columns + column] = 0;
    }
    free(order);
    return order != NULL;
}

/* torch.nn.Embedding's padding_idx, whatever the others begin as. */
static void clear_padding(const NetParameter *parameter, real *values)
{
    int64_t row = parameter->padding_row, length = parameter->elements / parameter->dim[0];
    for (int64_t i = 0; row >= 0 && i < length; i++)
        values[row * length + i] = 0;
}

static bool fill_all(const NetParameter *parameter, real *values, uint64_t seed, NetError *error)
{
    uint64_t salt = net_hash(parameter->path);
    for (int64_t i = 0; i < parameter->elements; i++)
        values[i] = (real)draw(parameter, seed, salt, (uint64_t)i);
    if (parameter->init == NET_ORTHOGONAL)
        return fill_orthogonal(parameter, values, error);
    if (parameter->init == NET_SPARSE)
        return fill_sparse(parameter, values, seed, error);
    if (parameter->init == NET_DIRAC)
        fill_dirac(parameter, values);
    if (parameter->init == NET_EYE)
        fill_eye(parameter, values);
    return true;
}

static bool fill(const NetParameter *parameter, real *values, uint64_t seed, NetError *error)
{
    bool good = fill_all(parameter, values, seed, error);
    if (good)
        clear_padding(parameter, values);
    return good;
}

bool net_initialise(const NetModel *model, real *weights, real *buffers, int64_t *counters,
                    uint64_t seed, NetError *error)
{
    bool good = true;
    for (int i = 0; good && i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        switch (parameter->kind) {
        case NET_TRAINED:
            good = fill(parameter, weights + parameter->offset, seed, error);
            break;
        case NET_BUFFER:
            good = fill(parameter, buffers + parameter->offset, seed, error);
            break;
        case NET_COUNTER:
            counters[parameter->offset] = 0;
            break;
        }
    }
    net_first_magnitudes(model, weights);
    net_first_vectors(model, weights, buffers);
    net_derive(model, weights, buffers);
    return good;
}
