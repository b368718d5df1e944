/* conv2d.c: convolution (cross-correlation, as every framework means it) along one, two or three
 * axes, with all the arguments of PyTorch's nn.Conv1d, nn.Conv2d and nn.Conv3d.
 *
 *   x      [in, h, w]
 *   weight [out, in/groups, kernel rows, kernel columns]
 *   bias   [out]
 *
 * Of the others x and weight have one axis less, or more.
 */
#include "kernels/grain/conv2d.h"
#include "kernels/grain/norm.h"
#include "kernels/grain/pool.h"
#include "kernels/image/conv2d.h"
#include "ops/conv2d.h"
#include "ops/parametrized.h"
#include "ops/window.h"

#include <math.h>

enum {
    OUT_CHANNELS,
    KERNEL_SIZE,
    STRIDE,
    PADDING,
    DILATION,
    GROUPS,
    BIAS,
    PADDING_MODE,
    WEIGHT_NORM,
    STANDARDIZATION,
    SPECTRAL_NORM,
    POWER_ITERATIONS,
    IN_CHANNELS
};

static const char *const padding_words[] = {"same", "valid", NULL};
static const char *const padding_modes[] = {"zeros", "reflect", "replicate", "circular", NULL};

/* clang-format off */
#define ARGUMENTS(sizes, what) { \
    [OUT_CHANNELS] = {"out_channels", ARG_INT, ROLE_CHANNELS, .positional = true, .minimum = 1, \
                      .maximum = LARGEST, \
                      .doc = "Channels of the output: the number of filters."}, \
    [KERNEL_SIZE] = {"kernel_size", sizes, ROLE_KERNEL, .positional = true, .minimum = 1, \
                     .maximum = LARGEST, .doc = "Size of the window."}, \
    [STRIDE] = {"stride", sizes, ROLE_STRIDE, .otherwise = "1", .minimum = 1, .maximum = LARGEST, \
                .doc = "Step of the window."}, \
    [PADDING] = {"padding", sizes, ROLE_PADDING, .otherwise = "0", .maximum = LARGEST, \
                 .words = padding_words, \
                 .doc = what " added at both ends; same keeps the size at stride 1."}, \
    [DILATION] = {"dilation", sizes, ROLE_DILATION, .otherwise = "1", .minimum = 1, \
                  .maximum = LARGEST, .doc = "Distance between the window's taps."}, \
    [GROUPS] = {"groups", ARG_INT, ROLE_GROUPS, .otherwise = "1", .minimum = 1, \
                .maximum = LARGEST, \
                .doc = "Parts the channels are split into, each convolved on its own."}, \
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true", \
              .doc = "Whether a learned value is added to each output channel."}, \
    [PADDING_MODE] = {"padding_mode", ARG_WORD, .otherwise = "zeros", .words = padding_modes, \
                      .doc = "What the padding holds."}, \
    [WEIGHT_NORM] = WEIGHT_NORM_ARGUMENT, \
    [STANDARDIZATION] = STANDARDIZATION_ARGUMENT, \
    [SPECTRAL_NORM] = SPECTRAL_NORM_ARGUMENT, \
    [POWER_ITERATIONS] = POWER_ITERATIONS_ARGUMENT, \
    [IN_CHANNELS] = {"in_channels", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1, \
                     .maximum = LARGEST, .doc = "Asserts the input's channels."}, \
    {0}}
/* clang-format on */

static const ArgSpec args_of_1[] = ARGUMENTS(ARG_SINGLE, "Steps");
static const ArgSpec args_of_2[] = ARGUMENTS(ARG_PAIR, "Rows and columns");
static const ArgSpec args_of_3[] = ARGUMENTS(ARG_TRIPLE, "Slices, rows and columns");

static bool pads_with_zeros(const Node *node)
{
    return node->args[PADDING_MODE].word == intern("zeros");
}

