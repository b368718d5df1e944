/* lowering.c: see lowering.h. */
#include "ops/lowering.h"

Node *lowered_node(Graph *graph, const Node *like, const Operator *op, const char *path)
{
    int args = 0;
    while (op->args[args].name)
        args++;
    Node *node = new_node(graph, STAGE_FORWARD, op);
    node->path = path;
    node->span = like->span;
    node->instance = like->instance;
    node->whole = like;
    node->args = NEW_ARRAY(ArgValue, (size_t)args);
    return node;
}

void lowered_number(Node *node, int arg, Int value)
{
    node->args[arg] = (ArgValue){.given = true, .span = node->span, .integer = {value}};
}

Tensor *lowered_output(Graph *graph, Node *node, Shape shape, Tensor *out)
{
    node->out_shape = shape;
    node->out = out ? out : new_tensor(graph, TENSOR_ACTIVATION, node->path, shape);
    node->out->producer = node;
    add_aux(graph, node);
    return node->out;
}

void lend_parameter(Node *node, const Node *from, int place, const char *name)
{
    Parameter *parameter = from->parameters.items[place];
    parameter->name = intern(name);
    if (parameter->node == from)
        parameter->node = node;
    push(&node->parameters, parameter);
}
