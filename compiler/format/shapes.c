/* shapes.c: the one shape that is right for a line of the text.
 *
 * A line of a block is expanded at every use.  Where all uses agree its shape is
 * numbers.  Where they differ each axis is looked for among the expressions that
 * the block itself is written with (its signature first, then its arguments) and
 * the simplest multiples and fractions of its dimensions: one that is right at
 * every use is taken; when an axis has none, the line has no shape to show.
 */
#include "format/rows.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef LIST(const StmtUse *) Uses;

typedef struct Terms {
    const BlockDef *block;
    const ExprList *terms;
} Terms;

struct ShapeNotes {
    Uses stmts;                    /* by the statement's position, then in order of expansion */
    LIST(const BlockUse *) blocks; /* by instance */
    LIST(Terms) terms;             /* of the blocks that were asked for */
};

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
    case EXPR_FLOAT:
    case EXPR_BOOL:
    case EXPR_TEXT:
    case EXPR_CHARS:
    case EXPR_INDEX:
    case EXPR_SLICE:
    case EXPR_LIST:
    case EXPR_UNARY:
    case EXPR_CONDITIONAL:
    case EXPR_ANY:
    case EXPR_ERROR:
        return false;
    }
    switch (expr->op) {
    case EXPR_ADD:
        *value = left + right;
        return true;
    case EXPR_SUBTRACT:
        *value = left - right;
        return true;
    case EXPR_MULTIPLY:
        *value = left * right;
        return true;
    case EXPR_DIVIDE:
        *value = left / right;
        return right != 0;
    case EXPR_FLOOR_DIVIDE:
        *value = __builtin_floor(left / right);
        return right != 0;
    case EXPR_MODULO:
    case EXPR_NEGATE:
    case EXPR_NOT:
    case EXPR_EQUAL:
    case EXPR_NOT_EQUAL:
    case EXPR_LESS:
    case EXPR_LESS_EQUAL:
    case EXPR_GREATER:
    case EXPR_GREATER_EQUAL:
    case EXPR_AND:
    case EXPR_OR:
        return false;
    }
    unreachable();
}

static bool evaluate_call(const Expr *expr, const BlockUse *use, double *value)
{
    bool up = !strcmp(expr->word, "ceil"), down = !strcmp(expr->word, "floor");
    if ((!up && !down) || expr->arguments.count != 1
        || !evaluate_term(expr->arguments.items[0].value, use, value))
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
        for (const ShapeExpr *shape = stmt->shape; shape; shape = shape->next)
            collect_list(&shape->dims, terms);
        collect_body(stmt->body, terms);
        collect_body(stmt->other, terms);
    }
}

/* Its names, its signature, then its arguments: collected once. */
static const ExprList *terms_of(ShapeNotes *notes, const BlockDef *block)
{
    for (int i = 0; i < notes->terms.count; i++)
        if (notes->terms.items[i].block == block)
            return notes->terms.items[i].terms;
    ExprList *made = NEW(ExprList);
    push(&notes->terms, ((Terms){block, made}));
    for (const ShapeExpr *shape = block->in; shape; shape = shape->next)
        collect_list(&shape->dims, made);
    for (int i = 0; i < block->params.count; i++) {
        Expr *name = NEW(Expr);
        *name = (Expr){.kind = EXPR_PATH,
                       .word = block->params.items[i].name,
                       .span = block->params.items[i].span};
        push(made, name);
    }
    for (const ShapeExpr *shape = block->out; shape; shape = shape->next)
        collect_list(&shape->dims, made);
    collect_body(block->body, made);
    return made;
}

/* ---- one axis over all uses */

static int compare_instances(const void *left, const void *right)
{
    const BlockUse *a = *(const BlockUse *const *)left, *b = *(const BlockUse *const *)right;
    return ((uintptr_t)a->instance > (uintptr_t)b->instance)
           - ((uintptr_t)a->instance < (uintptr_t)b->instance);
}

