/* recurrence.h: one layer of a recurrent network after its inputs were multiplied with their
 * weights: what is left has to be done step by step.  rnn, gru and lstm are lowered to it.
 */
#ifndef RECURRENCE_H
#define RECURRENCE_H

#include "ops/operator.h"

/* Cells, by the word of the argument "cell". */
typedef enum CellKind { CELL_TANH, CELL_RELU, CELL_GRU, CELL_LSTM } CellKind;
extern const char *const cell_words[]; /* by CellKind, NULL-terminated */
int cell_gates(CellKind kind);         /* how often a hidden value's sums are made: 1, 3 or 4 */

/* Arguments of the operator recurrence. */
enum {
    RECURRENCE_CELL,
    RECURRENCE_HIDDEN,
    RECURRENCE_BIAS,
    RECURRENCE_PROJECTION,
    /* of recurrence_from: whether it has states and cells to begin with, and of those of all layers
     * the row that is this one's first direction's */
    RECURRENCE_STATES,
    RECURRENCE_CELLS,
    RECURRENCE_FIRST_ROW
};

/* Of what forward notes in training: [directions, steps, values of a step]. */
Shape recurrence_aux_shape(CellKind kind, Int directions, Int steps, Int hidden, Int projection);

/* No .net file has them.  recurrence: inputs[d] [steps, gates * hidden] of each direction;
 * last_state: [steps, directions * n] -> [directions * n], with its one argument, the number of
 * directions;
 * recurrence_from: has states [rows, state] and an lstm's cells [rows, hidden] behind those inputs,
 * with which it begins; by the plain loops. */
extern const Operator operator_recurrence, operator_recurrence_from, operator_last_state;

/* recurrence_row.c: of one step, of one direction: see Operator.take_row. */
bool take_recurrence_row(Node *row, Int steps);
Int kept_of_recurrence(const Node *row, int lanes);
void emit_recurrence_row(ImageKernel *image);

#endif
