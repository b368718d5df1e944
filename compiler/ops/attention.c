/* attention.c: scaled dot-product attention of several heads (Vaswani et al. 2017,
 * https://arxiv.org/abs/1706.03762), of queries, keys and values that lie side by side in one
 * tensor or are three; kernels/attention.h says what is what.
 *
 * Scores are never stored as a whole: a block of queries has its own, and the way back makes them
 * again from aux (Rabe and Staats 2021, https://arxiv.org/abs/2112.05682; Dao et al. 2022,
 * https://arxiv.org/abs/2205.14135).
 */
#include "kernels/attention.h"
#include "kernels/image/attention_row.h"
#include "ops/operator.h"

#include <math.h>

enum { HEADS, KV_HEADS, CAUSAL, SCALE, MASK, WINDOW, DROPOUT };
enum { JOINED = 3 };

static const ArgSpec args[] = {
    [HEADS] = {"heads", ARG_INT, .positional = true, .minimum = 1, .maximum = LARGEST,
               .doc = "Parts of the features, each of which attends on its own."},
    [KV_HEADS] = {"kv_heads", ARG_INT, .otherwise = "=heads", .minimum = 1, .maximum = LARGEST,
                  .doc =
                      "Heads of keys and values; with fewer, neighbouring heads of queries share "
                      "one."},
    [CAUSAL] = {"causal", ARG_BOOL, .otherwise = "false",
                .doc = "Whether a step attends to itself and earlier steps only."},
    [SCALE] = {"scale", ARG_REAL, .otherwise = "none", .minimum = 1e-30, .maximum = LARGEST,
               .doc = "What scores are multiplied by; 1/sqrt(width of a head) where nothing is "
                      "said."},
    [MASK] = {"mask", ARG_TENSORS, .otherwise = "none",
              .doc = "What is added to the scores, trained or not: [queries, keys], [heads, "
                     "queries, keys] or [windows, heads, queries, keys]; an axis of 1 repeats."},
    [WINDOW] = {"window", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                .doc = "A step attends to steps less than so many away; to any where nothing is "
                       "said."},
    [DROPOUT] = {"dropout", ARG_REAL, .otherwise = "0.0", .maximum = 1,
                 .doc = "Probability that a weight is zeroed, in training."},
    {0}};

static int count_masks(const Node *node)
{
    return node->args[MASK].count;
}

static bool is_joined(const Node *node)
{
    return node->inputs.count - count_masks(node) == JOINED;
}

static Int from_last(Shape shape, int back)
{
    return shape.rank >= back ? shape.dim[shape.rank - back] : 1;
}

static Shape side_shape(const Node *node, int input)
{
    return node->inputs.items[input]->shape;
}

/* Steps that are axes of 1 are repeated. */
static AttentionMask mask_of(const Node *node, int input)
{
    Shape shape = side_shape(node, input);
    AttentionMask mask = {.input = input};
    Int step = 1;
    for (int axis = MASK_KEY; axis >= 0; axis--) {
        Int size = from_last(shape, MASK_AXES - axis);
        mask.step[axis] = size > 1 ? step : 0;
        step *= size;
    }
    return mask;
}

static void set_sides(Attention *attention, const Node *node)
{
    Int heads = attention->heads, kv_heads = attention->kv_heads;
    Int row = from_last(side_shape(node, 0), 1);
    if (is_joined(node)) {
        Int keys = from_last(side_shape(node, 1), 1), values = from_last(side_shape(node, 2), 1);
        attention->q = (AttentionSide){0, 0, row, row / heads};
        attention->k = (AttentionSide){1, 0, keys, keys / kv_heads};
        attention->v = (AttentionSide){2, 0, values, values / kv_heads};
        return;
    }
    Int width = row / (heads + 2 * kv_heads);
    attention->q = (AttentionSide){0, 0, row, width};
    attention->k = (AttentionSide){0, heads * width, row, width};
    attention->v = (AttentionSide){0, (heads + kv_heads) * width, row, width};
}

static Attention attention_of(const Node *node)
{
    Attention attention = {.windows = from_last(side_shape(node, 0), 3),
                           .queries = from_last(side_shape(node, 0), 2),
                           .heads = node->args[HEADS].integer[0],
                           .kv_heads = node->args[KV_HEADS].integer[0],
                           .masks = count_masks(node),
                           .causal = node->args[CAUSAL].integer[0],
                           .reach = node->args[WINDOW].given ? node->args[WINDOW].integer[0] : 0,
                           .dropout = node->args[DROPOUT].real};
    set_sides(&attention, node);
    attention.keys = from_last(side_shape(node, attention.k.input), 2);
    attention.scale =
        node->args[SCALE].given ? node->args[SCALE].real : 1 / sqrt((double)attention.q.width);
    for (int i = 0; i < attention.masks; i++)
        attention.mask[i] = mask_of(node, node->inputs.count - attention.masks + i);
    return attention;
}

