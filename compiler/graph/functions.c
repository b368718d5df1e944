/* functions.c: from the right side of a `function` to terms.
 *
 * A definition is looked at once with its own numbers, used or not: what is wrong in it is told
 * there.  Each use then gives numbers, and each set of numbers makes an operator; what is wrong
 * with those alone (a division by zero) is told at its place in the function, with the use as
 * a label.  A function that calls another has its terms in place of the call, so one that calls
 * itself has no end: that is an error.
 *
 * The terms are made twice: simplified, for the C of lanes, and as they are written, for the
 * reference kernels.
 */
#include "graph/build.h"
#include "kernels/loss.h"

#include <math.h>
#include <string.h>

/* What one set of numbers makes of it; op NULL: a fault, told. */
typedef struct Made {
    const char *numbers;
    const Operator *op;
} Made;

struct FunctionState {
    const FunctionDef *def;
    FunctionForm form;
    Operator *op;       /* the template */
    const Term **given; /* of a number's parameter: what it is by default, of no Terms */
    LIST(Made) made;
    enum { NOT_CHECKED, ACTIVE, CHECKED } state;
    bool broken; /* told: it makes nothing */
};

/* The calls of sum and mean in a loss, whose numbers are the sums' own in both kinds of terms. */
typedef LIST(const Expr *) SumCalls;

/* The right side of one function, with what its parameters stand for. */
typedef struct Evaluation {
    Builder *b;
    FunctionState *function;
    Terms *terms;
    const Term **values; /* by parameter; NULL: unknown */
    Span use;            /* of a call or a statement, for whose numbers it is; none: no source */
    struct Evaluation *outer;
    LossForm *loss;  /* of a loss, whose sums it gets; NULL: of a function */
    SumCalls *calls; /* of a loss: found in plain terms, known in simplified ones */
} Evaluation;

static const Term *evaluate_term(Evaluation *e, const Expr *expr);
static void check_function(Builder *b, FunctionState *state);

/* ------------------------------------------------------------- built in */

typedef enum BuiltIn {
    BUILTIN_TERM, /* a term of one part */
    BUILTIN_RELU,
    BUILTIN_CLAMP,
    BUILTIN_POWER,
    BUILTIN_MAX,
    BUILTIN_MIN,
    BUILTIN_STEP /* of numbers only: it has no derivative */
} BuiltIn;

static const struct {
    const char *name, *call; /* how it is called */
    BuiltIn built_in;
    TermKind kind;
    double (*step)(double);
} builtins[] = {
    {"exp", "exp(x)", BUILTIN_TERM, TERM_EXP, NULL},
    {"expm1", "expm1(x)", BUILTIN_TERM, TERM_EXPM1, NULL},
    {"log", "log(x)", BUILTIN_TERM, TERM_LOG, NULL},
    {"log1p", "log1p(x)", BUILTIN_TERM, TERM_LOG1P, NULL},
    {"sqrt", "sqrt(x)", BUILTIN_TERM, TERM_SQRT, NULL},
    {"abs", "abs(x)", BUILTIN_TERM, TERM_ABS, NULL},
    {"tanh", "tanh(x)", BUILTIN_TERM, TERM_TANH, NULL},
    {"sigmoid", "sigmoid(x)", BUILTIN_TERM, TERM_SIGMOID, NULL},
    {"erf", "erf(x)", BUILTIN_TERM, TERM_ERF, NULL},
    {"sin", "sin(x)", BUILTIN_TERM, TERM_SIN, NULL},
    {"cos", "cos(x)", BUILTIN_TERM, TERM_COS, NULL},
    {"relu", "relu(x)", BUILTIN_RELU, TERM_CHOOSE, NULL},
    {"clamp", "clamp(x, min, max)", BUILTIN_CLAMP, TERM_CHOOSE, NULL},
    {"pow", "pow(x, exponent)", BUILTIN_POWER, TERM_POWER, NULL},
    {"max", "max(a, b, …)", BUILTIN_MAX, TERM_MAX, NULL},
    {"min", "min(a, b, …)", BUILTIN_MIN, TERM_MIN, NULL},
    {"floor", "floor(n)", BUILTIN_STEP, TERM_NUMBER, floor},
    {"ceil", "ceil(n)", BUILTIN_STEP, TERM_NUMBER, ceil},
    {"round", "round(n)", BUILTIN_STEP, TERM_NUMBER, nearbyint},
};
enum { BUILTINS = sizeof builtins / sizeof *builtins };

ElementFunction element_function(int i)
{
    return i < BUILTINS ? (ElementFunction){builtins[i].name, builtins[i].call}
                        : (ElementFunction){NULL, NULL};
}

static int find_builtin(const char *word)
{
    for (int i = 0; i < BUILTINS; i++)
        if (strcmp(builtins[i].name, word) == 0)
            return i;
    return -1;
}

static const char *builtin_names(void)
{
    Text text = {0};
    for (int i = 0; i < BUILTINS; i++)
        text_add(&text, "%s%s", i > 0 ? " " : "", builtins[i].name);
    return text_chars(&text);
}

/* --------------------------------------------------------------- faults */

static Diagnostic *function_error(const Evaluation *e, const char *code, Span at,
                                  const char *message, ...) PRINTF(4, 5);
static Diagnostic *function_error(const Evaluation *e, const char *code, Span at,
                                  const char *message, ...)
{
    va_list values;
    va_start(values, message);
    Diagnostic *d = fault_within(e->b->instance, code, at, message, values);
    va_end(values);
    for (; e != NULL; e = e->outer)
        if (e->use.source != NULL)
            diag_label(d, e->use, "by this use of %s", e->function->def->name);
    return d;
}

