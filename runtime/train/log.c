/* log.c: a run as rows in a file, for programs to read.
 *
 * A row is in the file's hands as soon as it happens, in one write, so a reader
 * can follow a run and a killed one leaves whole rows.  A row that cannot be
 * written is lost and counted, and the run goes on: its weights are worth more.
 * How a row is written is the kind's that the file's name says.
 */
#include "train/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
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

/* --------------------------------------------------------------- columns */

static void add_field(NetLogField *fields, int *count, const char *of, const char *name,
                      double value)
{
    fields[(*count)++] = (NetLogField){of, name, value, false};
}

static void add_figures(NetLogField *fields, int *count, const char *split,
                        const NetFigures *figures)
{
    for (int i = 0; i < figures->count; i++)
        add_field(fields, count, split, figures->items[i].key, figures->items[i].value);
}

enum { MAX_PLAIN = 2 * NET_MAX_FIGURES + 8 };

/* The fields of a step's row, and of an epoch's. */
static int step_fields(NetLogField *fields, double loss, double lr)
{
    int count = 0;
    add_field(fields, &count, NULL, "loss", loss);
    add_field(fields, &count, NULL, "lr", lr);
    return count;
}

static int epoch_fields(NetLogField *fields, const NetEpoch *epoch)
{
    int count = 0;
    add_figures(fields, &count, "train", &epoch->trained);
    add_figures(fields, &count, epoch->split, &epoch->judged);
    if (epoch->compared) {
        add_field(fields, &count, NULL, "best", epoch->best);
        fields[count - 1].truth = true;
    }
    add_field(fields, &count, NULL, "seconds", epoch->seconds);
    add_field(fields, &count, NULL, "images_per_second", epoch->images_per_second);
    return count;
}

/* Those of a table: of a step, of an epoch, and of each parameter's statistics. */
static bool plan_columns(NetLog *log, const NetLogPlan *plan, NetError *error)
{
    const NetModel *model = plan->model;
    const NetResult trained = {.images = 1, .answers = net_has_classes(model)};
    NetResult judged = trained;
    judged.measured = net_figures_possible(model);
    log->planned = net_allocate(1, sizeof *log->planned, error);
    if (!log->planned)
        return false;
    *log->planned = (NetEpoch){.trained = net_figures(&trained),
                               .judged = net_figures(&judged),
                               .split = plan->split,
                               .compared = plan->compared};
    size_t most = MAX_PLAIN + NET_STATISTICS * (size_t)model->parameter_count;
    log->columns = net_allocate(most, sizeof *log->columns, error);
    if (!log->columns)
        return false;
    log->column_count = step_fields(log->columns, 0, 0);
    log->column_count += epoch_fields(log->columns + log->column_count, log->planned);
    log->plain_columns = log->column_count;
    if (plan->statistics)
        log->column_count += net_statistics_fields(log->columns + log->column_count, model, NULL);
    return true;
}

/* ------------------------------------------------------------ the kind */

/* What a name ends with says the kind of file; any other is JSON lines. */
static const NetLogKind *kind_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path,
               *dot = strrchr(name, '.');
    if (strstr(name, ".tfevents"))
        return &net_log_events;
    return dot && strcasecmp(dot, ".csv") == 0 ? &net_log_csv : &net_log_json;
}

bool net_log_is_ours(const char *path)
{
    char bytes[NET_LOG_FIRST];
    size_t count = net_first_bytes(path, bytes, sizeof bytes);
    return count == 0 || kind_of(path)->is_ours(bytes, count);
}

