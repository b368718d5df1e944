/* kernels.c: the loops and look-ups that the reference kernels share. */
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NULL: it has none of this name. */
static const NetAttribute *look_for(const NetCall *call, const char *name)
{
    const NetAttribute *attribute = call->attributes;
    while (attribute->name != NULL && strcmp(attribute->name, name) != 0)
        attribute++;
    return attribute->name != NULL ? attribute : NULL;
}

static const NetAttribute *find_attribute(const NetCall *call, const char *name)
{
    const NetAttribute *attribute = look_for(call, name);
    if (attribute != NULL)
        return attribute;
    fprintf(stderr, "internal error: a kernel was called without its attribute %s\n", name);
    abort();
}

double net_attribute(const NetCall *call, const char *name, int index)
{
    return find_attribute(call, name)->value[index];
}

int net_attribute_count(const NetCall *call, const char *name)
{
    const NetAttribute *attribute = look_for(call, name);
    return attribute != NULL ? attribute->count : 0;
}

const double *net_attribute_values(const NetCall *call, const char *name)
{
    const NetAttribute *attribute = look_for(call, name);
    return attribute != NULL && attribute->count > 0 ? attribute->values : NULL;
}

const char *net_attribute_word(const NetCall *call, const char *name)
{
    const NetAttribute *attribute = look_for(call, name);
    return attribute != NULL ? attribute->word : NULL;
}

void net_start_gradient(const NetCall *call)
{
    int64_t values = net_shape_elements(call->x_shape[call->which]) * call->lanes;
    if (!call->accumulate)
        memset(call->dx, 0, (size_t)values * sizeof(real));
}

void net_move_forward(const NetCall *call, FindSource *source)
{
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        int64_t from = source(call, i);
        for (int lane = 0; lane < call->lanes; lane++)
            call->y[i * call->lanes + lane] = from < 0 ? 0 : call->x[0][from * call->lanes + lane];
    }
}

void net_move_backward(const NetCall *call, FindSource *source)
{
    net_start_gradient(call);
    for (int64_t i = 0; i < net_shape_elements(call->y_shape); i++) {
        int64_t from = source(call, i);
        for (int lane = 0; lane < call->lanes && from >= 0; lane++)
            call->dx[from * call->lanes + lane] += call->dy[i * call->lanes + lane];
    }
}

int64_t net_spread_source(const NetCall *call, int input, int64_t i)
{
    NetShape from = call->x_shape[input];
    int64_t at = 0, step = 1;
    for (int axis = from.rank - 1; axis >= 0; axis--) {
        int64_t size = net_shape_dim(call->y_shape, axis), own = net_shape_dim(from, axis);
        at += own > 1 ? i % size * step : 0;
        step *= own;
        i /= size;
    }
    return at;
}

int net_axis(const NetCall *call, const char *name, int rank)
{
    return net_counted_axis((int)net_attribute(call, name, 0), rank);
}

int net_position_in_list(const NetCall *call, const char *name, int axis, int rank)
{
    for (int k = 0; k < net_attribute_count(call, name); k++) {
        if (net_counted_axis((int)net_attribute(call, name, k), rank) == axis)
            return k;
    }
    return -1;
}

/* 1 … 2 away, and 0 … 1 away. */
static double cubic_far(double x)
{
    const double a = -0.75;
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

static double cubic_near(double x)
{
    const double a = -0.75;
    return ((a + 2) * x - (a + 3)) * x * x + 1;
}

static double cubic_far_slope(double x)
{
    const double a = -0.75;
    return (3 * a * x - 10 * a) * x + 8 * a;
}

static double cubic_near_slope(double x)
{
    const double a = -0.75;
    return (3 * (a + 2) * x - 2 * (a + 3)) * x;
}

void net_cubic_weights(double part, double weights[4], double slopes[4])
{
    weights[0] = cubic_far(1 + part);
    weights[1] = cubic_near(part);
    weights[2] = cubic_near(1 - part);
    weights[3] = cubic_far(2 - part);
    if (slopes == NULL)
        return;
    slopes[0] = cubic_far_slope(1 + part);
    slopes[1] = cubic_near_slope(part);
    slopes[2] = -cubic_near_slope(1 - part);
    slopes[3] = -cubic_far_slope(2 - part);
}

Lines net_lines(NetShape shape, int axis)
{
    Lines lines = {1, net_shape_dim(shape, axis), 1};
    for (int k = 0; k < shape.rank; k++)
        if (k != axis)
            *(k < axis ? &lines.outer : &lines.inner) *= net_shape_dim(shape, k);
    return lines;
}

/* Inner loops are this long where they can be: of a known length the compiler
 * makes vectors of them at -O2.  In a sum they are as many running sums, joined
 * pairwise: a smaller rounding error than one long chain. */
enum { BLOCK = 16 };

void net_add_scaled(real *restrict y, const real *restrict x, real w, int64_t count)
{
    int64_t whole = count - count % BLOCK;
    for (int64_t i = 0; i < whole; i += BLOCK)
        for (int k = 0; k < BLOCK; k++)
            y[i + k] += w * x[i + k];
    for (int64_t i = whole; i < count; i++)
        y[i] += w * x[i];
}

static real join_chains(real *chain)
{
    for (int half = BLOCK / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            chain[i] += chain[i + half];
    return chain[0];
}

real net_dot(const real *a, const real *b, int64_t count)
{
    real chain[BLOCK] = {0};
    int64_t whole = count - count % BLOCK;
    for (int64_t i = 0; i < whole; i += BLOCK)
        for (int k = 0; k < BLOCK; k++)
            chain[k] += a[i + k] * b[i + k];
    for (int64_t i = whole; i < count; i++)
        chain[i - whole] += a[i] * b[i];
    return join_chains(chain);
}

real net_sum(const real *values, int64_t count)
{
    real chain[BLOCK] = {0};
    for (int64_t i = 0; i < count; i++)
        chain[i % BLOCK] += values[i];
    return join_chains(chain);
}

int64_t shape_along(NetShape shape, int axis)
{
    return axis == AXIS_ROWS      ? shape.h
           : axis == AXIS_COLUMNS ? shape.w
                                  : net_shape_plane(shape) / (shape.h * shape.w);
}

/* Which of a window's numbers is the axis's: they follow the axes behind the channels. */
static int number_of_axis(const NetCall *call, int axis)
{
    int axes = call->x_shape[0].rank - 1;
    return axis == AXIS_DEPTH ? axes - 3 : axes - 2 + axis;
}

/* padding=same is dilation * (kernel - 1) in all, the smaller half in front. */
static int64_t padding_before(const NetCall *call, int number, int64_t extent)
{
    const NetAttribute *padding = look_for(call, "padding");
    const char *word = padding != NULL ? padding->word : "valid";
    if (word == NULL)
        return (int64_t)padding->value[number];
    return strcmp(word, "same") == 0 ? (extent - 1) / 2 : 0;
}

Axis net_window_axis(const NetCall *call, int axis, bool dilates)
{
    int number = number_of_axis(call, axis);
    if (number < 0)
        return (Axis){1, 1, 1, 1, 1, 0};
    Axis window = {
        .in = shape_along(call->x_shape[0], axis),
        .out = shape_along(call->y_shape, axis),
        .kernel = (int64_t)net_attribute(call, "kernel_size", number),
        .stride = (int64_t)net_attribute(call, "stride", number),
        .dilation = dilates ? (int64_t)net_attribute(call, "dilation", number) : 1,
    };
    window.before = padding_before(call, number, window.dilation * (window.kernel - 1) + 1);
    return window;
}
