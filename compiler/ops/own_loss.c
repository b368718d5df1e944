/* own_loss.c: a `loss` of the program as an operator.  Its parameters are outputs of the network,
 * in their order, and what is left over is its target: numbers of the first output's shape, or
 * where the loss reads it outside of all sums one number.
 */
#include "kernels/loss.h"
#include "ops/operator.h"

typedef struct OwnLoss {
    Operator op; /* first: a node's op is the whole */
    const FunctionForm *form;
    const LossForm *value, *plain;
    int outputs;
} OwnLoss;

static const OwnLoss *loss_of(const Node *node)
{
    return (const OwnLoss *)node->op;
}

/* Whether it reads its target as one number. */
static bool has_label(const OwnLoss *loss)
{
    return loss->form->tensors > loss->outputs
           && term_reads(loss->plain->terms, loss->plain->value, loss->outputs);
}

static LossUse use_of(const Node *node)
{
    const OwnLoss *loss = loss_of(node);
    LossUse use = {.form = loss->value, .plain = loss->plain};
    for (int i = 0; i < node->inputs.count; i++)
        use.tensors[use.count++] = (LossTensor){node->inputs.count == 1 ? "x" : format("x%d", i),
                                                node->inputs.items[i]->shape, NULL, 0, 0};
    if (loss->form->tensors > loss->outputs)
        use.tensors[use.count++] = (LossTensor){
            "wanted", has_label(loss) ? shape_of(1, 1, 1, 1) : input_shape(node), NULL, 0, 0};
    return use;
}

static bool emit(Kernel *kernel)
{
    const LossUse use = use_of(kernel->node);
    emit_loss_use(kernel, &use, false);
    return true;
}

static void emit_reference(Kernel *kernel)
{
    const LossUse use = use_of(kernel->node);
    emit_loss_use(kernel, &use, true);
}

/* Sums are over tensors of one shape; what is read outside of them is one number. */
static bool infer(Node *node)
{
    const OwnLoss *loss = loss_of(node);
    const LossUse use = use_of(node);
    for (int k = 0; k < loss->plain->sums.count; k++) {
        int bad;
        Shape domain = loss_domain(&use, k, &bad);
        if (bad < 0)
            continue;
        Diagnostic *d = node_error(node, "function-mismatch", node->span,
                                   "a sum of %s reads `%s`, %s, beside tensors %s",
                                   loss->form->name, loss->form->tensor[bad],
                                   shape_text(use.tensors[bad].shape), shape_text(domain));
        diag_label(d, loss->form->span, "defined here");
        diag_help(d, "tensors of equal ranks, whose axes are equal or 1, which repeats");
        return false;
    }
    for (int i = 0; i < loss->outputs; i++) {
        if (shape_elements(use.tensors[i].shape) == 1
            || !term_reads(loss->plain->terms, loss->plain->value, i))
            continue;
        Diagnostic *d =
            node_error(node, "value-type", node->span,
                       "the loss of an example is one number, and %s reads `%s`, %s, "
                       "outside of sum and mean",
                       loss->form->name, loss->form->tensor[i], shape_text(use.tensors[i].shape));
        diag_label(d, loss->form->span, "defined here");
        diag_help(d, "mean(…) around it");
        return false;
    }
    return true;
}

static void want_label(const Node *node, Wanted *target)
{
    if (!has_label(loss_of(node)))
        return;
    target->shape = shape_of(1, 1, 1, 1);
    target->layout = (ClassLayout){1, 1, 1, 1};
}

const Operator *own_loss_operator(const FunctionForm *form, int outputs, const LossForm *value,
                                  const LossForm *plain)
{
    OwnLoss *loss = NEW(OwnLoss);
    derive_loss(value, form->tensors);
    *loss = (OwnLoss){
        .op =
            {
                .name = form->name,
                .summary = "A loss of the program.",
                .shape_rule = "of one number for each image",
                .formula = form->text,
                .args = form->args,
                .traits = OP_LOSS | (outputs == 1 ? OP_MAKES_GRADIENT : 0),
                .input_gradient_reads = READS_X,
                .joined = outputs,
                .target = form->tensors > outputs ? TARGET_NUMBERS : TARGET_NONE,
                .infer = infer,
                .wants = want_label,
                .emit = emit,
                .emit_reference = emit_reference,
            },
        .form = form,
        .value = value,
        .plain = plain,
        .outputs = outputs,
    };
    return &loss->op;
}
