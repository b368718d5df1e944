/* shuffle.c: channels in another order, and channels that become rows and columns or the reverse.
 *
 *   channel_shuffle: x, y [c, plane, lanes]
 *   pixel_shuffle: x [c*r*r, h, w, lanes], y [c, h*r, w*r, lanes]; pixel_unshuffle: the reverse
 */
#include "kernels.h"

static int64_t channel_source(const NetCall *call, int64_t i)
{
    int64_t plane = net_shape_plane(call->y_shape), channel = i / plane,
            groups = (int64_t)net_attribute(call, "groups", 0), each = call->y_shape.c / groups;
    return (channel % groups * each + channel / groups) * plane + i % plane;
}

/* Where value i of a large image lies in the small one of more channels. */
static int64_t in_small(NetShape large, int64_t r, int64_t i)
{
    int64_t column = i % large.w, row = i / large.w % large.h, c = i / (large.w * large.h),
            channel = (c * r + row % r) * r + column % r;
    return (channel * (large.h / r) + row / r) * (large.w / r) + column / r;
}

static int64_t up_source(const NetCall *call, int64_t i)
{
    return in_small(call->y_shape, (int64_t)net_attribute(call, "upscale_factor", 0), i);
}

/* Where value i of the small image lies in the large one. */
static int64_t down_source(const NetCall *call, int64_t i)
{
    NetShape small = call->y_shape, large = call->x_shape[0];
    int64_t r = (int64_t)net_attribute(call, "downscale_factor", 0);
    int64_t column = i % small.w, row = i / small.w % small.h, channel = i / (small.w * small.h);
    return (channel / (r * r) * large.h + row * r + channel / r % r) * large.w + column * r
           + channel % r;
}

NET_MOVES(channel_shuffle, channel_source)
NET_MOVES(pixel_shuffle, up_source)
NET_MOVES(pixel_unshuffle, down_source)
