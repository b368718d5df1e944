/* sampling.c: see sampling.h. */
#include "kernels/sampling.h"

enum { BITS = 30 }; /* of a lane that counts: of float32 they are 32, with a sign */

/* Beyond, whole numbers are no longer told from others by adding `magic`; coordinates that are
 * farther out are taken for these. */
static Int farthest(bool f64)
{
    return f64 ? (Int)1 << 40 : (Int)1 << 21;
}

bool can_sample(const Sampling *sampling, int lanes)
{
    bool fits = sampling->plane <= ((Int)1 << BITS) / lanes;
    for (int axis = 0; axis < sampling->axes; axis++)
        fits &= sampling->size[axis] < farthest(false);
    return fits;
}

int sampled_taps(const Sampling *sampling)
{
    int count = 1;
    for (int axis = 0; axis < sampling->axes; axis++)
        count *= sampling->taps;
    return count;
}

/* Tap k's along an axis: the last one's are counted first. */
static int tap_along(const Sampling *sampling, int k, int axis)
{
    for (int behind = sampling->axes - 1; behind > axis; behind--)
        k /= sampling->taps;
    return k % sampling->taps;
}

/* ------------------------------------------------------- along one axis
 * `at`, a coordinate in values, and `slope`, its gradient by the place. */

const char *sampling_magic(const Kernel *kernel)
{
    return kernel->module->f64 ? "(real)0x1.8p52" : "(real)0x1.8p23";
}

static void clip(Kernel *kernel, const char *name, Int low, Int high)
{
    kernel_line(kernel, "%s = vec_select(%s > splat(%lld), %s, splat(%lld));", name, name, low,
                name, low);
    kernel_line(kernel, "%s = vec_select(%s < splat(%lld), %s, splat(%lld));", name, name, high,
                name, high);
}

static void declare_coordinate(Kernel *kernel, const Sampling *sampling, Int size)
{
    if (sampling->align_corners)
        kernel_line(kernel, "vec at = (place + (real)1) * (real)%.17g;", (double)(size - 1) / 2);
    else
        kernel_line(kernel, "vec at = ((place + (real)1) * (real)%lld - (real)1) * (real)0.5;",
                    size);
    kernel_line(kernel, "vec slope = splat((real)%.17g);",
                (double)(sampling->align_corners ? size - 1 : size) / 2);
    clip(kernel, "at", -farthest(kernel->module->f64), farthest(kernel->module->f64));
}

/* Mirrored at the outer values, or half a step outside of them. */
static void reflect(Kernel *kernel, const Sampling *sampling, Int size, const char *at)
{
    Int span = sampling->align_corners ? size - 1 : size;
    const char *low = sampling->align_corners ? "0" : "-0.5";
    if (span == 0) {
        kernel_line(kernel, "%s = splat(0), slope = splat(0);", at);
        return;
    }
    kernel_line(kernel, "{");
    kernel_line(kernel, "vec from = %s - (real)%s;", at, low);
    kernel_line(kernel, "slope = vec_select(from < splat(0), -slope, slope);");
    kernel_line(kernel, "from = vec_select(from < splat(0), -from, from);");
    kernel_line(kernel, "const vec turns = vec_floor(from / (real)%lld);", span);
    kernel_line(kernel, "const vec extra = from - turns * (real)%lld;", span);
    kernel_line(kernel, "const mask back = turns - (real)2 * vec_floor(turns * (real)0.5) == "
                        "splat(1);");
    kernel_line(kernel, "%s = vec_select(back, (real)%lld - extra, extra) + (real)%s;", at, span,
                low);
    kernel_line(kernel, "slope = vec_select(back, -slope, slope);");
    kernel_line(kernel, "}");
}

/* Outside it is what lies inside by the padding; farther than any tap reaches it is as near. */
static void pad(Kernel *kernel, const Sampling *sampling, Int size, const char *at)
{
    if (sampling->padding == SAMPLE_ZEROS) {
        clip(kernel, at, -3, size + 2);
        return;
    }
    if (sampling->padding == SAMPLE_REFLECTION)
        reflect(kernel, sampling, size, at);
    kernel_line(kernel,
                "slope = vec_select((%s > splat(0)) & (%s < splat(%lld)), slope, splat(0));", at,
                at, size - 1);
    clip(kernel, at, 0, size - 1);
}

/* Tap `k` is the value at `whole`, which is a whole number. */
static void note_tap(Kernel *kernel, Int size, int k, const char *whole, const char *weight,
                     const char *slope)
{
    kernel_line(kernel, "index[%d] = (mask)(%s + %s) - (mask)splat(%s);", k, whole,
                sampling_magic(kernel), sampling_magic(kernel));
    kernel_line(kernel, "inside[%d] = (index[%d] >= 0) & (index[%d] < %lld);", k, k, k, size);
    kernel_line(kernel, "index[%d] &= inside[%d];", k, k);
    kernel_line(kernel, "weight[%d] = %s, slopes[%d] = %s;", k, weight, k, slope);
}

static void nearest_tap(Kernel *kernel, const Sampling *sampling, Int size)
{
    pad(kernel, sampling, size, "at");
    note_tap(kernel, size, 0,
             format("(at + %s - %s)", sampling_magic(kernel), sampling_magic(kernel)), "splat(1)",
             "splat(0)");
}

