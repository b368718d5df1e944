/* formula.c: the C of a term, in two ways that have only the terms in common.
 *
 * Of a row of lanes: what is used once stands in the expression that uses it, unless that becomes
 * long; all else is a constant of its own.  Of one value, for the reference kernels: each term
 * is a variable in double, and its derivative another one beside it, by the rules for pairs of
 * the two (forward differentiation), not by the derivative that derivative.c made.
 */
#include "kernels/term.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *lanes, *one;
} functions[] = {
#define TERM(kind, lanes, one) [TERM_##kind] = {lanes, one},
    UNARY_TERMS
#undef TERM
};

/* The shortest text that reads back as the same number. */
static const char *number_chars(double number)
{
    for (int digits = 1; digits < 17; digits++)
        if (strtod(format("%.*g", digits, number), NULL) == number)
            return format("%.*g", digits, number);
    return format("%.17g", number);
}

static const char *sign_between(TermKind kind, bool lanes)
{
    switch ((int)kind) {
    case TERM_ADD:
        return "+";
    case TERM_SUBTRACT:
        return "-";
    case TERM_MULTIPLY:
        return "*";
    case TERM_DIVIDE:
        return "/";
    case TERM_LESS:
        return "<";
    case TERM_LESS_EQUAL:
        return "<=";
    case TERM_EQUAL:
        return "==";
    case TERM_NOT_EQUAL:
        return "!=";
    case TERM_AND:
        return lanes ? "&" : "&&";
    case TERM_OR:
        return lanes ? "|" : "||";
    }
    return NULL;
}

/* ------------------------------------------------------ a row of lanes */

typedef struct Lanes {
    const char **text; /* by id: how the term is written where it is used */
    int *uses;
    const char *const *tensors;
} Lanes;

/* A row of lanes, of a number too. */
static const char *row_text(const Lanes *lanes, const Term *term)
{
    return term->kind == TERM_NUMBER ? format("splat((real)%s)", number_chars(term->number))
                                     : lanes->text[term->id];
}

static const char *pair_text(const Lanes *lanes, const Term *term)
{
    const Term *a = term->part[0], *b = term->part[1];
    const char *sign = sign_between(term->kind, true);
    if (term->kind == TERM_POWER || term->kind == TERM_MAX || term->kind == TERM_MIN)
        return format("%s(%s, %s)",
                      term->kind == TERM_POWER ? "vec_pow"
                      : term->kind == TERM_MAX ? "vec_max"
                                               : "vec_min",
                      row_text(lanes, a), row_text(lanes, b));
    if (term->kind >= TERM_LESS)
        return format("(%s %s %s)", row_text(lanes, a), sign, row_text(lanes, b));
    return format("(%s %s %s)", lanes->text[a->id], sign, lanes->text[b->id]);
}

static const char *lanes_text(const Lanes *lanes, const Term *term)
{
    switch ((int)term->kind) {
    case TERM_NUMBER:
        return format("(real)%s", number_chars(term->number));
    case TERM_TRUTH: /* part of what is simplified away */
        return format("(mask){ %s }", term->number != 0 ? "-1" : "0");
    case TERM_TENSOR:
        return lanes->tensors[term->tensor];
    case TERM_NEGATE:
        return format("(-%s)", row_text(lanes, term->part[0]));
    case TERM_NOT:
        return format("(~%s)", lanes->text[term->part[0]->id]);
    case TERM_CHOOSE:
        return format("vec_select(%s, %s, %s)", lanes->text[term->part[0]->id],
                      row_text(lanes, term->part[1]), row_text(lanes, term->part[2]));
    }
    return term->part[1]
               ? pair_text(lanes, term)
               : format("%s(%s)", functions[term->kind].lanes, row_text(lanes, term->part[0]));
}

