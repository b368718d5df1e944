/* attention.c: scaled dot-product attention of several heads (Vaswani et al. 2017,
 * https://arxiv.org/abs/1706.03762), of queries, keys and values that lie side by side.
 *
 *   x   [t, (heads + 2*kv_heads) * width]: each head's queries, then keys, then values
 *   y   [t, heads * width]
 *   aux [heads, t]: of each query the logarithm of the sum of its exponentials
 *
 * Scores are never stored as a whole: a block of queries has its own, and the way back makes them
 * again from aux (Rabe and Staats 2021, https://arxiv.org/abs/2112.05682; Dao et al. 2022,
 * https://arxiv.org/abs/2205.14135).
 */
#include "kernels/grain/lane_product.h"
#include "kernels/image/attention_row.h"
#include "ops/operator.h"

#include <math.h>

enum { HEADS, KV_HEADS, CAUSAL, SCALE };

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
    {0}};

typedef struct Sizes {
    Int steps, heads, kv_heads, width;
    Int row, out; /* values of a step of x, of y */
    bool causal;
    double scale;
} Sizes;

static Sizes sizes_of(const Node *node)
{
    Sizes sizes = {.steps = input_shape(node).dim[0],
                   .heads = node->args[HEADS].integer[0],
                   .kv_heads = node->args[KV_HEADS].integer[0],
                   .row = input_shape(node).dim[1],
                   .causal = node->args[CAUSAL].integer[0]};
    sizes.width = sizes.row / (sizes.heads + 2 * sizes.kv_heads);
    sizes.out = sizes.heads * sizes.width;
    sizes.scale = node->args[SCALE].given ? node->args[SCALE].real : 1 / sqrt((double)sizes.width);
    return sizes;
}

static bool infer(Node *node)
{
    Int row = input_shape(node).dim[1], heads = node->args[HEADS].integer[0],
        kv_heads = node->args[KV_HEADS].integer[0], parts = heads + 2 * kv_heads;
    Diagnostic *d = NULL;
    if (heads % kv_heads != 0) {
        d = node_error(node, "argument-range", node->args[KV_HEADS].span,
                       "attention: kv_heads=%lld does not divide heads=%lld", kv_heads, heads);
        diag_caption(d, "as many heads of queries for each");
    } else if (row % parts != 0) {
        d = node_error(node, "shape-mismatch", node->span,
                       "attention(%lld) needs queries, keys and values side by side: %lld features "
                       "are not %lld equal parts",
                       heads, row, parts);
        diag_help(d, "`linear(%lld*d)` before it makes them of d features for each",
                  heads == kv_heads ? 3 : parts);
        node_derivation(d, node->inputs.items[0]);
    }
    if (d)
        return false;
    Int steps = input_shape(node).dim[0];
    node->out_shape = shape_of(2, steps, heads * (row / parts), 1);
    node->aux_shape = shape_of(2, heads, steps, 1);
    return true;
}

/* Scores and weighted sums; with a causal mask half of them count. */
static Int multiply_adds(const Node *node)
{
    Sizes sizes = sizes_of(node);
    Int factors[] = {sizes.steps, sizes.steps, sizes.out, 2};
    Int all = saturating_product(4, factors);
    return sizes.causal ? all / 2 : all;
}

/* ------------------------------------------------------------- kernels */

enum { QUERIES = 16 }; /* of a block: its scores stay in the second cache */

static Int workspace(const Node *node, const Node *pool, int lanes, bool filters)
{
    (void)pool, (void)lanes, (void)filters;
    bool back = node->stage == STAGE_BACKWARD_INPUT;
    return (back ? 2 : 1) * QUERIES * sizes_of(node).steps;
}

/* Declares a block of queries of head `head`, from `first` on: `rows` of them, and the `keys` that
 * any of them attends to; q, k and v, where the head's begin in x. */
static void declare_block(Kernel *kernel, const Sizes *sizes)
{
    long long group = sizes->heads / sizes->kv_heads;
    kernel_line(kernel, "const int rows = %lld - first < %d ? (int)(%lld - first) : %d;",
                sizes->steps, QUERIES, sizes->steps, QUERIES);
    if (sizes->causal)
        kernel_line(kernel, "const int keys = first + rows;");
    else
        kernel_line(kernel, "const int keys = %lld;", sizes->steps);
    kernel_line(kernel, "const vec *const q = x + first * %lldL + head * %lldL;", sizes->row,
                sizes->width);
    kernel_line(kernel, "const vec *const k = x + %lldL + head / %lld * %lldL;", sizes->out, group,
                sizes->width);
    kernel_line(kernel, "const vec *const v = k + %lldL;", sizes->kv_heads * sizes->width);
}

