/* tiles.c: see tiles.h.
 *
 * The text of a tile is exact: a tap that falls into the padding is not
 * written at all.  Along columns every position is known, so such taps vanish
 * when the text is made; tiles whose taps lie alike are one loop over the same
 * text, so only the tiles at the two edges are written out on their own, and a
 * wide row costs no more text than a narrow one.  Along rows the range of taps
 * is bounded once per row.
 */
#include "kernels/grain/tiles.h"
#include "kernels/grain/norm.h"
#include "kernels/grain/pool.h"

#include <string.h>

enum { MAX_TILE_CHANNELS = 16, MAX_TILE_COLUMNS = 14 };

/* ------------------------------------------------------ choosing a tile */

/* Cost of one tap of one tile, in half cycles: a core does two multiply-adds
 * and two loads per cycle, and needs about ten independent sums in flight.
 * A row of lanes is a cache line, so a loaded position costs more than a
 * weight: half a step; and a step goes to running the loop. */
static double tap_cost(Int channels, Int columns)
{
    Int sums = channels * columns, loads = channels + columns;
    Int cost = sums > loads ? sums : loads;
    return (double)(cost > 10 ? cost : 10) + 0.5 * (double)columns + 1;
}

static double split_cost(Int channels, Int columns, Int tile_channels, Int tile_columns)
{
    double cost = 0;
    for (Int c = 0; c < channels; c += tile_channels)
        for (Int x = 0; x < columns; x += tile_columns) {
            Int tc = channels - c < tile_channels ? channels - c : tile_channels;
            Int tx = columns - x < tile_columns ? columns - x : tile_columns;
            cost += tap_cost(tc, tx);
        }
    return cost;
}

typedef struct Tile {
    Int channels, columns;
} Tile;

/* A representative stretch stands for a very long axis, so the search is short. */
static Int sample(Int n)
{
    return n <= 112 ? n : 112;
}

/* The tile whose accumulators, one operand of each tap and a little more fit
 * the registers, at the least cost.  It has `rows` rows, and `step` columns or
 * a multiple; of several rows, no less than a window's, it may fill all registers. */
static Tile choose_tile(const Contraction *contraction, Int rows, Int step, int registers)
{
    Tile best = {1, step};
    double best_cost = 1e300;
    for (Int tc = 1; tc <= contraction->out_channels && tc <= MAX_TILE_CHANNELS; tc++)
        for (Int tx = step; tx <= MAX_TILE_COLUMNS && tx < contraction->columns.positions + step;
             tx += step) {
            Int positions = rows * tx, spare = rows > 1 ? 1 : 2;
            if (tc * positions + (tc < positions ? tc : positions) + spare > registers)
                continue;
            double cost = split_cost(sample(contraction->out_channels),
                                     rows * sample(contraction->columns.positions), tc, positions);
            if (cost < best_cost) {
                best_cost = cost;
                best = (Tile){tc, tx};
            }
        }
    return best;
}

/* ------------------------------------------------------- outer products */

void declare_tile(Kernel *kernel, Int sums)
{
    kernel_line(kernel, "vec tile[%lld] = { { 0 } };", sums);
}

/* The pointer's value number i counts from its first. */
static const char *value_text(const Operands *side, int i)
{
    Int further = side->items.items[i].offset - (side->step ? 0 : side->items.items[0].offset);
    const char *steps = side->step ? strided(further, format("%s_step", side->name), 0)
                                   : format("%lld", further),
               *at = format("%s_at", side->name),
               *value =
                   format("(*%s)[%s]", side->name, further ? format("%s + %s", at, steps) : at);
    return side->spread ? format("splat(%s)", value) : value;
}

/* A value that several sums take stands on a line of its own, with them. */
static void begin_row(Kernel *kernel, bool several)
{
    if (several)
        kernel->packed = 0;
}

static Int relative_index(const Operands *side, int i)
{
    return side->items.items[i].at - side->items.items[0].at;
}

/* The side with fewer values is held in registers and the other read one value at a time.
 * Before it, both pointers are said to have changed: the C compiler would
 * otherwise keep what the next product reads again in registers that are not
 * there, and spill sums.  After each value, too: it would otherwise be read from
 * memory in every multiply-add that takes it, and a core loads only one row of
 * lanes per cycle.  It is the caller's pointers that change, or each product would
 * begin with copies of them. */
