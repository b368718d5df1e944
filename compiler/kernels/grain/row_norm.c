/* row_norm.c: see row_norm.h.  A row of values is read three times, of which the last two find it
 * in the cache: for its mean, for the squares of distances from it, and to be stored.  Pieces are
 * rows; those of the parameters' gradients, which are sums over rows, are parameters.
 */
#include "kernels/grain/row_norm.h"
#include "kernels/grain/norm.h"

enum { CHAINS = 4 }; /* sums that do not wait for one another */

Shape row_norm_aux(RowNorm norm)
{
    return norm.centred ? shape_of(2, 2, norm.rows, 1) : shape_of(1, norm.rows, 1, 1);
}

/* Where in aux 1 over the deviations begin. */
static Int inverses_of(const RowNorm *norm)
{
    return norm->centred ? norm->rows : 0;
}

/* Adds the terms, expressions of i, of a stretch of `length` values to sums of those names. */
static void add_chains(Kernel *kernel, Int length, const char *a, const char *b)
{
    Int whole = length / CHAINS * CHAINS;
    if (whole) {
        kernel_line(kernel, "for (int p = 0; p < %lld; p += %d) {", whole, CHAINS);
        for (int k = 0; k < CHAINS; k++)
            kernel_line(kernel, "{ const int i = p + %d; a[%d] += %s;%s }", k, k, a,
                        b ? format(" b[%d] += %s;", k, b) : "");
        kernel_line(kernel, "}");
    }
    for (Int i = whole; i < length; i++)
        kernel_line(kernel, "{ const int i = %lld; a[%lld] += %s;%s }", i, i - whole, a,
                    b ? format(" b[%lld] += %s;", i - whole, b) : "");
}

static void declare_chains(Kernel *kernel, bool both)
{
    kernel_line(kernel, "vec a[%d] = { 0 }%s;", CHAINS,
                both ? format(", b[%d] = { 0 }", CHAINS) : "");
}

static const char *total(const char *name)
{
    return format("((%s[0] + %s[1]) + (%s[2] + %s[3]))", name, name, name, name);
}

/* The loop over a row's values from `v` on, of `d` and of others, expressions of i: all at once, or
 * of a parameter c after the other, whose values begin at `first`. */
static void open_values(Kernel *kernel, const RowNorm *norm)
{
    if (norm->repeat == 1)
        return;
    Int each = norm->length / norm->repeat;
    kernel_line(kernel, "for (int64_t c = r * %lld, first = 0; first < %lld; c++, first += %lld) {",
                each, norm->length, norm->repeat);
}

static void close_values(Kernel *kernel, const RowNorm *norm)
{
    if (norm->repeat > 1)
        kernel_line(kernel, "}");
}

/* Value i of those that open_values() has come to. */
static const char *value_of(const RowNorm *norm, const char *name)
{
    return norm->repeat == 1 ? format("%s[i]", name) : format("%s[first + i]", name);
}

/* Its parameter. */
static const char *parameter_of(const RowNorm *norm, const char *name)
{
    return format("%s[%s]", name,
                  norm->repeat > 1                  ? "c"
                  : norm->parameters > norm->length ? format("r * %lld + i", norm->length)
                                                    : "i");
}

static Int stretch_of(const RowNorm *norm)
{
    return norm->repeat == 1 ? norm->length : norm->repeat;
}

/* What x is before it is scaled. */
static const char *distance(const RowNorm *norm)
{
    const char *value = value_of(norm, "v");
    return norm->centred ? format("(%s - mean)", value) : value;
}

static void open_rows(Kernel *kernel, const RowNorm *norm, bool gradient)
{
    open_pieces(kernel, "r", norm->rows);
    kernel_line(kernel, "const int64_t at = (int64_t)r * %lld;", norm->length);
    kernel_line(kernel, "const vec *v = x + at%s;", gradient ? ", *d = dy + at" : "");
}

