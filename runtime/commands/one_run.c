/* one_run.c: one run of train or sweep, from its files and settings to the weights it leaves. */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>

static void announce(const Request *request, const NetSession *session, const NetData *data,
                     const NetProgress *progress)
{
    char units[NET_SHOWN_UNITS];
    int64_t parameters = 0;
    for (int i = 0; i < request->model->parameter_count; i++)
        if (request->model->parameters[i].kind == NET_TRAINED)
            parameters += request->model->parameters[i].elements;
    const NetJudged judged = net_judged(data);
    printf("%s: %" PRId64 " parameters, %s, %" PRId64 " training and %" PRId64
           " %s %s, %d thread%s\n",
           request->model->name, parameters, SHOWN(data->what), net_trained_images(data),
           judged.to - judged.from, judged.name, data->noun.many, (int)request->threads,
           request->threads == 1 ? "" : "s");
    if (net_units_text(units, sizeof units, session)[0])
        printf("standardised for the loss: %s\n", units);
    if (request->resume)
        printf("resumed from %s after %" PRId64 " steps\n", SHOWN(request->resume), progress->step);
    fflush(stdout);
}

/* The run as it was left; the normalisation is the settings', which took the checkpoint's. */
static bool load_run(NetSession *session, NetOptimizer *optimizer, const Request *request,
                     const NetTensorFile *checkpoint, NetNotes *notes, NetError *error)
{
    return net_weights_read(session, optimizer, checkpoint, notes, error)
           && net_checkpoint_optimizer(checkpoint, optimizer, error)
           && net_checkpoint_network(checkpoint, request->model, notes, error)
           && net_session_normalise(session, &request->settings, error);
}

/* With the checkpoint's settings taken: everything else is opened with them.  `ready`: they are.
 * `from`: the checkpoint or the first weights. */
static bool train_with(Request *request, bool ready, const NetTensorFile *from,
                       NetProgress *progress, NetNotes *notes, NetEnd *end, NetError *error)
{
    const NetTensorFile *checkpoint = request->resume ? from : NULL;
    NetData own = {0}, *data = request->shared ? request->shared : &own;
    NetIdentity identity;
    NetOptimizer optimizer = {0};
    NetSession *session = NULL;
    bool good = ready && net_open_judged(request, data, progress->split_seed, notes, error)
                && (session = net_open_training_session(request, error))
                && net_optimizer_open(&optimizer, request->model, &request->settings, error)
                && (!request->init || net_load_first(session, request, from, error))
                && (!checkpoint || load_run(session, &optimizer, request, checkpoint, notes, error))
                && net_take_classes(session, data, error) && net_take_recipe(session, data, error);
    if (good) {
        net_data_identify(&identity, data);
        progress->data = &identity;
        good = (!checkpoint || net_checkpoint_data(checkpoint, &identity, notes, error))
               && net_check_batches(session, net_trained_images(data), progress,
                                    (int64_t)net_setting(&request->settings, "epochs", 1),
                                    request->run.max_steps, error);
    }
    good =
        net_ranks_start(&(NetStart){session, &request->settings, progress, request->run.max_steps},
                        good, &net_speaker, error);
    if (good && !request->run.quiet && !request->run.label)
        announce(request, session, data, progress);
    if (good) {
        net_tell_notes(notes);
        *end = net_train(session, &optimizer, &request->settings, data, progress, &request->run,
                         error);
    }
    net_optimizer_close(&optimizer);
    net_close(session);
    net_data_close(&own);
    return good && *end != NET_FAILED;
}

/* The images that are left of an epoch are those that its order has last. */
static bool take_order(const Request *request, NetProgress *progress, NetNotes *notes,
                       NetError *error)
{
    const NetNoun noun = net_noun(request->model);
    if (!request->no_shuffle || !progress->shuffle)
        return true;
    if (progress->position > 0)
        return net_fail(error,
                        "%s is of the middle of an epoch whose %s are shuffled, and "
                        "--no-shuffle was asked for: "
                        "it can change at an epoch's end",
                        request->resume, noun.many);
    net_note(notes, "%s are shuffled in %s, and now in file order, as the command line says",
             noun.many, request->resume);
    progress->shuffle = false;
    return true;
}

