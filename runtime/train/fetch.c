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

bool net_fetch_open(NetFetch *fetch, const NetImages *images, int64_t batch, bool judged, int lanes,
                    NetError *error)
{
    *fetch = (NetFetch){.images = images, .lanes = lanes, .batch = batch};
    if (images->held.holders <= 1)
        return true;
    int64_t most = net_rank_block((batch + lanes - 1) / lanes, net_rank_count()) * lanes;
    int64_t parcels = judged ? batch * (net_testing_ranks() + 1) : batch;
    fetch->parcels = net_allocate((size_t)parcels, sizeof *fetch->parcels, error);
    if (judged) {
        fetch->tested = net_allocate((size_t)batch, (size_t)pixels_of(fetch), error);
        if (!fetch->tested)
            return false;
    }
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
    free(fetch->tested);
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

/* An image on its way to `place` of rank `to`; false: this rank has nothing to do with it. */
static bool find_parcel(const NetFetch *fetch, NetParcel *parcel, int64_t index, int to,
                        uint8_t *place)
{
    int from = net_holder_of(&fetch->images->held, index);
    uint8_t *own = from == net_rank() ? (uint8_t *)net_image_at(fetch->images, index, 0) : NULL;
    if (own && to == net_rank())
        memcpy(place, own, (size_t)pixels_of(fetch));
    else if (own)
        *parcel = (NetParcel){own, to, false};
    else if (to == net_rank())
        *parcel = (NetParcel){place, from, true};
    return own ? to != net_rank() : to == net_rank();
}

void net_fetch_ask(NetFetch *fetch, const NetBatch *batch)
{
    int64_t pixels = pixels_of(fetch), count = 0, first = own_images(fetch, batch).from;
    if (!fetch->rooms[0] || batch->count <= 0)
        return;
    for (int64_t image = 0; image < batch->count; image++) {
        int64_t index = batch->order ? batch->order[batch->first + image] : batch->first + image;
        uint8_t *place = fetch->rooms[1] + (image - first) * pixels;
        count += find_parcel(fetch, &fetch->parcels[count], index,
                             computing_rank(fetch, batch, image), place);
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

void net_fetch_tested(NetFetch *fetch, NetBatch *own, int64_t first, int64_t to)
{
    int64_t pixels = pixels_of(fetch), parcels = 0;
    for (int rank = 0; rank < net_testing_ranks(); rank++)
        for (int64_t image = 0; image < fetch->batch; image++) {
            int64_t at = first + rank * fetch->batch + image;
            if (at < to)
                parcels +=
                    find_parcel(fetch, &fetch->parcels[parcels], own->order ? own->order[at] : at,
                                rank, fetch->tested + image * pixels);
        }
    net_ranks_send(fetch->parcels, parcels, pixels);
    net_ranks_sent();
    own->fetched = fetch->tested;
    own->fetched_first = 0;
}
