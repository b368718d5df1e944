/* operators.c: the table of operators, looked up and printed.  ops.def is the
 * one list; everything here expands or walks it, so a new operator appears in
 * `netc explain`, in the nearest-name search and in completion by its one line.
 */
#include "ops/operator.h"

#include <string.h>

const Operator *const operators[] = {
#define OPERATOR(name) &operator_##name,
#include "ops/ops.def"
#undef OPERATOR
    NULL};

/* Some thirty entries: a search by table order is as fast as a hash. */
const Operator *find_operator(const char *name)
{
    for (int i = 0; operators[i] != NULL; i++)
        if (strcmp(operators[i]->name, name) == 0)
            return operators[i];
    return NULL;
}

bool is_spatial(const Operator *op)
{
    return op->window != WINDOW_NONE || role_arg(op, ROLE_PADDING) >= 0;
}

/* An assertion such as in_channels=88 against what the input really has.
 * Reports and gives false when they differ; an absent one agrees. */
static bool assertion_holds(const Node *node, int arg, Int actual)
{
    const ArgValue *value = &node->args[arg];
    if (!value->given || value->integer[0] == actual)
        return true;
    const Tensor *input = node->inputs.items[0];
    Diagnostic *d =
        node_error(node, "shape-assert", value->span, "%s has %s=%lld, but its input has %lld",
                   node->op->name, node->op->args[arg].name, value->integer[0], actual);
    diag_caption(d, "the input is %s", shape_text(input->shape));
    node_derivation(d, input);
    Shape wanted = shape_of(input->shape.rank, value->integer[0], -1, -1);
    diag_sizes(d, input->shape, wanted);
    return false;
}

bool infer_node(Node *node)
{
    const Operator *op = node->op;
    if (op->rank && !node_needs_rank(node, op->rank))
        return false;
    for (int i = 0; op->args != NULL && op->args[i].name != NULL; i++)
        if (op->args[i].assertion && !assertion_holds(node, i, input_shape(node).dim[0]))
            return false;
    return op->infer == NULL || op->infer(node);
}

bool can_do_image(const Node *node)
{
    const Operator *op = node->op;
    if (pointwise_expression(node) || (op->traits & OP_IN_PLACE && !node->parameters.count))
        return true;
    return op->emit_image && (!op->can_do_image || op->can_do_image(node));
}

const Operator operator_unflatten = {
    .name = "unflatten",
    .summary = "Planes to channels side by side.",
};
