/* permute.c: axes in another order; transpose changes two of them. */
#include "kernels/grain/strided.h"
#include "ops/operator.h"

enum { DIMS };

static const ArgSpec permute_args[] = {[DIMS] = {"dims", ARG_AXES, .positional = true,
                                                 .minimum = -MAX_RANK, .maximum = MAX_RANK - 1,
                                                 .doc = "The input's axes in the output's order."},
                                       {0}};

enum { DIM0, DIM1 };

static const ArgSpec transpose_args[] = {
    [DIM0] = {"dim0", ARG_INT, .positional = true, .otherwise = "-2", .minimum = -MAX_RANK,
              .maximum = MAX_RANK - 1,
              .doc = "An axis, counted from 0, or from the last back: -1."},
    [DIM1] = {"dim1", ARG_INT, .positional = true, .otherwise = "-1", .minimum = -MAX_RANK,
              .maximum = MAX_RANK - 1, .doc = "The axis that it changes places with."},
    {0}};

static bool report_order(const Node *node)
{
    int rank = input_shape(node).rank;
    Text order = {0};
    for (int axis = 0; axis < rank; axis++)
        text_add(&order, "%s%d", axis ? ", " : "", axis);
    Diagnostic *d = node_error(node, "argument-range", node->args[DIMS].span,
                               "permute needs every axis of %s once, in the new order",
                               shape_text(input_shape(node)));
    diag_caption(d, "axes %s", text_chars(&order));
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* order[k] is the input's axis that the output has as its k-th; false: they are not all of them. */
static bool permute_order(const Node *node, int order[MAX_RANK])
{
    const ArgValue *dims = &node->args[DIMS];
    int rank = input_shape(node).rank;
    unsigned seen = 0;
    if (dims->count != rank)
        return false;
    for (int k = 0; k < rank; k++) {
        Int axis = dims->integer[k] < 0 ? dims->integer[k] + rank : dims->integer[k];
        if (axis < 0 || axis >= rank || seen & 1u << axis)
            return false;
        seen |= 1u << axis;
        order[k] = (int)axis;
    }
    return true;
}

static bool transpose_order(const Node *node, int order[MAX_RANK])
{
    int first, second;
    if (!node_axis(node, DIM0, &first) || !node_axis(node, DIM1, &second))
        return false;
    for (int axis = 0; axis < MAX_RANK; axis++)
        order[axis] = axis == first ? second : axis == second ? first : axis;
    return true;
}

typedef bool FindOrder(const Node *node, int order[MAX_RANK]);

static bool infer_order(Node *node, FindOrder *find)
{
    int order[MAX_RANK];
    if (!find(node, order))
        return false;
    node->out_shape = input_shape(node);
    for (int k = 0; k < node->out_shape.rank; k++)
        node->out_shape.dim[k] = input_shape(node).dim[order[k]];
    return true;
}

static bool emit_order(Kernel *kernel, FindOrder *find)
{
    int order[MAX_RANK];
    const Strided in = strided_shape(input_shape(kernel->node));
    Strided strided = in;
    find(kernel->node, order);
    for (int k = 0; k < in.rank; k++) {
        strided.size[k] = in.size[order[k]];
        strided.step[k] = in.step[order[k]];
    }
    emit_strided(kernel, strided);
    return true;
}

static bool infer_permute(Node *node)
{
    return infer_order(node, permute_order) || report_order(node);
}

static bool emit_permute(Kernel *kernel)
{
    return emit_order(kernel, permute_order);
}

static bool infer_transpose(Node *node)
{
    return infer_order(node, transpose_order);
}

static bool emit_transpose(Kernel *kernel)
{
    return emit_order(kernel, transpose_order);
}

/* The steps stay where they are: a row's axes are the others, counted without them. */
static bool take_permuted_row(Node *row, Int steps)
{
    int order[MAX_RANK], rank = input_shape(row->sequence).rank;
    (void)steps;
    if (!permute_order(row->sequence, order) || order[0] != 0)
        return false;
    ArgValue *dims = &row->args[DIMS];
    dims->count = rank > 1 ? rank - 1 : 1;
    for (int k = 1; k < rank; k++)
        dims->integer[k - 1] = order[k] - 1;
    return true;
}

static bool take_transposed_row(Node *row, Int steps)
{
    int first, second;
    (void)steps;
    if (!node_axis(row->sequence, DIM0, &first) || !node_axis(row->sequence, DIM1, &second)
        || (first != second && (first == 0 || second == 0)))
        return false;
    row->args[DIM0].integer[0] = first > 0 ? first - 1 : 0;
    row->args[DIM1].integer[0] = second > 0 ? second - 1 : 0;
    return true;
}

const Operator operator_permute = {
    .name = "permute",
    .summary = "The axes in another order.",
    .shape_rule = "[a, b, c] -> [b, c, a] for dims=[1, 2, 0]",
    .formula = "axis k of y is axis dims[k] of x",
    .reference = "https://pytorch.org/docs/stable/generated/torch.permute.html",
    .args = permute_args,
    .traits = OP_ARRANGES | OP_WHOLE,
    .infer = infer_permute,
    .emit = emit_permute,
    .take_row = take_permuted_row,
};

const Operator operator_transpose = {
    .name = "transpose",
    .summary = "Two axes change places: the last two, where nothing is said.",
    .shape_rule = "[a, b] -> [b, a]; [a, b, c] -> [a, c, b]",
    .formula = "y[j, i] = x[i, j]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.transpose.html",
    .args = transpose_args,
    .traits = OP_ARRANGES | OP_WHOLE,
    .ranks = RANK(2) | RANK(3) | RANK(4),
    .infer = infer_transpose,
    .emit = emit_transpose,
    .take_row = take_transposed_row,
};
