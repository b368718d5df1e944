/* optimizers.c: how a gradient moves the weights.
 *
 * Each optimizer is one pass over a range of the weights, their gradient and
 * its own state, in the order of operations of PyTorch's single-tensor code, so
 * that twenty steps from the same weights end at the same weights.  The threads
 * split the arena by range, and a range is whole blocks of NET_RANGE_UNIT
 * elements: an inner loop of a fixed count vectorises at -O2.
 *
 * A new optimizer is one function and one entry of the table.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct NetOptimizerKind {
    const char *name;
    const char *slots[NET_MAX_SLOTS];           /* their names in PyTorch */
    int (*slot_count)(const NetRates *rates);   /* how many of them these rates need */
    void (*update)(const NetOptimizer *optimizer, real *weights, const real *gradient, int64_t from, int64_t to);
} NetOptimizerKind;

/* ----------------------------------------------------------------- sgd */

static int sgd_slots(const NetRates *rates)
{
    return rates->momentum != 0;
}

/* torch.optim.SGD: g += wd w; v = momentum v + (1 - dampening) g, but v = g the
 * first time; g = nesterov ? g + momentum v : v; w -= lr g. */
static void sgd_with_momentum(const NetRates *rates, real *restrict weight, const real *restrict gradient,
                              real *restrict velocity, int64_t count)
{
    const real lr = (real)rates->lr, decay = (real)rates->weight_decay, momentum = (real)rates->momentum;
    const bool first = rates->updates == 1;
    const real keep = first ? 0 : momentum, take = first ? 1 : (real)(1 - rates->dampening);
    const real ahead = rates->nesterov ? momentum : 1, now = rates->nesterov;
    for (int64_t i = 0; i < count; i += NET_RANGE_UNIT)
        for (int64_t j = i; j < i + NET_RANGE_UNIT; j++) {
            real g = gradient[j] + decay * weight[j];
            velocity[j] = keep * velocity[j] + take * g;
            weight[j] -= lr * (now * g + ahead * velocity[j]);
        }
}

static void sgd_plain(const NetRates *rates, real *restrict weight, const real *restrict gradient, int64_t count)
{
    const real lr = (real)rates->lr, decay = (real)rates->weight_decay;
    for (int64_t i = 0; i < count; i += NET_RANGE_UNIT)
        for (int64_t j = i; j < i + NET_RANGE_UNIT; j++)
            weight[j] -= lr * (gradient[j] + decay * weight[j]);
}

static void sgd_update(const NetOptimizer *optimizer, real *weights, const real *gradient, int64_t from, int64_t to)
{
    real *velocity = optimizer->state[0];
    if (velocity)
        sgd_with_momentum(&optimizer->rates, weights + from, gradient + from, velocity + from, to - from);
    else
        sgd_plain(&optimizer->rates, weights + from, gradient + from, to - from);
}

/* ---------------------------------------------------------------- adam */

static int adam_slots(const NetRates *rates)
{
    (void)rates;
    return 2;
}

static real root(real x)
{
    return sizeof(real) == sizeof(float) ? (real)sqrtf((float)x) : (real)sqrt((double)x);
}

/* torch.optim.Adam with weight decay as L2 (Kingma and Ba 2015, algorithm 1;
 * the two corrections are folded into the step size and the denominator). */
static void adam_update(const NetOptimizer *optimizer, real *weights, const real *gradient, int64_t from, int64_t to)
{
    const NetRates *rates = &optimizer->rates;
    const double correction1 = 1 - pow(rates->beta1, (double)rates->updates);
    const double correction2 = 1 - pow(rates->beta2, (double)rates->updates);
    const real step = (real)(rates->lr / correction1), scale = (real)sqrt(correction2);
    const real beta2 = (real)rates->beta2, decay = (real)rates->weight_decay, eps = (real)rates->eps;
    const real rest1 = (real)(1 - rates->beta1), rest2 = (real)(1 - rates->beta2);
    real *restrict weight = weights, *restrict mean = optimizer->state[0], *restrict square = optimizer->state[1];
    for (int64_t i = from; i < to; i++) {
        real g = gradient[i] + decay * weight[i];
        mean[i] += rest1 * (g - mean[i]);
        square[i] = beta2 * square[i] + rest2 * g * g;
        weight[i] -= step * mean[i] / (root(square[i]) / scale + eps);
    }
}

/* --------------------------------------------------------------- table */

static const NetOptimizerKind kinds[] = {
    { "sgd", { "momentum_buffer" }, sgd_slots, sgd_update },
    { "adam", { "exp_avg", "exp_avg_sq" }, adam_slots, adam_update },
};

static NetRates read_rates(const NetSettings *settings)
{
    return (NetRates){
        .lr = net_setting(settings, "optimizer.lr", 0.01),
        .momentum = net_setting(settings, "optimizer.momentum", 0),
        .dampening = net_setting(settings, "optimizer.dampening", 0),
        .weight_decay = net_setting(settings, "optimizer.weight_decay", 0),
        .nesterov = net_setting(settings, "optimizer.nesterov", 0) != 0,
        .beta1 = net_setting(settings, "optimizer.beta1", 0.9),
        .beta2 = net_setting(settings, "optimizer.beta2", 0.999),
        .eps = net_setting(settings, "optimizer.eps", 1e-8),
    };
}

bool net_optimizer_open(NetOptimizer *optimizer, const NetSettings *settings, int64_t trained, NetError *error)
{
    const char *name = net_setting_word(settings, "optimizer", "sgd");
    *optimizer = (NetOptimizer){.rates = read_rates(settings)};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            optimizer->kind = &kinds[i];
    if (!optimizer->kind)
        return net_fail(error, "this library has no optimizer named %s", name);
    if (optimizer->rates.nesterov && (optimizer->rates.momentum <= 0 || optimizer->rates.dampening != 0))
        return net_fail(error, "optimizer.nesterov needs a momentum above 0 and a dampening of 0");
    for (int slot = 0; slot < optimizer->kind->slot_count(&optimizer->rates); slot++) {
        optimizer->state[slot] = net_allocate((size_t)trained + NET_RANGE_UNIT, sizeof(real), error);
        if (!optimizer->state[slot]) {
            net_optimizer_close(optimizer);
            return false;
        }
    }
    return true;
}

void net_optimizer_close(NetOptimizer *optimizer)
{
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
        free(optimizer->state[slot]);
    *optimizer = (NetOptimizer){0};
}

const char *net_optimizer_name(const NetOptimizer *optimizer)
{
    return optimizer->kind->name;
}

const char *net_optimizer_slot(const NetOptimizer *optimizer, int slot)
{
    return optimizer->kind->slots[slot];
}

void net_optimizer_update(const NetOptimizer *optimizer, real *weights, const real *gradient, int64_t from, int64_t to)
{
    optimizer->kind->update(optimizer, weights, gradient, from, to);
}
