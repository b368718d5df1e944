/* arguments.c: what an operator's table says of its arguments, and of a value by itself. */
#include "network/network.h"

#include <string.h>

int operator_arg(const Operator *op, const char *name)
{
    for (int i = 0; op->args != NULL && op->args[i].name != NULL; i++)
        if (strcmp(op->args[i].name, name) == 0)
            return i;
    return -1;
}

int role_arg(const Operator *op, ArgRole role)
{
    for (int i = 0; op->args != NULL && op->args[i].name != NULL; i++)
        if (op->args[i].role == role)
            return i;
    return -1;
}

int window_sizes(ArgKind kind)
{
    return kind == ARG_SINGLE   ? 1
           : kind == ARG_PAIR   ? 2
           : kind == ARG_TRIPLE ? 3
           : kind == ARG_QUAD   ? 4
                                : 0;
}

const char *sizes_text(const ArgValue *shape)
{
    Text text = {0};
    for (int i = 0; i < shape->count; i++)
        text_add(&text, "%s%s", i ? ", " : "[",
                 shape->integer[i] == OPEN_SIZE ? "_" : format("%lld", shape->integer[i]));
    text_add(&text, "]");
    return text_chars(&text);
}

const char *const any_word[] = {NULL};

bool absent_by_default(const ArgSpec *spec)
{
    if (spec->otherwise == NULL || strcmp(spec->otherwise, "none") != 0)
        return false;
    for (int i = 0; spec->words != NULL && spec->words[i] != NULL; i++)
        if (strcmp(spec->words[i], "none") == 0)
            return false;
    return true;
}

/* As it stands in the network: the program for one image may have its inputs in another order. */
static const Node *forward_of(const Node *node)
{
    return node->forward ? node->forward : node;
}

bool repeats_inputs(const Node *of)
{
    const Node *node = forward_of(of);
    for (int i = 0; node->op->traits & OP_JOINS && i < node->inputs.count; i++)
        if (!shape_equal(node->inputs.items[i]->shape, node->out_shape))
            return true;
    return false;
}

int joined_axis(const Node *node)
{
    int arg = role_arg(node->op, ROLE_AXIS);
    Int axis = arg < 0 ? 0 : node->args[arg].integer[0];
    return (int)(axis < 0 ? axis + node->out_shape.rank : axis);
}

unsigned node_traits(const Node *node)
{
    if (node->op == NULL)
        return 0;
    unsigned traits = node->op->traits;
    if (traits & OP_CONCATENATES)
        return joined_axis(node) == 0 ? traits : traits & ~(unsigned)OP_CONCATENATES;
    if (repeats_inputs(node))
        traits &= ~(unsigned)(OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE);
    return traits;
}

const char *pointwise_expression(const Node *node)
{
    const Operator *op = node->op;
    if (op == NULL || repeats_inputs(node))
        return NULL;
    if (op->expression != NULL)
        return op->expression(node);
    return node->stage == STAGE_FORWARD ? op->value : op->gradient;
}
