/* winograd.c: a convolution of a grain, or its input's gradient, by way of
 * ../winograd.h.
 *
 * Some rows of tiles at a time: every channel's sources are transformed to values,
 * a row of lanes at a time without shuffles; at each of the 36 points a matrix
 * product over the channels, made of the tiles of tiles.c, whose operands stay
 * in the first cache; and what it gives is transformed to outputs.  In `workspace` lie
 * the values, [points][in_channels][tiles], and
 * the products, [points][out_channels][tiles]; a point's lie an odd number of vectors
 * after the last one's.  The filters, [points][in_channels][out_channels], are transformed once for
 * all grains, or, where they are many, anew for each, into `workspace`:
 * that costs what a few multiply-adds of a tile do.  Of a volume each slice is computed by itself,
 * as a plane whose channels are those of all the slices that its window reads.
 */
#include "kernels/grain/winograd.h"
#include "kernels/grain/norm.h"
#include "kernels/grain/pool.h"
#include "kernels/grain/tiles.h"

#include <string.h>

enum {
    /* of values and products: rows of tiles are taken together up to here */
    STRIP_BYTES = 768 << 10,
    MAX_BYTES = 24 << 20, /* of all that lies in `workspace` */
    /* of filters that all grains share: more are in the cache only just after they were made */
    MAX_FILTERS = 5 << 19,
    SOURCE_COST = 130,
    OUTPUT_COST = 120, /* of a tile and a channel, in multiply-adds of lanes */
    /* of a pair of channels, divided among the lanes that transform as many filters at once */
    FILTER_COST = 480,
    GRAINS = 4 /* of a batch, that share them where they are transformed once */
};

typedef struct Winograd {
    Kernel *kernel;
    /* with the positions that a pool covers, and none of its axes backward; of a volume, of a
     * slice */
    const Contraction *contraction;
    Axis slices;
    Int ins;      /* channels of all slices that a window reads */
    bool flipped; /* the taps are the weight's from the last on */
    const Node *pool;
    Axis rows, columns; /* of tiles */
    Int strip, tiles;   /* rows of tiles at a time; tiles in them */
    /* from a point to the next: elements, vectors, vectors */
    Int filter_point, value_point, product_point;
    RunList runs; /* tiles of a row whose sources and outputs lie alike */
    /* What the threads share, where the kernel splits.  By points: channels of the transforms and
     * points of the products, all of one strip.  Else strips, and each transforms all filters. */
    bool by_points;
} Winograd;

/* A gradient's axis as one that goes forward over the taps from the last on. */
static Axis forwards(Axis axis)
{
    if (axis.backward)
        axis.before = axis.taps - 1 - axis.before;
    axis.backward = false;
    return axis;
}

/* Of a volume a plane: one of its slices. */
static Contraction plane_of(const Contraction *contraction)
{
    Contraction plane = *contraction;
    if (plane.rows.slices)
        plane.rows = *plane.rows.rows;
    return plane;
}

static Axis slices_of(const Contraction *contraction)
{
    static const Axis one = {.sources = 1, .positions = 1, .taps = 1, .stride = 1, .dilation = 1};
    return contraction->rows.slices ? forwards(*contraction->rows.slices) : one;
}

static Contraction forwards_contraction(const Contraction *contraction, const Node *pool)
{
    Contraction forward = plane_of(contraction);
    forward.rows = forwards(forward.rows);
    forward.columns = forwards(forward.columns);
    if (pool) {
        forward.rows.positions = layer_axis(pool, ROWS).positions * pooled_rows(pool);
        forward.columns.positions = layer_axis(pool, COLUMNS).positions * pooled_columns(pool);
    }
    return forward;
}

static bool has_slices(const Winograd *winograd)
{
    const Axis *slices = &winograd->slices;
    return slices->sources > 1 || slices->positions > 1 || slices->taps > 1;
}

