/* operator.h: what the files of this folder share.  Each operator's own file holds
 * all the compiler knows of it and ends in its descriptor, operator_<name>;
 * ops.def lists them.  Windows (convolution, pooling) have window.h besides.
 */
#ifndef OPERATOR_H
#define OPERATOR_H

#include "kernels/kernel.h"
#include "ops/ops.h"

#define OPERATOR(name) extern const Operator operator_##name;
#include "ops/ops.def"
#undef OPERATOR

/* The largest whole number an argument may be.  With it, no sum of a size, two
 * paddings and a dilated window leaves Int, so only products are checked. */
#define LARGEST 2147483647.0

/* The output has the input's shape. */
bool infer_same_shape(Node *node);

/* The axis of the input that an argument says, counted from 0: below 0 it counts from the last.
 * Reports and gives false where there is no such. */
bool node_axis(const Node *node, int arg, int *axis);
/* The axes of a list of them, as bits; each may stand there once. */
bool node_axes(const Node *node, int arg, unsigned *axes);

/* For Operator.take_row: of an operator whose rows are each by itself … */
bool take_any_row(Node *row, Int steps);
/* … of one that goes along the last axis, which must not be the first; … */
bool take_features(Node *row, Int steps);
/* … or along that which an argument says. */
bool take_row_of_axis(Node *row, int arg);

/* Whether node's input is an image as convolutions make it: nothing has said that its last axis is
 * one of features. */
bool is_image_of_layers(const Node *node);
/* The table's entry of the axis that joins and sums take. */
#define AXIS_ARG(otherwise_, doc_)                                                 \
    {                                                                              \
        "axis", ARG_INT, ROLE_AXIS, .otherwise = otherwise_, .minimum = -MAX_RANK, \
                                    .maximum = MAX_RANK - 1, .doc = doc_           \
    }

/* What lies in front of an axis, along it, and behind it: [outer][size][inner]. */
typedef struct Lines {
    Int outer, size, inner;
} Lines;
Lines lines_of(Shape shape, int axis);
/* Where line i of outer * inner begins, as C of the variable `i`. */
const char *line_begin(Lines lines, const char *i);

/* The factors' product, or INT64_MAX when it does not fit: for counts that are
 * only shown, and for fans of parameters that node_parameter() refuses. */
Int saturating_product(int count, const Int *factors);

/* "1, 2, 4, 8": what divides both, for a message; the first twelve. */
const char *common_divisors(Int a, Int b);

/* "branch 2": how messages name a joining operator's input. */
const char *branch_name(int input);
/* Labels what made each branch with the branch's shape. */
void label_branches(Diagnostic *d, const Node *node);

#endif
