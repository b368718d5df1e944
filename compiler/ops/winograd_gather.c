/* winograd_gather.c: a convolution of a grain, or its input's gradient, by way of
 * winograd.h.
 *
 * Some rows of tiles at a time: every channel's sources are turned into values,
 * a row of lanes at a time without shuffles; at each of the 36 points a matrix
 * product over the channels, made of the tiles of tiles.c, whose operands stay
 * in the first cache; and what it gives is turned into outputs.  In `work` lie
 * the filters, [points][tiled][summed], the values, [points][summed][tiles], and
 * the products, [points][tiled][tiles]; a point's lie an odd number of vectors
 * after the last one's.  The filters are turned anew for every
 * grain: that costs what a few multiply-adds of a tile do.
 */
#include "batch_norm2d.h"
#include "max_pool2d.h"
#include "winograd.h"

enum {
    /* of values and products: rows of tiles are taken together up to here */
    STRIP_BYTES = 768 << 10,
    MAX_BYTES = 24 << 20, /* of all that lies in `work` */
    TURN_COST = 130,
    UNTURN_COST = 120, /* of a tile and a channel, in multiply-adds of lanes */
    /* of a pair of channels, divided among the lanes that turn as many filters at once */
    FILTER_COST = 480
};

typedef struct Winograd {
    Kernel *kernel;
    const Gather *gather; /* with the positions that a pool covers, and none of its axes backward */
    bool flipped;         /* the taps are the weight's from the last on */
    const Node *pool;
    Axis rows, columns; /* of tiles */
    Int strip, tiles;   /* rows of tiles at a time; tiles in them */
    Int line; /* elements of a row of filters: the summed channels, filled up to whole vectors */
    /* from a point to the next: elements, vectors, vectors */
    Int filter_point, value_point, product_point;
    RunList runs; /* tiles of a row whose sources and outputs lie alike */
} Winograd;

/* A gradient's axis as one that goes forward over the taps from the last on. */
static Axis forwards(Axis axis)
{
    if (axis.backward)
        axis.before = axis.taps - 1 - axis.before;
    axis.backward = false;
    return axis;
}

static Gather forwards_gather(const Gather *gather, const Node *pool)
{
    Gather forward = *gather;
    forward.rows = forwards(gather->rows);
    forward.columns = forwards(gather->columns);
    if (pool) {
        forward.rows.positions = pool->out->shape.dim[1] * pooled_rows(pool);
        forward.columns.positions = pool->out->shape.dim[2] * pooled_columns(pool);
    }
    return forward;
}

static Int filter_elements(const Winograd *winograd)
{
    return POINTS_OF_BOTH * winograd->filter_point;
}

static Winograd plan_winograd(const Gather *gather, int lanes)
{
    Winograd winograd = {
        .gather = gather,
        .rows = winograd_tiles(&gather->rows),
        .columns = winograd_tiles(&gather->columns),
        .line = (gather->summed + lanes - 1) / lanes * lanes,
    };
    Int column = POINTS_OF_BOTH * (gather->summed + gather->tiled) * winograd.columns.positions
                 * lanes * (Int)sizeof(float);
    winograd.strip = rows_of_tiles(&winograd.rows, column, STRIP_BYTES);
    winograd.tiles = winograd.strip * winograd.columns.positions;
    winograd.filter_point = round_up_odd(gather->tiled * winograd.line / lanes) * lanes;
    winograd.value_point = round_up_odd(gather->summed * winograd.tiles);
    winograd.product_point = round_up_odd(gather->tiled * winograd.tiles);
    return winograd;
}

static bool is_worth_it(const Winograd *winograd, int lanes)
{
    const Gather *gather = winograd->gather;
    double pairs = (double)(gather->summed * gather->tiled),
           tiles = (double)(winograd->rows.positions * winograd->columns.positions);
    double turned =
        pairs * (POINTS_OF_BOTH * tiles + (double)FILTER_COST / lanes)
        + tiles * (TURN_COST * (double)gather->summed + UNTURN_COST * (double)gather->tiled);
    return 1.25 * turned < direct_work(gather);
}

/* A pool's windows are rows and columns of one tile. */
static bool pool_fits(const Gather *gather, const Node *pool)
{
    Int outputs = winograd_outputs(gather->rows.taps);
    return !pool || (outputs % pooled_rows(pool) == 0 && outputs % pooled_columns(pool) == 0);
}

Int winograd_work(const Gather *gather, const Node *pool, int lanes)
{
    if (!winograd_fits(gather) || !pool_fits(gather, pool))
        return 0;
    Gather forward = forwards_gather(gather, pool);
    Winograd winograd = plan_winograd(&forward, lanes);
    Int vectors = filter_elements(&winograd) / lanes
                  + POINTS_OF_BOTH * (winograd.value_point + winograd.product_point);
    if (vectors > MAX_BYTES / (lanes * (Int)sizeof(float)) || !is_worth_it(&winograd, lanes))
        return 0;
    return vectors;
}

