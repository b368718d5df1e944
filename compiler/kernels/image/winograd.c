/* winograd.c: a convolution of one image by way of ../winograd.h.
 *
 * Some rows of tiles at a time: their sources are transformed to values at 36
 * points, a vector of consecutive channels at once; at each point a matrix
 * product, made of the tiles of tiles.c, goes over the channels; and what it
 * gives is transformed to outputs.  Values and products lie in `workspace`, [points]
 * [tiles][channels], so that rows of tiles are taken together only as far as
 * they stay in the cache.
 */
#include "kernels/winograd.h"
#include "kernels/image/tiles.h"

enum {
    MAX_WORK = 96 << 10, /* elements: values and products of some rows of tiles */
    /* cycles for a vector of channels of a tile: loads, stores and what is between */
    SOURCE_COST = 120,
    OUTPUT_COST = 130
};

typedef struct Winograd {
    ImageKernel *image;
    const Contraction *contraction;
    Axis rows, columns; /* of tiles */
    Int strip;          /* rows of tiles at a time */
    Int tiles;          /* in them */
    Int ins;            /* elements of a tile's values at a point */
    RunList runs;       /* tiles of a row whose sources and outputs lie alike */
} Winograd;

static Int whole_vectors(const ImageKernel *image, Int channels)
{
    return (channels + image->kernel.lanes - 1) / image->kernel.lanes;
}

/* From a point's values, or products, of so many channels to the next one's: elements. */
static Int point_elements(const Winograd *winograd, Int channels)
{
    Int lanes = winograd->image->kernel.lanes;
    return round_up_odd(winograd->tiles * channels / lanes) * lanes;
}

static void choose_strip(Winograd *winograd)
{
    Int channels = winograd->ins
                   + whole_vectors(winograd->image, winograd->contraction->out_channels)
                         * winograd->image->kernel.lanes;
    winograd->strip = rows_of_tiles(
        &winograd->rows, winograd->columns.positions * POINTS_OF_BOTH * channels, MAX_WORK);
    winograd->tiles = winograd->strip * winograd->columns.positions;
}

/* Whether it takes less time than image_contraction(), of which `tile` is the tile. */
static bool is_worth_it(const Winograd *winograd)
{
    const ImageKernel *image = winograd->image;
    const Contraction *contraction = winograd->contraction;
    Contraction product = point_product(winograd->contraction, winograd->tiles);
    double strips = (double)(winograd->rows.positions / winograd->strip),
           ins = (double)contraction->in_channels;
    double vectors_in = (double)whole_vectors(image, contraction->in_channels),
           vectors_out = (double)whole_vectors(image, contraction->out_channels);
    double direct = image_cover_cost(image, contraction, choose_image_tile(image, contraction))
                    * (double)contraction->rows.positions
                    * (double)(contraction->rows.taps * contraction->columns.taps) * ins;
    double transformed_cost =
        image_cover_cost(image, &product, choose_image_tile(image, &product)) * strips
            * POINTS_OF_BOTH * ins
        + strips * (double)winograd->tiles * (vectors_in * SOURCE_COST + vectors_out * OUTPUT_COST);
    return transformed_cost < 0.85 * direct;
}

/* ------------------------------------------------------------- sources */

