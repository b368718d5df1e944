/* optimizers.c: how gradients move the weights.
 *
 * Each optimizer is one pass over a stretch of the weights, their gradient and
 * its own state, in the order of operations of PyTorch's single-tensor code, so
 * that twenty steps from the same weights end at the same weights.  A stretch
 * is as much of the arena as shares one learning rate and weight decay: all of
 * it, unless the network has groups or frozen parameters.  The threads split
 * the arena by range, whatever the stretches are.
 *
 * A new optimizer is one function and one entry of a table: elementwise.c has those that look at
 * one weight at a time, layerwise.c those that need a layer's norm.
 */
#include "train/optimizer.h"

/* gcc does not fuse under -std=c11, and does not know the pragma. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include <math.h>
#include <stdlib.h>
#include <string.h>

double *net_momentum_of(NetRates *rates)
{
    return &rates->momentum;
}

double *net_beta1_of(NetRates *rates)
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

static const NetOptimizerKind sgd = {.name = "sgd",
                                     .slots = {"momentum_buffer"},
                                     .uses = sgd_uses,
                                     .update = sgd_update,
                                     .momentum = net_momentum_of};

/* --------------------------------------------------------------- rates */

static bool flag(const NetSettings *settings, const char *path)
{
    return net_setting(settings, path, 0) != 0;
}

static NetRates read_rates(const NetSettings *settings)
{
    double beta1 = net_setting(settings, "optimizer.beta1", 0.9);
    return (NetRates){
        .momentum = net_setting(settings, "optimizer.momentum", 0),
        .dampening = net_setting(settings, "optimizer.dampening", 0),
        .nesterov = flag(settings, "optimizer.nesterov"),
        .beta1 = beta1,
        .beta2 = net_setting(settings, "optimizer.beta2", 0.999),
        .eps = net_setting(settings, "optimizer.eps", 1e-8),
        .alpha = net_setting(settings, "optimizer.alpha", 0.99),
        .amsgrad = flag(settings, "optimizer.amsgrad"),
        .centered = flag(settings, "optimizer.centered"),
        .rho = net_setting(settings, "optimizer.rho", 0.9),
        .lr_decay = net_setting(settings, "optimizer.lr_decay", 0),
        .initial = net_setting(settings, "optimizer.initial_accumulator_value", 0),
        .momentum_decay = net_setting(settings, "optimizer.momentum_decay", 4e-3),
        .trust = net_setting(settings, "optimizer.trust_coefficient", 1e-3),
        .ns_steps = (int)net_setting(settings, "optimizer.ns_steps", 5),
        .adam_eps = net_setting(settings, "optimizer.adam_eps", 1e-8),
        .decoupled = flag(settings, "optimizer.decoupled_weight_decay"),
        .eps_inside = flag(settings, "optimizer.eps_inside"),
        .lr_in_momentum = flag(settings, "optimizer.lr_in_momentum"),
        .match_rms = strcmp(net_setting_word(settings, "optimizer.adjust_lr_fn", "original"),
                            "match_rms_adamw")
                     == 0,
        .mu = beta1,
        .mu_next = beta1,
        .mu_product = beta1,
    };
}

/* ------------------------------------------------- groups and stretches */

/* What a group does not say is the optimizer's; group 0 says nothing. */
static NetGroup read_group(const NetSettings *settings, int number)
{
    char lr[32], decay[32], adapt[32], clip[32], max_norm[32];
    snprintf(lr, sizeof lr, "group.%d.lr", number);
    snprintf(decay, sizeof decay, "group.%d.weight_decay", number);
    snprintf(adapt, sizeof adapt, "group.%d.adapt", number);
    snprintf(clip, sizeof clip, "group.%d.clip", number);
    snprintf(max_norm, sizeof max_norm, "group.%d.max_norm", number);
    double own = net_setting(settings, "optimizer.lr", 0.01),
           adam = net_setting(settings, "optimizer.adam_lr", own);
    NetGroup group = {
        .base_lr = net_setting(settings, lr, own),
        .weight_decay =
            net_setting(settings, decay, net_setting(settings, "optimizer.weight_decay", 0)),
        .plain_base = net_setting(settings, lr, adam),
        .adapts = net_setting(settings, adapt, 1) != 0,
        .clips = net_setting(settings, clip, 1) != 0,
        .max_norm = net_setting(settings, max_norm, 0),
    };
    group.lr = group.base_lr;
    group.plain_lr = group.plain_base;
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

/* Neighbours of one group and layer are one stretch; frozen parameters are in none. */
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
        if (last && joins && last->group == parameter->group && last->layer == parameter->layer
            && last->to <= parameter->offset)
            last->to = parameter->offset + parameter->elements;
        else if (joins)
            optimizer->stretches[optimizer->stretch_count++] =
                (NetStretch){parameter->offset, parameter->offset + parameter->elements,
                             parameter->group, parameter->layer};
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
        double first =
            optimizer->kind->begins ? optimizer->kind->begins(&optimizer->rates, slot) : 0;
        for (int64_t i = 0; first != 0 && i < trained; i++)
            optimizer->state[slot][i] = (real)first;
    }
    return true;
}

