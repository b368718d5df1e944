/* sampling.c: see sampling.h.  A place's taps are found once for all channels.  What goes to the
 * image's gradient lies in other values for each place, so that it is channels that are cut into
 * pieces there, and places elsewhere.
 */
#include "kernels/grain/sampling.h"

/* In vectors, the places' numbers begin at `place * axes`, the last axis first. */
static const char *place_of_2(int axis)
{
    return format("x1[place * 2 + %d]", 1 - axis);
}

static const char *place_of_3(int axis)
{
    return format("x1[place * 3 + %d]", 2 - axis);
}

/* Of a place: its taps, each as the number of an element in a channel. */
static void find_taps(Kernel *kernel, const Sampling *sampling)
{
    Text lanes = {0};
    add_lanes(&lanes, 1, kernel->lanes - 1);
    declare_taps(kernel, sampling, sampling->axes == 2 ? place_of_2 : place_of_3);
    declare_reads(kernel, sampling);
    kernel_line(kernel, "const vec lanes = { 0%s };", text_chars(&lanes));
    kernel_line(kernel, "for (int k = 0; k < %d; k++)", sampled_taps(sampling));
    kernel_line(kernel, "    at[k] = at[k] * LANES + ((mask)(lanes + %s) - (mask)splat(%s));",
                sampling_magic(kernel), sampling_magic(kernel));
}

/* Each lane's element of a channel, 0 where there is none. */
static const char *gather_function(const Kernel *kernel)
{
    Kernel function = begin_function(kernel);
    Text values = {0};
    for (int lane = 0; lane < kernel->lanes; lane++)
        text_add(&values, "%splane[at[%d]]", lane ? ", " : "", lane);
    kernel_line(&function, "const vec found = { %s };", text_chars(&values));
    kernel_line(&function, "return (vec)((mask)found & reads);");
    return end_function(
        kernel, &function, "/* Of each lane the element with its number; 0 where it reads none. */",
        "static inline vec ", "gathered", "(const real *plane, mask at, mask reads)");
}

static const char *scatter_function(const Kernel *kernel)
{
    Kernel function = begin_function(kernel);
    kernel_line(&function, "value = (vec)((mask)value & reads);");
    for (int lane = 0; lane < kernel->lanes; lane++)
        kernel_add(&function, "plane[at[%d]] += value[%d];", lane, lane);
    return end_function(
        kernel, &function,
        "/* Adds each lane's value to the element with its number, where it reads one. */",
        "static inline void ", "scattered", "(real *plane, mask at, mask reads, vec value)");
}

static void declare_weights(Kernel *kernel, const Sampling *sampling)
{
    kernel_line(kernel, "vec weight[%d];", sampled_taps(sampling));
    for (int k = 0; k < sampled_taps(sampling); k++)
        kernel_line(kernel, "weight[%d] = %s;", k, tap_weight(sampling, k, -1));
}

void emit_samples(Kernel *kernel, const Sampling *sampling)
{
    kernel->algorithm = "A place's taps are found once for all channels.";
    open_pieces(kernel, "place", sampling->places);
    find_taps(kernel, sampling);
    declare_weights(kernel, sampling);
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c++) {", sampling->channels);
    kernel_line(kernel, "const real *plane = (const real *)(x0 + c * %lldL);", sampling->plane);
    kernel_line(kernel, "const int64_t p = c * %lldL + place;", sampling->places);
    kernel_line(kernel, "vec sum = { 0 };");
    kernel_line(kernel, "for (int k = 0; k < %d; k++)", sampled_taps(sampling));
    kernel_line(kernel, "    sum += weight[k] * %s(plane, at[k], reads[k]);",
                gather_function(kernel));
    kernel_store(kernel, "y[p]", "p", "sum");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

void emit_sampled_gradient(Kernel *kernel, const Sampling *sampling)
{
    kernel->algorithm = "Each place adds to its taps; a place's taps are found once.";
    if (kernel->splits)
        declare_pieces(kernel, "begin", "end", 0, sampling->channels, 1);
    else
        kernel_line(kernel, "const int begin = 0, end = %lld;", sampling->channels);
    if (!kernel->node->accumulate) {
        kernel_line(kernel, "for (int64_t i = begin * %lldL; i < end * %lldL; i++)",
                    sampling->plane, sampling->plane);
        kernel_line(kernel, "    dx[i] = splat(0);");
    }
    kernel_line(kernel, "for (int64_t place = 0; begin < end && place < %lld; place++) {",
                sampling->places);
    find_taps(kernel, sampling);
    declare_weights(kernel, sampling);
    kernel_line(kernel, "for (int64_t c = begin; c < end; c++) {");
    kernel_line(kernel, "real *plane = (real *)(dx + c * %lldL);", sampling->plane);
    kernel_line(kernel, "const vec d = dy[c * %lldL + place];", sampling->places);
    kernel_line(kernel, "for (int k = 0; k < %d; k++)", sampled_taps(sampling));
    kernel_line(kernel, "    %s(plane, at[k], reads[k], weight[k] * d);", scatter_function(kernel));
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* The nearest value is the same all about a place. */
static void emit_flat(Kernel *kernel, const Sampling *sampling)
{
    if (kernel->node->accumulate)
        return;
    open_pieces(kernel, "i", sampling->places * sampling->axes);
    kernel_line(kernel, "dx[i] = splat(0);");
    kernel_line(kernel, "}");
}

void emit_place_gradient(Kernel *kernel, const Sampling *sampling)
{
    int taps = sampled_taps(sampling);
    if (taps == 1) {
        emit_flat(kernel, sampling);
        return;
    }
    kernel->algorithm = "Of each tap the sum of its values and their gradients, over all channels, "
                        "and then\n * the gradients of its weight.";
    open_pieces(kernel, "place", sampling->places);
    find_taps(kernel, sampling);
    kernel_line(kernel, "vec met[%d] = { { 0 } };", taps);
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c++) {", sampling->channels);
    kernel_line(kernel, "const real *plane = (const real *)(x0 + c * %lldL);", sampling->plane);
    kernel_line(kernel, "const vec d = dy[c * %lldL + place];", sampling->places);
    kernel_line(kernel, "for (int k = 0; k < %d; k++)", taps);
    kernel_line(kernel, "    met[k] += d * %s(plane, at[k], reads[k]);", gather_function(kernel));
    kernel_line(kernel, "}");
    for (int axis = 0; axis < sampling->axes; axis++) {
        kernel_line(kernel, "vec slope_%d = { 0 };", axis);
        for (int k = 0; k < taps; k++)
            kernel_line(kernel, "slope_%d += met[%d] * (%s);", axis, k,
                        tap_weight(sampling, k, axis));
        kernel_line(kernel, "dx[place * %d + %d] %s slope_%d;", sampling->axes,
                    sampling->axes - 1 - axis, kernel->node->accumulate ? "+=" : "=", axis);
    }
    kernel_line(kernel, "}");
}
