/* exponential.c: the exponential and what is made of it, written into the C as
 * small functions of a whole row of lanes; a call of the C library's for every
 * lane would cost some twenty times as much.
 *
 * Method (Cody and Waite, "Software Manual for the Elementary Functions", 1980):
 * x = n*log(2) + r with |r| <= log(2)/2, log(2) in two parts so that r is exact;
 * e^r - 1 by its Taylor polynomial, long enough for a remainder far below the
 * rounding; times 2^n, made from its bits, in two halves so that results beyond
 * the ends of the range overflow and underflow as they should.  Within about 1
 * ulp.  A NaN stays one.
 */
#include "kernels/kernel.h"

#include <math.h>

/* What depends on the element type: the low bits of `magic` + n are n. */
typedef struct Format {
    const char *magic, *high, *low, *min, *max;
    int degree, shift, bias;
} Format;

static const Format single = {"0x1.8p23", "0x1.63p-1", "-0x1.bd0105p-13", "-104", "89", 7, 23, 127};
static const Format twofold = {
    "0x1.8p52", "0x1.62e42feep-1", "0x1.a39ef35793c76p-33", "-746", "710", 13, 52, 1023};

/* e^r - 1 = r*(1 + r*(1/2! + r*(1/3! + ... ))), in Horner's order. */
static void emit_polynomial(Text *out, int degree)
{
    double factorial = 1;
    for (int k = 2; k <= degree; k++)
        factorial *= k;
    text_add(out, "    vec sum = splat((real)%.17g);\n", 1 / factorial);
    for (int k = degree; k > 1; k--) {
        factorial /= k;
        text_add(out, "    sum = sum * r + (real)%.17g;\n", 1 / factorial);
    }
}

/* The part that both functions share: gives e^r - 1, and 2^n as two factors. */
static void emit_parts(Module *module)
{
    const Format *type = module->f64 ? &twofold : &single;
    if (module->has_exponential_parts)
        return;
    module->has_exponential_parts = true;
    text_add(
        module->out,
        "/* e to the x is (1 + the result) * one * other: Cody and Waite 1980. */\n"
        "static inline vec exponential_parts(vec x, vec *one, vec *other)\n{\n"
        "    const vec magic = splat((real)%s);\n"
        "    x = vec_select(x < splat(%s), splat(%s), vec_select(x > splat(%s), splat(%s), x));\n"
        "    const vec rounded = x * (real)0x1.71547652b82fep+0 + magic, n = rounded - magic;\n"
        "    const mask power = (mask)rounded - (mask)magic, half = power >> 1;\n"
        "    const vec r = (x - n * (real)%s) - n * (real)%s;\n",
        type->magic, type->min, type->min, type->max, type->max, type->high, type->low);
    emit_polynomial(module->out, type->degree);
    text_add(module->out,
             "    *one = (vec)((half + %d) << %d);\n"
             "    *other = (vec)((power - half + %d) << %d);\n"
             "    return sum * r;\n}\n\n",
             type->bias, type->shift, type->bias, type->shift);
}

void emit_exponential(Module *module)
{
    emit_parts(module);
    text_add(module->out,
             "/* e to the x, by powers of two and a polynomial (Cody and Waite 1980). */\n"
             "static inline vec vec_exp(vec x)\n{\n"
             "    vec one, other, less_1 = exponential_parts(x, &one, &other);\n"
             "    return (less_1 + (real)1) * one * other;\n}\n\n");
}

/* e^x - 1, exact near 0: (less_1*one + one - 1/other) * other. */
void emit_expm1(Module *module)
{
    emit_parts(module);
    text_add(module->out, "/* e to the x, less 1. */\n"
                          "static inline vec vec_expm1(vec x)\n{\n"
                          "    vec one, other, less_1 = exponential_parts(x, &one, &other);\n"
                          "    return (less_1 * one + (one - (real)1 / other)) * other;\n}\n\n");
}

void emit_sigmoid_of_lanes(Module *module)
{
    text_add(module->out, "/* The logistic function, 1 / (1 + e to the -x). */\n"
                          "static inline vec vec_sigmoid(vec x)\n{\n"
                          "    return (real)1 / ((real)1 + vec_exp(-x));\n}\n\n");
}

/* (e^2x - 1) / (e^2x + 1); from 20 on it is 1 in either type. */
void emit_tanh_of_lanes(Module *module)
{
    text_add(module->out, "/* The hyperbolic tangent. */\n"
                          "static inline vec vec_tanh(vec x)\n{\n"
                          "    const vec e = vec_expm1((real)2 * vec_select(x > splat(20), "
                          "splat(20), vec_select(x < splat(-20), splat(-20), x)));\n"
                          "    return e / (e + (real)2);\n}\n\n");
}

