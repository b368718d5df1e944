/* cross_entropy.c: softmax and negative log-likelihood of the target class, in
 * one: the loss of a classifier.  It takes logits, and its gradient is the
 * softmax less the target.  An image may have a target for each of its positions: pixels of
 * [c, h, w], steps of [t, c].  Of the same kind are nll, which takes logarithms of probabilities,
 * and hinge.
 */
#include "kernels/grain/softmax.h"
#include "ops/operator.h"

enum { LABEL_SMOOTHING, IGNORE_INDEX, WEIGHT };

#define IGNORE_INDEX_ARG                                                                       \
    {                                                                                          \
        "ignore_index", ARG_INT, .otherwise = "none", .minimum = -LARGEST, .maximum = LARGEST, \
                                 .doc = "A class that counts as none where it is the target."  \
    }
#define WEIGHT_ARG                                                               \
    {                                                                            \
        "weight", ARG_VALUES, .otherwise = "none", .maximum = 1e12,              \
                              .doc = "What each class counts as target, a list." \
    }

static const ArgSpec args[] = {
    [LABEL_SMOOTHING] = {"label_smoothing", ARG_REAL, .otherwise = "0.0", .maximum = 1,
                         .doc = "Part of the target spread evenly over all classes."},
    [IGNORE_INDEX] = IGNORE_INDEX_ARG,
    [WEIGHT] = WEIGHT_ARG,
    {0}};
static const ArgSpec nll_args[] = {IGNORE_INDEX_ARG, WEIGHT_ARG, {0}};
static const ArgSpec hinge_args[] = {
    {"margin", ARG_REAL, .otherwise = "1.0", .maximum = 1e12,
     .doc = "How far the target's score is to be above the others."},
    {"p", ARG_INT, .otherwise = "1", .minimum = 1, .maximum = 2,
     .doc = "The power of what a class lacks of that."},
    WEIGHT_ARG,
    {0}};

/* As many weights as there are classes. */
static bool check_weights(Node *node)
{
    const ArgValue *weight = &node->args[operator_arg(node->op, "weight")];
    Int classes = class_layout_of(input_shape(node)).classes;
    if (!weight->given || weight->count == classes)
        return true;
    node_error(node, "argument-range", weight->span,
               "`weight` of %s has %d number%s, and the output %s has %lld classes", node->op->name,
               weight->count, weight->count == 1 ? "" : "s", shape_text(input_shape(node)),
               classes);
    return false;
}

/* The loss ends the graph: it leaves one value per image in the step, no tensor.
 * aux is the softmax. */
static bool infer(Node *node)
{
    node->aux_shape = input_shape(node);
    return check_weights(node);
}

/* "(real)0.3 * "; nothing for 1. */
static const char *loss_factor(const Node *node)
{
    return node->loss_weight == 1 ? "" : format("(real)%.17g * ", node->loss_weight);
}

/* Whether each image has a part of its neighbour's target. */
static bool mixes(const Kernel *kernel)
{
    return kernel->node->mixes && kernel->training;
}

/* Whether targets count differently: by their class, in parts, or not at all. */
static bool is_weighed(const Kernel *kernel)
{
    const Node *node = kernel->node;
    return node->args[IGNORE_INDEX].given || node->args[WEIGHT].given || mixes(kernel);
}

static const char *class_offset(const ClassLayout *layout)
{
    return layout->class_step == 1 ? "" : format(" * %lldL", layout->class_step);
}

/* Of a position, what its target counts in each lane, `own`, and whether at all, `counts`; the
 * targets that do not become the first class.  Mixed with a neighbour in the grain, its target is
 * `others`, which counts `rest`. */
