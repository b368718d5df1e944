/* fetch.c: a batch's images, from the ranks that hold them to those that compute them.
 *
 * A shuffle puts any images together, and no rank holds all.  But all ranks know the order, so each
 * knows what the others will want of it, and nobody has to ask.
 */
#include "runtime.h"

#include <stdlib.h>

static int64_t pixels_of(const NetFetch *fetch)
{
    return net_shape_elements(fetch->images->arrays[0].shape);
}

bool net_fetch_open(NetFetch *fetch, const NetImages *images, int64_t batch, int lanes,
                    NetError *error)
{
    *fetch = (NetFetch){.images = images, .lanes = lanes};
    if (images->held.holders <= 1)
        return true;
    int64_t most = net_rank_block((batch + lanes - 1) / lanes, net_rank_count()) * lanes;
    fetch->parcels = net_allocate((size_t)batch, sizeof *fetch->parcels, error);
    for (int i = 0; i < 2 && fetch->parcels; i++) {
        fetch->rooms[i] = net_allocate((size_t)most, (size_t)pixels_of(fetch), error);
        if (!fetch->rooms[i])
            return false;
    }
    return fetch->parcels != NULL;
}

void net_fetch_close(NetFetch *fetch)
{
    if (fetch->asked)
        net_ranks_sent();
    free(fetch->rooms[0]);
    free(fetch->rooms[1]);
    free(fetch->parcels);
    *fetch = (NetFetch){0};
}

/* Which rank computes an image of the batch. */
static int computing_rank(const NetFetch *fetch, const NetBatch *batch, int64_t image)
{
    int64_t grains = (batch->count + fetch->lanes - 1) / fetch->lanes;
    return (int)(image / fetch->lanes / net_rank_block(grains, net_rank_count()));
}

static NetShare own_images(const NetFetch *fetch, const NetBatch *batch)
{
    int64_t grains = (batch->count + fetch->lanes - 1) / fetch->lanes;
    NetShare share = net_rank_grains(grains, net_rank(), net_rank_count());
    return (NetShare){share.from * fetch->lanes, share.to * fetch->lanes};
}

void net_fetch_ask(NetFetch *fetch, const NetBatch *batch)
{
    const NetHeld *held = &fetch->images->held;
    int64_t pixels = pixels_of(fetch), count = 0, first = own_images(fetch, batch).from;
    if (!fetch->rooms[0] || batch->count <= 0)
        return;
    for (int64_t image = 0; image < batch->count; image++) {
        int64_t index = batch->order ? batch->order[batch->first + image] : batch->first + image;
        int from = net_holder_of(held, index), to = computing_rank(fetch, batch, image);
        uint8_t *place = fetch->rooms[1] + (image - first) * pixels;
        if (from == net_rank() && to == net_rank())
            memcpy(place, net_image_at(fetch->images, index, 0), (size_t)pixels);
        else if (from == net_rank())
            fetch->parcels[count++] =
                (NetParcel){(uint8_t *)net_image_at(fetch->images, index, 0), to, false};
        else if (to == net_rank())
            fetch->parcels[count++] = (NetParcel){place, from, true};
    }
    net_ranks_send(fetch->parcels, count, pixels);
    fetch->asked = true;
}

void net_fetch_take(NetFetch *fetch, NetBatch *batch)
{
    if (!fetch->rooms[0])
        return;
    if (!fetch->asked)
        net_fetch_ask(fetch, batch);
    net_ranks_sent();
    uint8_t *taken = fetch->rooms[1];
    fetch->rooms[1] = fetch->rooms[0];
    fetch->rooms[0] = taken;
    fetch->asked = false;
    batch->fetched = taken;
    batch->fetched_first = own_images(fetch, batch).from;
}
