/* lrfind.c: which learning rate to train with, found by a short run whose rate rises.
 *
 * Each step's rate is the one before times the same factor, from one far too small to one far too
 * large.  The loss first stays, then falls, then rises: the rate at which it falls fastest is a
 * good one (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3).  The
 * loss is smoothed by an exponential mean that is freed of its bias, as Adam frees its own, and the
 * run ends when it is far above its lowest.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 24, BAR = 40, SKIPPED = 10 }; /* steps whose mean is of too few losses */

static const double KEPT = 0.95, TOO_FAR = 4; /* of the mean; times the lowest loss */

typedef struct Finder {
    NetSession *session;
    NetOptimizer *optimizer;
    const NetData *data;
    const NetLrFind *options;
    NetAugment augment;
    int32_t *order;
    int64_t position, epoch;
    double mean;
    int64_t count; /* of steps that are done */
    double *rates, *losses;
} Finder;

/* Images of the next step; after an epoch's last ones the next epoch begins. */
static int64_t begin_step(Finder *finder)
{
    const NetSession *session = finder->session;
    int64_t images = net_trained_images(finder->data), most = session->batch * session->passes;
    if (finder->position >= images) {
        finder->position = 0;
        finder->epoch++;
    }
    if (finder->position == 0) {
        net_order_images(finder->order, finder->data, session->seed, (uint64_t)finder->epoch);
        net_repeat_order(&finder->augment, finder->order);
        finder->augment.epoch = (uint64_t)finder->epoch;
    }
    int64_t left = images - finder->position;
    return left < most ? left : most;
}

/* A step of `count` images in its passes, as loop.c's; gives their mean loss. */
static double run_step(Finder *finder, int64_t count)
{
    NetSession *session = finder->session;
    double sum = 0;
    int64_t done = 0;
    for (int pass = 0; done < count && isfinite(sum); pass++) {
        int64_t left = count - done, some = left < session->batch ? left : session->batch;
        NetBatch batch = {.images = &finder->data->train,
                          .order = finder->order,
                          .first = finder->position + done,
                          .count = some,
                          .offset =
                              net_text_offset(finder->data, session->seed, (uint64_t)finder->epoch),
                          .augment = net_augments(&finder->augment) ? &finder->augment : NULL,
                          .mixing = net_mix_draw(&finder->augment, finder->position + done),
                          .pass = pass,
                          .more = some < left,
                          .portion = (double)some / (double)count};
        sum += net_train_batch(session, &batch, finder->optimizer).loss * (double)some;
        done += some;
    }
    finder->position += count;
    return sum / (double)count;
}

/* Groups keep the proportion of their rates. */
static void set_rate(NetOptimizer *optimizer, double rate)
{
    double base = optimizer->groups[0].base_lr;
    for (int i = 0; i < optimizer->group_count; i++) {
        NetGroup *group = &optimizer->groups[i];
        group->lr = base > 0 ? rate * group->base_lr / base : rate;
        group->plain_lr = base > 0 ? rate * group->plain_base / base : rate;
    }
}

/* False: the loss is too far up, or no number. */
static bool step(Finder *finder, double rate)
{
    set_rate(finder->optimizer, rate);
    net_optimizer_count(finder->optimizer, finder->count);
    double mean = run_step(finder, begin_step(finder));
    if (!isfinite(mean))
        return false;
    finder->mean = KEPT * finder->mean + (1 - KEPT) * mean;
    double loss = finder->mean / (1 - pow(KEPT, (double)(finder->count + 1))), lowest = loss;
    finder->rates[finder->count] = rate;
    finder->losses[finder->count++] = loss;
    for (int64_t i = SKIPPED; i < finder->count; i++)
        lowest = fmin(lowest, finder->losses[i]);
    return finder->count <= SKIPPED || lowest <= 0 || loss < TOO_FAR * lowest;
}

