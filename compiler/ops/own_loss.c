/* own_loss.c: a `loss` of the program as an operator.  Its parameters are outputs of the network,
 * in their order, and those left over are its targets.  A target has the shape of what it stands
 * beside in a sum: of the first output, or of the parts of outputs that are there; where the loss
 * reads it outside of all sums it is one number.
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

/* Of the whole tensor or the part with this number: the whole one's. */
static int whole_of(const OwnLoss *loss, int number)
{
    const LossForm *form = loss->plain;
    return number < form->tensors ? number : form->slices.items[number - form->tensors].tensor;
}

static const char *name_of(const OwnLoss *loss, int number)
{
    const LossForm *form = loss->plain;
    return number < form->tensors ? loss->form->tensor[number]
                                  : span_text(form->slices.items[number - form->tensors].span);
}

/* ---------------------------------------------------------------- shapes */

/* Whether the sum reads an output, or a part of one. */
static bool reads_outputs(const OwnLoss *loss, const Term *body, int count)
{
    for (int i = 0; i < count; i++)
        if (whole_of(loss, i) < loss->outputs && term_reads(loss->plain->terms, body, i))
            return true;
    return false;
}

/* `use` has the outputs and their parts, and for targets one value each. */
static Shape target_shape(const OwnLoss *loss, const LossUse *use, int target)
{
    const LossForm *plain = loss->plain;
    const Shape first = use->tensors[0].shape;
    if (term_reads(plain->terms, plain->value, target))
        return shape_of(1, 1, 1, 1);
    for (int k = 0; k < plain->sums.count; k++) {
        const Term *body = plain->sums.items[k].body;
        int bad;
        if (term_reads(plain->terms, body, target) && reads_outputs(loss, body, use->count))
            return term_reads(plain->terms, body, 0) ? first : loss_domain(use, k, &bad);
    }
    return first;
}

/* The parts of outputs, or of targets; gives the first that is not there, -1: all are. */
static int add_parts(const OwnLoss *loss, LossUse *use, bool targets, const char **fault)
{
    int bad = -1;
    for (int i = loss->plain->tensors; i < use->count; i++) {
        const LossSlice *slice = &loss->plain->slices.items[i - loss->plain->tensors];
        if ((slice->tensor >= loss->outputs) != targets)
            continue;
        const char *why = take_slice(&use->tensors[slice->tensor], slice, &use->tensors[i]);
        bad = why != NULL && bad < 0 ? i : bad;
        *fault = bad == i ? why : *fault;
    }
    return bad;
}

static const char *target_name(int target)
{
    return target == 0 ? "wanted" : format("wanted%d", target);
}

/* *bad: the number of the first part that is not there, with its fault; -1: all are. */
static LossUse made_use(const Node *node, int *bad, const char **fault)
{
    const OwnLoss *loss = loss_of(node);
    LossUse use = {.form = loss->value, .plain = loss->plain};
    const Shape one = shape_of(1, 1, 1, 1);
    use.first_part = loss->plain->tensors;
    use.count = loss->plain->tensors + loss->plain->slices.count;
    for (int i = 0; i < use.count; i++)
        use.tensors[i] = loss_tensor("", one, -1);
    for (int i = 0; i < loss->outputs; i++)
        use.tensors[i] = loss_tensor(node->inputs.count == 1 ? "x" : format("x%d", i),
                                     node->inputs.items[i]->shape, i);
    *bad = add_parts(loss, &use, false, fault);
    Shape shapes[MAX_LOSS_PARAMETERS];
    for (int i = loss->outputs; i < use.first_part; i++)
        shapes[i] = target_shape(loss, &use, i);
    for (int i = loss->outputs; i < use.first_part; i++)
        use.tensors[i] = loss_tensor(target_name(i - loss->outputs), shapes[i], -1);
    int later = add_parts(loss, &use, true, *bad < 0 ? fault : &(const char *){NULL});
    *bad = *bad < 0 ? later : *bad;
    return use;
}

static LossUse use_of(const Node *node)
{
    const char *fault = NULL;
    int bad;
    return made_use(node, &bad, &fault);
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

/* ---------------------------------------------------------------- checks */

static void report_part(const Node *node, const LossUse *use, int bad, const char *fault)
{
    const OwnLoss *loss = loss_of(node);
    const LossSlice *slice = &loss->plain->slices.items[bad - loss->plain->tensors];
    Diagnostic *d = node_error(node, "argument-range", slice->span, "`%s` is %s: %s",
                               loss->form->tensor[slice->tensor],
                               shape_text(use->tensors[slice->tensor].shape), fault);
    diag_label(d, node->span, "used here");
    if (slice->tensor >= loss->outputs)
        diag_help(d, "a target of which only parts are read has the shape of the first output");
}

static void report_domain(const Node *node, const LossUse *use, int bad, Shape domain)
{
    const OwnLoss *loss = loss_of(node);
    Diagnostic *d =
        node_error(node, "function-mismatch", node->span,
                   "a sum of %s reads `%s`, %s, beside tensors %s", loss->form->name,
                   name_of(loss, bad), shape_text(use->tensors[bad].shape), shape_text(domain));
    diag_label(d, loss->form->span, "defined here");
    diag_help(d, "tensors of equal ranks, whose axes are equal or 1, which repeats");
}

/* Sums are over tensors of one shape; what is read outside of them is one number. */
static bool infer(Node *node)
{
    const OwnLoss *loss = loss_of(node);
    const char *fault = NULL;
    int bad;
    const LossUse use = made_use(node, &bad, &fault);
    if (bad >= 0) {
        report_part(node, &use, bad, fault);
        return false;
    }
    for (int k = 0; k < loss->plain->sums.count; k++) {
        Shape domain = loss_domain(&use, k, &bad);
        if (bad < 0)
            continue;
        report_domain(node, &use, bad, domain);
        return false;
    }
    for (int i = 0; i < use.count; i++) {
        if (shape_elements(use.tensors[i].shape) == 1
            || !term_reads(loss->plain->terms, loss->plain->value, i))
            continue;
        Diagnostic *d =
            node_error(node, "value-type", node->span,
                       "the loss of an example is one number, and %s reads `%s`, %s, "
                       "outside of sum and mean",
                       loss->form->name, name_of(loss, i), shape_text(use.tensors[i].shape));
        diag_label(d, loss->form->span, "defined here");
        diag_help(d, "mean(…) around it");
        return false;
    }
    return true;
}

static void want_numbers(const Node *node, int which, Wanted *target)
{
    const LossUse use = use_of(node);
    target->shape = use.tensors[loss_of(node)->outputs + which].shape;
    target->layout = shape_elements(target->shape) == 1 ? (ClassLayout){1, 1, 1, 1}
                                                        : class_layout_of(target->shape);
}

const Operator *own_loss_operator(const FunctionForm *form, int outputs, const LossForm *value,
                                  const LossForm *plain)
{
    OwnLoss *loss = NEW(OwnLoss);
    int targets = form->tensors - outputs;
    derive_loss(value);
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
                .target = targets > 0 ? TARGET_NUMBERS : TARGET_NONE,
                .targets = targets,
                .infer = infer,
                .wants = want_numbers,
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