/* Says what was wanted of a term of another kind. */
static const Term *want_number(const Evaluation *e, const Term *term, Span at, const char *what)
{
    if (term == NULL || !is_truth_term(term) || e->terms->full)
        return term;
    Diagnostic *d = function_error(e, "value-type", at,
                                   "%s takes numbers and tensors, not true or false", what);
    diag_help(d, "`1 if … else 0` makes a number of it");
    return NULL;
}

static const Term *want_truth(const Evaluation *e, const Term *term, Span at, const char *what)
{
    if (term == NULL || is_truth_term(term) || e->terms->full)
        return term;
    Diagnostic *d =
        function_error(e, "value-type", at, "%s takes true or false, not a number", what);
    diag_help(d, "a comparison gives one, as `x > 0`");
    return NULL;
}

/* What came of numbers alone must be one. */
static const Term *want_finite(const Evaluation *e, const Term *term, Span at)
{
    if (term == NULL || term->kind != TERM_NUMBER || isfinite(term->number))
        return term;
    function_error(e, "number", at,
                   isnan(term->number) ? "this is not a number" : "this value is infinite");
    return NULL;
}

/* ---------------------------------------------------------------- names */

static int find_parameter_of(const FunctionDef *def, const char *name)
{
    for (int i = 0; i < def->params.count; i++)
        if (def->params.items[i].name == name)
            return i;
    return -1;
}

static const char *parameter_names(const FunctionDef *def)
{
    Text text = {0};
    for (int i = 0; i < def->params.count; i++)
        text_add(&text, "%s%s", i > 0 ? ", " : "", def->params.items[i].name);
    return text_chars(&text);
}

static FunctionState *find_state(const Builder *b, const char *name)
{
    return map_get(&b->functions, name);
}

/* The nearest of what may be called, or of the parameters. */
static void suggest(const Evaluation *e, Diagnostic *d, const char *word, Span at, bool called)
{
    LIST(const char *) names = {0};
    const FunctionDef *def = e->function->def;
    for (int i = 0; i < def->params.count && !called; i++)
        push(&names, def->params.items[i].name);
    for (int i = 0; i < e->b->program->functions.count && called; i++)
        if (e->b->program->functions.items[i] != def)
            push(&names, e->b->program->functions.items[i]->name);
    for (int i = 0; i < BUILTINS && called; i++)
        push(&names, builtins[i].name);
    push(&names, NULL);
    const char *near = nearest_for(d, word, names.items);
    if (near != NULL)
        diag_fix(d, at, near, "the nearest is %s", near);
    if (called)
        diag_note(d, "functions of an element: %s%s", builtin_names(),
                  e->loss != NULL ? "; of all elements: sum mean logsumexp" : "");
    else
        diag_note(d, "parameters of %s: %s", def->name, parameter_names(def));
}

static const Term *unknown_name(const Evaluation *e, const Expr *expr)
{
    const char *word = expr->word;
    int built_in = find_builtin(word);
    if (built_in >= 0 || find_state(e->b, word) != NULL) {
        Diagnostic *d = function_error(e, "value-type", expr->span,
                                       "`%s` is a function: it is called with values", word);
        diag_help(d, "as %s", built_in >= 0 ? builtins[built_in].call : format("%s(…)", word));
        return NULL;
    }
    Diagnostic *d =
        function_error(e, "unknown-name", expr->span, "nothing is named `%s` in function %s", word,
                       e->function->def->name);
    suggest(e, d, word, expr->span, false);
    return NULL;
}

static const Term *unknown_function(const Evaluation *e, const Expr *call)
{
    const char *word = call->word;
    if (find_parameter_of(e->function->def, word) >= 0) {
        Diagnostic *d = function_error(e, "value-type", call->word_span,
                                       "`%s` is a parameter here, no function", word);
        if (call->arguments.count == 1)
            diag_fix(d, call->word_span, format("%s*", word), "a product is written %s*(…)", word);
        return NULL;
    }
    const Operator *op = find_operator(word);
    if (op != NULL || map_get(&e->b->blocks, word) != NULL) {
        Diagnostic *d = function_error(e, "unknown-operator", call->word_span,
                                       "%s is %s: a function of an element cannot apply it", word,
                                       op != NULL ? "an operator" : "a block");
        diag_note(d, "functions of an element: %s", builtin_names());
        return NULL;
    }
    Diagnostic *d =
        function_error(e, "unknown-operator", call->word_span, "no function is named %s", word);
    suggest(e, d, word, call->word_span, true);
    return NULL;
}

/* ----------------------------------------------------------- arithmetic */

static TermKind term_kind(ExprOperator op)
{
    switch (op) {
    case EXPR_ADD:
        return TERM_ADD;
    case EXPR_SUBTRACT:
        return TERM_SUBTRACT;
    case EXPR_MULTIPLY:
        return TERM_MULTIPLY;
    case EXPR_DIVIDE:
        return TERM_DIVIDE;
    case EXPR_EQUAL:
        return TERM_EQUAL;
    case EXPR_NOT_EQUAL:
        return TERM_NOT_EQUAL;
    case EXPR_LESS:
    case EXPR_GREATER:
        return TERM_LESS;
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER_EQUAL:
        return TERM_LESS_EQUAL;
    case EXPR_AND:
        return TERM_AND;
    case EXPR_OR:
        return TERM_OR;
    case EXPR_NEGATE:
    case EXPR_NOT:
    case EXPR_FLOOR_DIVIDE:
    case EXPR_MODULO:
        break;
    }
    unreachable();
}

