/* cumsum.c: running sums along an axis. */
#include "ops/operator.h"

enum { AXIS };

static const ArgSpec args[] = {[AXIS] = AXIS_ARG("0", "Along which axis; -1 is the last."), {0}};

static bool infer(Node *node)
{
    int axis;
    return node_axis(node, AXIS, &axis) && infer_same_shape(node);
}

/* On the way back the sums run from the end. */
static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    int axis;
    node_axis(node, AXIS, &axis);
    Lines lines = lines_of(input_shape(node), axis);
    open_pieces(kernel, "i", lines.outer * lines.inner);
    kernel_line(kernel, "const int64_t first = %s;", line_begin(lines, "i"));
    kernel_line(kernel, "vec total = { 0 };");
    if (kernel->stage == STAGE_FORWARD) {
        kernel_line(kernel, "for (int64_t c = first; c < first + %lld; c += %lld)",
                    lines.size * lines.inner, lines.inner);
        kernel_line(kernel, "    y[c] = total += x[c];");
    } else {
        kernel_line(kernel, "for (int64_t c = first + %lld; c >= first; c -= %lld) {",
                    (lines.size - 1) * lines.inner, lines.inner);
        kernel_line(kernel, "total += dy[c];");
        kernel_line(kernel, "dx[c] %s total;", node->accumulate ? "+=" : "=");
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
    return true;
}

/* Along another axis than that of the steps. */
static bool take_row(Node *row, Int steps)
{
    (void)steps;
    return take_row_of_axis(row, AXIS);
}

const Operator operator_cumsum = {
    .name = "cumsum",
    .summary = "Running sums along an axis.",
    .shape_rule = "any shape, unchanged",
    .formula = "y[i] = x[0] + ... + x[i]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.cumsum.html",
    .args = args,
    .infer = infer,
    .emit = emit,
    .take_row = take_row,
};