static void emit_weights(Kernel *kernel)
{
    const Node *node = kernel->node;
    const ArgValue *ignored = &node->args[IGNORE_INDEX];
    kernel_line(kernel, "int32_t classes[LANES];");
    kernel_line(kernel, "vec own, counts;");
    if (mixes(kernel)) {
        kernel_line(kernel, "int32_t others[LANES];");
        kernel_line(kernel, "vec rest;");
    }
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++) {");
    if (ignored->given)
        kernel_line(kernel, "const int there = targets[lane] != %lldL;", ignored->integer[0]);
    else
        kernel_line(kernel, "const int there = 1;");
    kernel_line(kernel, "classes[lane] = there ? targets[lane] : 0;");
    kernel_line(kernel, "counts[lane] = there;");
    kernel_line(kernel, "own[lane] = there ? %s : 0;",
                node->args[WEIGHT].given ? "weights[classes[lane]]" : "(real)1");
    if (mixes(kernel)) {
        kernel_line(kernel, "const real share = s->shares[g * LANES + lane];");
        kernel_line(kernel, "others[lane] = targets[lane ^ 1];");
        kernel_line(kernel, "rest[lane] = %s((real)1 - share);",
                    node->args[WEIGHT].given ? "weights[others[lane]] * " : "");
        kernel_line(kernel, "own[lane] *= share;");
    }
    kernel_line(kernel, "}");
}

static void declare_weights(Kernel *kernel)
{
    const Node *node = kernel->node;
    const ArgValue *weight = &node->args[WEIGHT];
    Text text = {0};
    double all = 0;
    for (int i = 0; i < weight->count; i++) {
        text_add(&text, "%s(real)%.17g", i ? ", " : "", weight->reals[i]);
        all += weight->reals[i];
    }
    if (weight->given) {
        kernel_line(kernel, "static const real weights[] = { %s };", text_chars(&text));
        kernel_line(kernel, "const real all_weights = (real)%.17g;", all);
    }
    if (weight->given || node->args[IGNORE_INDEX].given)
        kernel_line(kernel, "const double together = s->target_weights[%d];", only_target(node));
    else
        kernel_line(kernel, "const double together = (double)s->images;");
    kernel_line(kernel, "const real each = together > 0 ? (real)(1 / together) : 0;");
}

/* What class c, at which the loop of `c` is, counts. */
static const char *weight_at(const Node *node, const ClassLayout *layout)
{
    return node->args[WEIGHT].given ? format("weights[c / %lldL]", layout->class_step) : "(real)1";
}

/* A position's losses: of the target, and with smoothing the mean of all classes'. */
static void emit_losses(Kernel *kernel, const ClassLayout *layout, double smoothing)
{
    const Node *node = kernel->node;
    bool weighed = is_weighed(kernel), weights = node->args[WEIGHT].given;
    kernel_line(kernel, "const vec whole = vec_log(total);");
    if (smoothing != 0) {
        kernel_line(kernel, "vec mean = { 0 };");
        kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)",
                    layout->classes * layout->class_step, layout->class_step);
        kernel_line(kernel, "    mean += %s(v[c] - largest);",
                    weights ? format("%s * ", weight_at(node, layout)) : "");
        kernel_line(kernel, "mean = (%swhole - mean) / (real)%lld%s;",
                    weights ? "all_weights * " : format("(real)%lld * ", layout->classes),
                    layout->classes, weighed ? " * counts" : "");
    }
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++) {");
    const char *value = "surprise", *weight = loss_factor(node);
    bool adds = layout->targets > 1 || node->loss_adds;
    kernel_line(kernel,
                "const real surprise = whole[lane] - (v[%s[lane]%s][lane] - largest[lane]);",
                weighed ? "classes" : "targets", class_offset(layout));
    if (mixes(kernel))
        kernel_line(kernel,
                    "const real other = whole[lane] - (v[others[lane]%s][lane] - largest[lane]);",
                    class_offset(layout));
    if (weighed)
        value =
            mixes(kernel) ? "(own[lane] * surprise + rest[lane] * other)" : "own[lane] * surprise";
    if (smoothing != 0)
        value =
            format("(real)%.17g * %s + (real)%.17g * mean[lane]", 1 - smoothing, value, smoothing);
    if (weighed)
        value = format("(%s) * (each * s->images)", value);
    else if (layout->targets > 1)
        value = format("(%s) * (real)%.17g", value, 1 / (double)layout->targets);
    if (*weight)
        value = format("%s(%s)", weight, value);
    kernel_line(kernel, "loss[lane] %s active[lane] != 0 ? %s : 0;", adds ? "+=" : "=", value);
    kernel_line(kernel, "}");
}

