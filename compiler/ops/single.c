/* single.c: see single.h.
 *
 * A convolution whose window is wider than one column first spreads its input:
 * for each of the window's columns a copy of the image in which the values that
 * this column meets lie one after another, as the outputs do, padding included.
 * Then LANES neighbouring outputs, whatever the width of a row, read LANES
 * neighbouring values for every tap, and stride, padding and dilation have
 * vanished from the loops that matter.  The copies cost one store per value and
 * window column; each is read once per output channel and window row.
 */
#include "single.h"

static int64_t rounded_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* ---------------------------------------------------------------- stores */

/* `room` of the vector's values, all of them when it is NULL. */
static void store_row(Kernel *kernel, const char *to, const char *at, const char *value, const char *room)
{
    const char *stored = kernel_finished(kernel, at, value);
    if (room)
        kernel_line(kernel, "store_some(%s, %s, %s);", to, stored, room);
    else
        kernel_line(kernel, "store(%s, %s);", to, stored);
}

/* How much room there is from element `from` of `count`, as store_row takes it. */
static const char *room_text(const Kernel *kernel, int64_t from, int64_t count)
{
    return count - from < kernel->lanes ? format("%lld", (long long)(count - from)) : NULL;
}

void single_span(Kernel *kernel, const char *to, const char *at, int64_t count, const char *value)
{
    int64_t whole = count / kernel->lanes * kernel->lanes;
    const char *place = format("%s + i", to), *index = format("%s + i", at);
    if (whole) {
        kernel_line(kernel, "for (int i = 0; i < %lld; i += LANES) {", (long long)whole);
        store_row(kernel, place, index, value, NULL);
        kernel_line(kernel, "}");
    }
    if (whole < count) {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int i = %lld;", (long long)whole);
        store_row(kernel, place, index, value, room_text(kernel, whole, count));
        kernel_line(kernel, "}");
    }
}

bool emit_single(Kernel *kernel)
{
    const Node *node = kernel->node;
    const char *expression = pointwise_expression(node);
    if (!expression)
        return node->op->emit_single && node->op->emit_single(kernel);
    single_span(kernel, "y", "0", shape_elements(node->out->shape), expression_of_rows(expression));
    return true;
}

/* ------------------------------------------------- a row's values by taps */

/* "__builtin_shufflevector(a, b, 0, 2, …)" */
static const char *shuffled(const Kernel *kernel, const char *a, const char *b, const int64_t *lane)
{
    Text text = { 0 };
    text_add(&text, "__builtin_shufflevector(%s, %s", a, b);
    for (int i = 0; i < kernel->lanes; i++)
        text_add(&text, ", %lld", (long long)lane[i]);
    text_add(&text, ")");
    return text_chars(&text);
}

/* The source that position `column` reads; -1: none, -2: there is no such position. */
static int64_t column_source(const Axis *axis, int64_t column, int64_t tap)
{
    return column < axis->positions ? axis_source(axis, column, tap) : -2;
}

/* Whether no position from `column` on, of a vector, reads padding. */
static bool reads_inside(const Kernel *kernel, const Axis *axis, int64_t column, int64_t tap)
{
    for (int i = 0; i < kernel->lanes; i++)
        if (column_source(axis, column + i, tap) == -1)
            return false;
    return true;
}

/* Written out value by value: for strides that no shuffle of two vectors serves. */
static const char *listed_values(const Kernel *kernel, const Axis *axis, int64_t column, int64_t tap, const char *fill)
{
    Text text = { 0 };
    text_add(&text, "(vec){");
    for (int i = 0; i < kernel->lanes; i++) {
        int64_t source = column_source(axis, column + i, tap);
        text_add(&text, i ? ", " : " ");
        if (source >= 0)
            text_add(&text, "from[%lld]", (long long)source);
        else
            text_add(&text, "%s", source == -1 ? fill : "0");
    }
    text_add(&text, " }");
    return text_chars(&text);
}

