/* matmul.c: the product of two matrices, or of two batches of them, both made of the image.
 *
 *   a [..., m, k]   b [..., k, n]   y [..., m, n]; a batch axis of 1 repeats
 */
#include "kernels/grain/product.h"
#include "ops/operator.h"

enum { A, B };

static Shape shape_at(const Node *node, int which)
{
    return node->inputs.items[which]->shape;
}

static bool report(const Node *node, const char *caption)
{
    Diagnostic *d = node_error(node, "join-mismatch", node->span, "matmul cannot multiply %s by %s",
                               shape_text(shape_at(node, A)), shape_text(shape_at(node, B)));
    diag_caption(d, "%s", caption);
    label_branches(d, node);
    Shape a = shape_at(node, A), b = shape_at(node, B);
    if (a.rank == b.rank && shape_last(a) == shape_last(b))
        diag_help(d, "`transpose` of %s, so that its rows are %lld", branch_name(B), shape_last(a));
    else if (a.rank == b.rank && shape_last(b) == a.dim[a.rank - 2])
        diag_help(d,
                  "the other way round, %s by %s, they fit: the current tensor, or the first "
                  "branch, is the left one",
                  shape_text(b), shape_text(a));
    return false;
}

static bool infer(Node *node)
{
    Shape a = shape_at(node, A), b = shape_at(node, B);
    int last = a.rank - 1;
    if (a.rank != b.rank)
        return report(node, "ranks must be equal");
    if (a.dim[last] != b.dim[last - 1])
        return report(node, format("the first's columns are %lld, the second's rows %lld",
                                   a.dim[last], b.dim[last - 1]));
    node->out_shape = shape_with(a, last, b.dim[last]);
    for (int axis = 0; axis < last - 1; axis++) {
        if (a.dim[axis] != b.dim[axis] && a.dim[axis] != 1 && b.dim[axis] != 1)
            return report(node, format("axis %d is %lld and %lld: equal, or 1", axis, a.dim[axis],
                                       b.dim[axis]));
        node->out_shape.dim[axis] = a.dim[axis] > b.dim[axis] ? a.dim[axis] : b.dim[axis];
    }
    return true;
}

static Int multiply_adds(const Node *node)
{
    Int factors[] = {shape_elements(node->out_shape), shape_last(shape_at(node, A))};
    return saturating_product(2, factors);
}

/* A tensor's last two axes, in their order or exchanged. */
static MatrixOperand operand(const Node *node, const char *name, Shape shape, bool exchanged)
{
    int last = shape.rank - 1;
    Shape whole = node->out->shape;
    Int columns = shape.dim[last], step = shape.dim[last - 1] * columns;
    MatrixOperand operand = {
        .name = name, .row = exchanged ? 1 : columns, .column = exchanged ? columns : 1};
    for (int axis = last - 2; axis >= 0; axis--) {
        operand.batch[axis] = shape.dim[axis] == whole.dim[axis] ? step : 0;
        step *= shape.dim[axis];
    }
    return operand;
}

/* y = a b; da = dy b^T; db = a^T dy. */
static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Shape a = shape_at(node, A), b = shape_at(node, B), y = node->out->shape;
    int last = y.rank - 1;
    Int m = y.dim[last - 1], n = y.dim[last], k = a.dim[last];
    MatrixProduct product = {.batches = last - 1};
    for (int axis = 0; axis < last - 1; axis++)
        product.batch_size[axis] = y.dim[axis];
    if (kernel->stage == STAGE_FORWARD) {
        product.rows = m, product.columns = n, product.terms = k;
        product.out = operand(node, "y", y, false);
        product.left = operand(node, "x0", a, false);
        product.right = operand(node, "x1", b, false);
    } else if (node->which == A) {
        product.rows = m, product.columns = k, product.terms = n;
        product.out = operand(node, "dx", a, false);
        product.left = operand(node, "dy", y, false);
        product.right = operand(node, "x1", b, true);
    } else {
        product.rows = k, product.columns = n, product.terms = m;
        product.out = operand(node, "dx", b, false);
        product.left = operand(node, "x0", a, true);
        product.right = operand(node, "dy", y, false);
    }
    emit_matrix_product(kernel, &product, kernel->stage != STAGE_FORWARD && node->accumulate);
    return true;
}

const Operator operator_matmul = {
    .name = "matmul",
    .summary = "The product of two matrices, or of two batches of them.",
    .shape_rule = "[m, k], [k, n] -> [m, n]\n"
                  "[b, m, k], [b, k, n] -> [b, m, n]; a b of 1 repeats",
    .formula = "y[i, j] = sum over k of x1[i, k] * x2[k, j]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.matmul.html",
    .traits = OP_JOINS,
    .ranks = RANK(2) | RANK(3) | RANK(4),
    .joined = 2,
    .input_gradient_reads = READS_X,
    .infer = infer,
    .multiply_adds = multiply_adds,
    .emit = emit,
};
