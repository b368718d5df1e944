/* self_attention.c: PyTorch's MultiheadAttention of a sequence with itself: a linear layer makes
 * queries, keys and values, attention mixes them, a linear layer follows.  It is made of these, and
 * only their parameters' names are its own.
 */
#include "ops/operator.h"

#include <math.h>

enum { HEADS, CAUSAL, BIAS, EMBED_DIM };

static const ArgSpec args[] = {
    [HEADS] = {"heads", ARG_INT, .positional = true, .minimum = 1, .maximum = LARGEST,
               .doc = "Parts of the features, each of which attends on its own."},
    [CAUSAL] = {"causal", ARG_BOOL, .otherwise = "false",
                .doc = "Whether a step attends to itself and earlier steps only."},
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true",
              .doc = "Whether both linear layers add a learned value to each output."},
    [EMBED_DIM] = {"embed_dim", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
                   .maximum = LARGEST, .doc = "Asserts the input's features."},
    {0}};

static bool infer(Node *node)
{
    Int features = shape_last(input_shape(node)), heads = node->args[HEADS].integer[0];
    node->out_shape = input_shape(node);
    if (features % heads == 0)
        return true;
    Diagnostic *d =
        node_error(node, "argument-range", node->args[HEADS].span,
                   "self_attention: %lld heads do not divide %lld features", heads, features);
    diag_caption(d, "must divide %lld", features);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

/* xavier_uniform of the joined matrix, as PyTorch draws it, and biases of 0. */
static MadeOf made_of(const Node *node)
{
    Int features = shape_last(input_shape(node));
    const PartArgument bias = {"bias", true, node->args[BIAS].integer[0]};
    double bound = sqrt(6 / (4 * (double)features));
    Init zeros = {INIT_CONSTANT, 0, 0};
    return (MadeOf){
        .count = 3,
        .parts = {
            {.op = "linear",
             .arguments = {{"out_features", false, 3 * features}, bias},
             .weight = "in_proj_weight",
             .bias = "in_proj_bias",
             .weight_init = {INIT_UNIFORM, -bound, bound},
             .bias_init = zeros},
            {.op = "attention",
             .arguments = {{"heads", false, node->args[HEADS].integer[0]},
                           {"causal", true, node->args[CAUSAL].integer[0]}}},
            {.op = "linear",
             .arguments = {{"out_features", false, features}, bias},
             .weight = "out_proj.weight",
             .bias = "out_proj.bias",
             .weight_init = {INIT_UNIFORM, -1 / sqrt((double)features), 1 / sqrt((double)features)},
             .bias_init = zeros},
        }};
}

const Operator operator_self_attention = {
    .name = "self_attention",
    .summary = "Multi-head attention of a sequence with itself, with PyTorch's parameters.",
    .shape_rule = "[t, d] -> [t, d]",
    .formula = "y = W_out * attention(W_in * x + b_in) + b_out, W_in [3*d, d]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html",
    .args = args,
    .traits = OP_LAST_AXIS,
    .ranks = RANK(2),
    .infer = infer,
    .made_of = made_of,
};
