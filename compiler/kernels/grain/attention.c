/* attention.c: attention of a grain (attention.h), block by block of queries.
 *
 * A block's scores are the product of its queries and all keys that any of them sees; they become
 * weights, and the product of these and the values is y.  On the way back they are made again: with
 * P the weights, G the gradients of them and D what dropout multiplies each by, the gradient of a
 * score is P * (G * D - the sum of y * dy), which needs no second pass over a query's keys.
 */
#include "kernels/attention.h"
#include "kernels/grain/lane_product.h"

#include <math.h>

enum { QUERIES = 16 }; /* of a block: its scores stay in the second cache */

Int attention_workspace(const Attention *attention, Stage stage)
{
    return (stage == STAGE_BACKWARD_INPUT ? 2 : 1) * QUERIES * attention->keys;
}

/* A kernel being written, of a node whose attention this is. */
typedef struct Writer {
    Kernel *kernel;
    const Attention *attention;
    const char *product; /* lane_product.h's */
} Writer;

/* Where `side` of a window and of head `head` begins, behind the operand. */
static const char *side_text(const Writer *writer, const AttentionSide *side, Int steps,
                             const char *head)
{
    Text text = {0};
    if (side->first)
        text_add(&text, " + %lldL", side->first);
    if (writer->attention->windows > 1)
        text_add(&text, " + window * %lldL", steps * side->row);
    text_add(&text, " + %s * %lldL", head, side->width);
    return text_chars(&text);
}

/* "window * 8L + head * 4L + (first + i) * 2L + j": a mask's value of a query and a key. */
static const char *mask_text(const Attention *attention, const AttentionMask *mask)
{
    const char *variables[MASK_AXES] = {"window", "head", "(first + i)",
                                        attention->reach ? "(from + j)" : "j"};
    Text text = {0};
    for (int axis = 0; axis < MASK_AXES; axis++)
        if (mask->step[axis])
            text_add(&text, "%s%s * %lldL", text.length ? " + " : "", variables[axis],
                     mask->step[axis]);
    return text.length ? text_chars(&text) : "0";
}

/* " + x3[…]" for each mask. */
static const char *masks_text(const Writer *writer)
{
    Text text = {0};
    for (int i = 0; i < writer->attention->masks; i++) {
        const AttentionMask *mask = &writer->attention->mask[i];
        text_add(&text, " + x%d[%s]", mask->input, mask_text(writer->attention, mask));
    }
    return text.length ? text_chars(&text) : "";
}

/* ---------------------------------------------------------------- blocks */

/* Declares a block of queries, from `first` on: `rows` of them, and the `keys` that any of them
 * sees, of which the first is `from`; q, k and v, where those of head `head` begin. */
static void declare_block(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    const char *last = a->causal  ? "first + rows"
                       : a->reach ? format("first + rows + %lld", a->reach - 1)
                                  : NULL;
    const char *kv_head =
        a->heads == a->kv_heads ? "head" : format("(head / %lld)", a->heads / a->kv_heads);
    kernel_line(kernel, "const int rows = %lld - first < %d ? (int)(%lld - first) : %d;",
                a->queries, QUERIES, a->queries, QUERIES);
    if (a->reach)
        kernel_line(kernel, "const int from = first < %lld ? 0 : (int)first - %lld;", a->reach,
                    a->reach - 1);
    if (last)
        kernel_line(kernel, "const int to = %s < %lld ? (int)(%s) : %lld;", last, a->keys, last,
                    a->keys);
    kernel_line(kernel, "const int keys = %s%s;", last ? "to" : format("%lld", a->keys),
                a->reach ? " - from" : "");
    kernel_line(kernel, "const vec *const q = %s%s + first * %lldL;",
                attention_input(kernel->node, a->q.input),
                side_text(writer, &a->q, a->queries, "head"), a->q.row);
    for (int i = 0; i < 2; i++) {
        const AttentionSide *side = i ? &a->v : &a->k;
        kernel_line(kernel, "const vec *const %s = %s%s%s;", i ? "v" : "k",
                    attention_input(kernel->node, side->input),
                    side_text(writer, side, a->keys, kv_head),
                    a->reach ? format(" + from * %lldL", side->row) : "");
    }
}