/* Where targets count differently: of class c the softmax times what the target distribution counts
 * in all, less what it counts there. */
static void emit_weighed_gradient(Kernel *kernel, const char *from, const ClassLayout *layout,
                                  double smoothing)
{
    const Node *node = kernel->node;
    const char *all =
        node->args[WEIGHT].given ? "all_weights" : format("(real)%lld", layout->classes);
    double part = smoothing / (double)layout->classes;
    kernel_line(kernel, "{");
    kernel_line(kernel,
                "const vec active = *(const unaligned_vec *)(s->active + g * LANES), part = "
                "%sactive * each;",
                loss_factor(node));
    kernel_line(kernel,
                "const vec share = part * counts, sum = (real)%.17g * %s + (real)%.17g * %s;",
                1 - smoothing, mixes(kernel) ? "(own + rest)" : "own", part, all);
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)",
                layout->classes * layout->class_step, layout->class_step);
    kernel_line(kernel,
                "    d[c] %s vec_select((active > (vec){ 0 }) & (counts > (vec){ 0 }), (%s * sum - "
                "(real)%.17g * %s) * share, (vec){ 0 });",
                node->accumulate ? "+=" : "=", from, part, weight_at(node, layout));
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
    kernel_line(kernel, "    d[classes[lane]%s][lane] -= (real)%.17g * own[lane] * part[lane];",
                class_offset(layout), 1 - smoothing);
    if (mixes(kernel)) {
        kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
        kernel_line(kernel, "    d[others[lane]%s][lane] -= (real)%.17g * rest[lane] * part[lane];",
                    class_offset(layout), 1 - smoothing);
    }
    kernel_line(kernel, "}");
}

/* Of the softmax in `from`.  Lanes without an image give exactly 0, whatever their logits. */
static void emit_gradient(Kernel *kernel, const char *from, const ClassLayout *layout,
                          double smoothing)
{
    if (is_weighed(kernel)) {
        emit_weighed_gradient(kernel, from, layout, smoothing);
        return;
    }
    kernel_line(kernel, "{");
    kernel_line(kernel,
                "const vec active = *(const unaligned_vec *)(s->active + g * LANES), part = "
                "%sactive / (real)%s;",
                loss_factor(kernel->node),
                layout->targets == 1 ? "s->images"
                                     : format("(s->images * %lldL)", layout->targets));
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)",
                layout->classes * layout->class_step, layout->class_step);
    kernel_line(
        kernel,
        "    d[c] %s vec_select(active > (vec){ 0 }, (%s - (real)%.17g) * part, (vec){ 0 });",
        kernel->node->accumulate ? "+=" : "=", from, smoothing / (double)layout->classes);
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
    kernel_line(kernel, "    d[targets[lane]%s][lane] -= (real)%.17g * part[lane];",
                class_offset(layout), 1 - smoothing);
    kernel_line(kernel, "}");
}

/* Opens the loop over positions: `targets` are the position's, v its logits, kept its part of aux
 * and d of dx. */
static void open_positions(Kernel *kernel, const ClassLayout *layout, bool forward, bool keeps,
                           bool gradient)
{
    if (is_weighed(kernel))
        declare_weights(kernel);
    kernel_line(kernel, "for (int64_t p = 0; p < %lld; p++) {", layout->targets);
    kernel_line(kernel, "const int32_t *targets = wanted + p * LANES;");
    if (is_weighed(kernel))
        emit_weights(kernel);
    if (forward)
        kernel_line(kernel, "const vec *v = x + p * %lldL;", layout->target_step);
    if (keeps)
        kernel_line(kernel, "%svec *kept = aux + p * %lldL;", forward ? "" : "const ",
                    layout->target_step);
    if (gradient)
        kernel_line(kernel, "vec *d = dx + p * %lldL;", layout->target_step);
}

