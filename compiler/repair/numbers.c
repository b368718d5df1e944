/* numbers.c: edits of numbers.  Channels are solved for: the wanted size, what
 * it lacks, or in proportion.  Of what belongs to a window only a few values are
 * usual, and those are tried.
 */
#include "repair/repair.h"

#include <string.h>

enum { MOST_VALUES = 12 };

typedef struct Values { int64_t items[MOST_VALUES]; int count; } Values;

static void add_value(Values *values, int64_t value, int64_t current)
{
    for (int i = 0; i < values->count; i++)
        if (values->items[i] == value)
            return;
    if (value >= 0 && value <= INT32_MAX && value != current && values->count < MOST_VALUES)
        values->items[values->count++] = value;
}

const char *outcome(const Diagnostic *fault)
{
    if (fault->sized && fault->wanted.rank == 1 && fault->wanted.dim[0] > 0)
        return format("gives %lld", (long long)fault->wanted.dim[0]);
    return "makes the shapes fit";
}

/* What a size of `current` would be if the fault's axes had the wanted ones. */
static Values solved(const Diagnostic *fault, int64_t current)
{
    Values values = {0};
    for (int axis = 0; fault->sized && axis < fault->wanted.rank; axis++) {
        int64_t actual = fault->actual.dim[axis], wanted = fault->wanted.dim[axis], scaled;
        if (wanted <= 0 || actual == wanted)
            continue;
        if (fault->actual.rank == fault->wanted.rank && actual > 0 && !__builtin_mul_overflow(current, wanted, &scaled) &&
            scaled % actual == 0)
            add_value(&values, scaled / actual, current);
        add_value(&values, wanted, current);
        if (current + (wanted - actual) > 0)
            add_value(&values, current + (wanted - actual), current);
    }
    return values;
}

static Values listed(const int64_t *numbers, int count, int64_t current)
{
    Values values = {0};
    for (int i = 0; i < count; i++)
        add_value(&values, numbers[i], current);
    return values;
}

/* ----------------------------------------------------- a written number */

