/* matrix.c: see matrix.h.
 *
 * A tile is some results of a few grains: with several grains a weight that
 * was loaded and spread over the lanes is used several times, and all weights
 * are read once per batch rather than once per grain.  The sum over n is cut
 * into stretches, so that the values it runs over stay in the first cache while
 * all tiles of the range pass over them; partial sums wait where the results
 * will be, so the order of a sum does not depend on the range or on the number
 * of grains.
 */
#include "kernels/grain/matrix.h"
#include "kernels/grain/tiles.h"

enum {
    ROWS_OF_UNIT = 4,      /* forward: outputs that a unit computes */
    COLUMNS_OF_UNIT = 8,   /* input gradient: inputs that a unit computes */
    STRETCH = 128,         /* forward: inputs per stretch */
    GRADIENT_STRETCH = 64, /* input gradient: outputs per stretch */
    PACKED = 48,           /* input gradient: inputs whose weights are copied together */
    MAX_GRAINS = 4,
    LINE = 16 /* elements of a cache line, or less */
};

/* One product: results t of the grains from q on, each the sum over n. */
typedef struct Product {
    Kernel *kernel;
    const char *result;               /* "y" */
    const char *source;               /* "x" */
    Int source_stride, result_stride; /* from grain to grain, vectors */
    Int summed;
    /* weights: from a tile's result to the next; from one n to the next it is next_step */
    Int step;
    Int next_step;
    const char *weights; /* where a tile's begin: an expression of t and n */
    const char *start;   /* "splat(bias[t + %d])", "{ 0 }"; NULL: what the result holds */
} Product;

/* Results in a tile with so many grains: as many as the registers hold besides
 * one operand of each product and a little more. */
static int tile_results(const Kernel *kernel, int grains)
{
    int most = grains == 1 ? 16 : 12, results = 1;
    for (int r = 1; r <= most; r++)
        if (r * grains + (r < grains ? r : grains) + (kernel->registers == 32 ? 2 : 1)
            <= kernel->registers)
            results = r;
    return results;
}

static void tile_sums(const Product *product, int results, int grains, const char *template)
{
    for (int r = 0; r < results; r++)
        for (int q = 0; q < grains; q++)
            kernel_line(product->kernel, template, r, q, q * product->result_stride + r);
}

static void tile_start(const Product *product, int results, int grains)
{
    if (!product->start) {
        tile_sums(product, results, grains, "vec a%d_%d = out[%lldL];");
        return;
    }
    for (int r = 0; r < results; r++)
        for (int q = 0; q < grains; q++)
            kernel_line(product->kernel, "vec a%d_%d = n ? out[%lldL] : %s;", r, q,
                        q * product->result_stride + r, format(product->start, r));
}

/* Only a whole sum is finished; before, it waits as it is. */
static void tile_stores(const Product *product, int results, int grains)
{
    Kernel *kernel = product->kernel;
    for (int whole = 0; whole < 2; whole++) {
        if (whole == 0 && !kernel->epilogue)
            continue;
        if (kernel->epilogue)
            kernel_line(kernel, whole ? "else {" : "if (n + count < %lld) {", product->summed);
        for (int r = 0; r < results; r++)
            for (int q = 0; q < grains; q++) {
                long long at = q * product->result_stride + r;
                const char *to = format("out[%lldL]", at), *value = format("a%d_%d", r, q);
                if (whole)
                    kernel_store(kernel, to, format("at + %lldL", at), value);
                else
                    kernel_line(kernel, "%s = %s;", to, value);
            }
        if (kernel->epilogue)
            kernel_line(kernel, "}");
    }
}

