/* norm.c: see norm.h. */
#include "kernels/image/norm.h"

static Int channels_of(const Kernel *kernel)
{
    return input_shape(kernel->node).dim[0];
}

/* ------------------------------------------------- channels of a position
 * They lie side by side: sums over a row of lanes, then over the lanes.  The last channels that
 * fill no row, of x or of a parameter, are copied to one. */

enum { ROWS_AT_ONCE = 4 }; /* sums that do not wait for one another */

static void sum_channels(Kernel *kernel, const char *name, const char *row, const char *last)
{
    Int channels = channels_of(kernel), lanes = kernel->lanes, whole = channels / lanes * lanes;
    Int step = ROWS_AT_ONCE * lanes, fours = channels / step * step;
    kernel_line(kernel, "vec %s[%d] = { 0 };", name, ROWS_AT_ONCE);
    if (fours) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += %lld) {", fours, step);
        for (int k = 0; k < ROWS_AT_ONCE; k++)
            kernel_line(kernel,
                        "{ const vec r = *(const unaligned_vec *)(v + c + %lld); %s[%d] += %s; }",
                        k * lanes, name, k, row);
        kernel_line(kernel, "}");
    }
    for (Int c = fours; c < whole; c += lanes)
        kernel_line(kernel, "{ const vec r = *(const unaligned_vec *)(v + %lld); %s[0] += %s; }", c,
                    name, row);
    if (whole < channels)
        kernel_line(kernel, "%s[1] += %s;", name, last);
}

static void declare_last(Kernel *kernel, const char *name, const char *from)
{
    Int channels = channels_of(kernel), whole = channels / kernel->lanes * kernel->lanes;
    if (whole == channels)
        return;
    kernel_line(kernel, "vec %s = { 0 };", name);
    kernel_line(kernel, "net_copy((real *)&%s, %s + %lld, %lld);", name, from, whole,
                channels - whole);
}

static const char *joined(const char *name)
{
    return format("(%s[0] + %s[1]) + (%s[2] + %s[3])", name, name, name, name);
}

/* Declares `mean` and, where channels are left that fill no row, `off`, their distances from it. */
static void measure_mean(Kernel *kernel)
{
    Int channels = channels_of(kernel), whole = channels / kernel->lanes * kernel->lanes;
    sum_channels(kernel, "a", "r", "last");
    kernel_line(kernel, "const real mean = sum_lanes(%s) / %lld;", joined("a"), channels);
    if (whole == channels)
        return;
    kernel_line(kernel, "vec off = { 0 };");
    kernel_line(kernel, "for (int lane = 0; lane < %lld; lane++)", channels - whole);
    kernel_line(kernel, "    off[lane] = last[lane] - mean;");
}

static void norm_position(ImageKernel *image, const ImageNorm *norm)
{
    Kernel *kernel = &image->kernel;
    Int channels = channels_of(kernel), whole = channels / kernel->lanes * kernel->lanes;
    const char *off = norm->centred ? "off" : "last", *less = norm->centred ? " - mean" : "";
    kernel_line(kernel, "const real *v = x + p * %lldL;", image->x_stride);
    declare_last(kernel, "last", "v");
    if (norm->centred)
        measure_mean(kernel);
    sum_channels(kernel, "b", norm->centred ? "(r - mean) * (r - mean)" : "r * r",
                 format("%s * %s", off, off));
    kernel_line(
        kernel,
        "const vec inverse = (real)1 / vec_sqrt(splat(sum_lanes(%s) / %lld + (real)%.17g));",
        joined("b"), channels, norm->eps);
    if (whole) {
        const char *row = "*(const unaligned_vec *)(v + c)";
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        image_store(image, "p", "c", kernel->lanes,
                    format("%s * inverse%s%s", norm->centred ? format("(%s%s)", row, less) : row,
                           norm->weight ? " * *(const unaligned_vec *)(weight + c)" : "",
                           norm->bias ? " + *(const unaligned_vec *)(bias + c)" : ""));
        kernel_line(kernel, "}");
    }
    if (whole < channels)
        image_store(image, "p", format("%lld", whole), channels - whole,
                    format("%s * inverse%s%s", off, norm->weight ? " * last_weight" : "",
                           norm->bias ? " + last_bias" : ""));
}

