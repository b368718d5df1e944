/* normalize.c: the values of each line along an axis, divided by their norm. */
#include "ops/operator.h"

enum { P, DIM, EPS };

static const ArgSpec args[] = {
    [P] = {"p", ARG_REAL, .otherwise = "2.0", .minimum = 1e-3, .maximum = 1e6,
           .doc = "Which norm: the p-th root of the sum of |x| to the power of p."},
    [DIM] = {"dim", ARG_INT, ROLE_AXIS, .otherwise = "0", .minimum = -MAX_RANK,
             .maximum = MAX_RANK - 1, .doc = "Along which axis; -1 is the last."},
    [EPS] = {"eps", ARG_REAL, ROLE_EPSILON, .otherwise = "1e-12", .minimum = 0, .maximum = 1,
             .doc = "A smaller norm counts as this."},
    {0}};

static bool infer(Node *node)
{
    int axis;
    return node_axis(node, DIM, &axis) && infer_same_shape(node);
}

static void emit_line_loop(Kernel *kernel, Lines lines, const char *statement)
{
    kernel_line(kernel, "for (int64_t c = first; c < first + %lld; c += %lld)",
                lines.size * lines.inner, lines.inner);
    kernel_line(kernel, "    %s", statement);
}

/* Of the first and the second norm: others are the reference's. */
static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    int axis;
    bool second = node->args[P].real == 2;
    if (!second && node->args[P].real != 1)
        return false;
    node_axis(node, DIM, &axis);
    Lines lines = lines_of(input_shape(node), axis);
    open_pieces(kernel, "i", lines.outer * lines.inner);
    kernel_line(kernel, "const int64_t first = %s;", line_begin(lines, "i"));
    kernel_line(kernel, "const vec least = splat((real)%.17g);", node->args[EPS].real);
    kernel_line(kernel, "vec norm = { 0 };");
    emit_line_loop(kernel, lines,
                   second ? "norm += x[c] * x[c];"
                          : "norm += vec_select(x[c] < splat(0), -x[c], x[c]);");
    if (second)
        kernel_line(kernel, "norm = vec_sqrt(norm);");
    kernel_line(kernel, "const mask counts = norm >= least;");
    kernel_line(kernel, "const vec scale = (real)1 / vec_select(counts, norm, least);");
    if (kernel->stage == STAGE_FORWARD) {
        emit_line_loop(kernel, lines, "y[c] = x[c] * scale;");
    } else {
        kernel_line(kernel, "vec along = { 0 };");
        emit_line_loop(kernel, lines, "along += dy[c] * x[c];");
        kernel_line(kernel, "along = vec_select(counts, along * scale * scale%s, splat(0));",
                    second ? " * scale" : "");
        const char *slope = second ? "x[c] * along"
                                   : "vec_select(x[c] < splat(0), -along, "
                                     "vec_select(x[c] > splat(0), along, splat(0)))";
        emit_line_loop(
            kernel, lines,
            format("dx[c] %s dy[c] * scale - %s;", node->accumulate ? "+=" : "=", slope));
    }
    kernel_line(kernel, "}");
    return true;
}

/* Along another axis than that of the steps. */
static bool take_row(Node *row, Int steps)
{
    (void)steps;
    return take_row_of_axis(row, DIM);
}

const Operator operator_normalize = {
    .name = "normalize",
    .summary = "The values along an axis, divided by their norm: a vector of length 1.",
    .shape_rule = "any shape, unchanged",
    .formula = "n = (sum over k of |x[k]|^p)^(1/p)\n"
               "y[c] = x[c] / max(n, eps)",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html",
    .args = args,
    .input_gradient_reads = READS_X,
    .infer = infer,
    .emit = emit,
    .take_row = take_row,
};
