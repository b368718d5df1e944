/* adaptive_avg_pool2d.c: means over windows whose size follows from the wanted
 * output, so that one network takes images of any size.  Along one, two or three axes.
 */
#include "kernels/grain/norm.h"
#include "kernels/grain/tiles.h"
#include "kernels/image/image.h"
#include "ops/window.h"

enum { OUTPUT_SIZE };

static const ArgSpec args_of_2[] = {
    [OUTPUT_SIZE] = {"output_size", ARG_PAIR, ROLE_OUTPUT_SIZE, .positional = true, .minimum = 1,
                     .maximum = LARGEST,
                     .doc = "Rows and columns of the output; 1 is global average pooling."},
    {0}};

static bool infer(Node *node)
{
    infer_fitted_shape(node);
    return true;
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    if (!fits_evenly(node)) {
        emit_span_pool(kernel, span_pool(node, false, false));
        return true;
    }
    Axis rows = layer_rows(node), columns = layer_axis(node, COLUMNS);
    emit_mean(kernel, rows, columns, 1 / ((double)rows.taps * (double)columns.taps));
    return true;
}

static bool is_mean_pool(const Node *node)
{
    (void)node;
    return true;
}

static bool sums(const Node *node, const Node *sums)
{
    return fits_evenly(node) && has_room_for_sums(sums);
}

static bool can_do_image_pool(const Node *node)
{
    Axis columns = layer_axis(node, COLUMNS);
    return !fits_evenly(node) || columns.taps <= MAX_IMAGE_TAPS || columns.positions == 1;
}

static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    if (!fits_evenly(node)) {
        image_span_pool(image, span_pool(node, false, false));
        return;
    }
    Axis rows = layer_rows(node), columns = layer_axis(node, COLUMNS);
    image_window(image, (ChannelWindow){.kind = WINDOW_MEAN,
                                        .channels = input_shape(node).dim[0],
                                        .rows = rows,
                                        .columns = columns,
                                        .scale = 1 / ((double)rows.taps * (double)columns.taps)});
}

#define ADAPTIVE                                                                       \
    .summary = "Means over windows chosen so that the output has the size asked for.", \
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE, .window = WINDOW_FITTED, \
    .infer = infer, .is_mean_pool = is_mean_pool, .can_fuse_sums = sums, .emit = emit, \
    .emit_image = emit_image, .can_do_image = can_do_image_pool

const Operator operator_adaptive_avg_pool1d = {
    .name = "adaptive_avg_pool1d",
    .shape_rule = "[c, t] -> [c, output_size]",
    .formula = "y[c, i] = mean of x[c, p] for p in floor(i*t/steps) to ceil((i+1)*t/steps) - 1",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool1d.html",
    .args = fitted_args_of_1,
    .ranks = RANK(2),
    ADAPTIVE,
};

const Operator operator_adaptive_avg_pool2d = {
    .name = "adaptive_avg_pool2d",
    .shape_rule = "[c, h, w] -> [c, rows, columns] with [rows, columns] = output_size",
    .formula =
        "y[c, i, j] = mean of x[c, p, q] for p in floor(i*h/rows) to ceil((i+1)*h/rows) - 1\n"
        "             and q in floor(j*w/columns) to ceil((j+1)*w/columns) - 1",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html",
    .args = args_of_2,
    .ranks = RANK(3),
    ADAPTIVE,
};

const Operator operator_adaptive_avg_pool3d = {
    .name = "adaptive_avg_pool3d",
    .shape_rule = "[c, d, h, w] -> [c, slices, rows, columns] with\n"
                  "[slices, rows, columns] = output_size",
    .formula = "y[c, s, i, j] = mean of x[c, r, p, q] for r in floor(s*d/slices) to\n"
               "                ceil((s+1)*d/slices) - 1, and p, q likewise",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool3d.html",
    .args = fitted_args_of_3,
    .ranks = RANK(4),
    ADAPTIVE,
};
