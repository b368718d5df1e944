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
    if (parameter->node == from)
        parameter->node = node;
    push(&node->parameters, parameter);
    call_parameter(node, node->parameters.count - 1, name);
}

static Parameter *part_of(Graph *graph, Node *node, Parameter *whole, int part, Int rows)
{
    Parameter *made = NEW(Parameter);
    *made = *whole;
    made->path = format("%s[%lld:%lld]", whole->path, part * rows, (part + 1) * rows);
    made->dim[0] = rows;
    made->elements = whole->elements / whole->dim[0] * rows;
    made->node = node;
    made->uses = 0;
    made->makes = NULL;
    made->sources[0] = whole;
    made->is_part = true;
    made->first_row = part * rows;
    whole->makes = whole->parts[part] = made;
    push(&graph->derived, made);
    return made;
}

void lend_rows(Graph *graph, Node *node, const Node *from, int place, int part, Int rows,
               const char *name)
{
    Parameter *whole = from->parameters.items[place];
    Parameter *made =
        whole->parts[part] ? whole->parts[part] : part_of(graph, node, whole, part, rows);
    made->name = intern(name);
    made->uses++;
    push(&node->parameters, made);
}
