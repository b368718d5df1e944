/* pictures.c: pictures by their paths, decoded by all threads.
 *
 * All are decoded when the data are opened: so all that are broken are known before the first
 * step, and told at once.  Those that memory has room for are kept.  Of a set that is larger, the
 * others are decoded again whenever a batch has them: stream.c.  Training pictures that are cut
 * anew for each batch are kept in sizes of their own.
 */
#include "data/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BROKEN = 20 };

/* --------------------------------------------------------- some of them */

/* What threads share while they decode. */
typedef struct Work {
    const NetStream *stream; /* paths and shape */
    const NetImages *images; /* where those that are kept are to go */
    int64_t count;
    uint8_t *room; /* [threads][elements], of those that are not kept */
    const NetOpening *opening;
    NetCrop crop;            /* for which pictures of their own sizes have to be large enough … */
    NetFit resize;           /* … when they are resized */
    atomic_llong next, left; /* left: bytes for pictures of their own sizes */
    pthread_mutex_t lock;
    NetNames broken; /* sentences, each behind its image's number, in `numbers` */
    int64_t *numbers;
    int64_t capacity;
    bool failed; /* for another reason than a picture */
    NetError error;
} Work;

static int64_t elements_of(const NetStream *stream)
{
    return net_shape_elements(stream->shape);
}

static bool note_number(Work *work, int64_t number)
{
    if (work->broken.count == work->capacity) {
        int64_t capacity = work->capacity ? 2 * work->capacity : 16;
        int64_t *numbers = realloc(work->numbers, (size_t)capacity * sizeof *numbers);
        if (!numbers)
            return net_fail(&work->error, "out of memory");
        work->numbers = numbers;
        work->capacity = capacity;
    }
    work->numbers[work->broken.count] = number;
    return true;
}

/* Of the picture, or of the machine, which has no memory left. */
static void note_failure(Work *work, int64_t number, bool memory, const NetError *error)
{
    pthread_mutex_lock(&work->lock);
    if (memory && !work->failed)
        work->error = *error;
    work->failed = work->failed || memory || !note_number(work, number)
                   || !net_names_add(&work->broken, error->text, &work->error);
    pthread_mutex_unlock(&work->lock);
}

/* Where image `index` is to be kept; NULL: nowhere. */
static uint8_t *place_of(const Work *work, int64_t index)
{
    const NetImages *images = work->images;
    if (images->stream ? index >= images->stream->kept : !net_is_held(&images->held, index))
        return NULL;
    return (uint8_t *)net_image_at(images, index, 0);
}

/* A picture that another rank keeps is that one's to look at. */
static bool decode_fitted(Work *work, int64_t index, int thread, NetError *error)
{
    const NetStream *stream = work->stream;
    uint8_t *place = place_of(work, index), *room = work->room + thread * elements_of(stream);
    return (!place && !work->images->stream)
           || net_read_image(place ? place : room, stream->shape, &stream->fit,
                             stream->paths.items[index], error);
}

static bool check_crop(const Work *work, NetShape own, const char *path, NetError *error)
{
    NetShape resized = net_fit_resized(&work->resize, own);
    return !work->stream->own_sizes || net_crop_fits(&work->crop, resized)
           || net_fail(error,
                       "%.300s is %" PRId64 " x %" PRId64 " pixels%s, and random_crop([%" PRId64
                       ", %" PRId64 "]) has no room in it: `augment resize` before it, or a larger "
                       "padding",
                       path, resized.w, resized.h, work->resize.resize[0] ? " when resized" : "",
                       work->crop.h, work->crop.w);
}

static bool decode_original(Work *work, int64_t index, NetError *error)
{
    const NetStream *stream = work->stream;
    const char *path = stream->paths.items[index];
    NetOriginal *original = &stream->originals[index];
    uint8_t *pixels =
        net_read_whole_image(&original->shape, stream->shape.c, stream->least, path, error);
    bool good = pixels && check_crop(work, original->shape, path, error);
    int64_t bytes = net_shape_elements(original->shape);
    if (good && atomic_fetch_sub(&work->left, bytes) >= bytes)
        original->pixels = pixels;
    else
        free(pixels);
    return good;
}