/* The table's row that an argument fills: by name, or by its place. */
static const ArgSpec *spec_of(const Operator *op, const ArgList *arguments, int at)
{
    int positional = 0;
    for (int i = 0; i < at; i++)
        positional += arguments->items[i].name == NULL;
    for (const ArgSpec *spec = op->args; spec && spec->name; spec++) {
        if (arguments->items[at].name ? strcmp(spec->name, arguments->items[at].name) == 0 : spec->positional && positional-- == 0)
            return spec;
    }
    return NULL;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static const char *const channel_names[] = {"out_channels", "out_features", NULL};
static const char *const window_names[] = {"kernel_size", "stride", "dilation", "scale_factor", "output_size", "groups", NULL};

/* Whether only rows and columns are wrong, or only channels: then the numbers
 * that have nothing to do with those are left alone. */
static bool concerns(const Diagnostic *fault, bool channels)
{
    if (!fault->sized || fault->actual.rank != 3 || fault->wanted.rank != 3)
        return true;
    for (int axis = channels ? 0 : 1; axis < (channels ? 1 : 3); axis++)
        if (fault->wanted.dim[axis] > 0 && fault->wanted.dim[axis] != fault->actual.dim[axis])
            return true;
    return false;
}

static Values window_values(const Diagnostic *fault, const Operator *op, const char *name, int64_t current)
{
    static const int64_t kernels[] = {3, 5, 7, 2, 4, 1}, steps[] = {1, 2, 3, 4}, divisors[] = {1, 2, 4, 8};
    Values values = {0};
    if (!concerns(fault, false) && strcmp(name, "groups") != 0)
        return values;
    if (strcmp(name, "kernel_size") == 0)
        return listed(kernels, operator_arg(op, "out_channels") >= 0 ? 6 : 5, current);     /* no pool of 1 */
    if (strcmp(name, "output_size") == 0)
        return solved(fault, current);
    return strcmp(name, "groups") == 0 ? listed(divisors, 4, current) : listed(steps, 4, current);
}

const char *edited_call(const Expr *call, const EditList *edits)
{
    Span all = call->span;
    Text text = {0};
    const char *line = all.source->chars + all.source->line_starts[all.line - 1];
    int column = all.column;
    for (int i = 0; i < edits->count; i++) {
        Span at = edits->items[i].at;
        if (at.line != all.line || at.end_line != all.line || all.end_line != all.line)
            return NULL;
        text_add(&text, "%.*s%s", at.column - column, line + column - 1, edits->items[i].text);
        column = at.end_column;
    }
    text_add(&text, "%.*s on line %d", all.end_column - column, line + column - 1, all.line);
    return text_chars(&text);
}

Candidate *add_candidate(CandidateList *candidates, Size size, int distance, Span at, const char *replacement, const char *text)
{
    Candidate candidate = { .size = size, .distance = distance, .text = text };
    push(&candidate.edits, ((Edit){at, replacement}));
    push(candidates, candidate);
    return &candidates->items[candidates->count - 1];
}

/* "conv2d(32, 5) on line 8 gives 512" */
static void propose(const Diagnostic *fault, const Site *site, Size size, Span at, const char *replacement,
                    CandidateList *candidates)
{
    EditList edits = {0};
    push(&edits, ((Edit){at, replacement}));
    const char *means = size == SIZE_ASSERTED_INPUT ? "says what arrives" : outcome(fault);
    const char *call = edited_call(site->stmt->call, &edits);
    if (call)
        add_candidate(candidates, size, site->distance, at, replacement, format("%s %s", call, means))->call = site->stmt->call;
}

static void propose_values(const Diagnostic *fault, const Site *site, Size size, Span at, const Values *values,
                           CandidateList *candidates)
{
    for (int i = 0; i < values->count; i++)
        propose(fault, site, size, at, format("%lld", (long long)values->items[i]), candidates);
}

/* ------------------------------------------------------------- padding */

/* Half the window keeps the size at stride 1. */
static Values paddings(const Site *site, int64_t current)
{
    Values values = {0};
    const ArgList *arguments = &site->stmt->call->arguments;
    for (int i = 0; i < arguments->count; i++) {
        const ArgSpec *spec = spec_of(site->op, arguments, i);
        const Expr *value = arguments->items[i].value;
        if (spec && strcmp(spec->name, "kernel_size") == 0 && value->kind == EXPR_INT)
            add_value(&values, value->integer / 2, current);
    }
    for (int64_t padding = 0; padding <= 3; padding++)
        add_value(&values, padding, current);
    return values;
}

static bool is_given(const Site *site, const char *name)
{
    const ArgList *arguments = &site->stmt->call->arguments;
    for (int i = 0; i < arguments->count; i++) {
        const ArgSpec *spec = spec_of(site->op, arguments, i);
        if (!spec || strcmp(spec->name, name) == 0)
            return true;
    }
    return false;
}

/* An argument that is not given goes before the closing parenthesis. */
static void propose_absent(const Diagnostic *fault, const Site *site, Size size, const char *name, const Values *values,
                           CandidateList *candidates)
{
    const Expr *call = site->stmt->call;
    if (!call->parenthesised || operator_arg(site->op, name) < 0 || !concerns(fault, false) || is_given(site, name))
        return;
    Span at = call->span;
    at.line = at.end_line;
    at.column = --at.end_column;
    for (int i = 0; i < values->count; i++)
        propose(fault, site, size, at,
                format("%s%s=%lld", call->arguments.count ? ", " : "", name, (long long)values->items[i]), candidates);
}

/* A convolution's stride is 1 unless given, a pool's its window. */
static void propose_absent_arguments(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    static const int64_t strides[] = {2, 3, 4};
    Values padding = paddings(site, 0), stride = listed(strides, 3, 1);
    propose_absent(fault, site, SIZE_NUMBER, "padding", &padding, candidates);
    if (operator_arg(site->op, "out_channels") >= 0)
        propose_absent(fault, site, SIZE_WINDOW, "stride", &stride, candidates);
}

/* ----------------------------------------------------- written arguments */

/* What a written number could be instead; *size is how much that changes. */
static Values alternatives(const Diagnostic *fault, const Site *site, const Arg *arg, const ArgSpec *spec, Size *size)
{
    int64_t current = arg->value->kind == EXPR_INT ? arg->value->integer : -1;
    bool faulty = compare_spans(fault->marks.items[0].at, arg->value->span) == 0;
    *size = SIZE_NUMBER;
    if (!site->op && arg->name && current <= 4) {       /* what a block calls stride, kernel or padding */
        static const int64_t small[] = {1, 2, 0, 3, 4};
        *size = SIZE_WINDOW;
        return listed(small, 5, current);
    }
    if (!site->op || (spec && is_one_of(spec->name, channel_names)))
        return concerns(fault, true) || !site->op ? solved(fault, current) : (Values){0};
    if (!spec)
        return (Values){0};
    if (spec->assertion) {
        *size = SIZE_ASSERTED_INPUT;
        return faulty && fault->sized ? listed(fault->actual.dim, 1, current) : (Values){0};
    }
    if (strcmp(spec->name, "padding") == 0)
        return concerns(fault, false) ? paddings(site, current) : (Values){0};
    *size = SIZE_WINDOW;
    return is_one_of(spec->name, window_names) ? window_values(fault, site->op, spec->name, current) : (Values){0};
}

void propose_numbers(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    const Expr *call = site->stmt->kind == STMT_CALL ? site->stmt->call : NULL;
    for (int i = 0; call && i < call->arguments.count; i++) {
        const Arg *arg = &call->arguments.items[i];
        Size size;
        if (arg->value->kind != EXPR_INT && arg->value->kind != EXPR_LIST)
            continue;
        Values values = alternatives(fault, site, arg, site->op ? spec_of(site->op, &call->arguments, i) : NULL, &size);
        propose_values(fault, site, size, arg->value->span, &values, candidates);
    }
    if (site->op)
        propose_absent_arguments(fault, site, candidates);
}
