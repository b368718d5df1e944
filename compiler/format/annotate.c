/* annotate.c: the inferred shape of each row, as the assertion a person would
 * have written.
 *
 * A line of a block is expanded at every use.  Where all uses agree its shape is
 * numbers.  Where they differ each axis is looked for among the expressions that
 * the block itself is written with (its signature first, then its arguments) and
 * the simplest multiples and fractions of its dimensions: one that is right at
 * every use is taken; when an axis has none, the line gets nothing.
 */
#include "format.h"

#include <string.h>

typedef struct Uses { LIST(const StmtUse *) items; } Uses;

typedef struct Annotation {
    const Trace *trace;
    const BlockDef *block;      /* whose body is walked; NULL: the network's */
    ExprList terms;             /* of the block */
    int depth;
} Annotation;

/* ---- the values of an expression at a use */

static bool evaluate_call(const Expr *expr, const BlockUse *use, double *value);

/* False: it holds something besides whole numbers and the signature's names. */
static bool evaluate_term(const Expr *expr, const BlockUse *use, double *value)
{
    double left, right;
    switch (expr->kind) {
    case EXPR_INT:
        *value = (double)expr->integer;
        return true;
    case EXPR_PATH:
        for (int i = 0; i < use->symbols.count; i++)
            if (!strcmp(use->symbols.items[i].name, expr->word)) {
                *value = (double)use->symbols.items[i].value;
                return true;
            }
        return false;
    case EXPR_CALL:
        return evaluate_call(expr, use, value);
    case EXPR_BINARY:
        if (!evaluate_term(expr->left, use, &left) || !evaluate_term(expr->right, use, &right))
            return false;
        break;
    case EXPR_FLOAT: case EXPR_BOOL: case EXPR_TEXT: case EXPR_CHARS: case EXPR_INDEX: case EXPR_LIST:
    case EXPR_UNARY: case EXPR_CONDITIONAL: case EXPR_ANY: case EXPR_ERROR:
        return false;
    }
    switch (expr->operator) {
    case EXPR_ADD:          *value = left + right; return true;
    case EXPR_SUBTRACT:     *value = left - right; return true;
    case EXPR_MULTIPLY:     *value = left * right; return true;
    case EXPR_DIVIDE:       *value = left / right; return right != 0;
    case EXPR_FLOOR_DIVIDE: *value = __builtin_floor(left / right); return right != 0;
    case EXPR_MODULO: case EXPR_NEGATE: case EXPR_NOT: case EXPR_EQUAL: case EXPR_NOT_EQUAL: case EXPR_LESS:
    case EXPR_LESS_EQUAL: case EXPR_GREATER: case EXPR_GREATER_EQUAL: case EXPR_AND: case EXPR_OR:
        return false;
    }
    unreachable();
}

static bool evaluate_call(const Expr *expr, const BlockUse *use, double *value)
{
    bool up = !strcmp(expr->word, "ceil"), down = !strcmp(expr->word, "floor");
    if ((!up && !down) || expr->arguments.count != 1 || !evaluate_term(expr->arguments.items[0].value, use, value))
        return false;
    *value = up ? __builtin_ceil(*value) : __builtin_floor(*value);
    return true;
}

/* ---- the expressions a block is written with */

static void collect_expr(const Expr *expr, ExprList *terms);

static void collect_list(const ExprList *list, ExprList *terms)
{
    for (int i = 0; i < list->count; i++)
        push(terms, list->items[i]);
}

static void collect_arguments(const ArgList *args, ExprList *terms)
{
    for (int i = 0; i < args->count; i++)
        collect_expr(args->items[i].value, terms);
}

static void collect_expr(const Expr *expr, ExprList *terms)
{
    if (expr->kind == EXPR_BINARY || expr->kind == EXPR_PATH)
        push(terms, (Expr *)expr);
    collect_arguments(&expr->arguments, terms);
}

