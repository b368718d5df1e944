/* average.c: running averages of the weights, which are often better than the weights themselves.
 *
 * As torchvision's ExponentialMovingAverage: after every so many steps
 *     average = decay * average + (1 - decay) * weight
 * of every parameter and every running statistic; the first time, and while the rate warms up, it
 * is a copy.  Tests and saved weights are of the average; a checkpoint has both.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

bool net_average_open(NetAverage *average, const NetModel *model, const NetSettings *settings,
                      NetError *error)
{
    *average = (NetAverage){
        .decay = net_setting(settings, "ema.decay", 0),
        .every = (int64_t)net_setting(settings, "ema.every", 1),
        .warmup = (int64_t)net_setting(settings, "ema.warmup", 0),
    };
    if (!net_setting_find(settings, "ema.decay"))
        return true;
    average->weights = net_allocate((size_t)model->trained + NET_RANGE_UNIT, sizeof(real), error);
    average->buffers =
        average->weights ? net_allocate((size_t)model->buffers, sizeof(real), error) : NULL;
    return average->buffers != NULL;
}

void net_average_close(NetAverage *average)
{
    free(average->weights);
    free(average->buffers);
    *average = (NetAverage){0};
}

/* One step's, on all threads. */
typedef struct Averaging {
    const NetAverage *average;
    const NetSession *session;
    bool copies;
} Averaging;

static NET_EACH_WIDTH void mix(real *restrict average, const real *restrict value, real keep,
                               real take, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        average[i] = keep * average[i] + take * value[i];
}

static void take(const Averaging *work, real *average, const real *values, NetShare part)
{
    const real keep = (real)work->average->decay, rest = (real)(1 - work->average->decay);
    int64_t count = part.to - part.from;
    if (work->copies && count > 0)
        memcpy(average + part.from, values + part.from, (size_t)count * sizeof *average);
    else
        mix(average + part.from, values + part.from, keep, rest, count);
}

static void average_share(void *context, int thread)
{
    const Averaging *work = context;
    const NetSession *session = work->session;
    int threads = net_pool_threads(session->pool);
    take(work, work->average->weights, session->weights,
         net_share(session->model->trained, thread, threads));
    take(work, work->average->buffers, session->buffers,
         net_share(session->model->buffers, thread, threads));
}

static void average_all(const NetAverage *average, const NetSession *session, bool copies)
{
    Averaging work = {average, session, copies};
    net_pool_run(session->pool, average_share, &work);
}

void net_average_begin(NetAverage *average, const NetSession *session)
{
    if (average->weights && average->updates == 0)
        average_all(average, session, true);
}

void net_average_step(NetAverage *average, const NetSession *session, int64_t step, int64_t epoch)
{
    if (!average->weights || step % average->every != 0)
        return;
    average_all(average, session, average->updates == 0);
    average->updates = epoch < average->warmup ? 0 : average->updates + 1;
}

static void swap(real **a, real **b)
{
    real *kept = *a;
    *a = *b;
    *b = kept;
}

void net_average_exchange(NetAverage *average, NetSession *session)
{
    if (!average->weights)
        return;
    swap(&average->weights, &session->weights);
    swap(&average->buffers, &session->buffers);
    average->in_use = !average->in_use;
    if (average->in_use)
        net_derive(session->model, session->weights, session->buffers);
}
