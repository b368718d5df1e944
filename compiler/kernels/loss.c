/* loss.c: the kernels of losses that are made of sums.
 *
 * Forward, each sum is a loop, and the value is made of what they give.  Back, the loss's
 * derivative in each sum is its factor: that of the value, and where a later sum reads an earlier
 * one, that one's factor times the sum of its derivatives.  An element's gradient is the sum of
 * its derivatives in the sums, each times its factor.  Where the gradient is not made of what the
 * sums give, they are not computed again.
 */
#include "kernels/loss.h"

#include <string.h>

/* A loss being written. */
typedef struct Writer {
    Kernel *kernel;
    const LossUse *use;
    bool plain;
    const char *names[LOSS_NAMES]; /* what each number is called */
} Writer;

const Term *add_loss_sum(LossForm *form, const Term *body, SumKind kind)
{
    LossSum sum = {body, kind};
    push(&form->sums, sum);
    return tensor_term(form->terms, LOSS_SUM + form->sums.count - 1);
}

/* ------------------------------------------------------------- elements */

static const char *lanes_count(const Writer *w)
{
    return w->kernel->one_image ? "1" : "LANES";
}

/* The names of all tensors' elements at e. */
static void name_elements(Writer *w, Shape domain)
{
    for (int i = 0; i < w->use->count; i++) {
        const LossTensor *tensor = &w->use->tensors[i];
        if (tensor->table && w->plain)
            w->names[i] =
                format("%s[e / %lldL %% %lldL]", tensor->name, tensor->step, tensor->count);
        else if (tensor->table)
            w->names[i] = format("splat((real)%s[e / %lldL %% %lldL])", tensor->name, tensor->step,
                                 tensor->count);
        else if (w->plain)
            w->names[i] = format("(double)((const real *)%s)[(%s) * %s + lane]", tensor->name,
                                 loss_index(tensor, domain), lanes_count(w));
        else
            w->names[i] = format("%s[%s]", tensor->name, loss_index(tensor, domain));
    }
}

/* ------------------------------------------------------------ the lines */

static const char *type_of(const Writer *w)
{
    return w->plain ? "double" : "vec";
}

static const char *zero(const Writer *w)
{
    return w->plain ? "0" : "{ 0 }";
}

static const LossForm *form_of(const Writer *w)
{
    return w->plain ? w->use->plain : w->use->form;
}

/* `sum` -1: the value. */
static const Term *term_of(const LossForm *form, int sum)
{
    return sum < 0 ? form->value : form->sums.items[sum].body;
}

/* Whether the value is made with it: what a choice among numbers leaves out is not. */
static bool counts(const LossForm *form, int sum)
{
    bool read = term_reads(form->terms, form->value, LOSS_SUM + sum);
    for (int later = sum + 1; later < form->sums.count && !read; later++)
        read = term_reads(form->terms, form->sums.items[later].body, LOSS_SUM + sum)
               && counts(form, later);
    return read;
}

static bool is_largest(const LossForm *form, int sum)
{
    return sum >= 0 && form->sums.items[sum].kind == SUM_LARGEST;
}

/* Whether the derivative of a sum's body, or of the value, in what has this number is not 0.  Of
 * plain terms there is none to look at. */
static bool varies(const LossForm *form, int sum, int number)
{
    const Term *term = term_of(form, sum);
    if (sum >= 0 && (is_largest(form, sum) || !counts(form, sum)))
        return false;
    return form->terms->plain ? term_reads(form->terms, term, number)
                              : !is_number_of(derive_term(form->terms, term, number), 0);
}

/* The same of a later sum, or the value, in an earlier sum's result. */
static bool varies_with(const LossForm *form, int later, int sum)
{
    return !is_largest(form, sum) && varies(form, later, LOSS_SUM + sum);
}

/* The same in an input, or a part of it. */
static bool varies_in(const LossUse *use, const LossForm *form, int sum, int input)
{
    for (int i = 0; i < use->count; i++)
        if (use->tensors[i].input == input && varies(form, sum, i))
            return true;
    return false;
}

void derive_loss(const LossForm *form)
{
    for (int sum = -1; sum < form->sums.count; sum++) {
        for (int i = 0; i < form->tensors + form->slices.count; i++)
            derive_term(form->terms, term_of(form, sum), i);
        for (int k = 0; k < form->sums.count; k++)
            derive_term(form->terms, term_of(form, sum), LOSS_SUM + k);
    }
}

