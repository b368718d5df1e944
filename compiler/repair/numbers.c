/* numbers.c: edits of numbers.  Channels are solved for: the wanted size, what
 * it lacks, or in proportion.  Of what belongs to a window only a few values are
 * usual, and those are tried.
 */
#include "repair/search.h"

#include <string.h>

enum { MAX_VALUES = 12 };

typedef struct Values {
    Int items[MAX_VALUES];
    int count;
} Values;

static void add_value(Values *values, Int value, Int current)
{
    for (int i = 0; i < values->count; i++)
        if (values->items[i] == value)
            return;
    if (value >= 0 && value <= INT32_MAX && value != current && values->count < MAX_VALUES)
        values->items[values->count++] = value;
}

const char *outcome(const Diagnostic *fault)
{
    if (fault->sized && fault->wanted.rank == 1 && fault->wanted.dim[0] > 0)
        return format("gives %lld", fault->wanted.dim[0]);
    return "makes the shapes fit";
}

/* What a size of `current` would be if the fault's axes had the wanted ones. */
static Values solved(const Diagnostic *fault, Int current)
{
    Values values = {0};
    for (int axis = 0; fault->sized && axis < fault->wanted.rank; axis++) {
        Int actual = fault->actual.dim[axis], wanted = fault->wanted.dim[axis], scaled;
        if (wanted <= 0 || actual == wanted)
            continue;
        if (fault->actual.rank == fault->wanted.rank && actual > 0
            && !__builtin_mul_overflow(current, wanted, &scaled) && scaled % actual == 0)
            add_value(&values, scaled / actual, current);
        add_value(&values, wanted, current);
        if (current + (wanted - actual) > 0)
            add_value(&values, current + (wanted - actual), current);
    }
    return values;
}

static Values listed(const Int *numbers, int count, Int current)
{
    Values values = {0};
    for (int i = 0; i < count; i++)
        add_value(&values, numbers[i], current);
    return values;
}

/* ----------------------------------------------------- a written number */

const ArgSpec *spec_of(const Operator *op, const ArgList *arguments, int at)
{
    int positional = 0;
    for (int i = 0; i < at; i++)
        positional += arguments->items[i].name == NULL;
    for (const ArgSpec *spec = op->args; spec && spec->name; spec++) {
        if (arguments->items[at].name ? strcmp(spec->name, arguments->items[at].name) == 0
                                      : spec->positional && positional-- == 0)
            return spec;
    }
    return NULL;
}

bool strides_by_kernel(const Operator *op)
{
    int stride = role_arg(op, ROLE_STRIDE);
    return stride >= 0 && op->args[stride].otherwise && op->args[stride].otherwise[0] == '=';
}

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

/* Those that are usual; of a pool, for an image of twice or half the size, too. */
static Values kernels_of(const Operator *op, Int current)
{
    static const Int kernels[] = {3, 5, 7, 2, 4, 1};
    bool pool = role_arg(op, ROLE_CHANNELS) < 0;
    Values values = listed(kernels, pool ? 5 : 6, current); /* no pool of 1 */
    if (pool && current > 1)
        add_value(&values, 2 * current, current);
    if (pool && current > 3)
        add_value(&values, current / 2, current);
    return values;
}