/* Vectors at the edge of a row, where some positions read padding. */
static const char *edge_values(const Kernel *kernel, const Axis *axis, int64_t column, int64_t tap, const char *fill)
{
    int64_t lane[64], first = -1;
    for (int i = 0; i < kernel->lanes; i++) {
        int64_t source = column_source(axis, column + i, tap);
        if (source >= 0 && first < 0)
            first = source;
        lane[i] = source >= 0 ? source - first : kernel->lanes;
        if (source >= 0 && source - first >= kernel->lanes)
            return listed_values(kernel, axis, column, tap, fill);
    }
    const char *padding = format("splat(%s)", fill);
    return first < 0 ? padding : shuffled(kernel, format("load(from + %lld)", (long long)first), padding, lane);
}

/* What LANES positions from column j on read through `tap` of the row `from`. */
static const char *row_values(const Kernel *kernel, const Axis *axis, int64_t column, int64_t tap, const char *fill)
{
    long long before = tap * axis->dilation - axis->before;
    if (!reads_inside(kernel, axis, column, tap))
        return edge_values(kernel, axis, column, tap, fill);
    if (axis->stride == 1)
        return format("load(from + j + %lld)", before);
    if (axis->stride > 2)
        return listed_values(kernel, axis, column, tap, fill);
    int64_t lane[64];
    for (int i = 0; i < kernel->lanes; i++)
        lane[i] = 2 * i;
    return shuffled(kernel, format("load(from + 2 * j + %lld)", before), format("load(from + 2 * j + %lld)", before + kernel->lanes), lane);
}

/* Whether one text serves this vector for all of the taps, wherever it stands. */
static bool is_inner(const Kernel *kernel, const Axis *axis, int64_t column, int64_t tap, int64_t end)
{
    bool inner = axis->stride <= 2;
    for (; tap < end; tap++)
        inner = inner && reads_inside(kernel, axis, column, tap);
    return inner;
}

/* Opens the loop over the vectors of a row from `column` on that one text
 * serves, and gives the first column after them; inside, j. */
static int64_t open_columns(Kernel *kernel, const Axis *axis, int64_t column, int64_t tap, int64_t end)
{
    int64_t next = column + kernel->lanes;
    while (is_inner(kernel, axis, column, tap, end) && next + kernel->lanes <= axis->positions && is_inner(kernel, axis, next, tap, end))
        next += kernel->lanes;
    if (next > column + kernel->lanes) {
        kernel_line(kernel, "for (int j = %lld; j < %lld; j += LANES) {", (long long)column, (long long)next);
    } else {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int j = %lld;", (long long)column);
    }
    return next;
}

/* ---------------------------------------------------------------- windows
 * A largest or a mean value: each channel on its own, a row of outputs at a time. */

typedef struct Fold { const char *start, *fill, *scale; bool largest; } Fold;

static void fold_tap(Kernel *kernel, const Axis *columns, int64_t column, int64_t tap, const Fold *fold)
{
    const char *value = row_values(kernel, columns, column, tap, fold->fill);
    if (!fold->largest) {
        kernel_line(kernel, "a += %s;", value);
        return;
    }
    /* A NaN wins, as in PyTorch: see max_pool2d.c. */
    kernel_line(kernel, "value = %s;", value);
    kernel_line(kernel, "a = choose((a >= value) | (a != a), a, value);");
}

static void fold_columns(Kernel *kernel, const Axis *rows, const Axis *columns, const Fold *fold)
{
    for (int64_t column = 0, next; column < columns->positions; column = next) {
        next = open_columns(kernel, columns, column, 0, columns->taps);
        kernel_line(kernel, "vec a = splat(%s)%s;", fold->start, fold->largest ? ", value" : "");
        kernel_line(kernel, "for (int tap = 0; tap < %lld; tap++) {", (long long)rows->taps);
        kernel_line(kernel, "const int line = row * %lld + tap * %lld - %lld;", (long long)rows->stride, (long long)rows->dilation,
                    (long long)rows->before);
        kernel_line(kernel, "if (line < 0 || line >= %lld)", (long long)rows->sources);
        kernel_line(kernel, "    continue;");
        kernel_line(kernel, "const real *from = x + (c * %lldL + line) * %lld;", (long long)rows->sources, (long long)columns->sources);
        for (int64_t tap = 0; tap < columns->taps; tap++)
            fold_tap(kernel, columns, column, tap, fold);
        kernel_line(kernel, "}");
        store_row(kernel, "y + at + j", "at + j", format("a%s", fold->scale), room_text(kernel, next - kernel->lanes, columns->positions));
        kernel_line(kernel, "}");
    }
}