static void multiply(Kernel *function, Int width, const Operands *rows, const Operands *columns)
{
    bool hold_rows = rows->items.count <= columns->items.count;
    const Operands *held = hold_rows ? rows : columns, *read = hold_rows ? columns : rows;
    const char *barrier = format("compiler_barrier(*%s, *%s);", rows->name, columns->name);
    kernel_line(function, "%s", barrier);
    for (int i = 0; i < held->items.count; i++)
        kernel_add(function, "const vec %s%d = %s;", held->name, i, value_text(held, i));
    for (int k = 0; k < read->items.count; k++) {
        begin_row(function, held->items.count > 1);
        kernel_add(function, "const vec %s%d = %s;", read->name, k, value_text(read, k));
        if (held->items.count > 1)
            kernel_add(function, "%s", barrier);
        for (int i = 0; i < held->items.count; i++) {
            int row = hold_rows ? i : k, column = hold_rows ? k : i;
            kernel_add(function, "tile[%lld] += %s%d * %s%d;",
                       relative_index(rows, row) * width + relative_index(columns, column),
                       read->name, k, held->name, i);
        }
    }
}

static const char *side_parameters(const Operands *side)
{
    return format("const %s **%s, int64_t %s_at%s", side->spread ? "real" : "vec", side->name,
                  side->name, side->step ? format(", int64_t %s_step", side->name) : "");
}

static const char *side_arguments(const Operands *side)
{
    Int first = side->first + (side->step ? 0 : side->items.items[0].offset);
    return format("&%s, %lld%s", side->name, first, side->step ? format(", %s", side->step) : "");
}

/* One value needs no step to the next. */
static void leave_unused(Kernel *function, const Operands *side)
{
    const char *step = format("%s_step", side->name);
    if (side->step && !strstr(text_chars(&function->body), step))
        kernel_line(function, "(void)%s;", step);
}

static const char *outer_function(const Kernel *kernel, Int width, const Operands *rows,
                                  const Operands *columns)
{
    Kernel function = begin_function(kernel);
    multiply(&function, width, rows, columns);
    leave_unused(&function, rows);
    leave_unused(&function, columns);
    return end_function(
        kernel, &function,
        format(
            "/* Of a tile's sums, %d rows of %d, each takes its row's %s times its column's %s. */",
            rows->items.count, columns->items.count, rows->name, columns->name),
        ALWAYS_INLINE, format("outer_%dx%d", rows->items.count, columns->items.count),
        format("(vec *tile, %s, %s)", side_parameters(rows), side_parameters(columns)));
}

void outer_product(Kernel *kernel, Int width, const Operands *rows, const Operands *columns)
{
    if (!rows->items.count || !columns->items.count)
        return;
    Int first = rows->items.items[0].at * width + columns->items.items[0].at;
    kernel_line(kernel, "%s(tile%s, %s, %s);", outer_function(kernel, width, rows, columns),
                first ? format(" + %lld", first) : "", side_arguments(rows),
                side_arguments(columns));
}

/* ---------------------------------------------------------- contraction */

typedef struct ContractionText {
    Kernel *kernel;
    const Contraction *contraction;
    Int in_plane, out_plane;
    bool packed; /* a tile's weights are copied first, in the order of their use */
    RunList runs;
    bool ahead;       /* the next row's sources are fetched meanwhile */
    const Node *pool; /* takes a tile's sums as they are; NULL: they are stored */
    Int rows;         /* of a tile: as many as one of the pool's windows has */
    enum { BY_GROUPS, BY_CHANNELS, BY_ROWS } cut; /* what a piece is, where the kernel splits */
} ContractionText;

/* A tile that goes on with what is there. */
static void contraction_load(const ContractionText *text, Int channels, Int positions)
{
    Kernel function = begin_function(text->kernel);
    for (Int t = 0; t < channels; t++)
        for (Int p = 0; p < positions; p++)
            kernel_add(&function, "tile[%lld] = to[%s];", t * positions + p,
                       strided(t, "plane", p));
    const char *name =
        end_function(text->kernel, &function,
                     format("/* A tile of %lld channels x %lld positions goes on with these. */",
                            channels, positions),
                     ALWAYS_INLINE, format("load_%lldx%lld", channels, positions),
                     format("(vec *tile, const vec *to%s)", channels > 1 ? ", int64_t plane" : ""));
    kernel_line(text->kernel, "%s(tile, to%s);", name,
                channels > 1 ? format(", %lld", text->out_plane) : "");
}

