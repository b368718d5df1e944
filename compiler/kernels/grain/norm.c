/* norm.c: a batch norm's moments and the sums of its gradient, for its own kernels and for those
 * that store its dy and make the sums as they do, or that store its x, in evaluation.
 */
#include "kernels/grain/norm.h"

static double epsilon_of(const Node *norm)
{
    return norm->args[role_arg(norm->op, ROLE_EPSILON)].real;
}

void declare_active(Kernel *kernel)
{
    kernel_line(kernel, "const mask active = *(const vec *)(s->active + g * LANES) > (vec){ 0 };");
}

/* The kernel's operand: a norm whose sums another kernel makes has its own there under longer
 * names. */
static const char *own_operand(const Kernel *kernel, const char *name)
{
    return kernel->sums ? format("n_%s", name) : name;
}

static const Node *norm_of(const Kernel *kernel)
{
    return kernel->norm ? kernel->norm : kernel->sums ? kernel->sums : kernel->node;
}

/* From the grains': Chan, Golub and LeVeque 1979. */
void combine_moments(Kernel *kernel)
{
    kernel_line(kernel, "real mean = 0, m2 = 0, count = 0;");
    kernel_line(kernel, "for (int64_t q = s->norm_from; q < s->norm_to; q++) {");
    kernel_line(kernel, "const real *part = %s + q * %lldL + 2 * c;",
                own_operand(kernel, "statistics"), kernel->kept_elements);
    kernel_line(kernel, "const int64_t left = s->images - q * LANES;");
    kernel_line(kernel, "const real values = (real)((left < LANES ? left : LANES) * %lld);",
                shape_plane(input_shape(norm_of(kernel))));
    kernel_line(kernel, "const real delta = part[0] - mean, share = values / (count + values);");
    kernel_line(kernel, "mean += delta * share;");
    kernel_line(kernel, "m2 += part[1] + delta * delta * count * share;");
    kernel_line(kernel, "count += values;");
    kernel_line(kernel, "}");
    kernel_line(kernel, "const real variance = m2 / count;");
}

void declare_deviation(Kernel *kernel)
{
    kernel_line(kernel,
                "const real inverse = (real)(1 / __builtin_sqrt((double)variance + %.17g));",
                epsilon_of(norm_of(kernel)));
}

void declare_own_sums(Kernel *kernel)
{
    declare_active(kernel);
    kernel_line(kernel, "real *own = %s + g * %lldL + %lld;", own_operand(kernel, "statistics"),
                kernel->kept_elements, 2 * input_shape(norm_of(kernel)).dim[0]);
}

void store_sums(Kernel *kernel, const char *sum, const char *product)
{
    kernel_line(kernel, "own[2 * c] = %s;", sum);
    kernel_line(kernel, "own[2 * c + 1] = %s;", product);
    if (!find_parameter(norm_of(kernel), "weight"))
        return;
    kernel_line(kernel, "%s[c] = own[2 * c];", own_operand(kernel, "dbias"));
    kernel_line(kernel, "%s[c] = own[2 * c + 1];", own_operand(kernel, "dweight"));
}

enum { MAX_SUMMED = 1024 }; /* channels: two rows of lanes each */

bool has_room_for_sums(const Node *norm)
{
    return input_shape(norm).dim[0] <= MAX_SUMMED;
}

void open_gradient_sums(Kernel *kernel)
{
    if (!kernel->sums)
        return;
    long long channels = input_shape(kernel->sums).dim[0];
    kernel_line(kernel, "vec sum[%lld], product[%lld];", channels, channels);
    kernel_line(kernel, "real means[%lld], inverses[%lld];", channels, channels);
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", channels);
    combine_moments(kernel);
    declare_deviation(kernel);
    kernel_line(kernel, "sum[c] = product[c] = (vec){ 0 };");
    kernel_line(kernel, "means[c] = mean;");
    kernel_line(kernel, "inverses[c] = inverse;");
    kernel_line(kernel, "}");
}

void add_gradient_sums(Kernel *kernel, const char *channel, Int offset, Int count)
{
    Text sum = {0}, product = {0};
    for (Int i = 0; i < count; i++) {
        text_add(&sum, "%sd[%lld]", i ? " + " : "", i);
        text_add(&product, "%sd[%lld] * (v[%lld] - means[c])", i ? " + " : "", i, i);
    }
    Kernel function = begin_function(kernel);
    kernel_line(&function, "sum[c] += %s;", text_chars(&sum));
    kernel_line(&function, "product[c] += %s;", text_chars(&product));
    const char *name = end_function(
        kernel, &function, format("/* A norm's sums of channel c take %lld gradients. */", count),
        ALWAYS_INLINE, format("add_sums_%lld", count),
        "(vec *sum, vec *product, const real *means, int64_t c, const vec *d,\n    const vec *v)");
    kernel_line(kernel, "%s(sum, product, means, %s, to + %lld, n_x + at + %lld);", name, channel,
                offset, offset);
}

void close_gradient_sums(Kernel *kernel)
{
    if (!kernel->sums)
        return;
    require(!kernel->pieces || kernel->summed_from);
    declare_own_sums(kernel);
    if (kernel->summed_from)
        kernel_line(kernel, "for (int c = %s; c < %s; c++) {", kernel->summed_from,
                    kernel->summed_to);
    else
        kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", input_shape(kernel->sums).dim[0]);
    store_sums(kernel, "sum_lanes(vec_select(active, sum[c], (vec){ 0 }))",
               "inverses[c] * sum_lanes(vec_select(active, product[c], (vec){ 0 }))");
    kernel_line(kernel, "}");
}

/* ------------------------------------------ in evaluation, by who stores x
 * The same operations as in a kernel of its own, so not one bit is different. */

/* (x - mean) * scale + shift, of three numbers of a channel. */
static const char *norm_function(const Kernel *kernel, bool scales)
{
    Kernel function = begin_function(kernel);
    kernel_line(&function, "return (r - splat(of[0])) * splat(of[1])%s;",
                scales ? " + splat(of[2])" : "");
    return end_function(
        kernel, &function,
        "/* A batch norm in evaluation: `of` is a channel's mean, scale and shift. */",
        "static inline __attribute__((always_inline)) vec ", "normalised",
        "(vec r, const real *of)");
}

void open_norm(Kernel *kernel)
{
    if (!kernel->norm)
        return;
    bool scales = find_parameter(kernel->norm, "weight");
    Int channels = input_shape(kernel->norm).dim[0];
    kernel->normalised = norm_function(kernel, scales);
    kernel_line(kernel, "real norm[%lld];", 3 * channels);
    kernel_line(kernel, "for (int c = 0; c < %lld; c++) {", channels);
    kernel_line(kernel, "const real variance = norm_running_var[c];");
    declare_deviation(kernel);
    kernel_line(kernel, "norm[3 * c] = norm_running_mean[c];");
    kernel_line(kernel, "norm[3 * c + 1] = inverse%s;", scales ? " * norm_weight[c]" : "");
    if (scales)
        kernel_line(kernel, "norm[3 * c + 2] = norm_bias[c];");
    kernel_line(kernel, "}");
}

void norm_value(Kernel *kernel, const char *to, const char *value, const char *channel)
{
    kernel_add(kernel, "%s = %s(%s, norm + 3 * (%s));", to, kernel->normalised, value, channel);
}
