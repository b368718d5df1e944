/* output.c: writing files that are never half there, for the runtime and the
 * compiler alike.
 *
 * A file is written under a temporary name in its final folder and renamed when
 * it is complete and on the disk.  rename() replaces a name in one step, so a
 * crash, a signal or a full disk leaves the old file as it was.  While it is
 * written its lock is held, so that who finds it later can tell a file that is
 * being written from one that a killed run left.
 */
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RANDOM_LETTERS = 6,
    TRIES = 100,       /* at a name that nobody has */
    MAX_LINKS = 40,    /* as many as the system follows */
    NAME_KEPT = 200,   /* bytes of the final name in the temporary one, of NAME_MAX */
    OLD_SECONDS = 600, /* nobody's file that was not written to for so long */
};

static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789";

static bool cannot_write(const char *path, const char *reason, NetError *error)
{
    snprintf(error->text, sizeof error->text, "cannot write %.350s: %s", path, reason);
    return false;
}

/* ------------------------------------------------------------ unfinished */

/* More at a time than anybody writes; what finds no place here is only left
 * for the next run to remove. */
enum { MAX_UNFINISHED = 32 };
static _Atomic(const char *) unfinished[MAX_UNFINISHED];

void net_unfinished(const char *path)
{
    for (int i = 0; i < MAX_UNFINISHED; i++) {
        const char *none = NULL;
        if (atomic_compare_exchange_strong(&unfinished[i], &none, path))
            return;
    }
}

static atomic_bool removing;

bool net_forget_unfinished(const char *path)
{
    for (int i = 0; i < MAX_UNFINISHED; i++) {
        const char *same = path;
        if (atomic_compare_exchange_strong(&unfinished[i], &same, NULL))
            return true;
    }
    return !atomic_load(&removing);
}

void net_remove_unfinished(void)
{
    int reason = errno;
    atomic_store(&removing, true);
    for (int i = 0; i < MAX_UNFINISHED; i++) {
        const char *path = atomic_exchange(&unfinished[i], NULL);
        if (path && unlink(path) != 0)
            rmdir(path);
    }
    errno = reason;
}

static void drop_name(char *name)
{
    if (name && net_forget_unfinished(name))
        free(name);
}

/* ------------------------------------------------------- which file it is */

/* The folder of a path, with its slash; "" for the working one.  free() it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What a link's text names, seen from the link's own folder. */
static char *beside(const char *link, const char *text)
{
    char *folder = folder_of(link), *path = NULL;
    if (folder && asprintf(&path, "%s%s", *text == '/' ? "" : folder, text) < 0)
        path = NULL;
    free(folder);
    return path;
}

/* N of /dev/fd/N; -1: another file.  Opened by name, a descriptor's file would be
 * written from its beginning, over what others wrote to it. */
static int descriptor_of(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t length = strlen(folders[i]);
        const char *number = path + length;
        if (strncmp(path, folders[i], length) == 0 && *number
            && strspn(number, "0123456789") == strlen(number))
            return (int)strtol(number, NULL, 10);
    }
    return -1;
}

/* The path at the end of all links, whether there is a file or not; free() it.
 * NULL with errno set. */
static char *follow_links(const char *path)
{
    char *at = strdup(path), text[PATH_MAX];
    for (int links = 0; at && descriptor_of(at) < 0; links++) {
        ssize_t length = readlink(at, text, sizeof text - 1);
        if (length < 0)
            return at;
        if (links == MAX_LINKS) {
            free(at);
            errno = ELOOP;
            return NULL;
        }
        text[length] = '\0';
        char *next = beside(at, text);
        free(at);
        at = next;
    }
    return at;
}

/* What is wrong with writing there as it is now, or NULL. */
static const char *objection(const struct stat *old, NetOutputKind kind)
{
    if (S_ISDIR(old->st_mode))
        return strerror(EISDIR);
    if (S_ISREG(old->st_mode))
        return NULL;
    if (kind != NET_ANY_FILE)
        return "it is a device or a pipe, and a regular file is to be made";
    if (S_ISBLK(old->st_mode))
        return "it is a disk";
    return NULL;
}

static bool output_failed(NetOutput *output, const char *reason, NetError *error)
{
    cannot_write(output->path, reason, error);
    net_discard(output);
    return false;
}