static bool fits(const Contraction *contraction)
{
    Contraction plane = plane_of(contraction);
    Axis slices = slices_of(contraction);
    return winograd_fits(&plane) && slices.stride == 1 && slices.dilation == 1;
}

static Int filter_elements(const Winograd *winograd)
{
    return POINTS_OF_BOTH * winograd->filter_point;
}

/* `contraction`: of a plane; `slices`: of all such planes. */
static Winograd plan_winograd(const Contraction *contraction, Axis slices, int lanes)
{
    Winograd winograd = {
        .contraction = contraction,
        .slices = slices,
        .ins = slices.taps * contraction->in_channels,
        .rows = winograd_tiles(&contraction->rows),
        .columns = winograd_tiles(&contraction->columns),
    };
    Int column = POINTS_OF_BOTH * (winograd.ins + contraction->out_channels)
                 * winograd.columns.positions * lanes * (Int)sizeof(float);
    winograd.strip = rows_of_tiles(&winograd.rows, column, STRIP_BYTES);
    winograd.tiles = winograd.strip * winograd.columns.positions;
    winograd.filter_point =
        round_up_odd((winograd.ins * contraction->out_channels + lanes - 1) / lanes) * lanes;
    winograd.value_point = round_up_odd(winograd.ins * winograd.tiles);
    winograd.product_point = round_up_odd(contraction->out_channels * winograd.tiles);
    return winograd;
}

static bool is_worth_it(const Winograd *winograd, int lanes, bool filters)
{
    const Contraction *contraction = winograd->contraction;
    double slices = (double)winograd->slices.positions,
           pairs = (double)(winograd->ins * contraction->out_channels),
           tiles = (double)(winograd->rows.positions * winograd->columns.positions),
           filter_cost = (double)FILTER_COST / lanes / (filters ? GRAINS : 1) / slices;
    double transformed_cost = pairs * (POINTS_OF_BOTH * tiles + filter_cost)
                              + tiles
                                    * (SOURCE_COST * (double)winograd->ins
                                       + OUTPUT_COST * (double)contraction->out_channels);
    return 1.25 * transformed_cost * slices
           < direct_work(contraction) * count_taps(&winograd->slices);
}

/* A pool's windows are rows and columns of one tile. */
static bool pool_fits(const Contraction *contraction, const Node *pool)
{
    Int outputs = winograd_outputs(contraction->rows.taps);
    return !pool || (outputs % pooled_rows(pool) == 0 && outputs % pooled_columns(pool) == 0);
}

Int winograd_work(const Contraction *contraction, const Node *pool, int lanes, bool filters)
{
    if (!fits(contraction) || !pool_fits(contraction, pool))
        return 0;
    Contraction forward = forwards_contraction(contraction, pool);
    Winograd winograd = plan_winograd(&forward, slices_of(contraction), lanes);
    Int vectors = (filters ? 0 : filter_elements(&winograd) / lanes)
                  + POINTS_OF_BOTH * (winograd.value_point + winograd.product_point);
    if (vectors > MAX_BYTES / (lanes * (Int)sizeof(float))
        || !is_worth_it(&winograd, lanes, filters))
        return 0;
    return vectors;
}

Int winograd_filters(const Contraction *contraction, const Node *pool, int lanes)
{
    if (!winograd_work(contraction, pool, lanes, true))
        return 0;
    Contraction forward = forwards_contraction(contraction, pool);
    Winograd winograd = plan_winograd(&forward, slices_of(contraction), lanes);
    Int elements = filter_elements(&winograd);
    return elements <= MAX_FILTERS / (Int)sizeof(float) ? elements / lanes : 0;
}

/* -------------------------------------------------------------- filters */

enum { FILTERS_AHEAD = 6 }; /* rows of filters: each out channel's lie elsewhere in memory */

static bool shares_points(const Winograd *winograd)
{
    return winograd->kernel->splits && winograd->by_points;
}

