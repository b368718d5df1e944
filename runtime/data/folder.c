/* folder.c: folders of pictures: by class, which are trained on, and any, which are asked about.
 * by_class.c finds what is in them, pictures.c reads it.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const NetFileKind net_picture_files = {
    .noun = "PNG, JPEG, BMP or WebP",
    .plural = "images",
    .endings = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", NULL},
};

bool net_is_image_folder(const char *root, bool *is, NetError *error)
{
    return net_is_by_class_folder(root, &net_picture_files, is, error);
}

NetMemory net_share_memory(const NetOpening *opening, int64_t train, int64_t test)
{
    int64_t memory = opening->memory;
    if (memory == 0 && net_rank_count() > 1)
        return (NetMemory){0, 0};
    memory = memory > 0 ? memory : net_memory() / 2;
    int64_t share = (int64_t)((double)memory * (double)train / (double)(train + test));
    int64_t rest = memory - share; /* 0 would be no bound */
    return (NetMemory){share > 0 ? share : 1, rest > 0 ? rest : 1};
}

static bool read_part(NetImages *images, NetFiles *part, int64_t classes, int64_t memory,
                      bool trained, const NetOpening *opening, NetError *error)
{
    NetShape shape = net_image_shape(opening->model->input);
    if (part->paths.count == 0)
        return true;
    return net_read_pictures(images, &part->paths, part->labels, shape, memory, trained, opening,
                             error)
           && net_add_classes(images, part->labels, classes, error);
}

bool net_read_image_folder(NetData *data, const char *root, const NetOpening *opening,
                           NetError *error)
{
    NetByClass files;
    if (!net_list_by_class(&files, root, &net_picture_files, opening, error))
        return false;
    NetMemory memory = net_share_memory(opening, files.train.paths.count, files.test.paths.count);
    int64_t classes = files.classes.count;
    data->pictures = true;
    bool good = read_part(&data->train, &files.train, classes, memory.train, true, opening, error)
                && read_part(&data->test, &files.test, classes, memory.test, false, opening, error);
    if (good) {
        data->class_names = net_names_lines(&files.classes);
        good = data->class_names || net_fail(error, "out of memory");
    }
    net_by_class_close(&files);
    return good;
}

/* "x has no pictures: .png, .jpg or .jpeg" */
static bool fail_empty(const char *root, const NetFileKind *kind, NetError *error)
{
    char endings[64] = "";
    const char *const *all = kind->endings;
    for (int i = 0; all[i]; i++) {
        size_t used = strlen(endings);
        snprintf(endings + used, sizeof endings - used, "%s%s",
                 i == 0       ? ""
                 : all[i + 1] ? ", "
                              : " or ",
                 all[i]);
    }
    bool pictures = kind == &net_picture_files;
    return net_fail(error, "%s has no %s: %s", root, pictures ? "pictures" : kind->plural, endings);
}

/* "in/" and "in" are one folder, and so are the paths of what is in it. */
static char *without_slashes(const char *path, NetError *error)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    char *root = strndup(path, length);
    if (!root)
        net_fail(error, "out of memory");
    return root;
}

bool net_is_read_by(const NetModel *model, const char *reader)
{
    for (int i = 0; i < model->setting_count; i++)
        if (strcmp(model->settings[i].path, "data.reader") == 0)
            return model->settings[i].word && strcmp(model->settings[i].word, reader) == 0;
    return false;
}

const NetFileKind *net_asked_files(const NetModel *model)
{
    if (model->numbers)
        return &net_text_files;
    return net_takes_recordings(model) ? &net_wave_files : &net_picture_files;
}

bool net_find_files(NetNames *paths, const char *path, const NetFileKind *kind, NetNotes *notes,
                    NetError *error)
{
    NetStrangers strangers = {0};
    struct stat status;
    int64_t before = paths->count;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return net_names_add(paths, path, error);
    char *root = without_slashes(path, error);
    bool good = root && net_walk(paths, &strangers, root, kind, error)
                && (paths->count > before || fail_empty(root, kind, error));
    if (good)
        net_tell_strangers(&strangers, root, kind, notes);
    free(root);
    return good;
}