double row_norm_epsilon(const Kernel *kernel, RowNorm norm)
{
    return norm.eps >= 0 ? norm.eps : kernel->module->f64 ? 0x1p-52 : 0x1p-23;
}

/* Declares a row's `mean` and `inverse`. */
static void measure_row(Kernel *kernel, const RowNorm *norm)
{
    const char *squares = norm->centred ? "(v[i] - mean) * (v[i] - mean)" : "v[i] * v[i]";
    kernel_line(kernel, "vec inverse;");
    if (norm->centred) {
        kernel_line(kernel, "vec mean;");
        kernel_line(kernel, "{");
        declare_chains(kernel, false);
        add_chains(kernel, norm->length, "v[i]", NULL);
        kernel_line(kernel, "mean = %s * (real)%.17g;", total("a"), 1 / (double)norm->length);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "{");
    declare_chains(kernel, false);
    add_chains(kernel, norm->length, squares, NULL);
    kernel_line(kernel, "inverse = (real)1 / vec_sqrt(%s * (real)%.17g + (real)%.17g);", total("a"),
                1 / (double)norm->length, row_norm_epsilon(kernel, *norm));
    kernel_line(kernel, "}");
}

/* Without an image the values are any, and their deviation may be 0. */
static void note_row(Kernel *kernel, const RowNorm *norm)
{
    kernel_line(kernel, "inverse = vec_select(active, inverse, (vec){ 0 });");
    if (norm->centred)
        kernel_line(kernel, "aux[r] = vec_select(active, mean, (vec){ 0 });");
    kernel_line(kernel, "aux[%lld + r] = inverse;", inverses_of(norm));
}

static void emit_forward(Kernel *kernel, const RowNorm *norm)
{
    const char *at = norm->repeat == 1 ? "at + i" : "at + first + i";
    if (kernel->training)
        declare_active(kernel);
    open_rows(kernel, norm, false);
    measure_row(kernel, norm);
    if (kernel->training)
        note_row(kernel, norm);
    open_values(kernel, norm);
    const char *scaled = format("%s * inverse%s%s", distance(norm),
                                norm->weight ? format(" * %s", parameter_of(norm, "weight")) : "",
                                norm->bias ? format(" + %s", parameter_of(norm, "bias")) : "");
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", stretch_of(norm));
    kernel_store(kernel, format("y[%s]", at), at, scaled);
    kernel_line(kernel, "}");
    close_values(kernel, norm);
    kernel_line(kernel, "}");
}

static void recall_row(Kernel *kernel, const RowNorm *norm)
{
    if (norm->centred)
        kernel_line(kernel, "const vec mean = aux[r];");
    kernel_line(kernel, "const vec inverse = aux[%lld + r];", inverses_of(norm));
}

/* dx = (g - mean of g - n * mean of g*n) / deviation with g = dy * weight and n the normalised x;
 * the first mean is no part of it where x's was not taken off. */
static void emit_input_gradient(Kernel *kernel, const RowNorm *norm)
{
    const char *at = norm->repeat == 1 ? "at + i" : "at + first + i";
    const char *g = norm->weight
                        ? format("%s * %s", value_of(norm, "d"), parameter_of(norm, "weight"))
                        : value_of(norm, "d");
    const char *product = format("%s * %s", g, distance(norm));
    open_rows(kernel, norm, true);
    recall_row(kernel, norm);
    declare_chains(kernel, norm->centred);
    open_values(kernel, norm);
    add_chains(kernel, stretch_of(norm), norm->centred ? g : product,
               norm->centred ? product : NULL);
    close_values(kernel, norm);
    if (norm->centred)
        kernel_line(kernel, "const vec mean_g = %s * (real)%.17g;", total("a"),
                    1 / (double)norm->length);
    kernel_line(kernel, "const vec slope = %s * (inverse * inverse * (real)%.17g);",
                total(norm->centred ? "b" : "a"), 1 / (double)norm->length);
    const char *gradient = format("(%s%s - %s * slope) * inverse", g,
                                  norm->centred ? " - mean_g" : "", distance(norm));
    open_values(kernel, norm);
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", stretch_of(norm));
    kernel_store(kernel, format("dx[%s]", at), at,
                 kernel->node->accumulate ? format("dx[%s] + %s", at, gradient) : gradient);
    kernel_line(kernel, "}");
    close_values(kernel, norm);
    kernel_line(kernel, "}");
}