/* Rows in the padding are read as zeros. */
static const char *sources_function(const Winograd *winograd)
{
    static const TileAccess access = {
        .pointer = "const real *",
        .load = "*(const unaligned_vec *)(line%lld + at + %lld * stride)",
        .store = "*(unaligned_vec *)(to + %lld * point)",
        .further = ",\n    int64_t channels, int64_t stride",
        .loop = "for (; count > 0; count--, source += %lld * stride)\n    for (int64_t at = "
                "source; at < source + channels; at += LANES, to += LANES) {",
    };
    Kernel *kernel = &winograd->image->kernel, function = begin_function(kernel);
    const Axis *rows = &winograd->rows, *columns = &winograd->columns;
    kernel_line(&function,
                "for (int64_t row = top; row < bottom; row++, values += tiles * channels) {");
    kernel_line(&function, "const real *line[6];");
    kernel_line(&function, "for (int64_t i = 0, at = row * %lld - above; i < 6; i++, at++)",
                rows->stride);
    kernel_line(&function,
                "    line[i] = at >= 0 && at < rows ? x + at * columns * stride : zeros;");
    for (int r = 0; r < winograd->runs.count; r++) {
        Run run = winograd->runs.items[r];
        const char *tiles = winograd_tiles_function(kernel, columns, run.start, &access),
                   *from = tile_number(run.start, columns->positions, "tiles");
        bool one = run.count == 1;
        kernel_line(&function,
                    "%s(values + (%s) * channels, point, line, ((%s) * %lld - left) * stride, %s, "
                    "channels, stride);",
                    tiles, from, from, columns->stride,
                    one ? "1" : format("tiles - %lld", columns->positions - run.count));
    }
    kernel_line(&function, "}");
    return end_function(
        kernel, &function,
        format("/* Winograd %s, one image: the sources of rows of tiles become values,\n"
               " * [points][tiles][channels]. */",
               winograd_title(winograd->contraction->rows.taps)),
        winograd_head(winograd->tiles * winograd->ins), "winograd_sources",
        "(real *values, const real *x, const real *zeros, int64_t channels, int64_t "
        "stride,\n    int64_t rows, int64_t columns, int64_t above, int64_t left, int64_t top, "
        "int64_t bottom,\n    int64_t tiles, int64_t point)");
}

static bool splits_by(const Winograd *winograd, int cut)
{
    return winograd->image->kernel.splits && (int)winograd->image->cut == cut;
}

/* Where threads share the blocks of channels, each transforms some rows for all of them. */
static void transform_sources(const Winograd *winograd)
{
    Kernel *kernel = &winograd->image->kernel;
    const Axis *rows = &winograd->rows, *columns = &winograd->columns;
    const char *function = sources_function(winograd), *first = "top",
               *end = format("top + %lld", winograd->strip), *values = "values";
    bool meets = splits_by(winograd, BY_BLOCKS);
    if (meets) {
        kernel_line(kernel, "const NetShare rows = net_pieces(team, %lld);", winograd->strip);
        first = "top + rows.from";
        end = "top + rows.to";
        values = format("values + rows.from * %lldL", columns->positions * winograd->ins);
    }
    kernel_line(kernel, "%s(%s, x, zeros, %lld, %lld, %lld, %lld, %lld, %lld, %s, %s, %lld, %lld);",
                function, values, winograd->ins, winograd->image->x_stride, rows->sources,
                columns->sources, rows->before, columns->before, first, end, columns->positions,
                point_elements(winograd, winograd->ins));
    if (meets)
        kernel_line(kernel, "net_meet(team);");
}

/* ------------------------------------------------------------ products */

static const char *product_of_block(const Winograd *winograd, const Block *block, Int positions)
{
    Kernel *kernel = &winograd->image->kernel;
    ImageKernel inner = *winograd->image;
    Contraction product = point_product(winograd->contraction, winograd->tiles);
    RunList runs = {0};
    Block whole = *block; /* products are stored by whole vectors */
    whole.channels = block->vectors * kernel->lanes;
    inner.epilogue = NULL;
    inner.epilogue_names.count = 0;
    inner.x_stride = winograd->ins;
    inner.y_stride = whole.channels;
    split_columns(&product.columns, positions, &runs);
    inner.kernel = begin_function(kernel);
    kernel_line(&inner.kernel, "const int t = 0, row = 0;");
    for (int i = 0; i < runs.count; i++)
        image_tile(&inner, &product, &whole, runs.items[i]);
    return end_function(
        kernel, &inner.kernel,
        format("/* A matrix product of one image: y[position][channel] = b[channel] + sum over n "
               "of\n * x[position][n] * b[channels + n][channel]; %lld inputs, %lld channels. */",
               product.in_channels, whole.channels),
        "static void ", "image_product", "(real *y, const real *x, const real *b)");
}

static void multiply(const Winograd *winograd, const Block *block, Int positions)
{
    Kernel *kernel = &winograd->image->kernel;
    const char *function = product_of_block(winograd, block, positions);
    kernel_line(kernel, "for (int point = 0; point < %d; point++)", POINTS_OF_BOTH);
    kernel_line(
        kernel,
        "    %s(products + point * %lldL, values + point * %lldL, factors + point * %lldL);",
        function, point_elements(winograd, block->vectors * kernel->lanes),
        point_elements(winograd, winograd->ins),
        block->width * (1 + winograd->contraction->in_channels));
}

