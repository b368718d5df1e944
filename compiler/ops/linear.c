/* linear.c: the fully connected layer, of the last axis.
 *
 *   x      […, in]
 *   weight [out, in]
 *   bias   [out]
 */
#include "kernels/grain/matrix.h"
#include "kernels/grain/tiles.h"
#include "kernels/image/image.h"
#include "ops/operator.h"
#include "ops/parametrized.h"

#include <math.h>

enum {
    OUT_FEATURES,
    BIAS,
    WEIGHT_NORM,
    STANDARDIZATION,
    UNIT_NORM,
    SPECTRAL_NORM,
    POWER_ITERATIONS,
    IN_FEATURES
};

static const ArgSpec args[] = {
    [OUT_FEATURES] = {"out_features", ARG_INT, ROLE_CHANNELS, .positional = true, .minimum = 1,
                      .maximum = LARGEST, .doc = "Values of the output."},
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true",
              .doc = "Whether a learned value is added to each output."},
    [WEIGHT_NORM] = WEIGHT_NORM_ARGUMENT,
    [STANDARDIZATION] = STANDARDIZATION_ARGUMENT,
    [UNIT_NORM] = UNIT_NORM_ARGUMENT,
    [SPECTRAL_NORM] = SPECTRAL_NORM_ARGUMENT,
    [POWER_ITERATIONS] = POWER_ITERATIONS_ARGUMENT,
    [IN_FEATURES] = {"in_features", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
                     .maximum = LARGEST, .doc = "Asserts the input's values."},
    {0}};

/* PyTorch's default: weight and bias uniform in ±1/sqrt(fan_in). */
static bool infer(Node *node)
{
    Int in = shape_last(input_shape(node)), out = node->args[OUT_FEATURES].integer[0];
    Int dim[] = {out, in};
    double bound = 1 / sqrt((double)in);
    Init init = {INIT_UNIFORM, -bound, bound};
    node_parameter(node, "weight", PARAMETER_TRAINED, init, 2, dim, in, out);
    if (node->args[BIAS].integer[0])
        node_parameter(node, "bias", PARAMETER_TRAINED, init, 1, &out, in, out);
    node->out_shape = shape_with(input_shape(node), input_shape(node).rank - 1, out);
    return true;
}

/* How many times the matrix is applied to one image: once for each row of the other axes. */
static Int rows_of(const Node *node)
{
    return shape_elements(input_shape(node)) / shape_last(input_shape(node));
}

static Int multiply_adds(const Node *node)
{
    Int factors[] = {shape_elements(input_shape(node)), shape_last(node->out_shape)};
    return saturating_product(2, factors);
}

/* A matrix product is a contraction of one position. */
static Contraction contraction_of(const Node *node)
{
    Int in = shape_last(input_shape(node)), out = shape_last(node->out->shape);
    Axis one = {.sources = 1, .positions = 1, .taps = 1, .stride = 1, .dilation = 1};
    return (Contraction){
        .in = "x",
        .out = "y",
        .bias = find_parameter(node, "bias") ? "bias" : NULL,
        .groups = 1,
        .out_channels = out,
        .in_channels = in,
        .rows = one,
        .columns = one,
        .group_step = in * out,
        .out_step = in,
        .in_step = 1,
    };
}

enum { ROWS_AT_ONCE = 4 }; /* independent sums, to fill the multiply-add pipes */

static void gradient_rows(Kernel *kernel, Int in, Int from, Int to, int rows, const char *store)
{
    if (from >= to)
        return;
    kernel_line(kernel, "for (int o = %lld; o < %lld; o += %d) {", from, to, rows);
    kernel_line(kernel, "const real *d = (const real *)(dy + o);");
    for (int r = 0; r < rows; r++)
        kernel_line(kernel, "vec a%d = t[0] * d[%d];", r, r * kernel->lanes);
    for (int lane = 1; lane < kernel->lanes; lane++)
        for (int r = 0; r < rows; r++)
            kernel_line(kernel, "a%d += t[%d] * d[%d];", r, lane, r * kernel->lanes + lane);
    kernel_line(kernel, "real *to = dweight + o * %lldL + i;", in);
    for (int r = 0; r < rows; r++)
        kernel_line(kernel, store, r * in, r);
    kernel_line(kernel, "}");
}

