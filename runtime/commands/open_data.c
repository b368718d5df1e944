/* open_data.c: the images that a command trains on or is judged by, as the command line and
 * the settings name them. */
#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static const char *data_source(const Request *request)
{
    return request->data ? request->data
                         : net_setting_word(&request->settings, "data", "synthetic");
}

/* The images of a plain IDX file are the file's own pages.  Cut off while the
 * program runs, it has them no more, and the signal that then comes, perhaps to
 * several threads, is told once, as any other fault of a file.  Of another cause
 * it comes again and kills. */
static NetError cut_off;

static void report_cut_off(int signal_number, siginfo_t *information, void *context)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    (void)context;
    if (information->si_code != BUS_ADRERR) {
        signal(signal_number, SIG_DFL);
        return;
    }
    while (atomic_flag_test_and_set(&told))
        pause();
    ssize_t ignored = write(STDERR_FILENO, cut_off.text, strlen(cut_off.text));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    _exit(FAILED);
}

static void watch_data(const char *what)
{
    struct sigaction action = {.sa_sigaction = report_cut_off, .sa_flags = SA_SIGINFO};
    net_fail(&cut_off, "%s: error: a file of %s was cut off while it was in use",
             program_invocation_short_name, what);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

static double validation_part(const Request *request)
{
    return net_setting(&request->settings, "validation", 0);
}

/* On a terminal, of what takes longer than a moment. */
static void show_progress(const char *what, int64_t done, int64_t all)
{
    static double start, last; /* last 0: nothing is shown */
    static int64_t before;
    double now = net_seconds();
    if (start == 0 || done < before) { /* something new */
        start = now;
        last = 0;
    }
    before = done;
    if (done == all && last > 0)
        fprintf(stderr, "\r\x1b[K");
    if (!isatty(STDERR_FILENO) || done == all || now - start < 1 || now - last < 0.2)
        return;
    last = now;
    fprintf(stderr, "\r%s: %" PRId64 " of %" PRId64 ", %.0f a second\x1b[K", what, done, all,
            (double)done / (now - start));
}

/* `weights`: of a session that is tested; NULL: it is trained. */
static NetOpening opening_of(const Request *request, const NetSession *weights, NetNotes *notes)
{
    return (NetOpening){
        .source = data_source(request),
        .model = request->model,
        .settings = &request->settings,
        .seed = net_seed_of(request),
        .share = true,
        .batch = net_batch_of(request),
        .threads = (int)request->threads,
        .memory = (int64_t)request->memory,
        .cache = request->cache,
        .skip_broken = request->skip_broken,
        .test_only = weights != NULL,
        .class_lines = weights ? weights->class_lines : NULL,
        .class_owner = "weights",
        .recipe = weights ? weights->recipe : NULL,
        .answers_only = weights != NULL && request->answers_only,
        .notes = notes,
        .progress = request->run.quiet ? NULL : show_progress,
    };
}

bool net_open_data(const Request *request, NetData *data, const NetSession *weights,
                   NetNotes *notes, NetError *error)
{
    const NetOpening opening = opening_of(request, weights, notes);
    watch_data(opening.source); /* arrays are copied from a file's pages */
    if (!net_data_open(data, &opening, error))
        return false;
    watch_data(data->what);
    return true;
}

bool net_open_validation(const Request *request, NetData *data, uint64_t seed, NetNotes *notes,
                         NetError *error)
{
    const NetModel *model = request->model;
    double part = validation_part(request);
    const char *source = request->validation;
    if (!source && part == 0)
        source = net_setting_word(&request->settings, "validation.data", NULL);
    if (part > 0)
        return net_split_training(data, part, model->targets == 1 && net_has_classes(model), seed,
                                  error);
    if (!source)
        return true;
    NetOpening opening = opening_of(request, NULL, notes);
    char trained[64];
    net_put_noun(trained, sizeof trained, "training {many}", data->noun);
    opening.source = source;
    opening.seed++;
    opening.test_only = true;
    opening.class_lines = data->class_names;
    opening.class_owner = trained;
    opening.recipe = data->recipe;
    return model->numbers && model->targets > 1 ? net_validation_text(data, &opening, error)
                                                : net_validation_open(data, &opening, error);
}

/* Options of pictures' files, where none are read. */
static void note_unused(const Request *request, const NetData *data, NetNotes *notes)
{
    if (request->skip_broken && !data->pictures)
        net_note(notes, "--skip-broken does nothing: %s has no files of pictures", data->what);
    if (request->cache && !data->pictures)
        net_note(notes, "--cache keeps nothing: %s has no files of pictures to decode", data->what);
}

bool net_open_judged(const Request *request, NetData *data, uint64_t seed, NetNotes *notes,
                     NetError *error)
{
    if (data->train.count > 0)
        return true;
    bool good = net_open_data(request, data, NULL, notes, error)
                && net_open_validation(request, data, seed, notes, error)
                && (net_trained_images(data) > 0
                    || net_fail(error, "%s has no %s to train on", data->what, data->noun.many));
    if (good)
        note_unused(request, data, notes);
    return good;
}

bool net_open_test_data(const Request *request, NetSession *session, NetData *data, NetError *error)
{
    NetNotes notes = {0};
    bool good = net_open_data(request, data, session, &notes, error)
                && net_take_classes(session, data, error);
    if (good && data->test.count == 0)
        good = net_fail(error, "%s has nothing to test with", data->what);
    if (good)
        note_unused(request, data, &notes);
    net_tell_notes(&notes);
    return good;
}

bool net_check_pictures(const Request *request, const char *instead, NetError *error)
{
    return request->operand_count == 0 || request->model->input_count <= 1
           || net_fail(error, "a picture is one of the network's %d inputs: %s",
                       request->model->input_count, instead);
}
