/* attention_row.c: see attention_row.h.
 *
 * The step's key and value are put beside those of all steps before it.  Keys are kept feature by
 * feature, so that a vector has one feature of neighbouring keys and the scores of these are summed
 * at once; values step by step, so that a vector has neighbouring features of what is summed.
 */
#include "kernels/image/attention_row.h"

enum { VECTORS = 4 }; /* sums at once, of scores or features: as long as a multiply-add takes */

static Int whole_vectors(Int count, Int step)
{
    return (count + step - 1) / step * step;
}

static Int padded_steps(const RowAttention *a, int lanes)
{
    return whole_vectors(a->steps, VECTORS * lanes);
}

static Int keys_size(const RowAttention *a, int lanes)
{
    return a->kv_heads * a->width * padded_steps(a, lanes);
}

Int kept_of_attention(const RowAttention *a, int lanes)
{
    return keys_size(a, lanes) + a->kv_heads * a->steps * whole_vectors(a->value_width, lanes);
}

/* The step's key and value join those that are kept. */
static void keep_step(Kernel *kernel, const RowAttention *a)
{
    kernel_line(kernel, "for (int64_t f = 0; f < %lld; f++)", a->kv_heads * a->width);
    kernel_line(kernel, "    keys[f * %lldL + i] = (%s)[f];", padded_steps(a, kernel->lanes), a->k);
    kernel_line(kernel, "for (int64_t h = 0; h < %lld; h++)", a->kv_heads);
    kernel_line(kernel, "    for (int64_t c = 0; c < %lld; c++)", a->value_width);
    kernel_line(kernel, "        values[(h * %lldL + i) * %lldL + c] = (%s)[h * %lldL + c];",
                a->steps, whole_vectors(a->value_width, kernel->lanes), a->v, a->value_width);
}

/* score[j] of all steps that are seen, and of some around them. */
static void emit_scores(Kernel *kernel, const RowAttention *a)
{
    Int stride = padded_steps(a, kernel->lanes);
    kernel_line(kernel, "const real *const k = keys + head / %lld * %lldL;", a->heads / a->kv_heads,
                a->width * stride);
    kernel_line(kernel, "const real *const q = %s + head * %lldL;", a->q, a->width);
    kernel_line(kernel, "for (int64_t j = first; j < seen; j += %d * LANES) {", VECTORS);
    for (int n = 0; n < VECTORS; n++)
        kernel_add(kernel, "vec a%d = splat(0);", n);
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c++) {", a->width);
    kernel_line(kernel, "const vec q_c = splat(q[c]);");
    for (int n = 0; n < VECTORS; n++)
        kernel_line(kernel,
                    "a%d += q_c * *(const unaligned_vec *)(k + c * %lldL + j + %d * LANES);", n,
                    stride, n);
    kernel_line(kernel, "}");
    for (int n = 0; n < VECTORS; n++)
        kernel_line(kernel, "*(unaligned_vec *)(score + j + %d * LANES) = a%d * (real)%.17g;", n, n,
                    a->scale);
    kernel_line(kernel, "}");
}

/* Scores become exponentials, and `total` their sum.  What is not seen may become anything. */
static void emit_exponentials(Kernel *kernel)
{
    kernel_line(kernel, "real largest = score[from], total = 0;");
    kernel_line(kernel, "for (int64_t j = from + 1; j < seen; j++)");
    kernel_line(kernel, "    largest = score[j] > largest ? score[j] : largest;");
    kernel_line(kernel, "for (int64_t j = first; j < seen; j += LANES)");
    kernel_line(kernel, "    *(unaligned_vec *)(score + j) = vec_exp(*(const unaligned_vec "
                        "*)(score + j) - splat(largest));");
    kernel_line(kernel, "for (int64_t j = from; j < seen; j++)");
    kernel_line(kernel, "    total += score[j];");
    kernel_line(kernel, "const vec share = splat((real)1 / total);");
}

/* The features from `at` on, `used` of them: so many vectors. */
static void emit_features(ImageKernel *image, const RowAttention *a, Int at, Int used)
{
    Kernel *kernel = &image->kernel;
    int lanes = kernel->lanes, vectors = (int)((used + lanes - 1) / lanes);
    kernel_line(kernel, "{");
    for (int n = 0; n < vectors; n++)
        kernel_add(kernel, "vec a%d = splat(0);", n);
    kernel_line(kernel, "for (int64_t j = from; j < seen; j++)%s", vectors > 1 ? " {" : "");
    for (int n = 0; n < vectors; n++)
        kernel_line(
            kernel, "%sa%d += splat(score[j]) * *(const unaligned_vec *)(v + j * %lldL + %lld);",
            vectors > 1 ? "" : "    ", n, whole_vectors(a->value_width, lanes), at + n * lanes);
    if (vectors > 1)
        kernel_line(kernel, "}");
    for (int n = 0; n < vectors; n++)
        image_store(image, "0", format("head * %lldL + %lld", a->value_width, at + n * lanes),
                    n < vectors - 1 ? lanes : used - n * lanes, format("a%d * share", n));
    kernel_line(kernel, "}");
}

static void emit_values(ImageKernel *image, const RowAttention *a)
{
    Kernel *kernel = &image->kernel;
    Int step = VECTORS * kernel->lanes;
    kernel_line(kernel, "const real *const v = values + head / %lld * %lldL;",
                a->heads / a->kv_heads, a->steps * whole_vectors(a->value_width, kernel->lanes));
    for (Int at = 0; at < a->value_width; at += step)
        emit_features(image, a, at, a->value_width - at < step ? a->value_width - at : step);
}

void image_attention_row(ImageKernel *image, const RowAttention *a)
{
    Kernel *kernel = &image->kernel;
    kernel->algorithm = "Attention of one step to the kept keys and values of those before it.";
    kernel->splits = false; /* the weights of the layers around it take far longer */
    image->work = padded_steps(a, kernel->lanes) + VECTORS * kernel->lanes;
    kernel_line(kernel, "real *const score = workspace;");
    kernel_line(kernel, "real *const keys = rows, *const values = rows + %lldL;",
                keys_size(a, kernel->lanes));
    kernel_line(kernel, "const int64_t i = s->row, seen = i + 1;");
    if (a->reach)
        kernel_line(kernel, "const int64_t from = seen > %lld ? seen - %lld : 0;", a->reach,
                    a->reach);
    else
        kernel_line(kernel, "const int64_t from = 0;");
    kernel_line(kernel, "const int64_t first = from / LANES * LANES;");
    keep_step(kernel, a);
    kernel_line(kernel, "for (int64_t head = 0; head < %lld; head++) {", a->heads);
    emit_scores(kernel, a);
    emit_exponentials(kernel);
    emit_values(image, a);
    kernel_line(kernel, "}");
}