static const Term *divided(Evaluation *e, const Expr *expr, const Term *left, const Term *right)
{
    if (is_number_of(right, 0)) {
        Diagnostic *d = function_error(e, "division", expr->right->span, "division by zero");
        if (expr->right->kind != EXPR_INT && expr->right->kind != EXPR_FLOAT)
            diag_caption(d, "this is 0");
        return NULL;
    }
    if (expr->op == EXPR_DIVIDE)
        return want_finite(e, term2(e->terms, TERM_DIVIDE, left, right), expr->span);
    if (is_number_term(left) && is_number_term(right)) {
        double quotient = floor(left->number / right->number);
        return number_term(e->terms, expr->op == EXPR_FLOOR_DIVIDE
                                         ? quotient
                                         : left->number - quotient * right->number);
    }
    Diagnostic *d =
        function_error(e, "not-differentiable", expr->span, "`%s` of a tensor has no derivative",
                       expr_operator_text(expr->op));
    diag_help(d, "`/` is true division");
    return NULL;
}

static const Term *binary_term(Evaluation *e, const Expr *expr)
{
    const char *what = format("`%s`", expr_operator_text(expr->op));
    bool connects = expr->op == EXPR_AND || expr->op == EXPR_OR;
    const Term *(*want)(const Evaluation *, const Term *, Span, const char *) =
        connects ? want_truth : want_number;
    const Term *left = want(e, evaluate_term(e, expr->left), expr->left->span, what);
    const Term *right = want(e, evaluate_term(e, expr->right), expr->right->span, what);
    if (left == NULL || right == NULL)
        return NULL;
    if (expr->op == EXPR_DIVIDE || expr->op == EXPR_FLOOR_DIVIDE || expr->op == EXPR_MODULO)
        return divided(e, expr, left, right);
    bool turned = expr->op == EXPR_GREATER || expr->op == EXPR_GREATER_EQUAL;
    return want_finite(
        e, term2(e->terms, term_kind(expr->op), turned ? right : left, turned ? left : right),
        expr->span);
}

static const Term *unary_term(Evaluation *e, const Expr *expr)
{
    const Term *operand = evaluate_term(e, expr->left);
    bool negates = expr->op == EXPR_NEGATE;
    operand = negates ? want_number(e, operand, expr->left->span, "`-`")
                      : want_truth(e, operand, expr->left->span, "`not`");
    return operand == NULL ? NULL : term1(e->terms, negates ? TERM_NEGATE : TERM_NOT, operand);
}

static const Term *conditional_term(Evaluation *e, const Expr *expr)
{
    const Term *condition =
        want_truth(e, evaluate_term(e, expr->condition), expr->condition->span, "`if`");
    if (condition != NULL && condition->kind == TERM_TRUTH) /* as values: one side alone counts */
        return evaluate_term(e, condition->number != 0 ? expr->left : expr->right);
    const Term *yes = want_number(e, evaluate_term(e, expr->left), expr->left->span, "`if`");
    const Term *no = want_number(e, evaluate_term(e, expr->right), expr->right->span, "`if`");
    return condition == NULL || yes == NULL || no == NULL
               ? NULL
               : choose_term(e->terms, condition, yes, no);
}

/* ---------------------------------------------------------------- calls */

static const Term *wrong_count(const Evaluation *e, const Expr *call, int built_in)
{
    Diagnostic *d =
        function_error(e, call->arguments.count == 0 ? "missing-argument" : "too-many-arguments",
                       call->span, "%s takes other arguments", call->word);
    diag_help(d, "%s", builtins[built_in].call);
    return NULL;
}

/* clamp(x, 0, 6), or clamp(x, min=0). */
static const Term *clamp_term(Evaluation *e, const Expr *call, const Term *const *args,
                              int built_in)
{
    const Term *bounds[2] = {NULL, NULL}, *value = args[0];
    for (int i = 1; i < call->arguments.count; i++) {
        const char *name = call->arguments.items[i].name;
        int which = name == NULL               ? i - 1
                    : strcmp(name, "min") == 0 ? 0
                    : strcmp(name, "max") == 0 ? 1
                                               : 2;
        if (which > 1 || bounds[which] != NULL)
            return wrong_count(e, call, built_in);
        bounds[which] = args[i];
    }
    if (call->arguments.count < 2 || call->arguments.items[0].name != NULL)
        return wrong_count(e, call, built_in);
    if (bounds[0] != NULL)
        value =
            choose_term(e->terms, term2(e->terms, TERM_LESS, value, bounds[0]), bounds[0], value);
    if (bounds[1] != NULL)
        value =
            choose_term(e->terms, term2(e->terms, TERM_LESS, bounds[1], value), bounds[1], value);
    return value;
}

static const Term *step_term(Evaluation *e, const Expr *call, const Term *x, int built_in)
{
    if (is_number_term(x))
        return number_term(e->terms, builtins[built_in].step(x->number));
    Diagnostic *d = function_error(e, "not-differentiable", call->span,
                                   "`%s` of a tensor has no derivative", call->word);
    diag_help(d, "it takes numbers only");
    return NULL;
}

static const Term *extreme_term(Evaluation *e, TermKind kind, const Term *const *args, int count)
{
    const Term *extreme = args[0];
    for (int i = 1; i < count; i++)
        extreme = term2(e->terms, kind, extreme, args[i]);
    return extreme;
}

