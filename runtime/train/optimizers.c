/* optimizers.c: how a gradient moves the weights.
 *
 * Each optimizer is one pass over a stretch of the weights, their gradient and
 * its own state, in the order of operations of PyTorch's single-tensor code, so
 * that twenty steps from the same weights end at the same weights.  A stretch
 * is as much of the arena as shares one learning rate and weight decay: all of
 * it, unless the network has groups or frozen parameters.  The threads split
 * the arena by range, whatever the stretches are.
 *
 * A new optimizer is one function and one entry of the table.
 */
#include "runtime.h"

/* gcc does not fuse under -std=c11, and does not know the pragma. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Some of a stretch.  state[slot] NULL: not used with these rates. */
typedef struct Part {
    real *weight;
    const real *gradient;
    real *state[NET_MAX_SLOTS];
    int64_t count;
} Part;

typedef struct NetOptimizerKind {
    const char *name;
    const char *slots[NET_MAX_SLOTS]; /* their names in PyTorch */
    bool (*uses)(const NetRates *rates, int slot);
    void (*update)(const NetRates *rates, const Part *part);
    double *(*momentum)(NetRates *rates); /* what a schedule's momentum sets */
} NetOptimizerKind;

static double *momentum_of(NetRates *rates)
{
    return &rates->momentum;
}

static double *beta1_of(NetRates *rates)
{
    return &rates->beta1;
}

/* ----------------------------------------------------------------- sgd */

static bool sgd_uses(const NetRates *rates, int slot)
{
    return slot == 0 && rates->momentum != 0;
}

typedef struct SgdFactors {
    real lr, decay, keep, take, ahead, now;
} SgdFactors;

/* `count` is a constant wherever it is large, so that the loop is vectorised at -O2. */
static inline __attribute__((always_inline)) void
sgd_momentum_block(const SgdFactors f, real *restrict weight, const real *restrict gradient,
                   real *restrict velocity, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        real g = gradient[i] + f.decay * weight[i];
        velocity[i] = f.keep * velocity[i] + f.take * g;
        weight[i] -= f.lr * (f.now * g + f.ahead * velocity[i]);
    }
}

static inline __attribute__((always_inline)) void sgd_plain_block(const SgdFactors f,
                                                                  real *restrict weight,
                                                                  const real *restrict gradient,
                                                                  int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        weight[i] -= f.lr * (gradient[i] + f.decay * weight[i]);
}

static NET_EACH_WIDTH void sgd_momentum(const SgdFactors f, const Part *part)
{
    int64_t i = 0;
    for (; i + NET_RANGE_UNIT <= part->count; i += NET_RANGE_UNIT)
        sgd_momentum_block(f, part->weight + i, part->gradient + i, part->state[0] + i,
                           NET_RANGE_UNIT);
    sgd_momentum_block(f, part->weight + i, part->gradient + i, part->state[0] + i,
                       part->count - i);
}

static NET_EACH_WIDTH void sgd_plain(const SgdFactors f, const Part *part)
{
    int64_t i = 0;
    for (; i + NET_RANGE_UNIT <= part->count; i += NET_RANGE_UNIT)
        sgd_plain_block(f, part->weight + i, part->gradient + i, NET_RANGE_UNIT);
    sgd_plain_block(f, part->weight + i, part->gradient + i, part->count - i);
}

/* torch.optim.SGD: g += wd w; v = momentum v + (1 - dampening) g, but v = g the
 * first time; g = nesterov ? g + momentum v : v; w -= lr g. */
static void sgd_update(const NetRates *rates, const Part *part)
{
    const bool first = rates->updates == 1;
    const SgdFactors f = {
        .lr = (real)rates->lr,
        .decay = (real)rates->weight_decay,
        .keep = first ? 0 : (real)rates->momentum,
        .take = first ? 1 : (real)(1 - rates->dampening),
        .ahead = rates->nesterov ? (real)rates->momentum : 1,
        .now = rates->nesterov,
    };
    if (part->state[0])
        sgd_momentum(f, part);
    else
        sgd_plain(f, part);
}

/* ---------------------------------------------------- adam and adamw */

static bool adam_uses(const NetRates *rates, int slot)
{
    return slot < 2 || rates->amsgrad;
}

static real root(real x)
{
    return sizeof(real) == sizeof(float) ? (real)sqrtf((float)x) : (real)sqrt((double)x);
}

/* torch.optim.Adam (Kingma and Ba 2015, algorithm 1; the two corrections are
 * folded into the step size and the denominator) with the largest second moment
 * so far where amsgrad asks for it (Reddi et al. 2018). */
