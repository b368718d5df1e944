/* conv2d.c: convolution along one, two or three axes, forward and both gradients.
 *
 *   x [in, h, w, lanes]   weight [out, in/groups, kernel rows, kernel columns]
 *   y [out, rows, columns, lanes]   bias [out]
 *
 * With one axis there is one row; with three a plane is a slice of several, and a walk's row is
 * counted over all slices.
 *
 * All three stages are the same walk.  A tap of the window reads, for a row of y, some
 * row of x; where the stride is 1 it reads neighbours for neighbours, so whole
 * stretches of positions are one long vector operation.  next_stretch() lists
 * these stretches, with the padding already left out (or, for the other padding
 * modes, mapped to the position it copies), and each kernel says what one
 * stretch does:
 *
 *   forward      y  += weight * x
 *   d input      dx += weight * dy
 *   d weight     dw += the sum of dy * x
 */
#include "kernels.h"

#include <string.h>

typedef enum PaddingMode { PAD_ZEROS, PAD_REFLECT, PAD_REPLICATE, PAD_CIRCULAR } PaddingMode;

typedef struct Conv {
    Axis slices, rows, columns;
    PaddingMode mode;
    int64_t in, out, groups;  /* channels */
    int64_t taps;             /* of the window, along all axes */
    int64_t x_plane, y_plane; /* elements of one channel, lanes included */
    int lanes;
} Conv;

/* Where the walk is, and the stretch it found there: y's elements from `y_at`
 * are fed by x's from `x_at`, in every channel. */
typedef struct Stretch {
    int64_t tap, row, column;
    int64_t x_at, y_at, count;
} Stretch;

static PaddingMode padding_mode(const NetCall *call)
{
    const char *word = net_attribute_word(call, "padding_mode");
    if (strcmp(word, "reflect") == 0)
        return PAD_REFLECT;
    if (strcmp(word, "replicate") == 0)
        return PAD_REPLICATE;
    return strcmp(word, "circular") == 0 ? PAD_CIRCULAR : PAD_ZEROS;
}

static Conv conv_of(const NetCall *call)
{
    Conv conv = {
        .slices = net_window_axis(call, AXIS_DEPTH, true),
        .rows = net_window_axis(call, AXIS_ROWS, true),
        .columns = net_window_axis(call, AXIS_COLUMNS, true),
        .mode = padding_mode(call),
        .in = call->x_shape[0].c,
        .out = call->y_shape.c,
        .groups = (int64_t)net_attribute(call, "groups", 0),
        .lanes = call->lanes,
    };
    conv.taps = conv.slices.kernel * conv.rows.kernel * conv.columns.kernel;
    conv.x_plane = net_shape_plane(call->x_shape[0]) * conv.lanes;
    conv.y_plane = net_shape_plane(call->y_shape) * conv.lanes;
    return conv;
}

/* The position of x that tap `tap` of the window at `out` reads; -1 for a zero
 * of the padding. */
static int64_t source(const Axis *axis, PaddingMode mode, int64_t out, int64_t tap)
{
    int64_t at = out * axis->stride + tap * axis->dilation - axis->before, last = axis->in - 1;
    if (at >= 0 && at <= last)
        return at;
    switch (mode) {
    case PAD_ZEROS:
        return -1;
    case PAD_REFLECT:
        return at < 0 ? -at : 2 * last - at;
    case PAD_REPLICATE:
        return at < 0 ? 0 : last;
    case PAD_CIRCULAR:
        return at < 0 ? at + axis->in : at - axis->in;
    }
    return -1;
}

/* Goes on to the next row of y, then to the next tap. */
static void next_row(const Conv *conv, Stretch *stretch)
{
    stretch->column = 0;
    if (++stretch->row == conv->slices.out * conv->rows.out) {
        stretch->row = 0;
        stretch->tap++;
    }
}

/* The row of x, counted over all slices, that row `row` of y reads by a tap; -1: none. */
static int64_t source_row(const Conv *conv, int64_t row, int64_t tap)
{
    int64_t tap_row = tap / conv->columns.kernel;
    int64_t slice =
        source(&conv->slices, conv->mode, row / conv->rows.out, tap_row / conv->rows.kernel);
    int64_t y = source(&conv->rows, conv->mode, row % conv->rows.out, tap_row % conv->rows.kernel);
    return slice < 0 || y < 0 ? -1 : slice * conv->rows.in + y;
}

