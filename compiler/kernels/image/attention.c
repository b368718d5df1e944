/* attention.c: attention of one image (attention.h).
 *
 * Of a sequence, a feature's values at all steps lie side by side: a query's scores are vectors of
 * keys, and what it gives are sums over such a row.  Of a batch of windows, values that lie side by
 * side are those of all windows: a window's keys and values are put in rows first.
 */
#include "kernels/attention.h"
#include "kernels/image/image.h"

enum { ROW_SUMS = 2 }; /* rows of keys whose scores are summed at once */

typedef struct Writer {
    ImageKernel *image;
    const Attention *attention;
    Int row; /* from a feature's values to the next's, in a row of keys or values */
} Writer;

static bool has_windows(const Attention *attention)
{
    return attention->windows > 1;
}

/* Scores are stored by whole vectors. */
static Int padded_keys(const Writer *writer)
{
    Int step = ROW_SUMS * writer->image->kernel.lanes;
    return (writer->attention->keys + step - 1) / step * step + step;
}

/* "x0[(i * 8L + head * 4L + c) * 64L + window]": feature c of a head at a step. */
static const char *value_text(const Writer *writer, const AttentionSide *side, const char *step,
                              const char *head)
{
    const char *name = attention_input(writer->image->kernel.node, side->input);
    Int stride = writer->image->x_strides.items[side->input];
    const char *feature = format("%lldL + %s * %lldL + c", side->first, head, side->width);
    if (has_windows(writer->attention))
        return format("%s[(%s * %lldL + %s) * %lldL + window]", name, step, side->row, feature,
                      stride);
    return format("%s[(%s) * %lldL + %s]", name, feature, stride, step);
}

/* The same of a mask's value, of query i and key j: its first axis lies side by side. */
static const char *mask_value(const Writer *writer, const AttentionMask *mask)
{
    static const char *const variables[MASK_AXES] = {"window", "head", "i", "j"};
    const Tensor *tensor = writer->image->kernel.node->inputs.items[mask->input];
    int first = MASK_AXES - tensor->shape.rank;
    Int plane = shape_plane(tensor->shape);
    Text text = {0};
    for (int axis = first + 1; axis < MASK_AXES; axis++)
        if (mask->step[axis])
            text_add(&text, "%s%s * %lldL", text.length ? " + " : "", variables[axis],
                     mask->step[axis]);
    require(mask->step[first] == 0 || mask->step[first] == plane);
    return format("x%d[(%s) * %lldL + %s]", mask->input, text.length ? text_chars(&text) : "0",
                  writer->image->x_strides.items[mask->input],
                  mask->step[first] ? variables[first] : "0");
}

/* Declares k and v, rows of keys and values of a head: of a sequence they are that, of windows they
 * are copied. */
static void declare_rows(Writer *writer)
{
    Kernel *kernel = &writer->image->kernel;
    const Attention *a = writer->attention;
    const AttentionSide *sides[] = {&a->k, &a->v};
    Int group = a->heads / a->kv_heads;
    kernel_line(kernel, "const int kv_head = head / %lld;", group);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "v" : "k";
        if (!has_windows(a)) {
            kernel_line(kernel, "const real *const %s = %s + (%lldL + kv_head * %lldL) * %lldL;",
                        name, attention_input(kernel->node, sides[i]->input), sides[i]->first,
                        sides[i]->width, writer->image->x_strides.items[sides[i]->input]);
            continue;
        }
        kernel_line(kernel, "real *const %s = workspace + %lldL;", name,
                    padded_keys(writer) + (i ? a->k.width * writer->row : 0));
        kernel_line(kernel, "for (int j = 0; j < %lld; j++)", a->keys);
        kernel_line(kernel, "    for (int c = 0; c < %lld; c++)", sides[i]->width);
        kernel_line(kernel, "        %s[c * %lldL + j] = %s;", name, writer->row,
                    value_text(writer, sides[i], "j", "kv_head"));
    }
}

/* From a feature's row to the next: of the keys' or the values'. */
static Int row_step(const Writer *writer, const AttentionSide *side)
{
    return has_windows(writer->attention) ? writer->row
                                          : writer->image->x_strides.items[side->input];
}

/* Query i sees keys from `from` to `seen`. */
static void declare_seen(const Writer *writer)
{
    Kernel *kernel = &writer->image->kernel;
    const Attention *a = writer->attention;
    if (a->reach)
        kernel_line(kernel, "const int from = i < %lld ? 0 : i - %lld;", a->reach, a->reach - 1);
    else
        kernel_line(kernel, "const int from = 0;");
    if (a->causal)
        kernel_line(kernel, "const int seen = i + 1 < %lld ? i + 1 : %lld;", a->keys, a->keys);
    else if (a->reach)
        kernel_line(kernel, "const int seen = i + %lld < %lld ? i + %lld : %lld;", a->reach,
                    a->keys, a->reach, a->keys);
    else
        kernel_line(kernel, "const int seen = %lld;", a->keys);
}

