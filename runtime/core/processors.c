/* processors.c: on how many processors the program may run.
 *
 * A job or a container is given some of a machine's: by a set that its threads may run on, or by a
 * quota of time, which the set does not show (docker run --cpus 2).  Threads beyond either would
 * wait for one another.
 */
#include "runtime.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int net_processors(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* ------------------------------------------------------------ the quota
 * https://docs.kernel.org/admin-guide/cgroup-v2.html: cpu.max is "QUOTA PERIOD" in microseconds, or
 * "max PERIOD"; version 1 has a file for each, and -1 for none. */

static const char mounted[] = "/sys/fs/cgroup";
enum { LONGEST_PATH = 4096, LONGEST_LINE = 64 };

/* The file's first line; false: there is none. */
static bool read_line(char line[LONGEST_LINE], const char *folder, const char *name)
{
    char path[LONGEST_PATH + LONGEST_LINE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    bool read = file && fgets(line, LONGEST_LINE, file);
    if (file)
        fclose(file);
    return read;
}

/* What the folder's group may use, in processors; INFINITY: no limit is said there. */
static double quota_at(const char *folder)
{
    char line[LONGEST_LINE], period[LONGEST_LINE];
    double quota = -1, length = 0;
    if (read_line(line, folder, "cpu.max")) {
        if (sscanf(line, "%lf %lf", &quota, &length) != 2)
            return INFINITY;
    } else if (read_line(line, folder, "cpu.cfs_quota_us")
               && read_line(period, folder, "cpu.cfs_period_us")) {
        quota = strtod(line, NULL);
        length = strtod(period, NULL);
    }
    return quota > 0 && length > 0 ? quota / length : INFINITY;
}

/* The least of a group's and of those that it is in.  In a container the path may be the host's,
 * of which only the root is there. */
static double quota_of(const char *hierarchy, const char *group)
{
    char folder[LONGEST_PATH];
    size_t root = (size_t)snprintf(folder, sizeof folder, "%s%s", mounted, hierarchy);
    double least = INFINITY;
    if (root + strlen(group) >= sizeof folder)
        return least;
    strcpy(folder + root, group);
    for (;;) {
        least = fmin(least, quota_at(folder));
        char *last = strrchr(folder + root, '/');
        if (!last)
            return least;
        *last = '\0';
    }
}

/* A line of /proc/self/cgroup, "4:cpu,cpuacct:/group": of version 2 "0::/group". */
static double quota_in_line(char *line)
{
    char *controllers = strchr(line, ':'),
         *group = controllers ? strchr(controllers + 1, ':') : NULL;
    char hierarchy[LONGEST_LINE];
    if (!group)
        return INFINITY;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    controllers++;
    if (!*controllers)
        return fmin(quota_of("", group), quota_of("/unified", group));
    snprintf(hierarchy, sizeof hierarchy, "/%s", controllers);
    bool cpu = strcmp(controllers, "cpu") == 0 || strncmp(controllers, "cpu,", 4) == 0
               || strstr(controllers, ",cpu,") || strcmp(controllers, "cpuacct,cpu") == 0;
    return cpu ? quota_of(hierarchy, group) : INFINITY;
}

int net_processor_quota(void)
{
    char *line = NULL;
    size_t room = 0;
    double least = INFINITY;
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file && getline(&line, &room, file) > 0)
        least = fmin(least, quota_in_line(line));
    free(line);
    if (file)
        fclose(file);
    return least < INT32_MAX ? (int)ceil(least) : INT32_MAX;
}
