/* winograd_gradient.c: a convolution's weight gradient, by way of
 * ../winograd.h.
 *
 * Along a row the taps of the weight are what is wanted, and a tile of gradients
 * of outputs takes the part that taps have in a convolution: six products where
 * four gradients meet three taps, or two meet five.  Along the columns of taps
 * nothing changes, so the sums of a tile of channels stay in registers for the
 * whole plane, which they would not if both axes were transformed.
 *
 * In `workspace` lie the values of a few in channels, [ins][points][rows][tiles], with
 * rows of zeros for the padding, and of a block of out channels' gradients,
 * [outs][points][rows][tiles]: a row of taps is then just an offset, and rows and
 * tiles are one loop.
 */
#include "kernels/grain/tiles.h"
#include "kernels/grain/winograd.h"

enum {
    MAX_INS = 4,
    MAX_OUTS = 8, /* channels of a tile */
    /* of gradients' values: read once per MAX_INS channels, so the third cache will do */
    BLOCK_BYTES = 1536 << 10,
    MAX_BYTES = 12 << 20, /* of all that lies in `workspace`: two threads share a cache */
    SOURCE_COST = 22,     /* of six values, in multiply-adds */
    OUTPUT_COST = 18      /* of a row of taps, once it is summed */
};

typedef struct Winograd {
    Kernel *kernel;
    const Contraction *forward;
    Axis columns; /* of tiles: their stride is how many gradients each has */
    RunList runs;
    /* tiles of a gradient's plane, and of a source's with its padding */
    Int gradient_tiles, source_tiles;
    Int outs; /* channels of gradients that are transformed at a time */
} Winograd;

static Winograd plan_gradient(const Contraction *forward, int lanes)
{
    Winograd winograd = {.forward = forward, .columns = winograd_tiles(&forward->columns)};
    winograd.gradient_tiles = forward->rows.positions * winograd.columns.positions;
    winograd.source_tiles =
        (forward->rows.positions + forward->rows.taps - 1) * winograd.columns.positions;
    Int fit = BLOCK_BYTES / (POINTS * winograd.gradient_tiles * lanes * (Int)sizeof(float));
    winograd.outs =
        fit < forward->out_channels ? fit / MAX_OUTS * MAX_OUTS + MAX_OUTS : forward->out_channels;
    return winograd;
}

static bool is_worth_it(const Winograd *winograd)
{
    const Contraction *forward = winograd->forward;
    double pairs = (double)(forward->in_channels * forward->out_channels),
           blocks = (double)((forward->out_channels + winograd->outs - 1) / winograd->outs);
    double direct = direct_work(forward);
    double transformed_cost =
        pairs * (double)forward->rows.taps
            * (double)(POINTS * winograd->gradient_tiles + OUTPUT_COST)
        + SOURCE_COST
              * ((double)forward->out_channels * (double)winograd->gradient_tiles
                 + blocks * (double)forward->in_channels * (double)winograd->source_tiles);
    return 1.1 * transformed_cost < direct;
}

Int winograd_gradient_work(const Contraction *forward, int lanes)
{
    if (!is_plain_contraction(forward) || !winograd_outputs(forward->columns.taps)
        || forward->rows.taps > POINTS)
        return 0;
    Winograd winograd = plan_gradient(forward, lanes);
    Int vectors = POINTS
                  * (min(MAX_INS, forward->in_channels) * winograd.source_tiles
                     + min(winograd.outs, forward->out_channels) * winograd.gradient_tiles);
    return vectors <= MAX_BYTES / (lanes * (Int)sizeof(float)) && is_worth_it(&winograd) ? vectors
                                                                                         : 0;
}

/* -------------------------------------------------------------- transforms */

static void open_row_tiles(const Winograd *winograd, Run run)
{
    kernel_line(winograd->kernel, "for (int column = %lld; column < %lld; column++) {", run.start,
                run.start + run.count);
    kernel_line(winograd->kernel, "const int source = column * %lld;", winograd->columns.stride);
}

/* The values of six sources of a row; what lies outside is zero. */
static void transform_row(const Winograd *winograd, Int start)
{
    Kernel *kernel = winograd->kernel;
    const Axis *columns = &winograd->columns;
    Text sources = {0};
    for (Int j = 0; j < POINTS; j++) {
        Int source = axis_source(columns, start, j);
        text_add(&sources, ", %s",
                 source < 0 ? "(vec){ 0 }"
                            : format("line[source + %lld]", source - first_source(columns, start)));
    }
    kernel_line(kernel, "vec v[6];");
    kernel_line(kernel, "%s(v%s);", winograd_source_function(kernel), text_chars(&sources));
    for (Int j = 0; j < POINTS; j++)
        kernel_add(kernel, "to[%lldL + column] = v[%lld];", j * winograd->source_tiles, j);
}