/* score[i * all + j] of the block's query i and of key j, neither scaled nor masked. */
static void emit_scores(const Writer *writer)
{
    const Attention *a = writer->attention;
    kernel_line(writer->kernel, "%s(score, %lld, q, %lld, 1, k, %lld, 1, rows, keys, %lld, false);",
                writer->product, a->keys, a->q.row, a->k.row, a->q.width);
}

/* Opens the loop over the block's queries: `own` is one's scores, of which it sees those from
 * `begin` to `end`. */
static void open_queries(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    const char *less = a->reach ? " - from" : "";
    kernel_line(kernel, "for (int i = 0; i < rows; i++) {");
    kernel_line(kernel, "vec *const own = score + i * %lldL;", a->keys);
    if (a->reach)
        kernel_line(kernel,
                    "const int begin = first + i < %lld ? 0 : (int)first + i - %lld - from;",
                    a->reach, a->reach - 1);
    else
        kernel_line(kernel, "const int begin = 0;");
    if (a->causal)
        kernel_line(kernel, "const int end = first + i + 1 < %lld ? (int)first + i + 1%s : %lld%s;",
                    a->keys, less, a->keys, less);
    else if (a->reach)
        kernel_line(kernel,
                    "const int end = first + i + %lld < %lld ? (int)first + i + %lld%s : "
                    "%lld%s;",
                    a->reach, a->keys, a->reach, less, a->keys, less);
    else
        kernel_line(kernel, "const int end = keys;");
    if (a->dropout > 0)
        kernel_line(
            kernel,
            "const uint64_t draw = drawn + ((uint64_t)(head%s) * %lldu + (uint64_t)(first + "
            "i)) * %lldu%s;",
            a->windows > 1 ? format(" + window * %lld", a->heads) : "", a->queries, a->keys,
            a->reach ? " + (uint64_t)from" : "");
}

/* The head's and window's number comes first: (window * heads + head) * queries … */
static void declare_draws(const Writer *writer)
{
    const Attention *a = writer->attention;
    if (a->dropout == 0 || !writer->kernel->training)
        return;
    unsigned long long count = (unsigned long long)a->windows * (unsigned long long)a->heads
                               * (unsigned long long)a->queries * (unsigned long long)a->keys;
    kernel_line(writer->kernel, "const uint64_t random = net_random_key(s->seed, %d);",
                node_salt(writer->kernel->node));
    kernel_line(writer->kernel,
                "const uint64_t apart = %lluu, drawn = (uint64_t)(g * LANES) * "
                "apart;",
                count);
}

/* What dropout multiplies the weight of key j by, a vec. */
static const char *kept_text(const Attention *attention)
{
    double p = attention->dropout;
    return format("vec_select(dropout_mask(random, s->step, draw + (uint64_t)j, apart, %lluu), "
                  "(vec){ 0 }, splat((real)%.17g))",
                  (unsigned long long)ceil(p * 0x1p53), p < 1 ? 1 / (1 - p) : 0);
}

/* What a query does not see has no weight. */
static void hide_rest(const Writer *writer, const char *row)
{
    const Attention *a = writer->attention;
    if (a->reach) {
        kernel_line(writer->kernel, "for (int j = 0; j < begin; j++)");
        kernel_line(writer->kernel, "    %s[j] = splat(0);", row);
    }
    if (a->reach || a->causal) {
        kernel_line(writer->kernel, "for (int j = end; j < keys; j++)");
        kernel_line(writer->kernel, "    %s[j] = splat(0);", row);
    }
}

/* --------------------------------------------------------------- forward */

/* Scores become weights: the softmax of what a query sees.  Without a mask they are scaled within
 * the exponential. */
