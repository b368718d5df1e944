/* cache.c: decoded pictures in a file, from one run to the next.
 *
 * The file is written whole or not at all, and its pages are the memory of the pictures: the
 * system keeps those that are used, so a set may be larger than memory.  It says which pictures it
 * was made of, by the path, length and time of each file and by what was made of them; where that
 * is no longer so it is made anew.  In it: a header, an entry for each picture, the pixels.
 */
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[16] = "netc pictures 1";

typedef struct Header {
    char magic[16];
    uint64_t identity;
    int64_t count;
} Header;

typedef struct Entry {
    int64_t offset, height, width;
} Entry;

/* A cache that is written. */
typedef struct Work {
    const NetStream *stream;
    const NetOpening *opening;
    Entry *entries; /* [count] */
    int64_t count;
    int file;
    uint8_t *room; /* [threads][elements]; of own sizes nobody's */
    atomic_llong next, end;
    atomic_bool unreadable; /* some picture */
    atomic_int failed;      /* errno of a write */
} Work;

/* ----------------------------------------------------------- which one */

static uint64_t digest_recipe(const NetStream *stream)
{
    const int64_t numbers[] = {
        stream->shape.c,       stream->shape.h,       stream->shape.w,
        stream->fit.resize[0], stream->fit.resize[1], stream->fit.crop[0],
        stream->fit.crop[1],   stream->own_sizes,     stream->own_sizes ? stream->least : 0};
    return net_digest(0, numbers, sizeof numbers);
}

/* Of a file that is not there: decoding it says so. */
static uint64_t digest_files(const NetStream *stream)
{
    uint64_t digest = digest_recipe(stream);
    for (int64_t i = 0; i < stream->paths.count; i++) {
        struct stat status = {0};
        int64_t there = stat(stream->paths.items[i], &status);
        const int64_t numbers[] = {there, status.st_size, status.st_mtim.tv_sec,
                                   status.st_mtim.tv_nsec};
        digest = net_digest_text(digest, stream->paths.items[i]);
        digest = net_digest(digest, numbers, sizeof numbers);
    }
    return digest;
}

/* One file for each source and each part of it; free() it. */
static char *cache_path(const NetStream *stream, const NetOpening *opening, bool trained,
                        NetError *error)
{
    char *path;
    uint64_t name = net_digest_text(digest_recipe(stream), opening->source);
    if (mkdir(opening->cache, 0777) != 0 && errno != EEXIST) {
        net_fail(error, "cannot make the folder %s: %s", opening->cache, strerror(errno));
        return NULL;
    }
    if (asprintf(&path, "%s/%016" PRIx64 "-%s.pictures", opening->cache, name,
                 trained ? "train" : "test")
        >= 0)
        return path;
    net_fail(error, "out of memory");
    return NULL;
}

/* ------------------------------------------------------------- writing */

static bool put(Work *work, const void *bytes, size_t count, int64_t offset)
{
    for (const char *at = bytes; count > 0;) {
        ssize_t written = pwrite(work->file, at, count, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            atomic_store(&work->failed, written < 0 ? errno : EIO);
            return false;
        }
        at += written;
        count -= (size_t)written;
        offset += written;
    }
    return true;
}

static bool decode(Work *work, int64_t index, int thread, NetShape *shape, uint8_t **pixels)
{
    const NetStream *stream = work->stream;
    const char *path = stream->paths.items[index];
    NetError ignored; /* whoever decodes it without a cache says what is wrong */
    *shape = stream->shape;
    *pixels = NULL;
    if (stream->own_sizes) {
        *pixels = net_read_whole_image(shape, shape->c, stream->least, path, &ignored);
        return *pixels != NULL;
    }
    return net_read_image(work->room + thread * net_shape_elements(*shape), *shape, &stream->fit,
                          path, &ignored);
}

static void write_one(Work *work, int64_t index, int thread)
{
    NetShape shape;
    uint8_t *own;
    if (!decode(work, index, thread, &shape, &own)) {
        atomic_store(&work->unreadable, true);
        return;
    }
    int64_t bytes = net_shape_elements(shape), offset = atomic_fetch_add(&work->end, bytes);
    work->entries[index] = (Entry){offset, shape.h, shape.w};
    put(work, own ? own : work->room + thread * bytes, (size_t)bytes, offset);
    free(own);
}

static void write_some(void *context, int thread)
{
    Work *work = context;
    for (int64_t i; (i = atomic_fetch_add(&work->next, 1)) < work->count
                    && !atomic_load(&work->unreadable) && !atomic_load(&work->failed);) {
        write_one(work, i, thread);
        if (thread == 0 && work->opening->progress)
            work->opening->progress("decoding pictures", i + 1, work->count);
    }
}

/* With its entries and its header, which are in front of the pixels. */
static bool write_all(Work *work, uint64_t identity, NetPool *pool)
{
    Header header = {.identity = identity, .count = work->count};
    size_t entries = (size_t)work->count * sizeof(Entry);
    memcpy(header.magic, MAGIC, sizeof header.magic);
    atomic_init(&work->next, 0);
    atomic_init(&work->end, (int64_t)(sizeof header + entries));
    net_pool_run(pool, write_some, work);
    if (work->opening->progress)
        work->opening->progress("decoding pictures", work->count, work->count);
    return !atomic_load(&work->unreadable) && !atomic_load(&work->failed)
           && put(work, work->entries, entries, sizeof header)
           && put(work, &header, sizeof header, 0);
}

