/* log.c: a run as JSON lines, for programs to read.
 *
 * A line is in the file's hands as soon as it happens, in one write, so a reader
 * can follow a run and a killed one leaves whole lines.  A line that cannot be
 * written is lost and counted, and the run goes on: its weights are worth more.
 */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------- the file */

int net_stream_of(const struct stat *file)
{
    struct stat stream;
    for (int descriptor = STDOUT_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        if (fstat(descriptor, &stream) == 0 && stream.st_dev == file->st_dev
            && stream.st_ino == file->st_ino)
            return descriptor;
    return -1;
}

/* What the program prints to already, under a name of its own such as
 * /dev/stdout, is shared: opened again it would begin at its start. */
static int share_stream(const char *path)
{
    struct stat named;
    int descriptor = stat(path, &named) == 0 ? net_stream_of(&named) : -1;
    return descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

/* A FIFO waits here for its reader, or for a signal that ends the run. */
static int open_path(const char *path, int flags)
{
    int descriptor;
    do
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666);
    while (descriptor < 0 && errno == EINTR && !net_signal_asked());
    return descriptor;
}

bool net_log_open(NetLog *log, const char *path, bool append, NetError *error)
{
    *log = (NetLog){.path = path, .descriptor = -1};
    if (!path)
        return true;
    log->descriptor = share_stream(path);
    if (log->descriptor < 0)
        log->descriptor = open_path(path, append ? 0 : O_TRUNC);
    return log->descriptor >= 0 || net_fail(error, "cannot write %s: %m", path);
}

/* A file that somebody deleted while it was written is begun anew. */
static bool find_file(NetLog *log, struct stat *status)
{
    if (fstat(log->descriptor, status) != 0)
        return false;
    if (!S_ISREG(status->st_mode) || status->st_nlink > 0)
        return true;
    int descriptor = open_path(log->path, 0);
    if (descriptor < 0)
        return false;
    close(log->descriptor);
    log->descriptor = descriptor;
    return fstat(descriptor, status) == 0;
}

/* How much of the text was written: all of it, or less and errno says why. */
static size_t write_text(int descriptor, const char *text, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t some = write(descriptor, text + done, length - done);
        if (some < 0 && (errno != EINTR || net_signal_asked()))
            break;
        done += some > 0 ? (size_t)some : 0;
    }
    return done;
}

/* To the length it had; what a pipe took it keeps. */
static bool cut_back(int descriptor, const struct stat *status)
{
    return S_ISREG(status->st_mode) && ftruncate(descriptor, status->st_size) == 0
           && lseek(descriptor, status->st_size, SEEK_SET) >= 0;
}

/* All of the line or nothing.  Where half a line stays, the next one begins
 * after a newline. */
static bool append_line(NetLog *log, const char *line)
{
    struct stat status;
    if (!find_file(log, &status) || (log->torn && write_text(log->descriptor, "\n", 1) < 1))
        return false;
    log->torn = false;
    size_t length = strlen(line), done = write_text(log->descriptor, line, length);
    if (done == length)
        return true;
    int reason = errno;
    log->torn = done > 0 && !cut_back(log->descriptor, &status);
    errno = reason;
    return false;
}

/* ------------------------------------------------------------ the lines */

static bool lose_line(NetLog *log, const char *why, NetError *error)
{
    log->lost++;
    net_fail(&log->reason, "%s", why);
    return net_fail(error, "cannot write %s: %s", log->path, why);
}

/* Takes the line. */
static bool write_line(NetLog *log, cJSON *line, NetError *error)
{
    char *text = cJSON_PrintUnformatted(line), *whole;
    cJSON_Delete(line);
    if (!text || asprintf(&whole, "%s\n", text) < 0)
        whole = NULL;
    free(text);
    if (!whole)
        return lose_line(log, "out of memory", error);
    bool good = append_line(log, whole);
    int reason = errno;
    free(whole);
    return good || lose_line(log, strerror(reason), error);
}

/* The line with one more member.  NULL when there was no memory for it or one
 * before, which write_line tells: a line that lacks a member is no line. */
static cJSON *with(cJSON *line, const char *name, cJSON *value)
{
    if (line && value && cJSON_AddItemToObject(line, name, value))
        return line;
    cJSON_Delete(value);
    cJSON_Delete(line);
    return NULL;
}

/* A number that is not finite is null: JSON has no other word for it. */
static cJSON *with_number(cJSON *line, const char *name, double value)
{
    return with(line, name, cJSON_CreateNumber(value));
}

static cJSON *new_line(const char *event)
{
    return with(cJSON_CreateObject(), "event", cJSON_CreateString(event));
}

bool net_log_step(NetLog *log, int64_t epoch, int64_t step, double loss, double lr, NetError *error)
{
    if (!log->path)
        return true;
    cJSON *line = new_line("step");
    line = with_number(line, "epoch", (double)epoch);
    line = with_number(line, "step", (double)step);
    line = with_number(line, "loss", loss);
    line = with_number(line, "lr", lr);
    return write_line(log, line, error);
}

bool net_log_epoch(NetLog *log, const NetEpoch *epoch, NetError *error)
{
    if (!log->path)
        return true;
    cJSON *line = new_line("epoch");
    line = with_number(line, "epoch", (double)epoch->epoch);
    line = with_number(line, "train_loss", epoch->train_loss);
    if (!epoch->untested)
        line = with_number(line, "test_loss", epoch->test_loss);
    if (!isnan(epoch->test_accuracy))
        line = with_number(line, "test_accuracy", epoch->test_accuracy);
    for (int i = 0; !epoch->untested && i < epoch->figures.count; i++) {
        char key[64];
        snprintf(key, sizeof key, "test_%s", epoch->figures.items[i].key);
        line = with_number(line, key, epoch->figures.items[i].value);
    }
    if (epoch->judged)
        line = with(line, "best", cJSON_CreateBool(epoch->best));
    line = with_number(line, "seconds", epoch->seconds);
    line = with_number(line, "images_per_second", epoch->images_per_second);
    return write_line(log, line, error);
}

/* A network file system may tell only now that what it took is not there. */
bool net_log_close(NetLog *log, NetError *error)
{
    bool good = log->descriptor < 0 || close(log->descriptor) == 0 || errno == EINTR;
    log->descriptor = -1;
    if (!good)
        return net_fail(error, "cannot write %s: %m", log->path);
    return log->lost == 0
           || net_fail(error, "%s lacks %" PRId64 " line%s: %.200s", log->path, log->lost,
                       log->lost == 1 ? "" : "s", log->reason.text);
}
