/* rows.c: a matrix applied to each row of a tensor of one image, along its last axis.  Positions
 * are the last axes, so that the first one's values lie side by side: a vector is one feature of
 * several rows, and a tile holds some features of the result for some vectors.
 */
#include "kernels/grain/tiles.h"
#include "kernels/image/image.h"

enum { FEATURES = 6, VECTORS = 3 }; /* of a tile: its sums fit in 32 registers */

typedef struct RowsTile {
    int features, vectors;
    Int used; /* lanes of the last vector */
} RowsTile;

static void tile_body(ImageKernel *image, const Parameter *bias, Int in, RowsTile tile)
{
    Kernel *kernel = &image->kernel;
    for (int r = 0; r < tile.features; r++)
        for (int v = 0; v < tile.vectors; v++)
            kernel_add(kernel, "vec a%d_%d = splat(%s);", r, v,
                       bias ? format("bias[o + %d]", r) : "0");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", in);
    kernel_line(kernel, "const real *v = x + (m * %lldL + i) * %lldL + t;", in, image->x_stride);
    for (int v = 0; v < tile.vectors; v++)
        kernel_add(kernel, "const vec v%d = *(const unaligned_vec *)(v + %d);", v,
                   v * kernel->lanes);
    for (int r = 0; r < tile.features; r++) {
        kernel_line(kernel, "const vec w%d = splat(weight[(o + %d) * %lldL + i]);", r, r, in);
        for (int v = 0; v < tile.vectors; v++)
            kernel_add(kernel, "a%d_%d += w%d * v%d;", r, v, r, v);
    }
    kernel_line(kernel, "}");
}

static void tile_stores(ImageKernel *image, Int out, RowsTile tile)
{
    for (int r = 0; r < tile.features; r++)
        for (int v = 0; v < tile.vectors; v++)
            image_store(image, format("m * %lldL + o + %d", out, r),
                        format("t + %d", v * image->kernel.lanes),
                        v == tile.vectors - 1 ? tile.used : image->kernel.lanes,
                        format("a%d_%d", r, v));
}

/* So many features from `o`, for all values of the first axis. */
static void emit_features(ImageKernel *image, const Parameter *bias, Int in, Int out, int features)
{
    Kernel *kernel = &image->kernel;
    Int lanes = kernel->lanes, values = input_shape(kernel->node).dim[0], step = VECTORS * lanes,
        whole = values / step * step, rest = values - whole;
    RowsTile tile = {features, VECTORS, lanes};
    if (whole) {
        kernel_line(kernel, "for (int t = 0; t < %lld; t += %lld) {", whole, step);
        tile_body(image, bias, in, tile);
        tile_stores(image, out, tile);
        kernel_line(kernel, "}");
    }
    if (rest == 0)
        return;
    tile.vectors = (int)((rest + lanes - 1) / lanes);
    tile.used = rest - (tile.vectors - 1) * lanes;
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int t = %lld;", whole);
    tile_body(image, bias, in, tile);
    tile_stores(image, out, tile);
    kernel_line(kernel, "}");
}

void image_rows(ImageKernel *image, const Parameter *bias, Int in, Int out)
{
    Kernel *kernel = &image->kernel;
    Int matrices = shape_plane(input_shape(kernel->node)) / in, whole = out / FEATURES * FEATURES;
    kernel_line(kernel, "for (int m = 0; m < %lld; m++) {", matrices);
    if (whole) {
        open_stepped_pieces(kernel, "o", 0, whole, FEATURES);
        emit_features(image, bias, in, out, FEATURES);
        kernel_line(kernel, "}");
    }
    if (whole < out) {
        open_stepped_pieces(kernel, "o", whole, out, 1);
        emit_features(image, bias, in, out, 1);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}
