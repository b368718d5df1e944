/* loop.c: epochs of steps, and what happens between them.
 *
 * The position in the run is one NetProgress, which a checkpoint keeps; everything
 * else (the order of the images, the learning rate, dropout's masks) follows
 * from it and the seed, so a resumed run is the run that was never stopped.
 *
 * However a run ends, it saves what it can.  A file that cannot be written is
 * told of and ends nothing: hours of training are worth more than its log, and
 * one full disk is no reason to leave the others empty.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Loop {
    NetSession *session;
    NetOptimizer *optimizer;
    const NetSettings *settings;
    const NetData *data;
    NetProgress *progress;
    const NetRun *run;
    NetSchedule schedule;
    NetAugment augment;
    NetFetch fetch;
    NetLog log;
    NetMeter meter;
    int32_t *order; /* of this epoch; NULL: as in the file */
    int64_t epochs;
    bool by_class; /* the output is held against classes, all of which count */
    NetKeep keep;
    bool keep_gradients; /* of every step */
    const char *monitor; /* the figure that epochs are compared by; "": the usual one */
    NetFigure compared;  /* likewise, without a value */
    int64_t patience;    /* epochs; 0: the run does not stop by itself */
    double min_delta;
    double checkpoint_time;                          /* of the last one: seconds */
    bool log_failed, checkpoint_failed, best_failed; /* the last time */
    bool failed;                                     /* there is a failure that is not told yet */
    NetError failure, best_failure;
} Loop;

/* -------------------------------------------------------------- failures */

/* All but the last are told here, and that one by the caller. */
static void add_failure(Loop *loop, const NetError *error)
{
    if (loop->failed)
        loop->run->tell(&loop->failure);
    loop->failed = true;
    loop->failure = *error;
}

/* Of what is tried again and again, the first failure is told and the first
 * after it worked; what is not right in the end is said at the end. */
static void note(Loop *loop, bool *failed, bool good, const NetError *error)
{
    if (!good && !*failed) {
        net_meter_clear(&loop->meter);
        loop->run->tell(error);
    }
    *failed = !good;
}

/* A signal to one rank ends all, after the same step: what all agree on counts, and not one that
 * has come since. */
static bool is_over(const Loop *loop)
{
    bool at_limit = loop->run->max_steps >= 0 && loop->progress->step >= loop->run->max_steps;
    int asked = (int)net_ranks_largest(net_signal_asked());
    net_signal_ask(asked);
    return asked || at_limit;
}

/* ---------------------------------------------------------------- a step */

static void log_step(Loop *loop, int64_t epoch, int64_t step, double loss)
{
    NetError error;
    note(loop, &loop->log_failed,
         net_log_step(&loop->log, epoch, step, loss, loop->optimizer->groups[0].lr, &error),
         &error);
}

/* Of such a step the gradient is kept. */
static bool is_measured(const Loop *loop, int64_t step)
{
    int64_t every = (int64_t)loop->run->statistics;
    return every > 0 && step % every == 0;
}

static void log_statistics(Loop *loop)
{
    const NetProgress *progress = loop->progress;
    NetError error;
    if (is_measured(loop, progress->step))
        note(loop, &loop->log_failed,
             net_log_statistics(&loop->log, progress->epoch + 1, progress->step, loop->session,
                                &error),
             &error);
}

/* The log has the step too.  Weights and checkpoint stay as they were before it. */
static bool fail_step(Loop *loop, const NetBatch *images, double loss, NetError *error)
{
    const NetProgress *progress = loop->progress;
    char where[NET_SHAPE_TEXT + 160];
    int64_t step = progress->step + 1, epoch = progress->epoch + 1;
    if (net_stream_failed(images->images, error))
        return false;
    log_step(loop, epoch, step, loss);
    net_explain_loss(loop->session, images, where, sizeof where);
    return net_fail(error,
                    "the loss is %s at step %" PRId64 " (epoch %" PRId64
                    "): %s; the run is stopped, and a smaller --lr may help",
                    isnan(loss) ? "nan" : "infinite", step, epoch, where);
}

