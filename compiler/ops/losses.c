/* losses.c: losses of numbers that are made of sums over an example's values: of the distance from
 * a target, of yes and no, of distributions, and of embeddings.  Names, arguments and formulas are
 * PyTorch's; contrastive is Hadsell's.
 *
 * Each says its formula as terms, of which the kernels are made.
 */
#include "kernels/loss.h"
#include "ops/operator.h"

#include <string.h>

static const char *const reductions[] = {"mean", "sum", NULL};
static const char *const kl_reductions[] = {"mean", "batchmean", "sum", NULL};

#define REDUCTION                                                                              \
    {                                                                                          \
        "reduction", ARG_WORD, .otherwise = "mean", .words = reductions,                       \
                               .doc = "The mean over values and images, or the sum over both." \
    }

/* ------------------------------------------------------------- formulas */

/* A formula being written. */
typedef struct Formulas {
    LossForm *form;
    const Node *node;
    int target; /* the number of what it is held against */
    int table;  /* of pos_weight's table */
} Formulas;

static const Term *number(const Formulas *f, double value)
{
    return number_term(f->form->terms, value);
}

static const Term *tensor(const Formulas *f, int which)
{
    return tensor_term(f->form->terms, which);
}

static const Term *unary(const Formulas *f, TermKind kind, const Term *a)
{
    return term1(f->form->terms, kind, a);
}

static const Term *binary(const Formulas *f, TermKind kind, const Term *a, const Term *b)
{
    return term2(f->form->terms, kind, a, b);
}

static const Term *choose(const Formulas *f, const Term *condition, const Term *yes, const Term *no)
{
    return choose_term(f->form->terms, condition, yes, no);
}

static const Term *times(const Formulas *f, const Term *a, const Term *b)
{
    return binary(f, TERM_MULTIPLY, a, b);
}

static const Term *less(const Formulas *f, const Term *a, const Term *b)
{
    return binary(f, TERM_SUBTRACT, a, b);
}

static const Term *plus(const Formulas *f, const Term *a, const Term *b)
{
    return binary(f, TERM_ADD, a, b);
}

static const Term *square(const Formulas *f, const Term *a)
{
    return times(f, a, a);
}

static double real_arg(const Formulas *f, const char *name)
{
    return f->node->args[operator_arg(f->node->op, name)].real;
}

static bool is_word(const Node *node, const char *name, const char *word)
{
    int arg = operator_arg(node->op, name);
    return arg >= 0 && node->args[arg].word && strcmp(node->args[arg].word, word) == 0;
}

/* The mean over an example's values, or their sum. */
static const Term *over_values(const Formulas *f, const Term *body)
{
    bool mean =
        !is_word(f->node, "reduction", "sum") && !is_word(f->node, "reduction", "batchmean");
    return add_loss_sum(f->form, body, mean ? SUM_MEAN : SUM_OF);
}

static const Term *distance(const Formulas *f)
{
    return less(f, tensor(f, 0), tensor(f, f->target));
}

static const Term *make_mse(const Formulas *f)
{
    return over_values(f, square(f, distance(f)));
}

static const Term *make_l1(const Formulas *f)
{
    return over_values(f, unary(f, TERM_ABS, distance(f)));
}

static const Term *half_square(const Formulas *f, const Term *d)
{
    return times(f, number(f, 0.5), square(f, d));
}

static const Term *make_huber(const Formulas *f)
{
    double delta = real_arg(f, "delta");
    const Term *d = distance(f), *size = unary(f, TERM_ABS, d);
    const Term *line = times(f, number(f, delta), less(f, size, number(f, 0.5 * delta)));
    return over_values(
        f, choose(f, binary(f, TERM_LESS_EQUAL, size, number(f, delta)), half_square(f, d), line));
}

static const Term *make_smooth_l1(const Formulas *f)
{
    double beta = real_arg(f, "beta");
    const Term *d = distance(f), *size = unary(f, TERM_ABS, d);
    if (beta == 0)
        return over_values(f, size);
    return over_values(f, choose(f, binary(f, TERM_LESS, size, number(f, beta)),
                                 binary(f, TERM_DIVIDE, half_square(f, d), number(f, beta)),
                                 less(f, size, number(f, 0.5 * beta))));
}

