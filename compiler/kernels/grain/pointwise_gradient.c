/* pointwise_gradient.c: the weight gradient of a window of one element: the
 * product of two matrices, [out channels][positions] and [positions][in channels].
 *
 * Its sums run over the positions, of which every channel has many, each a line
 * of the cache: a tile of channels that went over them all would find none of
 * them there when the next tile comes.  So all tiles of a block of channels pass
 * over a stretch of positions while it is in the second cache, and those of a few
 * in channels while these are in the first.  The block's sums wait in between, on
 * the stack with what is copied: up to 350 KB.  Its form is that with which
 * sources and gradients are read least often.  Over the positions a sum has one
 * order, whatever the stretch.
 */
#include "kernels/grain/tiles.h"

enum {
    MAX_CHANNELS = 8,        /* of a tile, in and out */
    STRETCH_BYTES = 2 << 10, /* of a channel */
    NEAR_BYTES = 8 << 10,    /* of sources in the first cache */
    SUMS_BYTES = 150 << 10,  /* of a block */
    MIN_BLOCKS = 6,          /* where threads share them */
    MIN_POSITIONS = 8,       /* for a tile to be worth taking up and putting down its sums */
    MIN_OUTS = 16,           /* with fewer, sources are read as seldom as can be by any tile */
    ALIKE = 256 /* planes so many lines apart, or a multiple, want the same places in a cache */
};

typedef struct Pointwise {
    Kernel *kernel;
    const Contraction *forward;
    Int positions;
    OuterTile tile, block; /* channels whose sums are kept in registers; of a block */
    Int near;              /* in channels that are taken together, … */
    Int stretch;           /* … and positions */
    bool copies;           /* sources are copied close together */
} Pointwise;

static bool shares_blocks(const Pointwise *pointwise)
{
    return pointwise->kernel->splits && pointwise->forward->groups == 1;
}

/* How many channels of sources and gradients are read, where the block is so large. */
static Int channels_read(const Contraction *forward, OuterTile block)
{
    return forward->in_channels * ((forward->out_channels + block.outs - 1) / block.outs)
           + forward->out_channels * ((forward->in_channels + block.ins - 1) / block.ins);
}

static OuterTile choose_block(const Pointwise *pointwise, Int sums)
{
    const Contraction *forward = pointwise->forward;
    Int step = pointwise->tile.outs;
    OuterTile best = {0, 0};
    for (Int ins = pointwise->near;; ins += pointwise->near) {
        OuterTile block = {(sums / ins / step ? sums / ins / step : 1) * step,
                           min(ins, forward->in_channels)};
        block.outs = min(block.outs, forward->out_channels);
        if (!best.ins || channels_read(forward, block) < channels_read(forward, best))
            best = block;
        if (ins >= forward->in_channels || ins * step >= sums)
            return best;
    }
}

/* Stretches are all about as long. */
static Pointwise plan(Kernel *kernel, const Contraction *forward)
{
    Pointwise pointwise = {.kernel = kernel,
                           .forward = forward,
                           .positions = forward->rows.positions * forward->columns.positions};
    pointwise.tile =
        choose_outer_tile(forward, (OuterTile){MAX_CHANNELS, MAX_CHANNELS}, 1, kernel->registers);
    Int row = kernel->lanes * (Int)sizeof(float), stretch = STRETCH_BYTES / row;
    Int pieces = (pointwise.positions + stretch - 1) / stretch;
    pointwise.stretch = (pointwise.positions + pieces - 1) / pieces;
    pointwise.copies = pointwise.positions % ALIKE == 0;
    Int ins = pointwise.tile.ins, near = NEAR_BYTES / (pointwise.stretch * row) / ins * ins;
    pointwise.near = near ? near : ins;
    Int sums = SUMS_BYTES / row, shared = forward->in_channels * forward->out_channels / MIN_BLOCKS;
    pointwise.block =
        choose_block(&pointwise, shares_blocks(&pointwise) ? min(sums, shared) : sums);
    return pointwise;
}

bool is_pointwise_gradient(const Contraction *forward)
{
    return is_pointwise(forward) && forward->out_channels >= MIN_OUTS
           && forward->rows.positions * forward->columns.positions >= MIN_POSITIONS;
}

/* The in channels of the block, from i on, at the positions from p on. */
static void copy_block(const Pointwise *pointwise)
{
    Kernel *kernel = pointwise->kernel;
    kernel_line(kernel, "for (int n = 0; n < ins; n++)");
    kernel_line(kernel, "    for (int k = 0; k < count; k++)");
    kernel_line(kernel, "        block[n * %lldL + k] = in[(i + n) * %lldL + p + k];",
                pointwise->stretch, pointwise->positions);
}