/* Of the epoch so far. */
static NetFigures train_figures(const Loop *loop)
{
    const NetProgress *progress = loop->progress;
    const NetModel *model = loop->session->model;
    NetResult result = {.loss = progress->loss_sum / (double)progress->position,
                        .correct = progress->correct,
                        .images = progress->position};
    if (loop->by_class)
        result.answers = progress->position * model->targets;
    return net_figures(&result);
}

/* The batch from an image of the epoch on; at its end there are none. */
static NetBatch batch_at(const Loop *loop, int64_t position)
{
    const NetProgress *progress = loop->progress;
    int64_t left = progress->train_images - position, batch = loop->session->batch;
    return (NetBatch){
        .images = &loop->data->train,
        .order = loop->order,
        .first = position,
        .count = left < batch ? left : batch,
        .end = progress->train_images,
        .offset = progress->shuffle
                      ? net_text_offset(loop->data, loop->session->seed, (uint64_t)progress->epoch)
                      : 0,
        .augment = net_augments(&loop->augment) ? &loop->augment : NULL,
        .mixing = net_mix_draw(&loop->augment, position),
    };
}

/* Images that a step has in all its passes. */
static int64_t step_images(const Loop *loop)
{
    const NetProgress *progress = loop->progress;
    int64_t left = progress->train_images - progress->position,
            most = loop->session->batch * loop->session->passes;
    return left < most ? left : most;
}

/* One of a step's passes, behind those that have `sum`, to which it is added. */
static bool run_pass(Loop *loop, int number, int64_t count, NetResult *sum, NetError *error)
{
    int64_t position = loop->progress->position + sum->images;
    NetBatch images = batch_at(loop, position), next = batch_at(loop, position + images.count);
    images.pass = number;
    images.more = sum->images + images.count < count;
    images.portion = (double)images.count / (double)count;
    net_fetch_take(&loop->fetch, &images);
    net_fetch_ask(&loop->fetch, &next);
    NetResult result = net_train_batch(loop->session, &images, loop->optimizer);
    if (!isfinite(result.loss))
        return fail_step(loop, &images, result.loss, error);
    sum->loss += result.loss * (double)images.count;
    sum->correct += result.correct;
    sum->images += images.count;
    return true;
}

static bool step(Loop *loop, NetError *error)
{
    NetProgress *progress = loop->progress;
    NetResult sum = {0};
    int64_t count = step_images(loop);
    net_optimizer_schedule(loop->optimizer, &loop->schedule, progress->step, progress->epoch);
    loop->session->keep_gradients = loop->keep_gradients || is_measured(loop, progress->step + 1);
    for (int number = 0; sum.images < count; number++)
        if (!run_pass(loop, number, count, &sum, error))
            return false;
    progress->step++;
    progress->position += count;
    progress->loss_sum += sum.loss;
    progress->correct += sum.correct;
    net_average_step(&loop->optimizer->average, loop->session, progress->step, progress->epoch);
    log_step(loop, progress->epoch + 1, progress->step, sum.loss / (double)count);
    log_statistics(loop);
    NetFigures figures = train_figures(loop);
    net_meter_step(&loop->meter, progress->epoch, progress->position, sum.loss / (double)count,
                   &figures);
    return true;
}

/* -------------------------------------------------------------- an epoch */

/* Those of the average, where there is one. */
static bool save_weights(Loop *loop, const char *path, NetError *error)
{
    NetAverage *average = &loop->optimizer->average;
    net_average_exchange(average, loop->session);
    bool good = net_save(loop->session, path, error);
    net_average_exchange(average, loop->session);
    return good;
}