/* How often each is used for `term`; 0: it is not needed. */
static int *count_uses(const Terms *terms, const Term *term)
{
    int *uses = NEW_ARRAY(int, (size_t)terms->all.count);
    uses[term->id] = 1;
    for (int id = term->id; id >= 0; id--)
        for (int i = 0; uses[id] && i < term_parts(terms->all.items[id]); i++)
            uses[terms->all.items[id]->part[i]->id]++;
    return uses;
}

static bool has_parentheses(const char *text)
{
    return *text == '(' && text[strlen(text) - 1] == ')' && strncmp(text, "(real)", 6) != 0;
}

/* (a + b) as an expression of its own: a + b. */
static const char *bare(const char *text)
{
    return has_parentheses(text) ? format("%.*s", (int)strlen(text) - 2, text + 1) : text;
}

/* The lines before it go to `lines`; gives its text. */
static const char *lanes_lines(const Terms *terms, const Term *term, const char *const *tensors,
                               Formula *lines)
{
    enum { MAX_INLINE = 60 };
    Lanes lanes = {.text = NEW_ARRAY(const char *, (size_t)term->id + 1),
                   .uses = count_uses(terms, term),
                   .tensors = tensors};
    int named = 0;
    for (int id = 0; id < term->id; id++) {
        const Term *at = terms->all.items[id];
        if (!lanes.uses[id])
            continue;
        lanes.text[id] = lanes_text(&lanes, at);
        if (!at->part[0] || (lanes.uses[id] == 1 && strlen(lanes.text[id]) <= MAX_INLINE))
            continue;
        const char *name = format("t%d", ++named);
        push(lines, format("const %s %s = %s;", is_truth_term(at) ? "mask" : "vec", name,
                           bare(lanes.text[id])));
        lanes.text[id] = name;
    }
    lanes.text[term->id] = lanes_text(&lanes, term);
    return bare(row_text(&lanes, term));
}

const char *lanes_body(const Terms *terms, const Term *term, const char *const *tensors)
{
    Formula lines = {0};
    Text text = {0};
    const char *value = lanes_lines(terms, term, tensors, &lines);
    for (int i = 0; i < lines.count; i++)
        text_add(&text, "    %s\n", lines.items[i]);
    text_add(&text, "    return %s;\n", value);
    return text_chars(&text);
}

Formula lanes_formula(const Terms *terms, const Term *term, const char *const *tensors,
                      const char *name)
{
    Formula lines = {0};
    const char *value = lanes_lines(terms, term, tensors, &lines);
    push(&lines, format("const vec %s = %s;", name, value));
    return lines;
}

/* ------------------------------------------------------------ one value */

typedef struct One {
    const char *const *tensors;
    int tensor;
    bool *varies;          /* by id: whether it depends on the tensor's element */
    bool *values, *slopes; /* by id: whether that is needed */
} One;

static const char *value_of(const Term *term)
{
    return term->kind == TERM_NUMBER || term->kind == TERM_TRUTH
               ? format("(double)%s", number_chars(term->number))
               : format("v%d", term->id);
}

static const char *slope_of(const One *one, const Term *term)
{
    return one->varies[term->id] ? format("d%d", term->id) : "0.0";
}

static const char *one_unary(const Term *term)
{
    const char *x = value_of(term->part[0]);
    switch ((int)term->kind) {
    case TERM_NEGATE:
        return format("-%s", x);
    case TERM_NOT:
        return format("!%s", x);
    case TERM_SIGN:
        return format("(%s > 0) - (%s < 0)", x, x);
    case TERM_SIGMOID:
        return format("1 / (1 + __builtin_exp(-%s))", x);
    case TERM_SOFTPLUS:
        return format("(%s > 0 ? %s : 0) + __builtin_log1p(__builtin_exp(-__builtin_fabs(%s)))", x,
                      x, x);
    }
    return format("__builtin_%s(%s)", functions[term->kind].one, x);
}

