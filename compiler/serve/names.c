/* names.c: every name in a program and what it means, from the text alone.
 *
 * The walk that checks a program resolves names at each expansion; an editor
 * asks about the text, expanded or not, so the same scopes are followed here
 * once over the tree: values belong to their braces, a tensor's name to its
 * block or network, blocks to the program.  Which of several tensors of one name
 * is meant depends on the branch taken; the nearest before is taken for it.
 */
#include "serve/server.h"

#include <stdlib.h>
#include <string.h>

typedef LIST(const Definition *) Definitions;

typedef struct Namer {
    const Program *program;
    Names *names;
    Map blocks;            /* Definition, of functions too, by name: of several the first */
    Map params;            /* Definition, of all those, by param_key() */
    Definitions values;    /* that are in scope, the innermost last */
    Definitions tensors;   /* of the block or network that is walked */
    const BlockDef *block; /* NULL: the network */
    bool in_function;
} Namer;

/* ---- making */

static const Definition *define(Namer *n, Definition definition)
{
    Definition *made = NEW(Definition);
    *made = definition;
    push(&n->names->definitions, made);
    if (made->span.source)
        push(&n->names->occurrences, ((Occurrence){made->span, made, true}));
    return made;
}

static void refer(Namer *n, Span span, const Definition *definition)
{
    if (definition)
        push(&n->names->occurrences, ((Occurrence){span, definition, false}));
}

/* One of the language's own names: a definition without a place. */
static void refer_builtin(Namer *n, Span span, Definition definition)
{
    Definition *made = NEW(Definition);
    *made = definition;
    refer(n, span, made);
}

/* ---- finding */

static const Definition *find_value(const Namer *n, const char *name)
{
    for (int i = n->values.count - 1; i >= 0; i--)
        if (n->values.items[i]->name == name)
            return n->values.items[i];
    return NULL;
}

static const Definition *find_block_definition(const Namer *n, const char *name)
{
    return map_get(&n->blocks, name);
}

/* `owner`: the block or function. */
static const char *param_key(const void *owner, const char *name)
{
    return format("%p %s", owner, name);
}

static const Definition *find_param(const Namer *n, const void *owner, const char *name)
{
    return map_get(&n->params, param_key(owner, name));
}

static bool is_earlier(Span a, Span b)
{
    return compare_to_position(a, (Position){b.line, b.column}) < 0;
}

static const Definition *find_exact_tensor(const Namer *n, const char *name, Span at)
{
    const Definition *found = NULL;
    for (int i = 0; i < n->tensors.count; i++)
        if (n->tensors.items[i]->name == name
            && (!found || is_earlier(n->tensors.items[i]->span, at)))
            found = n->tensors.items[i];
    return found;
}

/* "conv.2" is iteration 2 of the list `conv`, unless something has that very name. */
static const Definition *find_tensor(const Namer *n, const char *name, Span at)
{
    const Definition *found = find_exact_tensor(n, name, at);
    const char *dot = strrchr(name, '.');
    if (found || !dot || dot[1 + strspn(dot + 1, "0123456789")])
        return found;
    return find_tensor(n, intern_range(name, (size_t)(dot - name)), at);
}

/* ---- values */

static void name_expr(Namer *n, const Expr *expr);

static void name_arguments(Namer *n, const ArgList *args, const Definition *callee)
{
    for (int i = 0; i < args->count; i++) {
        const Arg *arg = &args->items[i];
        if (arg->name && callee && callee->kind == NAME_BLOCK)
            refer(n, arg->name_span, find_param(n, callee->block, arg->name));
        if (arg->name && callee && callee->kind == NAME_FUNCTION && callee->function)
            refer(n, arg->name_span, find_param(n, callee->function, arg->name));
        if (arg->name && callee && callee->op && operator_arg(callee->op, arg->name) >= 0)
            refer_builtin(
                n, arg->name_span,
                (Definition){.kind = NAME_ARGUMENT,
                             .name = arg->name,
                             .op = callee->op,
                             .arg = &callee->op->args[operator_arg(callee->op, arg->name)]});
        name_expr(n, arg->value);
    }
}

/* Of numbers, or within a function of its tensors' elements. */
static bool is_function(const Namer *n, const char *word)
{
    for (int i = 0; n->in_function && element_function(i).name; i++)
        if (!strcmp(element_function(i).name, word))
            return true;
    static const char *const functions[] = {"ceil", "floor", "round", "min", "max", "abs", "pow"};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i], word))
            return true;
    return false;
}