/* Finds the target, and whether there is one.  False: it cannot be written. */
static bool find_target(NetOutput *output, const char *path, NetOutputKind kind, struct stat *old,
                        bool *exists, NetError *error)
{
    *output = (NetOutput){.path = strdup(path)};
    if (!output->path)
        return cannot_write(path, strerror(ENOMEM), error);
    output->target = follow_links(path);
    if (!output->target)
        return output_failed(output, strerror(errno), error);
    int descriptor = descriptor_of(output->target);
    *exists = (descriptor >= 0 ? fstat(descriptor, old) : stat(output->target, old)) == 0;
    if (!*exists && (errno != ENOENT || descriptor >= 0))
        return output_failed(output, strerror(errno), error);
    if (!*exists && !*name_of(output->target)) /* "folder/" */
        return output_failed(output, strerror(*output->target ? EISDIR : ENOENT), error);
    const char *wrong = *exists ? objection(old, kind) : NULL;
    if (!wrong && descriptor >= 0 && kind != NET_ANY_FILE)
        wrong = "it is an open file, and one with a name is to be made";
    return !wrong || output_failed(output, wrong, error);
}

static bool is_in_place(const NetOutput *output, const struct stat *old, bool exists)
{
    return descriptor_of(output->target) >= 0 || (exists && !S_ISREG(old->st_mode));
}

/* ------------------------------------------------------- temporary files */

/* 0, or the reason. */
static int random_letters(char *text)
{
    unsigned char bytes[RANDOM_LETTERS];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return errno ? errno : EIO;
    for (int i = 0; i < RANDOM_LETTERS; i++)
        text[i] = LETTERS[bytes[i] % (sizeof LETTERS - 1)];
    return 0;
}

/* "NAME.netc-", which the temporary name of NAME begins with; free() it. */
static char *prefix_of(const char *target)
{
    char *prefix;
    return asprintf(&prefix, "%.*s.netc-", NAME_KEPT, name_of(target)) < 0 ? NULL : prefix;
}

/* Opens output->temporary, new, and locks it; -1 with errno set. */
static int open_temporary(NetOutput *output, const char *prefix, mode_t mode)
{
    char *folder = folder_of(output->target);
    if (!folder || asprintf(&output->temporary, "%s%s%0*d", folder, prefix, RANDOM_LETTERS, 0) < 0)
        output->temporary = NULL;
    free(folder);
    if (!output->temporary) {
        errno = ENOMEM;
        return -1;
    }
    int descriptor = -1;
    net_unfinished(output->temporary);
    for (int i = 0; descriptor < 0 && i < TRIES; i++) {
        int reason = random_letters(strchr(output->temporary, '\0') - RANDOM_LETTERS);
        errno = reason;
        descriptor =
            reason ? -1 : open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (descriptor < 0 && errno != EEXIST)
            break;
    }
    if (descriptor < 0) { /* nothing of that name is ours to remove */
        int reason = errno;
        drop_name(output->temporary);
        output->temporary = NULL;
        errno = reason;
    } else {
        /* a disk without locks is as good: leftovers stay there */
        flock(descriptor, LOCK_EX | LOCK_NB);
    }
    return descriptor;
}

/* The old file's owner, if we may, and its permissions.  A file system that has
 * none refuses, and the file is as good without. */
static void keep_permissions(int descriptor, const struct stat *old, NetOutputKind kind)
{
    mode_t mode = old->st_mode & 0777;
    if (kind == NET_PROGRAM) /* who may read it may run it */
        mode |= (mode & 0444) >> 2;
    if ((old->st_uid != geteuid() || old->st_gid != getegid())
        && fchown(descriptor, old->st_uid, old->st_gid) != 0)
        errno = 0;
    fchmod(descriptor, mode);
}

static bool open_beside(NetOutput *output, const struct stat *old, NetOutputKind kind,
                        NetError *error)
{
    char *prefix = prefix_of(output->target), *folder = folder_of(output->target);
    int descriptor = -1;
    errno = ENOMEM;
    if (prefix && folder)
        descriptor = open_temporary(output, prefix, old ? 0600 : kind == NET_PROGRAM ? 0777 : 0666);
    int reason = errno;
    if (descriptor >= 0) {
        net_remove_leftovers(folder, prefix, descriptor, OLD_SECONDS, false);
        if (old)
            keep_permissions(descriptor, old, kind);
        output->file = fdopen(descriptor, "wb");
        reason = errno;
    }
    free(prefix);
    free(folder);
    if (output->file)
        return true;
    if (descriptor >= 0)
        close(descriptor);
    return output_failed(output, strerror(reason), error);
}

/* A pipe or a device cannot be replaced by a renamed file: it is written in
 * place, which is what `--save /dev/null` means. */
