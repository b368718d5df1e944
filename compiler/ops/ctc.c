/* ctc.c: the loss of a row of classes that is shorter than the steps it is said in. */
#include "ops/operator.h"

enum { LENGTH, BLANK, ZERO_INFINITY };

static const ArgSpec args[] = {
    [LENGTH] = {"length", ARG_INT, .positional = true, .minimum = 1, .maximum = 4096,
                .doc = "The most classes of a target, whose row has as many: shorter ones end with "
                       "blanks."},
    [BLANK] = {"blank", ARG_INT, .otherwise = "0", .maximum = LARGEST,
               .doc = "The class that stands for none."},
    [ZERO_INFINITY] = {"zero_infinity", ARG_BOOL, .otherwise = "false",
                       .doc = "Whether a target that fits in no way into the steps has a loss of "
                              "0."},
    {0}};

static bool infer(Node *node)
{
    Shape shape = input_shape(node);
    const ArgValue *blank = &node->args[BLANK];
    if (blank->integer[0] >= shape.dim[1]) {
        node_error(node, "argument-range", blank->span,
                   "`blank` is class %lld, and the output %s has %lld classes, from 0",
                   blank->integer[0], shape_text(shape), shape.dim[1]);
        return false;
    }
    node->aux_shape = shape_of(2, shape.dim[0], 2 * node->args[LENGTH].integer[0] + 1, 1);
    return true;
}

/* A row of classes of its own length. */
static void want_row(const Node *node, int which, Wanted *target)
{
    (void)which;
    Int length = node->args[LENGTH].integer[0], classes = input_shape(node).dim[1];
    target->shape = shape_of(2, length, classes, 1);
    target->layout = (ClassLayout){classes, 1, length, classes};
}

const Operator operator_ctc = {
    .name = "ctc",
    .summary = "Connectionist temporal classification: of an output of logarithms of "
               "probabilities (log_softmax(axis=-1)), all ways to say the target's row of classes "
               "in so many steps.",
    .shape_rule = "[t, classes] -> one loss per image",
    .formula = "loss = -log(sum over all alignments of the product of their probabilities)\n"
               "       / the target's length",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html",
    .args = args,
    .ranks = RANK(2),
    .traits = OP_LOSS,
    .target = TARGET_CLASSES,
    .input_gradient_reads = READS_X | READS_AUX,
    .infer = infer,
    .wants = want_row,
};