/* Lines that define `value`, or `slope`, the derivative in what has this number. */
static void write_term(Writer *w, int sum, int number)
{
    const LossForm *form = form_of(w);
    const Term *term = term_of(form, sum);
    Formula lines;
    if (w->plain)
        lines = one_formula(form->terms, term, w->names, number);
    else if (number < 0)
        lines = lanes_formula(form->terms, term, w->names, "value");
    else
        lines =
            lanes_formula(form->terms, derive_term(form->terms, term, number), w->names, "slope");
    for (int i = 0; i < lines.count; i++)
        kernel_line(w->kernel, "%s", lines.items[i]);
}

/* What an addition begins with, or what no value is below. */
static const char *least(const Writer *w, SumKind kind)
{
    if (kind != SUM_LARGEST)
        return zero(w);
    return w->plain ? "-__builtin_inf()" : "splat(-(real)__builtin_inf())";
}

/* `to` and what it takes. */
static void write_taking(Writer *w, SumKind kind, const char *to, const char *value)
{
    if (kind != SUM_LARGEST)
        kernel_line(w->kernel, "%s += %s;", to, value);
    else if (w->plain)
        kernel_line(w->kernel, "%s = %s > %s ? %s : %s;", to, value, to, value, to);
    else
        kernel_line(w->kernel, "%s = vec_max(%s, %s);", to, to, value);
}

/* Rows are summed in blocks, for the sum's last digits. */
static void open_sum(Writer *w, const char *name, Shape domain, SumKind kind)
{
    enum { BLOCK = 64 };
    Int count = shape_elements(domain);
    kernel_line(w->kernel, "%s %s = %s;", type_of(w), name, least(w, kind));
    kernel_line(w->kernel, "for (int64_t from = 0; from < %lldL; from += %d) {", count, BLOCK);
    kernel_line(w->kernel, "%s part = %s;", type_of(w), least(w, kind));
    kernel_line(w->kernel, "for (int64_t e = from; e < from + %d && e < %lldL; e++) {", BLOCK,
                count);
    name_elements(w, domain);
}

static void close_sum(Writer *w, const char *name, SumKind kind)
{
    kernel_line(w->kernel, "}");
    write_taking(w, kind, name, "part");
    kernel_line(w->kernel, "}");
}

static Shape domain_of(const Writer *w, int sum)
{
    int bad;
    return loss_domain(w->use, sum, &bad);
}

static const char *per_element(const Writer *w, int sum)
{
    Int count = shape_elements(domain_of(w, sum));
    return w->use->form->sums.items[sum].kind == SUM_MEAN && count > 1
               ? format(" / %s%lld", w->plain ? "(double)" : "(real)", count)
               : "";
}

/* Whether the gradient of an input is made with this sum's factor: for a derivative in it, or for
 * the factor of an earlier sum that is. */
static bool needs_factor(const LossUse *use, const LossForm *form, int sum, int input)
{
    bool needs = varies_in(use, form, sum, input);
    for (int earlier = 0; earlier < sum; earlier++)
        needs |= varies_with(form, sum, earlier) && needs_factor(use, form, earlier, input);
    return needs;
}

static bool slope_has(const LossForm *form, const Term *term, int number, int sum)
{
    return term_reads(form->terms, derive_term(form->terms, term, number), LOSS_SUM + sum);
}

/* Whether the gradient of an input is made with this sum's result: a derivative that is written
 * reads it, or a later sum that one reads. */
static bool gradient_reads(const LossUse *use, int sum, int input)
{
    const LossForm *form = use->form;
    for (int m = -1; m < form->sums.count; m++) {
        const Term *term = term_of(form, m);
        if (m >= 0 && (is_largest(form, m) || !counts(form, m)))
            continue;
        for (int i = 0; i < use->count; i++)
            if (use->tensors[i].input == input && slope_has(form, term, i, sum))
                return true;
        for (int k = 0; k < form->sums.count; k++)
            if (!is_largest(form, k) && needs_factor(use, form, k, input)
                && slope_has(form, term, LOSS_SUM + k, sum))
                return true;
    }
    for (int m = sum + 1; m < form->sums.count; m++)
        if (term_reads(form->terms, form->sums.items[m].body, LOSS_SUM + sum) && counts(form, m)
            && gradient_reads(use, m, input))
            return true;
    return false;
}

/* `input` -1: in the forward pass.  The plain loops backwards have all results at hand. */
static bool needs_sum(const Writer *w, int sum, int input)
{
    return counts(form_of(w), sum) && (input < 0 || w->plain || gradient_reads(w->use, sum, input));
}