static void decode_one(Work *work, int64_t index, int thread)
{
    NetError error;
    errno = 0;
    if (!(work->stream->own_sizes ? decode_original(work, index, &error)
                                  : decode_fitted(work, index, thread, &error)))
        note_failure(work, index, errno == ENOMEM, &error);
}

static void decode_some(void *context, int thread)
{
    Work *work = context;
    for (int64_t i; (i = atomic_fetch_add(&work->next, 1)) < work->count;) {
        decode_one(work, i, thread);
        if (thread == 0 && work->opening->progress)
            work->opening->progress("decoding pictures", i + 1, work->count);
    }
}

static void run(Work *work, NetPool *pool)
{
    atomic_init(&work->next, 0);
    net_pool_run(pool, decode_some, work);
}

static void forget_broken(Work *work)
{
    net_names_close(&work->broken);
    free(work->numbers);
    work->broken = (NetNames){0};
    work->numbers = NULL;
    work->capacity = 0;
}

/* ---------------------------------------------------------- broken ones */

/* Into the order of the pictures, in which threads nearly found them. */
static void sort_broken(Work *work)
{
    int64_t *numbers = work->numbers;
    char **items = work->broken.items;
    for (int64_t i = 1; i < work->broken.count; i++)
        for (int64_t k = i; k > 0 && numbers[k - 1] > numbers[k]; k--) {
            int64_t number = numbers[k];
            char *item = items[k];
            numbers[k] = numbers[k - 1];
            items[k] = items[k - 1];
            numbers[k - 1] = number;
            items[k - 1] = item;
        }
}

static void tell_broken(const NetNames *broken, NetNotes *notes)
{
    for (int64_t i = 0; i < broken->count && i < SHOWN_BROKEN; i++)
        net_note(notes, "%s", broken->items[i]);
    if (broken->count > SHOWN_BROKEN)
        net_note(notes, "and %" PRId64 " more like these", broken->count - SHOWN_BROKEN);
}

bool net_refuse_broken(const NetNames *broken, int64_t all, NetNotes *notes, NetError *error)
{
    if (broken->count == 1)
        return net_fail(error, "%.400s; --skip-broken leaves it out", broken->items[0]);
    tell_broken(broken, notes);
    return net_fail(error,
                    "%.330s, and %" PRId64 " more of %" PRId64
                    " pictures cannot be read; --skip-broken leaves them out",
                    broken->items[0], broken->count - 1, all);
}

void net_tell_left_out(const NetNames *broken, int64_t all, NetNotes *notes)
{
    tell_broken(broken, notes);
    net_note(notes, "%" PRId64 " of %" PRId64 " pictures are left out", broken->count, all);
}

/* Of several ranks, which looked at other pictures each, all get to know all that are broken:
 * whoever did not look at one does it now, for what is wrong with it. */
static bool share_broken(Work *work, NetError *error)
{
    enum { SOME = 1 << 20 };
    double *broken = net_allocate((size_t)work->count, sizeof *broken, error);
    if (!net_ranks_ready(broken && !work->failed, NULL)) {
        free(broken);
        return work->failed ? net_fail(error, "%s", work->error.text)
                            : net_fail(error, "another rank cannot read its pictures");
    }
    for (int64_t i = 0; i < work->broken.count; i++)
        broken[work->numbers[i]] = 1;
    for (int64_t from = 0; from < work->count; from += SOME)
        net_ranks_add(broken + from, (int)(work->count - from < SOME ? work->count - from : SOME));
    for (int64_t i = 0; i < work->count; i++) {
        NetError why = {"another rank cannot read it"};
        const char *path = work->stream->paths.items[i];
        if (broken[i] == 0 || net_is_held(&work->images->held, i))
            continue;
        if (net_read_image(work->room, work->stream->shape, &work->stream->fit, path, &why))
            net_fail(&why, "%.300s: another rank cannot read it", path);
        note_failure(work, i, false, &why);
    }
    free(broken);
    return !work->failed || net_fail(error, "%s", work->error.text);
}

