/* cross_entropy.c: softmax and negative log-likelihood of the target class, in
 * one: the loss of a classifier.  It takes logits, and its gradient is the
 * softmax less the target.
 */
#include "ops.h"

enum { LABEL_SMOOTHING };

static const ArgSpec args[] = {
    [LABEL_SMOOTHING] = {"label_smoothing", ARG_REAL, .otherwise = "0.0", .maximum = 1,
                         .doc = "Part of the target spread evenly over all classes."},
    {0}
};

/* The loss ends the graph: it leaves one value per image in the step, no tensor. */
static bool infer(Node *node)
{
    return node_needs_rank(node, 1);
}

const Operator operator_cross_entropy = {
    .name = "cross_entropy",
    .summary = "Cross-entropy between the softmax of the logits and the target class; the mean over the batch.",
    .shape_rule = "[classes] -> one loss per image",
    .formula = "loss = -sum over k of t[k] * log(softmax(x)[k]);  d loss/dx = softmax(x) - t\n"
               "t[k] = (1 - label_smoothing) * (1 if k is the target else 0) + label_smoothing / classes",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
    .args = args,
    .traits = OP_LOSS,
    .input_gradient_reads = READS_X,
    .infer = infer,
};
