/* cores.c: how a step would scale to more cores than there are here.
 *
 * A step's schedule is replayed: who computes which grains, which pieces of a kernel, which share
 * of a whole-batch gradient and of the update, and where they wait for one another.  Each piece
 * is timed by itself, as the core that has it would compute it, the least of a few
 * repeats.  The model adds them up:
 *
 *   a kernel that a team shares takes as long as its slowest piece, another one as long as its
 *   first thread needs for it, and a phase as long as the slowest thread;
 *   to meet takes what two threads here take, times the number of the others: the barrier is one
 *   counter, which all of them change;
 *   cores that work at the same time disturb each other as much as all cores here do, which is
 *   measured: grains on all of them at once against one grain alone.
 *
 * What it leaves out: a piece's inputs lie in the caches of other cores, and more cores than here
 * may share a memory.  Measured figures stand beside the model's as far as there are cores.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REPEATS = 3, MEETINGS = 2000 };

typedef struct Clock {
    NetHook hook; /* the first member: what the session is given */
    double last;
    double *least; /* [part_count]: of the member that runs */
} Clock;

/* A step of a job, piece by piece. */
typedef struct Model {
    const NetProgram *program;
    NetJob job; /* on one thread */
    int64_t grains;
    double disturbed; /* what a grain takes on all cores here at once, against alone */
    double meeting;   /* seconds, of two threads */
    double load;
    int *phase;              /* [part_count]: that the part runs in */
    int64_t *meets;          /* [phase_count]: how often the last team meets in it */
    double *shared, *lonely; /* [part_count]: seconds of a part by that team, and by one thread */
    int members;             /* of that team */
} Model;

static void begin(NetHook *hook)
{
    ((Clock *)hook)->last = net_seconds();
}

static void mark(NetHook *hook, const NetStep *step, const real *scratch, int64_t grain, int part)
{
    (void)step, (void)scratch, (void)grain;
    Clock *clock = (Clock *)hook;
    double now = net_seconds();
    clock->least[part] = fmin(clock->least[part], now - clock->last);
    clock->last = net_seconds();
}

/* ------------------------------------------------------------- measuring */

static NetBatch first_batch(const NetJob *job)
{
    return (NetBatch){.images = job->images, .order = job->order, .count = job->batch};
}

/* Seconds of one piece of work, the least of some repeats; its parts are told to `least`. */
static double time_piece(const Model *model, NetPiece piece, double *least)
{
    bool counts = piece.kind == NET_PIECE_GRAIN && piece.number == 0;
    const NetBatch batch = first_batch(&model->job);
    Clock clock = {.hook = {begin, mark}, .least = least};
    double best = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = clock.last = net_seconds();
        int64_t met = net_run_piece(model->job.session, &batch, model->job.optimizer, piece,
                                    least ? &clock.hook : NULL);
        if (counts)
            model->meets[piece.phase] = met;
        best = fmin(best, net_seconds() - start);
    }
    return best;
}

/* A part that has a time by now, and had none, runs in this phase. */
static void note_phase(const Model *model, int phase, const double *least)
{
    for (int i = 0; i < model->program->part_count; i++)
        if (model->phase[i] < 0 && isfinite(least[i]))
            model->phase[i] = phase;
}

/* [members][part_count]: of a grain that so many compute. */
static double *time_team(const Model *model, int members, NetError *error)
{
    int parts = model->program->part_count;
    double *least = net_allocate((size_t)members * (size_t)parts, sizeof *least, error);
    for (int i = 0; least && i < members * parts; i++)
        least[i] = INFINITY;
    for (int phase = 0; least && phase < model->program->phase_count; phase++) {
        for (int member = 0; member < members; member++)
            time_piece(model, (NetPiece){NET_PIECE_GRAIN, phase, member, members},
                       least + (size_t)member * (size_t)parts);
        note_phase(model, phase, least);
    }
    return least;
}

/* ----------------------------------------------------------------- model */

static double meetings(const Model *model, int members)
{
    return model->meeting * (members - 1);
}

