/* outline.c: what an editor shows around the text: symbols, folds, words in the
 * colours of what they mean, and every line's shape at its end.
 */
#include "serve/server.h"

#include "front/front.h"
#include "parse.h"

#include <string.h>

/* ---- symbols */

enum {
    SYMBOL_MODULE = 2,
    SYMBOL_CLASS = 5,
    SYMBOL_PROPERTY = 7,
    SYMBOL_FIELD = 8,
    SYMBOL_FUNCTION = 12,
    SYMBOL_NAMESPACE = 3
};

static cJSON *add_symbol(cJSON *symbols, const char *name, int kind, const char *detail, Span whole,
                         Span selection)
{
    cJSON *symbol = cJSON_CreateObject();
    cJSON_AddStringToObject(symbol, "name", *name ? name : "?");
    cJSON_AddNumberToObject(symbol, "kind", kind);
    if (detail)
        cJSON_AddStringToObject(symbol, "detail", detail);
    cJSON_AddItemToObject(symbol, "range", json_range(whole));
    cJSON_AddItemToObject(symbol, "selectionRange", json_range(selection));
    cJSON_AddItemToArray(symbols, symbol);
    return cJSON_AddArrayToObject(symbol, "children");
}

/* The named layers, in whatever braces they stand. */
static void add_layers(cJSON *symbols, const Body *body)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        cJSON *children = symbols;
        if (stmt->as) {
            Span whole = span_between(stmt->keyword, stmt->as->span);
            const char *applied = stmt->call ? stmt->call->word : span_chars(stmt->keyword);
            children = add_symbol(symbols, span_chars(stmt->as->span), SYMBOL_FIELD, applied, whole,
                                  stmt->as->span);
        }
        add_layers(children, stmt->body);
        add_layers(children, stmt->other);
    }
}

cJSON *answer_symbols(Request *request)
{
    const Program *program = request->analysis->program;
    cJSON *symbols = cJSON_CreateArray();
    for (int i = 0; i < program->blocks.count; i++) {
        const BlockDef *block = program->blocks.items[i];
        if (block->span.source != program->source)
            continue;
        Span whole =
            block->body->close.source ? span_between(block->span, block->body->close) : block->span;
        add_layers(add_symbol(symbols, block->name, SYMBOL_CLASS, block_head(block), whole,
                              block->name_span),
                   block->body);
    }
    for (int i = 0; i < program->functions.count; i++) {
        const FunctionDef *function = program->functions.items[i];
        if (function->span.source == program->source)
            add_symbol(symbols, function->name, SYMBOL_FUNCTION, function_head(function),
                       function->span, function->name_span);
    }
    if (program->network) {
        const NetworkDef *network = program->network;
        Span whole = span_between(network->name_span, network->body->close);
        add_layers(
            add_symbol(symbols, network->name, SYMBOL_MODULE, "network", whole, network->name_span),
            network->body);
    }
    cJSON *train = program->train ? add_symbol(symbols, "train", SYMBOL_NAMESPACE, NULL,
                                               program->train->span, program->train->span)
                                  : NULL;
    for (int i = 0; program->train && i < program->train->settings.count; i++) {
        const SettingDef *setting = &program->train->settings.items[i];
        add_symbol(train, setting->name, SYMBOL_PROPERTY, NULL, setting->span, setting->name_span);
    }
    return symbols;
}

/* ---- folds */

static void add_fold(cJSON *folds, int first, int last, const char *kind)
{
    if (last <= first)
        return;
    cJSON *fold = cJSON_CreateObject();
    cJSON_AddNumberToObject(fold, "startLine", first - 1);
    cJSON_AddNumberToObject(fold, "endLine", last - 1);
    if (kind)
        cJSON_AddStringToObject(fold, "kind", kind);
    cJSON_AddItemToArray(folds, fold);
}

/* From the words alone, so that a text with faults folds as well. */
static void scan_quietly(const Source *source, TokenList *tokens, TokenList *comments)
{
    DiagnosticLog *log = diag_to(new_diagnostic_log());
    scan_source(source, tokens, comments);
    diag_to(log);
}

static void fold_comments(const TokenList *comments, cJSON *folds)
{
    for (int i = 0, end; i < comments->count; i = end) {
        int line = comments->items[i].span.line;
        for (end = i + 1; end < comments->count && comments->items[end].first_on_line
                          && comments->items[end].span.line == line + end - i;
             end++)
            ;
        if (comments->items[i].first_on_line)
            add_fold(folds, line, line + end - i - 1, "comment");
    }
}

