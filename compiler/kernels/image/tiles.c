/* tiles.c: see image.h.
 *
 * The tiles are those of grain/tiles.c transposed: a vector is sixteen
 * channels of one position instead of one value of sixteen images, so weights
 * are vectors, packed in the order of their use, and the input is one value,
 * spread over a vector as it is read.
 */
#include "kernels/image/tiles.h"

enum { MAX_TILE_VECTORS = 8, MAX_TILE_POSITIONS = 24, MAX_PRODUCTS = 160, MAX_CHAINS = 8 };

/* ---------------------------------------------------------------- stores */

void image_store(ImageKernel *image, const char *position, const char *channel, Int used,
                 const char *value)
{
    Text text = {0};
    if (image->epilogue) {
        text_add(&text, "%s(%s", image->epilogue, value);
        for (int i = 0; i < image->epilogue_names.count; i++)
            text_add(&text, ", *(const unaligned_vec *)(%s + (%s) * %lldL + %s)",
                     image->epilogue_names.items[i], position, image->epilogue_strides.items[i],
                     channel);
        text_add(&text, ")");
        value = text_chars(&text);
    }
    kernel_add(&image->kernel, "store_%lld(y + (%s) * %lldL + %s, %s);", used, position,
               image->y_stride, channel, value);
}

/* --------------------------------------------------------------- blocks
 * Channels are covered by vectors, the last of which may be half as wide. */

static Int padded(const ImageKernel *image, Int channels)
{
    Int lanes = image->kernel.lanes, whole = channels / lanes * lanes, rest = channels - whole;
    if (rest == 0)
        return whole;
    return whole + (image->halves && rest <= lanes / 2 ? lanes / 2 : lanes);
}

Int packed_elements(const Packing *packing)
{
    Int blocks = packing->outs / packing->block, rest = packing->outs % packing->block;
    Int width = blocks * packing->block + (rest ? packing->last : 0);
    Int factors = packing->points ? packing->points * packing->points * (1 + packing->ins)
                                  : packing->rows * packing->columns * packing->ins;
    return packing->groups * width * (1 + factors);
}

/* ---------------------------------------------------------- contraction */

/* Cycles of one tap of one input: two loads or multiply-adds of up to half a
 * cache line each, and at least the latency of the sums that there are. */
static double tile_cost(const ImageKernel *image, const Contraction *contraction, Int channels,
                        Int positions)
{
    Int lanes = image->kernel.lanes;
    double wide = image->halves ? 1 : 0.5,
           width = (double)padded(image, channels) / (double)lanes * wide;
    double weights = (double)contraction->in_channels
                     * (double)(contraction->rows.taps * contraction->columns.taps)
                     * (double)channels;
    double sums = width * (double)positions;
    /* the second cache gives half as much */
    double loads = width * (weights > 6000 ? 2 : 1) + 0.5 * (double)positions;
    double cost = sums > loads ? sums : loads,
           chains = (double)((channels + lanes - 1) / lanes * positions);
    double min_cost = chains >= 8 ? 0 : chains / 2 + 0.5;
    return (cost > min_cost ? cost : min_cost) + 0.25;
}

double image_cover_cost(const ImageKernel *image, const Contraction *contraction, TileSize tile)
{
    Int step = tile.vectors * image->kernel.lanes, columns = contraction->columns.positions;
    Int rest = contraction->out_channels % step, left = columns % tile.positions;
    double blocks = (double)(contraction->out_channels / step),
           tiles = (double)(columns / tile.positions), cost = 0;
    if (blocks > 0)
        cost += blocks
                * (tiles * tile_cost(image, contraction, step, tile.positions)
                   + (left ? tile_cost(image, contraction, step, left) : 0));
    if (rest)
        cost += tiles * tile_cost(image, contraction, rest, tile.positions)
                + (left ? tile_cost(image, contraction, rest, left) : 0);
    return cost;
}

static bool tile_fits(const ImageKernel *image, const Contraction *contraction, TileSize tile)
{
    Int sums = tile.vectors * tile.positions;
    return sums + tile.vectors + 2 <= image->kernel.registers
           && (sums <= 8 || sums * contraction->columns.taps <= MAX_PRODUCTS);
}