/* e to the z*z times erfc(z), over u = 1 / (1 + z/2.5), as a polynomial of 2u - 1: over
 * all z from 0 on that is nearly straight.  Interpolated at Chebyshev's points with 60
 * digits; the remainders are 9e-9 and 3e-16 of it.  The substitution is of Shepherd
 * and Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x". */
static const double tail_single[] = {
    0.421612726,    0.321860772,     0.18156581,      0.068499795,
    0.0113426705,   -0.00335325275,  -0.00191894447,  0.000165569994,
    0.000263716324, -1.08028519e-05, -2.80640517e-05,
};
static const double tail_twofold[] = {
    0.42161272812228723,     0.32186073977565938,     0.18156564665922276,
    0.068500458098440922,    0.011344620053543768,    -0.003357217721730853,
    -0.0019275142232051635,  0.00017568331795414735,  0.00028107762359897705,
    -2.332320957295223e-05,  -4.5042693600871799e-05, 7.8132786858903281e-06,
    7.3004777451222572e-06,  -2.702803939135038e-06,  -9.3933544233904874e-07,
    7.8700076543065216e-07,  7.6528759046111176e-09,  -1.8142119762549139e-07,
    4.4859777528788816e-08,  2.9480449421786602e-08,  -1.4297276763253708e-08,
    -2.5050658726993376e-09, 1.8100251661179291e-09,
};

/* The normal distribution's function, and e to the -x*x/2, of which its density is a multiple. */
void emit_normal(Module *module)
{
    const double *tail = module->f64 ? tail_twofold : tail_single;
    size_t terms =
        module->f64 ? sizeof tail_twofold / sizeof *tail : sizeof tail_single / sizeof *tail;
    text_add(
        module->out,
        "/* The normal distribution function, and its bell. */\n"
        "static inline vec normal_cdf(vec x, vec *bell)\n{\n"
        "    const vec size = vec_select(x < splat(0), -x, x), u = (real)1 / ((real)1 + size * "
        "(real)%.17g), t = u + u - (real)1;\n"
        "    *bell = vec_exp(size * size * (real)-0.5);\n"
        "    vec sum = splat((real)%.17g);\n",
        sqrt(0.5) / 2.5, tail[terms - 1]);
    for (size_t i = terms - 1; i-- > 0;)
        text_add(module->out, "    sum = sum * t + (real)%.17g;\n", tail[i]);
    text_add(module->out, "    const vec beyond = sum * u * *bell * (real)0.5;\n"
                          "    return vec_select(x < splat(0), beyond, (real)1 - beyond);\n}\n\n");
}

void emit_gelu_of_lanes(Module *module)
{
    text_add(module->out, "/* The Gaussian error linear unit. */\n"
                          "static inline vec vec_gelu(vec x)\n{\n"
                          "    vec bell;\n"
                          "    return x * normal_cdf(x, &bell);\n}\n\n");
}

void emit_gelu_gradient(Module *module)
{
    text_add(module->out,
             "/* Its derivative. */\n"
             "static inline vec vec_gelu_gradient(vec x)\n{\n"
             "    vec bell, below = normal_cdf(x, &bell);\n"
             "    return below + x * bell * (real)%.17g;\n}\n\n",
             sqrt(0.5 / acos(-1)));
}

/* Few are taken, one for each sum: the library's will do. */
void emit_logarithm(Module *module)
{
    text_add(module->out, "/* The natural logarithm, lane by lane. */\n"
                          "static inline vec vec_log(vec x)\n{\n"
                          "    for (int lane = 0; lane < LANES; lane++)\n"
                          "        x[lane] = (real)__builtin_log((double)x[lane]);\n"
                          "    return x;\n}\n\n");
}

/* One for each deviation; lane by lane, which the C compiler makes a row of. */
void emit_square_root(Module *module)
{
    text_add(module->out,
             "/* The square root, lane by lane. */\n"
             "static inline vec vec_sqrt(vec x)\n{\n"
             "    for (int lane = 0; lane < LANES; lane++)\n"
             "        x[lane] = %s(x[lane]);\n"
             "    return x;\n}\n\n",
             module->f64 ? "__builtin_sqrt" : "__builtin_sqrtf");
}

static void emit_by_library(Module *module, const char *name, const char *what)
{
    text_add(module->out,
             "/* The %s, lane by lane. */\n"
             "static inline vec vec_%s(vec x)\n{\n"
             "    for (int lane = 0; lane < LANES; lane++)\n"
             "        x[lane] = (real)__builtin_%s((double)x[lane]);\n"
             "    return x;\n}\n\n",
             what, name, name);
}

/* Rare among activations: the library's will do. */
void emit_sine(Module *module)
{
    emit_by_library(module, "sin", "sine");
}

