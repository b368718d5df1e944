/* values.c: compile-time values.
 *
 * Whole numbers are checked 64-bit; `/` is true division, whose exact quotient
 * of two whole numbers is a whole number again (c/2 is a dimension when c is
 * even) and otherwise a real, which no dimension can be.  What cannot be
 * computed is reported here, once, and unknown from then on.
 */
#include "graph/build.h"

#include <math.h>
#include <string.h>

static const Value unknown = {.kind = VALUE_UNKNOWN};

Value int_value(Int integer)
{
    return (Value){.kind = VALUE_INT, .integer = integer};
}

static Value real_value(double real)
{
    return (Value){.kind = VALUE_REAL, .real = real};
}

static Value bool_value(bool truth)
{
    return (Value){.kind = VALUE_BOOL, .integer = truth};
}

static bool is_number(Value value)
{
    return value.kind == VALUE_INT || value.kind == VALUE_REAL;
}

static double as_real(Value value)
{
    return value.kind == VALUE_INT ? (double)value.integer : value.real;
}

/* ----------------------------------------------------- as messages say */

const char *value_kind(const Value *value)
{
    switch (value->kind) {
    case VALUE_UNKNOWN:
        return "unknown";
    case VALUE_INT:
        return "a whole number";
    case VALUE_REAL:
        return "a number";
    case VALUE_BOOL:
        return "true or false";
    case VALUE_LIST:
        return "a list";
    case VALUE_WORD:
        return "a word";
    case VALUE_TEXT:
        return "a text";
    case VALUE_APPLIES:
        return value->block != NULL             ? "a block"
               : value->op->traits & OP_DEFINED ? "a function"
                                                : "an operator";
    case VALUE_ANY:
        return "_";
    case VALUE_INIT:
        return "an initialiser";
    case VALUE_TENSOR:
        return "a tensor";
    }
    unreachable();
}

const char *value_text(const Value *value)
{
    switch (value->kind) {
    case VALUE_UNKNOWN:
        return "unknown";
    case VALUE_INT:
        return format("%lld", value->integer);
    case VALUE_REAL:
        return format("%.10g", value->real);
    case VALUE_BOOL:
        return value->integer ? "true" : "false";
    case VALUE_LIST:
        return format("a list of %d", value->list->values.count);
    case VALUE_WORD:
        return value->word;
    case VALUE_TEXT:
        return format("\"%.60s\"", value->word);
    case VALUE_INIT:
        return format("the initialiser %s", value->word);
    case VALUE_APPLIES:
        return format("the %s %s", value_kind(value) + strcspn(value_kind(value), " ") + 1,
                      value->word);
    case VALUE_ANY:
        return "_";
    case VALUE_TENSOR:
        return "a tensor";
    }
    unreachable();
}

/* Says what was wanted of a value of another kind. */
static Value wrong_kind(Builder *b, Span at, Value value, const char *wanted)
{
    if (value.kind == VALUE_WORD)
        report_unknown_word(b, value.word, at);
    else if (value.kind != VALUE_UNKNOWN)
        build_error(b, "value-type", at, "%s, not %s", wanted, value_text(&value));
    return unknown;
}

/* ----------------------------------------------------------- arithmetic */

static Value overflow(Builder *b, const Expr *expr)
{
    Diagnostic *d = build_error(b, "number", expr->span, "this value does not fit 64 bits");
    diag_note(d, "whole numbers reach from -2^63 to 2^63 - 1");
    return unknown;
}

static Value finite_value(Builder *b, const Expr *expr, double real)
{
    if (isnan(real)) {
        build_error(b, "number", expr->span, "this value is no number");
        return unknown;
    }
    return isfinite(real) ? real_value(real) : overflow(b, expr);
}

