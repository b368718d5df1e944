/* masks.c: pictures whose pixels have classes: train/images/NAME.* and train/masks/NAME.png.
 *
 * A mask's pixels are numbers of classes, as they are stored: greys, or a palette's numbers.  It is
 * as large as its picture, and is brought to the network's output by the nearest pixel.  Where the
 * output is one value for a pixel, every other number than 0 is 1.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What masks are brought to. */
typedef struct Goal {
    const NetTarget *target; /* NULL: the network learns nothing from them */
    int64_t height, width;
    bool yes_or_no; /* one value for a pixel */
} Goal;

/* One part's folders. */
typedef struct Folders {
    char *images, *masks;
} Folders;

static bool find_goal(Goal *goal, const NetModel *model, NetError *error)
{
    *goal = (Goal){.target = model->wanted_count > 0 ? &model->wanted[0] : NULL};
    if (!goal->target)
        return true;
    NetShape shape = net_target_positions(goal->target);
    goal->height = shape.c;
    goal->width = shape.w;
    goal->yes_or_no = goal->target->classes <= 1;
    return shape.rank == 2
           || net_fail(error, "the network does not give a class for each pixel, so it cannot be "
                              "held against masks: its output is to be [classes, height, width]");
}

/* ---------------------------------------------------------------- a mask */

static bool check_class(const Goal *goal, int value, int64_t row, int64_t column, const char *path,
                        NetError *error)
{
    if (goal->yes_or_no || value < goal->target->classes
        || (goal->target->kind == NET_CLASSES && value == goal->target->ignored))
        return true;
    return net_fail(error,
                    "%.300s has class %d at row %" PRId64 ", column %" PRId64
                    ", and the network has %" PRId64 " classes, from 0; ignore_index= says which "
                    "one counts as none",
                    path, value, row, column, goal->target->classes);
}

static bool take_mask(uint8_t *to, const Goal *goal, const NetPicture *mask, const char *path,
                      NetError *error)
{
    for (int64_t i = 0; i < mask->height * mask->width; i++)
        if (!check_class(goal, mask->pixels[i], i / mask->width, i % mask->width, path, error))
            return false;
    for (int64_t y = 0; y < goal->height; y++)
        for (int64_t x = 0; x < goal->width; x++) {
            int64_t row = (2 * y + 1) * mask->height / (2 * goal->height),
                    column = (2 * x + 1) * mask->width / (2 * goal->width);
            int value = mask->pixels[row * mask->width + column];
            *to++ = (uint8_t)(goal->yes_or_no ? value != 0 : value);
        }
    return true;
}

static bool check_size(const NetPicture *mask, const char *path, const NetPicture *picture,
                       const char *picture_path, NetError *error)
{
    bool turned = net_is_turned(picture->orientation);
    int64_t height = turned ? picture->width : picture->height,
            width = turned ? picture->height : picture->width;
    return (mask->height == height && mask->width == width)
           || net_fail(error,
                       "%.200s is %" PRId64 " x %" PRId64 " pixels, and %.200s is %" PRId64
                       " x %" PRId64 ": a mask is as large as its picture",
                       path, mask->width, mask->height, picture_path, width, height);
}

/* *broken: that one of the two files cannot be read, not that it says what does not fit. */
static bool read_mask(uint8_t *to, const Goal *goal, const char *path, const char *picture_path,
                      bool *broken, NetError *error)
{
    NetPicture mask = {.use = NET_PICTURE_NUMBERS, .channels = 1},
               picture = {.use = NET_PICTURE_SIZE};
    errno = 0;
    bool read = net_read_any_picture(&mask, path, error)
                && net_read_any_picture(&picture, picture_path, error);
    *broken = !read && errno != ENOMEM;
    bool good = read && check_size(&mask, path, &picture, picture_path, error)
                && take_mask(to, goal, &mask, path, error);
    free(mask.pixels);
    return good;
}

/* ---------------------------------------------------------------- a part */

static void close_folders(Folders *folders)
{
    free(folders->images);
    free(folders->masks);
}

/* masks/NAME.png of images/NAME.jpg */
static char *mask_of(const Folders *folders, const char *picture)
{
    const char *name = picture + strlen(folders->images) + 1, *dot = strrchr(name, '.');
    char *path;
    int length = (int)(dot ? dot - name : (long)strlen(name));
    return asprintf(&path, "%s/%.*s.png", folders->masks, length, name) < 0 ? NULL : path;
}

static bool find_masks(NetNames *masks, const NetNames *pictures, const Folders *folders,
                       NetError *error)
{
    for (int64_t i = 0; i < pictures->count; i++) {
        bool there = false;
        char *path = mask_of(folders, pictures->items[i]);
        if (!net_is_there(&there, path, error)) {
            free(path);
            return false;
        }
        if (!there) {
            net_fail(error, "%.200s has no mask: there is no %.200s", pictures->items[i], path);
            free(path);
            return false;
        }
        if (!net_names_take(masks, path, error))
            return false;
    }
    return true;
}

static int64_t pixels_of(const Goal *goal)
{
    return goal->height * goal->width;
}

/* A part's pictures and their masks. */
typedef struct Pair {
    NetNames pictures, masks; /* paths */
    uint8_t *values;          /* of the masks, [count][height][width] */
    int32_t *labels;          /* of each picture that is read, which one it was */
} Pair;

static void close_pair(Pair *pair)
{
    net_names_close(&pair->pictures);
    net_names_close(&pair->masks);
    free(pair->values);
    free(pair->labels);
}

static void swap(char **paths, int64_t a, int64_t b)
{
    char *path = paths[a];
    paths[a] = paths[b];
    paths[b] = path;
}

