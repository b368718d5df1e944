/* self_attention.c: PyTorch's MultiheadAttention: linear layers make queries, keys and values,
 * attention mixes them, a linear layer follows.
 *
 *   self_attention        of a sequence with itself
 *   multihead_attention   of a sequence with another: query, key and value are three tensors
 *
 * Both become nodes for these; parameters and their first values are their own.  PyTorch keeps the
 * weights of the three projections as one matrix where they have as many columns: of three tensors
 * each layer has its rows of it.
 */
#include "ops/lowering.h"

#include <math.h>

enum { HEADS, CAUSAL, BIAS, DROPOUT, MASK, EMBED_DIM, KDIM, VDIM };
enum { QUERY, KEY, VALUE, SIDES };

/* clang-format off */
#define SHARED_ARGS \
    [HEADS] = {"heads", ARG_INT, .positional = true, .minimum = 1, .maximum = LARGEST, \
               .doc = "Parts of the features, each of which attends on its own."}, \
    [CAUSAL] = {"causal", ARG_BOOL, .otherwise = "false", \
                .doc = "Whether a step attends to itself and earlier steps only."}, \
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true", \
              .doc = "Whether the linear layers add a learned value to each output."}, \
    [DROPOUT] = {"dropout", ARG_REAL, .otherwise = "0.0", .maximum = 1, \
                 .doc = "Probability that a weight is zeroed, in training."}, \
    [MASK] = {"mask", ARG_TENSORS, .otherwise = "none", \
              .doc = "What is added to the scores, as attention has it."}, \
    [EMBED_DIM] = {"embed_dim", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1, \
                   .maximum = LARGEST, .doc = "Asserts the input's features."}
/* clang-format on */

static const ArgSpec self_args[] = {SHARED_ARGS, {0}};
static const ArgSpec multihead_args[] = {
    SHARED_ARGS,
    [KDIM] = {"kdim", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
              .doc = "Asserts the key's features."},
    [VDIM] = {"vdim", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
              .doc = "Asserts the value's features."},
    {0}};

static bool is_joined(const Node *node)
{
    return node->op == &operator_multihead_attention;
}

static const char *const names[SIDES] = {"q", "k", "v"};

static Int features_of(const Node *node, int side)
{
    return shape_last(node->inputs.items[is_joined(node) ? side : QUERY]->shape);
}

/* ------------------------------------------------------------ parameters */

/* Whether the projections have matrices of their own. */
static bool is_separate(const Node *node)
{
    Int features = features_of(node, QUERY);
    return features_of(node, KEY) != features || features_of(node, VALUE) != features;
}

/* In the order of the state, after the projections' weights; biases only where there are some. */
enum { IN_BIAS, OUT_WEIGHT, OUT_BIAS };

static int place_of(const Node *node, int which)
{
    int weights = is_separate(node) ? SIDES : 1;
    return weights + (node->args[BIAS].integer[0] ? which : 0);
}

static void add_parameter(Node *node, const char *name, double bound, Int rows, Int columns)
{
    Int dim[] = {rows, columns};
    Init init = bound > 0 ? (Init){INIT_UNIFORM, -bound, bound} : (Init){INIT_CONSTANT, 0, 0};
    node_parameter(node, name, PARAMETER_TRAINED, init, columns ? 2 : 1, dim,
                   columns ? columns : rows, rows);
}

/* xavier_uniform, of a joined matrix as PyTorch draws it, and biases of 0. */
static void add_parameters(Node *node)
{
    Int features = features_of(node, QUERY);
    bool bias = node->args[BIAS].integer[0];
    if (is_separate(node))
        for (int side = 0; side < SIDES; side++) {
            Int own = features_of(node, side);
            add_parameter(node, format("%s_proj_weight", names[side]),
                          sqrt(6 / (double)(features + own)), features, own);
        }
    else
        add_parameter(node, "in_proj_weight", sqrt(6 / (4 * (double)features)), 3 * features,
                      features);
    if (bias)
        add_parameter(node, "in_proj_bias", 0, 3 * features, 0);
    add_parameter(node, "out_proj.weight", 1 / sqrt((double)features), features, features);
    if (bias)
        add_parameter(node, "out_proj.bias", 0, features, 0);
}

/* ------------------------------------------------------------- attention */

static void set_number(Node *node, const char *arg, Int value)
{
    lowered_number(node, operator_arg(node->op, arg), value);
}

/* The attention between the linear layers, of what those make: of a graph, or to be asked. */
static Node *make_attention(Graph *graph, const Node *like, Tensor *const *sides)
{
    Node *node = lowered_node(graph, like, &operator_attention, format("%s.attention", like->path));
    for (int side = 0; side < (is_joined(like) ? SIDES : 1); side++)
        push(&node->inputs, sides[side]);
    set_number(node, "heads", like->args[HEADS].integer[0]);
    set_number(node, "kv_heads", like->args[HEADS].integer[0]);
    set_number(node, "causal", like->args[CAUSAL].integer[0]);
    node->args[operator_arg(node->op, "dropout")] = like->args[DROPOUT];
    node->args[operator_arg(node->op, "mask")] = like->args[MASK];
    for (int i = 0; i < like->args[MASK].count; i++)
        push(&node->inputs, like->args[MASK].tensors[i]);
    return node;
}

/* What a projection makes of an input: all three side by side, or one of them. */
static Shape projected_shape(const Node *node, int side)
{
    Shape shape = node->inputs.items[side]->shape;
    return shape_with(shape, shape.rank - 1,
                      (is_joined(node) ? 1 : SIDES) * features_of(node, QUERY));
}