static const char *one_value(const One *one, const Term *term)
{
    if (term->kind == TERM_TENSOR)
        return one->tensors[term->tensor];
    const char *x = value_of(term->part[0]), *y = term->part[1] ? value_of(term->part[1]) : "";
    if (sign_between(term->kind, false))
        return format("%s %s %s", x, sign_between(term->kind, false), y);
    switch ((int)term->kind) {
    case TERM_POWER:
        return format("__builtin_pow(%s, %s)", x, y);
    case TERM_MAX:
        return format("%s > %s || %s != %s ? %s : %s", x, y, x, x, x, y);
    case TERM_MIN:
        return format("%s < %s || %s != %s ? %s : %s", x, y, x, x, x, y);
    case TERM_CHOOSE:
        return format("%s ? %s : %s", x, y, value_of(term->part[2]));
    }
    return one_unary(term);
}

static const char *unary_slope(const Term *term)
{
    const char *x = value_of(term->part[0]), *y = value_of(term);
    switch ((int)term->kind) {
    case TERM_NEGATE:
        return "-1";
    case TERM_EXP:
        return y;
    case TERM_EXPM1:
        return format("__builtin_exp(%s)", x);
    case TERM_LOG:
        return format("1 / %s", x);
    case TERM_LOG1P:
        return format("1 / (1 + %s)", x);
    case TERM_SQRT:
        return format("0.5 / %s", y);
    case TERM_ABS:
        return format("((%s > 0) - (%s < 0))", x, x);
    case TERM_SIGN:
        return "0";
    case TERM_TANH:
        return format("(1 - %s * %s)", y, y);
    case TERM_SIGMOID:
        return format("%s * (1 - %s)", y, y);
    case TERM_SOFTPLUS:
        return format("1 / (1 + __builtin_exp(-%s))", x);
    case TERM_ERF:
        return format("1.1283791670955126 * __builtin_exp(-%s * %s)", x, x);
    case TERM_SIN:
        return format("__builtin_cos(%s)", x);
    case TERM_COS:
        return format("-__builtin_sin(%s)", x);
    }
    unreachable();
}

/* Each part of the power rule where that part of it varies. */
static const char *power_slope(const One *one, const Term *term)
{
    const Term *a = term->part[0], *b = term->part[1];
    const char *x = value_of(a), *y = value_of(b);
    Text text = {0};
    text_add(&text, "0.0");
    if (one->varies[a->id])
        text_add(&text, " + (%s == 0 ? 0 : %s * __builtin_pow(%s, %s - 1)) * %s", y, y, x, y,
                 slope_of(one, a));
    if (one->varies[b->id])
        text_add(&text, " + (%s == 0 && %s >= 0 ? 0 : %s * __builtin_log(%s)) * %s", x, y,
                 value_of(term), x, slope_of(one, b));
    return text_chars(&text);
}

static const char *pair_slope(const One *one, const Term *term)
{
    const char *x = value_of(term->part[0]), *y = value_of(term->part[1]),
               *dx = slope_of(one, term->part[0]), *dy = slope_of(one, term->part[1]);
    switch ((int)term->kind) {
    case TERM_ADD:
        return format("%s + %s", dx, dy);
    case TERM_SUBTRACT:
        return format("%s - %s", dx, dy);
    case TERM_MULTIPLY:
        if (!one->varies[term->part[0]->id])
            return format("%s * %s", x, dy);
        return one->varies[term->part[1]->id] ? format("%s * %s + %s * %s", dx, y, x, dy)
                                              : format("%s * %s", dx, y);
    case TERM_DIVIDE:
        return one->varies[term->part[1]->id]
                   ? format("(%s - %s * %s) / %s", dx, value_of(term), dy, y)
                   : format("%s / %s", dx, y);
    case TERM_POWER:
        return power_slope(one, term);
    case TERM_MAX:
        return format("%s == %s ? (%s + %s) / 2 : %s > %s ? %s : %s", x, y, dx, dy, x, y, dx, dy);
    case TERM_MIN:
        return format("%s == %s ? (%s + %s) / 2 : %s < %s ? %s : %s", x, y, dx, dy, x, y, dx, dy);
    case TERM_CHOOSE:
        return format("%s ? %s : %s", x, dy, slope_of(one, term->part[2]));
    }
    unreachable();
}