static void emit_weights(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    bool drops = a->dropout > 0 && kernel->training;
    const char *scale = format("(real)%.17g", a->masks ? 1.0 : a->scale);
    open_queries(writer);
    if (a->masks) {
        kernel_line(kernel, "for (int j = begin; j < end; j++)");
        kernel_line(kernel, "    own[j] = own[j] * (real)%.17g%s;", a->scale, masks_text(writer));
    }
    kernel_line(kernel, "vec largest = own[begin], total = splat(0);");
    kernel_line(kernel, "for (int j = begin + 1; j < end; j++)");
    kernel_line(kernel, "    largest = vec_select(own[j] > largest, own[j], largest);");
    kernel_line(kernel, "for (int j = begin; j < end; j++)");
    kernel_line(kernel, "    total += own[j] = vec_exp((own[j] - largest) * %s);", scale);
    if (kernel->training)
        kernel_line(kernel, "aux[(%shead) * %lldL + first + i] = largest * %s + vec_log(total);",
                    a->windows > 1 ? format("window * %lld + ", a->heads) : "", a->queries, scale);
    kernel_line(kernel, "total = (real)1 / total;");
    kernel_line(kernel, "for (int j = begin; j < end; j++)");
    kernel_line(kernel, drops ? "    own[j] *= total * %s;" : "    own[j] *= total;",
                drops ? kept_text(a) : "");
    hide_rest(writer, "own");
    kernel_line(kernel, "}");
}

/* Where y of the block's first query and of the head begins. */
static const char *result_text(const Attention *a, const char *name)
{
    Int row = a->heads * a->v.width;
    return format("%s%s + first * %lldL + head * %lldL", name,
                  a->windows > 1 ? format(" + window * %lldL", a->queries * row) : "", row,
                  a->v.width);
}

static void emit_forward(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int blocks = (a->queries + QUERIES - 1) / QUERIES;
    kernel->algorithm = "Attention, block by block of queries; scores are not stored.";
    kernel_line(kernel, "vec *const score = workspace;");
    declare_draws(writer);
    open_pieces(kernel, "piece", a->windows * a->heads * blocks);
    if (a->windows > 1)
        kernel_line(kernel, "const int64_t window = piece / %lld;", a->heads * blocks);
    kernel_line(kernel, "const int64_t head = piece / %lld%s, first = piece %% %lld * %d;", blocks,
                a->windows > 1 ? format(" %% %lld", a->heads) : "", blocks, QUERIES);
    declare_block(writer);
    emit_scores(writer);
    emit_weights(writer);
    kernel_line(kernel, "%s(%s, %lld, score, %lld, 1, v, 1, %lld, rows, %lld, keys, false);",
                writer->product, result_text(a, "y"), a->heads * a->v.width, a->keys, a->v.row,
                a->v.width);
    kernel_line(kernel, "}");
}

/* -------------------------------------------------------------- backward */

/* Where in dx the gradient of input i begins; -1: nobody wants it. */
static Int gradient_at(const Writer *writer, int input)
{
    const Node *node = writer->kernel->node;
    return node->dx_at ? node->dx_at[input] : 0;
}

/* Whether a mask's gradient is a sum over windows or heads, which then lie in one piece. */
static bool sums_over(const Writer *writer, int axis, Int size)
{
    bool sums = false;
    for (int i = 0; i < writer->attention->masks; i++) {
        const AttentionMask *mask = &writer->attention->mask[i];
        sums |= gradient_at(writer, mask->input) >= 0 && mask->step[axis] == 0;
    }
    return sums && size > 1;
}

/* "dx + 96" */
static const char *gradient_text(const Writer *writer, int input)
{
    Int at = gradient_at(writer, input);
    return at ? format("dx + %lldL", at) : "dx";
}

/* A loop over the piece's own windows or heads, or over all. */
static void open_axis(Kernel *kernel, bool all, const char *name, Int size, const char *own)
{
    if (all)
        kernel_line(kernel, "for (int64_t %s = 0; %s < %lld; %s++) {", name, name, size, name);
    else
        kernel_line(kernel, "{ const int64_t %s = %s;", name, own);
}