/* Lanes are pairs of an in and an out channel here: as many filters are transformed at once. */
static const char *filters_function(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel, function = begin_function(kernel);
    Int taps = winograd->contraction->rows.taps, window = taps * taps;
    const char *transform = winograd_tap_function(kernel, taps);
    kernel_line(&function, "int64_t t = 0, n = 0;");
    kernel_line(&function, "for (real *to = filters; n < ins; to += LANES) {");
    kernel_line(&function, "vec f[%lld] = { { 0 } }, h[%lld][6], row[6];", window, taps);
    kernel_line(&function, "for (int lane = 0; lane < LANES && n < ins; lane++) {");
    if (has_slices(winograd)) {
        kernel_line(&function, "const int64_t slice = (first + n) / channels;");
        kernel_line(&function,
                    "const real *from = weight + t * out_step + (first + n) %% channels * in_step "
                    "+ (flipped ? %lld - slice : slice) * %lld;",
                    winograd->slices.taps - 1, window);
    } else
        kernel_line(&function, "const real *from = weight + t * out_step + n * in_step;");
    for (Int k = 0; k < window; k += 8)
        kernel_add(&function, "__builtin_prefetch(from + %d * in_step + %lld);", FILTERS_AHEAD, k);
    kernel_line(&function, "from += flipped ? %lld : 0;", window - 1);
    kernel_line(&function, "for (int k = 0; k < %lld; k++, from += flipped ? -1 : 1)", window);
    kernel_line(&function, "    f[k][lane] = *from;");
    kernel_line(&function, "if (++t == outs) {");
    kernel_line(&function, "t = 0;");
    kernel_line(&function, "n++;");
    kernel_line(&function, "}");
    kernel_line(&function, "}");
    for (Int j = 0; j < taps; j++) {
        Text column = {0};
        for (Int i = 0; i < taps; i++)
            text_add(&column, ", f[%lld]", i * taps + j);
        kernel_line(&function, "%s(h[%lld]%s);", transform, j, text_chars(&column));
    }
    for (Int i = 0; i < POINTS; i++) {
        Text row = {0};
        for (Int j = 0; j < taps; j++)
            text_add(&row, ", h[%lld][%lld]", j, i);
        kernel_line(&function, "%s(row%s);", transform, text_chars(&row));
        for (Int j = 0; j < POINTS; j++)
            kernel_add(&function, "*(unaligned_vec *)(to + %lld * point) = row[%lld];",
                       i * POINTS + j, j);
    }
    kernel_line(&function, "}");
    return end_function(
        kernel, &function,
        format("/* Winograd %s: every filter's values at the 36 points, [points][ins][outs]. */",
               winograd_title(taps)),
        winograd_head(winograd->ins * winograd->contraction->out_channels), "winograd_filters",
        format(
            "(real *filters, const real *weight, int64_t outs, int64_t ins, int64_t out_step,\n    "
            "int64_t in_step, bool flipped, int64_t point%s)",
            has_slices(winograd) ? ", int64_t first, int64_t channels" : ""));
}

/* So many rows of `count` elements each fill whole vectors. */
static Int whole_vectors_of(Int count, Int lanes)
{
    Int rows = 1;
    while (rows * count % lanes)
        rows *= 2;
    return rows;
}

/* `first` is the first of so many `ins`. */
static void call_filters(const Winograd *winograd, const char *filters, const char *first,
                         const char *ins)
{
    const Contraction *contraction = winograd->contraction;
    const char *function = filters_function(winograd), *weight = "weight", *slices = "";
    if (has_slices(winograd))
        slices = format(", %s, %lld", first, contraction->in_channels);
    else if (strcmp(first, "0") != 0)
        weight = format("weight + %s * %lldL", first, contraction->in_step);
    kernel_line(winograd->kernel, "%s(%s, %s, %lld, %s, %lld, %lld, %s, %lld%s);", function,
                filters, weight, contraction->out_channels, ins, contraction->out_step,
                contraction->in_step, winograd->flipped ? "true" : "false", winograd->filter_point,
                slices);
}