/* ------------------------------------------------- the parameters' gradients */

/* Together, of each row: more than the processor fetches ahead by itself, and their sums stay in
 * the first cache.  Where threads share a grain, there are to be enough pieces. */
enum { TOGETHER = 64, TOGETHER_SPLIT = 16 };

/* Of `count` parameters from i on, each of which has one value in each row. */
static void sum_rows_of(Kernel *kernel, const RowNorm *norm, Int count)
{
    const char *normal = norm->centred ? "((v[k] - mean) * inverse)" : "(v[k] * inverse)";
    if (norm->weight)
        kernel_line(kernel, "vec a[%lld] = { 0 };", count);
    if (norm->bias)
        kernel_line(kernel, "vec b[%lld] = { 0 };", count);
    kernel_line(kernel, "for (int64_t r = 0; r < %lld; r++) {", norm->rows);
    if (norm->weight) {
        kernel_line(kernel, "const vec *v = x + r * %lld + i;", norm->length);
        recall_row(kernel, norm);
    }
    kernel_line(kernel, "const vec *d = dy + r * %lld + i;", norm->length);
    kernel_line(kernel, "for (int k = 0; k < %lld; k++) {", count);
    if (norm->weight)
        kernel_line(kernel, "a[k] += d[k] * %s;", normal);
    if (norm->bias)
        kernel_line(kernel, "b[k] += d[k];");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    if (norm->weight)
        kernel_line(kernel, "sum_rows(dweight + i, a, %lld);", count);
    if (norm->bias)
        kernel_line(kernel, "sum_rows(dbias + i, b, %lld);", count);
}

static void emit_sums_over_rows(Kernel *kernel, const RowNorm *norm)
{
    Int step = kernel->splits ? TOGETHER_SPLIT : TOGETHER, whole = norm->length / step * step;
    if (whole) {
        open_stepped_pieces(kernel, "i", 0, whole, step);
        sum_rows_of(kernel, norm, step);
        kernel_line(kernel, "}");
    }
    if (whole < norm->length) {
        open_stepped_pieces(kernel, "i", whole, norm->length, step);
        sum_rows_of(kernel, norm, norm->length - whole);
        kernel_line(kernel, "}");
    }
}

/* Of parameters each of which has a stretch of values in one row. */
static void emit_sums_over_stretches(Kernel *kernel, const RowNorm *norm)
{
    const char *normal = norm->centred ? "((v[i] - mean) * inverse)" : "(v[i] * inverse)";
    open_pieces(kernel, "c", norm->parameters);
    kernel_line(kernel, "const int64_t r = (int64_t)c / %lld, at = (int64_t)c * %lld;",
                norm->length / norm->repeat, norm->repeat);
    kernel_line(kernel, "const vec *v = x + at, *d = dy + at;");
    recall_row(kernel, norm);
    declare_chains(kernel, true);
    add_chains(kernel, norm->repeat, format("d[i] * %s", normal), "d[i]");
    kernel_line(kernel, "dweight[c] = sum_lanes(%s);", total("a"));
    kernel_line(kernel, "dbias[c] = sum_lanes(%s);", total("b"));
    kernel_line(kernel, "}");
}

void emit_row_norm(Kernel *kernel, RowNorm norm)
{
    if (kernel->stage == STAGE_FORWARD)
        emit_forward(kernel, &norm);
    else if (kernel->stage == STAGE_BACKWARD_INPUT)
        emit_input_gradient(kernel, &norm);
    else if (norm.parameters == norm.length && norm.repeat == 1)
        emit_sums_over_rows(kernel, &norm);
    else if (norm.weight)
        emit_sums_over_stretches(kernel, &norm);
}
