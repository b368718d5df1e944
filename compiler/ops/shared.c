/* shared.c: what several operators need to say what they are. */
#include "ops/operator.h"

bool infer_same_shape(Node *node)
{
    node->out_shape = input_shape(node);
    return true;
}

Lines lines_of(Shape shape, int axis)
{
    Lines lines = {1, shape.dim[axis], 1};
    for (int k = 0; k < shape.rank; k++)
        *(k < axis ? &lines.outer : &lines.inner) *= k == axis ? 1 : shape.dim[k];
    return lines;
}

const char *line_begin(Lines lines, const char *i)
{
    if (lines.outer == 1)
        return i;
    if (lines.inner == 1)
        return format("%s * %lldL", i, lines.size);
    return format("(%s / %lld * %lldL + %s %% %lld)", i, lines.inner, lines.size * lines.inner, i,
                  lines.inner);
}

Int saturating_product(int count, const Int *factors)
{
    Int product = 1;
    for (int i = 0; i < count; i++)
        if (__builtin_mul_overflow(product, factors[i], &product))
            return INT64_MAX;
    return product;
}

const char *branch_name(int input)
{
    return format("branch %d", input + 1);
}

void label_branches(Diagnostic *d, const Node *node)
{
    for (int i = 0; i < node->inputs.count; i++)
        label_step(d, node, node->inputs.items[i],
                   format("%s gives %s", branch_name(i), shape_text(node->inputs.items[i]->shape)));
}

const char *common_divisors(Int a, Int b)
{
    Text text = {0};
    int shown = 0;
    for (Int n = 1; n <= a && n <= b && n <= 65536 && shown < 12; n++)
        if (a % n == 0 && b % n == 0)
            text_add(&text, "%s%lld", shown++ > 0 ? ", " : "", n);
    return text_chars(&text);
}

static bool report_no_axis(const Node *node, int arg, Int axis)
{
    Shape shape = input_shape(node);
    Diagnostic *d = node_error(node, "argument-range", node->args[arg].span,
                               "%s: %s has no axis %lld", node->op->name, shape_text(shape), axis);
    diag_caption(d, "%d to %d", -shape.rank, shape.rank - 1);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

bool node_axis(const Node *node, int arg, int *axis)
{
    Int number = node->args[arg].integer[0];
    int rank = input_shape(node).rank;
    *axis = (int)(number < 0 ? number + rank : number);
    return (*axis >= 0 && *axis < rank) || report_no_axis(node, arg, number);
}

bool node_axes(const Node *node, int arg, unsigned *axes)
{
    const ArgValue *value = &node->args[arg];
    int rank = input_shape(node).rank;
    *axes = 0;
    for (int k = 0; k < value->count; k++) {
        Int number = value->integer[k], axis = number < 0 ? number + rank : number;
        if (axis < 0 || axis >= rank)
            return report_no_axis(node, arg, number);
        if (*axes >> axis & 1) {
            Diagnostic *d = node_error(node, "argument-range", value->span,
                                       "%s: axis %lld stands twice", node->op->name, axis);
            diag_caption(d, "each axis once");
            return false;
        }
        *axes |= 1u << axis;
    }
    return true;
}

bool take_any_row(Node *row, Int steps)
{
    (void)row, (void)steps;
    return true;
}

bool take_features(Node *row, Int steps)
{
    (void)steps;
    return input_shape(row->sequence).rank > 1;
}

bool take_row_of_axis(Node *row, int arg)
{
    int axis;
    if (!node_axis(row->sequence, arg, &axis) || axis == 0)
        return false;
    row->args[arg].integer[0] = axis - 1;
    return true;
}
