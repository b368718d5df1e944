/* group_norm.c: groups of channels, or each channel by itself (instance_norm1d, 2d and 3d),
 * normalised over all their positions.  An image is on its own.
 *
 * An instance norm that tracks running averages is so in training too, but evaluates by the
 * averages.  Then each grain's statistics tensor holds, of channel c, at [2*c] and [2*c + 1] the
 * sums over its images of their means and of their unbiased variances.
 */
#include "kernels/grain/row_norm.h"
#include "kernels/image/norm.h"
#include "ops/operator.h"

enum { NUM_GROUPS, NUM_CHANNELS, GROUP_EPS, GROUP_AFFINE };

static const ArgSpec group_norm_args[] = {
    [NUM_GROUPS] = {"num_groups", ARG_INT, ROLE_GROUPS, .positional = true, .minimum = 1,
                    .maximum = LARGEST, .doc = "Parts the channels are split into."},
    [NUM_CHANNELS] = {"num_channels", ARG_INT, .positional = true, .assertion = true,
                      .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                      .doc = "Asserts the input's channels."},
    [GROUP_EPS] = {"eps", ARG_REAL, ROLE_EPSILON, .otherwise = "1e-5", .maximum = LARGEST,
                   .doc = "Added to the variance before its square root."},
    [GROUP_AFFINE] = {"affine", ARG_BOOL, .otherwise = "true",
                      .doc = "Whether each channel has a learned weight and bias."},
    {0}};

enum { EPS, MOMENTUM, AFFINE, TRACK_RUNNING_STATS };

static const ArgSpec instance_norm_args[] = {
    [EPS] = {"eps", ARG_REAL, ROLE_EPSILON, .otherwise = "1e-5", .maximum = LARGEST,
             .doc = "Added to the variance before its square root."},
    [MOMENTUM] = {"momentum", ARG_REAL, .otherwise = "0.1", .maximum = 1,
                  .doc = "Weight of the new batch in the running mean and variance."},
    [AFFINE] = {"affine", ARG_BOOL, .otherwise = "false",
                .doc = "Whether each channel has a learned weight and bias."},
    [TRACK_RUNNING_STATS] = {"track_running_stats", ARG_BOOL, .otherwise = "false",
                             .doc = "Whether evaluation takes running averages, not the image's "
                                    "own mean and variance."},
    {"num_features", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
     .maximum = LARGEST, .doc = "Asserts the input's channels."},
    {0}};

static bool is_instance_norm(const Node *node)
{
    return node->op != &operator_group_norm;
}

static bool is_affine(const Node *node)
{
    return node->args[is_instance_norm(node) ? AFFINE : GROUP_AFFINE].integer[0];
}

static bool tracks(const Node *node)
{
    return is_instance_norm(node) && node->args[TRACK_RUNNING_STATS].integer[0];
}

static RowNorm norm_of(const Node *node)
{
    Shape shape = input_shape(node);
    Int groups = is_instance_norm(node) ? shape.dim[0] : node->args[NUM_GROUPS].integer[0];
    return (RowNorm){
        .rows = groups,
        .length = shape_elements(shape) / groups,
        .repeat = shape_plane(shape),
        .parameters = shape.dim[0],
        .centred = true,
        .weight = is_affine(node),
        .bias = is_affine(node),
        .eps = node->args[role_arg(node->op, ROLE_EPSILON)].real,
    };
}

/* ------------------------------------------------------------ inference */

