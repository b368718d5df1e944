/* packed.c: a convolution of a grain, or its input's gradient, as a product of packed matrices
 * (Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication",
 * https://doi.org/10.1145/1356052.1356053).
 *
 * The direct kernels of tiles.c read each source where it lies.  Of a large layer every channel
 * lies in another page of memory, and the processor waits for it.  Here a block of positions is
 * copied first: its sources, channel by channel and tap by tap, stand in the order in which they
 * are multiplied, zeros where a tap lies in the padding.  A panel of a few positions stays in the
 * first cache while all out channels' weights, which lie in the order of their use, too, pass by
 * it.  Where there are more terms than a panel holds, the sums wait in `workspace`.
 *
 * An input's gradient of stride s reads at every s-th position the same taps: such positions are a
 * class, and each class is a contraction of stride 1.  Every sum is added up in one order,
 * whoever computes it.
 */
#include "kernels/grain/packed.h"
#include "kernels/grain/norm.h"

enum {
    OUTS = 6,                /* channels of a tile */
    PANEL_BYTES = 20 << 10,  /* of a tile's sources: in the first cache */
    BLOCK_BYTES = 160 << 10, /* of a block's: in the second */
    MAX_POSITIONS = 96,      /* of a block */
    MAX_TAPS = 8,            /* of an axis: as many as NetTaps has room for */
    MAX_CLASSES = 4,         /* of an axis */
    MAX_WIDTH = 4,           /* positions of a tile */
    AHEAD = 8,               /* channels: so far ahead a tile's first sources are fetched */
    MIN_OUTS = 24,           /* for the copies to pay */
    MIN_INS = 16,
    MIN_TERMS = 128,
    MIN_BYTES = 256 << 10, /* of a grain's sources: fewer stay in the second cache anyhow */
    MAX_BYTES = 24 << 20   /* of all that lies in `workspace` */
};

/* Sources of a channel that a block reads, at most: one size for all layers, so that they share
 * the function. */
#define MAX_OFFSETS(lanes) \
    ((Int)BLOCK_BYTES / ((lanes) * (Int)sizeof(float)) + MAX_WIDTH * MAX_TAPS * MAX_TAPS)

/* Along an axis, the positions that read the same taps: every `stride`-th from `first` on. */
typedef struct Class {
    Int first, count;
    Int taps, tap[MAX_TAPS];
    Int shift[MAX_TAPS]; /* of the source that a tap reads, from position * step on */
} Class;

typedef struct Packed {
    Kernel *kernel;
    const Contraction *contraction;
    Int row_classes, column_classes;
    Class rows[MAX_CLASSES], columns[MAX_CLASSES];
    Int width;     /* positions of a tile */
    Int ins;       /* channels whose terms are summed before the sums wait */
    Int terms;     /* of those, at most */
    Int positions; /* of a block */
    Int blocks;    /* of the largest class */
    Int outs;      /* whole tiles of channels */
} Packed;

/* Of the positions of a class, and of their sources. */
static Int stride_of(const Axis *axis)
{
    return axis->backward ? axis->stride : 1;
}

static Int step_of(const Axis *axis)
{
    return axis->backward ? 1 : axis->stride;
}

/* The remainder that is not negative. */
static Int modulo(Int value, Int divisor)
{
    Int rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
}

static Class class_of(const Axis *axis, Int number)
{
    Int stride = stride_of(axis);
    Class class = {.first = number, .count = (axis->positions - number + stride - 1) / stride};
    for (Int tap = 0; tap < axis->taps; tap++) {
        Int reached = number + axis->before - tap * axis->dilation;
        if (axis->backward && modulo(reached, stride))
            continue;
        class.tap[class.taps] = tap;
        class.shift[class.taps++] =
            axis->backward ? reached / stride : tap * axis->dilation - axis->before;
    }
    return class;
}

static Int classes_of(const Axis *axis)
{
    return min(stride_of(axis), axis->positions);
}

static Int max_taps(const Class *classes, Int count)
{
    Int most = 1;
    for (Int i = 0; i < count; i++)
        most = classes[i].taps > most ? classes[i].taps : most;
    return most;
}

