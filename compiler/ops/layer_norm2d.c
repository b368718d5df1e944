/* layer_norm2d.c: each position normalised by the mean and variance of its
 * channels, as ConvNeXt does.  Unlike batch norm, an image is on its own.
 */
#include "kernels/image/norm.h"
#include "ops/operator.h"

enum { EPS, AFFINE, NUM_FEATURES };

static const ArgSpec args[] = {
    [EPS] = {"eps", ARG_REAL, ROLE_EPSILON, .otherwise = "1e-6", .maximum = LARGEST,
             .doc = "Added to the variance before its square root."},
    [AFFINE] = {"affine", ARG_BOOL, .otherwise = "true",
                .doc = "Whether each channel has a learned weight and bias."},
    [NUM_FEATURES] = {"num_features", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
                      .maximum = LARGEST, .doc = "Asserts the input's channels."},
    {0}};

static bool infer(Node *node)
{
    Int channels = input_shape(node).dim[0];
    node->out_shape = input_shape(node);
    if (node->args[AFFINE].integer[0]) {
        node_parameter(node, "weight", PARAMETER_TRAINED, (Init){INIT_CONSTANT, 1, 0}, 1, &channels,
                       1, 1);
        node_parameter(node, "bias", PARAMETER_TRAINED, (Init){INIT_CONSTANT, 0, 0}, 1, &channels,
                       1, 1);
    }
    node->aux_shape = shape_of(3, 2, input_shape(node).dim[1], input_shape(node).dim[2]);
    return true;
}

/* ------------------------------------------------------------- kernels
 * Some positions together, whose values of a channel lie side by side: each has
 * its sums over the channels in registers.  In training, aux is the mean of each
 * position, then 1 / sqrt(variance + eps) of each. */

enum { TOGETHER = 8 }; /* positions: their sums, means and sums of squares fit in 32 registers */

static Int plane_of(const Node *node)
{
    return shape_plane(input_shape(node));
}

static bool is_affine(const Node *node)
{
    return node->args[AFFINE].integer[0];
}

/* A line of the body for each of so many positions: %d is its number. */
static void each(Kernel *kernel, int positions, const char *line)
{
    for (int k = 0; k < positions; k++)
        kernel_line(kernel, line, k, k, k, k, k);
}

/* Of channel c: x from position p on, and dy. */
static void declare_planes(Kernel *kernel, bool gradient)
{
    long long plane = plane_of(kernel->node);
    kernel_line(kernel, "const vec *v = x + c * %lldL + p;", plane);
    if (gradient)
        kernel_line(kernel, "const vec *d = dy + c * %lldL + p;", plane);
}

static void open_channels(Kernel *kernel, bool gradient)
{
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", input_shape(kernel->node).dim[0]);
    declare_planes(kernel, gradient);
}

static void forward_positions(Kernel *kernel, int positions)
{
    const Node *node = kernel->node;
    long long plane = plane_of(node);
    double channels = (double)input_shape(node).dim[0];
    each(kernel, positions, "vec mean%d = { 0 }, squares%d = { 0 };");
    open_channels(kernel, false);
    each(kernel, positions, "mean%d += v[%d];");
    kernel_line(kernel, "}");
    for (int k = 0; k < positions; k++)
        kernel_line(kernel, "mean%d *= (real)%.17g;", k, 1 / channels);
    open_channels(kernel, false);
    each(kernel, positions, "squares%d += (v[%d] - mean%d) * (v[%d] - mean%d);");
    kernel_line(kernel, "}");
    for (int k = 0; k < positions; k++) {
        kernel_line(
            kernel,
            "const vec inverse%d = (real)1 / vec_sqrt(squares%d * (real)%.17g + (real)%.17g);", k,
            k, 1 / channels, node->args[EPS].real);
        if (kernel->training)
            kernel_line(kernel, "aux[p + %d] = mean%d, aux[%lld + p + %d] = inverse%d;", k, k,
                        plane, k, k);
    }
    open_channels(kernel, false);
    kernel_line(kernel, "vec *to = y + c * %lldL + p;", plane);
    each(kernel, positions,
         is_affine(node) ? "to[%d] = (v[%d] - mean%d) * inverse%d * weight[c] + bias[c];"
                         : "to[%d] = (v[%d] - mean%d) * inverse%d;");
    kernel_line(kernel, "}");
}

