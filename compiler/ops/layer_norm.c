/* layer_norm.c: the values of the last axis, or of some of the last, normalised at each position of
 * the others: by their mean and variance, or by their mean square (rms_norm).  An image is on its
 * own.
 *
 *   x            [..., n] or [..., n1, n2]
 *   weight, bias [n]      or [n1, n2]
 */
#include "kernels/grain/row_norm.h"
#include "kernels/image/norm.h"
#include "ops/operator.h"

enum { NORMALIZED_SHAPE, AXES, EPS, ELEMENTWISE_AFFINE, BIAS };

static const ArgSpec layer_norm_args[] = {
    [NORMALIZED_SHAPE] = {"normalized_shape", ARG_SHAPE, .positional = true, .otherwise = "none",
                          .doc = "Asserts the sizes of the last axes, and that it is these."},
    [AXES] = {"axes", ARG_AXES, .otherwise = "-1", .minimum = -MAX_RANK, .maximum = MAX_RANK - 1,
              .doc = "The axes that are normalised together: the last one, or the last ones."},
    [EPS] = {"eps", ARG_REAL, ROLE_EPSILON, .otherwise = "1e-5", .maximum = LARGEST,
             .doc = "Added to the variance before its square root."},
    [ELEMENTWISE_AFFINE] = {"elementwise_affine", ARG_BOOL, .otherwise = "true",
                            .doc = "Whether each place has a learned weight and bias."},
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true",
              .doc = "Whether there is a bias, where there is a weight."},
    {0}};

/* The same places: what both have is found by these. */
static const ArgSpec rms_norm_args[] = {
    [NORMALIZED_SHAPE] = {"normalized_shape", ARG_SHAPE, .positional = true, .otherwise = "none",
                          .doc = "Asserts the sizes of the last axes, and that it is these."},
    [AXES] = {"axes", ARG_AXES, .otherwise = "-1", .minimum = -MAX_RANK, .maximum = MAX_RANK - 1,
              .doc = "The axes that are normalised together: the last one, or the last ones."},
    [EPS] = {"eps", ARG_REAL, ROLE_EPSILON, .otherwise = "none", .maximum = LARGEST,
             .doc =
                 "Added to the mean square before its root; absent: the element type's epsilon."},
    [ELEMENTWISE_AFFINE] = {"elementwise_affine", ARG_BOOL, .otherwise = "true",
                            .doc = "Whether each place has a learned weight."},
    {0}};

static bool is_centred(const Node *node)
{
    return node->op == &operator_layer_norm;
}

/* ---------------------------------------------------------------- axes */

