/* pictures.c: pictures by their paths, decoded by all threads.
 *
 * All are decoded when the data are opened: so all that are broken are known before the first
 * step, and told at once.  Those that memory has room for are kept.  Of a set that is larger, the
 * others are decoded again whenever a batch has them, by all threads, some batches at once where
 * batches are small; of what comes after that the system is asked to read the files ahead.
 */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    A_THREAD = 4, /* pictures that each is to have at least, when some are decoded */
    SHOWN_BROKEN = 20,
};

struct NetStream {
    NetNames paths; /* of all images */
    NetShape shape;
    int64_t kept;  /* images number 0 … kept - 1 are in the split's first array */
    uint8_t *room; /* [capacity][elements]: those number window[0 … held - 1] */
    int32_t *window;
    int64_t capacity, held;
    bool failed;
    NetError error;
};

/* --------------------------------------------------------- some of them */

/* What threads share while they decode. */
typedef struct Work {
    const NetStream *stream; /* paths and shape */
    const NetImages *images; /* where those that are kept are to go, or are */
    const int32_t *window;   /* NULL: all images are decoded, for the first time */
    int64_t count;
    uint8_t *room; /* [count][elements] of a window; else [threads][elements], of who is not kept */
    const NetOpening *opening;
    atomic_llong next;
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

static void decode_one(Work *work, int64_t index, uint8_t *to)
{
    NetError error;
    errno = 0;
    if (!net_read_image(to, work->stream->shape, work->stream->paths.items[index], &error))
        note_failure(work, index, errno == ENOMEM, &error);
}

/* Where image `index` is to be kept; NULL: nowhere. */
static uint8_t *place_of(const Work *work, int64_t index)
{
    const NetImages *images = work->images;
    if (images->stream ? index >= images->stream->kept : !net_is_held(&images->held, index))
        return NULL;
    return (uint8_t *)net_image_at(images, index, 0);
}

/* The first time.  A picture that another rank keeps is that one's to look at. */
static void decode_new(Work *work, int64_t index, int thread)
{
    uint8_t *place = place_of(work, index), *room = work->room + thread * elements_of(work->stream);
    if (place || work->images->stream)
        decode_one(work, index, place ? place : room);
}

static void decode_for_window(Work *work, int64_t number)
{
    int64_t index = work->window[number], elements = elements_of(work->stream);
    uint8_t *to = work->room + number * elements;
    if (index < work->stream->kept)
        memcpy(to, net_image_at(work->images, index, 0), (size_t)elements);
    else
        decode_one(work, index, to);
}

static void decode_some(void *context, int thread)
{
    Work *work = context;
    for (int64_t i; (i = atomic_fetch_add(&work->next, 1)) < work->count;) {
        if (work->window)
            decode_for_window(work, i);
        else
            decode_new(work, i, thread);
        if (thread == 0 && work->opening && work->opening->progress)
            work->opening->progress("decoding pictures", i + 1, work->count);
    }
}

static void run(Work *work, NetPool *pool)
{
    atomic_init(&work->next, 0);
    pthread_mutex_init(&work->lock, NULL);
    net_pool_run(pool, decode_some, work);
    pthread_mutex_destroy(&work->lock);
}

static void close_work(Work *work)
{
    net_names_close(&work->broken);
    free(work->numbers);
}

/* ---------------------------------------------------------- broken ones */

/* Which of the broken is the next in the order of the pictures: the first beyond `after`. */
static int64_t next_broken(const Work *work, int64_t after)
{
    int64_t next = -1;
    for (int64_t i = 0; i < work->broken.count; i++)
        if (work->numbers[i] > after && (next < 0 || work->numbers[i] < work->numbers[next]))
            next = i;
    return next;
}

static void tell_broken(const Work *work)
{
    int64_t after = -1;
    for (int64_t told = 0; told < work->broken.count && told < SHOWN_BROKEN; told++) {
        int64_t next = next_broken(work, after);
        net_note(work->opening->notes, "%s", work->broken.items[next]);
        after = work->numbers[next];
    }
    if (work->broken.count > SHOWN_BROKEN)
        net_note(work->opening->notes, "and %" PRId64 " more like these",
                 work->broken.count - SHOWN_BROKEN);
}

static bool refuse_broken(const Work *work, NetError *error)
{
    const char *first = work->broken.items[next_broken(work, -1)];
    bool alone = net_rank_count() == 1;
    if (work->broken.count == 1)
        return net_fail(error, "%.400s%s", first, alone ? "; --skip-broken leaves it out" : "");
    tell_broken(work);
    return net_fail(error, "%.330s, and %" PRId64 " more of %" PRId64 " pictures cannot be read%s",
                    first, work->broken.count - 1, work->count,
                    alone ? "; --skip-broken leaves them out" : "");
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
        if (i < in_memory && to < i)
            memcpy((uint8_t *)net_image_at(images, to, 0), net_image_at(images, i, 0),
                   (size_t)elements);
        kept += i < in_memory;
        labels[to] = labels[i];
        stream->paths.items[to++] = path;
    }
    stream->kept = kept;
    stream->paths.count = images->count = to;
}