static NetResult test(Loop *loop, const NetJudged *judged)
{
    NetSession *session = loop->session;
    NetAverage *average = &loop->optimizer->average;
    /* running statistics are written with a batch's first grain, which is rank 0's */
    net_ranks_copy(session->buffers, session->model->buffers);
    if (average->buffers)
        net_ranks_copy(average->buffers, session->model->buffers);
    net_average_exchange(average, session);
    NetResult result = net_test_judged(session, judged, NULL);
    net_average_exchange(average, session);
    return result;
}

/* The newest matters most: it is written even where the one before cannot be kept. */
static bool write_checkpoint(Loop *loop, NetError *error)
{
    const char *path = loop->run->checkpoint;
    if (!path)
        return true;
    loop->checkpoint_time = net_seconds();
    bool kept = net_keep_earlier(&loop->keep, loop->progress, error);
    if (!net_checkpoint_write(path, loop->session, loop->optimizer, loop->settings, loop->progress,
                              error))
        return false;
    net_keep_remove(&loop->keep, loop->progress);
    return kept;
}

static void checkpoint(Loop *loop)
{
    NetError error;
    bool good = write_checkpoint(loop, &error);
    note(loop, &loop->checkpoint_failed, good, &error);
}

static bool checkpoint_is_due(const Loop *loop)
{
    const NetRun *run = loop->run;
    return (run->every_steps > 0 && loop->progress->step % (int64_t)run->every_steps == 0)
           || (run->every_seconds > 0
               && net_seconds() - loop->checkpoint_time >= run->every_seconds);
}

/* Weights that are not finite are in no checkpoint, for the one before is better. */
static bool checkpoint_if_due(Loop *loop, NetError *error)
{
    if (!loop->run->checkpoint || !checkpoint_is_due(loop))
        return true;
    if (!net_check_weights(loop->session, error))
        return false;
    checkpoint(loop);
    return true;
}

/* That by which epochs are compared. */
static void take_figure(const Loop *loop, NetEpoch *epoch)
{
    epoch->has_figure =
        net_figure_by(&epoch->figure, &epoch->trained, &epoch->judged, loop->monitor);
}

static bool is_best(const Loop *loop, const NetEpoch *epoch)
{
    return loop->progress->best_epoch == 0
           || net_figure_better(&epoch->figure, loop->progress->best, 0);
}

/* Whether it is one of those that are kept beside the best one's. */
static bool is_among_best(const Loop *loop, const NetEpoch *epoch)
{
    int64_t max = (int64_t)loop->run->keep_best;
    return max >= 2 && net_best_enters(loop->progress, &epoch->figure, max);
}

static bool save_among_best(Loop *loop, const NetEpoch *epoch, NetError *error)
{
    const NetRun *run = loop->run;
    char *name = net_best_name(run->best, epoch->figure.key,
                               (NetBestEpoch){epoch->epoch, epoch->figure.value});
    bool good = name ? net_best_free(name, error) && save_weights(loop, name, error)
                     : net_fail(error, "out of memory");
    free(name);
    if (good)
        net_best_enter(loop->progress, run->best, &epoch->figure, epoch->epoch,
                       (int64_t)run->keep_best);
    return good;
}

/* What is not written is not the best so far: the next that is better than the
 * one in the file gets its place. */
static void save_best(Loop *loop, const NetEpoch *epoch)
{
    NetError error;
    if (!epoch->compared || !epoch->has_figure)
        return;
    bool among = is_among_best(loop, epoch);
    if (!epoch->best && !among)
        return;
    bool good = (!epoch->best || save_weights(loop, loop->run->best, &error))
                && (!among || save_among_best(loop, epoch, &error));
    note(loop, &loop->best_failed, good, &error);
    if (!good) {
        loop->best_failure = error;
        return;
    }
    if (!epoch->best)
        return;
    loop->progress->best_epoch = epoch->epoch;
    loop->progress->best = epoch->figure.value;
}