static const NetOptimizerKind *kind_named(const char *name)
{
    const NetOptimizerKind *kind;
    if (strcmp(name, sgd.name) == 0)
        return &sgd;
    for (int i = 0; (kind = net_elementwise(i)); i++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    for (int i = 0; (kind = net_layerwise(i)); i++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

static bool find_kind(NetOptimizer *optimizer, const NetSettings *settings, NetError *error)
{
    const char *name = net_setting_word(settings, "optimizer", "sgd");
    optimizer->kind = kind_named(name);
    if (!optimizer->kind)
        return net_fail(error, "this library has no optimizer named %s", name);
    if (optimizer->kind == &sgd && optimizer->rates.nesterov
        && (optimizer->rates.momentum <= 0 || optimizer->rates.dampening != 0))
        return net_fail(error, "optimizer.nesterov needs a momentum above 0 and a dampening of 0");
    double momentum = net_schedule_max_momentum(settings);
    if (momentum >= 0 && !optimizer->kind->momentum)
        return net_fail(error, "schedule.cycle_momentum: %s has no momentum", name);
    if (momentum >= 0)
        *optimizer->kind->momentum(&optimizer->rates) = momentum;
    return true;
}

bool net_optimizer_open(NetOptimizer *optimizer, const NetModel *model, const NetSettings *settings,
                        NetError *error)
{
    *optimizer = (NetOptimizer){.rates = read_rates(settings),
                                .mu_product = 1,
                                .layer_decay = net_setting(settings, "layer_decay", 1)};
    if (find_kind(optimizer, settings, error) && read_groups(optimizer, model, settings, error)
        && read_stretches(optimizer, model, error)
        && allocate_state(optimizer, model->trained, error)
        && net_layers_open(optimizer, model, error)
        && net_average_open(&optimizer->average, model, settings, error)
        && net_clip_open(&optimizer->clip, settings, model->trained, error)
        && net_units_open(optimizer, model, error))
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
    net_layers_close(optimizer);
    net_average_close(&optimizer->average);
    net_units_close(optimizer);
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

/* torch.optim.NAdam's momentum at update t, counted from 1 (Dozat 2016, section 3.2). */
static double nadam_momentum(const NetRates *rates, int64_t t)
{
    return rates->beta1 * (1 - 0.5 * pow(0.96, (double)t * rates->momentum_decay));
}

void net_optimizer_count(NetOptimizer *optimizer, int64_t step)
{
    NetRates *rates = &optimizer->rates;
    rates->updates = step + 1;
    rates->mu = nadam_momentum(rates, step + 1);
    rates->mu_next = nadam_momentum(rates, step + 2);
    rates->mu_product = optimizer->mu_product *= rates->mu;
}

void net_optimizer_schedule(NetOptimizer *optimizer, const NetSchedule *schedule, int64_t step,
                            int64_t epoch)
{
    for (int i = 0; i < optimizer->group_count; i++) {
        NetGroup *group = &optimizer->groups[i];
        group->lr = net_schedule_lr(schedule, group->base_lr, step, epoch);
        group->plain_lr = net_schedule_lr(schedule, group->plain_base, step, epoch);
    }
    double momentum = net_schedule_momentum(schedule, step, epoch);
    if (momentum >= 0)
        *optimizer->kind->momentum(&optimizer->rates) = momentum;
    net_optimizer_count(optimizer, step);
}

/* The rates of a group; of a layer that is not adapted, the plain ones.  Layers before the last are
 * slower by what `layer_decay` says: Bao et al. 2022, "BEiT", as timm's param_groups_layer_decay. */
static NetRates rates_of(const NetOptimizer *optimizer, int group, int layer, bool adapts)
{
    NetRates rates = optimizer->rates;
    rates.lr = adapts ? optimizer->groups[group].lr : optimizer->groups[group].plain_lr;
    rates.lr *= pow(optimizer->layer_decay, layer);
    rates.weight_decay = optimizer->groups[group].weight_decay;
    return rates;
}

typedef void Work(const NetRates *rates, const Part *part);

/* What lies in [from, to) of a stretch or a layer, [first, end). */
static void work_on(const NetOptimizer *optimizer, Work *work, const NetRates *rates, Part part,
                    int64_t first, int64_t end)
{
    part.weight += first;
    part.count = end - first;
    part.direction = optimizer->layers.direction ? optimizer->layers.direction + first : NULL;
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
        part.state[slot] = optimizer->state[slot] ? optimizer->state[slot] + first : NULL;
    work(rates, &part);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void work_on_layers(const NetOptimizer *optimizer, Work *work, real *weights, int64_t from,
                           int64_t to, const real *gradient)
{
    for (int i = 0; i < optimizer->layers.count; i++) {
        const NetMoved *layer = &optimizer->layers.items[i];
        int64_t first = larger(layer->from, from), end = smaller(layer->to, to);
        if (first >= end)
            continue;
        NetRates rates = rates_of(optimizer, layer->group, layer->layer, layer->adapts);
        Part part = {.weight = weights, .gradient = gradient + (first - from), .layer = layer};
        if (work == optimizer->kind->update)
            part.scale = net_layer_scale(optimizer, &rates, layer);
        work_on(optimizer, work, &rates, part, first, end);
    }
}

void net_optimizer_direct(const NetOptimizer *optimizer, real *weights, int64_t from, int64_t to,
                          const real *gradient)
{
    if (optimizer->kind->direct)
        work_on_layers(optimizer, optimizer->kind->direct, weights, from, to, gradient);
}

void net_optimizer_update(const NetOptimizer *optimizer, real *weights, int64_t from, int64_t to,
                          const real *gradient)
{
    if (optimizer->kind->layerwise) {
        work_on_layers(optimizer, optimizer->kind->update, weights, from, to, gradient);
        return;
    }
    for (int i = 0; i < optimizer->stretch_count; i++) {
        const NetStretch *stretch = &optimizer->stretches[i];
        int64_t first = larger(stretch->from, from), end = smaller(stretch->to, to);
        if (first >= end)
            continue;
        NetRates rates = rates_of(optimizer, stretch->group, stretch->layer, true);
        Part part = {.weight = weights, .gradient = gradient + (first - from)};
        work_on(optimizer, optimizer->kind->update, &rates, part, first, end);
    }
}
