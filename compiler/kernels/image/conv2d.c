/* conv2d.c: conv2d for one image.  A depthwise convolution goes channel
 * by channel; any other sums over a group's inputs. */
#include "kernels/image/conv2d.h"

bool can_do_image_conv2d(const Node *node)
{
    return layer_axis(node, COLUMNS).taps <= MAX_IMAGE_TAPS;
}

void emit_image_conv2d(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    const Parameter *weight = find_parameter(node, "weight");
    Int in = input_shape(node).dim[0], groups = in / weight->dim[1];
    bool depthwise = groups == in && weight->dim[0] == in;
    Axis rows = layer_rows(node), columns = layer_axis(node, COLUMNS);
    image->packing = (Packing){.weight = weight, .bias = find_parameter(node, "bias")};
    Contraction contraction = {.groups = groups,
                               .out_channels = weight->dim[0] / groups,
                               .in_channels = weight->dim[1],
                               .rows = rows,
                               .columns = columns};
    if (depthwise)
        image_window(
            image, (ChannelWindow){
                       .kind = WINDOW_WEIGHTED, .channels = in, .rows = rows, .columns = columns});
    else if (!image->winograd || !image_winograd(image, contraction))
        image_contraction(image, contraction);
}