static const char *one_slope(const One *one, const Term *term)
{
    if (term->kind == TERM_TENSOR)
        return "1";
    return term->part[1] ? pair_slope(one, term)
                         : format("%s * %s", unary_slope(term), slope_of(one, term->part[0]));
}

static bool does_vary(const One *one, const Term *term)
{
    bool varies = term->kind == TERM_TENSOR && term->tensor == one->tensor;
    for (int i = 0; i < term_parts(term); i++)
        varies |= one->varies[term->part[i]->id];
    return varies && !is_truth_term(term);
}

/* Marks whose values the slope of `term` is made of. */
static void mark_values(const One *one, const Term *term)
{
    int count = term_parts(term);
    bool first = one->varies[term->part[0]->id],
         second = count > 1 && one->varies[term->part[1]->id];
    switch ((int)term->kind) {
    case TERM_NEGATE:
    case TERM_ADD:
    case TERM_SUBTRACT:
        return;
    case TERM_CHOOSE:
        one->values[term->part[0]->id] = true;
        return;
    case TERM_MULTIPLY:
        one->values[term->part[0]->id] |= second;
        one->values[term->part[1]->id] |= first;
        return;
    case TERM_DIVIDE:
        one->values[term->part[1]->id] = true;
        one->values[term->id] |= second;
        return;
    case TERM_EXP:
    case TERM_SQRT:
    case TERM_TANH:
    case TERM_SIGMOID:
        one->values[term->id] = true;
        return;
    }
    one->values[term->id] |= term->kind == TERM_POWER && second;
    for (int i = 0; i < count; i++)
        one->values[term->part[i]->id] = true;
}

/* Which terms vary, and of which the value or the slope is needed for what is asked of `term`. */
static One mark_needed(const Terms *terms, const Term *term, const char *const *tensors, int tensor)
{
    size_t count = (size_t)term->id + 1;
    One one = {tensors, tensor, NEW_ARRAY(bool, count), NEW_ARRAY(bool, count),
               NEW_ARRAY(bool, count)};
    for (int id = 0; id <= term->id; id++)
        one.varies[id] = does_vary(&one, terms->all.items[id]);
    (tensor < 0 ? one.values : one.slopes)[term->id] = true;
    for (int id = term->id; id >= 0; id--) {
        const Term *at = terms->all.items[id];
        one.slopes[id] &= one.varies[id];
        if (one.slopes[id] && at->part[0])
            mark_values(&one, at);
        for (int i = 0; i < term_parts(at); i++) {
            one.slopes[at->part[i]->id] |= one.slopes[id];
            one.values[at->part[i]->id] |= one.values[id];
        }
    }
    return one;
}

bool slope_reads(const Terms *terms, const Term *term, int tensor)
{
    One one = mark_needed(terms, term, NULL, tensor);
    for (int id = 0; id <= term->id; id++)
        if (one.values[id] && terms->all.items[id]->kind == TERM_TENSOR)
            return true;
    return false;
}

Formula one_formula(const Terms *terms, const Term *term, const char *const *tensors, int tensor)
{
    Formula lines = {0};
    One one = mark_needed(terms, term, tensors, tensor);
    for (int id = 0; id <= term->id; id++) {
        const Term *at = terms->all.items[id];
        if (one.values[id] && at->kind != TERM_NUMBER && at->kind != TERM_TRUTH)
            push(&lines, format("const %s v%d = %s;", is_truth_term(at) ? "int" : "double", id,
                                one_value(&one, at)));
        if (one.slopes[id])
            push(&lines, format("const double d%d = %s;", id, one_slope(&one, at)));
    }
    push(&lines, tensor < 0 ? format("const double value = %s;", value_of(term))
                            : format("const double slope = %s;", slope_of(&one, term)));
    return lines;
}
