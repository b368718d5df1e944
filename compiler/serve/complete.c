/* complete.c: what may stand at the cursor, and the arguments of the call it is in.
 *
 * A line being typed is no sentence yet, so the tree says little about it: the
 * words before the cursor tell which braces and brackets are open, and so what
 * kind of thing comes next.  Only the names in scope are taken from the tree.
 */
#include "serve/server.h"

#include "front/front.h"
#include "parse.h"

#include <string.h>

typedef struct Context {
    const Token *word;   /* the one being typed; NULL: none yet */
    const Token *before; /* the last one before it; NULL: none */
    /* that the braces belong to: `train`, `block`, `network`; NULL: outside all */
    const Token *section;
    const Token *callee;  /* whose brackets are open; NULL: none */
    const Token *setting; /* in a train section: the line's first word; NULL: it is yet to come */
    const Token *named;   /* NAME of the `NAME =` just before; NULL: none */
    LIST(const char *) given; /* arguments that have been named in these brackets */
    int commas;               /* in these brackets */
    bool begins;              /* a statement begins here */
} Context;

/* ---- where the cursor is */

static bool is_name(const Token *token)
{
    return token->kind == NAME || token->kind == PATH || (token->kind >= USE && token->kind <= ANY);
}

static bool goes_on(int kind)
{
    return kind == COMMA || kind == ASSIGN || kind == ARROW || (kind >= EQUAL && kind <= MODULO)
           || kind == AND || kind == OR || kind == NOT || kind == AS || kind == FROM
           || kind == LPAREN || kind == LBRACKET;
}

typedef struct Bracket {
    const Token *callee;
    int commas;
    bool brace;
    const Token *section;
    int given;
} Bracket;
typedef LIST(Bracket) Brackets;

static const Token *innermost_section(const Brackets *open)
{
    for (int i = open->count - 1; i >= 0; i--)
        if (open->items[i].section)
            return open->items[i].section;
    return NULL;
}

static void open_bracket(Context *c, Brackets *open, const Token *token, const Token *before,
                         const Token *heading)
{
    Bracket bracket = {.brace = token->kind == LBRACE, .given = c->given.count};
    if (token->kind == LPAREN && before && is_name(before))
        bracket.callee = before;
    if (bracket.brace && !open->count)
        bracket.section = heading;
    push(open, bracket);
}

static void close_bracket(Context *c, Brackets *open)
{
    if (open->count)
        c->given.count = open->items[--open->count].given;
}

/* Unclosed brackets of a line above do not reach into a statement that begins. */
static void begin_line(Context *c, Brackets *open)
{
    while (open->count && !open->items[open->count - 1].brace)
        close_bracket(c, open);
}

static bool begins_statement(const Token *token, const Token *before, const Brackets *open,
                             int line)
{
    bool in_brackets = open->count && !open->items[open->count - 1].brace;
    if (!before || before->kind == LBRACE || before->kind == RBRACE || before->kind == SEMICOLON)
        return true;
    return (token ? token->first_on_line : before->span.line < line) && !goes_on(before->kind)
           && !in_brackets;
}

static void follow(Context *c, Brackets *open, const Token *token, const Token **heading)
{
    const Token *before = c->before;
    if (begins_statement(token, before, open, 0)) {
        begin_line(c, open);
        c->setting = token;
        *heading = open->count ? *heading : token;
    }
    if (token->kind == LPAREN || token->kind == LBRACKET || token->kind == LBRACE)
        open_bracket(c, open, token, before, *heading);
    if (token->kind == RPAREN || token->kind == RBRACKET || token->kind == RBRACE)
        close_bracket(c, open);
    if (token->kind == COMMA && open->count)
        open->items[open->count - 1].commas++;
    if (token->kind == ASSIGN && before && is_name(before))
        push(&c->given, before->word);
    c->before = token;
}

static bool ends_before(const Token *token, Position position)
{
    return token->span.line < position.line
           || (token->span.line == position.line && token->span.end_column <= position.column);
}

static Context context_at(const Source *source, Position position)
{
    Context c = {0};
    Brackets open = {0};
    TokenList tokens = {0};
    const Token *heading = NULL, *last = NULL;
    DiagnosticLog *log = diag_to(new_diagnostic_log());
    bool text = scan_source(source, &tokens, NULL);
    diag_to(log);
    for (int i = 0; text && i < tokens.count && tokens.items[i].kind != END
                    && ends_before(&tokens.items[i], position);
         i++) {
        const Token *token = &tokens.items[i];
        bool touches =
            token->span.line == position.line && token->span.end_column == position.column;
        if (is_name(token) && touches) {
            c.word = token;
            break;
        }
        last = c.before;
        follow(&c, &open, token, &heading);
    }
    c.begins = begins_statement(c.word, c.before, &open, position.line);
    if (c.begins)
        begin_line(&c, &open);
    const Bracket *inner = open.count ? &open.items[open.count - 1] : NULL;
    c.section = innermost_section(&open);
    c.callee = inner && !inner->brace ? inner->callee : NULL;
    c.commas = inner ? inner->commas : 0;
    c.setting = c.begins ? NULL : c.setting;
    c.named = c.before && c.before->kind == ASSIGN && last && is_name(last) ? last : NULL;
    return c;
}