static bool report_axes(const Node *node)
{
    Shape shape = input_shape(node);
    Text choices = {0};
    for (int first = shape.rank - 1; first >= 0; first--) {
        text_add(&choices, "%s[", first < shape.rank - 1 ? ", " : "");
        for (int axis = first; axis < shape.rank; axis++)
            text_add(&choices, "%s%d", axis > first ? ", " : "", axis);
        text_add(&choices, "]");
    }
    Diagnostic *d = node_error(node, "argument-range", node->args[AXES].span,
                               "%s: axes are the last one of %s, or the last ones in their order",
                               node->op->name, shape_text(shape));
    diag_caption(d, "one of %s", text_chars(&choices));
    diag_help(d, "`permute` brings other axes to the end");
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* The first of those that `axes` says. */
static bool first_of_axes(const Node *node, int *first)
{
    const ArgValue *axes = &node->args[AXES];
    int rank = input_shape(node).rank;
    for (int i = 0; i < axes->count; i++) {
        Int axis = axes->integer[i] < 0 ? axes->integer[i] + rank : axes->integer[i];
        if (axis != rank - axes->count + i)
            return report_axes(node);
    }
    *first = rank - axes->count;
    return true;
}

static bool report_sizes(const Node *node)
{
    const ArgValue *sizes = &node->args[NORMALIZED_SHAPE];
    Diagnostic *d = node_error(
        node, "shape-assert", sizes->span, "%s is given %s, but its input is %s", node->op->name,
        shape_text(shape_from(sizes->count, sizes->integer)), shape_text(input_shape(node)));
    diag_caption(d, "the last axes, as many as it has sizes");
    diag_help(d, "leave it out: the last axis is normalised, whatever its size");
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* The first of those whose sizes `normalized_shape` says. */
static bool first_of_sizes(const Node *node, int *first)
{
    const ArgValue *sizes = &node->args[NORMALIZED_SHAPE], *axes = &node->args[AXES];
    Shape shape = input_shape(node);
    if (axes->given && axes->count != sizes->count) {
        Diagnostic *d =
            node_error(node, "argument-range", axes->span,
                       "%s: axes and normalized_shape are not of as many axes", node->op->name);
        diag_label(d, sizes->span, "%d of them", sizes->count);
        diag_help(d, "one of the two is enough");
        return false;
    }
    *first = shape.rank - sizes->count;
    for (int i = 0; i < sizes->count; i++)
        if (*first < 0
            || (sizes->integer[i] != OPEN_SIZE && sizes->integer[i] != shape.dim[*first + i]))
            return report_sizes(node);
    return !axes->given || first_of_axes(node, first);
}

/* The last axis of what convolutions make is no features. */
static bool refuse_image(const Node *node)
{
    if (node->args[AXES].given || node->args[NORMALIZED_SHAPE].given || !is_image_of_layers(node))
        return false;
    Shape shape = input_shape(node);
    Diagnostic *d = node_error(node, "shape-rank", node->span,
                               "%s is of the last axis, which of the image %s is the columns",
                               node->op->name, shape_text(shape));
    node_derivation(d, node->inputs.items[0]);
    if (is_centred(node))
        diag_help(d, "`layer_norm2d` normalises the channels at each position");
    diag_help(d, "`axes=%s` normalises the whole image; `permute` says which axis is the last",
              shape.rank == 3 ? "[0, 1, 2]" : "[0, 1, 2, 3]");
    return true;
}

/* ------------------------------------------------------------ inference */

static bool has_weight(const Node *node)
{
    return node->args[ELEMENTWISE_AFFINE].integer[0];
}

static bool has_bias(const Node *node)
{
    return is_centred(node) && has_weight(node) && node->args[BIAS].integer[0];
}

static RowNorm norm_of(const Node *node)
{
    Shape shape = input_shape(node);
    Int length = 1;
    for (int axis = (int)node->args[AXES].integer[0]; axis < shape.rank; axis++)
        length *= shape.dim[axis];
    return (RowNorm){
        .rows = shape_elements(shape) / length,
        .length = length,
        .repeat = 1,
        .parameters = length,
        .centred = is_centred(node),
        .weight = has_weight(node),
        .bias = has_bias(node),
        .eps = node->args[EPS].real,
    };
}

/* From here on `axes` is the first of them, counted from 0, and an eps that is none below 0: so the
 * kernels find them. */
static bool infer(Node *node)
{
    Shape shape = input_shape(node);
    Init zero = {INIT_CONSTANT, 0, 0}, one = {INIT_CONSTANT, 1, 0};
    int first;
    bool sizes = node->args[NORMALIZED_SHAPE].given;
    if (refuse_image(node) || !(sizes ? first_of_sizes(node, &first) : first_of_axes(node, &first)))
        return false;
    node->args[AXES].integer[0] = first;
    if (!node->args[EPS].given && !is_centred(node))
        node->args[EPS].real = -1;
    node->out_shape = shape;
    if (has_weight(node))
        node_parameter(node, "weight", PARAMETER_TRAINED, one, shape.rank - first,
                       shape.dim + first, 1, 1);
    if (has_bias(node))
        node_parameter(node, "bias", PARAMETER_TRAINED, zero, shape.rank - first, shape.dim + first,
                       1, 1);
    node->aux_shape = row_norm_aux(norm_of(node));
    return true;
}

static bool emit(Kernel *kernel)
{
    emit_row_norm(kernel, norm_of(kernel->node));
    return true;
}

/* Of one image the first axis lies innermost: it is a row by itself, or is none of those that are
 * normalised. */
static bool can_do_image_norm(const Node *node)
{
    return input_shape(node).rank == 1 || node->args[AXES].integer[0] > 0;
}

static void emit_image(ImageKernel *image)
{
    RowNorm norm = norm_of(image->kernel.node);
    ImageNorm own = {norm.centred, norm.weight, norm.bias, row_norm_epsilon(&image->kernel, norm)};
    if (input_shape(image->kernel.node).rank == 1)
        image_norm_channels(image, own);
    else
        image_norm_positions(image, own, norm.length);
}

/* Of axes among which that of the steps is not. */
static bool take_row(Node *row, Int steps)
{
    (void)steps;
    return --row->args[AXES].integer[0] >= 0;
}

const Operator operator_layer_norm = {
    .name = "layer_norm",
    .summary = "Layer normalisation over the last axis, or the last ones, then scaled and shifted.",
    .shape_rule = "any shape, unchanged: [n], [t, d], [h, w, c]",
    .formula = "y[..., i] = (x[..., i] - mean) / sqrt(variance + eps) * weight[i] + bias[i]\n"
               "with the mean and biased variance of x[..., :]; weight starts at 1, bias at 0",
    .reference = "Ba et al. 2016, https://arxiv.org/abs/1607.06450\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html",
    .args = layer_norm_args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X | READS_AUX,
    .parameter_gradient_reads = READS_X | READS_AUX,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = can_do_image_norm,
    .take_row = take_row,
};

const Operator operator_rms_norm = {
    .name = "rms_norm",
    .summary = "The last axis, or the last ones, brought to mean square 1, then scaled.",
    .shape_rule = "any shape, unchanged: [n], [t, d], [h, w, c]",
    .formula = "y[..., i] = x[..., i] / sqrt(mean of x[..., :]^2 + eps) * weight[i]\n"
               "weight starts at 1",
    .reference = "Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html",
    .args = rms_norm_args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X | READS_AUX,
    .parameter_gradient_reads = READS_X | READS_AUX,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = can_do_image_norm,
    .take_row = take_row,
};
