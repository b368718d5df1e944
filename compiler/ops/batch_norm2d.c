/* batch_norm2d.c: batch_norm1d, 2d and 3d: each channel normalised by its mean and variance over
 * the batch, or in evaluation by their running averages.
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
#include "kernels/grain/norm.h"
#include "kernels/image/image.h"
#include "ops/operator.h"

enum { EPS, MOMENTUM, AFFINE, TRACK_RUNNING_STATS, NUM_FEATURES };

static const ArgSpec args[] = {
    [EPS] = {"eps", ARG_REAL, ROLE_EPSILON, .otherwise = "1e-5", .maximum = LARGEST,
             .doc = "Added to the variance before its square root."},
    [MOMENTUM] = {"momentum", ARG_REAL, .otherwise = "0.1", .maximum = 1,
                  .doc = "Weight of the new batch in the running mean and variance."},
    [AFFINE] = {"affine", ARG_BOOL, .otherwise = "true",
                .doc = "Whether each channel has a learned weight and bias."},
    [TRACK_RUNNING_STATS] =
        {"track_running_stats", ARG_BOOL, .otherwise = "true",
         .doc = "Whether running averages are kept for evaluation; only true is supported."},
    [NUM_FEATURES] = {"num_features", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
                      .maximum = LARGEST, .doc = "Asserts the input's channels."},
    {0}};

/* Evaluation without running averages would need a batch's statistics, and so
 * make one image's prediction depend on the images beside it. */
static bool tracks_statistics(const Node *node)
{
    const ArgValue *track = &node->args[TRACK_RUNNING_STATS];
    if (track->integer[0])
        return true;
    Diagnostic *d = node_error(node, "argument-range", track->span,
                               "%s: not supported: track_running_stats=false", node->op->name);
    diag_caption(d, "only true");
    return false;
}

/* The order of PyTorch's state_dict. */
static void add_parameters(Node *node, Int channels)
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
    Int channels = input_shape(node).dim[0];
    if (!tracks_statistics(node))
        return false;
    node->out_shape = input_shape(node);
    node->statistics_size = 4 * channels;
    add_parameters(node, channels);
    return true;
}

/* ------------------------------------------------------------- kernels
 * The same stages as the reference, a row of lanes at a time; each sums over
 * four independent rows, so that additions do not wait for one another. */

static Int plane_of(const Node *node)
{
    return shape_plane(input_shape(node));
}

/* Opens the loop over some channels: `v` is x's plane. */
static void open_some_channels(Kernel *kernel, Int first, Int end)
{
    open_stepped_pieces(kernel, "c", first, end, 1);
    kernel_line(kernel, "const vec *v = x + c * %lldL;", plane_of(kernel->node));
}

/* The loop over all channels, with dy's plane `d` where there is one. */
static void open_channels(Kernel *kernel, bool gradient)
{
    open_some_channels(kernel, 0, input_shape(kernel->node).dim[0]);
    if (gradient)
        kernel_line(kernel, "const vec *d = dy + c * %lldL;", plane_of(kernel->node));
}

/* Sums `a` and, unless NULL, `b`, expressions of i, over the plane into the rows of those names. */
static void sum_plane(Kernel *kernel, const char *a, const char *b)
{
    Int plane = plane_of(kernel->node), whole = plane / 4 * 4;
    kernel_line(kernel, "vec a[4] = { 0 }%s;", b ? ", b[4] = { 0 }" : "");
    if (whole) {
        kernel_line(kernel, "for (int p = 0; p < %lld; p += 4) {", whole);
        for (int k = 0; k < 4; k++)
            kernel_line(kernel, "{ const int i = p + %d; a[%d] += %s;%s }", k, k, a,
                        b ? format(" b[%d] += %s;", k, b) : "");
        kernel_line(kernel, "}");
    }
    for (Int i = whole; i < plane; i++)
        kernel_line(kernel, "{ const int i = %lld; a[0] += %s;%s }", i, a,
                    b ? format(" b[0] += %s;", b) : "");
}

