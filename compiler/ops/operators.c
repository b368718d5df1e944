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
static bool assertion_holds(const Node *node, int arg)
{
    const ArgValue *value = &node->args[arg];
    const Tensor *input = node->inputs.items[0];
    int rank = input->shape.rank, axis = node->op->traits & OP_LAST_AXIS ? rank - 1 : 0;
    Int actual = input->shape.dim[axis];
    if (!value->given || value->integer[0] == actual)
        return true;
    Diagnostic *d =
        node_error(node, "shape-assert", value->span, "%s has %s=%lld, but its input has %lld",
                   node->op->name, node->op->args[arg].name, value->integer[0], actual);
    diag_caption(d, "the input is %s", shape_text(input->shape));
    node_derivation(d, input);
    Shape wanted = {rank, {-1, -1, -1, -1}};
    diag_sizes(d, input->shape, shape_with(wanted, axis, value->integer[0]));
    return false;
}

/* What lies along an image's rows is no features.  Behind a layer that makes images, and before
 * anything has said which axis is the last, a flatten is missing. */
bool is_image_of_layers(const Node *node)
{
    const Tensor *tensor = node->inputs.items[0];
    if (tensor->shape.rank < 3)
        return false;
    while (tensor->producer && tensor->producer->inputs.count
           && !(tensor->producer->op->traits & OP_ARRANGES))
        tensor = tensor->producer->inputs.items[0];
    return !tensor->producer || !(tensor->producer->op->traits & OP_ARRANGES);
}

/* Reports an input of whole numbers, for an operator that computes with real ones. */
static bool has_whole_input(const Node *node)
{
    for (int i = 0; i < node->inputs.count; i++) {
        const Tensor *input = node->inputs.items[i];
        if (input->choices == 0)
            continue;
        Diagnostic *d =
            node_error(node, "whole-numbers", node->span,
                       "%s computes with real numbers, and its input %s holds whole ones",
                       node->op->name, shape_text(input->shape));
        diag_caption(d, "whole numbers from 0 to %lld", input->choices - 1);
        diag_help(d, "`embedding(64)` makes a row of 64 values of each");
        node_derivation(d, input);
        return true;
    }
    return false;
}

/* Of max_pool2d that is given a sequence: max_pool1d. */
static const Operator *for_so_many_axes(const Operator *op, int rank)
{
    size_t length = strlen(op->name);
    if (rank < 2 || length < 2 || op->name[length - 1] != 'd')
        return NULL;
    return find_operator(format("%.*s%dd", (int)length - 2, op->name, rank - 1));
}

static bool has_its_rank(const Node *node)
{
    Diagnostic *d = node->op->ranks ? find_rank_fault(node, node->op->ranks) : NULL;
    const Operator *other = d ? for_so_many_axes(node->op, input_shape(node).rank) : NULL;
    if (other)
        diag_help(d, "%s takes %s", other->name, shape_text(input_shape(node)));
    return d == NULL;
}

bool infer_node(Node *node)
{
    const Operator *op = node->op;
    if (!(op->traits & OP_WHOLE) && has_whole_input(node))
        return false;
    if (!has_its_rank(node))
        return false;
    if ((op->traits & OP_LAST_AXIS) && is_image_of_layers(node))
        return node_has_rank(node, RANK(1));
    for (int i = 0; op->args != NULL && op->args[i].name != NULL; i++)
        if (op->args[i].assertion && !assertion_holds(node, i))
            return false;
    return op->infer == NULL || op->infer(node);
}

bool can_do_image(const Node *node)
{
    const Operator *op = node->op;
    if (node->sequence && op->emit_row)
        return true;
    if (pointwise_expression(node) || (node_traits(node) & OP_IN_PLACE && !node->parameters.count))
        return true;
    return op->emit_image && (!op->can_do_image || op->can_do_image(node));
}

const Operator operator_unflatten = {
    .name = "unflatten",
    .summary = "Planes to channels side by side.",
};
