/* layer_norm2d.c: each position normalised by the mean and variance of its
 * channels, as ConvNeXt does.  Unlike batch norm, an image is on its own.
 */
#include "ops.h"

enum { EPS, AFFINE, NUM_FEATURES };

static const ArgSpec args[] = {
    [EPS]          = {"eps", ARG_REAL, .otherwise = "1e-6", .maximum = LARGEST,
                      .doc = "Added to the variance before its square root."},
    [AFFINE]       = {"affine", ARG_BOOL, .otherwise = "true", .doc = "Whether each channel has a learned weight and bias."},
    [NUM_FEATURES] = {"num_features", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                      .doc = "Asserts the input's channels."},
    {0}
};

static bool infer(Node *node)
{
    if (!node_needs_rank(node, 3))
        return false;
    int64_t channels = input_shape(node).dim[0];
    if (!assertion_holds(node, NUM_FEATURES, channels))
        return false;
    node->out_shape = input_shape(node);
    if (node->args[AFFINE].integer[0]) {
        node_parameter(node, "weight", PARAMETER_TRAINED, (Init){INIT_CONSTANT, 1, 0}, 1, &channels, 1, 1);
        node_parameter(node, "bias", PARAMETER_TRAINED, (Init){INIT_CONSTANT, 0, 0}, 1, &channels, 1, 1);
    }
    return true;
}

const Operator operator_layer_norm2d = {
    .name = "layer_norm2d",
    .summary = "Layer normalisation over the channels at each position, then scaled and shifted.",
    .shape_rule = "[c, h, w] -> [c, h, w]",
    .formula = "y[c] = (x[c] - mean) / sqrt(variance + eps) * weight[c] + bias[c] at each position,\n"
               "with the mean and biased variance of its channels; weight starts at 1, bias at 0",
    .reference = "Ba et al. 2016, https://arxiv.org/abs/1607.06450\n"
                 "torchvision's LayerNorm2d: https://pytorch.org/vision/stable/models/convnext.html",
    .args = args,
    .input_gradient_reads = READS_X,
    .parameter_gradient_reads = READS_X,
    .infer = infer,
};
