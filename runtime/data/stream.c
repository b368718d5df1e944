/* stream.c: the pictures of batches, of a set that is not all in memory in the network's size.
 *
 * While a step computes, threads of the stream make the pictures of the batches that come next, as
 * far as there is room for them: read them, decode them, cut them.  What is not ready when a batch
 * is asked for is made by all threads of the session.  Each picture is made by itself from its
 * number, the seed and the epoch, so it does not matter who makes it, and when.
 */
#include "data/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    A_THREAD = 4, /* pictures that each is to have at least, when some are made */
    BLOCKS = 64,
};

/* The pictures of one call. */
typedef struct Block {
    int32_t *indices;
    int64_t *keys;   /* of net_augment_size() */
    uint8_t *pixels; /* [capacity][elements] */
    int64_t count, capacity, taken, done;
    NetAugment augment; /* a copy, for the epoch goes on */
    bool augmented;
    int64_t failed; /* the first of them that could not be made; -1: none */
    bool memory;    /* there was none */
    NetError error;
} Block;

typedef struct NetReadAhead {
    const NetStream *stream;
    Block blocks[BLOCKS]; /* a ring: `used` from `first` on, in the order in which they are read */
    int first, used, thread_count;
    bool closing;
    pthread_mutex_t lock;
    pthread_cond_t work, done; /* there is something to make; a block is whole */
    pthread_t threads[BLOCKS];
} NetReadAhead;

/* ------------------------------------------------------------- a picture */

static const uint8_t *find_original(const NetStream *stream, int64_t index, NetShape *own,
                                    uint8_t **read, NetError *error)
{
    if (stream->paths.count == 0) {
        *own = stream->whole.shape;
        return net_array_at(&stream->whole, index, 0);
    }
    if (stream->map) {
        *own = stream->cached[index].shape;
        return stream->cached[index].pixels;
    }
    *own = stream->originals[index].shape;
    if (stream->originals[index].pixels)
        return stream->originals[index].pixels;
    *read = net_read_whole_image(own, stream->shape.c, stream->least, stream->paths.items[index],
                                 error);
    return *read;
}

bool net_stream_make(uint8_t *to, const NetStream *stream, int64_t index, const NetAugment *augment,
                     int64_t key, NetError *error)
{
    int64_t elements = net_shape_elements(stream->shape);
    errno = 0;
    if (!stream->own_sizes && index < stream->kept)
        return memcpy(to, stream->pixels + index * elements, (size_t)elements), true;
    if (!stream->own_sizes && stream->map)
        return memcpy(to, stream->cached[index].pixels, (size_t)elements), true;
    if (!stream->own_sizes)
        return net_read_image(to, stream->shape, &stream->fit, stream->paths.items[index], error);
    NetShape own;
    uint8_t *read = NULL;
    const uint8_t *from = find_original(stream, index, &own, &read, error);
    bool cut = augment && augment->sizing >= 0;
    bool good = from
                && (cut ? net_augment_size(augment, to, from, own, key, error)
                        : net_fit_picture(to, from, own, &stream->fit, error));
    free(read);
    return good;
}

/* -------------------------------------------------------------- a block */

static void free_block(Block *block)
{
    free(block->indices);
    free(block->keys);
    free(block->pixels);
}

static bool make_room(Block *block, int64_t count, int64_t elements, NetError *error)
{
    if (count <= block->capacity)
        return true;
    free_block(block);
    block->capacity = 0;
    block->indices = net_allocate((size_t)count, sizeof *block->indices, error);
    block->keys = net_allocate((size_t)count, sizeof *block->keys, error);
    block->pixels = net_allocate((size_t)count, (size_t)elements, error);
    block->capacity = block->indices && block->keys && block->pixels ? count : 0;
    return block->capacity > 0;
}

static int32_t index_at(const int32_t *order, int64_t position)
{
    return order ? order[position] : (int32_t)position;
}

static int64_t key_at(const NetReading *reading, int64_t index, int64_t position)
{
    return reading->augment ? net_repeat_key(reading->augment, index, position) : index;
}

static bool set_block(Block *block, const NetReading *reading, int64_t elements, NetError *error)
{
    if (!make_room(block, reading->count, elements, error))
        return false;
    for (int64_t i = 0; i < reading->count; i++) {
        block->indices[i] = index_at(reading->order, reading->first + i);
        block->keys[i] = key_at(reading, block->indices[i], reading->first + i);
    }
    block->count = reading->count;
    block->taken = block->done = 0;
    block->failed = -1;
    block->memory = false;
    block->augmented = reading->augment != NULL;
    if (reading->augment)
        block->augment = *reading->augment;
    return true;
}

