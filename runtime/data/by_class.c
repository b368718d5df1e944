/* by_class.c: a folder of files by class: train/CLASS/… and test/CLASS/…, or CLASS/… alone.
 *
 * The classes are the folders in the order of their names' bytes, which is the order on every
 * machine; a class has the files of all folders in its own.  The test part may lack some
 * classes but has no others.  Files of another kind are left out, and counted.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEEPEST = 16, SHOWN_STRANGERS = 3 };

/* What its makers call the two parts, the usual name first. */
static const char *const train_names[] = {"train", "training", NULL};
static const char *const test_names[] = {"test", "val", "valid", "validation", "testing", NULL};

static void add_stranger(NetStrangers *strangers, const char *name)
{
    size_t used = strlen(strangers->names);
    if (strangers->count++ < SHOWN_STRANGERS)
        snprintf(strangers->names + used, sizeof strangers->names - used, "%s%.50s",
                 used ? ", " : "", name);
}

void net_tell_strangers(const NetStrangers *strangers, const char *root, const NetFileKind *kind,
                        NetNotes *notes)
{
    if (strangers->count > 0)
        net_note(notes, "%s has %" PRId64 " file%s that %s no %s by name, left out: %s%s", root,
                 strangers->count, strangers->count == 1 ? "" : "s",
                 strangers->count == 1 ? "is" : "are", kind->noun, strangers->names,
                 strangers->count > SHOWN_STRANGERS ? ", …" : "");
}

/* ------------------------------------------------------------ its names */

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

bool net_ends_as(const char *path, const NetFileKind *kind)
{
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && kind->endings[i]; i++)
        if (strcasecmp(dot, kind->endings[i]) == 0)
            return true;
    return false;
}

static bool is_of_kind(const char *name, const NetFileKind *kind)
{
    return name[0] != '.' && net_ends_as(name, kind);
}

/* ------------------------------------------------------ what is in them */

static bool walk(NetNames *paths, NetStrangers *strangers, const char *folder,
                 const NetFileKind *kind, int depth, NetError *error);

static bool walk_in(NetNames *paths, NetStrangers *strangers, const char *folder, const char *name,
                    const NetFileKind *kind, int depth, NetError *error)
{
    char *path = name[0] == '.' ? NULL : net_join_path(folder, name);
    if (name[0] == '.')
        return add_stranger(strangers, name), true;
    bool good = path ? walk(paths, strangers, path, kind, depth + 1, error)
                     : net_fail(error, "out of memory");
    free(path);
    return good;
}

/* Adds the files' paths, of folders in it too. */
static bool walk(NetNames *paths, NetStrangers *strangers, const char *folder,
                 const NetFileKind *kind, int depth, NetError *error)
{
    NetNames folders = {0}, files = {0};
    bool good = depth < DEEPEST ? net_list_folder(&folders, &files, folder, error)
                                : net_fail(error,
                                           "%.350s: folders are nested more than %d deep: is one "
                                           "a link to itself?",
                                           folder, (int)DEEPEST);
    for (int64_t i = 0; good && i < files.count; i++)
        if (is_of_kind(files.items[i], kind))
            good = net_names_take(paths, net_join_path(folder, files.items[i]), error);
        else
            add_stranger(strangers, files.items[i]);
    for (int64_t i = 0; good && i < folders.count; i++)
        good = walk_in(paths, strangers, folder, folders.items[i], kind, depth, error);
    net_names_close(&folders);
    net_names_close(&files);
    return good;
}

bool net_walk(NetNames *paths, NetStrangers *strangers, const char *folder, const NetFileKind *kind,
              NetError *error)
{
    return walk(paths, strangers, folder, kind, 0, error);
}

/* Whether there is such a file anywhere in it. */
static bool has_files(bool *has, const char *folder, const NetFileKind *kind, int depth,
                      NetError *error)
{
    NetNames folders = {0}, files = {0};
    bool good = depth >= DEEPEST || net_list_folder(&folders, &files, folder, error);
    *has = false;
    for (int64_t i = 0; good && !*has && i < files.count; i++)
        *has = is_of_kind(files.items[i], kind);
    for (int64_t i = 0; good && !*has && i < folders.count; i++) {
        char *path = net_join_path(folder, folders.items[i]);
        good = path ? folders.items[i][0] == '.' || has_files(has, path, kind, depth + 1, error)
                    : net_fail(error, "out of memory");
        free(path);
    }
    net_names_close(&folders);
    net_names_close(&files);
    return good;
}

/* The folders in `folder` that are classes: where they are not in a part, those with such files. */
static bool list_classes(NetNames *classes, const char *folder, const NetFileKind *kind,
                         bool in_part, NetError *error)
{
    NetNames folders = {0}, files = {0};
    bool good = net_list_folder(&folders, &files, folder, error);
    for (int64_t i = 0; good && i < folders.count; i++) {
        const char *name = folders.items[i];
        char *path = net_join_path(folder, name);
        bool has = in_part;
        good = path || net_fail(error, "out of memory");
        if (good && name[0] != '.' && !in_part)
            good = has_files(&has, path, kind, 0, error);
        free(path);
        if (good && has && name[0] != '.')
            good = check_class_name(name, folder, error) && net_names_add(classes, name, error);
    }
    net_names_close(&folders);
    net_names_close(&files);
    return good;
}

