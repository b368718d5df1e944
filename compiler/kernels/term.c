/* term.c: terms are made, each once, and simplified as they are made.
 *
 * What is simplified: arithmetic of numbers; sums with 0 and products with 0 and 1; a choice
 * whose condition is known.  Besides, four forms become the functions that they define, which
 * are right where the form overflows: log(1 + x) and exp(x) - 1 near 0, log(1 + exp(x)), and
 * 1/(1 + exp(x)).  Those are taken in plain terms as well: they are what was meant.
 */
#include "kernels/term.h"

#include <math.h>
#include <string.h>

Terms *new_terms(bool plain)
{
    Terms *terms = NEW(Terms);
    terms->plain = plain;
    return terms;
}

int term_parts(const Term *term)
{
    int count = 0;
    while (count < 3 && term->part[count])
        count++;
    return count;
}

bool is_truth_term(const Term *term)
{
    return term->kind == TERM_TRUTH || (term->kind >= TERM_LESS && term->kind <= TERM_OR);
}

bool is_number_term(const Term *term)
{
    return term->kind == TERM_NUMBER;
}

bool is_number_of(const Term *term, double number)
{
    return term->kind == TERM_NUMBER && term->number == number;
}

bool term_reads(const Terms *terms, const Term *term, int tensor)
{
    bool *needed = NEW_ARRAY(bool, (size_t)terms->all.count);
    needed[term->id] = true;
    for (int id = term->id; id >= 0; id--) {
        const Term *at = terms->all.items[id];
        if (!needed[id])
            continue;
        if (at->kind == TERM_TENSOR && at->tensor == tensor)
            return true;
        for (int i = 0; i < term_parts(at); i++)
            needed[at->part[i]->id] = true;
    }
    return false;
}

/* ------------------------------------------------------------- making */

static int id_of(const Term *term)
{
    return term ? term->id : -1;
}

static const Term *make(Terms *terms, Term made)
{
    const char *key = format("%d %.17g %d %d %d %d", (int)made.kind, made.number, made.tensor,
                             id_of(made.part[0]), id_of(made.part[1]), id_of(made.part[2]));
    const Term *known = map_get(&terms->known, key);
    if (known)
        return known;
    if (terms->all.count == MAX_TERMS) {
        terms->full = true;
        return terms->all.items[0];
    }
    Term *term = NEW(Term);
    *term = made;
    term->id = terms->all.count;
    push(&terms->all, term);
    map_set(&terms->known, key, term);
    return term;
}

const Term *number_term(Terms *terms, double number)
{
    return make(terms, (Term){.kind = TERM_NUMBER, .number = number});
}

const Term *truth_term(Terms *terms, bool truth)
{
    return make(terms, (Term){.kind = TERM_TRUTH, .number = truth});
}

const Term *tensor_term(Terms *terms, int tensor)
{
    return make(terms, (Term){.kind = TERM_TENSOR, .tensor = tensor});
}

/* ------------------------------------------------------ of numbers alone */

static double sigmoid_of(double x)
{
    return 1 / (1 + exp(-x));
}

