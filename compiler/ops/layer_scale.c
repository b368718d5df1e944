/* layer_scale.c: a learned factor per channel, which starts small so that a
 * residual branch begins near nothing.
 */
#include "kernels/image/image.h"
#include "ops/operator.h"

enum { INIT };

static const ArgSpec args[] = {[INIT] = {"init", ARG_REAL, .positional = true, .otherwise = "1e-6",
                                         .doc = "What every factor starts at."},
                               {0}};

/* In PyTorch's ConvNeXt the factors are a parameter of the block itself, not
 * of a layer in it: their name in the state is this layer's own. */
static bool infer(Node *node)
{
    node->out_shape = input_shape(node);
    Int dim[] = {input_shape(node).dim[0], 1, 1};
    Init init = {INIT_CONSTANT, node->args[INIT].real, 0};
    node_parameter(node, "weight", PARAMETER_TRAINED, init, 3, dim, 1, 1)->path = node->path;
    return true;
}

static void emit_scaled(Kernel *kernel, long long channels, long long plane, const char *to,
                        const char *becomes, const char *from)
{
    open_pieces(kernel, "c", channels);
    kernel_line(kernel, "for (int i = 0; i < %lld; i++)", plane);
    kernel_line(kernel, "    %s[c * %lldL + i] %s %s[c * %lldL + i] * weight[c];", to, plane,
                becomes, from, plane);
    kernel_line(kernel, "}");
}

static void emit_parameter_gradient(Kernel *kernel, long long channels, long long plane)
{
    open_pieces(kernel, "c", channels);
    kernel_line(kernel, "vec a = { 0 };");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++)", plane);
    kernel_line(kernel, "    a += dy[c * %lldL + i] * x[c * %lldL + i];", plane, plane);
    kernel_line(kernel, "dweight[c] = sum_lanes(a);");
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    Shape shape = input_shape(kernel->node);
    Int plane = shape_plane(shape);
    if (kernel->stage == STAGE_FORWARD)
        emit_scaled(kernel, shape.dim[0], plane, "y", "=", "x");
    else if (kernel->stage == STAGE_BACKWARD_INPUT)
        emit_scaled(kernel, shape.dim[0], plane, "dx", kernel->node->accumulate ? "+=" : "=", "dy");
    else
        emit_parameter_gradient(kernel, shape.dim[0], plane);
    return true;
}

static void emit_image(ImageKernel *image)
{
    image_scale(image, image->kernel.node->parameters.items[0], NULL);
}

/* The first axis, whose factors they are, is that of the steps: a row has one. */
static void emit_row(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    Shape shape = input_shape(kernel->node);
    open_pieces(kernel, "p", shape_plane(shape));
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c++)", shape.dim[0]);
    kernel_line(kernel, "    y[p * %lldL + c] = x[p * %lldL + c] * weight[s->row];",
                image->y_stride, image->x_stride);
    kernel_line(kernel, "}");
}

static bool take_row(Node *row, Int steps)
{
    return input_shape(row->sequence).dim[0] == steps;
}

const Operator operator_layer_scale = {
    .name = "layer_scale",
    .summary = "Each channel times a learned factor that starts small.",
    .shape_rule = "[c, h, w] -> [c, h, w]",
    .formula =
        "y[c, i, j] = x[c, i, j] * weight[c]; in the state the weights bear the layer's own name",
    .reference = "Touvron et al. 2021, https://arxiv.org/abs/2103.17239",
    .args = args,
    .traits = OP_IN_PLACE,
    .ranks = RANK(3),
    .parameter_gradient_reads = READS_X,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_row,
    .emit_row = emit_row,
};