static Int round_up(Int count, Int unit)
{
    return (count + unit - 1) / unit * unit;
}

static Packed plan_packed(const Contraction *contraction, int lanes)
{
    Packed packed = {.contraction = contraction,
                     .row_classes = classes_of(&contraction->rows),
                     .column_classes = classes_of(&contraction->columns),
                     .width = lanes >= 16 ? 4 : 2,
                     .outs = round_up(contraction->out_channels, OUTS)};
    for (Int i = 0; i < packed.row_classes; i++)
        packed.rows[i] = class_of(&contraction->rows, i);
    for (Int i = 0; i < packed.column_classes; i++)
        packed.columns[i] = class_of(&contraction->columns, i);
    Int taps = max_taps(packed.rows, packed.row_classes)
               * max_taps(packed.columns, packed.column_classes),
        vector = lanes * (Int)sizeof(float), terms = PANEL_BYTES / (packed.width * vector),
        most = packed.rows[0].count * packed.columns[0].count;
    packed.ins = min(terms / taps ? terms / taps : 1, contraction->in_channels);
    packed.terms = packed.ins * taps;
    Int positions = min(BLOCK_BYTES / (packed.terms * vector), MAX_POSITIONS);
    packed.positions =
        min(round_up(positions ? positions : 1, packed.width), round_up(most, packed.width));
    packed.blocks = (most + packed.positions - 1) / packed.positions;
    return packed;
}

static bool axis_fits(const Axis *axis)
{
    return !axis->slices && axis->taps <= MAX_TAPS && classes_of(axis) <= MAX_CLASSES;
}

/* Whether sources are many, and each is used often enough to be copied before. */
static bool is_worth_it(const Contraction *contraction, int lanes)
{
    Int taps = contraction->rows.taps * contraction->columns.taps,
        stride = stride_of(&contraction->rows) * stride_of(&contraction->columns);
    Int sources = contraction->rows.sources * contraction->columns.sources;
    return contraction->out_channels >= MIN_OUTS && contraction->in_channels >= MIN_INS
           && contraction->in_channels * taps / stride >= MIN_TERMS
           && sources * contraction->in_channels >= MIN_BYTES / (lanes * (Int)sizeof(float));
}

Int packed_work(const Contraction *contraction, const Node *pool, int lanes)
{
    if (pool || contraction->unweighted || contraction->groups != 1
        || !axis_fits(&contraction->rows) || !axis_fits(&contraction->columns)
        || !is_worth_it(contraction, lanes))
        return 0;
    Packed packed = plan_packed(contraction, lanes);
    Int waiting = packed.ins < contraction->in_channels ? packed.outs * packed.positions : 0,
        vectors = packed.positions * packed.terms + waiting;
    return vectors <= MAX_BYTES / (lanes * (Int)sizeof(float)) ? vectors : 0;
}

Int packed_filters(const Contraction *contraction, const Node *pool, int lanes)
{
    if (!packed_work(contraction, pool, lanes))
        return 0;
    Packed packed = plan_packed(contraction, lanes);
    Int taps = contraction->rows.taps * contraction->columns.taps;
    return (packed.outs * contraction->in_channels * taps + lanes - 1) / lanes;
}

/* ------------------------------------------------------------ the classes */

static const char *numbers(const Int *values, Int count, Int factor)
{
    Text text = {0};
    for (Int i = 0; i < count; i++)
        text_add(&text, "%s%lld", i ? ", " : "", values[i] * factor);
    return count ? text_chars(&text) : "0";
}