/* The sum of channel t at column x of row r of a tile is tile[t * positions + r * width + x]. */
static void contraction_start(const ContractionText *text, Int channels, Int width)
{
    const Contraction *contraction = text->contraction;
    Int positions = text->rows * width;
    bool accumulates = contraction->accumulate && !contraction->unweighted;
    if (!accumulates && !contraction->bias) {
        declare_tile(text->kernel, channels * positions);
        return;
    }
    kernel_line(text->kernel, "vec tile[%lld];", channels * positions);
    if (accumulates) {
        contraction_load(text, channels, positions);
        return;
    }
    for (Int t = 0; t < channels; t++) {
        Text sums = {0};
        for (Int p = 0; p < positions; p++)
            text_add(&sums, "tile[%lld] = ", t * positions + p);
        kernel_add(text->kernel, "%ssplat(b[%lld]);", text_chars(&sums), t);
    }
}

/* One tap: every position of a tile's rows, from `first` to `end`, times every weight. */
static void contraction_tap(const ContractionText *text, Int channels, Run run, Int tap, Int first,
                            Int end)
{
    const Axis *columns = &text->contraction->columns;
    Int line = text->contraction->rows.stride * columns->sources;
    Operands positions = {.name = "v"}, weights = {.name = "w", .spread = true};
    for (Int row = first; row < end; row++)
        for (Int x = 0; x < run.width; x++) {
            Int source = axis_source(columns, run.start + x, tap);
            if (source >= 0)
                push(&positions.items,
                     ((Value){row * run.width + x,
                              row * line + source - first_source(columns, run.start)}));
        }
    weights.first = text->packed ? tap * channels : tap;
    if (!text->packed && channels > 1)
        weights.step = format("%lld", text->contraction->out_step);
    for (Int t = 0; t < channels; t++)
        push(&weights.items, ((Value){t, t}));
    outer_product(text->kernel, text->rows * run.width, &weights, &positions);
}

static void contraction_weighted(const ContractionText *text, Int channels, Run run, Int first,
                                 Int end)
{
    for (Int tap = 0; tap < text->contraction->columns.taps; tap++)
        contraction_tap(text, channels, run, tap, first, end);
}

/* A mean's: taps without weights. */
static void contraction_unweighted(const ContractionText *text, Run run)
{
    const Axis *columns = &text->contraction->columns;
    for (Int tap = 0; tap < columns->taps; tap++)
        for (Int x = 0; x < run.width; x++) {
            Int source = axis_source(columns, run.start + x, tap);
            if (source >= 0)
                kernel_add(text->kernel, "tile[%lld] += v[%lld];", x,
                           source - first_source(columns, run.start));
        }
}

/* A row of taps.  Where some of a tile's rows have it in the padding, each is asked. */
static void contraction_taps(const ContractionText *text, Int channels, Run run)
{
    const Axis *rows = &text->contraction->rows;
    if (text->contraction->unweighted) {
        contraction_unweighted(text, run);
        return;
    }
    if (text->rows == 1 || every_tap_lies_inside(rows)) {
        contraction_weighted(text, channels, run, 0, text->rows);
        return;
    }
    for (Int row = 0; row < text->rows; row++) {
        kernel_line(text->kernel, "if (line >= %lld && line < %lld) {", -row * rows->stride,
                    rows->sources - row * rows->stride);
        contraction_weighted(text, channels, run, row, row + 1);
        kernel_line(text->kernel, "}");
    }
}

const char *strided(Int steps, const char *step, Int further)
{
    if (steps == 0)
        return format("%lld", further);
    const char *first = steps == 1 ? step : format("%lld * %s", steps, step);
    return further ? format("%s + %lld", first, further) : first;
}

const char *epilogue_parameters(const Kernel *kernel)
{
    Text parameters = {0};
    for (const char *name = kernel->epilogue_operands; name && *name; name += strcspn(name, ",")) {
        name += strspn(name, ", ");
        text_add(&parameters, ", const vec *%.*s", (int)strcspn(name, ","), name);
    }
    return text_chars(&parameters);
}

