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

struct NetStream {
    NetNames paths; /* of all images; none: they are in `whole` */
    NetArray whole;
    NetShape shape; /* of the network */
    NetFit fit;     /* how they become that in a test */
    int64_t least;  /* of a picture that is decoded, the pixels that a side needs at least */
    bool own_sizes;
    NetOriginal *originals; /* of own sizes: [images] */
    int64_t kept;           /* else: so many are in the split's first array, from the first on */
    const uint8_t *pixels;  /* that array's */
    int64_t room;           /* bytes for pictures of batches */
    struct NetReadAhead *ahead;
    bool failed;
    NetError error;
};

/* A picture as a test or a step has it: see NetReading.  False: *error; errno is ENOMEM where memory
 * is out. */
bool net_stream_make(uint8_t *to, const NetStream *stream, int64_t index, const NetAugment *augment,
                     NetError *error);
void net_read_ahead_close(struct NetReadAhead *ahead);
/* Bytes of pictures that batches may have ahead, of all that there are. */
int64_t net_stream_room(int64_t memory, int64_t elements, int64_t batch, int threads);

#endif