/* ---- what is called */

typedef struct Callee {
    const Operator *op;
    const BlockDef *block;
    const FunctionDef *function;
    const ArgSpec *args;
    const char *doc;
} Callee;

static SettingInfo find_setting_info(const char *name)
{
    int i = 0;
    while (setting_info(i).name && strcmp(setting_info(i).name, name))
        i++;
    return setting_info(i);
}

static Callee find_choice_callee(const char *setting, const char *name)
{
    SettingInfo info = find_setting_info(setting);
    for (int i = 0; i < info.choices.count; i++)
        if (!strcmp(info.choices.items[i].name, name))
            return (Callee){.args = info.choices.items[i].args, .doc = info.doc};
    return (Callee){0};
}

static Callee find_callee(const Analysis *a, const Context *c)
{
    const char *name = c->callee->word ? c->callee->word : "";
    if (c->section && c->section->kind == TRAIN)
        return find_choice_callee(c->setting && c->setting->word ? c->setting->word : "", name);
    const FunctionDef *function = find_element_function(a->program, name);
    if (function)
        return (Callee){.function = function, .doc = function_head(function)};
    const Operator *op = find_operator(name);
    if (op)
        return (Callee){.op = op, .args = op->args, .doc = op->summary};
    return (Callee){.block = find_block(a->program, name)};
}

/* ---- items */

enum {
    ITEM_FUNCTION = 3,
    ITEM_FIELD = 5,
    ITEM_VARIABLE = 6,
    ITEM_CLASS = 7,
    ITEM_PROPERTY = 10,
    ITEM_KEYWORD = 14,
    ITEM_VALUE = 12
};

static cJSON *add_item(cJSON *items, const char *label, int kind, const char *detail,
                       const char *page)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "label", label);
    cJSON_AddNumberToObject(item, "kind", kind);
    if (detail)
        cJSON_AddStringToObject(item, "detail", detail);
    if (page) {
        cJSON *documentation = cJSON_AddObjectToObject(item, "documentation");
        cJSON_AddStringToObject(documentation, "kind", "markdown");
        cJSON_AddStringToObject(documentation, "value", page);
    }
    cJSON_AddItemToArray(items, item);
    return item;
}

static void add_words(cJSON *items, const char *const *words, int kind)
{
    for (; words && *words; words++)
        add_item(items, *words, kind, NULL, NULL);
}

static void add_operators(cJSON *items, unsigned without)
{
    for (int i = 0; operators[i]; i++)
        if (!(operators[i]->traits & without))
            add_item(items, operators[i]->name, ITEM_FUNCTION, operators[i]->summary,
                     operator_page(operators[i]));
}

static void add_blocks(const Analysis *a, cJSON *items)
{
    for (int i = 0; i < a->program->blocks.count; i++)
        add_item(items, a->program->blocks.items[i]->name, ITEM_CLASS,
                 block_head(a->program->blocks.items[i]), NULL);
}

/* Functions, or losses. */
static void add_functions(const Analysis *a, bool losses, cJSON *items)
{
    for (int i = 0; i < a->program->functions.count; i++)
        if (a->program->functions.items[i]->loss == losses)
            add_item(items, a->program->functions.items[i]->name, ITEM_FUNCTION,
                     function_head(a->program->functions.items[i]), NULL);
}

static const Body *body_at(const Program *program, const Source *source, Position position,
                           const BlockDef **block)
{
    *block = NULL;
    for (int i = 0; i < program->blocks.count; i++) {
        const BlockDef *def = program->blocks.items[i];
        if (def->span.source == source
            && is_within(span_between(def->span, def->body->close), position)) {
            *block = def;
            return def->body;
        }
    }
    return program->network ? program->network->body : NULL;
}

/* What is defined before the cursor in its block or network. */
static void add_names(Analysis *a, Position position, bool tensors, cJSON *items)
{
    const BlockDef *block;
    const Names *names = names_of(a);
    if (!body_at(a->program, a->source, position, &block))
        return;
    for (int i = 0; i < names->definitions.count; i++) {
        const Definition *d = names->definitions.items[i];
        bool value = d->kind == NAME_PARAMETER || d->kind == NAME_DIMENSION || d->kind == NAME_LET
                     || d->kind == NAME_LOOP;
        bool earlier = d->span.source == a->source && compare_to_position(d->span, position) < 0;
        if (d->block == block && earlier && (tensors ? d->kind == NAME_TENSOR : value))
            add_item(items, d->name, ITEM_VARIABLE, tensors ? "a tensor" : NULL, NULL);
    }
}

