/* single_winograd.c: a convolution of one image by way of winograd.h.
 *
 * Some rows of tiles at a time: their sources are turned into values at 36
 * points, a vector of consecutive channels at once; at each point a matrix
 * product, made of the tiles of single.c, goes over the channels; and what it
 * gives is turned into outputs.  Values and products lie in `work`, [points]
 * [tiles][channels], so that rows of tiles are taken together only as far as
 * they stay in the cache.
 */
#include "single_tiles.h"
#include "winograd.h"

enum {
    MAX_WORK = 96 << 10, /* elements: values and products of some rows of tiles */
    /* cycles for a vector of channels of a tile: loads, stores and what is between */
    TURN_COST = 120,
    UNTURN_COST = 130
};

typedef struct Winograd {
    Single *single;
    const Gather *gather;
    Axis rows, columns; /* of tiles */
    Int strip;          /* rows of tiles at a time */
    Int tiles;          /* in them */
    Int ins;            /* elements of a tile's values at a point */
    RunList runs;       /* tiles of a row whose sources and outputs lie alike */
} Winograd;

static Int whole_vectors(const Single *single, Int channels)
{
    return (channels + single->kernel.lanes - 1) / single->kernel.lanes;
}

/* From a point's values, or products, of so many channels to the next one's: elements. */
static Int point_elements(const Winograd *winograd, Int channels)
{
    Int lanes = winograd->single->kernel.lanes;
    return round_up_odd(winograd->tiles * channels / lanes) * lanes;
}

static void choose_strip(Winograd *winograd)
{
    Int channels =
        winograd->ins
        + whole_vectors(winograd->single, winograd->gather->tiled) * winograd->single->kernel.lanes;
    winograd->strip = rows_of_tiles(
        &winograd->rows, winograd->columns.positions * POINTS_OF_BOTH * channels, MAX_WORK);
    winograd->tiles = winograd->strip * winograd->columns.positions;
}

/* Whether it takes less time than single_gather(), of which `tile` is the tile. */
static bool is_worth_it(const Winograd *winograd)
{
    const Single *single = winograd->single;
    const Gather *gather = winograd->gather;
    Gather product = point_product(winograd->gather, winograd->tiles);
    double strips = (double)(winograd->rows.positions / winograd->strip),
           ins = (double)gather->summed;
    double vectors_in = (double)whole_vectors(single, gather->summed),
           vectors_out = (double)whole_vectors(single, gather->tiled);
    double direct = single_cover_cost(single, gather, choose_single_tile(single, gather))
                    * (double)gather->rows.positions
                    * (double)(gather->rows.taps * gather->columns.taps) * ins;
    double turned =
        single_cover_cost(single, &product, choose_single_tile(single, &product)) * strips
            * POINTS_OF_BOTH * ins
        + strips * (double)winograd->tiles * (vectors_in * TURN_COST + vectors_out * UNTURN_COST);
    return turned < 0.85 * direct;
}

/* ------------------------------------------------------------- turning */