/* In training the softmax is kept for the gradient, or that is made of it at once. */
static void emit_forward(Kernel *kernel, const ClassLayout *layout, double smoothing)
{
    bool gradient = kernel->training && kernel->gradient, keeps = kernel->training && !gradient;
    kernel_line(kernel, "const real *active = s->active + g * LANES;");
    kernel_line(kernel, "real *loss = s->loss + g * LANES;");
    if (layout->targets > 1 && !kernel->node->loss_adds) {
        kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
        kernel_line(kernel, "    loss[lane] = 0;");
    }
    open_positions(kernel, layout, true, keeps, gradient);
    emit_exponential_total(kernel, layout->classes, layout->class_step,
                           gradient ? "d"
                           : keeps  ? "kept"
                                    : NULL);
    emit_losses(kernel, layout, smoothing);
    if (kernel->training)
        kernel_line(kernel, "total = (real)1 / total;");
    if (gradient)
        emit_gradient(kernel, "d[c] * total", layout, smoothing);
    if (keeps) {
        kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)",
                    layout->classes * layout->class_step, layout->class_step);
        kernel_line(kernel, "    kept[c] *= total;");
    }
    kernel_line(kernel, "}");
}

static void emit_backward(Kernel *kernel, const ClassLayout *layout, double smoothing)
{
    open_positions(kernel, layout, false, true, true);
    emit_gradient(kernel, "kept[c]", layout, smoothing);
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    const ClassLayout layout = class_layout_of(input_shape(kernel->node));
    double smoothing = kernel->node->args[LABEL_SMOOTHING].real;
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel, &layout, smoothing);
    else
        emit_backward(kernel, &layout, smoothing);
    return true;
}

const Operator operator_cross_entropy = {
    .name = "cross_entropy",
    .summary = "Cross-entropy between the softmax of the logits and the target class; the mean "
               "over the batch.",
    .shape_rule = "[classes] -> one loss per image\n"
                  "[classes, h, w], [t, classes] -> the mean of its positions' losses",
    .formula =
        "loss = -sum over k of t[k] * log(softmax(x)[k]);  d loss/dx = softmax(x) - t\n"
        "t[k] = (1 - label_smoothing) * (1 if k is the target else 0) + label_smoothing / classes\n"
        "With weight= or ignore_index= the batch's loss is the mean weighed by w[target].\n"
        "Of images that mixup or cutmix mixed t has both classes, by the image's share, and the\n"
        "batch's loss is the plain mean.",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
    .args = args,
    .traits = OP_LOSS | OP_MAKES_GRADIENT,
    .input_gradient_reads = READS_X | READS_AUX,
    .target = TARGET_CLASSES,
    .infer = infer,
    .emit = emit,
};

const Operator operator_nll = {
    .name = "nll",
    .summary = "The negative logarithm of the target class's probability, of an output of "
               "logarithms (log_softmax).",
    .shape_rule = "[classes] -> one loss per image\n"
                  "[classes, h, w], [t, classes] -> the mean of its positions' losses",
    .formula = "loss = -w[t] * x[t];  the batch's is their sum over that of w[t]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html",
    .args = nll_args,
    .traits = OP_LOSS,
    .target = TARGET_CLASSES,
    .infer = check_weights,
};

const Operator operator_hinge = {
    .name = "hinge",
    .summary = "The hinge loss of a classifier, PyTorch's MultiMarginLoss; of 1 and -1: "
               "hinge_embedding.",
    .shape_rule = "[classes] -> one loss per image",
    .formula = "loss = sum over k != t of w[t] * max(0, margin - x[t] + x[k])^p / classes",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MultiMarginLoss.html",
    .args = hinge_args,
    .ranks = RANK(1),
    .traits = OP_LOSS,
    .input_gradient_reads = READS_X,
    .target = TARGET_CLASSES,
    .infer = check_weights,
};
