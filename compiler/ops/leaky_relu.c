/* leaky_relu.c: the rectifier with a slope below 0.  The slope may be negative,
 * so the side is asked of x: y's sign does not tell it.
 */
#include "ops/operator.h"

enum { NEGATIVE_SLOPE };

static const ArgSpec args[] = {[NEGATIVE_SLOPE] = {"negative_slope", ARG_REAL, .positional = true,
                                                   .otherwise = "0.01",
                                                   .doc = "What values below 0 are multiplied by."},
                               {0}};

static const char *expression(const Node *node)
{
    const char *kept = node->stage == STAGE_FORWARD ? "x[i]" : "dy[i]";
    return format("vec_select(x[i] > (vec){ 0 }, %s, %s * (real)%.17g)", kept, kept,
                  node->args[NEGATIVE_SLOPE].real);
}

const Operator operator_leaky_relu = {
    .name = "leaky_relu",
    .summary = "Rectified linear unit that lets a part of negative values through.",
    .shape_rule = "any shape, unchanged",
    .formula = "y = x where x > 0, else negative_slope*x; the gradient at 0 is negative_slope",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html",
    .args = args,
    .traits = OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE,
    .input_gradient_reads = READS_X,
    .infer = infer_same_shape,
    .expression = expression,
    .emit = emit_pointwise,
};