/* A table, a row for each pair of an axis' classes. */
static void declare_taps(const Packed *packed)
{
    Kernel *kernel = packed->kernel;
    const Contraction *contraction = packed->contraction;
    Int filters = 0;
    kernel_line(kernel, "static const NetTaps taps[%lld] = {",
                packed->row_classes * packed->column_classes);
    for (Int i = 0; i < packed->row_classes; i++)
        for (Int k = 0; k < packed->column_classes; k++) {
            const Class *rows = &packed->rows[i], *columns = &packed->columns[k];
            kernel_line(kernel, "    { %lld, %lld, %lld, %lld, %lld, %lld, %lld,", rows->first,
                        rows->count, rows->taps, columns->first, columns->count, columns->taps,
                        filters);
            kernel_line(kernel, "      { %s }, { %s }, { %s }, { %s } },",
                        numbers(rows->shift, rows->taps, 1),
                        numbers(columns->shift, columns->taps, 1),
                        numbers(rows->tap, rows->taps, contraction->columns.taps),
                        numbers(columns->tap, columns->taps, 1));
            filters += packed->outs * contraction->in_channels * rows->taps * columns->taps;
        }
    kernel_line(kernel, "};");
}

/* ------------------------------------------------------------ weights */

/* Weights are read as they lie: of one in channel, or of one out channel, after the other. */
static const char *filters_function(const Packed *packed)
{
    const Contraction *contraction = packed->contraction;
    Kernel *kernel = packed->kernel, function = begin_function(kernel);
    static const char *const outs = "for (int64_t t = from; t < to; t++)",
                             *const ins = "for (int64_t n = 0; n < ins; n++)";
    bool by_ins = contraction->in_step > contraction->out_step;
    kernel_line(&function, "const int64_t terms = of->row_taps * of->column_taps;");
    kernel_line(&function, "%s", by_ins ? ins : outs);
    kernel_line(&function, "%s {", by_ins ? outs : ins);
    kernel_line(&function, "real *put = filters + ((t - from) * ins + n) * terms * %d;", OUTS);
    kernel_line(&function, "for (int a = 0; a < of->row_taps; a++)");
    kernel_line(&function, "    for (int b = 0; b < of->column_taps; b++)");
    kernel_line(&function, "        for (int64_t i = t * %d; i < (t + 1) * %d; i++)", OUTS, OUTS);
    kernel_line(&function, "            *put++ = i < outs ? weight[i * out_step + n * in_step + "
                           "of->row_weight[a] + of->column_weight[b]] : 0;");
    kernel_line(&function, "}");
    return end_function(
        kernel, &function,
        format("/* Weights in the order of their use: [tiles of %d out channels][ins and "
               "taps][%d]. */",
               OUTS, OUTS),
        "static void ", "pack_weights",
        "(real *filters, const real *weight, const NetTaps *of, int64_t from, int64_t to,\n    "
        "int64_t outs, int64_t ins, int64_t out_step, int64_t in_step)");
}

static Packed packed_of(Kernel *kernel, const Contraction *contraction)
{
    Packed packed = plan_packed(contraction, kernel->lanes);
    packed.kernel = kernel;
    return packed;
}