/* A grain's phase by a team. */
static double phase_of_team(Model *model, int phase, const double *least, int members)
{
    const NetProgram *program = model->program;
    double seconds = phase == 0 ? model->load : 0;
    if (members > 1)
        seconds += (double)model->meets[phase] * meetings(model, members);
    for (int i = 0; i < program->part_count; i++) {
        if (model->phase[i] != phase)
            continue;
        double slowest = 0; /* of those that have a part of it: of a small kernel, the first */
        for (int member = 0; member < members; member++) {
            double its = least[member * program->part_count + i];
            slowest = isfinite(its) ? fmax(slowest, its) : slowest;
        }
        seconds += slowest;
        (members > 1 ? model->shared : model->lonely)[i] = slowest;
    }
    return seconds;
}

static double slowest_share(const Model *model, NetPieceKind kind, int phase, int cores)
{
    double slowest = 0;
    for (int core = 0; core < cores; core++)
        slowest = fmax(slowest, time_piece(model, (NetPiece){kind, phase, core, cores}, NULL));
    return slowest;
}

/* Seconds of a step on so many cores; `alone` is of a grain by one thread. */
static double step_on(Model *model, int cores, const double *alone, NetError *error)
{
    int64_t each = model->grains / cores, left = model->grains % cores;
    int members = left ? (int)(cores / left) : 1;
    double *team = left ? time_team(model, members, error) : NULL, seconds = 0;
    if (left && !team)
        return NAN;
    model->members = members;
    for (int phase = 0; phase < model->program->phase_count; phase++) {
        double whole = phase_of_team(model, phase, alone, 1);
        seconds += (double)each * whole;
        if (left)
            seconds += phase_of_team(model, phase, team, members);
        if (model->program->phases[phase].shared_count)
            seconds +=
                slowest_share(model, NET_PIECE_SHARED, phase, cores) + meetings(model, cores);
        seconds += meetings(model, cores);
    }
    if (model->job.optimizer)
        seconds += slowest_share(model, NET_PIECE_UPDATE, 0, cores) + meetings(model, cores);
    free(team);
    return seconds * (cores > 1 ? model->disturbed : 1);
}

/* ------------------------------------------------------------ this machine */

typedef struct Meeting {
    NetPool *pool;
    double seconds;
} Meeting;

static void meet_often(void *context, int thread)
{
    Meeting *meeting = context;
    double start = net_seconds();
    for (int i = 0; i < MEETINGS; i++)
        net_pool_barrier(meeting->pool);
    if (thread == 0)
        meeting->seconds = (net_seconds() - start) / MEETINGS;
}

/* Of a pool of all cores, per thread beyond the first; a guess where there is one core. */
static double measure_meeting(NetPool *pool)
{
    static const double GUESS = 0.5e-6;
    int others = net_pool_threads(pool) - 1;
    Meeting meeting = {.pool = pool};
    if (others < 1)
        return GUESS;
    net_pool_run(pool, meet_often, &meeting);
    return meeting.seconds / others;
}

static double step_seconds(const NetJob *job)
{
    double best = INFINITY;
    net_job_run(job, 1);
    for (int i = 0; i < REPEATS; i++) {
        double start = net_seconds();
        net_job_run(job, 1);
        best = fmin(best, net_seconds() - start);
    }
    return best;
}

/* How much longer a step of a grain for each core takes than that of one grain on one of them. */
static double measure_disturbance(const NetCores *cores)
{
    int lanes = cores->all.session->model->lanes,
        threads = net_pool_threads(cores->all.session->pool);
    NetJob together = cores->all, alone = cores->one;
    alone.batch = lanes < alone.batch ? lanes : alone.batch;
    together.batch = (int64_t)lanes * (threads - 1) + alone.batch;
    if (together.images && together.images->count < together.batch)
        return 1;
    return fmax(1, step_seconds(&together) / step_seconds(&alone));
}

/* ------------------------------------------------------------------ all */

