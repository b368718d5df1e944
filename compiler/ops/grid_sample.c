/* grid_sample.c: an image's values at places that a second tensor gives, and the places of an
 * affine map: spatial transformers (Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025).
 */
#include "kernels/grain/sampling.h"
#include "kernels/image/sampling.h"
#include "ops/operator.h"

enum { MODE, PADDING_MODE, ALIGN_CORNERS };

static const char *const modes[] = {"bilinear", "nearest", "bicubic", NULL};
static const char *const padding_modes[] = {"zeros", "border", "reflection", NULL};

static const ArgSpec sample_args[] = {
    [MODE] = {"mode", ARG_WORD, .otherwise = "bilinear", .words = modes,
              .doc = "How values between are had; bicubic of images only."},
    [PADDING_MODE] = {"padding_mode", ARG_WORD, .otherwise = "zeros", .words = padding_modes,
                      .doc = "What lies outside: zeros, the nearest edge, or the mirrored image."},
    [ALIGN_CORNERS] = {"align_corners", ARG_BOOL, .otherwise = "false",
                       .doc = "Whether -1 and 1 are the middles of the outer values, not their "
                              "outer edges."},
    {0}};

static bool report_grid(const Node *node, Shape image, Shape grid)
{
    int axes = image.rank - 1;
    Diagnostic *d = node_error(node, "join-mismatch", node->span,
                               "grid_sample of %s needs a grid %s, not %s", shape_text(image),
                               axes == 2 ? "[rows, columns, 2]" : "[depth, rows, columns, 3]",
                               shape_text(grid));
    diag_caption(d, "the first is the image, the second the grid: %d numbers for each place", axes);
    label_branches(d, node);
    return false;
}

static bool infer_sample(Node *node)
{
    Shape image = input_shape(node), grid = node->inputs.items[1]->shape;
    if (grid.rank != image.rank || shape_last(grid) != image.rank - 1)
        return report_grid(node, image, grid);
    if (image.rank == 4 && node->args[MODE].word == intern("bicubic")) {
        Diagnostic *d = node_error(node, "argument-range", node->args[MODE].span,
                                   "grid_sample: mode=bicubic is not of %s", shape_text(image));
        diag_caption(d, "bilinear or nearest is");
        return false;
    }
    node->out_shape = image;
    for (int axis = 1; axis < image.rank; axis++)
        node->out_shape.dim[axis] = grid.dim[axis - 1];
    return true;
}

static Sampling sampling_of(const Node *node)
{
    const char *mode = node->args[MODE].word, *padding = node->args[PADDING_MODE].word;
    Shape image = input_shape(node), out = node->out->shape;
    Sampling sampling = {
        .axes = image.rank - 1,
        .taps = mode == intern("nearest")   ? 1
                : mode == intern("bicubic") ? 4
                                            : 2,
        .align_corners = node->args[ALIGN_CORNERS].integer[0],
        .padding = padding == intern("zeros")    ? SAMPLE_ZEROS
                   : padding == intern("border") ? SAMPLE_BORDER
                                                 : SAMPLE_REFLECTION,
        .channels = image.dim[0],
        .plane = shape_plane(image),
        .places = shape_plane(out),
        .rows = out.dim[1],
    };
    for (int axis = 0; axis < sampling.axes; axis++)
        sampling.size[axis] = image.dim[1 + axis];
    return sampling;
}

static bool emit_sample(Kernel *kernel)
{
    const Sampling sampling = sampling_of(kernel->node);
    if (!can_sample(&sampling, kernel->lanes))
        return false;
    if (kernel->stage == STAGE_FORWARD)
        emit_samples(kernel, &sampling);
    else if (kernel->node->which == 0)
        emit_sampled_gradient(kernel, &sampling);
    else
        emit_place_gradient(kernel, &sampling);
    return true;
}

static bool can_do_image_sample(const Node *node)
{
    const Sampling sampling = sampling_of(node);
    return can_sample(&sampling, 1);
}

static void emit_image_sample(ImageKernel *image)
{
    const Sampling sampling = sampling_of(image->kernel.node);
    image_samples(image, &sampling);
}

enum { SIZE, CORNERS };

static const ArgSpec affine_args[] = {
    [SIZE] = {"size", ARG_INTS, .positional = true, .minimum = 1, .maximum = LARGEST,
              .doc = "Of what is sampled: [rows, columns] or [depth, rows, columns]."},
    [CORNERS] = {"align_corners", ARG_BOOL, .otherwise = "false",
                 .doc = "Whether -1 and 1 are the middles of the outer values, not their outer "
                        "edges."},
    {0}};

static bool infer_affine(Node *node)
{
    Shape theta = input_shape(node);
    int axes = node->args[SIZE].count;
    if (axes != 2 && axes != 3) {
        Diagnostic *d = node_error(node, "argument-range", node->args[SIZE].span,
                                   "affine_grid needs two sizes or three, not %d", axes);
        diag_caption(d, "[rows, columns] or [depth, rows, columns]");
        return false;
    }
    if (theta.dim[0] != axes || theta.dim[1] != axes + 1) {
        Diagnostic *d = node_error(node, "shape-mismatch", node->span,
                                   "affine_grid takes a map [%d, %d], not %s", axes, axes + 1,
                                   shape_text(theta));
        diag_caption(d, "%d rows of %d factors and a shift", axes, axes);
        node_derivation(d, node->inputs.items[0]);
        return false;
    }
    const Int *size = node->args[SIZE].integer;
    Int dims[] = {size[0], size[1], axes == 3 ? size[2] : 2, 3};
    node->out_shape = shape_from(axes + 1, dims);
    return true;
}

