/* prelu.c: the rectifier with a learned slope below 0, one for all channels or
 * one for each.
 */
#include "kernels/image/image.h"
#include "ops/operator.h"

enum { NUM_PARAMETERS, INIT };

static const ArgSpec args[] = {
    [NUM_PARAMETERS] = {"num_parameters", ARG_INT, ROLE_PER_CHANNEL, .positional = true,
                        .otherwise = "1", .minimum = 1, .maximum = LARGEST,
                        .doc = "Slopes: 1, or as many as the input has channels."},
    [INIT] = {"init", ARG_REAL, .positional = true, .otherwise = "0.25",
              .doc = "What every slope starts at."},
    {0}};

static bool infer(Node *node)
{
    Int slopes = node->args[NUM_PARAMETERS].integer[0], channels = input_shape(node).dim[0];
    if (slopes != 1 && slopes != channels) {
        Diagnostic *d =
            node_error(node, "argument-range", node->args[NUM_PARAMETERS].span,
                       "prelu: %lld slopes are neither 1 nor the input's %lld", slopes, channels);
        diag_caption(d, "1 or %lld", channels);
        node_derivation(d, node->inputs.items[0]);
        return false;
    }
    Init init = {INIT_CONSTANT, node->args[INIT].real, 0};
    node_parameter(node, "weight", PARAMETER_TRAINED, init, 1, &slopes, 1, 1);
    return infer_same_shape(node);
}

static bool is_shared(const Node *node)
{
    return node->args[NUM_PARAMETERS].integer[0] == 1;
}

/* `kept` where x is above 0, and times the slope where it is not. */
static void emit_values(Kernel *kernel, const char *to, const char *kept)
{
    const Node *node = kernel->node;
    Shape shape = input_shape(node);
    const char *at = format("c * %lldL + i", shape_plane(shape)),
               *value = format("%s[%s]", kept, at), *target = format("%s[%s]", to, at);
    open_pieces(kernel, "c", shape.dim[0]);
    kernel_line(kernel, "const real slope = weight[%s];", is_shared(node) ? "0" : "c");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", shape_plane(shape));
    kernel_store(kernel, target, at,
                 format("%svec_select(x[%s] > (vec){ 0 }, %s, %s * slope)",
                        node->accumulate ? format("%s + ", target) : "", at, value, value));
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* Each channel's sum, and theirs where they share a slope. */
static void emit_parameter_gradient(Kernel *kernel)
{
    Shape shape = input_shape(kernel->node);
    const char *at = format("c * %lldL + i", shape_plane(shape));
    bool shared = is_shared(kernel->node);
    if (shared) {
        kernel->splits = false; /* a sum over all channels */
        kernel_line(kernel, "vec total = { 0 };");
    }
    open_pieces(kernel, "c", shape.dim[0]);
    kernel_line(kernel, "vec sum = { 0 };");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++)", shape_plane(shape));
    kernel_line(kernel, "    sum += vec_select(x[%s] > (vec){ 0 }, (vec){ 0 }, x[%s] * dy[%s]);",
                at, at, at);
    kernel_line(kernel, shared ? "total += sum;" : "dweight[c] = sum_lanes(sum);");
    kernel_line(kernel, "}");
    if (shared)
        kernel_line(kernel, "dweight[0] = sum_lanes(total);");
}

static bool emit(Kernel *kernel)
{
    if (kernel->stage == STAGE_FORWARD)
        emit_values(kernel, "y", "x");
    else if (kernel->stage == STAGE_BACKWARD_INPUT)
        emit_values(kernel, "dx", "dy");
    else
        emit_parameter_gradient(kernel);
    return true;
}

static void image_values(ImageKernel *image, const char *channel, Int used, const char *slope)
{
    kernel_line(&image->kernel, "{");
    kernel_line(&image->kernel, "const vec v = *(const unaligned_vec *)(x + p * %lldL + %s);",
                image->x_stride, channel);
    image_store(image, "p", channel, used, format("vec_select(v > (vec){ 0 }, v, v * %s)", slope));
    kernel_line(&image->kernel, "}");
}

/* The slopes of the channels that fill no vector, of which no more may be read. */
static void declare_last_slopes(Kernel *kernel, Int whole, Int channels)
{
    if (is_shared(kernel->node)) {
        kernel_line(kernel, "const vec slope = splat(weight[0]);");
    } else if (whole < channels) {
        kernel_line(kernel, "vec slope = { 0 };");
        kernel_line(kernel, "net_copy((real *)&slope, weight + %lld, %lld);", whole,
                    channels - whole);
    }
}

static void emit_image(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    Shape shape = input_shape(kernel->node);
    Int channels = shape.dim[0], whole = channels / kernel->lanes * kernel->lanes;
    declare_last_slopes(kernel, whole, channels);
    open_pieces(kernel, "p", shape_plane(shape));
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES)", whole);
        image_values(image, "c", kernel->lanes,
                     is_shared(kernel->node) ? "slope" : "*(const unaligned_vec *)(weight + c)");
    }
    if (whole < channels)
        image_values(image, format("%lld", whole), channels - whole, "slope");
    kernel_line(kernel, "}");
}

/* The first axis, whose slopes they are, is that of the steps. */
static void emit_row(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    Shape shape = input_shape(kernel->node);
    Int channels = shape.dim[0], whole = channels / kernel->lanes * kernel->lanes;
    kernel_line(kernel, "const vec slope = splat(weight[%s]);",
                is_shared(kernel->node) ? "0" : "s->row");
    open_pieces(kernel, "p", shape_plane(shape));
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES)", whole);
        image_values(image, "c", kernel->lanes, "slope");
    }
    if (whole < channels)
        image_values(image, format("%lld", whole), channels - whole, "slope");
    kernel_line(kernel, "}");
}

/* One row for all steps would have to have one slope for all. */
static bool take_row(Node *row, Int steps)
{
    return is_shared(row) || input_shape(row->sequence).dim[0] == steps;
}

const Operator operator_prelu = {
    .name = "prelu",
    .summary = "Rectified linear unit that multiplies negative values by a learned slope.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x where x > 0, else weight[c]*x, or weight[0]*x if there is one slope\n"
               "the gradient at 0 is the slope; weight starts at init",
    .reference = "He et al. 2015, https://arxiv.org/abs/1502.01852\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.PReLU.html",
    .args = args,
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X,
    .parameter_gradient_reads = READS_X,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_row,
    .emit_row = emit_row,
};
