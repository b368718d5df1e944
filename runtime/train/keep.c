/* keep.c: earlier checkpoints, kept beside the newest.
 *
 * The newest always has the name that was asked for.  Before the next one takes
 * that name, the file gets a second one with its step, which costs no copy, and
 * so at every moment all of them are whole.  Which ones are the run's travels in
 * the checkpoint: nothing else of that name is ever removed or replaced.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *kept_name(const NetKeep *keep, int64_t step)
{
    char *name;
    return asprintf(&name, "%s.%" PRId64, keep->path, step) < 0 ? NULL : name;
}

/* A checkpoint says in its header of which step it is. */
static bool is_checkpoint_of(const char *path, int64_t step)
{
    NetTensorFile file;
    NetError ignored;
    char wanted[24];
    snprintf(wanted, sizeof wanted, "%" PRId64, step);
    if (!net_tensors_open(&file, path, &ignored))
        return false;
    const char *found = net_tensors_metadata(&file, "step");
    bool is = found && strcmp(found, wanted) == 0;
    net_tensors_close(&file);
    return is;
}

/* ------------------------------------------------------------ whose they are */

bool net_is_kept_name(const char *path, const char *checkpoint)
{
    char *name = net_resolve(path), *newest = net_resolve(checkpoint);
    size_t length = newest ? strlen(newest) : 0;
    const char *step = name && newest && strncmp(name, newest, length) == 0 && name[length] == '.'
                           ? name + length + 1
                           : "";
    bool is = *step && step[strspn(step, "0123456789")] == 0;
    free(name);
    free(newest);
    return is;
}

/* Once: a run that was taken up again may make a checkpoint of that step again. */
static void enter(NetProgress *progress, int64_t step)
{
    int count = progress->kept_count;
    if (count < NET_MAX_KEPT && (count == 0 || progress->kept[count - 1] < step))
        progress->kept[progress->kept_count++] = step;
}

/* Of a kept one that is taken up again, those before it and itself stay the run's. */
static void take_over(NetKeep *keep, const char *from, NetProgress *progress)
{
    bool newest = from && net_same_file(from, keep->path),
         earlier = from && net_is_kept_name(from, keep->path);
    if (newest)
        keep->holds = progress->step;
    else if (!earlier)
        progress->kept_count = 0;
    else
        enter(progress, progress->step);
}

bool net_keep_open(NetKeep *keep, const char *path, int64_t max, const char *from,
                   NetProgress *progress, NetError *error)
{
    *keep = (NetKeep){.max = max, .holds = -1};
    if (!path)
        return true;
    keep->path = net_resolve(path);
    if (!keep->path)
        return net_fail(error, "cannot write %s: %m", path);
    take_over(keep, from, progress);
    return true;
}

void net_keep_close(NetKeep *keep)
{
    free(keep->path);
    keep->path = NULL;
}

/* ------------------------------------------------------------ names */

/* Where a file cannot have two names it changes its own: then the newest is
 * missing until it is written. */
static bool name_again(const char *from, const char *to)
{
    return link(from, to) == 0 || (errno != EEXIST && errno != ENOENT && rename(from, to) == 0);
}

/* An earlier run of the same name may have left a checkpoint of that step. */
static bool give_name(const NetKeep *keep, const char *name, NetError *error)
{
    if (name_again(keep->path, name))
        return true;
    bool taken = errno == EEXIST;
    if (taken && !is_checkpoint_of(name, keep->holds))
        return net_fail(error, "cannot keep the checkpoint of step %" PRId64 ": %s is another file",
                        keep->holds, name);
    if (taken && unlink(name) == 0 && name_again(keep->path, name))
        return true;
    return net_fail(error, "cannot keep the checkpoint of step %" PRId64 " as %s: %m", keep->holds,
                    name);
}

bool net_keep_earlier(NetKeep *keep, NetProgress *progress, NetError *error)
{
    if (keep->max < 2 || keep->holds < 0 || keep->holds == progress->step)
        return true;
    char *name = kept_name(keep, keep->holds);
    bool good = name ? give_name(keep, name, error) : net_fail(error, "out of memory");
    free(name);
    if (!good)
        return false;
    enter(progress, keep->holds);
    keep->holds = -1;
    return true;
}

static void remove_kept(const NetKeep *keep, int64_t step)
{
    char *name = kept_name(keep, step);
    if (name && is_checkpoint_of(name, step))
        unlink(name);
    free(name);
}

void net_keep_remove(NetKeep *keep, NetProgress *progress)
{
    keep->holds = progress->step;
    if (keep->max < 1)
        return;
    int64_t many = progress->kept_count - (keep->max - 1);
    for (int64_t i = 0; i < many; i++)
        remove_kept(keep, progress->kept[i]);
    if (many > 0) {
        progress->kept_count -= (int)many;
        memmove(progress->kept, progress->kept + many,
                (size_t)progress->kept_count * sizeof *progress->kept);
    }
}
