/* attention.c: attention of a grain (attention.h), block by block of queries.
 *
 * A block's scores are the product of its queries and all keys that any of them sees; they become
 * weights, and the product of these and the values is y.  On the way back they are made again: with
 * P the weights, G the gradients of them and D what dropout multiplies each by, the gradient of a
 * score is P * (G * D - the sum of y * dy), which needs no second pass over a query's keys.
 *
 * Every lane has matrices of its own, so that a value is a whole row of lanes and a head of keys
 * leaves the caches.  What is multiplied is copied to panels first (lane_product.h), keys and
 * values once for all blocks of a head.
 */
#include "kernels/attention.h"
#include "kernels/grain/lane_product.h"

#include <math.h>
#include <string.h>

enum { QUERIES = 12 };             /* of a block: whole tiles of panel_product */
enum { QUERY_STEP = QUERIES | 1 }; /* panel_step(QUERIES) */

/* Panels in the workspace, of panel_product's `a` or `b`: [terms][columns].  _K: the terms are
 * features; _N: they are keys or queries. */
typedef enum PanelKind {
    KEYS_K,    /* [width][keys] */
    QUERIES_K, /* [width][QUERIES], scaled */
    VALUES_N,  /* forward: [keys][value_width] */
    WEIGHTS,   /* forward: [keys][QUERIES], first the scores */
    /* backward */
    VALUES_K,   /* [value_width][keys] */
    KEYS_N,     /* [keys][width], scaled */
    QUERIES_N,  /* [QUERIES][width], scaled */
    GRADIENT_K, /* of y: [value_width][QUERIES] */
    GRADIENT_N, /* [QUERIES][value_width] */
    SCORES,     /* [QUERIES][keys], then what values are weighted by */
    CHANGES,    /* [QUERIES][keys]: the gradients of that, then of the scores */
    TURNED,     /* [keys][QUERIES]: the same */
    PANELS
} PanelKind;

typedef struct Panel {
    const char *name;
    bool forward, backward;
    bool tiled; /* it is a `b` */
    Int terms, columns;
} Panel;

static Panel panel_of(const Attention *a, PanelKind kind)
{
    Int keys = a->keys, width = a->q.width, values = a->v.width;
    const Panel panels[PANELS] = {
        [KEYS_K] = {"keys_k", true, true, true, width, keys},
        [QUERIES_K] = {"queries_k", true, true, false, width, QUERIES},
        [VALUES_N] = {"values_n", true, false, true, keys, values},
        [WEIGHTS] = {"weights", true, false, false, keys, QUERIES},
        [VALUES_K] = {"values_k", false, true, true, values, keys},
        [KEYS_N] = {"keys_n", false, true, true, keys, width},
        [QUERIES_N] = {"queries_n", false, true, true, QUERIES, width},
        [GRADIENT_K] = {"gradient_k", false, true, false, values, QUERIES},
        [GRADIENT_N] = {"gradient_n", false, true, true, QUERIES, values},
        [SCORES] = {"scores", false, true, false, QUERIES, keys},
        [CHANGES] = {"changes", false, true, false, QUERIES, keys},
        [TURNED] = {"turned", false, true, false, keys, QUERIES},
    };
    return panels[kind];
}

/* From one term of an `a` to the next, and from one tile of a `b`: panel_product's arguments. */
static Int step_of(const Attention *a, PanelKind kind)
{
    const Panel panel = panel_of(a, kind);
    return panel.tiled ? panel.terms * PANEL_COLUMNS : panel_step(panel.columns);
}