/* dx = (g - mean of g - n * mean of g*n) / deviation with g = dy * weight and n
 * the normalised x. */
static void gradient_positions(Kernel *kernel, int positions)
{
    const Node *node = kernel->node;
    long long plane = plane_of(node);
    double channels = (double)input_shape(node).dim[0];
    const char *weight = is_affine(node) ? " * weight[c]" : "";
    for (int k = 0; k < positions; k++)
        kernel_line(kernel, "const vec mean%d = aux[p + %d], inverse%d = aux[%lld + p + %d];", k, k,
                    k, plane, k);
    each(kernel, positions, "vec a%d = { 0 }, b%d = { 0 };");
    open_channels(kernel, true);
    for (int k = 0; k < positions; k++)
        kernel_line(kernel, "{ const vec r = d[%d]%s; a%d += r; b%d += r * (v[%d] - mean%d); }", k,
                    weight, k, k, k, k);
    kernel_line(kernel, "}");
    for (int k = 0; k < positions; k++)
        kernel_line(kernel, "a%d *= (real)%.17g, b%d *= inverse%d * inverse%d * (real)%.17g;", k,
                    1 / channels, k, k, k, 1 / channels);
    open_channels(kernel, true);
    kernel_line(kernel, "vec *to = dx + c * %lldL + p;", plane);
    for (int k = 0; k < positions; k++)
        kernel_line(kernel, "to[%d] %s (d[%d]%s - a%d - (v[%d] - mean%d) * b%d) * inverse%d;", k,
                    node->accumulate ? "+=" : "=", k, weight, k, k, k, k, k);
    kernel_line(kernel, "}");
}

static void emit_positions(Kernel *kernel, void (*some)(Kernel *kernel, int positions))
{
    Int plane = plane_of(kernel->node), whole = plane / TOGETHER * TOGETHER;
    if (whole) {
        open_stepped_pieces(kernel, "p", 0, whole, TOGETHER);
        some(kernel, TOGETHER);
        kernel_line(kernel, "}");
    }
    if (whole < plane) {
        open_stepped_pieces(kernel, "p", whole, plane, plane - whole);
        some(kernel, (int)(plane - whole));
        kernel_line(kernel, "}");
    }
}

static void emit_parameter_gradient(Kernel *kernel)
{
    long long plane = plane_of(kernel->node);
    if (!is_affine(kernel->node))
        return;
    kernel_line(kernel, "const int p = 0;");
    open_pieces(kernel, "c", input_shape(kernel->node).dim[0]);
    declare_planes(kernel, true);
    kernel_line(kernel, "vec a = { 0 }, b = { 0 };");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", plane);
    kernel_line(kernel, "a += d[i] * ((v[i] - aux[i]) * aux[%lld + i]);", plane);
    kernel_line(kernel, "b += d[i];");
    kernel_line(kernel, "}");
    kernel_line(kernel, "dweight[c] = sum_lanes(a);");
    kernel_line(kernel, "dbias[c] = sum_lanes(b);");
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    if (kernel->stage == STAGE_FORWARD)
        emit_positions(kernel, forward_positions);
    else if (kernel->stage == STAGE_BACKWARD_INPUT)
        emit_positions(kernel, gradient_positions);
    else
        emit_parameter_gradient(kernel);
    return true;
}

static void emit_image(ImageKernel *image)
{
    bool affine = is_affine(image->kernel.node);
    double eps = image->kernel.node->args[EPS].real;
    image_norm_channels(image, (ImageNorm){true, affine, affine, eps});
}

const Operator operator_layer_norm2d = {
    .name = "layer_norm2d",
    .summary = "Layer normalisation over the channels at each position, then scaled and shifted.",
    .shape_rule = "[c, h, w] -> [c, h, w]",
    .formula =
        "y[c] = (x[c] - mean) / sqrt(variance + eps) * weight[c] + bias[c] at each position,\n"
        "with the mean and biased variance of its channels; weight starts at 1, bias at 0",
    .reference =
        "Ba et al. 2016, https://arxiv.org/abs/1607.06450\n"
        "torchvision's LayerNorm2d: https://pytorch.org/vision/stable/models/convnext.html",
    .args = args,
    .ranks = RANK(3),
    .input_gradient_reads = READS_X | READS_AUX,
    .parameter_gradient_reads = READS_X | READS_AUX,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
};
