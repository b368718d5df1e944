/* held.c: images of which a process has some in memory, or all.
 *
 * Several ranks share out what takes time to make: pictures, which are decoded, and digits, which
 * are drawn.  What tells one data set from another is then seen while they are read, for no rank
 * has all that it takes.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SAMPLE = 256 }; /* images whose pixels are looked at */

static int64_t pixels_of(const NetImages *images)
{
    return net_shape_elements(images->arrays[0].shape);
}

/* Where it is among those that its holder has. */
static int64_t place_of(const NetHeld *held, int64_t image)
{
    if (held->holders <= 1)
        return image;
    return image / held->unit / held->holders * held->unit + image % held->unit;
}

int64_t net_held_count(const NetImages *images)
{
    const NetHeld *held = &images->held;
    int64_t count = images->count;
    if (held->holders <= 1 || count == 0)
        return count;
    /* of whole rounds, and of the last */
    int64_t round = held->unit * held->holders, rest = count % round - held->holder * held->unit;
    rest = rest < 0 ? 0 : rest < held->unit ? rest : held->unit;
    return held->holder < held->holders ? count / round * held->unit + rest : 0;
}

const uint8_t *net_image_at(const NetImages *images, int64_t index, int64_t offset)
{
    return net_array_at(&images->arrays[0], place_of(&images->held, index), offset);
}

static uint8_t *pixels_at(const NetImages *images, int64_t index)
{
    return (uint8_t *)net_image_at(images, index, 0);
}

/* ------------------------------------------------------------- the sample */

static int64_t sampled(const NetImages *images)
{
    return images->count < SAMPLE ? images->count : SAMPLE;
}

static int64_t sample_at(const NetImages *images, int64_t number)
{
    return number * images->count / sampled(images);
}

uint64_t net_sample_digest(const NetImages *images)
{
    uint64_t digest = 0;
    if (images->held.holders > 1 || images->stream)
        return images->sample;
    size_t bytes = (size_t)pixels_of(images) * net_kind_bytes(images->arrays[0].kind);
    for (int64_t i = 0; i < sampled(images); i++)
        digest = net_digest(digest, pixels_at(images, sample_at(images, i)), bytes);
    return digest;
}

/* ---------------------------------------------------------------- reading */

static const uint8_t *in_memory(const NetImages *images, int64_t index)
{
    bool is = images->stream ? net_stream_keeps(images->stream, index)
                             : net_is_held(&images->held, index);
    return is ? pixels_at(images, index) : NULL;
}

/* Each rank looks at the whole sample itself, so ranks with other images are told. */
bool net_read_sample(NetImages *images, NetReadOne *read, void *source, NetError *error)
{
    images->sample = 0;
    if (images->held.holders <= 1 && !images->stream)
        return true;
    uint8_t *room = net_allocate(1, (size_t)pixels_of(images), error);
    bool good = room != NULL;
    for (int64_t i = 0; good && i < sampled(images); i++) {
        int64_t index = sample_at(images, i);
        const uint8_t *pixels = in_memory(images, index);
        good = pixels || read(source, index, room, error);
        if (good)
            images->sample =
                net_digest(images->sample, pixels ? pixels : room, (size_t)pixels_of(images));
    }
    free(room);
    return good;
}

static bool read_own(NetImages *images, NetReadOne *read, void *source, NetError *error)
{
    for (int64_t index = 0; index < images->count; index++)
        if (net_is_held(&images->held, index)
            && !read(source, index, pixels_at(images, index), error))
            return false;
    return true;
}

bool net_read_held(NetImages *images, NetShape shape, NetReadOne *read, void *source,
                   NetError *error)
{
    return net_add_array(images, "image", NET_PIXELS, shape, error)
           && read_own(images, read, source, error) && net_read_sample(images, read, source, error);
}
