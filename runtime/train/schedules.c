/* schedules.c: the learning rate of every step.
 *
 * A schedule is a closed form of the position in the run, PyTorch's, never a
 * recurrence, so a resumed run needs no state of it; only plateau has one, which a checkpoint
 * keeps.  A new schedule is one function and one entry of the table.
 */
#include "runtime.h"

#include <math.h>
#include <string.h>

typedef struct NetScheduleKind {
    const char *name;
    /* t: epochs or steps after the warmup */
    double (*rate)(const NetSchedule *schedule, double lr, double t);
} NetScheduleKind;

static double constant_rate(const NetSchedule *schedule, double lr, double t)
{
    (void)schedule, (void)t;
    return lr;
}

/* torch.optim.lr_scheduler.StepLR */
static double step_rate(const NetSchedule *schedule, double lr, double t)
{
    return lr * pow(schedule->gamma, floor(t / schedule->step_size));
}

/* MultiStepLR */
static double multi_step_rate(const NetSchedule *schedule, double lr, double t)
{
    int passed = 0;
    for (int i = 0; i < schedule->milestone_count; i++)
        passed += schedule->milestones[i] <= t;
    return lr * pow(schedule->gamma, passed);
}

/* ExponentialLR */
static double exponential_rate(const NetSchedule *schedule, double lr, double t)
{
    return lr * pow(schedule->gamma, t);
}

/* CosineAnnealingLR (Loshchilov and Hutter 2017, "SGDR", eq. 5, without
 * restarts): past T_max it rises again. */
static double cosine_rate(const NetSchedule *schedule, double lr, double t)
{
    return schedule->eta_min
           + (lr - schedule->eta_min) * (1 + cos(acos(-1) * t / schedule->t_max)) / 2;
}

/* The part of total_iters that is over. */
static double part_over(const NetSchedule *schedule, double t)
{
    return fmin(t, schedule->total_iters) / schedule->total_iters;
}

/* LinearLR */
static double linear_rate(const NetSchedule *schedule, double lr, double t)
{
    double from = schedule->start_factor, to = schedule->end_factor;
    return lr * (from + (to - from) * part_over(schedule, t));
}

/* PolynomialLR */
static double polynomial_rate(const NetSchedule *schedule, double lr, double t)
{
    return lr * pow(1 - part_over(schedule, t), schedule->power);
}

/* Vaswani et al. 2017, section 5.3: after a warmup of n steps, step s has sqrt(n/s) of the rate. */
static double inverse_sqrt_rate(const NetSchedule *schedule, double lr, double t)
{
    return lr * sqrt(schedule->timescale / (schedule->timescale + t));
}

/* Caffe's policy inv (caffe.proto, SolverParameter.lr_policy). */
static double inv_rate(const NetSchedule *schedule, double lr, double t)
{
    return lr * pow(1 + schedule->gamma * t, -schedule->power);
}

/* CosineAnnealingWarmRestarts (Loshchilov and Hutter 2017, "SGDR", eq. 5): each stretch is T_mult
 * times as long as the one before. */
static double restarts_rate(const NetSchedule *schedule, double lr, double t)
{
    double length = schedule->t_0;
    if (schedule->t_mult == 1)
        t = fmod(t, length);
    while (t >= length) {
        t -= length;
        length *= schedule->t_mult;
    }
    return schedule->eta_min + (lr - schedule->eta_min) * (1 + cos(acos(-1) * t / length)) / 2;
}

/* -------------------------------------------------------------- plateau */

/* ReduceLROnPlateau, of so many drops so far. */
static double plateau_rate(const NetSchedule *schedule, double lr, double t)
{
    const NetPlateau *plateau = &schedule->plateau;
    (void)t;
    for (int64_t drop = 0; drop < schedule->state.drops; drop++) {
        double lower = fmax(lr * plateau->factor, plateau->min_lr);
        if (lr - lower <= plateau->eps)
            break;
        lr = lower;
    }
    return lr;
}

static bool is_better(const NetPlateau *plateau, double figure, double best)
{
    double part = plateau->relative ? plateau->threshold * best : plateau->threshold;
    if (plateau->relative && plateau->rises)
        return figure > best * (plateau->threshold + 1);
    return plateau->rises ? figure > best + part : figure < best - part;
}