/* What stores a tile is a function, inlined as the products are. */
static void call_store(const ContractionText *text, const Kernel *function, Int channels, Int width)
{
    Kernel *kernel = text->kernel;
    const char *more = channels > 1 ? ", int64_t plane" : "";
    bool takes_offset = kernel->epilogue_operands != NULL;
    const char *name = end_function(
        kernel, function,
        format("/* Stores a tile of %lld channels x %lld positions. */", channels, width),
        ALWAYS_INLINE, format("store_%lldx%lld", channels, width),
        format("(vec *to, const vec *tile%s%s%s)", more, takes_offset ? ", int64_t at" : "",
               epilogue_parameters(kernel)));
    kernel_line(kernel, "%s(to, tile%s%s%s);", name,
                channels > 1 ? format(", %lld", text->out_plane) : "", takes_offset ? ", at" : "",
                takes_offset ? kernel->epilogue_operands : "");
}

/* A norm in evaluation, of a tile's sums, is a function, inlined as the products are. */
static void contraction_norm(const ContractionText *text, Int channels, Int width)
{
    Kernel *kernel = text->kernel, function = begin_function(kernel);
    Int positions = text->rows * width;
    if (!kernel->norm)
        return;
    for (Int t = 0; t < channels; t++)
        for (Int p = 0; p < positions; p++) {
            const char *sum = format("tile[%lld]", t * positions + p);
            norm_value(&function, sum, sum, format("%lld", t));
        }
    const char *name = end_function(
        kernel, &function,
        format("/* A batch norm in evaluation of a tile of %lld channels x %lld positions. */",
               channels, positions),
        ALWAYS_INLINE, format("norm_%lldx%lld", channels, positions),
        "(vec *tile, const real *norm)");
    kernel_line(kernel, "%s(tile, norm + 3 * (group * %lld + t));", name,
                text->contraction->out_channels);
}

static void contraction_store(const ContractionText *text, Int channels, Int width)
{
    const Contraction *contraction = text->contraction;
    const char *scale = contraction->unweighted ? format(" * (real)%.17g", contraction->scale) : "";
    Kernel function = begin_function(text->kernel);
    for (Int t = 0; t < channels; t++)
        for (Int x = 0; x < width; x++) {
            const char *offset = strided(t, "plane", x),
                       *before = contraction->unweighted && contraction->accumulate
                                     ? format("to[%s] + ", offset)
                                     : "";
            kernel_store(&function, format("to[%s]", offset), format("at + %s", offset),
                         format("%stile[%lld]%s", before, t * width + x, scale));
        }
    call_store(text, &function, channels, width);
    for (Int t = 0; text->kernel->sums && t < channels; t++)
        add_gradient_sums(text->kernel,
                          format("group * %lld + t + %lld", contraction->out_channels, t),
                          t * text->out_plane, width);
}

static void contraction_row(const ContractionText *text, Int channels)
{
    const Contraction *contraction = text->contraction;
    kernel_line(text->kernel, "const vec *v = in + n * %lld + line * %lld + source;",
                text->in_plane, contraction->columns.sources);
    if (text->packed)
        kernel_line(text->kernel, "const real *w = packed + (n * %lld + tap) * %lld;",
                    contraction->rows.taps, contraction->columns.taps * channels);
    else if (!contraction->unweighted)
        kernel_line(text->kernel, "const real *w = weights + t * %lldL + n * %lldL + tap * %lld;",
                    contraction->out_step, contraction->in_step, contraction->columns.taps);
}

enum { FOLLOWED_PLANES = 16 }; /* that a processor reads ahead in by itself, all at once */

static bool is_fetched_ahead(const ContractionText *text, Int channels, Int block)
{
    const Contraction *contraction = text->contraction;
    return block < contraction->rows.positions && contraction->out_channels <= MAX_AHEAD * channels
           && contraction->in_channels > FOLLOWED_PLANES && !contraction->unweighted
           && contraction->rows.stride == 1 && contraction->columns.stride == 1;
}

static bool splits_by(const ContractionText *text, int cut)
{
    return text->kernel->splits && (int)text->cut == cut;
}

/* The thread's first of a group's channels. */
static const char *first_channel(const ContractionText *text)
{
    return splits_by(text, BY_CHANNELS) ? "begin" : "0";
}