static void fold_windows(Kernel *kernel, const Axis *rows, const Axis *columns, const Fold *fold)
{
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", (long long)input_shape(kernel->node).dim[0]);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", (long long)rows->positions);
    kernel_line(kernel, "const int64_t at = (c * %lldL + row) * %lld;", (long long)rows->positions, (long long)columns->positions);
    fold_columns(kernel, rows, columns, fold);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

void emit_single_max(Kernel *kernel, Axis rows, Axis columns)
{
    fold_windows(kernel, &rows, &columns, &(Fold){ "-(real)__builtin_inf()", "-(real)__builtin_inf()", "", true });
}

/* "(mask){ -1, -1, 0, … }": the first `count` lanes. */
static const char *first_lanes(const Kernel *kernel, int64_t count)
{
    Text text = { 0 };
    text_add(&text, "(mask){");
    for (int i = 0; i < kernel->lanes; i++)
        text_add(&text, "%s%s", i ? ", " : " ", i < count ? "-1" : "0");
    text_add(&text, " }");
    return text_chars(&text);
}

/* One window that is the whole plane. */
static void mean_of_planes(Kernel *kernel, int64_t plane, double scale)
{
    int64_t whole = plane / kernel->lanes * kernel->lanes;
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", (long long)input_shape(kernel->node).dim[0]);
    kernel_line(kernel, "const real *from = x + c * %lldL;", (long long)plane);
    kernel_line(kernel, "vec a = { 0 };");
    if (whole) {
        kernel_line(kernel, "for (int i = 0; i < %lld; i += LANES)", (long long)whole);
        kernel_line(kernel, "    a += load(from + i);");
    }
    if (whole < plane)
        kernel_line(kernel, "a += choose(%s, load(from + %lld), (vec){ 0 });", first_lanes(kernel, plane - whole), (long long)whole);
    store_row(kernel, "y + c", "c", format("splat(sum_lanes(a) * (real)%.17g)", scale), "1");
    kernel_line(kernel, "}");
}

void emit_single_mean(Kernel *kernel, Axis rows, Axis columns, double scale)
{
    bool whole = rows.positions == 1 && columns.positions == 1 && !rows.before && !columns.before && rows.taps == rows.sources
                 && columns.taps == columns.sources;
    if (whole)
        mean_of_planes(kernel, rows.sources * columns.sources, scale);
    else
        fold_windows(kernel, &rows, &columns, &(Fold){ "0", "0", format(" * (real)%.17g", scale), false });
}

/* ---------------------------------------------------------------- spread
 * A strip of output rows at a time.  For input channel n, window column k and
 * every remainder `part` of a source row by the rows' stride there is a plane
 * whose row r holds what position after position of a row reads through column k
 * of source row r * stride + part: then a tap of the window is an offset. */

enum { STRIP_BYTES = 256 << 10, LEAST_VECTORS = 4 };    /* of spread input: stays in the second cache; of outputs */

typedef struct Strip {
    bool spread;                /* else the input is read where it lies */
    int64_t rows;               /* of outputs in a strip */
    int64_t deepest;            /* how many plane rows below the first a tap reaches */
    int64_t parts;              /* planes per channel and column */
    int64_t plane, column, channel;     /* steps, in elements */
} Strip;

/* Rows and columns of the input are those of the output. */
static bool lies_ready(const Gather *gather)
{
    const Axis *rows = &gather->rows, *columns = &gather->columns;
    return columns->taps == 1 && columns->stride == 1 && !columns->before && columns->positions == columns->sources && rows->stride == 1
           && !rows->before && rows->positions + (rows->taps - 1) * rows->dilation <= rows->sources;
}

static bool uses_part(const Axis *rows, int64_t part)
{
    for (int64_t tap = 0; tap < rows->taps; tap++)
        if (tap * rows->dilation % rows->stride == part)
            return true;
    return false;
}