/* Whatever file there is: a run stops by what it has come to. */
static void note_top(Loop *loop, const NetEpoch *epoch)
{
    NetProgress *progress = loop->progress;
    const NetFigure *figure = &epoch->figure;
    if (!epoch->has_figure
        || (progress->top_epoch > 0 && !net_figure_better(figure, progress->top, loop->min_delta)))
        return;
    progress->top_epoch = epoch->epoch;
    progress->top = figure->value;
}

static bool is_no_better(const Loop *loop)
{
    const NetProgress *progress = loop->progress;
    return loop->patience > 0 && progress->top_epoch > 0
           && progress->epoch - progress->top_epoch >= loop->patience;
}

/* For who compares runs. */
static void note_outcome(const Loop *loop, const NetEpoch *epoch)
{
    NetOutcome *outcome = loop->run->outcome;
    if (!outcome)
        return;
    bool better =
        !outcome->any || !outcome->top.has_figure
        || (epoch->has_figure && net_figure_better(&epoch->figure, outcome->top.figure.value, 0));
    outcome->last = *epoch;
    if (better)
        outcome->top = *epoch;
    outcome->any = true;
}

static void show_epoch(Loop *loop, const NetEpoch *epoch)
{
    NetError error;
    net_meter_summary(&loop->meter, epoch);
    bool good = net_log_epoch(&loop->log, epoch, &error);
    note(loop, &loop->log_failed, good, &error);
}

/* What is not measured in an epoch is no better. */
static void judge_schedule(Loop *loop, const NetEpoch *epoch)
{
    NetSchedule *schedule = &loop->schedule;
    const char *name = schedule->plateau.monitor;
    const NetFigure *figure = name ? net_figure_of(&epoch->trained, &epoch->judged, name)
                              : schedule->plateau.rises ? net_figure_judged(&epoch->judged)
                                                        : &epoch->judged.items[0];
    net_schedule_judge(schedule, loop->progress->epoch, figure ? figure->value : NAN);
}

/* A signal may cut the test short: then the epoch is not over, and whoever
 * resumes the run tests again. */
static bool finish_epoch(Loop *loop, double seconds, int64_t images, NetError *error)
{
    NetProgress *progress = loop->progress;
    NetJudged judged = net_judged(loop->data);
    judged.fetch = loop->fetch.tested ? &loop->fetch : NULL;
    NetResult result = test(loop, &judged);
    if (net_stream_failed(judged.images, error))
        return false;
    if (result.images < judged.to - judged.from)
        return true;
    NetEpoch epoch = {
        .epoch = progress->epoch + 1,
        .step = progress->step,
        .trained = train_figures(loop),
        .judged = net_figures(&result),
        .split = judged.name,
        .seconds = seconds,
        .images_per_second = seconds > 0 ? (double)images / seconds : 0,
        .compared = loop->run->best != NULL,
    };
    bool finite = net_ranks_same(loop->session, error) && net_check_weights(loop->session, error);
    take_figure(loop, &epoch);
    epoch.best = epoch.compared && finite && epoch.has_figure && is_best(loop, &epoch);
    show_epoch(loop, &epoch);
    if (!finite)
        return false;
    judge_schedule(loop, &epoch);
    progress->plateau = loop->schedule.state;
    progress->epoch++;
    progress->position = progress->correct = 0;
    progress->loss_sum = 0;
    note_top(loop, &epoch);
    note_outcome(loop, &epoch);
    save_best(loop, &epoch);
    checkpoint(loop);
    return true;
}

/* From wherever the progress stands to the epoch's end, or to where the run stops. */
static bool run_epoch(Loop *loop, NetError *error)
{
    NetProgress *progress = loop->progress;
    double start = net_seconds();
    int64_t first = progress->position;
    loop->augment.epoch = (uint64_t)progress->epoch;
    if (loop->order && progress->shuffle) {
        net_order_images(loop->order, loop->data, loop->session->seed, (uint64_t)progress->epoch);
        net_repeat_order(&loop->augment, loop->order);
    }
    net_meter_epoch(&loop->meter, first);
    while (progress->position < progress->train_images && !is_over(loop))
        if (!step(loop, error) || !checkpoint_if_due(loop, error))
            return false;
    if (progress->position < progress->train_images)
        return true;
    return finish_epoch(loop, net_seconds() - start, progress->train_images - first, error);
}

