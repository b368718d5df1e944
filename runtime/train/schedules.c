/* schedules.c: the learning rate of every step.
 *
 * A schedule is a closed form of the position in the run, PyTorch's, never a
 * recurrence, so a resumed run needs no state of it.  A new schedule is one
 * function and one entry of the table.
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
    {"constant", constant_rate},       {"step", step_rate},     {"multi_step", multi_step_rate},
    {"exponential", exponential_rate}, {"cosine", cosine_rate}, {"one_cycle", one_cycle_rate},
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
    double warmup = net_setting(settings, "schedule.warmup", 0);
    const NetValue *milestones = net_setting_find(settings, "schedule.milestones");
    *schedule = (NetSchedule){
        .eta_min = net_setting(settings, "schedule.eta_min", 0),
        .warmup = warmup,
        .t_max = net_setting(settings, "schedule.T_max", whole > warmup ? whole - warmup : 1),
        .gamma = net_setting(settings, "schedule.gamma", 0.1),
        .step_size = net_setting(settings, "schedule.step_size", 1),
        .milestones = milestones ? milestones->numbers : NULL,
        .milestone_count = milestones ? milestones->count : 0,
        .cycle = read_cycle(settings, whole),
        .by_step = by_step,
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
