/* weight_gradient.c: see tiles.h.
 *
 * A tile is some out channels times some in channels times a row of taps, whose
 * sums stay in registers while a window of sources moves along the rows.  What
 * a maximum over windows comes after has one gradient per window, which belongs
 * to one of its elements, another in each lane: then it is the sources that are
 * chosen, and each window's taps are multiplied once instead of once per element.
 */
#include "kernels/grain/pool.h"
#include "kernels/grain/tiles.h"

enum {
    MAX_TILE_CHANNELS = 16,
    GRADIENT_COLUMNS = 4,
    MASKED_REGISTERS = 32
}; /* of a target that chooses lanes by a bit each */

typedef struct Tile {
    Int outs, ins, taps;
} Tile;

typedef struct GradientText {
    Kernel *kernel;
    const Contraction *forward;
    Int x_plane, y_plane;
    Int first_tap, taps; /* the columns' taps that this pass sums */
    Int first_channel;   /* of out, in this loop */
    Int room;            /* sums of one out channel in a stretch of in channels */
    RunList runs;
    const Node *pool; /* dy is what it was given, aux what it noted; NULL: dy is the layer's own */
} GradientText;

/* Of several groups each is a piece. */
static bool shares_channels(const GradientText *text)
{
    return text->kernel->splits && text->forward->groups == 1;
}

/* In half cycles per position, as tap_cost: a position reads one value of every
 * out channel and, of every in channel, what its window has not seen yet. */
static double gradient_cost(const Contraction *forward, Tile tile)
{
    Int fresh = tile.taps < forward->columns.stride ? tile.taps : forward->columns.stride;
    Int sums = tile.outs * tile.ins * tile.taps, loads = tile.outs + tile.ins * fresh;
    Int cost = sums > loads ? sums : loads;
    return (double)(cost > 10 ? cost : 10) + 0.25 * (double)loads + 1;
}

/* Channels of out and of in per tile, so that the sums, the window and one
 * value of dy fit the registers. */
static Tile choose_gradient_tile(const Contraction *forward, Int taps, int registers)
{
    Tile best = {1, 1, taps};
    double best_cost = 1e300;
    for (Int outs = 1; outs <= forward->out_channels && outs <= MAX_TILE_CHANNELS; outs++)
        for (Int ins = 1; ins <= forward->in_channels && ins <= MAX_TILE_CHANNELS; ins++) {
            Tile tile = {outs, ins, taps};
            Int tiles = ((forward->out_channels + outs - 1) / outs)
                        * ((forward->in_channels + ins - 1) / ins);
            double cost = (double)tiles * gradient_cost(forward, tile);
            if ((outs + 1) * ins * taps + 1 <= registers && cost < best_cost) {
                best_cost = cost;
                best = tile;
            }
        }
    return best;
}

/* The sources that a position reads and no position of the run before it did. */
static void gradient_sources(const GradientText *text, Tile tile, Run run, Int x, bool *read)
{
    const Axis *columns = &text->forward->columns;
    for (Int k = 0; k < text->taps; k++) {
        Int source = axis_source(columns, run.start + x, text->first_tap + k);
        if (source < 0 || read[source])
            continue;
        read[source] = true;
        for (Int i = 0; i < tile.ins; i++)
            kernel_add(text->kernel, "const vec v%lld_%lld = v[%lld];", i, source,
                       i * text->x_plane + source - first_source(columns, run.start));
    }
}

/* What a run's positions add.  The accumulator of out channel o, in channel i
 * and tap k is a<o>_<i * taps + k>; a window of sources moves along the run in
 * registers. */