TileSize choose_image_tile(const ImageKernel *image, const Contraction *contraction)
{
    TileSize best = {1, 1};
    double best_cost = 1e300;
    Int max_vectors = (contraction->out_channels + image->kernel.lanes - 1) / image->kernel.lanes;
    for (Int v = 1; v <= max_vectors && v <= MAX_TILE_VECTORS; v++)
        for (Int p = 1; p <= contraction->columns.positions && p <= MAX_TILE_POSITIONS; p++) {
            TileSize tile = {v, p};
            double cost = image_cover_cost(image, contraction, tile);
            if (tile_fits(image, contraction, tile) && cost < best_cost) {
                best_cost = cost;
                best = tile;
            }
        }
    return best;
}

Block block_of(const ImageKernel *image, Int channels)
{
    Int lanes = image->kernel.lanes, width = padded(image, channels);
    return (Block){channels, width, (width + lanes - 1) / lanes, width % lanes != 0};
}

static bool is_half(const Block *block, Int vector)
{
    return block->half && vector == block->vectors - 1;
}

static const char *vector_type(const Block *block, Int vector)
{
    return is_half(block, vector) ? "half" : "vec";
}

/* How many inputs are summed apart, so that few sums do not wait for one another. */
static Int chains_of(const Contraction *contraction, const Block *block, Int positions)
{
    Int chains = 1;
    while (chains * block->vectors * positions < MAX_CHAINS
           && contraction->in_channels >= 4 * chains)
        chains *= 2;
    return chains;
}

bool is_read(const Axis *columns, Run run, Int tap)
{
    for (Int p = 0; p < run.width; p++)
        if (axis_source(columns, run.start + p, tap) >= 0)
            return true;
    return false;
}

/* Sums of whole vectors are the array `sums`, [chain][position][vector], those of halves
 * `halves`, [chain][position]: what takes them is inlined, so they are registers. */
static Int whole_vectors(const Block *block)
{
    return block->vectors - block->half;
}

static const char *sum_text(const Block *block, Int positions, Int p, Int vector, Int chain)
{
    Int offset = chain * positions + p;
    return is_half(block, vector) ? format("halves[%lld]", offset)
                                  : format("sums[%lld]", offset * whole_vectors(block) + vector);
}

static void start_sums(ImageKernel *image, const Block *block, Int positions, Int chains)
{
    Kernel *kernel = &image->kernel;
    Int all = chains * positions * whole_vectors(block);
    if (all)
        kernel_add(kernel, "vec sums[%lld] = { { 0 } };", all);
    if (block->half)
        kernel_add(kernel, "half halves[%lld] = { { 0 } };", chains * positions);
    for (Int v = 0; v < block->vectors; v++) {
        Text sums = {0};
        for (Int p = 0; p < positions; p++)
            text_add(&sums, "%s = ", sum_text(block, positions, p, v, 0));
        kernel_add(kernel, "%s*(const unaligned_%s *)(b + %lld);", text_chars(&sums),
                   vector_type(block, v), v * kernel->lanes);
    }
}

/* Position p's input, spread over a vector, times the weights of a tap. */
static void sum_position(Kernel *function, const Block *block, Int first, Int p, Int steps)
{
    bool only_half = block->half && block->vectors == 1;
    kernel_add(function, "const %s s%lld = %s(v[%s]);", only_half ? "half" : "vec", p - first,
               only_half ? "splat_half" : "splat", steps ? format("%lld * step", steps) : "0");
    for (Int v = 0; v < block->vectors; v++) {
        const char *spread =
            format(is_half(block, v) && !only_half ? "low(s%lld)" : "s%lld", p - first);
        kernel_add(function, "%s += %s * w%lld;", sum_text(block, 0, p - first, v, 0), spread, v);
    }
}

/* Of a run's positions, those from `first` to `end` read a tap. */
typedef struct TapPositions {
    Int first, end;
} TapPositions;