/* The use of a block that a statement's expansion belongs to; NULL: the network's own. */
static const BlockUse *block_use(const ShapeNotes *notes, const Instance *instance)
{
    while (instance && instance->iteration >= 0)
        instance = instance->outer;
    const BlockUse key = {.instance = instance}, *wanted = &key;
    const BlockUse **found =
        instance && notes->blocks.count
            ? bsearch(&wanted, notes->blocks.items, (size_t)notes->blocks.count,
                      sizeof *notes->blocks.items, compare_instances)
            : NULL;
    return found ? *found : NULL;
}

typedef struct Factor {
    Int by;
    const char *before, *after;
} Factor;

/* Whether value == scale(term), at this use. */
static bool fits_use(const ShapeNotes *notes, const StmtUse *use, int axis, const Expr *term,
                     Factor factor)
{
    const BlockUse *block = block_use(notes, use->instance);
    double value, actual = (double)use->out->shape.dim[axis];
    if (!block || !evaluate_term(term, block, &value))
        return false;
    if (factor.by > 0)
        return value * (double)factor.by == actual;
    double quotient = value / (double)-factor.by;
    return (factor.before[0] == 'c' ? __builtin_ceil(quotient) : quotient) == actual;
}

static bool fits_all(const ShapeNotes *notes, const Uses *uses, int axis, const Expr *term,
                     Factor factor)
{
    for (int i = 0; i < uses->count; i++)
        if (!fits_use(notes, uses->items[i], axis, term, factor))
            return false;
    return true;
}

static const char *term_text(const Expr *term)
{
    const Span *span = &term->span;
    if (span->line != span->end_line)
        return NULL;
    return format("%.*s", span->end_column - span->column,
                  span->source->chars + span->source->line_starts[span->line - 1] + span->column
                      - 1);
}

static bool is_name(const Expr *term)
{
    return term->kind == EXPR_PATH;
}

/* The signature's own expression for an axis is what a reader looks for first. */
static const char *signature_axis(const ShapeNotes *notes, const BlockDef *block, const Uses *uses,
                                  int axis)
{
    const ShapeExpr *sides[] = {block->in, block->out};
    for (int i = 0; i < 2; i++)
        for (const ShapeExpr *side = sides[i]; side; side = side->next)
            if (axis < side->dims.count
                && fits_all(notes, uses, axis, side->dims.items[axis], (Factor){1, "", ""}))
                return term_text(side->dims.items[axis]);
    return NULL;
}

/* A term as it stands, then names doubled, halved, and so on. */
static const char *axis_text(ShapeNotes *notes, const BlockDef *block, const Uses *uses, int axis)
{
    static const Factor factors[] = {{2, "2*", ""},        {4, "4*", ""},  {-2, "", "/2"},
                                     {-2, "ceil(", "/2)"}, {-4, "", "/4"}, {-4, "ceil(", "/4)"}};
    const char *own = signature_axis(notes, block, uses, axis);
    if (own)
        return own;
    const ExprList *terms = terms_of(notes, block);
    for (int i = 0; i < terms->count; i++)
        if (fits_all(notes, uses, axis, terms->items[i], (Factor){1, "", ""})
            && term_text(terms->items[i]))
            return term_text(terms->items[i]);
    for (size_t k = 0; k < sizeof factors / sizeof *factors; k++)
        for (int i = 0; i < terms->count; i++)
            if (is_name(terms->items[i])
                && fits_all(notes, uses, axis, terms->items[i], factors[k]))
                return format("%s%s%s", factors[k].before, terms->items[i]->word, factors[k].after);
    return NULL;
}

static bool axis_agrees(const Uses *uses, int axis)
{
    for (int i = 1; i < uses->count; i++)
        if (uses->items[i]->out->shape.dim[axis] != uses->items[0]->out->shape.dim[axis])
            return false;
    return true;
}

