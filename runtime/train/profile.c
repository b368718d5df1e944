/* profile.c: where the time of a step goes: each part of a program, one kernel's
 * call, with its multiply-adds a second and their share of the machine's peak.
 *
 * One thread runs it, so that a part's time is its own and no barrier's, and it
 * is timed by what it used, so that nothing else that runs is counted.  The
 * multiply-adds counted are those that define the layer: taps that a kernel
 * leaves out at a border are not taken off, and what a kernel does besides is
 * not added.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

typedef struct Clock {
    NetHook hook;          /* the first member: what the session is given */
    double last, *seconds; /* seconds[part], added to */
} Clock;

static void start_clock(NetHook *hook)
{
    ((Clock *)hook)->last = net_thread_seconds();
}

static void mark(NetHook *hook, const NetStep *step, const real *scratch, int64_t grain, int part)
{
    (void)step, (void)scratch, (void)grain;
    Clock *clock = (Clock *)hook;
    double now = net_thread_seconds();
    clock->seconds[part] += now - clock->last;
    clock->last = now;
}

/* ------------------------------------------------------------- measuring */

/* rows[repeat][0 … part_count): seconds per step of a part; then of a step. */
static void repeat_job(const NetProfile *profile, const NetJob *job, double *row)
{
    Clock clock = {{start_clock, mark}, 0, row};
    int parts = profile->program->part_count;
    job->session->hook = &clock.hook;
    double start = net_thread_seconds();
    net_job_run(job, profile->steps);
    row[parts] = net_thread_seconds() - start;
    job->session->hook = NULL;
    for (int i = 0; i <= parts; i++)
        row[i] /= (double)profile->steps;
}

static double median_of(const double *rows, int columns, int column)
{
    double values[NET_REPEATS];
    for (int i = 0; i < NET_REPEATS; i++)
        values[i] = rows[i * columns + column];
    return net_spread(values).median;
}

bool net_profile(NetProfile *profile, const NetJob *job, int64_t steps, NetError *error)
{
    const NetModel *model = job->session->model;
    *profile = (NetProfile){.program = job->optimizer ? &model->training : &model->inference,
                            .images = job->batch};
    int parts = profile->program->part_count, columns = parts + 1;
    double *rows = net_allocate((size_t)columns * NET_REPEATS, sizeof *rows, error),
           peaks[NET_REPEATS];
    profile->seconds = net_allocate((size_t)columns, sizeof *profile->seconds, error);
    if (rows && profile->seconds) {
        profile->steps = steps ? steps : net_job_steps(job);
        for (int i = 0; i < NET_REPEATS; i++) {
            peaks[i] = net_measure_peak(model, job->session->pool);
            repeat_job(profile, job, rows + i * columns);
        }
        for (int i = 0; i < parts; i++)
            profile->seconds[i] = median_of(rows, columns, i);
        profile->step = median_of(rows, columns, parts);
        profile->peak = net_spread(peaks).median;
    }
    bool good = rows && profile->seconds;
    free(rows);
    return good;
}

/* -------------------------------------------------------------- printing */

static int path_width(const NetProgram *program)
{
    int width = (int)strlen("loading, sums, update");
    for (int i = 0; i < program->part_count; i++) {
        int length = (int)strlen(program->parts[i].path);
        width = length > width ? length : width;
    }
    return width;
}

static void print_row(const NetProfile *profile, int width, const char *path, const char *stage,
                      double seconds, double multiply_adds, FILE *out)
{
    fprintf(out, "%-*s  %-19s  %9.2f  %5.1f %%", width, path, stage, seconds * 1e6,
            100 * seconds / profile->step);
    if (multiply_adds > 0 && seconds > 0)
        fprintf(out, "  %8.1f  %5.1f %%", 2e-9 * multiply_adds / seconds,
                100 * multiply_adds / seconds / profile->peak);
    fprintf(out, "\n");
}

void net_profile_print(const NetProfile *profile, FILE *out)
{
    const NetProgram *program = profile->program;
    double rest = profile->step, total = 0;
    int width = path_width(program);
    fprintf(out, "%-*s  %-19s  %9s  %7s  %8s  %7s\n", width, "layer", "kernel", "µs a step",
            "of step", "GFLOP/s", "of peak");
    for (int i = 0; i < program->part_count; i++) {
        const NetPart *part = &program->parts[i];
        double multiply_adds = (double)part->multiply_adds * (double)profile->images;
        print_row(profile, width, part->path, part->stage, profile->seconds[i], multiply_adds, out);
        rest -= profile->seconds[i];
        total += multiply_adds;
    }
    print_row(profile, width, "loading, sums, update", "", rest > 0 ? rest : 0, 0, out);
    print_row(profile, width, "step", "", profile->step, total, out);
}
