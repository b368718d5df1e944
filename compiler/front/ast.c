/* ast.c: makes the tree and dumps it.  The dump has one node a line, with its
 * span, so that a golden test shows every one that later messages rest on. */
#include "front/front.h"

#include <stdlib.h>
#include <string.h>

/* ---- constructors */

Expr *new_expr(ExprKind kind, Span span)
{
    Expr *expr = NEW(Expr);
    expr->kind = kind;
    expr->span = span;
    return expr;
}

Expr *number_expr(const Token *token, ExprKind kind)
{
    Expr *expr = new_expr(kind, token->span);
    expr->integer = token->integer;
    expr->real = token->real;
    return expr;
}

/* `target=input`: the word, where a name may stand. */
Expr *input_expr(Span span)
{
    Expr *expr = new_expr(EXPR_PATH, span);
    expr->word = intern("input");
    expr->word_span = span;
    return expr;
}

Expr *word_expr(const Token *token, ExprKind kind)
{
    Expr *expr = new_expr(kind, token->span);
    expr->word = token->word;
    expr->word_span = token->span;
    return expr;
}

Expr *bool_expr(const Token *token, bool value)
{
    Expr *expr = new_expr(EXPR_BOOL, token->span);
    expr->integer = value;
    return expr;
}

Expr *unary_expr(ExprOperator operator, Expr * left, Span span)
{
    Expr *expr = new_expr(EXPR_UNARY, span);
    expr->op = operator;
    expr->left = left;
    return expr;
}

Expr *binary_expr(ExprOperator operator, Expr * left, Expr *right, Span span)
{
    Expr *expr = new_expr(EXPR_BINARY, span);
    expr->op = operator;
    expr->left = left;
    expr->right = right;
    return expr;
}

Expr *conditional_expr(Expr *left, Expr *condition, Expr *right, Span span)
{
    Expr *expr = new_expr(EXPR_CONDITIONAL, span);
    expr->left = left;
    expr->condition = condition;
    expr->right = right;
    return expr;
}

Expr *call_expr(const Token *name, const ArgList *arguments, Span span)
{
    Expr *expr = word_expr(name, EXPR_CALL);
    expr->span = span;
    expr->parenthesised = arguments != NULL;
    if (arguments)
        expr->arguments = *arguments;
    return expr;
}

Expr *index_expr(const Token *name, const ExprList *subscripts, Span span)
{
    Expr *expr = word_expr(name, EXPR_INDEX);
    expr->span = span;
    expr->items = *subscripts;
    return expr;
}

Expr *slice_expr(Expr *from, Expr *to, Expr *step, Span span)
{
    Expr *expr = new_expr(EXPR_SLICE, span);
    expr->left = from;
    expr->right = to;
    expr->condition = step;
    return expr;
}

Expr *items_expr(ExprKind kind, const ExprList *items, Span span)
{
    Expr *expr = new_expr(kind, span);
    expr->items = *items;
    return expr;
}

ShapeExpr *new_shape(const ExprList *dims, Span span)
{
    ShapeExpr *shape = NEW(ShapeExpr);
    shape->span = span;
    shape->dims = *dims;
    return shape;
}

ShapeExpr *with_shape(ShapeExpr *first, ShapeExpr *more)
{
    first->next = more;
    return first;
}

int count_shapes(const ShapeExpr *shape)
{
    int count = 0;
    for (; shape; shape = shape->next)
        count++;
    return count;
}

Span shapes_span(const ShapeExpr *shape)
{
    Span span = shape->span;
    for (; shape->next; shape = shape->next)
        span = span_between(span, shape->next->span);
    return shape->name ? span_between(span, shape->name_span) : span;
}

Stmt *new_stmt(StmtKind kind, Span keyword, Span span)
{
    Stmt *stmt = NEW(Stmt);
    stmt->kind = kind;
    stmt->keyword = keyword;
    stmt->span = span;
    return stmt;
}

Stmt *broken_stmt(Expr *as, Span span)
{
    Stmt *stmt = new_stmt(STMT_CALL, span, span);
    stmt->as = as;
    stmt->call = new_expr(EXPR_ERROR, span);
    stmt->call->word = intern("statement"); /* what a name made up for it would say */
    return stmt;
}