/* score[i * steps + j] of the block's query i and of key j, not scaled. */
static void emit_scores(Kernel *kernel, const Sizes *sizes)
{
    kernel_line(kernel, "%s(score, %lld, q, %lld, 1, k, %lld, 1, rows, keys, %lld, false);",
                lane_product_function(kernel), sizes->steps, sizes->row, sizes->row, sizes->width);
}

/* Opens the loop over the block's queries: `s_row` is one's scores, `seen` how many count. */
static void open_queries(Kernel *kernel, const Sizes *sizes)
{
    kernel_line(kernel, "for (int i = 0; i < rows; i++) {");
    kernel_line(kernel, "vec *const own = score + i * %lldL;", sizes->steps);
    kernel_line(kernel,
                sizes->causal ? "const int seen = first + i + 1;" : "const int seen = keys;");
}

/* What a query does not see has no weight. */
static void hide_rest(Kernel *kernel, const Sizes *sizes, const char *row)
{
    if (!sizes->causal)
        return;
    kernel_line(kernel, "for (int j = seen; j < keys; j++)");
    kernel_line(kernel, "    %s[j] = splat(0);", row);
}

/* Scores become weights: the softmax of what a query sees. */
static void emit_weights(Kernel *kernel, const Sizes *sizes)
{
    open_queries(kernel, sizes);
    kernel_line(kernel, "vec largest = own[0], total = splat(0);");
    kernel_line(kernel, "for (int j = 1; j < seen; j++)");
    kernel_line(kernel, "    largest = vec_select(own[j] > largest, own[j], largest);");
    kernel_line(kernel, "for (int j = 0; j < seen; j++)");
    kernel_line(kernel, "    total += own[j] = vec_exp((own[j] - largest) * (real)%.17g);",
                sizes->scale);
    if (kernel->training)
        kernel_line(kernel,
                    "aux[head * %lldL + first + i] = largest * (real)%.17g + vec_log(total);",
                    sizes->steps, sizes->scale);
    kernel_line(kernel, "total = (real)1 / total;");
    kernel_line(kernel, "for (int j = 0; j < seen; j++)");
    kernel_line(kernel, "    own[j] *= total;");
    hide_rest(kernel, sizes, "own");
    kernel_line(kernel, "}");
}

static void emit_forward(Kernel *kernel, const Sizes *sizes)
{
    Int blocks = (sizes->steps + QUERIES - 1) / QUERIES;
    kernel->algorithm = "Attention, block by block of queries; scores are not stored.";
    kernel_line(kernel, "vec *const score = workspace;");
    open_pieces(kernel, "piece", sizes->heads * blocks);
    kernel_line(kernel, "const int64_t head = piece / %lld, first = piece %% %lld * %d;", blocks,
                blocks, QUERIES);
    declare_block(kernel, sizes);
    emit_scores(kernel, sizes);
    emit_weights(kernel, sizes);
    kernel_line(kernel,
                "%s(y + first * %lldL + head * %lldL, %lld, score, %lld, 1, v, 1, %lld, rows, "
                "%lld, keys, false);",
                lane_product_function(kernel), sizes->out, sizes->width, sizes->out, sizes->steps,
                sizes->row, sizes->width);
    kernel_line(kernel, "}");
}

/* Of one head of keys and values, before its heads of queries add to them. */
static void emit_zeros(Kernel *kernel, const Sizes *sizes)
{
    kernel_line(kernel, "for (int64_t j = 0; j < %lld; j++)", sizes->steps);
    kernel_line(kernel, "    for (int64_t c = 0; c < %lld; c++)", sizes->width);
    kernel_line(kernel,
                "        dx[j * %lldL + %lldL + pair * %lldL + c] = dx[j * %lldL + %lldL + pair * "
                "%lldL + c] = splat(0);",
                sizes->row, sizes->out, sizes->width, sizes->row,
                sizes->out + sizes->kv_heads * sizes->width, sizes->width);
}

/* With P the weights and G the gradients of them, the gradient of a score is
 * P * (G - the sum of P * G over its row); `change` becomes that, scaled, and `score` P. */