static NET_EACH_WIDTH void adam_moments(const NetRates *rates, const Part *part, real decay,
                                        real shrink)
{
    const double correction1 = 1 - pow(rates->beta1, (double)rates->updates);
    const double correction2 = 1 - pow(rates->beta2, (double)rates->updates);
    const real step = (real)(rates->lr / correction1), scale = (real)sqrt(correction2);
    const real beta2 = (real)rates->beta2, eps = (real)rates->eps;
    const real rest1 = (real)(1 - rates->beta1), rest2 = (real)(1 - rates->beta2);
    real *restrict weight = part->weight, *restrict mean = part->state[0],
                   *restrict square = part->state[1];
    real *restrict max = part->state[2];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        mean[i] += rest1 * (g - mean[i]);
        square[i] = beta2 * square[i] + rest2 * g * g;
        if (max)
            max[i] = square[i] > max[i] ? square[i] : max[i];
        weight[i] =
            weight[i] * shrink - step * mean[i] / (root(max ? max[i] : square[i]) / scale + eps);
    }
}

/* Weight decay as L2: part of the gradient. */
static void adam_update(const NetRates *rates, const Part *part)
{
    adam_moments(rates, part, (real)rates->weight_decay, 1);
}

/* Weight decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2). */
static void adamw_update(const NetRates *rates, const Part *part)
{
    adam_moments(rates, part, 0, (real)(1 - rates->lr * rates->weight_decay));
}

/* ------------------------------------------------------------- rmsprop */

static bool rmsprop_uses(const NetRates *rates, int slot)
{
    return slot == 0 || (slot == 1 ? rates->momentum > 0 : rates->centered);
}

/* torch.optim.RMSprop (Hinton 2012, lecture 6e; centered: Graves 2013, eq. 38). */
static void rmsprop_update(const NetRates *rates, const Part *part)
{
    const real lr = (real)rates->lr, decay = (real)rates->weight_decay, eps = (real)rates->eps;
    const real alpha = (real)rates->alpha, rest = (real)(1 - rates->alpha),
               momentum = (real)rates->momentum;
    real *restrict weight = part->weight, *restrict square = part->state[0];
    real *restrict velocity = part->state[1], *restrict mean = part->state[2];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        square[i] = alpha * square[i] + rest * g * g;
        if (mean)
            mean[i] += rest * (g - mean[i]);
        real move = g / (root(mean ? square[i] - mean[i] * mean[i] : square[i]) + eps);
        if (velocity)
            move = velocity[i] = momentum * velocity[i] + move;
        weight[i] -= lr * move;
    }
}

/* --------------------------------------------------------------- table */

