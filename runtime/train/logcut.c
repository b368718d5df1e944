/* logcut.c: a log that is taken up again at its checkpoint's step.
 *
 * A run that was killed had logged more steps than its last checkpoint has, and
 * the resumed run logs them again.  So what came after the checkpoint is cut off
 * first, and with it a row that was only half written.  One truncation does it:
 * the log is the old one or the shorter one.  A file that is not a log is left
 * alone, with a sentence.
 */
#include "train/log.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

bool net_log_cut(const NetLog *log, const NetProgress *progress, NetError *error)
{
    const char *path = log->path;
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT || net_fail(error, "cannot write %s: %m", path);
    /* `--log /dev/stdout`: what the program prints to is not only a log. */
    if (!S_ISREG(status.st_mode) || status.st_size == 0 || net_stream_of(&status) >= 0)
        return true;
    FILE *file = fopen(path, "r+b");
    if (!file)
        return net_fail(error, "cannot write %s: %m", path);
    int64_t end = log->kind->find_end(log, file, progress);
    bool good = end >= 0;
    if (!good && errno)
        net_fail(error, "cannot read %s: %m", path);
    else if (!good)
        net_fail(error,
                 "%s is not a log that train wrote, and the run would write on in it: give --log "
                 "another file",
                 path);
    if (good && end < status.st_size
        && (ftruncate(fileno(file), end) != 0 || fsync(fileno(file)) != 0))
        good = net_fail(error, "cannot cut %s back to step %" PRId64 ": %m", path, progress->step);
    fclose(file);
    return good;
}
