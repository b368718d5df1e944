/* term.h: what is computed of one element of each of several tensors, as a graph of terms: the
 * right side of a `function`, its derivatives, and the C of both.
 *
 *   term.c        terms are made, each once, and simplified as they are
 *   derivative.c  the derivative of one in a tensor's element
 *   formula.c     the C of one: of a row of lanes, and of one value with its derivative
 *
 * A term is a number's or true or false.  Equal terms are one: what is computed twice in a
 * function is computed once.  A term's parts are made before it, so a pass over the terms in
 * the order of their numbers comes by each after its parts, and nothing here recurses.
 *
 * Where a function has no derivative, a kink, it has PyTorch's: abs has 0 at 0, max and min of
 * equals half of each, a choice that of the side that is taken.
 */
#ifndef TERM_H
#define TERM_H

#include "util/util.h"

/* TERM(KIND, the function that computes a row of lanes, the C library's for one value) */
#define UNARY_TERMS                      \
    TERM(EXP, "vec_exp", "exp")          \
    TERM(EXPM1, "vec_expm1", "expm1")    \
    TERM(LOG, "vec_log", "log")          \
    TERM(LOG1P, "vec_log1p", "log1p")    \
    TERM(SQRT, "vec_sqrt", "sqrt")       \
    TERM(ABS, "vec_abs", "fabs")         \
    TERM(SIGN, "vec_sign", NULL)         \
    TERM(TANH, "vec_tanh", "tanh")       \
    TERM(SIGMOID, "vec_sigmoid", NULL)   \
    TERM(SOFTPLUS, "vec_softplus", NULL) \
    TERM(ERF, "vec_erf", "erf")          \
    TERM(SIN, "vec_sin", "sin")          \
    TERM(COS, "vec_cos", "cos")

typedef enum TermKind {
    TERM_NUMBER, /* number */
    TERM_TRUTH,  /* number: 0 or 1 */
    TERM_TENSOR, /* the element of tensor number `tensor` */
    TERM_NEGATE,
#define TERM(kind, lanes, one) TERM_##kind,
    UNARY_TERMS
#undef TERM
        TERM_ADD,
    TERM_SUBTRACT,
    TERM_MULTIPLY,
    TERM_DIVIDE,
    TERM_POWER,
    TERM_MAX,
    TERM_MIN,
    /* of truths from here on */
    TERM_LESS,
    TERM_LESS_EQUAL,
    TERM_EQUAL,
    TERM_NOT_EQUAL,
    TERM_NOT,
    TERM_AND,
    TERM_OR,
    TERM_CHOOSE /* part[1] where part[0], a truth, is true, else part[2]: a number */
} TermKind;

typedef struct Term {
    int id; /* its position in its Terms */
    TermKind kind;
    double number;
    int tensor;
    const struct Term *part[3]; /* NULL: none */
} Term;

enum { MAX_TERMS = 10000 };

typedef struct Terms {
    LIST(const Term *) all;
    Map known;  /* by text: what it is made of */
    bool plain; /* nothing is simplified but what has only numbers */
    bool full;  /* MAX_TERMS were made: what came after is the first of them */
} Terms;

Terms *new_terms(bool plain);
const Term *number_term(Terms *terms, double number);
const Term *truth_term(Terms *terms, bool truth);
const Term *tensor_term(Terms *terms, int tensor);
/* A term of one part, of two, of three; simplified.  Of numbers alone it is a number, which may
 * be no finite one. */
const Term *term1(Terms *terms, TermKind kind, const Term *a);
const Term *term2(Terms *terms, TermKind kind, const Term *a, const Term *b);
const Term *choose_term(Terms *terms, const Term *condition, const Term *yes, const Term *no);
bool is_truth_term(const Term *term);
bool is_number_term(const Term *term); /* a number that is known */
bool is_number_of(const Term *term, double number);
/* term->part[0 … count) */
int term_parts(const Term *term);
/* By tensor number: whether the term reads it. */
bool term_reads(const Terms *terms, const Term *term, int tensor);

/* The derivative of `term`, a number, in the element of `tensor`; 0 where it does not read it. */
const Term *derive_term(Terms *terms, const Term *term, int tensor);

/* The body of a C function that returns a row of lanes, whose tensors' elements are the C
 * variables of these names: "    const vec t1 = …;\n    return …;\n". */
const char *lanes_body(const Terms *terms, const Term *term, const char *const *tensors);
/* Lines that compute one value in double by the C library, `value`, or, of a tensor that is not
 * -1, the derivative in its element, `slope`, by the rules for pairs of a value and its
 * derivative.  The elements are the C expressions of these names. */
typedef LIST(const char *) Formula;
/* Lines that compute a row of lanes, `name`. */
Formula lanes_formula(const Terms *terms, const Term *term, const char *const *tensors,
                      const char *name);
Formula one_formula(const Terms *terms, const Term *term, const char *const *tensors, int tensor);
/* Whether those lines read any tensor's element for the derivative. */
bool slope_reads(const Terms *terms, const Term *term, int tensor);

#endif