/* (1 - t) * x + (1 + (pos_weight - 1) * t) * log(1 + exp(-x)). */
static const Term *make_bce(const Formulas *f)
{
    const ArgValue *weight = &f->node->args[operator_arg(f->node->op, "pos_weight")];
    const Term *x = tensor(f, 0), *t = tensor(f, f->target), *one = number(f, 1);
    const Term *surprise = unary(f, TERM_SOFTPLUS, unary(f, TERM_NEGATE, x));
    if (weight->given && weight->count > 0) {
        const Term *positive =
            weight->count == 1 ? number(f, weight->reals[0]) : tensor(f, f->table);
        surprise = times(f, plus(f, one, times(f, less(f, positive, one), t)), surprise);
    }
    return over_values(f, plus(f, times(f, less(f, one, t), x), surprise));
}

/* Of x, logarithms: t * (log t - x), 0 where t is; of logarithms t, too, exp(t) * (t - x). */
static const Term *make_kl_div(const Formulas *f)
{
    const Term *x = tensor(f, 0), *t = tensor(f, f->target);
    if (f->node->args[operator_arg(f->node->op, "log_target")].integer[0])
        return over_values(f, times(f, unary(f, TERM_EXP, t), less(f, t, x)));
    const Term *own = times(f, t, less(f, unary(f, TERM_LOG, t), x)), *zero = number(f, 0);
    return over_values(f, choose(f, binary(f, TERM_LESS, zero, t), own, zero));
}

static const Term *positive_part(const Formulas *f, const Term *a)
{
    const Term *zero = number(f, 0);
    return choose(f, binary(f, TERM_LESS, zero, a), a, zero);
}

static const Term *make_hinge_embedding(const Formulas *f)
{
    const Term *x = tensor(f, 0), *alike = binary(f, TERM_LESS, number(f, 0), tensor(f, f->target));
    return over_values(
        f, choose(f, alike, x, positive_part(f, less(f, number(f, real_arg(f, "margin")), x))));
}

/* ------------------------------------------------------------ embeddings */

static const Term *summed(const Formulas *f, const Term *body)
{
    return add_loss_sum(f->form, body, SUM_OF);
}

/* 1 - cos where the target is 1 or the other vector, max(0, cos - margin) where it is -1. */
static const Term *make_cosine(const Formulas *f)
{
    bool pair = f->node->inputs.count == 2;
    const Term *a = tensor(f, 0), *b = pair ? tensor(f, 1) : tensor(f, f->target);
    const Term *small = number(f, 1e-12), *one = number(f, 1);
    const Term *product = summed(f, times(f, a, b)),
               *first = plus(f, summed(f, square(f, a)), small),
               *second = plus(f, summed(f, square(f, b)), small);
    const Term *cosine =
        binary(f, TERM_DIVIDE, product, unary(f, TERM_SQRT, times(f, first, second)));
    const Term *near = less(f, one, cosine);
    if (!pair)
        return near;
    const Term *far = positive_part(f, less(f, cosine, number(f, real_arg(f, "margin"))));
    return choose(f, binary(f, TERM_LESS, number(f, 0), tensor(f, f->target)), near, far);
}

/* PyTorch's pairwise_distance: the norm of a - b + eps. */
static const Term *apart(const Formulas *f, int a, int b)
{
    double p = real_arg(f, "p");
    const Term *d = plus(f, less(f, tensor(f, a), tensor(f, b)), number(f, real_arg(f, "eps")));
    if (p == 1)
        return summed(f, unary(f, TERM_ABS, d));
    if (p == 2)
        return unary(f, TERM_SQRT, summed(f, square(f, d)));
    return binary(f, TERM_POWER,
                  summed(f, binary(f, TERM_POWER, unary(f, TERM_ABS, d), number(f, p))),
                  number(f, 1 / p));
}

static const Term *make_triplet(const Formulas *f)
{
    const Term *near = apart(f, 0, 1), *far = apart(f, 0, 2);
    if (f->node->args[operator_arg(f->node->op, "swap")].integer[0])
        far = binary(f, TERM_MIN, far, apart(f, 1, 2));
    return positive_part(f, plus(f, less(f, near, far), number(f, real_arg(f, "margin"))));
}