/* ----------------------------------------------------------------- a run */

/* A run of hours must not find out at its end that it cannot write. */
static bool can_write(const char *path, NetError *error)
{
    return !path || net_check_output(path, NET_ANY_FILE, error);
}

static bool has_judged(const Loop *loop, const char *what, NetError *error)
{
    const NetJudged judged = net_judged(loop->data);
    return judged.from < judged.to
           || net_fail(error,
                       "%s needs test %s to judge by, and %s has none: --validation 0.1 takes "
                       "some of the training %s",
                       what, loop->data->noun.many, loop->data->what, loop->data->noun.many);
}

/* What was the best by another figure counts no more. */
static bool prepare_figure(Loop *loop, NetError *error)
{
    NetProgress *progress = loop->progress;
    const NetModel *model = loop->session->model;
    loop->monitor =
        *progress->asked ? progress->asked : net_setting_word(loop->settings, "stop.monitor", "");
    if (!*loop->monitor)
        loop->compared = net_figure_usual(model);
    else if (!net_figure_exists(&loop->compared, model, loop->by_class, loop->monitor,
                                *progress->asked ? "--monitor" : "stop", error))
        return false;
    const char *key = *loop->monitor ? loop->monitor : loop->compared.key;
    if (strcmp(key, *progress->monitor ? progress->monitor : net_figure_usual(model).key) != 0)
        progress->best_epoch = progress->top_epoch = progress->best_count = 0;
    snprintf(progress->monitor, sizeof progress->monitor, "%s", key);
    return true;
}

/* "the validation images", "the F1 of the validation images", "the train loss" */
static const char *judged_by(const Loop *loop, char text[NET_SHAPE_TEXT])
{
    const char *split = net_judged(loop->data).name, *many = loop->data->noun.many;
    if (net_figure_of_training(loop->monitor))
        snprintf(text, NET_SHAPE_TEXT, "the train %s", loop->compared.name);
    else if (*loop->monitor)
        snprintf(text, NET_SHAPE_TEXT, "the %s of the %s %s", loop->compared.name, split, many);
    else
        snprintf(text, NET_SHAPE_TEXT, "the %s %s", split, many);
    return text;
}

static bool prepare_stop(Loop *loop, NetError *error)
{
    loop->patience = (int64_t)net_setting(loop->settings, "stop.patience", 0);
    loop->min_delta = net_setting(loop->settings, "stop.min_delta", 0);
    return loop->patience == 0 || net_figure_of_training(loop->monitor)
           || has_judged(loop, "stop", error);
}

/* The best so far counts while its file is there. */
static bool prepare_best(Loop *loop, NetError *error)
{
    const char *path = loop->run->best;
    if (!path)
        return true;
    if (!net_figure_of_training(loop->monitor) && !has_judged(loop, "--save-best", error))
        return false;
    if (access(path, F_OK) != 0)
        loop->progress->best_epoch = 0;
    net_best_forget_lost(loop->progress, path);
    return can_write(path, error);
}

static bool open_log(Loop *loop, NetError *error)
{
    const NetRun *run = loop->run;
    const NetLogPlan plan = {.path = run->log,
                             .model = loop->session->model,
                             .split = net_judged(loop->data).name,
                             .compared = run->best != NULL,
                             .statistics = run->statistics > 0};
    return net_log_open(&loop->log, &plan, run->resumed ? loop->progress : NULL, error);
}