Body *single_body(Stmt *stmt)
{
    Body *body = NEW(Body);
    body->open = stmt->keyword;
    body->close = stmt->other ? stmt->other->close : stmt->body ? stmt->body->close : stmt->span;
    push(&body->stmts, stmt);
    return body;
}

BlockDef *new_block(const Token *name, const ParamList *params, ShapeExpr *in, ShapeExpr *out,
                    Body *body, Span span)
{
    BlockDef *block = NEW(BlockDef);
    block->name = name->word;
    block->name_span = name->span;
    block->span = span;
    for (int i = 0; i < params->count; i++)
        push(&block->params, params->items[i]);
    block->in = in;
    block->out = out;
    block->body = body;
    return block;
}

BlockDef *broken_block(const Token *name, Body *body, Span span)
{
    BlockDef *block = new_block(name, &(ParamList){0}, NULL, NULL, body, span);
    block->broken = true;
    return block;
}

FunctionDef *new_function(const Token *name, const ParamList *params, Expr *value, Span span)
{
    FunctionDef *function = NEW(FunctionDef);
    function->name = name->word;
    function->name_span = name->span;
    function->span = span;
    for (int i = 0; i < params->count; i++)
        push(&function->params, params->items[i]);
    function->value = value;
    return function;
}

FunctionDef *broken_function(const Token *name, Span span)
{
    FunctionDef *function = new_function(name, &(ParamList){0}, new_expr(EXPR_ERROR, span), span);
    function->broken = true;
    return function;
}

/* ---- the dump */

/* where the next line goes, and how deep */
typedef struct Outline {
    FILE *out;
    int depth;
} Outline;

/* Starts a node's line: its name, what it says, and its span. */
static void line(const Outline *dump, Span span, const char *template, ...) PRINTF(3, 4);
static void line(const Outline *dump, Span span, const char *template, ...)
{
    fprintf(dump->out, "%*s", 2 * dump->depth, "");
    va_list arguments;
    va_start(arguments, template);
    vfprintf(dump->out, template, arguments);
    va_end(arguments);
    fprintf(dump->out, "  @%d:%d-", span.line, span.column);
    if (span.end_line != span.line)
        fprintf(dump->out, "%d:", span.end_line);
    fprintf(dump->out, "%d\n", span.end_column);
}

static Outline deeper(const Outline *dump)
{
    return (Outline){dump->out, dump->depth + 1};
}

const BlockDef *find_block(const Program *program, const char *name)
{
    for (int i = 0; i < program->blocks.count; i++)
        if (!strcmp(program->blocks.items[i]->name, name))
            return program->blocks.items[i];
    return NULL;
}

const FunctionDef *find_element_function(const Program *program, const char *name)
{
    for (int i = 0; i < program->functions.count; i++)
        if (!strcmp(program->functions.items[i]->name, name))
            return program->functions.items[i];
    return NULL;
}

const char *expr_operator_text(ExprOperator operator)
{
    switch (operator) {
    case EXPR_NEGATE:
        return "-";
    case EXPR_NOT:
        return "not";
    case EXPR_ADD:
        return "+";
    case EXPR_SUBTRACT:
        return "-";
    case EXPR_MULTIPLY:
        return "*";
    case EXPR_DIVIDE:
        return "/";
    case EXPR_FLOOR_DIVIDE:
        return "//";
    case EXPR_MODULO:
        return "%";
    case EXPR_EQUAL:
        return "==";
    case EXPR_NOT_EQUAL:
        return "!=";
    case EXPR_LESS:
        return "<";
    case EXPR_LESS_EQUAL:
        return "<=";
    case EXPR_GREATER:
        return ">";
    case EXPR_GREATER_EQUAL:
        return ">=";
    case EXPR_AND:
        return "and";
    case EXPR_OR:
        return "or";
    }
    unreachable();
}

static void dump_expr(const Outline *dump, const Expr *expr);

static void dump_items(const Outline *dump, const ExprList *items)
{
    for (int i = 0; i < items->count; i++)
        dump_expr(dump, items->items[i]);
}

