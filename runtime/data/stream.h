/* stream.h: a set of pictures that is not all in memory in the network's size: pictures.c opens it,
 * stream.c reads its batches.
 */
#ifndef STREAM_H
#define STREAM_H

#include "runtime.h"

/* A picture of its own size. */
typedef struct NetOriginal {
    uint8_t *pixels; /* [c][h][w]; NULL: it is decoded again */
    NetShape shape;
} NetOriginal;

/* Likewise, in a file's pages. */
typedef struct NetCached {
    const uint8_t *pixels;
    NetShape shape;
} NetCached;

struct NetStream {
    NetNames paths; /* of all images; none: they are in `whole` */
    NetArray whole;
    NetShape shape; /* of the network */
    NetFit fit;     /* how they become that in a test */
    int64_t least;  /* of a picture that is decoded, the pixels that a side needs at least */
    bool own_sizes;
    NetOriginal *originals; /* of own sizes: [images] */
    /* cache.c: all of them, in a file's pages, of either kind; map NULL: there is no such file */
    NetCached *cached;
    uint8_t *map;
    int64_t map_bytes;
    int64_t kept;          /* else: so many are in the split's first array, from the first on */
    const uint8_t *pixels; /* that array's */
    int64_t room;          /* bytes for pictures of batches */
    struct NetReadAhead *ahead;
    bool failed;
    NetError error;
};

/* A picture as a test or a step has it: see NetReading, and net_augment_size() of `key`.  False:
 * *error; errno is ENOMEM where memory is out. */
bool net_stream_make(uint8_t *to, const NetStream *stream, int64_t index, const NetAugment *augment,
                     int64_t key, NetError *error);
/* data/cache.c: all pictures of the stream, as opening->cache has them or is made to have; the
 * picture is of own_sizes as it was decoded, else the network's.  *cached false: some cannot be
 * read, so there is none. */
bool net_cache_open(NetStream *stream, bool trained, const NetOpening *opening, bool *cached,
                    NetError *error);
void net_read_ahead_close(struct NetReadAhead *ahead);
/* Bytes of pictures that batches may have ahead, of all that there are. */
int64_t net_stream_room(int64_t memory, int64_t elements, int64_t batch, int threads);

#endif
