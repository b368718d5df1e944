/* bilinear.c: a learned product of two tensors, on the last axis.
 *
 *   x1 [..., in1]   x2 [..., in2]   weight [out, in1, in2]   bias [out]
 */
#include "ops/operator.h"

#include <math.h>

enum { OUT_FEATURES, BIAS };

static const ArgSpec args[] = {[OUT_FEATURES] = {"out_features", ARG_INT, ROLE_CHANNELS,
                                                 .minimum = 1, .maximum = LARGEST,
                                                 .doc = "Values of the output."},
                               [BIAS] = {"bias", ARG_BOOL, .otherwise = "true",
                                         .doc = "Whether a learned value is added to each output."},
                               {0}};

static Int in_of(const Node *node, int which)
{
    return shape_last(node->inputs.items[which]->shape);
}

static Int rows_of(const Node *node)
{
    return shape_elements(input_shape(node)) / in_of(node, 0);
}

/* PyTorch's default: weight and bias uniform in ±1/sqrt(in1). */
static bool infer(Node *node)
{
    Shape first = input_shape(node), second = node->inputs.items[1]->shape;
    int last = first.rank - 1;
    Int out = node->args[OUT_FEATURES].integer[0];
    if (first.rank != second.rank
        || !shape_equal(shape_with(first, last, 1), shape_with(second, last, 1))) {
        Diagnostic *d =
            node_error(node, "join-mismatch", node->span,
                       "bilinear needs shapes that are equal but for the last axis: %s "
                       "is %s, %s is %s",
                       branch_name(0), shape_text(first), branch_name(1), shape_text(second));
        label_branches(d, node);
        return false;
    }
    Int dim[] = {out, shape_last(first), shape_last(second)};
    double bound = 1 / sqrt((double)dim[1]);
    Init init = {INIT_UNIFORM, -bound, bound};
    Int fan_in = saturating_product(2, dim + 1),
        fan_out = saturating_product(2, (Int[]){out, dim[2]});
    node_parameter(node, "weight", PARAMETER_TRAINED, init, 3, dim, fan_in, fan_out);
    if (node->args[BIAS].integer[0])
        node_parameter(node, "bias", PARAMETER_TRAINED, init, 1, &out, fan_in, fan_out);
    node->out_shape = shape_with(first, last, out);
    return true;
}

static Int multiply_adds(const Node *node)
{
    Int factors[] = {rows_of(node), node->args[OUT_FEATURES].integer[0], in_of(node, 0),
                     in_of(node, 1)};
    return saturating_product(4, factors);
}

/* In row `row`, an inner product of a vector and of a row, or a column, of an output's weights. */
static void emit_forward(Kernel *kernel, Int in1, Int in2, Int out)
{
    bool bias = find_parameter(kernel->node, "bias");
    open_pieces(kernel, "i", rows_of(kernel->node) * out);
    kernel_line(kernel, "const int64_t row = i / %lld, o = i %% %lld;", out, out);
    kernel_line(kernel, "vec sum = splat(%s);", bias ? "bias[o]" : "0");
    kernel_line(kernel, "for (int k = 0; k < %lld; k++) {", in1);
    kernel_line(kernel, "const real *w = weight + (o * %lldL + k) * %lldL;", in1, in2);
    kernel_line(kernel, "vec inner = { 0 };");
    kernel_line(kernel, "for (int j = 0; j < %lld; j++)", in2);
    kernel_line(kernel, "    inner += x1[row * %lldL + j] * w[j];", in2);
    kernel_line(kernel, "sum += inner * x0[row * %lldL + k];", in1);
    kernel_line(kernel, "}");
    kernel_line(kernel, "y[i] = sum;");
    kernel_line(kernel, "}");
}

/* Value `i` of an input: of each output, the inner product of the other and its weights. */
static void emit_input_gradient(Kernel *kernel, Int in1, Int in2, Int out)
{
    bool first = kernel->node->which == 0;
    Int own = first ? in1 : in2, other = first ? in2 : in1;
    open_pieces(kernel, "i", rows_of(kernel->node) * own);
    kernel_line(kernel, "const int64_t row = i / %lld, k = i %% %lld;", own, own);
    kernel_line(kernel, "vec sum = { 0 };");
    kernel_line(kernel, "for (int o = 0; o < %lld; o++) {", out);
    kernel_line(kernel, "const real *w = weight + o * %lldL + k%s;", in1 * in2,
                first ? format(" * %lldL", in2) : "");
    kernel_line(kernel, "vec inner = { 0 };");
    kernel_line(kernel, "for (int j = 0; j < %lld; j++)", other);
    kernel_line(kernel, "    inner += x%d[row * %lldL + j] * w[j%s];", first, other,
                first ? "" : format(" * %lldL", in2));
    kernel_line(kernel, "sum += inner * dy[row * %lldL + o];", out);
    kernel_line(kernel, "}");
    kernel_line(kernel, "dx[i] %s sum;", kernel->node->accumulate ? "+=" : "=");
    kernel_line(kernel, "}");
}

static void emit_parameter_gradients(Kernel *kernel, Int in1, Int in2, Int out)
{
    const char *rows = format("for (int row = 0; row < %lld; row++)", rows_of(kernel->node));
    open_pieces(kernel, "i", out * in1);
    kernel_line(kernel, "const int64_t o = i / %lld, k = i %% %lld;", in1, in1);
    if (find_parameter(kernel->node, "bias")) {
        kernel_line(kernel, "if (k == 0) {");
        kernel_line(kernel, "vec sum = { 0 };");
        kernel_line(kernel, "%s", rows);
        kernel_line(kernel, "    sum += dy[row * %lldL + o];", out);
        kernel_line(kernel, "dbias[o] = sum_lanes(sum);");
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "for (int j = 0; j < %lld; j++) {", in2);
    kernel_line(kernel, "vec sum = { 0 };");
    kernel_line(kernel, "%s", rows);
    kernel_line(kernel,
                "    sum += dy[row * %lldL + o] * x0[row * %lldL + k] * x1[row * %lldL + j];", out,
                in1, in2);
    kernel_line(kernel, "dweight[i * %lldL + j] = sum_lanes(sum);", in2);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int in1 = in_of(node, 0), in2 = in_of(node, 1), out = node->args[OUT_FEATURES].integer[0];
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel, in1, in2, out);
    else if (kernel->stage == STAGE_BACKWARD_INPUT)
        emit_input_gradient(kernel, in1, in2, out);
    else
        emit_parameter_gradients(kernel, in1, in2, out);
    return true;
}

const Operator operator_bilinear = {
    .name = "bilinear",
    .summary = "A learned product of two tensors, on the last axis.",
    .shape_rule = "[..., in1], [..., in2] -> [..., out_features]",
    .formula = "y[o] = sum over i, j of x1[i] * weight[o, i, j] * x2[j] + bias[o]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Bilinear.html",
    .args = args,
    .traits = OP_JOINS | OP_LAST_AXIS | OP_UNBOUNDED,
    .joined = 2,
    .input_gradient_reads = READS_X,
    .parameter_gradient_reads = READS_X,
    .infer = infer,
    .multiply_adds = multiply_adds,
    .emit = emit,
    .take_row = take_features,
};