void image_norm_channels(ImageKernel *image, ImageNorm norm)
{
    Kernel *kernel = &image->kernel;
    if (norm.weight)
        declare_last(kernel, "last_weight", "weight");
    if (norm.bias)
        declare_last(kernel, "last_bias", "bias");
    open_pieces(kernel, "p", shape_plane(input_shape(kernel->node)));
    norm_position(image, &norm);
    kernel_line(kernel, "}");
}

/* ------------------------------------------------ positions of a channel
 * A row of lanes is a row of channels, each with sums of its own. */

/* The sum over the positions of an expression of `r`, one's values. */
static void sum_positions(ImageKernel *image, const char *name, const char *row, Int length)
{
    Kernel *kernel = &image->kernel;
    Int whole = length / ROWS_AT_ONCE * ROWS_AT_ONCE;
    const char *read = "const vec r = *(const unaligned_vec *)(v + ";
    kernel_line(kernel, "vec %s[%d] = { 0 };", name, ROWS_AT_ONCE);
    if (whole) {
        kernel_line(kernel, "for (int64_t i = 0; i < %lld; i += %d) {", whole, ROWS_AT_ONCE);
        for (int k = 0; k < ROWS_AT_ONCE; k++)
            kernel_line(kernel, "{ %s(i + %d) * %lldL); %s[%d] += %s; }", read, k, image->x_stride,
                        name, k, row);
        kernel_line(kernel, "}");
    }
    for (Int i = whole; i < length; i++)
        kernel_line(kernel, "{ %s%lldL); %s[%lld] += %s; }", read, i * image->x_stride, name,
                    i - whole, row);
}

/* Of the channels from `channel` on, of which `used` are there, from position o * length on. */
static void norm_channels(ImageKernel *image, const ImageNorm *norm, Int length,
                          const char *channel, Int used)
{
    Kernel *kernel = &image->kernel;
    const char *r = norm->centred ? "(r - mean)" : "r";
    kernel_line(kernel, "const real *v = x + o * %lldL + %s;", length * image->x_stride, channel);
    if (norm->centred) {
        sum_positions(image, "a", "r", length);
        kernel_line(kernel, "const vec mean = (%s) * (real)%.17g;", joined("a"),
                    1 / (double)length);
    }
    sum_positions(image, "b", format("%s * %s", r, r), length);
    kernel_line(kernel, "const vec inverse = (real)1 / vec_sqrt((%s) * (real)%.17g + (real)%.17g);",
                joined("b"), 1 / (double)length, norm->eps);
    kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++) {", length);
    kernel_line(kernel, "const vec r = *(const unaligned_vec *)(v + i * %lldL);", image->x_stride);
    image_store(image, format("(o * %lldL + i)", length), channel, used,
                format("%s * inverse%s%s", r, norm->weight ? " * weight[i]" : "",
                       norm->bias ? " + bias[i]" : ""));
    kernel_line(kernel, "}");
}

void image_norm_positions(ImageKernel *image, ImageNorm norm, Int length)
{
    Kernel *kernel = &image->kernel;
    Int channels = channels_of(kernel), rows = channels / kernel->lanes,
        outer = shape_plane(input_shape(kernel->node)) / length;
    if (rows) {
        open_pieces(kernel, "piece", outer * rows);
        kernel_line(kernel, "const int64_t o = piece / %lld, c = piece %% %lld * LANES;", rows,
                    rows);
        norm_channels(image, &norm, length, "c", kernel->lanes);
        kernel_line(kernel, "}");
    }
    if (channels % kernel->lanes) {
        open_pieces(kernel, "o", outer);
        norm_channels(image, &norm, length, format("%lld", rows * kernel->lanes),
                      channels % kernel->lanes);
        kernel_line(kernel, "}");
    }
}

