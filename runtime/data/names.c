/* names.c: a list of names or paths that grows, and what a folder holds.
 */
#include "runtime.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void net_names_close(NetNames *names)
{
    for (int64_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (NetNames){0};
}

bool net_names_take(NetNames *names, char *name, NetError *error)
{
    if (name && names->count == names->capacity) {
        int64_t capacity = names->capacity ? 2 * names->capacity : 64;
        char **items = realloc(names->items, (size_t)capacity * sizeof *items);
        if (!items) {
            free(name);
            return net_fail(error, "out of memory");
        }
        names->items = items;
        names->capacity = capacity;
    }
    if (!name)
        return net_fail(error, "out of memory");
    names->items[names->count++] = name;
    return true;
}

bool net_names_add(NetNames *names, const char *name, NetError *error)
{
    return net_names_take(names, strdup(name), error);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void net_names_sort(NetNames *names)
{
    if (names->count > 0)
        qsort(names->items, (size_t)names->count, sizeof *names->items, by_bytes);
}

int64_t net_names_find(const NetNames *names, const char *name)
{
    char **found = names->count > 0 ? bsearch(&name, names->items, (size_t)names->count,
                                              sizeof *names->items, by_bytes)
                                    : NULL;
    return found ? found - names->items : -1;
}

/* "cat\ndog" */
char *net_names_lines(const NetNames *names)
{
    size_t length = 1;
    for (int64_t i = 0; i < names->count; i++)
        length += strlen(names->items[i]) + 1;
    char *text = calloc(1, length), *end = text;
    for (int64_t i = 0; text && i < names->count; i++)
        end = stpcpy(i > 0 ? stpcpy(end, "\n") : end, names->items[i]);
    return text;
}

bool net_names_split(NetNames *names, const char *lines, NetError *error)
{
    for (const char *line = lines;; line++) {
        size_t length = strcspn(line, "\n");
        if (!net_names_take(names, strndup(line, length), error))
            return false;
        line += length;
        if (!*line)
            return true;
    }
}

/* ------------------------------------------------------------- folders */

char *net_join_path(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* What cannot be looked at might be a folder, whose files would then be missing without a word;
 * what is not there is none. */
bool net_is_folder(bool *is, const char *folder, const char *name, NetError *error)
{
    struct stat status = {0};
    char *path = net_join_path(folder, name);
    if (!path)
        return net_fail(error, "out of memory");
    bool good = stat(path, &status) == 0 || errno == ENOENT || errno == ENOTDIR
                || net_fail(error, "cannot read %s: %s", path, strerror(errno));
    *is = S_ISDIR(status.st_mode);
    free(path);
    return good;
}

/* NULL: the end, or a failure that errno tells. */
static struct dirent *next_entry(DIR *directory)
{
    errno = 0;
    return readdir(directory);
}

static bool take_entry(NetNames *folders, NetNames *files, const char *folder,
                       const struct dirent *entry, NetError *error)
{
    bool is = entry->d_type == DT_DIR;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return true;
    if (entry->d_type != DT_DIR && entry->d_type != DT_REG
        && !net_is_folder(&is, folder, entry->d_name, error))
        return false;
    return net_names_add(is ? folders : files, entry->d_name, error);
}

bool net_list_folder(NetNames *folders, NetNames *files, const char *folder, NetError *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return net_fail(error, "cannot read %s: %s", folder, strerror(errno));
    bool good = true;
    for (struct dirent *entry; good && (entry = next_entry(directory));)
        good = take_entry(folders, files, folder, entry, error);
    if (good && errno)
        good = net_fail(error, "cannot read %s: %s", folder, strerror(errno));
    closedir(directory);
    net_names_sort(folders);
    net_names_sort(files);
    return good;
}