static void emit_tile(const Product *product, int results, int grains)
{
    Kernel *kernel = product->kernel;
    Operands values = {.name = "v"}, weights = {.name = "w"};
    for (int q = 0; q < grains; q++)
        push(&values.items, ((Value){q, format("v[%lldL]", q * product->source_stride)}));
    for (int r = 0; r < results; r++)
        push(&weights.items, ((Value){r, format("splat(w[%lldL])", r * product->step)}));
    kernel_line(kernel, "const real *w = %s;", product->weights);
    kernel_line(kernel, "const vec *v = %s + q * %lldL + n;", product->source,
                product->source_stride);
    kernel_line(kernel, "const int64_t at = q * %lldL + t;", product->result_stride);
    kernel_line(kernel, "vec *out = %s + at;", product->result);
    tile_start(product, results, grains);
    if (product->next_step == 1) {
        kernel_line(kernel, "for (int k = 0; k < count;) {");
        for (int r = 0; r < results; r++)
            kernel_line(kernel, "__builtin_prefetch(w + %lldL);", (results + r) * product->step);
        kernel_line(kernel,
                    "for (const int stop = count - k < %d ? count : k + %d; k < stop; k++) {", LINE,
                    LINE);
    } else {
        kernel_line(kernel, "for (int k = 0; k < count; k++) {");
    }
    outer_product(kernel, &weights, &values);
    kernel_line(kernel, "w += %lld;", product->next_step);
    kernel_line(kernel, "v++;");
    kernel_line(kernel, "}");
    if (product->next_step == 1)
        kernel_line(kernel, "}");
    tile_stores(product, results, grains);
}

/* Tiles of `grains` grains over the results from t to `end`: whole ones, then
 * ever smaller ones. */
static void emit_tiles(const Product *product, int grains)
{
    Kernel *kernel = product->kernel;
    for (int results = tile_results(kernel, grains), next; results > 0; results = next) {
        kernel_line(kernel, "for (; t + %d <= end; t += %d) {", results, results);
        emit_tile(product, results, grains);
        end_tile(kernel);
        next = results > 8 ? 8 : results > 4 ? 4 : results / 2;
    }
}

/* Between these, `n` and `count` are a stretch of the sum and `group` grains from `q`. */
static void open_stretches(Kernel *kernel, Int summed, int stretch)
{
    kernel_line(kernel, "for (int64_t q = 0, group; q < s->grains; q += group) {");
    kernel_line(kernel, "group = s->grains - q >= %d ? %d : s->grains - q >= 2 ? 2 : 1;",
                MAX_GRAINS, MAX_GRAINS);
    kernel_line(kernel, "for (int64_t n = 0; n < %lld; n += %d) {", summed, stretch);
    kernel_line(kernel, "const int count = %lld - n < %d ? (int)(%lld - n) : %d;", summed, stretch,
                summed, stretch);
}