static bool is_block_of(const Block *block, const NetReading *reading)
{
    const NetAugment *augment = reading->augment;
    if (block->count != reading->count || block->augmented != (augment != NULL)
        || (augment
            && (block->augment.epoch != augment->epoch || block->augment.seed != augment->seed)))
        return false;
    for (int64_t i = 0; i < block->count; i++) {
        int64_t index = index_at(reading->order, reading->first + i);
        if (block->indices[i] != index
            || block->keys[i] != key_at(reading, index, reading->first + i))
            return false;
    }
    return true;
}

/* ---------------------------------------------------- whoever makes them */

static Block *block_at(NetReadAhead *ahead, int number)
{
    return &ahead->blocks[(ahead->first + number) % BLOCKS];
}

/* Of the first `blocks` blocks a picture that nobody makes; NULL: there is none.  With the lock. */
static Block *take_picture(NetReadAhead *ahead, int blocks, int64_t *number)
{
    for (int i = 0; i < blocks && i < ahead->used; i++) {
        Block *block = block_at(ahead, i);
        if (block->taken < block->count) {
            *number = block->taken++;
            return block;
        }
    }
    return NULL;
}

/* With the lock, which is given back meanwhile. */
static void make_picture(NetReadAhead *ahead, Block *block, int64_t number)
{
    NetError error;
    pthread_mutex_unlock(&ahead->lock);
    bool good =
        net_stream_make(block->pixels + number * net_shape_elements(ahead->stream->shape),
                        ahead->stream, block->indices[number],
                        block->augmented ? &block->augment : NULL, block->keys[number], &error);
    bool memory = !good && errno == ENOMEM;
    pthread_mutex_lock(&ahead->lock);
    if (!good && (block->failed < 0 || number < block->failed)) {
        block->failed = number;
        block->memory = memory;
        block->error = error;
    }
    if (++block->done == block->count)
        pthread_cond_broadcast(&ahead->done);
}

static void *make_ahead(void *context)
{
    NetReadAhead *ahead = context;
    int64_t number;
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->closing) {
        Block *block = take_picture(ahead, BLOCKS, &number);
        if (block)
            make_picture(ahead, block, number);
        else
            pthread_cond_wait(&ahead->work, &ahead->lock);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

/* The first block's, by the session's threads. */
static void make_now(void *context, int thread)
{
    NetReadAhead *ahead = context;
    int64_t number;
    (void)thread;
    pthread_mutex_lock(&ahead->lock);
    for (Block *block; (block = take_picture(ahead, 1, &number));)
        make_picture(ahead, block, number);
    pthread_mutex_unlock(&ahead->lock);
}

/* -------------------------------------------------------------- the ring */

/* Without threads of its own all is made when it is asked for. */
static void start_threads(NetReadAhead *ahead, int threads)
{
    while (ahead->thread_count < threads && ahead->thread_count < BLOCKS
           && net_thread_start(&ahead->threads[ahead->thread_count], NULL, make_ahead, ahead) == 0)
        ahead->thread_count++;
}

static NetReadAhead *open_ahead(NetStream *stream)
{
    NetReadAhead *ahead = net_allocate(1, sizeof *ahead, &stream->error);
    if (!ahead)
        return NULL;
    ahead->stream = stream;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->work, NULL);
    pthread_cond_init(&ahead->done, NULL);
    return ahead;
}

void net_read_ahead_close(NetReadAhead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->closing = true;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->lock);
    for (int i = 0; i < ahead->thread_count; i++)
        pthread_join(ahead->threads[i], NULL);
    for (int i = 0; i < BLOCKS; i++)
        free_block(&ahead->blocks[i]);
    pthread_mutex_destroy(&ahead->lock);
    pthread_cond_destroy(&ahead->work);
    pthread_cond_destroy(&ahead->done);
    free(ahead);
}

/* The first `count` blocks go, when nobody is at them.  With the lock. */
static void drop_blocks(NetReadAhead *ahead, int count)
{
    for (; count > 0; count--) {
        Block *block = block_at(ahead, 0);
        block->count = block->taken;
        while (block->done < block->count)
            pthread_cond_wait(&ahead->done, &ahead->lock);
        ahead->first = (ahead->first + 1) % BLOCKS;
        ahead->used--;
    }
}

