/* measure.c: what a benchmark is made of: a job that is repeated, the spread of
 * what its repeats took, and the machine's peak.
 *
 * The median is what a busy machine disturbs least; the least and the most tell
 * how far to trust it.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double REPEAT_SECONDS = 0.2;

enum {
    WARM_STEPS = 3,
    PEAK_ITERATIONS = 1 << 18,
    PEAK_TRIES = 3
}; /* a try is about a millisecond */

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
    return (NetSpread){sorted[NET_REPEATS / 2], sorted[0], sorted[NET_REPEATS - 1]};
}

/* ------------------------------------------------------------------ jobs */

void net_job_run(const NetJob *job, int64_t steps)
{
    int64_t batches = job->images ? job->images->count / job->batch : 1;
    for (int64_t step = 0; step < steps; step++) {
        NetBatch batch = {
            .images = job->images,
            .order = job->order,
            .first = step % batches * job->batch,
            .count = job->batch,
        };
        if (job->logits)
            net_predict_inputs(job->session, job->inputs, job->batch, job->logits, NULL);
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

double net_thread_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* ------------------------------------------------------------------ peak */

typedef struct Peak {
    NetPeak *make;
    double *rates;
    real *sums;
} Peak;

/* Timed by what the thread itself used, so that a busy machine does not make a
 * low peak and flatter what is held against it. */
static void make_peak(void *context, int thread)
{
    const Peak *peak = context;
    double start = net_thread_seconds();
    int64_t made = peak->make(PEAK_ITERATIONS, &peak->sums[thread]);
    peak->rates[thread] = (double)made / (net_thread_seconds() - start);
}

double net_measure_peak(const NetModel *model, NetPool *pool)
{
    int threads = net_pool_threads(pool);
    double rates[threads], best = 0;
    real sums[threads];
    Peak peak = {model->peak, rates, sums};
    for (int i = 0; i < PEAK_TRIES; i++) {
        double rate = 0;
        net_pool_run(pool, make_peak, &peak);
        for (int thread = 0; thread < threads; thread++)
            rate += rates[thread];
        best = rate > best ? rate : best;
    }
    return best;
}