static void close_stretches(Kernel *kernel)
{
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* Tiles of as many grains as `group` says. */
static void emit_group(const Product *product)
{
    Kernel *kernel = product->kernel;
    for (int grains = MAX_GRAINS; grains > 0; grains /= 2) {
        if (grains > 1)
            kernel_line(kernel, "if (group == %d) {", grains);
        else
            kernel_line(kernel, "{");
        emit_tiles(product, grains);
        kernel_line(kernel, "}");
        if (grains > 1)
            kernel_line(kernel, "else");
    }
}

void emit_matrix_forward(Kernel *kernel, Matrix matrix)
{
    kernel->algorithm = "Matrix product over all grains, in tiles of rows x grains.";
    Product product = {
        .kernel = kernel,
        .result = "y",
        .source = "x",
        .source_stride = kernel->x_stride,
        .result_stride = kernel->kept_elements / kernel->lanes,
        .summed = matrix.in,
        .step = matrix.in,
        .next_step = 1,
        .weights = format("weight + t * %lldL + n", matrix.in),
        .start = matrix.bias ? "splat(bias[t + %d])" : "(vec){ 0 }",
    };
    kernel->units = (matrix.out + ROWS_OF_UNIT - 1) / ROWS_OF_UNIT;
    kernel_line(kernel, "const int64_t end = to * %d < %lld ? to * %d : %lld;", ROWS_OF_UNIT,
                matrix.out, ROWS_OF_UNIT, matrix.out);
    open_stretches(kernel, matrix.in, STRETCH);
    kernel_line(kernel, "int64_t t = from * %d;", ROWS_OF_UNIT);
    emit_group(&product);
    close_stretches(kernel);
}

/* Weights of `width` inputs from `first`, of the stretch's outputs, side by side:
 * in the matrix they lie a row apart, which a power of two makes the same few
 * places of the cache. */
static void pack_weights(Kernel *kernel, Int in)
{
    kernel_line(kernel, "const int64_t end = limit - first < %d ? limit : first + %d;", PACKED,
                PACKED);
    kernel_line(kernel, "const real *column = weight + n * %lldL + first;", in);
    kernel_line(kernel, "if (end - first == %d)", PACKED);
    kernel_line(kernel, "    for (int k = 0; k < count; k++)");
    kernel_line(kernel, "        for (int c = 0; c < %d; c += LANES)", PACKED);
    kernel_line(
        kernel,
        "            *(unaligned_vec *)(packed + k * %d + c) = *(const unaligned_vec *)(column + k "
        "* %lldL + c);",
        PACKED, in);
    kernel_line(kernel, "else");
    kernel_line(kernel, "    for (int k = 0; k < count; k++)");
    kernel_line(kernel, "        net_copy(packed + k * %d, column + k * %lldL, end - first);",
                PACKED, in);
}

void emit_matrix_input_gradient(Kernel *kernel, Matrix matrix, bool accumulate)
{
    kernel->algorithm =
        "Matrix product with the transposed weights over all grains, packed column by column.";
    Product product = {
        .kernel = kernel,
        .result = "dx",
        .source = "dy",
        .source_stride = kernel->dy_stride,
        .result_stride = kernel->kept_elements / kernel->lanes,
        .summed = matrix.out,
        .step = 1,
        .next_step = PACKED,
        .weights = "packed + (t - first)",
        .start = accumulate ? NULL : "(vec){ 0 }",
    };
    kernel->units = (matrix.in + COLUMNS_OF_UNIT - 1) / COLUMNS_OF_UNIT;
    kernel_line(kernel, "const int64_t limit = to * %d < %lld ? to * %d : %lld;", COLUMNS_OF_UNIT,
                matrix.in, COLUMNS_OF_UNIT, matrix.in);
    kernel_line(kernel, "real packed[%d];", PACKED * GRADIENT_STRETCH);
    open_stretches(kernel, matrix.out, GRADIENT_STRETCH);
    kernel_line(kernel, "for (int64_t first = from * %d; first < limit; first += %d) {",
                COLUMNS_OF_UNIT, PACKED);
    pack_weights(kernel, matrix.in);
    kernel_line(kernel, "int64_t t = first;");
    emit_group(&product);
    kernel_line(kernel, "}");
    close_stretches(kernel);
}

/* ------------------------------------------------------ weight gradient
 * It sums over lanes, so x is turned round: then a vector holds consecutive
 * inputs of one image, and a tile is a few of those times a few outputs.  The
 * gradient is made a block of outputs at a time and, in a step that moves the
 * weights, used up at once: all blocks then lie where the first one does, and
 * stay in the cache.  What the move will read of a tile is fetched meanwhile. */

enum {
    BLOCK = 16, /* outputs of a block */
    CHUNK = 16, /* grains turned round at once */
    ROOM = 4096 /* vectors turned round at once: their rows stay in the second cache */
};

/* Inputs side by side: vector c of a tile begins at[c] inputs after the tile's
 * first.  A row that is no whole number of vectors ends with one that begins
 * among what is done already: of that, the last `stored` values are new. */
typedef struct Inputs {
    int width, stored;
    Int at[3];
} Inputs;

static void gradient_start(Kernel *kernel, Int in, int rows, const Inputs *inputs)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < inputs->width; c++)
            kernel_line(
                kernel,
                "vec a%d_%d = first ? (vec)*(const unaligned_vec *)(out + %lldL) : (vec){ 0 };", r,
                c, r * in + inputs->at[c]);
}

static void gradient_stores(Kernel *kernel, Int in, int rows, const Inputs *inputs)
{
    int lanes = kernel->lanes;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < inputs->width; c++) {
            long long at = r * in + inputs->at[c];
            if (c < inputs->width - 1 || inputs->stored == lanes)
                kernel_line(kernel, "*(unaligned_vec *)(out + %lldL) = a%d_%d;", at, r, c);
            else
                kernel_line(kernel, "net_copy(out + %lldL, (const real *)&a%d_%d + %d, %d);",
                            at + lanes - inputs->stored, r, c, lanes - inputs->stored,
                            inputs->stored);
        }
}