static void turn_tile(const Winograd *winograd, Run run)
{
    Kernel *kernel = &winograd->single->kernel;
    Int stride = winograd->single->x_stride;
    open_tiles(kernel, &winograd->columns, run);
    kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", winograd->gather->summed);
    kernel_line(kernel, "const int64_t source = column * %lldL + c;",
                winograd->columns.stride * stride);
    kernel_line(kernel, "real *to = values + tile * %lldL + c;", winograd->ins);
    emit_turn_tile(kernel, &winograd->columns, run.start,
                   (Place){"*(const loose_vec *)(line%lld + source + %lldL)", stride},
                   (Place){"*(loose_vec *)(to + %lldL)", point_elements(winograd, winograd->ins)});
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* Rows in the padding are read as zeros. */
static void turn_strip(const Winograd *winograd)
{
    Kernel *kernel = &winograd->single->kernel;
    const Axis *rows = &winograd->rows;
    Int line = winograd->columns.sources * winograd->single->x_stride;
    bool inside = every_tap_lies_inside(rows);
    kernel_line(kernel, "for (int row = top; row < top + %lld; row++) {", winograd->strip);
    for (Int i = 0; i < POINTS; i++) {
        const char *at = format("row * %lld + %lld", rows->stride, i - rows->before);
        if (inside)
            kernel_line(kernel, "const real *line%lld = x + (%s) * %lldL;", i, at, line);
        else
            kernel_line(kernel,
                        "const real *line%lld = (unsigned)(%s) < %lld ? x + (%s) * %lldL : zeros;",
                        i, at, rows->sources, at, line);
    }
    for (int r = 0; r < winograd->runs.count; r++)
        turn_tile(winograd, winograd->runs.items[r]);
    kernel_line(kernel, "}");
}

/* ------------------------------------------------------------ products */

static void multiply(const Winograd *winograd, const Block *block, Int positions)
{
    Kernel *kernel = &winograd->single->kernel;
    Single inner = *winograd->single;
    Gather product = point_product(winograd->gather, winograd->tiles);
    RunList runs = {0};
    Block whole = *block; /* products are stored by whole vectors */
    whole.channels = block->vectors * kernel->lanes;
    inner.finish = NULL;
    inner.finish_names.count = 0;
    inner.x_stride = winograd->ins;
    inner.y_stride = whole.channels;
    split_columns(&product.columns, positions, &runs);
    kernel_line(kernel, "for (int point = 0; point < %d; point++) {", POINTS_OF_BOTH);
    kernel_line(kernel, "const real *x = values + point * %lldL;",
                point_elements(winograd, winograd->ins));
    kernel_line(kernel, "const real *b = factors + point * %lldL;",
                block->width * (1 + product.summed));
    kernel_line(kernel, "real *y = products + point * %lldL;",
                point_elements(winograd, inner.y_stride));
    kernel_line(kernel, "const int t = 0, row = 0;");
    *kernel = inner.kernel = *kernel;
    for (int i = 0; i < runs.count; i++)
        single_tile(&inner, &product, &whole, runs.items[i]);
    *kernel = inner.kernel;
    kernel_line(kernel, "}");
}

/* ----------------------------------------------------------- unturning */

static void unturn_vector(const Winograd *winograd, const Block *block, Run run, Int v)
{
    Kernel *kernel = &winograd->single->kernel;
    Int taps = winograd->gather->rows.taps, outputs = winograd_outputs(taps), lanes = kernel->lanes,
        stride = block->vectors * lanes;
    Int left = block->channels - v * lanes, used = left < lanes ? left : lanes;
    Int columns = winograd->gather->columns.positions - run.start * outputs,
        inside = columns < outputs ? columns : outputs;
    const Axis *rows = &winograd->gather->rows;
    kernel_line(kernel, "{");
    kernel_line(kernel, "const real *from = products + tile * %lldL + %lld;", stride, v * lanes);
    emit_unturn_tile(
        kernel, (Place){"*(const loose_vec *)(from + %lldL)", point_elements(winograd, stride)},
        taps, inside);
    kernel_line(kernel, "const vec term = *(const loose_vec *)(b + %lld);", v * lanes);
    for (Int i = 0; i < outputs; i++) {
        bool asks = rows->positions % outputs && i > 0;
        kernel_line(kernel, asks ? "if (row * %lld + %lld < %lld) {" : "{", outputs, i,
                    rows->positions);
        emit_unturn_row(kernel, "u", 0, i, taps, inside);
        for (Int j = 0; j < inside; j++)
            single_store(winograd->single,
                         format("(row * %lldL + %lld) * %lldL + column * %lld + %lld", outputs, i,
                                winograd->gather->columns.positions, outputs, j),
                         format("t + %lld", v * lanes), used, format("term + u%lld", j));
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}

static void unturn_strip(const Winograd *winograd, const Block *block)
{
    Kernel *kernel = &winograd->single->kernel;
    kernel_line(kernel, "for (int row = top; row < top + %lld; row++) {", winograd->strip);
    for (int r = 0; r < winograd->runs.count; r++) {
        open_tiles(kernel, &winograd->columns, winograd->runs.items[r]);
        for (Int v = 0; v < block->vectors; v++)
            unturn_vector(winograd, block, winograd->runs.items[r], v);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}

/* The blocks of `channels` channels from `from` to `to`. */
static void multiply_blocks(const Winograd *winograd, TileSize tile, Int channels, Int from, Int to)
{
    Kernel *kernel = &winograd->single->kernel;
    if (from >= to)
        return;
    Block block = block_of(winograd->single, channels);
    Int size = block.width * (1 + POINTS_OF_BOTH * (1 + winograd->gather->summed));
    kernel_line(kernel, "for (int t = %lld; t < %lld; t += %lld) {", from, to, channels);
    kernel_line(kernel, "const real *b = u, *factors = u + %lld;", block.width);
    multiply(winograd, &block, tile.positions);
    unturn_strip(winograd, &block);
    kernel_line(kernel, "u += %lldL;", size);
    kernel_line(kernel, "}");
}

static const double *factors_at_points(Int taps)
{
    double *factors = NEW_ARRAY(double, (size_t)(POINTS * taps));
    for (Int i = 0; i < POINTS * taps; i++)
        factors[i] = winograd_factor(i / taps, i % taps, taps);
    return factors;
}

bool single_winograd(Single *single, Gather gather)
{
    if (!winograd_fits(&gather))
        return false;
    Int lanes = single->kernel.lanes;
    Winograd winograd = {
        .single = single,
        .gather = &gather,
        .rows = winograd_tiles(&gather.rows),
        .columns = winograd_tiles(&gather.columns),
        .ins = whole_vectors(single, gather.summed) * lanes,
    };
    choose_strip(&winograd);
    if (!is_worth_it(&winograd))
        return false;
    split_tiles(&gather.columns, &winograd.runs);
    Gather product = point_product(&gather, winograd.tiles);
    TileSize tile = choose_single_tile(single, &product);
    Int step = tile.vectors * lanes, whole = gather.tiled / step * step;
    Int values = POINTS_OF_BOTH * point_elements(&winograd, winograd.ins),
        products = POINTS_OF_BOTH * point_elements(&winograd, step);
    Int line = gather.columns.sources * single->x_stride + lanes;
    Kernel *kernel = &single->kernel;
    pack_single_gather(single, &gather, step);
    single->packing.points = POINTS;
    single->packing.at = factors_at_points(gather.columns.taps);
    single->work = values + products;
    if (!every_tap_lies_inside(&winograd.rows))
        kernel_line(kernel, "static const real zeros[%lld];", line);
    kernel_line(kernel, "real *values = work, *products = work + %lldL;", values);
    kernel_line(kernel, "for (int top = 0; top < %lld; top += %lld) {", winograd.rows.positions,
                winograd.strip);
    turn_strip(&winograd);
    kernel_line(kernel, "const real *u = w;");
    multiply_blocks(&winograd, tile, step, 0, whole);
    multiply_blocks(&winograd, tile, gather.tiled - whole, whole, gather.tiled);
    kernel_line(kernel, "}");
    return true;
}
