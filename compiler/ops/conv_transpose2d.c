/* conv_transpose2d.c: transposed convolution with all the arguments of PyTorch's
 * nn.ConvTranspose2d: the input's gradient of a convolution, taken as a layer.
 *
 *   x      [in, h, w]
 *   weight [in, out/groups, kernel rows, kernel columns]
 *   bias   [out]
 *
 * The convolution of which it is the transpose goes from this layer's output to its
 * input, so every kernel here is one of conv2d's: forward is its input gradient, the
 * input gradient is its forward pass, and the weights' gradient is the same with the
 * two tensors in each other's place.
 */
#include "kernels/grain/conv2d.h"
#include "kernels/grain/tiles.h"
#include "kernels/image/image.h"
#include "ops/conv2d.h"
#include "ops/parametrized.h"
#include "ops/window.h"

enum {
    OUT_CHANNELS,
    KERNEL_SIZE,
    STRIDE,
    PADDING,
    OUTPUT_PADDING,
    GROUPS,
    BIAS,
    DILATION,
    PADDING_MODE,
    WEIGHT_NORM,
    SPECTRAL_NORM,
    POWER_ITERATIONS,
    IN_CHANNELS
};

static const char *const padding_modes[] = {"zeros", NULL};

/* clang-format off */
#define ARGUMENTS(sizes, what) { \
    [OUT_CHANNELS] = {"out_channels", ARG_INT, ROLE_CHANNELS, .positional = true, .minimum = 1, \
                      .maximum = LARGEST, .doc = "Channels of the output."}, \
    [KERNEL_SIZE] = {"kernel_size", sizes, ROLE_KERNEL, .positional = true, .minimum = 1, \
                     .maximum = LARGEST, \
                     .doc = "Size of the window that each input is spread over."}, \
    [STRIDE] = {"stride", sizes, ROLE_STRIDE, .otherwise = "1", .minimum = 1, .maximum = LARGEST, \
                .doc = "Distance between the windows of neighbours: how many times larger the " \
                       "output is."}, \
    [PADDING] = {"padding", sizes, ROLE_PADDING, .otherwise = "0", .maximum = LARGEST, \
                 .doc = what " cut off both ends of the output."}, \
    [OUTPUT_PADDING] = {"output_padding", sizes, ROLE_OUTPUT_PADDING, .otherwise = "0", \
                        .maximum = LARGEST, \
                        .doc = what " added to the output's far end, fewer than stride " \
                               "or dilation."}, \
    [GROUPS] = {"groups", ARG_INT, ROLE_GROUPS, .otherwise = "1", .minimum = 1, \
                .maximum = LARGEST, \
                .doc = "Parts the channels are split into, each convolved on its own."}, \
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true", \
              .doc = "Whether a learned value is added to each output channel."}, \
    [DILATION] = {"dilation", sizes, ROLE_DILATION, .otherwise = "1", .minimum = 1, \
                  .maximum = LARGEST, .doc = "Distance between the window's taps."}, \
    [PADDING_MODE] = {"padding_mode", ARG_WORD, .otherwise = "zeros", .words = padding_modes, \
                      .doc = "PyTorch knows no other, either."}, \
    [WEIGHT_NORM] = WEIGHT_NORM_ARGUMENT, \
    [SPECTRAL_NORM] = SPECTRAL_NORM_ARGUMENT, \
    [POWER_ITERATIONS] = POWER_ITERATIONS_ARGUMENT, \
    [IN_CHANNELS] = {"in_channels", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1, \
                     .maximum = LARGEST, .doc = "Asserts the input's channels."}, \
    {0}}
/* clang-format on */

static const ArgSpec args_of_1[] = ARGUMENTS(ARG_SINGLE, "Steps");
static const ArgSpec args_of_2[] = ARGUMENTS(ARG_PAIR, "Rows and columns");
static const ArgSpec args_of_3[] = ARGUMENTS(ARG_TRIPLE, "Slices, rows and columns");

