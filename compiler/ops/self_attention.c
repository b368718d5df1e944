/* self_attention.c: PyTorch's MultiheadAttention of a sequence with itself: a linear layer makes
 * queries, keys and values, attention mixes them, a linear layer follows.  It becomes these three
 * nodes; its parameters and their first values are its own.
 */
#include "ops/lowering.h"

#include <math.h>

enum { HEADS, CAUSAL, BIAS, DROPOUT, MASK, EMBED_DIM };

static const ArgSpec args[] = {
    [HEADS] = {"heads", ARG_INT, .positional = true, .minimum = 1, .maximum = LARGEST,
               .doc = "Parts of the features, each of which attends on its own."},
    [CAUSAL] = {"causal", ARG_BOOL, .otherwise = "false",
                .doc = "Whether a step attends to itself and earlier steps only."},
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true",
              .doc = "Whether both linear layers add a learned value to each output."},
    [DROPOUT] = {"dropout", ARG_REAL, .otherwise = "0.0", .maximum = 1,
                 .doc = "Probability that a weight is zeroed, in training."},
    [MASK] = {"mask", ARG_TENSORS, .otherwise = "none",
              .doc = "What is added to the scores, as attention has it."},
    [EMBED_DIM] = {"embed_dim", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1,
                   .maximum = LARGEST, .doc = "Asserts the input's features."},
    {0}};

/* In the order of the state; biases only where there are some. */
enum { IN_WEIGHT, IN_BIAS, OUT_WEIGHT, OUT_BIAS };

static int place_of(const Node *node, int which)
{
    return node->args[BIAS].integer[0] ? which : which / 2;
}

static void add_parameter(Node *node, const char *name, Init init, Int rows, Int columns)
{
    Int dim[] = {rows, columns};
    node_parameter(node, name, PARAMETER_TRAINED, init, columns ? 2 : 1, dim,
                   columns ? columns : rows, rows);
}

/* xavier_uniform of the joined matrix, as PyTorch draws it, and biases of 0. */
static void add_parameters(Node *node, Int features)
{
    const Init zeros = {INIT_CONSTANT, 0, 0};
    bool bias = node->args[BIAS].integer[0];
    double in = sqrt(6 / (4 * (double)features)), out = 1 / sqrt((double)features);
    add_parameter(node, "in_proj_weight", (Init){INIT_UNIFORM, -in, in}, 3 * features, features);
    if (bias)
        add_parameter(node, "in_proj_bias", zeros, 3 * features, 0);
    add_parameter(node, "out_proj.weight", (Init){INIT_UNIFORM, -out, out}, features, features);
    if (bias)
        add_parameter(node, "out_proj.bias", zeros, features, 0);
}

static void set_number(Node *node, const char *arg, Int value)
{
    lowered_number(node, operator_arg(node->op, arg), value);
}

/* The attention between the linear layers, of `x`: of a graph or, to be checked, of none. */
static Node *make_attention(Graph *graph, const Node *like, Tensor *x)
{
    Node *node = lowered_node(graph, like, &operator_attention, format("%s.attention", like->path));
    push(&node->inputs, x);
    set_number(node, "heads", like->args[HEADS].integer[0]);
    set_number(node, "kv_heads", like->args[HEADS].integer[0]);
    set_number(node, "causal", like->args[CAUSAL].integer[0]);
    node->args[operator_arg(node->op, "dropout")] = like->args[DROPOUT];
    node->args[operator_arg(node->op, "mask")] = like->args[MASK];
    for (int i = 0; i < like->args[MASK].count; i++)
        push(&node->inputs, like->args[MASK].tensors[i]);
    return node;
}

static Shape joined_shape(const Node *node)
{
    Shape shape = input_shape(node);
    return shape_with(shape, shape.rank - 1, 3 * shape_last(shape));
}

/* The attention says whether masks fit. */
static bool infer(Node *node)
{
    Graph nowhere = {0};
    Int features = shape_last(input_shape(node)), heads = node->args[HEADS].integer[0];
    node->out_shape = input_shape(node);
    if (features % heads != 0) {
        Diagnostic *d =
            node_error(node, "argument-range", node->args[HEADS].span,
                       "self_attention: %lld heads do not divide %lld features", heads, features);
        diag_caption(d, "must divide %lld", features);
        node_derivation(d, node->inputs.items[0]);
        return false;
    }
    if (3 * (double)features > (double)MAX_ELEMENTS) {
        node_error(node, "too-large", node->span, "self_attention of %lld features is too large",
                   features);
        return false;
    }
    add_parameters(node, features);
    Node *attention = make_attention(
        &nowhere, node, new_tensor(&nowhere, TENSOR_ACTIVATION, node->path, joined_shape(node)));
    return operator_attention.infer(attention);
}

static Int multiply_adds(const Node *node)
{
    Graph nowhere = {0};
    Shape shape = input_shape(node);
    Int factors[] = {4, shape_elements(shape), shape_last(shape)}, sum;
    const Node *attention = make_attention(
        &nowhere, node, new_tensor(&nowhere, TENSOR_ACTIVATION, node->path, joined_shape(node)));
    bool over = __builtin_add_overflow(saturating_product(3, factors),
                                       operator_attention.multiply_adds(attention), &sum);
    return over ? INT64_MAX : sum;
}

static Tensor *lower_linear(Graph *graph, const Node *like, const char *path, Tensor *x, int weight,
                            Shape shape, Tensor *out)
{
    Node *node = lowered_node(graph, like, &operator_linear, path);
    bool bias = like->args[BIAS].integer[0];
    push(&node->inputs, x);
    set_number(node, "out_features", shape_last(shape));
    set_number(node, "bias", bias);
    lend_parameter(node, like, place_of(like, weight), "weight");
    if (bias)
        lend_parameter(node, like, place_of(like, weight + 1), "bias");
    return lowered_output(graph, node, shape, out);
}

static void lower(Graph *graph, const Node *like)
{
    Tensor *x = lower_linear(graph, like, format("%s.in_proj", like->path), like->inputs.items[0],
                             IN_WEIGHT, joined_shape(like), NULL);
    Node *attention = make_attention(graph, like, x);
    require(operator_attention.infer(attention));
    x = lowered_output(graph, attention, attention->out_shape, NULL);
    lower_linear(graph, like, like->path, x, OUT_WEIGHT, like->out_shape, like->out);
}

const Operator operator_self_attention = {
    .name = "self_attention",
    .summary = "Multi-head attention of a sequence with itself, with PyTorch's parameters.",
    .shape_rule = "[t, d] -> [t, d]; of windows [n, t, d]",
    .formula = "y = W_out * attention(W_in * x + b_in) + b_out, W_in [3*d, d]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html",
    .args = args,
    .traits = OP_LAST_AXIS,
    .ranks = RANK(2) | RANK(3),
    .infer = infer,
    .lower = lower,
    .multiply_adds = multiply_adds,
};