void emit_packed_filters(Kernel *kernel, const Contraction *contraction)
{
    const Packed packed = packed_of(kernel, contraction);
    const char *function = filters_function(&packed);
    kernel->algorithm = "The weights of a packed matrix product, in the order of their use.";
    kernel->units = packed.outs / OUTS;
    declare_taps(&packed);
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {",
                packed.row_classes * packed.column_classes);
    kernel_line(kernel, "const int64_t each = taps[c].row_taps * taps[c].column_taps;");
    kernel_line(kernel, "real *put = filters + taps[c].filters;");
    kernel_line(kernel, "for (int64_t n = 0; n < %lld; n += %lld) {", contraction->in_channels,
                packed.ins);
    kernel_line(kernel, "const int64_t ins = %lld - n < %lld ? %lld - n : %lld;",
                contraction->in_channels, packed.ins, contraction->in_channels, packed.ins);
    kernel_line(kernel,
                "%s(put + from * ins * each * %d, weight + n * %lldL, &taps[c], from, to, %lld, "
                "ins, %lld, %lld);",
                function, OUTS, contraction->in_step, contraction->out_channels,
                contraction->out_step, contraction->in_step);
    kernel_line(kernel, "put += ins * each * %lld;", packed.outs);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* ------------------------------------------------------------ sources */

static const char *sources_function(const Packed *packed)
{
    Kernel *kernel = packed->kernel, function = begin_function(kernel);
    long long width = packed->width;
    kernel_line(&function, "const int64_t taps = of->row_taps * of->column_taps;");
    kernel_line(&function, "int32_t offset[%lld];", MAX_OFFSETS(kernel->lanes));
    kernel_line(&function, "int64_t count = 0;");
    kernel_line(&function, "for (int64_t q = first; q < stop; q += %lld)", width);
    kernel_line(&function, "for (int a = 0; a < of->row_taps; a++)");
    kernel_line(&function, "for (int b = 0; b < of->column_taps; b++)");
    kernel_line(&function, "for (int64_t p = q; p < q + %lld; p++) {", width);
    kernel_line(&function, "const int64_t line = p / of->columns, place = p %% of->columns;");
    kernel_line(&function, "const int64_t row = line * row_step + of->row_shift[a];");
    kernel_line(&function, "const int64_t column = place * column_step + of->column_shift[b];");
    kernel_line(&function, "const bool inside = p < stop && row >= 0 && row < rows && column >= 0 "
                           "&& column < columns;");
    kernel_line(&function, "offset[count++] = inside ? (int32_t)(row * columns + column) : -1;");
    kernel_line(&function, "}");
    kernel_line(&function, "for (int64_t n = 0; n < ins; n++, x += rows * columns) {");
    kernel_line(&function, "for (int64_t k = 0; k < count; k += taps * %lld) {", width);
    kernel_line(&function, "vec *put = panel + k * ins + n * taps * %lld;", width);
    kernel_line(&function, "__builtin_prefetch(x + %d * rows * columns + offset[k], 0, 2);", AHEAD);
    kernel_line(&function, "for (int64_t i = k; i < k + taps * %lld; i += %lld) {", width, width);
    for (Int j = 0; j < packed->width; j++)
        kernel_line(&function,
                    "put[%lld] = offset[i + %lld] < 0 ? (vec){ 0 } : x[offset[i + %lld]];", j, j,
                    j);
    kernel_line(&function, "put += %lld;", width);
    kernel_line(&function, "}");
    kernel_line(&function, "}");
    kernel_line(&function, "}");
    return end_function(
        kernel, &function,
        format("/* A block's sources in the order of their use: [tiles of %lld positions][ins and "
               "taps][%lld],\n * zeros in the padding and behind the last position. */",
               width, width),
        "static void ", "pack_sources",
        "(vec *panel, const vec *x, const NetTaps *of, int64_t first, int64_t stop,\n    int64_t "
        "ins, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step)");
}

/* ------------------------------------------------------------ products */

/* `adds`: to the sums that the tile holds. */
static const char *tile_function(const Packed *packed, bool adds)
{
    Kernel *kernel = packed->kernel, function = begin_function(kernel);
    Int width = packed->width;
    for (Int i = 0; i < OUTS * width; i++)
        kernel_add(&function, "vec c%lld = %s;", i, adds ? format("tile[%lld]", i) : "{ 0 }");
    kernel_line(&function, "for (; terms > 0; terms--, panel += %lld, weights += %d) {", width,
                OUTS);
    for (Int j = 0; j < width; j++)
        kernel_add(&function, "const vec v%lld = panel[%lld];", j, j);
    for (Int t = 0; t < OUTS; t++) {
        kernel_add(&function, "const vec w%lld = splat(weights[%lld]);", t, t);
        for (Int j = 0; j < width; j++)
            kernel_add(&function, "c%lld += w%lld * v%lld;", t * width + j, t, j);
    }
    kernel_line(&function, "}");
    for (Int i = 0; i < OUTS * width; i++)
        kernel_add(&function, "tile[%lld] = c%lld;", i, i);
    return end_function(
        kernel, &function,
        format("/* tile[t][p] %s sum of weights[term][t] * panel[term][p], %d x %lld sums in "
               "registers. */",
               adds ? "+=" : "=", OUTS, width),
        "static void ", format("product_of_panels_%dx%lld", OUTS, width),
        "(vec *tile, const vec *panel, const real *weights, int64_t terms)");
}

/* ------------------------------------------------------------ outputs */

/* The sums of `count` positions of a channel that lie side by side: an expression each. */
static void store_outputs(const Packed *packed, const char *channel, const char *place,
                          const char *const *sums, Int count)
{
    Kernel *kernel = packed->kernel;
    const Contraction *contraction = packed->contraction;
    kernel_line(kernel, "vec *to = %s + (%s) * %lldL + %s;", contraction->out, channel,
                contraction->rows.positions * contraction->columns.positions, place);
    if (kernel->epilogue_operands || kernel->sums)
        kernel_line(kernel, "const int64_t at = to - %s;", contraction->out);
    if (contraction->bias)
        kernel_line(kernel, "const vec term = splat(%s[%s]);", contraction->bias, channel);
    for (Int j = 0; j < count; j++) {
        const char *to = format("to[%lld]", j);
        const char *value = format("%s%s%s", contraction->accumulate ? format("%s + ", to) : "",
                                   sums[j], contraction->bias ? " + term" : "");
        if (kernel->norm) {
            kernel_line(kernel, "vec r%lld;", j);
            norm_value(kernel, format("r%lld", j), value, channel);
            value = format("r%lld", j);
        }
        kernel_store(kernel, to, format("at + %lld", j), value);
    }
    if (kernel->sums)
        add_gradient_sums(kernel, channel, 0, count);
}

/* A tile that is whole, and whose positions lie side by side. */
static void store_whole_tile(const Packed *packed)
{
    Kernel *kernel = packed->kernel;
    kernel_line(kernel, "if (count == %lld && t + %d <= end) {", packed->width, OUTS);
    for (Int t = 0; t < OUTS; t++) {
        const char *sums[MAX_WIDTH];
        for (Int j = 0; j < packed->width; j++)
            sums[j] = format("tile[%lld]", t * packed->width + j);
        kernel_line(kernel, "{");
        store_outputs(packed, format("t + %lld", t), "place[0]", sums, packed->width);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "continue;");
    kernel_line(kernel, "}");
}

static void store_tile(const Packed *packed)
{
    Kernel *kernel = packed->kernel;
    const char *sum = format("tile[i * %lld + j]", packed->width);
    if (packed->row_classes * packed->column_classes == 1)
        store_whole_tile(packed);
    kernel_line(kernel, "for (int64_t i = 0; i < %d && t + i < end; i++)", OUTS);
    kernel_line(kernel, "for (int64_t j = 0; j < count; j++) {");
    store_outputs(packed, "t + i", "place[j]", &sum, 1);
    kernel_line(kernel, "}");
}

/* ------------------------------------------------------------ the loops */

static void declare_places(const Packed *packed)
{
    Kernel *kernel = packed->kernel;
    const Axis *rows = &packed->contraction->rows, *columns = &packed->contraction->columns;
    kernel_line(kernel, "const int64_t count = stop - q < %lld ? stop - q : %lld;", packed->width,
                packed->width);
    kernel_line(kernel, "int64_t place[%lld];", packed->width);
    kernel_line(kernel, "for (int64_t j = 0; j < count; j++)");
    kernel_line(kernel,
                "    place[j] = (of->first_row + (q + j) / of->columns * %lld) * %lld + "
                "of->first_column + (q + j) %% of->columns * %lld;",
                stride_of(rows), columns->positions, stride_of(columns));
}

static void call_product(const Packed *packed, const char *indent, bool adds)
{
    kernel_line(packed->kernel,
                "%s%s(tile, panel + (q - first) * terms, weights + t * terms, terms);", indent,
                tile_function(packed, adds));
}

/* All out channels of a tile of positions. */
static void multiply_tile(const Packed *packed, bool waits)
{
    Kernel *kernel = packed->kernel;
    Int sums = OUTS * packed->width;
    kernel_line(kernel, "for (int64_t t = begin; t < end; t += %d) {", OUTS);
    if (waits) {
        kernel_line(kernel, "vec *tile = partial + (q - first) * %lldL + t * %lld;", packed->outs,
                    packed->width);
        kernel_line(kernel, "if (n > 0)");
        call_product(packed, "    ", true);
        kernel_line(kernel, "else");
        call_product(packed, "    ", false);
        kernel_line(kernel, "if (n + ins < all)");
        kernel_line(kernel, "    continue;");
    } else {
        kernel_line(kernel, "vec tile[%lld];", sums);
        call_product(packed, "", false);
    }
    store_tile(packed);
    kernel_line(kernel, "}");
}

/* Blocks of positions, or out channels where blocks are few and where the sums of a norm are over
 * all positions of a channel. */
static bool is_cut_by_channels(const Packed *packed, Int blocks)
{
    bool few = blocks < ENOUGH_PIECES && blocks < packed->outs / OUTS;
    return packed->kernel->splits && (packed->kernel->sums || few);
}

static void open_blocks(const Packed *packed)
{
    Kernel *kernel = packed->kernel;
    Int outs = packed->contraction->out_channels,
        blocks = packed->row_classes * packed->column_classes * packed->blocks;
    if (is_cut_by_channels(packed, blocks)) {
        declare_pieces(kernel, "begin", "end", 0, outs, OUTS);
        kernel_line(kernel, "for (int64_t block = 0; begin < end && block < %lld; block++) {",
                    blocks);
        kernel->summed_from = kernel->sums ? "begin" : NULL;
        kernel->summed_to = kernel->sums ? "end" : NULL;
        return;
    }
    kernel_line(kernel, "const int begin = 0, end = %lld;", outs);
    open_pieces(kernel, "block", blocks);
}

void emit_packed(Kernel *kernel, const Contraction *contraction)
{
    const Packed packed = packed_of(kernel, contraction);
    const Axis *rows = &contraction->rows, *columns = &contraction->columns;
    Int ins = contraction->in_channels, plane = rows->sources * columns->sources;
    bool waits = packed.ins < ins;
    kernel->algorithm =
        format("A matrix product of packed operands (Goto and van de Geijn 2008,\n * "
               "https://doi.org/10.1145/1356052.1356053): blocks of %lld positions, %lld channels.",
               packed.positions, packed.ins);
    declare_taps(&packed);
    kernel_line(kernel, "vec *panel = workspace;");
    if (waits)
        kernel_line(kernel, "vec *partial = panel + %lldL;", packed.positions * packed.terms);
    open_blocks(&packed);
    kernel_line(kernel, "const NetTaps *of = &taps[block / %lld];", packed.blocks);
    kernel_line(kernel, "/* where no tap reads anything, one turn of no terms stores zeros */");
    kernel_line(kernel, "const int64_t each = of->row_taps * of->column_taps;");
    kernel_line(kernel, "const int64_t all = each ? %lld : 0;", ins);
    kernel_line(kernel,
                "const int64_t first = block %% %lld * %lld, positions = of->rows * "
                "of->columns;",
                packed.blocks, packed.positions);
    kernel_line(kernel, "const int64_t stop = first + %lld < positions ? first + %lld : positions;",
                packed.positions, packed.positions);
    kernel_line(kernel, "const real *weights = filters + of->filters;");
    kernel_line(kernel, "for (int64_t n = 0; n == 0 || n < all; n += %lld) {", packed.ins);
    kernel_line(kernel, "const int64_t ins = all - n < %lld ? all - n : %lld, terms = ins * each;",
                packed.ins, packed.ins);
    kernel_line(kernel, "%s(panel, %s + n * %lldL, of, first, stop, ins, %lld, %lld, %lld, %lld);",
                sources_function(&packed), contraction->in, plane, rows->sources, columns->sources,
                step_of(rows), step_of(columns));
    kernel_line(kernel, "for (int64_t q = first; q < stop; q += %lld) {", packed.width);
    declare_places(&packed);
    multiply_tile(&packed, waits);
    kernel_line(kernel, "}");
    kernel_line(kernel, "weights += terms * %lld;", packed.outs);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}