/* The others move up, with their paths and labels. */
static void leave_out(NetImages *images, NetStream *stream, int32_t *labels, const bool *broken)
{
    int64_t to = 0, elements = elements_of(stream), kept = 0;
    int64_t in_memory = images->stream ? stream->kept : images->count;
    for (int64_t i = 0; i < images->count; i++) {
        char *path = stream->paths.items[i];
        if (broken[i]) {
            free(path);
            continue;
        }
        if (stream->originals)
            stream->originals[to] = stream->originals[i];
        if (i < in_memory && to < i && images->held.holders <= 1)
            memcpy((uint8_t *)net_image_at(images, to, 0), net_image_at(images, i, 0),
                   (size_t)elements);
        kept += i < in_memory;
        labels[to] = labels[i];
        stream->paths.items[to++] = path;
    }
    stream->kept = images->stream ? kept : 0;
    stream->paths.count = images->count = to;
}

static bool skip_broken(const Work *work, NetImages *images, NetStream *stream, int32_t *labels,
                        NetError *error)
{
    net_tell_left_out(&work->broken, work->count, work->opening->notes);
    bool *broken = net_allocate((size_t)images->count, sizeof *broken, error);
    if (!broken)
        return false;
    for (int64_t i = 0; i < work->broken.count; i++)
        broken[work->numbers[i]] = true;
    leave_out(images, stream, labels, broken);
    free(broken);
    return images->count > 0 || net_fail(error, "none of the pictures can be read");
}

/* ------------------------------------------------------------- all of them */

/* Pictures of batches have their part of it. */
static int64_t count_kept(const NetImages *images, const NetStream *stream, int64_t memory)
{
    int64_t count = (memory - stream->room) / elements_of(stream);
    return count < images->count ? count : images->count;
}

/* Whether not all of those that a process holds fit.  With several ranks all must come to the same:
 * what is said counts, and nothing is guessed. */
static bool is_too_large(const NetImages *images, const NetStream *stream, int64_t memory)
{
    NetHeld held = images->held;
    held.holder = 0; /* who has the most */
    NetImages most = {.count = images->count, .held = held};
    return memory > 0 && memory / elements_of(stream) < net_held_count(&most);
}

static void make_stream(NetImages *images, NetStream *stream, int64_t memory,
                        const NetOpening *opening)
{
    images->held = (NetHeld){0};
    images->stream = stream;
    memory = memory > 0 ? memory : net_memory() / 2; /* of ranks: each its own */
    stream->room = net_stream_room(memory, elements_of(stream), opening->batch, opening->threads);
    stream->kept = stream->own_sizes || stream->map ? 0 : count_kept(images, stream, memory);
}

static bool make_array(NetImages *images, const NetStream *stream, NetError *error)
{
    int64_t count = images->stream ? stream->kept : net_held_count(images);
    uint8_t *pixels = net_allocate((size_t)count, (size_t)elements_of(stream), error);
    bool made =
        pixels && net_lend_array(images, "image", NET_PIXELS, stream->shape, pixels, false, error);
    if (!made)
        free(pixels);
    return made;
}

/* Several ranks hold others than before when some are left out, and look at their own once more. */
static bool decode_again(Work *work, const NetImages *images, NetPool *pool, NetError *error)
{
    if (images->held.holders <= 1 || work->broken.count == 0)
        return true;
    forget_broken(work);
    work->count = images->count;
    run(work, pool);
    return (!work->failed && work->broken.count == 0)
           || net_fail(error, "%s", work->failed ? work->error.text : work->broken.items[0]);
}

static bool handle_broken(Work *work, NetImages *images, NetStream *stream, int32_t *labels,
                          NetPool *pool, NetError *error)
{
    bool skip = work->opening->skip_broken;
    if (skip && images->held.holders > 1 && !share_broken(work, error))
        return false;
    if (work->failed)
        return net_fail(error, "%s", work->error.text);
    if (work->broken.count == 0)
        return true;
    sort_broken(work);
    if (!skip)
        return net_refuse_broken(&work->broken, work->count, work->opening->notes, error);
    return skip_broken(work, images, stream, labels, error)
           && decode_again(work, images, pool, error);
}

