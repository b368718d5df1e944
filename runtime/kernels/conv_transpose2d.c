/* conv_transpose2d.c: transposed convolution along one, two or three axes, forward and both
 * gradients.
 *
 *   x [in, h, w, lanes]   weight [in, out/groups, kernel rows, kernel columns]
 *   y [out, rows, columns, lanes]   bias [out]
 *
 * All three are the same walk: value (row, column) of x and tap (p, q) meet y at
 * (row * stride + p * dilation - padding, column likewise), unless that is cut off.
 *
 *   forward      y  += weight * x
 *   d input      dx += weight * dy
 *   d weight     dw += the sum of dy * x
 */
#include "kernels.h"

#include <string.h>

typedef struct Transposed {
    Axis slices, rows, columns; /* in: of x; out: of y */
    int64_t in, out, groups, taps;
    int lanes;
} Transposed;

static Transposed transposed_of(const NetCall *call)
{
    Transposed t = {
        .slices = net_window_axis(call, AXIS_DEPTH, true),
        .rows = net_window_axis(call, AXIS_ROWS, true),
        .columns = net_window_axis(call, AXIS_COLUMNS, true),
        .in = call->x_shape[0].c,
        .out = call->y_shape.c,
        .groups = (int64_t)net_attribute(call, "groups", 0),
        .lanes = call->lanes,
    };
    t.taps = t.slices.kernel * t.rows.kernel * t.columns.kernel;
    return t;
}

/* Where y meets a value of x by a tap; -1: nowhere. */
static int64_t target(const Axis *axis, int64_t at, int64_t tap)
{
    int64_t to = at * axis->stride + tap * axis->dilation - axis->before;
    return to < axis->out ? to : -1;
}

/* The same of a row, counted over all slices. */
static int64_t target_row(const Transposed *t, int64_t row, int64_t tap)
{
    int64_t slice = target(&t->slices, row / t->rows.in, tap / t->rows.kernel),
            to = target(&t->rows, row % t->rows.in, tap % t->rows.kernel);
    return slice < 0 || to < 0 ? -1 : slice * t->rows.out + to;
}

/* Values of one image after another, in a channel of x and of y. */
typedef struct Meeting {
    int64_t x_at, y_at, weight_at;
} Meeting;

typedef void Meet(const NetCall *call, const Transposed *t, Meeting meeting);

/* Tap `tap` of one pair of channels, whose planes begin at x_at and y_at. */
static void meet_tap(const NetCall *call, const Transposed *t, Meeting planes, int64_t tap,
                     Meet *meet)
{
    for (int64_t row = 0; row < t->slices.in * t->rows.in; row++) {
        int64_t to = target_row(t, row, tap / t->columns.kernel);
        for (int64_t column = 0; to >= 0 && column < t->columns.in; column++) {
            int64_t at = target(&t->columns, column, tap % t->columns.kernel);
            if (at >= 0)
                meet(call, t,
                     (Meeting){planes.x_at + (row * t->columns.in + column) * t->lanes,
                               planes.y_at + (to * t->columns.out + at) * t->lanes,
                               planes.weight_at + tap});
        }
    }
}

static void meet_all(const NetCall *call, const Transposed *t, Meet *meet)
{
    int64_t ins = t->in / t->groups, outs = t->out / t->groups;
    int64_t x_plane = net_shape_plane(call->x_shape[0]) * t->lanes,
            y_plane = net_shape_plane(call->y_shape) * t->lanes;
    for (int64_t n = 0; n < t->in; n++)
        for (int64_t o = 0; o < outs; o++)
            for (int64_t tap = 0; tap < t->taps; tap++)
                meet_tap(call, t,
                         (Meeting){n * x_plane, (n / ins * outs + o) * y_plane,
                                   (n * outs + o) * t->taps},
                         tap, meet);
}

static void give_output(const NetCall *call, const Transposed *t, Meeting at)
{
    net_add_scaled(call->y + at.y_at, call->x[0] + at.x_at, call->parameter[0][at.weight_at],
                   t->lanes);
}

static void give_input(const NetCall *call, const Transposed *t, Meeting at)
{
    net_add_scaled(call->dx + at.x_at, call->dy + at.y_at, call->parameter[0][at.weight_at],
                   t->lanes);
}

static void give_weight(const NetCall *call, const Transposed *t, Meeting at)
{
    call->dparameter[0][at.weight_at] +=
        net_dot(call->dy + at.y_at, call->x[0] + at.x_at, t->lanes);
}

static void forward(const NetCall *call)
{
    Transposed t = transposed_of(call);
    bool has_bias = net_attribute(call, "bias", 0) != 0;
    int64_t plane = net_shape_plane(call->y_shape) * t.lanes;
    for (int64_t i = 0; i < t.out * plane; i++)
        call->y[i] = has_bias ? call->parameter[1][i / plane] : 0;
    meet_all(call, &t, give_output);
}

static void backward_input(const NetCall *call)
{
    Transposed t = transposed_of(call);
    net_start_gradient(call);
    meet_all(call, &t, give_input);
}

static void backward_parameters(const NetCall *call)
{
    Transposed t = transposed_of(call);
    int64_t plane = net_shape_plane(call->y_shape) * t.lanes;
    memset(call->dparameter[0], 0, (size_t)(t.in * (t.out / t.groups) * t.taps) * sizeof(real));
    meet_all(call, &t, give_weight);
    if (net_attribute(call, "bias", 0) != 0)
        for (int64_t o = 0; o < t.out; o++)
            call->dparameter[1][o] = net_sum(call->dy + o * plane, plane);
}

#define CONVOLUTION(name)                                 \
    NET_STAGE(name, forward, forward(call))               \
    NET_STAGE(name, backward_input, backward_input(call)) \
    NET_STAGE(name, backward_parameters, backward_parameters(call))
CONVOLUTION(conv_transpose1d)
CONVOLUTION(conv_transpose2d)
CONVOLUTION(conv_transpose3d)
