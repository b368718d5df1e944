/* conv2d.c: conv2d for one image.  A depthwise convolution goes channel
 * by channel; any other sums over a group's inputs. */
#include "kernels/image/conv2d.h"

bool can_do_single_conv2d(const Node *node)
{
    return find_parameter(node, "weight")->dim[3] <= MAX_SINGLE_TAPS;
}

void single_conv2d(Single *single)
{
    const Node *node = single->kernel.node;
    const Parameter *weight = find_parameter(node, "weight");
    Int in = input_shape(node).dim[0], groups = in / weight->dim[1];
    bool depthwise = groups == in && weight->dim[0] == in;
    Axis rows = layer_axis(node, 0), columns = layer_axis(node, 1);
    single->packing = (Packing){.weight = weight, .bias = find_parameter(node, "bias")};
    Gather gather = {.groups = groups,
                     .tiled = weight->dim[0] / groups,
                     .summed = weight->dim[1],
                     .rows = rows,
                     .columns = columns};
    if (depthwise)
        single_window(
            single, (ChannelWindow){
                        .kind = WINDOW_WEIGHTED, .channels = in, .rows = rows, .columns = columns});
    else if (!single->winograd || !single_winograd(single, gather))
        single_gather(single, gather);
}
