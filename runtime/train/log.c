/* log.c: a run as JSON lines, for programs to read.
 *
 * A line is in the file's hands as soon as it happens, so a reader can follow a
 * run and a killed one leaves whole lines.
 */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

bool net_log_open(NetLog *log, const char *path, bool append, NetError *error)
{
    *log = (NetLog){.path = path};
    if (!path)
        return true;
    log->file = fopen(path, append ? "ab" : "wb");
    return log->file || net_fail(error, "cannot write %s: %m", path);
}

/* Takes the line. */
static bool write_line(NetLog *log, cJSON *line, NetError *error)
{
    char *text = cJSON_PrintUnformatted(line);
    cJSON_Delete(line);
    if (!text)
        return net_fail(error, "out of memory");
    bool good = fprintf(log->file, "%s\n", text) > 0 && fflush(log->file) == 0;
    free(text);
    return good || net_fail(error, "cannot write %s: %m", log->path);
}

/* A number that is not finite is null: JSON has no other word for it. */
bool net_log_step(NetLog *log, int64_t epoch, int64_t step, double loss, double lr, NetError *error)
{
    if (!log->file)
        return true;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "event", "step");
    cJSON_AddNumberToObject(line, "epoch", (double)epoch);
    cJSON_AddNumberToObject(line, "step", (double)step);
    cJSON_AddNumberToObject(line, "loss", loss);
    cJSON_AddNumberToObject(line, "lr", lr);
    return write_line(log, line, error);
}

bool net_log_epoch(NetLog *log, const NetEpoch *epoch, NetError *error)
{
    if (!log->file)
        return true;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "event", "epoch");
    cJSON_AddNumberToObject(line, "epoch", (double)epoch->epoch);
    cJSON_AddNumberToObject(line, "train_loss", epoch->train_loss);
    cJSON_AddNumberToObject(line, "test_loss", epoch->test_loss);
    cJSON_AddNumberToObject(line, "test_accuracy", epoch->test_accuracy);
    cJSON_AddNumberToObject(line, "seconds", epoch->seconds);
    cJSON_AddNumberToObject(line, "images_per_second", epoch->images_per_second);
    return write_line(log, line, error);
}

bool net_log_close(NetLog *log, NetError *error)
{
    bool good = !log->file || fclose(log->file) == 0 || net_fail(error, "cannot write %s: %m", log->path);
    log->file = NULL;
    return good;
}