cJSON *answer_folds(Request *request)
{
    cJSON *folds = cJSON_CreateArray();
    TokenList tokens = {0}, comments = {0};
    LIST(int) open = {0};
    scan_quietly(request->analysis->source, &tokens, &comments);
    for (int i = 0; i < tokens.count; i++) {
        if (tokens.items[i].kind == LBRACE)
            push(&open, tokens.items[i].span.line);
        if (tokens.items[i].kind == RBRACE && open.count)
            add_fold(folds, open.items[--open.count], tokens.items[i].span.line - 1, NULL);
    }
    fold_comments(&comments, folds);
    return folds;
}

/* ---- coloured words */

static const char *const colours[] = {
    "keyword",   "comment",  "string",   "number",     "operator",  "function", "class",
    "parameter", "variable", "property", "enumMember", "namespace", NULL};
enum {
    KEYWORD,
    COMMENT,
    STRING,
    NUMBER,
    SIGN,
    CALLED,
    CLASS,
    PARAMETER,
    VARIABLE,
    PROPERTY,
    MEMBER,
    NAMESPACE,
    NO_COLOUR
};
enum { DECLARED = 1, BUILT_IN = 2 };

cJSON *colour_legend(void)
{
    static const char *const modifiers[] = {"declaration", "defaultLibrary"};
    cJSON *legend = cJSON_CreateObject(), *types = cJSON_AddArrayToObject(legend, "tokenTypes");
    for (int i = 0; colours[i]; i++)
        cJSON_AddItemToArray(types, cJSON_CreateString(colours[i]));
    cJSON_AddItemToObject(legend, "tokenModifiers", cJSON_CreateStringArray(modifiers, 2));
    return legend;
}

static int word_colour(const Token *token)
{
    if (token->kind >= USE && token->kind <= NOT)
        return token->kind == TRUE || token->kind == FALSE ? MEMBER : KEYWORD;
    if (token->kind == INT || token->kind == FLOAT)
        return NUMBER;
    if (token->kind == CHARS || token->kind == TEXT_BEGIN || token->kind == TEXT_END)
        return STRING;
    return token->kind >= EQUAL && token->kind <= MODULO ? SIGN : NO_COLOUR;
}

static int name_colour(NameKind kind)
{
    switch (kind) {
    case NAME_OPERATOR:
    case NAME_FUNCTION:
        return CALLED;
    case NAME_BLOCK:
        return CLASS;
    case NAME_PARAMETER:
    case NAME_DIMENSION:
        return PARAMETER;
    case NAME_LET:
    case NAME_LOOP:
        return VARIABLE;
    case NAME_TENSOR:
        return VARIABLE;
    case NAME_ARGUMENT:
    case NAME_SETTING:
        return PROPERTY;
    case NAME_CHOICE:
        return MEMBER;
    case NAME_FILE:
        return STRING;
    case NAME_NETWORK:
        return NAMESPACE;
    }
    unreachable();
}

typedef struct Painter {
    const Source *source;
    LIST(int) numbers;
    int line, character;
} Painter;

static int units_between(const Source *source, int line, int from, int to)
{
    int units = 0;
    for (size_t at = offset_of(source, line, from), end = offset_of(source, line, to); at < end;
         at++) {
        unsigned char c = (unsigned char)source->chars[at];
        units += (c & 0xC0) != 0x80 ? 1 + (c >= 0xF0) : 0;
    }
    return units;
}

/* Five numbers: lines and units from the last word, length, type, modifiers. */
static void paint(Painter *p, Span span, int colour, int modifiers)
{
    int line = span.line - 1, character = units_between(p->source, span.line, 1, span.column);
    int numbers[] = {line - p->line, line == p->line ? character - p->character : character,
                     units_between(p->source, span.line, span.column, span.end_column), colour,
                     modifiers};
    if (span.line != span.end_line || numbers[2] <= 0)
        return;
    for (int i = 0; i < 5; i++)
        push(&p->numbers, numbers[i]);
    p->line = line;
    p->character = character;
}

static bool begins_at(Span a, Span b)
{
    return a.line == b.line && a.column == b.column;
}