static void emit_score_gradients(Kernel *kernel, const Sizes *sizes)
{
    kernel_line(kernel, "%s(change, %lld, d, %lld, 1, v, %lld, 1, rows, keys, %lld, false);",
                lane_product_function(kernel), sizes->steps, sizes->out, sizes->row, sizes->width);
    open_queries(kernel, sizes);
    kernel_line(kernel, "vec *const other = change + i * %lldL;", sizes->steps);
    kernel_line(kernel, "const vec total = aux[head * %lldL + first + i];", sizes->steps);
    kernel_line(kernel, "vec mean = splat(0);");
    kernel_line(kernel, "for (int j = 0; j < seen; j++) {");
    kernel_line(kernel, "own[j] = vec_exp(own[j] * (real)%.17g - total);", sizes->scale);
    kernel_line(kernel, "mean += own[j] * other[j];");
    kernel_line(kernel, "}");
    kernel_line(kernel, "for (int j = 0; j < seen; j++)");
    kernel_line(kernel, "    other[j] = own[j] * (other[j] - mean) * (real)%.17g;", sizes->scale);
    hide_rest(kernel, sizes, "own");
    hide_rest(kernel, sizes, "other");
    kernel_line(kernel, "}");
}

static void emit_backward(Kernel *kernel, const Sizes *sizes)
{
    long long group = sizes->heads / sizes->kv_heads, row = sizes->row, width = sizes->width;
    const char *product = lane_product_function(kernel);
    bool adds = kernel->node->accumulate;
    kernel->algorithm = "Attention's gradients, block by block of queries; scores are made again.";
    kernel_line(kernel, "vec *const score = workspace, *const change = workspace + %lldL;",
                QUERIES * sizes->steps);
    open_pieces(kernel, "pair", sizes->kv_heads);
    if (!adds)
        emit_zeros(kernel, sizes);
    kernel_line(kernel, "for (int64_t head = pair * %lldL; head < (pair + 1) * %lldL; head++) {",
                group, group);
    kernel_line(kernel, "for (int64_t first = 0; first < %lld; first += %d) {", sizes->steps,
                QUERIES);
    declare_block(kernel, sizes);
    kernel_line(kernel, "const vec *const d = dy + first * %lldL + head * %lldL;", sizes->out,
                width);
    kernel_line(kernel,
                "vec *const dq = dx + (q - x), *const dk = dx + (k - x), *const dv = dx + (v "
                "- x);");
    emit_scores(kernel, sizes);
    emit_score_gradients(kernel, sizes);
    kernel_line(kernel, "%s(dq, %lld, change, %lld, 1, k, 1, %lld, rows, %lld, keys, %s);", product,
                row, sizes->steps, row, width, adds ? "true" : "false");
    kernel_line(kernel, "%s(dk, %lld, change, 1, %lld, q, 1, %lld, keys, %lld, rows, true);",
                product, row, sizes->steps, row, width);
    kernel_line(kernel, "%s(dv, %lld, score, 1, %lld, d, 1, %lld, keys, %lld, rows, true);",
                product, row, sizes->steps, sizes->out, width);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static bool emit(Kernel *kernel)
{
    const Sizes sizes = sizes_of(kernel->node);
    if (!kernel->workspace)
        return false;
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel, &sizes);
    else
        emit_backward(kernel, &sizes);
    return true;
}

/* For one image a feature's values at all steps lie side by side: a query's scores are vectors of
 * keys, and what it gives are sums over such a row. */

enum { ROW_SUMS = 2 }; /* rows of keys whose scores are summed at once */

static Int padded_steps(const Sizes *sizes, Int lanes)
{
    Int step = ROW_SUMS * lanes;
    return (sizes->steps + step - 1) / step * step;
}

/* score[j] of query i and all keys. */
static void image_scores(Kernel *kernel, const Sizes *sizes, Int stride)
{
    kernel_line(kernel, "for (int j = 0; j < seen; j += %d * LANES) {", ROW_SUMS);
    kernel_line(kernel, "vec a0 = splat(0), a1 = splat(0);");
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", sizes->width);
    kernel_line(kernel, "const vec q_c = splat(q[c * %lldL + i]);", stride);
    kernel_line(kernel, "a0 += q_c * *(const unaligned_vec *)(k + c * %lldL + j);", stride);
    kernel_line(kernel, "a1 += q_c * *(const unaligned_vec *)(k + c * %lldL + j + LANES);", stride);
    kernel_line(kernel, "}");
    kernel_line(kernel, "*(unaligned_vec *)(score + j) = a0 * (real)%.17g;", sizes->scale);
    kernel_line(kernel, "*(unaligned_vec *)(score + j + LANES) = a1 * (real)%.17g;", sizes->scale);
    kernel_line(kernel, "}");
}