/* All masks, so that all that are broken are told at once.  Those are left out, with their
 * pictures, which move behind the others and are freed. */
static bool read_all_masks(Pair *pair, const Goal *goal, const NetOpening *opening, NetError *error)
{
    NetNames broken = {0};
    int64_t all = pair->pictures.count, kept = 0;
    bool good = true, lost;
    for (int64_t i = 0; good && i < all; i++) {
        good = read_mask(pair->values + kept * pixels_of(goal), goal, pair->masks.items[i],
                         pair->pictures.items[i], &lost, error);
        if (good)
            swap(pair->pictures.items, i, kept++);
        else if (lost)
            good = net_names_add(&broken, error->text, error);
        if (opening->progress)
            opening->progress("reading masks", i + 1, all);
    }
    if (broken.count > 0 && !opening->skip_broken) /* which come before what ended the loop */
        good = net_refuse_broken(&broken, all, opening->notes, error);
    if (good && broken.count > 0)
        net_tell_left_out(&broken, all, opening->notes);
    if (good && kept == 0)
        good = net_fail(error, "none of the masks can be read");
    while (good && pair->pictures.count > kept)
        free(pair->pictures.items[--pair->pictures.count]);
    net_names_close(&broken);
    return good;
}

/* Of the pictures that were read. */
static bool add_masks(NetImages *images, Pair *pair, const Goal *goal, NetError *error)
{
    int64_t pixels = pixels_of(goal);
    for (int64_t i = 0; i < images->count; i++)
        memmove(pair->values + i * pixels, pair->values + pair->labels[i] * pixels, (size_t)pixels);
    NetArray *array =
        net_lend_array(images, "mask", NET_BYTES, (NetShape){2, goal->height, 1, goal->width, 1},
                       pair->values, false, error);
    if (!array)
        return false;
    pair->values = NULL; /* the array's now */
    array->classes = goal->yes_or_no ? 2 : 0;
    return true;
}

static bool read_pair(NetImages *images, NetNames *pictures, const Folders *folders,
                      const Goal *goal, int64_t memory, bool trained, const NetOpening *opening,
                      NetError *error)
{
    NetShape shape = net_image_shape(opening->model->input);
    Pair pair = {.pictures = *pictures};
    size_t count = (size_t)pictures->count;
    *pictures = (NetNames){0};
    pair.labels = net_allocate(count, sizeof *pair.labels, error);
    if (pair.labels && goal->target)
        pair.values = net_allocate(count, (size_t)pixels_of(goal), error);
    bool good = pair.labels && (!goal->target || pair.values);
    if (good && goal->target)
        good = find_masks(&pair.masks, &pair.pictures, folders, error)
               && read_all_masks(&pair, goal, opening, error);
    for (int64_t i = 0; good && i < pair.pictures.count; i++)
        pair.labels[i] = (int32_t)i;
    good = good
           && net_read_pictures(images, &pair.pictures, pair.labels, shape, memory, trained,
                                opening, error)
           && (!goal->target || add_masks(images, &pair, goal, error));
    close_pair(&pair);
    return good;
}

/* A part's folders and its pictures; a part that is not there has none. */
static bool list_part(Folders *folders, NetNames *pictures, const char *part, const char *root,
                      const NetOpening *opening, NetError *error)
{
    NetStrangers strangers = {0};
    bool images = false, masks = false;
    if (!part)
        return true;
    if (!net_is_folder(&images, part, "images", error)
        || !net_is_folder(&masks, part, "masks", error))
        return false;
    if (!images || !masks)
        return net_fail(error,
                        "%s has no folder %s: pictures are in images/ and their masks, of "
                        "the same names, in masks/",
                        part, images ? "masks" : "images");
    folders->images = net_join_path(part, "images");
    folders->masks = net_join_path(part, "masks");
    bool good = folders->images && folders->masks
                    ? net_walk(pictures, &strangers, folders->images, &net_picture_files, error)
                    : net_fail(error, "out of memory");
    if (good && pictures->count == 0)
        good = net_fail(error, "%s has no images", folders->images);
    if (good)
        net_tell_strangers(&strangers, root, &net_picture_files, opening->notes);
    return good;
}

static bool read_parts(NetData *data, const NetLayout *layout, const NetOpening *opening,
                       NetError *error)
{
    Folders train = {0}, test = {0};
    NetNames trained = {0}, tested = {0};
    Goal goal;
    bool good = find_goal(&goal, opening->model, error)
                && (opening->test_only
                    || list_part(&train, &trained, layout->train, layout->root, opening, error))
                && list_part(&test, &tested, layout->test, layout->root, opening, error);
    if (good) {
        NetMemory memory = net_share_memory(opening, trained.count, tested.count);
        good = (trained.count == 0
                || read_pair(&data->train, &trained, &train, &goal, memory.train, true, opening,
                             error))
               && (tested.count == 0
                   || read_pair(&data->test, &tested, &test, &goal, memory.test, false, opening,
                                error));
    }
    net_names_close(&trained);
    net_names_close(&tested);
    close_folders(&train);
    close_folders(&test);
    return good;
}

bool net_read_masks(NetData *data, const NetOpening *opening, NetError *error)
{
    NetLayout layout = {0};
    const char *root = opening->source;
    snprintf(data->what, sizeof data->what, "%s", root);
    data->pictures = true;
    bool good =
        net_find_parts(&layout, root, opening, error) && read_parts(data, &layout, opening, error);
    if (good && !layout.test)
        net_note(opening->notes,
                 "%s has no test: all its pictures are trained on, and none is "
                 "tested with",
                 root);
    net_layout_close(&layout);
    return good;
}