/* So many vectors of scores from key j on. */
static void score_vectors(const Writer *writer, int vectors)
{
    Kernel *kernel = &writer->image->kernel;
    const Attention *a = writer->attention;
    static const char *const places[ROW_SUMS] = {"", " + LANES"};
    for (int i = 0; i < vectors; i++)
        kernel_line(kernel, "vec a%d = splat(0);", i);
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", a->q.width);
    kernel_line(kernel, "const vec q_c = splat(%s);", value_text(writer, &a->q, "i", "head"));
    for (int i = 0; i < vectors; i++)
        kernel_line(kernel, "a%d += q_c * *(const unaligned_vec *)(k + c * %lldL + j%s);", i,
                    row_step(writer, &a->k), places[i]);
    kernel_line(kernel, "}");
    for (int i = 0; i < vectors; i++)
        kernel_line(kernel, "*(unaligned_vec *)(score + j%s) = a%d * (real)%.17g;", places[i], i,
                    a->scale);
}

/* score[j] of query i and all keys that it sees; a vector begins with one of them. */
static void emit_scores(const Writer *writer)
{
    Kernel *kernel = &writer->image->kernel;
    const Attention *a = writer->attention;
    kernel_line(kernel, "int j = from;");
    kernel_line(kernel, "for (; j + LANES < seen; j += %d * LANES) {", ROW_SUMS);
    score_vectors(writer, ROW_SUMS);
    kernel_line(kernel, "}");
    kernel_line(kernel, "for (; j < seen; j += LANES) {");
    score_vectors(writer, 1);
    kernel_line(kernel, "}");
    for (int i = 0; i < a->masks; i++) {
        kernel_line(kernel, "for (j = from; j < seen; j++)");
        kernel_line(kernel, "    score[j] += %s;", mask_value(writer, &a->mask[i]));
    }
}

/* What lies behind the last key that is seen may become anything: nobody reads it. */
static void emit_softmax(const Writer *writer)
{
    Kernel *kernel = &writer->image->kernel;
    kernel_line(kernel, "real largest = score[from];");
    kernel_line(kernel, "for (j = from + 1; j < seen; j++)");
    kernel_line(kernel, "    largest = score[j] > largest ? score[j] : largest;");
    kernel_line(kernel, "for (j = from; j < seen; j += LANES)");
    kernel_line(kernel,
                "    *(unaligned_vec *)(score + j) = vec_exp(*(const unaligned_vec *)(score "
                "+ j) - splat(largest));");
    kernel_line(kernel, "real total = 0;");
    kernel_line(kernel, "for (j = from; j < seen; j++)");
    kernel_line(kernel, "    total += score[j];");
}

/* The last vector of a row of values may hold what is none. */
static void emit_values(const Writer *writer)
{
    Kernel *kernel = &writer->image->kernel;
    const Attention *a = writer->attention;
    Int out = a->heads * a->v.width, stride = writer->image->y_stride;
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", a->v.width);
    kernel_line(kernel, "const real *v_c = v + c * %lldL;", row_step(writer, &a->v));
    kernel_line(kernel, "const int whole = from + (seen - from) / LANES * LANES;");
    kernel_line(kernel, "vec a = splat(0);");
    kernel_line(kernel, "for (j = from; j < whole; j += LANES)");
    kernel_line(kernel,
                "    a += *(const unaligned_vec *)(score + j) * *(const unaligned_vec *)(v_c "
                "+ j);");
    kernel_line(kernel, "real sum = sum_lanes(a);");
    kernel_line(kernel, "for (j = whole; j < seen; j++)");
    kernel_line(kernel, "    sum += score[j] * v_c[j];");
    if (has_windows(a))
        kernel_line(kernel, "y[(i * %lldL + head * %lldL + c) * %lldL + window] = sum / total;",
                    out, a->v.width, stride);
    else
        kernel_line(kernel, "y[(head * %lldL + c) * %lldL + i] = sum / total;", a->v.width, stride);
    kernel_line(kernel, "}");
}

/* Of windows a piece is a head of one, of a sequence a query of a head. */
static void open_queries(Writer *writer)
{
    Kernel *kernel = &writer->image->kernel;
    const Attention *a = writer->attention;
    if (has_windows(a)) {
        open_pieces(kernel, "piece", a->windows * a->heads);
        kernel_line(kernel, "const int window = (int)(piece / %lld), head = (int)(piece %% %lld);",
                    a->heads, a->heads);
        declare_rows(writer);
        kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", a->queries);
    } else {
        open_pieces(kernel, "piece", a->heads * a->queries);
        kernel_line(kernel, "const int head = (int)(piece / %lld), i = (int)(piece %% %lld);",
                    a->queries, a->queries);
        declare_rows(writer);
        kernel_line(kernel, "{");
    }
}

void emit_image_attention(ImageKernel *image, const Attention *attention)
{
    Writer writer = {image, attention, 0};
    writer.row = padded_keys(&writer);
    image->work =
        padded_keys(&writer)
        + (has_windows(attention) ? (attention->k.width + attention->v.width) * writer.row : 0);
    kernel_line(&image->kernel, "real *const score = workspace;");
    open_queries(&writer);
    declare_seen(&writer);
    emit_scores(&writer);
    emit_softmax(&writer);
    emit_values(&writer);
    kernel_line(&image->kernel, "}");
    kernel_line(&image->kernel, "}");
}