/* ------------------------------------------------------------- outputs */

/* Of the block's channels from `c` on, of which `used` are stored. */
static void output_vector(const Winograd *winograd, const Block *block, Run run, Int used)
{
    Kernel *kernel = &winograd->image->kernel;
    Int taps = winograd->contraction->rows.taps, outputs = winograd_outputs(taps),
        stride = block->vectors * kernel->lanes;
    Int columns = winograd->contraction->columns.positions - run.start * outputs,
        inside = columns < outputs ? columns : outputs;
    const Axis *rows = &winograd->contraction->rows;
    const char *along_columns =
                   winograd_columns_function(kernel, outputs, "const real *",
                                             "*(const unaligned_vec *)(from + %lld * point)"),
               *along_rows = winograd_output_function(kernel, outputs);
    kernel_line(kernel, "vec part[6][%lld], o[%lld];", outputs, outputs);
    kernel_line(kernel, "%s(part, products + tile * %lldL + c, %lldL);", along_columns, stride,
                point_elements(winograd, stride));
    kernel_line(kernel, "const vec term = *(const unaligned_vec *)(b + c);");
    for (Int i = 0; i < outputs; i++) {
        bool asks = rows->positions % outputs && i > 0;
        Text row = {0};
        for (Int j = 0; j < POINTS; j++)
            text_add(&row, ", part[%lld][%lld]", j, i);
        kernel_line(kernel, asks ? "if (row * %lld + %lld < %lld) {" : "{", outputs, i,
                    rows->positions);
        kernel_line(kernel, "const int64_t p = (row * %lldL + %lld) * %lldL + column * %lld;",
                    outputs, i, winograd->contraction->columns.positions, outputs);
        kernel_line(kernel, "%s(o%s);", along_rows, text_chars(&row));
        for (Int j = 0; j < inside; j++)
            image_store(winograd->image, format("p + %lld", j), "t + c", used,
                        format("term + o[%lld]", j));
        kernel_line(kernel, "}");
    }
}

static void output_tiles(const Winograd *winograd, const Block *block, Run run)
{
    Kernel *kernel = &winograd->image->kernel;
    Int lanes = kernel->lanes, whole = block->channels / lanes * lanes;
    open_tiles(kernel, &winograd->columns, run);
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        output_vector(winograd, block, run, lanes);
        kernel_line(kernel, "}");
    }
    if (block->channels > whole) {
        kernel_line(kernel, "const int c = %lld;", whole);
        output_vector(winograd, block, run, block->channels - whole);
    }
    kernel_line(kernel, "}");
}

/* Tiles of which all columns lie inside, and then one of which some do not. */
static void transform_products(const Winograd *winograd, const Block *block)
{
    Kernel *kernel = &winograd->image->kernel;
    Int tiles = winograd->columns.positions,
        whole = winograd->contraction->columns.positions / winograd->columns.stride;
    kernel_line(kernel, "for (int row = top; row < top + %lld; row++) {", winograd->strip);
    if (whole)
        output_tiles(winograd, block, (Run){0, 1, whole});
    if (whole < tiles)
        output_tiles(winograd, block, (Run){whole, 1, tiles - whole});
    kernel_line(kernel, "}");
}

/* Elements of the packed weights of a block of as many channels as a tile has. */
static Int whole_size(const Winograd *winograd, TileSize tile)
{
    return tile.vectors * winograd->image->kernel.lanes
           * (1 + POINTS_OF_BOTH * (1 + winograd->contraction->in_channels));
}

/* The blocks of `channels` channels from `from` to `to`. */
static void multiply_blocks(const Winograd *winograd, TileSize tile, Int channels, Int from, Int to)
{
    Kernel *kernel = &winograd->image->kernel;
    if (from >= to)
        return;
    Block block = block_of(winograd->image, channels);
    Int size = block.width * (1 + POINTS_OF_BOTH * (1 + winograd->contraction->in_channels));
    bool shared = splits_by(winograd, BY_BLOCKS);
    if (shared) {
        open_declared_pieces(kernel, "t", from, channels);
        kernel_line(
            kernel, "const real *u = w + %s%lldL;", from ? "" : format("t / %lld * ", channels),
            from ? from / (tile.vectors * kernel->lanes) * whole_size(winograd, tile) : size);
    } else
        kernel_line(kernel, "for (int t = %lld; t < %lld; t += %lld) {", from, to, channels);
    kernel_line(kernel, "const real *b = u, *factors = u + %lld;", block.width);
    multiply(winograd, &block, tile.positions);
    transform_products(winograd, &block);
    if (!shared)
        kernel_line(kernel, "u += %lldL;", size);
    kernel_line(kernel, "}");
}

