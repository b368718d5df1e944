/* dropout.c: each value is zeroed with probability p in training, the others
 * scaled so that the mean stays.  What is dropped follows from the seed, the
 * step, the layer and the value's index, so nothing is noted for the backward
 * pass: it draws the same numbers again.
 */
#include "ops/operator.h"

#include <math.h>

enum { P };

static const ArgSpec args[] = {[P] = {"p", ARG_REAL, .positional = true, .otherwise = "0.5",
                                      .maximum = 1, .doc = "Probability that a value is zeroed."},
                               {0}};

/* What is drawn has 53 bits: it is below p where those are below this. */
static unsigned long long drawn_below(double p)
{
    return (unsigned long long)ceil(p * 0x1p53);
}

/* In training: evaluation leaves the node out. */
static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    double p = node->args[P].real;
    long long elements = shape_elements(node->out->shape);
    bool forward = kernel->stage == STAGE_FORWARD;
    if (!kernel->training)
        return false;
    kernel_line(kernel, "const uint64_t key = net_random_key(s->seed, %d);", node_salt(node));
    kernel_line(kernel, "const uint64_t first = (uint64_t)(g * LANES) * %lldu;", elements);
    open_pieces(kernel, "i", elements);
    kernel_line(
        kernel,
        "const vec factor = vec_select(dropout_mask(key, s->step, first + (uint64_t)i, %lldu, "
        "%lluu), (vec){ 0 }, splat((real)%.17g));",
        elements, drawn_below(p), p < 1 ? 1 / (1 - p) : 0);
    kernel_line(kernel, "%s * factor;",
                forward            ? "y[i] = x[i]"
                : node->accumulate ? "dx[i] += dy[i]"
                                   : "dx[i] = dy[i]");
    kernel_line(kernel, "}");
    return true;
}

const Operator operator_dropout = {
    .name = "dropout",
    .summary = "In training, zeroes each value with probability p; in evaluation, the identity.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x / (1 - p) with probability 1 - p, else 0",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Dropout.html",
    .args = args,
    .traits = OP_TRAINING_ONLY | OP_IN_PLACE,
    .infer = infer_same_shape,
    .emit = emit,
};