static void gradient_products(const GradientText *text, Tile tile, Run run)
{
    const Axis *columns = &text->forward->columns;
    bool *read = NEW_ARRAY(bool, (size_t)columns->sources);
    for (Int x = 0; x < run.width; x++) {
        gradient_sources(text, tile, run, x, read);
        for (Int o = 0; o < tile.outs; o++) {
            kernel_add(text->kernel, "const vec d%lld_%lld = d[%lld];", o, x,
                       o * text->y_plane + x);
            for (Int n = 0; n < tile.ins * text->taps; n++) {
                Int source = axis_source(columns, run.start + x, text->first_tap + n % text->taps);
                if (source >= 0)
                    kernel_add(text->kernel, "a%lld_%lld += d%lld_%lld * v%lld_%lld;", o, n, o, x,
                               n / text->taps, source);
            }
        }
    }
}

/* While the first out channels go over these in channels, fetches the next ones
 * where they do not all stay in the cache and the first are a good part of all. */
static void gradient_ahead(const GradientText *text, Tile tile, Run run)
{
    const Contraction *forward = text->forward;
    if (fits_block(text->kernel, forward->in_channels * text->x_plane)
        || forward->out_channels > MAX_AHEAD * tile.outs)
        return;
    kernel_line(text->kernel, "if (o == %s && tap == %lld) {",
                shares_channels(text) ? "begin" : format("%lld", text->first_channel),
                forward->rows.taps / 2);
    for (Int i = 0; i < tile.ins; i++)
        for (Int x = 0; x < run.width * forward->columns.stride; x++)
            kernel_add(text->kernel, "__builtin_prefetch(v + %lld, 0, 2);",
                       (tile.ins + i) * text->x_plane + x);
    kernel_line(text->kernel, "}");
}

