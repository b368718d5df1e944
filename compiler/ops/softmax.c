/* softmax.c: values over the channels as probabilities, at each position. */
#include "kernels/grain/softmax.h"
#include "ops/operator.h"

static void emit_forward(Kernel *kernel, Int channels, Int plane)
{
    kernel_line(kernel, "const vec *v = x + i;");
    kernel_line(kernel, "vec *to = y + i;");
    emit_exponential_total(kernel, channels, plane, "to");
    kernel_line(kernel, "total = (real)1 / total;");
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)", channels * plane, plane);
    kernel_line(kernel, "    to[c] *= total;");
}

static void emit_backward(Kernel *kernel, Int channels, Int plane)
{
    long long end = channels * plane, step = plane;
    kernel_line(kernel, "vec mean = { 0 };");
    kernel_line(kernel, "for (int64_t c = i; c < %lld; c += %lld)", end, step);
    kernel_line(kernel, "    mean += dy[c] * y[c];");
    kernel_line(kernel, "for (int64_t c = i; c < %lld; c += %lld)", end, step);
    kernel_line(kernel, "    dx[c] %s y[c] * (dy[c] - mean);",
                kernel->node->accumulate ? "+=" : "=");
}

static bool emit(Kernel *kernel)
{
    Shape shape = input_shape(kernel->node);
    Int plane = shape_plane(shape);
    open_pieces(kernel, "i", plane);
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel, shape.dim[0], plane);
    else
        emit_backward(kernel, shape.dim[0], plane);
    kernel_line(kernel, "}");
    return true;
}

const Operator operator_softmax = {
    .name = "softmax",
    .summary = "Softmax over the channels, at each position: positive values that sum to 1.",
    .shape_rule = "[c, h, w] -> [c, h, w]; or [n] -> [n]",
    .formula = "y[c] = exp(x[c]) / sum over k of exp(x[k])\n"
               "dx[c] = y[c] * (dy[c] - sum over k of dy[k]*y[k])",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.Softmax.html (dim=1)",
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
    .emit = emit,
};