static const Term *apply_builtin(Evaluation *e, const Expr *call, const Term *const *args,
                                 int built_in)
{
    int count = call->arguments.count;
    BuiltIn which = builtins[built_in].built_in;
    bool extreme = which == BUILTIN_MAX || which == BUILTIN_MIN;
    int wanted = which == BUILTIN_POWER ? 2 : 1;
    for (int i = 0; i < count && which != BUILTIN_CLAMP; i++)
        if (call->arguments.items[i].name != NULL)
            return wrong_count(e, call, built_in);
    if (which != BUILTIN_CLAMP && (extreme ? count < 2 : count != wanted))
        return wrong_count(e, call, built_in);
    switch (which) {
    case BUILTIN_TERM:
        return term1(e->terms, builtins[built_in].kind, args[0]);
    case BUILTIN_RELU:
        return choose_term(e->terms,
                           term2(e->terms, TERM_LESS_EQUAL, args[0], number_term(e->terms, 0)),
                           number_term(e->terms, 0), args[0]);
    case BUILTIN_CLAMP:
        return count > 0 ? clamp_term(e, call, args, built_in) : wrong_count(e, call, built_in);
    case BUILTIN_POWER:
        return term2(e->terms, TERM_POWER, args[0], args[1]);
    case BUILTIN_MAX:
    case BUILTIN_MIN:
        return extreme_term(e, builtins[built_in].kind, args, count);
    case BUILTIN_STEP:
        return step_term(e, call, args[0], built_in);
    }
    unreachable();
}

static const Term *call_builtin(Evaluation *e, const Expr *call, int built_in)
{
    const Term **args = NEW_ARRAY(const Term *, (size_t)call->arguments.count + 1);
    bool known = true;
    for (int i = 0; i < call->arguments.count; i++) {
        const Expr *value = call->arguments.items[i].value;
        args[i] = want_number(e, evaluate_term(e, value), value->span, format("`%s`", call->word));
        known &= args[i] != NULL;
    }
    return known ? want_finite(e, apply_builtin(e, call, args, built_in), call->span) : NULL;
}

static const Term *report_cycle(Evaluation *e, const Expr *call, FunctionState *callee)
{
    for (const Evaluation *at = e; at != NULL; at = at->outer)
        at->function->broken = true;
    Diagnostic *d = diag(SEVERITY_ERROR, "recursive-function", call->word_span,
                         "function %s calls itself", callee->def->name);
    if (e->function != callee)
        diag_caption(d, "%s calls %s", e->function->def->name, callee->def->name);
    diag_label(d, callee->def->span, "this function");
    diag_help(d, "a function is written out of others that are defined without it");
    return NULL;
}

/* Which parameter of the callee an argument is for; -1: none, reported. */
static int parameter_for(Evaluation *e, const Expr *call, const FunctionState *callee, int i)
{
    const FunctionDef *def = callee->def;
    const Arg *arg = &call->arguments.items[i];
    int which = arg->name != NULL ? find_parameter_of(def, arg->name) : i;
    if (which >= 0 && which < def->params.count)
        return which;
    Diagnostic *d = arg->name != NULL
                        ? function_error(e, "unknown-argument", arg->name_span,
                                         "function %s has no parameter `%s`", def->name, arg->name)
                        : function_error(e, "too-many-arguments", arg->value->span,
                                         "function %s takes %d argument%s", def->name,
                                         def->params.count, def->params.count == 1 ? "" : "s");
    diag_note(d, "parameters of %s: %s", def->name, parameter_names(def));
    diag_label(d, def->span, "defined here");
    return -1;
}

/* A number's parameter takes what is known; a tensor's a number as well. */
static bool suits_parameter(Evaluation *e, const FunctionState *callee, int which,
                            const Term *value, Span at)
{
    const Param *param = &callee->def->params.items[which];
    bool truth = callee->given[which] != NULL && is_truth_term(callee->given[which]);
    if (value == NULL || e->terms->full)
        return value != NULL;
    if (param->value == NULL)
        return want_number(e, value, at, format("`%s` of %s", param->name, callee->def->name));
    if (truth ? value->kind == TERM_TRUTH : value->kind == TERM_NUMBER)
        return true;
    Diagnostic *d =
        function_error(e, "argument-type", at, "`%s` of %s is %s that is known; this is %s",
                       param->name, callee->def->name, truth ? "true or false" : "a number",
                       is_truth_term(value) ? "true or false" : "made of tensors");
    diag_label(d, param->span, "its default makes it %s", truth ? "true or false" : "a number");
    return false;
}

/* Into values, by parameter; false: something is unknown, or missing. */
static bool bind_call(Evaluation *e, const Expr *call, const FunctionState *callee,
                      const Term **values)
{
    const FunctionDef *def = callee->def;
    bool *given = NEW_ARRAY(bool, (size_t)def->params.count + 1), good = true;
    for (int i = 0; i < call->arguments.count; i++) {
        const Expr *expr = call->arguments.items[i].value;
        const Term *value = evaluate_term(e, expr);
        int which = parameter_for(e, call, callee, i);
        if (which < 0)
            return false;
        if (given[which]) {
            function_error(e, "duplicate-argument", expr->span, "`%s` of %s is given twice",
                           def->params.items[which].name, def->name);
            return false;
        }
        given[which] = true;
        values[which] = value;
        good &= suits_parameter(e, callee, which, value, expr->span);
    }
    for (int i = 0; i < def->params.count && good; i++) {
        if (given[i])
            continue;
        if (def->params.items[i].value == NULL) {
            Diagnostic *d = function_error(e, "missing-argument", call->span, "%s needs `%s`",
                                           def->name, def->params.items[i].name);
            diag_label(d, def->span, "defined here");
            return false;
        }
        const Term *otherwise = callee->given[i];
        values[i] = is_truth_term(otherwise) ? truth_term(e->terms, otherwise->number != 0)
                                             : number_term(e->terms, otherwise->number);
    }
    return good;
}

static bool is_active(const Evaluation *e, const FunctionState *callee)
{
    for (; e != NULL; e = e->outer)
        if (e->function == callee)
            return true;
    return false;
}

