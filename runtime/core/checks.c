/* checks.c: failing with a sentence, allocating with a check, and writing files
 * that are never half there.
 *
 * A file is written under a temporary name beside its final one and renamed
 * when it is complete and on the disk.  rename() replaces a name in one step,
 * so a crash, a signal or a full disk leaves the old file as it was.
 */
#include "runtime.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool net_fail(NetError *error, const char *template, ...)
{
    va_list arguments;
    va_start(arguments, template);
    vsnprintf(error->text, sizeof error->text, template, arguments);
    va_end(arguments);
    return false;
}

enum { LARGE_PAGE = 2 << 20 };

/* A kernel walks many planes at once, each of them in pages of its own: of the
 * usual size, there are more than the processor holds translations for. */
static void *allocate(size_t bytes)
{
    if (bytes < 2 * (size_t)LARGE_PAGE)
        return aligned_alloc(NET_ALIGNMENT, bytes);
    void *memory = aligned_alloc(LARGE_PAGE, bytes - bytes % LARGE_PAGE + LARGE_PAGE);
#ifdef MADV_HUGEPAGE
    if (memory)
        madvise(memory, bytes, MADV_HUGEPAGE);          /* a wish: it may be refused */
#endif
    return memory;
}

void *net_allocate(size_t count, size_t size, NetError *error)
{
    size_t bytes, padded;
    if (__builtin_mul_overflow(count, size, &bytes)
        || __builtin_add_overflow(bytes, (size_t)NET_ALIGNMENT - 1, &padded)) {
        net_fail(error, "%zu values of %zu bytes are more memory than an address can reach", count, size);
        return NULL;
    }
    padded -= padded % NET_ALIGNMENT;
    /* At least one unit, so that NULL always means failure. */
    if (padded == 0)
        padded = NET_ALIGNMENT;
    void *memory = allocate(padded);
    if (!memory) {
        net_fail(error, "out of memory: %.1f MB were asked for", (double)bytes / 1e6);
        return NULL;
    }
    return memset(memory, 0, padded);
}

/* ------------------------------------------------------- whole files */

/* Drops the output; `reason` is the errno to name. */
static bool output_failed(NetOutput *output, int reason, NetError *error)
{
    net_fail(error, "cannot write %s: %s", output->path, strerror(reason));
    net_discard(output);
    return false;
}

/* A pipe or a device cannot be replaced by a renamed file: it is written in
 * place, which is what `--save /dev/null` means. */
static bool open_in_place(NetOutput *output, NetError *error)
{
    output->file = fopen(output->path, "wb");
    return output->file || output_failed(output, errno, error);
}

/* mkstemp makes its file private; the finished one is to have the old file's
 * permissions, or what open() would have given a new one.  A file system that
 * has no permissions refuses, and the file is as good without. */
static void set_permissions(int descriptor, const struct stat *old)
{
    mode_t mode;
    if (old) {
        mode = old->st_mode & 0777;
    } else {
        mode_t mask = umask(0);
        umask(mask);
        mode = 0666 & ~mask;
    }
    fchmod(descriptor, mode);
}

static bool open_beside(NetOutput *output, const struct stat *old, NetError *error)
{
    char *name;
    if (asprintf(&name, "%s.XXXXXX", output->path) < 0)
        return output_failed(output, ENOMEM, error);
    int descriptor = mkstemp(name);
    if (descriptor < 0) {
        int reason = errno;
        free(name);
        return output_failed(output, reason, error);
    }
    output->temporary = name;
    set_permissions(descriptor, old);
    output->file = fdopen(descriptor, "wb");
    if (!output->file) {
        int reason = errno;
        close(descriptor);
        return output_failed(output, reason, error);
    }
    return true;
}

bool net_create(NetOutput *output, const char *path, NetError *error)
{
    *output = (NetOutput){0};
    /* Through a symbolic link the file it names is replaced, not the link. */
    output->path = realpath(path, NULL);
    if (!output->path)
        output->path = strdup(path);
    if (!output->path)
        return net_fail(error, "cannot write %s: %s", path, strerror(errno));

    struct stat old;
    bool exists = stat(output->path, &old) == 0;
    if (exists && S_ISDIR(old.st_mode)) {
        return output_failed(output, EISDIR, error);
    }
    if (exists && !S_ISREG(old.st_mode))
        return open_in_place(output, error);
    return open_beside(output, exists ? &old : NULL, error);
}

/* The rename itself is on the disk once the directory is. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    FILE *directory = folder ? fopen(folder, "r") : NULL;
    if (directory) {
        fsync(fileno(directory));
        fclose(directory);
    }
    free(folder);
}

/* 0, or the errno of the first thing that went wrong. */
static int finish_writing(NetOutput *output)
{
    errno = 0;
    int reason = 0;
    if (fflush(output->file) != 0 || ferror(output->file))
        reason = errno ? errno : EIO;
    else if (output->temporary && fsync(fileno(output->file)) != 0)
        reason = errno;
    if (fclose(output->file) != 0 && !reason)
        reason = errno;
    output->file = NULL;
    if (!reason && output->temporary && rename(output->temporary, output->path) != 0)
        reason = errno;
    return reason;
}

bool net_commit(NetOutput *output, NetError *error)
{
    int reason = finish_writing(output);
    if (reason)
        return output_failed(output, reason, error);
    if (output->temporary)
        sync_directory(output->path);
    free(output->temporary);
    output->temporary = NULL;
    net_discard(output);
    return true;
}

void net_discard(NetOutput *output)
{
    if (output->file)
        fclose(output->file);
    if (output->temporary)
        unlink(output->temporary);
    free(output->temporary);
    free(output->path);
    *output = (NetOutput){0};
}