/* How many blocks of so many pictures there may be: this one, and as many behind it as give every
 * thread something. */
static int most_blocks(const NetStream *stream, int64_t count, int threads)
{
    int64_t bytes = count * net_shape_elements(stream->shape), wanted = A_THREAD * threads;
    int64_t blocks = 1 + (wanted > count ? (wanted + count - 1) / count : 1);
    blocks = blocks > stream->room / bytes ? stream->room / bytes : blocks;
    return (int)(blocks < 1 ? 1 : blocks > BLOCKS ? BLOCKS : blocks);
}

/* False: there is no memory for the first; without it for others they come later. */
static bool add_block(NetReadAhead *ahead, const NetReading *reading, NetError *error)
{
    int64_t elements = net_shape_elements(ahead->stream->shape);
    if (!set_block(block_at(ahead, ahead->used), reading, elements, error))
        return false;
    ahead->used++;
    return true;
}

static void add_next(NetReadAhead *ahead, NetReading reading, int most)
{
    NetError ignored;
    for (reading.first += ahead->used * reading.step; ahead->used < most;
         reading.first += reading.step) {
        int64_t left = reading.end - reading.first;
        if (left <= 0)
            return;
        reading.count = left < reading.count ? left : reading.count;
        if (!add_block(ahead, &reading, &ignored))
            return;
    }
}

/* The reading's block becomes the first.  With the lock. */
static bool find_block(NetReadAhead *ahead, const NetReading *reading, NetError *error)
{
    int at = 0;
    while (at < ahead->used && !is_block_of(block_at(ahead, at), reading))
        at++;
    drop_blocks(ahead, at);
    return ahead->used > 0 || add_block(ahead, reading, error);
}

static bool is_made(const Block *block, NetError *error)
{
    if (block->failed < 0)
        return true;
    if (block->memory)
        *error = block->error;
    else
        net_fail(error, "%.400s: it could be read when the data were opened", block->error.text);
    return false;
}

static const uint8_t *read_block(NetStream *stream, NetPool *pool, const NetReading *reading)
{
    NetReadAhead *ahead = stream->ahead;
    int threads = net_pool_threads(pool), most = most_blocks(stream, reading->count, threads);
    pthread_mutex_lock(&ahead->lock);
    bool good = find_block(ahead, reading, &stream->error);
    if (good)
        add_next(ahead, *reading, most);
    Block *block = block_at(ahead, 0);
    bool wait = good && block->taken < block->count;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->lock);
    if (good && most > 1 && ahead->thread_count == 0)
        start_threads(ahead, threads);
    if (wait)
        net_pool_run(pool, make_now, ahead);
    pthread_mutex_lock(&ahead->lock);
    while (good && block->done < block->count)
        pthread_cond_wait(&ahead->done, &ahead->lock);
    pthread_mutex_unlock(&ahead->lock);
    return good && is_made(block, &stream->error) ? block->pixels : NULL;
}

const uint8_t *net_stream_read(const NetImages *images, NetPool *pool, const NetReading *reading)
{
    NetStream *stream = images->stream;
    stream->pixels = images->arrays[0].values;
    if (!stream->ahead)
        stream->ahead = open_ahead(stream);
    const uint8_t *pixels = stream->ahead ? read_block(stream, pool, reading) : NULL;
    stream->failed = stream->failed || !pixels;
    return pixels;
}

/* -------------------------------------------------------------- a stream */

int64_t net_stream_room(int64_t memory, int64_t elements, int64_t batch, int threads)
{
    int64_t most = (2 * (batch > 0 ? batch : 1) + A_THREAD * threads) * elements;
    return memory / 4 < most ? memory / 4 : most;
}

bool net_stream_keeps(const NetStream *stream, int64_t index)
{
    return index < stream->kept;
}

bool net_stream_sizes(const NetImages *images)
{
    return images->stream && images->stream->own_sizes;
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

void net_stream_close(NetStream *stream)
{
    if (!stream)
        return;
    net_read_ahead_close(stream->ahead);
    for (int64_t i = 0; stream->originals && i < stream->paths.count; i++)
        free(stream->originals[i].pixels);
    free(stream->originals);
    free(stream->cached);
    if (stream->map)
        munmap(stream->map, (size_t)stream->map_bytes);
    net_names_close(&stream->paths);
    net_array_close(&stream->whole);
    free(stream);
}