/* -------------------------------------------------------------- filters */

/* The taps of a row of filters, as they lie in the weight: lane by lane, one filter each. */
static void load_filters(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    const Gather *gather = winograd->gather;
    long long window = gather->rows.taps * gather->columns.taps, summed = gather->summed;
    kernel_line(kernel, "const real *from = weight + t * %lldL + n * %lldL;", gather->tiled_step,
                gather->summed_step);
    kernel_line(kernel, "const int count = %lld - n < LANES ? %lld - n : LANES;", summed, summed);
    kernel_line(kernel, "vec f[%lld] = { { 0 } };", window);
    kernel_line(kernel, "for (int lane = 0; lane < count; lane++)");
    kernel_line(kernel, "    for (int k = 0; k < %lld; k++)", window);
    kernel_line(kernel, "        f[%s][lane] = from[lane * %lldL + k];",
                winograd->flipped ? format("%lld - k", window - 1) : "k", gather->summed_step);
}

static void turn_filter_column(Kernel *kernel, Int j, Int taps)
{
    const char *tap[POINTS];
    for (Int i = 0; i < taps; i++)
        tap[i] = format("f[%lld]", i * taps + j);
    declare_column(kernel, "h", j, POINTS);
    kernel_line(kernel, "{");
    emit_turn_taps(kernel, tap, taps);
    for (Int i = 0; i < POINTS; i++)
        kernel_line(kernel, "h%lld_%lld = g%lld;", j, i, i);
    kernel_line(kernel, "}");
}

static void turn_filter_row(Kernel *kernel, Int i, Int taps, Int point)
{
    const char *tap[POINTS];
    for (Int j = 0; j < taps; j++)
        tap[j] = format("h%lld_%lld", j, i);
    kernel_line(kernel, "{");
    emit_turn_taps(kernel, tap, taps);
    for (Int j = 0; j < POINTS; j++)
        kernel_line(kernel, "*(loose_vec *)(to + %lldL) = g%lld;", (i * POINTS + j) * point, j);
    kernel_line(kernel, "}");
}

