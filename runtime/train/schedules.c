/* schedules.c: the learning rate of every step.
 *
 * A schedule is a closed form of the place in the run, never a recurrence, so a
 * resumed run needs no state of it.  A new schedule is one function and one
 * entry of the table.
 */
#include "runtime.h"

#include <math.h>
#include <string.h>

typedef struct NetScheduleKind {
    const char *name;
    double (*rate)(const NetSchedule *schedule, double t);      /* t: epochs or steps after the warmup */
} NetScheduleKind;

static double constant_rate(const NetSchedule *schedule, double t)
{
    (void)t;
    return schedule->lr;
}

/* torch.optim.lr_scheduler.CosineAnnealingLR's closed form (Loshchilov and
 * Hutter 2017, "SGDR", eq. 5, without restarts): past T_max it stays at the
 * lowest rate. */
static double cosine_rate(const NetSchedule *schedule, double t)
{
    double length = schedule->t_max - schedule->warmup;
    double part = length > 0 ? fmin(t / length, 1) : 1;
    return schedule->eta_min + (schedule->lr - schedule->eta_min) * (1 + cos(acos(-1) * part)) / 2;
}

static const NetScheduleKind kinds[] = {
    { "constant", constant_rate },
    { "cosine", cosine_rate },
};

bool net_schedule_open(NetSchedule *schedule, const NetSettings *settings, int64_t steps_per_epoch, NetError *error)
{
    const char *name = net_setting_word(settings, "schedule", "constant");
    bool by_step = strcmp(net_setting_word(settings, "schedule.by", "epoch"), "step") == 0;
    double whole = net_setting(settings, "epochs", 1) * (by_step ? (double)steps_per_epoch : 1);
    *schedule = (NetSchedule){
        .lr = net_setting(settings, "optimizer.lr", 0.01),
        .eta_min = net_setting(settings, "schedule.eta_min", 0),
        .warmup = net_setting(settings, "schedule.warmup", 0),
        .t_max = net_setting(settings, "schedule.T_max", whole),
        .by_step = by_step,
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            schedule->kind = &kinds[i];
    return schedule->kind || net_fail(error, "this library has no schedule named %s", name);
}

double net_schedule_lr(const NetSchedule *schedule, int64_t step, int64_t epoch)
{
    double t = (double)(schedule->by_step ? step : epoch);
    if (t < schedule->warmup)
        return schedule->lr * (t + 1) / schedule->warmup;
    return schedule->kind->rate(schedule, t - schedule->warmup);
}