/* "sum over the lanes that hold an image". */
static const char *total(const char *name)
{
    return format("sum_lanes(vec_select(active, (%s[0] + %s[1]) + (%s[2] + %s[3]), (vec){ 0 }))",
                  name, name, name, name);
}

static void measure_channels(Kernel *kernel, Int first, Int end)
{
    if (first == end)
        return;
    open_some_channels(kernel, first, end);
    kernel_line(kernel, "real mean;");
    kernel_line(kernel, "{");
    sum_plane(kernel, "v[i]", NULL);
    kernel_line(kernel, "own[2 * c] = mean = %s / values;", total("a"));
    kernel_line(kernel, "}");
    sum_plane(kernel, "(v[i] - mean) * (v[i] - mean)", NULL);
    kernel_line(kernel, "own[2 * c + 1] = %s;", total("a"));
    kernel_line(kernel, "}");
}

/* Another norm's sums over the same channels are this one's. */
static void take_reused(Kernel *kernel, int number)
{
    const ReusedStatistics *reused = &kernel->reused.items[number];
    open_pieces(kernel, "i", 2 * reused->channels);
    kernel_line(kernel, "own[%lld + i] = reused%d[g * %lldL + i];", 2 * reused->first, number,
                kernel->kept_elements);
    kernel_line(kernel, "}");
}

static void emit_statistics(Kernel *kernel)
{
    Int next = 0;
    declare_active(kernel);
    kernel_line(kernel, "const int64_t left = s->images - g * LANES;");
    kernel_line(kernel, "const real values = (real)((left < LANES ? left : LANES) * %lld);",
                plane_of(kernel->node));
    kernel_line(kernel, "real *own = statistics + g * %lldL;", kernel->kept_elements);
    for (int i = 0; i < kernel->reused.count; i++) {
        const ReusedStatistics *reused = &kernel->reused.items[i];
        measure_channels(kernel, next, reused->first);
        take_reused(kernel, i);
        next = reused->first + reused->channels;
    }
    measure_channels(kernel, next, input_shape(kernel->node).dim[0]);
}

/* One grain updates the running averages, with the unbiased variance. */
static void emit_running(Kernel *kernel)
{
    double momentum = kernel->node->args[MOMENTUM].real;
    kernel_line(kernel, "if (g == 0) {");
    kernel_line(kernel,
                "running_mean[c] = (1 - (real)%.17g) * running_mean[c] + (real)%.17g * mean;",
                momentum, momentum);
    kernel_line(kernel, "if (count > 1)");
    kernel_line(kernel,
                "    running_var[c] = (1 - (real)%.17g) * running_var[c] + (real)%.17g * variance "
                "* (count / (count - 1));",
                momentum, momentum);
    kernel_line(kernel, "}");
}

