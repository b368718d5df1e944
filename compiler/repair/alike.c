/* alike.c: a window among branches.  Where all windows of a concat keep the size
 * but one, which is given no padding, it was meant to keep it too.
 */
#include "repair/search.h"

#include <string.h>

/* a call with a window, as far as numbers say it */
typedef struct Windowed {
    const Expr *call;
    Int kernel, stride, padding; /* -1: not known */
    const char *lacks;           /* the name of its padding, when that is not given; NULL: it is */
} Windowed;

typedef LIST(Windowed) WindowList;

enum Part { PART_NONE = -1, PART_KERNEL, PART_STRIDE, PART_PADDING, PART_OTHER, PARTS };

static const char *const part_names[PARTS][4] = {
    [PART_KERNEL] = {"kernel_size", "kernel", "k", NULL},
    [PART_STRIDE] = {"stride", NULL},
    [PART_PADDING] = {"padding", "pad", NULL},
    [PART_OTHER] = {"dilation", "ceil_mode", NULL},
};

/* Of a block's parameter: what people call it. */
static enum Part named_part(const char *name)
{
    for (enum Part part = 0; name && part < PARTS; part++)
        for (const char *const *one = part_names[part]; *one; one++)
            if (strcmp(name, *one) == 0)
                return part;
    return PART_NONE;
}

static enum Part operator_part(ArgRole role)
{
    switch (role) {
    case ROLE_KERNEL:
        return PART_KERNEL;
    case ROLE_STRIDE:
        return PART_STRIDE;
    case ROLE_PADDING:
        return PART_PADDING;
    case ROLE_DILATION:
    case ROLE_CEIL_MODE:
    case ROLE_OUTPUT_PADDING:
        return PART_OTHER;
    case ROLE_NONE:
    case ROLE_OUTPUT_SIZE:
    case ROLE_SCALE:
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
        return PART_NONE;
    }
    unreachable();
}

/* What a block's argument is called. */
static const char *param_name(const BlockDef *def, const ArgList *arguments, int at)
{
    if (arguments->items[at].name || at >= def->params.count)
        return arguments->items[at].name;
    return def->params.items[at].name;
}

static enum Part part_of(const Operator *op, const BlockDef *def, const ArgList *arguments, int at)
{
    if (def)
        return named_part(param_name(def, arguments, at));
    const ArgSpec *spec = op ? spec_of(op, arguments, at) : NULL;
    return spec ? operator_part(spec->role) : PART_NONE;
}

static Int number_of(const Expr *value)
{
    return value && value->kind == EXPR_INT ? value->integer : -1;
}

static bool is_same(const Expr *value)
{
    return value->kind == EXPR_PATH && strcmp(value->word, "same") == 0;
}

/* Of a block, what its parameters are unless given. */
static void read_defaults(const BlockDef *def, Int *parts, Windowed *window)
{
    for (int i = 0; i < def->params.count; i++) {
        enum Part part = named_part(def->params.items[i].name);
        if (part == PART_NONE)
            continue;
        parts[part] = number_of(def->params.items[i].value);
        if (part == PART_PADDING)
            window->lacks = def->params.items[i].name;
    }
}

/* False: it has no window. */
static bool read_window(const Program *program, const Expr *call, Windowed *window)
{
    const Operator *op = find_operator(call->word);
    const BlockDef *def = op ? NULL : find_block(program, call->word);
    Int parts[PARTS] = {-1, 1, 0, -1};
    *window = (Windowed){.call = call};
    if (def)
        read_defaults(def, parts, window);
    else if (!op || role_arg(op, ROLE_KERNEL) < 0 || role_arg(op, ROLE_PADDING) < 0)
        return false;
    else
        window->lacks = op->args[role_arg(op, ROLE_PADDING)].name;
    bool own_stride = op && strides_by_kernel(op), same = false;
    for (int i = 0; i < call->arguments.count; i++) {
        const Expr *value = call->arguments.items[i].value;
        enum Part part = part_of(op, def, &call->arguments, i);
        if (part == PART_NONE)
            continue;
        parts[part] = number_of(value);
        own_stride &= part != PART_STRIDE;
        same |= part == PART_PADDING && is_same(value);
        window->lacks = part == PART_PADDING ? NULL : window->lacks;
    }
    window->kernel = parts[PART_KERNEL];
    window->stride = own_stride ? window->kernel : parts[PART_STRIDE];
    window->padding = same ? window->kernel / 2 : parts[PART_PADDING];
    return op || window->kernel >= 0;
}

static void add_windows(const Program *program, const Body *body, WindowList *windows)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        Windowed window;
        if (stmt->kind == STMT_CALL && read_window(program, stmt->call, &window))
            push(windows, window);
        add_windows(program, stmt->body, windows);
        add_windows(program, stmt->other, windows);
    }
}

static bool keeps_size(const Windowed *window)
{
    return window->stride == 1 && window->kernel > 0 && 2 * window->padding == window->kernel - 1;
}

/* One that would, were it given its padding. */
static bool lacks_padding(const Windowed *window)
{
    return window->lacks && window->stride == 1 && window->padding == 0 && window->kernel > 1
           && window->kernel % 2 == 1;
}

static bool others_keep_size(const WindowList *windows, int odd)
{
    for (int i = 0; i < windows->count; i++)
        if (i != odd && !keeps_size(&windows->items[i]))
            return false;
    return windows->count > 1;
}

/* ------------------------------------------- a number that a parameter says */

static bool gives(const Expr *call, const BlockDef *def, Int number)
{
    if (!call || call->word != def->name)
        return false;
    for (int i = 0; i < call->arguments.count; i++) {
        const Expr *value = call->arguments.items[i].value;
        if (value->kind != EXPR_INT || value->integer == number)
            return true;
    }
    return false;
}

static bool may_give(const Body *body, const BlockDef *def, Int number)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        if (gives(stmt->call, def, number) || may_give(stmt->body, def, number)
            || may_give(stmt->other, def, number))
            return true;
    }
    return false;
}

/* Whether a use of the block may give one of its parameters this number: then it
 * is perhaps the parameter that was meant. */
static bool parameter_says(const Program *program, const BlockDef *def, Int number)
{
    for (int i = 0; def && i < def->params.count; i++)
        if (number_of(def->params.items[i].value) == number)
            return true;
    if (!def || !def->params.count)
        return false;
    for (int i = 0; i < program->blocks.count; i++)
        if (may_give(program->blocks.items[i]->body, def, number))
            return true;
    return program->network && may_give(program->network->body, def, number);
}

/* -------------------------------------------------------------- the concat */

void propose_alike(const Program *program, const Diagnostic *fault, const Site *site,
                   CandidateList *candidates)
{
    const Stmt *stmt = site->stmt;
    if (site->distance > 0 || strcmp(fault->code, "concat-mismatch") != 0 || stmt->kind != STMT_CALL
        || !stmt->body)
        return;
    WindowList windows = {0};
    add_windows(program, stmt->body, &windows);
    for (int i = 0; i < windows.count; i++) {
        const Windowed *window = &windows.items[i];
        if (!lacks_padding(window))
            continue;
        Int half = window->kernel / 2;
        Candidate *made =
            propose_argument(fault, window->call, SIZE_KEEPING, window->lacks, half, candidates);
        if (!made)
            continue;
        made->among = span_between(stmt->span, stmt->body->close);
        made->plain = others_keep_size(&windows, i) && !parameter_says(program, site->def, half);
    }
}