static const NetOptimizerKind kinds[] = {
    {"sgd", {"momentum_buffer"}, sgd_uses, sgd_update, momentum_of},
    {"adam", {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, adam_uses, adam_update, beta1_of},
    {"adamw", {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, adam_uses, adamw_update, beta1_of},
    {"rmsprop",
     {"square_avg", "momentum_buffer", "grad_avg"},
     rmsprop_uses,
     rmsprop_update,
     momentum_of},
};

static NetRates read_rates(const NetSettings *settings)
{
    return (NetRates){
        .momentum = net_setting(settings, "optimizer.momentum", 0),
        .dampening = net_setting(settings, "optimizer.dampening", 0),
        .nesterov = net_setting(settings, "optimizer.nesterov", 0) != 0,
        .beta1 = net_setting(settings, "optimizer.beta1", 0.9),
        .beta2 = net_setting(settings, "optimizer.beta2", 0.999),
        .eps = net_setting(settings, "optimizer.eps", 1e-8),
        .alpha = net_setting(settings, "optimizer.alpha", 0.99),
        .amsgrad = net_setting(settings, "optimizer.amsgrad", 0) != 0,
        .centered = net_setting(settings, "optimizer.centered", 0) != 0,
    };
}

/* ------------------------------------------------- groups and stretches */

/* What a group does not say is the optimizer's; group 0 says nothing. */
static NetGroup read_group(const NetSettings *settings, int number)
{
    char lr[32], decay[32];
    snprintf(lr, sizeof lr, "group.%d.lr", number);
    snprintf(decay, sizeof decay, "group.%d.weight_decay", number);
    NetGroup group = {
        .base_lr = net_setting(settings, lr, net_setting(settings, "optimizer.lr", 0.01)),
        .weight_decay =
            net_setting(settings, decay, net_setting(settings, "optimizer.weight_decay", 0)),
    };
    group.lr = group.base_lr;
    return group;
}

static bool read_groups(NetOptimizer *optimizer, const NetModel *model, const NetSettings *settings,
                        NetError *error)
{
    int count = 1;
    for (int i = 0; i < model->parameter_count; i++)
        if (model->parameters[i].group >= count)
            count = model->parameters[i].group + 1;
    optimizer->group_count = count;
    optimizer->groups = net_allocate((size_t)count, sizeof *optimizer->groups, error);
    for (int i = 0; optimizer->groups && i < count; i++)
        optimizer->groups[i] = read_group(settings, i);
    return optimizer->groups != NULL;
}

/* Neighbours of one group are one stretch; frozen parameters are in none. */
static bool read_stretches(NetOptimizer *optimizer, const NetModel *model, NetError *error)
{
    optimizer->stretches =
        net_allocate((size_t)model->parameter_count, sizeof *optimizer->stretches, error);
    if (!optimizer->stretches)
        return false;
    bool joins = false;
    for (int i = 0; i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        if (parameter->kind != NET_TRAINED)
            continue;
        NetStretch *last = joins ? &optimizer->stretches[optimizer->stretch_count - 1] : NULL;
        joins = !parameter->frozen;
        if (last && joins && last->group == parameter->group && last->to <= parameter->offset)
            last->to = parameter->offset + parameter->elements;
        else if (joins)
            optimizer->stretches[optimizer->stretch_count++] = (NetStretch){
                parameter->offset, parameter->offset + parameter->elements, parameter->group};
    }
    return true;
}

static bool allocate_state(NetOptimizer *optimizer, int64_t trained, NetError *error)
{
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++) {
        if (!optimizer->kind->slots[slot] || !optimizer->kind->uses(&optimizer->rates, slot))
            continue;
        optimizer->state[slot] =
            net_allocate((size_t)trained + NET_RANGE_UNIT, sizeof(real), error);
        if (!optimizer->state[slot])
            return false;
    }
    return true;
}

static bool find_kind(NetOptimizer *optimizer, const NetSettings *settings, NetError *error)
{
    const char *name = net_setting_word(settings, "optimizer", "sgd");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            optimizer->kind = &kinds[i];
    if (!optimizer->kind)
        return net_fail(error, "this library has no optimizer named %s", name);
    if (optimizer->rates.nesterov
        && (optimizer->rates.momentum <= 0 || optimizer->rates.dampening != 0))
        return net_fail(error, "optimizer.nesterov needs a momentum above 0 and a dampening of 0");
    double momentum = net_schedule_max_momentum(settings);
    if (momentum >= 0)
        *optimizer->kind->momentum(&optimizer->rates) = momentum;
    return true;
}

bool net_optimizer_open(NetOptimizer *optimizer, const NetModel *model, const NetSettings *settings,
                        NetError *error)
{
    *optimizer = (NetOptimizer){.rates = read_rates(settings)};
    if (find_kind(optimizer, settings, error) && read_groups(optimizer, model, settings, error)
        && read_stretches(optimizer, model, error)
        && allocate_state(optimizer, model->trained, error)
        && net_clip_open(&optimizer->clip, settings, model->trained, error))
        return true;
    net_optimizer_close(optimizer);
    return false;
}

void net_optimizer_close(NetOptimizer *optimizer)
{
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
        free(optimizer->state[slot]);
    free(optimizer->groups);
    free(optimizer->stretches);
    net_clip_close(&optimizer->clip);
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

/* ------------------------------------------------------------- a step */

void net_optimizer_schedule(NetOptimizer *optimizer, const NetSchedule *schedule, int64_t step,
                            int64_t epoch)
{
    for (int i = 0; i < optimizer->group_count; i++)
        optimizer->groups[i].lr =
            net_schedule_lr(schedule, optimizer->groups[i].base_lr, step, epoch);
    double momentum = net_schedule_momentum(schedule, step, epoch);
    if (momentum >= 0)
        *optimizer->kind->momentum(&optimizer->rates) = momentum;
    optimizer->rates.updates = step + 1;
}

void net_optimizer_update(const NetOptimizer *optimizer, real *weights, int64_t from, int64_t to,
                          const real *gradient)
{
    for (int i = 0; i < optimizer->stretch_count; i++) {
        const NetStretch *stretch = &optimizer->stretches[i];
        int64_t first = stretch->from > from ? stretch->from : from,
                end = stretch->to < to ? stretch->to : to;
        if (first >= end)
            continue;
        NetRates rates = optimizer->rates;
        rates.lr = optimizer->groups[stretch->group].lr;
        rates.weight_decay = optimizer->groups[stretch->group].weight_decay;
        Part part = {
            .weight = weights + first, .gradient = gradient + (first - from), .count = end - first};
        for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
            part.state[slot] = optimizer->state[slot] ? optimizer->state[slot] + first : NULL;
        optimizer->kind->update(&rates, &part);
    }
}
