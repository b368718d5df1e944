/* matrix.c: see matrix.h.
 *
 * A tile is some results of a few grains, or of a few rows of a grain: with several a weight that
 * was loaded and spread over the lanes is used several times, and all weights
 * are read once per group of them.  Below, grains are either.  The sum over n is cut
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
    LINE = 16              /* elements of a cache line, or less */
};

/* One product: results t of the grains from q on, each the sum over n. */
typedef struct Product {
    Kernel *kernel;
    const char *result;               /* "y" */
    const char *source;               /* "x" */
    Int source_stride, result_stride; /* from grain to grain, vectors */
    Int rows, source_row, result_row; /* of a grain; from row to row, vectors */
    Int terms;
    /* weights: from a tile's result to the next; from one n to the next it is next_step */
    Int step;
    Int next_step;
    const char *weights; /* where a tile's begin: an expression of t and n */
    const char *start;   /* "splat(b[%d])", "{ 0 }"; NULL: what the result holds */
    bool biased;
} Product;

/* Results in a tile with so many grains: as many as the registers hold besides
 * one operand of each product and a little more. */
static int tile_results(const Kernel *kernel, int grains)
{
    int max_results = grains == 1 ? 16 : 12, results = 1;
    for (int r = 1; r <= max_results; r++)
        if (r * grains + (r < grains ? r : grains) + (kernel->registers == 32 ? 2 : 1)
            <= kernel->registers)
            results = r;
    return results;
}

static void tile_start(const Product *product, Kernel *function, int results, int grains)
{
    kernel_line(function, "vec tile[%d];", results * grains);
    for (int r = 0; r < results; r++)
        for (int q = 0; q < grains; q++) {
            const char *waits = format("out[%s]", strided(q, "out_step", r));
            kernel_add(function, "tile[%d] = %s;", r * grains + q,
                       product->start ? format("n ? %s : %s", waits, format(product->start, r))
                                      : waits);
        }
}

/* Only a whole sum is finished; before, it waits as it is. */
static void tile_stores(Kernel *function, int results, int grains)
{
    for (int whole = 0; whole < 2; whole++) {
        if (whole == 0 && !function->epilogue)
            continue;
        if (function->epilogue)
            kernel_line(function, whole ? "else {" : "if (!whole) {");
        for (int r = 0; r < results; r++)
            for (int q = 0; q < grains; q++) {
                const char *offset = strided(q, "out_step", r), *to = format("out[%s]", offset),
                           *value = format("tile[%d]", r * grains + q);
                if (whole)
                    kernel_store(function, to, format("at + %s", offset), value);
                else
                    kernel_add(function, "%s = %s;", to, value);
            }
        if (function->epilogue)
            kernel_line(function, "}");
    }
}

/* The sums of a tile over `count` values. */
static void tile_products(const Product *product, Kernel *function, int results, int grains)
{
    Operands values = {.name = "v"}, weights = {.name = "w", .spread = true};
    values.step = grains > 1 ? "v_step" : NULL;
    weights.step = product->next_step == 1 && results > 1 ? "w_step" : NULL;
    for (int q = 0; q < grains; q++)
        push(&values.items, ((Value){q, q}));
    for (int r = 0; r < results; r++)
        push(&weights.items, ((Value){r, r}));
    if (product->next_step == 1) {
        kernel_line(function, "for (int k = 0; k < count;) {");
        for (int r = 0; r < results; r++)
            kernel_add(function, "__builtin_prefetch(w + %d * w_step);", results + r);
        kernel_line(function,
                    "for (const int stop = count - k < %d ? count : k + %d; k < stop; k++) {", LINE,
                    LINE);
    } else {
        kernel_line(function, "for (int k = 0; k < count; k++) {");
    }
    outer_product(function, grains, &weights, &values);
    kernel_line(function, "w += %lld;", product->next_step);
    kernel_line(function, "v++;");
    kernel_line(function, "}");
    if (product->next_step == 1)
        kernel_line(function, "}");
}

