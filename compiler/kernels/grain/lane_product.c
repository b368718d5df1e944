/* lane_product.c: see lane_product.h.  A tile of the result is held in registers while its sums
 * run: with m rows and n columns, m + n loads serve m * n multiply-adds. */
#include "kernels/grain/lane_product.h"
#include "kernels/grain/tiles.h"

typedef struct Tile {
    int rows, columns;
} Tile;

/* Sums and one value of each row and column fit the registers. */
static Tile largest_tile(const Kernel *kernel)
{
    return kernel->registers == 32 ? (Tile){4, 5} : (Tile){3, 3};
}

static Operands side(const char *name, int count)
{
    Operands operands = {.name = name, .step = count > 1 ? format("%s_step", name) : NULL};
    for (int i = 0; i < count; i++)
        push(&operands.items, ((Value){i, i}));
    return operands;
}

static void tile_stores(Kernel *function, Tile tile, const char *sign)
{
    for (int i = 0; i < tile.rows; i++)
        for (int j = 0; j < tile.columns; j++)
            kernel_add(function, "c[%s%s] %s tile[%d];", i ? strided(i, "c_step", 0) : "",
                       j ? format("%s%s", i ? " + " : "", strided(j, "c_next", 0)) : (i ? "" : "0"),
                       sign, i * tile.columns + j);
}

/* A tile as a function, which is inlined. */
static const char *tile_function(const Kernel *kernel, Tile tile)
{
    Kernel function = begin_function(kernel);
    Operands rows = side("a", tile.rows), columns = side("b", tile.columns);
    declare_tile(&function, tile.rows * tile.columns);
    kernel_line(&function, "for (int k = 0; k < count; k++) {");
    outer_product(&function, tile.columns, &rows, &columns);
    kernel_line(&function, "a += a_next;");
    kernel_line(&function, "b += b_next;");
    kernel_line(&function, "}");
    kernel_line(&function, "if (adds) {");
    tile_stores(&function, tile, "+=");
    kernel_line(&function, "} else {");
    tile_stores(&function, tile, "=");
    kernel_line(&function, "}");
    kernel_line(&function, "(void)a_step, (void)b_step, (void)c_step, (void)c_next;");
    return end_function(
        kernel, &function,
        format("/* %d rows times %d columns of a product. */", tile.rows, tile.columns),
        ALWAYS_INLINE, format("lane_tile_%dx%d", tile.rows, tile.columns),
        "(vec *c, int64_t c_step, int64_t c_next, const vec *a, int64_t a_step, int64_t a_next,\n"
        "    const vec *b, int64_t b_step, int64_t b_next, int count, bool adds)");
}

/* Tiles of so many rows, from row i on: columns by whole tiles, then one by one. */
static void tile_columns(const Kernel *kernel, Kernel *function, Tile tile)
{
    kernel_line(function, "int j = 0;");
    for (int columns = tile.columns; columns > 0; columns = columns > 1 ? 1 : 0) {
        kernel_line(function, "for (; j + %d <= columns; j += %d)", columns, columns);
        kernel_line(function,
                    "    %s(c + i * c_step + j, c_step, 1, a + i * a_step, a_step, a_next, b + j * "
                    "b_step, b_step, b_next, count, adds);",
                    tile_function(kernel, (Tile){tile.rows, columns}));
    }
}

const char *lane_product_function(const Kernel *kernel)
{
    Kernel function = begin_function(kernel);
    Tile tile = largest_tile(kernel);
    kernel_line(&function, "int i = 0;");
    for (int rows = tile.rows; rows > 0; rows = rows > 1 ? 1 : 0) {
        kernel_line(&function, "for (; i + %d <= rows; i += %d) {", rows, rows);
        tile_columns(kernel, &function, (Tile){rows, tile.columns});
        kernel_line(&function, "}");
    }
    return end_function(
        kernel, &function, "/* The product of two matrices of which each lane has its own. */",
        "static __attribute__((noinline)) void ", "lane_product",
        "(vec *c, int64_t c_step, const vec *a, int64_t a_step, int64_t a_next,\n"
        "    const vec *b, int64_t b_step, int64_t b_next, int rows, int columns, int count, bool "
        "adds)");
}

/* Of panels: so many terms of so many rows stay in the first cache while columns pass, a tile of
 * them at a time. */
enum { TERMS = 32, HEIGHT = 12 };

static Tile panel_tile(const Kernel *kernel)
{
    return kernel->registers == 32 ? (Tile){6, PANEL_COLUMNS} : (Tile){4, 2};
}

/* Tiles of all rows and of so many columns, from column j on. */
static void panel_rows(const Kernel *kernel, Kernel *function, Tile tile)
{
    kernel_line(function, "int i = top;");
    for (int rows = tile.rows; rows > 0; rows = rows > 2 ? 2 : rows - 1) {
        kernel_line(function, "for (; i + %d <= end; i += %d)", rows, rows);
        kernel_line(
            function,
            "    %s(c + i * c_step + j * c_next, c_step, c_next, a + i, 1, a_next, tile, 1, "
            "%d, some, adds);",
            tile_function(kernel, (Tile){rows, tile.columns}), PANEL_COLUMNS);
    }
}

const char *panel_product_function(const Kernel *kernel)
{
    Kernel function = begin_function(kernel);
    Tile tile = panel_tile(kernel);
    kernel_line(&function, "for (int k = 0; k < count; k += %d, adds = true) {", TERMS);
    kernel_line(&function, "const int some = count - k < %d ? count - k : %d;", TERMS, TERMS);
    kernel_line(&function, "for (int top = 0; top < rows; top += %d) {", HEIGHT);
    kernel_line(&function, "const int end = rows - top < %d ? rows : top + %d;", HEIGHT, HEIGHT);
    kernel_line(&function, "int j = 0;");
    for (int columns = tile.columns; columns > 0; columns = columns > 1 ? 1 : 0) {
        kernel_line(&function, "for (; j + %d <= columns; j += %d) {", columns, columns);
        kernel_line(&function, "const vec *const tile = b + j / %d * b_tile + j %% %d;",
                    PANEL_COLUMNS, PANEL_COLUMNS);
        panel_rows(kernel, &function, (Tile){tile.rows, columns});
        kernel_line(&function, "}");
    }
    kernel_line(&function, "}");
    kernel_line(&function, "a += %d * a_next;", TERMS);
    kernel_line(&function, "b += %d;", TERMS * PANEL_COLUMNS);
    kernel_line(&function, "}");
    return end_function(
        kernel, &function, "/* The product of two panels of which each lane has its own. */",
        "static __attribute__((noinline)) void ", "panel_product",
        "(vec *c, int64_t c_step, int64_t c_next, const vec *a, int64_t a_next,\n"
        "    const vec *b, int64_t b_tile, int rows, int columns, int count, bool adds)");
}
