/* series.c: a log of JSON lines as series of numbers, whatever figures it has. */
#include "report/report.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

const NetSeries *net_history_find(const NetHistory *history, const char *event, const char *name,
                                  const char *of)
{
    for (int i = 0; i < history->count; i++) {
        const NetSeries *series = &history->series[i];
        if (strcmp(series->event, event) == 0 && strcmp(series->name, name) == 0
            && is_text(series->of, of))
            return series;
    }
    return NULL;
}

/* NULL: no memory. */
static NetSeries *new_series(NetHistory *history, const char *event, const char *name,
                             const char *of)
{
    if (history->count == history->room) {
        int room = 2 * history->room + 16;
        NetSeries *more = realloc(history->series, (size_t)room * sizeof *more);
        if (!more)
            return NULL;
        history->series = more;
        history->room = room;
    }
    NetSeries *series = &history->series[history->count];
    *series = (NetSeries){.event = strdup(event), .name = strdup(name), .of = NULL};
    history->count++;
    series->of = of ? strdup(of) : NULL;
    return series->event && series->name && (series->of || !of) ? series : NULL;
}

/* False: there is no memory, and the series is as it was. */
static bool grow(NetSeries *series)
{
    size_t room = 2 * (size_t)series->room + 64;
    double *more = realloc(series->x, room * sizeof *more);
    if (!more)
        return false;
    series->x = more;
    more = realloc(series->y, room * sizeof *more);
    if (!more)
        return false;
    series->y = more;
    series->room = (int64_t)room;
    return true;
}

static bool add_point(NetSeries *series, double x, double y)
{
    if (series->count == series->room && !grow(series))
        return false;
    series->x[series->count] = x;
    series->y[series->count++] = y;
    return true;
}

static bool add(NetHistory *history, const char *event, const cJSON *item, const char *of,
                const char *name, double x)
{
    NetSeries *series = (NetSeries *)net_history_find(history, event, name, of);
    if (!series)
        series = new_series(history, event, name, of);
    return series && add_point(series, x, cJSON_IsNumber(item) ? item->valuedouble : NAN);
}

static bool is_position(const char *name)
{
    return strcmp(name, "event") == 0 || strcmp(name, "epoch") == 0 || strcmp(name, "step") == 0;
}

static double number_of(const cJSON *line, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* null is what a number is written as that is not finite. */
static bool take_line(NetHistory *history, const cJSON *line, const char *event)
{
    bool epoch = strcmp(event, "epoch") == 0;
    double x = number_of(line, epoch ? "epoch" : "step");
    const cJSON *item, *part;
    cJSON_ArrayForEach(item, line)
    {
        bool number = cJSON_IsNumber(item) || cJSON_IsNull(item);
        if (!is_position(item->string) && number
            && !add(history, event, item, NULL, item->string, x))
            return false;
        for (part = cJSON_IsObject(item) ? item->child : NULL; part; part = part->next)
            if (!add(history, event, part, part->string, item->string, x))
                return false;
    }
    if (epoch) {
        history->epochs = (int64_t)x;
        history->seconds += number_of(line, "seconds");
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(line, "best")))
            history->best_epoch = x;
    } else if (x > (double)history->steps) {
        history->steps = (int64_t)x;
    }
    return true;
}

static bool read_line(NetHistory *history, const char *text, const char *path, int64_t number,
                      NetError *error)
{
    cJSON *line = cJSON_Parse(text);
    const cJSON *event = cJSON_GetObjectItemCaseSensitive(line, "event");
    bool known = cJSON_IsString(event),
         good = known && take_line(history, line, event->valuestring);
    if (known && !good)
        net_fail(error, "out of memory");
    if (!known)
        net_fail(error,
                 "%s: line %" PRId64 " is none of a run's log; report reads the lines of JSON "
                 "that `train --log F.jsonl` writes",
                 path, number);
    cJSON_Delete(line);
    return good;
}

bool net_history_read(NetHistory *history, const char *path, NetError *error)
{
    *history = (NetHistory){0};
    char *line = NULL;
    size_t room = 0;
    int64_t number = 0;
    ssize_t length;
    FILE *file = fopen(path, "rb");
    if (!file)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    bool good = true;
    while (good && (length = getline(&line, &room, file)) >= 0)
        if (line[length - 1] == '\n') /* a run that goes on may be writing the last one */
            good = read_line(history, line, path, ++number, error);
    if (good && ferror(file))
        good = net_fail(error, "cannot read %s: %s", path, strerror(errno));
    if (good && number == 0)
        good = net_fail(error, "%s has no lines", path);
    free(line);
    fclose(file);
    return good;
}

void net_history_close(NetHistory *history)
{
    for (int i = 0; i < history->count; i++) {
        NetSeries *series = &history->series[i];
        free(series->event);
        free(series->name);
        free(series->of);
        free(series->x);
        free(series->y);
    }
    free(history->series);
    *history = (NetHistory){0};
}