static bool skip_broken(const Work *work, NetImages *images, NetStream *stream, int32_t *labels,
                        NetError *error)
{
    if (net_rank_count() > 1)
        return net_fail(error,
                        "%" PRId64 " of the pictures cannot be read, as %.300s; of several ranks "
                        "none can skip them: remove the files",
                        work->broken.count, work->broken.items[0]);
    tell_broken(work);
    net_note(work->opening->notes, "%" PRId64 " of %" PRId64 " pictures are left out",
             work->broken.count, work->count);
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

/* With several ranks all must come to the same: what is said counts, and nothing is guessed. */
static int64_t count_kept(const NetImages *images, NetShape shape, int64_t memory)
{
    int64_t room = memory / net_shape_elements(shape);
    return memory == 0 || room >= images->count ? images->count : room;
}

static bool make_stream(NetImages *images, NetStream *stream, int64_t memory)
{
    NetHeld held = images->held;
    held.holder = 0; /* who has the most */
    NetImages most = {.count = images->count, .held = held};
    int64_t kept = count_kept(images, stream->shape, memory);
    if (memory == 0 || memory / elements_of(stream) >= net_held_count(&most))
        return false;
    images->held = (NetHeld){0};
    images->stream = stream;
    stream->kept = kept;
    return true;
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

static bool decode_all(NetImages *images, NetStream *stream, int32_t *labels,
                       const NetOpening *opening, NetError *error)
{
    int threads = opening->threads > 1 ? opening->threads : 1;
    NetPool *pool = net_pool_open(threads, error);
    Work work = {.stream = stream, .images = images, .count = images->count, .opening = opening};
    work.room = pool ? net_allocate((size_t)threads, (size_t)elements_of(stream), error) : NULL;
    bool good = work.room != NULL;
    if (good)
        run(&work, pool);
    if (good && opening->progress)
        opening->progress("decoding pictures", work.count, work.count);
    if (good && work.failed)
        good = net_fail(error, "%s", work.error.text);
    if (good && work.broken.count > 0)
        good = opening->skip_broken ? skip_broken(&work, images, stream, labels, error)
                                    : refuse_broken(&work, error);
    free(work.room);
    close_work(&work);
    if (pool)
        net_pool_close(pool);
    return good;
}

static bool read_for_sample(void *source, int64_t index, uint8_t *pixels, NetError *error)
{
    const NetStream *stream = source;
    return net_read_image(pixels, stream->shape, stream->paths.items[index], error);
}

bool net_read_pictures(NetImages *images, NetNames *paths, int32_t *labels, NetShape shape,
                       int64_t memory, const NetOpening *opening, NetError *error)
{
    NetStream *stream = net_allocate(1, sizeof *stream, error);
    if (!stream)
        return false;
    stream->paths = *paths;
    stream->shape = shape;
    *paths = (NetNames){0};
    images->count = stream->paths.count;
    bool streamed = make_stream(images, stream, memory);
    bool good = make_array(images, stream, error)
                && decode_all(images, stream, labels, opening, error)
                && net_read_sample(images, read_for_sample, stream, error);
    if (!streamed)
        net_stream_close(stream);
    return good;
}

void net_stream_close(NetStream *stream)
{
    if (!stream)
        return;
    net_names_close(&stream->paths);
    free(stream->room);
    free(stream->window);
    free(stream);
}

/* ------------------------------------------------------------- of a batch */

bool net_stream_keeps(const NetStream *stream, int64_t index)
{
    return index < stream->kept;
}

bool net_stream_failed(const NetImages *images, NetError *error)
{
    if (!images->stream || !images->stream->failed)
        return false;
    *error = images->stream->error;
    return true;
}

void net_stream_fail(const NetImages *images, const char *why)
{
    images->stream->failed = true;
    net_fail(&images->stream->error, "%s", why);
}

static bool make_room(NetStream *stream, int64_t count)
{
    if (count <= stream->capacity)
        return true;
    free(stream->room);
    free(stream->window);
    stream->capacity = stream->held = 0;
    stream->room = net_allocate((size_t)count, (size_t)elements_of(stream), &stream->error);
    stream->window =
        stream->room ? net_allocate((size_t)count, sizeof *stream->window, &stream->error) : NULL;
    stream->capacity = stream->window ? count : 0;
    return stream->window != NULL;
}

static int32_t index_at(const int32_t *order, int64_t position)
{
    return order ? order[position] : (int32_t)position;
}

/* Where in the window they are, side by side; -1: not all are. */
static int64_t find_in_window(const NetStream *stream, const int32_t *order, int64_t first,
                              int64_t count)
{
    for (int64_t at = 0; at + count <= stream->held; at++) {
        int64_t i = 0;
        while (i < count && stream->window[at + i] == index_at(order, first + i))
            i++;
        if (i == count)
            return at;
    }
    return -1;
}

/* The system reads the files while something else is computed. */
static void ask_ahead(const NetStream *stream, const int32_t *order, int64_t from, int64_t to)
{
    for (int64_t position = from; position < to; position++) {
        int64_t index = index_at(order, position);
        int file = index < stream->kept
                       ? -1
                       : open(stream->paths.items[index], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (file < 0)
            continue;
        posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED);
        close(file);
    }
}

static bool fill_window(NetStream *stream, const NetImages *images, NetPool *pool)
{
    Work work = {.stream = stream,
                 .images = images,
                 .window = stream->window,
                 .count = stream->held,
                 .room = stream->room};
    run(&work, pool);
    if (work.failed)
        net_fail(&stream->error, "%s", work.error.text);
    else if (work.broken.count > 0)
        net_fail(&stream->error, "%.400s: it could be read when the data were opened",
                 work.broken.items[next_broken(&work, -1)]);
    bool good = !work.failed && work.broken.count == 0;
    close_work(&work);
    return good;
}

const uint8_t *net_stream_read(const NetImages *images, NetPool *pool, const int32_t *order,
                               int64_t first, int64_t count, int64_t ahead)
{
    NetStream *stream = images->stream;
    int64_t at = find_in_window(stream, order, first, count), threads = net_pool_threads(pool);
    if (at >= 0)
        return stream->room + at * elements_of(stream);
    int64_t wanted = A_THREAD * threads > count ? A_THREAD * threads : count;
    int64_t held = wanted < count + ahead ? wanted : count + ahead;
    if (!make_room(stream, held)) {
        stream->failed = true;
        return NULL;
    }
    for (int64_t i = 0; i < held; i++)
        stream->window[i] = index_at(order, first + i);
    stream->held = held;
    if (!fill_window(stream, images, pool)) {
        stream->failed = true;
        stream->held = 0;
        return NULL;
    }
    int64_t next = first + held, end = first + count + ahead;
    ask_ahead(stream, order, next, next + held < end ? next + held : end);
    return stream->room;
}

const uint8_t *net_stream_one(const NetImages *images, int64_t index, uint8_t *room)
{
    NetStream *stream = images->stream;
    if (index < stream->kept)
        return net_image_at(images, index, 0);
    if (net_read_image(room, stream->shape, stream->paths.items[index], &stream->error))
        return room;
    stream->failed = true;
    return NULL;
}
