/* cross_entropy.c: softmax and negative log-likelihood of the target class, in
 * one: the loss of a classifier.  It takes logits, and its gradient is the
 * softmax less the target.
 */
#include "kernels/grain/softmax.h"
#include "ops/operator.h"

enum { LABEL_SMOOTHING };

static const ArgSpec args[] = {
    [LABEL_SMOOTHING] = {"label_smoothing", ARG_REAL, .otherwise = "0.0", .maximum = 1,
                         .doc = "Part of the target spread evenly over all classes."},
    {0}};

/* The loss ends the graph: it leaves one value per image in the step, no tensor.
 * aux is the softmax. */
static bool infer(Node *node)
{
    node->aux_shape = input_shape(node);
    return true;
}

/* The images' losses: of the target, and with smoothing the mean of all classes'. */
static void emit_losses(Kernel *kernel, long long classes, double smoothing)
{
    kernel_line(kernel, "const int32_t *targets = s->targets + g * LANES;");
    kernel_line(kernel, "const real *active = s->active + g * LANES;");
    kernel_line(kernel, "real *loss = s->loss + g * LANES;");
    kernel_line(kernel, "const vec whole = vec_log(total);");
    if (smoothing != 0) {
        kernel_line(kernel, "vec mean = { 0 };");
        kernel_line(kernel, "for (int64_t c = 0; c < %lld; c++)", classes);
        kernel_line(kernel, "    mean += v[c] - largest;");
        kernel_line(kernel, "mean = whole - mean / (real)%lld;", classes);
    }
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++) {");
    kernel_line(kernel, "const real own = whole[lane] - (v[targets[lane]][lane] - largest[lane]);");
    if (smoothing != 0)
        kernel_line(
            kernel,
            "loss[lane] = active[lane] != 0 ? (real)%.17g * own + (real)%.17g * mean[lane] : 0;",
            1 - smoothing, smoothing);
    else
        kernel_line(kernel, "loss[lane] = active[lane] != 0 ? own : 0;");
    kernel_line(kernel, "}");
}

/* Of the softmax in `from`.  Lanes without an image give exactly 0, whatever their logits. */
static void emit_gradient(Kernel *kernel, const char *from, long long classes, double smoothing)
{
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int32_t *targets = s->targets + g * LANES;");
    kernel_line(kernel,
                "const vec active = *(const unaligned_vec *)(s->active + g * LANES), part = "
                "active / (real)s->images;");
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c++)", classes);
    kernel_line(
        kernel,
        "    dx[c] %s vec_select(active > (vec){ 0 }, (%s - (real)%.17g) * part, (vec){ 0 });",
        kernel->node->accumulate ? "+=" : "=", from, smoothing / (double)classes);
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
    kernel_line(kernel, "    dx[targets[lane]][lane] -= (real)%.17g * part[lane];", 1 - smoothing);
    kernel_line(kernel, "}");
}

/* In training the softmax is kept for the gradient, or that is made of it at once. */
static void emit_forward(Kernel *kernel, long long classes, double smoothing)
{
    bool gradient = kernel->gradient != NULL;
    kernel_line(kernel, "const vec *v = x;");
    emit_exponential_total(kernel, classes, 1, !kernel->training ? NULL : gradient ? "dx" : "aux");
    emit_losses(kernel, classes, smoothing);
    if (!kernel->training)
        return;
    kernel_line(kernel, "total = (real)1 / total;");
    if (gradient) {
        emit_gradient(kernel, "dx[c] * total", classes, smoothing);
        return;
    }
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c++)", classes);
    kernel_line(kernel, "    aux[c] *= total;");
}

static bool emit(Kernel *kernel)
{
    double smoothing = kernel->node->args[LABEL_SMOOTHING].real;
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel, input_shape(kernel->node).dim[0], smoothing);
    else
        emit_gradient(kernel, "aux[c]", input_shape(kernel->node).dim[0], smoothing);
    return true;
}

const Operator operator_cross_entropy = {
    .name = "cross_entropy",
    .summary = "Cross-entropy between the softmax of the logits and the target class; the mean "
               "over the batch.",
    .shape_rule = "[classes] -> one loss per image",
    .formula =
        "loss = -sum over k of t[k] * log(softmax(x)[k]);  d loss/dx = softmax(x) - t\n"
        "t[k] = (1 - label_smoothing) * (1 if k is the target else 0) + label_smoothing / classes",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
    .args = args,
    .traits = OP_LOSS | OP_MAKES_GRADIENT,
    .ranks = RANK(1),
    .input_gradient_reads = READS_X | READS_AUX,
    .infer = infer,
    .emit = emit,
};
