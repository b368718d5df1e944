/* best.c: the weights of the best epochs, by the figure that a run goes by.
 *
 * The best of all always has the name that was asked for.  Where several are kept, each epoch that
 * is among the best so far also has a file with its epoch and figure in the name.  It is written
 * whole before the one that is no longer among them goes.  Which ones are the run's travels in its
 * checkpoint: nothing else is ever removed.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *net_best_name(const char *path, const char *key, NetBestEpoch one)
{
    char *name;
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path,
               *dot = strrchr(file, '.');
    size_t stem = dot && dot > file ? (size_t)(dot - path) : strlen(path);
    return asprintf(&name, "%.*s-epoch%" PRId64 "-%s-%.5g%s", (int)stem, path, one.epoch, key,
                    one.figure, path + stem)
                   < 0
               ? NULL
               : name;
}

bool net_best_enters(const NetProgress *progress, const NetFigure *figure, int64_t max)
{
    int count = progress->best_count;
    return count < max || net_figure_better(figure, progress->bests[count - 1].figure, 0);
}

/* Weights of ours: a name alone would not do. */
static bool is_weights(const char *path)
{
    NetTensorFile file;
    NetError ignored;
    if (!net_tensors_open(&file, path, &ignored))
        return false;
    net_tensors_close(&file);
    return true;
}

bool net_best_free(const char *name, NetError *error)
{
    return access(name, F_OK) != 0 || is_weights(name)
           || net_fail(error,
                       "%s is another file, and would be the weights of one of the best "
                       "epochs: move it away",
                       name);
}

static void remove_last(NetProgress *progress, const char *path, const char *key)
{
    char *name = net_best_name(path, key, progress->bests[--progress->best_count]);
    if (name && is_weights(name))
        unlink(name);
    free(name);
}

/* Few enough to be inserted one by one. */
void net_best_enter(NetProgress *progress, const char *path, const NetFigure *figure, int64_t epoch,
                    int64_t max)
{
    int at = progress->best_count;
    for (; at > 0 && net_figure_better(figure, progress->bests[at - 1].figure, 0); at--)
        progress->bests[at] = progress->bests[at - 1];
    progress->bests[at] = (NetBestEpoch){epoch, figure->value};
    progress->best_count++;
    while (progress->best_count > max)
        remove_last(progress, path, figure->key);
}

void net_best_forget_lost(NetProgress *progress, const char *path)
{
    int left = 0;
    for (int i = 0; i < progress->best_count; i++) {
        char *name = net_best_name(path, progress->monitor, progress->bests[i]);
        if (name && access(name, F_OK) == 0)
            progress->bests[left++] = progress->bests[i];
        free(name);
    }
    progress->best_count = left;
}