/* Of two threads and of four. */
static double unevenness(Int pieces)
{
    return imbalance(pieces, 2) + imbalance(pieces, 4);
}

/* What a piece is: a strip, or a block of channels of each strip, what can be shared out more
 * evenly.  Every strip reads all weights, so a thread reads about as many either way. */
static void choose_cut(Winograd *winograd, TileSize tile)
{
    Int step = tile.vectors * winograd->image->kernel.lanes,
        blocks = (winograd->contraction->out_channels + step - 1) / step,
        strips = winograd->rows.positions / winograd->strip;
    winograd->image->cut = unevenness(blocks) < unevenness(strips) ? BY_BLOCKS : BY_ROWS;
    if (blocks == 1 && strips == 1)
        winograd->image->kernel.splits = false;
}

static const double *factors_at_points(Int taps)
{
    double *factors = NEW_ARRAY(double, (size_t)(POINTS * taps));
    for (Int i = 0; i < POINTS * taps; i++)
        factors[i] = winograd_factor(i / taps, i % taps, taps);
    return factors;
}

bool image_winograd(ImageKernel *image, Contraction contraction)
{
    if (!winograd_fits(&contraction))
        return false;
    Int lanes = image->kernel.lanes;
    Winograd winograd = {
        .image = image,
        .contraction = &contraction,
        .rows = winograd_tiles(&contraction.rows),
        .columns = winograd_tiles(&contraction.columns),
        .ins = whole_vectors(image, contraction.in_channels) * lanes,
    };
    choose_strip(&winograd);
    if (!is_worth_it(&winograd))
        return false;
    split_tiles(&contraction.columns, &winograd.runs);
    Contraction product = point_product(&contraction, winograd.tiles);
    TileSize tile = choose_image_tile(image, &product);
    Int step = tile.vectors * lanes, whole = contraction.out_channels / step * step;
    Int values = POINTS_OF_BOTH * point_elements(&winograd, winograd.ins),
        products = POINTS_OF_BOTH * point_elements(&winograd, step);
    Int line = contraction.columns.sources * image->x_stride + lanes;
    Kernel *kernel = &image->kernel;
    kernel->algorithm =
        format("Winograd %s, one image: vectors of consecutive channels (Lavin and Gray "
               "2016,\n * https://arxiv.org/abs/1509.09308).",
               winograd_title(contraction.rows.taps));
    pack_image_contraction(image, &contraction, step);
    image->packing.points = POINTS;
    image->packing.at = factors_at_points(contraction.columns.taps);
    image->work = values + products;
    kernel_line(kernel, "static const real zeros[%lld] = { 0 };", line);
    if (kernel->splits)
        choose_cut(&winograd, tile);
    bool by_blocks = splits_by(&winograd, BY_BLOCKS);
    kernel_line(kernel, "real *values = %s, *products = workspace + %lldL;",
                by_blocks ? "team_workspace" : "workspace", values);
    if (by_blocks) {
        declare_pieces(kernel, "begin", "end", 0, contraction.out_channels, step);
        kernel_line(kernel, "for (int top = 0; top < %lld; top += %lld) {", winograd.rows.positions,
                    winograd.strip);
    } else {
        open_stepped_pieces(kernel, "top", 0, winograd.rows.positions, winograd.strip);
    }
    transform_sources(&winograd);
    if (!by_blocks)
        kernel_line(kernel, "const real *u = w;");
    multiply_blocks(&winograd, tile, step, 0, whole);
    multiply_blocks(&winograd, tile, contraction.out_channels - whole, whole,
                    contraction.out_channels);
    if (by_blocks && winograd.strip < winograd.rows.positions)
        kernel_line(kernel, "net_meet(team);");
    kernel_line(kernel, "}");
    return true;
}
