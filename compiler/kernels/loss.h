/* loss.h: losses that are made of sums: over the elements of tensors a term is summed, or its mean
 * or maximum is taken, and of those an example's loss is made.  What a term reads is known by a
 * number: an element of one of the tensors, or what came of a sum before it.
 *
 * From that alone the kernels are written, forward and back: of lanes, by simplified terms and
 * their derivatives; and the reference, plain loops in double, by the rules for pairs of a value
 * and its slope (term.h).
 *
 *   loss_tensors.c  whole tensors and parts of them: where their elements are
 *   loss.c          the kernels
 */
#ifndef LOSS_H
#define LOSS_H

#include "kernels/kernel.h"
#include "kernels/term.h"

enum {
    MAX_LOSS_PARAMETERS = 15, /* of one's own: tensors and numbers */
    MAX_LOSS_TENSORS = 64,    /* and parts of them */
    MAX_LOSS_SUMS = 48,
    LOSS_SUM = MAX_LOSS_TENSORS,             /* the number of the first sum's result */
    LOSS_FACTOR = LOSS_SUM + MAX_LOSS_SUMS,  /* of the loss's derivative in it */
    LOSS_NAMES = LOSS_FACTOR + MAX_LOSS_SUMS /* so many numbers there are */
};

typedef enum SumKind {
    SUM_OF,
    SUM_MEAN,
    SUM_LARGEST /* that others are computed less, for range: its derivative never counts */
} SumKind;
typedef struct LossSum {
    const Term *body; /* of elements, and of sums before it */
    SumKind kind;
} LossSum;

/* Along an axis: positions from:to:step, or the one at `from`, which leaves the axis out.  Below 0
 * they are counted from the end. */
typedef struct LossIndex {
    bool range, has_from, has_to;
    Int from, to, step;
} LossIndex;
/* A part of one of the whole tensors, `p[:4]`; axes behind those that are said are whole. */
typedef struct LossSlice {
    int tensor, count;
    LossIndex index[MAX_RANK];
    Span span;
} LossSlice;

typedef struct LossForm LossForm;
struct LossForm {
    Terms *terms;
    int tensors;            /* whole ones, numbered from 0; … */
    LIST(LossSlice) slices; /* … their parts follow them */
    LIST(LossSum) sums;
    const Term *value; /* of sums, and of tensors of one value */
};

/* How a tensor's elements are reached. */
typedef struct LossTensor {
    const char *name; /* the operand; of a table what it is called */
    Shape shape;
    int input;                    /* of the node, that it is, or a part of it; -1: of none */
    Int offset, stride[MAX_RANK]; /* in elements, of the first and along each axis */
    const double *table; /* numbers that are known, one for each of `count`, each for `step` … */
    Int count, step;     /* … elements that follow one another; NULL: none */
} LossTensor;

typedef struct LossUse {
    const LossForm *form, *plain; /* the same of simplified terms and of plain ones */
    /* the inputs first, then what it is held against, then parts of both */
    LossTensor tensors[MAX_LOSS_TENSORS];
    int count, first_part;
    bool whole; /* its sum over the batch is taken, not its mean */
} LossUse;

LossTensor loss_tensor(const char *name, Shape shape, int input); /* a whole one */
/* Of a whole one a part; NULL: it is there, else what is wrong: "it takes nothing of the 4 …". */
const char *take_slice(const LossTensor *whole, const LossSlice *slice, LossTensor *part);
/* Where element e of the domain lies in a tensor, as C. */
const char *loss_index(const LossTensor *tensor, Shape domain);

/* Makes all derivatives that a kernel may ask for, in the memory that the form is in: a kernel's
 * own is dropped. */
void derive_loss(const LossForm *form);
/* The shape over which a sum runs: that of the tensors it reads, whose axes of 1 repeat.  *bad
 * is the first that does not fit, -1: all do. */
Shape loss_domain(const LossUse *use, int sum, int *bad);
/* The kernel of its stage: a loss's that `use` says. */
void emit_loss_use(Kernel *kernel, const LossUse *use, bool plain);
/* A sum's result, as a term of the form. */
const Term *add_loss_sum(LossForm *form, const Term *body, SumKind kind);

#endif