/* While the first channels of a row are computed, the next row's sources are
 * fetched: each lies in another plane, and of so many the processor foresees none. */
static void contraction_ahead(const ContractionText *text, Run run)
{
    const Axis *rows = &text->contraction->rows, *columns = &text->contraction->columns;
    if (!text->ahead)
        return;
    kernel_line(text->kernel, "if (t == %s && tap == %lld) {", first_channel(text),
                rows->backward ? 0 : rows->taps - 1);
    for (Int x = 0; x < run.width; x++)
        kernel_add(text->kernel, "__builtin_prefetch(v + %lld, 0, 2);", columns->sources + x);
    kernel_line(text->kernel, "}");
}

/* Where a tile's sums go: `to`, or nowhere yet. */
static void declare_output(const ContractionText *text)
{
    if (text->pool)
        return;
    kernel_line(text->kernel, "vec *to = out + t * %lld + row * %lld + column;", text->out_plane,
                text->contraction->columns.positions);
    if (text->kernel->epilogue_operands || text->kernel->sums)
        kernel_line(text->kernel, "const int64_t at = to - %s;", text->contraction->out);
}

/* What else the stores of a tile will read is fetched while its sums are made:
 * its lines lie in as many places as the tile has channels. */
static void fetch_for_stores(const ContractionText *text, Int channels, Int width)
{
    const Contraction *contraction = text->contraction;
    if (fits_block(text->kernel, contraction->groups * contraction->out_channels * text->out_plane))
        return;
    Kernel function = begin_function(text->kernel);
    const char *operands = text->kernel->epilogue_operands ? text->kernel->epilogue_operands : "",
               *plane = channels > 1 ? ", int64_t plane" : "",
               *sums = text->kernel->sums ? ", const vec *n_x" : "";
    for (Int t = 0; t < channels; t++)
        for (Int x = 0; x < width; x++)
            kernel_fetch(&function, format("at + %s", strided(t, "plane", x)));
    if (!function.body.length)
        return;
    const char *name = end_function(
        text->kernel, &function,
        format("/* Fetches what else a tile of %lld channels x %lld positions reads. */", channels,
               width),
        ALWAYS_INLINE, format("fetch_%lldx%lld", channels, width),
        format("(int64_t at%s%s%s)", plane, epilogue_parameters(text->kernel), sums));
    kernel_line(text->kernel, "%s(at%s%s%s);", name,
                channels > 1 ? format(", %lld", text->out_plane) : "", operands,
                text->kernel->sums ? ", n_x" : "");
}

static void contraction_tile(const ContractionText *text, Int channels, Run run)
{
    const Contraction *contraction = text->contraction;
    Kernel *kernel = text->kernel;
    open_run(kernel, &contraction->columns, run);
    declare_output(text);
    contraction_start(text, channels, run.width);
    if (!text->pool)
        fetch_for_stores(text, channels, run.width);
    kernel_line(kernel, "for (int n = 0; n < %lld; n++) {", contraction->in_channels);
    open_tap_lines(kernel, &contraction->rows, text->rows > 1);
    contraction_row(text, channels);
    contraction_taps(text, channels, run);
    contraction_ahead(text, run);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    contraction_norm(text, channels, run.width);
    if (text->pool)
        emit_pooled_tile(kernel, text->pool, format("group * %lld + t", contraction->out_channels),
                         channels, run.width);
    else
        contraction_store(text, channels, run.width);
    kernel_line(kernel, "}");
}

static void pack_weights(const ContractionText *text, Int channels)
{
    Kernel *kernel = text->kernel;
    const Contraction *contraction = text->contraction;
    Int window = contraction->rows.taps * contraction->columns.taps;
    kernel_line(kernel, "real packed[%lld];", contraction->in_channels * window * channels);
    kernel_line(kernel, "for (int n = 0; n < %lld; n++)", contraction->in_channels);
    kernel_line(kernel, "    for (int k = 0; k < %lld; k++)", window);
    kernel_line(kernel, "        for (int c = 0; c < %lld; c++)", channels);
    kernel_line(
        kernel,
        "            packed[(n * %lld + k) * %lld + c] = weights[(t + c) * %lldL + n * %lldL + k];",
        window, channels, contraction->out_step, contraction->in_step);
}