/* A piece is what shares keys and values, or a mask's gradient. */
static void open_shared(const Writer *writer)
{
    const Attention *a = writer->attention;
    bool windows = sums_over(writer, MASK_WINDOW, a->windows),
         heads = sums_over(writer, MASK_HEAD, a->heads);
    Int pairs = heads ? 1 : a->kv_heads;
    open_pieces(writer->kernel, "piece", (windows ? 1 : a->windows) * pairs);
    if (a->windows > 1)
        open_axis(writer->kernel, windows, "window", a->windows, format("piece / %lld", pairs));
    else
        kernel_line(writer->kernel, "{");
    open_axis(writer->kernel, heads, "pair", a->kv_heads, format("piece %% %lld", pairs));
}

static void close_shared(const Writer *writer)
{
    for (int i = 0; i < 3; i++)
        kernel_line(writer->kernel, "}");
}

/* A mask's gradient begins with zeros, in the first turn that adds to it. */
static void zero_mask(const Writer *writer, const AttentionMask *mask)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int group = a->heads / a->kv_heads, queries = mask->step[MASK_QUERY] ? a->queries : 1,
        keys = mask->step[MASK_KEY] ? a->keys : 1;
    Text first = {0};
    if (gradient_at(writer, mask->input) < 0)
        return;
    if (a->windows > 1 && !mask->step[MASK_WINDOW])
        text_add(&first, "window == 0");
    if (a->kv_heads > 1 && !mask->step[MASK_HEAD])
        text_add(&first, "%spair == 0", first.length ? " && " : "");
    if (first.length)
        kernel_line(kernel, "if (%s)", text_chars(&first));
    kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++)",
                (mask->step[MASK_HEAD] ? group : 1) * queries * keys);
    kernel_line(kernel, "    (%s%s%s)[i] = splat(0);", gradient_text(writer, mask->input),
                mask->step[MASK_WINDOW] ? format(" + window * %lldL", mask->step[MASK_WINDOW]) : "",
                mask->step[MASK_HEAD] ? format(" + pair * %lldL", group * mask->step[MASK_HEAD])
                                      : "");
}

/* Keys' and values' gradients of one head of theirs, before its heads of queries add to them. */
static void zero_side(const Writer *writer, const AttentionSide *side)
{
    Kernel *kernel = writer->kernel;
    if (gradient_at(writer, side->input) < 0 || kernel->node->accumulate)
        return;
    kernel_line(kernel, "for (int64_t j = 0; j < %lld; j++)", writer->attention->keys);
    kernel_line(kernel, "    for (int64_t c = 0; c < %lld; c++)", side->width);
    kernel_line(kernel, "        (%s%s)[j * %lldL + c] = splat(0);",
                gradient_text(writer, side->input),
                side_text(writer, side, writer->attention->keys, "pair"), side->row);
}