/* ----------------------------------------------------- groups of channels
 * The sums of each channel, a row of lanes at a time, are numbers on the stack; then they are
 * added up by groups. */

/* sums[c] becomes the sum over the positions of an expression of `r`, channel c's values. */
static void sum_each_channel(ImageKernel *image, const char *row)
{
    Kernel *kernel = &image->kernel;
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += LANES) {", channels_of(kernel));
    kernel_line(kernel, "const real *v = x + c;");
    sum_positions(image, "a", row, shape_plane(input_shape(kernel->node)));
    kernel_line(kernel, "*(unaligned_vec *)(sums + c) = %s;", joined("a"));
    kernel_line(kernel, "}");
}

/* The loop over groups and their channels: `total` is the mean of the group's values. */
static void open_groups(Kernel *kernel, Int groups)
{
    Int each = channels_of(kernel) / groups;
    Int values = each * shape_plane(input_shape(kernel->node));
    kernel_line(kernel, "for (int64_t first = 0; first < %lld; first += %lld) {",
                channels_of(kernel), each);
    kernel_line(kernel, "real total = 0;");
    kernel_line(kernel, "for (int64_t c = first; c < first + %lld; c++)", each);
    kernel_line(kernel, "    total += sums[c];");
    kernel_line(kernel, "total /= %lld;", values);
}

static void scale_groups(Kernel *kernel, const ImageNorm *norm, Int groups)
{
    open_groups(kernel, groups);
    kernel_line(kernel, "const real inverse = (real)(1 / __builtin_sqrt((double)total + %.17g));",
                norm->eps);
    kernel_line(kernel, "for (int64_t c = first; c < first + %lld; c++) {",
                channels_of(kernel) / groups);
    kernel_line(kernel, "scales[c] = inverse%s;", norm->weight ? " * weight[c]" : "");
    if (norm->bias)
        kernel_line(kernel, "shifts[c] = bias[c];");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

static void store_channels(ImageKernel *image, const ImageNorm *norm, const char *channel, Int used)
{
    const char *row = "*(const unaligned_vec *)";
    image_store(image, "p", channel, used,
                format("(%s(x + p * %lldL + %s) - %s(means + %s)) * %s(scales + %s)%s", row,
                       image->x_stride, channel, row, channel, row, channel,
                       norm->bias ? format(" + %s(shifts + %s)", row, channel) : ""));
}

void image_norm_groups(ImageKernel *image, ImageNorm norm, Int groups)
{
    Kernel *kernel = &image->kernel;
    Int channels = channels_of(kernel), lanes = kernel->lanes, whole = channels / lanes * lanes,
        room = whole + lanes;
    kernel_line(kernel, "real sums[%lld], means[%lld] = { 0 }, scales[%lld] = { 0 }%s;", room, room,
                room, norm.bias ? format(", shifts[%lld] = { 0 }", room) : "");
    sum_each_channel(image, "r");
    open_groups(kernel, groups);
    kernel_line(kernel, "for (int64_t c = first; c < first + %lld; c++)", channels / groups);
    kernel_line(kernel, "    means[c] = total;");
    kernel_line(kernel, "}");
    const char *distance = "(r - *(const unaligned_vec *)(means + c))";
    sum_each_channel(image, format("%s * %s", distance, distance));
    scale_groups(kernel, &norm, groups);
    kernel_line(kernel, "for (int64_t p = 0; p < %lld; p++) {",
                shape_plane(input_shape(kernel->node)));
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        store_channels(image, &norm, "c", lanes);
        kernel_line(kernel, "}");
    }
    if (whole < channels)
        store_channels(image, &norm, format("%lld", whole), channels - whole);
    kernel_line(kernel, "}");
}