bool net_schedule_judges(const NetSchedule *schedule)
{
    return schedule->kind->rate == plateau_rate;
}

void net_schedule_judge(NetSchedule *schedule, int64_t epoch, double figure)
{
    const NetPlateau *plateau = &schedule->plateau;
    NetPlateauState *state = &schedule->state;
    if (!net_schedule_judges(schedule) || (double)epoch < schedule->warmup)
        return;
    if (state->judged ? is_better(plateau, figure, state->best) : isfinite(figure)) {
        state->best = figure;
        state->bad = 0;
        state->judged = true;
    } else {
        state->bad++;
    }
    if (state->cooling > 0) {
        state->cooling--;
        state->bad = 0;
    }
    if (state->bad > plateau->patience) {
        state->drops++;
        state->cooling = plateau->cooldown;
        state->bad = 0;
    }
}

static NetPlateau read_plateau(const NetSettings *settings)
{
    return (NetPlateau){
        .factor = net_setting(settings, "schedule.factor", 0.1),
        .threshold = net_setting(settings, "schedule.threshold", 1e-4),
        .min_lr = net_setting(settings, "schedule.min_lr", 0),
        .eps = net_setting(settings, "schedule.eps", 1e-8),
        .patience = (int64_t)net_setting(settings, "schedule.patience", 10),
        .cooldown = (int64_t)net_setting(settings, "schedule.cooldown", 0),
        .rises = strcmp(net_setting_word(settings, "schedule.mode", "min"), "max") == 0,
        .relative =
            strcmp(net_setting_word(settings, "schedule.threshold_mode", "rel"), "rel") == 0,
        .monitor = net_setting_word(settings, "schedule.monitor", NULL),
    };
}

/* ------------------------------------------------------------ one cycle */

/* Both of OneCycleLR's forms (Smith and Topin 2019, "Super-convergence"): part
 * of the way from one value to another. */
static double anneal(const NetCycle *cycle, double from, double to, double part)
{
    return cycle->linear ? from + (to - from) * part
                         : to + (from - to) * (1 + cos(acos(-1) * part)) / 2;
}

/* Where t falls: values[phase] to values[phase + 1]; the last step reaches the end. */
static double along(const NetCycle *cycle, const double *values, double t)
{
    double rise = cycle->pct_start * cycle->total - 1;
    const double ends[] = {0, rise, cycle->three_phase ? 2 * rise : cycle->total - 1,
                           cycle->total - 1};
    int last = cycle->three_phase ? 2 : 1, phase = 0;
    while (phase < last && t > ends[phase + 1])
        phase++;
    double length = ends[phase + 1] - ends[phase];
    double part = length > 0 ? fmin((t - ends[phase]) / length, 1) : 1;
    return anneal(cycle, values[phase], values[phase + 1], part);
}

static double one_cycle_rate(const NetSchedule *schedule, double lr, double t)
{
    (void)lr;
    const NetCycle *cycle = &schedule->cycle;
    double first = cycle->max_lr / cycle->div_factor, min = first / cycle->final_div_factor;
    const double two[] = {first, cycle->max_lr, min}, three[] = {first, cycle->max_lr, first, min};
    return along(cycle, cycle->three_phase ? three : two, t);
}

/* ---------------------------------------------------------------- table */

static const NetScheduleKind kinds[] = {
    {"constant", constant_rate},
    {"step", step_rate},
    {"multi_step", multi_step_rate},
    {"exponential", exponential_rate},
    {"linear", linear_rate},
    {"polynomial", polynomial_rate},
    {"inverse_sqrt", inverse_sqrt_rate},
    {"inv", inv_rate},
    {"cosine", cosine_rate},
    {"cosine_warm_restarts", restarts_rate},
    {"plateau", plateau_rate},
    {"one_cycle", one_cycle_rate},
};

static bool is_cycle(const NetSettings *settings)
{
    return strcmp(net_setting_word(settings, "schedule", "constant"), "one_cycle") == 0;
}