static void linear_taps(Kernel *kernel, const Sampling *sampling, Int size)
{
    pad(kernel, sampling, size, "at");
    kernel_line(kernel, "const vec first = vec_floor(at), part = at - first;");
    note_tap(kernel, size, 0, "first", "(real)1 - part", "-slope");
    note_tap(kernel, size, 1, "(first + (real)1)", "part", "slope");
}

/* Keys's weights (1981, "Cubic convolution interpolation") with PyTorch's -0.75: of a value that
 * lies `part` away, or of the one behind it, and its gradient. */
static const char *cubic_weight(bool behind, const char *part)
{
    return behind ? format("(real)-0.75 * %s * ((real)1 - %s) * ((real)1 - %s)", part, part, part)
                  : format("((real)1.25 * %s - (real)2.25) * %s * %s + (real)1", part, part, part);
}

static const char *cubic_slope(bool behind, const char *part)
{
    return behind ? format("(((real)-2.25 * %s + (real)3) * %s - (real)0.75)", part, part)
                  : format("((real)3.75 * %s - (real)4.5) * %s", part, part);
}

/* Each of the four is padded by itself, and so has the slope of the place alone. */
static void cubic_taps(Kernel *kernel, const Sampling *sampling, Int size)
{
    kernel_line(kernel, "const vec first = vec_floor(at), t = at - first, u = (real)1 - t;");
    for (int k = 0; k < 4; k++) {
        const char *at = format("at%d", k), *part = k < 2 ? "t" : "u";
        bool behind = k == 0 || k == 3;
        kernel_line(kernel, "vec %s = first + (real)%d;", at, k - 1);
        kernel_line(kernel, "{");
        kernel_line(kernel, "vec slope = splat(0);");
        pad(kernel, sampling, size, at);
        kernel_line(kernel, "(void)slope;");
        kernel_line(kernel, "}");
        note_tap(kernel, size, k, at, cubic_weight(behind, part),
                 format("%s * %sslope", cubic_slope(behind, part), k < 2 ? "" : "-"));
    }
}

/* The function that finds a place's taps along an axis of this size. */
static const char *axis_function(const Kernel *kernel, const Sampling *sampling, Int size)
{
    static const char *const paddings[] = {"zeros", "the nearest edge", "the mirrored image"};
    Kernel function = begin_function(kernel);
    declare_coordinate(&function, sampling, size);
    if (sampling->taps == 1)
        nearest_tap(&function, sampling, size);
    else if (sampling->taps == 2)
        linear_taps(&function, sampling, size);
    else
        cubic_taps(&function, sampling, size);
    kernel_line(&function, "for (int k = 0; k < %d; k++) {", sampling->taps);
    kernel_line(&function, "weight[k] = (vec)((mask)weight[k] & inside[k]);");
    kernel_line(&function, "slopes[k] = (vec)((mask)slopes[k] & inside[k]);");
    kernel_line(&function, "}");
    return end_function(
        kernel, &function,
        format("/* Which of %lld values lie about a place from -1 to 1, %s outside of them: their "
               "numbers,\n * whether there are such, their weights and the gradients of these. */",
               size, paddings[sampling->padding]),
        "static inline void ", "taps_along",
        "(mask *index, mask *inside, vec *weight, vec *slopes, vec place)");
}

/* -------------------------------------------------------------- all axes */

void declare_taps(Kernel *kernel, const Sampling *sampling, const char *(*place)(int axis))
{
    for (int axis = 0; axis < sampling->axes; axis++) {
        kernel_line(kernel, "mask index%d[%d], inside%d[%d];", axis, sampling->taps, axis,
                    sampling->taps);
        kernel_line(kernel, "vec weight%d[%d], slope%d[%d];", axis, sampling->taps, axis,
                    sampling->taps);
        kernel_line(kernel, "%s(index%d, inside%d, weight%d, slope%d, %s);",
                    axis_function(kernel, sampling, sampling->size[axis]), axis, axis, axis, axis,
                    place(axis));
    }
}

void declare_reads(Kernel *kernel, const Sampling *sampling)
{
    kernel_line(kernel, "mask at[%d], reads[%d];", sampled_taps(sampling), sampled_taps(sampling));
    for (int k = 0; k < sampled_taps(sampling); k++) {
        Text at = {0}, reads = {0};
        for (int axis = 0; axis < sampling->axes; axis++) {
            int tap = tap_along(sampling, k, axis);
            if (axis) {
                const char *before = format("(%s) * %lld", text_chars(&at), sampling->size[axis]);
                at = (Text){0};
                text_add(&at, "%s + ", before);
            }
            text_add(&at, "index%d[%d]", axis, tap);
            text_add(&reads, "%sinside%d[%d]", axis ? " & " : "", axis, tap);
        }
        kernel_line(kernel, "at[%d] = %s;", k, text_chars(&at));
        kernel_line(kernel, "reads[%d] = %s;", k, text_chars(&reads));
    }
}

const char *tap_weight(const Sampling *sampling, int k, int by)
{
    Text weight = {0};
    for (int axis = 0; axis < sampling->axes; axis++)
        text_add(&weight, "%s%s%d[%d]", axis ? " * " : "", axis == by ? "slope" : "weight", axis,
                 tap_along(sampling, k, axis));
    return text_chars(&weight);
}