static void size_strip(const Kernel *kernel, const Gather *gather, Strip *strip, int64_t rows)
{
    int64_t width = gather->columns.positions;
    strip->rows = rows;
    strip->plane = rounded_up((rows + strip->deepest - 1) * width + rounded_up(width, kernel->lanes), kernel->lanes);
    strip->column = strip->parts * strip->plane;
    strip->channel = gather->columns.taps * strip->column;
    if (!strip->spread)
        strip->channel = gather->rows.sources * gather->columns.sources;
}

static Strip choose_strip(const Kernel *kernel, const Gather *gather)
{
    const Axis *rows = &gather->rows;
    Strip strip = { .spread = !lies_ready(gather), .deepest = (rows->taps - 1) * rows->dilation / rows->stride };
    for (int64_t part = 0; part < rows->stride; part++)
        if (uses_part(rows, part))
            strip.parts = part + 1;
    int64_t most = STRIP_BYTES / (int64_t)sizeof(float) / (gather->summed * gather->columns.taps * strip.parts * gather->columns.positions);
    int64_t least = (LEAST_VECTORS * kernel->lanes + gather->columns.positions - 1) / gather->columns.positions;
    int64_t fit = most - strip.deepest > least ? most - strip.deepest : least;
    size_strip(kernel, gather, &strip, fit < rows->positions ? fit : rows->positions);
    return strip;
}

/* All columns' copies of the source row `from`, to `to`. */
static void spread_row(Kernel *kernel, const Gather *gather, const Strip *strip, bool padding)
{
    const Axis *columns = &gather->columns;
    for (int64_t tap = 0; tap < columns->taps; tap++)
        for (int64_t column = 0, next; column < columns->positions; column = next) {
            next = open_columns(kernel, columns, column, tap, tap + 1);
            kernel_line(kernel, "store(to + %lld + j, %s);", (long long)(tap * strip->column),
                        padding ? "(vec){ 0 }" : row_values(kernel, columns, column, tap, "0"));
            kernel_line(kernel, "}");
        }
}

static void spread_part(Kernel *kernel, const Gather *gather, const Strip *strip, int64_t part)
{
    const Axis *rows = &gather->rows;
    int64_t last = (rows->positions - 1 + strip->deepest) * rows->stride + part - rows->before;
    bool inside = part >= rows->before && last < rows->sources;
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int line = (top + r) * %lld + %lld;", (long long)rows->stride, (long long)(part - rows->before));
    kernel_line(kernel, "real *to = work + n * %lldL + %lld + r * %lld;", (long long)strip->channel, (long long)(part * strip->plane),
                (long long)gather->columns.positions);
    if (!inside) {
        kernel_line(kernel, "if (line < 0 || line >= %lld) {", (long long)rows->sources);
        spread_row(kernel, gather, strip, true);
        kernel_line(kernel, "continue;");
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "const real *from = in + (n * %lldL + line) * %lld;", (long long)rows->sources, (long long)gather->columns.sources);
    spread_row(kernel, gather, strip, false);
    kernel_line(kernel, "}");
}

static void spread_strip(Kernel *kernel, const Gather *gather, const Strip *strip)
{
    for (int64_t part = 0; part < strip->parts; part++) {
        if (!uses_part(&gather->rows, part))
            continue;
        kernel_line(kernel, "for (int n = 0; n < %lld; n++) {", (long long)gather->summed);
        kernel_line(kernel, "for (int r = 0; r < bottom - top + %lld; r++) {", (long long)strip->deepest);
        spread_part(kernel, gather, strip, part);
        kernel_line(kernel, "}");
        kernel_line(kernel, "}");
    }
    kernel->work = gather->summed * strip->channel + kernel->lanes;
}

/* ----------------------------------------------------------------- tiles */

typedef struct Tile { int64_t channels, vectors; } Tile;

/* In half cycles per tap: two multiply-adds or two loads a cycle, a load of
 * neighbouring values mostly in two cache lines, and eight sums in flight. */
static double tap_cost(int64_t channels, int64_t vectors)
{
    double sums = (double)(channels * vectors), loads = (double)channels + 1.5 * (double)vectors;
    double cost = sums > loads ? sums : loads;
    return (cost > 8 ? cost : 8) + 1.5;
}