/* One of the streams that the move reads, for each grain. */
static void gradient_ahead(Kernel *kernel, Int in, int rows, const Inputs *inputs)
{
    kernel_line(kernel, "for (int k = q; k < ahead; k += count) {");
    kernel_line(kernel, "const real *read = s->move->reads[k] + offset + o * %lldL + i;", in);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < inputs->width; c++)
            kernel_line(kernel, "__builtin_prefetch(read + %lldL, 1, 2);", r * in + inputs->at[c]);
    kernel_line(kernel, "}");
}

static void gradient_tile(Kernel *kernel, Int in, int rows, const Inputs *inputs)
{
    Operands values = {.name = "v"}, outputs = {.name = "d"};
    for (int c = 0; c < inputs->width; c++)
        push(&values.items, ((Value){c, format("v[%d]", c * kernel->lanes)}));
    for (int r = 0; r < rows; r++)
        push(&outputs.items, ((Value){r, format("splat(d[%d])", r * kernel->lanes)}));
    kernel_line(kernel, "real *out = block + (o - row) * %lldL + i;", in);
    gradient_start(kernel, in, rows, inputs);
    kernel_line(kernel, "for (int q = 0; q < count; q++) {");
    gradient_ahead(kernel, in, rows, inputs);
    kernel_line(kernel, "const real *d = (const real *)(dy + (first + q) * %lldL + o);",
                kernel->dy_stride);
    kernel_line(kernel, "const vec *v = inputs + q * %d * LANES;", inputs->width);
    kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++) {");
    outer_product(kernel, &outputs, &values);
    kernel_line(kernel, "d++;");
    kernel_line(kernel, "v++;");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    gradient_stores(kernel, in, rows, inputs);
}

/* Turns the inputs from `i` round, for all grains of the chunk. */
static void turn_inputs(Kernel *kernel, const Inputs *inputs)
{
    kernel_line(kernel, "for (int q = 0; q < count; q++) {");
    kernel_line(kernel, "vec *to = turned + (i - left) * count + q * %d * LANES;", inputs->width);
    kernel_line(kernel, "const vec *values = x + (first + q) * %lldL + i;", kernel->x_stride);
    for (int c = 0; c < inputs->width; c++)
        kernel_line(kernel, "transpose(to + %d * LANES, values + %lldL);", c, inputs->at[c]);
    kernel_line(kernel, "}");
}

/* The block's outputs, of the inputs from `i`. */
static void gradient_columns(Kernel *kernel, Int in, const Inputs *inputs)
{
    kernel_line(kernel, "const vec *inputs = turned + (i - left) * count;");
    kernel_line(kernel, "int64_t o = row;");
    for (int rows = kernel->registers == 32 ? 8 : 4; rows > 0; rows /= 2) {
        kernel_line(kernel, "for (; o + %d <= last; o += %d) {", rows, rows);
        gradient_tile(kernel, in, rows, inputs);
        kernel_line(kernel, "}");
    }
}

/* What whole tiles leave of a row. */
static Inputs rest_of_row(const Kernel *kernel, Int in, Int whole)
{
    int lanes = kernel->lanes, rest = (int)(in - whole);
    Inputs inputs = {.width = (rest + lanes - 1) / lanes,
                     .stored = rest % lanes ? rest % lanes : lanes};
    for (int c = 0; c < inputs.width; c++)
        inputs.at[c] = (c + 1) * lanes <= rest ? c * lanes : rest - lanes;
    return inputs;
}

/* Calls `work` for the tiles of inputs from `left` to `right`, and for what is left of the row
 * after the last. */
static void each_tile(Kernel *kernel, Int in, Int whole, int width,
                      void (*work)(Kernel *kernel, Int in, const Inputs *inputs))
{
    Inputs tile = {.width = width, .stored = kernel->lanes}, rest = rest_of_row(kernel, in, whole);
    for (int c = 0; c < width; c++)
        tile.at[c] = c * kernel->lanes;
    if (whole) {
        kernel_line(kernel, "for (int64_t i = left; i < right; i += %d) {", width * kernel->lanes);
        work(kernel, in, &tile);
        kernel_line(kernel, "}");
    }
    if (rest.width) {
        kernel_line(kernel, "if (right == %lld) {", whole);
        kernel_line(kernel, "const int64_t i = %lld;", whole);
        work(kernel, in, &rest);
        kernel_line(kernel, "}");
    }
}