/* What a position's numbers are: the last axis's, then the one's before it, and so on, each from -1
 * to 1 between the outer values' middles, or edges. */
static void declare_bases(Kernel *kernel, const ArgValue *size, bool corners)
{
    for (int k = 0; k < size->count; k++) {
        int axis = size->count - 1 - k;
        double all = (double)size->integer[axis], step = 2 / all, first = 1 / all - 1;
        if (corners) {
            step = all > 1 ? 2 / (all - 1) : 0;
            first = all > 1 ? -1 : 0;
        }
        kernel_line(kernel, "const real base%d = (real)i%d * (real)%.17g + (real)%.17g;", k, axis,
                    step, first);
    }
}

/* The loops over the positions from axis `from` on; inside, `place` is their number. */
static void open_positions(Kernel *kernel, const ArgValue *size, int from)
{
    for (int axis = from; axis < size->count; axis++)
        kernel_line(kernel, "for (int i%d = 0; i%d < %lld; i%d++) {", axis, axis,
                    size->integer[axis], axis);
    kernel_line(kernel, "const int64_t place = %s;",
                size->count == 2
                    ? format("i0 * %lldL + i1", size->integer[1])
                    : format("(i0 * %lldL + i1) * %lldL + i2", size->integer[1], size->integer[2]));
}

static void close_positions(Kernel *kernel, int count)
{
    for (int i = 0; i < count; i++)
        kernel_line(kernel, "}");
}

static void emit_grid(Kernel *kernel, const ArgValue *size, bool corners)
{
    int axes = size->count;
    open_pieces(kernel, "i0", size->integer[0]);
    open_positions(kernel, size, 1);
    declare_bases(kernel, size, corners);
    for (int r = 0; r < axes; r++) {
        Text sum = {0};
        for (int k = 0; k < axes; k++)
            text_add(&sum, "x[%d] * base%d + ", r * (axes + 1) + k, k);
        kernel_line(kernel, "y[place * %d + %d] = %sx[%d];", axes, r, text_chars(&sum),
                    r * (axes + 1) + axes);
    }
    close_positions(kernel, axes);
}

/* Each row of the map by itself: its sums are over all places. */
static void emit_grid_gradient(Kernel *kernel, const ArgValue *size, bool corners)
{
    int axes = size->count;
    open_pieces(kernel, "r", axes);
    for (int k = 0; k <= axes; k++)
        kernel_line(kernel, "vec sum%d = { 0 };", k);
    open_positions(kernel, size, 0);
    declare_bases(kernel, size, corners);
    kernel_line(kernel, "const vec d = dy[place * %d + r];", axes);
    for (int k = 0; k < axes; k++)
        kernel_line(kernel, "sum%d += d * base%d;", k, k);
    kernel_line(kernel, "sum%d += d;", axes);
    close_positions(kernel, axes);
    for (int k = 0; k <= axes; k++)
        kernel_line(kernel, "dx[r * %d + %d] %s sum%d;", axes + 1, k,
                    kernel->node->accumulate ? "+=" : "=", k);
    kernel_line(kernel, "}");
}

static bool emit_affine(Kernel *kernel)
{
    const Node *node = kernel->node;
    bool corners = node->args[CORNERS].integer[0];
    (kernel->stage == STAGE_FORWARD ? emit_grid : emit_grid_gradient)(kernel, &node->args[SIZE],
                                                                      corners);
    return true;
}

const Operator operator_grid_sample = {
    .name = "grid_sample",
    .summary = "An image's values at the places that a grid gives.",
    .shape_rule = "[c, h, w], [rows, columns, 2] -> [c, rows, columns]\n"
                  "[c, d, h, w], [depth, rows, columns, 3] -> [c, depth, rows, columns]",
    .formula = "y[c, i, j] = x[c] at row (grid[i, j, 1] + 1)*h/2 - 0.5 and column\n"
               "(grid[i, j, 0] + 1)*w/2 - 0.5; with align_corners (grid + 1)*(h - 1)/2",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html",
    .args = sample_args,
    .traits = OP_JOINS | OP_TAKES_EPILOGUE,
    .ranks = RANK(3) | RANK(4),
    .joined = 2,
    .input_gradient_reads = READS_X,
    .infer = infer_sample,
    .emit = emit_sample,
    .emit_image = emit_image_sample,
    .can_do_image = can_do_image_sample,
};

const Operator operator_affine_grid = {
    .name = "affine_grid",
    .summary = "The places that an affine map gives: a grid for grid_sample.",
    .shape_rule = "[2, 3] -> [rows, columns, 2]; [3, 4] -> [depth, rows, columns, 3]",
    .formula = "y[i, j] = theta times (x, y, 1) of that place, each from -1 to 1",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.functional.affine_grid.html",
    .args = affine_args,
    .ranks = RANK(2),
    .infer = infer_affine,
    .emit = emit_affine,
};