/* What a word may be, in the order in which the language looks; NULL: nothing known. */
static const Definition *name_word(Namer *n, const char *word, Span span)
{
    const Definition *found = find_value(n, word);
    found = found ? found : find_tensor(n, word, span);
    found = found ? found : find_block_definition(n, word);
    refer(n, span, found);
    if (found)
        return found;
    Definition own = {.kind = NAME_OPERATOR, .name = word};
    if (is_function(n, word))
        own.kind = NAME_FUNCTION;
    else
        own.op = find_operator(word);
    if (!own.op && own.kind == NAME_OPERATOR)
        return NULL;
    refer_builtin(n, span, own);
    return n->names->occurrences.items[n->names->occurrences.count - 1].definition;
}

static void name_items(Namer *n, const ExprList *items)
{
    for (int i = 0; i < items->count; i++)
        name_expr(n, items->items[i]);
}

static void name_expr(Namer *n, const Expr *expr)
{
    if (!expr)
        return;
    const Definition *callee = NULL;
    if (expr->kind == EXPR_PATH || expr->kind == EXPR_CALL || expr->kind == EXPR_INDEX)
        callee = name_word(n, expr->word, expr->kind == EXPR_PATH ? expr->span : expr->word_span);
    name_arguments(n, &expr->arguments, callee);
    name_items(n, &expr->items);
    name_expr(n, expr->left);
    name_expr(n, expr->condition);
    name_expr(n, expr->right);
}

/* Quoted text that holds no value: its characters, and their position. */
static const char *plain_text(const Expr *expr, Span *span)
{
    if (expr->kind == EXPR_PATH) {
        *span = expr->span;
        return expr->word;
    }
    if (expr->kind != EXPR_TEXT || expr->items.count != 1
        || expr->items.items[0]->kind != EXPR_CHARS)
        return NULL;
    *span = expr->items.items[0]->span;
    return expr->items.items[0]->word;
}

static void name_source(Namer *n, const Expr *from)
{
    Span span;
    const char *word = plain_text(from, &span);
    const Definition *value = word ? find_value(n, word) : NULL;
    if (word)
        refer(n, span, value ? value : find_tensor(n, word, span));
    else if (from->kind == EXPR_LIST)
        for (int i = 0; i < from->items.count; i++)
            name_source(n, from->items.items[i]);
    else
        name_expr(n, from);
}

/* ---- statements */

static void add_tensor(Namer *n, const char *name, Span span, const Stmt *stmt)
{
    const Definition *tensor = define(
        n, (Definition){
               .kind = NAME_TENSOR, .name = name, .span = span, .block = n->block, .stmt = stmt});
    push(&n->tensors, tensor);
}

/* All of a block's tensors, before any is referred to: branches may be walked in
 * an order that is not the text's. */
static void collect_tensors(Namer *n, const Body *body)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        Span span;
        const char *name = stmt->as ? plain_text(stmt->as, &span) : NULL;
        collect_tensors(n, stmt->body);
        collect_tensors(n, stmt->other);
        if (name)
            add_tensor(n, name, span, stmt);
        for (int k = 0; k < stmt->names.count; k++)
            if ((name = plain_text(stmt->names.items[k], &span)) != NULL)
                add_tensor(n, name, span, stmt);
    }
}

static void name_body(Namer *n, const Body *body);

static void bind_value(Namer *n, NameKind kind, const Stmt *stmt)
{
    const Definition *value = define(n, (Definition){.kind = kind,
                                                     .name = stmt->variable,
                                                     .span = stmt->variable_span,
                                                     .block = n->block,
                                                     .stmt = stmt});
    push(&n->values, value);
}

static void name_stmt(Namer *n, const Stmt *stmt)
{
    int outer = n->values.count;
    Span span;
    name_expr(n, stmt->call);
    name_expr(n, stmt->value);
    if (stmt->kind == STMT_LET) {
        bind_value(n, NAME_LET, stmt);
        return;
    }
    if (stmt->from)
        name_source(n, stmt->from);
    if (stmt->variable)
        bind_value(n, NAME_LOOP, stmt);
    name_body(n, stmt->body);
    n->values.count = outer;
    name_body(n, stmt->other);
    if (stmt->as && !plain_text(stmt->as, &span))
        name_expr(n, stmt->as);
    for (int i = 0; i < stmt->names.count; i++)
        if (!plain_text(stmt->names.items[i], &span))
            name_expr(n, stmt->names.items[i]);
    for (const ShapeExpr *shape = stmt->shape; shape; shape = shape->next)
        name_items(n, &shape->dims);
}

