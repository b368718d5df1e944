/* files.c: files that are read. */
#include "util/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_stream(FILE *file, size_t limit, size_t *length)
{
    Text text = {0};
    char buffer[16384];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        if (got > limit - text.length) {
            errno = EFBIG;
            return NULL;
        }
        text_add_range(&text, buffer, got);
    }
    if (ferror(file))
        return NULL;
    text_add_range(&text, "", 0);
    *length = text.length;
    return text.chars;
}

static char *read_and_close(FILE *file, size_t limit, size_t *length)
{
    char *chars = read_stream(file, limit, length);
    int error = errno;
    fclose(file);
    errno = error;
    return chars;
}

char *read_whole_file(const char *path, size_t limit, size_t *length)
{
    FILE *file = fopen(path, "rb");
    return file ? read_and_close(file, limit, length) : NULL;
}

/* Opened without waiting for a pipe's writer, and asked what it is only then: the
 * answer is about what will be read. */
char *read_regular_file(const char *path, size_t limit, size_t *length)
{
    struct stat status = {0};
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    FILE *file = NULL;
    if (fstat(descriptor, &status) == 0)
        errno = S_ISDIR(status.st_mode) ? EISDIR : ENXIO;
    if (S_ISREG(status.st_mode))
        file = fdopen(descriptor, "rb");
    if (file)
        return read_and_close(file, limit, length);
    int error = errno;
    close(descriptor);
    errno = error;
    return NULL;
}

const char *program_folder(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return NULL;
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    return intern(path);
}