/* A tile as a function, which is inlined: its strides are numbers then. */
static const char *tile_function(const Product *product, int results, int grains)
{
    Kernel *kernel = product->kernel, function = begin_function(kernel);
    bool takes_offset = kernel->epilogue_operands != NULL;
    tile_start(product, &function, results, grains);
    tile_products(product, &function, results, grains);
    tile_stores(&function, results, grains);
    return end_function(
        kernel, &function,
        format("/* A stretch of the sums of %d results of %d grains, `count` terms from n on. */",
               results, grains),
        ALWAYS_INLINE, format("matrix_%dx%d", results, grains),
        format("(vec *out%s, const real *w%s, const vec *v%s,\n    %sint count%s%s%s%s)",
               grains > 1 ? ", int64_t out_step" : "",
               product->next_step == 1 ? ", int64_t w_step" : "",
               grains > 1 ? ", int64_t v_step" : "", product->start ? "int64_t n, " : "",
               product->start && product->biased ? ", const real *b" : "",
               kernel->epilogue ? ", bool whole" : "", takes_offset ? ", int64_t at" : "",
               epilogue_parameters(kernel)));
}

/* From one of a tile's grains, or rows, to the next. */
static Int source_step(const Product *product)
{
    return product->rows > 1 ? product->source_row : product->source_stride;
}

static Int result_step(const Product *product)
{
    return product->rows > 1 ? product->result_row : product->result_stride;
}

static void emit_tile(const Product *product, int results, int grains)
{
    Kernel *kernel = product->kernel;
    const char *source_at = format("q * %lldL", source_step(product)),
               *result_at = format("q * %lldL", result_step(product));
    if (product->rows > 1) {
        source_at = format("grain * %lldL + %s", product->source_stride, source_at);
        result_at = format("grain * %lldL + %s", product->result_stride, result_at);
    }
    Text call = {0};
    text_add(&call, "%s(%s + at", tile_function(product, results, grains), product->result);
    if (grains > 1)
        text_add(&call, ", %lld", result_step(product));
    text_add(&call, ", %s", product->weights);
    if (product->next_step == 1)
        text_add(&call, ", %lld", product->step);
    text_add(&call, ", %s + %s + n", product->source, source_at);
    if (grains > 1)
        text_add(&call, ", %lld", source_step(product));
    text_add(&call, "%s, count%s", product->start ? ", n" : "",
             product->biased ? ", bias + t" : "");
    if (kernel->epilogue)
        text_add(&call, ", n + count == %lld", product->terms);
    if (kernel->epilogue_operands)
        text_add(&call, ", at%s", kernel->epilogue_operands);
    kernel_line(kernel, "const int64_t at = %s + t;", result_at);
    kernel_line(kernel, "%s);", text_chars(&call));
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
static void open_stretches(const Product *product, int stretch)
{
    Kernel *kernel = product->kernel;
    long long terms = product->terms;
    const char *end = "s->to";
    if (product->rows > 1) {
        end = format("%lld", product->rows);
        kernel_line(kernel, "for (int64_t grain = s->from; grain < s->to; grain++)");
        kernel_line(kernel, "for (int64_t q = 0, group; q < %s; q += group) {", end);
    } else {
        kernel_line(kernel, "for (int64_t q = s->from, group; q < s->to; q += group) {");
    }
    kernel_line(kernel, "group = %s - q >= %d ? %d : %s - q >= 2 ? 2 : 1;", end, MAX_GROUP,
                MAX_GROUP, end);
    kernel_line(kernel, "for (int64_t n = 0; n < %lld; n += %d) {", terms, stretch);
    kernel_line(kernel, "const int count = %lld - n < %d ? (int)(%lld - n) : %d;", terms, stretch,
                terms, stretch);
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
    for (int grains = MAX_GROUP; grains > 0; grains /= 2) {
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
        .rows = matrix.rows,
        .source_row = matrix.in,
        .result_row = matrix.out,
        .terms = matrix.in,
        .step = matrix.in,
        .next_step = 1,
        .weights = format("weight + t * %lldL + n", matrix.in),
        .start = matrix.bias ? "splat(b[%d])" : "splat(0)",
        .biased = matrix.bias,
    };
    kernel->units = (matrix.out + ROWS_OF_UNIT - 1) / ROWS_OF_UNIT;
    kernel_line(kernel, "const int64_t end = to * %d < %lld ? to * %d : %lld;", ROWS_OF_UNIT,
                matrix.out, ROWS_OF_UNIT, matrix.out);
    open_stretches(&product, STRETCH);
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
        .rows = matrix.rows,
        .source_row = matrix.out,
        .result_row = matrix.in,
        .terms = matrix.out,
        .step = 1,
        .next_step = PACKED,
        .weights = "packed + (t - first)",
        .start = accumulate ? NULL : "splat(0)",
    };
    kernel->units = (matrix.in + COLUMNS_OF_UNIT - 1) / COLUMNS_OF_UNIT;
    kernel_line(kernel, "const int64_t limit = to * %d < %lld ? to * %d : %lld;", COLUMNS_OF_UNIT,
                matrix.in, COLUMNS_OF_UNIT, matrix.in);
    kernel_line(kernel, "real packed[%d];", PACKED * GRADIENT_STRETCH);
    open_stretches(&product, GRADIENT_STRETCH);
    kernel_line(kernel, "for (int64_t first = from * %d; first < limit; first += %d) {",
                COLUMNS_OF_UNIT, PACKED);
    pack_weights(kernel, matrix.in);
    kernel_line(kernel, "int64_t t = first;");
    emit_group(&product);
    kernel_line(kernel, "}");
    close_stretches(kernel);
}

