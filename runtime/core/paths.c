/* paths.c: whether two paths name one file, or would if it were written: by
 * another spelling, a symbolic link or a second name of the same file.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool folder_exists(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    bool exists = folder && access(folder, F_OK) == 0;
    free(folder);
    return exists;
}

/* Of a path whose last part does not exist glibc leaves what it would be, as is
 * documented of realpath(). */
char *net_resolve(const char *path)
{
    char whole[PATH_MAX] = "";
    if (realpath(path, whole) || (errno == ENOENT && *whole && folder_exists(path)))
        return strdup(whole);
    return NULL;
}

static bool would_be_one(const char *a, const char *b)
{
    char *whole_a = net_resolve(a), *whole_b = net_resolve(b);
    bool one = whole_a && whole_b && strcmp(whole_a, whole_b) == 0;
    free(whole_a);
    free(whole_b);
    return one;
}

bool net_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    bool has_a = stat(a, &of_a) == 0, has_b = stat(b, &of_b) == 0;
    if (has_a != has_b)
        return false;
    if (!has_a)
        return would_be_one(a, b);
    return S_ISREG(of_a.st_mode) && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

size_t net_first_bytes(const char *path, char *bytes, size_t count)
{
    struct stat status;
    size_t length = 0;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return 0;
    bool regular = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    for (ssize_t some = 1; regular && length < count && some != 0;) {
        some = read(descriptor, bytes + length, count - length);
        if (some < 0 && errno != EINTR)
            break;
        length += some > 0 ? (size_t)some : 0;
    }
    close(descriptor);
    return length;
}