static bool open_model(Model *model, const NetCores *cores, double **alone, NetError *error)
{
    const NetModel *net = cores->one.session->model;
    *model = (Model){.program = cores->one.optimizer ? &net->training : &net->inference,
                     .job = cores->one,
                     .grains = (cores->one.batch + net->lanes - 1) / net->lanes};
    int parts = model->program->part_count;
    model->phase = net_allocate((size_t)parts + 1, sizeof *model->phase, error);
    model->meets =
        net_allocate((size_t)model->program->phase_count + 1, sizeof *model->meets, error);
    model->shared = net_allocate((size_t)parts + 1, sizeof *model->shared, error);
    model->lonely = net_allocate((size_t)parts + 1, sizeof *model->lonely, error);
    net_job_run(&cores->one, 1);
    bool good = model->phase && model->meets && model->shared && model->lonely;
    for (int i = 0; good && i < parts; i++)
        model->phase[i] = -1;
    *alone = good ? time_team(model, 1, error) : NULL;
    if (*alone) {
        model->meeting = measure_meeting(cores->all.session->pool);
        model->disturbed = measure_disturbance(cores);
        model->load = time_piece(model, (NetPiece){NET_PIECE_LOAD, 0, 0, 1}, NULL);
    }
    return *alone != NULL;
}

static void print_scaling(const NetOnCores *results, int count, const NetJob *job, FILE *out)
{
    char rate[32];
    const int64_t batch = job->batch;
    snprintf(rate, sizeof rate, "%s/s", net_noun(job->session->model).many);
    double one = 0;
    for (int i = 0; i < count; i++)
        one = results[i].cores == 1 ? results[i].seconds : one;
    fprintf(out, "%5s  %12s  %10s  %9s  %10s  %12s\n", "cores", "µs a step", rate, "× one",
            "efficiency", "measured, µs");
    for (int i = 0; i < count; i++) {
        const NetOnCores *on = &results[i];
        double times = one > 0 ? one / on->seconds : NAN;
        fprintf(out, "%5d  %11.1f  %10.0f", on->cores, on->seconds * 1e6,
                (double)batch / on->seconds);
        if (one > 0)
            fprintf(out, "  %8.2f  %8.1f %%", times, 100 * times / on->cores);
        else
            fprintf(out, "  %8s  %10s", "", "");
        if (on->measured > 0)
            fprintf(out, "  %12.1f (%+.1f %%)", on->measured * 1e6,
                    100 * (on->seconds / on->measured - 1));
        fprintf(out, "\n");
    }
}

enum { SHOWN = 12 };

/* Of the last team that computed a grain: which kernels keep its threads waiting the longest. */
static void print_waiting(Model *model, FILE *out)
{
    const NetProgram *program = model->program;
    if (model->members < 2)
        return;
    fprintf(out,
            "\nkernels for which %d threads of a grain wait the longest:\n%-28s %-19s  %10s  %10s"
            "  %10s\n",
            model->members, "layer", "kernel", "alone, µs", "shared, µs", "efficiency");
    for (int shown = 0; shown < SHOWN; shown++) {
        int most = -1;
        double longest = 0;
        for (int i = 0; i < program->part_count; i++) {
            double waits = model->shared[i] - model->lonely[i] / model->members;
            if (waits > longest) {
                longest = waits;
                most = i;
            }
        }
        if (most < 0)
            return;
        fprintf(out, "%-28s %-19s  %10.1f  %10.1f  %8.1f %%\n", program->parts[most].path,
                program->parts[most].stage, model->lonely[most] * 1e6, model->shared[most] * 1e6,
                100 * model->lonely[most] / model->shared[most] / model->members);
        model->shared[most] = 0;
    }
}

bool net_cores(const NetCores *cores, NetOnCores *results, FILE *out, NetError *error)
{
    Model model;
    double *alone = NULL;
    int here = net_pool_threads(cores->all.session->pool);
    bool good = open_model(&model, cores, &alone, error);
    for (int i = 0; good && i < cores->count; i++) {
        int count = cores->cores[i];
        results[i] = (NetOnCores){.cores = count, .seconds = step_on(&model, count, alone, error)};
        if (count == 1)
            results[i].measured = step_seconds(&cores->one);
        else if (count == here)
            results[i].measured = step_seconds(&cores->all);
        good = isfinite(results[i].seconds);
    }
    if (good) {
        print_scaling(results, cores->count, &cores->one, out);
        print_waiting(&model, out);
    }
    free(alone);
    free(model.phase);
    free(model.meets);
    free(model.shared);
    free(model.lonely);
    return good;
}