/* What lies behind the last key that is seen may become anything: nobody reads it. */
static void image_softmax(Kernel *kernel)
{
    kernel_line(kernel, "real largest = score[0];");
    kernel_line(kernel, "for (int j = 1; j < seen; j++)");
    kernel_line(kernel, "    largest = score[j] > largest ? score[j] : largest;");
    kernel_line(kernel, "for (int j = 0; j < seen; j += LANES)");
    kernel_line(kernel,
                "    *(unaligned_vec *)(score + j) = vec_exp(*(const unaligned_vec *)(score "
                "+ j) - splat(largest));");
    kernel_line(kernel, "real total = 0;");
    kernel_line(kernel, "for (int j = 0; j < seen; j++)");
    kernel_line(kernel, "    total += score[j];");
}

/* The last vector of a row of values may hold what is none. */
static void image_values(Kernel *kernel, const Sizes *sizes, Int x_stride, Int y_stride)
{
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", sizes->width);
    kernel_line(kernel, "const real *v_c = v + c * %lldL;", x_stride);
    kernel_line(kernel, "const int whole = seen / LANES * LANES;");
    kernel_line(kernel, "vec a = splat(0);");
    kernel_line(kernel, "for (int j = 0; j < whole; j += LANES)");
    kernel_line(kernel,
                "    a += *(const unaligned_vec *)(score + j) * *(const unaligned_vec *)(v_c "
                "+ j);");
    kernel_line(kernel, "real sum = sum_lanes(a);");
    kernel_line(kernel, "for (int j = whole; j < seen; j++)");
    kernel_line(kernel, "    sum += score[j] * v_c[j];");
    kernel_line(kernel, "y[(head * %lldL + c) * %lldL + i] = sum / total;", sizes->width, y_stride);
    kernel_line(kernel, "}");
}

static void emit_image(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    const Sizes sizes = sizes_of(kernel->node);
    Int stride = image->x_stride;
    image->work = padded_steps(&sizes, kernel->lanes);
    kernel_line(kernel, "real *const score = workspace;");
    open_pieces(kernel, "piece", sizes.heads * sizes.steps);
    kernel_line(kernel, "const int head = (int)(piece / %lld), i = (int)(piece %% %lld);",
                sizes.steps, sizes.steps);
    kernel_line(kernel, sizes.causal ? "const int seen = i + 1;" : "const int seen = %lld;",
                sizes.steps);
    kernel_line(kernel, "const real *const q = x + head * %lldL;", sizes.width * stride);
    kernel_line(kernel, "const real *const k = x + %lldL + head / %lld * %lldL;",
                sizes.out * stride, sizes.heads / sizes.kv_heads, sizes.width * stride);
    kernel_line(kernel, "const real *const v = k + %lldL;", sizes.kv_heads * sizes.width * stride);
    image_scores(kernel, &sizes, stride);
    image_softmax(kernel);
    image_values(kernel, &sizes, stride, image->y_stride);
    kernel_line(kernel, "}");
}

/* What it gives is stored value by value: others' work is not done there. */
static bool can_do_image_attention(const Node *node)
{
    return input_shape(node).dim[0] > 1;
}

/* Of one step: queries, keys and values lie one behind the other. */
static RowAttention row_attention(const Node *row)
{
    const Sizes sizes = sizes_of(row->sequence);
    return (RowAttention){.steps = sizes.steps,
                          .heads = sizes.heads,
                          .kv_heads = sizes.kv_heads,
                          .width = sizes.width,
                          .value_width = sizes.width,
                          .q = "x",
                          .k = format("x + %lldL", sizes.out),
                          .v = format("x + %lldL", sizes.out + sizes.kv_heads * sizes.width),
                          .scale = sizes.scale};
}

/* A step sees none that come later. */
static bool take_row(Node *row, Int steps)
{
    const Sizes sizes = sizes_of(row->sequence);
    return sizes.causal && sizes.steps == steps;
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
    .summary = "Scaled dot-product attention of queries, keys and values that lie side by side.",
    .shape_rule = "[t, 3*d] -> [t, d]; with kv_heads [t, (heads + 2*kv_heads)*w] -> [t, heads*w]",
    .formula = "y = softmax(scale * Q K^T) V for each head, where x = [Q of all heads, K, V]",
    .reference = "Vaswani et al. 2017, https://arxiv.org/abs/1706.03762\n"
                 "https://docs.pytorch.org/docs/stable/nn.functional.html",
    .args = args,
    .ranks = RANK(2),
    .input_gradient_reads = READS_X | READS_AUX,
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