/* Lanes are consecutive summed channels here: a row of filters is turned at once. */
static void turn_filters(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    const Gather *gather = winograd->gather;
    kernel_line(kernel, "for (int t = 0; t < %lld; t++) {", gather->tiled);
    kernel_line(kernel, "for (int n = 0; n < %lld; n += LANES) {", gather->summed);
    load_filters(winograd);
    for (Int j = 0; j < gather->columns.taps; j++)
        turn_filter_column(kernel, j, gather->rows.taps);
    kernel_line(kernel, "real *to = filters + t * %lldL + n;", winograd->line);
    for (Int i = 0; i < POINTS; i++)
        turn_filter_row(kernel, i, gather->columns.taps, winograd->filter_point);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* --------------------------------------------------------------- values */

/* Rows in the padding are read as zeros. */
static void turn_sources(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    const Axis *rows = &winograd->rows, *columns = &winograd->columns;
    bool inside = every_tap_lies_inside(rows);
    kernel_line(kernel, "for (int n = 0; n < %lld; n++) {", winograd->gather->summed);
    kernel_line(kernel, "const vec *plane = %s + n * %lldL;", winograd->gather->in,
                rows->sources * columns->sources);
    kernel_line(kernel, "for (int row = top; row < top + %lld; row++) {", winograd->strip);
    for (Int i = 0; i < POINTS; i++) {
        const char *at = format("row * %lld + %lld", rows->stride, i - rows->before);
        kernel_line(
            kernel,
            inside ? "const vec *line%lld = plane + (%s) * %lld;"
                   : "const vec *line%lld = (unsigned)(%s) < %lld ? plane + (%s) * %lld : zeros;",
            i, at, inside ? columns->sources : rows->sources, at, columns->sources);
    }
    for (int r = 0; r < winograd->runs.count; r++) {
        open_tiles(kernel, columns, winograd->runs.items[r]);
        kernel_line(kernel, "const int source = column * %lld;", columns->stride);
        kernel_line(kernel, "vec *to = values + n * %lldL + tile;", winograd->tiles);
        emit_turn_tile(kernel, columns, winograd->runs.items[r].start,
                       (Place){"line%lld[source + %lld]", 1},
                       (Place){"to[%lldL]", winograd->value_point});
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* ------------------------------------------------------------- products */

static void multiply(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    const Gather *gather = winograd->gather;
    Gather product = point_product(gather, winograd->tiles);
    product.in = "in";
    product.out = "out";
    product.tiled_step = winograd->line;
    product.summed_step = 1;
    kernel_line(kernel, "for (int point = 0; point < %d; point++) {", POINTS_OF_BOTH);
    kernel_line(kernel, "const vec *in = values + point * %lldL;", winograd->value_point);
    kernel_line(kernel, "const real *weights = filters + point * %lldL;", winograd->filter_point);
    kernel_line(kernel, "vec *out = products + point * %lldL;", winograd->product_point);
    emit_product(kernel, &product);
    kernel_line(kernel, "}");
}

/* -------------------------------------------------------------- outputs */

static void store_row(const Winograd *winograd, Int i, Int inside)
{
    Kernel *kernel = winograd->kernel;
    const Gather *gather = winograd->gather;
    kernel_line(kernel, "vec *to = %s + (t * %lldL + row * %lld + %lld) * %lldL + column * %lld;",
                gather->out, gather->rows.positions, winograd->rows.stride, i,
                gather->columns.positions, winograd->columns.stride);
    if (kernel->finish_operands || kernel->sums)
        kernel_line(kernel, "const int64_t at = to - %s;", gather->out);
    for (Int j = 0; j < inside; j++)
        kernel_store(kernel, format("to[%lld]", j), format("at + %lld", j),
                     format("%sa0_%lld%s", gather->accumulate ? format("to[%lld] + ", j) : "", j,
                            gather->bias ? " + term" : ""));
    if (kernel->sums)
        add_gradient_sums(kernel, "t", 0, inside);
}

/* The tile's rows from i on, as many as a window of the pool has, are a window's sums: pooled,
 * not stored. */
static void pool_rows(const Winograd *winograd, Int i, Int inside)
{
    Kernel *kernel = winograd->kernel;
    Int rows = pooled_rows(winograd->pool);
    for (Int r = 0; winograd->gather->bias && r < rows; r++)
        for (Int j = 0; j < inside; j++)
            kernel_line(kernel, "a0_%lld += term;", r * inside + j);
    kernel_line(kernel, "const int first = row * %lld + %lld, left = column * %lld;",
                winograd->rows.stride, i, winograd->columns.stride);
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int row = first, column = left;");
    emit_pooled_tile(kernel, winograd->pool, "t", 1, inside);
    kernel_line(kernel, "}");
}

static void unturn_tile(const Winograd *winograd, Run run)
{
    Kernel *kernel = winograd->kernel;
    Int taps = winograd->gather->rows.taps, outputs = winograd_outputs(taps),
        rows = winograd->pool ? pooled_rows(winograd->pool) : 1;
    Int left = winograd->gather->columns.positions - run.start * outputs,
        inside = left < outputs ? left : outputs;
    bool partial = winograd->gather->rows.positions % outputs;
    open_tiles(kernel, &winograd->columns, run);
    kernel_line(kernel, "const vec *from = products + t * %lldL + tile;", winograd->tiles);
    emit_unturn_tile(kernel, (Place){"from[%lldL]", winograd->product_point}, taps, inside);
    for (Int i = 0; i < outputs; i += rows) {
        kernel_line(kernel, partial && i ? "if (row * %lld + %lld < %lld) {" : "{", outputs, i,
                    winograd->gather->rows.positions);
        for (Int r = 0; r < rows; r++)
            emit_unturn_row(kernel, "a0_", r * inside, i + r, taps, inside);
        (winograd->pool ? pool_rows : store_row)(winograd, i, inside);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}

static void unturn_products(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    kernel_line(kernel, "for (int t = 0; t < %lld; t++) {", winograd->gather->tiled);
    if (winograd->gather->bias)
        kernel_line(kernel, "const vec term = splat(%s[t]);", winograd->gather->bias);
    kernel_line(kernel, "for (int row = top; row < top + %lld; row++) {", winograd->strip);
    for (int r = 0; r < winograd->runs.count; r++)
        unturn_tile(winograd, winograd->runs.items[r]);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

void emit_winograd(Kernel *kernel, const Gather *whole)
{
    Gather gather = forwards_gather(whole, kernel->pool);
    Winograd winograd = plan_winograd(&gather, kernel->lanes);
    winograd.kernel = kernel;
    winograd.flipped = whole->columns.backward;
    winograd.pool = kernel->pool;
    split_tiles(&gather.columns, &winograd.runs);
    if (!every_tap_lies_inside(&winograd.rows))
        kernel_line(kernel, "const vec zeros[%lld] = { { 0 } };", winograd.columns.sources);
    kernel_line(kernel, "real *filters = (real *)work;");
    kernel_line(kernel, "vec *values = work + %lldL, *products = values + %lldL;",
                filter_elements(&winograd) / kernel->lanes, POINTS_OF_BOTH * winograd.value_point);
    turn_filters(&winograd);
    kernel_line(kernel, "for (int top = 0; top < %lld; top += %lld) {", winograd.rows.positions,
                winograd.strip);
    turn_sources(&winograd);
    multiply(&winograd);
    unturn_products(&winograd);
    kernel_line(kernel, "}");
}
