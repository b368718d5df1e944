/* adaptive_avg_pool2d.c: means over windows whose size follows from the wanted
 * output, so that one network takes images of any size.
 */
#include "kernels/grain/norm.h"
#include "kernels/grain/tiles.h"
#include "kernels/image/image.h"
#include "ops/window.h"

enum { OUTPUT_SIZE };

static const ArgSpec args[] = {
    [OUTPUT_SIZE] = {"output_size", ARG_PAIR, ROLE_OUTPUT_SIZE, .positional = true, .minimum = 1,
                     .maximum = LARGEST,
                     .doc = "Rows and columns of the output; 1 is global average pooling."},
    {0}};

static bool infer(Node *node)
{
    const Int *size = node->args[OUTPUT_SIZE].integer;
    node->out_shape = shape_of(3, input_shape(node).dim[0], size[0], size[1]);
    return true;
}

static Axis forward_axis(const Node *node, int axis)
{
    Int in = input_shape(node).dim[1 + axis], out = node->out->shape.dim[1 + axis];
    return (Axis){
        .sources = in, .positions = out, .taps = in / out, .stride = in / out, .dilation = 1};
}

/* Where the output's size divides the input's. */
static bool has_like_windows(const Node *node)
{
    Shape in = input_shape(node), out = node->out->shape;
    return in.dim[1] % out.dim[1] == 0 && in.dim[2] % out.dim[2] == 0;
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Shape in = input_shape(node), out = node->out->shape;
    if (!has_like_windows(node))
        return false;
    double count = (double)(in.dim[1] / out.dim[1]) * (double)(in.dim[2] / out.dim[2]);
    emit_mean(kernel, forward_axis(node, 0), forward_axis(node, 1), 1 / count);
    return true;
}

static bool is_mean_pool(const Node *node)
{
    (void)node;
    return true;
}

static bool sums(const Node *node, const Node *sums)
{
    return has_like_windows(node) && has_room_for_sums(sums);
}

static bool can_do_image_pool(const Node *node)
{
    Axis columns = forward_axis(node, 1);
    return has_like_windows(node) && (columns.taps <= MAX_IMAGE_TAPS || columns.positions == 1);
}

static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    Axis rows = forward_axis(node, 0), columns = forward_axis(node, 1);
    image_window(image, (ChannelWindow){.kind = WINDOW_MEAN,
                                        .channels = input_shape(node).dim[0],
                                        .rows = rows,
                                        .columns = columns,
                                        .scale = 1 / ((double)rows.taps * (double)columns.taps)});
}

const Operator operator_adaptive_avg_pool2d = {
    .name = "adaptive_avg_pool2d",
    .summary = "Means over windows chosen so that the output has the size asked for.",
    .shape_rule = "[c, h, w] -> [c, rows, columns] with [rows, columns] = output_size",
    .formula =
        "y[c, i, j] = mean of x[c, p, q] for p in floor(i*h/rows) to ceil((i+1)*h/rows) - 1\n"
        "             and q in floor(j*w/columns) to ceil((j+1)*w/columns) - 1",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html",
    .args = args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .ranks = RANK(3),
    .window = WINDOW_FITTED,
    .infer = infer,
    .is_mean_pool = is_mean_pool,
    .can_fuse_sums = sums,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = can_do_image_pool,
};
