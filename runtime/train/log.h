/* log.h: what the files of a run's log share.  A row is what happened; each kind of file has its
 * own way to write one down.
 *
 *   log.c        rows, and a file that has each of them whole or not at all
 *   logcut.c     a log that is taken up again
 *   logjson.c    a line of JSON for each
 *   logcsv.c     a line of a table for each
 *   logevents.c  TensorBoard's events
 */
#ifndef NET_LOG_H
#define NET_LOG_H

#include "runtime.h"

typedef struct NetLogRow {
    const char *event; /* "step", "epoch", "stats" */
    int64_t epoch, step;
    const NetLogField *fields;
    int count;
    bool of_parameters; /* what the fields are of */
} NetLogRow;

/* free() them; NULL: no memory. */
typedef struct NetBytes {
    char *bytes;
    size_t count;
} NetBytes;

typedef struct NetLogKind {
    bool lines; /* each row is one: what is half there ends at the next newline */
    /* what the file begins with; NULL: nothing */
    NetBytes (*begin)(const NetLog *log);
    NetBytes (*encode)(const NetLog *log, const NetLogRow *row);
    /* Where a log is to end that is taken up again: before the first row that is later than the
     * progress, or torn.  -1: it is no log, and errno is 0, or it could not be read, and errno
     * says why. */
    int64_t (*find_end)(const NetLog *log, FILE *file, const NetProgress *progress);
    /* Whether a file may be one of ours, by its first bytes. */
    bool (*is_ours)(const char *bytes, size_t count);
} NetLogKind;

extern const NetLogKind net_log_json, net_log_csv, net_log_events;
enum { NET_LOG_FIRST = 48 }; /* bytes that is_ours looks at */

/* An epoch's row counts epochs that are done, every other one steps. */
static inline bool net_log_is_later(bool epoch_row, double epoch, double step,
                                    const NetProgress *progress)
{
    return epoch_row ? epoch > (double)progress->epoch : step > (double)progress->step;
}

/* logcut.c: drops from an old log what came after the progress, and a torn last row.  False: it is
 * no log, and was left alone; of nothing, or of no regular file, there is none to cut. */
bool net_log_cut(const NetLog *log, const NetProgress *progress, NetError *error);

/* A double's shortest text that gives it again; "nan" and "inf" likewise. */
const char *net_number_text(char text[32], double value);

#endif