/* The distance's square for what is alike, that of what it lacks of the margin for what is not. */
static const Term *make_contrastive(const Formulas *f)
{
    const Term *whole = summed(f, square(f, less(f, tensor(f, 0), tensor(f, 1))));
    const Term *lacks =
        positive_part(f, less(f, number(f, real_arg(f, "margin")),
                              unary(f, TERM_SQRT, plus(f, whole, number(f, 1e-12)))));
    const Term *t = tensor(f, f->target);
    return plus(f, times(f, t, whole), times(f, less(f, number(f, 1), t), square(f, lacks)));
}

/* --------------------------------------------------------------- kernels */

typedef const Term *MakeFormula(const Formulas *f);

static const struct {
    const char *name;
    MakeFormula *make;
} formulas[] = {
    {"mse", make_mse},
    {"l1", make_l1},
    {"huber", make_huber},
    {"smooth_l1", make_smooth_l1},
    {"bce_with_logits", make_bce},
    {"kl_div", make_kl_div},
    {"hinge_embedding", make_hinge_embedding},
    {"cosine", make_cosine},
    {"triplet", make_triplet},
    {"contrastive", make_contrastive},
};

static LossForm *make_form(const Node *node)
{
    LossForm *form = NEW(LossForm);
    const Formulas f = {form, node, node->inputs.count, node->inputs.count + 1};
    form->terms = new_terms(false);
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++)
        if (strcmp(formulas[i].name, node->op->name) == 0)
            form->value = formulas[i].make(&f);
    return form;
}

static const char *input_name(const Node *node, int i)
{
    return node->inputs.count == 1 ? "x" : format("x%d", i);
}

/* One value for all, or one for each class. */
static void add_table(LossUse *use, const Node *node)
{
    int arg = operator_arg(node->op, "pos_weight");
    if (arg < 0 || node->args[arg].count < 2)
        return;
    ClassLayout layout = class_layout_of(input_shape(node));
    use->tensors[use->count++] = (LossTensor){.name = "pos_weight",
                                              .shape = input_shape(node),
                                              .input = -1,
                                              .table = node->args[arg].reals,
                                              .count = layout.classes,
                                              .step = layout.class_step};
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    LossUse use = {.form = make_form(node), .whole = is_word(node, "reduction", "sum")};
    for (int i = 0; i < node->inputs.count; i++)
        use.tensors[use.count++] =
            loss_tensor(input_name(node, i), node->inputs.items[i]->shape, i);
    bool label = node->op->wants && node->inputs.count > 1;
    use.tensors[use.count++] =
        loss_tensor("wanted", label ? shape_of(1, 1, 1, 1) : input_shape(node), -1);
    add_table(&use, node);
    use.first_part = use.count;
    emit_loss_use(kernel, &use, false);
    return true;
}

/* ---------------------------------------------------------------- checks */

static bool same_shapes(Node *node)
{
    for (int i = 1; i < node->inputs.count; i++) {
        Shape first = input_shape(node), other = node->inputs.items[i]->shape;
        if (shape_equal(first, other))
            continue;
        node_error(node, "shape-mismatch", node->span,
                   "%s takes tensors of one shape, not %s and %s", node->op->name,
                   shape_text(first), shape_text(other));
        return false;
    }
    return true;
}

static bool infer_pos_weight(Node *node)
{
    int arg = operator_arg(node->op, "pos_weight");
    const ArgValue *weight = &node->args[arg];
    Int classes = class_layout_of(input_shape(node)).classes;
    if (weight->count < 2 || weight->count == classes)
        return true;
    node_error(node, "argument-range", weight->span,
               "`pos_weight` has %d numbers, and the output %s has %lld values at a position",
               weight->count, shape_text(input_shape(node)), classes);
    return false;
}

/* A pair's label is one value: alike or not. */
static void want_label(const Node *node, int which, Wanted *target)
{
    (void)which;
    if (node->inputs.count < 2)
        return;
    target->shape = shape_of(1, 1, 1, 1);
    target->layout = (ClassLayout){1, 1, 1, 1};
    target->low = strcmp(node->op->name, "contrastive") == 0 ? 0 : -1;
    target->high = 1;
    target->ends = true;
}