static void gradient_rows(const GradientText *text, Tile tile)
{
    Kernel *kernel = text->kernel;
    const Contraction *forward = text->forward;
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", forward->rows.positions);
    reach_line(kernel, &forward->rows);
    for (int i = 0; i < text->runs.count; i++) {
        open_run(kernel, &forward->columns, text->runs.items[i]);
        kernel_line(kernel, "const vec *d = from + o * %lld + row * %lld + column;", text->y_plane,
                    forward->columns.positions);
        kernel_line(kernel, "const vec *v = in + i * %lld + line * %lld + source;", text->x_plane,
                    forward->columns.sources);
        gradient_products(text, tile, text->runs.items[i]);
        gradient_ahead(text, tile, text->runs.items[i]);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}

/* One tile's sums for every row of taps, left in `sums` with their lanes. */
static void gradient_tile(const GradientText *text, Tile tile)
{
    Kernel *kernel = text->kernel;
    const Contraction *forward = text->forward;
    Int taps = forward->columns.taps;
    kernel_line(kernel, "for (int tap = 0; tap < %lld; tap++) {", forward->rows.taps);
    for (Int o = 0; o < tile.outs; o++)
        for (Int n = 0; n < tile.ins * text->taps; n++)
            kernel_add(kernel, "vec a%lld_%lld = { 0 };", o, n);
    gradient_rows(text, tile);
    kernel_line(kernel, "vec *to = sums + (i - first) * %lld + tap * %lld;",
                forward->rows.taps * taps, taps);
    for (Int o = 0; o < tile.outs; o++)
        for (Int n = 0; n < tile.ins * text->taps; n++) {
            Int i = n / text->taps, k = text->first_tap + n % text->taps;
            kernel_add(kernel, "to[%lld] = a%lld_%lld;",
                       o * text->room + i * forward->rows.taps * taps + k, o, n);
        }
    kernel_line(kernel, "}");
}

/* ------------------------------------------- of what a maximum comes after
 * The window's largest element lies `right` and `down` of its first, in each lane
 * its own way: of the sources that a tap could meet one is chosen, first along
 * the row, for all taps of the column axis, then among the rows. */

/* The axis of the windows: its taps are the sources that any element reads. */
static Axis window_axis(const Axis *axis, Int window, Int positions)
{
    return (Axis){
        .sources = axis->sources,
        .positions = positions,
        .taps = (window - 1) * axis->stride + (axis->taps - 1) * axis->dilation + 1,
        .stride = window * axis->stride,
        .dilation = 1,
        .before = axis->before,
    };
}

static Axis window_rows(const Contraction *forward, const Node *pool)
{
    return window_axis(&forward->rows, pooled_rows(pool), layer_axis(pool, ROWS).positions);
}

static Axis window_columns(const Contraction *forward, const Node *pool)
{
    return window_axis(&forward->columns, pooled_columns(pool),
                       layer_axis(pool, COLUMNS).positions);
}

/* Whether no window's rows reach into the padding. */
static bool has_whole_windows(const Contraction *forward, const Node *pool)
{
    Axis rows = window_rows(forward, pool);
    return every_tap_lies_inside(&rows);
}

/* Whether a tap of an element reads row `r` of its window's sources. */
static bool is_read(const Axis *rows, Int window, Int r)
{
    for (Int w = 0; w < window; w++)
        if (r >= w * rows->stride && (r - w * rows->stride) % rows->dilation == 0
            && (r - w * rows->stride) / rows->dilation < rows->taps)
            return true;
    return false;
}

/* The chosen rows that wait for the last of those they are chosen from. */
static Int waiting_rows(const Contraction *forward, const Node *pool)
{
    return (pooled_rows(pool) - 1) * forward->rows.stride;
}

static bool fits_registers(const Contraction *forward, const Node *pool, Int taps, Int ins,
                           int registers)
{
    return (forward->rows.taps + waiting_rows(forward, pool)) * taps * ins + 4 <= registers;
}

bool is_worth_choosing(const Contraction *forward, const Node *pool)
{
    const Axis *rows = &forward->rows, *columns = &forward->columns;
    Int down = pooled_rows(pool), right = pooled_columns(pool), taps = rows->taps * columns->taps,
        read = 0;
    for (Int r = 0; r < window_rows(forward, pool).taps; r++)
        read += is_read(rows, down, r);
    Int choices = read * columns->taps * (right - 1) + taps * (down - 1);
    return taps + choices < taps * down * right
           && fits_registers(forward, pool, 1, 1, MASKED_REGISTERS);
}

/* As few passes as the registers allow, all about as wide, and then as many in channels. */
static Tile choose_pooled_tile(const Contraction *forward, const Node *pool, int registers)
{
    Int all = forward->columns.taps, passes = 1;
    while (passes < all
           && !fits_registers(forward, pool, (all + passes - 1) / passes, 1, registers))
        passes++;
    Tile tile = {1, 1, (all + passes - 1) / passes};
    while (tile.ins < forward->in_channels
           && fits_registers(forward, pool, tile.taps, tile.ins + 1, registers))
        tile.ins++;
    return tile;
}

/* Where the largest lies in each window of out channel o: `right` and `down` are
 * the lanes in which it lies at least so far down, and just so far right. */
static void declare_largest(const GradientText *text)
{
    Kernel *kernel = text->kernel;
    Int down = pooled_rows(text->pool), right = pooled_columns(text->pool);
    if (right > 1)
        kernel_line(kernel, "lane_mask right[%lld];", (right - 1) * text->y_plane);
    if (down > 1)
        kernel_line(kernel, "lane_mask down[%lld];", (down - 1) * text->y_plane);
    kernel_line(kernel, "for (int p = 0; p < %lld; p++) {", text->y_plane);
    kernel_line(kernel, "const vec which = noted[o * %lld + p];", text->y_plane);
    for (Int x = 1; x < right; x++) {
        Text lanes = {0};
        for (Int y = 0; y < down; y++)
            text_add(&lanes, "%s(which == (vec){ 0 } + (real)%lld)", y ? " | " : "", y * right + x);
        kernel_line(kernel, "right[p * %lld + %lld] = lane_mask_of(%s);", right - 1, x - 1,
                    text_chars(&lanes));
    }
    for (Int y = 1; y < down; y++)
        kernel_line(kernel,
                    "down[p * %lld + %lld] = lane_mask_of(which >= (vec){ 0 } + (real)%lld);",
                    down - 1, y - 1, y * right);
    kernel_line(kernel, "}");
}

/* One of the sources of a window of the run: in channel n, row r, column c. */
static const char *window_source(const GradientText *text, Run run, bool padded, Int n, Int r,
                                 Int c)
{
    Axis columns = window_columns(text->forward, text->pool);
    Int source = axis_source(&columns, run.start, c),
        at = source - first_source(&columns, run.start);
    if (source < 0)
        return "(vec){ 0 }";
    if (padded)
        return format("line%lld_%lld[source + %lld]", n, r, at);
    return format("v[%lld]", n * text->x_plane + r * columns.sources + at);
}

/* h<r>_<n * taps + k>: of row r, what tap k multiplies where the largest lies `right`. */
static void choose_in_row(const GradientText *text, Run run, bool padded, Int n, Int r, Int k,
                          bool *read)
{
    const Axis *columns = &text->forward->columns;
    const char *chosen = NULL;
    for (Int x = 0; x < pooled_columns(text->pool); x++) {
        Int c = (text->first_tap + k) * columns->dilation + x * columns->stride;
        if (!read[c])
            kernel_add(text->kernel, "const vec v%lld_%lld_%lld = %s;", n, r, c,
                       window_source(text, run, padded, n, r, c));
        read[c] = true;
        const char *value = format("v%lld_%lld_%lld", n, r, c);
        chosen = chosen ? format("vec_blend(right%lld, %s, %s)", x, value, chosen) : value;
    }
    kernel_add(text->kernel, "const vec h%lld_%lld = %s;", r, n * text->taps + k, chosen);
}

/* Row r is the last that some row of taps waits for: it is chosen among the rows now. */
static void add_chosen(const GradientText *text, Int at, Int r)
{
    const Axis *rows = &text->forward->rows;
    Int first = r - waiting_rows(text->forward, text->pool), tap = first / rows->dilation;
    if (first < 0 || first % rows->dilation || tap >= rows->taps)
        return;
    const char *chosen = format("h%lld_%lld", first, at);
    for (Int y = 1; y < pooled_rows(text->pool); y++)
        chosen =
            format("vec_blend(down%lld, h%lld_%lld, %s)", y, first + y * rows->stride, at, chosen);
    kernel_add(text->kernel, "a%lld_%lld += d * %s;", tap, at, chosen);
}

static void pooled_windows(const GradientText *text, Tile tile, Run run, bool padded)
{
    Kernel *kernel = text->kernel;
    Axis rows = window_rows(text->forward, text->pool),
         columns = window_columns(text->forward, text->pool);
    Int down = pooled_rows(text->pool), right = pooled_columns(text->pool);
    kernel_line(kernel, "const int p = row * %lld + column;", columns.positions);
    kernel_line(kernel, "const vec d = from[o * %lld + p];", text->y_plane);
    for (Int x = 1; x < right; x++)
        kernel_line(kernel, "const lane_mask right%lld = right[p * %lld + %lld];", x, right - 1,
                    x - 1);
    for (Int y = 1; y < down; y++)
        kernel_line(kernel, "const lane_mask down%lld = down[p * %lld + %lld];", y, down - 1,
                    y - 1);
    if (!padded)
        kernel_line(kernel, "const vec *v = in + i * %lld + row * %lld + source;", text->x_plane,
                    rows.stride * columns.sources);
    for (Int r = 0; r < rows.taps; r++)
        for (Int n = 0; is_read(&text->forward->rows, down, r) && n < tile.ins; n++) {
            bool *read = NEW_ARRAY(bool, (size_t)columns.taps);
            for (Int k = 0; k < text->taps; k++) {
                choose_in_row(text, run, padded, n, r, k, read);
                add_chosen(text, n * text->taps + k, r);
            }
        }
}

/* The rows of a window's sources; in the padding, a row of zeros. */
static void declare_lines(const GradientText *text, Tile tile, const Axis *rows, Int width)
{
    for (Int r = 0; r < rows->taps; r++)
        for (Int n = 0; is_read(&text->forward->rows, pooled_rows(text->pool), r) && n < tile.ins;
             n++) {
            kernel_add(text->kernel, "const int at%lld_%lld = row * %lld + %lld;", n, r,
                       rows->stride, r - rows->before);
            kernel_line(text->kernel,
                        "const vec *line%lld_%lld = at%lld_%lld >= 0 && at%lld_%lld < %lld ? in + "
                        "(i + %lld) * %lld + at%lld_%lld * %lld : zeros;",
                        n, r, n, r, n, r, rows->sources, n, text->x_plane, n, r, width);
        }
}

/* All rows of taps at once, left in `sums` with their lanes. */
static void pooled_tile(const GradientText *text, Tile tile)
{
    Kernel *kernel = text->kernel;
    const Contraction *forward = text->forward;
    Axis rows = window_rows(forward, text->pool), columns = window_columns(forward, text->pool);
    bool padded = !has_whole_windows(forward, text->pool);
    for (Int tap = 0; tap < forward->rows.taps; tap++)
        for (Int n = 0; n < tile.ins * text->taps; n++)
            kernel_add(kernel, "vec a%lld_%lld = { 0 };", tap, n);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", rows.positions);
    if (padded)
        declare_lines(text, tile, &rows, columns.sources);
    for (int i = 0; i < text->runs.count; i++) {
        open_run(kernel, &columns, text->runs.items[i]);
        pooled_windows(text, tile, text->runs.items[i], padded);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
    kernel_line(kernel, "vec *to = sums + (i - first) * %lld;", forward->in_step);
    for (Int tap = 0; tap < forward->rows.taps; tap++)
        for (Int n = 0; n < tile.ins * text->taps; n++) {
            Int i = n / text->taps, k = text->first_tap + n % text->taps;
            kernel_add(kernel, "to[%lld] = a%lld_%lld;",
                       i * forward->in_step + tap * forward->columns.taps + k, tap, n);
        }
}

/* -------------------------------------------------------------- stretches */

/* All tiles of a stretch of in channels, from `first` to `end`; a narrower one
 * is the last of the last stretch. */
static void gradient_stretch(GradientText *text, Tile tile)
{
    Kernel *kernel = text->kernel;
    const Contraction *forward = text->forward;
    Int max_taps = tile.taps, rest = forward->in_channels % tile.ins;
    void (*tile_text)(const GradientText *, Tile) = text->pool ? pooled_tile : gradient_tile;
    for (text->first_tap = 0; text->first_tap < forward->columns.taps;
         text->first_tap += text->taps) {
        Int left = forward->columns.taps - text->first_tap;
        text->taps = left < max_taps ? left : max_taps;
        kernel_line(kernel, "for (int i = first; i + %lld <= end; i += %lld) {", tile.ins,
                    tile.ins);
        tile_text(text, tile);
        kernel_line(kernel, "}");
        if (!rest)
            continue;
        kernel_line(kernel, "if (end == %lld) {", forward->in_channels);
        kernel_line(kernel, "const int i = %lld;", forward->in_channels - rest);
        tile_text(text, (Tile){tile.outs, rest, max_taps});
        kernel_line(kernel, "}");
    }
}

enum { MAX_SUMS = 256 }; /* rows of lanes that wait to be added up: they stay in the first cache */

/* The gradients of out channels from … to, `tile` of them at a time.  A
 * stretch's sums lie as their weights do, so their lanes are added up and
 * stored a whole vector of weights at a time. */
static void gradient_channels(GradientText *text, Tile tile, Int from, Int to)
{
    if (from >= to)
        return;
    Kernel *kernel = text->kernel;
    const Contraction *forward = text->forward;
    Int window = forward->in_step, tiles = MAX_SUMS / (tile.outs * tile.ins * window);
    Int stretch = tile.ins * (tiles ? tiles : 1);
    while (stretch > tile.ins && !fits_block(kernel, stretch * text->x_plane))
        stretch -= tile.ins;
    if (stretch > forward->in_channels)
        stretch = forward->in_channels;
    text->room = stretch * window;
    text->first_channel = from;
    kernel_line(kernel, "for (int first = 0; first < %lld; first += %lld) {", forward->in_channels,
                stretch);
    kernel_line(kernel, "const int end = first + %lld < %lld ? first + %lld : %lld;", stretch,
                forward->in_channels, stretch, forward->in_channels);
    if (shares_channels(text)) {
        declare_pieces(kernel, "begin", "stop", from, to, tile.outs);
        kernel_line(kernel, "for (int o = begin; o < stop; o += %lld) {", tile.outs);
    } else
        kernel_line(kernel, "for (int o = %lld; o < %lld; o += %lld) {", from, to, tile.outs);
    kernel_line(kernel, "vec sums[%lld];", tile.outs * text->room);
    if (text->pool)
        declare_largest(text);
    gradient_stretch(text, tile);
    kernel_line(kernel, "for (int k = 0; k < %lld; k++)", tile.outs);
    kernel_line(kernel,
                "    sum_rows(gradients + (o + k) * %lldL + first * %lldL, sums + k * %lld, (end - "
                "first) * %lld);",
                forward->out_step, window, text->room, window);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

void emit_weight_gradient(Kernel *kernel, const Contraction *forward)
{
    kernel->algorithm =
        "Weight gradient, direct: sums over positions and lanes, a tile of channels in registers.";
    const Node *pool = kernel->pool;
    GradientText text = {
        .kernel = kernel,
        .forward = forward,
        .pool = pool,
        .x_plane = forward->rows.sources * forward->columns.sources,
        .y_plane = pool ? shape_plane(pool->out->shape)
                        : forward->rows.positions * forward->columns.positions,
    };
    Int max_taps = kernel->registers / 2;
    Tile tile = pool ? choose_pooled_tile(forward, pool, kernel->registers)
                     : choose_gradient_tile(forward,
                                            forward->columns.taps < max_taps ? forward->columns.taps
                                                                             : max_taps,
                                            kernel->registers);
    Axis columns = pool ? window_columns(forward, pool) : forward->columns;
    split_columns(&columns, pool ? 1 : GRADIENT_COLUMNS, &text.runs);

    open_groups(kernel, forward->groups);
    kernel_line(kernel, "const vec *in = x + group * %lldL;", forward->in_channels * text.x_plane);
    kernel_line(kernel, "const vec *from = dy + group * %lldL;",
                forward->out_channels * text.y_plane);
    kernel_line(kernel, "real *gradients = dweight + group * %lldL;", forward->group_step);
    if (pool)
        kernel_line(kernel, "const vec *noted = aux + group * %lldL;",
                    forward->out_channels * text.y_plane);
    if (pool && !has_whole_windows(forward, pool))
        kernel_line(kernel, "const vec zeros[%lld] = { { 0 } };", forward->columns.sources);
    Int whole = forward->out_channels / tile.outs * tile.outs;
    gradient_channels(&text, tile, 0, whole);
    gradient_channels(&text, (Tile){forward->out_channels - whole, tile.ins, tile.taps}, whole,
                      forward->out_channels);
    kernel_line(kernel, "}");
}

void emit_bias_gradient(Kernel *kernel, Int channels, Int positions)
{
    long long whole = positions / 4 * 4;
    open_pieces(kernel, "o", channels);
    kernel_line(kernel, "const vec *d = dy + o * %lld;", positions);
    kernel_line(kernel, "vec a0 = { 0 }, a1 = { 0 }, a2 = { 0 }, a3 = { 0 };");
    if (whole) {
        kernel_line(kernel, "for (int p = 0; p < %lld; p += 4) {", whole);
        for (int i = 0; i < 4; i++)
            kernel_line(kernel, "a%d += d[p + %d];", i, i);
        kernel_line(kernel, "}");
    }
    for (long long p = whole; p < positions; p++)
        kernel_line(kernel, "a%lld += d[%lld];", p - whole, p);
    kernel_line(kernel, "dbias[o] = sum_lanes((a0 + a1) + (a2 + a3));");
    kernel_line(kernel, "}");
}
