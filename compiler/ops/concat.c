/* concat.c: tensors joined along an axis.  Along the first one the inputs are consecutive slices of
 * the output in the batch-innermost layout, so the branches write there directly and nothing is
 * copied; along another they are copied.
 */
#include "ops/operator.h"

enum { AXIS };

static const ArgSpec args[] = {
    [AXIS] =
        AXIS_ARG("0", "Along which axis: the channels, where nothing is said; -1 is the last."),
    {0}};

/* The axes other than `joined` on which two shapes may differ: the first; MAX_RANK when their ranks
 * do, -1 when they fit. */
static int differing_axis(Shape a, Shape b, int joined)
{
    if (a.rank != b.rank)
        return MAX_RANK;
    for (int axis = 0; axis < a.rank; axis++)
        if (axis != joined && a.dim[axis] != b.dim[axis])
            return axis;
    return -1;
}

/* The input most others agree with, by majority vote (Boyer and Moore 1981);
 * the one that differs from it is the likelier fault. */
static int commonest_input(const Node *node, int joined)
{
    int candidate = 0, votes = 0;
    for (int i = 0; i < node->inputs.count; i++) {
        if (votes == 0)
            candidate = i;
        bool agrees = differing_axis(node->inputs.items[i]->shape,
                                     node->inputs.items[candidate]->shape, joined)
                      < 0;
        votes += agrees ? 1 : -1;
    }
    return votes > 0 ? candidate : 0;
}

/* "[_, 12, 12]" */
static const char *others_text(Shape shape, int joined)
{
    Text text = {0};
    for (int axis = 0; axis < shape.rank; axis++)
        text_add(&text, "%s%s", axis ? ", " : "[",
                 axis == joined ? "_" : format("%lld", shape.dim[axis]));
    text_add(&text, "]");
    return text_chars(&text);
}

/* "branch 1 is [16, 12, 12]", or when all but one agree, "the others are
 * [_, 12, 12]". */
static const char *wanted_text(const Node *node, int common, int odd, int joined)
{
    Shape wanted = node->inputs.items[common]->shape;
    bool all = node->inputs.count > 2;
    for (int i = 0; i < node->inputs.count; i++)
        all = all && (i == odd || differing_axis(node->inputs.items[i]->shape, wanted, joined) < 0);
    if (all && wanted.rank > 1)
        return format("the others are %s", others_text(wanted, joined));
    return format("%s is %s", branch_name(common), shape_text(wanted));
}

static void report_mismatch(const Node *node, int common, int odd, int joined)
{
    const Tensor *wanted = node->inputs.items[common], *branch = node->inputs.items[odd];
    int axis = differing_axis(branch->shape, wanted->shape, joined);
    const char *differs = axis < MAX_RANK
                              ? format("%s %lld, not %lld", axis_name(branch->shape.rank, axis),
                                       branch->shape.dim[axis], wanted->shape.dim[axis])
                              : "another rank";
    Diagnostic *d = node_error(node, "concat-mismatch", node->span, "concat: %s is %s, %s: %s",
                               branch_name(odd), shape_text(branch->shape),
                               wanted_text(node, common, odd, joined), differs);
    if (joined == 0)
        diag_caption(d, "all axes but the channels must be equal");
    else
        diag_caption(d, "all axes but axis %d must be equal", joined);
    label_branches(d, node);
    label_inside(d, node, branch);
    diag_sizes(d, branch->shape, shape_with(wanted->shape, joined, -1));
}

static bool infer(Node *node)
{
    int joined;
    if (!node_axis(node, AXIS, &joined))
        return false;
    int common = commonest_input(node, joined);
    Shape wanted = node->inputs.items[common]->shape;
    Int size = 0;
    for (int i = 0; i < node->inputs.count; i++) {
        Shape shape = node->inputs.items[i]->shape;
        if (differing_axis(shape, wanted, joined) >= 0) {
            report_mismatch(node, common, i, joined);
            return false;
        }
        if (__builtin_add_overflow(size, shape.dim[joined], &size)) {
            node_error(node, "too-large", node->span,
                       "concat: the channels of the branches add up to too many");
            return false;
        }
    }
    node->out_shape = shape_with(wanted, joined, size);
    return true;
}

/* Each input has a stretch of every line of the output; `at` is where it begins. */
static void emit_stretch(Kernel *kernel, int input, Int at)
{
    const Node *node = kernel->node;
    int axis = joined_axis(node);
    bool forward = kernel->stage == STAGE_FORWARD;
    Lines out = lines_of(node->out->shape, axis),
          in = lines_of(node->inputs.items[input]->shape, axis);
    Int own = in.size * in.inner, whole = out.size * out.inner;
    kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++)", own);
    if (forward)
        kernel_line(kernel, "    y[o * %lldL + %lld + i] = x%d[o * %lldL + i];", whole, at, input,
                    own);
    else
        kernel_line(kernel, "    dx[o * %lldL + i] %s dy[o * %lldL + %lld + i];", own,
                    node->accumulate ? "+=" : "=", whole, at);
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    int axis = joined_axis(node);
    Int at = 0;
    open_pieces(kernel, "o", lines_of(node->out->shape, axis).outer);
    for (int i = 0; i < node->inputs.count; i++) {
        Lines in = lines_of(node->inputs.items[i]->shape, axis);
        if (kernel->stage == STAGE_FORWARD || i == node->which)
            emit_stretch(kernel, i, at);
        at += in.size * in.inner;
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

const Operator operator_concat = {
    .name = "concat",
    .summary = "Two or more tensors joined along their channels, or along another axis.",
    .shape_rule = "[c1, h, w], [c2, h, w], ... -> [c1 + c2 + ..., h, w]\n"
                  "[n1], [n2], ... -> [n1 + n2 + ...]",
    .formula = "y = x1, then x2, ...",
    .reference = "https://pytorch.org/docs/stable/generated/torch.cat.html",
    .args = args,
    .traits = OP_JOINS | OP_CONCATENATES,
    .infer = infer,
    .emit = emit,
    .take_row = take_row,
};