/* ------------------------------------------------------------ the table */

static const ArgSpec reduction_args[] = {REDUCTION, {0}};
static const ArgSpec huber_args[] = {{"delta", ARG_REAL, .otherwise = "1.0", .minimum = 1e-12,
                                      .maximum = 1e12,
                                      .doc = "The distance up to which the error is squared."},
                                     REDUCTION,
                                     {0}};
static const ArgSpec smooth_args[] = {{"beta", ARG_REAL, .otherwise = "1.0", .maximum = 1e12,
                                       .doc = "The distance up to which the error is squared."},
                                      REDUCTION,
                                      {0}};
static const ArgSpec bce_args[] = {
    {"pos_weight", ARG_VALUES, .otherwise = "none", .maximum = 1e12,
     .doc = "What a 1 counts, beside a 0: one number, or one for each label."},
    REDUCTION,
    {0}};
static const ArgSpec kl_args[] = {
    {"reduction", ARG_WORD, .otherwise = "mean", .words = kl_reductions,
     .doc = "The mean over values and images; batchmean: over images alone, as the definition has "
            "it; or the sum over both."},
    {"log_target", ARG_BOOL, .otherwise = "false",
     .doc = "Whether the targets are logarithms, too."},
    {0}};
static const ArgSpec hinge_args[] = {{"margin", ARG_REAL, .otherwise = "1.0", .maximum = 1e12,
                                      .doc = "How far apart is far enough."},
                                     REDUCTION,
                                     {0}};
static const ArgSpec cosine_args[] = {{"margin", ARG_REAL, .otherwise = "0.0", .minimum = -1,
                                       .maximum = 1,
                                       .doc = "The cosine up to which two are unlike."},
                                      {0}};
static const ArgSpec triplet_args[] = {
    {"margin", ARG_REAL, .otherwise = "1.0", .maximum = 1e12,
     .doc = "How much nearer the like one is to be."},
    {"p", ARG_REAL, .otherwise = "2.0", .minimum = 1, .maximum = 100, .doc = "Of the norm."},
    {"eps", ARG_REAL, .otherwise = "1e-6", .maximum = 1, .doc = "Added to each difference."},
    {"swap", ARG_BOOL, .otherwise = "false",
     .doc = "Whether the unlike one is held against the nearer of the other two."},
    {0}};
static const ArgSpec contrastive_args[] = {{"margin", ARG_REAL, .otherwise = "1.0", .maximum = 1e12,
                                            .doc = "How far apart is far enough."},
                                           {0}};

#define PYTORCH(page) "https://pytorch.org/docs/stable/generated/torch.nn." page ".html"
#define OF_TRAITS(more)                                                       \
    .traits = OP_LOSS | OP_MAKES_GRADIENT | (more), .target = TARGET_NUMBERS, \
    .input_gradient_reads = READS_X, .emit = emit
#define OF_NUMBERS OF_TRAITS(0)
#define OF_ANY_UNIT OF_TRAITS(OP_ANY_UNIT)

const Operator operator_mse = {
    .name = "mse",
    .summary = "Mean squared error between the output and its target; the mean over values and "
               "batch.",
    .shape_rule = "any shape -> one loss per image",
    .formula = "loss = mean of (x - t)^2;  d loss/dx = 2 * (x - t) / values\n"
               "Of a class as target t is 1 for it, else 0.",
    .reference = PYTORCH("MSELoss"),
    .args = reduction_args,
    OF_ANY_UNIT,
};

const Operator operator_l1 = {
    .name = "l1",
    .summary = "Mean absolute error between the output and its target.",
    .shape_rule = "any shape -> one loss per image",
    .formula = "loss = mean of |x - t|",
    .reference = PYTORCH("L1Loss"),
    .args = reduction_args,
    OF_ANY_UNIT,
};

const Operator operator_huber = {
    .name = "huber",
    .summary = "Squared error near the target, absolute error beyond delta.",
    .shape_rule = "any shape -> one loss per image",
    .formula = "loss = mean of (d^2/2 if |d| <= delta else delta*(|d| - delta/2)), d = x - t",
    .reference = PYTORCH("HuberLoss"),
    .args = huber_args,
    OF_ANY_UNIT,
};

