/* roll.c: positions along axes moved round, or in the opposite order. */
#include "kernels.h"

static int64_t rolled(int64_t place, int64_t size, int64_t shift)
{
    return ((place - shift) % size + size) % size;
}

/* Where value i of y lies in x: by a shift, or in the opposite order. */
static int64_t source(const NetCall *call, int64_t i, bool shifts)
{
    int64_t at = 0, step = 1;
    for (int axis = call->y_shape.rank - 1; axis >= 0; axis--) {
        int64_t size = net_shape_dim(call->y_shape, axis), place = i % size;
        int k = net_position_in_list(call, "dims", axis, call->y_shape.rank);
        if (k >= 0)
            place = shifts ? rolled(place, size, (int64_t)net_attribute(call, "shifts", k))
                           : size - 1 - place;
        at += place * step;
        step *= size;
        i /= size;
    }
    return at;
}

/* Without dims all values are one row. */
static int64_t roll_source(const NetCall *call, int64_t i)
{
    return net_attribute_count(call, "dims") ? source(call, i, true)
                                             : rolled(i, net_shape_elements(call->y_shape),
                                                      (int64_t)net_attribute(call, "shifts", 0));
}

static int64_t flip_source(const NetCall *call, int64_t i)
{
    return source(call, i, false);
}

NET_MOVES(roll, roll_source)
NET_MOVES(flip, flip_source)