static void collect_body(const Body *body, ExprList *terms)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        if (stmt->call)
            collect_arguments(&stmt->call->arguments, terms);
        if (stmt->shape)
            collect_list(&stmt->shape->dims, terms);
        collect_body(stmt->body, terms);
        collect_body(stmt->other, terms);
    }
}

/* Its names, its signature, then its arguments. */
static ExprList terms_of(const BlockDef *block)
{
    ExprList terms = {0}, *made = &terms;
    if (block->in)
        collect_list(&block->in->dims, made);
    for (int i = 0; i < block->params.count; i++) {
        Expr *name = NEW(Expr);
        *name = (Expr){.kind = EXPR_PATH, .word = block->params.items[i].name, .span = block->params.items[i].span};
        push(made, name);
    }
    if (block->out)
        collect_list(&block->out->dims, made);
    collect_body(block->body, made);
    return terms;
}

/* ---- one axis over all uses */

static const BlockUse *block_use(const Annotation *a, const Instance *instance)
{
    while (instance && instance->turn >= 0)
        instance = instance->outer;
    for (int i = 0; i < a->trace->blocks.count; i++)
        if (a->trace->blocks.items[i].instance == instance)
            return &a->trace->blocks.items[i];
    return NULL;
}

typedef struct Factor { int64_t by; const char *before, *after; } Factor;

/* Whether value == scale(term), at this use. */
static bool fits_use(const Annotation *a, const StmtUse *use, int axis, const Expr *term, Factor factor)
{
    const BlockUse *block = block_use(a, use->instance);
    double value, actual = (double)use->out->shape.dim[axis];
    if (!block || !evaluate_term(term, block, &value))
        return false;
    if (factor.by > 0)
        return value * (double)factor.by == actual;
    double quotient = value / (double)-factor.by;
    return (factor.before[0] == 'c' ? __builtin_ceil(quotient) : quotient) == actual;
}

static bool fits_all(const Annotation *a, const Uses *uses, int axis, const Expr *term, Factor factor)
{
    for (int i = 0; i < uses->items.count; i++)
        if (!fits_use(a, uses->items.items[i], axis, term, factor))
            return false;
    return true;
}

static const char *term_text(const Expr *term)
{
    const Span *span = &term->span;
    if (span->line != span->end_line)
        return NULL;
    return format("%.*s", span->end_column - span->column,
                  span->source->chars + span->source->line_starts[span->line - 1] + span->column - 1);
}

static bool is_name(const Expr *term)
{
    return term->kind == EXPR_PATH;
}

/* The signature's own expression for an axis is what a reader looks for first. */
static const char *signature_axis(const Annotation *a, const Uses *uses, int axis)
{
    const ShapeExpr *sides[] = {a->block->in, a->block->out};
    for (int i = 0; i < 2; i++)
        if (sides[i] && axis < sides[i]->dims.count
            && fits_all(a, uses, axis, sides[i]->dims.items[axis], (Factor){1, "", ""}))
            return term_text(sides[i]->dims.items[axis]);
    return NULL;
}

/* A term as it stands, then names doubled, halved, and so on. */
static const char *axis_text(const Annotation *a, const Uses *uses, int axis)
{
    static const Factor factors[] = {{2, "2*", ""}, {4, "4*", ""}, {-2, "", "/2"}, {-2, "ceil(", "/2)"}, {-4, "", "/4"},
                                     {-4, "ceil(", "/4)"}};
    const char *own = signature_axis(a, uses, axis);
    if (own)
        return own;
    for (int i = 0; i < a->terms.count; i++)
        if (fits_all(a, uses, axis, a->terms.items[i], (Factor){1, "", ""}) && term_text(a->terms.items[i]))
            return term_text(a->terms.items[i]);
    for (size_t k = 0; k < sizeof factors / sizeof *factors; k++)
        for (int i = 0; i < a->terms.count; i++)
            if (is_name(a->terms.items[i]) && fits_all(a, uses, axis, a->terms.items[i], factors[k]))
                return format("%s%s%s", factors[k].before, a->terms.items[i]->word, factors[k].after);
    return NULL;
}

