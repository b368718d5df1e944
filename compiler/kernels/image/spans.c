/* spans.c: pools of one image whose windows are not all alike (../spans.h). */
#include "kernels/image/image.h"

/* Of `used` channels from c on; a NaN wins over everything, as in PyTorch. */
static void pool_channels(ImageKernel *image, const SpanPool *pool, Int used)
{
    Kernel *kernel = &image->kernel;
    kernel_line(kernel, pool->largest ? "vec sum = (vec){ 0 } - (real)__builtin_inf();"
                                      : "vec sum = { 0 };");
    open_span_loops(kernel);
    kernel_line(kernel, "const vec value = *(const unaligned_vec *)(x + (%s) * %lldL + c);",
                span_place(pool, "at", true), image->x_stride);
    kernel_line(kernel, pool->largest
                            ? "sum = vec_select((sum >= value) | (sum != sum), sum, value);"
                            : "sum += value;");
    kernel_line(kernel, "}");
    image_store(image, span_place(pool, "window", false), "c", used,
                pool->largest ? "sum" : "sum / ((real)count0 * (real)count1 * (real)count2)");
}

/* The rows of all slices are pieces. */
void image_span_pool(ImageKernel *image, SpanPool pool)
{
    Kernel *kernel = &image->kernel;
    Int whole = pool.channels / kernel->lanes * kernel->lanes, rows = pool.axis[1].positions;
    open_pieces(kernel, "line", pool.axis[0].positions * rows);
    kernel_line(kernel, "const int window0 = line / %lld, window1 = line %% %lld;", rows, rows);
    kernel_line(kernel, "for (int window2 = 0; window2 < %lld; window2++) {",
                pool.axis[2].positions);
    for (int axis = 0; axis < SPAN_AXES; axis++)
        declare_span(kernel, &pool, axis, format("window%d", axis));
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        pool_channels(image, &pool, kernel->lanes);
        kernel_line(kernel, "}");
    }
    if (whole < pool.channels) {
        kernel_line(kernel, "const int c = %lld;", whole);
        pool_channels(image, &pool, pool.channels - whole);
    }
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}