const Operator operator_smooth_l1 = {
    .name = "smooth_l1",
    .summary = "Absolute error, smooth within beta of the target.",
    .shape_rule = "any shape -> one loss per image",
    .formula = "loss = mean of (d^2/(2*beta) if |d| < beta else |d| - beta/2), d = x - t",
    .reference = PYTORCH("SmoothL1Loss"),
    .args = smooth_args,
    OF_ANY_UNIT,
};

const Operator operator_bce_with_logits = {
    .name = "bce_with_logits",
    .summary = "Cross-entropy of yes and no for each value of the output, which is a logit: the "
               "loss of several labels, and of masks.",
    .shape_rule = "any shape -> one loss per image",
    .formula = "loss = mean of -(pos_weight*t*log(sigmoid(x)) + (1 - t)*log(1 - sigmoid(x)))",
    .reference = PYTORCH("BCEWithLogitsLoss"),
    .args = bce_args,
    OF_NUMBERS,
    .infer = infer_pos_weight,
    .target_high = 1,
};

const Operator operator_kl_div = {
    .name = "kl_div",
    .summary = "Kullback-Leibler divergence of a target's distribution from the output, which is "
               "logarithms (log_softmax).",
    .shape_rule = "any shape -> one loss per image",
    .formula = "loss = mean of t*(log(t) - x);  with log_target, of exp(t)*(t - x)",
    .reference = PYTORCH("KLDivLoss"),
    .args = kl_args,
    OF_NUMBERS,
};

const Operator operator_hinge_embedding = {
    .name = "hinge_embedding",
    .summary = "A distance itself where the target is 1, what it lacks of the margin where it is "
               "-1.",
    .shape_rule = "any shape -> one loss per image",
    .formula = "loss = mean of (x if t == 1 else max(0, margin - x))",
    .reference = PYTORCH("HingeEmbeddingLoss"),
    .args = hinge_args,
    OF_NUMBERS,
    .target_low = -1,
    .target_high = 1,
    .target_ends = true,
};

const Operator operator_cosine = {
    .name = "cosine",
    .summary = "Of two named outputs, cosine(a, b), how far their angle is from what the target "
               "says, 1 alike or -1 not; of one output its angle to the target.",
    .shape_rule = "[n] and [n] -> one loss per image",
    .formula = "loss = 1 - cos(a, b) if t == 1 else max(0, cos(a, b) - margin)",
    .reference = PYTORCH("CosineEmbeddingLoss"),
    .args = cosine_args,
    .joined = 2,
    .traits = OP_LOSS | OP_MAKES_GRADIENT,
    .target = TARGET_NUMBERS,
    .input_gradient_reads = READS_X,
    .infer = same_shapes,
    .wants = want_label,
    .emit = emit,
};

const Operator operator_triplet = {
    .name = "triplet",
    .summary = "Of three named outputs, triplet(anchor, positive, negative): the first is to be "
               "nearer to the second than to the third.  It has no target.",
    .shape_rule = "[n], [n] and [n] -> one loss per image",
    .formula = "loss = max(0, |a - p|_p - |a - n|_p + margin)",
    .reference = PYTORCH("TripletMarginLoss"),
    .args = triplet_args,
    .joined = 3,
    .traits = OP_LOSS,
    .input_gradient_reads = READS_X,
    .infer = same_shapes,
    .emit = emit,
};

const Operator operator_contrastive = {
    .name = "contrastive",
    .summary = "Of two named outputs, contrastive(a, b): near where the target is 1, alike, and a "
               "margin apart where it is 0.",
    .shape_rule = "[n] and [n] -> one loss per image",
    .formula = "loss = t*d^2 + (1 - t)*max(0, margin - d)^2, d = |a - b|",
    .reference = "http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf",
    .args = contrastive_args,
    .joined = 2,
    .traits = OP_LOSS,
    .target = TARGET_NUMBERS,
    .input_gradient_reads = READS_X,
    .infer = same_shapes,
    .wants = want_label,
    .emit = emit,
};