/* --------------------------------------------------------------- a part */

static void close_part(NetFiles *part)
{
    net_names_close(&part->paths);
    free(part->labels);
}

static bool label_paths(NetFiles *part, int64_t from, int64_t label, NetError *error)
{
    size_t bytes = (size_t)part->paths.count * sizeof *part->labels;
    int32_t *labels = realloc(part->labels, bytes ? bytes : 1);
    if (!labels)
        return net_fail(error, "out of memory");
    part->labels = labels;
    for (int64_t i = from; i < part->paths.count; i++)
        labels[i] = (int32_t)label;
    return true;
}

static bool list_class(NetFiles *part, const char *folder, const char *name, int64_t label,
                       const NetFileKind *kind, NetStrangers *strangers, NetError *error)
{
    int64_t from = part->paths.count;
    char *path = net_join_path(folder, name);
    bool good = path ? walk(&part->paths, strangers, path, kind, 0, error)
                     : net_fail(error, "out of memory");
    if (good && part->paths.count == from)
        good = net_fail(error, "%s has no %s", path, kind->plural);
    free(path);
    return good && label_paths(part, from, label, error);
}

/* `of`: whose classes they are, for a message. */
static bool list_part(NetFiles *part, const char *folder, bool in_part, const NetNames *classes,
                      const char *of, const NetFileKind *kind, NetStrangers *strangers,
                      NetError *error)
{
    NetNames own = {0};
    bool good = list_classes(&own, folder, kind, in_part, error);
    if (good && own.count == 0)
        good = net_fail(error, "%s has no folders: each class is a folder of %s in it", folder,
                        kind->plural);
    for (int64_t i = 0; good && i < own.count; i++) {
        int64_t label = net_names_find(classes, own.items[i]);
        good = label >= 0 ? list_class(part, folder, own.items[i], label, kind, strangers, error)
                          : net_fail(error, "%s has a class %s, which the %s have not", folder,
                                     own.items[i], of);
    }
    net_names_close(&own);
    return good;
}

/* A byte for each, as ever, while that is enough. */
bool net_add_classes(NetImages *images, const int32_t *labels, int64_t classes, NetError *error)
{
    enum { BYTES = 256 };
    NetArray *array = net_add_array(images, "class", classes <= BYTES ? NET_BYTES : NET_WHOLE,
                                    net_one_value, error);
    if (!array)
        return false;
    array->classes = classes;
    for (int64_t i = 0; i < images->count; i++)
        if (classes <= BYTES)
            ((uint8_t *)array->values)[i] = (uint8_t)labels[i];
        else
            ((int32_t *)array->values)[i] = labels[i];
    return true;
}

/* ------------------------------------------------------------- the whole */

/* "Train", "TEST" and "training_set" are spelled as others do. */
static bool is_spelled(const char *folder, const char *name)
{
    size_t length = strlen(name);
    return strncasecmp(folder, name, length) == 0
           && (!folder[length] || strcasecmp(folder + length, "_set") == 0);
}

static bool is_part(const char *folder)
{
    for (int i = 0; train_names[i]; i++)
        if (is_spelled(folder, train_names[i]))
            return true;
    for (int i = 0; test_names[i]; i++)
        if (is_spelled(folder, test_names[i]))
            return true;
    return false;
}

/* The root's folders, where there are none but parts, however they are spelled: beside a Car and a
 * Bus a Train is a class. */
static bool list_parts(NetNames *parts, const char *root, NetError *error)
{
    NetNames files = {0};
    bool folder = false, all = true;
    bool good = net_is_folder(&folder, root, ".", error)
                && (!folder || net_list_folder(parts, &files, root, error));
    for (int64_t i = 0; i < parts->count; i++)
        all = all && (parts->items[i][0] == '.' || is_part(parts->items[i]));
    if (!all)
        net_names_close(parts);
    net_names_close(&files);
    return good;
}

/* What the part of this name is called; NULL: it is not there. */
static bool spell_part(const char **spelled, const char *root, const char *name,
                       const NetNames *parts, NetError *error)
{
    bool is = false;
    *spelled = NULL;
    if (!net_is_folder(&is, root, name, error))
        return false;
    for (int64_t i = 0; !is && !*spelled && i < parts->count; i++)
        if (is_spelled(parts->items[i], name))
            *spelled = parts->items[i];
    *spelled = is ? name : *spelled;
    return true;
}

static bool choose_part(char **found, const char *root, const char *const *names,
                        const NetNames *parts, NetNotes *notes, NetError *error)
{
    const char *used = NULL, *spelled;
    for (int i = 0; names[i]; i++) {
        if (!spell_part(&spelled, root, names[i], parts, error))
            return false;
        if (spelled && used)
            net_note(notes, "%s/%s is not used: %s/%s is", root, spelled, root, used);
        if (!spelled || used)
            continue;
        used = spelled;
        *found = net_join_path(root, used);
        if (!*found)
            return net_fail(error, "out of memory");
    }
    return true;
}