static void gradient_columns(Kernel *kernel, Int in, Int out, const char *store)
{
    Int whole = out / ROWS_AT_ONCE * ROWS_AT_ONCE;
    gradient_rows(kernel, in, 0, whole, ROWS_AT_ONCE, store);
    gradient_rows(kernel, in, whole, out, 1, store);
}

/* dweight[o, i] sums over lanes, so x is transposed, block by block: then a
 * vector holds consecutive i of one image, and a row of dweight is `lanes`
 * multiply-adds and a store. */
static void emit_parameter_gradient(Kernel *kernel, Int in, Int out)
{
    Int whole = in / kernel->lanes * kernel->lanes;
    kernel_line(kernel, "vec t[LANES];");
    if (whole) {
        kernel_line(kernel, "for (int i = 0; i < %lld; i += LANES) {", whole);
        kernel_line(kernel, "transpose(t, x + i);");
        gradient_columns(kernel, in, out, "*(unaligned_vec *)(to + %lldL) = a%d;");
        kernel_line(kernel, "}");
    }
    if (whole < in) {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int i = %lld;", whole);
        kernel_line(kernel, "vec last[LANES] = { { 0 } };");
        kernel_line(kernel, "net_copy((real *)last, (const real *)(x + i), %lld * LANES);",
                    in - whole);
        kernel_line(kernel, "transpose(t, last);");
        gradient_columns(kernel, in, out,
                         format("net_copy(to + %%lldL, (const real *)&a%%d, %lld);", in - whole));
        kernel_line(kernel, "}");
    }
}

/* Of one row: below this, weights read and a gradient written per grain cost less than more
 * barriers; but not where another layer's gradient of the weight is a sum over all grains. */
static bool whole_batch(const Node *node)
{
    Int in = shape_last(input_shape(node)), out = shape_last(node->out->shape);
    if (rows_of(node) > 1 || find_parameter(node, "weight")->uses > 1)
        return in >= 16;
    return in >= 64 && in * out >= 16384;
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Contraction forward = contraction_of(node);
    Matrix matrix = {shape_last(input_shape(node)), shape_last(node->out->shape), rows_of(node),
                     find_parameter(node, "bias")};
    if (matrix.rows > 1 && !node->whole_batch)
        return false;
    if (node->whole_batch && kernel->stage == STAGE_FORWARD) {
        emit_matrix_forward(kernel, matrix);
    } else if (node->whole_batch && kernel->stage == STAGE_BACKWARD_INPUT) {
        emit_matrix_input_gradient(kernel, matrix, node->accumulate);
    } else if (kernel->stage == STAGE_FORWARD) {
        emit_contraction(kernel, &forward);
    } else if (kernel->stage == STAGE_BACKWARD_INPUT) {
        Contraction backward = reversed_contraction(&forward, node->accumulate);
        emit_contraction(kernel, &backward);
    } else if (node->whole_batch) {
        emit_matrix_gradient(kernel, matrix);
    } else {
        kernel->splits = false; /* it is small, or it would be whole_batch */
        emit_parameter_gradient(kernel, matrix.in, matrix.out);
        if (matrix.bias)
            emit_bias_gradient(kernel, matrix.out, 1);
    }
    return true;
}

/* Of further axes each is a position, whose channels are not what lies along the last one. */
static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    if (input_shape(node).rank > 1) { /* [12, 1], too, is twelve rows of one value */
        image_rows(image, find_parameter(node, "bias"), shape_last(input_shape(node)),
                   shape_last(node->out->shape));
        return;
    }
    image->packing =
        (Packing){.weight = find_parameter(node, "weight"), .bias = find_parameter(node, "bias")};
    image_contraction(image, contraction_of(node));
}

const Operator operator_linear = {
    .name = "linear",
    .summary = "Fully connected layer: every output is a weighted sum of every input.",
    .shape_rule = "[n] -> [out_features]; of the last axis of any: [t, n] -> [t, out_features]",
    .formula = "y[o] = bias[o] + sum over i of weight[o, i] * x[i]\n"
               "weight and bias start uniform in -1/sqrt(n) to 1/sqrt(n)",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Linear.html",
    .args = args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE | OP_LAST_AXIS | OP_UNBOUNDED,
    .parameter_gradient_reads = READS_X,
    .infer = infer,
    .multiply_adds = multiply_adds,
    .whole_batch = whole_batch,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_features,
};
