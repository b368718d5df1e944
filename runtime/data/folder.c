/* folder.c: a folder of image files by class: train/CLASS/… and test/CLASS/….
 *
 * The classes are train's folders in the order of their names' bytes, which is
 * the order on every machine; test may lack some of them but has no others.
 */
#include "runtime.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_CLASSES = 256 }; /* labels are bytes */
static const int64_t max_bytes = (int64_t)1 << 31;

typedef struct Names {
    char **items;
    int64_t count, capacity;
} Names;

static void free_names(Names *names)
{
    for (int64_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (Names){0};
}

static bool add_name(Names *names, const char *name, NetError *error)
{
    if (names->count == names->capacity) {
        int64_t capacity = names->capacity ? 2 * names->capacity : 64;
        char **items = realloc(names->items, (size_t)capacity * sizeof *items);
        if (!items)
            return net_fail(error, "out of memory");
        names->items = items;
        names->capacity = capacity;
    }
    names->items[names->count] = strdup(name);
    return names->items[names->count] ? (names->count++, true) : net_fail(error, "out of memory");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* Whether it is a folder.  What cannot be looked at might be one, whose images
 * would then be missing without a word; what is not there is none. */
static bool look(bool *is, const char *folder, const char *name, NetError *error)
{
    struct stat status = {0};
    char *path = join(folder, name);
    if (!path)
        return net_fail(error, "out of memory");
    bool good = stat(path, &status) == 0 || errno == ENOENT || errno == ENOTDIR
                || net_fail(error, "cannot read %s: %s", path, strerror(errno));
    *is = S_ISDIR(status.st_mode);
    free(path);
    return good;
}

static bool has_control(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == 127)
            return true;
    return false;
}

static bool check_class_name(const char *name, const char *folder, NetError *error)
{
    int64_t length = (int64_t)strlen(name);
    if (has_control(name))
        return net_fail(error, "a folder in %s has a control character in its name", folder);
    return net_utf8_bytes(name, length) == length
           || net_fail(error, "a folder in %s has a name that is not UTF-8", folder);
}

/* The entry, if it is of the kind that is wanted; hidden ones are of none. */
static bool take_entry(Names *names, const char *folder, const char *name, bool folders,
                       NetError *error)
{
    bool is = false;
    if (name[0] == '.')
        return true;
    if (!look(&is, folder, name, error))
        return false;
    return is != folders
           || ((!folders || check_class_name(name, folder, error)) && add_name(names, name, error));
}

/* NULL: the end, or a failure that errno tells. */
static struct dirent *next_entry(DIR *directory)
{
    errno = 0;
    return readdir(directory);
}

/* The folders in `folder`, or the other files, sorted. */
static bool list(Names *names, const char *folder, bool folders, NetError *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return net_fail(error, "cannot read %s: %s", folder, strerror(errno));
    bool good = true;
    for (struct dirent *entry; good && (entry = next_entry(directory));)
        good = take_entry(names, folder, entry->d_name, folders, error);
    if (good && errno)
        good = net_fail(error, "cannot read %s: %s", folder, strerror(errno));
    closedir(directory);
    if (good && names->count > 0)
        qsort(names->items, (size_t)names->count, sizeof *names->items, by_bytes);
    return good;
}

static bool is_image(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg"};
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot && i < 3; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* The class's images: their paths in `paths`, their ends in `ends`. */
static bool list_class(Names *paths, const char *folder, NetError *error)
{
    Names files = {0};
    bool good = list(&files, folder, false, error);
    if (good && files.count == 0)
        good = net_fail(error, "%s has no images", folder);
    for (int64_t i = 0; good && i < files.count; i++) {
        char *path = join(folder, files.items[i]);
        if (!path)
            good = net_fail(error, "out of memory");
        else if (!is_image(path))
            good = net_fail(error, "%s is not named as an image: .png, .jpg or .jpeg", path);
        good = good && add_name(paths, path, error);
        free(path);
    }
    free_names(&files);
    return good;
}

static bool check_split(const Names *split, const Names *classes, const char *folder,
                        NetError *error)
{
    if (split->count == 0)
        return net_fail(error, "%s has no folders: each class is a folder of images in it", folder);
    for (int64_t i = 0; i < split->count; i++)
        if (!bsearch(&split->items[i], classes->items, (size_t)classes->count,
                     sizeof *classes->items, by_bytes))
            return net_fail(error, "%s has a class %s, which the training images have not", folder,
                            split->items[i]);
    return true;
}

/* Where each class of the split ends among the paths; a class it lacks ends
 * where the one before it does. */
static bool list_split(Names *paths, int64_t *ends, const char *folder, const Names *classes,
                       NetError *error)
{
    Names split = {0};
    bool good = list(&split, folder, true, error) && check_split(&split, classes, folder, error);
    for (int64_t i = 0; good && i < classes->count; i++) {
        char *path = join(folder, classes->items[i]);
        bool there = bsearch(&classes->items[i], split.items, (size_t)split.count,
                             sizeof *split.items, by_bytes)
                     != NULL;
        good = path ? !there || list_class(paths, path, error) : net_fail(error, "out of memory");
        ends[i] = paths->count;
        free(path);
    }
    free_names(&split);
    return good;
}

typedef struct Pictures {
    const Names *paths;
    NetShape shape;
} Pictures;

static bool read_picture(void *source, int64_t index, uint8_t *pixels, NetError *error)
{
    const Pictures *pictures = source;
    return net_read_image(pixels, pictures->shape, pictures->paths->items[index], error);
}

static bool label_images(NetImages *images, const int64_t *ends, int64_t classes, NetError *error)
{
    NetArray *labels = net_add_array(images, "class", NET_BYTES, net_one_value, error);
    int64_t label = 0;
    if (!labels)
        return false;
    labels->classes = classes;
    for (int64_t i = 0; i < images->count; i++) {
        while (i >= ends[label])
            label++;
        ((uint8_t *)labels->values)[i] = (uint8_t)label;
    }
    return true;
}

static bool read_images(NetImages *images, const Names *paths, NetShape shape, const char *folder,
                        NetError *error)
{
    Pictures pictures = {paths, shape};
    images->count = paths->count;
    int64_t held = net_held_count(images);
    if (held > max_bytes / net_shape_elements(shape))
        return net_fail(
            error, "the %" PRId64 " images of %s are more than the %" PRId64 " MB that are read",
            held, folder, (max_bytes >> 20));
    return net_read_held(images, shape, read_picture, &pictures, error);
}

static bool read_split(NetImages *images, const char *root, const char *split, const Names *classes,
                       NetShape shape, NetError *error)
{
    Names paths = {0};
    int64_t ends[MAX_CLASSES];
    char *folder = join(root, split);
    bool good = folder || net_fail(error, "out of memory");
    good = good && list_split(&paths, ends, folder, classes, error)
           && read_images(images, &paths, shape, folder, error)
           && label_images(images, ends, classes->count, error);
    free_names(&paths);
    free(folder);
    return good;
}

static bool check_classes(const Names *classes, const char *root, NetError *error)
{
    if (classes->count == 0)
        return net_fail(error, "%s/train has no folders: each class is a folder of images in it",
                        root);
    if (classes->count == 1)
        return net_fail(error, "%s/train has one class, %s: there is nothing to tell apart", root,
                        classes->items[0]);
    if (classes->count > MAX_CLASSES)
        return net_fail(error, "%s/train has %" PRId64 " classes: at most %d are read", root,
                        classes->count, MAX_CLASSES);
    return true;
}

/* "cat\ndog" */
static char *join_lines(const Names *names)
{
    size_t length = 1;
    for (int64_t i = 0; i < names->count; i++)
        length += strlen(names->items[i]) + 1;
    char *text = calloc(1, length), *end = text;
    for (int64_t i = 0; text && i < names->count; i++)
        end = stpcpy(i > 0 ? stpcpy(end, "\n") : end, names->items[i]);
    return text;
}

bool net_is_image_folder(const char *root, bool *is, NetError *error)
{
    bool test = false;
    if (!look(is, root, "train", error) || !look(&test, root, "test", error))
        return false;
    *is = *is && test;
    return true;
}

bool net_read_image_folder(NetData *data, const char *root, NetShape shape, NetError *error)
{
    Names classes = {0};
    char *train = join(root, "train");
    bool good = (train || net_fail(error, "out of memory")) && list(&classes, train, true, error)
                && check_classes(&classes, root, error)
                && read_split(&data->train, root, "train", &classes, shape, error)
                && read_split(&data->test, root, "test", &classes, shape, error);
    if (good) {
        data->class_names = join_lines(&classes);
        good = data->class_names || net_fail(error, "out of memory");
    }
    free_names(&classes);
    free(train);
    return good;
}