static bool find_part(char **found, const char *root, const char *const *names, NetNotes *notes,
                      NetError *error)
{
    NetNames parts = {0};
    *found = NULL;
    bool good =
        list_parts(&parts, root, error) && choose_part(found, root, names, &parts, notes, error);
    net_names_close(&parts);
    return good;
}

bool net_find_parts(NetLayout *layout, const char *root, const NetOpening *opening, NetError *error)
{
    *layout = (NetLayout){.root = root};
    if (!find_part(&layout->train, root, train_names, opening->notes, error)
        || !find_part(&layout->test, root, test_names, opening->notes, error))
        return false;
    layout->at_root = !layout->train && !layout->test;
    if (layout->at_root) {
        char **part = opening->test_only ? &layout->test : &layout->train;
        *part = strdup(root);
        return *part || net_fail(error, "out of memory");
    }
    return true;
}

void net_layout_close(NetLayout *layout)
{
    free(layout->train);
    free(layout->test);
}

/* One folder may be what an archive was unpacked into. */
static bool refuse_one_class(const char *folder, const char *class, bool at_root,
                             const NetFileKind *kind, NetError *error)
{
    bool meant = false;
    char *inner = net_join_path(folder, class);
    bool good = !at_root || (inner && net_is_by_class_folder(inner, kind, &meant, error));
    if (good && meant)
        net_fail(error, "%.150s has one class, %.60s: is %.200s meant?", folder, class, inner);
    else if (good)
        net_fail(error, "%s has one class, %s: there is nothing to tell apart", folder, class);
    free(inner);
    return false;
}

/* The training part's where it is there, else those that the weights know, else the test part's. */
static bool know_classes(NetNames *classes, const NetLayout *layout, const NetFileKind *kind,
                         const NetOpening *opening, NetError *error)
{
    const char *folder = layout->train ? layout->train : layout->test;
    if (!layout->train && !opening->test_only)
        return net_fail(error, "%s has no train beside %s", layout->root, layout->test);
    if (!layout->train && opening->class_lines)
        return net_names_split(classes, opening->class_lines, error);
    if (!list_classes(classes, folder, kind, !layout->at_root, error))
        return false;
    if (classes->count == 0)
        return net_fail(error, "%s has no folders: each class is a folder of %s in it", folder,
                        kind->plural);
    return classes->count > 1 || opening->test_only
           || refuse_one_class(folder, classes->items[0], layout->at_root, kind, error);
}

static void tell_layout(const NetLayout *layout, const NetByClass *files, const NetFileKind *kind,
                        NetNotes *notes)
{
    if (!layout->test)
        net_note(notes,
                 "%s has no test beside its training %s: all %" PRId64 " are trained on, and none "
                 "is tested with",
                 layout->root, kind->plural, files->train.paths.count);
}

static bool list_all(NetByClass *files, const NetLayout *layout, const NetFileKind *kind,
                     const NetOpening *opening, NetError *error)
{
    NetStrangers strangers = {0};
    const NetNames *classes = &files->classes;
    bool in_part = !layout->at_root, weights = !layout->train && opening->class_lines;
    char trained[64];
    net_put_noun(trained, sizeof trained, "training {many}", net_noun(opening->model));
    const char *of = weights ? opening->class_owner : trained;
    bool good = know_classes(&files->classes, layout, kind, opening, error);
    if (good && layout->train && !opening->test_only)
        good =
            list_part(&files->train, layout->train, in_part, classes, of, kind, &strangers, error);
    if (good && layout->test)
        good = list_part(&files->test, layout->test, in_part, classes, of, kind, &strangers, error);
    if (good)
        net_tell_strangers(&strangers, layout->root, kind, opening->notes);
    if (good && opening->test_only && !layout->test)
        good = net_fail(error, "%s has no test", layout->root);
    return good;
}

bool net_list_by_class(NetByClass *files, const char *root, const NetFileKind *kind,
                       const NetOpening *opening, NetError *error)
{
    NetLayout layout = {0};
    *files = (NetByClass){0};
    bool good = net_find_parts(&layout, root, opening, error)
                && list_all(files, &layout, kind, opening, error);
    if (good)
        tell_layout(&layout, files, kind, opening->notes);
    else
        net_by_class_close(files);
    net_layout_close(&layout);
    return good;
}

void net_by_class_close(NetByClass *files)
{
    net_names_close(&files->classes);
    close_part(&files->train);
    close_part(&files->test);
}

bool net_is_by_class_folder(const char *root, const NetFileKind *kind, bool *is, NetError *error)
{
    char *train = NULL, *test = NULL;
    NetNames classes = {0};
    bool folder = false;
    bool good = net_is_folder(&folder, root, ".", error)
                && find_part(&train, root, train_names, NULL, error)
                && find_part(&test, root, test_names, NULL, error);
    *is = train || test;
    if (good && folder && !*is) {
        good = list_classes(&classes, root, kind, false, error);
        *is = classes.count > 0;
    }
    net_names_close(&classes);
    free(train);
    free(test);
    return good;
}
