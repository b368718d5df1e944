/* batch_norm2d.c: each channel normalised by its mean and variance over the
 * batch, or in evaluation by their running averages.
 *
 * The mean needs every image of the batch, so training takes three stages with
 * a barrier after the first: `statistics` per grain, then `forward`; on the way
 * back `backward_parameters` per grain, a barrier, then `backward_input`.  Each
 * grain's statistics tensor holds, for C channels,
 *
 *   [2*c], [2*c + 1]             the grain's mean, and sum of squared distances from it
 *   [2*C + 2*c], [2*C + 2*c + 1] the grain's sums of dy and of dy * normalised x
 *
 * The second half is written by backward_parameters, with or without affine
 * parameters (whose gradients are copies of it), so READS_PARAMETER_GRADIENTS
 * here means: after this node's backward_parameters on all grains.  It runs
 * even for affine=false.
 */
#include "ops.h"

enum { EPS, MOMENTUM, AFFINE, TRACK_RUNNING_STATS, NUM_FEATURES };

static const ArgSpec args[] = {
    [EPS]                 = {"eps", ARG_REAL, .otherwise = "1e-5", .maximum = LARGEST,
                             .doc = "Added to the variance before its square root."},
    [MOMENTUM]            = {"momentum", ARG_REAL, .otherwise = "0.1", .maximum = 1,
                             .doc = "Weight of the new batch in the running mean and variance."},
    [AFFINE]              = {"affine", ARG_BOOL, .otherwise = "true",
                             .doc = "Whether each channel has a learned weight and bias."},
    [TRACK_RUNNING_STATS] = {"track_running_stats", ARG_BOOL, .otherwise = "true",
                             .doc = "Whether running averages are kept for evaluation; only true is supported."},
    [NUM_FEATURES]        = {"num_features", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
                             .maximum = LARGEST, .doc = "Asserts the input's channels."},
    {0}
};

/* Evaluation without running averages would need a batch's statistics, and so
 * make one image's prediction depend on the images beside it. */
static bool tracks_statistics(const Node *node)
{
    const ArgValue *track = &node->args[TRACK_RUNNING_STATS];
    if (track->integer[0])
        return true;
    Diagnostic *d = node_error(node, "argument-range", track->span,
                               "batch_norm2d: not supported: track_running_stats=false");
    diag_caption(d, "only true");
    return false;
}

/* The order of PyTorch's state_dict. */
static void add_parameters(Node *node, int64_t channels)
{
    Init zero = {INIT_CONSTANT, 0, 0}, one = {INIT_CONSTANT, 1, 0};
    if (node->args[AFFINE].integer[0]) {
        node_parameter(node, "weight", PARAMETER_TRAINED, one, 1, &channels, 1, 1);
        node_parameter(node, "bias", PARAMETER_TRAINED, zero, 1, &channels, 1, 1);
    }
    node_parameter(node, "running_mean", PARAMETER_BUFFER, zero, 1, &channels, 1, 1);
    node_parameter(node, "running_var", PARAMETER_BUFFER, one, 1, &channels, 1, 1);
    node_parameter(node, "num_batches_tracked", PARAMETER_COUNTER, zero, 0, NULL, 1, 1);
}

static bool infer(Node *node)
{
    if (!node_needs_rank(node, 3))
        return false;
    int64_t channels = input_shape(node).dim[0];
    if (!assertion_holds(node, NUM_FEATURES, channels) || !tracks_statistics(node))
        return false;
    node->out_shape = input_shape(node);
    node->statistics_size = 4 * channels;
    add_parameters(node, channels);
    return true;
}

const Operator operator_batch_norm2d = {
    .name = "batch_norm2d",
    .summary = "Batch normalisation: each channel to mean 0 and variance 1, then scaled and shifted.",
    .shape_rule = "[c, h, w] -> [c, h, w]",
    .formula = "y = (x - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]\n"
               "training: mean and biased variance over the batch and its positions; running averages\n"
               "r = (1 - momentum)*r + momentum*new take the mean and the unbiased variance\n"
               "evaluation: the running averages; weight starts at 1, bias at 0",
    .reference = "Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html",
    .args = args,
    .traits = OP_STATISTICS,
    .input_gradient_reads = READS_X | READS_STATISTICS | READS_PARAMETER_GRADIENTS,
    .parameter_gradient_reads = READS_X | READS_STATISTICS,
    .infer = infer,
};