static bool axis_agrees(const Uses *uses, int axis)
{
    for (int i = 1; i < uses->items.count; i++)
        if (uses->items.items[i]->out->shape.dim[axis] != uses->items.items[0]->out->shape.dim[axis])
            return false;
    return true;
}

static const char *shape_at_uses(const Annotation *a, const Uses *uses)
{
    Text text = {0};
    int rank = uses->items.items[0]->out->shape.rank;
    for (int i = 1; i < uses->items.count; i++)
        if (uses->items.items[i]->out->shape.rank != rank)
            return NULL;
    for (int axis = 0; axis < rank; axis++) {
        const char *value = axis_agrees(uses, axis) ? format("%lld", (long long)uses->items.items[0]->out->shape.dim[axis])
                          : a->block ? axis_text(a, uses, axis) : NULL;
        if (!value)
            return NULL;
        text_add(&text, "%s%s", axis ? ", " : "", value);
    }
    return format("-> [%s]", text_chars(&text));
}

/* ---- statements */

static Uses uses_of(const Annotation *a, const Token *first)
{
    Uses uses = {0};
    for (int i = 0; i < a->trace->stmts.count; i++) {
        const StmtUse *use = &a->trace->stmts.items[i];
        const Span *at = &use->stmt->keyword;
        if (at->line != first->span.line || at->column != first->span.column || at->source->path != first->span.source->path
            || use->stmt->kind == STMT_LET || use->stmt->kind == STMT_INPUT)
            continue;
        if (!use->out)
            return (Uses){0};
        push(&uses.items, use);
    }
    return uses;
}

static void annotate_body(Annotation *a, Rows *rows)
{
    for (int i = 0; i < rows->rows.count; i++) {
        Row *row = &rows->rows.items[i];
        for (int k = 0; k < row->statements.count; k++) {
            Statement *statement = row->statements.items[k];
            for (int p = 0; p < statement->parts.count; p++)
                if (statement->parts.items[p].body && statement->parts.items[p].body->broken)
                    annotate_body(a, statement->parts.items[p].body);
        }
        Statement *last = row->statements.count ? row->statements.items[row->statements.count - 1] : NULL;
        if (!last || last->shape < last->parts.count)
            continue;
        Uses uses = uses_of(a, last->parts.items[0].word);
        last->inferred = uses.items.count ? shape_at_uses(a, &uses) : NULL;
        row->marked = last->inferred != NULL;
    }
}

static const BlockDef *block_at(const Program *program, const Token *first)
{
    for (int i = 0; i < program->blocks.count; i++) {
        const BlockDef *def = program->blocks.items[i];
        if (!def->library && def->span.line == first->span.line && def->span.column == first->span.column)
            return def;
    }
    return NULL;
}

void annotate_rows(Rows *rows, const Program *program, const Trace *trace)
{
    for (int i = 0; i < rows->rows.count; i++)
        for (int k = 0; k < rows->rows.items[i].statements.count; k++) {
            Statement *section = rows->rows.items[i].statements.items[k];
            Annotation a = {.trace = trace, .block = block_at(program, section->parts.items[0].word)};
            if (a.block)
                a.terms = terms_of(a.block);
            for (int p = 0; p < section->parts.count; p++)
                if (section->parts.items[p].body && section->parts.items[p].body->broken)
                    annotate_body(&a, section->parts.items[p].body);
        }
}

void strip_rows(Rows *rows)
{
    for (int i = 0; i < rows->rows.count; i++) {
        Row *row = &rows->rows.items[i];
        for (int k = 0; k < row->statements.count; k++) {
            Statement *statement = row->statements.items[k];
            for (int p = 0; p < statement->parts.count; p++)
                if (statement->parts.items[p].body)
                    strip_rows(statement->parts.items[p].body);
            if (row->marked && k == row->statements.count - 1)
                statement->parts.count = statement->shape;
        }
        row->marked = false;
    }
}