static void name_body(Namer *n, const Body *body)
{
    int outer = n->values.count;
    for (int i = 0; body && i < body->stmts.count; i++)
        name_stmt(n, body->stmts.items[i]);
    n->values.count = outer;
}

/* ---- sections */

static void name_input(Namer *n, const BlockDef *block, const ShapeExpr *shape)
{
    for (int i = 0; i < shape->dims.count; i++) {
        const Expr *dim = shape->dims.items[i];
        if (dim->kind != EXPR_PATH || strchr(dim->word, '.') || find_value(n, dim->word)) {
            name_expr(n, dim);
            continue;
        }
        const Definition *made = define(
            n, (Definition){
                   .kind = NAME_DIMENSION, .name = dim->word, .span = dim->span, .block = block});
        push(&n->values, made);
    }
}

static void name_signature(Namer *n, const BlockDef *block)
{
    for (int i = 0; i < block->params.count; i++) {
        name_expr(n, block->params.items[i].value);
        push(&n->values, find_param(n, block, block->params.items[i].name));
    }
    for (const ShapeExpr *shape = block->in; shape; shape = shape->next)
        name_input(n, block, shape);
    for (const ShapeExpr *shape = block->out; shape; shape = shape->next)
        name_items(n, &shape->dims);
}

static void name_section(Namer *n, const BlockDef *block, const Body *body)
{
    n->block = block;
    n->values.count = n->tensors.count = 0;
    for (const ShapeExpr *shape = block ? block->in : NULL; shape; shape = shape->next)
        if (shape->name)
            add_tensor(n, shape->name, shape->name_span, NULL);
    collect_tensors(n, body);
    if (block)
        name_signature(n, block);
    name_body(n, body);
}

static void define_first(Map *definitions, const char *key, const Definition *made)
{
    if (key && !map_get(definitions, key))
        map_set(definitions, key, (void *)made);
}

static void define_param(Namer *n, const Param *param, const BlockDef *block,
                         const FunctionDef *function)
{
    const void *owner = block ? (const void *)block : function;
    const Definition *made = define(n, (Definition){.kind = NAME_PARAMETER,
                                                    .name = param->name,
                                                    .span = param->span,
                                                    .block = block,
                                                    .function = function,
                                                    .param = param});
    define_first(&n->params, param_key(owner, param->name), made);
}

static void define_functions(Namer *n)
{
    for (int i = 0; i < n->program->functions.count; i++) {
        const FunctionDef *function = n->program->functions.items[i];
        const Definition *made = define(n, (Definition){.kind = NAME_FUNCTION,
                                                        .name = function->name,
                                                        .span = function->name_span,
                                                        .function = function});
        define_first(&n->blocks, function->name, made);
        for (int k = 0; k < function->params.count; k++)
            define_param(n, &function->params.items[k], NULL, function);
    }
}

static void name_function(Namer *n, const FunctionDef *function)
{
    n->block = NULL;
    n->values.count = n->tensors.count = 0;
    for (int i = 0; i < function->params.count; i++) {
        name_expr(n, function->params.items[i].value);
        push(&n->values, find_param(n, function, function->params.items[i].name));
    }
    n->in_function = true;
    name_expr(n, function->value);
    n->in_function = false;
    n->values.count = 0;
}

static void define_blocks(Namer *n)
{
    for (int i = 0; i < n->program->blocks.count; i++) {
        const BlockDef *block = n->program->blocks.items[i];
        const Definition *made = define(n, (Definition){.kind = NAME_BLOCK,
                                                        .name = block->name,
                                                        .span = block->name_span,
                                                        .block = block});
        define_first(&n->blocks, block->name, made);
        for (int k = 0; k < block->params.count; k++)
            define_param(n, &block->params.items[k], block, NULL);
    }
}

static const ArgSpec *find_spec(const ArgSpec *specs, const char *name)
{
    for (; specs && specs->name; specs++)
        if (!strcmp(specs->name, name))
            return specs;
    return NULL;
}

