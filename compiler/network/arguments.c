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

bool absent_by_default(const ArgSpec *spec)
{
    if (spec->otherwise == NULL || strcmp(spec->otherwise, "none") != 0)
        return false;
    for (int i = 0; spec->words != NULL && spec->words[i] != NULL; i++)
        if (strcmp(spec->words[i], "none") == 0)
            return false;
    return true;
}

const char *pointwise_expression(const Node *node)
{
    const Operator *op = node->op;
    if (op == NULL || op->expression != NULL)
        return op == NULL ? NULL : op->expression(node);
    return node->stage == STAGE_FORWARD ? op->value : op->gradient;
}