bool groups_divide(const Node *node)
{
    const ArgValue *value = &node->args[role_arg(node->op, ROLE_GROUPS)];
    Int in = input_shape(node).dim[0], groups = value->integer[0];
    Int out = node->args[role_arg(node->op, ROLE_CHANNELS)].integer[0];
    if (in % groups == 0 && out % groups == 0)
        return true;
    bool input = in % groups != 0;
    Diagnostic *d = node_error(
        node, "groups", value->span, "%s: groups=%lld does not divide the %lld %s channels",
        node->op->name, groups, input ? in : out, input ? "input" : "output");
    diag_caption(d, "must divide %lld and %lld", in, out);
    diag_note(d, "valid values: %s", common_divisors(in, out));
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* padding=same needs stride 1: PyTorch refuses the rest, for no padding keeps
 * the size then. */
static bool same_has_stride_1(const Node *node)
{
    const ArgValue *stride = &node->args[STRIDE];
    Text strides = {0};
    bool ones = true;
    for (int axis = 0; axis < window_axes(node); axis++) {
        text_add(&strides, "%s%lld", axis ? " by " : "", stride->integer[axis]);
        ones &= stride->integer[axis] == 1;
    }
    if (node->args[PADDING].word != intern("same") || ones)
        return true;
    Diagnostic *d = node_error(node, "argument-range", node->args[PADDING].span,
                               "%s: padding=same needs stride 1", node->op->name);
    diag_label(d, stride->span, "stride %s", text_chars(&strides));
    diag_help(d,
              "with a stride, padding=(kernel_size-1)//2 gives ceil(size/stride) for odd kernels");
    return false;
}

/* A reflection reaches at most to the far edge and circular padding goes round
 * at most once; copies of the edge have no limit. */
static bool padding_mode_fits(const Node *node)
{
    const char *mode = node->args[PADDING_MODE].word;
    bool reflect = mode == intern("reflect"), circular = mode == intern("circular");
    if (!reflect && !circular)
        return true;
    for (int axis = 0; axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        Int size = input_shape(node).dim[1 + axis], max_padding = reflect ? size - 1 : size;
        if (window.before <= max_padding && window.after <= max_padding)
            continue;
        Diagnostic *d =
            node_error(node, "argument-range", node->args[PADDING].span,
                       "%s: %s padding of %lld needs an input of at least %lld %ss, not %lld",
                       node->op->name, mode, window.after, window.after + reflect,
                       axis_unit(input_shape(node).rank, 1 + axis), size);
        diag_caption(d, "0 to %lld", max_padding);
        node_derivation(d, node->inputs.items[0]);
        return false;
    }
    return true;
}

void add_filters(Node *node, Int first, Int second)
{
    const ArgValue *kernel = &node->args[role_arg(node->op, ROLE_KERNEL)];
    int axes = window_axes(node);
    Int out = node->args[role_arg(node->op, ROLE_CHANNELS)].integer[0],
        dim[MAX_DIMS] = {first, second};
    for (int axis = 0; axis < axes; axis++)
        dim[2 + axis] = kernel->integer[axis];
    Int taps = saturating_product(axes, &dim[2]);
    Int fan_in = saturating_product(2, (Int[]){second, taps});
    Int fan_out = saturating_product(2, (Int[]){first, taps});
    double bound = 1 / sqrt((double)fan_in);
    Init init = {INIT_UNIFORM, -bound, bound};
    node_parameter(node, "weight", PARAMETER_TRAINED, init, 2 + axes, dim, fan_in, fan_out);
    if (node->args[operator_arg(node->op, "bias")].integer[0])
        node_parameter(node, "bias", PARAMETER_TRAINED, init, 1, &out, fan_in, fan_out);
}

static bool infer(Node *node)
{
    Int out = node->args[OUT_CHANNELS].integer[0];
    if (!groups_divide(node) || !same_has_stride_1(node) || !padding_mode_fits(node)
        || !infer_window_shape(node, out))
        return false;
    add_filters(node, out, input_shape(node).dim[0] / node->args[GROUPS].integer[0]);
    return true;
}

/* One per output value and tap.  Taps that fall on the padding count. */
static Int multiply_adds(const Node *node)
{
    const Parameter *weight = node->parameters.items[0];
    Int factors[] = {shape_plane(node->out_shape), weight->elements};
    return saturating_product(2, factors);
}

/* A window of one tap at stride 1, without padding. */
static bool is_pointwise_conv2d(const Node *node)
{
    bool pointwise = true;
    for (int axis = 0; axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        pointwise &=
            window.kernel == 1 && window.stride == 1 && window.before == 0 && window.after == 0;
    }
    return pointwise;
}

/* ------------------------------------------------------------- kernels
 * Padding that holds something else is the reference's. */

static bool has_kernels(const Node *node)
{
    return pads_with_zeros(node);
}

static bool pools(const Node *node, const Node *pool)
{
    return has_kernels(node) && pools_tiles(pool);
}

static bool unpools(const Node *node, const Node *pool)
{
    return has_kernels(node) && conv2d_unpools(node, pool);
}

static bool sums(const Node *node, const Node *sums)
{
    return has_kernels(node) && has_room_for_sums(sums);
}

static Int workspace(const Node *node, const Node *pool, int lanes, bool filters)
{
    return has_kernels(node) ? conv2d_workspace(node, pool, lanes, filters) : 0;
}

static Int filters(const Node *node, const Node *pool, int lanes)
{
    return has_kernels(node) ? conv2d_filters(node, pool, lanes) : 0;
}

static bool emit(Kernel *kernel)
{
    bool can = has_kernels(kernel->node);
    if (can)
        emit_conv2d(kernel);
    return can;
}

static bool has_image_kernel(const Node *node)
{
    return has_kernels(node) && can_do_image_conv2d(node);
}

#define REFERENCE(page) "https://pytorch.org/docs/stable/generated/torch.nn." page ".html"
#define CONVOLUTION                                                                              \
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE | OP_FOLDABLE | OP_UNBOUNDED,       \
    .window = WINDOW_SLIDES, .parameter_gradient_reads = READS_X, .infer = infer,                \
    .multiply_adds = multiply_adds, .is_pointwise = is_pointwise_conv2d, .can_fuse_pool = pools, \
    .can_fuse_pool_gradient = unpools, .workspace = workspace, .filters = filters,               \
    .can_fuse_sums = sums, .emit = emit, .emit_image = emit_image_conv2d,                        \
    .can_do_image = has_image_kernel

const Operator operator_conv1d = {
    .name = "conv1d",
    .summary = "Convolution along one axis: each output channel is a window of weights slid over "
               "the input.",
    .shape_rule = "[c, t] -> [out_channels, steps]\n"
                  "steps = floor((t + 2*padding - dilation*(kernel_size-1) - 1)/stride) + 1",
    .formula = "y[o, i] = bias[o] + sum over n, p of weight[o, n, p] *\n"
               "          x[n, i*stride + p*dilation - padding]\n"
               "n runs over the c/groups channels of o's group\n"
               "weight and bias start uniform in -1/sqrt(fan_in) to 1/sqrt(fan_in), where\n"
               "fan_in = c/groups * kernel_size",
    .reference = REFERENCE("Conv1d"),
    .args = args_of_1,
    .ranks = RANK(2),
    CONVOLUTION,
};

const Operator operator_conv2d = {
    .name = "conv2d",
    .summary = "Two-dimensional convolution: each output channel is a window of weights slid over "
               "the input.",
    .shape_rule = "[c, h, w] -> [out_channels, rows, columns]\n"
                  "rows = floor((h + 2*padding - dilation*(kernel_size-1) - 1)/stride) + 1\n"
                  "columns follow from w in the same way",
    .formula =
        "y[o, i, j] = bias[o] + sum over n, p, q of weight[o, n, p, q] *\n"
        "             x[n, i*stride + p*dilation - padding, j*stride + q*dilation - padding]\n"
        "n runs over the c/groups channels of o's group\n"
        "weight and bias start uniform in -1/sqrt(fan_in) to 1/sqrt(fan_in), where\n"
        "fan_in = c/groups * kernel rows * kernel columns",
    .reference = REFERENCE("Conv2d"),
    .args = args_of_2,
    .ranks = RANK(3),
    CONVOLUTION,
};

const Operator operator_conv3d = {
    .name = "conv3d",
    .summary =
        "Three-dimensional convolution: each output channel is a window of weights slid over "
        "the input.",
    .shape_rule = "[c, d, h, w] -> [out_channels, slices, rows, columns]\n"
                  "slices = floor((d + 2*padding - dilation*(kernel_size-1) - 1)/stride) + 1\n"
                  "rows and columns follow from h and w in the same way",
    .formula = "y[o, s, i, j] = bias[o] + sum over n, r, p, q of weight[o, n, r, p, q] *\n"
               "                x[n, s*stride + r*dilation - padding, ...]\n"
               "n runs over the c/groups channels of o's group\n"
               "weight and bias start uniform in -1/sqrt(fan_in) to 1/sqrt(fan_in), where\n"
               "fan_in = c/groups * taps of the window",
    .reference = REFERENCE("Conv3d"),
    .args = args_of_3,
    .ranks = RANK(4),
    CONVOLUTION,
};