static void write_sums(Writer *w, int input)
{
    for (int k = 0; k < form_of(w)->sums.count; k++) {
        const char *name = format("sum%d", k);
        SumKind kind = form_of(w)->sums.items[k].kind;
        if (!needs_sum(w, k, input))
            continue;
        open_sum(w, name, domain_of(w, k), kind);
        write_term(w, k, -1);
        write_taking(w, kind, "part", "value");
        close_sum(w, name, kind);
        if (*per_element(w, k))
            kernel_line(w->kernel, "%s = %s%s;", name, name, per_element(w, k));
        if (w->plain && input >= 0)
            kernel_line(w->kernel, "(void)%s;", name);
    }
}

/* Of tensors of one value, which the loss itself may read. */
static void name_single(Writer *w)
{
    name_elements(w, shape_of(1, 1, 1, 1));
}

static const char *loss_scale(const Writer *w)
{
    double weight = w->kernel->node->loss_weight;
    return weight == 1 ? "" : format("(%s)%.17g * ", w->plain ? "double" : "real", weight);
}

static void write_value(Writer *w)
{
    Kernel *kernel = w->kernel;
    const char *sign = kernel->node->loss_adds ? "+=" : "=",
               *whole =
                   w->use->whole ? format(" * (%s)s->images", w->plain ? "double" : "real") : "";
    const char *given = format("%s%s%s", loss_scale(w), w->plain ? "value" : "value[lane]", whole);
    name_single(w);
    kernel_line(kernel, "{");
    write_term(w, -1, -1);
    if (!w->plain)
        kernel_line(kernel, "for (int lane = 0; lane < LANES; lane++)");
    kernel_line(kernel,
                "%ss->loss[g * %s + lane] %s s->active[g * %s + lane] != 0 ? (real)(%s) : 0;",
                w->plain ? "" : "    ", lanes_count(w), sign, lanes_count(w), given);
    kernel_line(kernel, "}");
}

/* ------------------------------------------------------------- the way back */

/* The sum of a later sum's derivatives in an earlier one. */
static void write_inner(Writer *w, int later, int earlier)
{
    const char *name = format("inner%d_%d", later, earlier);
    open_sum(w, name, domain_of(w, later), SUM_OF);
    write_term(w, later, LOSS_SUM + earlier);
    kernel_line(w->kernel, "part += slope;");
    close_sum(w, name, SUM_OF);
}

/* Of a sum that nothing reads the factor is 0. */
static void write_factors(Writer *w, int input)
{
    const LossForm *form = form_of(w);
    for (int k = form->sums.count - 1; k >= 0; k--) {
        if (!needs_factor(w->use, form, k, input))
            continue;
        for (int m = k + 1; m < form->sums.count; m++)
            if (varies_with(form, m, k))
                write_inner(w, m, k);
        kernel_line(w->kernel, "%s factor%d = %s;", type_of(w), k, zero(w));
        if (varies_with(form, -1, k)) {
            kernel_line(w->kernel, "{");
            name_single(w);
            write_term(w, -1, LOSS_SUM + k);
            kernel_line(w->kernel, "factor%d += slope;", k);
            kernel_line(w->kernel, "}");
        }
        for (int m = k + 1; m < form->sums.count; m++)
            if (varies_with(form, m, k))
                kernel_line(w->kernel, "factor%d += factor%d * inner%d_%d;", k, m, m, k);
        if (*per_element(w, k))
            kernel_line(w->kernel, "factor%d = factor%d%s;", k, k, per_element(w, k));
    }
}

/* Of lanes with an image, what each loss's derivative is multiplied by: `scale`. */
static void write_scale(Writer *w)
{
    const char *images =
        w->use->whole ? "" : format(" / (%s)s->images", w->plain ? "double" : "real");
    if (w->plain) {
        kernel_line(w->kernel, "const double scale = %ss->active[g * %s + lane]%s;", loss_scale(w),
                    lanes_count(w), images);
        return;
    }
    kernel_line(w->kernel,
                "const vec active = *(const unaligned_vec *)(s->active + g * LANES), scale = "
                "%sactive%s;",
                loss_scale(w), images);
}

/* dx at an index: of lanes without an image exactly 0. */
static void store(Writer *w, const char *at, bool adds, const char *value)
{
    const char *sign = adds ? "+=" : "=";
    if (w->plain)
        kernel_line(w->kernel,
                    "((real *)dx)[(%s) * %s + lane] %s scale != 0 ? (real)(scale * (%s)) : 0;", at,
                    lanes_count(w), sign, value);
    else
        kernel_line(w->kernel,
                    "dx[%s] %s vec_select(active > (vec){ 0 }, scale * (%s), (vec){ 0 });", at,
                    sign, value);
}

/* Whether the sums that read the input all run over its own elements, and nothing else reads it,
 * nor any part of it. */