/* ---------------------------------------------------------------- checks */

static const char *const sides[] = {"queries", "keys", "values"};

/* Keys or values: as many windows, steps and heads as the others say. */
static bool side_fits(const Node *node, int input, Int width)
{
    Shape q = side_shape(node, 0), k = side_shape(node, 1), own = side_shape(node, input);
    Int kv_heads = node->args[KV_HEADS].integer[0];
    const char *fault = NULL;
    if (own.rank != q.rank)
        fault = "ranks must be equal";
    else if (q.rank == 3 && own.dim[0] != q.dim[0])
        fault = format("%lld windows of queries, %lld of %s", q.dim[0], own.dim[0], sides[input]);
    else if (from_last(own, 2) != from_last(k, 2))
        fault = format("%lld keys, but %lld values", from_last(k, 2), from_last(own, 2));
    else if (width && from_last(own, 1) != kv_heads * width)
        fault = format("%lld heads of %lld are %lld features, not %lld", kv_heads, width,
                       kv_heads * width, from_last(own, 1));
    else if (from_last(own, 1) % kv_heads != 0)
        fault = format("%lld heads do not divide %lld features", kv_heads, from_last(own, 1));
    if (fault == NULL)
        return true;
    Diagnostic *d = node_error(node, "join-mismatch", node->span,
                               "attention cannot match the %s %s with the queries %s", sides[input],
                               shape_text(own), shape_text(q));
    diag_caption(d, "%s", fault);
    label_branches(d, node);
    return false;
}

static bool joined_fit(Node *node)
{
    Shape q = side_shape(node, 0);
    Int heads = node->args[HEADS].integer[0], features = from_last(q, 1);
    if (features % heads != 0) {
        Diagnostic *d =
            node_error(node, "argument-range", node->args[HEADS].span,
                       "attention: %lld heads do not divide %lld features", heads, features);
        diag_caption(d, "must divide %lld", features);
        node_derivation(d, node->inputs.items[0]);
        return false;
    }
    return side_fits(node, 1, features / heads) && side_fits(node, 2, 0);
}