static void dump_arguments(const Outline *dump, const ArgList *arguments)
{
    for (int i = 0; i < arguments->count; i++) {
        Arg arg = arguments->items[i];
        Outline inner = deeper(dump);
        if (arg.name)
            line(dump, arg.name_span, "%s =", arg.name);
        dump_expr(arg.name ? &inner : dump, arg.value);
    }
}

/* The shortest text that reads back as the same number. */
static const char *real_text(double real)
{
    for (int digits = 1; digits < 17; digits++)
        if (strtod(format("%.*g", digits, real), NULL) == real)
            return format("%.*g", digits, real);
    return format("%.17g", real);
}

static void dump_named(const Outline *dump, const char *role, const Expr *expr);

static void dump_bounds(const Outline *dump, const Expr *slice)
{
    dump_named(dump, "from", slice->left);
    dump_named(dump, "to", slice->right);
    dump_named(dump, "step", slice->condition);
}

static void dump_expr(const Outline *dump, const Expr *expr)
{
    Outline inner = deeper(dump);
    switch (expr->kind) {
    case EXPR_INT:
        line(dump, expr->span, "int %lld", expr->integer);
        break;
    case EXPR_FLOAT:
        line(dump, expr->span, "float %s", real_text(expr->real));
        break;
    case EXPR_BOOL:
        line(dump, expr->span, "%s", expr->integer ? "true" : "false");
        break;
    case EXPR_PATH:
        line(dump, expr->span, "name %s", expr->word);
        break;
    case EXPR_TEXT:
        line(dump, expr->span, "text");
        dump_items(&inner, &expr->items);
        break;
    case EXPR_CHARS:
        line(dump, expr->span, "characters \"%s\"", expr->word);
        break;
    case EXPR_CALL:
        line(dump, expr->span, "call %s%s", expr->word, expr->parenthesised ? "()" : "");
        dump_arguments(&inner, &expr->arguments);
        break;
    case EXPR_INDEX:
        line(dump, expr->span, "index %s", expr->word);
        dump_items(&inner, &expr->items);
        break;
    case EXPR_SLICE:
        line(dump, expr->span, "slice");
        dump_bounds(&inner, expr);
        break;
    case EXPR_LIST:
        line(dump, expr->span, "list");
        dump_items(&inner, &expr->items);
        break;
    case EXPR_UNARY:
        line(dump, expr->span, "unary %s", expr_operator_text(expr->op));
        dump_expr(&inner, expr->left);
        break;
    case EXPR_BINARY:
        line(dump, expr->span, "binary %s", expr_operator_text(expr->op));
        dump_expr(&inner, expr->left);
        dump_expr(&inner, expr->right);
        break;
    case EXPR_CONDITIONAL:
        line(dump, expr->span, "conditional");
        dump_expr(&inner, expr->left);
        dump_expr(&inner, expr->condition);
        dump_expr(&inner, expr->right);
        break;
    case EXPR_ANY:
        line(dump, expr->span, "any");
        break;
    case EXPR_ERROR:
        line(dump, expr->span, "error");
        break;
    }
}

static void dump_shape(const Outline *dump, const char *role, const ShapeExpr *shape)
{
    Outline inner = deeper(dump);
    for (; shape; shape = shape->next) {
        line(dump, shape->span, shape->name ? "%s as %s" : "%s", role, shape->name);
        dump_items(&inner, &shape->dims);
    }
}

static void dump_named(const Outline *dump, const char *role, const Expr *expr)
{
    if (!expr)
        return;
    Outline inner = deeper(dump);
    line(dump, expr->span, "%s", role);
    dump_expr(&inner, expr);
}

static void dump_body(const Outline *dump, const char *role, const Body *body);

static const char *stmt_word(StmtKind kind)
{
    switch (kind) {
    case STMT_LET:
        return "let";
    case STMT_INPUT:
        return "input";
    case STMT_CALL:
        return "apply";
    case STMT_FROM:
        return "from";
    case STMT_REUSE:
        return "reuse";
    case STMT_OUTPUT:
        return "output";
    case STMT_ASIDE:
        return "aside";
    case STMT_BRANCH:
        return "branch";
    case STMT_SKIP:
        return "skip";
    case STMT_DENSE:
        return "dense";
    case STMT_REPEAT:
        return "repeat";
    case STMT_IF:
        return "if";
    }
    unreachable();
}