/* Quotient and remainder towards minus infinity; right is neither 0 nor -1. */
static Int floor_quotient(Int left, Int right)
{
    Int quotient = left / right;
    return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

static Value divide_ints(Builder *b, const Expr *expr, Int left, Int right)
{
    Int negated;
    if (right == -1) { /* the one quotient that overflows, and traps */
        if (expr->op == EXPR_MODULO)
            return int_value(0);
        return __builtin_sub_overflow(0, left, &negated) ? overflow(b, expr) : int_value(negated);
    }
    if (expr->op == EXPR_FLOOR_DIVIDE)
        return int_value(floor_quotient(left, right));
    if (expr->op == EXPR_MODULO)
        return int_value(left - floor_quotient(left, right) * right);
    return left % right == 0 ? int_value(left / right) : real_value((double)left / (double)right);
}

static Value int_arithmetic(Builder *b, const Expr *expr, Int left, Int right)
{
    Int result;
    bool wrong;
    if (expr->op == EXPR_ADD)
        wrong = __builtin_add_overflow(left, right, &result);
    else if (expr->op == EXPR_SUBTRACT)
        wrong = __builtin_sub_overflow(left, right, &result);
    else if (expr->op == EXPR_MULTIPLY)
        wrong = __builtin_mul_overflow(left, right, &result);
    else
        return divide_ints(b, expr, left, right);
    return wrong ? overflow(b, expr) : int_value(result);
}

static Value real_arithmetic(Builder *b, const Expr *expr, double left, double right)
{
    if (expr->op == EXPR_ADD)
        return finite_value(b, expr, left + right);
    if (expr->op == EXPR_SUBTRACT)
        return finite_value(b, expr, left - right);
    if (expr->op == EXPR_MULTIPLY)
        return finite_value(b, expr, left * right);
    if (expr->op == EXPR_DIVIDE)
        return finite_value(b, expr, left / right);
    double quotient = floor(left / right);
    return finite_value(b, expr,
                        expr->op == EXPR_FLOOR_DIVIDE ? quotient : left - quotient * right);
}

static Value arithmetic(Builder *b, const Expr *expr, Value left, Value right)
{
    const char *wanted = format("`%s` takes numbers", expr_operator_text(expr->op));
    if (!is_number(left))
        return wrong_kind(b, expr->left->span, left, wanted);
    if (!is_number(right))
        return wrong_kind(b, expr->right->span, right, wanted);
    bool divides =
        expr->op == EXPR_DIVIDE || expr->op == EXPR_FLOOR_DIVIDE || expr->op == EXPR_MODULO;
    if (divides && as_real(right) == 0) {
        build_error(b, "division", expr->right->span, "division by zero");
        return unknown;
    }
    if (left.kind == VALUE_INT && right.kind == VALUE_INT)
        return int_arithmetic(b, expr, left.integer, right.integer);
    return real_arithmetic(b, expr, as_real(left), as_real(right));
}

/* -1, 0, 1 */
static int compare_numbers(Value left, Value right)
{
    if (left.kind == VALUE_INT && right.kind == VALUE_INT)
        return (left.integer > right.integer) - (left.integer < right.integer);
    return (as_real(left) > as_real(right)) - (as_real(left) < as_real(right));
}

static Value order(Builder *b, const Expr *expr, Value left, Value right)
{
    const char *wanted = format("`%s` compares numbers", expr_operator_text(expr->op));
    if (!is_number(left))
        return wrong_kind(b, expr->left->span, left, wanted);
    if (!is_number(right))
        return wrong_kind(b, expr->right->span, right, wanted);
    int sign = compare_numbers(left, right);
    switch (expr->op) {
    case EXPR_LESS:
        return bool_value(sign < 0);
    case EXPR_LESS_EQUAL:
        return bool_value(sign <= 0);
    case EXPR_GREATER:
        return bool_value(sign > 0);
    case EXPR_GREATER_EQUAL:
        return bool_value(sign >= 0);
    case EXPR_NEGATE:
    case EXPR_NOT:
    case EXPR_ADD:
    case EXPR_SUBTRACT:
    case EXPR_MULTIPLY:
    case EXPR_DIVIDE:
    case EXPR_FLOOR_DIVIDE:
    case EXPR_MODULO:
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
    case EXPR_AND:
    case EXPR_OR:
        break;
    }
    unreachable();
}

static Value equality(Builder *b, const Expr *expr, Value left, Value right)
{
    bool equal;
    if (is_number(left) && is_number(right)) {
        equal = compare_numbers(left, right) == 0;
    } else if (left.kind == VALUE_WORD && right.kind != VALUE_WORD) {
        return wrong_kind(b, expr->left->span, left, "");
    } else if (right.kind == VALUE_WORD && left.kind != VALUE_WORD) {
        return wrong_kind(b, expr->right->span, right, "");
    } else if (left.kind != right.kind || left.kind == VALUE_LIST || left.kind == VALUE_TENSOR) {
        build_error(b, "value-type", expr->span, "%s and %s cannot be compared", value_kind(&left),
                    value_kind(&right));
        return unknown;
    } else {
        equal = left.integer == right.integer && left.word == right.word && left.op == right.op
                && left.block == right.block;
    }
    return bool_value(equal == (expr->op == EXPR_EQUAL));
}

/* `and` and `or` look at their right side only when it decides. */
static Value connective(Builder *b, const Expr *expr)
{
    int left =
        truth(b, expr->left, format("`%s` takes true or false", expr_operator_text(expr->op)));
    if (left < 0)
        return unknown;
    if (left == (expr->op == EXPR_OR))
        return bool_value(left);
    int right =
        truth(b, expr->right, format("`%s` takes true or false", expr_operator_text(expr->op)));
    return right < 0 ? unknown : bool_value(right);
}

static Value binary(Builder *b, const Expr *expr)
{
    if (expr->op == EXPR_AND || expr->op == EXPR_OR)
        return connective(b, expr);
    Value left = evaluate(b, expr->left), right = evaluate(b, expr->right);
    if (left.kind == VALUE_UNKNOWN || right.kind == VALUE_UNKNOWN)
        return unknown;
    if (expr->op == EXPR_EQUAL || expr->op == EXPR_NOT_EQUAL)
        return equality(b, expr, left, right);
    return expr->op >= EXPR_LESS ? order(b, expr, left, right) : arithmetic(b, expr, left, right);
}

static Value unary(Builder *b, const Expr *expr)
{
    if (expr->op == EXPR_NOT) {
        int operand = truth(b, expr->left, "`not` takes true or false");
        return operand < 0 ? unknown : bool_value(!operand);
    }
    Value operand = evaluate(b, expr->left);
    Int negated;
    if (!is_number(operand))
        return wrong_kind(b, expr->left->span, operand, "`-` takes a number");
    if (operand.kind == VALUE_REAL)
        return real_value(-operand.real);
    return __builtin_sub_overflow(0, operand.integer, &negated) ? overflow(b, expr)
                                                                : int_value(negated);
}

/* ------------------------------------------------------------ functions */

static Value rounded(Builder *b, const Expr *expr, double real)
{
    /* 2^63 itself is the first real that no int64 holds */
    return real >= -0x1p63 && real < 0x1p63 ? int_value((Int)real) : overflow(b, expr);
}

static Value round_number(Builder *b, const Expr *expr, Value value, double (*function)(double))
{
    return value.kind == VALUE_INT ? value : rounded(b, expr, function(value.real));
}

static Value absolute(Builder *b, const Expr *expr, Value value)
{
    if (value.kind == VALUE_REAL)
        return real_value(fabs(value.real));
    if (value.integer >= 0)
        return value;
    return value.integer == INT64_MIN ? overflow(b, expr) : int_value(-value.integer);
}

static Value extreme(const Arguments *args, int wanted)
{
    Value best = args->items[0].value;
    for (int i = 1; i < args->count; i++)
        if (compare_numbers(args->items[i].value, best) == wanted)
            best = args->items[i].value;
    return best;
}

/* Of whole numbers a whole one, where it is one. */
static Value power(Builder *b, const Expr *expr, Value base, Value exponent)
{
    Int product = 1;
    if (base.kind == VALUE_REAL || exponent.kind == VALUE_REAL || exponent.integer < 0)
        return finite_value(b, expr, pow(as_real(base), as_real(exponent)));
    for (Int square = base.integer, left = exponent.integer; left > 0; left /= 2) {
        if ((left % 2 && __builtin_mul_overflow(product, square, &product))
            || (left > 1 && __builtin_mul_overflow(square, square, &square)))
            return overflow(b, expr);
    }
    return int_value(product);
}

static const char *const function_names[] = {"ceil", "floor", "round", "min",
                                             "max",  "abs",   "pow",   NULL};

static bool is_function(const char *word)
{
    for (int i = 0; function_names[i] != NULL; i++)
        if (strcmp(word, function_names[i]) == 0)
            return true;
    return false;
}

/* round() goes to the even neighbour at .5, as Python's. */
static Value call_function(Builder *b, const Expr *expr)
{
    const Arguments *args = evaluate_arguments(b, &expr->arguments);
    const char *name = expr->word;
    bool many = strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
    bool two = strcmp(name, "pow") == 0;
    for (int i = 0; i < args->count; i++)
        if (!is_number(args->items[i].value))
            return wrong_kind(b, args->items[i].span, args->items[i].value,
                              format("`%s` takes numbers", name));
    bool named = false;
    for (int i = 0; i < args->count; i++)
        named |= args->items[i].name != NULL;
    if (named || args->count == 0 || (args->count > 1 && !many && !two)
        || (two && args->count != 2)) {
        Diagnostic *d = build_error(b, "argument-type", expr->span, "`%s` takes %s", name,
                                    many  ? "one number or more"
                                    : two ? "two numbers"
                                          : "one number");
        if (named)
            diag_help(d, "they have no names here");
        else if (two)
            diag_help(d, "pow(x, n) is x to the power n");
        return unknown;
    }
    Value first = args->items[0].value;
    if (two)
        return power(b, expr, first, args->items[1].value);
    if (many)
        return extreme(args, name[1] == 'i' ? -1 : 1);
    if (strcmp(name, "abs") == 0)
        return absolute(b, expr, first);
    return round_number(b, expr, first,
                        strcmp(name, "ceil") == 0    ? ceil
                        : strcmp(name, "floor") == 0 ? floor
                                                     : nearbyint);
}

/* ---------------------------------------------------------------- names */

static Value applies(Builder *b, const char *word)
{
    const BlockState *state = map_get(&b->blocks, word);
    const Operator *op;
    bool function = find_function_operator(b, word, &op);
    if (state == NULL && function && op == NULL)
        return unknown;
    op = function ? op : find_operator(word);
    if (state == NULL && op == NULL)
        return (Value){.kind = VALUE_WORD, .word = word};
    return (Value){.kind = VALUE_APPLIES,
                   .word = word,
                   .block = state != NULL ? state->def : NULL,
                   .op = state != NULL ? NULL : op};
}

static Value path_value(Builder *b, const Expr *expr)
{
    const Value *bound = find_value(b, expr->word);
    if (bound != NULL)
        return *bound;
    const TensorName *name = find_tensor(b, expr->word);
    if (name != NULL)
        return (Value){.kind = VALUE_TENSOR, .word = expr->word, .tensor = name->tensor};
    return applies(b, expr->word);
}

static Value text_value(Builder *b, const Expr *expr)
{
    Text text = {0};
    bool known = true;
    for (int i = 0; i < expr->items.count; i++) {
        const Expr *item = expr->items.items[i];
        Int number;
        if (item->kind == EXPR_CHARS)
            text_add(&text, "%s", item->word);
        else if (whole_number(b, item, "{ } in a text prints a whole number", &number))
            text_add(&text, "%lld", number);
        else
            known = false;
    }
    return known ? (Value){.kind = VALUE_TEXT, .word = intern(text_chars(&text))} : unknown;
}

static Value index_value(Builder *b, const Expr *expr)
{
    const Value *list = find_value(b, expr->word);
    const Expr *index = expr->items.items[0];
    Int at;
    if (list == NULL) {
        report_unknown_word(b, expr->word, expr->word_span);
        return unknown;
    }
    if (list->kind != VALUE_LIST)
        return wrong_kind(b, expr->word_span, *list, "[ ] takes an element of a list");
    if (expr->items.count > 1)
        index = expr->items.items[1];
    if (expr->items.count > 1 || index->kind == EXPR_SLICE) {
        build_error(b, "value-type", index->span, "a list is indexed by one whole number");
        return unknown;
    }
    if (!whole_number(b, index, "a list is indexed by a whole number", &at))
        return unknown;
    if (at >= 0 && at < list->list->values.count)
        return list->list->values.items[at];
    Diagnostic *d = build_error(b, "argument-range", index->span,
                                "index %lld is outside `%s`, which has %d elements", at, expr->word,
                                list->list->values.count);
    diag_caption(d, "0 to %d", list->list->values.count - 1);
    return unknown;
}

static Value list_value(Builder *b, const Expr *expr)
{
    ValueList *list = NEW(ValueList);
    bool known = true;
    for (int i = 0; i < expr->items.count; i++) {
        const Expr *part = expr->items.items[i];
        Value item = {.kind = VALUE_ANY};
        if (part->kind != EXPR_ANY)
            item = evaluate(b, part);
        if (item.kind == VALUE_WORD)
            item = wrong_kind(b, part->span, item, "");
        known &= item.kind != VALUE_UNKNOWN;
        push(&list->values, item);
    }
    return known ? (Value){.kind = VALUE_LIST, .list = list} : unknown;
}

Value find_callee(Builder *b, const Expr *call)
{
    if (call->kind == EXPR_ERROR)
        return unknown;
    const Value *bound = find_value(b, call->word);
    if (bound != NULL && bound->kind != VALUE_APPLIES && bound->kind != VALUE_UNKNOWN) {
        Diagnostic *d = build_error(b, "value-type", call->word_span,
                                    "`%s` is %s: neither an operator nor a block", call->word,
                                    value_text(bound));
        if (bound->kind == VALUE_TENSOR)
            diag_help(d, "`from %s` continues from it", call->word);
        return unknown;
    }
    Value callee = bound != NULL ? *bound : applies(b, call->word);
    if (callee.kind != VALUE_WORD)
        return callee;
    const TensorName *tensor = find_tensor(b, call->word);
    if (told_unknown(b, call->word, NULL, call->word_span) || may_be_broken(b, call->word))
        return unknown;
    Diagnostic *d = build_error(b, "unknown-operator", call->word_span,
                                "no operator or block is named %s", call->word);
    note_unknown(b, call->word, NULL, d);
    if (tensor != NULL)
        diag_help(d, "it is a tensor: `from %s` continues from it", call->word);
    else
        suggest_callee(b, d, call->word, call->word_span);
    return unknown;
}

/* Where nothing else has the name: `constant` is an operator, too, and taken as either. */
static bool names_initialiser(const Builder *b, const char *word)
{
    return find_initialiser(word) != NULL && find_value(b, word) == NULL
           && map_get(&b->blocks, word) == NULL && find_operator(word) == NULL;
}

/* leaky_relu(0.1) as a value: the operator with these arguments already. */
static Value call_value(Builder *b, const Expr *expr)
{
    if (is_function(expr->word) && find_value(b, expr->word) == NULL)
        return call_function(b, expr);
    const Arguments *args = evaluate_arguments(b, &expr->arguments);
    if (names_initialiser(b, expr->word))
        return (Value){.kind = VALUE_INIT, .word = expr->word, .bound = args};
    Value callee = find_callee(b, expr);
    if (callee.kind == VALUE_APPLIES)
        callee.bound = joined_arguments(callee.bound, args);
    return callee;
}

static Value conditional(Builder *b, const Expr *expr)
{
    int chosen = truth(b, expr->condition, "`if` takes true or false");
    return chosen < 0 ? unknown : evaluate(b, chosen ? expr->left : expr->right);
}

static Value evaluate_kind(Builder *b, const Expr *expr)
{
    switch (expr->kind) {
    case EXPR_INT:
        return int_value(expr->integer);
    case EXPR_FLOAT:
        return finite_value(b, expr, expr->real);
    case EXPR_BOOL:
        return bool_value(expr->integer != 0);
    case EXPR_PATH:
        return path_value(b, expr);
    case EXPR_TEXT:
        return text_value(b, expr);
    case EXPR_CHARS:
        return (Value){.kind = VALUE_TEXT, .word = expr->word};
    case EXPR_CALL:
        return call_value(b, expr);
    case EXPR_INDEX:
        return index_value(b, expr);
    case EXPR_SLICE:
        unreachable(); /* within an index */
    case EXPR_LIST:
        return list_value(b, expr);
    case EXPR_UNARY:
        return unary(b, expr);
    case EXPR_BINARY:
        return binary(b, expr);
    case EXPR_CONDITIONAL:
        return conditional(b, expr);
    case EXPR_ANY:
        build_error(b, "value-type", expr->span,
                    "`_` matches a dimension of a shape; it has no value");
        return unknown;
    case EXPR_ERROR:
        return unknown;
    }
    unreachable();
}

Value evaluate(Builder *b, const Expr *expr)
{
    if (b->expression_depth == MAX_EXPRESSION_DEPTH) {
        build_error(b, "too-large", expr->span, "this value is nested more than %d levels deep",
                    MAX_EXPRESSION_DEPTH);
        return unknown;
    }
    b->expression_depth++;
    Value value = evaluate_kind(b, expr);
    b->expression_depth--;
    return value;
}

bool whole_number(Builder *b, const Expr *expr, const char *what, Int *number)
{
    Value value = evaluate(b, expr);
    if (value.kind == VALUE_INT) {
        *number = value.integer;
        return true;
    }
    if (value.kind == VALUE_REAL) {
        Diagnostic *d =
            build_error(b, "not-a-dimension", expr->span, "%s, not %s", what, value_text(&value));
        if (expr->kind == EXPR_BINARY && expr->op == EXPR_DIVIDE)
            diag_help(d, "`/` is true division; `//` rounds down, ceil(…) up");
    } else {
        wrong_kind(b, expr->span, value, what);
    }
    return false;
}

int truth(Builder *b, const Expr *expr, const char *what)
{
    Value value = evaluate(b, expr);
    if (value.kind == VALUE_BOOL)
        return value.integer != 0;
    wrong_kind(b, expr->span, value, what);
    return -1;
}

/* ------------------------------------------------------------ arguments */

/* What the first name in it is bound to; NULL: it has none. */
static Binding *origin_of(const Builder *b, const Expr *expr)
{
    Binding *origin = NULL;
    if (expr == NULL)
        return NULL;
    if (expr->kind == EXPR_PATH || expr->kind == EXPR_INDEX)
        origin = map_get(&b->frame->values, expr->word);
    if (origin == NULL && expr->kind == EXPR_BINARY)
        origin = origin_of(b, expr->left);
    return origin != NULL || expr->kind != EXPR_BINARY ? origin : origin_of(b, expr->right);
}

Arguments *evaluate_arguments(Builder *b, const ArgList *args)
{
    Arguments *values = NEW(Arguments);
    for (int i = 0; i < args->count; i++) {
        const Arg *arg = &args->items[i];
        Argument value = {arg->name, arg->name_span, arg->value->span, evaluate(b, arg->value),
                          NULL,      false};
        value.origin = origin_of(b, arg->value);
        value.bare = arg->value->kind == EXPR_PATH;
        push(values, value);
    }
    return values;
}

Arguments *joined_arguments(const Arguments *first, const Arguments *second)
{
    Arguments *all = NEW(Arguments);
    for (int i = 0; first != NULL && i < first->count; i++)
        push(all, first->items[i]);
    for (int i = 0; second != NULL && i < second->count; i++)
        push(all, second->items[i]);
    return all;
}
