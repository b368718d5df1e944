/* derivative.c: a term's derivative, by the rules of sum, product and chain.
 *
 * Each term gets its derivative after its parts have theirs.  A part that is 0 leaves its terms
 * out as they are made, and what the value computed already is the same term: tanh'(u) is
 * 1 - tanh(u)^2 of the tanh that is there.  A choice is differentiated side by side, so that
 * what the other side would give, infinite or no number, is not looked at.
 */
#include "kernels/term.h"

#include <math.h>

static const Term *add(Terms *terms, const Term *a, const Term *b)
{
    return term2(terms, TERM_ADD, a, b);
}

static const Term *multiply(Terms *terms, const Term *a, const Term *b)
{
    return term2(terms, TERM_MULTIPLY, a, b);
}

static const Term *number(Terms *terms, double value)
{
    return number_term(terms, value);
}

/* Of f(u) in u. */
static const Term *outer_derivative(Terms *terms, const Term *term)
{
    const Term *u = term->part[0], *one = number(terms, 1);
    switch ((int)term->kind) {
    case TERM_NEGATE:
        return number(terms, -1);
    case TERM_EXP:
        return term;
    case TERM_EXPM1:
        return term1(terms, TERM_EXP, u);
    case TERM_LOG:
        return term2(terms, TERM_DIVIDE, one, u);
    case TERM_LOG1P:
        return term2(terms, TERM_DIVIDE, one, add(terms, one, u));
    case TERM_SQRT:
        return term2(terms, TERM_DIVIDE, number(terms, 0.5), term);
    case TERM_ABS:
        return term1(terms, TERM_SIGN, u);
    case TERM_SIGN:
        return number(terms, 0);
    case TERM_TANH:
        return term2(terms, TERM_SUBTRACT, one, multiply(terms, term, term));
    case TERM_SIGMOID:
        return multiply(terms, term, term2(terms, TERM_SUBTRACT, one, term));
    case TERM_SOFTPLUS:
        return term1(terms, TERM_SIGMOID, u);
    case TERM_ERF:
        return multiply(terms, number(terms, 2 / sqrt(acos(-1))),
                        term1(terms, TERM_EXP, term1(terms, TERM_NEGATE, multiply(terms, u, u))));
    case TERM_SIN:
        return term1(terms, TERM_COS, u);
    case TERM_COS:
        return term1(terms, TERM_NEGATE, term1(terms, TERM_SIN, u));
    }
    unreachable();
}

/* (a/b)' = (a' - a/b * b') / b */
static const Term *of_quotient(Terms *terms, const Term *term, const Term *da, const Term *db)
{
    return term2(terms, TERM_DIVIDE, term2(terms, TERM_SUBTRACT, da, multiply(terms, term, db)),
                 term->part[1]);
}

/* (a^b)' = b * a^(b - 1) * a' + a^b * log(a) * b'; PyTorch has 0 for the first where b is 0, and
 * for the second where a is 0 and b is not negative. */
static const Term *of_power(Terms *terms, const Term *term, const Term *da, const Term *db)
{
    const Term *a = term->part[0], *b = term->part[1], *zero = number(terms, 0);
    const Term *less = term2(terms, TERM_POWER, a, add(terms, b, number(terms, -1)));
    const Term *first =
        choose_term(terms, term2(terms, TERM_EQUAL, b, zero), zero, multiply(terms, b, less));
    const Term *stays = term2(terms, TERM_AND, term2(terms, TERM_EQUAL, a, zero),
                              term2(terms, TERM_LESS_EQUAL, zero, b));
    const Term *second =
        choose_term(terms, stays, zero, multiply(terms, term, term1(terms, TERM_LOG, a)));
    return add(terms, multiply(terms, first, da), multiply(terms, second, db));
}

/* Of the larger, or the smaller; of equals the mean. */
static const Term *of_extreme(Terms *terms, const Term *term, const Term *da, const Term *db)
{
    const Term *a = term->part[0], *b = term->part[1];
    const Term *first =
        term->kind == TERM_MAX ? term2(terms, TERM_LESS, b, a) : term2(terms, TERM_LESS, a, b);
    const Term *mean = multiply(terms, number(terms, 0.5), add(terms, da, db));
    return choose_term(terms, term2(terms, TERM_EQUAL, a, b), mean,
                       choose_term(terms, first, da, db));
}

static const Term *of_pair(Terms *terms, const Term *term, const Term *da, const Term *db)
{
    switch ((int)term->kind) {
    case TERM_ADD:
        return add(terms, da, db);
    case TERM_SUBTRACT:
        return term2(terms, TERM_SUBTRACT, da, db);
    case TERM_MULTIPLY:
        return add(terms, multiply(terms, da, term->part[1]), multiply(terms, term->part[0], db));
    case TERM_DIVIDE:
        return of_quotient(terms, term, da, db);
    case TERM_POWER:
        return of_power(terms, term, da, db);
    case TERM_MAX:
    case TERM_MIN:
        return of_extreme(terms, term, da, db);
    }
    unreachable();
}

/* `slopes` are those of the terms before it. */
static const Term *derive_one(Terms *terms, const Term *term, const Term *const *slopes, int tensor)
{
    const Term *const *part = term->part;
    int count = term_parts(term);
    if (term->kind == TERM_TENSOR)
        return number(terms, term->tensor == tensor);
    if (count == 0 || is_truth_term(term))
        return number(terms, 0);
    if (term->kind == TERM_CHOOSE)
        return choose_term(terms, part[0], slopes[part[1]->id], slopes[part[2]->id]);
    const Term *da = slopes[part[0]->id], *db = count > 1 ? slopes[part[1]->id] : da;
    if (is_number_of(da, 0) && is_number_of(db, 0))
        return da;
    return count == 1 ? multiply(terms, outer_derivative(terms, term), da)
                      : of_pair(terms, term, da, db);
}

const Term *derive_term(Terms *terms, const Term *term, int tensor)
{
    int count = term->id + 1;
    const Term **slopes = NEW_ARRAY(const Term *, (size_t)count);
    for (int id = 0; id < count; id++)
        slopes[id] = derive_one(terms, terms->all.items[id], slopes, tensor);
    return slopes[term->id];
}