/* ------------------------------------------------------ weight gradient
 * It sums over lanes, so x is transposed: then a vector holds consecutive
 * inputs of one image, and a tile is a few of those times a few outputs.  The
 * gradient is made a block of outputs at a time and, in a step that moves the
 * weights, used up at once: all blocks then lie where the first one does, and
 * stay in the cache.  What the move will read of a tile is fetched meanwhile. */

enum {
    BLOCK = 16, /* outputs of a block */
    CHUNK = 16, /* grains transposed at once */
    ROOM = 4096 /* vectors transposed at once: their rows stay in the second cache */
};

/* Inputs side by side: vector c of a tile begins at[c] inputs after the tile's
 * first.  A row that is no whole number of vectors ends with one that begins
 * among what is done already: of that, the last `stored` values are new. */
typedef struct Inputs {
    int width, stored;
    Int at[3];
} Inputs;

static void gradient_start(Kernel *function, int rows, const Inputs *inputs)
{
    declare_tile(function, rows * inputs->width);
    kernel_line(function, "if (adds) {");
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < inputs->width; c++)
            kernel_add(function, "tile[%d] = *(const unaligned_vec *)(out + %s);",
                       r * inputs->width + c, strided(r, "out_step", inputs->at[c]));
    kernel_line(function, "}");
}

static void gradient_stores(Kernel *function, int rows, const Inputs *inputs)
{
    int lanes = function->lanes;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < inputs->width; c++) {
            int sum = r * inputs->width + c;
            if (c < inputs->width - 1 || inputs->stored == lanes)
                kernel_add(function, "*(unaligned_vec *)(out + %s) = tile[%d];",
                           strided(r, "out_step", inputs->at[c]), sum);
            else
                kernel_add(function, "store_last(out + %s, tile[%d], %d);",
                           strided(r, "out_step", inputs->at[c] + lanes - inputs->stored), sum,
                           inputs->stored);
        }
}

/* One of the streams that the move reads, for each grain. */
static void gradient_ahead(Kernel *function, int rows, const Inputs *inputs)
{
    kernel_line(function, "for (int k = q; k < ahead; k += count) {");
    kernel_line(function, "const real *read = s->move->reads[k] + place;");
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < inputs->width; c++)
            kernel_add(function, "__builtin_prefetch(read + %s, 1, 2);",
                       strided(r, "out_step", inputs->at[c]));
    kernel_line(function, "}");
}

/* A tile as a function, which is inlined. */
static const char *gradient_function(const Kernel *kernel, int rows, const Inputs *inputs)
{
    Kernel function = begin_function(kernel);
    Operands values = {.name = "v"}, outputs = {.name = "d", .spread = true};
    for (int c = 0; c < inputs->width; c++)
        push(&values.items, ((Value){c, c * kernel->lanes}));
    for (int r = 0; r < rows; r++)
        push(&outputs.items, ((Value){r, r * kernel->lanes}));
    gradient_start(&function, rows, inputs);
    kernel_line(&function, "for (int q = 0; q < count; q++) {");
    gradient_ahead(&function, rows, inputs);
    kernel_line(&function, "const real *d = (const real *)(gradient + q * d_step);");
    kernel_line(&function, "const vec *v = inputs + q * %d * LANES;", inputs->width);
    kernel_line(&function, "for (int lane = 0; lane < LANES; lane++) {");
    outer_product(&function, inputs->width, &outputs, &values);
    kernel_line(&function, "d++;");
    kernel_line(&function, "v++;");
    kernel_line(&function, "}");
    kernel_line(&function, "}");
    gradient_stores(&function, rows, inputs);
    return end_function(
        kernel, &function,
        format(
            "/* The weight gradient of %d outputs times %d rows of inputs, over `count` grains, "
            "added to\n * what others gave; of the move's streams, what lies at `place` is fetched "
            "meanwhile. */",
            rows, inputs->width),
        ALWAYS_INLINE, format("matrix_gradient_%dx%d", rows, inputs->width),
        format("(const NetStep *s, real *out,%s const vec *gradient,\n    int64_t d_step, "
               "const vec *inputs, bool adds, int count, int ahead, int64_t place)",
               rows > 1 ? " int64_t out_step," : ""));
}