static NetCycle read_cycle(const NetSettings *settings, double whole)
{
    return (NetCycle){
        .total = net_setting(settings, "schedule.total_steps", whole),
        .max_lr = net_setting(settings, "schedule.max_lr", 0),
        .pct_start = net_setting(settings, "schedule.pct_start", 0.3),
        .linear =
            strcmp(net_setting_word(settings, "schedule.anneal_strategy", "cos"), "linear") == 0,
        .cycle_momentum =
            is_cycle(settings) && net_setting(settings, "schedule.cycle_momentum", 1) != 0,
        .base_momentum = net_setting(settings, "schedule.base_momentum", 0.85),
        .max_momentum = net_setting(settings, "schedule.max_momentum", 0.95),
        .div_factor = net_setting(settings, "schedule.div_factor", 25),
        .final_div_factor = net_setting(settings, "schedule.final_div_factor", 1e4),
        .three_phase = net_setting(settings, "schedule.three_phase", 0) != 0,
    };
}

bool net_schedule_open(NetSchedule *schedule, const NetSettings *settings, int64_t steps_per_epoch,
                       NetError *error)
{
    const char *name = net_setting_word(settings, "schedule", "constant");
    bool by_step = strcmp(net_setting_word(settings, "schedule.by", "epoch"), "step") == 0;
    double whole = net_setting(settings, "epochs", 1) * (by_step ? (double)steps_per_epoch : 1);
    double warmup = net_setting(settings, "schedule.warmup", 0),
           left = whole > warmup ? whole - warmup : 1;
    const NetValue *milestones = net_setting_find(settings, "schedule.milestones");
    *schedule = (NetSchedule){
        .eta_min = net_setting(settings, "schedule.eta_min", 0),
        .warmup = warmup,
        .t_max = net_setting(settings, "schedule.T_max", left),
        .gamma = net_setting(settings, "schedule.gamma", 0.1),
        .step_size = net_setting(settings, "schedule.step_size", 1),
        .milestones = milestones ? milestones->numbers : NULL,
        .milestone_count = milestones ? milestones->count : 0,
        .cycle = read_cycle(settings, whole),
        .by_step = by_step,
        .warmup_decay = net_setting(settings, "schedule.warmup_decay", -1),
        .start_factor = net_setting(settings, "schedule.start_factor", 1.0 / 3),
        .end_factor = net_setting(settings, "schedule.end_factor", 1),
        .total_iters = net_setting(settings, "schedule.total_iters", left),
        .power = net_setting(settings, "schedule.power", 1),
        .timescale = net_setting(settings, "schedule.timescale", warmup > 0 ? warmup : 1),
        .t_0 = net_setting(settings, "schedule.T_0", left),
        .t_mult = net_setting(settings, "schedule.T_mult", 1),
        .plateau = read_plateau(settings),
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            schedule->kind = &kinds[i];
    return schedule->kind || net_fail(error, "this library has no schedule named %s", name);
}

static double position(const NetSchedule *schedule, int64_t step, int64_t epoch)
{
    return (double)(schedule->by_step ? step : epoch);
}

double net_schedule_lr(const NetSchedule *schedule, double lr, int64_t step, int64_t epoch)
{
    double t = position(schedule, step, epoch);
    if (t < schedule->warmup && schedule->warmup_decay >= 0)
        return lr * (schedule->warmup_decay + (1 - schedule->warmup_decay) * t / schedule->warmup);
    if (t < schedule->warmup)
        return lr * (t + 1) / schedule->warmup;
    return schedule->kind->rate(schedule, lr, t - schedule->warmup);
}

double net_schedule_momentum(const NetSchedule *schedule, int64_t step, int64_t epoch)
{
    const NetCycle *cycle = &schedule->cycle;
    const double values[] = {cycle->max_momentum, cycle->base_momentum, cycle->max_momentum,
                             cycle->max_momentum};
    return cycle->cycle_momentum ? along(cycle, values, position(schedule, step, epoch)) : -1;
}

double net_schedule_max_momentum(const NetSettings *settings)
{
    NetCycle cycle = read_cycle(settings, 1);
    return cycle.cycle_momentum ? cycle.max_momentum : -1;
}