/* Those of the in channels from `first` below `stop`. */
static void transform_some_filters(const Winograd *winograd)
{
    const Contraction *contraction = winograd->contraction;
    call_filters(winograd, format("filters + first * %lldL", contraction->out_channels), "first",
                 "stop - first");
}

static void transform_filters(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    const Contraction *contraction = winograd->contraction;
    if (kernel->filters)
        return;
    if (!shares_points(winograd)) {
        call_filters(winograd, "filters", "0", format("%lld", winograd->ins));
        return;
    }
    declare_pieces(kernel, "first", "stop", 0, winograd->ins,
                   whole_vectors_of(contraction->out_channels, kernel->lanes));
    transform_some_filters(winograd);
}

/* --------------------------------------------------------------- values */

/* Rows in the padding are read as zeros. */
static const char *sources_function(const Winograd *winograd)
{
    static const TileAccess access = {
        .pointer = "const vec *",
        .load = "line%lld[source + %lld]",
        .store = "to[%lld * point]",
        .further = "",
        .loop = "for (; count > 0; count--, to++, source += %lld) {",
    };
    Kernel *kernel = winograd->kernel, function = begin_function(kernel);
    const Axis *rows = &winograd->rows, *columns = &winograd->columns;
    kernel_line(&function, "for (int64_t n = 0; n < channels; n++, x += %s)",
                has_slices(winograd) ? "apart" : "rows * columns");
    kernel_line(&function, "for (int64_t row = top; row < bottom; row++, values += tiles) {");
    kernel_line(&function, "const vec *line[6];");
    kernel_line(&function, "for (int64_t i = 0, at = row * %lld - above; i < 6; i++, at++)",
                rows->stride);
    kernel_line(&function, "    line[i] = at >= 0 && at < rows ? x + at * columns : zeros;");
    for (int r = 0; r < winograd->runs.count; r++) {
        Run run = winograd->runs.items[r];
        const char *tiles = winograd_tiles_function(kernel, columns, run.start, &access),
                   *from = tile_number(run.start, columns->positions, "tiles");
        bool one = run.count == 1;
        kernel_line(&function, "%s(values + %s, point, line, (%s) * %lld - left, %s);", tiles, from,
                    from, columns->stride,
                    one ? "1" : format("tiles - %lld", columns->positions - run.count));
    }
    kernel_line(&function, "}");
    return end_function(
        kernel, &function,
        format("/* Winograd %s: the sources of rows of tiles become values, "
               "[points][channels][tiles]. */",
               winograd_title(winograd->contraction->rows.taps)),
        winograd_head(winograd->tiles * winograd->ins), "winograd_sources",
        format("(vec *values, const vec *x, const vec *zeros, int64_t channels, int64_t rows,\n    "
               "int64_t columns, int64_t above, int64_t left, int64_t top, int64_t bottom, int64_t "
               "tiles,\n    int64_t point%s)",
               has_slices(winograd) ? ", int64_t apart" : ""));
}

/* Of the slices that the window reads, those that lie inside: taps `near` below `far`. */
static void open_slices_read(const Winograd *winograd)
{
    const Axis *slices = &winograd->slices;
    Kernel *kernel = winograd->kernel;
    kernel_line(kernel, "const int first_read = slice - %lld;", slices->before);
    kernel_line(kernel, "const int near = first_read < 0 ? -first_read : 0;");
    kernel_line(kernel, "const int far = first_read + %lld > %lld ? %lld - first_read : %lld;",
                slices->taps, slices->sources, slices->sources, slices->taps);
}

