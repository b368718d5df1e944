/* initial.c: a network's first weights.
 *
 * Every parameter draws from its own stream, numbered by the hash of its name:
 * adding a layer, or renaming one, leaves the others' first values as they are.
 */
#include "runtime.h"

static double draw(const NetParameter *parameter, uint64_t seed, uint64_t salt, uint64_t index)
{
    switch (parameter->init) {
    case NET_CONSTANT:
        return parameter->a;
    case NET_UNIFORM:
        return parameter->a + (parameter->b - parameter->a) * net_random(seed, 0, salt, index);
    case NET_NORMAL:
        return parameter->a + parameter->b * net_random_normal(seed, 0, salt, index);
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
}