static void emit_forward(Kernel *kernel)
{
    bool affine = kernel->node->args[AFFINE].integer[0];
    open_channels(kernel, false);
    if (kernel->training) {
        combine_moments(kernel);
        if (!kernel->recompute)
            emit_running(kernel);
    } else {
        kernel_line(kernel, "const real mean = running_mean[c], variance = running_var[c];");
    }
    declare_deviation(kernel);
    kernel_line(kernel, "const real scale = inverse%s;", affine ? " * weight[c]" : "");
    const char *at = format("c * %lldL + i", plane_of(kernel->node));
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", plane_of(kernel->node));
    kernel_store(kernel, format("y[%s]", at), at,
                 affine ? "(v[i] - mean) * scale + bias[c]" : "(v[i] - mean) * scale");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static void emit_sums(Kernel *kernel)
{
    declare_own_sums(kernel);
    open_channels(kernel, true);
    combine_moments(kernel);
    declare_deviation(kernel);
    sum_plane(kernel, "d[i]", "d[i] * (v[i] - mean)");
    store_sums(kernel, total("a"), format("inverse * %s", total("b")));
    kernel_line(kernel, "}");
}

static void emit_input_gradient(Kernel *kernel)
{
    const Node *node = kernel->node;
    declare_active(kernel);
    open_channels(kernel, true);
    combine_moments(kernel);
    declare_deviation(kernel);
    kernel_line(kernel, "real sum_d = 0, sum_dx = 0;");
    kernel_line(kernel, "for (int64_t q = s->norm_from; q < s->norm_to; q++) {");
    kernel_line(kernel, "const real *part = statistics + q * %lldL + %lld + 2 * c;",
                kernel->kept_elements, 2 * input_shape(node).dim[0]);
    kernel_line(kernel, "sum_d += part[0];");
    kernel_line(kernel, "sum_dx += part[1];");
    kernel_line(kernel, "}");
    kernel_line(kernel, "const real mean_d = sum_d / count, slope = inverse * (sum_dx / count);");
    kernel_line(kernel, "const real scale = inverse%s;",
                node->args[AFFINE].integer[0] ? " * weight[c]" : "");
    const char *at = format("c * %lldL + i", plane_of(node));
    const char *gradient =
        "vec_select(active, scale * (d[i] - mean_d - (v[i] - mean) * slope), (vec){ 0 })";
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", plane_of(node));
    kernel_store(kernel, format("dx[%s]", at), at,
                 node->accumulate ? format("dx[%s] + %s", at, gradient) : gradient);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    switch (kernel->stage) {
    case STAGE_STATISTICS:
        emit_statistics(kernel);
        return true;
    case STAGE_FORWARD:
        emit_forward(kernel);
        return true;
    case STAGE_BACKWARD_PARAMETERS:
        emit_sums(kernel);
        return true;
    case STAGE_BACKWARD_INPUT:
        emit_input_gradient(kernel);
        return true;
    case STAGE_FILTERS:
    case STAGE_ACCUMULATE:
    case STAGE_ADD_GRADIENTS:
    case STAGE_COPY:
        return false;
    }
    return false;
}

/* On its own it is a layer of ones, scaled and shifted as any that comes before a batch norm. */
static void emit_image(ImageKernel *image)
{
    image_scale(image, NULL, NULL);
}

#define BATCH_NORM(page)                                                                          \
    .formula =                                                                                    \
        "y = (x - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]\n"                     \
        "training: mean and biased variance over the batch and its positions; running averages\n" \
        "r = (1 - momentum)*r + momentum*new take the mean and the unbiased variance\n"           \
        "evaluation: the running averages; weight starts at 1, bias at 0",                        \
    .reference = "Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167\n"                     \
                 "https://pytorch.org/docs/stable/generated/torch.nn." page ".html",              \
    .args = args,                                                                                 \
    .traits = OP_STATISTICS | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE | OP_SUMS_GRADIENT   \
              | OP_AFFINE | OP_CHEAP,                                                             \
    .input_gradient_reads = READS_X | READS_STATISTICS | READS_PARAMETER_GRADIENTS,               \
    .parameter_gradient_reads = READS_X | READS_STATISTICS, .infer = infer, .emit = emit,         \
    .emit_image = emit_image

const Operator operator_batch_norm1d = {
    .name = "batch_norm1d",
    .summary = "Batch normalisation of sequences or plain values, channel by channel.",
    .shape_rule = "[n] -> [n], or [c, t] -> [c, t]",
    .ranks = RANK(1) | RANK(2),
    BATCH_NORM("BatchNorm1d"),
};

const Operator operator_batch_norm2d = {
    .name = "batch_norm2d",
    .summary =
        "Batch normalisation: each channel to mean 0 and variance 1, then scaled and shifted.",
    .shape_rule = "[c, h, w] -> [c, h, w]",
    .ranks = RANK(3),
    BATCH_NORM("BatchNorm2d"),
};

const Operator operator_batch_norm3d = {
    .name = "batch_norm3d",
    .summary = "Batch normalisation of volumes, channel by channel.",
    .shape_rule = "[c, d, h, w] -> [c, d, h, w]",
    .ranks = RANK(4),
    BATCH_NORM("BatchNorm3d"),
};