static void paint_word(Painter *p, const Token *token, const Names *names, int *next)
{
    Position position = {token->span.line, token->span.column};
    while (*next < names->occurrences.count
           && names->occurrences.items[*next].span.source == p->source
           && compare_to_position(names->occurrences.items[*next].span, position) < 0)
        ++*next;
    const Occurrence *name =
        *next < names->occurrences.count ? &names->occurrences.items[*next] : NULL;
    if (name && name->span.source == p->source && begins_at(name->span, token->span)
        && token->kind != TEXT_BEGIN && name->definition->kind != NAME_FILE)
        paint(p, token->span, name_colour(name->definition->kind),
              (name->defines ? DECLARED : 0) | (name->definition->span.source ? 0 : BUILT_IN));
    else if (word_colour(token) != NO_COLOUR)
        paint(p, token->span, word_colour(token), 0);
}

cJSON *answer_colours(Request *request)
{
    Analysis *a = request->analysis;
    TokenList tokens = {0}, comments = {0};
    Painter p = {.source = a->source};
    const Names *names = names_of(a);
    int name = 0, comment = 0;
    scan_quietly(a->source, &tokens, &comments);
    for (int i = 0; i < tokens.count; i++) {
        const Token *token = &tokens.items[i];
        Position position = {token->span.line, token->span.column};
        for (; comment < comments.count
               && (token->kind == END
                   || compare_to_position(comments.items[comment].span, position) < 0);
             comment++)
            paint(&p, comments.items[comment].span, COMMENT, 0);
        paint_word(&p, token, names, &name);
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "data",
                          p.numbers.count ? cJSON_CreateIntArray(p.numbers.items, p.numbers.count)
                                          : cJSON_CreateArray());
    return result;
}

/* ---- shapes at the ends of lines */

typedef struct Hint {
    int line, column;
    const char *shape;
} Hint;
typedef LIST(Hint) Hints;

static Span end_of(const Stmt *stmt)
{
    Span end = stmt->span;
    const Body *bodies[] = {stmt->body, stmt->other};
    for (int i = 0; i < 2; i++)
        if (bodies[i]
            && compare_to_position(bodies[i]->close, (Position){end.end_line, end.end_column}) >= 0)
            end = bodies[i]->close;
    if (stmt->as
        && compare_to_position(stmt->as->span, (Position){end.end_line, end.end_column}) >= 0)
        end = stmt->as->span;
    return end;
}

/* What follows a line's last statement; none where the line says it itself. */
static void collect_hints(Analysis *a, const Body *body, Hints *hints)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        collect_hints(a, stmt->body, hints);
        collect_hints(a, stmt->other, hints);
        Span end = end_of(stmt);
        Hint *last = hints->count ? &hints->items[hints->count - 1] : NULL;
        bool told = stmt->shape || stmt->kind == STMT_LET || stmt->kind == STMT_INPUT;
        Hint hint = {end.end_line, end.end_column,
                     told ? NULL : noted_shape(a->shapes, stmt->keyword)};
        if (last && last->line == hint.line)
            *last = hint;
        else
            push(hints, hint);
    }
}

cJSON *answer_hints(Request *request)
{
    Analysis *a = request->analysis;
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(request->params, "range");
    cJSON *array = cJSON_CreateArray();
    Position from = {1, 1}, to = {a->source->lines, 1};
    Hints hints = {0};
    read_position(a->source, cJSON_GetObjectItemCaseSensitive(range, "start"), &from);
    read_position(a->source, cJSON_GetObjectItemCaseSensitive(range, "end"), &to);
    for (int i = 0; i < a->program->blocks.count; i++)
        if (a->program->blocks.items[i]->span.source == a->source)
            collect_hints(a, a->program->blocks.items[i]->body, &hints);
    collect_hints(a, a->program->network ? a->program->network->body : NULL, &hints);
    for (int i = 0; i < hints.count; i++) {
        Hint *hint = &hints.items[i];
        if (!hint->shape || hint->line < from.line || hint->line > to.line)
            continue;
        Span span = {a->source, hint->line, hint->column, hint->line, hint->column};
        cJSON *item = cJSON_CreateObject(), *where = json_range(span);
        cJSON_AddItemToObject(item, "position", cJSON_DetachItemFromObject(where, "start"));
        cJSON_Delete(where);
        cJSON_AddStringToObject(item, "label", format("-> %s", hint->shape));
        cJSON_AddNumberToObject(item, "kind", 1);
        cJSON_AddBoolToObject(item, "paddingLeft", true);
        cJSON_AddItemToArray(array, item);
    }
    return array;
}
