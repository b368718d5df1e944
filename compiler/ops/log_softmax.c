/* log_softmax.c: the logarithm of the softmax over the channels, at each position. */
#include "kernels/grain/softmax.h"
#include "ops/operator.h"

static void emit_forward(Kernel *kernel, Int channels, Int plane)
{
    kernel_line(kernel, "const vec *v = x + i;");
    emit_exponential_total(kernel, channels, plane, NULL);
    kernel_line(kernel, "total = vec_log(total);");
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)", channels * plane, plane);
    kernel_line(kernel, "    y[i + c] = v[c] - largest - total;");
}

static void emit_backward(Kernel *kernel, Int channels, Int plane)
{
    long long end = channels * plane, step = plane;
    kernel_line(kernel, "vec total = { 0 };");
    kernel_line(kernel, "for (int64_t c = i; c < %lld; c += %lld)", end, step);
    kernel_line(kernel, "    total += dy[c];");
    kernel_line(kernel, "for (int64_t c = i; c < %lld; c += %lld)", end, step);
    kernel_line(kernel, "    dx[c] %s dy[c] - vec_exp(y[c]) * total;",
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

const Operator operator_log_softmax = {
    .name = "log_softmax",
    .summary = "Logarithm of the softmax over the channels, at each position.",
    .shape_rule = "[c, h, w] -> [c, h, w]; or [n] -> [n]",
    .formula = "y[c] = x[c] - log(sum over k of exp(x[k]))\n"
               "dx[c] = dy[c] - exp(y[c]) * sum over k of dy[k]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html (dim=1)",
    .input_gradient_reads = READS_Y,
    .infer = infer_same_shape,
    .emit = emit,
};
