/* ops.h: the table of operators, for those who look one up.
 *
 * What an operator's file says of it is network.h's Operator; what these files share is in
 * operator.h.
 */
#ifndef OPS_H
#define OPS_H

#include "network/network.h"

/* The table ops.def expands to, NULL-terminated, in its order. */
extern const Operator *const operators[];
const Operator *find_operator(const char *name); /* NULL: none */
/* Checks the inputs' rank and what the arguments assert of them, and calls Operator.infer;
 * false: reported. */
bool infer_node(Node *node);
/* Whether it is about rows and columns: it has a window, or pads. */
bool is_spatial(const Operator *op);

/* `netc explain conv2d` */
void explain_operator(const Operator *op, FILE *out);
/* `netc explain --json`: one operator, or NULL: all. */
void explain_operators_json(const Operator *only, FILE *out);
void list_operators(FILE *out);

/* Whether its forward pass for one image needs no planes. */
bool can_do_image(const Node *node);
extern const Operator operator_unflatten; /* no .net file has it: planes to channels side by side */

#endif