static void name_setting_argument(Namer *n, const Arg *arg, const ArgSpec *first,
                                  const ArgSpec *second)
{
    const ArgSpec *spec = arg->name ? find_spec(first, arg->name) : NULL;
    spec = spec || !arg->name ? spec : find_spec(second, arg->name);
    if (spec)
        refer_builtin(n, arg->name_span,
                      (Definition){.kind = NAME_ARGUMENT, .name = arg->name, .arg = spec});
}

/* `optimizer sgd(lr=0.01), momentum=0.5`: the choice's arguments, in its brackets
 * and after it, then the setting's own. */
static void name_setting(Namer *n, const SettingDef *def)
{
    SettingInfo info = {0};
    for (int i = 0; !info.name && setting_info(i).name; i++)
        if (!strcmp(setting_info(i).name, def->name))
            info = setting_info(i);
    if (!info.name)
        return;
    const ArgSpec *args = NULL;
    refer_builtin(n, def->name_span,
                  (Definition){.kind = NAME_SETTING, .name = info.name, .setting = info});
    for (int i = 0; i < def->arguments.count; i++) {
        const Arg *arg = &def->arguments.items[i];
        const Expr *value = arg->value;
        name_setting_argument(n, arg, args, info.args);
        const Definition *own = i == 0 && value->word && !strcmp(def->name, "loss")
                                    ? find_block_definition(n, value->word)
                                    : NULL;
        if (own && own->function && own->function->loss) {
            refer(n, value->word_span, own);
            continue;
        }
        for (int k = 0; k < info.choices.count && value->word && !arg->name; k++) {
            if (strcmp(info.choices.items[k].name, value->word))
                continue;
            args = info.choices.items[k].args;
            refer_builtin(n, value->word_span,
                          (Definition){.kind = NAME_CHOICE,
                                       .name = value->word,
                                       .setting = info,
                                       .op = find_operator(value->word)});
            for (int p = 0; p < value->arguments.count; p++)
                name_setting_argument(n, &value->arguments.items[p], args, NULL);
        }
    }
}

static void name_uses(Namer *n)
{
    for (int i = 0; i < n->program->uses.count; i++) {
        const UseDef *use = &n->program->uses.items[i];
        const char *name = strrchr(use->path, '/') ? strrchr(use->path, '/') + 1 : use->path;
        for (int k = 0; k < n->program->sources.count; k++) {
            const Source *source = n->program->sources.items[k];
            size_t length = strlen(source->path), tail = strlen(name);
            if (length >= tail && !strcmp(source->path + length - tail, name)
                && source != use->span.source)
                refer_builtin(n, use->span,
                              (Definition){.kind = NAME_FILE, .name = use->path, .file = source});
        }
    }
}

static int compare_occurrences(const void *left, const void *right)
{
    const Occurrence *a = left, *b = right;
    if (a->span.source != b->span.source)
        return a->span.source->order < b->span.source->order ? -1 : 1;
    return compare_to_position(a->span, (Position){b->span.line, b->span.column});
}

const Names *find_names(const Program *program)
{
    Names *names = NEW(Names);
    Namer n = {.program = program, .names = names};
    define_blocks(&n);
    define_functions(&n);
    for (int i = 0; i < program->functions.count; i++)
        name_function(&n, program->functions.items[i]);
    for (int i = 0; i < program->blocks.count; i++)
        name_section(&n, program->blocks.items[i], program->blocks.items[i]->body);
    if (program->network) {
        define(&n, (Definition){.kind = NAME_NETWORK,
                                .name = program->network->name,
                                .span = program->network->name_span});
        name_section(&n, NULL, program->network->body);
    }
    for (int i = 0; program->train && i < program->train->settings.count; i++)
        name_setting(&n, &program->train->settings.items[i]);
    name_uses(&n);
    if (names->occurrences.count)
        qsort(names->occurrences.items, (size_t)names->occurrences.count,
              sizeof *names->occurrences.items, compare_occurrences);
    return names;
}

/* ---- asking */

const Occurrence *occurrence_at(Analysis *a, Position position)
{
    const Names *names = names_of(a);
    for (int i = 0; i < names->occurrences.count; i++) {
        const Occurrence *found = &names->occurrences.items[i];
        if (found->span.source == a->source && is_within(found->span, position))
            return found;
    }
    return NULL;
}

bool same_definition(const Definition *a, const Definition *b)
{
    if (a->span.source || b->span.source)
        return a == b;
    return a->kind == b->kind && !strcmp(a->name, b->name) && a->op == b->op && a->arg == b->arg;
}