static void transform_sources(const Winograd *winograd)
{
    const Axis *rows = &winograd->rows, *columns = &winograd->columns;
    Kernel *kernel = winograd->kernel;
    Int channels = winograd->contraction->in_channels, plane = rows->sources * columns->sources,
        apart = winograd->slices.sources * plane;
    const char *function = sources_function(winograd);
    const char *values = "values", *in = winograd->contraction->in,
               *count = format("%lld", channels), *stride = "";
    if (shares_points(winograd)) {
        kernel_line(kernel, "const NetShare ins = net_pieces(team, %s);", count);
        values = format("values + ins.from * %lldL", winograd->tiles);
        in = format("%s + ins.from * %lldL", in, apart);
        count = "ins.to - ins.from";
    }
    if (has_slices(winograd)) {
        open_slices_read(winograd);
        kernel_line(kernel, "for (int tap = near; tap < far; tap++)");
        values = format("%s + tap * %lldL", values, channels * winograd->tiles);
        in = format("%s + (first_read + tap) * %lldL", in, plane);
        stride = format(", %lld", apart);
    }
    kernel_line(kernel,
                "%s%s(%s, %s, zeros, %s, %lld, %lld, %lld, %lld, top, top + %lld, %lld, %lld%s);",
                *stride ? "    " : "", function, values, in, count, rows->sources, columns->sources,
                rows->before, columns->before, winograd->strip, columns->positions,
                winograd->value_point, stride);
    if (shares_points(winograd))
        kernel_line(kernel, "net_meet(team);");
}

/* ------------------------------------------------------------- products */

static void multiply(const Winograd *winograd)
{
    Contraction product = point_product(winograd->contraction, winograd->tiles);
    Kernel *kernel = winograd->kernel;
    const char *function = product_function(kernel, &product);
    const char *ins = format("%lld", product.in_channels), *value = "", *filter = "";
    bool shared = shares_points(winograd);
    if (has_slices(winograd)) {
        value = format(" + near * %lldL", product.in_channels * winograd->tiles);
        filter = format(" + near * %lldL", product.in_channels * product.out_channels);
        ins = format("(far - near) * %s", ins);
    }
    if (shared)
        open_pieces(kernel, "point", POINTS_OF_BOTH);
    else
        kernel_line(kernel, "for (int point = 0; point < %d; point++) {", POINTS_OF_BOTH);
    kernel_line(kernel,
                "%s(products + point * %lldL, values + point * %lldL%s, filters + point * %lldL%s, "
                "%lld, %s, %lld);",
                function, winograd->product_point, winograd->value_point, value,
                winograd->filter_point, filter, product.out_channels, ins, winograd->tiles);
    kernel_line(kernel, "}");
    if (shared)
        kernel_line(kernel, "net_meet(team);");
}

/* -------------------------------------------------------------- outputs */

/* A norm in evaluation, of a row of outputs; it takes them with their bias. */
static void norm_row(const Winograd *winograd, Kernel *kernel, const char *row, Int inside)
{
    for (Int j = 0; kernel->norm && j < inside; j++) {
        const char *output = format("%s[%lld]", row, j);
        norm_value(kernel, output,
                   format("%s%s", output, winograd->contraction->bias ? " + term" : ""), "t");
    }
}

/* What is still to be added to an output. */
static const char *added_term(const Winograd *winograd)
{
    return winograd->contraction->bias && !winograd->kernel->norm ? " + term" : "";
}

/* In a function of its own, whose parameters are the sizes. */
static void store_row(const Winograd *winograd, Kernel *kernel, Int i, Int inside)
{
    const Contraction *contraction = winograd->contraction;
    kernel_line(kernel, "vec *to = %s + (%s + row * %lld + %lld) * columns + column * %lld;",
                contraction->out,
                has_slices(winograd)
                    ? format("(t * %lld + slice) * rows", winograd->slices.positions)
                    : "t * rows",
                winograd->rows.stride, i, winograd->columns.stride);
    if (kernel->epilogue_operands || kernel->sums)
        kernel_line(kernel, "const int64_t at = to - %s;", contraction->out);
    for (Int j = 0; j < inside; j++)
        kernel_store(kernel, format("to[%lld]", j), format("at + %lld", j),
                     format("%so[%lld]%s", contraction->accumulate ? format("to[%lld] + ", j) : "",
                            j, added_term(winograd)));
    if (kernel->sums)
        add_gradient_sums(kernel, "t", 0, inside);
}

