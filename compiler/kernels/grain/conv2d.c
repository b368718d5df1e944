/* conv2d.c: conv2d's specialised kernels: by the tiles of tiles.h, by way of winograd.h, or as
 * packed matrices (packed.h). */
#include "kernels/grain/conv2d.h"
#include "kernels/grain/norm.h"
#include "kernels/grain/packed.h"
#include "kernels/grain/pool.h"
#include "kernels/grain/tiles.h"
#include "kernels/grain/winograd.h"

void conv2d_flatten_rows(const Kernel *kernel, Contraction *contraction)
{
    bool fits = fits_block(kernel, contraction->in_channels * contraction->rows.sources
                                       * contraction->columns.sources);
    if (is_pointwise(contraction) && fits && !kernel->pool)
        flatten_spatial(contraction);
}

static Contraction forward_contraction(const Node *node)
{
    const Parameter *weight = find_parameter(node, "weight");
    Int groups = input_shape(node).dim[0] / weight->dim[1],
        taps = weight->elements / (weight->dim[0] * weight->dim[1]);
    return (Contraction){
        .in = "x",
        .out = "y",
        .bias = find_parameter(node, "bias") ? "bias" : NULL,
        .groups = groups,
        .out_channels = weight->dim[0] / groups,
        .in_channels = weight->dim[1],
        .rows = layer_rows(node),
        .columns = layer_axis(node, COLUMNS),
        .group_step = weight->dim[0] / groups * weight->dim[1] * taps,
        .out_step = weight->dim[1] * taps,
        .in_step = taps,
    };
}

bool conv2d_unpools(const Node *node, const Node *pool)
{
    Contraction forward = forward_contraction(node);
    return pools_tiles(pool) && is_worth_choosing(&forward, pool);
}

/* Of what node's kernel computes: its outputs, or its input's gradient. */
static Contraction contraction_of(const Node *node)
{
    Contraction forward = forward_contraction(node);
    return node->dx ? reversed_contraction(&forward, node->accumulate) : forward;
}

/* `filters`: made before, for all grains. */
static bool goes_by_winograd(const Contraction *contraction, const Node *pool, int lanes,
                             bool filters)
{
    return filters ? winograd_filters(contraction, pool, lanes)
                   : winograd_work(contraction, pool, lanes, false);
}

Int conv2d_workspace(const Node *node, const Node *pool, int lanes, bool filters)
{
    Contraction contraction = contraction_of(node);
    if (node->stage == STAGE_BACKWARD_PARAMETERS)
        return pool ? 0 : winograd_gradient_work(&contraction, lanes);
    if (goes_by_winograd(&contraction, pool, lanes, filters))
        return winograd_work(&contraction, pool, lanes, filters);
    return filters ? packed_work(&contraction, pool, lanes) : 0;
}

Int conv2d_filters(const Node *node, const Node *pool, int lanes)
{
    Contraction contraction = contraction_of(node);
    if (node->stage == STAGE_BACKWARD_PARAMETERS)
        return 0;
    if (goes_by_winograd(&contraction, pool, lanes, true))
        return winograd_filters(&contraction, pool, lanes);
    bool alone = goes_by_winograd(&contraction, pool, lanes, false);
    return alone ? 0 : packed_filters(&contraction, pool, lanes);
}

typedef void Emit(Kernel *kernel, const Contraction *forward);

static Emit *gradient_of(const Kernel *kernel, const Contraction *forward)
{
    if (kernel->workspace)
        return emit_winograd_gradient;
    return !kernel->pool && is_pointwise_gradient(forward) ? emit_pointwise_gradient
                                                           : emit_weight_gradient;
}

/* Of outputs or an input's gradient: by the way that conv2d_workspace() has asked memory for, or
 * directly. */
static Emit *contraction_emitter(const Kernel *kernel)
{
    const Contraction contraction = contraction_of(kernel->node);
    if (!kernel->workspace)
        return emit_contraction;
    return goes_by_winograd(&contraction, kernel->pool, kernel->lanes, kernel->filters)
               ? emit_winograd
               : emit_packed;
}

static void emit_filters(Kernel *kernel)
{
    const Contraction contraction = contraction_of(kernel->node);
    if (goes_by_winograd(&contraction, kernel->pool, kernel->lanes, true))
        emit_winograd_filters(kernel, &contraction);
    else
        emit_packed_filters(kernel, &contraction);
}

void emit_conv2d(Kernel *kernel)
{
    const Node *node = kernel->node;
    Contraction forward = forward_contraction(node);
    Shape given = kernel->pool ? kernel->pool->out->shape : node->out->shape;
    if (!kernel->filters)
        conv2d_flatten_rows(kernel, &forward);
    if (kernel->stage == STAGE_FILTERS) {
        emit_filters(kernel);
    } else if (kernel->stage == STAGE_FORWARD) {
        contraction_emitter(kernel)(kernel, &forward);
    } else if (kernel->stage == STAGE_BACKWARD_INPUT) {
        Contraction backward = reversed_contraction(&forward, node->accumulate);
        open_gradient_sums(kernel);
        contraction_emitter(kernel)(kernel, &backward);
        close_gradient_sums(kernel);
    } else {
        Emit *gradient = gradient_of(kernel, &forward);
        gradient(kernel, &forward);
        if (forward.bias && gradient != emit_pointwise_gradient) /* which sums the bias's, too */
            emit_bias_gradient(kernel, given.dim[0], shape_plane(given));
    }
}
