/* pool.c: the largest value of a window, from what is stored or from a tile of sums. */
#include "kernels/grain/pool.h"
#include "kernels/grain/tiles.h"

bool pools_tiles(const Node *node)
{
    bool tiles = window_axes(node) <= 2;
    Int taps = 1;
    for (int axis = ROWS; axis <= COLUMNS && tiles; axis++) {
        Axis along = layer_axis(node, axis);
        tiles = along.stride == along.taps && along.before == 0 && along.dilation == 1
                && along.positions * along.taps <= along.sources;
        taps *= along.taps;
    }
    return tiles && taps <= 16;
}

Int pooled_rows(const Node *pool)
{
    return layer_axis(pool, ROWS).taps;
}

Int pooled_columns(const Node *pool)
{
    return layer_axis(pool, COLUMNS).taps;
}

void emit_pool_take(Kernel *kernel, const char *value, const char *number, const char *besides)
{
    kernel_line(kernel, "value = %s;", value);
    kernel_line(kernel, "takes = (value > best) | (value != value)%s;", besides);
    kernel_line(kernel, "best = vec_select(takes, value, best);");
    if (kernel->training)
        kernel_line(kernel, "which = vec_select(takes, (vec){ 0 } + (real)%s, which);", number);
}

void emit_pool_window(Kernel *kernel, const Node *pool,
                      const char *(*value)(const void *window, Int k), const void *window)
{
    bool notes = kernel->training;
    kernel_line(kernel, "vec best = %s, value;", value(window, 0));
    kernel_line(kernel, "mask takes;");
    if (notes)
        kernel_line(kernel, "vec which = { 0 };");
    for (Int tap = 1; tap < pooled_rows(pool) * pooled_columns(pool); tap++)
        emit_pool_take(kernel, value(window, tap), format("%lld", tap), "");
    kernel_store(kernel, "y[p]", "p", "best");
    if (notes)
        kernel_line(kernel, "aux[p] = which;");
}

/* A window within a tile of sums. */
typedef struct TileWindow {
    const Node *pool;
    Int width; /* of the tile */
} TileWindow;

static const char *summed_value(const void *data, Int tap)
{
    const TileWindow *window = data;
    Int columns = pooled_columns(window->pool);
    return format("tile[%lld]", tap / columns * window->width + tap % columns);
}

/* A window of a tile as a function, which is inlined: `tile` is its first sum. */
static const char *window_function(const Kernel *kernel, const Node *pool, Int width)
{
    Kernel function = begin_function(kernel);
    TileWindow window = {pool, width};
    emit_pool_window(&function, pool, summed_value, &window);
    return end_function(
        kernel, &function,
        format("/* The largest of a tile's window of %lld x %lld sums, from the first on. */",
               pooled_rows(pool), pooled_columns(pool)),
        ALWAYS_INLINE, format("pool_%lldx%lld", pooled_rows(pool), pooled_columns(pool)),
        format("(vec *y%s, int64_t p, const vec *tile%s)", kernel->training ? ", vec *aux" : "",
               epilogue_parameters(kernel)));
}

void emit_pooled_tile(Kernel *kernel, const Node *pool, const char *channel, Int channels,
                      Int width)
{
    Int out_columns = layer_axis(pool, COLUMNS).positions, plane = shape_plane(pool->out->shape),
        columns = pooled_columns(pool);
    kernel_line(kernel, "const int64_t at = (%s) * %lldL + row / %lld * %lld + column / %lld;",
                channel, plane, pooled_rows(pool), out_columns, columns);
    const char *window = window_function(kernel, pool, width);
    for (Int c = 0; c < channels; c++)
        for (Int x = 0; x < width; x += columns)
            kernel_add(kernel, "%s(y%s, at + %lld, tile + %lld%s);", window,
                       kernel->training ? ", aux" : "", c * plane + x / columns,
                       c * pooled_rows(pool) * width + x,
                       kernel->epilogue_operands ? kernel->epilogue_operands : "");
}
