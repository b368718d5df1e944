/* softmax.c: values over an axis as probabilities; softmin is that of the values negated. */
#include "kernels/grain/softmax.h"
#include "ops/operator.h"

enum { AXIS };

static const ArgSpec args[] = {[AXIS] = AXIS_ARG("0", "Over which axis; -1 is the last."), {0}};

static bool infer(Node *node)
{
    int axis;
    return node_axis(node, AXIS, &axis) && infer_same_shape(node);
}

static bool negates(const Node *node)
{
    return node->op == &operator_softmin;
}

static void emit_forward(Kernel *kernel, Lines lines)
{
    Int channels = lines.size, plane = lines.inner;
    kernel_line(kernel, "vec *to = y + %s;", line_begin(lines, "i"));
    if (negates(kernel->node)) {
        kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)", channels * plane, plane);
        kernel_line(kernel, "    to[c] = -x[%s + c];", line_begin(lines, "i"));
        kernel_line(kernel, "const vec *v = to;");
    } else {
        kernel_line(kernel, "const vec *v = x + %s;", line_begin(lines, "i"));
    }
    emit_exponential_total(kernel, channels, plane, "to");
    kernel_line(kernel, "total = (real)1 / total;");
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)", channels * plane, plane);
    kernel_line(kernel, "    to[c] *= total;");
}

static void emit_backward(Kernel *kernel, Lines lines)
{
    Int step = lines.inner;
    kernel_line(kernel, "const int64_t first = %s, end = first + %lld;", line_begin(lines, "i"),
                lines.size * lines.inner);
    kernel_line(kernel, "vec mean = { 0 };");
    kernel_line(kernel, "for (int64_t c = first; c < end; c += %lld)", step);
    kernel_line(kernel, "    mean += dy[c] * y[c];");
    kernel_line(kernel, "for (int64_t c = first; c < end; c += %lld)", step);
    kernel_line(kernel, "    dx[c] %s y[c] * (%s);", kernel->node->accumulate ? "+=" : "=",
                negates(kernel->node) ? "mean - dy[c]" : "dy[c] - mean");
}

static bool emit(Kernel *kernel)
{
    int axis;
    node_axis(kernel->node, AXIS, &axis);
    Lines lines = lines_of(input_shape(kernel->node), axis);
    open_pieces(kernel, "i", lines.outer * lines.inner);
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel, lines);
    else
        emit_backward(kernel, lines);
    kernel_line(kernel, "}");
    return true;
}

/* Along another axis than that of the steps. */
static bool take_row(Node *row, Int steps)
{
    (void)steps;
    return take_row_of_axis(row, AXIS);
}

const Operator operator_softmin = {
    .name = "softmin",
    .summary = "Softmax of the values negated: the least gets most.",
    .shape_rule = "any shape, unchanged",
    .formula = "y[c] = exp(-x[c]) / sum over k of exp(-x[k])",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Softmin.html (dim=1)",
    .args = args,
    .input_gradient_reads = READS_Y,
    .infer = infer,
    .emit = emit,
    .take_row = take_row,
};

const Operator operator_softmax = {
    .name = "softmax",
    .summary = "Softmax over the channels at each position, or over another axis: positive "
               "values that sum to 1.",
    .shape_rule = "any shape, unchanged",
    .formula = "y[c] = exp(x[c]) / sum over k of exp(x[k])\n"
               "dx[c] = y[c] * (dy[c] - sum over k of dy[k]*y[k])",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Softmax.html (dim=1)",
    .args = args,
    .input_gradient_reads = READS_Y,
    .infer = infer,
    .emit = emit,
    .take_row = take_row,
};