static void gradient_tile(Kernel *kernel, Int in, int rows, const Inputs *inputs)
{
    kernel_line(kernel,
                "%s(s, block + (o - row) * %lldL + i,%s gradient + o, gradient_step, inputs, adds, "
                "count,",
                gradient_function(kernel, rows, inputs), in, rows > 1 ? format(" %lld,", in) : "");
    kernel_line(kernel, "    ahead, offset + o * %lldL + i);", in);
}

/* Transposes the inputs from `i`, for all grains of the chunk. */
static void transpose_inputs(Kernel *kernel, const Inputs *inputs)
{
    kernel_line(kernel, "for (int q = 0; q < count; q++) {");
    kernel_line(kernel, "vec *to = turned + (i - left) * count + q * %d * LANES;", inputs->width);
    kernel_line(kernel, "const vec *values = source + q * source_step + i;");
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

static void transpose_tile(Kernel *kernel, Int in, const Inputs *inputs)
{
    (void)in;
    transpose_inputs(kernel, inputs);
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

static bool has_bit(const Kernel *kernel, unsigned bits, const char *gradient)
{
    require(gradient[0] == 'd');
    return bits & parameter_bit(kernel->node, gradient + 1);
}

bool adds_gradient(const Kernel *kernel, const char *gradient)
{
    return has_bit(kernel, kernel->node->adds, gradient);
}

/* In a step that moves weights, whether the kernel is the one that does. */
static bool moves_weights(const Kernel *kernel, const char *gradient)
{
    return !has_bit(kernel, kernel->node->awaits, gradient);
}

void move_rows(Kernel *kernel, const char *name, Int row)
{
    if (!moves_weights(kernel, name))
        return;
    const char *times = row > 1 ? format(" * %lldL", row) : "";
    kernel_line(kernel, "if (s->move)");
    kernel_line(kernel,
                "    s->move->update(s->move, %s - s->gradients + begin%s, %s - "
                "s->gradients + end%s, %s + begin%s);",
                name, times, name, times, name, times);
}

void emit_bias_gradient_of_rows(Kernel *kernel, BiasGradient gradient)
{
    kernel_line(kernel, "for (int64_t o = begin; o < end; o++) {");
    kernel_line(kernel, "vec a = { 0 };");
    kernel_line(kernel, "for (int64_t q = 0; q < s->grains; q++)");
    if (gradient.rows > 1) {
        kernel_line(kernel, "    for (int64_t r = 0; r < %lld; r++)", gradient.rows);
        kernel_line(kernel, "        a += %s[q * %lldL + r * %lldL + o];", gradient.dy,
                    gradient.dy_stride, gradient.dy_row);
    } else {
        kernel_line(kernel, "    a += %s[q * %lldL + o];", gradient.dy, gradient.dy_stride);
    }
    kernel_line(kernel, "%s[o] %s sum_lanes(a);", gradient.dbias,
                adds_gradient(kernel, gradient.dbias) ? "+=" : "=");
    kernel_line(kernel, "}");
    move_rows(kernel, gradient.dbias, 1);
}

/* Between these, `source` and `gradient` are what the next `count` grains, or rows of one, have of
 * x and dy, `adds` whether others were before, and `whole` whether none are left. */
static void open_chunks(Kernel *kernel, const RowGradient *gradient)
{
    bool rows = gradient->rows > 1;
    const char *end = rows ? format("%lld", gradient->rows) : "s->grains", *before = "";
    if (rows) {
        kernel_line(kernel, "for (int64_t grain = 0; grain < s->grains; grain++)");
        before = format("grain * %lldL + ", gradient->x_stride);
    }
    kernel_line(kernel, "for (int64_t first = 0; first < %s; first += %d) {", end, CHUNK);
    kernel_line(kernel, "const int count = %s - first < %d ? (int)(%s - first) : %d;", end, CHUNK,
                end, CHUNK);
    kernel_line(kernel, "const int64_t source_step = %lld, gradient_step = %lld;",
                rows ? gradient->x_row : gradient->x_stride,
                rows ? gradient->dy_row : gradient->dy_stride);
    kernel_line(kernel, "const vec *const source = %s + %sfirst * source_step;", gradient->x,
                before);
    if (rows)
        before = format("grain * %lldL + ", gradient->dy_stride);
    kernel_line(kernel, "const vec *const gradient = %s + %sfirst * gradient_step;", gradient->dy,
                before);
    kernel_line(kernel, "const bool adds = %s;",
                adds_gradient(kernel, gradient->dweight) ? "true"
                : rows                                   ? "grain || first"
                                                         : "first");
    kernel_line(kernel, "const bool whole = %sfirst + count == %s;",
                rows ? "grain + 1 == s->grains && " : "", end);
}

/* Whether one chunk is all: then a block that is moved need not be kept. */
static const char *one_chunk(const Kernel *kernel, const RowGradient *gradient)
{
    if (adds_gradient(kernel, gradient->dweight) || !moves_weights(kernel, gradient->dweight))
        return "false";
    return gradient->rows > 1 ? format("s->grains == 1 && %d >= %lld", CHUNK, gradient->rows)
                              : format("s->grains <= %d", CHUNK);
}

void declare_gradient_rows(Kernel *kernel, Int out)
{
    kernel_line(kernel, "const int64_t begin = from * %d, end = to * %d < %lld ? to * %d : %lld;",
                UNIT_ROWS, UNIT_ROWS, out, UNIT_ROWS, out);
}

void emit_row_gradient(Kernel *kernel, RowGradient gradient)
{
    long long in = gradient.in;
    int width = kernel->registers == 32 ? 3 : 2, step = width * kernel->lanes;
    long long whole = in / step * step;
    kernel_line(kernel, "const int64_t offset = %s - s->gradients;", gradient.dweight);
    open_chunks(kernel, &gradient);
    kernel_line(kernel, "const bool moves = %s;",
                moves_weights(kernel, gradient.dweight) ? "s->move && whole" : "false");
    kernel_line(kernel, "const int ahead = moves ? s->move->read_count : 0;");
    kernel_line(kernel, "const int64_t piece = %d / (count * %d) * %d;", ROOM, step, step);
    kernel_line(kernel, "vec turned[%d];", ROOM + CHUNK * step);
    kernel_line(kernel, "int64_t left = 0;");
    kernel_line(kernel, "do {");
    kernel_line(kernel, "const int64_t right = %lld - left < piece ? %lld : left + piece;", whole,
                whole);
    each_tile(kernel, in, whole, width, transpose_tile);
    kernel_line(kernel, "for (int64_t row = begin; row < end; row += %d) {", BLOCK);
    kernel_line(kernel, "const int64_t last = end - row < %d ? end : row + %d;", BLOCK, BLOCK);
    kernel_line(kernel, "real *block = %s + (s->move && %s ? begin : row) * %lldL;",
                gradient.dweight, one_chunk(kernel, &gradient), in);
    each_tile(kernel, in, whole, width, gradient_columns);
    move_block(kernel, in, whole);
    kernel_line(kernel, "}");
    kernel_line(kernel, "left = right;");
    kernel_line(kernel, "} while (left < %lld);", whole);
    kernel_line(kernel, "}");
}

void emit_matrix_gradient(Kernel *kernel, Matrix matrix)
{
    kernel->algorithm =
        "Outer products of gradients and inputs over all grains, a block of outputs at a time.";
    kernel->units = (matrix.out + UNIT_ROWS - 1) / UNIT_ROWS;
    declare_gradient_rows(kernel, matrix.out);
    emit_row_gradient(kernel, (RowGradient){.in = matrix.in,
                                            .out = matrix.out,
                                            .rows = matrix.rows,
                                            .x = "x",
                                            .dy = "dy",
                                            .dweight = "dweight",
                                            .x_stride = kernel->x_stride,
                                            .dy_stride = kernel->dy_stride,
                                            .x_row = matrix.in,
                                            .dy_row = matrix.out});
    if (matrix.bias)
        emit_bias_gradient_of_rows(kernel, (BiasGradient){.out = matrix.out,
                                                          .rows = matrix.rows,
                                                          .dy = "dy",
                                                          .dbias = "dbias",
                                                          .dy_stride = kernel->dy_stride,
                                                          .dy_row = matrix.out});
}

/* ------------------------------------------------------ vectors of some grains */

/* Stretches of the sum over `terms`. */
static void open_stretch(Kernel *kernel, Int terms, int stretch)
{
    kernel_line(kernel, "for (int64_t n = 0; n < %lld; n += %d) {", terms, stretch);
    kernel_line(kernel, "const int count = %lld - n < %d ? (int)(%lld - n) : %d;", terms, stretch,
                terms, stretch);
}

/* `count` results from `first` on, of `grains` grains: how many each tile has is known. */
static void emit_known_tiles(const Product *product, int grains, const char *first, Int count)
{
    Kernel *kernel = product->kernel;
    Int done = 0;
    for (int results = tile_results(kernel, grains), next; results > 0; results = next) {
        Int end = done + (count - done) / results * results;
        if (end > done + results)
            kernel_line(kernel, "for (int64_t t = %s + %lld; t < %s + %lld; t += %d) {", first,
                        done, first, end, results);
        else if (end > done)
            kernel_line(kernel, "{ const int64_t t = %s + %lld;", first, done);
        if (end > done) {
            emit_tile(product, results, grains);
            kernel_line(kernel, "}");
        }
        done = end;
        next = results > 8 ? 8 : results > 4 ? 4 : results / 2;
    }
}

static void emit_known_group(const Product *product, const char *first, Int count)
{
    Kernel *kernel = product->kernel;
    for (int grains = MAX_GROUP; grains > 0; grains /= 2) {
        kernel_line(kernel, grains > 1 ? "if (group == %d) {" : "{", grains);
        emit_known_tiles(product, grains, first, count);
        kernel_line(kernel, "}");
        if (grains > 1)
            kernel_line(kernel, "else");
    }
}

/* Those of the inputs from `first` on. */
static void emit_packed_block(const VectorProduct *vector, const Product *product, Int width)
{
    Kernel *kernel = product->kernel;
    kernel_line(kernel, "for (int k = 0; k < count; k++)");
    kernel_line(kernel, "    net_copy(packed + k * %d, %s + (n + k) * %lldL + first, %lld);",
                PACKED, vector->weight, vector->in, width);
    emit_known_group(product, "first", width);
}

static void emit_transposed_product(const VectorProduct *vector, Product *product)
{
    Kernel *kernel = product->kernel;
    Int whole = vector->in / PACKED * PACKED;
    product->terms = vector->out;
    product->step = 1;
    product->next_step = PACKED;
    product->weights = "packed + (t - first)";
    product->start = NULL;
    kernel_line(kernel, "real packed[%d];", PACKED * GRADIENT_STRETCH);
    open_stretch(kernel, vector->out, GRADIENT_STRETCH);
    if (whole) {
        kernel_line(kernel, "for (int64_t first = 0; first < %lld; first += %d) {", whole, PACKED);
        emit_packed_block(vector, product, PACKED);
        kernel_line(kernel, "}");
    }
    if (whole < vector->in) {
        kernel_line(kernel, "const int64_t first = %lld;", whole);
        emit_packed_block(vector, product, vector->in - whole);
    }
    kernel_line(kernel, "}");
}

void emit_vector_product(Kernel *kernel, VectorProduct vector)
{
    Product product = {
        .kernel = kernel,
        .result = "result",
        .source = "source",
        .source_stride = vector.source_stride,
        .result_stride = vector.result_stride,
        .rows = 1,
        .terms = vector.in,
        .step = vector.in,
        .next_step = 1,
        .weights = format("%s + t * %lldL + n", vector.weight, vector.in),
        .start = "splat(0)",
    };
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int64_t q = 0;");
    kernel_line(kernel, "vec *const result = %s;", vector.result);
    kernel_line(kernel, "const vec *const source = %s;", vector.source);
    if (vector.transposed) {
        emit_transposed_product(&vector, &product);
    } else {
        open_stretch(kernel, vector.in, STRETCH);
        emit_known_group(&product, "0", vector.out);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}