static TapPositions positions_of_tap(const Axis *columns, Run run, Int tap)
{
    TapPositions positions = {0, run.width};
    while (axis_source(columns, run.start + positions.first, tap) < 0)
        positions.first++;
    while (axis_source(columns, run.start + positions.end - 1, tap) < 0)
        positions.end--;
    return positions;
}

static bool is_one_position(const TapPositions *positions)
{
    return positions->end - positions->first == 1;
}

/* One input of some positions of a tile times a tap's weights, as a function. */
static const char *tap_function(ImageKernel *image, const Contraction *contraction,
                                const Block *block, Run run, Int tap)
{
    const Axis *columns = &contraction->columns;
    const TapPositions positions = positions_of_tap(columns, run, tap);
    Kernel function = begin_function(&image->kernel);
    Int from = axis_source(columns, run.start + positions.first, tap);
    for (Int v = 0; v < block->vectors; v++)
        kernel_add(&function, "const %s w%lld = *(const unaligned_%s *)(u + %lld);",
                   vector_type(block, v), v, vector_type(block, v), v * function.lanes);
    for (Int p = positions.first; p < positions.end; p++) {
        Int source = axis_source(columns, run.start + p, tap);
        if (source >= 0)
            sum_position(&function, block, positions.first, p, source - from);
    }
    return end_function(
        &image->kernel, &function,
        format("/* One input of %lld positions times a tap's weights, %lld vectors. */",
               positions.end - positions.first, block->vectors),
        ALWAYS_INLINE, format("tap_%lldx%lld", positions.end - positions.first, block->vectors),
        format("(%s%sconst real *v%s, const real *u)", whole_vectors(block) ? "vec *sums, " : "",
               block->half ? "half *halves, " : "",
               is_one_position(&positions) ? "" : ", int64_t step"));
}

static const char *array_from(const char *name, Int first)
{
    return first ? format("%s + %lld, ", name, first) : format("%s, ", name);
}

/* One input of every position of the tile times its weights; `n` counts inputs from v. */
static void sum_input(ImageKernel *image, const Contraction *contraction, const Block *block,
                      Run run, Int n, Int chain)
{
    const Axis *columns = &contraction->columns;
    for (Int tap = 0; tap < columns->taps; tap++) {
        if (!is_read(columns, run, tap))
            continue;
        const TapPositions positions = positions_of_tap(columns, run, tap);
        Int offset = chain * run.width + positions.first,
            source = axis_source(columns, run.start + positions.first, tap)
                     - first_source(columns, run.start);
        kernel_line(&image->kernel, "%s(%s%sv + %lldL%s, u + %lldL);",
                    tap_function(image, contraction, block, run, tap),
                    whole_vectors(block) ? array_from("sums", offset * whole_vectors(block)) : "",
                    block->half ? array_from("halves", offset) : "", source * image->x_stride + n,
                    is_one_position(&positions) ? "" : format(", %lld", image->x_stride),
                    (n * columns->taps + tap) * block->width);
    }
}

static void sum_inputs(ImageKernel *image, const Contraction *contraction, const Block *block,
                       Run run, Int chains)
{
    Kernel *kernel = &image->kernel;
    Int step = contraction->columns.taps * block->width,
        whole = contraction->in_channels / chains * chains;
    kernel_line(kernel, "for (int n = 0; n < %lld; n += %lld, v += %lld, u += %lldL) {", whole,
                chains, chains, chains * step);
    for (Int k = 0; k < chains; k++)
        sum_input(image, contraction, block, run, k, k);
    kernel_line(kernel, "}");
    for (Int n = whole; n < contraction->in_channels; n++)
        sum_input(image, contraction, block, run, n - whole, n - whole);
}

static void join_chains(ImageKernel *image, const Block *block, Int positions, Int chains)
{
    for (Int half = chains / 2; half; half /= 2)
        for (Int p = 0; p < positions; p++)
            for (Int v = 0; v < block->vectors; v++)
                for (Int k = 0; k < half; k++)
                    kernel_add(&image->kernel, "%s += %s;", sum_text(block, positions, p, v, k),
                               sum_text(block, positions, p, v, k + half));
}

