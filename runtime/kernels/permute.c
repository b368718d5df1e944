/* permute.c: axes in another order, of permute and of transpose. */
#include "kernels.h"

/* The axis of x that y has as its k-th. */
typedef int FindAxis(const NetCall *call, int k);

static int permuted(const NetCall *call, int k)
{
    return net_counted_axis((int)net_attribute(call, "dims", k), call->y_shape.rank);
}

static int transposed(const NetCall *call, int k)
{
    int rank = call->y_shape.rank, first = net_axis(call, "dim0", rank),
        second = net_axis(call, "dim1", rank);
    return k == first ? second : k == second ? first : k;
}

/* Where value i of y lies in x. */
static int64_t source(const NetCall *call, int64_t i, FindAxis *find)
{
    int64_t at = 0;
    for (int k = call->y_shape.rank - 1; k >= 0; k--) {
        int64_t size = net_shape_dim(call->y_shape, k), step = 1;
        for (int axis = find(call, k) + 1; axis < call->y_shape.rank; axis++)
            step *= net_shape_dim(call->x_shape[0], axis);
        at += i % size * step;
        i /= size;
    }
    return at;
}

static int64_t permute_source(const NetCall *call, int64_t i)
{
    return source(call, i, permuted);
}

static int64_t transpose_source(const NetCall *call, int64_t i)
{
    return source(call, i, transposed);
}

NET_MOVES(permute, permute_source)
NET_MOVES(transpose, transpose_source)
