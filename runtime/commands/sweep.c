/* sweep.c: several runs, of several settings or seeds, and what they come to: sweep, and
 * train --repeat. */
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* "w.safetensors" as "w-3.safetensors", and a folder as "runs-3/"; NULL: no memory, or no path. */
static char *numbered(const char *path, int number)
{
    char *made;
    struct stat status;
    if (!path)
        return NULL;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path,
               *dot = strrchr(name, '.');
    bool folder = !*name || (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
    size_t stem = dot && dot > name && !folder ? (size_t)(dot - path) : strlen(path);
    while (folder && stem > 1 && path[stem - 1] == '/')
        stem--;
    return asprintf(&made, "%.*s-%d%s", (int)stem, path, number, folder ? "/" : path + stem) < 0
               ? NULL
               : made;
}

enum { RUN_FILES = 5 };

/* Where a run's files' names are. */
static void list_files(NetRun *run, const char **files[RUN_FILES])
{
    const char **all[RUN_FILES] = {&run->save, &run->best, &run->checkpoint, &run->gradients,
                                   &run->log};
    memcpy(files, all, sizeof all);
}

/* A line of a run that is over. */
static void tell_run(const Request *request, const char *label, const char *settings,
                     const NetOutcome *outcome)
{
    char trained[NET_FIGURES_TEXT], judged[NET_FIGURES_TEXT], before[32];
    if (request->run.quiet)
        return;
    snprintf(before, sizeof before, "  %s ", outcome->any ? outcome->last.split : "");
    printf("%s%s", label, settings);
    if (outcome->any)
        printf("%s%s  %.1f s\n", net_figures_text(trained, "  train ", &outcome->last.trained),
               net_figures_text(judged, before, &outcome->last.judged), outcome->seconds);
    else
        printf("  failed\n");
    fflush(stdout);
}

/* One run of several, whose settings are set; false: it was to end, or there is no memory. */
static bool run_one(Request *request, int number, int all, const char *settings,
                    NetOutcome *outcome)
{
    Request one = *request;
    const char **names[RUN_FILES];
    char *made[RUN_FILES], label[64];
    double start = net_seconds();
    bool named = true;
    list_files(&one.run, names);
    for (int i = 0; i < RUN_FILES; i++) {
        made[i] = numbered(*names[i], number);
        named &= made[i] || !*names[i];
        *names[i] = made[i];
    }
    snprintf(label, sizeof label, "run %d/%d", number, all);
    one.run.label = label;
    one.run.outcome = outcome;
    int status = named ? net_train_once(&one) : net_complain(FAILED, "out of memory");
    outcome->seed = net_seed_of(request);
    outcome->seconds = net_seconds() - start;
    outcome->any &= status == DONE || status > INTERRUPTED;
    tell_run(request, label, settings, outcome);
    for (int i = 0; i < RUN_FILES; i++)
        free(made[i]);
    return named && status <= INTERRUPTED;
}

/* The trial of that number: the last axis changes fastest.  Writes "  lr 0.1" for each axis. */
static bool set_trial(Request *request, int number, NetTrial *trial, char *settings, size_t size,
                      NetError *error)
{
    const NetTrials *trials = &request->trials;
    size_t used = 0;
    int left = number;
    settings[0] = 0;
    for (int axis = trials->axes - 1; axis >= 0; axis--) {
        char text[NET_SHAPE_TEXT];
        int count = 1;
        for (const char *at = request->grids[axis]; (at = strchr(at, ',')); at++)
            count++;
        if (!net_set_nth(request, trials->paths[axis], request->grids[axis], left % count, text,
                         error))
            return false;
        left /= count;
        trial->values[axis] = strdup(text);
        if (!trial->values[axis])
            return net_fail(error, "out of memory");
    }
    for (int axis = 0; axis < trials->axes && used < size; axis++)
        used += (size_t)snprintf(settings + used, size - used, "  %s %s", trials->paths[axis],
                                 trial->values[axis]);
    return true;
}

static int64_t count_trials(const Request *request)
{
    int64_t all = 1;
    for (int axis = 0; axis < request->trials.axes; axis++) {
        int64_t count = 1;
        for (const char *at = request->grids[axis]; (at = strchr(at, ',')); at++)
            count++;
        all *= count;
    }
    return all;
}

static bool set_seed(Request *request, uint64_t seed, NetError *error)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, seed);
    return net_setting_set(&request->settings, "seed", text, "--seed", error);
}

/* All of them, or as many as there are before a signal. */
static bool run_all(Request *request, NetError *error)
{
    NetTrials *trials = &request->trials;
    int all = (int)count_trials(request), repeats = (int)request->repeat, number = 0;
    uint64_t first_seed = net_seed_of(request);
    bool go_on = true;
    trials->items = net_allocate((size_t)all, sizeof *trials->items, error);
    if (!trials->items)
        return false;
    for (int i = 0; i < all && go_on; i++) {
        char settings[NET_MAX_AXES * 80];
        NetTrial *trial = &trials->items[trials->count];
        trial->outcomes = net_allocate((size_t)repeats, sizeof *trial->outcomes, error);
        trials->count++;
        if (!trial->outcomes || !set_trial(request, i, trial, settings, sizeof settings, error))
            return false;
        for (int k = 0; k < repeats && go_on; k++) {
            if (!set_seed(request, first_seed + (uint64_t)k, error))
                return false;
            go_on = run_one(request, ++number, all * repeats, settings, &trial->outcomes[k]);
            trial->count++;
        }
    }
    return true;
}

static void close_trials(NetTrials *trials)
{
    for (int i = 0; i < trials->count; i++) {
        for (int axis = 0; axis < trials->axes; axis++)
            free((char *)trials->items[i].values[axis]);
        free(trials->items[i].outcomes);
    }
    free(trials->items);
    *trials = (NetTrials){0};
}

/* The runs that failed of all. */
static int count_failed(const NetTrials *trials, int *all)
{
    int failed = 0;
    *all = 0;
    for (int i = 0; i < trials->count; i++)
        for (int k = 0; k < trials->items[i].count; k++) {
            failed += !trials->items[i].outcomes[k].any;
            ++*all;
        }
    return failed;
}

int net_run_trials(Request *request)
{
    NetError error;
    NetData data = {0};
    int all;
    if (request->resume)
        return net_complain(MISUSE, "--resume goes on with one run: without --repeat");
    if (net_rank_count() > 1)
        return net_complain(MISUSE, "several runs are one process's: without ranks");
    if (count_trials(request) * (int64_t)request->repeat > 100000)
        return net_complain(MISUSE, "these are more than 100000 runs");
    request->shared = &data;
    bool good = (!request->output || net_check_output(request->output, NET_ANY_FILE, &error))
                && run_all(request, &error);
    request->shared = NULL;
    net_data_close(&data);
    if (good) {
        if (!request->run.quiet)
            printf("\n");
        net_trials_print(&request->trials, stdout);
        good = !request->output || net_trials_write(&request->trials, request->output, &error);
    }
    int failed = count_failed(&request->trials, &all);
    close_trials(&request->trials);
    if (!good)
        return net_give_up(&error);
    if (net_signal_asked())
        return INTERRUPTED + net_signal_asked();
    return failed == all || (failed && request->repeat > 1) ? FAILED : DONE;
}

int net_command_sweep(Request *request)
{
    if (request->trials.axes == 0)
        return net_complain(MISUSE, "sweep needs --set PATH=A,B,...: what to try, as "
                                    "--set lr=0.1,0.01");
    return net_run_trials(request);
}
