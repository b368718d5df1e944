/* cross_entropy.c: softmax and negative log-likelihood of the target class, in
 * one: the loss of a classifier.  It takes logits, and its gradient is the
 * softmax less the target.  An image may have a target for each of its positions: pixels of
 * [c, h, w], steps of [t, c].
 */
#include "kernels/grain/softmax.h"
#include "ops/operator.h"

enum { LABEL_SMOOTHING };

static const ArgSpec args[] = {
    [LABEL_SMOOTHING] = {"label_smoothing", ARG_REAL, .otherwise = "0.0", .maximum = 1,
                         .doc = "Part of the target spread evenly over all classes."},
    {0}};

/* Of a sequence a step's classes lie side by side, of any other shape the first axis is theirs. */
static ClassLayout class_layout(const Node *node)
{
    Shape shape = input_shape(node);
    bool sequence = shape.rank == 2;
    Int classes = shape.dim[sequence], positions = shape_elements(shape) / classes;
    return sequence ? (ClassLayout){classes, 1, positions, classes}
                    : (ClassLayout){classes, positions, positions, 1};
}

/* The loss ends the graph: it leaves one value per image in the step, no tensor.
 * aux is the softmax. */
static bool infer(Node *node)
{
    node->aux_shape = input_shape(node);
    return true;
}

/* "(real)0.3 * "; nothing for 1. */
static const char *loss_factor(const Node *node)
{
    return node->loss_weight == 1 ? "" : format("(real)%.17g * ", node->loss_weight);
}

/* A position's losses: of the target, and with smoothing the mean of all classes'. */
static void emit_losses(Kernel *kernel, const ClassLayout *layout, double smoothing)
{
    kernel_line(kernel, "const vec whole = vec_log(total);");
    if (smoothing != 0) {
        kernel_line(kernel, "vec mean = { 0 };");
        kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)",
                    layout->classes * layout->class_step, layout->class_step);
        kernel_line(kernel, "    mean += v[c] - largest;");
        kernel_line(kernel, "mean = whole - mean / (real)%lld;", layout->classes);
    }
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++) {");
    const char *step = layout->class_step == 1 ? "" : format(" * %lldL", layout->class_step);
    if (kernel->node->mixes)
        kernel_line(kernel,
                    "const real own = whole[lane] + largest[lane] - shares[lane] * "
                    "v[targets[lane]%s][lane] - (1 - shares[lane]) * v[others[lane]%s][lane];",
                    step, step);
    else
        kernel_line(kernel,
                    "const real own = whole[lane] - (v[targets[lane]%s][lane] - largest[lane]);",
                    step);
    const char *value = "own", *weight = loss_factor(kernel->node);
    bool adds = layout->targets > 1 || kernel->node->loss_adds;
    if (smoothing != 0)
        value = format("(real)%.17g * own + (real)%.17g * mean[lane]", 1 - smoothing, smoothing);
    if (layout->targets > 1)
        value = format("(%s) * (real)%.17g", value, 1 / (double)layout->targets);
    if (*weight)
        value = format("%s(%s)", weight, value);
    kernel_line(kernel, "loss[lane] %s active[lane] != 0 ? %s : 0;", adds ? "+=" : "=", value);
    kernel_line(kernel, "}");
}

/* Of the softmax in `from`.  Lanes without an image give exactly 0, whatever their logits. */
static void emit_gradient(Kernel *kernel, const char *from, const ClassLayout *layout,
                          double smoothing)
{
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
    const char *step = layout->class_step == 1 ? "" : format(" * %lldL", layout->class_step);
    bool mixes = kernel->node->mixes;
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)%s", mixes ? " {" : "");
    kernel_line(kernel, "    d[targets[lane]%s][lane] -= (real)%.17g * part[lane]%s;", step,
                1 - smoothing, mixes ? " * shares[lane]" : "");
    if (mixes) {
        kernel_line(kernel,
                    "    d[others[lane]%s][lane] -= (real)%.17g * part[lane] * (1 - shares[lane]);",
                    step, 1 - smoothing);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}

/* Opens the loop over positions: `targets` are the position's, v its logits, kept its part of aux
 * and d of dx. */
static void open_positions(Kernel *kernel, const ClassLayout *layout, bool forward, bool keeps,
                           bool gradient)
{
    kernel_line(kernel, "for (int64_t p = 0; p < %lld; p++) {", layout->targets);
    kernel_line(kernel, "const int32_t *targets = s->targets + (g * %lldL + p) * LANES;",
                layout->targets);
    if (kernel->node->mixes) { /* of one target */
        kernel_line(kernel, "const int32_t *others = s->others + g * LANES;");
        kernel_line(kernel, "const real *shares = s->shares + g * LANES;");
    }
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
    const ClassLayout layout = class_layout(kernel->node);
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
        "t[k] = (1 - label_smoothing) * (1 if k is the target else 0) + label_smoothing / classes",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
    .args = args,
    .traits = OP_LOSS | OP_MAKES_GRADIENT,
    .input_gradient_reads = READS_X | READS_AUX,
    .class_layout = class_layout,
    .infer = infer,
    .emit = emit,
};
