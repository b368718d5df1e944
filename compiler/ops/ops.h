/* ops.h: the table of operators, for those who look one up.
 *
 * What an operator's file says of it is network.h's Operator; what these files share is in
 * operator.h.
 */
#ifndef OPS_H
#define OPS_H

#include "kernels/term.h"
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
/* The same of whatever has a name, a sentence and arguments; args NULL: none. */
void explain_call(const char *name, const char *summary, const ArgSpec *args, FILE *out);
/* For `netc explain --json`: one operator, or NULL: all; the caller's. */
struct cJSON *operators_json(const Operator *only);
struct cJSON *arguments_json(const ArgSpec *args); /* NULL: none */
void list_operators(FILE *out);

/* Whether its forward pass for one image needs no planes. */
bool can_do_image(const Node *node);
extern const Operator operator_unflatten; /* no .net file has it: planes to channels side by side */

/* ---------------------------------------------------------- function.c
 * A `function` of the program as an operator.  Who reads programs makes a template of a definition,
 * for the arguments of its uses, and of each set of numbers that uses give an operator of its
 * own, with the terms that these numbers make of the definition's right side. */

typedef struct FunctionForm {
    const char *name;
    const char *text;          /* "f(x, beta=1.0) = x*sigmoid(beta*x)", for help */
    Span span;                 /* of the definition */
    int tensors;               /* at least 1 */
    const char *const *tensor; /* their names */
    const ArgSpec *args;       /* the numbers */
} FunctionForm;

/* Its arguments are what a use gives; it computes nothing. */
Operator *function_template(const FunctionForm *form);

/* Of one set of numbers: `value` of simplified terms, `plain` of others, from which alone the
 * reference kernel is made.  `number`: no other operator's of this program. */
const Operator *function_operator(const FunctionForm *form, int number, Terms *terms,
                                  const Term *value, Terms *plain_terms, const Term *plain);

/* own_loss.c: a `loss` of the program, of so many outputs; the parameters behind them are
 * its targets. */
typedef struct LossForm LossForm; /* kernels/loss.h */
const Operator *own_loss_operator(const FunctionForm *form, int outputs, const LossForm *value,
                                  const LossForm *plain);

#endif