/* The longest stretch from here on; starts from {0}, false at the end. */
static bool next_stretch(const Conv *conv, Stretch *stretch)
{
    while (stretch->tap < conv->taps) {
        int64_t tap_column = stretch->tap % conv->columns.kernel;
        int64_t y = source_row(conv, stretch->row, stretch->tap);
        if (y < 0 || stretch->column == conv->columns.out) {
            next_row(conv, stretch);
            continue;
        }
        int64_t start = stretch->column++;
        int64_t x = source(&conv->columns, conv->mode, start, tap_column);
        if (x < 0)
            continue;
        while (stretch->column < conv->columns.out
               && source(&conv->columns, conv->mode, stretch->column, tap_column)
                      == x + (stretch->column - start))
            stretch->column++;
        stretch->x_at = (y * conv->columns.in + x) * conv->lanes;
        stretch->y_at = (stretch->row * conv->columns.out + start) * conv->lanes;
        stretch->count = (stretch->column - start) * conv->lanes;
        return true;
    }
    return false;
}

/* One pairing of an output with an input channel of its group. */
typedef struct Pair {
    int64_t x_at, y_at, weight_at;
} Pair;

static Pair pair_of(const Conv *conv, const Stretch *stretch, int64_t o, int64_t n)
{
    int64_t per_group = conv->in / conv->groups, group = o / (conv->out / conv->groups);
    return (Pair){
        .x_at = (group * per_group + n) * conv->x_plane + stretch->x_at,
        .y_at = o * conv->y_plane + stretch->y_at,
        .weight_at = (o * per_group + n) * conv->taps + stretch->tap,
    };
}

static void start_with_bias(const NetCall *call, const Conv *conv)
{
    bool has_bias = net_attribute(call, "bias", 0) != 0;
    for (int64_t o = 0; o < conv->out; o++) {
        real bias = has_bias ? call->parameter[1][o] : 0;
        for (int64_t i = 0; i < conv->y_plane; i++)
            call->y[o * conv->y_plane + i] = bias;
    }
}

static void forward(const NetCall *call)
{
    Conv conv = conv_of(call);
    const real *weight = call->parameter[0];
    start_with_bias(call, &conv);
    for (Stretch stretch = {0}; next_stretch(&conv, &stretch);)
        for (int64_t o = 0; o < conv.out; o++)
            for (int64_t n = 0; n < conv.in / conv.groups; n++) {
                Pair pair = pair_of(&conv, &stretch, o, n);
                net_add_scaled(call->y + pair.y_at, call->x[0] + pair.x_at, weight[pair.weight_at],
                               stretch.count);
            }
}

static void backward_input(const NetCall *call)
{
    Conv conv = conv_of(call);
    const real *weight = call->parameter[0];
    net_start_gradient(call);
    for (Stretch stretch = {0}; next_stretch(&conv, &stretch);)
        for (int64_t o = 0; o < conv.out; o++)
            for (int64_t n = 0; n < conv.in / conv.groups; n++) {
                Pair pair = pair_of(&conv, &stretch, o, n);
                net_add_scaled(call->dx + pair.x_at, call->dy + pair.y_at, weight[pair.weight_at],
                               stretch.count);
            }
}

static void backward_parameters(const NetCall *call)
{
    Conv conv = conv_of(call);
    real *dweight = call->dparameter[0];
    memset(dweight, 0, (size_t)(conv.out * (conv.in / conv.groups) * conv.taps) * sizeof(real));
    for (Stretch stretch = {0}; next_stretch(&conv, &stretch);)
        for (int64_t o = 0; o < conv.out; o++)
            for (int64_t n = 0; n < conv.in / conv.groups; n++) {
                Pair pair = pair_of(&conv, &stretch, o, n);
                dweight[pair.weight_at] +=
                    net_dot(call->dy + pair.y_at, call->x[0] + pair.x_at, stretch.count);
            }
    if (net_attribute(call, "bias", 0) != 0)
        for (int64_t o = 0; o < conv.out; o++)
            call->dparameter[1][o] = net_sum(call->dy + o * conv.y_plane, conv.y_plane);
}

#define CONVOLUTION(name)                                 \
    NET_STAGE(name, forward, forward(call))               \
    NET_STAGE(name, backward_input, backward_input(call)) \
    NET_STAGE(name, backward_parameters, backward_parameters(call))
CONVOLUTION(conv1d)
CONVOLUTION(conv2d)
CONVOLUTION(conv3d)
