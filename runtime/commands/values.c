/* values.c: what the values of options say.  Each is tried when it is read, so that a
 * fault is told before anything begins. */
#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "lr=0.1" as the path and what follows the sign; `lr` is the optimizer's. */
static bool split_pair(const char *pair, char path[NET_SHAPE_TEXT], const char **value,
                       NetError *error)
{
    const char *equals = strchr(pair, '=');
    if (!equals)
        return net_fail(error, "--set %.100s: PATH=VALUE is expected, as optimizer.momentum=0.9",
                        pair);
    bool lr = equals - pair == 2 && strncmp(pair, "lr", 2) == 0;
    snprintf(path, NET_SHAPE_TEXT, "%s%.*s", lr ? "optimizer." : "", (int)(equals - pair), pair);
    *value = equals + 1;
    return true;
}

bool net_set_pair(Request *request, const char *pair, NetError *error)
{
    char path[NET_SHAPE_TEXT], option[NET_SHAPE_TEXT];
    const char *value;
    if (!split_pair(pair, path, &value, error))
        return false;
    snprintf(option, sizeof option, "--set %.150s", path);
    return net_setting_set(&request->settings, path, value, option, error);
}

bool net_set_nth(Request *request, const char *path, const char *values, int number,
                 char text[NET_SHAPE_TEXT], NetError *error)
{
    char option[NET_SHAPE_TEXT];
    for (; number > 0 && values; number--) {
        values = strchr(values, ',');
        values = values ? values + 1 : NULL;
    }
    error->text[0] = 0;
    if (!values)
        return false;
    snprintf(text, NET_SHAPE_TEXT, "%.*s", (int)strcspn(values, ","), values);
    snprintf(option, sizeof option, "--set %.150s", path);
    return net_setting_set(&request->settings, path, text, option, error);
}

/* Each value is tried now, so that a fault is told before the first run. */
bool net_add_axis(Request *request, const char *pair, NetError *error)
{
    NetTrials *trials = &request->trials;
    char path[NET_SHAPE_TEXT], text[NET_SHAPE_TEXT];
    const char *values;
    if (!split_pair(pair, path, &values, error))
        return false;
    const NetValue *setting = net_setting_find(&request->settings, path);
    for (int i = 0; i < trials->axes; i++)
        if (setting && strcmp(trials->paths[i], path) == 0)
            return net_fail(error, "--set %s is given twice: name all its values at once", path);
    if (trials->axes == NET_MAX_AXES)
        return net_fail(error, "a sweep takes at most %d settings", NET_MAX_AXES);
    if (strcmp(path, "seed") == 0 || strcmp(path, "validation") == 0)
        return net_fail(error, "a sweep's runs have the same %s%s", path,
                        *path == 's' ? ": --repeat N takes other seeds" : "");
    for (int i = 0; net_set_nth(request, path, values, i, text, error); i++)
        continue;
    if (error->text[0])
        return false;
    trials->paths[trials->axes] = setting->path;
    request->grids[trials->axes++] = values;
    return true;
}

bool net_set_interval(double *seconds, const char *value, const char *name, NetError *error)
{
    static const char letters[] = "smh";
    static const double units[] = {1, 60, 3600};
    size_t length = strlen(value);
    const char *letter = length > 0 ? strchr(letters, value[length - 1]) : NULL;
    char *number = strndup(value, letter ? length - 1 : length);
    double max = letter ? 1e9 / units[letter - letters] : 1e15, min = letter ? 1e-3 : 1;
    NetError ignored;
    bool good =
        number
        && net_parse_number(&seconds[letter ? 0 : 1], number, !letter, min, max, name, &ignored);
    free(number);
    if (!good)
        return net_fail(
            error,
            "%s %.100s: a number of steps, as 500, or a time, as 30s, 10m or 2h, is expected", name,
            *value ? value : "''");
    if (letter)
        seconds[0] *= units[letter - letters];
    seconds[letter ? 1 : 0] = 0;
    return true;
}

bool net_set_bytes(double *bytes, const char *value, const char *name, NetError *error)
{
    static const struct Unit {
        const char *name;
        double bytes;
    } units[] = {{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"K", 1e3},
                 {"M", 1e6},  {"G", 1e9},  {"T", 1e12}, {"B", 1},     {"", 1}};
    const char *unit = value + strspn(value, "0123456789.");
    char *number = strndup(value, (size_t)(unit - value));
    NetError ignored;
    double factor = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units && factor == 0; i++)
        if (strcasecmp(unit, units[i].name) == 0)
            factor = units[i].bytes;
    bool good =
        number && factor > 0
        && net_parse_number(bytes, number, false, 1 / factor, 1e15 / factor, name, &ignored);
    free(number);
    *bytes *= factor;
    return good
           || net_fail(error, "%s %.100s: a size, as 2GB or 512MB, is expected", name,
                       *value ? value : "''");
}

/* "1,2,4". */
bool net_set_cores(NetBench *bench, const char *value, const char *name, NetError *error)
{
    for (const char *at = value;; at++) {
        size_t length = strcspn(at, ",");
        char *number = strndup(at, length);
        double cores;
        NetError ignored;
        bool good = number && bench->core_counts < NET_MAX_CORE_COUNTS
                    && net_parse_number(&cores, number, true, 1, NET_MAX_CORES, name, &ignored);
        free(number);
        if (!good)
            return net_fail(error,
                            "%s %.100s: numbers of cores, as 1,2,4,64, are expected: up to %d, "
                            "each from 1 to %d",
                            name, *value ? value : "''", NET_MAX_CORE_COUNTS, NET_MAX_CORES);
        bench->cores[bench->core_counts++] = (int)cores;
        at += length;
        if (!*at)
            return true;
    }
}

/* A folder that is called as a number is written ./0.1. */
bool net_set_validation(Request *request, const char *value, NetError *error)
{
    bool number = *value && value[strspn(value, "0123456789.eE+-")] == 0;
    request->validation = number ? NULL : value;
    return net_setting_set(&request->settings, "validation", number ? value : "0", "--validation",
                           error);
}