static const Term *call_function(Evaluation *e, const Expr *call, FunctionState *callee)
{
    if (callee->state == ACTIVE || is_active(e, callee))
        return callee->broken ? NULL : report_cycle(e, call, callee);
    check_function(e->b, callee);
    const Term **values = NEW_ARRAY(const Term *, (size_t)callee->def->params.count + 1);
    if (callee->broken || !bind_call(e, call, callee, values))
        return NULL;
    Evaluation inner = {e->b, callee, e->terms, values, call->span, e, NULL, NULL};
    return evaluate_term(&inner, callee->def->value);
}

/* What a sum is over is what it reads as it is written: `k*p` is of p's elements where k is 0. */
static const Term *found_sum(Evaluation *e, const Expr *call, SumKind kind, const Term *body)
{
    if (e->loss->sums.count == MAX_LOSS_SUMS) {
        function_error(e, "too-large", call->span, "a loss has more than %d sums", MAX_LOSS_SUMS);
        return NULL;
    }
    bool reads = false;
    for (int i = 0; i < e->loss->tensors + e->loss->slices.count; i++)
        reads |= term_reads(e->terms, body, i);
    if (!reads) {
        function_error(e, "value-type", call->span, "%s of what reads no tensor", call->word);
        return NULL;
    }
    push(e->calls, call);
    return add_loss_sum(e->loss, body, kind);
}

/* Of the call the `nth` sum, from 0. */
static const Term *known_sum(Evaluation *e, const Expr *call, int nth, const Term *body)
{
    int k = nth;
    while (e->calls->items[k - nth] != call)
        k++;
    e->loss->sums.items[k].body = body;
    return tensor_term(e->terms, LOSS_SUM + k);
}

static const Term *made_sum(Evaluation *e, const Expr *call, int nth, SumKind kind,
                            const Term *body)
{
    return e->terms->plain ? found_sum(e, call, kind, body) : known_sum(e, call, nth, body);
}

/* log(sum(exp(x))), where the largest x is left out of exp so that it cannot overflow. */
static const Term *made_logsumexp(Evaluation *e, const Expr *call, const Term *x)
{
    const Term *largest = made_sum(e, call, 0, SUM_LARGEST, x);
    if (largest == NULL)
        return NULL;
    const Term *less = term2(e->terms, TERM_SUBTRACT, x, largest);
    const Term *sum = made_sum(e, call, 1, SUM_OF, term1(e->terms, TERM_EXP, less));
    return sum == NULL ? NULL : term2(e->terms, TERM_ADD, term1(e->terms, TERM_LOG, sum), largest);
}

static bool is_reduction(const char *word)
{
    return strcmp(word, "sum") == 0 || strcmp(word, "mean") == 0 || strcmp(word, "logsumexp") == 0;
}

/* sum(…), mean(…) and logsumexp(…), of a loss: over the elements of what they read. */
static const Term *sum_term(Evaluation *e, const Expr *call)
{
    if (call->arguments.count != 1 || call->arguments.items[0].name != NULL) {
        Diagnostic *d = function_error(
            e, call->arguments.count == 0 ? "missing-argument" : "too-many-arguments", call->span,
            "%s takes one value", call->word);
        diag_help(d, "%s(p*t)", call->word);
        return NULL;
    }
    const Expr *value = call->arguments.items[0].value;
    const Term *body =
        want_number(e, evaluate_term(e, value), value->span, format("`%s`", call->word));
    if (body == NULL)
        return NULL;
    if (strcmp(call->word, "logsumexp") == 0)
        return made_logsumexp(e, call, body);
    return made_sum(e, call, 0, strcmp(call->word, "mean") == 0 ? SUM_MEAN : SUM_OF, body);
}

static const Term *call_term(Evaluation *e, const Expr *call)
{
    if (e->loss != NULL && find_parameter_of(e->function->def, call->word) < 0
        && is_reduction(call->word))
        return sum_term(e, call);
    int built_in = find_builtin(call->word);
    FunctionState *callee = find_state(e->b, call->word);
    if (find_parameter_of(e->function->def, call->word) >= 0)
        return unknown_function(e, call);
    if (callee != NULL && !callee->def->loss)
        return call_function(e, call, callee);
    return built_in >= 0 ? call_builtin(e, call, built_in) : unknown_function(e, call);
}

/* --------------------------------------------------------------- slices */

/* Of a slice: a whole number that is known.  False: reported. */
static bool known_bound(Evaluation *e, const Expr *expr, Int *bound)
{
    const Term *term = evaluate_term(e, expr);
    bool whole = term != NULL && is_number_term(term) && term->number == floor(term->number)
                 && fabs(term->number) <= MAX_ELEMENTS;
    if (whole)
        *bound = (Int)term->number;
    else if (term != NULL)
        function_error(e, "value-type", expr->span,
                       "a part of a tensor begins and ends at whole numbers that are known");
    return whole;
}

static bool read_index(Evaluation *e, const Expr *subscript, LossIndex *index)
{
    *index = (LossIndex){.range = subscript->kind == EXPR_SLICE, .step = 1};
    if (!index->range)
        return known_bound(e, subscript, &index->from);
    index->has_from = subscript->left != NULL;
    index->has_to = subscript->right != NULL;
    if ((index->has_from && !known_bound(e, subscript->left, &index->from))
        || (index->has_to && !known_bound(e, subscript->right, &index->to))
        || (subscript->condition != NULL && !known_bound(e, subscript->condition, &index->step)))
        return false;
    if (index->step >= 1)
        return true;
    function_error(e, "argument-range", subscript->condition->span,
                   "the step of a slice is at least 1, as PyTorch has it");
    return false;
}