static void store_sums(ImageKernel *image, const Block *block, Int positions, const char *position)
{
    Int lanes = image->kernel.lanes;
    for (Int p = 0; p < positions; p++)
        for (Int v = 0; v < block->vectors; v++) {
            Int left = block->channels - v * lanes;
            const char *sum = sum_text(block, positions, p, v, 0);
            image_store(image, format("%s + %lld", position, p), format("t + %lld", v * lanes),
                        left < lanes ? left : lanes,
                        is_half(block, v) ? format("widen(%s)", sum) : sum);
        }
}

void image_tile(ImageKernel *image, const Contraction *contraction, const Block *block, Run run)
{
    Kernel *kernel = &image->kernel;
    Int chains = chains_of(contraction, block, run.width),
        window = contraction->in_channels * contraction->columns.taps;
    open_run(kernel, &contraction->columns, run);
    start_sums(image, block, run.width, chains);
    open_row_taps(kernel, &contraction->rows);
    kernel_line(kernel, "const real *v = x + (line * %lldL + source) * %lldL;",
                contraction->columns.sources, image->x_stride);
    kernel_line(kernel, "const real *u = b + %lld + tap * %lldL;", block->width,
                window * block->width);
    sum_inputs(image, contraction, block, run, chains);
    kernel_line(kernel, "}");
    join_chains(image, block, run.width, chains);
    store_sums(image, block, run.width,
               format("row * %lldL + column", contraction->columns.positions));
    kernel_line(kernel, "}");
}

enum { MANY_WEIGHTS = 1 << 16 }; /* a good part of a second-level cache */

/* Weights that are read once an image and may not all stay in the cache are
 * read from the first block on and for the next image from the last, so that
 * what was read last is still there: in one direction each block would push out
 * the one that is wanted soonest. */
static bool comes_and_goes(const Contraction *contraction, Int blocks, Int size)
{
    return blocks > 1 && blocks * size >= MANY_WEIGHTS && contraction->groups == 1
           && contraction->rows.positions == 1 && contraction->columns.positions == 1;
}

static bool splits_by(const ImageKernel *image, int cut)
{
    return image->kernel.splits && (int)image->cut == cut;
}

/* The loop over the blocks from `from` to `to`.  A thread's pieces are of all blocks, the last
 * and narrower one, too: of 300 channels, 128 to a block, there are three, and
 * its own are of `k` from begin to the lesser of end and 2, here "whole", and
 * then of the narrow one, if end - 2 is more than 0. */
static void open_blocks(ImageKernel *image, const Contraction *contraction, Int channels, Int from,
                        Int to, Int size)
{
    Kernel *kernel = &image->kernel;
    long long blocks = (to - from) / channels;
    bool shared = splits_by(image, BY_BLOCKS), follows = shared && from > 0,
         goes_on = shared && to < contraction->out_channels;
    const char *first = shared && !follows ? "begin" : "0", *last = format("%lld", blocks);
    if (shared)
        last = follows ? format("end - %lld", kernel->pieces - 1) : goes_on ? "whole" : "end";
    if (goes_on)
        kernel_line(kernel, "const int whole = end < %lld ? end : %lld;", blocks, blocks);
    kernel_line(kernel, "for (int k = %s; k < %s; k++) {", first, last);
    if (comes_and_goes(contraction, blocks, size))
        kernel_line(
            kernel,
            "const int block = s->backwards ? %s - 1 - k + %s : k, t = %lld + block * %lld;", last,
            first, from, channels);
    else
        kernel_line(kernel, "const int block = k, t = %lld + block * %lld;", from, channels);
}

/* The blocks of `channels` channels between `from` and `to`, whose weights `w` begins with. */
static void contraction_blocks(ImageKernel *image, const Contraction *contraction,
                               const RunList *runs, Int channels, Int from, Int to)
{
    Kernel *kernel = &image->kernel;
    if (from >= to)
        return;
    Block block = block_of(image, channels);
    Int size =
        block.width
        * (1 + contraction->in_channels * contraction->rows.taps * contraction->columns.taps);
    open_blocks(image, contraction, channels, from, to, size);
    kernel_line(kernel, "const real *b = w + block * %lldL;", size);
    if (splits_by(image, BY_ROWS))
        kernel_line(kernel, "for (int row = begin; row < end; row++) {");
    else
        kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", contraction->rows.positions);
    declare_row_taps(kernel, &contraction->rows);
    for (int i = 0; i < runs->count; i++)
        image_tile(image, contraction, &block, runs->items[i]);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    if (to < contraction->out_channels || contraction->groups > 1)
        kernel_line(kernel, "w += %lldL;", (to - from) / channels * size);
}

