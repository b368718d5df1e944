/* loop.c: epochs of steps, and what happens between them.
 *
 * The place in the run is one NetProgress, which a checkpoint keeps; everything
 * else (the order of the images, the learning rate, dropout's masks) follows
 * from it and the seed, so a resumed run is the run that was never stopped.
 */
#include "runtime.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>

typedef struct Loop {
    NetSession *session;
    NetOptimizer *optimizer;
    const NetSettings *settings;
    const NetData *data;
    NetProgress *progress;
    const NetRun *run;
    NetSchedule schedule;
    NetAugment augment;
    NetLog log;
    NetMeter meter;
    int32_t *order;             /* of this epoch; NULL: as in the file */
    int64_t epochs;
} Loop;

/* ---------------------------------------------------------- interruption */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* The first Ctrl-C ends the run after its step; a second one kills. */
static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    interrupted = 0;
    sigaction(SIGINT, &action, NULL);
}

static bool at_limit(const Loop *loop)
{
    return loop->run->max_steps >= 0 && loop->progress->step >= loop->run->max_steps;
}

/* ---------------------------------------------------------------- a step */

/* The log has the step too.  Weights and checkpoint stay as they were before it. */
static bool fail_step(Loop *loop, const NetBatch *images, double loss, NetError *error)
{
    const NetProgress *progress = loop->progress;
    char where[NET_SHAPE_TEXT + 160];
    long long step = (long long)progress->step + 1, epoch = (long long)progress->epoch + 1;
    if (!net_log_step(&loop->log, epoch, step, loss, loop->optimizer->groups[0].lr, error))
        return false;
    net_explain_loss(loop->session, images, where, sizeof where);
    return net_fail(error, "the loss is %s at step %lld (epoch %lld): %s; the run is stopped, and a smaller --lr may help",
                    isnan(loss) ? "nan" : "infinite", step, epoch, where);
}

/* Of the epoch so far. */
static double mean_loss(const NetProgress *progress)
{
    return progress->loss_sum / (double)progress->position;
}

static double accuracy(const NetProgress *progress)
{
    return (double)progress->correct / (double)progress->position;
}

static bool step(Loop *loop, NetError *error)
{
    NetProgress *progress = loop->progress;
    int64_t left = progress->train_images - progress->position, batch = loop->session->batch;
    NetBatch images = {
        .images = &loop->data->train, .order = loop->order, .first = progress->position,
        .count = left < batch ? left : batch, .augment = loop->augment.count > 0 ? &loop->augment : NULL,
    };
    net_optimizer_schedule(loop->optimizer, &loop->schedule, progress->step, progress->epoch);
    NetResult result = net_train_batch(loop->session, &images, loop->optimizer);
    if (!isfinite(result.loss))
        return fail_step(loop, &images, result.loss, error);
    progress->step++;
    progress->position += images.count;
    progress->loss_sum += result.loss * (double)images.count;
    progress->correct += result.correct;
    if (!net_log_step(&loop->log, progress->epoch + 1, progress->step, result.loss, loop->optimizer->groups[0].lr, error))
        return false;
    net_meter_step(&loop->meter, progress->epoch, progress->position, mean_loss(progress), accuracy(progress));
    return true;
}

/* -------------------------------------------------------------- an epoch */

static bool write_checkpoint(const Loop *loop, NetError *error)
{
    return !loop->run->checkpoint
        || net_checkpoint_write(loop->run->checkpoint, loop->session, loop->optimizer, loop->settings, loop->progress, error);
}

static bool finish_epoch(Loop *loop, double seconds, int64_t images, NetError *error)
{
    NetProgress *progress = loop->progress;
    NetResult test = net_test_split(loop->session, &loop->data->test, NULL);
    NetEpoch epoch = {
        .epoch = progress->epoch + 1,
        .train_loss = progress->loss_sum / (double)progress->train_images,
        .test_loss = test.loss,
        .test_accuracy = test.images > 0 ? (double)test.correct / (double)test.images : 0,
        .seconds = seconds,
        .images_per_second = seconds > 0 ? (double)images / seconds : 0,
    };
    net_meter_summary(&loop->meter, &epoch);
    progress->epoch++;
    progress->position = progress->correct = 0;
    progress->loss_sum = 0;
    return net_log_epoch(&loop->log, &epoch, error) && net_check_weights(loop->session, error) && write_checkpoint(loop, error);
}