/* The tile's rows from i on, as many as a window of the pool has, are a window's sums: pooled,
 * not stored. */
static void pool_rows(const Winograd *winograd, Kernel *kernel, Int i, Int inside)
{
    Int rows = pooled_rows(winograd->pool);
    kernel_line(kernel, "vec tile[%lld];", rows * inside);
    for (Int r = 0; r < rows; r++)
        for (Int j = 0; j < inside; j++)
            kernel_add(kernel, "tile[%lld] = o%s[%lld]%s;", r * inside + j,
                       r ? format("%lld", r) : "", j, added_term(winograd));
    kernel_line(kernel, "const int64_t first = row * %lld + %lld, left = column * %lld;",
                winograd->rows.stride, i, winograd->columns.stride);
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int64_t row = first, column = left;");
    emit_pooled_tile(kernel, winograd->pool, "t", 1, inside);
    kernel_line(kernel, "}");
}

static void output_tile(const Winograd *winograd, Kernel *kernel, Int inside)
{
    Int outputs = winograd_outputs(winograd->contraction->rows.taps),
        rows = winograd->pool ? pooled_rows(winograd->pool) : 1;
    bool partial = winograd->contraction->rows.positions % outputs;
    const char *along_columns =
                   winograd_columns_function(kernel, outputs, "const vec *", "from[%lld * point]"),
               *along_rows = winograd_output_function(kernel, outputs);
    kernel_line(kernel, "vec part[6][%lld];", outputs);
    kernel_line(kernel, "%s(part, from + column, point);", along_columns);
    for (Int i = 0; i < outputs; i += rows) {
        kernel_line(kernel, partial && i ? "if (row * %lld + %lld < %s) {" : "{", outputs, i,
                    winograd->pool ? format("%lld", winograd->contraction->rows.positions)
                                   : "rows");
        for (Int r = 0; r < rows; r++) {
            const char *name = r ? format("o%lld", r) : "o";
            kernel_line(kernel, "vec %s[%lld];", name, outputs);
            Text row = {0};
            for (Int j = 0; j < POINTS; j++)
                text_add(&row, ", part[%lld][%lld]", j, i + r);
            kernel_line(kernel, "%s(%s%s);", along_rows, name, text_chars(&row));
            norm_row(winograd, kernel, name, inside);
        }
        (winograd->pool ? pool_rows : store_row)(winograd, kernel, i, inside);
        kernel_line(kernel, "}");
    }
}

