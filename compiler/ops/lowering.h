/* lowering.h: what Operator.lower appends: nodes of one layer's statement, which have its
 * parameters.
 */
#ifndef LOWERING_H
#define LOWERING_H

#include "ops/operator.h"

/* A node of `like`'s statement, with room for its arguments; its output comes later. */
Node *lowered_node(Graph *graph, const Node *like, const Operator *op, const char *path);
/* An argument that is a whole number or a truth. */
void lowered_number(Node *node, int arg, Int value);
/* `out`: NULL, or what the whole layer makes. */
Tensor *lowered_output(Graph *graph, Node *node, Shape shape, Tensor *out);
/* Parameter number `place` of `from` becomes node's next, and is called there what kernels call it.
 * A layer that is used again has lent it before, so it is not asked for by its name. */
void lend_parameter(Node *node, const Node *from, int place, const char *name);
/* The same of its rows from part * rows on, which are a parameter of their own, made of it. */
void lend_rows(Graph *graph, Node *node, const Node *from, int place, int part, Int rows,
               const char *name);

#endif
