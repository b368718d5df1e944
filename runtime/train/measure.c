/* measure.c: what a benchmark is made of: a job that is repeated, the spread of
 * what its repeats took, and the machine's peak.
 *
 * The median is what a busy machine disturbs least; the least and the most tell
 * how far to trust it.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

static const double REPEAT_SECONDS = 0.2;

enum { WARM_STEPS = 3, PEAK_TURNS = 1 << 18, PEAK_TRIES = 3 };  /* a try is about a millisecond */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

NetSpread net_spread(const double values[NET_REPEATS])
{
    double sorted[NET_REPEATS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, NET_REPEATS, sizeof *sorted, ascending);
    return (NetSpread){ sorted[NET_REPEATS / 2], sorted[0], sorted[NET_REPEATS - 1] };
}

/* ------------------------------------------------------------------ jobs */

void net_job_run(const NetJob *job, int64_t steps)
{
    int64_t batches = job->images ? job->images->count / job->batch : 1;
    for (int64_t step = 0; step < steps; step++) {
        NetBatch batch = {
            .images = job->images, .order = job->order, .first = step % batches * job->batch, .count = job->batch,
        };
        if (job->logits)
            net_predict(job->session, job->pixels, job->batch, job->logits);
        else if (job->optimizer)
            net_train_batch(job->session, &batch, job->optimizer);
        else
            net_test_batch(job->session, &batch);
    }
}

int64_t net_job_steps(const NetJob *job)
{
    int64_t steps = 1;
    net_job_run(job, WARM_STEPS);
    for (double seconds = 0;; steps *= 2) {
        double start = net_seconds();
        net_job_run(job, steps);
        seconds = net_seconds() - start;
        if (seconds > REPEAT_SECONDS / 4)
            return (int64_t)(REPEAT_SECONDS / seconds * (double)steps) + 1;
    }
}

/* ------------------------------------------------------------------ peak */

typedef struct Peak { NetPeak *make; int64_t *made; real *sums; } Peak;

static void make_peak(void *context, int thread)
{
    const Peak *peak = context;
    peak->made[thread] = peak->make(PEAK_TURNS, &peak->sums[thread]);
}

double net_measure_peak(const NetModel *model, NetPool *pool)
{
    int threads = net_pool_threads(pool);
    int64_t made[threads];
    real sums[threads];
    Peak peak = { model->peak, made, sums };
    double best = 0;
    for (int i = 0; i < PEAK_TRIES; i++) {
        double start = net_seconds();
        net_pool_run(pool, make_peak, &peak);
        double rate = (double)made[0] * threads / (net_seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}