/* The number of the part; -1: told.  Equal ones are one. */
static int slice_number(Evaluation *e, const LossSlice *slice)
{
    LossForm *loss = e->loss;
    for (int i = 0; i < loss->slices.count; i++) {
        const LossSlice *known = &loss->slices.items[i];
        if (known->tensor == slice->tensor && known->count == slice->count
            && memcmp(known->index, slice->index, sizeof slice->index) == 0)
            return loss->tensors + i;
    }
    if (loss->tensors + loss->slices.count == MAX_LOSS_TENSORS) {
        function_error(e, "too-large", slice->span,
                       "a loss has more than %d tensors and parts of them", MAX_LOSS_TENSORS);
        return -1;
    }
    push(&loss->slices, *slice);
    return loss->tensors + loss->slices.count - 1;
}

/* Whether it is a tensor of a loss that the index stands behind. */
static bool has_parts(const Evaluation *e, const Expr *expr, int parameter)
{
    Diagnostic *d;
    if (parameter < 0) {
        Expr name = *expr;
        name.span = expr->word_span;
        unknown_name(e, &name);
        return false;
    }
    if (e->loss != NULL && e->function->def->params.items[parameter].value == NULL)
        return true;
    if (e->loss != NULL) {
        function_error(e, "value-type", expr->span, "`%s` is a number, and has no parts",
                       expr->word);
        return false;
    }
    d = function_error(e, "value-type", expr->span,
                       "a function goes element by element: it takes no part of a tensor");
    diag_help(d, "a `loss` can, and may call a function with it; in a network `slice` takes one");
    return false;
}

/* p[:4], p[4], p[:, 2:]: PyTorch's of one example, so axis 0 is the first behind the batch. */
static const Term *slice_term(Evaluation *e, const Expr *expr)
{
    int parameter = find_parameter_of(e->function->def, expr->word);
    LossSlice slice = {.tensor = parameter, .count = expr->items.count, .span = expr->span};
    if (!has_parts(e, expr, parameter))
        return NULL;
    if (slice.count > MAX_RANK) {
        function_error(e, "too-many-arguments", expr->items.items[MAX_RANK]->span,
                       "a tensor has at most %d axes", MAX_RANK);
        return NULL;
    }
    for (int i = 0; i < slice.count; i++)
        if (!read_index(e, expr->items.items[i], &slice.index[i]))
            return NULL;
    int number = slice_number(e, &slice);
    return number < 0 ? NULL : tensor_term(e->terms, number);
}

/* --------------------------------------------------------------- values */

static const Term *named_term(const Evaluation *e, const Expr *expr)
{
    int parameter = find_parameter_of(e->function->def, expr->word);
    return parameter >= 0 ? e->values[parameter] : unknown_name(e, expr);
}

static const Term *no_element(const Evaluation *e, const Expr *expr, const char *what)
{
    Diagnostic *d = function_error(e, "value-type", expr->span,
                                   "a function of an element is made of numbers and tensors, "
                                   "not of %s",
                                   what);
    diag_help(d, "parameters of %s: %s", e->function->def->name, parameter_names(e->function->def));
    return NULL;
}

static const Term *evaluate_kind(Evaluation *e, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_INT:
        return number_term(e->terms, (double)expr->integer);
    case EXPR_FLOAT:
        return number_term(e->terms, expr->real);
    case EXPR_BOOL:
        return truth_term(e->terms, expr->integer != 0);
    case EXPR_PATH:
        return named_term(e, expr);
    case EXPR_CALL:
        return call_term(e, expr);
    case EXPR_UNARY:
        return unary_term(e, expr);
    case EXPR_BINARY:
        return binary_term(e, expr);
    case EXPR_CONDITIONAL:
        return conditional_term(e, expr);
    case EXPR_TEXT:
    case EXPR_CHARS:
        return no_element(e, expr, "text");
    case EXPR_INDEX:
        return slice_term(e, expr);
    case EXPR_SLICE:
        unreachable(); /* within an index */
    case EXPR_LIST:
        return no_element(e, expr, "lists");
    case EXPR_ANY:
        return no_element(e, expr, "`_`");
    case EXPR_ERROR:
        return NULL;
    }
    unreachable();
}

static const Term *evaluate_term(Evaluation *e, const Expr *expr)
{
    Builder *b = e->b;
    if (e->terms->full)
        return NULL;
    if (b->expression_depth == MAX_EXPRESSION_DEPTH) {
        function_error(e, "too-large", expr->span, "this value is nested more than %d levels deep",
                       MAX_EXPRESSION_DEPTH);
        return NULL;
    }
    b->expression_depth++;
    const Term *term = evaluate_kind(e, expr);
    b->expression_depth--;
    return term;
}

/* The right side; NULL: told. */
static const Term *evaluate_function(Builder *b, FunctionState *state, Terms *terms,
                                     const Term **values, Span use, LossForm *loss, SumCalls *calls)
{
    Evaluation e = {b, state, terms, values, use, NULL, loss, calls};
    const Expr *value = state->def->value;
    const Term *term = want_number(&e, evaluate_term(&e, value), value->span,
                                   loss != NULL ? "a loss" : "a function's result");
    if (terms->full) {
        Diagnostic *d = function_error(&e, "too-large", state->def->name_span,
                                       "function %s has more than %d operations, written out",
                                       state->def->name, MAX_TERMS);
        diag_help(d, "functions that call each other twice double at each level");
        return NULL;
    }
    return term;
}

/* ------------------------------------------------------------ definitions */