/* As long as the training images are, for those that come next are fetched ahead. */
static bool prepare_order(Loop *loop, NetError *error)
{
    const int32_t *own = loop->data->order;
    size_t count = (size_t)loop->data->train.count;
    if (!loop->progress->shuffle && !own && loop->augment.repeats <= 1)
        return true;
    loop->order = net_allocate(count, sizeof *loop->order, error);
    for (size_t i = 0; loop->order && i < count; i++)
        loop->order[i] = own ? own[i] : (int32_t)i;
    if (loop->order)
        net_repeat_order(&loop->augment, loop->order); /* each epoch's own, if it is shuffled */
    return loop->order != NULL;
}

static bool is_by_class(const Loop *loop)
{
    const NetModel *model = loop->session->model;
    return net_class_array(model, &loop->data->train)
           && model->wanted[net_main_target(model)].ignored == NET_NOT_IGNORED;
}

/* Of a figure that a plateau names it is known which way is up. */
static bool prepare_monitor(Loop *loop, NetPlateau *plateau, NetError *error)
{
    const char *mode = net_setting_word(loop->settings, "schedule.mode", NULL);
    NetFigure figure;
    if (!net_figure_exists(&figure, loop->session->model, loop->by_class, plateau->monitor,
                           "the schedule plateau", error))
        return false;
    if (mode && figure.larger_is_better != plateau->rises)
        return net_fail(error,
                        "the schedule plateau has mode=%s of %s, of which %s is better: leave the "
                        "mode out",
                        mode, plateau->monitor, figure.larger_is_better ? "more" : "less");
    plateau->rises = figure.larger_is_better;
    return net_figure_of_training(plateau->monitor)
           || has_judged(loop, "the schedule plateau", error);
}

/* plateau needs figures to go by. */
static bool prepare_schedule(Loop *loop, int64_t steps_per_epoch, NetError *error)
{
    NetSchedule *schedule = &loop->schedule;
    if (!net_schedule_open(schedule, loop->settings, steps_per_epoch, error))
        return false;
    schedule->state = loop->progress->plateau;
    if (!net_schedule_judges(schedule))
        return true;
    if (schedule->plateau.monitor)
        return prepare_monitor(loop, &schedule->plateau, error);
    if (!has_judged(loop, "the schedule plateau", error))
        return false;
    if (schedule->plateau.rises && !net_has_classes(loop->session->model))
        return net_fail(error,
                        "the schedule plateau has mode=max, of an accuracy, and this network "
                        "has one output and no classes: mode=min is of the loss, and monitor= "
                        "names another figure");
    return true;
}

static bool prepare(Loop *loop, NetError *error)
{
    const NetRun *run = loop->run;
    NetProgress *progress = loop->progress;
    int64_t images = net_trained_images(loop->data), batch = loop->session->batch,
            each = batch * loop->session->passes;
    if (run->resumed && progress->train_images != images)
        return net_fail(error, "the run was on %" PRId64 " training %s, and %s has %" PRId64,
                        progress->train_images, loop->data->noun.many, loop->data->what, images);
    progress->train_images = images;
    loop->by_class = is_by_class(loop);
    loop->epochs = (int64_t)net_setting(loop->settings, "epochs", 1);
    net_meter_open(&loop->meter, run->quiet, run->label, loop->epochs, loop->data);
    loop->checkpoint_time = net_seconds();
    return net_augment_begin(&loop->augment, loop->settings, loop->session, loop->data, error)
           && prepare_order(loop, error)
           && net_fetch_open(&loop->fetch, &loop->data->train, batch, loop->data->order != NULL,
                             loop->session->model->lanes, error)
           && prepare_schedule(loop, (images + each - 1) / each, error)
           && can_write(run->save, error) && can_write(run->checkpoint, error)
           && can_write(run->gradients, error) && prepare_figure(loop, error)
           && prepare_best(loop, error) && prepare_stop(loop, error)
           && net_keep_open(&loop->keep, run->checkpoint, (int64_t)run->keep, run->resumed,
                            progress, error)
           && open_log(loop, error);
}