static double split_cost(int64_t channels, int64_t vectors, Tile tile)
{
    double cost = 0;
    for (int64_t c = 0; c < channels; c += tile.channels)
        for (int64_t v = 0; v < vectors; v += tile.vectors)
            cost += tap_cost(channels - c < tile.channels ? channels - c : tile.channels,
                             vectors - v < tile.vectors ? vectors - v : tile.vectors);
    return cost;
}

enum { SAMPLE = 96, MOST_CHANNELS = 28, MOST_VECTORS = 12 };    /* a stretch stands for a very long axis */

static Tile choose_tile(const Kernel *kernel, int64_t channels, int64_t vectors)
{
    Tile best = { 1, 1 };
    double best_cost = 1e300;
    channels = channels < SAMPLE ? channels : SAMPLE;
    vectors = vectors < SAMPLE ? vectors : SAMPLE;
    for (int64_t c = 1; c <= channels && c <= MOST_CHANNELS; c++)
        for (int64_t v = 1; v <= vectors && v <= MOST_VECTORS; v++) {
            double cost = split_cost(channels, vectors, (Tile){ c, v });
            if (c * v + v + 2 <= kernel->registers && cost < best_cost) {
                best_cost = cost;
                best = (Tile){ c, v };
            }
        }
    return best;
}

typedef struct SingleText {
    Kernel *kernel;
    const Gather *gather;
    Strip strip;
    int64_t count;              /* positions of a strip; 0: the last strip has fewer */
} SingleText;

static void tile_tap(const SingleText *text, Tile tile, int64_t tap)
{
    Kernel *kernel = text->kernel;
    kernel_line(kernel, "{");
    for (int64_t x = 0; x < tile.vectors; x++)
        kernel_line(kernel, "const vec v%lld = load(v + %lld);", (long long)x,
                    (long long)(tap * text->strip.column + x * kernel->lanes));
    for (int64_t t = 0; t < tile.channels; t++) {
        kernel_line(kernel, "const vec w%lld = splat(w[%lld]);", (long long)t, (long long)(t * text->gather->tiled_step + tap));
        for (int64_t x = 0; x < tile.vectors; x++)
            kernel_line(kernel, "a%lld_%lld += w%lld * v%lld;", (long long)t, (long long)x, (long long)t, (long long)x);
    }
    kernel_line(kernel, "}");
}

static const char *tap_offset(const SingleText *text)
{
    const Axis *rows = &text->gather->rows;
    long long width = text->gather->columns.positions;
    if (rows->stride == 1)
        return format("tap * %lldL", (long long)rows->dilation * width);
    return format("tap * %lld %% %lld * %lldL + tap * %lld / %lld * %lldL", (long long)rows->dilation, (long long)rows->stride,
                  (long long)text->strip.plane, (long long)rows->dilation, (long long)rows->stride, width);
}

/* `room`: how many values the last vector holds; NULL: all. */
static void single_tile(const SingleText *text, Tile tile, const char *room)
{
    const Gather *gather = text->gather;
    Kernel *kernel = text->kernel;
    long long width = gather->columns.positions, plane = gather->rows.positions * gather->columns.positions;
    kernel_line(kernel, "real *to = out + t * %lldL + top * %lldL + p;", plane, width);
    if (kernel->finish_operands)
        kernel_line(kernel, "const int64_t at = to - y;");
    for (int64_t t = 0; t < tile.channels; t++)
        for (int64_t x = 0; x < tile.vectors; x++)
            kernel_line(kernel, gather->bias ? "vec a%lld_%lld = splat(b[%lld]);" : "vec a%lld_%lld = { 0 };", (long long)t, (long long)x,
                        (long long)t);
    kernel_line(kernel, "for (int n = 0; n < %lld; n++) {", (long long)gather->summed);
    kernel_line(kernel, "for (int tap = 0; tap < %lld; tap++) {", (long long)gather->rows.taps);
    kernel_line(kernel, "const real *v = source + n * %lldL + %s + p;", (long long)text->strip.channel, tap_offset(text));
    kernel_line(kernel, "const real *w = weights + t * %lldL + n * %lldL + tap * %lld;", (long long)gather->tiled_step,
                (long long)gather->summed_step, (long long)gather->columns.taps);
    for (int64_t tap = 0; tap < gather->columns.taps; tap++)
        tile_tap(text, tile, tap);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    for (int64_t t = 0; t < tile.channels; t++)
        for (int64_t x = 0; x < tile.vectors; x++) {
            const char *place = format("%lldL", t * plane + (long long)x * kernel->lanes);
            store_row(kernel, format("to + %s", place), format("at + %s", place), format("a%lld_%lld", (long long)t, (long long)x),
                      x + 1 == tile.vectors ? room : NULL);
        }
}