/* The values of `ins` channels from i on. */
static void transform_sources(const Winograd *winograd, Int ins)
{
    Kernel *kernel = winograd->kernel;
    const Axis *rows = &winograd->forward->rows, *columns = &winograd->columns;
    kernel_line(kernel, "for (int n = 0; n < %lld; n++)", ins);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", rows->positions + rows->taps - 1);
    kernel_line(kernel, "vec *to = values + n * %lldL + row * %lldL;",
                POINTS * winograd->source_tiles, columns->positions);
    kernel_line(kernel, "const int at = row - %lld;", rows->before);
    kernel_line(kernel, "const vec *line = x + ((i + n) * %lldL + at) * %lld;", rows->sources,
                columns->sources);
    kernel_line(kernel, "if (at < 0 || at >= %lld) {", rows->sources);
    kernel_line(kernel, "for (int point = 0; point < %d; point++)", POINTS);
    kernel_line(kernel, "    for (int column = 0; column < %lld; column++)", columns->positions);
    kernel_line(kernel, "        to[point * %lldL + column] = (vec){ 0 };", winograd->source_tiles);
    kernel_line(kernel, "continue;");
    kernel_line(kernel, "}");
    for (int r = 0; r < winograd->runs.count; r++) {
        open_row_tiles(winograd, winograd->runs.items[r]);
        transform_row(winograd, winograd->runs.items[r].start);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}

/* The values of the gradients of channels from `begin` to `end`. */
static void transform_gradients(const Winograd *winograd)
{
    Kernel *kernel = winograd->kernel;
    const Axis *rows = &winograd->forward->rows, *columns = &winograd->columns;
    Int positions = winograd->forward->columns.positions;
    if (kernel->splits)
        kernel_line(kernel,
                    "for (int64_t o = begin + net_pieces(team, end - begin).from; o < begin "
                    "+ net_pieces(team, end - begin).to; o++)");
    else
        kernel_line(kernel, "for (int o = begin; o < end; o++)");
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", rows->positions);
    kernel_line(kernel, "vec *to = gradients + (o - begin) * %lldL + row * %lldL;",
                POINTS * winograd->gradient_tiles, columns->positions);
    kernel_line(kernel, "const vec *line = dy + (o * %lldL + row) * %lld;", rows->positions,
                positions);
    for (int r = 0; r < winograd->runs.count; r++) {
        Run run = winograd->runs.items[r];
        Text taps = {0};
        for (Int j = 0; j < columns->stride; j++)
            text_add(&taps, ", %s",
                     run.start * columns->stride + j < positions ? format("line[source + %lld]", j)
                                                                 : "(vec){ 0 }");
        open_row_tiles(winograd, run);
        kernel_line(kernel, "vec v[6];");
        kernel_line(kernel, "%s(v%s);", winograd_tap_function(kernel, columns->stride),
                    text_chars(&taps));
        for (Int point = 0; point < POINTS; point++)
            kernel_add(kernel, "to[%lldL + column] = v[%lld];", point * winograd->gradient_tiles,
                       point);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}

/* -------------------------------------------------------------- products */

/* The sum of out channel o, in channel n and row of taps k is tile[o * lines + n * taps + k]. */
static void multiply(const Winograd *winograd, OuterTile tile)
{
    Kernel *kernel = winograd->kernel;
    Int taps = winograd->forward->rows.taps, lines = tile.ins * taps;
    Operands gradients = {.name = "d"}, values = {.name = "v"};
    gradients.step = format("%lld", POINTS * winograd->gradient_tiles);
    for (Int o = 0; o < tile.outs; o++)
        push(&gradients.items, ((Value){o, o}));
    for (Int n = 0; n < lines; n++)
        push(&values.items, ((Value){n, n / taps * POINTS * winograd->source_tiles
                                            + n % taps * winograd->columns.positions}));
    kernel_line(kernel, "for (int point = 0; point < %d; point++) {", POINTS);
    kernel_line(kernel,
                "const vec *d = gradients + ((o - begin) * %d + point) * %lldL, *v = values + "
                "point * %lldL;",
                POINTS, winograd->gradient_tiles, winograd->source_tiles);
    declare_tile(kernel, tile.outs * lines);
    kernel_line(kernel, "for (int place = 0; place < %lld; place++, d++, v++) {",
                winograd->gradient_tiles);
    outer_product(kernel, lines, &gradients, &values);
    kernel_line(kernel, "}");
    for (Int line = 0; line < tile.outs * lines; line++)
        kernel_add(kernel, "sums[%lld][point] = tile[%lld];", line, line);
    kernel_line(kernel, "}");
}

/* The gradients of a tile of channels, from o and i on. */
static void gradient_tile(const Winograd *winograd, OuterTile tile)
{
    Kernel *kernel = winograd->kernel;
    const Contraction *forward = winograd->forward;
    Int lines = tile.outs * tile.ins * forward->rows.taps, taps = forward->columns.taps,
        window = tile.ins * forward->in_step;
    kernel_line(kernel, "vec sums[%lld][%d], slopes[%lld];", lines, POINTS, lines * taps);
    multiply(winograd, tile);
    kernel_line(kernel, "for (int line = 0; line < %lld; line++) {", lines);
    kernel_line(kernel, "const vec *m = sums[line];");
    kernel_line(kernel, "%s(slopes + line * %lld, m[0], m[1], m[2], m[3], m[4], m[5]);",
                winograd_output_function(kernel, taps), taps);
    kernel_line(kernel, "}");
    kernel_line(kernel, "for (int k = 0; k < %lld; k++)", tile.outs);
    kernel_line(kernel,
                "    sum_rows(dweight + (o + k) * %lldL + i * %lldL, slopes + k * %lld, %lld);",
                forward->out_step, forward->in_step, window, window);
}

/* All out channels of the block times `tile.ins` in channels, from i on. */
static void gradient_channels(const Winograd *winograd, OuterTile tile)
{
    Kernel *kernel = winograd->kernel;
    Int rest = winograd->forward->out_channels % tile.outs;
    transform_sources(winograd, tile.ins);
    kernel_line(kernel, "for (int o = begin; o + %lld <= end; o += %lld) {", tile.outs, tile.outs);
    gradient_tile(winograd, tile);
    kernel_line(kernel, "}");
    if (!rest)
        return;
    kernel_line(kernel, "if (end == %lld) {", winograd->forward->out_channels);
    kernel_line(kernel, "const int o = %lld;", winograd->forward->out_channels - rest);
    gradient_tile(winograd, (OuterTile){rest, tile.ins});
    kernel_line(kernel, "}");
}

void emit_winograd_gradient(Kernel *kernel, const Contraction *forward)
{
    Winograd winograd = plan_gradient(forward, kernel->lanes);
    OuterTile tile = choose_outer_tile(forward, (OuterTile){MAX_OUTS, MAX_INS}, forward->rows.taps,
                                       kernel->registers);
    Int rest = forward->in_channels % tile.ins;
    winograd.kernel = kernel;
    kernel->algorithm = format(
        "Winograd F(%lld, %lld) along rows: six multiply-adds for %lld gradients and %lld taps "
        "(Lavin and\n * Gray 2016, https://arxiv.org/abs/1509.09308).",
        forward->columns.taps, winograd.columns.stride, winograd.columns.stride,
        forward->columns.taps);
    winograd.outs = winograd.outs < forward->out_channels ? winograd.outs / tile.outs * tile.outs
                                                          : forward->out_channels;
    split_tiles(&forward->columns, &winograd.runs);
    kernel_line(kernel, "vec *values = workspace, *gradients = %s + %lldL;",
                kernel->splits ? "team_workspace" : "workspace",
                POINTS * min(MAX_INS, forward->in_channels) * winograd.source_tiles);
    if (kernel->splits)
        declare_pieces(kernel, "first", "stop", 0, forward->in_channels, tile.ins);
    kernel_line(kernel, "for (int begin = 0; begin < %lld; begin += %lld) {", forward->out_channels,
                winograd.outs);
    kernel_line(kernel, "const int end = begin + %lld < %lld ? begin + %lld : %lld;", winograd.outs,
                forward->out_channels, winograd.outs, forward->out_channels);
    transform_gradients(&winograd);
    if (kernel->splits) {
        kernel_line(kernel, "net_meet(team);");
        kernel_line(kernel, "for (int i = first; i + %lld <= stop; i += %lld) {", tile.ins,
                    tile.ins);
    } else {
        kernel_line(kernel, "for (int i = 0; i + %lld <= %lld; i += %lld) {", tile.ins,
                    forward->in_channels, tile.ins);
    }
    gradient_channels(&winograd, tile);
    kernel_line(kernel, "}");
    if (rest) {
        if (kernel->splits)
            kernel_line(kernel, "if (stop == %lld && first < stop) {", forward->in_channels);
        else
            kernel_line(kernel, "{");
        kernel_line(kernel, "const int i = %lld;", forward->in_channels - rest);
        gradient_channels(&winograd, (OuterTile){tile.outs, rest});
        kernel_line(kernel, "}");
    }
    if (kernel->splits && winograd.outs < forward->out_channels)
        kernel_line(kernel, "net_meet(team);");
    kernel_line(kernel, "}");
}