static bool packed_fits(Node *node)
{
    Int row = from_last(side_shape(node, 0), 1), heads = node->args[HEADS].integer[0],
        kv_heads = node->args[KV_HEADS].integer[0], parts = heads + 2 * kv_heads;
    if (row % parts == 0)
        return true;
    Diagnostic *d =
        node_error(node, "shape-mismatch", node->span,
                   "attention(%lld) needs queries, keys and values side by side: %lld features "
                   "are not %lld equal parts",
                   heads, row, parts);
    diag_help(d,
              "`linear(%lld*d)` before it makes them of d features for each, or "
              "attention(q, k, v, heads=%lld) takes three named tensors",
              heads == kv_heads ? 3 : parts, heads);
    const Node *maker = node->inputs.items[0]->producer; /* of the same shape it is no step */
    if (maker != NULL && maker->inputs.count > 0
        && shape_equal(input_shape(maker), maker->out_shape))
        label_step(d, node, node->inputs.items[0], shape_text(side_shape(node, 0)));
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool mask_fits(const Node *node, const Attention *attention, int which)
{
    Shape shape = side_shape(node, attention->mask[which].input);
    const Int sizes[MASK_AXES] = {attention->windows, attention->heads, attention->queries,
                                  attention->keys};
    bool fits = shape.rank >= 2;
    for (int axis = 0; axis < MASK_AXES; axis++) {
        Int size = from_last(shape, MASK_AXES - axis);
        fits &= size == 1 || size == sizes[axis];
    }
    if (fits)
        return true;
    Diagnostic *d =
        node_error(node, "shape-mismatch", node->args[MASK].span,
                   "attention cannot add a mask of %s to its scores", shape_text(shape));
    diag_caption(d, "%lld queries, %lld keys", attention->queries, attention->keys);
    diag_help(d,
              "a mask is [%lld, %lld], or [%lld, %lld, %lld] of heads, or [%lld, %lld, %lld, "
              "%lld] of windows and heads; each axis may be 1",
              sizes[2], sizes[3], sizes[1], sizes[2], sizes[3], sizes[0], sizes[1], sizes[2],
              sizes[3]);
    return false;
}

static bool window_fits(const Node *node, const Attention *attention)
{
    if (attention->reach == 0 || attention->queries == attention->keys)
        return true;
    Diagnostic *d =
        node_error(node, "argument-range", node->args[WINDOW].span,
                   "attention: window= counts steps of one sequence, but %lld queries see %lld "
                   "keys",
                   attention->queries, attention->keys);
    diag_help(d, "a mask= of your own says which key each query sees");
    return false;
}

static bool infer(Node *node)
{
    Int heads = node->args[HEADS].integer[0], kv_heads = node->args[KV_HEADS].integer[0];
    if (heads % kv_heads != 0) {
        Diagnostic *d =
            node_error(node, "argument-range", node->args[KV_HEADS].span,
                       "attention: kv_heads=%lld does not divide heads=%lld", kv_heads, heads);
        diag_caption(d, "as many heads of queries for each");
        return false;
    }
    if (!(is_joined(node) ? joined_fit(node) : packed_fits(node)))
        return false;
    const Attention attention = attention_of(node);
    if (!window_fits(node, &attention))
        return false;
    for (int i = 0; i < attention.masks; i++)
        if (!mask_fits(node, &attention, i))
            return false;
    Shape x = side_shape(node, 0);
    node->out_shape = shape_with(x, x.rank - 1, heads * attention.v.width);
    node->aux_shape = shape_of(3, attention.windows, heads, attention.queries);
    return true;
}

/* Scores and weighted sums; with a causal mask half of them count. */
static Int multiply_adds(const Node *node)
{
    const Attention attention = attention_of(node);
    Int seen = attention.reach ? attention.reach * (attention.causal ? 1 : 2) : attention.keys;
    seen = seen < attention.keys ? seen : attention.keys;
    Int factors[] = {attention.windows, attention.heads, attention.queries, seen,
                     attention.q.width + attention.v.width};
    Int all = saturating_product(5, factors);
    return attention.causal && !attention.reach ? all / 2 : all;
}

/* --------------------------------------------------------------- kernels */

static Int workspace(const Node *node, const Node *pool, int lanes, bool filters)
{
    const Attention attention = attention_of(node);
    (void)pool, (void)lanes, (void)filters;
    return attention_workspace(&attention, node->stage);
}

static bool emit(Kernel *kernel)
{
    const Attention attention = attention_of(kernel->node);
    if (!kernel->workspace)
        return false;
    emit_attention(kernel, &attention);
    return true;
}

static void emit_image(ImageKernel *image)
{
    const Attention attention = attention_of(image->kernel.node);
    emit_image_attention(image, &attention);
}

/* What it gives is stored value by value: others' work is not done there. */
static bool can_do_image_attention(const Node *node)
{
    for (int i = 0; i < node->inputs.count; i++)
        if (side_shape(node, i).dim[0] == 1)
            return false;
    return true;
}

/* Where a side of one step begins, as C. */
static const char *row_side(const Node *row, AttentionSide side)
{
    return format("%s + %lldL", attention_input(row, side.input), side.first);
}

static RowAttention row_attention(const Node *row)
{
    const Attention all = attention_of(row->sequence);
    return (RowAttention){.steps = all.keys,
                          .heads = all.heads,
                          .kv_heads = all.kv_heads,
                          .width = all.q.width,
                          .value_width = all.v.width,
                          .q = row_side(row, all.q),
                          .k = row_side(row, all.k),
                          .v = row_side(row, all.v),
                          .reach = all.reach,
                          .scale = all.scale};
}

/* A step sees none that come later. */
static bool take_row(Node *row, Int steps)
{
    const Attention all = attention_of(row->sequence);
    return all.causal && all.masks == 0 && side_shape(row->sequence, 0).rank == 2
           && all.queries == steps && all.keys == steps;
}

static Int kept_of_rows(const Node *row, int lanes)
{
    const RowAttention attention = row_attention(row);
    return kept_of_attention(&attention, lanes);
}

static void emit_row(ImageKernel *image)
{
    const RowAttention attention = row_attention(image->kernel.node);
    image_attention_row(image, &attention);
}

const Operator operator_attention = {
    .name = "attention",
    .summary = "Scaled dot-product attention of queries, keys and values, side by side or named.",
    .shape_rule = "[t, 3*d] -> [t, d]; with kv_heads [t, (heads + 2*kv_heads)*w] -> [t, heads*w]\n"
                  "[t, heads*w], [s, kv_heads*w], [s, kv_heads*u] -> [t, heads*u]\n"
                  "of n windows [n, t, ...] -> [n, t, ...]",
    .formula = "y = dropout(softmax(scale * Q K^T + mask)) V for each head\n"
               "in one tensor lie Q of all heads, K, V\n"
               "causal: query i sees keys 0 to i, also where there are more or fewer keys",
    .reference = "Vaswani et al. 2017, https://arxiv.org/abs/1706.03762\n"
                 "https://docs.pytorch.org/docs/stable/nn.functional.html",
    .args = args,
    .traits = OP_ALSO_JOINS | OP_GRADIENTS_TOGETHER,
    .ranks = RANK(2) | RANK(3),
    .joined = JOINED,
    .input_gradient_reads = READS_X | READS_Y | READS_AUX,
    .infer = infer,
    .multiply_adds = multiply_adds,
    .workspace = workspace,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = can_do_image_attention,
    .take_row = take_row,
    .kept_of_rows = kept_of_rows,
    .emit_row = emit_row,
};
