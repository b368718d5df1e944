/* conv2d.c: conv2d's specialised kernels, all three from the tiles of tiles.h. */
#include "kernels/grain/conv2d.h"
#include "kernels/grain/norm.h"
#include "kernels/grain/pool.h"
#include "kernels/grain/tiles.h"
#include "kernels/grain/winograd.h"

void conv2d_flatten_rows(const Kernel *kernel, Gather *gather)
{
    bool fits = fits_block(kernel, gather->summed * gather->rows.sources * gather->columns.sources);
    if (is_pointwise(gather) && fits && !kernel->pool)
        flatten_spatial(gather);
}

static Gather forward_gather(const Node *node)
{
    const Parameter *weight = find_parameter(node, "weight");
    Int groups = input_shape(node).dim[0] / weight->dim[1];
    return (Gather){
        .in = "x",
        .out = "y",
        .bias = find_parameter(node, "bias") ? "bias" : NULL,
        .groups = groups,
        .tiled = weight->dim[0] / groups,
        .summed = weight->dim[1],
        .rows = layer_axis(node, 0),
        .columns = layer_axis(node, 1),
        .group_step = weight->dim[0] / groups * weight->dim[1] * weight->dim[2] * weight->dim[3],
        .tiled_step = weight->dim[1] * weight->dim[2] * weight->dim[3],
        .summed_step = weight->dim[2] * weight->dim[3],
    };
}

bool conv2d_unpools(const Node *node, const Node *pool)
{
    Gather forward = forward_gather(node);
    return pools_tiles(pool) && is_worth_choosing(&forward, pool);
}

Int conv2d_workspace(const Node *node, const Node *pool, int lanes)
{
    Gather forward = forward_gather(node), backward = reversed_gather(&forward, node->accumulate);
    if (node->stage == STAGE_BACKWARD_PARAMETERS)
        return pool ? 0 : winograd_gradient_work(&forward, lanes);
    return winograd_work(node->stage == STAGE_FORWARD ? &forward : &backward, pool, lanes);
}

typedef void Emit(Kernel *kernel, const Gather *forward);

static Emit *gradient_of(const Kernel *kernel, const Gather *forward)
{
    if (kernel->workspace)
        return emit_winograd_gradient;
    return !kernel->pool && is_pointwise_gradient(forward) ? emit_pointwise_gradient
                                                           : emit_weight_gradient;
}

void emit_conv2d(Kernel *kernel)
{
    const Node *node = kernel->node;
    Gather forward = forward_gather(node);
    Shape given = kernel->pool ? kernel->pool->out->shape : node->out->shape;
    conv2d_flatten_rows(kernel, &forward);
    void (*gather)(Kernel *, const Gather *) = kernel->workspace ? emit_winograd : emit_gather;
    if (kernel->stage == STAGE_FORWARD) {
        gather(kernel, &forward);
    } else if (kernel->stage == STAGE_BACKWARD_INPUT) {
        Gather backward = reversed_gather(&forward, node->accumulate);
        open_gradient_sums(kernel);
        gather(kernel, &backward);
        close_gradient_sums(kernel);
    } else {
        Emit *gradient = gradient_of(kernel, &forward);
        gradient(kernel, &forward);
        if (forward.bias && gradient != emit_pointwise_gradient) /* which sums the bias's, too */
            emit_bias_gradient(kernel, given.dim[0], shape_plane(given));
    }
}