/* More would be a row that no window reaches and that another stride makes. */
static bool output_padding_fits(const Node *node)
{
    for (int axis = 0; axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        Int max_output_padding =
            (window.stride > window.dilation ? window.stride : window.dilation) - 1;
        if (window.output_padding <= max_output_padding)
            continue;
        Diagnostic *d =
            node_error(node, "argument-range", node->args[OUTPUT_PADDING].span,
                       "%s: output_padding %lld is not smaller than "
                       "stride %lld or dilation %lld",
                       node->op->name, window.output_padding, window.stride, window.dilation);
        diag_caption(d, "0 to %lld", max_output_padding);
        return false;
    }
    return true;
}

static bool report_empty(const Node *node, int axis, Window window, Int size)
{
    Diagnostic *d =
        node_error(node, "argument-range", node->args[PADDING].span,
                   "%s: padding %lld cuts off all %lld %ss", node->op->name, window.before,
                   size + 2 * window.before, axis_unit(input_shape(node).rank, 1 + axis));
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool infer(Node *node)
{
    Int out = node->args[OUT_CHANNELS].integer[0], groups = node->args[GROUPS].integer[0];
    if (!groups_divide(node) || !output_padding_fits(node))
        return false;
    node->out_shape = shape_with(input_shape(node), 0, out);
    for (int axis = 0; axis < window_axes(node); axis++) {
        Window window = node_window(node, axis);
        Int size = transposed_output_size(window, input_shape(node).dim[1 + axis]);
        if (size < 1)
            return report_empty(node, axis, window, size);
        node->out_shape.dim[1 + axis] = size;
    }
    add_filters(node, input_shape(node).dim[0], out / groups);
    return true;
}

/* One per input value, output channel of its group and tap.  Taps that are cut off count. */
static Int multiply_adds(const Node *node)
{
    const Parameter *weight = find_parameter(node, "weight");
    Int factors[] = {weight->elements, shape_plane(input_shape(node))};
    return saturating_product(2, factors);
}

/* ------------------------------------------------------------- kernels */

/* Of the convolution that this is the transpose of. */
static Contraction down_contraction(const Node *node)
{
    const Parameter *weight = find_parameter(node, "weight");
    Int groups = node->args[GROUPS].integer[0],
        taps = weight->elements / (weight->dim[0] * weight->dim[1]);
    return (Contraction){
        .in = "dy",
        .out = "dx",
        .accumulate = node->accumulate,
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

static Contraction up_contraction(const Node *node, const Contraction *down)
{
    Contraction up = reversed_contraction(down, false);
    up.in = "x";
    up.out = "y";
    up.bias = find_parameter(node, "bias") ? "bias" : NULL;
    return up;
}

/* The convolution's x is this layer's dy, and the other way round. */
static void emit_parameter_gradient(Kernel *kernel, const Contraction *down)
{
    Shape out = kernel->node->out->shape;
    kernel_line(kernel, "const vec *const given = dy, *const read = x;");
    kernel_line(kernel, "{");
    kernel_line(kernel, "const vec *const x = given, *const dy = read;");
    (is_pointwise_gradient(down) ? emit_pointwise_gradient : emit_weight_gradient)(kernel, down);
    kernel_line(kernel, "}");
    if (find_parameter(kernel->node, "bias"))
        emit_bias_gradient(kernel, out.dim[0], shape_plane(out));
}

enum {
    MAX_STRIDE = 64
}; /* of columns: a tile's text has every column from one input to the next */

static bool has_short_tiles(const Node *node)
{
    return layer_axis(node, COLUMNS).stride <= MAX_STRIDE;
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    if (!has_short_tiles(node))
        return false;
    Contraction down = down_contraction(node);
    conv2d_flatten_rows(kernel, &down);
    Contraction up = up_contraction(node, &down);
    if (kernel->stage == STAGE_FORWARD)
        emit_contraction(kernel, &up);
    else if (kernel->stage == STAGE_BACKWARD_INPUT)
        emit_contraction(kernel, &down);
    else
        emit_parameter_gradient(kernel, &down);
    return true;
}

static bool can_do_image_transposed(const Node *node)
{
    return has_short_tiles(node) && layer_axis(node, COLUMNS).taps <= MAX_IMAGE_TAPS;
}

static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    Contraction down = down_contraction(node), up = up_contraction(node, &down);
    image->packing = (Packing){.weight = find_parameter(node, "weight"),
                               .bias = find_parameter(node, "bias"),
                               .transposed = true};
    if (up.out_channels == 1 && up.in_channels == 1)
        image_window(image, (ChannelWindow){.kind = WINDOW_WEIGHTED,
                                            .channels = up.groups,
                                            .rows = up.rows,
                                            .columns = up.columns});
    else
        image_contraction(image, up);
}

#define TRANSPOSED                                                                          \
    .reference = "Zeiler et al. 2010, https://doi.org/10.1109/CVPR.2010.5539957\n"          \
                 "https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html", \
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE | OP_FOLDABLE | OP_UNBOUNDED,  \
    .window = WINDOW_TRANSPOSED, .parameter_gradient_reads = READS_X, .infer = infer,       \
    .multiply_adds = multiply_adds, .emit = emit, .emit_image = emit_image,                 \
    .can_do_image = can_do_image_transposed

const Operator operator_conv_transpose1d = {
    .name = "conv_transpose1d",
    .summary = "Transposed convolution along one axis: every input adds a window of weights to the "
               "output.",
    .shape_rule =
        "[c, t] -> [out_channels, steps]\n"
        "steps = (t - 1)*stride - 2*padding + dilation*(kernel_size-1) + output_padding + 1",
    .formula = "y[o, i] = bias[o] + sum over n, p of weight[n, o, p] * x[n, k]\n"
               "for the k with i = k*stride + p*dilation - padding\n"
               "n runs over the c/groups channels of o's group, o in weight over its out/groups\n"
               "weight and bias start uniform in -1/sqrt(fan_in) to 1/sqrt(fan_in), where\n"
               "fan_in = out_channels/groups * kernel_size, as in PyTorch",
    .args = args_of_1,
    .ranks = RANK(2),
    TRANSPOSED,
};

const Operator operator_conv_transpose2d = {
    .name = "conv_transpose2d",
    .summary = "Transposed convolution: every input adds a window of weights to the output.",
    .shape_rule =
        "[c, h, w] -> [out_channels, rows, columns]\n"
        "rows = (h - 1)*stride - 2*padding + dilation*(kernel_size-1) + output_padding + 1\n"
        "columns follow from w in the same way",
    .formula = "y[o, i, j] = bias[o] + sum over n, p, q of weight[n, o, p, q] * x[n, k, l]\n"
               "for the k, l with i = k*stride + p*dilation - padding and j likewise\n"
               "n runs over the c/groups channels of o's group, o in weight over its out/groups\n"
               "weight and bias start uniform in -1/sqrt(fan_in) to 1/sqrt(fan_in), where\n"
               "fan_in = out_channels/groups * kernel rows * kernel columns, as in PyTorch",
    .args = args_of_2,
    .ranks = RANK(3),
    TRANSPOSED,
};

const Operator operator_conv_transpose3d = {
    .name = "conv_transpose3d",
    .summary = "Transposed convolution along three axes: every input adds a window of weights to "
               "the output.",
    .shape_rule =
        "[c, d, h, w] -> [out_channels, slices, rows, columns]\n"
        "slices = (d - 1)*stride - 2*padding + dilation*(kernel_size-1) + output_padding + 1\n"
        "rows and columns follow from h and w in the same way",
    .formula = "y[o, s, i, j] = bias[o] + sum over n, r, p, q of weight[n, o, r, p, q] *\n"
               "                x[n, m, k, l]\n"
               "for the m, k, l with s = m*stride + r*dilation - padding and i, j likewise\n"
               "n runs over the c/groups channels of o's group, o in weight over its out/groups\n"
               "weight and bias start uniform in -1/sqrt(fan_in) to 1/sqrt(fan_in), where\n"
               "fan_in = out_channels/groups * taps of the window, as in PyTorch",
    .args = args_of_3,
    .ranks = RANK(4),
    TRANSPOSED,
};