/* "f(x, beta=1.0) = x*sigmoid(beta*x)", on one line and without comments. */
static const char *definition_text(const FunctionDef *def)
{
    Text text = {0};
    Span span = def->name_span;
    bool blank = false;
    for (int line = span.line; line <= def->span.end_line; line++) {
        int length, from = line == span.line ? span.column - 1 : 0;
        const char *chars = source_line(span.source, line, &length);
        length = line == def->span.end_line ? def->span.end_column - 1 : length;
        for (int i = from; i < length && chars[i] != '#'; i++) {
            bool space = chars[i] == ' ' || chars[i] == '\t' || chars[i] == '\r';
            if (!space)
                text_add(&text, "%s%c", blank && text.length > 0 ? " " : "", chars[i]);
            blank = space;
        }
        blank = true;
    }
    return text_chars(&text);
}

static bool refuse(const Param *param, const char *code, const char *fault, const char *help)
{
    Diagnostic *d = diag(SEVERITY_ERROR, code, param->span, "%s", fault);
    diag_help(d, "%s", help);
    return false;
}

/* Names that hide what the right side may call, or each other; the order of the two kinds. */
static bool parameters_are_sound(const FunctionDef *def)
{
    const Param *number = NULL;
    for (int i = 0; i < def->params.count; i++) {
        const Param *param = &def->params.items[i];
        int first = find_parameter_of(def, param->name);
        if (find_builtin(param->name) >= 0)
            return refuse(param, "duplicate-name",
                          format("`%s` is a function of an element: a parameter cannot be named so",
                                 param->name),
                          "a tensor is usually x");
        if (first != i) {
            diag_label(diag(SEVERITY_ERROR, "duplicate-name", param->span,
                            "two parameters of %s are named `%s`", def->name, param->name),
                       def->params.items[first].span, "the first");
            return false;
        }
        if (number != NULL && param->value == NULL)
            return refuse(param, "argument-type",
                          format("`%s` has no default, so it is a tensor, and comes after the "
                                 "number `%s`",
                                 param->name, number->name),
                          "tensors come first; a number has a default, as beta=1.0");
        number = param->value != NULL ? param : number;
    }
    if (def->params.count > 0 && def->params.items[0].value == NULL)
        return true;
    Diagnostic *d = diag(SEVERITY_ERROR, "missing-argument", def->name_span,
                         "function %s takes no tensor", def->name);
    diag_help(d, "a parameter without a default is one: function %s(x) = …", def->name);
    return false;
}

/* As it is parsed back to the same number. */
static const char *exact_text(double number)
{
    for (int digits = 1; digits < 17; digits++) {
        double back;
        const char *text = format("%.*g", digits, number);
        if (sscanf(text, "%lf", &back) == 1 && back == number)
            return text;
    }
    return format("%.17g", number);
}

/* A number's default, and its row of the table; false: reported. */
static bool describe_number(Builder *b, FunctionState *state, int i, Terms *terms, ArgSpec *spec)
{
    const Param *param = &state->def->params.items[i];
    Value value = evaluate(b, param->value);
    bool truth = value.kind == VALUE_BOOL;
    if (value.kind != VALUE_INT && value.kind != VALUE_REAL && !truth) {
        if (value.kind == VALUE_WORD)
            report_unknown_word(b, value.word, param->value->span);
        else if (value.kind != VALUE_UNKNOWN)
            build_error(b, "argument-type", param->value->span,
                        "the default of `%s` is a number, or true or false; this is %s",
                        param->name, value_text(&value));
        return false;
    }
    double number = value.kind == VALUE_REAL ? value.real : (double)value.integer;
    state->given[i] = truth ? truth_term(terms, number != 0) : number_term(terms, number);
    *spec = (ArgSpec){.name = param->name,
                      .kind = truth ? ARG_BOOL : ARG_REAL,
                      .positional = true,
                      .otherwise = truth ? (number != 0 ? "true" : "false") : exact_text(number),
                      .doc = "A number of the function."};
    return true;
}

static bool describe_function(Builder *b, FunctionState *state)
{
    const FunctionDef *def = state->def;
    int count = def->params.count, tensors = 0, numbers = 0;
    const char **names = NEW_ARRAY(const char *, (size_t)count + 1);
    ArgSpec *specs = NEW_ARRAY(ArgSpec, (size_t)count + 1);
    Terms *terms = new_terms(false);
    bool good = !def->broken && parameters_are_sound(def);
    Frame *frame = b->frame;
    b->frame = new_frame("", NULL);
    state->given = NEW_ARRAY(const Term *, (size_t)count + 1);
    if (def->loss && count > MAX_LOSS_PARAMETERS)
        good = refuse(&def->params.items[MAX_LOSS_PARAMETERS], "too-large",
                      "a loss has too many parameters", format("at most %d", MAX_LOSS_PARAMETERS));
    for (int i = 0; i < count && good; i++)
        if (def->params.items[i].value == NULL)
            names[tensors++] = def->params.items[i].name;
        else
            good &= describe_number(b, state, i, terms, &specs[numbers++]);
    b->frame = frame;
    state->form = (FunctionForm){.name = def->name,
                                 .text = definition_text(def),
                                 .span = def->span,
                                 .tensors = tensors,
                                 .tensor = names,
                                 .args = specs};
    return good;
}

/* What its parameters stand for: tensors in their order, and numbers by `args`, NULL: their
 * defaults. */
static const Term **parameter_terms(const FunctionState *state, Terms *terms, const ArgValue *args)
{
    int count = state->def->params.count, tensors = state->form.tensors;
    const Term **values = NEW_ARRAY(const Term *, (size_t)count + 1);
    for (int i = 0; i < count; i++) {
        const Term *given = state->given[i];
        if (i < tensors)
            values[i] = tensor_term(terms, i);
        else if (is_truth_term(given))
            values[i] = truth_term(terms, args != NULL ? args[i - tensors].integer[0] != 0
                                                       : given->number != 0);
        else
            values[i] = number_term(terms, args != NULL ? args[i - tensors].real : given->number);
    }
    return values;
}