static bool decode_all(NetImages *images, NetStream *stream, int32_t *labels, int64_t memory,
                       const NetOpening *opening, NetError *error)
{
    int threads = opening->threads > 1 ? opening->threads : 1;
    NetPool *pool = net_pool_open(threads, error);
    Work work = {.stream = stream, .images = images, .count = images->count, .opening = opening};
    pthread_mutex_init(&work.lock, NULL);
    work.crop = net_crop_of(opening->settings);
    work.resize = net_resize_of_training(opening->settings);
    atomic_init(&work.left, memory > 0 ? memory - stream->room : net_memory() / 2);
    work.room = pool ? net_allocate((size_t)threads, (size_t)elements_of(stream), error) : NULL;
    bool good = work.room != NULL;
    if (good) {
        run(&work, pool);
        if (opening->progress)
            opening->progress("decoding pictures", work.count, work.count);
        good = handle_broken(&work, images, stream, labels, pool, error);
    }
    free(work.room);
    forget_broken(&work);
    pthread_mutex_destroy(&work.lock);
    if (pool)
        net_pool_close(pool);
    return good;
}

/* What is decoded already was readable; whether a crop has room in it is this run's to say. */
static bool check_cached(const NetStream *stream, const NetOpening *opening, NetError *error)
{
    const Work work = {.stream = stream,
                       .crop = net_crop_of(opening->settings),
                       .resize = net_resize_of_training(opening->settings)};
    for (int64_t i = 0; i < stream->paths.count; i++)
        if (!check_crop(&work, stream->cached[i].shape, stream->paths.items[i], error))
            return false;
    return true;
}

static bool read_for_sample(void *source, int64_t index, uint8_t *pixels, NetError *error)
{
    return net_stream_make(pixels, source, index, NULL, index, error);
}

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static NetStream *open_stream(NetShape shape, bool own_sizes, int64_t count,
                              const NetOpening *opening, NetError *error)
{
    NetStream *stream = net_allocate(1, sizeof *stream, error);
    if (!stream)
        return NULL;
    const NetFit resize = net_resize_of_training(opening->settings);
    stream->shape = shape;
    stream->fit = net_fit_of(opening->settings);
    stream->own_sizes = own_sizes;
    stream->least = largest(net_fit_least(&stream->fit), net_fit_least(&resize));
    if (own_sizes)
        stream->originals = net_allocate((size_t)count, sizeof *stream->originals, error);
    if (stream->originals || !own_sizes)
        return stream;
    free(stream);
    return NULL;
}

bool net_read_pictures(NetImages *images, NetNames *paths, int32_t *labels, NetShape shape,
                       int64_t memory, bool trained, const NetOpening *opening, NetError *error)
{
    bool own_sizes = trained && net_keeps_sizes(opening->settings);
    NetStream *stream = open_stream(shape, own_sizes, paths->count, opening, error);
    if (!stream)
        return false;
    stream->paths = *paths;
    *paths = (NetNames){0};
    images->count = stream->paths.count;
    bool cached = false;
    if (opening->cache && !net_cache_open(stream, trained, opening, &cached, error)) {
        net_stream_close(stream);
        return false;
    }
    bool streamed = cached || own_sizes || is_too_large(images, stream, memory);
    if (streamed)
        make_stream(images, stream, memory, opening);
    bool good = make_array(images, stream, error)
                && (cached ? check_cached(stream, opening, error)
                           : decode_all(images, stream, labels, memory, opening, error))
                && net_read_sample(images, read_for_sample, stream, error);
    if (!streamed)
        net_stream_close(stream);
    return good;
}

bool net_stream_over(NetImages *images, NetShape shape, const NetOpening *opening, NetError *error)
{
    NetStream *stream = open_stream(shape, true, 1, opening, error);
    uint8_t *none = stream ? net_allocate(1, 1, error) : NULL;
    if (!none) {
        net_stream_close(stream);
        return false;
    }
    NetArray *array = &images->arrays[0];
    stream->whole = *array;
    *array = (NetArray){.kind = NET_PIXELS};
    snprintf(array->name, sizeof array->name, "%s", stream->whole.name);
    net_array_replace(array, shape, none);
    make_stream(images, stream, opening->memory, opening);
    return net_read_sample(images, read_for_sample, stream, error);
}