/* The bias's gradient, too, of gradients that will be in the cache then. */
static void add_terms(const Pointwise *pointwise)
{
    Kernel *kernel = pointwise->kernel;
    kernel_line(kernel, "for (int t = 0; i == 0 && t < outs; t++) {");
    kernel_line(kernel, "const vec *d = from + (o + t) * %lldL + p;", pointwise->positions);
    kernel_line(kernel, "vec term = terms[t];");
    kernel_line(kernel, "for (int k = 0; k < count; k++)");
    kernel_line(kernel, "    term += d[k];");
    kernel_line(kernel, "terms[t] = term;");
    kernel_line(kernel, "}");
}

/* Adds the stretch's positions to the sums of a tile that begins `a` channels of out
 * and `b` of in after the block's first. */
static void emit_tile(const Pointwise *pointwise, OuterTile tile)
{
    Kernel *kernel = pointwise->kernel;
    Operands gradients = {.name = "d"}, values = {.name = "v"};
    Int plane = pointwise->copies ? pointwise->stretch : pointwise->positions;
    gradients.step = format("%lld", pointwise->positions);
    values.step = format("%lld", plane);
    for (Int t = 0; t < tile.outs; t++)
        push(&gradients.items, ((Value){t, t}));
    for (Int n = 0; n < tile.ins; n++)
        push(&values.items, ((Value){n, n}));
    kernel_line(kernel, "const vec *d = from + (o + a) * %lldL + p, *v = %s * %lldL%s;",
                pointwise->positions, pointwise->copies ? "block + b" : "in + (i + b)", plane,
                pointwise->copies ? "" : " + p");
    kernel_line(kernel, "vec *to = sums + a * %lldL + b;", pointwise->block.ins);
    kernel_line(kernel, "vec tile[%lld];", tile.outs * tile.ins);
    for (Int t = 0; t < tile.outs; t++)
        for (Int n = 0; n < tile.ins; n++)
            kernel_add(kernel, "tile[%lld] = to[%lldL];", t * tile.ins + n,
                       t * pointwise->block.ins + n);
    kernel_line(kernel, "for (int k = 0; k < count; k++, d++, v++) {");
    outer_product(kernel, tile.ins, &gradients, &values);
    kernel_line(kernel, "}");
    for (Int t = 0; t < tile.outs; t++)
        for (Int n = 0; n < tile.ins; n++)
            kernel_add(kernel, "to[%lldL] = tile[%lld];", t * pointwise->block.ins + n,
                       t * tile.ins + n);
}

/* Whether the last in channels that are taken together may be fewer, or are all. */
static bool has_odd_end(const Pointwise *pointwise)
{
    return pointwise->block.ins <= pointwise->near
           || pointwise->forward->in_channels % pointwise->near != 0;
}

/* Whole tiles from `first` to `end`; `variable` is then where a rest begins, if there is one. */
static void open_tiles(Kernel *kernel, const char *variable, const char *first, const char *end,
                       Int step, Int rest)
{
    if (rest)
        kernel_line(kernel, "int %s = %s;", variable, first);
    kernel_line(kernel, "for (%s; %s + %lld <= %s; %s += %lld) {",
                rest ? "" : format("int %s = %s", variable, first), variable, step, end, variable,
                step);
}

/* In channels from `near` to `far`; what no whole tile takes are the last of all. */
static void emit_ins(const Pointwise *pointwise, Int outs)
{
    Kernel *kernel = pointwise->kernel;
    Int step = pointwise->tile.ins, rest = pointwise->forward->in_channels % step;
    open_tiles(kernel, "b", "near",
               has_odd_end(pointwise) ? "far" : format("near + %lld", pointwise->near), step, rest);
    emit_tile(pointwise, (OuterTile){outs, step});
    kernel_line(kernel, "}");
    if (!rest)
        return;
    kernel_line(kernel, "if (b < far) {");
    emit_tile(pointwise, (OuterTile){outs, rest});
    kernel_line(kernel, "}");
}

static void emit_outs(const Pointwise *pointwise)
{
    Kernel *kernel = pointwise->kernel;
    Int step = pointwise->tile.outs, rest = pointwise->forward->out_channels % step;
    open_tiles(kernel, "a", "0", "outs", step, rest);
    emit_ins(pointwise, step);
    kernel_line(kernel, "}");
    if (!rest)
        return;
    kernel_line(kernel, "if (a < outs) {");
    emit_ins(pointwise, rest);
    kernel_line(kernel, "}");
}