/* Of an argument with this role, which is not padding. */
static Values role_values(const Diagnostic *fault, const Operator *op, ArgRole role, Int current)
{
    static const Int steps[] = {1, 2, 3, 4}, divisors[] = {1, 2, 4, 8}, extras[] = {0, 1, 2};
    if (role == ROLE_GROUPS)
        return listed(divisors, 4, current);
    if (!concerns(fault, false))
        return (Values){0};
    switch (role) {
    case ROLE_KERNEL:
        return kernels_of(op, current);
    case ROLE_OUTPUT_SIZE:
        return solved(fault, current);
    case ROLE_OUTPUT_PADDING:
        return listed(extras, 3, current);
    case ROLE_STRIDE:
    case ROLE_DILATION:
    case ROLE_SCALE:
        return listed(steps, 4, current);
    case ROLE_NONE:
    case ROLE_PADDING:
    case ROLE_CEIL_MODE:
    case ROLE_CHANNELS:
    case ROLE_GROUPS:
    case ROLE_AXIS:
    case ROLE_EPSILON:
    case ROLE_PER_CHANNEL:
    case ROLE_WEIGHT_NORM:
    case ROLE_STANDARDIZATION:
    case ROLE_SPECTRAL_NORM:
    case ROLE_POWER_ITERATIONS:
    case ROLE_UNIT_NORM:
        return (Values){0};
    }
    unreachable();
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

Candidate *add_candidate(CandidateList *candidates, Size size, int distance, Span at,
                         const char *replacement, const char *text)
{
    for (int i = 0; i < candidates->count; i++) {
        const EditList *edits = &candidates->items[i].edits;
        if (edits->count == 1 && compare_spans(edits->items[0].at, at) == 0
            && strcmp(edits->items[0].text, replacement) == 0)
            return &candidates->items[i];
    }
    Candidate candidate = {.size = size, .distance = distance, .text = text};
    push(&candidate.edits, ((Edit){at, replacement}));
    push(candidates, candidate);
    return &candidates->items[candidates->count - 1];
}

/* "conv2d(32, 5) on line 8 gives 512" */
static void propose(const Diagnostic *fault, const Site *site, Size size, Span at,
                    const char *replacement, CandidateList *candidates)
{
    EditList edits = {0};
    push(&edits, ((Edit){at, replacement}));
    const char *means = size == SIZE_ASSERTED_INPUT ? "says what arrives" : outcome(fault);
    const char *call = edited_call(site->stmt->call, &edits);
    if (call)
        add_candidate(candidates, size, site->distance, at, replacement,
                      format("%s %s", call, means))
            ->call = site->stmt->call;
}

static void propose_values(const Diagnostic *fault, const Site *site, Size size, Span at,
                           const Values *values, CandidateList *candidates)
{
    for (int i = 0; i < values->count; i++)
        propose(fault, site, size, at, format("%lld", values->items[i]), candidates);
}

/* ------------------------------------------------------------- padding */

static Int written_number(const Site *site, ArgRole role, Int otherwise)
{
    const ArgList *arguments = &site->stmt->call->arguments;
    for (int i = 0; i < arguments->count; i++) {
        const ArgSpec *spec = spec_of(site->op, arguments, i);
        const Expr *value = arguments->items[i].value;
        if (spec && spec->role == role)
            return value->kind == EXPR_INT && value->integer <= INT32_MAX ? value->integer : -1;
    }
    return otherwise;
}

/* What the window that is written spans; -1: none is, or no number. */
static Int written_window(const Site *site)
{
    Int kernel = written_number(site, ROLE_KERNEL, -1);
    Int dilation = written_number(site, ROLE_DILATION, 1);
    return kernel > 0 && dilation > 0 ? (kernel - 1) * dilation + 1 : -1;
}

/* Half the window keeps the size at stride 1; more than that is never meant. */
static Values paddings(const Site *site, Int current)
{
    Values values = {0};
    Int window = written_window(site), max_padding = window >= 0 && window / 2 < 3 ? window / 2 : 3;
    if (window >= 0)
        add_value(&values, window / 2, current);
    for (Int padding = 0; padding <= max_padding; padding++)
        add_value(&values, padding, current);
    return values;
}

static bool is_given(const Site *site, ArgRole role)
{
    const ArgList *arguments = &site->stmt->call->arguments;
    for (int i = 0; i < arguments->count; i++) {
        const ArgSpec *spec = spec_of(site->op, arguments, i);
        if (!spec || spec->role == role)
            return true;
    }
    return false;
}

/* Before the closing parenthesis. */
static Span end_of_arguments(const Expr *call)
{
    Span at = call->span;
    at.line = at.end_line;
    at.column = --at.end_column;
    return at;
}

static const char *argument_at_end(const Expr *call, const char *name, const char *value)
{
    return format("%s%s=%s", call->arguments.count ? ", " : "", name, value);
}

Candidate *propose_argument(const Diagnostic *fault, const Expr *call, Size size, const char *name,
                            Int value, CandidateList *candidates)
{
    if (!call->parenthesised)
        return NULL;
    EditList edits = {0};
    const char *text = argument_at_end(call, name, format("%lld", value));
    push(&edits, ((Edit){end_of_arguments(call), text}));
    const char *edited = edited_call(call, &edits);
    if (!edited)
        return NULL;
    Candidate *made = add_candidate(candidates, size, 0, edits.items[0].at, text,
                                    format("%s %s", edited, outcome(fault)));
    made->call = call;
    return made;
}

/* An argument that is not given goes before the closing parenthesis; in a block
 * with a parameter of its name, that is what it was perhaps meant to be. */
static void propose_absent(const Diagnostic *fault, const Site *site, Size size, ArgRole role,
                           const Values *values, CandidateList *candidates)
{
    const Expr *call = site->stmt->call;
    int arg = role_arg(site->op, role);
    if (!call->parenthesised || arg < 0 || !concerns(fault, false) || is_given(site, role))
        return;
    const char *name = site->op->args[arg].name;
    Span at = end_of_arguments(call);
    for (int i = 0; site->def && i < site->def->params.count; i++)
        if (strcmp(site->def->params.items[i].name, name) == 0)
            propose(fault, site, SIZE_KEEPING, at, argument_at_end(call, name, name), candidates);
    for (int i = 0; i < values->count; i++) {
        const char *value = format("%lld", values->items[i]);
        propose(fault, site, size, at, argument_at_end(call, name, value), candidates);
    }
}

/* A convolution's stride is 1 unless given, a pool's its window. */
static void propose_absent_arguments(const Diagnostic *fault, const Site *site,
                                     CandidateList *candidates)
{
    static const Int strides[] = {2, 3, 4};
    Values padding = paddings(site, 0), stride = listed(strides, 3, 1),
           extra = listed((const Int[]){1}, 1, 0);
    Int window = written_window(site);
    if (role_arg(site->op, ROLE_CHANNELS) >= 0 && window > 1 && window % 2) {
        Values half = listed((const Int[]){window / 2}, 1, 0);
        propose_absent(fault, site, SIZE_KEEPING, ROLE_PADDING, &half, candidates);
    }
    propose_absent(fault, site, SIZE_NUMBER, ROLE_PADDING, &padding, candidates);
    if (!strides_by_kernel(site->op))
        propose_absent(fault, site, SIZE_WINDOW, ROLE_STRIDE, &stride, candidates);
    propose_absent(fault, site, SIZE_WINDOW, ROLE_OUTPUT_PADDING, &extra, candidates);
}

/* ----------------------------------------------------- written arguments */

/* What a written number could be instead; *size is how much that changes. */
static Values alternatives(const Diagnostic *fault, const Site *site, const Arg *arg,
                           const ArgSpec *spec, Size *size)
{
    Int current = arg->value->kind == EXPR_INT ? arg->value->integer : -1;
    bool faulty = compare_spans(fault->marks.items[0].at, arg->value->span) == 0;
    *size = SIZE_NUMBER;
    if (!site->op && arg->name && current <= 4) { /* what a block calls stride, kernel or padding */
        static const Int small[] = {1, 2, 0, 3, 4};
        *size = SIZE_WINDOW;
        return listed(small, 5, current);
    }
    if (!site->op || (spec && spec->role == ROLE_CHANNELS))
        return concerns(fault, true) || !site->op ? solved(fault, current) : (Values){0};
    if (!spec)
        return (Values){0};
    if (spec->assertion) {
        *size = SIZE_ASSERTED_INPUT;
        return faulty && fault->sized ? listed(fault->actual.dim, 1, current) : (Values){0};
    }
    if (spec->role == ROLE_PADDING)
        return concerns(fault, false) ? paddings(site, current) : (Values){0};
    *size = SIZE_WINDOW;
    return role_values(fault, site->op, spec->role, current);
}

/* 16*5*5: as good as the number it makes. */
static bool is_constant(const Expr *value)
{
    if (value->kind == EXPR_BINARY)
        return is_constant(value->left) && is_constant(value->right);
    return value->kind == EXPR_INT;
}

/* A pool whose last window is only in part within the image. */
static void propose_whole_windows(const Diagnostic *fault, const Site *site,
                                  CandidateList *candidates)
{
    const ArgList *arguments = &site->stmt->call->arguments;
    for (int i = 1; i < arguments->count; i++) {
        const Arg *arg = &arguments->items[i];
        const ArgSpec *spec = spec_of(site->op, arguments, i);
        Span at = span_between(arguments->items[i - 1].value->span, arg->value->span);
        at.line = arguments->items[i - 1].value->span.end_line;
        at.column = arguments->items[i - 1].value->span.end_column;
        if (spec && spec->role == ROLE_CEIL_MODE && arg->value->kind == EXPR_BOOL
            && arg->value->integer)
            propose(fault, site, SIZE_KEEPING, at, "", candidates);
    }
}

void propose_numbers(const Diagnostic *fault, const Site *site, CandidateList *candidates)
{
    const Expr *call = site->stmt->kind == STMT_CALL ? site->stmt->call : NULL;
    for (int i = 0; call && i < call->arguments.count; i++) {
        const Arg *arg = &call->arguments.items[i];
        const ArgSpec *spec = site->op ? spec_of(site->op, &call->arguments, i) : NULL;
        Size size;
        bool asserted = spec && spec->assertion && is_constant(arg->value);
        if (arg->value->kind != EXPR_INT && arg->value->kind != EXPR_LIST && !asserted)
            continue;
        Values values = alternatives(fault, site, arg, spec, &size);
        propose_values(fault, site, size, arg->value->span, &values, candidates);
    }
    if (!site->op)
        return;
    propose_absent_arguments(fault, site, candidates);
    if (call)
        propose_whole_windows(fault, site, candidates);
}