static bool is_sound_function(Builder *b, FunctionState *state)
{
    Terms *terms = new_terms(false);
    return evaluate_function(b, state, terms, parameter_terms(state, terms, NULL), (Span){0}, NULL,
                             NULL)
           != NULL;
}

static LossForm *new_loss_form(const FunctionState *state, bool plain)
{
    LossForm *form = NEW(LossForm);
    form->tensors = state->form.tensors;
    form->terms = new_terms(plain);
    return form;
}

/* Of simplified terms and of plain ones, with the same sums: of a choice that is made by
 * simplifying one side alone is met, and the other's sums are 0.  false: told. */
static bool make_loss_forms(Builder *b, FunctionState *state, const ArgValue *args, Span use,
                            const LossForm **simplified, const LossForm **as_written)
{
    LossForm *form = new_loss_form(state, false), *plain = new_loss_form(state, true);
    SumCalls calls = {0};
    *simplified = form;
    *as_written = plain;
    plain->value = evaluate_function(
        b, state, plain->terms, parameter_terms(state, plain->terms, args), use, plain, &calls);
    if (plain->value == NULL)
        return false;
    for (int k = 0; k < calls.count; k++)
        push(&form->sums, ((LossSum){NULL, plain->sums.items[k].kind}));
    for (int k = 0; k < plain->slices.count; k++)
        push(&form->slices, plain->slices.items[k]);
    form->value = evaluate_function(b, state, form->terms,
                                    parameter_terms(state, form->terms, args), use, form, &calls);
    for (int k = 0; k < calls.count; k++)
        if (form->sums.items[k].body == NULL)
            form->sums.items[k].body = number_term(form->terms, 0);
    return form->value != NULL;
}

static void check_function(Builder *b, FunctionState *state)
{
    if (state->state != NOT_CHECKED)
        return;
    state->state = ACTIVE;
    state->broken |= !describe_function(b, state);
    state->op = function_template(&state->form);
    if (!state->broken) {
        const LossForm *form, *plain;
        state->broken |= state->def->loss
                             ? !make_loss_forms(b, state, NULL, (Span){0}, &form, &plain)
                             : !is_sound_function(b, state);
    }
    state->state = CHECKED;
}

void enter_functions(Builder *b)
{
    for (int i = 0; i < b->program->functions.count; i++) {
        FunctionState *state = NEW(FunctionState);
        state->def = b->program->functions.items[i];
        if (map_get(&b->functions, state->def->name) == NULL)
            map_set(&b->functions, state->def->name, state);
    }
    for (int i = 0; i < b->program->functions.count; i++)
        check_function(b, find_state(b, b->program->functions.items[i]->name));
}

/* ---------------------------------------------------------------- uses */

bool find_function_operator(const Builder *b, const char *name, const Operator **op)
{
    const FunctionState *state = find_state(b, name);
    if (state != NULL && state->def->loss)
        state = NULL;
    *op = state != NULL && !state->broken ? state->op : NULL;
    return state != NULL;
}

static const char *numbers_text(const FunctionState *state, const ArgValue *args)
{
    Text text = {0};
    for (int i = 0; state->form.args[i].name != NULL; i++)
        text_add(&text, "%.17g ",
                 state->form.args[i].kind == ARG_BOOL ? (double)args[i].integer[0] : args[i].real);
    return format("%s", text_chars(&text));
}

static const Operator *make_operator(Builder *b, FunctionState *state, const ArgValue *args,
                                     Span use)
{
    Terms *terms = new_terms(false), *plain_terms = new_terms(true);
    bool given = state->form.args[0].name != NULL;
    const Term *value = evaluate_function(b, state, terms, parameter_terms(state, terms, args),
                                          given ? use : (Span){0}, NULL, NULL);
    if (value == NULL)
        return NULL;
    const Term *plain = evaluate_function(
        b, state, plain_terms, parameter_terms(state, plain_terms, args), (Span){0}, NULL, NULL);
    return plain == NULL ? NULL
                         : function_operator(&state->form, ++b->made_functions, terms, value,
                                             plain_terms, plain);
}

const Operator *defined_operator(Builder *b, const Operator *op, const ArgValue *args, Span use)
{
    FunctionState *state = find_state(b, op->name);
    const char *numbers = numbers_text(state, args);
    for (int i = 0; i < state->made.count; i++)
        if (state->made.items[i].numbers == numbers)
            return state->made.items[i].op;
    const Operator *made = make_operator(b, state, args, use);
    push(&state->made, ((Made){numbers, made}));
    return made;
}

/* --------------------------------------------------------------- losses */

static const FunctionState *find_loss_state(const Builder *b, const char *name)
{
    const FunctionState *state = find_state(b, name);
    return state != NULL && state->def->loss ? state : NULL;
}

bool find_own_loss(const Builder *b, const char *name, const FunctionForm **form)
{
    const FunctionState *state = find_loss_state(b, name);
    *form = state != NULL && !state->broken ? &state->form : NULL;
    return state != NULL;
}

const Operator *own_loss(Builder *b, const char *name, const ArgValue *args, int outputs, Span use)
{
    FunctionState *state = find_state(b, name);
    bool given = state->form.args[0].name != NULL;
    const LossForm *form, *plain;
    return make_loss_forms(b, state, args, given ? use : (Span){0}, &form, &plain)
               ? own_loss_operator(&state->form, outputs, form, plain)
               : NULL;
}