static bool is_folder(const char *path)
{
    struct stat status;
    size_t length = strlen(path);
    return (length > 0 && path[length - 1] == '/')
           || (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
}

/* With the folders that it lies in. */
static bool make_folder(char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        bool good = mkdir(path, 0777) == 0 || errno == EEXIST;
        *at = '/';
        if (!good)
            return false;
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

char *net_log_path(const char *path, const char *network, NetError *error)
{
    char *whole = NULL, *folder = NULL;
    if (!is_folder(path)) {
        whole = strdup(path);
    } else {
        folder = strdup(path);
        if (folder && !make_folder(folder)) {
            net_fail(error, "cannot make the folder %s: %m", path);
            free(folder);
            return NULL;
        }
        if (!folder || asprintf(&whole, "%s/events.out.tfevents.%s", folder, network) < 0)
            whole = NULL;
        free(folder);
    }
    if (!whole)
        net_fail(error, "out of memory");
    return whole;
}

static bool open_file(NetLog *log, bool append, NetError *error)
{
    log->descriptor = share_stream(log->path);
    if (log->descriptor < 0)
        log->descriptor = open_path(log->path, append ? 0 : O_TRUNC);
    return log->descriptor >= 0 || net_fail(error, "cannot write %s: %m", log->path);
}

/* Half a record could not be taken back from a pipe, and no reader would find the next. */
static bool can_hold(const NetLog *log, NetError *error)
{
    struct stat status;
    return log->kind->lines
           || (fstat(log->descriptor, &status) == 0 && S_ISREG(status.st_mode)
               && net_stream_of(&status) < 0)
           || net_fail(error, "TensorBoard's events are written to a file, and %s is none",
                       log->path);
}

bool net_log_open(NetLog *log, const NetLogPlan *plan, const NetProgress *resumed, NetError *error)
{
    *log = (NetLog){.path = plan->path, .descriptor = -1};
    if (!plan->path)
        return true;
    log->kind = kind_of(plan->path);
    return plan_columns(log, plan, error) && (!resumed || net_log_cut(log, resumed, error))
           && open_file(log, resumed != NULL, error) && can_hold(log, error);
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

/* Where half a row stays, the next begins after a newline, or where rows are no lines the half
 * goes first. */
static bool mend(NetLog *log)
{
    if (!log->torn)
        return true;
    if (!log->kind->lines && ftruncate(log->descriptor, log->whole) != 0)
        return false;
    if (log->kind->lines && write_text(log->descriptor, "\n", 1) < 1)
        return false;
    log->torn = false;
    return true;
}

/* All of the bytes or nothing. */
static bool append_bytes(NetLog *log, const NetBytes *row)
{
    struct stat status;
    if (!find_file(log, &status) || !mend(log))
        return false;
    log->whole = log->kind->lines ? 0 : lseek(log->descriptor, 0, SEEK_END);
    size_t done = write_text(log->descriptor, row->bytes, row->count);
    if (done == row->count)
        return true;
    int reason = errno;
    log->torn = done > 0 && !cut_back(log->descriptor, &status);
    errno = reason;
    return false;
}

/* A file that is still empty gets what it is to begin with, in the same write. */
static NetBytes with_beginning(NetLog *log, NetBytes row)
{
    struct stat status;
    bool empty = !log->begun;
    if (fstat(log->descriptor, &status) == 0 && S_ISREG(status.st_mode))
        empty = status.st_size == 0 || status.st_nlink == 0;
    if (!log->kind->begin || !row.bytes || !empty)
        return row;
    NetBytes first = log->kind->begin(log), whole = {0};
    whole.bytes = first.bytes ? malloc(first.count + row.count) : NULL;
    if (whole.bytes) {
        whole.count = first.count + row.count;
        memcpy(whole.bytes, first.bytes, first.count);
        memcpy(whole.bytes + first.count, row.bytes, row.count);
    }
    free(first.bytes);
    free(row.bytes);
    return whole;
}

/* ------------------------------------------------------------- the rows */

static bool lose_row(NetLog *log, const char *why, NetError *error)
{
    log->lost++;
    net_fail(&log->reason, "%s", why);
    return net_fail(error, "cannot write %s: %s", log->path, why);
}

static bool write_row(NetLog *log, const NetLogRow *row, NetError *error)
{
    NetBytes bytes = with_beginning(log, log->kind->encode(log, row));
    if (!bytes.bytes)
        return lose_row(log, "out of memory", error);
    bool good = append_bytes(log, &bytes);
    int reason = errno;
    free(bytes.bytes);
    log->begun |= good;
    return good || lose_row(log, strerror(reason), error);
}

const char *net_number_text(char text[32], double value)
{
    if (isnan(value))
        return "nan";
    snprintf(text, 32, "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, 32, "%.17g", value);
    return text;
}

bool net_log_step(NetLog *log, int64_t epoch, int64_t step, double loss, double lr, NetError *error)
{
    NetLogField fields[MAX_PLAIN];
    NetLogRow row = {.event = "step", .epoch = epoch, .step = step, .fields = fields};
    row.count = step_fields(fields, loss, lr);
    return !log->path || write_row(log, &row, error);
}

bool net_log_epoch(NetLog *log, const NetEpoch *epoch, NetError *error)
{
    NetLogField fields[MAX_PLAIN];
    NetLogRow row = {
        .event = "epoch", .epoch = epoch->epoch, .step = epoch->step, .fields = fields};
    row.count = epoch_fields(fields, epoch);
    return !log->path || write_row(log, &row, error);
}

bool net_log_statistics(NetLog *log, int64_t epoch, int64_t step, const NetSession *session,
                        NetError *error)
{
    const NetModel *model = session->model;
    if (!log->path)
        return true;
    NetLogField *fields =
        net_allocate(NET_STATISTICS * (size_t)model->parameter_count + 1, sizeof *fields, error);
    if (!fields)
        return lose_row(log, "out of memory", error);
    NetLogRow row = {
        .event = "stats", .epoch = epoch, .step = step, .fields = fields, .of_parameters = true};
    row.count = net_statistics_fields(fields, model, session);
    bool good = write_row(log, &row, error);
    free(fields);
    return good;
}

/* A network file system may tell only now that what it took is not there. */
bool net_log_close(NetLog *log, NetError *error)
{
    bool good = log->descriptor < 0 || close(log->descriptor) == 0 || errno == EINTR;
    log->descriptor = -1;
    free(log->columns);
    free(log->planned);
    log->columns = NULL;
    if (!good)
        return net_fail(error, "cannot write %s: %m", log->path);
    return log->lost == 0
           || net_fail(error, "%s lacks %" PRId64 " line%s: %.200s", log->path, log->lost,
                       log->lost == 1 ? "" : "s", log->reason.text);
}