/* `change` becomes the gradients of the scores, scaled, and `score` what values are weighted by. */
static void emit_score_gradients(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int row = a->heads * a->v.width;
    kernel_line(kernel, "%s(change, %lld, d, %lld, 1, v, %lld, 1, rows, keys, %lld, false);",
                writer->product, a->keys, row, a->v.row, a->v.width);
    open_queries(writer);
    kernel_line(kernel, "vec *const other = change + i * %lldL;", a->keys);
    kernel_line(kernel, "const vec total = aux[(%shead) * %lldL + first + i];",
                a->windows > 1 ? format("window * %lld + ", a->heads) : "", a->queries);
    kernel_line(kernel, "vec mean = splat(0);");
    kernel_line(kernel, "for (int c = 0; c < %lld; c++)", a->v.width);
    kernel_line(kernel, "    mean += d[i * %lldL + c] * result[i * %lldL + c];", row, row);
    kernel_line(kernel, "for (int j = begin; j < end; j++) {");
    kernel_line(kernel, "const vec weight = vec_exp(own[j] * (real)%.17g%s - total);", a->scale,
                masks_text(writer));
    if (a->dropout > 0) {
        kernel_line(kernel, "const vec kept = %s;", kept_text(a));
        kernel_line(kernel, "const vec gradient = weight * (other[j] * kept - mean);");
        kernel_line(kernel, "own[j] = weight * kept;");
    } else {
        kernel_line(kernel, "const vec gradient = weight * (other[j] - mean);");
        kernel_line(kernel, "own[j] = weight;");
    }
    for (int i = 0; i < a->masks; i++)
        if (gradient_at(writer, a->mask[i].input) >= 0)
            kernel_line(kernel, "(%s)[%s] += gradient;", gradient_text(writer, a->mask[i].input),
                        mask_text(a, &a->mask[i]));
    kernel_line(kernel, "other[j] = gradient * (real)%.17g;", a->scale);
    kernel_line(kernel, "}");
    hide_rest(writer, "own");
    hide_rest(writer, "other");
    kernel_line(kernel, "}");
}

/* The block's part of the gradients of queries, keys and values. */
static void emit_side_gradients(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    const char *offset = a->reach ? format(" + from * ") : NULL;
    if (gradient_at(writer, a->q.input) >= 0)
        kernel_line(kernel,
                    "%s(%s%s + first * %lldL, %lld, change, %lld, 1, k, 1, %lld, rows, %lld, keys, "
                    "%s);",
                    writer->product, gradient_text(writer, a->q.input),
                    side_text(writer, &a->q, a->queries, "head"), a->q.row, a->q.row, a->keys,
                    a->k.row, a->q.width, kernel->node->accumulate ? "true" : "false");
    if (gradient_at(writer, a->k.input) >= 0)
        kernel_line(kernel,
                    "%s(%s%s%s, %lld, change, 1, %lld, q, 1, %lld, keys, %lld, rows, true);",
                    writer->product, gradient_text(writer, a->k.input),
                    side_text(writer, &a->k, a->keys, "pair"),
                    offset ? format("%s%lldL", offset, a->k.row) : "", a->k.row, a->keys, a->q.row,
                    a->q.width);
    if (gradient_at(writer, a->v.input) >= 0)
        kernel_line(kernel, "%s(%s%s%s, %lld, score, 1, %lld, d, 1, %lld, keys, %lld, rows, true);",
                    writer->product, gradient_text(writer, a->v.input),
                    side_text(writer, &a->v, a->keys, "pair"),
                    offset ? format("%s%lldL", offset, a->v.row) : "", a->v.row, a->keys,
                    a->heads * a->v.width, a->v.width);
}

static void emit_backward(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int group = a->heads / a->kv_heads;
    kernel->algorithm = "Attention's gradients, block by block of queries; scores are made again.";
    kernel_line(kernel, "vec *const score = workspace, *const change = workspace + %lldL;",
                QUERIES * a->keys);
    declare_draws(writer);
    open_shared(writer);
    zero_side(writer, &a->k);
    zero_side(writer, &a->v);
    for (int i = 0; i < a->masks; i++)
        zero_mask(writer, &a->mask[i]);
    kernel_line(kernel, "for (int64_t head = pair * %lldL; head < (pair + 1) * %lldL; head++) {",
                group, group);
    kernel_line(kernel, "for (int64_t first = 0; first < %lld; first += %d) {", a->queries,
                QUERIES);
    declare_block(writer);
    kernel_line(kernel, "const vec *const d = %s, *const result = %s;", result_text(a, "dy"),
                result_text(a, "y"));
    emit_scores(writer);
    emit_score_gradients(writer);
    emit_side_gradients(writer);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    close_shared(writer);
}

void emit_attention(Kernel *kernel, const Attention *attention)
{
    const Writer writer = {kernel, attention, lane_product_function(kernel)};
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(&writer);
    else
        emit_backward(&writer);
}