/* Each is tried, whatever became of the others. */
static void save(Loop *loop)
{
    const NetRun *run = loop->run;
    NetError error;
    if (!net_check_weights(loop->session, &error)) {
        add_failure(loop, &error);
        return;
    }
    if (!write_checkpoint(loop, &error))
        add_failure(loop, &error);
    if (run->save && !save_weights(loop, run->save, &error))
        add_failure(loop, &error);
    if (run->gradients && !net_gradients_write(loop->session, run->gradients, &error))
        add_failure(loop, &error);
    if (loop->best_failed)
        add_failure(loop, &loop->best_failure);
}

/* One of several runs that ends within an epoch is compared with the others as it is. */
static void judge_part(Loop *loop)
{
    const NetProgress *progress = loop->progress;
    const NetJudged judged = net_judged(loop->data);
    if (!loop->run->outcome || progress->position == 0)
        return;
    NetResult result = test(loop, &judged);
    NetEpoch epoch = {.epoch = progress->epoch + 1,
                      .step = progress->step,
                      .trained = train_figures(loop),
                      .judged = net_figures(&result),
                      .split = judged.name};
    take_figure(loop, &epoch);
    if (result.images == judged.to - judged.from)
        note_outcome(loop, &epoch);
}

static void tell_where(Loop *loop)
{
    const NetProgress *progress = loop->progress;
    NetFigures figures = train_figures(loop);
    net_meter_stopped(&loop->meter, progress->epoch, progress->step, progress->position, &figures);
}

static bool run_epochs(Loop *loop, NetError *error)
{
    char by[NET_SHAPE_TEXT];
    while (loop->progress->epoch < loop->epochs && !is_no_better(loop) && !is_over(loop))
        if (!run_epoch(loop, error)) {
            NetError unreadable;
            if (net_stream_failed(&loop->data->train, &unreadable)
                || net_stream_failed(net_judged(loop->data).images, &unreadable))
                save(loop); /* the weights are as good as they were */
            return false;
        }
    judge_part(loop);
    if (loop->progress->position > 0)
        tell_where(loop);
    else if (loop->progress->epoch < loop->epochs && is_no_better(loop))
        net_meter_no_better(&loop->meter, loop->progress, judged_by(loop, by));
    net_signals_finish(true);
    save(loop);
    net_signals_finish(false);
    return true;
}

static void close_loop(Loop *loop)
{
    NetError error;
    net_meter_clear(&loop->meter);
    free(loop->order);
    net_augment_close(&loop->augment);
    net_fetch_close(&loop->fetch);
    net_keep_close(&loop->keep);
    if (!net_log_close(&loop->log, &error))
        add_failure(loop, &error);
}

NetEnd net_train(NetSession *session, NetOptimizer *optimizer, const NetSettings *settings,
                 const NetData *data, NetProgress *progress, const NetRun *run, NetError *error)
{
    Loop loop = {
        .session = session,
        .optimizer = optimizer,
        .settings = settings,
        .data = data,
        .progress = progress,
        .run = run,
        .log.descriptor = -1,
    };
    net_signals_work();
    /* rank 0 writes them, and all do as it does */
    bool measured = run->statistics > 0 && net_rank_count() > 1;
    loop.keep_gradients = net_ranks_largest(run->gradients != NULL || measured) > 0;
    session->steps = (uint64_t)progress->step;
    /* a log's FIFO may wait for its reader until a signal comes */
    bool own = prepare(&loop, error), ready = net_ranks_ready(own, run->speaker);
    if (own && !ready)
        net_fail(error, "another rank cannot begin");
    if (ready)
        net_join(session, optimizer);
    if (ready)
        net_average_begin(&optimizer->average, session);
    if (ready ? !run_epochs(&loop, error) : !net_signal_asked())
        add_failure(&loop, error);
    close_loop(&loop);
    net_leave(session, optimizer);
    if (loop.failed)
        *error = loop.failure;
    return loop.failed ? NET_FAILED : net_signal_asked() ? NET_INTERRUPTED : NET_FINISHED;
}