/* False with *error; or without it, *unreadable, where a picture cannot be read. */
static bool write_cache(const NetStream *stream, const char *path, uint64_t identity,
                        const NetOpening *opening, bool *unreadable, NetError *error)
{
    int threads = opening->threads > 1 ? opening->threads : 1;
    Work work = {.stream = stream, .opening = opening, .count = stream->paths.count};
    NetOutput output;
    NetPool *pool = net_pool_open(threads, error);
    work.room =
        pool ? net_allocate((size_t)threads, (size_t)net_shape_elements(stream->shape), error)
             : NULL;
    work.entries = work.room ? net_allocate((size_t)work.count, sizeof(Entry), error) : NULL;
    bool good = work.entries && net_create_kind(&output, path, NET_REGULAR_FILE, error);
    if (good) {
        work.file = fileno(output.file);
        good = write_all(&work, identity, pool);
        *unreadable = atomic_load(&work.unreadable);
        if (!good && !*unreadable)
            net_fail(error, "cannot write %s: %s", path, strerror(atomic_load(&work.failed)));
        if (good)
            good = net_commit(&output, error);
        else
            net_discard(&output);
    }
    free(work.entries);
    free(work.room);
    if (pool)
        net_pool_close(pool);
    return good;
}

/* ------------------------------------------------------------- reading */

/* Every entry is within the file. */
static bool check_entries(const uint8_t *map, int64_t bytes, const NetStream *stream)
{
    const Header *header = (const Header *)(const void *)map;
    const Entry *entries = (const Entry *)(const void *)(header + 1);
    int64_t first = (int64_t)sizeof *header, each = (int64_t)sizeof *entries;
    if (header->count != stream->paths.count || header->count > (bytes - first) / each)
        return false;
    first += header->count * each;
    for (int64_t i = 0; i < header->count; i++) {
        const Entry *entry = &entries[i];
        int64_t h = entry->height, w = entry->width, pixels;
        if (h < 1 || w < 1 || entry->offset < first || entry->offset > bytes
            || __builtin_mul_overflow(h, w, &pixels)
            || __builtin_mul_overflow(pixels, stream->shape.c, &pixels)
            || pixels > bytes - entry->offset
            || (!stream->own_sizes && (h != stream->shape.h || w != stream->shape.w)))
            return false;
    }
    return true;
}

/* The file's pages, where it is of this identity; NULL: it is not there, or of another. */
static uint8_t *map_cache(const char *path, uint64_t identity, const NetStream *stream,
                          int64_t *bytes, bool *stale)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *stale = file >= 0;
    if (file < 0)
        return NULL;
    bool there = fstat(file, &status) == 0 && S_ISREG(status.st_mode)
                 && status.st_size >= (int64_t)sizeof(Header);
    uint8_t *map =
        there ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    close(file);
    if (map == MAP_FAILED)
        return NULL;
    *bytes = status.st_size;
    const Header *header = (const Header *)(const void *)map;
    if (memcmp(header->magic, MAGIC, sizeof MAGIC) == 0 && header->identity == identity
        && check_entries(map, *bytes, stream))
        return map;
    munmap(map, (size_t)*bytes);
    return NULL;
}

/* The pictures are where the entries say. */
static void take_pages(NetStream *stream, uint8_t *map, int64_t bytes)
{
    const Header *header = (const Header *)(const void *)map;
    const Entry *entries = (const Entry *)(const void *)(header + 1);
    stream->map = map;
    stream->map_bytes = bytes;
    for (int64_t i = 0; i < header->count; i++) {
        stream->cached[i].pixels = map + entries[i].offset;
        stream->cached[i].shape =
            (NetShape){3, stream->shape.c, entries[i].height, entries[i].width, 1};
    }
}

bool net_cache_open(NetStream *stream, bool trained, const NetOpening *opening, bool *cached,
                    NetError *error)
{
    bool stale, unreadable = false;
    int64_t bytes = 0;
    uint64_t identity = digest_files(stream);
    char *path = cache_path(stream, opening, trained, error);
    stream->cached =
        path ? net_allocate((size_t)stream->paths.count, sizeof *stream->cached, error) : NULL;
    bool good = stream->cached != NULL;
    uint8_t *map = good ? map_cache(path, identity, stream, &bytes, &stale) : NULL;
    if (good && !map && net_rank_count() > 1)
        good = net_fail(error,
                        "%.300s is not there or of other pictures, and several ranks would write "
                        "it: make it by one process first, with --max-steps 0",
                        path);
    if (good && !map) {
        if (stale)
            net_note(opening->notes, "%s is made anew: its pictures have changed", path);
        good = write_cache(stream, path, identity, opening, &unreadable, error) || unreadable;
        map = good && !unreadable ? map_cache(path, identity, stream, &bytes, &stale) : NULL;
        if (good && !unreadable && !map)
            good = net_fail(error, "%s has changed while it was written", path);
    }
    *cached = map != NULL;
    if (map)
        take_pages(stream, map, bytes);
    if (unreadable)
        net_note(opening->notes, "%s is not made, for some of its pictures cannot be read", path);
    free(path);
    return good;
}