static bool is_given(const Context *c, const char *name)
{
    for (int i = 0; i < c->given.count; i++)
        if (c->given.items[i] && !strcmp(c->given.items[i], name))
            return true;
    return false;
}

/* Outside all braces, in a line that begins with `function`. */
static bool in_function(const Context *c)
{
    return !c->section && c->setting && c->setting->kind == FUNCTION;
}

static void add_argument(cJSON *items, const char *name, const char *detail, const char *page)
{
    cJSON *item = add_item(items, format("%s=", name), ITEM_FIELD, detail, page);
    cJSON_AddStringToObject(item, "filterText", name);
}

static void add_arguments(const Context *c, const ArgSpec *args, cJSON *items)
{
    for (; args && args->name; args++)
        if (!is_given(c, args->name))
            add_argument(items, args->name, args->otherwise ? NULL : "required",
                         argument_page(args));
}

static void add_parameters(const Context *c, const BlockDef *block, cJSON *items)
{
    for (int i = 0; block && i < block->params.count; i++)
        if (!is_given(c, block->params.items[i].name))
            add_argument(items, block->params.items[i].name,
                         block->params.items[i].value ? NULL : "required", NULL);
}

/* At a use: its numbers.  In a function all of its parameters may be named. */
static void add_numbers(const Context *c, const FunctionDef *function, cJSON *items)
{
    for (int i = 0; function && i < function->params.count; i++) {
        const Param *param = &function->params.items[i];
        if (!is_given(c, param->name) && (param->value || in_function(c)))
            add_argument(items, param->name, param->value ? NULL : "required", NULL);
    }
}

static const ArgSpec *spec_named(const ArgSpec *args, const char *name)
{
    for (; args && args->name; args++)
        if (name && !strcmp(args->name, name))
            return args;
    return NULL;
}

/* After `name=`. */
static void add_argument_values(const Callee *callee, const Context *c, cJSON *items)
{
    static const char *const truths[] = {"true", "false", NULL};
    const ArgSpec *spec = spec_named(callee->args, c->named->word);
    if (spec && spec->kind == ARG_BOOL)
        add_words(items, truths, ITEM_VALUE);
    if (spec)
        add_words(items, spec->words, ITEM_VALUE);
    if (callee->block)
        add_operators(items, OP_LOSS | OP_JOINS);
}

/* In a function: its parameters, and what it may call. */
static void complete_value(Analysis *a, Position position, cJSON *items)
{
    for (int i = 0; i < a->program->functions.count; i++) {
        const FunctionDef *function = a->program->functions.items[i];
        bool here = function->span.source == a->source && is_within(function->span, position);
        for (int k = 0; here && k < function->params.count; k++)
            add_item(items, function->params.items[k].name, ITEM_VARIABLE,
                     function->params.items[k].value ? "a number" : "a tensor", NULL);
    }
    for (int i = 0; element_function(i).name; i++)
        add_item(items, element_function(i).name, ITEM_FUNCTION, element_function(i).call, NULL);
    add_functions(a, false, items);
}

static void complete_call(Analysis *a, const Context *c, Position position, cJSON *items)
{
    Callee callee = find_callee(a, c);
    if (c->named) {
        add_argument_values(&callee, c, items);
    } else {
        add_arguments(c, callee.args, items);
        add_parameters(c, callee.block, items);
        add_numbers(c, callee.function, items);
    }
    if (in_function(c))
        complete_value(a, position, items);
    else if (!c->section || c->section->kind != TRAIN)
        add_names(a, position, false, items);
    const ArgSpec *spec = c->named ? spec_named(callee.args, c->named->word) : NULL;
    if (callee.block || (callee.function && c->section) || (spec && spec->kind == ARG_TENSORS)
        || (callee.op && callee.op->traits & (OP_JOINS | OP_ALSO_JOINS)))
        add_names(a, position, true, items);
}

static void complete_setting(const Analysis *a, const Context *c, cJSON *items)
{
    if (c->begins)
        for (int i = 0; setting_info(i).name; i++)
            add_item(items, setting_info(i).name, ITEM_PROPERTY,
                     setting_info(i).required ? "required" : NULL, setting_info(i).doc);
    if (c->begins || !c->setting || !c->setting->word)
        return;
    SettingInfo info = find_setting_info(c->setting->word);
    bool first = c->before == c->setting, many = info.name && !strcmp(info.name, "augment");
    if (c->named) {
        add_argument_values(&(Callee){.args = info.args}, c, items);
        return;
    }
    for (int i = 0; (first || many || info.repeated) && i < info.choices.count; i++)
        add_item(items, info.choices.items[i].name, ITEM_VALUE, NULL, NULL);
    if (first && info.name && !strcmp(info.name, "loss"))
        add_functions(a, true, items);
    add_arguments(c, info.args, items);
}

