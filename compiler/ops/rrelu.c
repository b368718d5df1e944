/* rrelu.c: the rectifier with a slope below 0 that is drawn anew for each value of each training
 * step (Xu et al. 2015, "Empirical Evaluation of Rectified Activations in Convolutional Network").
 * The slope follows from the seed, the step, the layer and the value's index, so nothing is noted
 * for the backward pass: it draws the same numbers again.  In evaluation it is the mean of those
 * that may be drawn.
 */
#include "ops/operator.h"

enum { LOWER, UPPER };

static const ArgSpec args[] = {
    [LOWER] = {"lower", ARG_REAL, .positional = true, .otherwise = "0.125", .minimum = -1000,
               .maximum = 1000, .doc = "The least slope."},
    [UPPER] = {"upper", ARG_REAL, .positional = true, .otherwise = "0.3333333333333333",
               .minimum = -1000, .maximum = 1000, .doc = "The largest slope."},
    {0}};

static bool infer(Node *node)
{
    const ArgValue *lower = &node->args[LOWER], *upper = &node->args[UPPER];
    if (lower->real > upper->real) {
        Diagnostic *d =
            node_error(node, "argument-range", lower->given ? lower->span : upper->span,
                       "rrelu: slopes from %.4g to %.4g are none", lower->real, upper->real);
        diag_help(d, "lower= is the least slope and upper= the largest: lower=%.4g, upper=%.4g",
                  upper->real, lower->real);
        return false;
    }
    return infer_same_shape(node);
}

/* Declares `slope`, of value i. */
static void emit_slope(Kernel *kernel, Int elements)
{
    const Node *node = kernel->node;
    double lower = node->args[LOWER].real, upper = node->args[UPPER].real;
    if (!kernel->training) {
        kernel_line(kernel, "const vec slope = splat((real)%.17g);", lower + (upper - lower) / 2);
        return;
    }
    kernel_line(kernel, "vec slope;");
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
    kernel_line(kernel,
                "    slope[lane] = (real)(%.17g + %.17g * net_random(s->seed, s->step, %d, first + "
                "(uint64_t)lane * %lldu + (uint64_t)i));",
                lower, upper - lower, node_salt(node), elements);
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Int elements = shape_elements(node->out->shape);
    bool forward = kernel->stage == STAGE_FORWARD;
    const char *kept = forward ? "x[i]" : "dy[i]";
    if (kernel->training)
        kernel_line(kernel, "const uint64_t first = (uint64_t)(g * LANES) * %lldu;", elements);
    open_pieces(kernel, "i", elements);
    emit_slope(kernel, elements);
    kernel_line(kernel, "%s %s vec_select(x[i] > (vec){ 0 }, %s, %s * slope);",
                forward ? "y[i]" : "dx[i]", !forward && node->accumulate ? "+=" : "=", kept, kept);
    kernel_line(kernel, "}");
    return true;
}

const Operator operator_rrelu = {
    .name = "rrelu",
    .summary = "Rectified linear unit whose slope below 0 is drawn at random in training.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x where x > 0, else slope*x\n"
               "training: slope uniform in lower to upper, drawn for each value\n"
               "evaluation: slope = (lower + upper)/2",
    .reference = "Xu et al. 2015, https://arxiv.org/abs/1505.00853\n"
                 "https://pytorch.org/docs/stable/generated/torch.nn.RReLU.html",
    .args = args,
    .traits = OP_IN_PLACE,
    .input_gradient_reads = READS_X,
    .infer = infer,
    .emit = emit,
    .take_row = take_any_row,
};