/* Every part that a statement has, in the order of its text. */
static void dump_stmt(const Outline *dump, const Stmt *stmt)
{
    Outline inner = deeper(dump);
    line(dump, stmt->span, "%s", stmt_word(stmt->kind));
    if (stmt->kind == STMT_LET)
        line(&inner, stmt->variable_span, "variable %s", stmt->variable);
    if (stmt->call)
        dump_expr(&inner, stmt->call);
    if (stmt->value)
        dump_expr(&inner, stmt->value);
    if (stmt->kind != STMT_LET && stmt->variable)
        line(&inner, stmt->variable_span, "variable %s", stmt->variable);
    if (stmt->from)
        dump_expr(&inner, stmt->from);
    if (stmt->kind == STMT_INPUT)
        dump_shape(&inner, "shape", stmt->shape);
    dump_body(&inner, "body", stmt->body);
    dump_body(&inner, stmt->kind == STMT_SKIP ? "shortcut" : "else", stmt->other);
    dump_named(&inner, "as", stmt->as);
    for (int i = 0; i < stmt->names.count; i++)
        dump_named(&inner, "gives", stmt->names.items[i]);
    if (stmt->kind != STMT_INPUT)
        dump_shape(&inner, "asserts", stmt->shape);
}

static void dump_body(const Outline *dump, const char *role, const Body *body)
{
    if (!body)
        return;
    Outline inner = deeper(dump);
    line(dump, span_between(body->open, body->close), "%s", role);
    for (int i = 0; i < body->stmts.count; i++)
        dump_stmt(&inner, body->stmts.items[i]);
}

/* "block A", or "function f of library.net", and its parameters. */
static void dump_signature(const Outline *dump, const char *word, const char *name, Span span,
                           bool library, const Param *params, int count)
{
    Outline inner = deeper(dump), innermost = deeper(&inner);
    line(dump, span, "%s %s%s%s", word, name, library ? " of " : "",
         library ? span.source->path : "");
    for (int i = 0; i < count; i++) {
        line(&inner, params[i].span, "parameter %s", params[i].name);
        if (params[i].value)
            dump_expr(&innermost, params[i].value);
    }
}

static void dump_function(const Outline *dump, const FunctionDef *function)
{
    Outline inner = deeper(dump);
    dump_signature(dump, function->loss ? "loss" : "function", function->name, function->span,
                   function->library, function->params.items, function->params.count);
    dump_expr(&inner, function->value);
}

static void dump_block(const Outline *dump, const BlockDef *block)
{
    Outline inner = deeper(dump);
    dump_signature(dump, "block", block->name, block->span, block->library, block->params.items,
                   block->params.count);
    dump_shape(&inner, "in", block->in);
    dump_shape(&inner, "out", block->out);
    dump_body(&inner, "body", block->body);
}

static void dump_train(const Outline *dump, const TrainDef *train)
{
    Outline inner = deeper(dump), innermost = deeper(&inner);
    line(dump, train->span, "train");
    for (int i = 0; i < train->settings.count; i++) {
        SettingDef setting = train->settings.items[i];
        line(&inner, setting.span, "setting %s", setting.name);
        dump_arguments(&innermost, &setting.arguments);
    }
}

void dump_ast(const Program *program, FILE *out)
{
    Outline dump = {out, 0}, inner = {out, 1};
    for (int i = 0; i < program->uses.count; i++)
        line(&dump, program->uses.items[i].span, "use %s", program->uses.items[i].path);
    for (int i = 0; i < program->blocks.count; i++)
        dump_block(&dump, program->blocks.items[i]);
    for (int i = 0; i < program->functions.count; i++)
        dump_function(&dump, program->functions.items[i]);
    if (program->network) {
        line(&dump, program->network->name_span, "network %s", program->network->name);
        dump_body(&inner, "body", program->network->body);
    }
    if (program->train)
        dump_train(&dump, program->train);
}
