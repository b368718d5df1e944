/* paths.c: the pictures that a folder has, in folders of folders too, in the order of their
 * names' bytes.  What is hidden is left out, and what is not called as a picture. */
#include "runtime.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_picture(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg"};
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot && i < 3; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool take(FTS *walk, FTSENT *entry, NetNames *paths, NetError *error)
{
    bool hidden = entry->fts_name[0] == '.' && entry->fts_level > 0;
    switch (entry->fts_info) {
    case FTS_D:
        if (hidden)
            fts_set(walk, entry, FTS_SKIP);
        return true;
    case FTS_F:
        return hidden || !is_picture(entry->fts_name)
               || net_names_add(paths, entry->fts_path, error);
    case FTS_DNR:
    case FTS_ERR:
        return net_fail(error, "cannot read %s: %s", entry->fts_path, strerror(entry->fts_errno));
    default:
        return true;
    }
}

static bool walk_folder(NetNames *paths, const char *root, NetError *error)
{
    char *roots[] = {(char *)root, NULL};
    int64_t before = paths->count;
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!walk)
        return net_fail(error, "cannot read %s: %s", root, strerror(errno));
    bool good = true;
    for (FTSENT *entry; good && (entry = fts_read(walk));)
        good = take(walk, entry, paths, error);
    fts_close(walk);
    return good
           && (paths->count > before
               || net_fail(error, "%s has no pictures: .png, .jpg or .jpeg", root));
}

bool net_find_pictures(NetNames *paths, const char *path, NetError *error)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return walk_folder(paths, path, error);
    return net_names_add(paths, path, error);
}