/* From wherever the progress stands to the epoch's end, or to where the run stops. */
static bool run_epoch(Loop *loop, NetError *error)
{
    NetProgress *progress = loop->progress;
    double start = net_seconds();
    int64_t first = progress->position;
    loop->augment.epoch = (uint64_t)progress->epoch;
    if (loop->order)
        net_shuffle(loop->order, progress->train_images, loop->session->seed, (uint64_t)progress->epoch);
    net_meter_epoch(&loop->meter, first);
    while (progress->position < progress->train_images && !interrupted && !at_limit(loop))
        if (!step(loop, error))
            return false;
    if (progress->position < progress->train_images)
        return true;
    return finish_epoch(loop, net_seconds() - start, progress->train_images - first, error);
}

/* ----------------------------------------------------------------- a run */

/* A run of hours must not find out at its end that it cannot write. */
static bool can_write(const char *path, NetError *error)
{
    NetOutput output;
    if (!path)
        return true;
    if (!net_create(&output, path, error))
        return false;
    net_discard(&output);
    return true;
}

static bool prepare(Loop *loop, NetError *error)
{
    const NetRun *run = loop->run;
    NetProgress *progress = loop->progress;
    int64_t images = loop->data->train.count, batch = loop->session->batch;
    if (images < 1)
        return net_fail(error, "%s has no images to train on", loop->data->what);
    if (run->resumed && progress->train_images != images)
        return net_fail(error, "the run was on %lld training images, and %s has %lld", (long long)progress->train_images,
                        loop->data->what, (long long)images);
    progress->train_images = images;
    loop->epochs = (int64_t)net_setting(loop->settings, "epochs", 1);
    if (progress->shuffle) {
        loop->order = net_allocate((size_t)images, sizeof *loop->order, error);
        if (!loop->order)
            return false;
    }
    net_meter_open(&loop->meter, run->quiet, loop->epochs, images);
    const NetSession *session = loop->session;
    return net_augment_open(&loop->augment, loop->settings, session->image, session->model->lanes,
                            net_pool_threads(session->pool), session->seed, error)
        && net_schedule_open(&loop->schedule, loop->settings, (images + batch - 1) / batch, error)
        && can_write(run->save, error) && can_write(run->checkpoint, error) && can_write(run->gradients, error)
        && net_log_open(&loop->log, run->log, run->resumed, error);
}

static bool save(const Loop *loop, NetError *error)
{
    const NetRun *run = loop->run;
    return net_check_weights(loop->session, error) && write_checkpoint(loop, error) && (!run->save || net_save(loop->session, run->save, error))
        && (!run->gradients || net_gradients_write(loop->session, run->gradients, error));
}

static void tell_where(Loop *loop)
{
    const NetProgress *progress = loop->progress;
    net_meter_stopped(&loop->meter, progress->epoch, progress->step, progress->position, mean_loss(progress), accuracy(progress));
}

static bool run_epochs(Loop *loop, NetError *error)
{
    while (loop->progress->epoch < loop->epochs && !interrupted && !at_limit(loop))
        if (!run_epoch(loop, error))
            return false;
    if (loop->progress->position > 0)
        tell_where(loop);
    return save(loop, error);
}

NetEnd net_train(NetSession *session, NetOptimizer *optimizer, const NetSettings *settings, const NetData *data,
                 NetProgress *progress, const NetRun *run, NetError *error)
{
    Loop loop = {
        .session = session, .optimizer = optimizer, .settings = settings, .data = data, .progress = progress, .run = run,
    };
    catch_interrupt();
    session->keep_gradients = run->gradients != NULL;
    session->steps = (uint64_t)progress->step;
    bool good = prepare(&loop, error) && run_epochs(&loop, error);
    net_meter_clear(&loop.meter);
    free(loop.order);
    net_augment_close(&loop.augment);
    NetError ignored;
    good = net_log_close(&loop.log, good ? error : &ignored) && good;
    signal(SIGINT, SIG_DFL);
    return !good ? NET_FAILED : interrupted ? NET_INTERRUPTED : NET_FINISHED;
}
