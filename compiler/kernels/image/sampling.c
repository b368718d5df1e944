/* sampling.c: see sampling.h.  All lanes look for the same place's taps, of which each is then a
 * vector of channels to read.
 *
 * The places lie as any tensor of an image does: those along the first axis innermost.
 */
#include "kernels/image/sampling.h"

static const char *place_along(const ImageKernel *image, int axes, int axis)
{
    return format("splat(x1[(rest * %d + %d) * %lldL + row])", axes, axes - 1 - axis,
                  image->x_strides.items[1]);
}

static const char *place_of(int axis)
{
    return format("place%d", axis);
}

/* `from` and `part`: of the taps that lie inside, where they are and their weights. */
static void list_taps(ImageKernel *image, const Sampling *sampling)
{
    Kernel *kernel = &image->kernel;
    int taps = sampled_taps(sampling);
    for (int axis = 0; axis < sampling->axes; axis++)
        kernel_line(kernel, "const vec place%d = %s;", axis,
                    place_along(image, sampling->axes, axis));
    declare_taps(kernel, sampling, place_of);
    declare_reads(kernel, sampling);
    kernel_line(kernel, "const real *from[%d];", taps);
    kernel_line(kernel, "real part[%d];", taps);
    kernel_line(kernel, "int count = 0;");
    for (int k = 0; k < taps; k++) {
        kernel_line(kernel, "if (reads[%d][0]) {", k);
        kernel_line(kernel, "from[count] = x0 + at[%d][0] * %lldL;", k, image->x_strides.items[0]);
        kernel_line(kernel, "part[count++] = (%s)[0];", tap_weight(sampling, k, -1));
        kernel_line(kernel, "}");
    }
}

static void sum_channels(ImageKernel *image, const Sampling *sampling, const char *channel,
                         Int used)
{
    Kernel *kernel = &image->kernel;
    kernel_line(kernel, "vec sum = { 0 };");
    kernel_line(kernel, "for (int k = 0; k < count; k++)");
    kernel_line(kernel, "    sum += part[k] * *(const unaligned_vec *)(from[k] + %s);", channel);
    image_store(image, format("row * %lldL + rest", sampling->places / sampling->rows), channel,
                used, "sum");
}

void image_samples(ImageKernel *image, const Sampling *sampling)
{
    Kernel *kernel = &image->kernel;
    Int whole = sampling->channels / kernel->lanes * kernel->lanes;
    kernel->algorithm = "A place's taps are found once for all channels.";
    open_pieces(kernel, "row", sampling->rows);
    kernel_line(kernel, "for (int rest = 0; rest < %lld; rest++) {",
                sampling->places / sampling->rows);
    list_taps(image, sampling);
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        sum_channels(image, sampling, "c", kernel->lanes);
        kernel_line(kernel, "}");
    }
    if (whole < sampling->channels)
        sum_channels(image, sampling, format("%lld", whole), sampling->channels - whole);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}
