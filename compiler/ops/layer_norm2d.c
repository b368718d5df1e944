/* layer_norm2d.c: each position normalised by the mean and variance of its
 * channels, as ConvNeXt does.  Unlike batch norm, an image is on its own.
 */
#include "kernels/image/image.h"
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

/* For one image a position's channels lie side by side: sums over a row of lanes,
 * then over the lanes.  The last channels that fill no row, of x or of a parameter,
 * are copied to one. */

enum { ROWS_AT_ONCE = 4 }; /* sums that do not wait for one another */

static void image_sum(Kernel *kernel, const char *name, const char *row, const char *last)
{
    Int channels = input_shape(kernel->node).dim[0], lanes = kernel->lanes,
        whole = channels / lanes * lanes;
    Int step = ROWS_AT_ONCE * lanes, fours = channels / step * step;
    kernel_line(kernel, "vec %s[%d] = { 0 };", name, ROWS_AT_ONCE);
    if (fours) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += %lld) {", fours, step);
        for (int k = 0; k < ROWS_AT_ONCE; k++)
            kernel_line(kernel,
                        "{ const vec r = *(const unaligned_vec *)(v + c + %lld); %s[%d] += %s; }",
                        k * lanes, name, k, row);
        kernel_line(kernel, "}");
    }
    for (Int c = fours; c < whole; c += lanes)
        kernel_line(kernel, "{ const vec r = *(const unaligned_vec *)(v + %lld); %s[0] += %s; }", c,
                    name, row);
    if (whole < channels)
        kernel_line(kernel, "%s[1] += %s;", name, last);
}

static void declare_last(Kernel *kernel, const char *name, const char *from)
{
    Int channels = input_shape(kernel->node).dim[0],
        whole = channels / kernel->lanes * kernel->lanes;
    if (whole == channels)
        return;
    kernel_line(kernel, "vec %s = { 0 };", name);
    kernel_line(kernel, "net_copy((real *)&%s, %s + %lld, %lld);", name, from, whole,
                channels - whole);
}

static void image_position(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    Int channels = input_shape(kernel->node).dim[0],
        whole = channels / kernel->lanes * kernel->lanes;
    bool affine = is_affine(kernel->node);
    const char *sum = "sum_lanes((%s[0] + %s[1]) + (%s[2] + %s[3]))";
    kernel_line(kernel, "const real *v = x + p * %lldL;", image->x_stride);
    declare_last(kernel, "last", "v");
    image_sum(kernel, "a", "r", "last");
    kernel_line(kernel, "const real mean = %s / %lld;", format(sum, "a", "a", "a", "a"), channels);
    if (whole < channels) {
        kernel_line(kernel, "vec off = { 0 };");
        kernel_line(kernel, "for (int lane = 0; lane < %lld; lane++)", channels - whole);
        kernel_line(kernel, "    off[lane] = last[lane] - mean;");
    }
    image_sum(kernel, "b", "(r - mean) * (r - mean)", "off * off");
    kernel_line(kernel, "const vec inverse = (real)1 / vec_sqrt(splat(%s / %lld + (real)%.17g));",
                format(sum, "b", "b", "b", "b"), channels, kernel->node->args[EPS].real);
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        image_store(
            image, "p", "c", kernel->lanes,
            format(
                "(*(const unaligned_vec *)(v + c) - mean) * inverse%s",
                affine
                    ? " * *(const unaligned_vec *)(weight + c) + *(const unaligned_vec *)(bias + c)"
                    : ""));
        kernel_line(kernel, "}");
    }
    if (whole < channels)
        image_store(image, "p", format("%lld", whole), channels - whole,
                    format("off * inverse%s", affine ? " * last_weight + last_bias" : ""));
}

static void emit_image(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    if (is_affine(kernel->node)) {
        declare_last(kernel, "last_weight", "weight");
        declare_last(kernel, "last_bias", "bias");
    }
    open_pieces(kernel, "p", plane_of(kernel->node));
    image_position(image);
    kernel_line(kernel, "}");
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