void emit_cosine(Module *module)
{
    emit_by_library(module, "cos", "cosine");
}

/* Of small whole powers products are made before it comes to this. */
void emit_power(Module *module)
{
    text_add(module->out,
             "/* x to the power of n, lane by lane. */\n"
             "static inline vec vec_pow(vec x, vec n)\n{\n"
             "    for (int lane = 0; lane < LANES; lane++)\n"
             "        x[lane] = (real)__builtin_pow((double)x[lane], (double)n[lane]);\n"
             "    return x;\n}\n\n");
}

/* The bits of sqrt(1/2), the position of the exponent, log(2) in two parts, and how many terms
 * leave a remainder below the rounding. */
static const struct {
    const char *root, *high, *low;
    int shift, terms;
} logarithm_single = {"0x3f3504f3", "0x1.62e4p-1", "0x1.7f7d1cp-20", 23, 6},
  logarithm_twofold = {"0x3fe6a09e667f3bcd", "0x1.62e42feep-1", "0x1.a39ef35793c76p-33", 52, 12};

/* log(1 + x): with w = 1 + x = m * 2^n and sqrt(1/2) <= m < sqrt(2), log(m) is 2 artanh(s) of s =
 * (m - 1)/(m + 1), an odd series; what 1 + x rounded away is added as (x - (w - 1))/w (Higham
 * 2002, "Accuracy and Stability of Numerical Algorithms", section 1.14.1). */
void emit_logarithm_beside_1(Module *module)
{
    bool f64 = module->f64;
    int terms = f64 ? logarithm_twofold.terms : logarithm_single.terms,
        shift = f64 ? logarithm_twofold.shift : logarithm_single.shift;
    text_add(module->out,
             "/* The logarithm of 1 + x. */\n"
             "static inline vec vec_log1p(vec x)\n{\n"
             "    const vec w = x + (real)1;\n"
             "    const mask power = ((mask)w - %s) >> %d;\n"
             "    const vec m = (vec)((mask)w - (power << %d)), s = (m - (real)1) / (m + (real)1), "
             "square = s * s, n = __builtin_convertvector(power, vec);\n"
             "    vec sum = splat((real)%.17g);\n",
             f64 ? logarithm_twofold.root : logarithm_single.root, shift, shift,
             2.0 / (2 * terms + 1));
    for (int k = terms - 1; k >= 0; k--)
        text_add(module->out, "    sum = sum * square + (real)%.17g;\n", 2.0 / (2 * k + 1));
    text_add(module->out,
             "    const vec rest = (x - (w - (real)1)) / w + n * (real)%s;\n"
             "    vec log = n * (real)%s + (sum * s + rest);\n"
             "    log = vec_select(x < splat((real)__builtin_inf()), log, x);\n"
             "    log = vec_select(x == splat(-1), splat(-(real)__builtin_inf()), log);\n"
             "    return vec_select(x < splat(-1), splat((real)__builtin_nan(\"\")), log);\n}\n\n",
             f64 ? logarithm_twofold.low : logarithm_single.low,
             f64 ? logarithm_twofold.high : logarithm_single.high);
}

/* log(1 + exp(x)), of an exponential that never overflows. */
void emit_softplus(Module *module)
{
    text_add(module->out, "/* log(1 + e to the x). */\n"
                          "static inline vec vec_softplus(vec x)\n{\n"
                          "    return vec_select(x > splat(0), x, splat(0)) + "
                          "vec_log1p(vec_exp(-vec_abs(x)));\n}\n\n");
}

/* By the normal distribution, twice whose function at x*sqrt(2) it is, less 1; near 0 by its
 * Taylor series, of which no digits cancel. */
void emit_error_function(Module *module)
{
    int terms = module->f64 ? 13 : 8;
    double factorial = 1;
    for (int k = 2; k < terms; k++)
        factorial *= k;
    text_add(module->out,
             "/* The error function. */\n"
             "static inline vec vec_erf(vec x)\n{\n"
             "    const vec square = x * x;\n"
             "    vec bell, sum = splat((real)%.17g);\n",
             (terms % 2 ? 1 : -1) / (factorial * (2 * terms - 1)));
    for (int k = terms - 2; k >= 0; k--) {
        factorial /= k + 1;
        text_add(module->out, "    sum = sum * square + (real)%.17g;\n",
                 (k % 2 ? -1 : 1) / (factorial * (2 * k + 1)));
    }
    text_add(module->out,
             "    return vec_select(vec_abs(x) < splat((real)0.5), x * sum * (real)%.17g, "
             "normal_cdf(x * (real)%.17g, &bell) * (real)2 - (real)1);\n}\n\n",
             2 / sqrt(acos(-1)), sqrt(2));
}