static void complete_statement(Analysis *a, Position position, cJSON *items)
{
    add_operators(items, OP_LOSS);
    add_blocks(a, items);
    add_functions(a, false, items);
    for (int i = 0; language_word(i); i++)
        if (language_word(i)->begins)
            add_item(items, language_word(i)->name, ITEM_KEYWORD, language_word(i)->form,
                     language_word(i)->text);
    add_names(a, position, false, items);
}

cJSON *answer_completion(Request *request)
{
    static const char *const sections[] = {"block", "function", "network", "train", "use", NULL},
                             *const after[] = {"as", NULL};
    Analysis *a = request->analysis;
    Context c = context_at(a->source, request->position);
    cJSON *items = cJSON_CreateArray();
    if (c.callee)
        complete_call(a, &c, request->position, items);
    else if (in_function(&c))
        complete_value(a, request->position, items);
    else if (!c.section)
        add_words(items, c.begins ? sections : NULL, ITEM_KEYWORD);
    else if (c.section->kind == TRAIN)
        complete_setting(a, &c, items);
    else if (c.begins)
        complete_statement(a, request->position, items);
    else if (c.before && (c.before->kind == FROM || c.before->kind == REUSE))
        add_names(a, request->position, true, items);
    else if (c.before && c.before->kind != AS && !goes_on(c.before->kind))
        add_words(items, after, ITEM_KEYWORD);
    else if (c.before && c.before->kind != AS)
        add_names(a, request->position, false, items);
    return items;
}

/* ---- the arguments of a call */

static const char *argument_label(const ArgSpec *arg)
{
    if (!arg->otherwise)
        return arg->name;
    if (!strcmp(arg->otherwise, "none"))
        return format("[%s]", arg->name);
    return format("%s=%s", arg->name, arg->otherwise + (arg->otherwise[0] == '='));
}

typedef struct Signature {
    Text label;
    cJSON *parameters;
    int active, count;
} Signature;

static void add_parameter(Signature *s, const Context *c, const char *name, const char *label,
                          const char *page, bool positional)
{
    cJSON *parameter = cJSON_CreateObject();
    text_add(&s->label, "%s%s", s->count ? ", " : "", label);
    cJSON_AddStringToObject(parameter, "label", label);
    if (page) {
        cJSON *documentation = cJSON_AddObjectToObject(parameter, "documentation");
        cJSON_AddStringToObject(documentation, "kind", "markdown");
        cJSON_AddStringToObject(documentation, "value", page);
    }
    cJSON_AddItemToArray(s->parameters, parameter);
    if (c->named ? c->named->word && !strcmp(c->named->word, name)
                 : positional && s->count == c->commas)
        s->active = s->count;
    s->count++;
}

cJSON *answer_signature(Request *request)
{
    Context c = context_at(request->analysis->source, request->position);
    Callee callee = c.callee ? find_callee(request->analysis, &c) : (Callee){0};
    if (!callee.args && !callee.function && !(callee.block && callee.block->params.count))
        return NULL;
    Signature s = {.parameters = cJSON_CreateArray(), .active = -1};
    text_add(&s.label, "%s(", c.callee->word);
    for (const ArgSpec *arg = callee.args; arg && arg->name; arg++)
        add_parameter(&s, &c, arg->name, argument_label(arg), argument_page(arg), arg->positional);
    int params = callee.block      ? callee.block->params.count
                 : callee.function ? callee.function->params.count
                                   : 0;
    for (int i = 0; i < params; i++) {
        const Param *param =
            callee.block ? &callee.block->params.items[i] : &callee.function->params.items[i];
        if (callee.function && !param->value && !in_function(&c))
            continue; /* tensors are the use's own */
        const char *label = param->value
                                ? format("%s=%s", param->name, span_chars(param->value->span))
                                : param->name;
        add_parameter(&s, &c, param->name, label, NULL, true);
    }
    text_add(&s.label, ")");
    cJSON *help = cJSON_CreateObject(), *signature = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(help, "signatures"), signature);
    cJSON_AddStringToObject(signature, "label", text_chars(&s.label));
    if (callee.doc)
        cJSON_AddStringToObject(signature, "documentation", callee.doc);
    cJSON_AddItemToObject(signature, "parameters", s.parameters);
    cJSON_AddNumberToObject(help, "activeSignature", 0);
    cJSON_AddNumberToObject(help, "activeParameter", s.active < 0 ? s.count : s.active);
    return help;
}