static double softplus_of(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double sign_of(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

static double unary_number(TermKind kind, double x)
{
    switch ((int)kind) {
    case TERM_NEGATE:
        return -x;
    case TERM_EXP:
        return exp(x);
    case TERM_EXPM1:
        return expm1(x);
    case TERM_LOG:
        return log(x);
    case TERM_LOG1P:
        return log1p(x);
    case TERM_SQRT:
        return sqrt(x);
    case TERM_ABS:
        return fabs(x);
    case TERM_SIGN:
        return sign_of(x);
    case TERM_TANH:
        return tanh(x);
    case TERM_SIGMOID:
        return sigmoid_of(x);
    case TERM_SOFTPLUS:
        return softplus_of(x);
    case TERM_ERF:
        return erf(x);
    case TERM_SIN:
        return sin(x);
    case TERM_COS:
        return cos(x);
    case TERM_NOT:
        return x == 0;
    }
    unreachable();
}

static double binary_number(TermKind kind, double x, double y)
{
    switch ((int)kind) {
    case TERM_ADD:
        return x + y;
    case TERM_SUBTRACT:
        return x - y;
    case TERM_MULTIPLY:
        return x * y;
    case TERM_DIVIDE:
        return x / y;
    case TERM_POWER:
        return pow(x, y);
    case TERM_MAX:
        return x > y ? x : y;
    case TERM_MIN:
        return x < y ? x : y;
    case TERM_LESS:
        return x < y;
    case TERM_LESS_EQUAL:
        return x <= y;
    case TERM_EQUAL:
        return x == y;
    case TERM_NOT_EQUAL:
        return x != y;
    case TERM_AND:
        return x != 0 && y != 0;
    case TERM_OR:
        return x != 0 || y != 0;
    }
    unreachable();
}

static bool is_known(const Term *term)
{
    return term->kind == TERM_NUMBER || term->kind == TERM_TRUTH;
}

static bool gives_truth(TermKind kind)
{
    return kind >= TERM_LESS && kind <= TERM_OR;
}

static const Term *known_term(Terms *terms, TermKind kind, double number)
{
    return gives_truth(kind) ? truth_term(terms, number != 0) : number_term(terms, number);
}

/* ------------------------------------------------ forms that mean others */

/* u of 1 + u; NULL: it has not this form. */
static const Term *beside_one(const Term *term)
{
    if (term->kind != TERM_ADD)
        return NULL;
    if (is_number_of(term->part[0], 1))
        return term->part[1];
    return is_number_of(term->part[1], 1) ? term->part[0] : NULL;
}

/* u of 1 + exp(u). */
static const Term *of_one_and_exp(const Term *term)
{
    const Term *beside = beside_one(term);
    return beside && beside->kind == TERM_EXP ? beside->part[0] : NULL;
}

static const Term *meant_by_log(Terms *terms, const Term *a)
{
    const Term *u = of_one_and_exp(a), *beside = beside_one(a);
    if (u)
        return term1(terms, TERM_SOFTPLUS, u);
    return beside ? term1(terms, TERM_LOG1P, beside) : NULL;
}

static bool is_exp_of(const Term *term, const Term *u)
{
    return term->kind == TERM_EXP && term->part[0] == u;
}

/* exp(u) over 1 + exp(u) is the logistic function of u, 1 over it that of -u. */
static const Term *meant_by_quotient(Terms *terms, const Term *a, const Term *b)
{
    const Term *u = of_one_and_exp(b);
    if (!u)
        return NULL;
    if (is_exp_of(a, u))
        return term1(terms, TERM_SIGMOID, u);
    for (int i = 0; i < 2 && a->kind == TERM_MULTIPLY; i++)
        if (is_exp_of(a->part[i], u))
            return term2(terms, TERM_MULTIPLY, a->part[1 - i], term1(terms, TERM_SIGMOID, u));
    return term2(terms, TERM_MULTIPLY, a, term1(terms, TERM_SIGMOID, term1(terms, TERM_NEGATE, u)));
}

/* ----------------------------------------------------------- simplifying */

static const Term *negative(const Term *term)
{
    return term->kind == TERM_NEGATE ? term->part[0] : NULL;
}

static const Term *simpler_sum(Terms *terms, const Term *a, const Term *b)
{
    if (is_number_of(a, 0))
        return b;
    if (is_number_of(b, 0))
        return a;
    if (negative(b))
        return term2(terms, TERM_SUBTRACT, a, negative(b));
    return negative(a) ? term2(terms, TERM_SUBTRACT, b, negative(a)) : NULL;
}

static const Term *simpler_difference(Terms *terms, const Term *a, const Term *b)
{
    if (is_number_of(b, 0))
        return a;
    if (is_number_of(a, 0))
        return term1(terms, TERM_NEGATE, b);
    return negative(b) ? term2(terms, TERM_ADD, a, negative(b)) : NULL;
}

/* A factor of 0 or 1 on one side of a choice: the other side alone is multiplied. */
static const Term *chosen_product(Terms *terms, const Term *a, const Term *choice)
{
    if (choice->kind != TERM_CHOOSE)
        return NULL;
    const Term *yes = choice->part[1], *no = choice->part[2];
    bool pays = is_number_of(yes, 0) || is_number_of(yes, 1) || is_number_of(no, 0)
                || is_number_of(no, 1) || (is_number_term(yes) && is_number_term(no));
    return pays ? choose_term(terms, choice->part[0], term2(terms, TERM_MULTIPLY, a, yes),
                              term2(terms, TERM_MULTIPLY, a, no))
                : NULL;
}

static const Term *simpler_product(Terms *terms, const Term *a, const Term *b)
{
    if (is_number_term(b)) {
        const Term *swapped = a;
        a = b;
        b = swapped;
    }
    if (is_number_of(a, 0))
        return a;
    if (is_number_of(a, 1))
        return b;
    if (is_number_of(a, -1))
        return term1(terms, TERM_NEGATE, b);
    if (negative(a) || negative(b)) {
        const Term *product = term2(terms, TERM_MULTIPLY, negative(a) ? negative(a) : a,
                                    negative(b) ? negative(b) : b);
        return negative(a) && negative(b) ? product : term1(terms, TERM_NEGATE, product);
    }
    if (is_number_term(a) && b->kind == TERM_MULTIPLY && is_number_term(b->part[0]))
        return term2(terms, TERM_MULTIPLY, number_term(terms, a->number * b->part[0]->number),
                     b->part[1]);
    const Term *chosen = chosen_product(terms, a, b);
    return chosen ? chosen : chosen_product(terms, b, a);
}

static const Term *simpler_quotient(Terms *terms, const Term *a, const Term *b)
{
    if (is_number_of(a, 0) || is_number_of(b, 1))
        return a;
    if (is_number_of(b, -1))
        return term1(terms, TERM_NEGATE, a);
    if (a->kind == TERM_CHOOSE && is_number_term(b)
        && (is_number_term(a->part[1]) || is_number_term(a->part[2])))
        return choose_term(terms, a->part[0], term2(terms, TERM_DIVIDE, a->part[1], b),
                           term2(terms, TERM_DIVIDE, a->part[2], b));
    return NULL;
}

/* A small whole power is a product. */
static const Term *product_power(Terms *terms, const Term *a, int power)
{
    if (power == 1)
        return a;
    const Term *half = product_power(terms, a, power / 2),
               *square = term2(terms, TERM_MULTIPLY, half, half);
    return power % 2 ? term2(terms, TERM_MULTIPLY, square, a) : square;
}

static const Term *simpler_power(Terms *terms, const Term *a, const Term *b)
{
    enum { MAX_PRODUCT = 16 };
    if (!is_number_term(b))
        return NULL;
    double power = b->number;
    if (power == 0)
        return number_term(terms, 1);
    if (power == 0.5)
        return term1(terms, TERM_SQRT, a);
    if (power != floor(power) || fabs(power) > MAX_PRODUCT)
        return NULL;
    const Term *product = product_power(terms, a, (int)fabs(power));
    return power > 0 ? product : term2(terms, TERM_DIVIDE, number_term(terms, 1), product);
}

static const Term *simpler_pair(Terms *terms, TermKind kind, const Term *a, const Term *b)
{
    switch ((int)kind) {
    case TERM_ADD:
        return simpler_sum(terms, a, b);
    case TERM_SUBTRACT:
        return simpler_difference(terms, a, b);
    case TERM_MULTIPLY:
        return simpler_product(terms, a, b);
    case TERM_DIVIDE:
        return simpler_quotient(terms, a, b);
    case TERM_POWER:
        return simpler_power(terms, a, b);
    case TERM_MAX:
    case TERM_MIN:
        return a == b ? a : NULL;
    case TERM_AND:
    case TERM_OR:
        if (a->kind == TERM_TRUTH)
            return (a->number != 0) == (kind == TERM_AND) ? b : a;
        if (b->kind == TERM_TRUTH)
            return (b->number != 0) == (kind == TERM_AND) ? a : b;
        return a == b ? a : NULL;
    }
    return NULL;
}

const Term *term1(Terms *terms, TermKind kind, const Term *a)
{
    if (is_known(a))
        return known_term(terms, kind, unary_number(kind, a->number));
    const Term *meant = kind == TERM_LOG ? meant_by_log(terms, a) : NULL;
    if (!meant && (kind == TERM_NEGATE || kind == TERM_NOT) && a->kind == kind)
        meant = a->part[0];
    return meant ? meant : make(terms, (Term){.kind = kind, .part = {a}});
}

static bool commutes(TermKind kind)
{
    return kind == TERM_ADD || kind == TERM_MULTIPLY || kind == TERM_EQUAL || kind == TERM_NOT_EQUAL
           || kind == TERM_AND || kind == TERM_OR;
}

const Term *term2(Terms *terms, TermKind kind, const Term *a, const Term *b)
{
    if (is_known(a) && is_known(b))
        return known_term(terms, kind, binary_number(kind, a->number, b->number));
    const Term *simpler = NULL;
    if (kind == TERM_SUBTRACT && a->kind == TERM_EXP && is_number_of(b, 1))
        simpler = term1(terms, TERM_EXPM1, a->part[0]);
    if (kind == TERM_DIVIDE)
        simpler = meant_by_quotient(terms, a, b);
    if (!simpler && !terms->plain)
        simpler = simpler_pair(terms, kind, a, b);
    if (simpler)
        return simpler;
    /* In one order, numbers first, so that equal ones are found. */
    bool swap = commutes(kind) && (is_known(b) || (!is_known(a) && b->id < a->id));
    return make(terms, (Term){.kind = kind, .part = {swap ? b : a, swap ? a : b}});
}

const Term *choose_term(Terms *terms, const Term *condition, const Term *yes, const Term *no)
{
    if (condition->kind == TERM_TRUTH)
        return condition->number != 0 ? yes : no;
    if (yes == no && !terms->plain)
        return yes;
    return make(terms, (Term){.kind = TERM_CHOOSE, .part = {condition, yes, no}});
}
