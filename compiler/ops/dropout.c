/* dropout.c: each value is zeroed with probability p in training, the others
 * scaled so that the mean stays.  What is dropped follows from the seed, the
 * step, the layer and the value's place, so nothing is noted for the backward
 * pass: it draws the same numbers again.
 */
#include "ops.h"

enum { P };

static const ArgSpec args[] = {
    [P] = {"p", ARG_REAL, .positional = true, .otherwise = "0.5", .maximum = 1,
           .doc = "Probability that a value is zeroed."},
    {0}
};

const Operator operator_dropout = {
    .name = "dropout",
    .summary = "In training, zeroes each value with probability p; in evaluation, the identity.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x / (1 - p) with probability 1 - p, else 0",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Dropout.html",
    .args = args,
    .traits = OP_TRAINING_ONLY | OP_IN_PLACE,
    .infer = infer_same_shape,
};