static bool open_in_place(NetOutput *output, NetError *error)
{
    int number = descriptor_of(output->target);
    int descriptor = number >= 0 ? fcntl(number, F_DUPFD_CLOEXEC, 0)
                                 : open(output->target, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    output->file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
    if (output->file)
        return true;
    int reason = errno;
    if (descriptor >= 0)
        close(descriptor);
    return output_failed(output, strerror(reason), error);
}

bool net_create_kind(NetOutput *output, const char *path, NetOutputKind kind, NetError *error)
{
    struct stat old;
    bool exists;
    if (!find_target(output, path, kind, &old, &exists, error))
        return false;
    if (is_in_place(output, &old, exists))
        return open_in_place(output, error);
    return open_beside(output, exists ? &old : NULL, kind, error);
}

bool net_create(NetOutput *output, const char *path, NetError *error)
{
    return net_create_kind(output, path, NET_ANY_FILE, error);
}

bool net_check_output(const char *path, NetOutputKind kind, NetError *error)
{
    struct stat old;
    bool exists;
    NetOutput output;
    if (!find_target(&output, path, kind, &old, &exists, error))
        return false;
    if (!is_in_place(&output, &old, exists)) {
        if (!open_beside(&output, exists ? &old : NULL, kind, error))
            return false;
    } else if (descriptor_of(output.target) < 0 && access(output.target, W_OK) != 0) {
        return output_failed(&output, strerror(errno), error);
    }
    net_discard(&output);
    return true;
}

/* ------------------------------------------------------------ finishing */

/* The rename itself is on the disk once the directory is. */
static void sync_directory(const char *path)
{
    char *folder = folder_of(path);
    int directory = folder ? open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory >= 0) {
        fsync(directory);
        close(directory);
    }
    free(folder);
}

/* Some file systems have nothing to sync and say so. */
static bool sync_file(FILE *file)
{
    return fsync(fileno(file)) == 0 || errno == EINVAL || errno == ENOSYS || errno == EROFS;
}

void net_put(NetOutput *output, const void *bytes, size_t length)
{
    if (fwrite(bytes, 1, length, output->file) != length && !output->reason)
        output->reason = errno;
}

/* 0, or the errno of the first thing that went wrong. */
static int finish_writing(NetOutput *output)
{
    errno = 0;
    int reason = output->reason;
    if (!reason && (fflush(output->file) != 0 || ferror(output->file)))
        reason = errno ? errno : EIO;
    else if (!reason && output->temporary && !sync_file(output->file))
        reason = errno;
    if (!reason && output->temporary && rename(output->temporary, output->target) != 0)
        reason = errno;
    if (fclose(output->file) != 0 && !reason && !output->temporary)
        reason = errno;
    output->file = NULL;
    return reason;
}

bool net_commit(NetOutput *output, NetError *error)
{
    int reason = finish_writing(output);
    if (reason)
        return output_failed(output, strerror(reason), error);
    if (output->temporary)
        sync_directory(output->target);
    drop_name(output->temporary);
    output->temporary = NULL;
    net_discard(output);
    return true;
}

void net_discard(NetOutput *output)
{
    if (output->temporary)
        unlink(output->temporary);
    if (output->file)
        fclose(output->file);
    drop_name(output->temporary);
    free(output->target);
    free(output->path);
    *output = (NetOutput){0};
}

/* ------------------------------------------------------------- leftovers */

/* Folders are named by mkdtemp, which draws capitals, too. */
static bool is_ours(const char *name, const char *prefix, bool folders)
{
    static const char mkdtemps[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 && strlen(name) == length + RANDOM_LETTERS
           && strspn(name + length, folders ? mkdtemps : LETTERS) == RANDOM_LETTERS;
}

/* Flat: we put no folders in ours. */
void net_empty_folder(int folder)
{
    int again = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    DIR *entries = again >= 0 ? fdopendir(again) : NULL;
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        unlinkat(folder, entry->d_name, 0);
    if (entries)
        closedir(entries);
    else if (again >= 0)
        close(again);
}

/* Who else holds it open knows of it: a lock that we get nobody has. */
static void remove_leftover(int folder, const char *name, int64_t before, bool folders)
{
    struct stat entry;
    int kind = folders ? O_DIRECTORY : 0;
    int found = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | kind);
    if (found < 0)
        return;
    bool ours = fstat(found, &entry) == 0 && entry.st_uid == geteuid()
                && (int64_t)entry.st_mtime < before
                && (folders ? S_ISDIR(entry.st_mode) && (entry.st_mode & 0777) == 0700
                            : S_ISREG(entry.st_mode))
                && flock(found, LOCK_EX | LOCK_NB) == 0;
    if (ours && folders)
        net_empty_folder(found);
    if (ours)
        unlinkat(folder, name, folders ? AT_REMOVEDIR : 0);
    close(found);
}

void net_remove_leftovers(const char *folder, const char *prefix, int fresh, int64_t seconds,
                          bool folders)
{
    struct stat now;
    DIR *entries = fstat(fresh, &now) == 0 ? opendir(*folder ? folder : ".") : NULL;
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (is_ours(entry->d_name, prefix, folders))
            remove_leftover(dirfd(entries), entry->d_name, (int64_t)now.st_mtime - seconds,
                            folders);
    if (entries)
        closedir(entries);
}
