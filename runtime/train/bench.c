/* bench.c: how fast the network trains and answers here.
 *
 * Images are drawn into memory first, so what is measured is a step as training
 * runs it, loading and update included.  The median of several repeats is what
 * a busy machine disturbs least.
 */
#include "runtime.h"

#include <stdlib.h>

enum { REPEATS = 5, LEAST_IMAGES = 512, WARM_STEPS = 3 };

typedef struct Bench {
    NetSession *session;
    NetOptimizer optimizer;
    NetImages images;
    int64_t batch;              /* of the kind measured */
    bool training;
} Bench;

static void run_steps(const Bench *bench, int64_t steps)
{
    int64_t batches = bench->images.count / bench->batch;
    for (int64_t step = 0; step < steps; step++) {
        NetBatch batch = {.images = &bench->images, .first = step % batches * bench->batch, .count = bench->batch};
        if (bench->training)
            net_train_batch(bench->session, &batch, &bench->optimizer);
        else
            net_test_batch(bench->session, &batch);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Seconds per step. */
static double measure(const Bench *bench, int64_t steps)
{
    double seconds[REPEATS];
    run_steps(bench, steps < WARM_STEPS ? steps : WARM_STEPS);
    for (int i = 0; i < REPEATS; i++) {
        double start = net_seconds();
        run_steps(bench, steps);
        seconds[i] = (net_seconds() - start) / (double)steps;
    }
    qsort(seconds, REPEATS, sizeof *seconds, ascending);
    return seconds[REPEATS / 2];
}

static void report(FILE *out, const char *what, const Bench *bench, double seconds)
{
    fprintf(out, "%-10s batch %5lld  %12.0f images/s  %10.3f ms per step\n", what, (long long)bench->batch,
            (double)bench->batch / seconds, seconds * 1e3);
}

static void run_all(Bench *bench, int64_t steps, FILE *out)
{
    int64_t batch = bench->session->batch;
    fprintf(out, "%s: %s kernels for %s, %d thread%s, median of %d × %lld steps\n", bench->session->model->name,
            bench->session->model->kernels, bench->session->model->target, net_pool_threads(bench->session->pool),
            net_pool_threads(bench->session->pool) == 1 ? "" : "s", REPEATS, (long long)steps);
    bench->batch = batch;
    bench->training = bench->session->training;
    if (bench->training)
        report(out, "training", bench, measure(bench, steps));
    bench->training = false;
    report(out, "inference", bench, measure(bench, steps));
    bench->batch = 1;
    if (batch > 1)
        report(out, "inference", bench, measure(bench, steps));
}

bool net_bench(const NetModel *model, const NetSettings *settings, int threads, int64_t steps, FILE *out, NetError *error)
{
    uint64_t seed = (uint64_t)net_setting(settings, "seed", 1);
    int64_t batch = (int64_t)net_setting(settings, "batch", 64), count = (LEAST_IMAGES + batch - 1) / batch * batch;
    Bench bench = {0};
    bench.session = net_session_open(model, threads, batch, seed, model->training.phase_count > 0, error);
    bool good = bench.session
        && net_session_normalise(bench.session, settings, error)
        && net_optimizer_open(&bench.optimizer, model, settings, error)
        && net_draw_synthetic(&bench.images, count, bench.session->image, model->classes, seed, 0, error);
    bench.optimizer.rates.updates = 2;
    if (good)
        run_all(&bench, steps, out);
    free(bench.images.pixels);
    free(bench.images.labels);
    net_optimizer_close(&bench.optimizer);
    net_close(bench.session);
    return good;
}