/* Tiles of which all columns lie inside, and then one of which some do not. */
static void output_tiles(const Winograd *winograd, Kernel *kernel)
{
    Int outputs = winograd->columns.stride,
        whole = winograd->contraction->columns.positions / outputs,
        rest = winograd->contraction->columns.positions % outputs;
    kernel_line(kernel, "for (int64_t t = first; t < end; t++) {");
    if (winograd->contraction->bias)
        kernel_line(kernel, "const vec term = splat(%s[t]);", winograd->contraction->bias);
    kernel_line(kernel, "for (int64_t row = top; row < bottom; row++, from += tiles) {");
    if (whole) {
        kernel_line(kernel, "for (int64_t column = 0; column < tiles%s; column++) {",
                    rest ? " - 1" : "");
        output_tile(winograd, kernel, outputs);
        kernel_line(kernel, "}");
    }
    if (rest) {
        kernel_line(kernel, "const int64_t column = tiles - 1;");
        output_tile(winograd, kernel, rest);
    }
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* What the stores take besides the sums: pointers of the kernel's, by name. */
static void add_pointers(Text *parameters, Text *arguments, const char *type, const char *names)
{
    for (const char *name = names; *name; name += strcspn(name, ",")) {
        name += strspn(name, ", ");
        text_add(parameters, ", %s%.*s", type, (int)strcspn(name, ","), name);
        text_add(arguments, ", %.*s", (int)strcspn(name, ","), name);
    }
}

static void add_operands(const Winograd *winograd, Text *parameters, Text *arguments)
{
    const Kernel *kernel = winograd->kernel;
    const Contraction *contraction = winograd->contraction;
    add_pointers(parameters, arguments, "vec *", contraction->out);
    if (contraction->bias)
        add_pointers(parameters, arguments, "const real *", contraction->bias);
    if (winograd->pool && kernel->training)
        add_pointers(parameters, arguments, "vec *", "aux");
    if (kernel->epilogue_operands)
        add_pointers(parameters, arguments, "const vec *", kernel->epilogue_operands);
    if (kernel->norm)
        add_pointers(parameters, arguments, "const real *", "norm");
    if (!kernel->sums)
        return;
    add_pointers(parameters, arguments, "vec *", "sum, product");
    add_pointers(parameters, arguments, "const real *", "means");
    add_pointers(parameters, arguments, "const vec *", "n_x");
}

static void transform_products(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel, function = begin_function(kernel);
    const Contraction *contraction = winograd->contraction;
    Text parameters = {0}, arguments = {0};
    add_operands(winograd, &parameters, &arguments);
    output_tiles(winograd, &function);
    const char *name = end_function(
        kernel, &function,
        format("/* Winograd %s: products become outputs%s. */",
               winograd_title(contraction->rows.taps),
               kernel->epilogue || kernel->sums || kernel->norm || winograd->pool
                   ? ", with what else the layers compute of each"
                   : ""),
        winograd_head(winograd->tiles * contraction->out_channels), "winograd_products",
        format("(const vec *from%s,\n    int64_t first, int64_t end, %sint64_t top, int64_t "
               "bottom, int64_t "
               "tiles, int64_t point)",
               text_chars(&parameters),
               winograd->pool         ? ""
               : has_slices(winograd) ? "int64_t slice, int64_t rows, int64_t columns, "
                                      : "int64_t rows, int64_t columns, "));
    const char *sizes = winograd->pool
                            ? ""
                            : format("%s%lld, %lld, ", has_slices(winograd) ? "slice, " : "",
                                     contraction->rows.positions, contraction->columns.positions);
    const char *products = "products", *channels = format("0, %lld", contraction->out_channels);
    if (shares_points(winograd)) {
        products = format("products + begin * %lldL", winograd->tiles);
        channels = "begin, end";
    }
    kernel_line(kernel, "%s(%s%s, %s, %stop, top + %lld, %lld, %lld);", name, products,
                text_chars(&arguments), channels, sizes, winograd->strip,
                winograd->columns.positions, winograd->product_point);
}

/* Of all slices. */
static Int strips_of(const Winograd *winograd)
{
    return winograd->slices.positions * (winograd->rows.positions / winograd->strip);
}

/* Strips are as good as their number can be divided, and each thread transforms all filters; by
 * points, the threads meet three times a strip.  A norm's sums go over all strips of a channel. */
static bool is_cut_by_points(const Winograd *winograd)
{
    enum { THREADS = 8 };
    static const double MEETING = 8e3; /* multiply-adds meanwhile */
    const Contraction *contraction = winograd->contraction;
    double pairs = (double)(winograd->ins * contraction->out_channels),
           tiles = (double)(winograd->slices.positions * winograd->rows.positions
                            * winograd->columns.positions),
           all = pairs * POINTS_OF_BOTH * tiles / THREADS;
    Int strips = strips_of(winograd);
    double filter_cost =
        winograd->kernel->filters ? 0 : (double)FILTER_COST / winograd->kernel->lanes;
    double by_strips = imbalance(strips, THREADS) * all + pairs * filter_cost,
           by_points = imbalance(POINTS_OF_BOTH, THREADS) * all + 3 * (double)strips * MEETING;
    return winograd->kernel->sums || by_points < by_strips;
}

/* A thread's out channels: from `begin` to `end`. */
static void declare_own_pieces(Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    winograd->by_points = is_cut_by_points(winograd);
    if (!shares_points(winograd))
        return;
    declare_pieces(kernel, "begin", "end", 0, winograd->contraction->out_channels, 1);
    kernel->summed_from = "begin";
    kernel->summed_to = "end";
}

static void declare_memory(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    const char *memory = shares_points(winograd) ? "team_workspace" : "workspace";
    Int before = kernel->filters ? 0 : filter_elements(winograd) / kernel->lanes;
    if (!kernel->filters)
        kernel_line(kernel, "real *filters = (real *)%s;", memory);
    kernel_line(kernel, "vec *values = %s + %lldL, *products = values + %lldL;", memory, before,
                POINTS_OF_BOTH * winograd->value_point);
}

static Winograd winograd_of(Kernel *kernel, const Contraction *whole,
                            const Contraction *contraction)
{
    Winograd winograd = plan_winograd(contraction, slices_of(whole), kernel->lanes);
    winograd.kernel = kernel;
    winograd.flipped = whole->columns.backward;
    winograd.pool = kernel->pool;
    return winograd;
}

void emit_winograd_filters(Kernel *kernel, const Contraction *whole)
{
    Contraction contraction = forwards_contraction(whole, NULL);
    Winograd winograd = winograd_of(kernel, whole, &contraction);
    Int step = whole_vectors_of(contraction.out_channels, kernel->lanes), ins = winograd.ins;
    kernel->algorithm = "Winograd: the filters, transformed once for all grains.";
    kernel->units = (ins + step - 1) / step;
    kernel_line(kernel, "const int64_t first = from * %lld, end = to * %lld;", step, step);
    kernel_line(kernel, "const int64_t stop = end < %lld ? end : %lld;", ins, ins);
    transform_some_filters(&winograd);
}

/* The loop over strips; inside, `top` is the first of its rows of tiles, and of a volume `slice`
 * the one in which it lies. */
static void open_strips(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    Int rows = winograd->rows.positions, strips = rows / winograd->strip;
    if (!has_slices(winograd)) {
        if (shares_points(winograd))
            kernel_line(kernel, "for (int top = 0; top < %lld; top += %lld) {", rows,
                        winograd->strip);
        else
            open_stepped_pieces(kernel, "top", 0, rows, winograd->strip);
        return;
    }
    if (shares_points(winograd))
        kernel_line(kernel, "for (int64_t strip = 0; strip < %lld; strip++) {",
                    strips_of(winograd));
    else
        open_pieces(kernel, "strip", strips_of(winograd));
    kernel_line(kernel, "const int slice = strip / %lld, top = strip %% %lld * %lld;", strips,
                strips, winograd->strip);
}

void emit_winograd(Kernel *kernel, const Contraction *whole)
{
    Contraction contraction = forwards_contraction(whole, kernel->pool);
    Winograd winograd = winograd_of(kernel, whole, &contraction);
    kernel->algorithm =
        format("Winograd %s: 36 multiply-adds for a tile of %lld x %lld outputs (Lavin "
               "and Gray 2016,\n * https://arxiv.org/abs/1509.09308).",
               winograd_title(contraction.rows.taps), winograd.rows.stride, winograd.rows.stride);
    split_tiles(&contraction.columns, &winograd.runs);
    kernel_line(kernel, "const vec zeros[%lld] = { { 0 } };", winograd.columns.sources);
    declare_own_pieces(&winograd);
    declare_memory(&winograd);
    transform_filters(&winograd);
    open_strips(&winograd);
    transform_sources(&winograd);
    multiply(&winograd);
    transform_products(&winograd);
    if (shares_points(&winograd) && strips_of(&winograd) > 1)
        kernel_line(kernel, "net_meet(team);");
    kernel_line(kernel, "}");
}
