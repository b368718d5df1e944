/* kernels.h: what the reference kernels share.
 *
 * Every file here computes one operator the plain way, straight from its
 * definition: the oracle that specialised kernels are compared with, and the
 * kernels of `netc build --kernels=reference`.  They trust their arguments:
 * the compiler has checked every shape.
 *
 * A tensor of one grain is [c][h][w][lanes], so a value of every image in the
 * grain lies in `lanes` consecutive elements, and the innermost loop, over the
 * lanes, needs no thought about the operator.
 */
#ifndef KERNELS_H
#define KERNELS_H

#include "net_runtime.h"

/* An operator's kernel of a stage, where several operators, a family, are one piece of code. */
#define NET_STAGE(name, stage, ...)                \
    void net_##name##_##stage(const NetCall *call) \
    {                                              \
        __VA_ARGS__;                               \
    }
/* Both kernels of one that only moves values: `source` is a FindSource. */
#define NET_MOVES(name, source)                              \
    NET_STAGE(name, forward, net_move_forward(call, source)) \
    NET_STAGE(name, backward_input, net_move_backward(call, source))

/* dx[i] becomes, or is increased by, `gradient`.  For kernels that give each
 * element its whole gradient at once; dx may then be dy's memory. */
static inline void give_gradient(const NetCall *call, int64_t i, real gradient)
{
    call->dx[i] = call->accumulate ? call->dx[i] + gradient : gradient;
}

/* An image's loss, times its weight, in place of or besides others of it. */
static inline void give_loss(const NetCall *call, int64_t image, real loss)
{
    real *to = &call->step->loss[image], own = (real)call->loss_weight * loss;
    *to = call->loss_adds ? *to + own : own;
}

/* For kernels that add up dx piece by piece: zeros it, unless it already holds
 * another node's contribution. */
void net_start_gradient(const NetCall *call);

/* Where value i of y lies in x, counted through all axes; -1: nowhere, it is 0. */
typedef int64_t FindSource(const NetCall *call, int64_t i);
/* y[i] = x[source(i)], and on the way back dx is the sum of what it went to. */
void net_move_forward(const NetCall *call, FindSource *source);
void net_move_backward(const NetCall *call, FindSource *source);

/* Where value i of y, counted through all axes, has its own in an input that is repeated along its
 * axes of 1. */
int64_t net_spread_source(const NetCall *call, int input, int64_t i);
/* The axis that an attribute says, which counts from the last where it is below 0. */
int net_axis(const NetCall *call, const char *name, int rank);
static inline int net_counted_axis(int axis, int rank)
{
    return axis < 0 ? axis + rank : axis;
}
/* Where an axis stands in the list of them that an attribute is; -1: nowhere. */
int net_position_in_list(const NetCall *call, const char *name, int axis, int rank);
/* The weights of the four values around a place that lies `part` (0 … 1) behind the second: Keys
 * 1981, "Cubic Convolution Interpolation for Digital Image Processing", with a = -0.75; slopes,
 * their gradients, may be NULL. */
void net_cubic_weights(double part, double weights[4], double slopes[4]);
/* What lies in front of an axis, along it, and behind it: [outer][size][inner]. */
typedef struct Lines {
    int64_t outer, size, inner;
} Lines;
Lines net_lines(NetShape shape, int axis);

/* y[i] += w * x[i]; y and x do not overlap. */
void net_add_scaled(real *restrict y, const real *restrict x, real w, int64_t count);

/* The sum of a[i] * b[i], in an order that depends on `count` alone. */
real net_dot(const real *a, const real *b, int64_t count);

/* The sum of the values. */
real net_sum(const real *values, int64_t count);

/* One axis of a convolution's or pool's window, from the call's attributes.
 * Operators without dilation get 1, those without padding 0. */
typedef struct Axis {
    int64_t in, out; /* sizes of x and y along it */
    int64_t kernel, stride, dilation;
    int64_t before; /* padding in front; what is behind follows from `out` */
} Axis;
enum { AXIS_ROWS, AXIS_COLUMNS, AXIS_DEPTH };
/* An axis that the shape has not is of one element, and its window, too. */
Axis net_window_axis(const NetCall *call, int axis, bool dilates);
int64_t shape_along(NetShape shape, int axis); /* AXIS_ROWS: shape.h */

/* ---------------------------------------------------------- avg_pool2d.c */
/* Means over windows, shared by the pools that slide and the adaptive ones, which
 * differ in where a window starts and ends and in what divides its sum. */

/* What a window reads along one axis, [from, to), and how long it counts as. */
typedef struct Extent {
    int64_t from, to, counted;
} Extent;
typedef Extent FindExtent(const NetCall *call, int axis, int64_t position);

/* divisor 0: as many values as are counted along all axes. */
void net_average_forward(const NetCall *call, FindExtent *find_extent, double divisor);
void net_average_backward(const NetCall *call, FindExtent *find_extent, double divisor);

/* adaptive_avg_pool2d.c: of windows that share the input. */
FindExtent net_adaptive_extent;

#endif