/* All positions of a strip, for the tile.channels channels from t on. */
static void single_positions(const SingleText *text, Tile tile)
{
    Kernel *kernel = text->kernel;
    int64_t step = tile.vectors * kernel->lanes, whole = text->count / step * step;
    if (!text->count || whole) {
        kernel_line(kernel, "for (int p = 0; p <= %s - %lld; p += %lld) {", text->count ? format("%lld", (long long)text->count) : "count",
                    (long long)step, (long long)step);
        single_tile(text, tile, NULL);
        kernel_line(kernel, "}");
    }
    if (text->count && whole == text->count)
        return;
    Tile rest = { tile.channels, text->count ? (text->count - whole + kernel->lanes - 1) / kernel->lanes : 1 };
    if (text->count) {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int p = %lld;", (long long)whole);
    } else {
        kernel_line(kernel, "for (int p = count / %lld * %lld; p < count; p += LANES) {", (long long)step, (long long)step);
    }
    single_tile(text, rest, text->count ? room_text(kernel, whole + (rest.vectors - 1) * kernel->lanes, text->count) : "count - p");
    kernel_line(kernel, "}");
}

static void single_channels(const SingleText *text, Tile tile, int64_t from, int64_t to)
{
    if (from >= to)
        return;
    kernel_line(text->kernel, "for (int t = %lld; t < %lld; t += %lld) {", (long long)from, (long long)to, (long long)tile.channels);
    if (text->gather->bias)
        kernel_line(text->kernel, "const real *b = biases + t;");
    single_positions(text, tile);
    kernel_line(text->kernel, "}");
}

static void open_strip(const SingleText *text)
{
    const Axis *rows = &text->gather->rows;
    Kernel *kernel = text->kernel;
    if (text->strip.rows < rows->positions) {
        long long height = rows->positions, strip = text->strip.rows;
        kernel_line(kernel, "for (int top = 0; top < %lld; top += %lld) {", height, strip);
        kernel_line(kernel, "const int bottom = top + %lld < %lld ? top + %lld : %lld;", strip, height, strip, height);
    } else {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int top = 0, bottom = %lld;", (long long)rows->positions);
    }
    if (!text->count)
        kernel_line(kernel, "const int count = (bottom - top) * %lld;", (long long)text->gather->columns.positions);
    if (text->strip.spread) {
        spread_strip(kernel, text->gather, &text->strip);
        kernel_line(kernel, "const real *source = work;");
    } else {
        kernel_line(kernel, "const real *source = in + top * %lldL;", (long long)text->gather->columns.sources);
        kernel_line(kernel, "(void)bottom;");
    }
}

