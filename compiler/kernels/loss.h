/* loss.h: losses that are made of sums: over the elements of tensors a term is summed, or its mean
 * is taken, and of those an example's loss is made.  What a term reads is known by a number: an
 * element of one of the tensors, or what came of a sum before it.
 *
 * From that alone the kernels are written, forward and back: of lanes, by simplified terms and
 * their derivatives; and the reference, plain loops in double, by the rules for pairs of a value
 * and its slope (term.h).
 */
#ifndef LOSS_H
#define LOSS_H

#include "kernels/kernel.h"
#include "kernels/term.h"

enum {
    MAX_LOSS_TENSORS = 16,
    MAX_LOSS_SUMS = 48,
    LOSS_SUM = MAX_LOSS_TENSORS,             /* the number of the first sum's result */
    LOSS_FACTOR = LOSS_SUM + MAX_LOSS_SUMS,  /* of the loss's derivative in it */
    LOSS_NAMES = LOSS_FACTOR + MAX_LOSS_SUMS /* so many numbers there are */
};

typedef struct LossSum {
    const Term *body; /* of elements, and of sums before it */
    bool mean;
} LossSum;

typedef struct LossForm LossForm;
struct LossForm {
    Terms *terms;
    LIST(LossSum) sums;
    const Term *value; /* of sums, and of tensors of one value */
};

/* How a tensor's elements are reached. */
typedef struct LossTensor {
    const char *name; /* the operand; of a table what it is called */
    Shape shape;
    const double *table; /* numbers that are known, one for each of `count`, each for `step` … */
    Int count, step;     /* … elements that follow one another; NULL: none */
} LossTensor;

typedef struct LossUse {
    const LossForm *form, *plain;         /* the same of simplified terms and of plain ones */
    LossTensor tensors[MAX_LOSS_TENSORS]; /* the inputs first, then what it is held against */
    int count;
    bool whole; /* its sum over the batch is taken, not its mean */
} LossUse;

/* Makes all derivatives that a kernel may ask for, in the memory that the form is in: a kernel's
 * own is dropped. */
void derive_loss(const LossForm *form, int tensors);
/* The shape over which a sum runs: that of the tensors it reads, whose axes of 1 repeat.  *bad
 * is the first that does not fit, -1: all do. */
Shape loss_domain(const LossUse *use, int sum, int *bad);
/* The kernel of its stage: a loss's that `use` says. */
void emit_loss_use(Kernel *kernel, const LossUse *use, bool plain);
/* A sum's result, as a term of the form. */
const Term *add_loss_sum(LossForm *form, const Term *body, bool mean);

#endif