static void emit_block(const Pointwise *pointwise)
{
    Kernel *kernel = pointwise->kernel;
    if (pointwise->block.ins <= pointwise->near) {
        kernel_line(kernel, "const int near = 0, far = ins;");
        emit_outs(pointwise);
        return;
    }
    kernel_line(kernel, "for (int near = 0; near < ins; near += %lld) {", pointwise->near);
    if (has_odd_end(pointwise))
        kernel_line(kernel, "const int far = near + %lld < ins ? near + %lld : ins;",
                    pointwise->near, pointwise->near);
    emit_outs(pointwise);
    kernel_line(kernel, "}");
}

static void declare_count(Kernel *kernel, const char *variable, const char *count, Int all,
                          Int block)
{
    kernel_line(kernel, "const int %s = %lld - %s < %lld ? %lld - %s : %lld;", count, all, variable,
                block, all, variable, block);
}

static void open_blocks(Kernel *kernel, const char *variable, const char *count, Int all, Int block)
{
    kernel_line(kernel, "for (int %s = 0; %s < %lld; %s += %lld) {", variable, variable, all,
                variable, block);
    declare_count(kernel, variable, count, all, block);
}

/* One of the blocks, by its number. */
static void declare_block(Kernel *kernel, const char *variable, const char *count,
                          const char *number, Int all, Int block)
{
    kernel_line(kernel, "const int %s = (int)(%s) * %lld;", variable, number, block);
    declare_count(kernel, variable, count, all, block);
}

/* Blocks of in channels, and of out channels for each; or, where threads share them, pieces. */
static void open_channels(const Pointwise *pointwise)
{
    Kernel *kernel = pointwise->kernel;
    const Contraction *forward = pointwise->forward;
    OuterTile block = pointwise->block;
    if (!shares_blocks(pointwise)) {
        open_blocks(kernel, "i", "ins", forward->in_channels, block.ins);
        open_blocks(kernel, "o", "outs", forward->out_channels, block.outs);
        return;
    }
    Int across = (forward->out_channels + block.outs - 1) / block.outs,
        blocks = (forward->in_channels + block.ins - 1) / block.ins * across;
    open_pieces(kernel, "piece", blocks);
    declare_block(kernel, "i", "ins", format("piece / %lld", across), forward->in_channels,
                  block.ins);
    declare_block(kernel, "o", "outs", format("piece %% %lld", across), forward->out_channels,
                  block.outs);
}

static void close_channels(const Pointwise *pointwise)
{
    kernel_line(pointwise->kernel, "}");
    if (!shares_blocks(pointwise))
        kernel_line(pointwise->kernel, "}");
}

void emit_pointwise_gradient(Kernel *kernel, const Contraction *forward)
{
    kernel->algorithm =
        "Weight gradient of a 1 x 1 window: a matrix product over positions and lanes.";
    Pointwise pointwise = plan(kernel, forward);
    OuterTile block = pointwise.block;
    open_groups(kernel, forward->groups);
    kernel_line(kernel, "const vec *in = x + group * %lldL, *from = dy + group * %lldL;",
                forward->in_channels * pointwise.positions,
                forward->out_channels * pointwise.positions);
    kernel_line(kernel, "real *gradients = dweight + group * %lldL;", forward->group_step);
    open_channels(&pointwise);
    if (forward->bias)
        kernel_line(kernel, "vec terms[%lld] = { { 0 } };", block.outs);
    kernel_line(kernel, "vec sums[%lld] = { { 0 } };", block.outs * block.ins);
    if (pointwise.copies)
        kernel_line(kernel, "vec block[%lld];", block.ins * pointwise.stretch);
    open_blocks(kernel, "p", "count", pointwise.positions, pointwise.stretch);
    if (pointwise.copies)
        copy_block(&pointwise);
    if (forward->bias)
        add_terms(&pointwise);
    emit_block(&pointwise);
    kernel_line(kernel, "}");
    if (forward->bias) {
        kernel_line(kernel, "if (i == 0)");
        kernel_line(kernel, "    sum_rows(dbias + group * %lldL + o, terms, outs);",
                    forward->out_channels);
    }
    kernel_line(kernel, "for (int t = 0; t < outs; t++)");
    kernel_line(kernel, "    sum_rows(gradients + (o + t) * %lldL + i, sums + t * %lldL, ins);",
                forward->out_step, block.ins);
    close_channels(&pointwise);
    kernel_line(kernel, "}");
}