static Int panel_vectors(const Attention *a, PanelKind kind)
{
    const Panel panel = panel_of(a, kind);
    Int tiles = (panel.columns + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
    return (panel.tiled ? tiles : panel.terms) * step_of(a, kind);
}

static bool has_panel(const Attention *a, PanelKind kind, Stage stage)
{
    const Panel panel = panel_of(a, kind);
    return stage == STAGE_BACKWARD_INPUT ? panel.backward : panel.forward;
}

Int attention_workspace(const Attention *attention, Stage stage)
{
    Int vectors = 0;
    for (int kind = 0; kind < PANELS; kind++)
        vectors += has_panel(attention, kind, stage) ? panel_vectors(attention, kind) : 0;
    return vectors;
}

/* A kernel being written, of a node whose attention this is. */
typedef struct Writer {
    Kernel *kernel;
    const Attention *attention;
    const char *product; /* lane_product.h's */
} Writer;

static void declare_panels(const Writer *writer)
{
    const Attention *a = writer->attention;
    Int at = 0;
    for (int kind = 0; kind < PANELS; kind++) {
        if (!has_panel(a, kind, writer->kernel->stage))
            continue;
        kernel_line(writer->kernel, "vec *const %s = workspace + %lldL;", panel_of(a, kind).name,
                    at);
        at += panel_vectors(a, kind);
    }
}

/* Copies `count` rows of `width` features, `row` apart from `from` on.  The rows are the panel's
 * terms, or its columns. */
static void fill_panel(const Writer *writer, PanelKind kind, const char *from, Int row,
                       const char *count, Int width, double scale)
{
    Kernel *kernel = writer->kernel;
    const Panel panel = panel_of(writer->attention, kind);
    Int step = step_of(writer->attention, kind);
    bool columns = panel.terms == width && kind != KEYS_N && kind != VALUES_N && kind != QUERIES_N
                   && kind != GRADIENT_N;
    const char *term = columns ? "c" : "j", *column = columns ? "j" : "c";
    kernel_line(kernel, "for (int j = 0; j < %s; j++)", count);
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", width);
    kernel_line(kernel, "const vec *const value = %s + j * %lldL + c;", from, row);
    kernel_line(kernel, "__builtin_prefetch(value + %lldL);", row);
    if (panel.tiled)
        kernel_line(kernel, "%s[%s / %d * %lldL + %s * %d + %s %% %d] = *value%s;", panel.name,
                    column, PANEL_COLUMNS, step, term, PANEL_COLUMNS, column, PANEL_COLUMNS,
                    scale != 1 ? format(" * (real)%.17g", scale) : "");
    else
        kernel_line(kernel, "%s[%s * %lldL + %s] = *value%s;", panel.name, term, step, column,
                    scale != 1 ? format(" * (real)%.17g", scale) : "");
    kernel_line(kernel, "}");
}

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
 * sees, from `from` on, the first of a tile. */
static void declare_block(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    const char *last = a->causal  ? "first + rows"
                       : a->reach ? format("first + rows + %lld", a->reach - 1)
                                  : NULL;
    kernel_line(kernel, "const int rows = %lld - first < %d ? (int)(%lld - first) : %d;",
                a->queries, QUERIES, a->queries, QUERIES);
    if (a->reach)
        kernel_line(kernel, "const int from = first < %lld ? 0 : ((int)first - %lld) / %d * %d;",
                    a->reach, a->reach - 1, PANEL_COLUMNS, PANEL_COLUMNS);
    if (last)
        kernel_line(kernel, "const int to = %s < %lld ? (int)(%s) : %lld;", last, a->keys, last,
                    a->keys);
    kernel_line(kernel, "const int keys = %s%s;", last ? "to" : format("%lld", a->keys),
                a->reach ? " - from" : "");
    fill_panel(writer, QUERIES_K,
               format("%s%s + first * %lldL", attention_input(kernel->node, a->q.input),
                      side_text(writer, &a->q, a->queries, "head"), a->q.row),
               a->q.row, "rows", a->q.width, a->scale);
}

/* The panel from the first key that the block sees: a column, or a term. */
static const char *from_key(const Writer *writer, PanelKind kind)
{
    const Panel panel = panel_of(writer->attention, kind);
    bool column = kind == KEYS_K || kind == VALUES_K;
    if (!writer->attention->reach)
        return panel.name;
    return column ? format("%s + from / %d * %lldL", panel.name, PANEL_COLUMNS,
                           step_of(writer->attention, kind))
                  : format("%s + from * %d", panel.name, PANEL_COLUMNS);
}

/* Keys or values of the head `head`, or of their own, to a panel. */
static void fill_side(const Writer *writer, PanelKind kind, const AttentionSide *side,
                      const char *head, double scale)
{
    const Attention *a = writer->attention;
    fill_panel(writer, kind,
               format("%s%s", attention_input(writer->kernel->node, side->input),
                      side_text(writer, side, a->keys, head)),
               side->row, format("%lld", a->keys), side->width, scale);
}

/* Opens the loop over the block's queries i, of which one sees keys from `begin` to `end`. */
static void open_queries(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    const char *less = a->reach ? " - from" : "";
    kernel_line(kernel, "for (int i = 0; i < rows; i++) {");
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
    if (a->dropout > 0 && kernel->training)
        kernel_line(
            kernel,
            "const uint64_t draw = first_draw + ((uint64_t)(head%s) * %lldu + (uint64_t)(first + "
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
                "const uint64_t apart = %lluu, first_draw = (uint64_t)(g * LANES) * "
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

/* What a query does not see has no weight: `value` of key j. */
static void hide_rest(const Writer *writer, const char *value)
{
    const Attention *a = writer->attention;
    if (a->reach) {
        kernel_line(writer->kernel, "for (int j = 0; j < begin; j++)");
        kernel_line(writer->kernel, "    %s = splat(0);", value);
    }
    if (a->reach || a->causal) {
        kernel_line(writer->kernel, "for (int j = end; j < keys; j++)");
        kernel_line(writer->kernel, "    %s = splat(0);", value);
    }
}

/* Where the aux of query i of the block lies. */
static const char *aux_text(const Attention *a)
{
    return format("aux[(%shead) * %lldL + first + i]",
                  a->windows > 1 ? format("window * %lld + ", a->heads) : "", a->queries);
}

/* --------------------------------------------------------------- forward */

/* Scores become exponentials, whose sum divides what the query gives. */
static void emit_weights(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    bool drops = a->dropout > 0 && kernel->training;
    const char *own = format("own[j * %d]", QUERY_STEP);
    open_queries(writer);
    kernel_line(kernel, "vec *const own = weights + i;");
    kernel_line(kernel, "vec largest = splat(-__builtin_inf()), total = splat(0);");
    kernel_line(kernel, "for (int j = begin; j < end; j++) {");
    if (a->masks)
        kernel_line(kernel, "%s += %s;", own, masks_text(writer) + strlen(" + "));
    kernel_line(kernel, "largest = vec_select(%s > largest, %s, largest);", own, own);
    kernel_line(kernel, "}");
    kernel_line(kernel, "for (int j = begin; j < end; j++) {");
    kernel_line(kernel, "const vec weight = vec_exp(%s - largest);", own);
    kernel_line(kernel, "total += weight;");
    kernel_line(kernel, "%s = weight%s;", own, drops ? format(" * %s", kept_text(a)) : "");
    kernel_line(kernel, "}");
    if (kernel->training)
        kernel_line(kernel, "%s = largest + vec_log(total);", aux_text(a));
    kernel_line(kernel, "share[i] = (real)1 / total;");
    hide_rest(writer, own);
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

/* Declares `pair`, a head of keys and values; what a block finds of another is copied. */
static void fill_forward_sides(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int group = a->heads / a->kv_heads;
    kernel_line(kernel, "const int64_t pair = head%s;", group > 1 ? format(" / %lld", group) : "");
    kernel_line(kernel, "if (filled != %spair) {",
                a->windows > 1 ? format("window * %lld + ", a->kv_heads) : "");
    fill_side(writer, KEYS_K, &a->k, "pair", 1);
    fill_side(writer, VALUES_N, &a->v, "pair", 1);
    kernel_line(kernel, "filled = %spair;",
                a->windows > 1 ? format("window * %lld + ", a->kv_heads) : "");
    kernel_line(kernel, "}");
}

static void emit_forward(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int blocks = (a->queries + QUERIES - 1) / QUERIES, row = a->heads * a->v.width;
    kernel->algorithm = "Attention, block by block of queries; scores are not stored.";
    declare_panels(writer);
    declare_draws(writer);
    kernel_line(kernel, "int64_t filled = -1; /* whose keys and values the panels have */");
    open_pieces(kernel, "piece", a->windows * a->heads * blocks);
    if (a->windows > 1)
        kernel_line(kernel, "const int64_t window = piece / %lld;", a->heads * blocks);
    kernel_line(kernel, "const int64_t head = piece / %lld%s, first = piece %% %lld * %d;", blocks,
                a->windows > 1 ? format(" %% %lld", a->heads) : "", blocks, QUERIES);
    fill_forward_sides(writer);
    declare_block(writer);
    kernel_line(kernel, "vec share[%d];", QUERIES);
    kernel_line(kernel, "%s(weights, 1, %d, queries_k, %d, %s, %lld, rows, keys, %lld, false);",
                writer->product, QUERY_STEP, QUERY_STEP, from_key(writer, KEYS_K),
                step_of(a, KEYS_K), a->q.width);
    emit_weights(writer);
    kernel_line(kernel, "vec *const result = %s;", result_text(a, "y"));
    kernel_line(kernel, "%s(result, %lld, 1, weights, %d, %s, %lld, rows, %lld, keys, false);",
                writer->product, row, QUERY_STEP, from_key(writer, VALUES_N), step_of(a, VALUES_N),
                a->v.width);
    kernel_line(kernel, "for (int i = 0; i < rows; i++)");
    kernel_line(kernel, "    for (int c = 0; c < %lld; c++)", a->v.width);
    kernel_line(kernel, "        result[i * %lldL + c] *= share[i];", row);
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

/* The piece's own window or head, or a loop over all; gives how many braces it opens. */
static int open_axis(Kernel *kernel, bool all, const char *name, Int size, const char *own)
{
    if (all)
        kernel_line(kernel, "for (int64_t %s = 0; %s < %lld; %s++) {", name, name, size, name);
    else
        kernel_line(kernel, "const int64_t %s = %s;", name, own);
    return all;
}

/* A piece is what shares keys and values, or a mask's gradient.  Gives how many braces it opens. */
static int open_shared(const Writer *writer)
{
    const Attention *a = writer->attention;
    bool windows = sums_over(writer, MASK_WINDOW, a->windows),
         heads = sums_over(writer, MASK_HEAD, a->heads);
    Int pairs = heads ? 1 : a->kv_heads;
    int braces = 1;
    open_pieces(writer->kernel, "piece", (windows ? 1 : a->windows) * pairs);
    if (a->windows > 1)
        braces +=
            open_axis(writer->kernel, windows, "window", a->windows, format("piece / %lld", pairs));
    return braces
           + open_axis(writer->kernel, heads, "pair", a->kv_heads, format("piece %% %lld", pairs));
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

/* Changes become the gradients of the scores, and scores what values are weighted by. */
static void emit_score_gradients(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int row = a->heads * a->v.width;
    const char *turned = format("turned[j * %d + i]", QUERY_STEP);
    open_queries(writer);
    kernel_line(kernel, "vec *const own = scores + i * %lldL, *const other = changes + i * %lldL;",
                step_of(a, SCORES), step_of(a, CHANGES));
    kernel_line(kernel, "const vec total = %s;", aux_text(a));
    kernel_line(kernel, "vec mean = splat(0);");
    kernel_line(kernel, "for (int c = 0; c < %lld; c++)", a->v.width);
    kernel_line(kernel, "    mean += d[i * %lldL + c] * result[i * %lldL + c];", row, row);
    kernel_line(kernel, "for (int j = begin; j < end; j++) {");
    kernel_line(kernel, "const vec weight = vec_exp(own[j]%s - total);", masks_text(writer));
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
    kernel_line(kernel, "other[j] = %s = gradient;", turned);
    kernel_line(kernel, "}");
    hide_rest(writer, format("own[j] = other[j] = %s", turned));
    kernel_line(kernel, "}");
}

/* "dx + 96 + pair * 8L + from * 24L": where the gradient of what the block sees of a side begins,
 * or that of its own queries. */
static const char *side_gradient(const Writer *writer, const AttentionSide *side, bool queries)
{
    const Attention *a = writer->attention;
    const char *offset = queries    ? format(" + first * %lldL", side->row)
                         : a->reach ? format(" + from * %lldL", side->row)
                                    : "";
    return format(
        "%s%s%s", gradient_text(writer, side->input),
        side_text(writer, side, queries ? a->queries : a->keys, queries ? "head" : "pair"), offset);
}

/* The block's part of the gradients of queries, keys and values. */
static void emit_side_gradients(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    if (gradient_at(writer, a->q.input) >= 0)
        kernel_line(kernel, "%s(%s, %lld, 1, turned, %d, %s, %lld, rows, %lld, keys, %s);",
                    writer->product, side_gradient(writer, &a->q, true), a->q.row, QUERY_STEP,
                    from_key(writer, KEYS_N), step_of(a, KEYS_N), a->q.width,
                    kernel->node->accumulate ? "true" : "false");
    if (gradient_at(writer, a->k.input) >= 0)
        kernel_line(kernel,
                    "%s(%s, %lld, 1, changes, %lld, queries_n, %lld, keys, %lld, rows, true);",
                    writer->product, side_gradient(writer, &a->k, false), a->k.row,
                    step_of(a, CHANGES), step_of(a, QUERIES_N), a->q.width);
    if (gradient_at(writer, a->v.input) >= 0)
        kernel_line(kernel,
                    "%s(%s, %lld, 1, scores, %lld, gradient_n, %lld, keys, %lld, rows, true);",
                    writer->product, side_gradient(writer, &a->v, false), a->v.row,
                    step_of(a, SCORES), step_of(a, GRADIENT_N), a->v.width);
}

/* One block's, of a head of queries. */
static void emit_backward_block(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int row = a->heads * a->v.width;
    declare_block(writer);
    kernel_line(kernel, "const vec *const d = %s, *const result = %s;", result_text(a, "dy"),
                result_text(a, "y"));
    fill_panel(writer, GRADIENT_K, "d", row, "rows", a->v.width, 1);
    if (gradient_at(writer, a->v.input) >= 0)
        fill_panel(writer, GRADIENT_N, "d", row, "rows", a->v.width, 1);
    if (gradient_at(writer, a->k.input) >= 0)
        fill_panel(writer, QUERIES_N,
                   format("%s%s + first * %lldL", attention_input(kernel->node, a->q.input),
                          side_text(writer, &a->q, a->queries, "head"), a->q.row),
                   a->q.row, "rows", a->q.width, a->scale);
    kernel_line(kernel, "%s(scores, %lld, 1, queries_k, %d, %s, %lld, rows, keys, %lld, false);",
                writer->product, step_of(a, SCORES), QUERY_STEP, from_key(writer, KEYS_K),
                step_of(a, KEYS_K), a->q.width);
    kernel_line(kernel, "%s(changes, %lld, 1, gradient_k, %d, %s, %lld, rows, keys, %lld, false);",
                writer->product, step_of(a, CHANGES), QUERY_STEP, from_key(writer, VALUES_K),
                step_of(a, VALUES_K), a->v.width);
    emit_score_gradients(writer);
    emit_side_gradients(writer);
}

static void emit_backward(const Writer *writer)
{
    Kernel *kernel = writer->kernel;
    const Attention *a = writer->attention;
    Int group = a->heads / a->kv_heads;
    kernel->algorithm = "Attention's gradients, block by block of queries; scores are made again.";
    declare_panels(writer);
    declare_draws(writer);
    int braces = open_shared(writer);
    fill_side(writer, KEYS_K, &a->k, "pair", 1);
    fill_side(writer, VALUES_K, &a->v, "pair", 1);
    if (gradient_at(writer, a->q.input) >= 0)
        fill_side(writer, KEYS_N, &a->k, "pair", a->scale);
    zero_side(writer, &a->k);
    zero_side(writer, &a->v);
    for (int i = 0; i < a->masks; i++)
        zero_mask(writer, &a->mask[i]);
    kernel_line(kernel, "for (int64_t head = pair * %lldL; head < (pair + 1) * %lldL; head++) {",
                group, group);
    kernel_line(kernel, "for (int64_t first = 0; first < %lld; first += %d) {", a->queries,
                QUERIES);
    emit_backward_block(writer);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    while (braces-- > 0)
        kernel_line(kernel, "}");
}

void emit_attention(Kernel *kernel, const Attention *attention)
{
    const Writer writer = {kernel, attention, panel_product_function(kernel)};
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(&writer);
    else
        emit_backward(&writer);
}