/* Where the loss falls fastest by the rate's logarithm, before it is lowest; -1: nowhere. */
static int64_t find_steepest(const Finder *finder)
{
    int64_t lowest = SKIPPED, steepest = -1;
    double fall = 0;
    for (int64_t i = SKIPPED; i < finder->count; i++)
        lowest = finder->losses[i] < finder->losses[lowest] ? i : lowest;
    for (int64_t i = SKIPPED + 1; i < lowest; i++) {
        double slope = finder->losses[i + 1] - finder->losses[i - 1];
        if (slope < fall) {
            fall = slope;
            steepest = i;
        }
    }
    return steepest;
}

static void print_curve(const Finder *finder, int64_t suggested, FILE *out)
{
    int64_t rows = finder->count < ROWS ? finder->count : ROWS;
    double min = HUGE_VAL, max = -HUGE_VAL;
    for (int64_t i = 0; i < finder->count; i++) {
        min = fmin(min, finder->losses[i]);
        max = fmax(max, finder->losses[i]);
    }
    fprintf(out, "        lr      loss\n");
    for (int64_t row = 0; row < rows; row++) {
        int64_t from = row * finder->count / rows, to = (row + 1) * finder->count / rows;
        bool has = suggested >= from && suggested < to;
        int64_t i = has ? suggested : (from + to) / 2;
        int bar = max > min ? (int)((finder->losses[i] - min) / (max - min) * BAR + 0.5) : 0;
        fprintf(out, "%10.2e  %8.4f  ", finder->rates[i], finder->losses[i]);
        for (int k = 0; k < bar; k++)
            fputs(net_is_utf8() ? "█" : "#", out);
        fputs(has ? bar ? " ← suggested\n" : "← suggested\n" : "\n", out);
    }
}

static bool open_finder(Finder *finder, const NetSettings *settings, NetError *error)
{
    size_t steps = (size_t)finder->options->steps;
    finder->order = net_allocate((size_t)finder->data->train.count, sizeof *finder->order, error);
    finder->rates = net_allocate(2 * steps, sizeof *finder->rates, error);
    finder->losses = finder->rates ? finder->rates + steps : NULL;
    return finder->order && finder->rates
           && net_augment_begin(&finder->augment, settings, finder->session, finder->data, error);
}

static void close_finder(Finder *finder)
{
    net_augment_close(&finder->augment);
    free(finder->order);
    free(finder->rates);
}

static void tell(const Finder *finder, FILE *out)
{
    const NetLrFind *options = finder->options;
    int64_t suggested = find_steepest(finder);
    print_curve(finder, suggested, out);
    if (suggested < 0) {
        fprintf(out, "the loss falls nowhere between %.2e and %.2e: try --from and --to\n",
                options->from, finder->rates[finder->count - 1]);
        return;
    }
    fprintf(out, "suggested: --lr %.2g, where the loss falls fastest", finder->rates[suggested]);
    if (finder->count < options->steps)
        fprintf(out, "; from %.2g on it rises", finder->rates[finder->count - 1]);
    fputc('\n', out);
}

static bool log_all(const Finder *finder, NetError *error)
{
    NetLog log;
    NetError ignored;
    const NetLogPlan plan = {
        .path = finder->options->log, .model = finder->session->model, .split = "test"};
    bool good = net_log_open(&log, &plan, NULL, error);
    for (int64_t i = 0; good && i < finder->count; i++)
        good = net_log_step(&log, 1, i + 1, finder->losses[i], finder->rates[i], error);
    return net_log_close(&log, good ? error : &ignored) && good;
}

bool net_lr_find(NetSession *session, NetOptimizer *optimizer, const NetSettings *settings,
                 const NetData *data, const NetLrFind *options, FILE *out, NetError *error)
{
    Finder finder = {.session = session, .optimizer = optimizer, .data = data, .options = options};
    bool good = open_finder(&finder, settings, error);
    double factor = pow(options->to / options->from, 1 / (double)(options->steps - 1));
    for (int64_t i = 0; good && i < options->steps && !net_signal_asked(); i++)
        if (!step(&finder, options->from * pow(factor, (double)i)))
            break;
    if (good && finder.count <= SKIPPED + 2)
        good = net_fail(error,
                        "the loss is no number, or far too large, after %" PRId64
                        " steps: give a smaller --from",
                        finder.count);
    if (good)
        tell(&finder, out);
    good = good && log_all(&finder, error);
    close_finder(&finder);
    return good;
}