static bool is_simple(const Writer *w, int input)
{
    const LossForm *form = form_of(w);
    bool simple = !varies_in(w->use, form, -1, input);
    for (int k = 0; k < form->sums.count; k++) {
        for (int i = w->use->first_part; i < w->use->count; i++)
            simple &= w->use->tensors[i].input != input || !varies(form, k, i);
        simple &= !varies_in(w->use, form, k, input)
                  || shape_equal(domain_of(w, k), w->use->tensors[input].shape);
    }
    return simple;
}

/* Of the tensor with this number. */
static void write_slopes(Writer *w, int number, int only)
{
    for (int k = 0; k < form_of(w)->sums.count; k++) {
        if ((only >= 0 && k != only) || !varies(form_of(w), k, number))
            continue;
        kernel_line(w->kernel, "{");
        write_term(w, k, number);
        kernel_line(w->kernel, "total += factor%d * slope;", k);
        kernel_line(w->kernel, "}");
    }
}

static void open_gradient(Writer *w, Shape domain)
{
    kernel_line(w->kernel, "for (int64_t e = 0; e < %lldL; e++) {", shape_elements(domain));
    kernel_line(w->kernel, "%s total = %s;", type_of(w), zero(w));
    name_elements(w, domain);
}

static void write_simple(Writer *w, int input, bool adds)
{
    open_gradient(w, w->use->tensors[input].shape);
    write_slopes(w, input, -1);
    store(w, "e", adds, "total");
    kernel_line(w->kernel, "}");
}

static void write_zeros(Writer *w, int input)
{
    kernel_line(w->kernel, "for (int64_t e = 0; e < %lldL; e++)",
                shape_elements(w->use->tensors[input].shape));
    kernel_line(w->kernel,
                w->plain ? "    ((real *)dx)[e * %s + lane] = 0;" : "    dx[e] = (vec){ 0 };",
                lanes_count(w));
}

/* The gradient of a whole tensor or of a part of it is added where that lies. */
static void write_part(Writer *w, int number)
{
    const LossForm *form = form_of(w);
    for (int k = 0; k < form->sums.count; k++) {
        if (!varies(form, k, number))
            continue;
        open_gradient(w, domain_of(w, k));
        write_slopes(w, number, k);
        store(w, loss_index(&w->use->tensors[number], domain_of(w, k)), true, "total");
        kernel_line(w->kernel, "}");
    }
    if (!varies(form, -1, number))
        return;
    name_single(w);
    kernel_line(w->kernel, "{");
    write_term(w, -1, number);
    store(w, loss_index(&w->use->tensors[number], shape_of(1, 1, 1, 1)), true, "slope");
    kernel_line(w->kernel, "}");
}

/* Part by part, into what is 0 or another's gradient. */
static void write_parts(Writer *w, int input, bool adds)
{
    if (!adds)
        write_zeros(w, input);
    for (int i = 0; i < w->use->count; i++)
        if (w->use->tensors[i].input == input)
            write_part(w, i);
}

static void write_gradient(Writer *w, int input, bool adds)
{
    kernel_line(w->kernel, "{");
    write_scale(w);
    write_factors(w, input);
    (is_simple(w, input) ? write_simple : write_parts)(w, input, adds);
    kernel_line(w->kernel, "}");
}

/* -------------------------------------------------------------- kernels */

static void declare_tables(Writer *w)
{
    for (int i = 0; i < w->use->count; i++) {
        const LossTensor *tensor = &w->use->tensors[i];
        Text text = {0};
        if (!tensor->table)
            continue;
        for (Int k = 0; k < tensor->count; k++)
            text_add(&text, "%s%.17g", k ? ", " : "", tensor->table[k]);
        kernel_line(w->kernel, "static const double %s[] = { %s };", tensor->name,
                    text_chars(&text));
    }
}

void emit_loss_use(Kernel *kernel, const LossUse *use, bool plain)
{
    Writer w = {.kernel = kernel, .use = use, .plain = plain};
    const Node *node = kernel->node;
    bool forward = kernel->stage == STAGE_FORWARD;
    for (int k = 0; k < use->form->sums.count; k++) {
        w.names[LOSS_SUM + k] = format("sum%d", k);
        w.names[LOSS_FACTOR + k] = format("factor%d", k);
    }
    declare_tables(&w);
    if (plain)
        kernel_line(kernel, "for (int lane = 0; lane < %s; lane++) {", lanes_count(&w));
    write_sums(&w, forward ? -1 : node->which);
    if (forward)
        write_value(&w);
    if (forward && kernel->gradient)
        write_gradient(&w, 0, false);
    if (!forward)
        write_gradient(&w, node->which, node->accumulate);
    if (plain)
        kernel_line(kernel, "}");
}