static bool num_groups_divide(const Node *node)
{
    Int channels = input_shape(node).dim[0], groups = node->args[NUM_GROUPS].integer[0];
    if (channels % groups == 0)
        return true;
    Diagnostic *d = node_error(node, "groups", node->args[NUM_GROUPS].span,
                               "group_norm: num_groups=%lld does not divide the %lld channels",
                               groups, channels);
    diag_caption(d, "must divide %lld", channels);
    diag_note(d, "valid values: %s", common_divisors(channels, channels));
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* One value is its own mean, and PyTorch refuses it, too. */
static bool has_some_values(const Node *node, RowNorm norm)
{
    if (norm.length > 1)
        return true;
    Diagnostic *d = node_error(node, "cannot-learn", node->span,
                               "%s has one value in each %s to normalise, which always becomes 0",
                               node->op->name, is_instance_norm(node) ? "channel" : "group");
    diag_caption(d, "%s", shape_text(input_shape(node)));
    if (is_instance_norm(node))
        diag_help(d, "`group_norm(1)` normalises all channels together");
    else
        diag_help(d, "fewer groups, or leave group_norm out");
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* The order of PyTorch's state_dict. */
static void add_parameters(Node *node, Int channels)
{
    Init zero = {INIT_CONSTANT, 0, 0}, one = {INIT_CONSTANT, 1, 0};
    if (is_affine(node)) {
        node_parameter(node, "weight", PARAMETER_TRAINED, one, 1, &channels, 1, 1);
        node_parameter(node, "bias", PARAMETER_TRAINED, zero, 1, &channels, 1, 1);
    }
    if (!tracks(node))
        return;
    node_parameter(node, "running_mean", PARAMETER_BUFFER, zero, 1, &channels, 1, 1);
    node_parameter(node, "running_var", PARAMETER_BUFFER, one, 1, &channels, 1, 1);
    node_parameter(node, "num_batches_tracked", PARAMETER_COUNTER, zero, 0, NULL, 1, 1);
}

static bool infer(Node *node)
{
    if (!is_instance_norm(node) && !num_groups_divide(node))
        return false;
    RowNorm norm = norm_of(node);
    if (!has_some_values(node, norm))
        return false;
    node->out_shape = input_shape(node);
    node->aux_shape = row_norm_aux(norm);
    node->statistics_size = tracks(node) ? 2 * norm.parameters : 0;
    add_parameters(node, norm.parameters);
    return true;
}

/* -------------------------------------------------------------- kernels
 * What tracks averages is the reference's. */

static bool emit(Kernel *kernel)
{
    if (tracks(kernel->node))
        return false;
    emit_row_norm(kernel, norm_of(kernel->node));
    return true;
}

enum { MAX_IMAGE_CHANNELS = 8192 }; /* four numbers of each are on the kernel's stack */

static bool has_image_kernel(const Node *node)
{
    return !tracks(node) && input_shape(node).dim[0] <= MAX_IMAGE_CHANNELS;
}

static void emit_image(ImageKernel *image)
{
    RowNorm norm = norm_of(image->kernel.node);
    image_norm_groups(image, (ImageNorm){true, norm.weight, norm.bias, norm.eps}, norm.rows);
}

const Operator operator_group_norm = {
    .name = "group_norm",
    .summary = "Groups of channels, each to mean 0 and variance 1 over all positions, then scaled "
               "and shifted.",
    .shape_rule = "[c, h, w] -> [c, h, w], or [c], [c, t], [c, d, h, w]",
    .formula = "y = (x - mean[g]) / sqrt(variance[g] + eps) * weight[c] + bias[c]\n"
               "with the mean and biased variance of the c/num_groups channels of c's group;\n"
               "weight starts at 1, bias at 0",
    .reference = "Wu and He 2018, https://arxiv.org/abs/1803.08494\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html",
    .args = group_norm_args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X | READS_AUX,
    .parameter_gradient_reads = READS_X | READS_AUX,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = has_image_kernel,
};

#define INSTANCE_NORM(page)                                                                       \
    .summary = "Each channel of each image to mean 0 and variance 1 over its positions.",         \
    .formula =                                                                                    \
        "y = (x - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]\n"                     \
        "with the mean and biased variance of the image's channel; with track_running_stats"      \
        "\nevaluation takes the running averages r = (1 - momentum)*r + momentum*new of the"      \
        "\nimages' means and unbiased variances; weight starts at 1, bias at 0",                  \
    .reference = "Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022\n"                        \
                 "https://pytorch.org/docs/stable/generated/torch.nn." page ".html",              \
    .args = instance_norm_args, .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,         \
    .input_gradient_reads = READS_X | READS_AUX, .parameter_gradient_reads = READS_X | READS_AUX, \
    .infer = infer, .emit = emit, .emit_image = emit_image, .can_do_image = has_image_kernel

const Operator operator_instance_norm1d = {
    .name = "instance_norm1d",
    .shape_rule = "[c, t] -> [c, t]",
    .ranks = RANK(2),
    INSTANCE_NORM("InstanceNorm1d"),
};

const Operator operator_instance_norm2d = {
    .name = "instance_norm2d",
    .shape_rule = "[c, h, w] -> [c, h, w]",
    .ranks = RANK(3),
    INSTANCE_NORM("InstanceNorm2d"),
};

const Operator operator_instance_norm3d = {
    .name = "instance_norm3d",
    .shape_rule = "[c, d, h, w] -> [c, d, h, w]",
    .ranks = RANK(4),
    INSTANCE_NORM("InstanceNorm3d"),
};