static void turn_tile(Kernel *kernel, Int in, const Inputs *inputs)
{
    (void)in;
    turn_inputs(kernel, inputs);
}

/* The block's gradient is handed over: in one piece where it is one. */
static void move_block(Kernel *kernel, long long in, long long whole)
{
    kernel_line(kernel, "const int64_t stop = right == %lld ? %lld : right;", whole, in);
    kernel_line(kernel, "if (moves && stop - left == %lld)", in);
    kernel_line(kernel,
                "    s->move->update(s->move, offset + row * %lldL, offset + last * %lldL, block);",
                in, in);
    kernel_line(kernel, "else if (moves)");
    kernel_line(kernel, "    for (int64_t o = row; o < last; o++)");
    kernel_line(kernel,
                "        s->move->update(s->move, offset + o * %lldL + left, offset + o * %lldL + "
                "stop, block + (o - row) * %lldL + left);",
                in, in, in);
}

static void gradient_bias(Kernel *kernel)
{
    kernel_line(kernel, "for (int64_t o = begin; o < end; o++) {");
    kernel_line(kernel, "vec a = { 0 };");
    kernel_line(kernel, "for (int64_t q = 0; q < s->grains; q++)");
    kernel_line(kernel, "    a += dy[q * %lldL + o];", kernel->dy_stride);
    kernel_line(kernel, "dbias[o] = sum_lanes(a);");
    kernel_line(kernel, "}");
    kernel_line(kernel, "if (s->move)");
    kernel_line(kernel, "    s->move->update(s->move, dbias - s->gradients + begin, dbias - "
                        "s->gradients + end, dbias + begin);");
}

void emit_matrix_gradient(Kernel *kernel, Matrix matrix)
{
    kernel->algorithm =
        "Outer products of gradients and inputs over all grains, a block of outputs at a time.";
    long long in = matrix.in, out = matrix.out;
    int width = kernel->registers == 32 ? 3 : 2, step = width * kernel->lanes;
    long long whole = in / step * step;
    kernel->units = (matrix.out + ROWS_OF_UNIT - 1) / ROWS_OF_UNIT;
    kernel_line(kernel, "const int64_t begin = from * %d, end = to * %d < %lld ? to * %d : %lld;",
                ROWS_OF_UNIT, ROWS_OF_UNIT, out, ROWS_OF_UNIT, out);
    kernel_line(kernel, "const int64_t offset = dweight - s->gradients;");
    kernel_line(kernel, "for (int64_t first = 0; first < s->grains; first += %d) {", CHUNK);
    kernel_line(kernel, "const int count = s->grains - first < %d ? (int)(s->grains - first) : %d;",
                CHUNK, CHUNK);
    kernel_line(kernel, "const bool moves = s->move && first + count == s->grains;");
    kernel_line(kernel, "const int ahead = moves ? s->move->read_count : 0;");
    kernel_line(kernel, "const int64_t piece = %d / (count * %d) * %d;", ROOM, step, step);
    kernel_line(kernel, "vec turned[%d];", ROOM + CHUNK * step);
    kernel_line(kernel, "int64_t left = 0;");
    kernel_line(kernel, "do {");
    kernel_line(kernel, "const int64_t right = %lld - left < piece ? %lld : left + piece;", whole,
                whole);
    each_tile(kernel, in, whole, width, turn_tile);
    kernel_line(kernel, "for (int64_t row = begin; row < end; row += %d) {", BLOCK);
    kernel_line(kernel, "const int64_t last = end - row < %d ? end : row + %d;", BLOCK, BLOCK);
    kernel_line(kernel,
                "real *block = dweight + (s->move && s->grains <= %d ? begin : row) * %lldL;",
                CHUNK, in);
    each_tile(kernel, in, whole, width, gradient_columns);
    move_block(kernel, in, whole);
    kernel_line(kernel, "}");
    kernel_line(kernel, "left = right;");
    kernel_line(kernel, "} while (left < %lld);", whole);
    kernel_line(kernel, "}");
    if (matrix.bias)
        gradient_bias(kernel);
}