void pack_image_contraction(ImageKernel *image, const Contraction *contraction, Int step)
{
    Packing *packing = &image->packing;
    packing->groups = contraction->groups;
    packing->outs = contraction->out_channels;
    packing->ins = contraction->in_channels;
    packing->rows = contraction->rows.taps;
    packing->columns = contraction->columns.taps;
    packing->block = step;
    packing->last = padded(image, contraction->out_channels % step);
}

static Int weights_of(const Contraction *contraction)
{
    return contraction->groups * contraction->out_channels * contraction->in_channels
           * contraction->rows.taps * contraction->columns.taps;
}

/* Blocks of channels, each of whose weights one thread reads, where these are more than the
 * values; else rows, which read all weights.  Groups follow one another, so each is cut. */
static void choose_cut(ImageKernel *image, const Contraction *contraction, Int blocks)
{
    Int values =
            contraction->in_channels * contraction->rows.sources * contraction->columns.sources,
        rows = contraction->rows.positions;
    bool by_blocks =
        contraction->groups == 1 && blocks > 1 && (rows == 1 || weights_of(contraction) > values);
    image->cut = by_blocks ? BY_BLOCKS : BY_ROWS;
    if (!by_blocks && rows == 1)
        image->kernel.splits = false;
}

/* A thread's pieces: from `begin` to `end`. */
static void declare_own_pieces(ImageKernel *image, const Contraction *contraction, Int blocks)
{
    if (image->kernel.splits)
        declare_pieces(&image->kernel, "begin", "end", 0,
                       image->cut == BY_BLOCKS ? blocks : contraction->rows.positions, 1);
}

static Int blocks_of(const ImageKernel *image, const Contraction *contraction, TileSize tile)
{
    Int step = tile.vectors * image->kernel.lanes;
    return (contraction->out_channels + step - 1) / step;
}

void image_contraction(ImageKernel *image, Contraction contraction)
{
    Kernel *kernel = &image->kernel;
    if (kernel->splits)
        choose_cut(image, &contraction,
                   blocks_of(image, &contraction, choose_image_tile(image, &contraction)));
    if (is_pointwise(&contraction) && !splits_by(image, BY_ROWS))
        flatten_spatial(&contraction);
    TileSize tile = choose_image_tile(image, &contraction);
    Int step = tile.vectors * kernel->lanes, whole = contraction.out_channels / step * step;
    RunList runs = {0};
    split_columns(&contraction.columns, tile.positions, &runs);
    kernel->algorithm =
        format("Direct, one image: tiles of %lld vectors of channels x %lld positions, "
               "summed in registers.",
               tile.vectors, tile.positions);
    pack_image_contraction(image, &contraction, step);
    if (splits_by(image, BY_BLOCKS) && blocks_of(image, &contraction, tile) == 1)
        kernel->splits = false;
    declare_own_pieces(image, &contraction, blocks_of(image, &contraction, tile));
    if (contraction.groups > 1)
        kernel_line(kernel, "for (int group = 0; group < %lld; group++, x += %lld, y += %lld) {",
                    contraction.groups, contraction.in_channels, contraction.out_channels);
    contraction_blocks(image, &contraction, &runs, step, 0, whole);
    contraction_blocks(image, &contraction, &runs, contraction.out_channels - whole, whole,
                       contraction.out_channels);
    if (contraction.groups == 1)
        return;
    for (int i = 0; i < image->epilogue_names.count; i++)
        kernel_line(kernel, "%s += %lld;", image->epilogue_names.items[i],
                    contraction.out_channels);
    kernel_line(kernel, "}");
}
