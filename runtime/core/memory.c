/* memory.c: how much memory the program may use.
 *
 * A job or a container is given some of a machine's, as it is of processors (processors.c).
 */
#include "runtime.h"

#include <inttypes.h>
#include <unistd.h>

/* A file with one number; INT64_MAX: there is none, or it says "max". */
static int64_t read_limit(const char *path)
{
    FILE *file = fopen(path, "r");
    int64_t limit = INT64_MAX;
    if (file && fscanf(file, "%" SCNd64, &limit) != 1)
        limit = INT64_MAX;
    if (file)
        fclose(file);
    return limit > 0 ? limit : INT64_MAX;
}

int64_t net_memory(void)
{
    int64_t pages = sysconf(_SC_PHYS_PAGES), bytes = pages > 0 ? pages * sysconf(_SC_PAGESIZE) : 0;
    int64_t limits[] = {read_limit("/sys/fs/cgroup/memory.max"),
                        read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes")};
    bytes = bytes > 0 ? bytes : (int64_t)1 << 32;
    for (int i = 0; i < 2; i++)
        bytes = limits[i] < bytes ? limits[i] : bytes;
    return bytes;
}
