/* logcut.c: a log that is taken up again at its checkpoint's step.
 *
 * A run that was killed had logged more steps than its last checkpoint has, and
 * the resumed run logs them again.  So what came after the checkpoint is cut off
 * first, and with it a line that was only half written.  One truncation does it:
 * the log is the old one or the shorter one.  A file that is not a log is left
 * alone, with a sentence.
 */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINE = 1 << 14 }; /* bytes: ours are a few hundred */

static const char BEGINNING[] = "{\"event\":\"";

static bool begins_as_ours(const char *line)
{
    return strncmp(line, BEGINNING, strnlen(line, sizeof BEGINNING - 1)) == 0;
}

static double number_of(const cJSON *event, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* A step's line counts steps; every other one's epoch is one that is done. */
static bool is_later(const cJSON *event, const NetProgress *progress)
{
    if (cJSON_HasObjectItem(event, "step"))
        return number_of(event, "step") > (double)progress->step;
    return number_of(event, "epoch") > (double)progress->epoch;
}

/* Where the log is to end: before the first line that is later, or torn.  -1: it
 * is no log, and errno is 0, or it could not be read, and errno says why. */
static int64_t find_end(FILE *file, const NetProgress *progress)
{
    char line[MAX_LINE];
    for (int64_t end = 0; end >= 0; end = ftello(file)) {
        if (!fgets(line, sizeof line, file))
            return ferror(file) ? -1 : end;
        size_t length = strlen(line);
        bool whole = length > 0 && line[length - 1] == '\n';
        errno = 0;
        if (!begins_as_ours(line) || (!whole && !feof(file)))
            return -1;
        if (!whole)
            return end;
        cJSON *event = cJSON_Parse(line);
        bool later = event && is_later(event, progress), known = event != NULL;
        cJSON_Delete(event);
        if (!known)
            return -1;
        if (later)
            return end;
    }
    return -1;
}

bool net_log_cut(const char *path, const NetProgress *progress, NetError *error)
{
    struct stat status;
    if (!path)
        return true;
    if (stat(path, &status) != 0)
        return errno == ENOENT || net_fail(error, "cannot write %s: %m", path);
    /* `--log /dev/stdout`: what the program prints to is not only a log. */
    if (!S_ISREG(status.st_mode) || status.st_size == 0 || net_stream_of(&status) >= 0)
        return true;
    FILE *file = fopen(path, "r+b");
    if (!file)
        return net_fail(error, "cannot write %s: %m", path);
    int64_t end = find_end(file, progress);
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