static const char *shape_at_uses(ShapeNotes *notes, const Uses *uses)
{
    Text text = {0};
    const BlockUse *first = block_use(notes, uses->items[0]->instance);
    int rank = uses->items[0]->out->shape.rank;
    for (int i = 1; i < uses->count; i++)
        if (uses->items[i]->out->shape.rank != rank)
            return NULL;
    for (int axis = 0; axis < rank; axis++) {
        const char *value = axis_agrees(uses, axis)
                                ? format("%lld", uses->items[0]->out->shape.dim[axis])
                            : first ? axis_text(notes, first->def, uses, axis)
                                    : NULL;
        if (!value)
            return NULL;
        text_add(&text, "%s%s", axis ? ", " : "", value);
    }
    return format("[%s]", text_chars(&text));
}

/* Of a statement that gives several tensors a shape for each. */
static const char *shapes_at_uses(ShapeNotes *notes, const Uses *uses)
{
    Text text = {0};
    int count = count_carried(uses->items[0]->all_out);
    for (int i = 0; i < uses->count; i++)
        if (count_carried(uses->items[i]->all_out) != count)
            return NULL;
    for (int part = 0; part < count; part++) {
        Uses of = {0};
        for (int i = 0; i < uses->count; i++) {
            StmtUse *use = NEW(StmtUse);
            *use = *uses->items[i];
            use->out = carried_part((Tensor *)use->all_out, part);
            push(&of, use);
        }
        const char *shape = shape_at_uses(notes, &of);
        if (!shape)
            return NULL;
        text_add(&text, "%s%s", part ? ", " : "", shape);
    }
    return text_chars(&text);
}

/* ---- by position */

static int compare_starts(Span a, Span b)
{
    if (a.source != b.source)
        return a.source->order < b.source->order ? -1 : 1;
    return a.line != b.line ? a.line - b.line : a.column - b.column;
}

static int compare_uses(const void *left, const void *right)
{
    const StmtUse *a = *(const StmtUse *const *)left, *b = *(const StmtUse *const *)right;
    int order = compare_starts(a->stmt->keyword, b->stmt->keyword);
    return order ? order : (a > b) - (a < b);
}

ShapeNotes *note_shapes(const Trace *trace)
{
    ShapeNotes *notes = NEW(ShapeNotes);
    for (int i = 0; i < trace->stmts.count; i++)
        push(&notes->stmts, &trace->stmts.items[i]);
    for (int i = 0; i < trace->blocks.count; i++)
        push(&notes->blocks, &trace->blocks.items[i]);
    if (notes->stmts.count)
        qsort(notes->stmts.items, (size_t)notes->stmts.count, sizeof *notes->stmts.items,
              compare_uses);
    if (notes->blocks.count)
        qsort(notes->blocks.items, (size_t)notes->blocks.count, sizeof *notes->blocks.items,
              compare_instances);
    return notes;
}

StmtUses uses_at(const ShapeNotes *notes, Span at)
{
    int low = 0, high = notes->stmts.count;
    if (!high)
        return (StmtUses){0};
    while (low < high) {
        int middle = (low + high) / 2;
        if (compare_starts(notes->stmts.items[middle]->stmt->keyword, at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    StmtUses uses = {notes->stmts.items + low, 0};
    while (low + uses.count < notes->stmts.count
           && !compare_starts(uses.items[uses.count]->stmt->keyword, at))
        uses.count++;
    return uses;
}

const char *noted_shape(ShapeNotes *notes, Span at)
{
    Uses uses = {0};
    StmtUses found = uses_at(notes, at);
    for (int i = 0; i < found.count; i++) {
        StmtKind kind = found.items[i]->stmt->kind;
        if (!found.items[i]->out || kind == STMT_LET || kind == STMT_OUTPUT)
            return NULL;
        push(&uses, found.items[i]);
    }
    return uses.count ? shapes_at_uses(notes, &uses) : NULL;
}