static bool resume(Request *request, const NetTensorFile *checkpoint, NetProgress *progress,
                   NetNotes *notes, NetError *error)
{
    request->run.resumed = request->resume;
    return net_checkpoint_progress(checkpoint, &request->settings, progress, notes, error)
           && take_order(request, progress, notes, error);
}

const char *net_find_contradiction(const Request *request)
{
    const NetRun *run = &request->run;
    if (request->init && request->resume)
        return "--init and --resume both say where to start: give one";
    if (request->partial && !request->init)
        return "--partial needs --init F: what to take weights from";
    if ((run->every_seconds > 0 || run->every_steps > 0) && !run->checkpoint)
        return "--checkpoint-every needs --checkpoint F: what to write";
    if (run->statistics > 0 && !run->log)
        return "--stats needs --log F: where to write";
    if (run->keep_best > 0 && !run->best)
        return "--keep-best needs --save-best F: what to keep";
    if (run->monitor && !run->best && !run->outcome
        && net_setting(&request->settings, "stop.patience", 0) == 0)
        return "--monitor says what --save-best F and --early-stop N go by: give one of them";
    if (run->keep > 0 && !run->checkpoint)
        return "--keep needs --checkpoint F: what to keep";
    return NULL;
}

/* Rank 0 writes the run's files and shows how it goes. */
static void write_nothing(NetRun *run)
{
    run->save = run->best = run->checkpoint = run->log = run->gradients = NULL;
    run->every_seconds = run->every_steps = run->keep = run->keep_best = run->statistics = 0;
    run->quiet = true;
}

/* For who asks whether messages or the network hold a run up. */
static void tell_sums(void)
{
    double all, waited;
    NetNotes notes = {0};
    net_ranks_took(&all, &waited);
    if (getenv("NET_RANKS_TRACE") && all > 0)
        net_note(&notes,
                 "gradients were under way between the ranks for %.3f s, for %.3f s of which "
                 "nothing was computed",
                 all, waited);
    net_tell_notes(&notes);
}

/* Of a folder the file in it; *log is for the caller to free(). */
static bool find_log(Request *request, char **log, NetError *error)
{
    if (!request->run.log)
        return true;
    *log = net_log_path(request->run.log, request->model->name, error);
    request->run.log = *log;
    return *log != NULL;
}

int net_train_once(Request *request)
{
    NetError error;
    NetEnd end = NET_FAILED;
    NetTensorFile from = {0};
    NetNotes notes = {0};
    NetProgress progress = {.shuffle = !request->no_shuffle, .split_seed = net_seed_of(request)};
    request->trains = true;
    const char *contradiction = net_find_contradiction(request);
    if (contradiction)
        return net_complain(MISUSE, "%s", contradiction);
    if (net_rank() > 0)
        write_nothing(&request->run);
    char *log = NULL;
    bool named = find_log(request, &log, &error) && net_check_files(request, &error);
    if (!net_ranks_ready(named, &net_speaker)) {
        free(log);
        return net_complain(MISUSE, "%s", error.text);
    }
    net_signals_catch();
    request->run.speaker = &net_speaker;
    request->run.max_steps = (int64_t)request->max_steps;
    request->run.tell = net_tell_error;
    bool good = net_open_from(request, &from, &error);
    if (good) {
        bool ready = !request->resume || resume(request, &from, &progress, &notes, &error);
        if (request->run.monitor)
            snprintf(progress.asked, sizeof progress.asked, "%s", request->run.monitor);
        good = train_with(request, ready, &from, &progress, &notes, &end, &error);
    }
    net_tell_notes(&notes);
    net_tensors_close(&from);
    free(log);
    tell_sums();
    if (!good)
        return net_give_up(&error);
    return end == NET_INTERRUPTED ? INTERRUPTED + net_signal_asked() : DONE;
}