void emit_single_gather(Kernel *kernel, const Gather *gather)
{
    SingleText text = { .kernel = kernel, .gather = gather, .strip = choose_strip(kernel, gather) };
    int64_t width = gather->columns.positions, strip = text.strip.rows * width;
    text.count = gather->rows.positions % text.strip.rows ? 0 : strip;
    Tile tile = choose_tile(kernel, gather->tiled, (strip + kernel->lanes - 1) / kernel->lanes);
    int64_t whole = gather->tiled / tile.channels * tile.channels;

    kernel_line(kernel, "for (int group = 0; group < %lld; group++) {", (long long)gather->groups);
    kernel_line(kernel, "const real *in = x + group * %lldL;", (long long)(gather->summed * gather->rows.sources * gather->columns.sources));
    kernel_line(kernel, "real *out = y + group * %lldL;", (long long)(gather->tiled * gather->rows.positions * width));
    kernel_line(kernel, "const real *weights = weight + group * %lldL;", (long long)gather->group_step);
    if (gather->bias)
        kernel_line(kernel, "const real *biases = %s + group * %lld;", gather->bias, (long long)gather->tiled);
    open_strip(&text);
    single_channels(&text, tile, 0, whole);
    single_channels(&text, (Tile){ gather->tiled - whole, tile.vectors }, whole, gather->tiled);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* --------------------------------------------------------------- product
 * Each weight is used once, so reading them is what it costs: a few rows at a
 * time, in order; LANES rows' sums become one vector. */

enum { ROWS_AT_ONCE = 4, HALVES = 2 };  /* eight sums in flight */

static void product_terms(Kernel *kernel, int64_t in, int rows, const char *index, int64_t offset, int half, const char *lanes)
{
    kernel_line(kernel, "{");
    kernel_line(kernel, "const vec v = load(x + %s%lld);", index, (long long)offset);
    for (int r = 0; r < rows; r++) {
        const char *term = format("load(w + %s%lld) * v", index, (long long)(r * in + offset));
        kernel_line(kernel, "a%d_%d += %s;", r, half, lanes ? format("choose(%s, %s, (vec){ 0 })", lanes, term) : term);
    }
    kernel_line(kernel, "}");
}

static void product_rows(Kernel *kernel, int64_t in, int rows)
{
    int64_t lanes = kernel->lanes, both = in / (HALVES * lanes) * HALVES * lanes, whole = in / lanes * lanes;
    kernel_line(kernel, "const real *w = weight + (o + r) * %lldL;", (long long)in);
    for (int r = 0; r < rows; r++)
        kernel_line(kernel, "vec a%d_0 = { 0 }, a%d_1 = { 0 };", r, r);
    if (both) {
        kernel_line(kernel, "for (int i = 0; i < %lld; i += %d * LANES) {", (long long)both, HALVES);
        for (int half = 0; half < HALVES; half++)
            product_terms(kernel, in, rows, "i + ", half * lanes, half, NULL);
        kernel_line(kernel, "}");
    }
    if (both < whole)
        product_terms(kernel, in, rows, "", both, 0, NULL);
    if (whole < in)
        product_terms(kernel, in, rows, "", whole, 1, first_lanes(kernel, in - whole));
    for (int r = 0; r < rows; r++)
        kernel_line(kernel, "rows[r + %d] = a%d_0 + a%d_1;", r, r, r);
}

/* LANES outputs from o on, or the last `count` of them. */
static void product_block(Kernel *kernel, int64_t in, int64_t count, bool bias)
{
    int64_t whole = count / ROWS_AT_ONCE * ROWS_AT_ONCE;
    kernel_line(kernel, "vec rows[LANES]%s;", count < kernel->lanes ? " = { { 0 } }" : "");
    if (whole) {
        kernel_line(kernel, "for (int r = 0; r < %lld; r += %d) {", (long long)whole, ROWS_AT_ONCE);
        product_rows(kernel, in, ROWS_AT_ONCE);
        kernel_line(kernel, "}");
    }
    if (whole < count) {
        kernel_line(kernel, "{");
        kernel_line(kernel, "const int r = %lld;", (long long)whole);
        product_rows(kernel, in, (int)(count - whole));
        kernel_line(kernel, "}");
    }
    store_row(kernel, "y + o", "o", bias ? "sum_block(rows) + load(bias + o)" : "sum_block(rows)", room_text(kernel, 0, count));
}

void emit_single_product(Kernel *kernel, int64_t in, int64_t out, bool bias)
{
    int64_t whole = out / kernel->lanes * kernel->lanes;
    if (whole) {
        kernel_line(kernel, "for (int o = 0; o < %lld; o += LANES) {", (long long)whole);
        product_block(kernel, in, kernel->lanes, bias);
        kernel_line(kernel, "}");
    }
    if (whole < out) {
        kernel_line(kernel, "const int o = %lld;", (long long)whole);
        product_block(kernel, in, out - whole, bias);
    }
}