/* Some rows, and all columns, of the tiles of `channels` channels from `from` to `to`. */
static void contraction_channels(const ContractionText *text, Int channels, Int from, Int to)
{
    Kernel *kernel = text->kernel;
    if (from >= to)
        return;
    if (splits_by(text, BY_CHANNELS))
        open_declared_pieces(kernel, "t", from, channels);
    else
        kernel_line(kernel, "for (int t = %lld; t < %lld; t += %lld) {", from, to, channels);
    if (text->contraction->bias)
        kernel_line(kernel, "const real *b = biases + t;");
    if (text->packed)
        pack_weights(text, channels);
    kernel_line(kernel, "for (int row = top; row + %lld <= bottom; row += %lld) {", text->rows,
                text->rows);
    declare_row_taps(kernel, &text->contraction->rows);
    for (int i = 0; i < text->runs.count; i++)
        contraction_tile(text, channels, text->runs.items[i]);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

enum {
    BLOCK_BYTES = 768 << 10, /* of sources: what of a second-level cache they may fill */
    PACKED_POSITIONS = 48,   /* a weight that is used so often repays its copy */
    MAX_PACKED = 1 << 16     /* elements on the stack */
};

bool fits_block(const Kernel *kernel, Int vectors)
{
    return vectors <= BLOCK_BYTES / (kernel->lanes * (Int)sizeof(float));
}

/* How many rows of all channels are computed before the next ones are begun.
 * All, where the sources stay in the cache from tile to tile anyhow, or where
 * the weights are the larger part and are better read once. */
static Int block_rows(const Kernel *kernel, const Contraction *contraction)
{
    const Axis *rows = &contraction->rows, *columns = &contraction->columns;
    Int line = contraction->in_channels * columns->sources, fit = 1;
    Int weights = contraction->out_channels * contraction->in_channels * rows->taps * columns->taps;
    if (fits_block(kernel, line * rows->sources) || weights > line * rows->sources * kernel->lanes)
        return rows->positions;
    while (
        fits_block(kernel, line * ((fit + 1) * (rows->backward ? 1 : rows->stride) + rows->taps)))
        fit++;
    Int block = rows->backward ? fit * rows->stride : fit;
    return block < rows->positions ? block : rows->positions;
}

/* The gradient's weights lie a whole out channel apart: a tile copies its own
 * into the order in which it reads them, when it reads them often enough. */
static bool is_packed(const Contraction *contraction, Int channels, Int rows)
{
    return contraction->columns.backward && !contraction->unweighted && channels > 1
           && rows * contraction->columns.positions >= PACKED_POSITIONS
           && contraction->in_channels * contraction->rows.taps * contraction->columns.taps
                      * channels
                  <= MAX_PACKED;
}

/* Between these, `top` and `bottom` bound the rows to compute. */
static void open_block(const ContractionText *text, Int rows, Int block)
{
    Kernel *kernel = text->kernel;
    bool own = splits_by(text, BY_ROWS);
    const char *first = own ? "begin" : "0", *end = own ? "end" : format("%lld", rows);
    if (block < rows) {
        kernel_line(kernel, "for (int top = %s; top < %s; top += %lld) {", first, end, block);
        kernel_line(kernel, "const int bottom = top + %lld < %s ? top + %lld : %s;", block, end,
                    block, end);
    } else {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int top = %s, bottom = %s;", first, end);
    }
}

/* -------------------------------------------------------------- pieces */

/* Groups, where there are many; rows, where there are enough or more of them than tiles of
 * channels, but for a norm's sums, which go over all rows of a channel. */
static void choose_cut(ContractionText *text, Int tiles, Int rows)
{
    bool sums = text->kernel->sums;
    if (text->contraction->groups >= ENOUGH_PIECES)
        text->cut = BY_GROUPS;
    else if (!sums && (rows >= ENOUGH_PIECES || rows >= tiles))
        text->cut = BY_ROWS;
    else
        text->cut = BY_CHANNELS;
    if (sums && text->cut == BY_CHANNELS && text->contraction->groups > 1)
        text->kernel->splits = false; /* a thread's channels would not follow one another */
}

/* A thread's pieces: from `begin` to `end`. */
static void declare_own_pieces(ContractionText *text, Tile tile)
{
    Kernel *kernel = text->kernel;
    const Contraction *contraction = text->contraction;
    Int unit = text->rows * (contraction->rows.backward ? contraction->rows.stride : 1);
    if (!kernel->splits)
        return;
    choose_cut(text, (contraction->out_channels + tile.channels - 1) / tile.channels,
               (contraction->rows.positions + unit - 1) / unit);
    if (!kernel->splits)
        return;
    if (text->cut == BY_GROUPS)
        declare_pieces(kernel, "begin", "end", 0, contraction->groups, 1);
    else if (text->cut == BY_CHANNELS)
        declare_pieces(kernel, "begin", "end", 0, contraction->out_channels, tile.channels);
    else
        declare_pieces(kernel, "begin", "end", 0, contraction->rows.positions, unit);
    if (!kernel->sums)
        return;
    Int channels = text->cut == BY_GROUPS ? contraction->out_channels : 1;
    kernel->summed_from = channels == 1 ? "begin" : format("begin * %lld", channels);
    kernel->summed_to = channels == 1 ? "end" : format("end * %lld", channels);
}

static void open_own_groups(const ContractionText *text)
{
    if (splits_by(text, BY_GROUPS))
        kernel_line(text->kernel, "for (int group = begin; group < end; group++) {");
    else
        kernel_line(text->kernel, "for (int group = 0; group < %lld; group++) {",
                    text->contraction->groups);
}

OuterTile choose_outer_tile(const Contraction *forward, OuterTile max_tile, Int lines,
                            int registers)
{
    OuterTile best = {1, 1};
    double best_cost = 1e300;
    for (Int outs = 1; outs <= min(max_tile.outs, forward->out_channels); outs++)
        for (Int ins = 1; ins <= min(max_tile.ins, forward->in_channels); ins++) {
            Int side = ins * lines, tiles = ((forward->out_channels + outs - 1) / outs)
                                            * ((forward->in_channels + ins - 1) / ins);
            double cost =
                (double)tiles * ((double)(outs * side) + 0.25 * (double)(outs + side) + 2);
            if (outs * side + min(outs, side) + 1 <= registers && cost < best_cost) {
                best_cost = cost;
                best = (OuterTile){outs, ins};
            }
        }
    return best;
}

void end_tile(Kernel *kernel)
{
    if (kernel->epilogue && kernel->registers < 32)
        kernel_line(kernel, "register_barrier();");
    kernel_line(kernel, "}");
}

void open_groups(Kernel *kernel, Int groups)
{
    if (groups > 1)
        open_pieces(kernel, "group", groups);
    else
        kernel_line(kernel, "for (int group = 0; group < 1; group++) {");
}

/* A pool's tile is whole windows; what none covers is not computed. */
static Contraction covered(const Contraction *contraction, const Node *pool)
{
    Contraction within = *contraction;
    within.columns.positions = layer_axis(pool, COLUMNS).positions * pooled_columns(pool);
    return within;
}

void emit_contraction(Kernel *kernel, const Contraction *whole)
{
    const Node *pool = kernel->pool;
    const Contraction within = pool ? covered(whole, pool) : *whole, *contraction = &within;
    ContractionText text = {
        .kernel = kernel,
        .contraction = contraction,
        .in_plane = contraction->rows.sources * contraction->columns.sources,
        .out_plane = contraction->rows.positions * contraction->columns.positions,
        .pool = pool,
        .rows = pool ? pooled_rows(pool) : 1,
    };
    Int step = pool                            ? pooled_columns(pool)
               : contraction->columns.backward ? contraction->columns.stride
                                               : 1;
    Tile tile = choose_tile(contraction, text.rows, step, kernel->registers);
    kernel->algorithm =
        contraction->unweighted
            ? format("Means over windows, %lld columns at a time.", tile.columns)
            : format("Direct %s: tiles of %lld channels x %lld positions, summed in registers.",
                     contraction->columns.backward ? "transposed convolution" : "convolution",
                     tile.channels, text.rows * tile.columns);
    split_columns(&contraction->columns, tile.columns, &text.runs);

    declare_own_pieces(&text, tile);
    open_own_groups(&text);
    kernel_line(kernel, "const vec *in = %s + group * %lldL;", contraction->in,
                contraction->in_channels * text.in_plane);
    if (!pool)
        kernel_line(kernel, "vec *out = %s + group * %lldL;", contraction->out,
                    contraction->out_channels * text.out_plane);
    if (!contraction->unweighted)
        kernel_line(kernel, "const real *weights = weight + group * %lldL;",
                    contraction->group_step);
    if (contraction->bias)
        kernel_line(kernel, "const real *biases = %s + group * %lld;", contraction->bias,
                    contraction->out_channels);
    Int full = contraction->out_channels / tile.channels * tile.channels,
        block = block_rows(kernel, contraction);
    if (block < contraction->rows.positions)
        block += text.rows - 1 - (block - 1) % text.rows;
    text.packed = is_packed(contraction, tile.channels, block);
    text.ahead = is_fetched_ahead(&text, tile.channels, block);
    open_block(&text, contraction->rows.positions, block);
    contraction_channels(&text, tile.channels, 0, full);
    contraction_channels(&text, contraction->out_channels - full, full, contraction->out_channels);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static void product_tile(Kernel *function, Int channels, Int width)
{
    Operands columns = {.name = "v"}, weights = {.name = "w", .spread = true};
    for (Int x = 0; x < width; x++)
        push(&columns.items, ((Value){x, x}));
    for (Int t = 0; t < channels; t++)
        push(&weights.items, ((Value){t, t}));
    declare_tile(function, channels * width);
    kernel_line(function, "const vec *v = in + column;");
    kernel_line(function, "const real *w = weights + t;");
    kernel_line(function, "for (int64_t n = 0; n < ins; n++, v += columns, w += outs) {");
    outer_product(function, width, &weights, &columns);
    kernel_line(function, "}");
    kernel_line(function, "vec *to = out + t * columns + column;");
    for (Int t = 0; t < channels; t++) {
        for (Int x = 0; x < width; x++)
            kernel_add(function, "to[%lld] = tile[%lld];", x, t * width + x);
        if (t < channels - 1)
            kernel_add(function, "to += columns;");
    }
}

/* All columns of some channels: tiles of `width`, and what is left. */
static void product_columns(Kernel *function, Int channels, Int width, Int rest)
{
    kernel_line(function, "for (int64_t column = 0; column + %lld <= columns; column += %lld) {",
                width, width);
    product_tile(function, channels, width);
    kernel_line(function, "}");
    if (rest) {
        kernel_line(function, "{");
        kernel_line(function, "const int64_t column = columns - %lld;", rest);
        product_tile(function, channels, rest);
        kernel_line(function, "}");
    }
}

const char *product_function(const Kernel *kernel, const Contraction *contraction)
{
    Tile tile = choose_tile(contraction, 1, 1, kernel->registers);
    Int width = min(tile.columns, contraction->columns.positions);
    Int channels = contraction->out_channels % tile.channels,
        columns = contraction->columns.positions % width;
    Kernel function = begin_function(kernel);
    kernel_line(&function, "for (int64_t t = 0; t + %lld <= outs; t += %lld) {", tile.channels,
                tile.channels);
    product_columns(&function, tile.channels, width, columns);
    kernel_line(&function, "}");
    if (channels) {
        kernel_line(&function, "const int64_t t = outs - %lld;", channels);
        product_columns(&function, channels, width, columns);
    }
    return end_function(
        kernel, &function,
        format("/* A matrix product: out[t][column] = sum over n of weights[n][t] * in[n][column],"
               "\n * in tiles of %lld x %lld sums in registers. */",
               tile.channels, width),
        "static void ", format("product_%lldx%lld", tile.channels, width),
        "(vec *out, const vec *in, const real *weights, int64_t outs, int64_t ins,\n    int64_t "
        "columns)");
}

void emit_mean(Kernel *kernel, Axis rows, Axis columns, double scale)
{
    Contraction forward = {
        .in = "x",
        .out = "y",
        .unweighted = true,
        .scale = scale,
        .groups = input_shape(kernel->node).dim[0],
        .out_channels = 1,
        .in_channels = 1,
        .rows = rows,
        .columns = columns,
    };
    Contraction backward = reversed_contraction(&forward, kernel->node->accumulate);
    if (kernel->stage == STAGE_FORWARD) {
        emit_contraction(kernel, &forward);
        return;
    }
    open_gradient_sums(kernel);
    emit_contraction(kernel, &backward);
    close_gradient_sums(kernel);
}