/* In no graph. */
static Node *asked_attention(const Node *node)
{
    static Graph nowhere;
    Tensor *sides[SIDES];
    nowhere = (Graph){0};
    for (int side = 0; side < (is_joined(node) ? SIDES : 1); side++) {
        sides[side] = NEW(Tensor);
        *sides[side] = *node->inputs.items[side];
        sides[side]->shape = projected_shape(node, side);
    }
    return make_attention(&nowhere, node, sides);
}

static bool features_are(const Node *node, int arg, int side)
{
    const ArgValue *asserted = &node->args[arg];
    if (!asserted->given || asserted->integer[0] == features_of(node, side))
        return true;
    Diagnostic *d =
        node_error(node, "argument-range", asserted->span, "%s=%lld, but the %s has %lld features",
                   node->op->args[arg].name, asserted->integer[0], side == KEY ? "key" : "value",
                   features_of(node, side));
    label_branches(d, node);
    return false;
}

/* The attention says whether the tensors and masks fit. */
static bool infer(Node *node)
{
    Int features = features_of(node, QUERY), heads = node->args[HEADS].integer[0];
    node->out_shape = input_shape(node);
    if (features % heads != 0) {
        Diagnostic *d = node_error(node, "argument-range", node->args[HEADS].span,
                                   "%s: %lld heads do not divide %lld features", node->op->name,
                                   heads, features);
        diag_caption(d, "must divide %lld", features);
        node_derivation(d, node->inputs.items[0]);
        return false;
    }
    if (is_joined(node) && (!features_are(node, KDIM, KEY) || !features_are(node, VDIM, VALUE)))
        return false;
    add_parameters(node);
    return operator_attention.infer(asked_attention(node));
}

static Int multiply_adds(const Node *node)
{
    Int features = features_of(node, QUERY),
        sum = operator_attention.multiply_adds(asked_attention(node));
    for (int side = 0; side <= SIDES; side++) {
        const Tensor *input = node->inputs.items[is_joined(node) && side < SIDES ? side : QUERY];
        Int factors[] = {shape_elements(input->shape), features};
        if (__builtin_add_overflow(sum, saturating_product(2, factors), &sum))
            return INT64_MAX;
    }
    return sum;
}

/* -------------------------------------------------------------- lowering */

static Node *make_linear(Graph *graph, const Node *like, const char *path, Tensor *x, Int out)
{
    Node *node = lowered_node(graph, like, &operator_linear, path);
    push(&node->inputs, x);
    set_number(node, "out_features", out);
    set_number(node, "bias", like->args[BIAS].integer[0]);
    return node;
}

static Tensor *lower_projection(Graph *graph, const Node *like, int side)
{
    Shape shape = projected_shape(like, side);
    bool joined = is_joined(like), bias = like->args[BIAS].integer[0];
    Int features = features_of(like, QUERY);
    Node *node = make_linear(graph, like,
                             joined ? format("%s.%s_proj", like->path, names[side])
                                    : format("%s.in_proj", like->path),
                             like->inputs.items[side], shape_last(shape));
    if (joined && !is_separate(like))
        lend_rows(graph, node, like, 0, side, features, "weight");
    else
        lend_parameter(node, like, side, "weight");
    if (bias && joined)
        lend_rows(graph, node, like, place_of(like, IN_BIAS), side, features, "bias");
    else if (bias)
        lend_parameter(node, like, place_of(like, IN_BIAS), "bias");
    return lowered_output(graph, node, shape, NULL);
}

static void lower(Graph *graph, const Node *like)
{
    Tensor *sides[SIDES];
    for (int side = 0; side < (is_joined(like) ? SIDES : 1); side++)
        sides[side] = lower_projection(graph, like, side);
    Node *attention = make_attention(graph, like, sides);
    require(operator_attention.infer(attention));
    Tensor *mixed = lowered_output(graph, attention, attention->out_shape, NULL);
    Node *last = make_linear(graph, like, like->path, mixed, shape_last(like->out_shape));
    lend_parameter(last, like, place_of(like, OUT_WEIGHT), "weight");
    if (like->args[BIAS].integer[0])
        lend_parameter(last, like, place_of(like, OUT_BIAS), "bias");
    lowered_output(graph, last, like->out_shape, like->out);
}

#define MULTIHEAD                                                                              \
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html", \
    .ranks = RANK(2) | RANK(3), .infer = infer, .lower = lower, .multiply_adds = multiply_adds

const Operator operator_self_attention = {
    .name = "self_attention",
    .summary = "Multi-head attention of a sequence with itself, with PyTorch's parameters.",
    .shape_rule = "[t, d] -> [t, d]; of windows [n, t, d]",
    .formula = "y = W_out * attention(W_in * x + b_in) + b_out, W_in [3*d, d]",
    .args = self_args,
    .traits = OP_LAST_AXIS,
    MULTIHEAD,
};

const Operator operator_multihead_attention = {
    .name = "multihead_attention",
    .summary = "Multi-head attention of a query with keys and values, with PyTorch's parameters.",
    .shape_rule = "[t, d], [s, kdim], [s, vdim] -> [t, d]; of windows [n, t, d]",
    .formula = "y = W_out * attention(W_q * q + b_q, W_k * k + b_k, W_v * v + b_v) + b_out\n"
               "where the key and value have d features, the rows of one matrix are W_q, W_k, W_v",
    .args = multihead_args,
    .traits = OP_LAST_AXIS | OP_JOINS,
    .joined = SIDES,
    MULTIHEAD,
};
