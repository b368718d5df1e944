/* local_response_norm.c: each value divided by a power of the mean square of its channel's
 * neighbours at its position, as AlexNet does.
 */
#include "kernels/grain/norm.h"
#include "ops/operator.h"

enum { SIZE, ALPHA, BETA, K };

static const ArgSpec args[] = {
    [SIZE] = {"size", ARG_INT, .positional = true, .minimum = 1, .maximum = LARGEST,
              .doc = "Channels whose squares are summed: size//2 before, (size-1)//2 behind."},
    [ALPHA] = {"alpha", ARG_REAL, .otherwise = "1e-4", .minimum = -LARGEST, .maximum = LARGEST,
               .doc = "Weight of their mean square."},
    [BETA] = {"beta", ARG_REAL, .otherwise = "0.75", .minimum = -LARGEST, .maximum = LARGEST,
              .doc = "The power."},
    [K] = {"k", ARG_REAL, .otherwise = "1.0", .minimum = -LARGEST, .maximum = LARGEST,
           .doc = "Added to the weighted mean square."},
    {0}};

/* In training aux is the divisor, before its power. */
static bool infer(Node *node)
{
    node->out_shape = node->aux_shape = input_shape(node);
    return true;
}

/* `name` to the power -beta: roots where they give it, since a logarithm is taken lane by lane. */
static const char *power_text(const char *name, double beta)
{
    if (beta == 1)
        return format("((real)1 / %s)", name);
    if (beta == 0.5)
        return format("((real)1 / vec_sqrt(%s))", name);
    if (beta == 0.75)
        return format("((real)1 / (vec_sqrt(%s) * vec_sqrt(vec_sqrt(%s))))", name, name);
    return format("vec_exp(vec_log(%s) * (real)%.17g)", name, -beta);
}

/* The loops over channel c, of which `before` and `behind` are neighbours, and position p. */
static void open_values(Kernel *kernel, Int before, Int behind)
{
    Shape shape = input_shape(kernel->node);
    open_pieces(kernel, "c", shape.dim[0]);
    kernel_line(kernel, "const int64_t from = c > %lld ? c - %lld : 0;", before, before);
    kernel_line(kernel, "const int64_t to = c + %lld < %lld ? c + %lld : %lld;", behind + 1,
                shape.dim[0], behind + 1, shape.dim[0]);
    kernel_line(kernel, "for (int64_t p = 0; p < %lld; p++) {", shape_plane(shape));
    kernel_line(kernel, "const int64_t i = c * %lldL + p;", shape_plane(shape));
    kernel_line(kernel, "vec sum = { 0 };");
}

static void emit_forward(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int plane = shape_plane(input_shape(node)), size = node->args[SIZE].integer[0];
    open_values(kernel, size / 2, (size - 1) / 2);
    kernel_line(kernel, "for (int64_t n = from; n < to; n++)");
    kernel_line(kernel, "    sum += x[n * %lldL + p] * x[n * %lldL + p];", plane, plane);
    kernel_line(kernel, "const vec divisor = sum * (real)%.17g + (real)%.17g;",
                node->args[ALPHA].real / (double)size, node->args[K].real);
    if (kernel->training)
        kernel_line(kernel, "aux[i] = divisor;");
    kernel_store(kernel, "y[i]", "i",
                 format("x[i] * %s", power_text("divisor", node->args[BETA].real)));
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* Those whose neighbour it is lie the other way round.  With s the divisors,
 * dx = dy * s^-beta - x * 2*alpha*beta/size * sum over them of dy * y / s. */
static void emit_input_gradient(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int plane = shape_plane(input_shape(node)), size = node->args[SIZE].integer[0];
    double alpha = node->args[ALPHA].real, beta = node->args[BETA].real;
    declare_active(kernel);
    open_values(kernel, (size - 1) / 2, size / 2);
    kernel_line(kernel, "for (int64_t n = from * %lldL + p; n < to * %lldL; n += %lld)", plane,
                plane, plane);
    kernel_line(kernel, "    sum += dy[n] * y[n] / aux[n];");
    const char *gradient =
        format("vec_select(active, dy[i] * %s - x[i] * (sum * (real)%.17g), (vec){ 0 })",
               power_text("aux[i]", beta), 2 * alpha * beta / (double)size);
    kernel_store(kernel, "dx[i]", "i",
                 node->accumulate ? format("dx[i] + %s", gradient) : gradient);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel);
    else
        emit_input_gradient(kernel);
    return true;
}

const Operator operator_local_response_norm = {
    .name = "local_response_norm",
    .summary = "Each value divided by a power of the mean square of neighbouring channels.",
    .shape_rule = "[c, h, w] -> [c, h, w], or [c, t], [c, d, h, w]",
    .formula = "y[c] = x[c] / (k + alpha/size * sum over n of x[n]^2)^beta at each position,\n"
               "where n runs from c - size//2 to c + (size-1)//2, as far as there are channels",
    .reference = "Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural "
                 "Networks\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html",
    .args = args,
    .traits = OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .ranks = RANK(2) | RANK(3) | RANK(4),
    .input_gradient_reads = READS_X | READS_Y | READS_AUX,
    .infer = infer,
    .emit = emit,
};
